# SPDX-License-Identifier: MIT
"""DNS over HTTPS to upstreams (transport: https): requests, connections, and servers that misbehave, real and lying ones."""
import shutil
import time

import pytest

import lies
import realservers
import wire
from dohserver import DohServer
from processes import Process, eventually, free_port
from test_control import control


@pytest.fixture
def doh(certs, cleanup):
    server = DohServer(certs.good)
    cleanup.callback(server.stop)
    return server


@pytest.fixture
def daemon(make_daemon, doh):
    return make_daemon(doh)


def counter(daemon, name):
    return control(daemon, "/stats").json["counters"][name]


def test_a_request_has_nothing_but_what_it_needs(daemon, doh):
    assert wire.addresses(daemon.ask("a.example")) != []
    headers, body = doh.requests[0]
    assert headers == {":method": "POST", ":scheme": "https", ":authority": f"dns.google:{doh.port}", ":path": "/dns-query",
                       "accept": "application/dns-message", "content-type": "application/dns-message", "content-length": str(len(body))}
    assert body[:2] == b"\0\0", "id 0"
    question = wire.read_question(body)
    assert question.name == "a.example" and len(body) % 128 == 0, "padded"
    assert 11 not in [code for code, _ in question.options], "no keepalive"
    assert doh.connections[0].alpn == "h2"


def test_one_connection_carries_many_queries_in_any_order(daemon, doh):
    doh.delay = lambda query: 0.5 if query.name.startswith("slow") else 0.05
    with daemon.udp() as slow, daemon.tcp() as client:
        slow.send(wire.query("slow-one.example"))
        doh.wait_for_queries("slow-one.example")
        client.send(*(wire.query(f"n{number}.example", id=number) for number in range(60)))
        assert sorted(client.receive_all(60)) == list(range(60))
        assert wire.parse(slow.receive()).rcode() == 0
    assert len(doh.established) <= 2


def test_age_is_subtracted_from_ttls(daemon, doh):
    fresh = daemon.ask("first.example").answer[0].ttl
    doh.headers = (("age", "100"),)
    assert daemon.ask("second.example").answer[0].ttl == fresh - 100
    doh.headers = (("age", "99999999999999"),)
    assert daemon.ask("third.example").answer[0].ttl == 0


@pytest.mark.parametrize("lie", [dict(status=404), dict(status=500), dict(status=302, headers=(("location", "https://dns.google/"),)),
                                 dict(content_type="text/html"), dict(twist=lies.wrong_id), dict(reset=2),
                                 dict(twist=lambda query, truth: [truth[:5]])], ids=["404", "500", "302", "type", "id", "reset", "short"])
def test_what_is_no_answer_fails_and_the_backup_answers(make_daemon, doh, server, lie):
    daemon = make_daemon(doh.upstream(), server.upstream(name="backup", role="backup"))
    assert daemon.ask("a.example").rcode() == 0 and doh.requests
    with doh.lying(**lie):
        before = len(server.queries)
        for number in range(5):
            assert wire.addresses(daemon.ask(f"n{number}.example")) != []
        assert len(server.queries) >= before + 5
    with doh.lying(**lie):
        server.refuse()
        assert daemon.ask("none.example").rcode() == 2
    eventually(lambda: daemon.ask(f"again{time.monotonic()}.example").rcode() == 0, what="answers again")


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(make_daemon, doh, server, status):
    daemon = make_daemon(doh.upstream(), server.upstream(name="backup", role="backup"))
    assert daemon.ask("a.example").rcode() == 0
    doh.status, doh.headers = status, (("retry-after", "2"),)
    assert daemon.ask("first.example").rcode() == 0
    began, asked = time.monotonic(), len(doh.requests)
    doh.truth()
    while time.monotonic() < began + 1.5:
        assert daemon.ask(f"n{time.monotonic()}.example").rcode() == 0
    assert len(doh.requests) == asked, "it was asked again too early"
    def asked_again():
        daemon.ask(f"later{time.monotonic()}.example")
        return len(doh.requests) > asked
    eventually(asked_again, what="queries after Retry-After")
    assert time.monotonic() >= began + 1.9


def test_a_server_without_an_alternative_is_asked_again_soon(daemon, doh):
    assert daemon.ask("a.example").rcode() == 0
    with doh.lying(status=503, headers=(("retry-after", "600"),)):
        assert daemon.ask("b.example").rcode() == 2
    eventually(lambda: daemon.ask(f"c{time.monotonic()}.example").rcode() == 0, what="answers again")


def test_goaway_loses_no_query(daemon, doh):
    for way in ("after", "refuse"):
        assert daemon.ask(f"before-{way}.example").rcode() == 0
        doh.goaway = way
        with daemon.tcp() as client:
            client.send(*(wire.query(f"n{number}-{way}.example", id=number) for number in range(20)))
            doh.wait_for(lambda: len(doh.connections) >= 2)
            doh.goaway = None
            assert sorted(client.receive_all(20)) == list(range(20))


REFUSED_STREAM = 7


@pytest.mark.parametrize("lie", [dict(goaway="refuse"), dict(reset=REFUSED_STREAM)], ids=["GOAWAY", "REFUSED_STREAM"])
@pytest.mark.parametrize("used", [False, True], ids=["at first", "later"])
def test_a_server_that_refuses_all_requests(make_daemon, doh, server, lie, used):
    """It gets each query twice at most, and another upstream answers; alone it is not flooded, and is used again when it takes requests."""
    daemon = make_daemon(doh.upstream(), server.upstream(name="other"))
    if used:
        assert daemon.ask("a.example").rcode() == 0 and doh.requests
    with doh.lying(**lie):
        for number in range(10):
            assert daemon.ask(f"n{number}.example").rcode() == 0
            assert sum(f"n{number}".encode() in body for _, body in doh.requests) <= 2
        server.refuse()
        for number in range(10):
            daemon.ask(f"alone{number}.example")
            assert sum(f"alone{number}".encode() in body for _, body in doh.requests) <= 3
    eventually(lambda: daemon.ask(f"again{time.monotonic()}.example").rcode() == 0, what="answers again")


def test_the_limit_of_streams_is_obeyed(make_daemon, doh):
    doh.streams, doh.delay = 5, 0.02
    daemon = make_daemon(doh)
    daemon.ask("a.example")
    with daemon.tcp() as client:
        client.send(*(wire.query(f"n{number}.example", id=number) for number in range(40)))
        assert sorted(client.receive_all(40)) == list(range(40))
    assert doh.resets == 0


def test_sessions_are_resumed(daemon, doh):
    assert daemon.ask("a.example").rcode() == 0
    doh.kill("notify")
    assert daemon.ask("b.example").rcode() == 0
    doh.wait_for(lambda: doh.established[-1].resumed)


@pytest.mark.parametrize("how", ["rst", "fin", "notify"])
def test_a_lost_connection_loses_no_query(daemon, doh, how):
    assert daemon.ask("a.example").rcode() == 0
    doh.silence = True
    with daemon.udp() as client:
        client.send(wire.query("lost.example"))
        doh.wait_for_queries("lost.example")
        doh.silence = False
        doh.kill(how)
        assert wire.parse(client.receive()).rcode() == 0


def test_a_server_without_h2_is_not_used(make_daemon, certs, cleanup):
    doh = DohServer(certs.good, alpn="http/1.1")
    cleanup.callback(doh.stop)
    daemon = make_daemon(doh)
    response = daemon.ask("a.example", edns=True)
    assert response.rcode() == 2 and "HTTP/2" in " ".join(str(option) for option in response.options if option.otype == wire.EDE)
    assert not doh.requests


def test_pins_of_https(make_daemon, certs, doh):
    wrong = make_daemon(doh.upstream(**{"https-pins": [certs.good_rsa.pin]}))
    assert wrong.ask("a.example").rcode() == 2 and not doh.requests
    right = make_daemon(doh.upstream(**{"pins": [certs.good_rsa.pin], "https-pins": [certs.good.pin]}))
    assert right.ask("a.example").rcode() == 0


@pytest.mark.parametrize("kind", ["wrong-name", "subdomain", "untrusted-ca", "expired", "self-signed", "cn-only"])
def test_other_certificates_are_refused(make_daemon, certs, cleanup, kind):
    """Not one query is sent, and the client learns why; a good certificate is accepted at once."""
    doh = DohServer(certs.bad(kind))
    cleanup.callback(doh.stop)
    daemon = make_daemon(doh)
    response = daemon.ask("a.example", edns=True)
    assert response.rcode() == 2 and "certificate" in " ".join(str(option) for option in response.options if option.otype == wire.EDE)
    assert not doh.requests and counter(daemon, "attempts_sent") == 0
    doh.swap(certs.good)
    eventually(lambda: daemon.ask(f"again{time.monotonic()}.example").rcode() == 0, what="answers with a good certificate")


@pytest.mark.parametrize("how", ["rst", "fin", "notify"])
def test_connections_that_end_after_each_response_lose_no_query(make_daemon, doh, how):
    """One query after the other, then ten at a time; the other responses of a connection are lost with it."""
    doh.close_after, doh.close_how = 1, how
    daemon = make_daemon(doh)
    for number in range(10):
        assert daemon.ask(f"n{number}.example").rcode() == 0
    doh.close_after = 5
    with daemon.tcp() as client:
        client.send(*(wire.query(f"m{number}.example", id=number) for number in range(10)))
        assert all(wire.parse(message).rcode() == 0 for message in client.receive_all(10).values())


@pytest.mark.parametrize("how", ["rst", "fin"])
def test_connections_that_end_at_once(daemon, doh, how):
    """They fail at once, and answers come again when they no longer do."""
    assert daemon.ask("a.example").rcode() == 0
    with doh.lying(accept=how):
        doh.kill("rst")
        assert daemon.ask("none.example").rcode() == 2
    eventually(lambda: daemon.ask(f"again{time.monotonic()}.example").rcode() == 0, what="answers again")


@pytest.mark.parametrize("kind", ["flood", "garbage", "huge"])
def test_servers_that_misuse_http2_lose_their_session(daemon, doh, kind):
    assert daemon.ask("a.example").rcode() == 0
    junk = {"flood": b"\0\0\x08\x06\0\0\0\0\0" + bytes(8), "garbage": b"\xff" * 100, "huge": b"\xff\xff\xff\x00\0\0\0\0\x01"}[kind]
    def send():
        for connection in doh.open:
            connection.tls.write(junk * (2000 if kind == "flood" else 1))
            connection.flush_ciphertext()
    doh.do(send)
    doh.wait_for(lambda: not doh.open)
    assert daemon.ask("b.example").rcode() == 0


# Real servers.

DNSDIST = """\
setLocal("127.0.0.1:{plain}")
addDOHLocal("127.0.0.1:{port}", "{certs.good.chain_file}", "{certs.good.key_file}", "/dns-query")
newServer({{address="127.0.0.1:{backend}", checkName="a.real.example.", checkInterval=1}})
setACL({{"127.0.0.0/8"}})
setSecurityPollSuffix("")
"""


@pytest.fixture
def real_doh(request, certs, public_path, cleanup):
    """The port of a real server."""
    port = free_port("127.0.0.1")
    if request.param == "dnsdist":
        backend = realservers.Unbound(public_path / "backend", certs, tls=False)
        cleanup.callback(backend.end)
        config = public_path / "dnsdist.conf"
        config.write_text(DNSDIST.format(plain=free_port("127.0.0.1"), port=port, certs=certs, backend=backend.port))
        server = Process(["dnsdist", "-C", str(config), "--supervised", "--disable-syslog"], read="stdout")
        cleanup.callback(server.end)
        server.wait_line(r"(?i)(downstream|backend).*\bup\b")
    else:
        directory = public_path / "unbound"
        directory.mkdir()
        (directory / "zone").write_text(realservers.ZONE)
        (directory / "reverse").write_text(realservers.REVERSE)
        lines = (f'https-port: {port}\n    tls-service-key: "{certs.good.key_file}"\n    tls-service-pem: "{certs.good.chain_file}"')
        config = directory / "unbound.conf"
        config.write_text(realservers.UNBOUND.format(directory=directory, port=port, tls=lines))
        server = Process([shutil.copy("/usr/sbin/unbound", directory / "unbound"), "-d", "-p", "-c", str(config)])
        cleanup.callback(server.end)
        server.wait_line("start of service")
    return port


@pytest.mark.parametrize("real_doh", ["dnsdist", "unbound"], indirect=True)
def test_real_servers(make_daemon, real_doh):
    daemon = make_daemon({"name": "real", "tls-name": "dns.google", "addresses": ["127.0.0.1"], "transport": "https",
                          "https": f"https://dns.google:{real_doh}/dns-query"})
    assert wire.addresses(daemon.ask("a.real.example")) == ["198.51.100.7"]
    assert len(daemon.ask("large.real.example", "TXT", tcp=True).answer) == 1
    with daemon.tcp() as client:
        client.send(*(wire.query(f"x{number}.wild.real.example", id=number) for number in range(150)))
        assert sorted(client.receive_all(150)) == list(range(150))
    server = control(daemon, "/status").json["servers"][0]
    assert server["transport"] == "https", server
