# SPDX-License-Identifier: MIT
"""A tree of zones of all kinds, signed by BIND's tools, below a root of its own.

    tree = make(directory)      keys, zone files and the root's DS: tree.anchor(), tree.anchor_file, tree.zones (origin -> file)
    verdicts()                  (name, type, verdict) of names of the tree
    Named(directory, certs, tree)   BIND's named, which serves it over TLS and, for other programs, over UDP and TCP
"""
import concurrent.futures
import dataclasses
import pathlib
import re
import shutil
import socket
import struct
import subprocess

from processes import free_port
from realservers import Server

HEAD = "$TTL 300\n@ IN SOA ns.example. host.example. 1 7200 3600 604800 300\n@ IN NS ns.example.\n"
DATA = """\
www IN A 192.0.2.80
www IN AAAA 2001:db8::80
@ IN MX 10 mAiL
mail IN A 192.0.2.25
_25._tcp.mail IN TLSA 3 1 1 {tlsa}
*.wild IN A 192.0.2.81
*.wild IN TXT "from a wildcard"
a.b.ent IN A 192.0.2.82
alias IN CNAME www
outside IN CNAME www.unsigned.example.
across IN CNAME across.nsec3.example.
srv IN SRV 1 2 3 WWW
many IN TXT "one" "two"
many IN TXT "three"
zero 0 IN A 192.0.2.83
""".format(tlsa="ab" * 32)
NSEC3 = ["-3", "abcd", "-H", "0"]
ROLLING_TTL = 1
PAST = ["-s", "20240101000000", "-e", "20240201000000"]
FUTURE = ["-s", "20450101000000", "-e", "20450201000000"]


@dataclasses.dataclass
class Zone:
    origin: str
    text: str = ""
    algorithm: str = "ECDSAP256SHA256"
    sign: bool = True
    options: tuple = ()
    digest: str = "-2"
    ds: str = "own"  # own, none, wrong, unknown
    spoil: object = None  # changes the text of the signed zone
    more: tuple = ()  # further algorithms
    rolls: str = ""  # the algorithm of a key that replaces the first one during a test; the TTLs are short


def without_signature(text):
    """The zone without the signatures of www's A."""
    return re.sub(r"^(www\.\S+\s+300\s+IN A\s+\S+\n)\s+300\s+RRSIG\s+A [^)]*\)\n", r"\1", text, flags=re.M)


def other_address(text):
    return text.replace("192.0.2.80", "192.0.2.66")


def other_wildcard(text):
    return text.replace("192.0.2.81", "192.0.2.66")


ALGORITHMS = {"alg5": "RSASHA1", "alg7": "NSEC3RSASHA1", "alg8": "RSASHA256", "alg10": "RSASHA512", "alg13": "ECDSAP256SHA256",
              "alg14": "ECDSAP384SHA384", "alg15": "ED25519", "alg16": "ED448"}
CHILDREN = [
    *[Zone(f"{name}.example.", DATA, algorithm=algorithm) for name, algorithm in ALGORITHMS.items()],
    Zone("nsec3.example.", DATA.replace("across.nsec3", "www.alg8"), options=NSEC3),
    Zone("optout.example.", DATA + "insecure IN NS ns.example.\n", options=[*NSEC3, "-A"]),
    Zone("insecure.optout.example.", DATA, sign=False),
    Zone("iterations.example.", DATA, options=["-n", "-s", "abcd", "-t", "100"]),
    Zone("expired.example.", DATA, options=PAST),
    Zone("future.example.", DATA, options=FUTURE),
    Zone("wrongds.example.", DATA, ds="wrong"),
    Zone("unknownds.example.", DATA, ds="unknown"),
    Zone("nosig.example.", DATA, spoil=without_signature),
    Zone("forged.example.", DATA, spoil=other_address),
    Zone("badwild.example.", DATA, spoil=other_wildcard),
    Zone("sha1.example.", DATA, digest="-1"),
    Zone("sha384.example.", DATA, digest="-a SHA-384"),
    Zone("two.example.", DATA, more=("RSASHA256",)),
    Zone("unsigned.example.", DATA, sign=False),
    Zone("island.unsigned.example.", DATA, ds="none"),
    Zone("dname.example.", "@ IN DNAME alg13.example.\n"),
    Zone("rollkey.example.", "www IN A 192.0.2.80\n", rolls="ECDSAP256SHA256"),
    Zone("rollalg.example.", "www IN A 192.0.2.80\n", algorithm="RSASHA256", rolls="ECDSAP256SHA256"),
    Zone("deep.alg13.example.", DATA),
    Zone("very.deep.alg13.example.", DATA),
]
BOGUS = {"expired", "future", "wrongds"}
INSECURE = {"iterations", "unknownds"}  # NSEC3 with many iterations: denials only
DENIED = {("www", "TXT"), ("x.wild", "A"), ("x.y.wild", "TXT"), ("x.wild", "MX"), ("b.ent", "A"), ("gone", "A"), ("a.gone", "DS"),
          ("www", "DS")}


class Tree:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.zones, self.ds = {}, {}
        self.rolling, self.serial = {}, 1  # origin -> zone, text, names of the keys

    def anchor(self):
        return self.anchor_file.read_text().strip()

    def run(self, *command):
        return subprocess.run(list(map(str, command)), cwd=self.directory, check=True, capture_output=True, text=True).stdout

    def sign_with(self, zone, text, keys):
        label = zone.origin.strip(".") or "root"
        unsigned = self.directory / f"{label}.unsigned"
        unsigned.write_text(text + "".join((self.directory / f"{key}.key").read_text() for key in keys))
        if "-t" in zone.options:  # from 9.20 on BIND's program refuses many iterations
            self.run("ldns-signzone", "-o", zone.origin, "-f", f"{label}.zone", *zone.options, unsigned.name, *keys)
        else:
            self.run("dnssec-signzone", "-q", "-z", "-P", "-o", zone.origin, "-f", f"{label}.zone", *zone.options, unsigned.name, *keys)

    def roll(self, origin, keys):
        """Signs the zone again, with these of its keys; its parent has the DS of all."""
        zone, text, _ = self.rolling[origin]
        self.serial += 1
        self.sign_with(zone, text.replace(" 1 7200 ", f" {self.serial} 7200 "), keys)
        self.zones[origin].chmod(0o644)

    def sign(self, zone):
        label = zone.origin.strip(".") or "root"
        path = self.directory / f"{label}.zone"
        children = "".join(f"{other.origin} IN NS ns.example.\n" + "".join(self.ds.get(other.origin, []))
                           for other in CHILDREN if other.origin.split(".", 1)[1] == zone.origin)
        text = HEAD + zone.text + children
        self.zones[zone.origin] = path
        if not zone.sign:
            path.write_text(f"$ORIGIN {zone.origin}\n{text}")
            return
        keys = [self.run("dnssec-keygen", "-q", "-f", "KSK", "-a", algorithm,
                         *(["-b", "1024"] if "RSA" in algorithm else []), zone.origin).strip()
                for algorithm in (zone.algorithm, *zone.more, *([zone.rolls] if zone.rolls else []))]
        if zone.rolls:
            self.rolling[zone.origin] = (zone, text.replace("$TTL 300", f"$TTL {ROLLING_TTL}"), keys)
            self.roll(zone.origin, keys[:1])
        else:
            self.sign_with(zone, text, keys)
        signed = path.read_text()
        if zone.spoil:
            path.write_text(zone.spoil(signed))
            assert path.read_text() != signed, zone.origin
        ds = [self.run("dnssec-dsfromkey", *zone.digest.split(), f"{key}.key") for key in keys]
        if zone.ds == "wrong":
            ds = [re.sub(r"[0-9A-F]{8}$", "00000000", line.strip()) + "\n" for line in ds]
        if zone.ds == "unknown":
            ds = [re.sub(r"DS (\d+) \d+ ", r"DS \1 200 ", line) for line in ds]
        if zone.ds != "none":
            self.ds[zone.origin] = ds
        self.own = {**getattr(self, "own", {}), zone.origin: ds}


def make(directory, mail_key=b""):
    """`mail_key`: the SHA-256 digest of the public key of the mail server of dane.example, on loopback."""
    tree = Tree(directory)
    tree.sign(Zone("dane.example.", f"@ IN MX 10 mail\nmail IN A 127.0.0.1\n_25._tcp.mail IN TLSA 3 1 1 {mail_key.hex() or '00' * 32}\n"))
    by_depth = sorted(CHILDREN, key=lambda zone: -zone.origin.count("."))
    for depth in sorted({zone.origin.count(".") for zone in CHILDREN}, reverse=True):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(tree.sign, [zone for zone in by_depth if zone.origin.count(".") == depth]))
    dane = "dane IN NS ns.example.\n" + "".join(tree.ds["dane.example."])
    tree.sign(Zone("example.", dane + "ns IN A 127.0.0.1\nwww IN A 192.0.2.1\nalias IN CNAME www\nchain IN CNAME alias.dname\n"))
    root_text = "example. IN NS ns.example.\n" + "".join(tree.ds["example."])
    tree.sign(Zone(".", root_text))
    tree.anchor_file = tree.directory / "anchor"
    tree.anchor_file.write_text("".join(tree.own["."]))
    for path in [tree.directory, *tree.directory.iterdir()]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tree


def verdicts():
    """(name, type, verdict) of names of the tree."""
    out = [("www.example", "A", "secure"), ("chain.example", "A", "secure"), ("gone.example", "A", "secure"),
           ("www.example", "TXT", "secure"), ("www.dname.example", "A", "secure"), ("x.www.dname.example", "A", "secure")]
    for zone in CHILDREN:
        label = zone.origin.split(".")[0]
        origin = zone.origin.strip(".")
        verdict = "bogus" if label in BOGUS else "insecure" if label in INSECURE or zone.ds == "none" or not zone.sign else "secure"
        if label == "dname" or zone.rolls:
            continue
        for name, rdtype in (("www", "A"), ("www", "AAAA"), ("www", "TXT"), ("x.wild", "A"), ("x.y.wild", "TXT"), ("x.wild", "MX"),
                             ("b.ent", "A"), ("a.b.ent", "A"), ("alias", "A"), ("srv", "SRV"), ("many", "TXT"),
                             ("_25._tcp.mail", "TLSA"), ("gone", "A"), ("a.gone", "DS"), ("www", "DS")):
            one = verdict
            if label in ("nosig", "forged") and name in ("www", "alias") and rdtype == "A":
                one = "bogus"
            if label == "badwild" and name == "x.wild" and rdtype == "A":
                one = "bogus"
            if label == "optout" and name in ("gone", "a.gone", "x.wild", "x.y.wild"):
                one = "insecure"
            if label == "iterations" and (name, rdtype) not in DENIED:
                one = "secure"
            out.append((f"{name}.{origin}", rdtype, one))
        for rdtype in ("MX", "SOA", "NS", "DNSKEY", "A"):
            out.append((origin, rdtype, "secure" if label == "iterations" and rdtype != "A" else verdict))
        out.append((f"outside.{origin}", "A", "bogus" if verdict == "bogus" else "insecure"))
        if label in ALGORITHMS:
            out.append((f"across.{origin}", "A", "secure"))
    return out


PREFIXES = ("*.wild", "wild", "ent", "mail", "_tcp.mail", "x.www", "0", "zzz", "q.r.s.t", "_25._tcp.gone", "alias.alias", "x.alias")
TYPES = ("A", "AAAA", "TXT", "MX", "DS", "DNSKEY", "NS", "SOA", "CNAME", "SRV", "CAA", "TLSA")


def pairs():
    """More than 8,000 pairs of names and types of the tree."""
    names = {name for name, _, _ in verdicts()}
    names |= {f"{prefix}.{zone.origin.strip('.')}" for zone in CHILDREN for prefix in PREFIXES}
    return [(name, rdtype) for name in sorted(names) for rdtype in TYPES]


class Named(Server):
    kind = "named"

    def __init__(self, directory, certs, tree, namespace=None):
        directory.mkdir()
        self.port, self.plain_port = free_port("127.0.0.1"), free_port("127.0.0.1")
        zones = "".join(f'zone "{origin}" {{ type primary; file "{path}"; check-names ignore; }};\n' for origin, path in tree.zones.items())
        config = directory / "named.conf"
        config.write_text(f"""\
tls local {{ cert-file "{certs.good.chain_file}"; key-file "{certs.good.key_file}"; }};
controls {{}};
options {{
    directory "{directory}"; pid-file none; session-keyfile none; listen-on-v6 {{ none; }};
    listen-on port {self.plain_port} {{ 127.0.0.1; }}; listen-on port {self.port} tls local {{ 127.0.0.1; }};
    recursion yes; allow-query {{ any; }}; allow-recursion {{ any; }}; dnssec-validation no; empty-zones-enable no;
}};
{zones}""")
        # A copy, since Debian's AppArmor profile restricts the original to its directories.
        super().__init__([*(namespace.prefix if namespace else []), shutil.copy("/usr/sbin/named", directory / "named"), "-g", "-u", "root", "-c", str(config)])
        self.wait_line("all zones loaded")

    def plain(self, data):
        """The response to a query in wire form."""
        with socket.create_connection(("127.0.0.1", self.plain_port), timeout=10) as stream:
            stream.sendall(struct.pack("!H", len(data)) + data)
            received = b""
            while len(received) < 2 or len(received) < 2 + struct.unpack_from("!H", received)[0]:
                received += stream.recv(65536)
            return received[2:]
