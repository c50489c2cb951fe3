# SPDX-License-Identifier: MIT
"""Steps that change answers: filter-aaaa, dns64, sort-addresses, single-label: search."""
import ipaddress
import json

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.reversename
import dns.rrset
import pytest

import wire
from clients import UdpClient
from processes import eventually
from test_control import control
from test_ctl import ctl
from test_reload import make_reloadable  # noqa: F401

WELL_KNOWN = "64:ff9b::/96"
SOA = "ns.example. host.example. 1 7200 3600 604800 {}"


def zone(table, rcode=dns.rcode.NXDOMAIN, minimum=100):
    """A twist: the responses are made of {(name, type): records}; `rcode` for names that are not in it."""
    known = {name for name, _ in table}

    def twist(query, truth):
        response = dns.message.make_response(dns.message.from_wire(query.data))
        response.flags |= dns.flags.RA
        name, rdtype = query.name.lower().rstrip("."), dns.rdatatype.to_text(query.type)
        for text in table.get((name, rdtype), ()):
            owner, ttl, kind, data = text.split(" ", 3)
            data += "." if kind in ("CNAME", "PTR") else ""
            response.answer.append(dns.rrset.from_text(owner + ".", int(ttl), "IN", kind, data))
        if not response.answer:
            response.set_rcode(0 if name in known else rcode)
            if response.rcode() in (0, dns.rcode.NXDOMAIN):
                response.authority.append(dns.rrset.from_text("example.", 300, "IN", "SOA", SOA.format(minimum)))
        return [response.to_wire(max_size=65535)]
    return twist


def records(answer):
    return [(str(rrset.name).rstrip(".").lower(), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype), sorted(str(data).rstrip(".") for data in rrset))
            for rrset in answer.answer]


def ask(daemon, source, name, rdtype="A", **parts):
    with UdpClient("127.0.0.1", daemon.port, source=(source, 0)) as client:
        return client.ask(name, rdtype, **parts)



# DNS64.

NAMES = {
    ("v4.example", "A"): ["v4.example 200 A 192.0.2.33", "v4.example 200 A 198.51.100.1"],
    ("both.example", "A"): ["both.example 200 A 192.0.2.33"],
    ("both.example", "AAAA"): ["both.example 200 AAAA 2001:db8::1"],
    ("mapped.example", "A"): ["mapped.example 50 A 192.0.2.33"],
    ("mapped.example", "AAAA"): ["mapped.example 200 AAAA ::ffff:192.0.2.33"],
    ("alias.example", "A"): ["alias.example 200 CNAME next.example", "next.example 40 CNAME v4.example", "v4.example 200 A 192.0.2.33"],
    ("alias.example", "AAAA"): ["alias.example 200 CNAME next.example", "next.example 40 CNAME v4.example"],
    ("private.example", "A"): ["private.example 200 A 192.168.1.1"],
    ("mixed.example", "A"): ["mixed.example 200 A 10.0.0.1", "mixed.example 200 A 192.0.2.1"],
    ("text.example", "TXT"): ["text.example 200 TXT x"],
    ("33.0.2.11.in-addr.arpa", "PTR"): ["33.0.2.11.in-addr.arpa 77 PTR v4.example"],
}


@pytest.fixture
def nat64(make_daemon, server):
    server.twist = zone(NAMES)
    return make_daemon(server, dns64={"prefix": WELL_KNOWN})


@pytest.mark.parametrize("tcp", [False, True])
def test_names_with_ipv4_only_get_ipv6_addresses(nat64, server, tcp):
    wanted = [("v4.example", 100, "AAAA", ["64:ff9b::c000:221", "64:ff9b::c633:6401"])]
    for _ in range(2):  # a miss, and a hit
        answer = nat64.ask("V4.example", "AAAA", tcp=tcp)
        assert answer.rcode() == 0 and str(answer.question[0].name) == "V4.example."
        (rrset,) = answer.answer
        assert str(rrset.name) in ("V4.example.", "v4.example.") and 95 <= rrset.ttl <= 100
        assert sorted(map(str, rrset)) == wanted[0][3] and not answer.authority and not answer.flags & dns.flags.AD
    assert len(server.queries_for("v4.example", "AAAA")) == len(server.queries_for("v4.example", "A")) == 1
    assert "dotstub_responses_dns64_total 2\n" in control(nat64, "/metrics").body


def test_other_answers_stay_as_they_are(nat64):
    assert records(nat64.ask("both.example", "AAAA")) == [("both.example", 200, "AAAA", ["2001:db8::1"])]
    assert records(nat64.ask("v4.example", "A"))[0][3] == ["192.0.2.33", "198.51.100.1"]
    for name in "private.example", "text.example":
        answer = nat64.ask(name, "AAAA")
        assert answer.rcode() == 0 and not answer.answer and answer.authority
    assert nat64.ask("no.example", "AAAA").rcode() == dns.rcode.NXDOMAIN
    assert not nat64.ask("v4.example", "AAAA", flags=wire.RD | wire.CD, do=True).answer
    assert nat64.ask("v4.example", "AAAA", do=True).answer and nat64.ask("v4.example", "AAAA", flags=wire.RD | wire.CD).answer


def test_addresses_of_no_use_are_replaced(nat64):
    assert records(nat64.ask("mapped.example", "AAAA")) == [("mapped.example", 50, "AAAA", ["64:ff9b::c000:221"])]
    assert records(nat64.ask("mixed.example", "AAAA"))[0][3] == ["64:ff9b::c000:201"]


def test_aliases_are_kept(nat64):
    for _ in range(2):
        assert [(owner, kind, data) for owner, _, kind, data in records(nat64.ask("alias.example", "AAAA"))] == [
            ("alias.example", "CNAME", ["next.example"]), ("next.example", "CNAME", ["v4.example"]), ("v4.example", "AAAA", ["64:ff9b::c000:221"])]


def test_a_server_that_fails_for_aaaa(make_daemon, server):
    ok = zone(NAMES)
    server.twist = lambda query, truth: [wire.message(id=query.question.id, flags=wire.QR | wire.RA | wire.RD | 2,
                                                      question=wire.question_section(query.data))] if query.type == 28 else ok(query, truth)
    daemon = make_daemon(server, dns64={"prefix": WELL_KNOWN})
    assert records(daemon.ask("v4.example", "AAAA"))[0][3] == ["64:ff9b::c000:221", "64:ff9b::c633:6401"]
    assert daemon.ask("text.example", "AAAA").rcode() == dns.rcode.SERVFAIL


@pytest.mark.parametrize("prefix, address", [("2001:db8::/32", "2001:db8:c000:221::"), ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
                                             ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"), ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
                                             ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0"), ("2001:db8:122:344::/96", "2001:db8:122:344::c000:221")])
def test_prefixes_of_all_lengths(make_daemon, server, prefix, address):
    """The examples of RFC 6052 section 2.4."""
    server.twist = zone(NAMES)
    daemon = make_daemon(server, dns64={"prefix": prefix})
    assert records(daemon.ask("both.example", "AAAA"))[0][3] == ["2001:db8::1"]
    assert records(daemon.ask("mapped.example", "AAAA"))[0][3] == [str(ipaddress.ip_address(address))]
    answer = daemon.ask(str(dns.reversename.from_address(address)), "PTR")
    assert [record[2:] for record in records(answer)] == [("CNAME", ["33.2.0.192.in-addr.arpa"])]


def test_names_of_addresses(nat64, server):
    for _ in range(2):
        answer = nat64.ask(str(dns.reversename.from_address("64:ff9b::11.2.0.33")), "PTR")
        assert [record[2:] for record in records(answer)] == [("CNAME", ["33.0.2.11.in-addr.arpa"]), ("PTR", ["v4.example"])]
    absent = nat64.ask(str(dns.reversename.from_address("64:ff9b::11.2.0.34")), "PTR")
    assert absent.rcode() == dns.rcode.NXDOMAIN and absent.answer[0].rdtype == dns.rdatatype.CNAME
    # The name of a private address is answered here, as ever.
    private = nat64.ask(str(dns.reversename.from_address("64:ff9b::10.0.0.1")), "PTR")
    assert private.rcode() == dns.rcode.NXDOMAIN and not server.queries_for("1.0.0.10.in-addr.arpa", "PTR")
    assert nat64.ask(str(dns.reversename.from_address("2001:db8::1")), "PTR").rcode() == dns.rcode.NXDOMAIN


def test_a_trace(nat64):
    told = json.loads(ctl(nat64, "--json", "trace", "v4.example", "AAAA"))
    assert told["rcode"] == "NOERROR" and {record["data"] for record in told["records"]} == {"64:ff9b::c000:221", "64:ff9b::c633:6401"}


def test_the_prefix_is_found(make_reloadable, make_server):  # noqa: F811
    public, router = make_server(), make_server()
    public.twist = zone(NAMES)
    router.twist = zone({("ipv4only.arpa", "AAAA"): ["ipv4only.arpa 300 AAAA 2001:db8:64::192.0.0.170", "ipv4only.arpa 300 AAAA 2001:db8:64::192.0.0.171"]})
    daemon = make_reloadable(public.upstream(), router.upstream(name="router", role="routed"), dns64={"prefix": "discover"},
                             forward=[{"zones": ["ipv4only.arpa"], "upstreams": ["router"]}])
    for _ in range(2):
        assert records(daemon.ask("mapped.example", "AAAA"))[0][3] == ["2001:db8:64::c000:221"]
    assert records(daemon.ask("both.example", "AAAA"))[0][3] == ["2001:db8::1"]
    assert len(router.queries) == 1
    router.twist = zone({})
    daemon.reload(forward=[])
    answer = daemon.ask("v4.example", "AAAA")
    assert answer.rcode() == 0 and not answer.answer
    assert not daemon.ask("v4.example", "AAAA").answer and len(public.queries_for("ipv4only.arpa", "AAAA")) == 1


def test_the_addresses_are_late(make_daemon, server):
    """The client gives up and retransmits; the daemon answers once both are there."""
    server.twist = zone(NAMES)
    server.delay = 0.3
    daemon = make_daemon(server, dns64={"prefix": WELL_KNOWN})
    with daemon.udp() as client:
        client.send(wire.query("v4.example", "AAAA"))
        eventually(lambda: server.queries_for("v4.example", "A"))
        client.send(wire.query("v4.example", "AAAA"))
        assert dns.message.from_wire(client.receive()).answer
    server.delay = 0


# filter-aaaa.

def test_ipv6_addresses_are_left_out(make_daemon, server):
    server.twist = zone({**NAMES, ("chain.example", "AAAA"): ["chain.example 200 CNAME both.example", "both.example 200 AAAA 2001:db8::1"]})
    daemon = make_daemon(server, **{"filter-aaaa": True, "filter-aaaa-clients": ["127.0.2.0/24"]})
    for _ in range(2):
        answer = ask(daemon, "127.0.2.1", "both.example", "AAAA")
        assert answer.rcode() == 0 and not answer.answer
        assert records(ask(daemon, "127.0.2.1", "chain.example", "AAAA")) == [("chain.example", 200, "CNAME", ["both.example"])]
        assert ask(daemon, "127.0.3.1", "both.example", "AAAA").answer and ask(daemon, "127.0.2.1", "both.example", "A").answer
        assert ask(daemon, "127.0.2.1", "no.example", "AAAA").rcode() == dns.rcode.NXDOMAIN
        assert ask(daemon, "127.0.2.1", "localhost", "AAAA").answer
    assert "dotstub_responses_filtered_total 4\n" in control(daemon, "/metrics").body
    assert len(server.queries_for("both.example", "AAAA")) == 1


def test_signed_answers_stay_whole_for_validating_clients(make_daemon, server):
    signature = "signed.example 200 RRSIG AAAA 8 2 200 20300101000000 20200101000000 1 example. AAAA"
    server.twist = zone({("signed.example", "AAAA"): ["signed.example 200 AAAA 2001:db8::1", signature]})
    daemon = make_daemon(server, **{"filter-aaaa": True})
    assert len(daemon.ask("signed.example", "AAAA", do=True).answer) == 2
    assert not daemon.ask("signed.example", "AAAA").answer


# sort-addresses.

def test_the_order_of_addresses(make_daemon, server):
    many = [f"many.example 200 A {address}" for address in ("203.0.113.1", "192.0.2.1", "198.51.100.1", "192.0.2.2", "203.0.113.2")]
    server.twist = zone({("many.example", "A"): many})
    daemon = make_daemon(server, **{"sort-addresses": ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"]})
    for _ in range(2):
        answer = daemon.ask("many.example")
        addresses = [str(data) for data in answer.answer[0]]  # cache.rotate changes the order within a network
        assert [address.rpartition(".")[0] for address in addresses] == ["192.0.2", "192.0.2", "198.51.100", "203.0.113", "203.0.113"]
        assert len(set(addresses)) == 5
    assert "dotstub_responses_sorted_total 2\n" in control(daemon, "/metrics").body


def test_more_addresses_than_are_sorted_stay_as_they_are(make_daemon, server):
    many = [f"many.example 200 A {'198.51.100' if number % 2 else '192.0.2'}.{number // 2}" for number in range(400)]
    server.twist = zone({("many.example", "A"): many})
    daemon = make_daemon(server, **{"sort-addresses": ["192.0.2.0/24"], "cache": {"rotate": False}})
    for _ in range(2):
        (rrset,) = daemon.ask("many.example", tcp=True).answer
        assert [str(data) for data in rrset] == [line.split()[-1] for line in many]
    assert "dotstub_responses_sorted_total 0\n" in control(daemon, "/metrics").body


def test_an_answer_without_its_signatures_is_sorted_and_filtered(make_daemon, server):
    """Signed responses are stored with their signatures, which most clients do not get."""
    many = [f"many.example 200 A {address}" for address in ("203.0.113.1", "192.0.2.1", "198.51.100.1", "192.0.2.2", "203.0.113.2")]
    signature = " 200 RRSIG {} 8 2 200 20300101000000 20200101000000 1 example. AAAA"
    server.twist = zone({("many.example", "A"): [*many, "many.example" + signature.format("A")],
                         ("chain.example", "AAAA"): ["chain.example 200 CNAME aaaa.example", "chain.example" + signature.format("CNAME"),
                                                     "aaaa.example 200 AAAA 2001:db8::1", "aaaa.example" + signature.format("AAAA")]})
    daemon = make_daemon(server, **{"sort-addresses": ["192.0.2.0/24", "198.51.100.0/24"], "filter-aaaa": True})
    assert len(daemon.ask("many.example", do=True).answer) == 2 and len(daemon.ask("chain.example", "AAAA", do=True).answer) == 4
    for _ in range(3):
        (rrset,) = daemon.ask("many.example").answer
        addresses = [str(data) for data in rrset]
        assert [address.rpartition(".")[0] for address in addresses] == ["192.0.2", "192.0.2", "198.51.100", "203.0.113", "203.0.113"]
        assert len(set(addresses)) == 5
        assert records(daemon.ask("chain.example", "AAAA")) == [("chain.example", 200, "CNAME", ["aaaa.example"])]


# single-label: search.

def searching(make_daemon, server, table, domains=("corp.example", "lab.example"), **options):
    server.twist = zone(table)
    return make_daemon(server, **{"single-label": "search", "search": list(domains)}, **options)


def test_the_first_domain_with_the_name(make_daemon, server):
    daemon = searching(make_daemon, server, {
        ("a.corp.example", "A"): ["a.corp.example 200 A 192.0.2.1"], ("a.lab.example", "A"): ["a.lab.example 200 A 192.0.2.2"],
        ("b.lab.example", "A"): ["b.lab.example 200 CNAME c.lab.example", "c.lab.example 200 A 192.0.2.3"]})
    for _ in range(2):
        assert records(daemon.ask("A")) == [("a", 60, "CNAME", ["a.corp.example"]), ("a.corp.example", 200, "A", ["192.0.2.1"])]
        assert [record[2:] for record in records(daemon.ask("b"))] == [("CNAME", ["b.lab.example"]), ("CNAME", ["c.lab.example"]), ("A", ["192.0.2.3"])]
        absent = daemon.ask("d")
        assert absent.rcode() == dns.rcode.NXDOMAIN and absent.authority[0].rdtype == dns.rdatatype.SOA
        nodata = daemon.ask("a", "AAAA")
        assert nodata.rcode() == 0 and not nodata.answer and nodata.authority
    assert not [query for query in server.queries if query.name.rstrip(".").count(".") == 0]
    assert {query.name for query in server.queries_for("d.corp.example", "A") + server.queries_for("d.lab.example", "A")}
    assert "dotstub_queries_searched_total 8\n" in control(daemon, "/metrics").body


def test_other_types_and_names_with_a_route_are_not_searched(make_daemon, make_server):
    server, other = make_server(), make_server()
    server.twist = other.twist = zone({})
    daemon = make_daemon(server.upstream(), other.upstream(name="other", role="routed"), forward=[{"zones": ["tv"], "upstreams": ["other"]}],
                         **{"single-label": "search", "search": ["corp.example"]})
    for name, rdtype in ("com", "DS"), ("com", "NS"), ("com", "SOA"), ("com", "DNSKEY"), (".", "NS"), ("tv", "A"), ("localhost", "A"):
        daemon.ask(name, rdtype)
    assert {query.name.rstrip(".") for query in server.queries} == {"com", ""}
    assert {query.name.rstrip(".") for query in other.queries} == {"tv"}


def test_names_of_a_route_and_local_names(make_daemon, make_server):
    public, corp = make_server(), make_server()
    public.twist, corp.twist = zone({}), zone({("intra.corp.example", "A"): ["intra.corp.example 200 A 10.0.0.1"]})
    daemon = make_daemon(public.upstream(), corp.upstream(name="corp", role="routed"), forward=[{"zones": ["corp.example"], "upstreams": ["corp"]}],
                         **{"single-label": "search", "search": ["corp.example", "localhost"]})
    assert records(daemon.ask("intra"))[1][3] == ["10.0.0.1"]
    assert records(daemon.ask("x"))[-1][3] == ["127.0.0.1"]  # x.localhost
    assert not public.queries


def test_a_domain_that_fails(make_daemon, server):
    def twist(query, truth, fine=zone({("b.lab.example", "A"): ["b.lab.example 200 A 192.0.2.3"]})):
        if "corp" not in query.name:
            return fine(query, truth)
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RA | wire.RD | 2, question=wire.question_section(query.data))]
    daemon = searching(make_daemon, server, {})
    server.twist = twist
    assert records(daemon.ask("b"))[1][3] == ["192.0.2.3"]
    assert daemon.ask("c").rcode() == dns.rcode.SERVFAIL


def test_search_and_dns64_together(make_daemon, server):
    daemon = searching(make_daemon, server, {("a.corp.example", "A"): ["a.corp.example 200 A 192.0.2.1"]}, dns64={"prefix": WELL_KNOWN})
    for _ in range(2):
        assert [record[2:] for record in records(daemon.ask("a", "AAAA"))] == [("CNAME", ["a.corp.example"]), ("AAAA", ["64:ff9b::c000:201"])]


def test_the_client_is_gone(make_daemon, server):
    daemon = searching(make_daemon, server, {("a.lab.example", "A"): ["a.lab.example 200 A 192.0.2.1"]})
    server.delay = 0.2
    with daemon.tcp() as client:
        client.send(wire.query("a"))
        eventually(lambda: server.queries)
        client.reset()
    server.delay = 0
    assert daemon.ask("a").rcode() == 0


def test_the_daemon_stops_meanwhile(make_daemon, server):
    daemon = searching(make_daemon, server, {})
    server.delay = 5
    with daemon.udp() as client:
        client.send(wire.query("a"))
        eventually(lambda: server.queries)
        daemon.stop()
