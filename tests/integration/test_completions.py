# SPDX-License-Identifier: MIT
"""Completions in bash, zsh and fish have every command and option of dotstubctl --help, and the shells accept the files."""
import pathlib
import re
import subprocess

import pytest

from test_ctl import CTL

TOP = pathlib.Path(__file__).parents[2] / "packaging/completions"
BASH, ZSH, FISH = TOP / "bash/dotstubctl", TOP / "zsh/_dotstubctl", TOP / "fish/dotstubctl.fish"
HELP = subprocess.run([CTL, "--help"], capture_output=True, text=True).stdout
COMMANDS = re.findall(r"^  ([a-z]+) ", HELP, re.M)
OPTIONS = re.findall(r"^ +(?:-[a-z], )?--([a-z-]+)", HELP, re.M)


def complete(line, shell):
    words = line.split(" ")
    if shell == "fish":
        done = subprocess.run(["fish", "--no-config", "-c", f'source {FISH}; complete -C "$argv[1]"', line], capture_output=True, text=True)
        return {row.split("\t")[0] for row in done.stdout.splitlines()}
    script = f'. {BASH}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dotstubctl; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-euc", script, "bash", *words], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_help_lists_commands_and_options():
    assert len(COMMANDS) >= 13 and {"system", "doctor"} <= set(COMMANDS) and {"json", "dry-run", "help"} <= set(OPTIONS)


@pytest.mark.parametrize("file", [BASH, ZSH, FISH], ids=lambda file: file.parent.name)
def test_every_command_and_option_is_named(file):
    text = file.read_text()
    long = r"-l {0}\b" if file == FISH else r"--{0}\b"
    assert not [name for name in COMMANDS if not re.search(rf"\b{name}\b", text)]
    assert not [name for name in OPTIONS if not re.search(long.format(name), text)]


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_it_completes(shell):
    assert complete("dotstubctl ", shell) == set(COMMANDS)
    assert complete("dotstubctl --json st", shell) == {"status", "stats"}
    assert complete("dotstubctl system ", shell) == {"status", "enable", "disable"}
    assert complete("dotstubctl dnssec ", shell) == {"anchors", "negative"}
    assert "--dry-run" in complete("dotstubctl system --d", shell)


@pytest.mark.parametrize("shell, file", [("bash", BASH), ("zsh", ZSH), ("fish", FISH)])
def test_the_shell_can_read_it(shell, file):
    subprocess.run([shell, "-n", file], check=True)
