# SPDX-License-Identifier: MIT
"""Responses through the daemon equal those of the server: with dig and kdig, two real servers and the lying server."""
import collections
import re
import struct
import time

import dns.message
import pytest

import lies
import wire
import zone
from processes import eventually

HELD = [("a", "A"), ("a", "AAAA"), ("a", "TXT"), ("a", "HTTPS"), ("a", "MX"), ("alias", "A"), ("alias", "AAAA"), ("", "MX"),
        ("", "SOA"), ("", "NS"), ("", "CAA"), ("x.wild", "A"), ("_dns._udp", "SRV"), ("naptr", "NAPTR"), ("large", "TXT"),
        ("nope", "A"), ("alias", "TXT")]


@pytest.fixture
def real(make_daemon, real_server):
    daemon = make_daemon(real_server)
    daemon.server = real_server
    return daemon


def full(name):
    return f"{name}.real.example".lstrip(".")


def same_data(answer, truth):
    assert answer.rcode() == truth.rcode()
    for section in ("answer", "authority"):
        assert wire.texts(answer, section) == wire.texts(truth, section)
        for given, held in zip(wire.ttls(answer, section), wire.ttls(truth, section)):
            assert given <= held


def sections(output):
    """The records in the output of dig, without TTLs."""
    lines = [line.split(None, 4) for line in output.splitlines() if line and not line.startswith(";")]
    return sorted((owner.lower(), rdtype, re.sub(r'[\s"]+', " ", data).strip()) for owner, _, _, rdtype, data in lines)


@pytest.mark.parametrize("name, rdtype", HELD)
def test_responses_match_the_zone_of_the_server(real, name, rdtype):
    truth = real.server.ask(full(name), rdtype)
    for tcp in (True, False):
        for _ in range(2):  # from the upstream, then from the cache
            answer = real.ask(full(name), rdtype, tcp=tcp, size=4096)
            if not answer.flags & wire.TC:
                same_data(answer, truth)
            assert not answer.flags & wire.AA


def test_dnssec_records_are_passed_on(real):
    truth = real.server.ask("a.real.example", "A", do=True)
    assert "RRSIG" in [rdtype for _, rdtype, _ in wire.texts(truth)]
    same_data(real.ask("a.real.example", do=True), truth)
    assert "RRSIG" not in [rdtype for _, rdtype, _ in wire.texts(real.ask("a.real.example"))]


def test_a_name_that_does_not_exist(real):
    for _ in range(2):
        output = real.dig("nope.real.example")
        assert "status: NXDOMAIN" in output and "ANSWER: 0" in output and "real.example." in output


@pytest.mark.parametrize("tool", ["dig", "kdig"])
@pytest.mark.parametrize("transport", [[], ["+tcp"]])
@pytest.mark.parametrize("rdtype, data", [("A", "198.51.100.7"), ("AAAA", "2001:db8::7"), ("TXT", "some text"),
                                          ("HTTPS", "alpn")])
def test_dig_prints_the_record(real, tool, transport, rdtype, data):
    for _ in range(2):
        output = real.dig("a.real.example", rdtype, *transport, tool=tool)
        assert "NOERROR" in output and data in output


def test_dig_keeps_a_connection_open(real):
    names = ["a.real.example", "alias.real.example", "mail.real.example", "nope.real.example", "a.real.example"]
    output = real.dig("+tcp", "+keepopen", *names)
    assert output.count("status: NOERROR") == 4 and output.count("status: NXDOMAIN") == 1
    output = real.dig("+tcp", "+keepopen", *names, tool="kdig")
    assert output.count("status: NOERROR") == 4 and output.count("status: NXDOMAIN") == 1


def test_dig_with_dnssec(real):
    output = real.dig("+dnssec", "a.real.example")
    assert "RRSIG" in output and re.search(r"flags: do; udp: 1232", output)


def test_dig_without_edns(real):
    output = real.dig("+noedns", "a.real.example")
    assert "OPT PSEUDOSECTION" not in output and "198.51.100.7" in output


def test_a_large_response_comes_over_tcp_after_truncation(real):
    held = wire.texts(real.server.ask("large.real.example", "TXT"))
    output = real.dig("+bufsize=512", "+ignore", "large.real.example", "TXT")
    assert re.search(r"flags: qr tc rd ra", output) and "ANSWER: 0" in output
    output = real.dig("+bufsize=512", "large.real.example", "TXT")
    assert "retrying in TCP mode" in output
    assert wire.texts(real.ask("large.real.example", "TXT", tcp=True)) == held
    assert "0011yyyy" in output


def test_a_large_response_over_tcp(real):
    output = real.dig("+tcp", "+bufsize=512", "large.real.example", "TXT")
    assert "0011yyyy" in output and "Truncated" not in output


def test_reverse_lookup(real):
    assert "a.real.example." in real.dig("+short", "-x", "8.8.8.7")


@pytest.mark.parametrize("arguments", [["+short"], ["+noall", "+answer"], ["+nocookie"], ["+cookie"], ["+subnet=192.0.2.0/24"],
                                       ["+nsid"], ["+padding=128"], ["+keepalive", "+tcp"], ["+expire"], ["+cdflag"],
                                       ["+adflag"], ["+noadflag"], ["+bufsize=4096"], ["+ednsopt=65001:beef"]])
def test_dig_options(real, arguments):
    assert "198.51.100.7" in real.dig(*arguments, "a.real.example")


def test_both_families(real):
    for address in ("127.0.0.1", "::1"):
        for tcp in (False, True):
            assert wire.addresses(real.ask("a.real.example", address=address, tcp=tcp)) == ["198.51.100.7"]


def test_ttls_count_down(real):
    first = wire.ttls(real.ask("mail.real.example"))[0]
    assert first <= 300
    later = eventually(lambda: [ttl for ttl in wire.ttls(real.ask("mail.real.example")) if ttl < first], what="a lower TTL")
    assert first - 2 <= later[0] < first


# With the lying server, which counts queries.

def test_ttls_count_down_to_a_new_upstream_query(make_daemon, server):
    daemon = make_daemon(server, cache={"prefetch": False, "serve-stale": "0"})
    seen = []

    def entry_expired():
        seen.append(wire.ttls(daemon.ask("ttl2.example"))[0])
        return len(server.queries) == 2

    eventually(entry_expired, what="the end of the TTL")
    assert 2.9 > server.queries[1].time - server.queries[0].time > 1.9
    assert sorted(set(seen), reverse=True) in ([2, 1], [2, 1, 0])
    assert seen[-1] == 2


def test_rd0_gets_no_stale_response(make_daemon, server):
    daemon = make_daemon(server, cache={"prefetch": False})
    with server.lying(twist=lies.ttl(1)):
        assert wire.addresses(daemon.ask("a.example")) == [zone.address("a.example")]
        assert wire.addresses(daemon.ask("a.example", flags=0)) == [zone.address("a.example")]
    server.refuse()
    server.kill()

    def expired():
        answer = daemon.ask("a.example", edns=True)
        return answer if 3 in [code for code, _ in wire.extended_errors(answer)] else None

    stale = eventually(expired, what="an expired answer")
    assert wire.ttls(stale) == [30]
    answer = daemon.ask("a.example", flags=0, edns=True)
    assert answer.rcode() == 5 and [code for code, _ in wire.extended_errors(answer)] == [20]


def rrsig(name, expires):
    """A signature of an A record of this name, as to its form."""
    data = struct.pack("!HBBIIIH", zone.A, 13, 2, 300, int(expires), int(expires) - 86400, 1) + wire.name_wire("example") + b"x" * 64
    return wire.rr(name, "RRSIG", data, 1)


def types(response):
    return [rdtype for section in ("answer", "authority") for _, rdtype, _ in wire.texts(response, section)]


def signed(query, truth):
    """Signatures and a proof with each response, whether requested or not."""
    soa, nsec = zone.soa(), wire.rr("m.example", "NSEC", wire.name_wire("o.example") + b"\0\1\2")
    answers = [wire.rr(query.name, query.type, data) for data in zone.data(query.name, query.type, {})]
    negative = query.name.startswith("nx")
    return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | (3 if negative else 0),
                         question=wire.question_section(query.data),
                         answers=[] if negative else [*answers, rrsig(query.name, time.time() + 1000)],
                         authority=[soa, nsec, rrsig("m.example", time.time() + 1000)] if negative else [],
                         additional=[wire.opt()])]


def test_a_name_that_does_not_exist_has_no_type(make_daemon, server):
    """One upstream query serves all types; behind an alias each type needs its own. The same holds for expired data."""
    daemon = make_daemon(server, cache={"prefetch": False})
    for tcp in (False, True):
        for rdtype in ("A", "AAAA", "TXT", "DS", "A"):
            for name in (f"t{tcp:d}.nx.soa1-1.example", f"cname1.t{tcp:d}.nx.example"):
                response = daemon.ask(name, rdtype, tcp=tcp)
                assert response.rcode() == 3 and response.question[0].rdtype == wire.type_number(rdtype)
    assert len(server.queries_for("t1.nx.soa1-1.example")) <= 2
    assert len(server.queries_for("cname1.t0.nx.example")) == len(server.queries_for("cname1.t1.nx.example")) == 4
    server.refuse()
    server.kill()

    def stale():
        response = daemon.ask("t0.nx.soa1-1.example", "MX", edns=True)
        return response if 19 in [code for code, _ in wire.extended_errors(response)] else None

    assert eventually(stale, what="a stale NXDOMAIN").rcode() == 3
    assert {query.type for query in server.queries_for("t0.nx.soa1-1.example")} <= {zone.A, zone.AAAA, zone.TXT, zone.MX, 43}


def test_one_entry_serves_clients_with_do_and_without(daemon, server):
    with server.lying(twist=signed):
        for tcp in (False, True):
            names = {f"a{tcp:d}.example": (["A"], ["A", "RRSIG"]), f"nx{tcp:d}.example": (["SOA"], ["NSEC", "RRSIG", "SOA"])}
            for name, (plain, full) in names.items():
                for do in (True, False, True, False):
                    assert sorted(types(daemon.ask(name, do=do, tcp=tcp))) == (full if do else plain)
                assert len(server.queries_for(name)) == 1


def test_an_entry_without_do_serves_only_clients_without_do(daemon, server):
    """DNSSEC records that the client did not request are left out."""
    with server.lying(twist=signed):
        for do, asked in ((False, 1), (False, 1), (True, 2), (False, 2), (True, 2)):
            assert sorted(types(daemon.ask("a.example", do=do))) == (["A", "RRSIG"] if do else ["A"])
            assert len(server.queries_for("a.example")) == asked
        for _ in range(2):
            assert types(daemon.ask("b.example", "RRSIG")) == ["RRSIG"]


def test_stale_responses_keep_ad(make_daemon, server):
    """Clients with AD or DO get AD, unless a signature has expired meanwhile."""
    daemon = make_daemon(server, cache={"prefetch": False})
    lasting, ending, plain, doubtful = "lasting.example", "ending.example", "plain.example", "doubtful.example"
    end = time.time() + 1

    def twist(query, truth):
        message = lies.says("q=1", ttl=1)(query, truth)[0]
        if query.name == doubtful:
            return [message]
        message = message[:3] + bytes([message[3] | wire.AD]) + message[4:]
        if query.name == plain:
            return [message]
        signature = rrsig(query.name, end if query.name == ending else end + 1000)
        at = len(message) - len(wire.opt())
        return [message[:6] + b"\0\2" + message[8:at] + signature + message[at:]]

    names = {lasting: True, ending: True, plain: False, doubtful: False}
    with server.lying(twist=twist):
        for name, do in names.items():
            assert bool(daemon.ask(name, do=do, edns=True, flags=wire.RD | wire.AD).flags & wire.AD) == (name != doubtful)
    server.refuse()
    server.kill()

    def stale(name, **how):
        response = daemon.ask(name, do=names[name], edns=True, **how)
        return response if 3 in [code for code, _ in wire.extended_errors(response)] else None

    eventually(lambda: time.time() > end + 1 and all(stale(name) for name in names), what="stale responses")
    for tcp in (False, True):
        for name in names:
            authentic = bool(stale(name, flags=wire.RD | wire.AD, tcp=tcp).flags & wire.AD)
            assert authentic == (name in (lasting, plain))
        assert not stale(plain).flags & wire.AD and stale(lasting).flags & wire.AD


def test_a_cached_response_equals_the_first(daemon, server):
    for name, rdtype in [("a.example", "A"), ("cname5.a.example", "A"), ("many20.example", "A"), ("big3000.example", "TXT"),
                         ("https3.example", "HTTPS"), ("nx.example", "A"), ("nodata.example", "AAAA"), ("glue.example", "A")]:
        first, second = (daemon.ask(name, rdtype, tcp=True) for _ in range(2))
        assert first.rcode() == second.rcode()
        for section in ("answer", "authority", "additional"):
            assert wire.texts(first, section) == wire.texts(second, section)
        assert len(server.queries_for(name)) == 1


@pytest.mark.parametrize("size", [10_000, 30_000, 65_000])
def test_responses_of_up_to_64_kib(daemon, server, size):
    for _ in range(2):
        answer = daemon.ask(f"big{size}.example", "TXT", tcp=True)
        assert sum(len(text) + 1 for text in answer.answer[0][0].strings) == size
    assert len(server.queries) == 1


# Only the records of the query's chain, in its order.

CHAINS = {  # records of the server: records for clients
    "q>t t=1": "q>t t=1",
    "t=1 q>t": "q>t t=1",
    "t3=1 t2>t3 t1>t2 q>t1": "q>t1 t1>t2 t2>t3 t3=1",
    "t1>t2 q>t1 t2=1": "q>t1 t1>t2 t2=1",
    "q>t1 t2=1 t1>t2": "q>t1 t1>t2 t2=1",
    "stranger.example=66 q>t t=1": "q>t t=1",
    "q>t stranger.example=66 t=1 u=66": "q>t t=1",
    "q=1 stranger.example=66": "q=1",
    "stranger.example=66 stranger.example>q q=1": "q=1",
}


def in_order(response, name, section="answer"):
    """The records as in lies.records."""
    def label(owner):
        owner = owner.to_text().rstrip(".").lower()
        return "q" if owner == name else owner.removesuffix("." + name)
    return " ".join(f"{label(rrset.name)}>{label(record.target)}" if rrset.rdtype == zone.CNAME else
                    f"{label(rrset.name)}={record.address.rsplit('.', 1)[1]}"
                    for rrset in getattr(response, section) for record in rrset)


@pytest.mark.parametrize("said, given", CHAINS.items())
def test_records_leave_in_the_order_of_the_chain(make_daemon, server, said, given):
    """In fresh, cached and stale responses."""
    daemon = make_daemon(server, cache={"prefetch": False})
    with server.lying(twist=lies.says(said, ttl=1)):
        for tcp in (False, True):
            for name in (f"udp{tcp:d}.example", f"tcp{tcp:d}.example"):
                for _ in range(2):
                    assert in_order(daemon.ask(name, tcp=tcp), name) == given
    server.refuse()
    server.kill()

    def stale():
        response = daemon.ask("udp0.example", edns=True)
        return response if 3 in [code for code, _ in wire.extended_errors(response)] else None

    assert in_order(eventually(stale, what="a stale response"), "udp0.example") == given
    assert in_order(daemon.ask("udp0.example", tcp=True), "udp0.example") == given


def test_names_are_compressed_if_the_server_does_not(daemon, server):
    """As short as dnspython writes them; fresh and cached."""
    spelled = "q>alias alias=1"
    with server.lying(twist=lies.says(spelled, [zone.soa(300, 40)])):
        for _ in range(2):
            with daemon.tcp() as client:
                client.send(wire.query("compress.example"))
                response = client.receive()
            parsed = dns.message.from_wire(response)
            assert in_order(parsed, "compress.example") == spelled
            assert len(response) == len(parsed.to_wire())
    assert len(server.queries_for("compress.example")) == 1


def test_records_off_the_chain_do_not_change_a_negative_response(daemon, server):
    """Records off the chain make no response positive, and do not change its TTL."""
    for rcode in (0, 3):
        for said in ("stranger.example=66", "q>t stranger.example=66"):
            name = f"r{rcode}{len(said)}.example"
            with server.lying(twist=lies.says(said, [zone.soa(300, 40)], rcode=rcode, ttl=3)):
                response = daemon.ask(name)
                assert response.rcode() == rcode and in_order(response, name) == said.removesuffix("stranger.example=66").strip()
            ttl = 3 if ">" in said else 40
            assert ttl - 1 <= wire.ttls(daemon.ask(name), "authority")[0] <= ttl
            assert len(server.queries_for(name)) == 1


def test_other_sections_have_only_records_in_the_bailiwick_of_the_chain(daemon, server):
    authority = [wire.rr("example", "NS", wire.name_wire("ns.example")), wire.rr("victim.test", "NS", wire.name_wire("ns.evil.test"))]
    with server.lying(twist=lies.says("q>t t=1", authority, "t=1 ns.example=2 ns.evil.test=66 stranger.example=66")):
        for _ in range(2):
            response = daemon.ask("beside.example", tcp=True)
            assert wire.texts(response, "authority") == [("example.", "NS", "ns.example.")]
            assert in_order(response, "beside.example", "additional") == "t=1 ns.example=2"


def test_records_of_an_rrset_rotate(make_daemon, server):
    """Each record is first in about the same number of responses, also with other queries in between."""
    daemon = make_daemon(server, cache={"prefetch": False})
    with server.lying(twist=lies.says("q>t t=1 t=2 t=3 t=4")):
        daemon.ask("alias.example")
    with server.lying(twist=lies.says("q=1 q=2 q=3 q=4")):
        for name in ("plain.example", "signed.example"):
            daemon.ask(name, do=name.startswith("signed"))
    for name in ("alias.example", "plain.example", "signed.example"):
        for tcp in (False, True):
            firsts = collections.Counter()
            for _ in range(200):
                response = daemon.ask(name, tcp=tcp, do=name.startswith("signed"))
                daemon.ask("plain.example", tcp=tcp)
                order = in_order(response, name)
                assert order.startswith("q>t t=") == (name == "alias.example")
                addresses = re.findall(r"=(\d)", order)
                assert sorted(addresses) == ["1", "2", "3", "4"]
                firsts[addresses[0]] += 1
            assert len(firsts) == 4 and min(firsts.values()) >= 20
    assert len(server.queries) == 3


def test_rotation_can_be_turned_off(make_daemon, server):
    daemon = make_daemon(server, cache={"rotate": False})
    with server.lying(twist=lies.says("q=1 q=2 q=3")):
        for _ in range(20):
            assert in_order(daemon.ask("fixed.example"), "fixed.example") == "q=1 q=2 q=3"


def test_records_beside_the_answer_are_left_out_when_they_expire(make_daemon, server):
    """Their TTLs do not limit that of the entry. Each record is sent once, even with TTL 0."""
    daemon = make_daemon(server, cache={"prefetch": False})
    name = "host.example"
    srv = wire.rr(name, "SRV", struct.pack("!3H", 1, 1, 443) + wire.name_wire("t." + name), 3)

    def twist(query, truth):
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA, question=wire.question_section(query.data),
                             answers=[srv], authority=[wire.rr("example", "NS", wire.name_wire("ns.example"), 0)],
                             additional=[wire.rr("t." + name, "A", b"\x0b\0\0\1", 1), wire.rr("t." + name, "TXT", b"\1x", 100),
                                         wire.rr("ns.example", "A", b"\x0b\0\0\2", 0), wire.opt()])]

    def besides(**how):
        response = daemon.ask(name, "SRV", edns=True, **how)
        assert wire.texts(response) == [(name + ".", "SRV", f"1 1 443 t.{name}.")]
        return [rdtype for section in ("authority", "additional") for _, rdtype, _ in wire.texts(response, section)], response

    with server.lying(twist=twist):
        assert sorted(besides()[0]) == ["A", "A", "NS", "TXT"]
        assert besides()[0] == ["A", "TXT"]
        eventually(lambda: besides()[0] == ["TXT"], what="the end of the address")
        for tcp in (False, True):
            found, response = besides(tcp=tcp)
            assert found == ["TXT"] and 0 < wire.ttls(response)[0] < 3
        assert len(server.queries) == 1
    server.refuse()
    server.kill()
    eventually(lambda: 3 in [code for code, _ in wire.extended_errors(besides()[1])], what="a stale response")
    for tcp in (False, True):
        found, response = besides(tcp=tcp)
        assert found == ["TXT"] and wire.ttls(response) == [30] and wire.ttls(response, "additional") == [30]


def test_ttl_zero_is_not_cached(daemon, server):
    for number in range(3):
        assert wire.ttls(daemon.ask("ttl0.example")) == [0]
        assert len(server.queries) == number + 1


def test_ttl_limits(make_daemon, server):
    daemon = make_daemon(server, cache={"min-ttl": "30s", "max-ttl": "100s", "negative-max-ttl": "50s"})
    for _ in range(2):
        assert 29 <= wire.ttls(daemon.ask("ttl5.example"))[0] <= 30
        assert wire.ttls(daemon.ask("ttl0.example")) == [0]
        assert 99 <= wire.ttls(daemon.ask("ttl500.example"))[0] <= 100
        assert 49 <= wire.ttls(daemon.ask("nx.soa500-500.example"), "authority")[0] <= 50
        for name in ("nx.soa20-500.example", "nodata.soa500-20.example", "cname1.ttl20.nx.example"):
            assert 19 <= wire.ttls(daemon.ask(name), "authority")[0] <= 20


@pytest.mark.parametrize("name, ttl", [("nx.soa100-40.example", 40), ("nx.soa40-100.example", 40),
                                       ("nodata.soa100-40.example", 40), ("cname2.ttl20.nx.soa100-40.example", 20)])
def test_the_soa_limits_the_ttl_of_a_negative_response(daemon, server, name, ttl):
    for _ in range(2):
        assert ttl - 1 <= wire.ttls(daemon.ask(name), "authority")[0] <= ttl
    assert len(server.queries) == 1


def test_a_negative_response_without_soa_is_not_cached(daemon, server):
    for number in range(2):
        assert daemon.ask("nx.nosoa.example").rcode() == 3
        assert len(server.queries) == number + 1


def test_names_of_one_zone_do_not_mix(daemon):
    for number in range(200):
        name = f"n{number}.example"
        assert wire.addresses(daemon.ask(name)) == [zone.address(name)]
        assert wire.addresses(daemon.ask(name, "AAAA")) == [zone.address6(name)]
