# SPDX-License-Identifier: MIT
"""Counting under callgrind: on one machine it gives the same each time, whatever else runs there."""
import getpass
import pathlib
import re
import subprocess

ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"}


def under_callgrind(subject):
    """The subject's command is run under callgrind from now on."""
    shell = subject.shell

    def wrapped(command, directory="/", **variables):
        output = shell(command, directory, **variables)
        if not command.startswith("configure"):
            return output
        tool = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={directory}/count", "--combine-dumps=no"]
        return "\0".join(tool) + "\0" + output.replace("--user\0nobody", f"--user\0{getpass.getuser()}")

    subject.shell = wrapped


class Counter:
    """Reads what callgrind counted between two looks at a running subject."""

    def __init__(self, running):
        self.running, self.looks = running, 0

    def look(self):
        """(instructions, allocations) since the last look."""
        subprocess.run(["vgdb", f"--pid={self.running.pid}", "dump"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
        self.looks += 1
        return self.read(pathlib.Path(f"{self.running.directory}/count.{self.looks}"))

    @staticmethod
    def read(path):
        names, called, instructions, allocations = {}, "", 0, 0
        for line in path.read_text().splitlines():
            if found := re.match(r"c?fn=\((\d+)\)(?: (.*))?$", line):
                number, name = found.groups()
                names[number] = name or names[number]
                called = names[number]
            elif found := re.match(r"calls=(\d+)", line):
                allocations += int(found.group(1)) * (called.split("'")[0] in ALLOCATORS)
            elif found := re.match(r"totals: (\d+)", line):
                instructions = int(found.group(1))
        return instructions, allocations
