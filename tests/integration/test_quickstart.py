# SPDX-License-Identifier: MIT
"""packaging/quickstart, with the programs of this build in place of its own build: what it prints, and what it leaves."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from daemon import BINARY, environment

TOP = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.plain


@pytest.fixture
def clone(public_path):
    """A clone whose build copies the programs."""
    (public_path / "packaging").mkdir()
    for name in ("quickstart", "dependencies", "stand-in"):
        shutil.copy(TOP / "packaging" / name, public_path / "packaging")
    (public_path / "configure.ac").touch()
    (public_path / "configure").write_text("#!/bin/sh\n")
    (public_path / "configure").chmod(0o755)
    os.utime(public_path / "configure.ac", (0, 0))
    build = public_path / "build"
    build.mkdir()
    (build / "config.status").touch()
    rules = "".join(f"{name}:\n\tcp {BINARY.with_name(name)} {name}\n\techo noise\n" for name in ("dotstub", "dotstubctl"))
    (build / "Makefile").write_text(rules)
    return public_path


def run(clone, namespace, *arguments, status=0):
    done = namespace.run(clone / "packaging/quickstart", *arguments, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.mark.whole
def test_one_line_for_each_step(clone, make_namespace):
    """Without a network unbound replaces dns.google. It is stopped before the queries are sent a second time."""
    done = run(clone, make_namespace().up("192.0.2.250"))
    assert not done.stderr
    steps = re.findall(r"^(\w*) +(.*)$", done.stdout, re.M)
    assert [step for step, _ in steps] == ["packages", "build", "server", "", "resolve", "cache", "session"]
    told = dict(steps)
    assert "dns.google:853 cannot be reached (google: Network is unreachable)" in told["server"] and "unbound on loopback" in told[""]
    answers = r"example\.com(?: again:)? A 192\.0\.2\.1 in \d+ ms \(UDP\), AAAA 2001:db8::1 in \d+ ms \(TCP\)"
    assert re.fullmatch(answers, told["resolve"]) and re.fullmatch("the server is stopped, " + answers, told["cache"])
    assert "TLS1.3" in told["session"]
    assert "noise" in (clone / "build/quickstart.log").read_text() and not (clone / "build/quickstart").exists()


@pytest.mark.whole
def test_keep(clone, make_namespace):
    namespace = make_namespace().up("192.0.2.250")
    shown = run(clone, namespace, "--keep").stdout
    pids = [int(pid) for pid in re.search(r"stop: kill ([\d ]+);", shown)[1].split()]
    try:
        assert "; only example.com is known there" in shown
        look = re.search(r"look: (.*)", shown)[1].split()
        done = subprocess.run([*namespace.prefix, *look], env=environment(), capture_output=True, text=True)
        assert done.returncode == 0 and ": ok for " in done.stdout
        assert "is running; stop it first: kill" in run(clone, namespace, status=1).stderr
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)


def test_a_build_that_fails(clone, make_namespace):
    (clone / "build/Makefile").write_text("dotstub dotstubctl:\n\t@echo the compiler says why; false\n")
    done = run(clone, make_namespace().up("192.0.2.250"), status=1)
    assert "the compiler says why" in done.stderr and "The build failed" in done.stderr
