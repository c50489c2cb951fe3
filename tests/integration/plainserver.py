# SPDX-License-Identifier: MIT
"""A plain DNS server, over UDP and TCP on one port, that gives the true responses (zone.py) unless a test makes it lie.

    server = PlainServer()                      on a free port of 127.0.0.1, in two threads of its own
    with server.lying(twist=lies.wrong_id):     UDP responses, as in lies.py
    server.queries                              the queries so far; server.over("udp") those over UDP
"""
import contextlib
import dataclasses
import socket
import struct
import threading
import time

import wire
import zone
from processes import free_port


@dataclasses.dataclass
class Query:
    name: str
    type: int
    question: wire.Question
    data: bytes
    protocol: str
    source: str
    port: int
    time: float


def truncated(truth):
    """The header and the Question section, with TC."""
    section = wire.question_section(truth)
    id, flags = struct.unpack_from("!HH", truth)
    return struct.pack("!6H", id, flags | wire.TC, 1, 0, 0, 0) + section


class PlainServer:
    def __init__(self, address="127.0.0.1", port=None, make=socket.socket):
        self.address, self.port = address, port or free_port(address)
        self.queries, self.twist, self.silent, self.closed = [], None, False, False
        self.delay = 0  # seconds before each response over UDP
        self.udp = make(socket.AF_INET, socket.SOCK_DGRAM)
        self.stranger = make(socket.AF_INET, socket.SOCK_DGRAM)  # another port of the same machine
        self.tcp = make(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.udp.bind((address, self.port))
        self.stranger.bind((address, 0))
        self.tcp.bind((address, self.port))
        self.tcp.listen(16)
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    @property
    def to(self):
        return f"{self.address}@{self.port}"

    def over(self, protocol):
        return [query for query in self.queries if query.protocol == protocol]

    @contextlib.contextmanager
    def lying(self, **lies):
        before = {name: getattr(self, name) for name in lies}
        self.__dict__.update(lies)
        yield
        self.__dict__.update(before)

    def take(self, data, protocol, peer):
        question = wire.read_question(data)
        query = Query(question.name, question.type, question, data, protocol, *peer[:2], time.monotonic())
        self.queries.append(query)
        return query, zone.answer(question, data)

    def serve_udp(self):
        while True:
            try:
                data, peer = self.udp.recvfrom(65535)
            except OSError:
                return
            if not peer:  # closed
                return
            query, truth = self.take(data, "udp", peer)
            if len(truth) > (query.question.edns or {"size": 512})["size"]:
                truth = truncated(truth)
            messages = list(self.twist(query, truth)) if self.twist else [truth]
            if self.delay:
                threading.Timer(self.delay, self.send, (messages, peer)).start()
            else:
                self.send(messages, peer)

    def send(self, messages, peer):
        for message in messages:
            if isinstance(message, tuple):  # from the other port
                self.stranger.sendto(message[0], peer)
            elif not self.silent and not self.closed:
                self.udp.sendto(message, peer)

    def serve_tcp(self):
        while True:
            try:
                connection, peer = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_connection, args=(connection, peer), daemon=True).start()

    def serve_connection(self, connection, peer):
        buffer = bytearray()
        with connection:
            while data := connection.recv(65535):
                buffer += data
                for message in wire.frames(buffer):
                    query, truth = self.take(message, "tcp", peer)
                    connection.sendall(wire.frame(truth))

    def close_udp(self):
        """The kernel answers with ICMP errors from now on."""
        with contextlib.suppress(OSError):
            self.udp.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self.threads[0].join(10)
        self.udp.close()

    def close(self):
        if self.closed:
            return
        self.closed = True
        for one in self.udp, self.tcp, self.stranger:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
