# SPDX-License-Identifier: MIT
"""dnstap to a collector; a build without dnstap refuses the option. One build can run only one of these tests."""
import socket
import struct

import pytest

import wire
from daemon import BINARY, SLACK, run, write_config
from listening import Service
from processes import Process, eventually
from test_ctl import ctl
from test_upstream import ask_truly

BUILT = b"protobuf:dnstap.Dnstap" in BINARY.read_bytes()
tapped = pytest.mark.skipif(not BUILT, reason="this build has no dnstap")
CLIENT_QUERY, CLIENT_RESPONSE, FORWARDER_QUERY, FORWARDER_RESPONSE = 5, 6, 7, 8


def fields(data):
    """Parses a message of Protocol Buffers: {field: number or bytes}."""
    out, at = {}, 0

    def varint():
        nonlocal at
        number = shift = 0
        while True:
            number |= (data[at] & 0x7f) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80:
                return number

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            value = varint()
        else:
            size = {2: varint, 5: lambda: 4}[tag & 7]()
            value, at = data[at:at + size], at + size
            assert len(value) == size
        assert tag >> 3 not in out
        out[tag >> 3] = value
    return out


def frames(data):
    """The data frames of a file of Frame Streams."""
    at = 0
    while at < len(data):
        size, = struct.unpack_from(">I", data, at)
        at += 4
        if size == 0:  # a control frame follows
            size, = struct.unpack_from(">I", data, at)
            at += 4
        else:
            yield data[at:at + size]
        at += size


class Capture(Process):
    def __init__(self, directory):
        self.socket, self.file = directory / "tap.sock", directory / "tap.fstrm"
        super().__init__(["fstrm_capture", "-dddd", "-t", "protobuf:dnstap.Dnstap", "-u", str(self.socket), "-w", str(self.file)])
        eventually(self.socket.exists, what="fstrm_capture")
        self.socket.chmod(0o777)

    def messages(self):
        """All messages, after the end of the stream."""
        assert self.end() == 0
        out = []
        for frame in frames(self.file.read_bytes()):
            dnstap = fields(frame)
            assert dnstap[15] == 1 and dnstap[2].startswith(b"dotstub ") and dnstap[1] == socket.gethostname().encode()
            out.append(fields(dnstap[14]))
        return out


@pytest.fixture
def capture(public_path, cleanup):
    capture = Capture(public_path)
    cleanup.callback(lambda: capture.running and capture.end())
    return capture


@tapped
def test_queries_and_responses_of_both_sides(make_daemon, server, capture):
    daemon = make_daemon(server, dnstap={"socket": str(capture.socket)}, workers=2)
    capture.wait_line("accepted new connection")
    ask_truly(daemon, "a.example")
    daemon.ask("a.example", tcp=True)
    daemon.ask("localhost")
    assert '"dnstap_lost": 0' in ctl(daemon, "--json", "stats")
    daemon.stop()
    seen = capture.messages()
    by_kind = {kind: [message for message in seen if message[1] == kind] for kind in range(5, 9)}
    assert [len(messages) for messages in by_kind.values()] == [3, 3, 1, 1]
    for kind, messages in by_kind.items():
        for message in messages:
            assert message[2] == 1 and message[3] in ((1, 2) if kind < FORWARDER_QUERY else (3,))
            parsed = wire.parse(message[14] if kind in (CLIENT_RESPONSE, FORWARDER_RESPONSE) else message[10])
            assert str(parsed.question[0].name) in ("a.example.", "localhost.")
            assert bool(parsed.flags & 0x8000) == (kind in (CLIENT_RESPONSE, FORWARDER_RESPONSE))
            assert message[12 if kind in (CLIENT_RESPONSE, FORWARDER_RESPONSE) else 8] > 1_700_000_000
    assert by_kind[CLIENT_QUERY][0][4] == socket.inet_aton("127.0.0.1")
    asked = by_kind[FORWARDER_QUERY][0]
    assert asked[5] == socket.inet_aton(server.address) and asked[7] == server.port


@tapped
def test_the_transport_of_encrypted_clients(server, certs, capture, tmp_path_factory, cleanup):
    service = Service(tmp_path_factory.mktemp("tapped"), certs, dnstap={"socket": str(capture.socket)})
    cleanup.callback(service.server.stop)
    capture.wait_line("accepted new connection")
    with service.dot() as dot, service.client() as https:
        assert dot.ask("a.example").rcode() == 0 and https.ask("b.example").rcode() == 0
    service.daemon.stop()
    seen = capture.messages()
    for kind in CLIENT_QUERY, CLIENT_RESPONSE:
        assert sorted(message[3] for message in seen if message[1] == kind) == [3, 4], "DOT, DOH"


@tapped
def test_no_collector(make_daemon, server, tmp_path):
    daemon = make_daemon(server, dnstap={"socket": str(tmp_path / "nobody.sock")})
    for number in range(100):
        ask_truly(daemon, f"n{number}.example")
    daemon.stop()


@tapped
def test_a_collector_that_does_not_read(make_daemon, server, public_path, cleanup):
    """Queries are answered, messages that do not fit are counted as lost, and the daemon stops without delay."""
    path = public_path / "deaf.sock"
    listener = cleanup.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(path))
    listener.listen()
    path.chmod(0o777)
    daemon = make_daemon(server, dnstap={"socket": str(path)})
    peer = cleanup.enter_context(listener.accept()[0])
    size, = struct.unpack(">I", peer.recv(8, socket.MSG_WAITALL)[4:])
    peer.recv(size, socket.MSG_WAITALL)  # READY
    content = b"protobuf:dnstap.Dnstap"
    accept = struct.pack(">III", 1, 1, len(content)) + content
    peer.sendall(struct.pack(">II", 0, len(accept)) + accept)
    result = daemon.load(queries=20000, distinct=100, name="n%u.example", in_flight=50, patience=5000).result()
    assert result["good"] == 20000
    assert '"dnstap_lost": 0' not in ctl(daemon, "--json", "stats")
    assert daemon.end(10 * SLACK) == 0


@pytest.mark.skipif(BUILT, reason="this build has dnstap")
def test_a_build_without_dnstap_warns_and_answers(make_daemon, server):
    daemon = make_daemon(server, dnstap={"socket": "/run/tap.sock"})
    ask_truly(daemon, "a.example")
    (warning,) = daemon.matching("built without dnstap")
    assert " warning config: " in warning


@pytest.mark.skipif(BUILT, reason="this build has dnstap")
def test_a_build_without_dnstap_fails_the_check(tmp_path):
    done = run("--check", "-c", write_config(tmp_path / "dotstub.yaml", {"dnstap": {"socket": "/run/tap.sock"}}))
    assert done.returncode == 78 and "built without dnstap" in done.stderr
