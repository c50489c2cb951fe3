# SPDX-License-Identifier: MIT
"""Captures every packet: only TLS to the configured addresses leaves the host."""
import pytest

import lies
import wire
import zone
from capture import SYN, Capture
from processes import eventually

GOOGLE = ("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844")
CANARY = "canaryx7q"


@pytest.fixture
def world(make_namespace):
    """A network whose loopback interface has Google's addresses."""
    return make_namespace().up(*GOOGLE)


@pytest.fixture
def default_daemon(make_daemon, certs, world):
    """A daemon started without a configuration file: port 53, dns.google; only the CA is the tests' own."""
    return lambda **options: make_daemon(file=False, port=53, namespace=world,
                                         variables={"DOTSTUB_TLS_CA_FILE": certs.ca_file}, **options)


def ask_everything(daemon, tag=""):
    """Sends queries of many kinds, each with the canary in its name; returns the rcodes."""
    rcodes = []
    for number, (name, rdtype, parts) in enumerate([
        ("{}.example", "A", {}), ("{}.example", "AAAA", {"tcp": True}), ("UPPER{}.example", "A", {}),
        ("{}.test", "A", {}), ("{}.onion", "A", {}), ("{}.localhost", "A", {}), ("{}.local", "A", {}),
        ("{}.10.in-addr.arpa", "PTR", {}), ("big3000.{}.example", "TXT", {}), ("nx.{}.example", "A", {"do": True}),
        ("{}.example", "AXFR", {}), ("{}.example", "ANY", {}), ("servfail.{}.example", "A", {}),
        ("{}.example", "TXT", {"options": [(wire.ECS, b"\0\1\x18\0\xc6\x33\x64")]}), ("{}.bind", "TXT", {"klass": 3}),
        ("{}", "A", {}), ("{}.internal", "A", {}), ("{}.example", "A", {"flags": 0}),
    ]):
        rcodes.append(daemon.ask(name.format(f"{CANARY}{tag}n{number}"), rdtype, **parts).rcode())
    return rcodes


def check(packets, ports=(853, 443), allowed=GOOGLE):
    """Every packet that is not between a client and port 53 must belong to a TCP connection with one of the servers that is TLS from its first
    byte, and must not contain the canary."""
    flows = {}
    for packet in packets:
        if 53 in (packet.source_port, packet.target_port) and packet.source in ("127.0.0.1", "::1"):
            continue
        assert packet.protocol == "tcp", packet
        outward = packet.target_port in ports
        server, client = ((packet.target, packet.source_port) if outward else (packet.source, packet.target_port))
        assert server in allowed and {packet.source_port, packet.target_port} & set(ports), packet
        assert CANARY.encode() not in packet.data.lower(), "a name in the clear"
        if packet.payload and outward and not packet.flags & SYN:
            flows.setdefault((server, client), packet.payload)
    for first in flows.values():
        assert first[0] == 22 and first[1] == 3, "not a TLS handshake record first"
    return flows


def test_only_tls_to_the_servers_leaves_the_host(default_daemon, make_server, world):
    servers = [make_server(address=address, port=853, namespace=world) for address in GOOGLE]
    capture = Capture(world)
    daemon = default_daemon()
    rcodes = ask_everything(daemon)
    assert rcodes.count(0) >= 8
    assert sum(len(server.queries) for server in servers) >= 5
    daemon.stop()
    flows = check(capture.stop(world))
    assert flows


def test_nothing_leaves_in_the_clear_when_servers_fail(default_daemon, make_server, world, certs):
    servers = [make_server(address=address, port=853, namespace=world) for address in GOOGLE]
    capture = Capture(world)
    daemon = default_daemon()
    assert daemon.ask(f"{CANARY}.example").rcode() == 0
    for number, fault in enumerate(["certificate", "refused", "truncated", "formerr", "http", "plain dns"]):
        for server in servers:
            if fault == "certificate":
                server.swap(certs.bad("wrong-name"))
            elif fault == "refused":
                server.refuse()
            elif fault in ("http", "plain dns"):
                server.accept = lies.HTTP if fault == "http" else lies.PLAIN_DNS
            else:
                server.twist = {"truncated": lies.truncated, "formerr": lies.rcode(1)}[fault]
            server.kill()
        for tcp in (False, True):
            assert daemon.ask(f"{CANARY}{number}{tcp:d}.example", tcp=tcp).rcode() != 0
        for server in servers:
            server.truth()
            server.swap(certs.good)
            if fault == "refused":
                server.restore()
        eventually(lambda: daemon.ask(f"{CANARY}after{number}.example").rcode() == 0, 10)
    daemon.stop()
    check(capture.stop(world))


def test_the_defaults_work(default_daemon, make_server, world):
    """Without a file: both loopback addresses, port 53, UDP and TCP, Google's servers."""
    make_server(address="8.8.8.8", port=853, namespace=world)
    daemon = default_daemon()
    for address in ("127.0.0.1", "::1"):
        for tcp in (False, True):
            assert wire.addresses(daemon.ask("a.example", address=address, tcp=tcp)) == [zone.address("a.example")]
