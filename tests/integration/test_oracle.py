# SPDX-License-Identifier: MIT
"""Random runs against rules: the server puts a number into each of its responses and remembers it, while clients ask, the cache is
flushed, and validation is switched off and on. By the number in its response a client knows which query of the daemon it comes from,
and checks flushes, TTLs, expiry, flags, letter case, and that no bogus data is sent.

SEED=N in the environment repeats the choices of a run, but not the order in which its threads take turns."""
import concurrent.futures
import dataclasses
import math
import os
import random
import threading
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import wire
from daemon import SLACK
from test_control import post
from test_reload import make_reloadable  # noqa: F401

pytestmark = pytest.mark.threads

NXDOMAIN = 3
NAMES = [*(f"n{number}.example." for number in range(10)), *(f"a.n{number}.example." for number in range(4)),
         "s1.sub.example.", "s2.sub.example.", "u1.unsigned.example.", "u2.unsigned.example."]
DATA = {"A": lambda number: f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "TXT": str}
KINDS = {"data": 8, "nodata": 2, "nxdomain": 2, "alias": 2, "alias to unsigned": 2}
KEY_TTL = 2  # so that keys and DS are looked up often
CLIENTS = 6


def below(name, suffix):
    return dns.name.from_text(name).is_subdomain(dns.name.from_text(suffix))


class Zone:
    """A zone signed by one key. A signature is valid for `life` seconds, for records whose TTL was `original`; or `broken`."""

    def __init__(self, origin):
        self.origin, self.private = dns.name.from_text(origin), ec.generate_private_key(ec.SECP256R1())
        self.key = dns.dnssec.make_dnskey(self.private.public_key(), "ECDSAP256SHA256", flags=257)
        self.ds = dns.dnssec.make_ds(self.origin, self.key, "SHA256")

    def signed(self, name, type, text, ttl, original=None, life=86400, broken=False):
        """The RRset of one record and that of its signature."""
        rrset = dns.rrset.from_text(name, ttl if original is None else original, "IN", type, text)
        now = int(time.time())
        signature = dns.dnssec.sign(rrset, self.private, self.origin, self.key, inception=now - 3600, expiration=now + life)
        if broken:
            signature = signature.replace(signature=bytes([signature.signature[0] ^ 1]) + signature.signature[1:])
        rrset.update_ttl(ttl)
        return [rrset, dns.rrset.from_rdata(rrset.name, ttl, signature)]


@dataclasses.dataclass
class Sent:
    """A response of the server; its number is the index in World.sent."""
    kind: str
    names: tuple  # of the query and of the target of its alias
    received: float  # the query
    ttl: int
    validated_ttl: int
    secure: bool
    broken: bool
    time: float = dataclasses.field(default_factory=time.monotonic)


class World:
    """The twist of the server."""

    def __init__(self, choice):
        self.choice, self.sent, self.failed = choice, [], set()
        self.zone, self.sub = Zone("example."), Zone("sub.example.")
        self.failures = choice.random() < 0.5

    def twist(self, query, truth):
        name, type = query.name.lower() + ".", dns.rdatatype.to_text(query.type)
        response = dns.message.make_response(dns.message.from_wire(query.data), recursion_available=True)
        response.flags |= dns.flags.AD
        if type in ("DNSKEY", "DS"):
            self.infrastructure(response, query, name, type)
        elif self.failures and self.choice.random() < 0.1:
            self.failed.add((name, type))
            response.set_rcode(2)
        else:
            self.data(response, query, name, type)
        if not (query.question.edns and query.question.edns["do"]):
            for section in (response.answer, response.authority):
                section[:] = [rrset for rrset in section if rrset.rdtype not in (dns.rdatatype.RRSIG, dns.rdatatype.NSEC)]
        return [response.to_wire(max_size=65535)]

    def zone_of(self, name):
        return self.sub if below(name, "sub.example.") else self.zone

    def infrastructure(self, response, query, name, type):
        """Keys, DS, and proofs that there is no DS, which are always right."""
        parent = self.zone if name == "sub.example." else self.zone_of(name)
        if type == "DNSKEY" and name in ("example.", "sub.example."):
            zone = self.zone_of(name)
            response.answer = zone.signed(name, "DNSKEY", zone.key.to_text(), KEY_TTL)
        elif type == "DS" and name == "sub.example.":
            response.answer = self.zone.signed(name, "DS", self.sub.ds.to_text(), KEY_TTL)
        elif name == "unsigned.example." or not below(name, "unsigned.example."):
            rest = "unsigned0.example. NS" if name == "unsigned.example." else f"\\000.{name} A TXT"
            response.authority = [*parent.signed(name, "NSEC", f"{rest} RRSIG NSEC", KEY_TTL), *self.soa(parent, KEY_TTL)]
            self.sent.append(Sent("nodata", (name, name), query.time, KEY_TTL, KEY_TTL, True, False))

    def data(self, response, query, name, type):
        number, choice, zone = len(self.sent), self.choice, self.zone_of(name)
        ttl, life = choice.choice([0, 1, 2, 3, 5, 300]), choice.choice([86400, 61])
        original = choice.choice([ttl, ttl + 10, 1, 2])
        unsigned = below(name, "unsigned.example.")
        broken = not unsigned and self.failures and choice.random() < 0.1
        how = {"ttl": ttl, "original": original, "life": life, "broken": broken}
        kind = "data" if unsigned else choice.choices([*KINDS], [*KINDS.values()])[0]
        target = f"v{number}.{'unsigned' if kind == 'alias to unsigned' else 'sub'}.example." if kind.startswith("alias") else name
        if kind == "data" and unsigned or kind == "alias to unsigned":
            response.answer = [dns.rrset.from_text(target, ttl, "IN", type, DATA[type](number))]
        elif kind in ("data", "alias"):
            response.answer = self.zone_of(target).signed(target, type, DATA[type](number), **how)
        if target != name:
            response.answer = zone.signed(name, "CNAME", target, **how) + response.answer
        if kind in ("nodata", "nxdomain"):
            response.authority = [*self.denial(zone, kind, name, how), *self.soa(zone, **how)]
            response.set_rcode(NXDOMAIN if kind == "nxdomain" else 0)
        if broken:
            self.failed.add((name, type))
        secure = not any(below(one, "unsigned.example.") for one in (name, target))
        self.sent.append(Sent(kind, (name, target), query.time, ttl, min(ttl, original, life) if secure else ttl, secure, broken))

    def soa(self, zone, ttl, **how):
        return zone.signed(zone.origin, "SOA", f"ns.example. host.example. {len(self.sent)} 1 1 1 {ttl}", ttl, **how)

    @staticmethod
    def denial(zone, kind, name, how):
        if kind == "nodata":
            return zone.signed(name, "NSEC", f"\\000.{name} MX RRSIG NSEC", **how)
        label, parent = name.split(".", 1)
        return [*zone.signed(f"{label[:-1]}!.{parent}", "NSEC", f"{label}zz.{parent} A RRSIG NSEC", **how),
                *zone.signed(zone.origin, "NSEC", f"+.{zone.origin} NS SOA RRSIG NSEC DNSKEY", **how)]


def number_in(response):
    """The number of a response, and the TTL of the RRset that has it; None if there is none."""
    for rrset in response.answer + response.authority:
        read = {"A": lambda data: int.from_bytes(data.to_wire()[1:], "big"), "TXT": lambda data: int(data.strings[0]),
                "SOA": lambda data: data.serial, "CNAME": lambda data: int(data.target.labels[0][1:])}.get(
                    dns.rdatatype.to_text(rrset.rdtype))
        if read:
            return read(rrset[0]), rrset.ttl
    return None


@dataclasses.dataclass
class Query:
    name: str
    type: str
    edns: bool
    do: bool
    cd: bool
    ad: bool
    time: float = 0
    answered: float = 0


class Oracle:
    """Asks, changes and compares until `end`."""

    def __init__(self, daemon, world, mode, seconds):
        self.daemon, self.world, self.mode, self.end = daemon, world, mode, time.monotonic() + seconds
        self.stale = daemon.config["cache"]["serve-stale"] != "0s"
        self.flushes = []  # (begin, end, names, suffix): of one of these names, or of names below the suffix
        self.changes = []  # [begin, end, validates]
        self.progress, self.responses = threading.Condition(), 0

    # Clients.

    def client(self, choice):
        while time.monotonic() < self.end:
            do, cd, ad = choice.random() < 0.4, choice.random() < 0.15, choice.random() < 0.3
            query = Query(choice.choice(NAMES), choice.choice(["A", "A", "TXT"]), do or choice.random() < 0.5, do, cd, ad)
            written = "".join(one.upper() if choice.random() < 0.3 else one for one in query.name)
            message = wire.query(written, query.type, edns=query.edns, do=do, flags=wire.RD | wire.CD * cd | wire.AD * ad)
            with (self.daemon.tcp if choice.random() < 0.3 else self.daemon.udp)() as connection:
                query.time = time.monotonic()
                connection.send(message)
                response = wire.parse(connection.receive())
                query.answered = time.monotonic()
            with self.progress:
                self.responses += 1
                self.progress.notify_all()
            assert response.question[0].name.to_text() == written
            self.check(query, response)

    # Rules.

    def check(self, query, response):
        seen = f"{query}\n{response}"
        authentic = bool(response.flags & wire.AD)
        assert (response.edns >= 0) == query.edns and bool(response.flags & wire.CD) == query.cd, seen
        assert not authentic or query.ad or query.do, seen
        assert query.do or not any(rrset.rdtype in (dns.rdatatype.RRSIG, dns.rdatatype.NSEC)
                                   for rrset in response.answer + response.authority), seen
        if response.rcode() == 2:
            assert (query.name, query.type) in self.world.failed, seen
            return
        found = number_in(response)
        assert found, seen
        sent, ttl = self.world.sent[found[0]], found[1]
        seen += f"\n{sent}"
        assert bool(response.answer) == (sent.kind not in ("nodata", "nxdomain")), seen
        if response.answer or self.mode not in ("validate", "changes"):  # other cached proofs may come with this SOA
            assert (response.rcode() == NXDOMAIN) == (sent.kind == "nxdomain"), seen
            assert query.name == sent.names[0] or sent.kind == "nxdomain" and below(query.name, sent.names[0]), seen
        self.check_flushes(query, sent, seen)
        validates = self.validates(query.time, query.answered)
        if validates is not None:
            self.check_verdict(query, sent, authentic, validates, seen)
        if not self.stale or query.edns and not any(code in (3, 19) for code, _ in wire.extended_errors(response)):
            limit = sent.validated_ttl if validates and not query.cd else sent.ttl
            age = query.time - sent.time - SLACK
            assert age <= limit and ttl <= limit - math.floor(max(age, 0)), seen

    def check_flushes(self, query, sent, seen):
        """After a flush, no client gets the response to a query that the server received before it."""
        for begin, end, names, suffix in list(self.flushes):
            if sent.received < begin and end < query.time:
                assert query.name not in names and not any(below(name, suffix) for name in (query.name, *sent.names)), seen

    def check_verdict(self, query, sent, authentic, validates, seen):
        if validates and not query.cd:
            assert not sent.broken, seen
            assert authentic == (sent.secure and (query.do or query.ad)), seen
        elif self.mode != "upstream":
            assert not authentic, seen

    # Changes.

    def validates(self, begin, end):
        """Were responses validated all that time? None: this changed."""
        state = self.mode in ("validate", "changes")
        for change in list(self.changes):
            if change[1] < begin:
                state = change[2]
            elif change[0] < end:
                return None
        return state

    def pause(self, choice):
        """Waits until clients have got a number of further responses. False at the end."""
        with self.progress:
            goal = self.responses + choice.randrange(3, 80)
            self.progress.wait_for(lambda: self.responses >= goal, self.end - time.monotonic())
        return time.monotonic() < self.end

    def flusher(self, choice):
        while self.pause(choice):
            how, name = choice.choice(["", "name", "suffix"]), choice.choice([*NAMES, "sub.example."])
            begin = time.monotonic()
            assert post(self.daemon, f"/flush?{how}={name}" if how else "/flush").status == 200
            self.flushes.append((begin, time.monotonic(), (name,) if how == "name" else (), {"": ".", "suffix": name}.get(how, "none.")))

    def changer(self, choice):
        """Validation ends and begins, by a negative anchor or by the mode."""
        while self.pause(choice):
            for validates, mode, verb in choice.choice([[(False, None, "add"), (True, None, "remove")],
                                                        [(False, "off", None), (True, "validate", None)]]):
                change = [time.monotonic(), math.inf, validates]
                self.changes.append(change)
                if mode:
                    self.daemon.reload(dnssec={"mode": mode})
                else:
                    assert post(self.daemon, f"/dnssec/negative/{verb}?name=example").status == 200
                change[1] = time.monotonic()
                self.pause(choice)


@pytest.mark.parametrize("mode,seconds", [("upstream", 2), ("changes", 3), *(
    pytest.param(mode, 10, marks=pytest.mark.whole) for mode in ("off", "upstream", "validate", "changes"))])
def test_responses_obey_the_rules(make_reloadable, server, public_path, mode, seconds):  # noqa: F811
    seed = int(os.environ.get("SEED") or random.randrange(1000000000))
    print(f"SEED={seed}")
    choice = random.Random(seed)
    world = World(choice)
    anchor = public_path / "anchor"
    anchor.write_text(f"example. IN DS {world.zone.ds.to_text()}\n")
    server.twist, server.delay = world.twist, lambda query: choice.choice([0, 0, 0, 0.02, 0.3])
    daemon = make_reloadable(server, workers=2, cache={"serve-stale": choice.choice(["0s", "60s"])}, dnssec={
        "mode": "validate" if mode == "changes" else mode, "trust-anchors": str(anchor)})
    oracle = Oracle(daemon, world, mode, seconds)
    actors = [oracle.client] * CLIENTS + [oracle.flusher] + [oracle.changer] * (mode == "changes")
    with concurrent.futures.ThreadPoolExecutor(len(actors)) as pool:
        for running in [pool.submit(actor, random.Random(seed + number)) for number, actor in enumerate(actors)]:
            running.result()
    assert oracle.flushes
