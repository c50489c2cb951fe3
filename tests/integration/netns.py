# SPDX-License-Identifier: MIT
"""Network namespaces for tests, empty at first."""
import ctypes
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A new network namespace, whose only interface, loopback, is down."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n", "cannot create a network namespace"
        self.prefix = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--"]

    def run(self, *command, check=True, **options):
        return subprocess.run([*self.prefix, *map(str, command)], check=check, capture_output=True, text=True,
                              timeout=30, **options)

    def up(self, *addresses):
        """Brings loopback up and adds the addresses to it."""
        self.run("ip", "link", "set", "lo", "up")
        self.add(*addresses)
        return self

    def add(self, *addresses):
        for address in addresses:
            length = 128 if ":" in address else 32
            self.run("ip", "address", "add", f"{address}/{length}", "dev", "lo", *(["nodad"] if length == 128 else []))

    def without_ipv6(self):
        self.run("sh", "-c", "for file in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$file; done")
        return self

    def call(self, function):
        """Runs a function in a thread inside the namespace; its sockets stay in the namespace."""
        out = []

        def enter():
            descriptor = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
            failed = libc.setns(descriptor, CLONE_NEWNET)
            os.close(descriptor)
            try:
                out.append((None, OSError(ctypes.get_errno(), "setns")) if failed else (function(), None))
            except BaseException as error:  # raised again in the caller
                out.append((None, error))

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        value, error = out[0]
        if error:
            raise error
        return value

    def socket(self, *arguments):
        return self.call(lambda: socket.socket(*arguments))

    def close(self):
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.wait(10)
