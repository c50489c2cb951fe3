# SPDX-License-Identifier: MIT
"""The PROXY protocol, version 2: headers of the tests, and those of dnsdist and haproxy in front of the daemon."""
import json
import pathlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile

import pytest

import wire
from clients import Silence, TcpClient, UdpClient
from daemon import Daemon, run, write_config
from dotserver import DotServer
from processes import PATIENCE, Process, eventually, free_port
from test_control import control

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
BACK = "127.0.0.2"  # the address of the listeners for balancers
KID, BANNED = "127.0.0.77", "127.0.0.66"  # clients of the balancers


def header(client="192.0.2.7", port=4711, *, command=PROXY, transport=1, fields=b""):
    """A header with this client; None: without addresses."""
    family, block = 0, b""
    if client and ":" in client:
        family, block = 2, socket.inet_pton(socket.AF_INET6, client) + bytes(16) + struct.pack("!HH", port, 53)
    elif client:
        family, block = 1, socket.inet_aton(client) + bytes(4) + struct.pack("!HH", port, 53)
    block += fields
    return SIGNATURE + struct.pack("!BBH", command, family << 4 | transport, len(block)) + block


class Balanced:
    """A daemon with a plain listener at 127.0.0.1, and listeners for UDP and TCP and for TLS behind balancers on 127.0.0.1."""

    def __init__(self, directory, certs, server):
        identity = certs.make("behind-balancers", certs.authority, names=["dns.lan"])
        for name, source in (("crt", identity.chain_file), ("key", identity.key_file)):
            shutil.copy(source, directory / name)
            (directory / name).chmod(0o644)
        self.port = free_port("127.0.0.1", "::1", BACK)
        self.back, self.tls = self.port, next(port for port in iter(free_port, None) if port != self.port)
        self.daemon = Daemon(directory, server.upstream(), ca_file=certs.ca_file, port=self.port, **{
            "listen": [f"127.0.0.1@{self.port}", f"{BACK}@{self.back}"], "listen-tls": [f"127.0.0.1@{self.tls}"],
            "tls-server": {"certificate": [str(directory / "crt")], "key": [str(directory / "key")]},
            "proxy-protocol": {"from": ["127.0.0.1"], "listen": [BACK, f"127.0.0.1@{self.tls}"]},
            "access": {"allow": ["127.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"], "deny-clients": ["192.0.2.66", BANNED]},
            "views": [{"name": "kids", "clients": ["192.0.2.128/25", "2001:db8:7::/48", KID], "upstreams": [server.upstream()["name"]]}],
            "log": {"queries": True}})

    def counter(self, name):
        return control(self.daemon, "/stats").json["counters"][name]

    def logged(self, name):
        """The client and the view in the line of the query log."""
        line = self.daemon.wait_line(f"name={re.escape(name)}[.] ")
        fields = dict(field.split("=", 1) for field in line.split() if "=" in field)
        return fields["client"], fields.get("view")


@pytest.fixture(scope="module")
def balanced(certs):
    server = DotServer(certs.good)
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        one = Balanced(directory, certs, server)
        yield one
        one.daemon.stop()
    server.stop()


def over_udp(balanced, head, name, source="127.0.0.1"):
    with UdpClient(BACK, balanced.back, source=(source, 0)) as client:
        return wire.parse(client.exchange(head + wire.query(name)))


def over_tcp(balanced, head, name, source="127.0.0.1"):
    del source
    with TcpClient(BACK, balanced.back) as client:
        client.write(head + wire.frame(wire.query(name)))
        return wire.parse(client.receive())


def over_tls(balanced, head, name, source="127.0.0.1"):
    del source
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with TcpClient("127.0.0.1", balanced.tls) as client:
        client.write(head)
        client.socket = context.wrap_socket(client.socket, server_hostname="dns.lan")
        return client.ask(name)


ways = pytest.mark.parametrize("way", [over_udp, over_tcp, over_tls], ids=["udp", "tcp", "tls"])


# The true client.

@ways
@pytest.mark.parametrize("client, view", [("192.0.2.7", None), ("192.0.2.200", "kids"), ("2001:db8::1", None), ("2001:db8:7::1", "kids"),
                                          ("::ffff:192.0.2.201", "kids")])
def test_views_and_log_use_the_client(balanced, way, client, view):
    name = f"{way.__name__}.{client.replace(':', '-')}.example"
    response = way(balanced, header(client), name)
    assert response.rcode() == 0 and wire.addresses(response)
    assert balanced.logged(name) == (client, view)


@ways
@pytest.mark.parametrize("client", ["192.0.2.66", "198.51.100.1"])
def test_access_uses_the_client(balanced, way, client):
    assert way(balanced, header(client), "a.example").rcode() == 5


@ways
def test_local_is_the_balancer_itself(balanced, way):
    """Its health checks, with addresses or without."""
    for head in header(None, command=LOCAL, transport=0), header("192.0.2.66", command=LOCAL):
        name = f"local{len(head)}.{way.__name__}.example"
        assert way(balanced, head, name).rcode() == 0
        assert balanced.logged(name) == ("127.0.0.1", None)


@ways
def test_other_fields_are_skipped(balanced, way):
    assert way(balanced, header("192.0.2.66", fields=b"\x03\0\x04abcd" + b"\x04\x03\0" + bytes(768)), "a.example").rcode() == 5


def test_a_header_in_pieces(balanced):
    """Each byte of header, length and query in a segment of its own."""
    with TcpClient(BACK, balanced.back) as client:
        for byte in header("192.0.2.66") + wire.frame(wire.query("a.example")):
            client.write(bytes([byte]))
        assert wire.parse(client.receive()).rcode() == 5


# Never guessed.

BAD = {"none": b"", "v1": b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 53\r\n", "unknown-family": header(None), "short": header("192.0.2.7", fields=b"")[:-4],
       "unix": SIGNATURE + struct.pack("!BBH", PROXY, 0x31, 216) + bytes(216), "version-1": header(command=0x11), "command": header(command=0x22),
       "transport": header(transport=3), "too-long": SIGNATURE + struct.pack("!BBH", PROXY, 0x11, 0xffff) + bytes(12),
       "block-too-small": SIGNATURE + struct.pack("!BBH", PROXY, 0x21, 12) + bytes(12)}


@pytest.mark.parametrize("head", BAD.values(), ids=BAD)
def test_what_is_no_header_is_refused(balanced, head):
    before = balanced.counter("proxy_refused")
    query = wire.query("a.example")
    with TcpClient(BACK, balanced.back) as client:
        client.write(head + wire.frame(query))
        if head == BAD["short"]:
            client.half_close()
        with pytest.raises((Silence, ConnectionError, AssertionError)):
            assert client.receive()
    if head == BAD["short"]:
        return
    eventually(lambda: balanced.counter("proxy_refused") == before + 1, what="the count of the connection")
    with UdpClient(BACK, balanced.back, source=("127.0.0.1", 0)) as client:
        client.send(head + query)
        eventually(lambda: balanced.counter("proxy_refused") == before + 2, what="the count of the datagram")
        assert over_udp(balanced, header(), "a.example").rcode() == 0  # the datagram before it was not answered later either
        with pytest.raises(Silence):
            client.receive(0.01)


def test_from_these_balancers_only(balanced):
    before = balanced.counter("proxy_refused")
    with UdpClient(BACK, balanced.back, source=("127.0.0.3", 0)) as client:
        client.send(header() + wire.query("a.example"))
        client.send(wire.query("a.example"))
        eventually(lambda: balanced.counter("proxy_refused") == before + 2, what="the count of both datagrams")
        with pytest.raises(Silence):
            client.receive(0.01)
    for port in balanced.back, balanced.tls:
        with socket.socket() as one:
            one.settimeout(PATIENCE)
            one.bind(("127.0.0.3", 0))
            with pytest.raises(ConnectionError):
                one.connect((BACK if port == balanced.back else "127.0.0.1", port))
                one.sendall(header() + wire.frame(wire.query("a.example")))
                assert not one.recv(1)
                raise ConnectionResetError  # a clean end
    balanced.daemon.wait_line("PROXY v2: 127.0.0.3 is not in proxy-protocol.from")


def test_other_listeners_take_no_header(balanced):
    with balanced.daemon.udp() as client:
        client.send(header() + wire.query("a.example"))
        with pytest.raises((Silence, AssertionError)):
            assert wire.parse(client.receive(0.1)).rcode() == 0
    assert balanced.daemon.ask("a.example").rcode() == 0


def test_half_headers_do_not_stay(balanced):
    """Connections without the rest of their header hold up nobody."""
    stuck = []
    for _ in range(100):
        one = socket.create_connection((BACK, balanced.back))
        one.sendall(SIGNATURE[:7])
        stuck.append(one)
    assert over_tcp(balanced, header(), "a.example").rcode() == 0
    assert over_udp(balanced, header(), "a.example").rcode() == 0
    for one in stuck:
        one.close()
    assert over_tcp(balanced, header(), "a.example").rcode() == 0


def test_handshakes_are_counted_for_the_client(balanced):
    """Beyond 64 slow handshakes of one client its oldest are reset; another client of the same balancer is not hurt."""
    before, stuck = balanced.counter("tls_evicted"), []
    for number in range(100):
        one = socket.create_connection(("127.0.0.1", balanced.tls))
        one.sendall(header("192.0.2.9") + b"\x16\x03\x01\x02\0\x01\0")
        stuck.append(one)
    with socket.create_connection(("127.0.0.1", balanced.tls)) as other:
        other.sendall(header("192.0.2.10") + b"\x16\x03\x01\x02\0\x01\0")

        def evicted():
            with socket.create_connection(("127.0.0.1", balanced.tls)) as one:
                one.sendall(header("192.0.2.9") + b"\x16\x03\x01\x02\0\x01\0")
            return balanced.counter("tls_evicted") >= before + 36
        eventually(evicted, what="the reset of the oldest")
        other.settimeout(0.01)
        with pytest.raises(TimeoutError):
            other.recv(1)
    assert over_tls(balanced, header(), "a.example").rcode() == 0
    for one in stuck:
        one.close()


# Balancers.

@pytest.fixture(scope="module")
def dnsdist(balanced, tmp_path_factory):
    """Sends the header to the daemon over UDP, and over TCP for queries over TCP."""
    port = free_port("127.0.0.1", BACK)
    config = tmp_path_factory.mktemp("dnsdist") / "dnsdist.conf"
    config.write_text(f"""\
setLocal("127.0.0.1:{port}")
newServer({{address="{BACK}:{balanced.back}", useProxyProtocol=true, checkName="a.example.", checkInterval=1, source="127.0.0.1"}})
setACL({{"127.0.0.0/8"}})
setSecurityPollSuffix("")
""")
    balancer = Process(["dnsdist", "-C", str(config), "--supervised", "--disable-syslog"], read="stdout")
    balancer.wait_line(r"(?i)(downstream|backend).*\bup\b")
    yield port
    balancer.end()


HAPROXY = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
    option tcp-check
frontend plain
    bind 127.0.0.1:{plain}
    default_backend plain
backend plain
    server dotstub {back} source 127.0.0.1 send-proxy-v2 check check-send-proxy inter 200ms
frontend tls
    bind 127.0.0.1:{tls}
    default_backend tls
backend tls
    server dotstub 127.0.0.1:{backtls} source 127.0.0.1 send-proxy-v2 check check-send-proxy inter 200ms
"""


@pytest.fixture(scope="module")
def haproxy(balanced, tmp_path_factory):
    """Passes on TCP and TLS. Its health checks connect, and send LOCAL."""
    plain = free_port("127.0.0.1")
    tls = next(port for port in iter(free_port, None) if port != plain)
    config = tmp_path_factory.mktemp("haproxy") / "haproxy.cfg"
    config.write_text(HAPROXY.format(plain=plain, tls=tls, back=f"{BACK}:{balanced.back}", backtls=balanced.tls))
    balancer = Process(["haproxy", "-db", "-f", str(config)])
    eventually(lambda: accepts(plain) and accepts(tls), what="haproxy")
    yield plain, tls
    assert not balancer.matching("is DOWN"), balancer.log()
    balancer.end()


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except ConnectionRefusedError:
        return False


def from_source(source, port):
    client = TcpClient.__new__(TcpClient)
    client.socket = socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
    client.buffer, client.ready = bytearray(), []
    return client


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_behind_dnsdist(balanced, dnsdist, tcp):
    def ask(source, name):
        with from_source(source, dnsdist) if tcp else UdpClient("127.0.0.1", dnsdist, source=(source, 0)) as client:
            return client.ask(name)
    before = balanced.counter("proxy_headers")
    name = f"dnsdist-{tcp}.example".lower()
    assert wire.addresses(ask(KID, name)) and balanced.logged(name) == (KID, "kids")
    assert ask(BANNED, name).rcode() == 5
    assert ask("127.0.0.5", name).rcode() == 0
    assert balanced.counter("proxy_headers") >= before + 3


def test_behind_haproxy(balanced, haproxy):
    plain, _ = haproxy
    for source, rcode in (KID, 0), (BANNED, 5), ("127.0.0.5", 0):
        with from_source(source, plain) as client:
            assert client.ask("haproxy.example").rcode() == rcode
            assert client.ask("haproxy.example").rcode() == rcode
    assert balanced.logged("haproxy.example") == (KID, "kids")


def test_behind_haproxy_over_tls(balanced, haproxy, certs):
    """The session is that of the client: haproxy sees ciphertext only."""
    _, port = haproxy
    context = ssl.create_default_context(cafile=certs.ca_file)
    context.set_alpn_protocols(["dot"])
    for source, rcode in (KID, 0), (BANNED, 5):
        with from_source(source, port) as client:
            client.socket = context.wrap_socket(client.socket, server_hostname="dns.lan")
            assert client.ask("haproxy-tls.example").rcode() == rcode
    assert balanced.logged("haproxy-tls.example") == (KID, "kids")
    done = subprocess.run(["kdig", "@127.0.0.1", "-p", str(port), f"+tls-ca={certs.ca_file}", "+tls-hostname=dns.lan", "a.example"],
                          capture_output=True, text=True, timeout=30)
    assert "status: NOERROR" in done.stdout, done.stdout + done.stderr


# The configuration.

@pytest.mark.parametrize("config, message", [
    ({"listen": ["192.0.2.1"], "proxy-protocol": {"from": ["192.0.2.2"]}}, "over UDP anybody could forge the PROXY headers that 192.0.2.1@53 requires"),
    ({"listen": ["0.0.0.0"], "proxy-protocol": {"from": ["192.0.2.2"], "private": ["0.0.0.0/0"]}}, "over UDP anybody could forge"),
    ({"proxy-protocol": {"from": ["192.0.2.2"], "listen": ["192.0.2.1@53"]}}, "no listener is at 192.0.2.1@53"),
    ({"proxy-protocol": {"private": ["10.0.0.0/8"]}}, "list the balancers in proxy-protocol.from"),
    ({"proxy-protocol": {"listen": ["127.0.0.1"]}}, "list the balancers in proxy-protocol.from"),
])
def test_mistakes(tmp_path, config, message):
    file = write_config(tmp_path / "c.yaml", json.dumps({"access": {"allow": ["10.0.0.0/8"]}, **config}))
    done = run("--check", "-c", file)
    assert done.returncode == 78 and message in done.stderr, done.stderr


def test_private_addresses_are_declared(tmp_path):
    config = {"listen": ["10.0.0.1", "127.0.0.1"], "access": {"allow": ["10.0.0.0/8"]},
              "proxy-protocol": {"from": ["10.0.0.2"], "private": ["10.0.0.0/24"]}}
    assert run("--check", "-c", write_config(tmp_path / "c.yaml", json.dumps(config))).returncode == 0
