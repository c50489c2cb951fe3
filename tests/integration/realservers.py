# SPDX-License-Identifier: MIT
"""Two real DNS-over-TLS servers on loopback: Debian's unbound, and dnsdist in front of another unbound."""
import shutil
import socket
import ssl

import wire
from processes import Process, free_port

# The zones of both servers: real.example, and the reverse zone of 8.8.8.0/24.
ZONE = """\
$ORIGIN real.example.
$TTL 300
@ IN SOA ns host 1 7200 3600 604800 120
@ IN NS ns
@ IN MX 10 mail
@ IN CAA 0 issue "ca.example"
ns IN A 192.0.2.53
a IN A 198.51.100.7
a IN AAAA 2001:db8::7
a IN TXT "some text" "and more"
a IN HTTPS 1 . alpn=h2,h3 ipv4hint=198.51.100.7
a IN RRSIG A 13 3 300 20401231000000 20200101000000 1 real.example. c2lnbmF0dXJlIG9mIG5vIHdvcnRoLCBidXQgb2YgdGhlIHJpZ2h0IGxlbmd0aCBmb3IgRUNEU0EgYW5kIFA=
alias IN CNAME middle
middle IN CNAME a
*.wild IN A 198.51.100.9
mail IN A 198.51.100.10
_dns._udp IN SRV 1 2 53 ns
naptr IN NAPTR 10 20 "u" "E2U+sip" "!^.*$!sip:a@real.example!" .
large IN TXT {large}
short 5 IN A 198.51.100.8
""".format(large=" ".join(f'"{number:04d}{"y" * 240}"' for number in range(12)))
REVERSE = """\
$ORIGIN 8.8.8.in-addr.arpa.
$TTL 300
@ IN SOA ns.real.example. host.real.example. 1 7200 3600 604800 120
@ IN NS ns.real.example.
7 IN PTR a.real.example.
"""
UNBOUND = """\
server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    verbosity: 1
    do-daemonize: no
    interface: 127.0.0.1@{port}
    {tls}
    access-control: 127.0.0.0/8 allow
    module-config: "iterator"
    do-not-query-localhost: no
    minimal-responses: no
    incoming-num-tcp: 100
    local-zone: "8.in-addr.arpa." nodefault
auth-zone:
    name: "real.example."
    zonefile: "{directory}/zone"
    for-upstream: no
    fallback-enabled: no
auth-zone:
    name: "8.8.8.in-addr.arpa."
    zonefile: "{directory}/reverse"
    for-upstream: no
    fallback-enabled: no
remote-control:
    control-enable: no
"""


class Server(Process):
    """A server that is ready for queries over TLS when its constructor returns."""

    def upstream(self, **settings):
        return {"name": self.kind, "tls-name": "dns.google", "addresses": ["127.0.0.1"], "port": self.port, **settings}

    def ask(self, name, rdtype, **parts):
        """Sends a query to the server itself; returns the response."""
        trust = ssl.create_default_context(cafile=self.ca_file)
        with trust.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 5),
                               server_hostname="dns.google") as stream:
            stream.sendall(wire.frame(wire.query(name, rdtype, **parts)))
            buffer = bytearray()
            while not (found := wire.frames(buffer)):
                data = stream.recv(65536)
                assert data, f"{self.kind} closed"
                buffer += data
        return wire.parse(found[0])


class Unbound(Server):
    kind = "unbound"

    def __init__(self, directory, certs, *, tls=True, certificate=None):
        directory.mkdir()
        self.port, self.ca_file = free_port("127.0.0.1"), certs.ca_file
        certificate = certificate or certs.good
        (directory / "zone").write_text(ZONE)
        (directory / "reverse").write_text(REVERSE)
        lines = (f'tls-port: {self.port}\n    tls-service-key: "{certificate.key_file}"\n'
                 f'    tls-service-pem: "{certificate.chain_file}"') if tls else ""
        config = directory / "unbound.conf"
        config.write_text(UNBOUND.format(directory=directory, port=self.port, tls=lines))
        # A copy, since Debian's AppArmor profile restricts the original to /etc/unbound.
        program = shutil.copy("/usr/sbin/unbound", directory / "unbound")
        super().__init__([program, "-d", "-p", "-c", str(config)])
        self.wait_line("start of service")


class Dnsdist(Server):
    kind = "dnsdist"

    def __init__(self, directory, certs):
        directory.mkdir()
        self.backend = Unbound(directory / "backend", certs, tls=False)
        self.port, self.ca_file = free_port("127.0.0.1"), certs.ca_file
        plain = free_port("127.0.0.1")
        config = directory / "dnsdist.conf"
        config.write_text(f"""\
setLocal("127.0.0.1:{plain}")
addTLSLocal("127.0.0.1:{self.port}", "{certs.good.chain_file}", "{certs.good.key_file}", {{}})
newServer({{address="127.0.0.1:{self.backend.port}", checkName="a.real.example.", checkInterval=1}})
setACL({{"127.0.0.0/8"}})
setSecurityPollSuffix("")
""")
        super().__init__(["dnsdist", "-C", str(config), "--supervised", "--disable-syslog"], read="stdout")
        self.wait_line(r"(?i)(downstream|backend).*\bup\b")  # worded differently by each version

    def end(self, timeout=10):
        super().end(timeout)
        return self.backend.end(timeout)
