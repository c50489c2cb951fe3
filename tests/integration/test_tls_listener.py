# SPDX-License-Identifier: MIT
"""DNS over TLS for clients (listen-tls): protocol, certificates, tickets, and clients that misuse the handshake."""
import shutil
import socket
import ssl
import subprocess
import time

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

import wire
from clients import TcpClient
from daemon import SLACK
from processes import Process, eventually, free_port
from test_control import control

PADDING, KEEPALIVE = 12, 11
BLOCK = 468


class TlsClient(TcpClient):
    """`ca`: the file that the certificate must chain to; None: it is not verified."""

    def __init__(self, port, *, name="dns.lan", ca=None, alpn=("dot",), version=None, session=None, client=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if ca:
            context.load_verify_locations(ca)
        else:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if version:
            context.minimum_version = context.maximum_version = version
        if client:
            context.load_cert_chain(*client)
        super().__init__("127.0.0.1", port)
        self.context = session.context if session else context
        self.socket = self.context.wrap_socket(self.socket, server_hostname=name, session=session and session.socket.session)

    def certificate(self):
        return self.socket.getpeercert(binary_form=True)


class Listener:
    """A daemon with listen-tls; its certificate and key are files of the test."""

    def __init__(self, make_daemon, server, certs, path, labels=("dns.lan",), wait=True, **config):
        self.path, port = path, free_port()
        self.port = next(other for other in iter(free_port, None) if other != port)
        self.identities = {label: certs.make(f"listener-{label}-{path.name}", certs.authority, names=[label]) for label in labels}
        for label, identity in self.identities.items():
            self.install(identity, label)
        files = {kind: [str(path / f"{label}.{kind}") for label in labels] for kind in ("crt", "key")}
        tls_server = {"certificate": files["crt"], "key": files["key"], **config.pop("tls_server", {})}
        self.config = {"listen-tls": [f"127.0.0.1@{self.port}"], "tls-server": tls_server, **config}
        self.daemon = make_daemon(server, port=port, **self.config) if wait else None

    def install(self, identity, label, key=True):
        """Replaces the files as certbot does: new ones are renamed to their names."""
        for kind, source in (("crt", identity.chain_file), ("key", identity.key_file)):
            if kind == "key" and not key:
                continue
            new = self.path / f"{label}.{kind}.new"
            shutil.copy(source, new)
            new.chmod(0o644)
            new.rename(self.path / f"{label}.{kind}")

    def client(self, **options):
        return TlsClient(self.port, **options)

    def counter(self, name):
        return control(self.daemon, "/stats").json["counters"][name]


@pytest.fixture
def make_listener(make_daemon, server, certs, public_path):
    return lambda *labels, **config: Listener(make_daemon, server, certs, public_path, labels or ("dns.lan",), **config)


@pytest.fixture
def listener(make_listener):
    return make_listener()


# The protocol.

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_queries_are_answered_over_a_verified_session(listener, certs, version):
    with listener.client(ca=certs.ca_file, version=version) as client:
        assert client.socket.selected_alpn_protocol() == "dot"
        first = client.ask("a.example")
        again = client.ask("a.example")
        assert wire.addresses(first) == wire.addresses(again) != []
        client.send(*(wire.query(f"n{number}.example", id=number) for number in range(50)))
        assert sorted(client.receive_all(50)) == list(range(50))


def test_an_older_version_is_refused(listener):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        listener.client(version=ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize("alpn, fine", [((), True), (("dot",), True), (("h2", "dot"), True), (("h2",), False)])
def test_alpn(listener, alpn, fine):
    if fine:
        with listener.client(alpn=alpn) as client:
            assert client.ask("a.example").rcode() == 0
    else:
        with pytest.raises(ssl.SSLError, match="no application protocol"):
            listener.client(alpn=alpn)


def test_plain_dns_on_the_port_gets_no_answer(listener):
    with TcpClient("127.0.0.1", listener.port) as client:
        client.send(wire.query("a.example"))
        try:
            assert client.receive() is None
        except (AssertionError, ConnectionError):
            pass  # an alert came
    assert listener.daemon.ask("a.example").rcode() == 0


@pytest.mark.parametrize("name, rdtype", [("a.example", "A"), ("big3000.a.example", "TXT"), ("nx.a.example", "A"), ("servfail.a.example", "A"),
                                          ("localhost", "A")])
def test_responses_are_padded_if_the_query_is(listener, name, rdtype):
    """Cached or not; the length does not reveal the name."""
    with listener.client() as client:
        for _ in range(2):
            client.send(wire.query(name, rdtype, options=[(PADDING, bytes(20))]))
            assert len(client.receive()) % BLOCK == 0
        client.send(wire.query(name, rdtype, edns=True))
        assert len(client.receive()) % BLOCK != 0
    with listener.daemon.tcp() as client:
        client.send(wire.query(name, rdtype, options=[(PADDING, bytes(20))]))
        assert len(client.receive()) % BLOCK != 0, "padding helps only over TLS"


def test_keepalive(listener):
    with listener.client() as client:
        client.send(wire.query("a.example", options=[(KEEPALIVE, b"")]))
        response = wire.parse(client.receive())
        assert [option for option in response.options if option.otype == KEEPALIVE]


def test_access_control_applies(make_listener):
    listener = make_listener(access={"allow": ["192.0.2.0/24"]})
    with listener.client() as client:
        assert client.ask("a.example").rcode() == 5


# Certificates.

def test_the_certificate_for_the_name_of_the_client(make_listener, certs):
    listener = make_listener("one.lan", "two.lan")
    for name in ("one.lan", "two.lan"):
        with listener.client(name=name, ca=certs.ca_file) as client:
            assert client.ask("a.example").rcode() == 0
    with listener.client(name="other.lan") as other, listener.client(name="one.lan") as one:
        assert other.certificate() == one.certificate()


def test_a_new_certificate_is_loaded_and_connections_stay(listener, certs):
    with listener.client() as before:
        assert before.ask("a.example").rcode() == 0
        old = before.certificate()
        listener.install(certs.make("renewed", certs.authority, names=["dns.lan"]), "dns.lan")
        listener.daemon.wait_line("loaded the changed certificates")
        with listener.client(ca=certs.ca_file) as after:
            assert after.certificate() != old and after.ask("a.example").rcode() == 0
        assert before.ask("b.example").rcode() == 0


def test_a_certificate_without_its_key_leaves_the_old_one(listener, certs):
    renewed = certs.make("halfway", certs.authority, names=["dns.lan"])
    with listener.client() as client:
        old = client.certificate()
    listener.install(renewed, "dns.lan", key=False)
    listener.daemon.wait_line("is not the key of the certificate in .*; the previous certificates stay in use")
    with listener.client() as client:
        assert client.certificate() == old
    listener.install(renewed, "dns.lan")
    listener.daemon.wait_line("loaded the changed certificates")
    with listener.client() as client:
        assert client.certificate() != old


def test_without_a_certificate_dns_works_and_tls_comes_later(make_daemon, server, certs, public_path):
    listener = Listener(make_daemon, server, certs, public_path, wait=False)
    (public_path / "dns.lan.crt").rename(public_path / "away")
    listener.daemon = make_daemon(server, **listener.config)
    listener.daemon.wait_line("clients of listen-tls and listen-https are disconnected until the certificates can be used")
    assert listener.daemon.ask("a.example").rcode() == 0
    with pytest.raises((ssl.SSLError, ConnectionError)):
        listener.client()
    (public_path / "away").rename(public_path / "dns.lan.crt")
    listener.daemon.wait_line("loaded the changed certificates")
    with listener.client(ca=certs.ca_file) as client:
        assert client.ask("a.example").rcode() == 0


def test_clients_need_a_certificate_of_the_client_ca(make_listener, certs):
    listener = make_listener(tls_server={"client-ca": str(certs.ca_file)})
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        with listener.client() as client:  # TLS 1.3 tells the client after its handshake
            client.ask("a.example")
    own = certs.make("phone", certs.authority, names=["phone.lan"], usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    with listener.client(client=(own.chain_file, own.key_file)) as client:
        assert client.ask("a.example").rcode() == 0
    stranger = certs.make("stranger", names=["phone.lan"], usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        with listener.client(client=(stranger.chain_file, stranger.key_file)) as client:
            client.ask("a.example")


# Tickets.

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_for_the_same_name_only(make_listener, version):
    listener = make_listener("one.lan", "two.lan")
    first = listener.client(name="one.lan", version=version)
    assert first.ask("a.example").rcode() == 0
    with listener.client(name="one.lan", session=first) as again:
        assert again.ask("a.example").rcode() == 0 and again.socket.session_reused
    first.close()
    second = listener.client(name="one.lan", version=version)
    assert second.ask("a.example").rcode() == 0
    with listener.client(name="two.lan", session=second) as other:
        assert other.ask("a.example").rcode() == 0 and not other.socket.session_reused
    second.close()
    assert listener.counter("tls_resumed") == 1 and listener.counter("tls_handshakes") == 4


def test_a_fleet_shares_a_ticket_key(make_daemon, server, certs, public_path, tmp_path):
    key = public_path / "tickets"
    key.write_bytes(bytes(range(48)))
    key.chmod(0o644)
    listener = Listener(make_daemon, server, certs, public_path, tls_server={"ticket-key-file": str(key)})
    first = listener.client()
    assert first.ask("a.example").rcode() == 0
    listener.daemon.stop()
    listener.daemon = make_daemon(server, **listener.config)
    with listener.client(session=first) as client:
        assert client.ask("a.example").rcode() == 0 and client.socket.session_reused
    first.close()


# Misuse.

def test_half_handshakes_keep_nobody_out(listener):
    """Connections that begin a handshake and never end it: beyond 64 of a network the oldest are reset."""
    stuck = []
    try:
        for _ in range(150):
            one = socket.create_connection(("127.0.0.1", listener.port))
            one.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            stuck.append(one)
        assert listener.daemon.ask("a.example").rcode() == 0
        with listener.client() as client:
            assert client.ask("b.example").rcode() == 0
        assert listener.counter("tls_evicted") >= 150 - 64
    finally:
        for one in stuck:
            one.close()
    eventually(lambda: listener.counter("tls_failed") >= 150, what="the end of all half handshakes")


@pytest.mark.parametrize("data", [b"\0" * 300, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\1" * 70000, b"\x15\x03\x01\x00\x02\x02\x28"],
                         ids=["zeros", "HTTP", "oversized", "alert"])
def test_garbage_ends_the_connection(listener, data):
    one = socket.create_connection(("127.0.0.1", listener.port))
    one.settimeout(10 * SLACK)
    try:
        one.sendall(data)
        while one.recv(65536):
            pass
    except ConnectionError:
        pass
    finally:
        one.close()
    with listener.client() as client:
        assert client.ask("a.example").rcode() == 0


def test_many_handshakes_at_once_do_not_hold_up_udp(listener):
    """Complete client hellos of 60 connections arrive together: queries over UDP are answered between the handshakes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    hello_in, hello_out = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(hello_in, hello_out, server_hostname="dns.lan").do_handshake()
    hello = hello_out.read()
    listener.daemon.ask("a.example")
    with listener.daemon.udp() as client:
        stuck = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(60)]
        for one in stuck:
            one.sendall(hello)
        assert client.ask("a.example").rcode() == 0
        for one in stuck:
            assert one.recv(5), "no server hello"
            one.close()


# Other programs as clients.

def test_kdig(listener, certs):
    done = subprocess.run(["kdig", "@127.0.0.1", "-p", str(listener.port), f"+tls-ca={certs.ca_file}", "+tls-hostname=dns.lan", "+padding",
                           "a.example"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "status: NOERROR" in done.stdout and f"Received {BLOCK} B" in done.stdout, done.stdout + done.stderr


def test_unbound_forwards_to_it(listener, certs, public_path):
    program, port = shutil.copy("/usr/sbin/unbound", public_path / "unbound"), free_port()
    config = public_path / "unbound.conf"
    config.write_text(f"""server:
  interface: 127.0.0.1@{port}
  chroot: ""
  username: ""
  directory: "{public_path}"
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  do-not-query-localhost: no
  tls-cert-bundle: "{certs.ca_file}"
forward-zone:
  name: "."
  forward-tls-upstream: yes
  forward-addr: 127.0.0.1@{listener.port}#dns.lan
""")
    unbound = Process([program, "-d", "-c", str(config)])
    try:
        unbound.wait_line("start of service")
        done = subprocess.run(["dig", "@127.0.0.1", "-p", str(port), "a.example", "+short"], capture_output=True, text=True, timeout=30)
        assert done.stdout.split(), done.stdout
    finally:
        unbound.end()


def resolves_through(port, name, want_rcode="NOERROR"):
    done = subprocess.run(["dig", "@127.0.0.1", "-p", str(port), name, "+tries=1", "+timeout=5"], capture_output=True, text=True, timeout=30)
    return f"status: {want_rcode}" in done.stdout and "ANSWER SECTION" in done.stdout


def test_dnsdist_sends_to_it(listener, certs, tmp_path):
    port, config = free_port("127.0.0.1"), tmp_path / "dnsdist.conf"
    config.write_text(f"""\
setLocal("127.0.0.1:{port}")
newServer({{address="127.0.0.1:{listener.port}", tls="openssl", subjectName="dns.lan", caStore="{certs.ca_file}", validateCertificates=true,
           checkName="a.example.", checkInterval=1}})
setSecurityPollSuffix("")
""")
    dnsdist = Process(["dnsdist", "-C", str(config), "--supervised", "--disable-syslog"], read="stdout")
    try:
        dnsdist.wait_line(r"(?i)(downstream|backend).*\bup\b")
        for number in range(20):
            assert resolves_through(port, f"n{number}.example")
        assert listener.counter("tls_failed") == 0
    finally:
        dnsdist.end()


def test_stubby_sends_to_it(listener, certs, tmp_path):
    port, config = free_port("127.0.0.1"), tmp_path / "stubby.yml"
    config.write_text(f"""\
resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list: [GETDNS_TRANSPORT_TLS]
tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
tls_query_padding_blocksize: 128
tls_ca_file: "{certs.ca_file}"
idle_timeout: 10000
listen_addresses: [127.0.0.1@{port}]
upstream_recursive_servers:
  - address_data: 127.0.0.1
    tls_port: {listener.port}
    tls_auth_name: "dns.lan"
""")
    stubby = Process(["stubby", "-C", str(config), "-l"])
    try:
        eventually(lambda: resolves_through(port, "a.example"), what="an answer through stubby")
        for number in range(5):
            assert resolves_through(port, f"n{number}.example")
        assert listener.counter("tls_handshakes") >= 1
    finally:
        stubby.end()


# Clients that misuse an open session, while UDP is served.

def rss(daemon):
    """Bytes of resident memory."""
    with open(f"/proc/{daemon.pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss_Anon:") or line.startswith("Pss:")) * 1024


def hello(name="dns.lan"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    hello_in, hello_out = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(hello_in, hello_out, server_hostname=name).do_handshake()
    return hello_out.read()


def half_close(port):
    """A client hello, and the end of the connection in the middle of the handshake."""
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(hello())
    one.shutdown(socket.SHUT_WR)
    return one


def slow_handshake(port):
    """One byte of a client hello; the others follow slowly."""
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(hello()[:1])
    return one


def garbage(port):
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(b"\x16\x03\x01\x40\x00" + bytes(range(256)) * 64)
    return one


def half_handshake(port):
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(hello())
    return one


@pytest.mark.parametrize("misuse", [half_close, slow_handshake, garbage, half_handshake], ids=lambda misuse: misuse.__name__)
def test_hits_over_udp_go_on(listener, misuse):
    """400 connections of a kind, while one client asks for a cached name over UDP: each query is answered at once."""
    listener.daemon.ask("a.example")
    kept, worst = [], 0
    with listener.daemon.udp() as client:
        for number in range(400):
            try:
                kept.append(misuse(listener.port))
            except ConnectionError:
                pass
            if number % 10 == 0:
                begun = time.monotonic()
                assert client.ask("a.example").rcode() == 0
                worst = max(worst, time.monotonic() - begun)
    with listener.client() as client:
        assert client.ask("b.example").rcode() == 0, "others are served"
    for one in kept:
        one.close()
    assert worst < 0.1 * SLACK, f"a hit took {worst * 1000:.0f} ms"


@pytest.mark.whole
def test_idle_clients_cost_little_and_lose_nothing(make_listener):
    """1,000 idle sessions, and queries of one more and over UDP: all are answered, and a session takes at most 24 KiB."""
    count = 1000
    listener = make_listener(limits={"tcp-clients": 2 * count, "tcp-idle": "60s"})
    listener.daemon.ask("a.example")
    first = [listener.client() for _ in range(50)]  # pools of the library
    before, idle = rss(listener.daemon), []
    for _ in range(count):
        idle.append(listener.client())
    eventually(lambda: listener.counter("tls_handshakes") == count + 50, what="all handshakes")
    each = (rss(listener.daemon) - before) / count
    with listener.client() as client, listener.daemon.udp() as udp:
        for number in range(200):
            assert client.ask(f"n{number}.example").rcode() == 0 and udp.ask("a.example").rcode() == 0
    for one in (idle[0], idle[-1], idle[count // 2]):
        assert one.ask("a.example").rcode() == 0
    for one in first + idle:
        one.close()
    print(f"{each:.0f} bytes for each idle session")
    assert each <= 24 * 1024 * (1 if SLACK == 1 else 100), f"{each:.0f} bytes for each session"
