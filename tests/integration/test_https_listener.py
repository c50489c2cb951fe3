# SPDX-License-Identifier: MIT
"""DNS over HTTPS for clients (listen-https, listen-http): protocol, errors, other programs as clients. test_abuse.py
has more clients that misuse it."""
import base64
import socket
import ssl
import subprocess

import pytest

import wire
from clients import TcpClient
from daemon import SLACK
from http2client import (DATA, GOAWAY, HEADERS, MESSAGE, PING, PREFACE, SETTINGS, WINDOW_UPDATE, HttpsClient, fields, frame, frames,
                         request_fields)
from listening import BLOCK, KEEPALIVE, PADDING, Service, TlsClient
from processes import Process, eventually, free_port
from test_control import control
from test_metrics import scrape


@pytest.fixture(scope="module")
def service(certs, tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("https"), certs)
    yield service
    service.daemon.stop()
    service.server.stop()


@pytest.fixture(autouse=True)
def truth(service):
    yield
    service.server.truth()
    assert service.daemon.ask("a.example").rcode() == 0, "the daemon lives"


# The protocol.

def test_post_and_get_are_answered(service, certs):
    with service.client(ca=certs.ca_file) as client:
        assert client.socket.selected_alpn_protocol() == "h2"
        first = client.ask("a.example")
        query = wire.query("a.example", id=0)
        for padding in ("", "=" * (-len(base64.b64encode(query)) % 3)):
            text = base64.urlsafe_b64encode(query).decode().rstrip("=") + padding
            again = client.fetch(None, f"/dns-query?x=y&dns={text}&z", "GET", kind=None)
            assert again.status == 200 and wire.addresses(wire.parse(again.body)) == wire.addresses(first) != []


def test_metrics_tell_the_transports_apart(service):
    def count():
        return scrape(service.daemon)["dotstub_queries_by_transport_total"]
    before = count()
    service.daemon.ask("a.example")
    service.daemon.ask("a.example", tcp=True)
    for client in TlsClient(service.tls), service.client():
        with client:
            client.ask("a.example")
    after = count()
    assert {name: after[name] - before[name] for name in after} == {
        f'{{transport="{name}"}}': number for name, number in {"none": 0, "udp": 1, "tcp": 1, "tls": 1, "https": 1}.items()}


def test_cache_control_is_the_smallest_ttl(service):
    with service.client() as client:
        for name in ("a.example", "www.alias.example"):
            response = client.fetch(wire.query(name, id=0))
            ttls = [rrset.ttl for rrset in wire.parse(response.body).answer]
            assert response.headers["cache-control"] == f"max-age={min(ttls)}" and min(ttls) > 0
        missing = client.fetch(wire.query("nx.a.example", id=0))
        assert missing.headers["cache-control"] == f"max-age={wire.parse(missing.body).authority[0].ttl}"
        failed = client.fetch(wire.query("servfail.a.example", id=0))
        assert wire.parse(failed.body).rcode() == 2 and failed.status == 200 and failed.headers["cache-control"] == "max-age=0"


@pytest.mark.parametrize("status, request_of", [
    (404, dict(body=b"x", path="/other")),
    (404, dict(body=b"x", path="/dns-query/")),
    (405, dict(body=b"x", method="PUT")),
    (405, dict(method="HEAD", kind=None)),
    (413, dict(body=b"x" * 65536)),
    (415, dict(body=b"x", kind="application/json")),
    (415, dict(body=b"x", kind=None)),
    (431, dict(body=b"x", extra=[("cookie", "c" * 9000)])),
    (400, dict(body=b"")),
    (400, dict(body=b"short")),
    (400, dict(body=wire.message("a.example", flags=0x8180))),
    (400, dict(method="GET", kind=None)),
    (400, dict(method="GET", kind=None, path="/dns-query?dns=")),
    (400, dict(method="GET", kind=None, path="/dns-query?dns=A*AA")),
    (400, dict(method="GET", kind=None, path="/dns-query?dns=AAAAA")),
], ids=lambda value: str(value) if isinstance(value, int) else "-".join(value))
def test_errors_of_http(service, status, request_of):
    options = dict(request_of)
    body = options.pop("body", None)
    with service.client(tls=False) as client:
        if body and len(body) > 60000:  # beyond the window: in parts
            stream = client.h2.get_next_available_stream_id()
            client.h2.send_headers(stream, [(":method", "POST"), (":scheme", "https"), (":authority", "dns.lan"), (":path", "/dns-query"),
                                            ("content-type", MESSAGE)])
            while body:
                room = min(client.h2.local_flow_control_window(stream), 16384, len(body))
                client.h2.send_data(stream, body[:room])
                client.flush()
                body = body[room:]
                while body and client.h2.local_flow_control_window(stream) == 0:
                    assert client.read()
            response = client.response(stream)
        else:
            response = client.fetch(body, **options)
        assert response.status == status and response.body == b"" and response.headers["content-length"] == "0"
        assert response.headers.get("allow") == ("GET, POST" if status == 405 else None)
        assert "cache-control" not in response.headers
        assert client.ask("a.example").rcode() == 0, "the connection stays"


@pytest.mark.parametrize("status, headers", [
    (405, [(":method", "CONNECT"), (":authority", "dns.lan:443")]),
    (431, [("cookie", "c" * 9000), (":method", "GET"), (":scheme", "https"), (":authority", "dns.lan"), (":path", "/dns-query?dns=AAAA")]),
    (431, [(":authority", "a" * 9000), (":method", "GET"), (":scheme", "https"), (":path", "/dns-query?dns=AAAA")]),
], ids=["connect", "cookie-first", "authority-first"])
def test_requests_without_a_path(service, status, headers):
    """CONNECT has no path, and a path behind headers that are too large is not kept."""
    with service.client(tls=False) as client:
        client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, headers, end_stream=True)
        client.flush()
        while stream not in client.done and stream not in client.resets:
            assert client.read(), "the connection ended"
        if stream in client.resets:
            assert headers[0][0] == "cookie", "a pseudo-header field behind others is malformed (RFC 9113 section 8.3)"
        else:
            assert client.response(stream).status == status
        assert client.ask("a.example").rcode() == 0, "the connection stays"


def test_malformed_queries_get_formerr_with_status_200(service):
    with service.client(tls=False) as client:
        response = client.fetch(wire.message("a.example", counts=(2, 0, 0, 0)))
        assert response.status == 200 and wire.parse(response.body).rcode() == 1


def test_queries_in_flight_are_answered_out_of_order(service):
    service.server.delay = lambda query: 0.3 if query.name.startswith("slow") else 0
    with service.client() as client:
        slow = client.request(wire.query("slow-in-flight.example", id=0))
        fast = [client.request(wire.query(f"f{number}.example", id=0), flush=False) for number in range(80)]
        client.flush()
        for stream in fast:
            assert client.response(stream).status == 200
        assert slow not in client.done
        assert wire.parse(client.response(slow).body).rcode() == 0


def test_responses_are_padded_and_have_no_keepalive(service):
    with service.client() as client:
        response = client.fetch(wire.query("a.example", id=0, options=[(PADDING, bytes(20)), (KEEPALIVE, b"")]))
        assert len(response.body) % BLOCK == 0
        assert not [option for option in wire.parse(response.body).options if option.otype == KEEPALIVE]


def test_http1_gets_505(service):
    for data in (b"GET /dns-query HTTP/1.1\r\nHost: dns.lan\r\nUpgrade: h2c\r\n\r\n", b"PRI * HTTP/1.1\r\n\r\n", b"\0" * 40):
        with service.client(tls=False, raw=True) as client:
            client.socket.sendall(data)
            assert client.closed().startswith(b"HTTP/1.1 505 ")
    with service.client(alpn=("http/1.1",), raw=True) as client:
        client.socket.sendall(b"GET /dns-query HTTP/1.1\r\nHost: dns.lan\r\n\r\n")
        assert client.closed().startswith(b"HTTP/1.1 505 ")


def test_alpn_of_the_listeners_differs(service):
    with pytest.raises(ssl.SSLError, match="no application protocol|unknown error"):
        service.client(alpn=("dot",), raw=True)
    with pytest.raises(ssl.SSLError, match="no application protocol|unknown error"):
        HttpsClient(service.tls, alpn=("h2",), raw=True)


def test_only_proxies_may_use_plain_http(service):
    before = service.counter("http_refused")
    one = socket.socket()
    one.bind(("127.0.0.2", 0))
    one.connect(("127.0.0.1", service.http))
    try:
        one.sendall(PREFACE)
        assert one.recv(100) == b""
    except ConnectionError:
        pass
    one.close()
    eventually(lambda: service.counter("http_refused") == before + 1, what="the refused connection")


def test_large_responses_wait_for_the_window_of_the_client(service):
    """The window is 100 bytes at first: the rest comes when the client opens it, and other streams are served meanwhile."""
    with service.client(window=100) as client:
        large = client.request(wire.query("big3000.a.example", "TXT", id=0))
        while not client.bodies[large]:
            assert client.read()
        assert wire.addresses(client.ask("a.example"))
        response = client.response(large)
        assert response.status == 200 and len(response.body) > 3000


def test_many_responses_to_a_client_that_says_no_more(service):
    """Their bodies are less than is handed to the connection at a time, with their headers they are more. The windows are open, so
    that the client has nothing to say; the kernel accepts much at a time when it has sent some."""
    query, count = wire.query("big590.a.example", "TXT", id=0), 100
    with service.client(tls=False) as first:
        body = first.fetch(query).body
        assert 60_000 < count * len(body) < 65_536 < count * (len(body) + 9 + 9 + 20)
    with service.client(tls=False, raw=True) as client:
        client.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff") + frame(WINDOW_UPDATE, 0, 0, b"\x7f\0\0\0"))
        head, data = request_fields(method="POST") + fields(("content-type", MESSAGE)), b""
        for first in range(1, 1200, 2 * count):
            client.socket.sendall(b"".join(frame(HEADERS, 4, stream, head) + frame(DATA, 1, stream, query)
                                           for stream in range(first, first + 2 * count, 2)))
            while sum(kind == DATA for kind, _, _ in frames(data)) < (first + 2 * count) // 2:
                part = client.socket.recv(65536)
                assert part, f"the connection ended after {len(data)} bytes"
                data += part


def test_many_gets_on_one_connection(service):
    """Each is decoded in place; its memory is counted no longer when it has ended."""
    path = "/dns-query?dns=" + base64.urlsafe_b64encode(wire.query("a.example", id=0)).decode().rstrip("=") + "&x=" + "x" * 4000
    with service.client(tls=False) as client:
        for _ in range(50):
            assert client.fetch(None, path, "GET", kind=None).status == 200
        assert client.ask("a.example").rcode() == 0


def test_a_reset_stream_drops_its_query(service):
    service.server.silence = lambda query: query.name.startswith("never")
    before = service.counter("drops_client_gone")
    with service.client() as client:
        stream = client.request(wire.query("never.example", id=0))
        service.server.wait_for_queries("never.example")
        client.h2.reset_stream(stream, 8)
        client.flush()
        eventually(lambda: service.counter("drops_client_gone") == before + 1, what="the dropped query")
        assert client.ask("a.example").rcode() == 0


def test_resumption(service):
    first = service.client()
    assert first.ask("a.example").rcode() == 0
    context, session = first.socket.context, first.socket.session
    first.close()
    again = context.wrap_socket(socket.create_connection(("127.0.0.1", service.https)), server_hostname="dns.lan", session=session)
    assert again.session_reused and again.selected_alpn_protocol() == "h2"
    again.close()
    other = context.wrap_socket(socket.create_connection(("127.0.0.1", service.https)), server_hostname="other.lan", session=session)
    assert not other.session_reused, "tickets are for one name"
    other.close()


def test_a_stopping_daemon_says_goaway_and_answers_what_it_has(certs, tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("goaway"), certs)
    service.server.delay = 0.3
    with service.client(tls=False) as client:
        client.request(wire.query("last.example", id=0))
        service.server.wait_for_queries("last.example")
        service.daemon.signal(15)
        kinds = [(kind, stream) for kind, stream, _ in frames(client.closed())]  # the library takes no response after GOAWAY
        assert kinds.index((GOAWAY, 0)) < kinds.index((HEADERS, 1)) < kinds.index((DATA, 1))
    service.daemon.stop()
    service.server.stop()


# Other programs as clients.

def curl(*arguments):
    return subprocess.run(["curl", "--silent", "--show-error", "--max-time", "10", *map(str, arguments)], capture_output=True, timeout=30)


def test_curl_resolves_by_it(service, certs):
    """The name of a URL is looked up by --doh-url; the connection itself fails at a closed port."""
    done = curl("--http2", "--doh-url", f"https://dns.lan:{service.https}/dns-query", "--resolve", f"dns.lan:{service.https}:127.0.0.1",
                "--cacert", certs.ca_file, "--verbose", "--connect-timeout", "1", "http://to-loopback.loop.example:1/")
    assert service.server.queries_for("to-loopback.loop.example"), done.stderr.decode()
    assert b"port 1" in done.stderr, "curl knows the address"


def test_curl_with_prior_knowledge(service, tmp_path):
    (tmp_path / "query").write_bytes(wire.query("a.example", id=0))
    done = curl("--http2-prior-knowledge", "--data-binary", f"@{tmp_path / 'query'}", "-H", f"content-type: {MESSAGE}", "-o", tmp_path / "out",
                "-w", "%{http_code} %{http_version} %{content_type}", f"http://127.0.0.1:{service.http}/dns-query")
    assert done.stdout.decode() == f"200 2 {MESSAGE}"
    assert wire.addresses(wire.parse((tmp_path / "out").read_bytes()))


def test_curl_with_http1_learns_why(service, certs):
    done = curl("--http1.1", "--cacert", certs.ca_file, "--resolve", f"dns.lan:{service.https}:127.0.0.1", "-w", "%{http_code}",
                f"https://dns.lan:{service.https}/dns-query")
    assert done.stdout.decode().endswith("505"), done.stderr


@pytest.mark.parametrize("way", ["+https", "+https-get"])
def test_kdig(service, certs, way):
    done = subprocess.run(["kdig", "@127.0.0.1", "-p", str(service.https), "+https=dns.lan/dns-query", way, f"+tls-ca={certs.ca_file}",
                           "+tls-hostname=dns.lan", "+padding", "a.example"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "status: NOERROR" in done.stdout and "HTTP/2" in done.stdout, done.stdout + done.stderr


def test_dnsdist_forwards_to_it(service, certs):
    port, config = free_port(), service.directory / "dnsdist.conf"
    config.write_text(f"""\
setLocal("127.0.0.1:{port}")
newServer({{address="127.0.0.1:{service.https}", tls="openssl", subjectName="dns.lan", caStore="{certs.ca_file}", dohPath="/dns-query",
           validateCertificates=true, healthCheckMode="up"}})
setACL({{"127.0.0.0/8"}})
setSecurityPollSuffix("")
""")
    dnsdist = Process(["dnsdist", "-C", str(config), "--supervised", "--disable-syslog"], read="stdout")
    try:
        ask = ["dig", "@127.0.0.1", "-p", str(port), "+short", "+tries=1", "+time=3", "a.example"]
        eventually(lambda: subprocess.run(ask, capture_output=True, text=True, timeout=30).stdout.split(), what="a response through dnsdist")
    finally:
        dnsdist.end()


def test_haproxy_ends_tls_in_front_of_it(service, certs):
    port, directory = free_port(), service.directory
    (directory / "both.pem").write_bytes((directory / "dns.crt").read_bytes() + (directory / "dns.key").read_bytes())
    config = directory / "haproxy.cfg"
    config.write_text(f"""\
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend doh
  bind 127.0.0.1:{port} ssl crt {directory / "both.pem"} alpn h2
  default_backend dotstub
backend dotstub
  server one 127.0.0.1:{service.http} proto h2
""")
    haproxy = Process(["haproxy", "-db", "-f", str(config)])
    try:
        def answered():
            try:
                with HttpsClient(port, ca=certs.ca_file) as client:
                    return wire.addresses(client.ask("a.example"))
            except (OSError, AssertionError):
                return None
        eventually(answered, what="a response through haproxy")
    finally:
        haproxy.end()


def test_a_proxy_may_name_its_clients(make_daemon, server):
    """The PROXY header is for the connection, before HTTP/2; access is that of the client which it names."""
    http = free_port()
    daemon = make_daemon(server, **{"listen-http": [f"127.0.0.1@{http}"], "access": {"allow": ["192.0.2.0/24", "127.0.0.0/8"]},
                                    "proxy-protocol": {"from": ["127.0.0.1"], "listen": [f"127.0.0.1@{http}"]}})
    for client_address, rcode in (("192.0.2.7", 0), ("198.51.100.7", 5)):
        with HttpsClient(http, tls=False, raw=True) as client:
            client.socket.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton(client_address) + socket.inet_aton("127.0.0.1") +
                                  b"\x30\x39\x1f\x75")
            client.h2.initiate_connection()
            client.flush()
            assert client.ask("a.example").rcode() == rcode
    assert control(daemon, "/stats").json["counters"]["tls_evicted"] == 0


# Misuse.

@pytest.mark.parametrize("data", [frame(HEADERS, 5, 1, b"\xff" * 50), frame(SETTINGS, 0, 0, b"12345"), frame(DATA, 0, 3, b"x"), b"\xff" * 5000,
                                  frame(HEADERS, 5, 2, request_fields()), frame(PING, 0, 0, b"short")],
                         ids=["compression", "settings", "idle stream", "zeros", "even stream", "ping"])
def test_garbage_ends_the_connection(service, data):
    with service.raw() as client:
        client.socket.sendall(data)
        assert client.closed().rfind(b"\x07\0\0\0\0\0") > 0, "GOAWAY"


def test_waiting_requests_with_long_paths_leave_others_alone(service):
    """Their paths are not held while they wait: a client that needs two turns for its message is not reset for memory."""
    service.server.silence = lambda query: query.name.startswith("never")
    evicted = service.counter("tcp_evicted")
    path = "/dns-query?dns=" + base64.urlsafe_b64encode(wire.query("never-held.example", id=0)).decode().rstrip("=") + "&x="
    begun = [service.raw() for _ in range(20)]
    try:
        for client in begun:  # 4,000 bytes once, then one byte for each of them (RFC 7541 section 6.1)
            long = path.encode().ljust(4000, b"x")
            first = b"\x44\x7f" + bytes([(len(long) - 127) & 127 | 128, (len(long) - 127) >> 7]) + long
            rest = fields((":method", "GET"), (":scheme", "https"), (":authority", "dns.lan"))
            client.socket.sendall(b"".join(frame(HEADERS, 5, 1 + 2 * number, rest + (b"\xbe" if number else first)) for number in range(100)))
        service.server.wait_for_queries("never-held.example")
        with TcpClient("127.0.0.1", service.daemon.port) as slow:
            message = wire.query("a.example")
            slow.socket.sendall(len(message).to_bytes(2, "big") + message[:10])
            for _ in range(3):
                assert service.daemon.ask("a.example", tcp=True).rcode() == 0
            slow.socket.sendall(message[10:])
            assert wire.parse(slow.receive()).rcode() == 0
    finally:
        for client in begun:
            client.close()
    assert service.counter("tcp_evicted") == evicted


@pytest.mark.faults
def test_unfinished_requests_end_after_five_seconds_without_progress(service):
    """Slow headers, slow bodies, and connections that say nothing; meanwhile all others are served."""
    begun = [service.raw() for _ in range(30)]
    for number, client in enumerate(begun):
        if number % 3 == 0:
            client.socket.sendall(frame(HEADERS, 1, 1, request_fields()))
        elif number % 3 == 1:
            client.socket.sendall(frame(HEADERS, 4, 1, request_fields(method="POST")) + frame(DATA, 0, 1, b"x" * 100))
    try:
        with service.client() as other:
            assert other.ask("a.example").rcode() == 0
        eventually(lambda: service.counter("tcp_stalled") >= 10, timeout=9 * SLACK, what="the stalled connections to end")
    finally:
        for client in begun:
            client.close()


def test_streams_that_wait_for_the_client_end_beside_others_that_work(service):
    """Half of them have a window of 0, the other half an unfinished request. All the time other streams of the connection are used, so
    that the connection itself makes progress."""
    before = service.counter("https_stuck")
    with service.client(tls=False, window=0) as client:
        stuck = [client.request(wire.query("a.example", id=0)) for _ in range(40)]
        for number in range(40):
            stuck.append(client.h2.get_next_available_stream_id())
            client.h2.send_headers(stuck[-1], [(":method", "POST"), (":scheme", "https"), (":authority", "dns.lan"), (":path", "/dns-query"),
                                               ("content-type", MESSAGE)])
        client.flush()

        def work():
            stream = client.request(wire.query("b.example", id=0))
            client.h2.increment_flow_control_window(1000, stream)
            client.flush()
            assert wire.parse(client.response(stream).body).answer
            return set(stuck) <= set(client.resets)
        eventually(work, timeout=9 * SLACK, what="the end of the streams that wait")
    assert service.counter("https_stuck") == before + 80


def test_a_half_closed_connection_gets_its_responses(service):
    service.server.delay = 0.2
    with service.client(tls=False) as client:
        client.request(wire.query("half-closed.example", id=0))
        client.socket.shutdown(socket.SHUT_WR)
        assert (DATA, 1) in [(kind, stream) for kind, stream, _ in frames(client.closed())]
