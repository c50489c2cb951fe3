# SPDX-License-Identifier: MIT
"""Clients that send each query once and return the response unchanged."""
import json
import os
import pathlib
import socket
import struct
import subprocess
import time

import wire
from processes import PATIENCE


class Silence(AssertionError):
    """No response within the time limit."""


class UdpClient:
    """A UDP socket with one server."""

    def __init__(self, address, port, *, source=None, make=socket.socket):
        self.socket = make(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        if source:
            self.socket.bind(source)
        self.socket.connect((address, port))

    def send(self, data):
        self.socket.send(data)

    def receive(self, timeout=PATIENCE):
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(65535)
        except TimeoutError:
            raise Silence(f"no datagram in {timeout} s") from None

    def exchange(self, data, timeout=PATIENCE):
        self.send(data)
        return self.receive(timeout)

    def ask(self, name, rdtype="A", timeout=PATIENCE, **parts):
        """Sends one query in one datagram; returns the response as dnspython reads it. The id must match."""
        data = wire.query(name, rdtype, **parts)
        answer = self.exchange(data, timeout)
        assert answer[:2] == data[:2], "an answer with another id"
        return wire.parse(answer)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class TcpClient:
    """A TCP connection with one server."""

    def __init__(self, address, port, *, source=None, make=socket.socket, receive_buffer=None):
        self.socket = make(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        if source:
            self.socket.bind(source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((address, port))
        self.buffer, self.ready = bytearray(), []

    def write(self, data):
        self.socket.settimeout(PATIENCE)
        self.socket.sendall(data)

    def send(self, *messages):
        """Sends all messages in one write."""
        self.write(b"".join(map(wire.frame, messages)))

    def receive(self, timeout=PATIENCE):
        """The next message; None at the end of the stream."""
        end = time.monotonic() + timeout
        while not self.ready:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                raise Silence(f"no message in {timeout} s") from None
            if not data:
                assert not self.buffer, "the stream ends within a message"
                return None
            self.buffer += data
            self.ready = wire.frames(self.buffer)
        return self.ready.pop(0)

    def receive_all(self, count, timeout=PATIENCE):
        """Receives `count` messages; returns them by id."""
        found = {}
        for _ in range(count):
            message = self.receive(timeout)
            assert message is not None, f"the stream ended after {len(found)} of {count} messages"
            found[struct.unpack_from("!H", message)[0]] = message
        return found

    def ask(self, name, rdtype="A", timeout=PATIENCE, **parts):
        data = wire.query(name, rdtype, **parts)
        self.send(data)
        answer = self.receive(timeout)
        assert answer is not None, "the server closed"
        assert answer[:2] == data[:2], "an answer with another id"
        return wire.parse(answer)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_end(self, timeout=PATIENCE):
        """Waits until the server ends the connection: "fin" or "rst"."""
        try:
            while self.receive(timeout) is not None:
                pass
            return "fin"
        except ConnectionError:
            return "rst"

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Load:
    """A running tests/tools/dnsload; `.result()` waits for its counts."""

    TOOLS = pathlib.Path(os.environ.get("TEST_TOOLS", "build/tests/tools"))

    def __init__(self, address, port, *, prefix=(), tcp=False, tls=False, edns=False, **numbers):
        """Numbers: queries, distinct, first, connections, in_flight, rate, patience (ms); name: a pattern with %u."""
        flags = {"queries": "n", "distinct": "d", "first": "f", "connections": "c", "in_flight": "m", "rate": "r",
                   "patience": "w", "name": "N"}
        command = [*prefix, str(self.TOOLS / "dnsload"), "-s", address, "-p", str(port)]
        command += ["-t"] * tcp + ["-T"] * tls + ["-e"] * edns
        for name, value in numbers.items():
            command += ["-" + flags[name], str(value)]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result(self, timeout=60):
        out, error = self.child.communicate(timeout=timeout)
        assert self.child.returncode == 0, error
        return json.loads(out)
