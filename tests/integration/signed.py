# SPDX-License-Identifier: MIT
"""A signed tree of names on loopback, below a root of its own, and validators of its clients.

    tree = Tree()
    upstream = Resolver(directory, certs, tree)     an unbound that serves the tree over TLS, validated
    Forwarder(directory, tree, port)                an unbound that forwards to a port, and validates
"""
import shutil

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from processes import free_port
from realservers import Server

# The root and arpa as they are: special top-level names do not exist; home.arpa and private reverse zones are delegated without a DS.
ZONES = {
    ".": """
@ 300 IN SOA ns.example. host.example. 1 7200 3600 604800 300
@ 300 IN NS ns.example.
arpa. 300 IN NS ns.example.
example. 300 IN NS ns.example.
unsigned. 300 IN NS ns.example.
ns.example. 300 IN A 127.0.0.1
""",
    "arpa.": """
@ 300 IN SOA ns.example. host.example. 1 7200 3600 604800 300
@ 300 IN NS ns.example.
home.arpa. 300 IN NS ns.example.
10.in-addr.arpa. 300 IN NS ns.example.
d.f.ip6.arpa. 300 IN NS ns.example.
""",
    "example.": """
@ 300 IN SOA ns.example. host.example. 1 7200 3600 604800 300
@ 300 IN NS ns.example.
ns.example. 300 IN A 127.0.0.1
www.example. 300 IN A 192.0.2.80
alias.example. 300 IN CNAME www.example.
""",
    "unsigned.": """
@ 300 IN SOA ns.example. host.example. 1 7200 3600 604800 300
@ 300 IN NS ns.example.
www.unsigned. 300 IN A 192.0.2.81
""",
}
SIGNED = ("example.", "arpa.", ".")  # children first


def sign(origin, text, children):
    """A zone with its DNSKEY, DS of its children, NSEC and signatures; and the DS for its parent."""
    origin = dns.name.from_text(origin)
    zone = dns.zone.from_text(text, origin, relativize=False)
    private = ec.generate_private_key(ec.SECP256R1())
    key = dns.dnssec.make_dnskey(private.public_key(), "ECDSAP256SHA256", flags=257)
    zone.find_rdataset(origin, "DNSKEY", create=True).add(key, 300)
    for child, ds in children.items():
        if child.is_subdomain(origin) and child in zone:
            zone.find_rdataset(child, "DS", create=True).add(ds, 300)

    cuts = [name for name in zone.nodes if name != origin and zone.get_rdataset(name, "NS")]
    names = sorted(name for name in zone.nodes if not any(name != cut and name.is_subdomain(cut) for cut in cuts))
    for name, following in zip(names, names[1:] + names[:1]):
        types = {rdataset.rdtype for rdataset in zone.nodes[name]}
        types = types & {dns.rdatatype.NS, dns.rdatatype.DS} if name in cuts else types
        words = " ".join(map(dns.rdatatype.to_text, sorted(types | {dns.rdatatype.NSEC, dns.rdatatype.RRSIG})))
        zone.find_rdataset(name, "NSEC", create=True).add(dns.rdata.from_text("IN", "NSEC", f"{following} {words}"), 300)
        for rdataset in list(zone.nodes[name]):
            if name not in cuts or rdataset.rdtype in (dns.rdatatype.DS, dns.rdatatype.NSEC):
                signature = dns.dnssec.sign((name, rdataset), private, origin, key, lifetime=86400)
                zone.find_rdataset(name, "RRSIG", rdataset.rdtype, create=True).add(signature, 300)
    return zone.to_text(relativize=False), key, dns.dnssec.make_ds(origin, key, "SHA256")


class Tree:
    def __init__(self):
        self.zones, children = dict(ZONES), {}
        for origin in SIGNED:
            self.zones[origin], self.key, ds = sign(origin, ZONES[origin], children)
            children[dns.name.from_text(origin)] = ds
        self.ds = ds  # of the root

    def anchor(self):
        return f". IN DS {self.ds.to_text()}"

    def delv_anchor(self):
        words = self.key.to_text().split()
        return f'trust-anchors {{ . static-key {" ".join(words[:3])} "{"".join(words[3:])}"; }};\n'


COMMON = """\
server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    verbosity: 1
    val-log-level: 2
    do-daemonize: no
    interface: 127.0.0.1@{port}
    access-control: 127.0.0.0/8 allow
    module-config: "validator iterator"
    trust-anchor: "{anchor}"
    do-not-query-localhost: no
    unblock-lan-zones: yes
    local-zone: "test." nodefault
    local-zone: "invalid." nodefault
    local-zone: "onion." nodefault
    local-zone: "home.arpa." nodefault
"""
NO_CONTROL = """\
remote-control:
    control-enable: no
"""


class UnboundProcess(Server):
    kind = "unbound"

    def start(self, directory, text, prefix=()):
        config = directory / "unbound.conf"
        config.write_text(text)
        # A copy, since Debian's AppArmor profile restricts the original to /etc/unbound.
        program = shutil.copy("/usr/sbin/unbound", directory / "unbound")
        super().__init__([*prefix, program, "-d", "-p", "-c", str(config)])
        self.wait_line("start of service")


class Resolver(UnboundProcess):
    """Serves the tree over TLS, like a public resolver that validates."""

    def __init__(self, directory, certs, tree, namespace=None):
        directory.mkdir()
        self.port, self.ca_file = free_port("127.0.0.1"), certs.ca_file
        text = COMMON.format(directory=directory, port=self.port, anchor=tree.anchor())
        text += (f'    tls-port: {self.port}\n    tls-service-key: "{certs.good.key_file}"\n'
                 f'    tls-service-pem: "{certs.good.chain_file}"\n')
        for number, (origin, zone) in enumerate(tree.zones.items()):
            (directory / f"zone{number}").write_text(zone if origin in SIGNED else f"$ORIGIN {origin}\n{zone}")
            text += (f'auth-zone:\n    name: "{origin}"\n    zonefile: "{directory}/zone{number}"\n'
                     "    for-downstream: no\n    for-upstream: yes\n    fallback-enabled: no\n")
        self.start(directory, text + NO_CONTROL, namespace.prefix if namespace else ())


class Forwarder(UnboundProcess):
    """Sends all queries to a port of 127.0.0.1, and validates the responses."""

    def __init__(self, directory, tree, port):
        directory.mkdir()
        self.port = free_port("127.0.0.1")
        text = COMMON.format(directory=directory, port=self.port, anchor=tree.anchor())
        self.start(directory, text + f'forward-zone:\n    name: "."\n    forward-addr: 127.0.0.1@{port}\n' + NO_CONTROL)
