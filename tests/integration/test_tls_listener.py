# SPDX-License-Identifier: MIT
"""DNS over TLS for clients (listen-tls): protocol, certificates and tickets. test_tls_clients.py has other programs as clients, test_abuse.py
clients that misuse it."""
import ssl

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

import wire
from clients import TcpClient
from listening import BLOCK, KEEPALIVE, PADDING, Listener


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
        with pytest.raises(ssl.SSLError, match="no application protocol|unknown error"):
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
