# SPDX-License-Identifier: MIT
"""Names that are never forwarded (RFC 6761, 6303, 7686, 8375, 9462, 9476)."""
import contextlib
import struct
import time

import dns.name
import dns.rdatatype
import dns.reversename
import pytest

import lies
import wire
import zone
from daemon import SLACK

NXDOMAIN = 3
DOMAINS = ["invalid", "test", "local", "onion", "home.arpa", "alt", "internal"]
PRIVATE = [
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.1", "192.168.1.1", "169.254.1.1", "0.0.0.1", "192.0.2.1",
    "198.51.100.1", "203.0.113.1", "255.255.255.255", "100.64.0.1", "100.127.255.1", "::", "fd00::1", "fe80::1",
    "fe90::1", "fea0::1", "feb0::1", "2001:db8::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "172.15.0.1", "172.32.0.1", "192.167.0.1", "100.63.0.1", "100.128.0.1", "11.0.0.1",
          "2001:4860:4860::8888", "2001:db9::1", "fec0::1"]


def soa_owner(answer):
    return next(rrset.name.to_text() for rrset in answer.authority if rrset.rdtype == dns.rdatatype.SOA)


def soa_of(answer):
    """The only SOA of a negative response: its owner must be the name or a parent of it."""
    owners = [rrset for rrset in answer.authority if rrset.rdtype == dns.rdatatype.SOA]
    assert len(owners) == 1, f"no SOA in {answer}"
    assert answer.question[0].name.is_subdomain(owners[0].name)
    assert owners[0].ttl > 0 and owners[0][0].minimum > 0
    return owners[0]


@pytest.mark.parametrize("name", ["localhost", "LocalHost", "a.b.localhost"])
def test_localhost_has_the_loopback_addresses(daemon, server, name):
    for tcp in (False, True):
        assert wire.addresses(daemon.ask(name, "A", tcp=tcp)) == ["127.0.0.1"]
        assert wire.addresses(daemon.ask(name, "AAAA", tcp=tcp)) == ["::1"]
        nothing = daemon.ask(name, "TXT", tcp=tcp)
        assert nothing.rcode() == 0 and not nothing.answer
        soa_of(nothing)
    assert not server.queries


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_addresses_have_the_name_localhost(daemon, server, address):
    name = dns.reversename.from_address(address).to_text()
    assert wire.texts(daemon.ask(name, "PTR")) == [(name, "PTR", "localhost.")]
    assert not server.queries


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("rdtype", ["A", "AAAA", "PTR", "SOA", "HTTPS"])
def test_names_below_special_domains_do_not_exist(daemon, server, domain, rdtype):
    for name in (f"a.{domain}", f"A.b.{domain.upper()}"):
        answer = daemon.ask(name, rdtype, edns=True)
        assert answer.rcode() == NXDOMAIN and not answer.answer
        soa_of(answer)
    assert not server.queries


@pytest.mark.parametrize("domain", DOMAINS + ["resolver.arpa", "10.in-addr.arpa", "d.f.ip6.arpa"])
def test_special_domains_themselves_are_not_forwarded(daemon, server, domain):
    answer = daemon.ask(domain, "A")
    assert answer.rcode() in (0, NXDOMAIN) and not answer.answer
    soa_of(answer)
    assert not server.queries


@pytest.mark.parametrize("rdtype", ["SVCB", "A"])
def test_resolver_arpa_is_not_forwarded(daemon, server, rdtype):
    answer = daemon.ask("_dns.resolver.arpa", rdtype)
    assert not answer.answer
    soa_of(answer)
    assert not server.queries


@pytest.mark.parametrize("address", PRIVATE)
def test_reverse_names_of_private_addresses_do_not_exist(daemon, server, address):
    answer = daemon.ask(dns.reversename.from_address(address).to_text(), "PTR")
    assert answer.rcode() in (0, NXDOMAIN) and not answer.answer
    soa_of(answer)
    assert not server.queries


@pytest.mark.parametrize("address", PUBLIC)
def test_reverse_names_of_public_addresses_are_forwarded(daemon, server, address):
    name = dns.reversename.from_address(address).to_text()
    assert wire.texts(daemon.ask(name, "PTR")) == [(name, "PTR", "host.example.")]
    assert len(server.queries) == 1


@pytest.mark.parametrize("name", ["testing", "a.tests", "localhost.example", "mylocalhost", "a.test.example", "local.example",
                                  "internal.example", "arpa", "home.example", "in-addr.arpa", "notonion"])
def test_names_that_only_look_special_are_forwarded(daemon, server, name):
    assert wire.addresses(daemon.ask(name)) == [zone.address(name)]
    assert len(server.queries_for(name)) == 1


@pytest.mark.parametrize("domain", ["test", "internal", "onion", "localhost", "10.in-addr.arpa"])
def test_a_parent_is_asked_for_the_ds_of_special_domains(daemon, server, domain):
    """Some validators take a root whose SOA has no signature for unsigned: the SOA is the domain's own."""
    assert soa_owner(daemon.ask(f"a.{domain}", "TXT")) == f"{domain}."
    assert not server.queries
    daemon.ask(domain, "DS")
    assert [query.name.lower() for query in server.queries] == [domain]


def test_special_names_are_answered_without_a_reachable_upstream(daemon, server):
    server.refuse()
    assert wire.addresses(daemon.ask("localhost")) == ["127.0.0.1"]
    assert daemon.ask("a.onion").rcode() == NXDOMAIN


def test_special_names_do_not_need_recursion_desired(daemon):
    assert wire.addresses(daemon.ask("localhost", flags=0)) == ["127.0.0.1"]


# The root's proof for clients that validate.
TOP_LEVEL = ["test", "local", "internal", "alt", "onion", "invalid"]
PROOF = ["SOA", "RRSIG", "NSEC", "RRSIG"]


def root_proof(query, truth):
    """The root's response to a query for a name that does not exist, with invalid signatures (they are not validated here)."""
    def signature(covered):
        return wire.rr("", "RRSIG", struct.pack("!HBBIIIH", covered, 8, 0, 86400, 2 ** 31 - 1, 0, 1) + b"\0signature", 300)
    records = [wire.rr("", "SOA", wire.name_wire("a.root") + wire.name_wire("b.root") + struct.pack("!5I", 1, 2, 3, 4, 86400), 300),
               signature(dns.rdatatype.SOA), wire.rr("", "NSEC", wire.name_wire("zz") + b"\0\1\x02", 300),
               signature(dns.rdatatype.NSEC)]
    flags = wire.QR | wire.RD | wire.RA | wire.AD | NXDOMAIN
    return [wire.message(id=query.question.id, flags=flags, question=wire.question_section(query.data), authority=records,
                         additional=[wire.opt(do=True)])]


def proof_of(response):
    assert response.rcode() == NXDOMAIN and not response.answer, response
    return sorted(dns.rdatatype.to_text(rrset.rdtype) for rrset in response.authority for _ in rrset)


def is_proven(response):
    return proof_of(response) == sorted(PROOF) and all(rrset.name == dns.name.root for rrset in response.authority)


def is_unproven(response):
    return proof_of(response) == ["SOA"] and response.question[0].name.is_subdomain(soa_of(response).name) and (
        soa_of(response).name != dns.name.root)


@pytest.mark.parametrize("top", TOP_LEVEL)
def test_validating_clients_get_the_proof_of_the_root(daemon, server, top):
    with server.lying(twist=root_proof):
        assert is_unproven(daemon.ask(f"a.{top}", edns=True)) and not server.queries
        for name in (f"a.secret.{top}", f"B.{top.upper()}", top, f"x.y.z.{top}"):
            for tcp in (False, True):
                response = daemon.ask(name, "TXT", do=True, tcp=tcp)
                assert is_proven(response), response
                assert response.flags & wire.AD
                assert response.question[0].name.to_text() == name + "."
        assert daemon.ask(top, "DS", do=True).rcode() == NXDOMAIN  # the same entry
    assert [(query.name, query.type) for query in server.queries] == [(top, dns.rdatatype.DS)]


def test_queries_that_wait_for_a_proof_share_one_lookup(daemon, server):
    with server.lying(twist=root_proof, delay=0.3), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(daemon.udp()) for _ in range(20)]
        for number, client in enumerate(clients):
            client.send(wire.query(f"n{number}.local", do=True, flags=wire.RD | (wire.CD if number % 2 else 0)))
        assert all(is_proven(wire.parse(client.receive())) for client in clients)
    assert len(server.queries) == 1


def test_recursion_desired_is_needed_to_look_for_a_proof(daemon, server):
    assert is_unproven(daemon.ask("a.test", do=True, flags=0)) and not server.queries


@pytest.mark.parametrize("twist", [None, lambda query, truth: [], lies.says(rcode=NXDOMAIN, authority=[zone.soa()]),
                                   lies.says(rcode=2), lies.says("q=1")])
def test_an_upstream_without_proof_changes_nothing(daemon, server, twist):
    """The upstream's response: None: NODATA; then none, unsigned, SERVFAIL, positive."""
    begun = time.monotonic()
    with server.lying(twist=twist):
        assert is_unproven(daemon.ask("a.local", do=True))
        assert time.monotonic() - begun < 2.5 * SLACK  # stale-answer-after
        begun = time.monotonic()
        assert is_unproven(daemon.ask("b.local", do=True))
        assert time.monotonic() - begun < 1 * SLACK  # that is remembered


def test_an_upstream_that_cannot_be_reached_changes_nothing(make_daemon, server):
    server.refuse()
    daemon = make_daemon(server, cache={"stale-answer-after": "30s"}, limits={"answer-by": "700ms"})
    for number in range(3):
        assert is_unproven(daemon.ask(f"n{number}.onion", do=True))


def test_without_special_proof_nothing_leaves(make_daemon, server):
    daemon = make_daemon(server, special={"proof": False})
    assert is_unproven(daemon.ask("a.onion", do=True)) and not server.queries


def test_zones_that_are_delegated_without_ds_need_no_proof(daemon, server):
    response = daemon.ask("printer.home.arpa", do=True)
    assert response.rcode() == NXDOMAIN and soa_owner(response) == "home.arpa." and not server.queries


def test_single_label_names_are_refused_on_demand(make_daemon, server):
    """Only the types that look for a host."""
    daemon = make_daemon(server, **{"single-label": "refuse"})
    for kind in ("A", "AAAA", "HTTPS", "SVCB"):
        assert daemon.ask("printer", kind).rcode() == 5
    assert server.queries == []
    assert daemon.ask("printer", "TXT").rcode() in (0, NXDOMAIN)
    assert daemon.ask("com", "DS").rcode() in (0, NXDOMAIN)
    assert daemon.ask("printer.example", "A").rcode() in (0, NXDOMAIN)
    assert {(query.name.rstrip("."), query.type) for query in server.queries} == {("printer", 16), ("com", 43), ("printer.example", 1)}
    assert wire.addresses(daemon.ask("localhost", "A")) == ["127.0.0.1"]
