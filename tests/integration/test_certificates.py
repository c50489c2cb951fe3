# SPDX-License-Identifier: MIT
"""A server with a bad certificate gets no query; with a good one, before and after, it gets all of them."""
import pathlib
import shutil
import ssl
import struct
import tempfile
import time

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

import certs as certs_module
import realservers
import wire
import zone
from daemon import SLACK, run, write_config
from processes import Process, eventually, free_port
from test_upstream import ask_truly, fresh, recovery

V1_1, V1_2, V1_3 = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def refused(daemon, server, name):
    """Sends a query that must fail without an upstream query; returns the texts of the extended errors."""
    before = len(server.queries)
    answer = daemon.ask(name, edns=True)
    assert answer.rcode() == 2
    assert len(server.queries) == before, "a query went to an unverified server"
    server.wait_for(lambda: not server.open)
    return " ".join(text for _, text in wire.extended_errors(answer))


@pytest.mark.parametrize("kind", certs_module.BAD)
def test_a_server_with_a_bad_certificate_gets_no_query(daemon, server, certs, kind):
    for number in range(3):
        ask_truly(daemon, f"before{number}.example")
    assert len(server.queries) == 3
    server.swap(certs.bad(kind))
    server.kill()
    with daemon.udp() as client:
        for number in range(20):
            client.send(wire.query(f"during{number}.example", id=number))
        for _ in range(20):
            assert client.receive()[3] & 15 == 2
    server.wait_for(lambda: not server.open)  # a dial that began meanwhile ends in the same way
    assert len(server.queries) == 3
    assert ask_truly(daemon, "before0.example") < 0.5 * SLACK, "the cache does not answer"
    server.swap(certs.good)
    assert recovery(daemon) < 1 + 0.5 * SLACK
    ask_truly(daemon, "after.example")
    assert server.queries_for("after.example")


@pytest.mark.parametrize("kind", ["wrong-name", "expired", "not-yet-valid", "untrusted-ca"])
def test_the_reason_is_in_the_extended_error(make_daemon, make_server, certs, kind):
    server = make_server(certs.bad(kind))
    daemon = make_daemon(server)
    text = refused(daemon, server, "a.example")
    word = {"wrong-name": "name", "expired": "expired", "not-yet-valid": "not valid yet", "untrusted-ca": "not trusted"}[kind]
    assert word in text
    assert daemon.matching(word)


@pytest.mark.parametrize("which", ["good", "good_rsa", "good_through_intermediate"])
def test_good_certificates(make_daemon, make_server, certs, which):
    server = make_server(getattr(certs, which))
    ask_truly(make_daemon(server), "a.example")


@pytest.mark.parametrize("versions, fits", [((V1_1, V1_1), False), ((V1_2, V1_2), True), ((V1_3, V1_3), True)])
def test_versions(make_daemon, make_server, certs, versions, fits):
    server = make_server(versions=versions)
    daemon = make_daemon(server)
    if fits:
        ask_truly(daemon, "a.example")
    else:
        refused(daemon, server, "a.example")


def test_the_minimum_version_is_configurable(make_daemon, make_server):
    server = make_server(versions=(V1_2, V1_2))
    daemon = make_daemon(server, tls={"min-version": "1.3"})
    refused(daemon, server, "a.example")


def test_the_minimum_version_of_one_upstream(make_daemon, make_server):
    server = make_server(versions=(V1_2, V1_2))
    refused(make_daemon(server.upstream(**{"min-version": "1.3"})), server, "a.example")


# Pins.

def test_a_pin_and_a_name_must_both_match(make_daemon, make_server, certs):
    server = make_server()
    ask_truly(make_daemon(server.upstream(pins=[certs.good_rsa.pin, certs.good.pin])), "a.example")
    refused(make_daemon(server.upstream(pins=[certs.good_rsa.pin])), make_server(port=0), "b.example")
    other = make_server(certs.bad("wrong-name"))
    refused(make_daemon(other.upstream(pins=[certs.bad("wrong-name").pin])), other, "c.example")


@pytest.mark.parametrize("kind", ["wrong-name", "expired", "self-signed", "untrusted-ca"])
def test_a_pin_without_a_name_checks_only_the_key(make_daemon, make_server, certs, kind):
    server = make_server(certs.bad(kind))
    entry = {"name": "pinned", "addresses": [server.address], "port": server.port}
    daemon = make_daemon({**entry, "pins": [certs.bad(kind).pin]})
    ask_truly(daemon, "a.example")
    daemon.stop()
    server.wait_for(lambda: not server.open)
    refused(make_daemon({**entry, "pins": [certs.good.pin]}), server, "b.example")


def test_a_ca_of_one_upstream(make_daemon, make_server, certs):
    server = make_server(certs.bad("untrusted-ca"))
    ask_truly(make_daemon(server.upstream(**{"ca-file": str(certs.stranger.chain_file)})), "a.example")


@pytest.fixture
def open_folder():
    """A directory that the daemon's user may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        yield pathlib.Path(folder)


def test_a_ca_file_that_is_replaced_is_noticed(make_daemon, make_server, certs, open_folder):
    """The file is loaded again when a server is not trusted, without a reload."""
    bundle = open_folder / "bundle.pem"
    bundle.write_bytes(certs.authority.chain_file.read_bytes())
    server = make_server()
    daemon = make_daemon(server, ca_file=str(bundle))
    ask_truly(daemon, "a.example")
    replacement = open_folder / "bundle.new"
    replacement.write_bytes(certs.stranger.chain_file.read_bytes())
    replacement.rename(bundle)
    server.swap(certs.bad("untrusted-ca"))
    server.kill()
    ask_truly(daemon, "b.example")
    daemon.wait_line("which has changed")
    assert sum("which has changed" in line for line in daemon.log()) == 1


def test_a_key_that_matches_no_pin_is_shown(make_daemon, make_server, certs):
    daemon = make_daemon(make_server().upstream(pins=[certs.good_rsa.pin]))
    for number in range(3):
        daemon.ask(f"n{number}.example")
    assert sum(certs.good.pin in line and "does not match any pin" in line for line in daemon.log()) == 1


# Resumption.

def extensions(hello):
    """The extensions of a ClientHello, by number."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + struct.unpack_from("!H", hello, at)[0]
    at += 1 + hello[at]
    end = at + 2 + struct.unpack_from("!H", hello, at)[0]
    at, found = at + 2, {}
    while at < end:
        number, length = struct.unpack_from("!HH", hello, at)
        found[number] = hello[at + 4:at + 4 + length]
        at += 4 + length
    return found


SNI, ALPN, PSK, EARLY_DATA = 0, 16, 41, 42


def test_the_first_flight(daemon, server):
    ask_truly(daemon, "a.example")
    hello = extensions(server.connections[0].client_hello)
    assert hello[SNI].endswith(b"dns.google")
    assert hello[ALPN] == b"\0\4\3dot"
    assert PSK not in hello and EARLY_DATA not in hello


def test_sessions_are_resumed_and_never_with_early_data(daemon, server):
    for number in range(10):
        ask_truly(daemon, f"n{number}.example")
        server.kill("notify")
        server.wait_for(lambda: not server.open)
    assert [connection.resumed for connection in server.established] == [False] + [True] * 9
    tickets = [extensions(connection.client_hello).get(PSK) for connection in server.established]
    assert len(set(tickets)) == 10, "a ticket was used twice"
    assert not any(EARLY_DATA in extensions(connection.client_hello) for connection in server.established)


def test_a_refused_ticket_does_no_harm(daemon, server, certs):
    for number in range(3):
        ask_truly(daemon, f"n{number}.example")
        server.swap(certs.good)
        server.kill("notify")
        server.wait_for(lambda: not server.open)
    ask_truly(daemon, "after.example")
    assert not any(connection.resumed for connection in server.established)


def test_tickets_are_not_sent_to_another_server(make_daemon, make_server):
    first = make_server()
    second = make_server(address="127.0.0.2", port=first.port)
    daemon = make_daemon(first.upstream(addresses=["127.0.0.1", "127.0.0.2"]))
    for server in (first, second):
        other = second if server is first else first
        other.refuse()
        eventually(lambda: daemon.ask(fresh.name()).rcode() == 0)
        other.restore()
    assert not second.established[0].resumed
    assert PSK not in extensions(second.established[0].client_hello)


def test_a_new_certificate_is_verified_despite_tickets(daemon, server, certs):
    ask_truly(daemon, "a.example")
    server.swap(certs.bad("expired"))
    server.kill("notify")
    refused(daemon, server, "b.example")


def test_a_server_that_is_bad_at_first(make_daemon, make_server, certs):
    server = make_server(certs.bad("self-signed"))
    daemon = make_daemon(server)
    refused(daemon, server, "a.example")
    server.swap(certs.good)
    begun = time.monotonic()
    eventually(lambda: wire.addresses(daemon.ask("a.example")) == [zone.address("a.example")], 8)
    assert time.monotonic() - begun < 6


def test_session_details_are_logged(daemon, server):
    ask_truly(daemon, "a.example")
    line = daemon.wait_line(r"upstream: session to")
    assert "TLS" in line and "1.3" in line and "dns.google" in line and server.connections[0].cipher.split("_")[1] in line


# Our certificate.

class Own:
    """A certificate with which the daemon authenticates, in files of the test."""

    def __init__(self, certs, path):
        self.certs, self.path = certs, path
        self.settings = {"client-certificate": str(path / "own.crt"), "client-key": str(path / "own.key")}

    def install(self, label, key=True):
        own = self.certs.make(label, self.certs.authority, subject=label, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
        for kind, source in (("crt", own.chain_file), ("key", own.key_file if key else self.certs.good.key_file)):
            new = self.path / "new"
            shutil.copy(source, new)
            new.chmod(0o644)
            new.rename(self.path / f"own.{kind}")


@pytest.fixture
def own(certs, public_path):
    made = Own(certs, public_path)
    made.install("customer 7")
    return made


def shown(server):
    """The common name of the client's certificate, for each query; None: no certificate."""
    found = []
    for query in server.queries:
        peer = query.connection.tls.getpeercert() or {"subject": ((("commonName", None),),)}
        found.append(peer["subject"][0][0][1])
    return found


@pytest.fixture
def strict_server(make_server, certs):
    server = make_server(requires=certs.ca_file)
    return server


@pytest.mark.parametrize("versions", [(V1_2, V1_2), (V1_3, V1_3)], ids=["1.2", "1.3"])
def test_a_server_that_wants_our_certificate_gets_it(make_daemon, make_server, certs, own, versions):
    server = make_server(requires=certs.ca_file, versions=versions)
    daemon = make_daemon(server.upstream(**own.settings))
    ask_truly(daemon, "a.example")
    server.kill()
    ask_truly(daemon, "b.example")  # a resumed session keeps the identity
    assert set(shown(server)) == {"customer 7"}


def test_without_it_a_server_that_wants_it_refuses(make_daemon, strict_server):
    daemon = make_daemon(strict_server)
    assert daemon.ask("a.example").rcode() == 2
    assert not strict_server.queries


def test_a_server_that_does_not_ask_for_it_does_not_see_it(make_daemon, server, own):
    daemon = make_daemon(server.upstream(**own.settings))
    ask_truly(daemon, "a.example")
    assert set(shown(server)) == {None}


def test_a_new_one_is_used_after_a_reload_and_a_wrong_key_is_refused(make_daemon, strict_server, own, certs, public_path):
    ca_file = shutil.copy(certs.ca_file, public_path / "ca.pem")
    daemon = make_daemon(strict_server.upstream(**own.settings), directory=public_path, ca_file=ca_file)
    ask_truly(daemon, "a.example")
    own.install("customer 8", key=False)
    daemon.hang_up()
    daemon.wait_line("client-key .* is not the key of client-certificate")
    ask_truly(daemon, "b.example")
    own.install("customer 9")
    daemon.hang_up()
    daemon.wait_line("reloaded")
    ask_truly(daemon, "c.example")
    assert shown(strict_server)[-1] == "customer 9"


def test_it_may_come_after_the_start(make_daemon, strict_server, own):
    key = own.path / "own.key"
    key.rename(own.path / "away")
    daemon = make_daemon(strict_server.upstream(**own.settings))
    daemon.wait_line("cannot be used until its client-certificate .* can be loaded with its key: No such file")
    reasons = " ".join(text for _, text in wire.extended_errors(daemon.ask("a.example", edns=True)))
    assert "our client certificate cannot be loaded" in reasons
    (own.path / "away").rename(key)
    eventually(lambda: daemon.ask(f"b{time.monotonic()}.example").rcode() == 0, what="an answer")
    assert shown(strict_server)[-1] == "customer 7"


def test_one_of_two_settings_is_a_mistake(tmp_path, server, own):
    upstream = server.upstream(**own.settings)
    del upstream["client-key"]
    done = run("--check", "-c", write_config(tmp_path / "c.yaml", {"upstreams": [upstream]}))
    assert done.returncode == 78 and "has client-certificate alone" in done.stderr


def test_haproxy_wants_our_certificate(make_daemon, certs, own, tmp_path, cleanup):
    """A real peer that verifies clients: haproxy in front of unbound."""
    unbound = realservers.Unbound(tmp_path / "unbound", certs, tls=False)
    cleanup.callback(unbound.end)
    port = next(port for port in iter(free_port, None) if port != unbound.port)
    pem = tmp_path / "haproxy.pem"
    pem.write_bytes(pathlib.Path(certs.good.chain_file).read_bytes() + pathlib.Path(certs.good.key_file).read_bytes())
    config = tmp_path / "haproxy.cfg"
    config.write_text(f"""defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend dot
    bind 127.0.0.1:{port} ssl crt {pem} alpn dot ca-file {certs.ca_file} verify required
    default_backend dns
backend dns
    server unbound 127.0.0.1:{unbound.port}
""")
    haproxy = Process(["haproxy", "-db", "-f", str(config)])
    cleanup.callback(haproxy.end)
    upstream = {"name": "customer", "tls-name": certs_module.NAME, "addresses": ["127.0.0.1"], "port": port}
    with_it = make_daemon({**upstream, **own.settings})
    eventually(lambda: wire.addresses(with_it.ask("a.real.example")) == ["198.51.100.7"], what="an answer through haproxy")
    without = make_daemon(upstream)
    assert without.ask("a.real.example").rcode() == 2
