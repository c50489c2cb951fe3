# SPDX-License-Identifier: MIT
"""Child processes whose output lines can be waited for."""
import collections
import errno
import os
import random
import re
import socket
import subprocess
import threading
import time

PATIENCE = 10 * (1 if os.environ.get("TEST_FLAVOUR", "plain") == "plain" else 3)


# Parallel test workers choose from disjoint sets of ports: another worker could bind a port between its choice and its use.
SIDE, SIDES = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


given = collections.deque(maxlen=300)  # ports that were chosen, but are perhaps not bound yet


def free_port(*addresses):
    """A port that is free for UDP and TCP at each address, and outside the range of ephemeral ports."""
    while True:
        port = random.SystemRandom().randrange(10000 + SIDE, 32768, SIDES)
        if port in given:
            continue
        try:
            for address in addresses or ("127.0.0.1", "::1"):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as probe:
                        probe.bind((address, port))
            given.append(port)
            return port
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise  # no port would be free: the address does not exist


class Process:
    """A child with its standard error (or output) as a list of lines."""

    def __init__(self, command, *, read="stderr", **options):
        self.lines, self.changed = [], threading.Condition()
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, errors="replace",
                                      **{read: subprocess.PIPE, **options})
        self.pid = self.child.pid
        self.reader = threading.Thread(target=self.read, args=(getattr(self.child, read),), daemon=True)
        self.reader.start()

    def read(self, pipe):
        for line in pipe:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)  # the end
            self.changed.notify_all()

    def log(self):
        with self.changed:
            return [line for line in self.lines if line is not None]

    def matching(self, pattern):
        return [line for line in self.log() if re.search(pattern, line)]

    def wait_line(self, pattern, times=1, timeout=PATIENCE):
        """Waits until `times` lines match; returns the last of these lines."""
        over = lambda: len(self.matching(pattern)) >= times or self.lines and self.lines[-1] is None
        with self.changed:
            self.changed.wait_for(over, timeout)
        found = self.matching(pattern)
        assert len(found) >= times, f"no line like {pattern!r} in:\n" + "\n".join(self.log())
        return found[times - 1]

    def wait_exit(self, timeout=PATIENCE):
        """Its exit status (negative: the signal that ended it)."""
        status = self.child.wait(timeout)
        self.reader.join(timeout)
        return status

    @property
    def running(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def end(self, timeout=PATIENCE):
        """SIGTERM, then the exit status."""
        if self.running:
            self.child.terminate()
        try:
            return self.wait_exit(timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise

    def facts(self):
        """/proc/PID/status as a dictionary, the process as a whole."""
        with open(f"/proc/{self.pid}/status") as status:
            return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)

    def resident_kb(self):
        return int(self.facts()["VmRSS"].split()[0])

    def wakeups(self):
        """Voluntary context switches so far, of all threads."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/status") as status:
                total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read(), re.M).group(1))
        return total


def eventually(condition, timeout=PATIENCE, what="the condition"):
    """Polls each 10 ms, for states without an event (counters of another process, tables of the kernel)."""
    end = time.monotonic() + timeout
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {timeout} s for {what}"
        pause.wait(0.01)
    return value
