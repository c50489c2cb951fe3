# SPDX-License-Identifier: MIT
"""Other programs as clients of listen-tls."""
import shutil
import subprocess

import pytest

import resolved
import wire
import zone
from clients import Silence, UdpClient
from processes import Process, eventually, free_port
from listening import BLOCK, Listener


def resolves_through(port, name, want_rcode="NOERROR"):
    done = subprocess.run(["dig", "@127.0.0.1", "-p", str(port), name, "+tries=1", "+timeout=5"], capture_output=True, text=True, timeout=30)
    return f"status: {want_rcode}" in done.stdout and "ANSWER SECTION" in done.stdout


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


# systemd-resolved with DNSOverTLS=yes, which never falls back to plain DNS.

@pytest.fixture
def make_resolved(make_namespace, make_server, make_daemon, certs, public_path, cleanup):
    """make_resolved(name): the listener, and a function that sends a query to the stub; systemd-resolved requires a certificate for this name."""
    def make(name):
        resolved.needed()
        namespace = resolved.network(make_namespace())
        listener = Listener(make_daemon, make_server(namespace=namespace), certs, public_path, namespace=namespace, addresses=("127.0.0.1",))
        process = resolved.Resolved(namespace, f"127.0.0.1:{listener.port}#{name}", tls="yes", ca=certs.ca_file)
        cleanup.callback(process.end)

        def ask(name, rdtype="A", **options):
            with UdpClient("127.0.0.53", 53, make=namespace.socket) as client:
                return client.ask(name, rdtype, **options)
        return listener, ask
    return make


def test_resolved_sends_to_it(make_resolved):
    listener, ask = make_resolved("dns.lan")
    for number in range(20):
        assert wire.addresses(ask(f"n{number}.example")) == [zone.address(f"n{number}.example")]
    assert len(ask("many100.example").answer[0]) > 10, "more than a datagram to the stub holds, in one response over TLS"
    assert listener.counter("tls_handshakes") <= 2 and listener.counter("tls_failed") == 0


def test_resolved_refuses_another_name(make_resolved):
    """It tries again for a long time, and its client waits."""
    listener, ask = make_resolved("other.lan")
    with pytest.raises(Silence):
        ask("a.example", timeout=0.5)
    eventually(lambda: listener.counter("tls_failed") >= 2, what="handshakes that systemd-resolved ends")
    assert listener.counter("queries_received") == 0, "a query over an unverified session, or in clear"
    assert listener.daemon.ask("b.example").rcode() == 0
