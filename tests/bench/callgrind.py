# SPDX-License-Identifier: MIT
"""Counts under callgrind, which are the same in each run on one machine, independent of its load."""
import collections
import getpass
import pathlib
import re
import subprocess

ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"}
WRAPPER = "/base/reserve.c"  # calls the C library's functions of the same names


def under_callgrind(subject, *options):
    """From now on the subject's command runs under callgrind, with these options."""
    shell = subject.shell

    def wrapped(command, directory="/", **variables):
        output = shell(command, directory, **variables)
        if not command.startswith("configure"):
            return output
        tool = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={directory}/count", "--combine-dumps=no", *options]
        return "\0".join(tool) + "\0" + output.replace("--user\0nobody", f"--user\0{getpass.getuser()}")

    subject.shell = wrapped


class Counter:
    """Reads callgrind's counts of a running subject, between two looks."""

    def __init__(self, running):
        self.running, self.looks = running, 0

    def look(self):
        """(instructions, allocations) since the last look."""
        subprocess.run(["vgdb", f"--pid={self.running.pid}", "dump"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
        self.looks += 1
        instructions, calls = read(pathlib.Path(f"{self.running.directory}/count.{self.looks}"))
        self.counted = calls
        return instructions, sum(count for (_, function), count in calls.items() if function in ALLOCATORS)

    def calls(self):
        """{(file, function): calls} between the last two looks; the file is "???" where there is no debug information."""
        return self.counted


def read(path):
    """(instructions, {(file, function): calls}) of one dump. Callgrind writes each name once and then refers to it by number. Functions
    with the same name in several files have different numbers; the inner calls of a recursion have a name of their own."""
    files, names, files_of, calls, instructions = {}, {}, {}, collections.Counter(), 0
    file = called = ""
    for line in path.read_text().splitlines():
        if found := re.match(r"(fl|fi|fe|cfi|cfl|fn|cfn)=\((\d+)\)(?: (.*))?$", line):
            what, number, name = found.groups()
            known = names if what.endswith("fn") else files
            if name:
                known[number] = name
            if what == "fl":
                file = files[number]
            elif what == "fn":
                files_of[number] = file
            elif what == "cfn":
                called = number
        elif found := re.match(r"calls=(\d+)", line):
            calls[called] += int(found.group(1))
        elif found := re.match(r"totals: (\d+)", line):
            instructions = int(found.group(1))
    summed = collections.Counter()
    for number, count in calls.items():
        if files_of.get(number, "").endswith(WRAPPER):
            continue
        summed[files_of.get(number, "???"), names[number].split("'")[0]] += count
    return instructions, summed
