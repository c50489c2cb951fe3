# SPDX-License-Identifier: MIT
"""Queries of every kind, valid and invalid, and their responses."""
import random
import struct

import dns.flags
import dns.rcode
import dns.update
import pytest

import wire
import zone
from clients import Silence

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16


def rcode_of(data):
    return data[3] & 15


def answered(client, data):
    """Sends bytes, then a valid query; returns the response to the bytes, or None."""
    marker = wire.query("marker.example")
    while marker[:2] == data[:2]:
        marker = wire.query("marker.example")
    client.send(data)
    client.send(marker)
    first = client.receive()
    if first[:2] == marker[:2]:
        return None
    client.receive()
    return first


# No response.

@pytest.mark.parametrize("length", range(12))
def test_a_datagram_shorter_than_a_header_gets_no_response(daemon, length):
    with daemon.udp() as client:
        assert answered(client, wire.query("a.example")[:length]) is None


def test_a_response_to_us_gets_no_response(daemon):
    with daemon.udp() as client:
        assert answered(client, wire.query("a.example", flags=wire.QR | wire.RD)) is None
        assert answered(client, wire.message("a.example", flags=wire.QR | wire.RD | 5 << 11)) is None


# Headers that are refused.

@pytest.mark.parametrize("opcode", [1, 2, 3, 4, 5, 6, 15])
def test_another_opcode_is_not_implemented(daemon, server, opcode):
    data = wire.query("a.example", flags=opcode << 11 | wire.RD, edns=True)
    with daemon.udp() as client:
        answer = client.exchange(data)
    assert rcode_of(answer) == NOTIMP
    assert answer[:2] == data[:2] and answer[2] & 0x80 and answer[2] >> 3 & 15 == opcode
    assert len(answer) <= len(data) + 100
    assert not server.queries


def test_a_notification_with_an_opt_gets_an_opt(daemon):
    soa = wire.rr("a.example", "SOA", wire.name_wire("ns.example") + wire.name_wire("host.example") + b"\0" * 20, 0)
    answer = daemon.ask("a.example", "SOA", flags=4 << 11 | wire.AA, answers=[soa], do=True)
    assert answer.rcode() == NOTIMP and answer.edns == 0 and answer.ednsflags & dns.flags.DO and not answer.answer


def test_an_update_with_an_opt_gets_an_opt(daemon):
    """An update may have records of any type without data (RFC 2136 sections 2.4 and 2.5)."""
    update = dns.update.UpdateMessage("example")
    update.present("a", "A")
    update.absent("b")
    update.delete("a", "A")
    update.add("b", 60, "A", "192.0.2.1")
    update.use_edns(0)
    with daemon.udp() as client:
        answer = wire.parse(client.exchange(update.to_wire()))
    assert answer.rcode() == NOTIMP and answer.edns == 0 and 21 in [code for code, _ in wire.extended_errors(answer)]


def test_another_opcode_gets_an_extended_error(daemon):
    with daemon.udp() as client:
        answer = wire.parse(client.exchange(wire.query("a.example", flags=2 << 11, edns=True)))
    assert 21 in [code for code, _ in wire.extended_errors(answer)]


QUESTION = wire.name_wire("a.example") + b"\0\1\0\1"
BROKEN = {
    "no question": wire.message(question=b"", counts=(0, 0, 0, 0)),
    "two questions": wire.message(question=QUESTION * 2, counts=(2, 0, 0, 0)),
    "65,535 questions": wire.message(question=QUESTION, counts=(65535, 0, 0, 0)),
    "a question counted that is not there": wire.message(question=b"", counts=(1, 0, 0, 0)),
    "no type": wire.message(question=QUESTION[:-4], counts=(1, 0, 0, 0)),
    "half a class": wire.message(question=QUESTION[:-1], counts=(1, 0, 0, 0)),
    "a label that goes beyond the end": wire.message(question=b"\x3fabc\0\0\1\0\1"),
    "a name without end": wire.message(question=b"\1a\1b"),
    "a pointer in the question": wire.message(question=b"\xc0\x0c\0\1\0\1"),
    "a pointer behind a label": wire.message(question=b"\1a\xc0\x0c\0\1\0\1"),
    "a label of type 01": wire.message(question=b"\x41a\0\0\1\0\1"),
    "a label of type 10": wire.message(question=b"\x81a\0\0\1\0\1"),
    "a name of 256 bytes": wire.message(question=(b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"a" * 62 + b"\0\0\1\0\1"),
    "an answer counted that is not there": wire.message("a.example", counts=(1, 1, 0, 0)),
    "an authority counted that is not there": wire.message("a.example", counts=(1, 0, 1, 0)),
    "an additional counted that is not there": wire.message("a.example", counts=(1, 0, 0, 1)),
    "all counts at their largest": wire.message("a.example", counts=(1, 65535, 65535, 65535)),
    "two OPTs": wire.message("a.example", additional=[wire.opt(), wire.opt()]),
    "an OPT with an owner": wire.message("a.example", additional=[wire.opt(owner=wire.name_wire("b.example"))]),
    "an OPT cut short": wire.message("a.example", additional=[wire.opt()[:-1]]),
    "an OPT longer than the rest": wire.message("a.example", additional=[wire.opt()[:-2] + b"\0\5"]),
    "an option longer than its OPT": wire.message(
        "a.example", additional=[wire.opt()[:-2] + b"\0\5\0\x0f\0\xff\0"]),
    "half an option": wire.message("a.example", additional=[wire.opt()[:-2] + b"\0\3\0\x0f\0"]),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_malformed_query_is_a_format_error(daemon, server, broken):
    data = BROKEN[broken]
    with daemon.udp() as client:
        answer = answered(client, data)
    assert answer is not None and rcode_of(answer) == FORMERR
    assert answer[:2] == data[:2] and answer[2] & 0x80
    assert len(answer) <= len(data) + 11
    assert not server.queries_for("a.example")


@pytest.mark.parametrize("broken", BROKEN)
def test_a_malformed_query_over_tcp_is_a_format_error(daemon, broken):
    with daemon.tcp() as client:
        client.send(BROKEN[broken])
        answer = client.receive()
        assert answer is not None and rcode_of(answer) == FORMERR


@pytest.mark.parametrize("additional", [[], [wire.opt()]])
def test_bytes_behind_the_last_record_are_ignored(daemon, additional):
    sent = wire.message("a.example", additional=additional, tail=b"\0\0")
    with daemon.udp() as client:
        answer = answered(client, sent)
        assert rcode_of(answer) == NOERROR and answer[7] == 1 and answer[11] == len(additional)
    with daemon.tcp() as client:
        client.send(sent)
        assert rcode_of(client.receive()) == NOERROR


@pytest.mark.parametrize("questions", [b"", QUESTION + QUESTION])
def test_a_format_error_has_an_opt_if_the_query_had(daemon, questions):
    count = len(questions) // len(QUESTION)
    sent = wire.message(question=questions, additional=[wire.opt()], counts=(count, 0, 0, 1))
    with daemon.udp() as client:
        answer = answered(client, sent)
    assert rcode_of(answer) == FORMERR and answer[11] == 1 and len(answer) <= len(sent)


def test_a_later_edns_version_may_have_options_of_its_own(daemon):
    opt = wire.opt(version=1)
    with daemon.udp() as client:
        answer = answered(client, wire.message("a.example", additional=[opt[:-2] + b"\0\1\0"]))
    assert rcode_of(answer) == 0 and answer[11] == 1 and answer[-6] == 1  # BADVERS: the upper bits are in the OPT


def test_a_query_of_4096_bytes_over_udp(daemon):
    size = 4096 - len(wire.message("a.example", additional=[wire.opt()])) - 4
    padded = wire.opt(options=[(12, bytes(size))])
    sent = wire.message("a.example", additional=[padded])
    assert len(sent) == 4096
    with daemon.udp() as client:
        assert rcode_of(answered(client, sent)) == NOERROR


@pytest.mark.parametrize("version", [1, 2, 255])
def test_a_later_edns_version_is_badvers(daemon, server, version):
    answer = daemon.ask("a.example", version=version)
    assert answer.rcode() == BADVERS and answer.edns == 0
    assert not server.queries


# Types and classes.

@pytest.mark.parametrize("rdtype", [0, 41, 129, 200, 247, 248, 249, 250, 251, 252, 253, 254])
def test_meta_types_are_not_implemented(daemon, server, rdtype):
    for tcp in (False, True):
        answer = daemon.ask("a.example", rdtype, tcp=tcp, edns=True)
        assert answer.rcode() == NOTIMP and not answer.answer
    assert not server.queries


def test_an_incremental_transfer_with_its_soa_is_not_implemented(daemon, server):
    soa = wire.rr("a.example", "SOA", wire.name_wire("ns.example") + wire.name_wire("host.example") + b"\0" * 20, 0)
    for tcp in (False, True):
        answer = daemon.ask("a.example", "IXFR", tcp=tcp, authority=[soa], edns=True)
        assert answer.rcode() == NOTIMP and answer.edns == 0 and not answer.authority
    assert not server.queries


def test_a_meta_type_gets_an_extended_error(daemon):
    assert 30 in [code for code, _ in wire.extended_errors(daemon.ask("a.example", "AXFR", edns=True))]


def test_nxname_is_a_format_error(daemon, server):
    assert daemon.ask("a.example", 128).rcode() == FORMERR
    assert not server.queries


def test_any_is_a_type_like_others(daemon, server):
    for tcp in (False, True):
        answer = daemon.ask("a.example", "ANY", tcp=tcp)
        assert answer.rcode() == NOERROR and not answer.flags & wire.TC
    assert server.queries_for("a.example")


@pytest.mark.parametrize("klass", [0, 3, 4, 254, 255])
def test_other_classes_are_refused(daemon, server, klass):
    assert daemon.ask("a.example", klass=klass).rcode() == REFUSED
    assert not server.queries


@pytest.mark.parametrize("name", ["version.bind", "version.server", "hostname.bind", "id.server"])
def test_chaos_identity_is_refused_unless_enabled(daemon, server, name):
    assert daemon.ask(name, "TXT", klass=3).rcode() == REFUSED
    assert not server.queries


@pytest.mark.parametrize("rdtype", [250, 24])
def test_a_signed_query_is_not_implemented(daemon, server, rdtype):
    name = "key.example" if rdtype == 250 else ""
    data = wire.name_wire("hmac-sha256") + b"\0" * 6 + struct.pack("!HHHHH", 300, 0, 0, 0, 0)
    if rdtype == 24:
        data = struct.pack("!HBBIIIH", 0, 13, 0, 0, 0, 0, 1) + wire.name_wire("key.example") + b"signature"
    query = wire.message("a.example", additional=[wire.rr(name, rdtype, data, 0, 255)])
    with daemon.udp() as client:
        assert rcode_of(client.exchange(query)) == NOTIMP
    assert not server.queries


@pytest.mark.parametrize("rdtype", ["A", "AAAA", "TXT", "MX", "SRV", "HTTPS", "NS", "PTR", "DS", "DNSKEY", "URI", "TYPE1234",
                                    "TYPE65280"])
def test_data_types_are_forwarded(daemon, server, rdtype):
    question = wire.read_question(wire.query("a.example", rdtype))
    answer = daemon.ask("a.example", rdtype)
    truth = wire.parse(zone.answer(question, wire.query("a.example", rdtype)))
    assert answer.rcode() == NOERROR
    assert wire.texts(answer) == wire.texts(truth)
    assert wire.texts(answer, "authority") == wire.texts(truth, "authority")
    assert len(server.queries_for("a.example", rdtype)) == 1


# Names.

@pytest.mark.parametrize("name", ["", "x" * 63 + ".example", ".".join(["a"] * 123 + ["example"]), "a\0b.example",
                                  "_dns._udp.example", "a b.example", "\xff\xfe.example", "*.example"])
def test_unusual_names_are_valid(daemon, server, name):
    data = wire.query(name)
    with daemon.udp() as client:
        answer = client.exchange(data)
    assert rcode_of(answer) == NOERROR
    assert answer[12:12 + len(data) - 12] == data[12:]
    assert wire.addresses(wire.parse(answer)) == [zone.address(name)]


def test_letter_case_is_echoed_and_not_forwarded(daemon, server):
    with daemon.udp() as client:
        for name in ("MiXeD.eXample", "mixed.EXAMPLE", "mixed.example"):
            data = wire.query(name)
            answer = client.exchange(data)
            assert answer[12:len(data)] == data[12:]
            assert wire.addresses(wire.parse(answer)) == [zone.address("mixed.example")]
    assert [query.name for query in server.queries] == ["mixed.example"]


# Header and OPT of responses.

@pytest.mark.parametrize("name", ["a.example", "nx.example", "servfail.example", "localhost", "a.test"])
@pytest.mark.parametrize("flags", [wire.RD, wire.RD | wire.CD, wire.RD | wire.AD, wire.RD | wire.AA | wire.Z | wire.RA | wire.TC])
def test_flags_of_answers(daemon, name, flags):
    for tcp in (False, True):
        for _ in range(2):  # from upstream, from the cache
            answer = daemon.ask(name, flags=flags, tcp=tcp, edns=True)
            assert answer.flags & wire.QR and answer.flags & wire.RA
            assert not answer.flags & (wire.AA | wire.Z | wire.TC)
            assert answer.flags & (wire.RD | wire.CD) == flags & (wire.RD | wire.CD)


@pytest.mark.parametrize("name", ["a.example", "nx.example", "servfail.example", "localhost", "a.test"])
def test_a_response_has_an_opt_if_the_query_has(daemon, name):
    for _ in range(2):
        assert daemon.ask(name).edns == -1
        answer = daemon.ask(name, edns=True)
        assert answer.edns == 0 and answer.payload == 1232 and not answer.ednsflags & dns.flags.DO
        assert daemon.ask(name, do=True).ednsflags & dns.flags.DO


def test_ad_is_set_for_clients_that_request_it(daemon):
    for _ in range(2):
        assert not daemon.ask("ad.example").flags & wire.AD
        assert daemon.ask("ad.example", flags=wire.RD | wire.AD).flags & wire.AD
        assert daemon.ask("ad.example", do=True).flags & wire.AD
        assert not daemon.ask("a.example", do=True, flags=wire.RD | wire.AD).flags & wire.AD


def test_local_answers_are_never_authenticated(daemon):
    assert not daemon.ask("localhost", do=True, flags=wire.RD | wire.AD).flags & wire.AD


def test_an_extended_error_of_upstream_is_passed_on_with_its_name(daemon):
    for _ in range(2):  # the second one from the cache
        assert (15, "liar: said upstream") in wire.extended_errors(daemon.ask("ede15.example", edns=True))
        assert daemon.ask("ede15.example").edns == -1


# Data of the client that is not forwarded.

def test_options_of_clients_are_neither_forwarded_nor_echoed(daemon, server):
    options = [(wire.ECS, b"\0\1\x18\0\xc6\x33\x64"), (wire.COOKIE, b"12345678"), (65001, b"canary"), (3, b"")]
    answer = daemon.ask("a.example", options=options)
    assert [option.otype for option in answer.options if option.otype != wire.PADDING] == []
    codes = {code: data for code, data in server.queries[0].question.options}
    assert not {wire.COOKIE, 65001, 3} & codes.keys()
    assert codes[wire.ECS] in (b"\0\1\0\0", )


def test_the_upstream_query_is_our_own(daemon, server):
    with daemon.udp() as client:
        client.ask("A.eXample", flags=wire.RD | wire.Z, options=[(65001, b"x")], size=4096)
    question = server.queries[0].question
    assert question.flags == wire.RD | wire.AD
    assert question.name == "a.example"
    assert question.size % 128 == 0, "not padded"
    assert wire.PADDING in dict(question.options)
    assert dict(question.options)[wire.KEEPALIVE] == b""


def test_ecs_default_sends_no_subnet_option(make_daemon, server):
    daemon = make_daemon(server.upstream(ecs="default"))
    daemon.ask("a.example")
    assert wire.ECS not in dict(server.queries[0].question.options)


# Recursion not desired.

def test_without_recursion_desired_only_the_cache_answers(daemon, server):
    refused = daemon.ask("a.example", flags=0, edns=True)
    assert refused.rcode() == REFUSED and 20 in [code for code, _ in wire.extended_errors(refused)]
    assert not server.queries
    daemon.ask("a.example")
    cached = daemon.ask("a.example", flags=0)
    assert cached.rcode() == NOERROR and wire.addresses(cached) == [zone.address("a.example")]
    assert not cached.flags & wire.RD
    assert len(server.queries) == 1


def test_without_recursion_desired_no_lookup_is_joined(daemon, server):
    server.delay = 0.5
    with daemon.udp() as asking, daemon.udp() as snooping:
        asking.send(wire.query("a.example"))
        server.wait_for_queries("a.example")
        assert rcode_of(snooping.exchange(wire.query("a.example", flags=0))) == REFUSED
        assert rcode_of(asking.receive()) == NOERROR


# Retransmissions and shared lookups.

def test_a_retransmission_gets_one_answer(daemon, server):
    server.delay = 0.3
    data = wire.query("a.example")
    with daemon.udp() as client:
        for _ in range(3):
            client.send(data)
        assert client.receive()[:2] == data[:2]
        marker = wire.query("b.example", id=(data[0] << 8 | data[1]) ^ 1)
        assert client.exchange(marker)[:2] == marker[:2]
    assert len(server.queries_for("a.example")) == 1


def test_the_same_id_with_another_name_is_another_query(daemon, server):
    server.delay = 0.2
    with daemon.udp() as client:
        for name in ("a.example", "b.example"):
            client.send(wire.query(name, id=77))
        names = sorted(wire.parse(client.receive()).question[0].name.to_text() for _ in range(2))
    assert names == ["a.example.", "b.example."]


def test_clients_with_the_same_query_share_one_lookup(daemon, server):
    server.delay = 0.3
    clients = [daemon.udp() for _ in range(50)]
    asked = [wire.query("Same.Example" if number % 2 else "same.example", edns=bool(number % 3))
             for number in range(50)]
    for client, data in zip(clients, asked):
        client.send(data)
    for client, data in zip(clients, asked):
        answer = client.receive()
        assert answer[:2] == data[:2] and answer[12:26] == data[12:26]
        client.close()
    assert len(server.queries) == 1


def test_do_and_cd_are_part_of_the_key(daemon, server):
    for _ in range(2):
        for flags in (wire.RD, wire.RD | wire.CD):
            for do in (False, True):
                daemon.ask("a.example", flags=flags, do=do)
    seen = [(bool(query.question.flags & wire.CD), query.question.edns["do"]) for query in server.queries]
    assert sorted(seen) == [(False, False), (False, True), (True, False), (True, True)]


# Mutated queries.

def test_mutated_queries_do_no_harm(daemon):
    choice = random.Random(1)
    seeds = [wire.query("a.example", edns=True, do=True, options=[(wire.COOKIE, b"12345678")]), *BROKEN.values(),
             wire.query("a.test"), wire.query("localhost", "ANY"), wire.query("big900.example", "TXT", size=700)]
    with daemon.udp() as client:
        for number in range(3000):
            data = bytearray(choice.choice(seeds))
            for _ in range(choice.randrange(1, 6)):
                data[choice.randrange(len(data))] = choice.choice((0, 1, 0xC0, 0xFF, choice.randrange(256)))
            client.send(data[:choice.randrange(1, len(data) + 1)] if choice.random() < 0.3 else data)
            if number % 50 == 49:
                marker = wire.query("marker.example", id=0xFFFF)
                client.send(marker)
                while client.receive()[:2] != marker[:2]:
                    pass
    assert daemon.ask("after.example").rcode() == NOERROR
    with pytest.raises(Silence), daemon.udp() as client:
        client.exchange(b"\0" * 11, timeout=0.2)
