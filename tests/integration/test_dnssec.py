# SPDX-License-Identifier: MIT
"""Validation by dotstub itself (dnssec: validate), below a root of our own that BIND's tools have signed and named serves."""
import base64
import collections
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

import dns.dnssec
import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

import lies
import signed
import signedtree
import wire
from clients import UdpClient
from processes import eventually, free_port
from realservers import Server
from test_control import post
from test_ctl import ctl
from test_defences import counters
from test_reload import make_reloadable  # noqa: F401

SERVFAIL, NXDOMAIN = 2, 3
PAIRS = int(os.environ.get("DIFFERENCE_PAIRS", "250"))
TRIES = int(os.environ.get("LYING_TRIES", "150"))


@pytest.fixture(scope="module")
def tree(certs):
    with tempfile.TemporaryDirectory() as directory:
        yield signedtree.make(directory, base64.b64decode(certs.good.pin.removeprefix("sha256/")))


@pytest.fixture(scope="module")
def named(tree, certs, tmp_path_factory):
    server = signedtree.Named(tmp_path_factory.mktemp("named") / "named", certs, tree)
    yield server
    server.end()


@pytest.fixture(scope="module")
def validating_unbound(named, tree, tmp_path_factory):
    unbound = signed.Forwarder(tmp_path_factory.mktemp("unbound") / "unbound", tree, named.plain_port)
    yield unbound
    unbound.end()


def settings(tree, **more):
    return {"mode": "validate", "trust-anchors": str(tree.anchor_file), **more}


@pytest.fixture
def daemon(make_daemon, named, tree):
    return make_daemon(named, workers=1, dnssec=settings(tree))


def verdict(response):
    return "bogus" if response.rcode() == SERVFAIL else "secure" if response.flags & wire.AD else "insecure"


def errors(response):
    return [(int(option.code), option.text or "") for option in response.options if option.otype == wire.EDE]


@pytest.mark.whole
def test_every_name_of_the_tree_gets_its_verdict(daemon):
    wrong = []
    with daemon.udp() as client:
        for name, rdtype, expected in signedtree.verdicts():
            response = client.ask(name, rdtype, do=True)
            if verdict(response) != expected:
                wrong.append((name, rdtype, expected, verdict(response), errors(response)))
    assert not wrong, wrong
    assert counters(daemon)["dnssec_bogus"] > 0


@pytest.mark.parametrize("name, code, words", [
    ("www.expired.example", 7, "expired signature"), ("www.future.example", 8, "not yet valid"),
    ("www.nosig.example", 10, "no signature of www.nosig.example. A"), ("www.forged.example", 6, "wrong signature"),
    ("www.wrongds.example", 9, "no key matches")])
def test_a_bogus_response_is_refused_with_its_reason(daemon, name, code, words):
    response = daemon.ask(name, do=True)
    assert response.rcode() == SERVFAIL and not response.answer
    assert any(found == code and words in text for found, text in errors(response)), errors(response)
    again = errors(daemon.ask(name, do=True))
    assert 13 in [found for found, _ in again] and code in [found for found, _ in again]


def test_a_client_with_cd_gets_bogus_data_without_ad(daemon):
    assert daemon.ask("www.forged.example", do=True).rcode() == SERVFAIL
    for name, address in (("www.forged.example", "192.0.2.66"), ("www.alg13.example", "192.0.2.80")):
        response = daemon.ask(name, flags=wire.RD | wire.CD, do=True)
        assert wire.addresses(response) == [address] and not response.flags & wire.AD


def test_one_entry_serves_clients_with_and_without_do(daemon):
    first = daemon.ask("www.alg13.example", flags=wire.RD | wire.AD)
    assert wire.addresses(first) == ["192.0.2.80"] and first.flags & wire.AD
    assert [rrset.rdtype for rrset in first.answer] == [dns.rdatatype.A]
    sent = counters(daemon)["attempts_sent"]
    with_do = daemon.ask("www.alg13.example", do=True)
    assert with_do.flags & wire.AD and dns.rdatatype.RRSIG in [rrset.rdtype for rrset in with_do.answer]
    without = daemon.ask("www.alg13.example")
    assert not without.flags & wire.AD and [rrset.rdtype for rrset in without.answer] == [dns.rdatatype.A]
    assert counters(daemon)["attempts_sent"] == sent
    denied = daemon.ask("gone.alg13.example")
    assert denied.rcode() == NXDOMAIN and [rrset.rdtype for rrset in denied.authority] == [dns.rdatatype.SOA]


def test_one_lookup_serves_clients_with_and_without_do(make_daemon, server, named, tree, cleanup):
    server.twist = lambda query, truth: [named.plain(query.data)]
    server.delay = lambda query: 0.5 if query.type == dns.rdatatype.TXT else 0
    daemon = make_daemon(server, workers=1, dnssec=settings(tree))
    clients = [cleanup.enter_context(daemon.tcp()) for _ in range(3)]  # more waiters than are called in one turn
    for client in clients:
        for id in range(500):
            client.send(wire.query("many.alg13.example", "TXT", id=id, do=id % 3 == 0))
    for client in clients:
        responses = {response.id: response for response in (wire.parse(client.receive()) for _ in range(500))}
        assert len(responses) == 500
        for id, response in responses.items():
            types = [rrset.rdtype for rrset in response.answer]
            assert types == [dns.rdatatype.TXT, dns.rdatatype.RRSIG] if id % 3 == 0 else types == [dns.rdatatype.TXT]
            assert len(response.answer[0]) == 2
    assert counters(daemon)["lookups_joined"] >= 1499


def test_an_alias_of_ours_brings_no_signatures_to_clients_without_do(make_daemon, named, tree):
    records = ["www.lab.example. CNAME www.alg13.example.", "gone.lab.example. CNAME gone.alg13.example."]
    daemon = make_daemon(named, workers=1, dnssec=settings(tree), records=records)
    for _ in "miss", "hit":
        response = daemon.ask("www.lab.example")
        assert [rrset.rdtype for rrset in response.answer] == [dns.rdatatype.CNAME, dns.rdatatype.A]
        denied = daemon.ask("gone.lab.example")
        assert denied.rcode() == NXDOMAIN and [rrset.rdtype for rrset in denied.authority] == [dns.rdatatype.SOA]
    assert dns.rdatatype.RRSIG in [rrset.rdtype for rrset in daemon.ask("www.lab.example", do=True).answer]


def test_the_target_of_a_block_list_brings_no_signatures(make_daemon, named, tree, public_path):
    (public_path / "rpz").write_text("walled.example CNAME www.alg13.example.\n")
    daemon = make_daemon(named, workers=1, dnssec=settings(tree), block={"lists": [{"file": str(public_path / "rpz"), "format": "rpz"}]})
    for do in False, True:
        response = daemon.ask("walled.example", do=do)
        assert [rrset.rdtype for rrset in response.answer] == [dns.rdatatype.CNAME, dns.rdatatype.A], response


def test_keys_are_in_the_cache(daemon):
    daemon.ask("www.alg13.example")
    sent = counters(daemon)["attempts_sent"]
    assert daemon.ask("alg13.example", "DNSKEY", do=True).flags & wire.AD
    assert daemon.ask("alg13.example", "DS", do=True).flags & wire.AD
    assert counters(daemon)["attempts_sent"] == sent
    daemon.ask("mail.alg13.example")
    assert counters(daemon)["attempts_sent"] == sent + 1


def test_a_negative_anchor_makes_its_names_insecure(make_daemon, named, tree):
    daemon = make_daemon(named, workers=1, dnssec=settings(tree, negative=["expired.example"]))
    response = daemon.ask("www.expired.example", do=True)
    assert wire.addresses(response) == ["192.0.2.80"] and not response.flags & wire.AD
    assert daemon.ask("www.forged.example", do=True).rcode() == SERVFAIL


def test_an_anchor_of_an_island(make_daemon, named, tree, public_path):
    anchors = public_path / "anchors"
    anchors.write_text(tree.anchor_file.read_text() + "".join(tree.own["island.unsigned.example."]))
    daemon = make_daemon(named, workers=1, dnssec=settings(tree, **{"trust-anchors": str(anchors)}))
    assert daemon.ask("www.island.unsigned.example", do=True).flags & wire.AD
    assert not daemon.ask("www.unsigned.example", do=True).flags & wire.AD


@pytest.mark.parametrize("anchored", [False, True])
def test_a_plain_route_is_insecure_unless_an_anchor_is_below_it(make_daemon, named, tree, public_path, anchored):
    anchors = public_path / "anchors"
    anchors.write_text(tree.anchor_file.read_text() + ("".join(tree.own["forged.example."]) if anchored else ""))
    route = {"zones": ["forged.example"], "plain": True, "to": [f"127.0.0.1@{named.plain_port}"]}
    daemon = make_daemon(named, workers=1, forward=[route], dnssec=settings(tree, **{"trust-anchors": str(anchors)}))
    response = daemon.ask("www.forged.example", do=True)
    assert verdict(response) == ("bogus" if anchored else "insecure")
    if not anchored:
        assert wire.addresses(response) == ["192.0.2.66"]
    assert verdict(daemon.ask("srv.forged.example", "SRV", do=True)) == ("secure" if anchored else "insecure")


def test_other_modes_leave_validation_to_the_upstream_or_to_nobody(make_daemon, named, tree):
    for mode in ("upstream", "off"):
        daemon = make_daemon(named, workers=1, dnssec=mode)
        response = daemon.ask("www.forged.example", do=True)
        assert wire.addresses(response) == ["192.0.2.66"] and not response.flags & wire.AD
        daemon.stop()


def test_queries_ask_for_unchecked_data_with_signatures(make_daemon, server, tree):
    daemon = make_daemon(server, workers=1, dnssec=settings(tree))
    daemon.ask("a.real.example")
    assert server.queries
    for query in server.queries:
        assert query.question.flags & wire.CD and query.question.edns
        assert dns.message.from_wire(query.data).ednsflags & dns.flags.DO


def test_another_operator_is_asked_after_a_bogus_response(make_daemon, server, named, tree):
    """The first one has nothing of the tree, so that its data has no signatures."""
    def twist(query, truth):
        honest = named.plain(query.data)
        return [honest.replace(bytes([192, 0, 2, 80]), bytes([192, 0, 2, 66]))]
    server.twist = twist
    daemon = make_daemon(server, named, workers=1, dnssec=settings(tree))
    response = daemon.ask("www.alg13.example", do=True)
    assert wire.addresses(response) == ["192.0.2.80"] and response.flags & wire.AD
    assert counters(daemon)["dnssec_retried"] == 1


def test_a_failure_is_no_reason_to_ask_without_an_opt(make_daemon, server, named, tree):
    """The response would have no signatures: the name would be bogus."""
    failed = []
    def twist(query, truth):
        if not failed:
            failed.append(query)
            return lies.rcode(SERVFAIL)(query, truth)
        return [named.plain(query.data)]
    server.twist = twist
    daemon = make_daemon(server, workers=1, dnssec=settings(tree, **{"track-root": False}))
    daemon.ask("www.alg13.example", do=True)
    assert [query.name for query in failed] == ["www.alg13.example"]
    eventually(lambda: verdict(daemon.ask("www.alg13.example", do=True)) == "secure", what="the signed response")
    assert all(query.question.edns for query in server.queries)


def test_a_reload_changes_the_mode(make_reloadable, named, tree):  # noqa: F811
    daemon = make_reloadable(named, workers=1, dnssec=settings(tree))
    for mode in ("validate", "upstream", "validate"):
        daemon.reload(dnssec=settings(tree, mode=mode))
        response = daemon.ask("www.forged.example", do=True)
        assert response.rcode() == (SERVFAIL if mode == "validate" else 0)


def test_a_reload_that_ends_validation_loses_no_query(make_reloadable, server, named, tree):  # noqa: F811
    server.twist = lambda query, truth: [named.plain(query.data)]
    server.delay = lambda query: 1.5 if query.type == dns.rdatatype.DNSKEY else 0
    daemon = make_reloadable(server, workers=1, dnssec=settings(tree))
    with daemon.udp() as client:
        client.send(wire.query("www.alg13.example", flags=wire.RD | wire.AD))
        server.wait_for(lambda: server.queries_for("alg13.example", "DNSKEY"))
        daemon.reload(workers=1, dnssec={"mode": "off"})
        response = wire.parse(client.receive())
    assert wire.addresses(response) == ["192.0.2.80"] and not response.flags & wire.AD
    server.delay = 0
    daemon.reload(workers=1, dnssec=settings(tree))
    assert daemon.ask("www.alg13.example", flags=wire.RD | wire.AD).flags & wire.AD


def test_an_attempt_after_a_reload_belongs_to_its_lookup(make_reloadable, server, named, tree):  # noqa: F811
    """A lookup from before the reload is not validated here, so the upstream must still do it."""
    daemon = make_reloadable(server, workers=1, dnssec=settings(tree, mode="upstream"))
    server.silence = True
    with daemon.udp() as client:
        client.send(wire.query("www.example"))
        server.wait_for_queries("www.example")
        daemon.reload(workers=1, dnssec=settings(tree))
        server.silence = False
        server.kill()
        assert wire.addresses(wire.parse(client.receive()))
    queries = server.queries_for("www.example")
    assert len(queries) > 1 and not any(dns.message.from_wire(query.data).flags & wire.CD for query in queries)


def test_dotstubctl_shows_the_zones_and_keys(daemon):
    shown = ctl(daemon, "dnssec", "www.alg13.example")
    assert re.search(r"^www\.alg13\.example\. A: NOERROR, secure$", shown, re.M)
    for zone in (".", "example.", "alg13.example."):
        assert re.search(rf"^{re.escape(zone)}\n(  1 DS, secure.*\n)?  1 keys, secure, signed by key \d+ \(algorithm 13\) until 20", shown, re.M)
    broken = ctl(daemon, "dnssec", "www.expired.example")
    assert "SERVFAIL" in broken and "expired signature of expired.example. DNSKEY" in broken
    assert "no DS: nothing below is signed" in ctl(daemon, "dnssec", "www.unsigned.example")
    told = json.loads(ctl(daemon, "--json", "dnssec", "gone.alg13.example", "TXT"))
    assert told["answer"]["authenticated"] and told["rcode"] == "NXDOMAIN"
    assert [zone["zone"] for zone in told["zones"]] == [".", "example.", "alg13.example.", "gone.alg13.example."]
    assert told["zones"][2]["dnskey"]["authenticated"]


def test_dotstubctl_calls_nothing_insecure_that_is_not_validated(make_daemon, server):
    daemon = make_daemon(server, dnssec={"mode": "upstream"})
    assert re.search(r"^www\.alg13\.example\. A: NOERROR, not validated .*\n  \d+ records?\b", ctl(daemon, "dnssec", "www.alg13.example"), re.M)


def test_a_bogus_zone_is_logged_once(daemon):
    for _ in range(3):
        daemon.ask("www.expired.example", do=True)
        daemon.ask("mail.expired.example", do=True)
    daemon.wait_line(r"bogus data in expired\.example\. \(DNSSEC\): expired signature")
    assert len(daemon.matching("bogus data in")) <= 2  # of the zone, and of its keys
    assert not daemon.matching("www.expired")


def test_mistakes_in_the_anchors_are_told(make_daemon, named, tree, public_path):
    anchors = public_path / "anchors"
    anchors.write_text("www.example. IN A 192.0.2.1\n")
    daemon = make_daemon(named, dnssec=settings(tree, **{"trust-anchors": str(anchors)}), wait=False)
    daemon.wait_line("a trust anchor is a DS or DNSKEY record")
    assert daemon.wait_exit() != 0


# Another validator.

def explained(name, rdtype):
    """unbound 1.17 takes 150 iterations of NSEC3, and refuses the CNAME that named makes of a DNAME if that is the type of the query."""
    return ".iterations." in f".{name}." or (rdtype == "CNAME" and "dname.example" in name)


def test_unbound_agrees(daemon, validating_unbound):
    pairs = signedtree.pairs()
    pairs = pairs if PAIRS >= len(pairs) else random.sample(pairs, PAIRS)
    wrong, seen = [], collections.Counter()
    with daemon.udp() as ours, UdpClient("127.0.0.1", validating_unbound.port) as theirs:
        for name, rdtype in pairs:
            one, other = ours.ask(name, rdtype, do=True), theirs.ask(name, rdtype, do=True)
            seen[verdict(one)] += 1
            same = verdict(one) == verdict(other) and (verdict(one) == "bogus" or one.rcode() == other.rcode())
            if not same and not explained(name, rdtype):
                wrong.append((name, rdtype, verdict(one), verdict(other), errors(one)))
    print(len(pairs), dict(seen))
    assert not wrong, wrong


class Kresd(Server):
    """Knot Resolver, which forwards to a port and validates."""
    kind = "kresd"

    def __init__(self, directory, tree, port):
        directory.mkdir()
        self.port = free_port("127.0.0.1")
        anchors = directory / "anchors"
        anchors.write_text(tree.anchor_file.read_text())
        config = directory / "kresd.conf"
        config.write_text(f"""\
net.listen("127.0.0.1", {self.port}, {{kind = "dns"}})
cache.open(20 * MB, "lmdb://{directory}/cache")
trust_anchors.add_file("{anchors}", true)
modules.unload("ta_update")
modules.unload("ta_signal_query")
modules.unload("priming")
policy.add(policy.all(policy.FORWARD("127.0.0.1@{port}")))
io.stderr:write("listening now\\n")
""")
        super().__init__(["kresd", "-n", "-c", str(config), str(directory)])
        self.wait_line("listening now")


@pytest.mark.skipif(not shutil.which("kresd"), reason="knot-resolver is not installed")
def test_knot_resolver_agrees(daemon, named, tree, tmp_path, cleanup):
    kresd = Kresd(tmp_path / "kresd", tree, named.plain_port)
    cleanup.callback(kresd.end)
    pairs = signedtree.pairs()
    pairs = pairs if PAIRS >= len(pairs) else random.sample(pairs, PAIRS)
    wrong, seen = [], collections.Counter()
    with daemon.udp() as ours, UdpClient("127.0.0.1", kresd.port) as theirs:
        for name, rdtype in pairs:
            one, other = ours.ask(name, rdtype, do=True), theirs.ask(name, rdtype, do=True)
            seen[verdict(one)] += 1
            same = verdict(one) == verdict(other) and (verdict(one) == "bogus" or one.rcode() == other.rcode())
            if not same and not explained_for_knot(name, rdtype):
                wrong.append((name, rdtype, verdict(one), verdict(other), errors(one)))
    print(len(pairs), dict(seen))
    assert not wrong, wrong


def explained_for_knot(name, rdtype):
    """Knot Resolver 5.6 takes the NSEC record of the parent at a delegation as proof that the child's apex has no such type, against
    RFC 6840 section 4.1; it does so if it has seen that record before. A zone with too many iterations of NSEC3 is insecure for it as a
    whole, from the first denial on."""
    return ".iterations." in f".{name}." or any(zone.origin == f"{name}." and not zone.sign for zone in signedtree.CHILDREN)


def test_keys_and_algorithms_roll_over(make_daemon, named, tree):
    """The parent has the DS of both keys; the old key signs, then both, then the new one. No response is bogus at any time."""
    daemon = make_daemon(named, workers=1, dnssec=settings(tree))
    zones = ("rollkey.example", "rollalg.example")

    def tags(client, zone):
        response = client.ask(zone, "DNSKEY", do=True)
        assert response.flags & wire.AD, (zone, errors(response))
        return {dns.dnssec.key_id(key) for rrset in response.answer if rrset.rdtype == dns.rdatatype.DNSKEY for key in rrset}

    with daemon.udp() as client:
        old = {zone: tags(client, zone) for zone in zones}
        for first, last in ((0, 2), (1, 2)):
            for zone in zones:
                tree.roll(f"{zone}.", tree.rolling[f"{zone}."][2][first:last])
            os.kill(named.pid, signal.SIGHUP)
            deadline = time.monotonic() + 15
            while not all(len(tags(client, zone)) == last - first and tags(client, zone) != old[zone] for zone in zones):
                assert time.monotonic() < deadline
                for zone in zones:
                    for name, rdtype in (("www", "A"), ("www", "TXT"), (f"x{random.random()}", "A")):
                        response = client.ask(f"{name}.{zone}", rdtype, do=True)
                        assert response.flags & wire.AD, (name, zone, errors(response))
                time.sleep(0.05)
        for zone in zones:
            assert not tags(client, zone) & old[zone]


@pytest.mark.parametrize("mode", ["validate", *(pytest.param(mode, marks=pytest.mark.whole) for mode in ("upstream", "off"))])
def test_validators_work_behind_dotstub(make_daemon, named, tree, tmp_path, cleanup, mode):
    daemon = make_daemon(named, workers=1, dnssec=settings(tree, mode=mode))
    words = tree.anchor().split()
    anchors = tmp_path / "anchors"
    anchors.write_text(f'trust-anchors {{ . static-ds {" ".join(words[3:6])} "{"".join(words[6:])}"; }};\n')
    unbound = signed.Forwarder(tmp_path / "unbound", tree, daemon.port)
    cleanup.callback(unbound.end)
    with UdpClient("127.0.0.1", unbound.port) as client:
        for name, expected in (("www.alg13.example", "secure"), ("gone.nsec3.example", "secure"), ("x.wild.alg8.example", "secure"),
                               ("www.unsigned.example", "insecure"), ("www.forged.example", "bogus")):
            assert verdict(client.ask(name, do=True)) == expected, name
    done = subprocess.run(["delv", "@127.0.0.1", "-p", str(daemon.port), "-a", str(anchors), "+root=.", "www.alg13.example"],
                          capture_output=True, text=True, timeout=60)
    assert "; fully validated" in done.stdout, done.stdout + done.stderr


# A mail server with DANE.

def serve_mail(listener, certificate):
    """SMTP with STARTTLS, for one client after the other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain_file, certificate.key_file)
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # closed at the end of the test
            return
        try:
            client.sendall(b"220 mail.dane.example ESMTP\r\n")
            while word := client.recv(1000)[:4].upper():
                client.sendall({b"EHLO": b"250-mail.dane.example\r\n250 STARTTLS\r\n", b"STAR": b"220 go\r\n"}.get(word, b"221 bye\r\n"))
                if word == b"STAR":
                    client = context.wrap_socket(client, server_side=True)
        except OSError:
            pass
        client.close()


@pytest.mark.skipif(not shutil.which("posttls-finger"), reason="postfix is not installed")
@pytest.mark.parametrize("mode", ["validate", "off"])
def test_a_mail_client_with_dane_verifies_a_server(make_daemon, make_namespace, certs, tree, tmp_path, cleanup, mode):
    namespace = make_namespace().up()
    named = signedtree.Named(tmp_path / "named", certs, tree, namespace)
    cleanup.callback(named.end)
    make_daemon(named, workers=1, namespace=namespace, port=53, addresses=("127.0.0.1",), dnssec=settings(tree, mode=mode))
    listener = namespace.call(lambda: socket.create_server(("127.0.0.1", 25)))
    cleanup.callback(listener.close)
    threading.Thread(target=serve_mail, args=(listener, certs.good), daemon=True).start()
    resolv, main = tmp_path / "resolv.conf", tmp_path / "main.cf"
    resolv.write_text("nameserver 127.0.0.1\noptions trust-ad edns0\n")
    main.write_text("compatibility_level = 3.6\n")
    shutil.copytree("/etc", tmp_path / "etc", symlinks=True, ignore=shutil.ignore_patterns("resolv.conf"))  # which a minimal root lacks
    shutil.copy(resolv, tmp_path / "etc")
    script = 'mount --bind "$1" /etc; exec posttls-finger -c -l dane-only -L verbose,summary -o inet_protocols=ipv4 dane.example'
    done = subprocess.run([*namespace.prefix, "unshare", "--mount", "sh", "-ec", script, "sh", str(tmp_path / "etc")], capture_output=True,
                          text=True, timeout=60, env={**os.environ, "MAIL_CONFIG": str(tmp_path)})
    said = done.stdout + done.stderr
    assert ("Verified TLS connection established" in said) == (mode == "validate"), said


# An upstream that lies.

class Liar:
    """Changes, removes, adds, replays or strips what named answers."""

    def __init__(self, named, seed):
        self.named, self.random, self.past = named, random.Random(seed), []

    def twist(self, query, truth):
        message = dns.message.from_wire(self.named.plain(query.data))
        self.past = [*self.past[-200:], message.to_wire()]
        kind = self.random.randrange(30)  # mostly the truth, since a response needs several others
        try:
            return [self.lie(kind, message, query)]
        except Exception:  # the lie cannot be written
            return [message.to_wire()]

    def lie(self, kind, message, query):
        data = bytearray(message.to_wire())
        sections = [message.answer, message.authority]
        sets = [(section, rrset) for section in sections for rrset in section]
        if kind == 0 and sets:
            section, rrset = self.random.choice(sets)
            section.remove(rrset)
        elif kind == 1:  # downgraded to unsigned
            for section in sections:
                section[:] = [rrset for rrset in section if rrset.rdtype not in (46, 47, 50)]
        elif kind == 2 and len(data) > 30:
            for _ in range(self.random.randrange(1, 4)):
                data[self.random.randrange(20 + len(query.name), len(data))] = self.random.randrange(256)
            return bytes(data)
        elif kind == 3:  # another address
            return bytes(data).replace(bytes([192, 0, 2]), bytes([198, 51, 100]))
        elif kind == 4 and self.past:  # replayed from another name
            other = dns.message.from_wire(self.random.choice(self.past))
            message.answer, message.authority = other.answer, other.authority
            message.set_rcode(other.rcode())
        elif kind == 5:
            message.set_rcode(self.random.choice([0, 3]))
            message.answer = []
        elif kind == 6:
            other = dns.message.from_wire(self.random.choice(self.past))
            message.answer += other.answer
            message.authority += other.authority
        elif kind == 7:
            name = dns.name.from_text(query.name)
            message.answer = [dns.rrset.from_text(name, 300, "IN", "A", "198.51.100.1")]
            message.set_rcode(0)
        return message.to_wire()


def test_no_lie_about_a_signed_name_reaches_a_client(make_daemon, server, named, tree):
    liar = Liar(named, random.randrange(1 << 32))
    names = [(name, rdtype) for name, rdtype, expected in signedtree.verdicts()
             if expected == "secure" and ".iterations." not in name and rdtype in ("A", "AAAA", "TXT", "MX", "SRV", "TLSA")]
    truths = {}
    server.twist = liar.twist
    daemon = make_daemon(server, workers=1, dnssec=settings(tree))
    answered = 0
    with daemon.udp() as client:
        for number in range(TRIES):
            name, rdtype = liar.random.choice(names)
            if (name, rdtype) not in truths:
                truths[name, rdtype] = dns.message.from_wire(named.plain(wire.query(name, rdtype, do=True)))
            truth = truths[name, rdtype]
            response = client.ask(name, rdtype, do=True)
            if response.rcode() != SERVFAIL:
                answered += 1
                seen = [sorted(rrset.to_rdataset() for rrset in message.answer if rrset.rdtype == dns.rdatatype.from_text(rdtype))
                        for message in (truth, response)]
                assert response.rcode() == truth.rcode() and seen[0] == seen[1], f"seed, {name} {rdtype}: {response}"
            if number % 5 == 4:
                assert post(daemon, "/flush").status == 200
    assert TRIES / 20 < answered < TRIES and counters(daemon)["dnssec_bogus"] > TRIES / 20


def large_responses(named):
    """Names that begin with "large" have 3,900 addresses without signatures, and the rest is honest."""
    addresses = b"".join(wire.rr(b"\xc0\x0c", 1, number.to_bytes(4, "big"), 300) for number in range(3900))

    def twist(query, truth):
        if query.name.startswith("large") and query.type == dns.rdatatype.A:
            header = struct.pack("!6H", query.question.id, wire.QR | wire.RD | wire.RA, 1, 3900, 0, 0)
            return [header + wire.question_section(query.data) + addresses]
        return [named.plain(query.data)]
    return twist


def test_responses_that_wait_for_keys_hold_little_memory(make_daemon, server, named, tree):
    """The keys of their zone are late."""
    server.twist = large_responses(named)
    server.delay = lambda query: 2 if query.name == "alg13.example" else 0
    daemon = make_daemon(server, workers=1, dnssec=settings(tree))
    with daemon.tcp() as client:
        for id in range(300):
            client.send(wire.query(f"large{id}.alg13.example", id=id, edns=True))
        reasons = [errors(wire.parse(client.receive())) for _ in range(150)]  # at once: 8 MiB are held
        assert all(reason[0][0] == 0 and "too many responses wait" in reason[0][1] for reason in reasons), reasons
        assert daemon.ask("www.alg14.example", do=True).flags & wire.AD
        assert counters(daemon)["dnssec_over_memory"] < 250
        for _ in range(150):
            assert wire.parse(client.receive()).rcode() == SERVFAIL
    assert daemon.ask("www.alg13.example", do=True).flags & wire.AD


def test_a_response_that_was_found_bogus_holds_no_memory(make_daemon, make_server, server, named, tree):
    """Its lookup waits for the server of another operator, which is slow."""
    slow = make_server()
    slow.delay = lambda query: 4 if query.name.startswith("large") else 0
    server.twist = slow.twist = large_responses(named)
    daemon = make_daemon(server, slow.upstream(name="slow"), workers=1, dnssec=settings(tree))
    with daemon.tcp() as client:
        for number, zone in enumerate(["alg13.example", "alg14.example"]):
            for id in range(60):
                client.send(wire.query(f"large{id}.{zone}", id=number * 60 + id, edns=True))
            eventually(lambda: counters(daemon)["dnssec_retried"] + counters(daemon)["dnssec_over_memory"] == 60 * (number + 1))
    assert counters(daemon)["dnssec_over_memory"] == 0


def test_a_hash_in_another_zone_is_no_delegation(make_daemon, server, named, tree):
    """The response for a DS has, beside its proof, a NSEC3 record of an unsigned zone with the hash of the name."""
    name = "www.alg13.example"

    def twist(query, truth):
        message = dns.message.from_wire(named.plain(query.data))
        if query.name == name and query.type == dns.rdatatype.A:
            message.answer = [dns.rrset.from_text(name + ".", 300, "IN", "A", "198.51.100.1")]
        if query.name == name and query.type == dns.rdatatype.DS:
            owner = dns.dnssec.nsec3_hash(name + ".", None, 0, "SHA1").lower() + ".unsigned.example."
            delegation = dns.rrset.from_text(owner, 300, "IN", "NSEC3", "1 0 0 - 00000000000000000000000000000000 NS")
            signature = dns.rrset.from_text("unsigned.example.", 300, "IN", "RRSIG", "TXT 13 2 300 20380101000000 20200101000000 1 . AAAA")
            message.authority = [delegation, signature, *message.authority]
        return [message.to_wire()]
    server.twist = twist
    response = make_daemon(server, workers=1, dnssec=settings(tree)).ask(name, do=True)
    assert response.rcode() == SERVFAIL and errors(response)[0][0] == 10, response
    assert server.queries_for(name, "DS")


def test_a_signed_ttl_of_0_cannot_be_raised(make_daemon, server, named, tree):
    """The TTL of a record is not signed, but its signature has the one of the zone."""
    name = "zero.alg13.example"

    def twist(query, truth):
        message = dns.message.from_wire(named.plain(query.data))
        for rrset in message.answer if query.name == name else ():
            rrset.ttl = 300
        return [message.to_wire()]
    server.twist = twist
    daemon = make_daemon(server, workers=1, dnssec=settings(tree))
    for number in 1, 2:
        response = daemon.ask(name, flags=wire.RD | wire.AD)
        assert wire.addresses(response) == ["192.0.2.83"] and response.flags & wire.AD and response.answer[0].ttl == 0
        assert len(server.queries_for(name, "A")) == number


def test_a_ttl_counts_from_the_response_not_from_the_end_of_its_validation(make_daemon, server, named, tree):
    late = 2.2
    server.twist = lambda query, truth: [named.plain(query.data)]
    server.delay = lambda query: late if query.type == dns.rdatatype.DNSKEY and query.name == "alg13.example" else 0
    daemon = make_daemon(server, workers=1, dnssec=settings(tree))
    for name in "www.alg13.example", "gone.alg13.example":
        begun = time.monotonic()
        first = daemon.ask(name, flags=wire.RD | wire.AD)
        waited = time.monotonic() - begun
        assert first.flags & wire.AD and waited > late
        again = daemon.ask(name)
        for response in first, again:
            assert (response.answer or response.authority)[0].ttl <= 300 - int(late)
        post(daemon, "/flush")


# Aggressive use of the denial cache (RFC 8198).

SYNTHESIZED = 29


def sent_by(daemon, ask):
    """The response, and how many queries it took upstream."""
    before = counters(daemon)["attempts_sent"]
    response = ask()
    return response, counters(daemon)["attempts_sent"] - before


def test_a_cached_proof_denies_other_names(make_daemon, named, tree, validating_unbound):
    daemon = make_daemon(named, workers=1, dnssec=settings(tree), cache={"nxdomain-cut": "no"})
    names = [f"{prefix}.{zone}" for zone in ("alg13.example", "nsec3.example")
             for prefix in ("gone", "x.gong", "zzz", "0", "q.r.s.t", "d", "v")]
    with daemon.udp() as ours, UdpClient("127.0.0.1", validating_unbound.port) as theirs:
        for name in names:  # each may add a proof
            assert ours.ask(name, do=True).rcode() == NXDOMAIN
        before = counters(daemon)
        assert before["dnssec_proofs"] > 4
        for number, name in enumerate(names):
            response, truth = (client.ask(f"new.{name}", ("A", "AAAA", "TXT")[number % 3], do=True) for client in (ours, theirs))
            assert response.rcode() == truth.rcode() == NXDOMAIN and response.flags & wire.AD, name
            assert SYNTHESIZED in [code for code, _ in errors(response)]
            proofs = {rrset.rdtype for rrset in response.authority}
            assert proofs == {rrset.rdtype for rrset in truth.authority} and dns.rdatatype.RRSIG in proofs
            assert all(rrset.ttl <= 300 for rrset in response.authority)
        after = counters(daemon)
        assert after["attempts_sent"] == before["attempts_sent"]
        assert after["dnssec_denied"] == before["dnssec_denied"] + len(names)
        plain = ours.ask(f"newer.{names[0]}", flags=wire.RD | wire.AD)
    assert plain.rcode() == NXDOMAIN and plain.flags & wire.AD
    assert [rrset.rdtype for rrset in plain.authority] == [dns.rdatatype.SOA]
    assert json.loads(ctl(daemon, "--json", "trace", f"newest.{names[0]}"))["cache"]["found"] == "denied"


def test_a_validator_behind_dotstub_accepts_synthesized_proofs(make_daemon, named, tree, tmp_path, cleanup):
    daemon = make_daemon(named, workers=1, dnssec=settings(tree))
    unbound = signed.Forwarder(tmp_path / "unbound", tree, daemon.port)
    cleanup.callback(unbound.end)
    with daemon.udp() as client:
        for zone in ("alg13.example", "nsec3.example"):
            for name in ("gone", "aaa", "n", "p", "d", "s", "t", "v", "zzz", "0"):
                client.ask(f"{name}.{zone}", do=True)
    denied = counters(daemon)["dnssec_denied"]
    with UdpClient("127.0.0.1", unbound.port) as client:
        for number in range(10):
            for zone in ("alg13.example", "nsec3.example"):
                response = client.ask(f"new{number}.{zone}", do=True)
                assert response.rcode() == NXDOMAIN and response.flags & wire.AD, response
    assert counters(daemon)["dnssec_denied"] > denied  # unbound sends queries without CD first


def test_proofs_deny_types_and_deny_nothing_else(daemon):
    daemon.ask("www.alg13.example", "TXT", do=True)
    response, sent = sent_by(daemon, lambda: daemon.ask("www.alg13.example", "MX", do=True))
    assert sent == 0 and response.rcode() == 0 and not response.answer and response.flags & wire.AD
    assert wire.addresses(daemon.ask("www.alg13.example", do=True)) == ["192.0.2.80"]
    daemon.ask("gone.alg13.example", do=True)
    assert wire.addresses(daemon.ask("x.wild.alg13.example", do=True)) == ["192.0.2.81"]
    daemon.ask("gone.optout.example", do=True)  # nothing is kept of opt-out
    assert sent_by(daemon, lambda: daemon.ask("gone2.optout.example", do=True))[1] > 0
    cd, sent = sent_by(daemon, lambda: daemon.ask("www.alg13.example", "CAA", flags=wire.RD | wire.CD, do=True))
    assert sent > 0 and not cd.flags & wire.AD


def test_a_flush_a_reload_and_the_option_end_it(make_reloadable, named, tree):  # noqa: F811
    daemon = make_reloadable(named, workers=1, dnssec=settings(tree), cache={"nxdomain-cut": "no"})

    def taken(number):
        return sent_by(daemon, lambda: daemon.ask(f"new{number}.gone.alg13.example", do=True))[1]

    assert taken(0) > 0 and taken(1) == 0
    assert post(daemon, "/flush?suffix=alg13.example").status == 200
    assert taken(2) > 0 and taken(3) == 0
    daemon.reload(dnssec=settings(tree, negative=["example"]), cache={"nxdomain-cut": "no"})
    response = daemon.ask("new4.gone.alg13.example", do=True)
    assert response.rcode() == NXDOMAIN and not response.flags & wire.AD
    daemon.reload(dnssec=settings(tree, aggressive=False), cache={"nxdomain-cut": "no"})
    assert taken(5) > 0 and taken(6) > 0


# Reports of bogus data (RFC 9567).

def agent_of(server, named, agent="agent.test"):
    """The server has the tree and names an agent; returns a function that lists the reports it got."""
    def twist(query, truth):
        response = dns.message.from_wire(named.plain(query.data))
        response.use_edns(0, dns.flags.DO, 1232, options=[dns.edns.GenericOption(18, dns.name.from_text(agent).to_wire())])
        return [response.to_wire(max_size=65535)]
    server.twist = twist
    return lambda: [query.name for query in list(server.queries) if "_er" in query.name]


def test_bogus_data_is_reported_once(make_daemon, server, named, tree):
    reports = agent_of(server, named)
    daemon = make_daemon(server, workers=1, dnssec=settings(tree, **{"report-errors": True}))
    assert daemon.ask("www.alg13.example", do=True).flags & wire.AD
    for _ in range(3):
        assert daemon.ask("www.forged.example", do=True).rcode() == SERVFAIL
        ctl(daemon, "flush")
    server.wait_for(reports)
    assert daemon.ask("www.expired.example", do=True).rcode() == SERVFAIL  # its keys are bogus, too
    server.wait_for(lambda: len(reports()) >= 2)
    assert [name.rstrip(".") for name in reports()] == ["_er.1.www.forged.example.6._er.agent.test", "_er.1.www.expired.example.7._er.agent.test"]
    assert counters(daemon)["dnssec_reports"] == 2


def test_reports_are_few(make_daemon, server, named, tree):
    reports = agent_of(server, named)
    daemon = make_daemon(server, workers=1, dnssec=settings(tree, **{"report-errors": True}))
    for rdtype in range(300, 330):  # nothing proves that there is none
        daemon.ask("www.forged.example", f"TYPE{rdtype}", do=True)
    for number in range(30):
        daemon.ask(f"x{number}.wrongds.example", do=True)
    counted = counters(daemon)
    assert counted["dnssec_bogus"] >= 30 and counted["dnssec_reports_limited"] > 0
    assert len(reports()) <= counted["dnssec_reports"] < counted["dnssec_bogus"]


@pytest.mark.parametrize("why", ["default", "route", "agent", "routed agent"])
def test_some_bogus_data_is_not_reported(make_daemon, server, named, tree, public_path, why):
    reports = agent_of(server, named, "www.forged.example" if why == "agent" else "agent.test")
    anchors = public_path / "anchors"
    anchors.write_text(tree.anchor_file.read_text() + "".join(tree.own["forged.example."]))
    zones = {"route": ["forged.example"], "routed agent": ["test"]}.get(why)
    forward = [{"zones": zones, "private": True, "upstreams": ["other"]}] if zones else []
    other = {**server.upstream(), "name": "other", "role": "routed"} if zones else None
    daemon = make_daemon(*[one for one in (server, other) if one], workers=1, forward=forward,
                         dnssec=settings(tree, **{"trust-anchors": str(anchors), "report-errors": why != "default"}))
    assert daemon.ask("www.forged.example", do=True).rcode() == SERVFAIL
    assert not reports() and counters(daemon)["dnssec_reports"] == 0


def test_no_report_goes_to_an_agent_that_a_view_routes(make_daemon, server, named, tree):
    reports = agent_of(server, named)
    other = {**server.upstream(), "name": "other", "role": "routed"}
    view = {"name": "lab", "clients": ["127.0.2.0/24"], "forward": [{"zones": ["test"], "upstreams": ["other"]}]}
    daemon = make_daemon(server, other, workers=1, views=[view], dnssec=settings(tree, **{"report-errors": True}))
    with UdpClient("127.0.0.1", daemon.port, source=("127.0.2.1", 0)) as client:
        assert client.ask("www.forged.example", do=True).rcode() == SERVFAIL
    assert not reports() and counters(daemon)["dnssec_reports"] == 0


# Negative trust anchors at run time; status.

def test_negative_anchors_at_run_time(make_reloadable, named, tree, public_path):  # noqa: F811
    state = public_path / "state"
    state.mkdir()
    state.chmod(0o777)
    more = {"workers": 1, "dnssec": settings(tree), "cache": {"save-file": str(state / "cache")}}
    daemon = make_reloadable(named, **more)
    assert daemon.ask("www.expired.example", do=True).rcode() == SERVFAIL
    assert daemon.ask("www.alg13.example", do=True).flags & wire.AD
    assert "not validated for 2 h" in ctl(daemon, "dnssec", "negative", "add", "expired.example", "--for", "2h")
    ctl(daemon, "dnssec", "negative", "add", "alg13.example")
    response = daemon.ask("www.expired.example", do=True)
    assert wire.addresses(response) == ["192.0.2.80"] and not response.flags & wire.AD
    assert not daemon.ask("www.alg13.example", do=True).flags & wire.AD  # the entry was flushed
    shown = json.loads(ctl(daemon, "--json", "dnssec", "negative", "list"))["negative"]
    assert [(one["name"], one["from"]) for one in shown] == [("expired.example.", "run time"), ("alg13.example.", "run time")]
    assert 7100 < shown[0]["left_s"] <= 7200 and 3500 < shown[1]["left_s"] <= 3600
    daemon.reload(**more)
    assert daemon.ask("mail.expired.example", do=True).rcode() == 0
    ctl(daemon, "dnssec", "negative", "remove", "alg13.example")
    assert daemon.ask("www.alg13.example", do=True).flags & wire.AD
    daemon.stop()
    saved = state / "negative-anchors"
    assert "expired.example." in saved.read_text() and "alg13" not in saved.read_text()

    daemon = make_reloadable(named, **more)
    assert daemon.ask("www.expired.example", do=True).rcode() == 0
    daemon.stop()
    saved.write_text(saved.read_text() + "99999999999 99 not..a..name\n")
    daemon = make_reloadable(named, **more)
    daemon.wait_line("ignoring the rest of .*negative-anchors: damaged")
    ctl(daemon, "dnssec", "negative", "remove", "expired.example")
    assert daemon.ask("www.expired.example", do=True).rcode() == SERVFAIL and not saved.exists()


def test_a_negative_anchor_ends(make_daemon, named, tree):
    daemon = make_daemon(named, workers=1, dnssec=settings(tree, negative=["forged.example until 2001-01-01"]))
    assert daemon.ask("www.forged.example", do=True).rcode() == SERVFAIL
    ctl(daemon, "dnssec", "negative", "add", "expired.example", "--for", "2s")
    response = daemon.ask("www.expired.example", do=True)
    assert response.rcode() == 0 and all(rrset.ttl <= 2 for rrset in response.answer)
    eventually(lambda: daemon.ask("www.expired.example", do=True).rcode() == SERVFAIL, what="the end of the negative anchor")


def test_other_anchors_in_the_file_flush_the_cache(make_daemon, named, tree, public_path):
    anchors = public_path / "anchors"
    anchors.write_text(tree.anchor_file.read_text())
    daemon = make_daemon(named, workers=1, dnssec=settings(tree, **{"trust-anchors": str(anchors)}))
    assert not daemon.ask("www.island.unsigned.example", do=True).flags & wire.AD
    anchors.write_text(anchors.read_text() + "".join(tree.own["island.unsigned.example."]))
    eventually(lambda: daemon.ask("www.island.unsigned.example", do=True).flags & wire.AD, what="the new anchor")


def test_a_saved_cache_is_of_its_trust_anchors(make_daemon, named, tree, public_path):
    anchors, state = public_path / "anchors", public_path / "state"
    state.mkdir()
    state.chmod(0o777)
    anchors.write_text(tree.anchor_file.read_text())
    more = {"workers": 1, "dnssec": settings(tree, **{"trust-anchors": str(anchors)}),
            "cache": {"save": True, "save-file": str(state / "cache")}}
    daemon = make_daemon(named, **more)
    assert not daemon.ask("www.island.unsigned.example", do=True).flags & wire.AD
    daemon.stop()
    daemon = make_daemon(named, **more)
    daemon.wait_line(r"loaded [1-9]\d* cache entries")
    daemon.stop()
    anchors.write_text(anchors.read_text() + "".join(tree.own["island.unsigned.example."]))
    daemon = make_daemon(named, **more)
    daemon.wait_line("loaded 0 cache entries")
    assert daemon.ask("www.island.unsigned.example", do=True).flags & wire.AD


def test_the_status_counts_verdicts_by_reason(daemon):
    for name in ("www.alg13.example", "www.unsigned.example", "www.forged.example", "www.nosig.example"):
        daemon.ask(name, do=True)
    status = json.loads(ctl(daemon, "--json", "status"))["dnssec"]
    assert status["mode"] == "validate" and status["secure"] > 0 and status["insecure"] > 0 and status["bogus"] == 2
    assert {one["reason"]: one["count"] for one in status["bogus_by_reason"] if one["count"]} == {
        "wrong signature": 1, "no signature": 1}
    assert re.search(r"^dnssec    \d+ secure, \d+ insecure, 2 bogus: 1 wrong signature, 1 no signature$", ctl(daemon, "status"), re.M)
    counted = counters(daemon)
    assert counted["dnssec_bogus_signature"] == counted["dnssec_bogus_unsigned"] == 1
    record = json.loads(ctl(daemon, "--json", "explain", "last-failed"))["records"][0]
    assert "validation" in [phase["phase"] for phase in record["phases"]]
