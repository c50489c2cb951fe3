# SPDX-License-Identifier: MIT
"""UDP: sizes and truncation, source addresses, many clients, floods."""
import socket
import struct
import time

import pytest

import wire
import zone
from capture import Capture
from daemon import SLACK
from processes import eventually


def txt_name(size, edns):
    """A name whose TXT response has exactly `size` bytes, with or without an OPT. Its owner is a pointer to the question."""
    for rdata in range(size - 100, size):
        name = f"big{rdata}.example"
        length = 12 + len(name) + 2 + 4 + 2 + 10 + rdata + (11 if edns else 0)
        if length == size:
            return name
    raise AssertionError(size)


def size_of_answer(daemon, name, **parts):
    with daemon.udp() as client:
        return client.exchange(wire.query(name, "TXT", **parts))


@pytest.mark.parametrize("limit, edns", [(512, False), (512, True), (1232, True), (800, True)])
def test_an_answer_is_truncated_only_if_it_does_not_fit(daemon, limit, edns):
    parts = {"edns": True, "size": limit} if edns else {}
    fits, too_long = txt_name(limit, edns), txt_name(limit + 1, edns)
    for _ in range(2):
        whole = size_of_answer(daemon, fits, **parts)
        assert len(whole) == limit and not whole[2] & 2
        cut = size_of_answer(daemon, too_long, **parts)
        answer = wire.parse(cut)
        assert answer.flags & wire.TC and not answer.answer and not answer.authority
        assert answer.edns == (0 if edns else -1)
        assert len(cut) == 12 + len(too_long) + 6 + (11 if edns else 0)
        full = daemon.ask(too_long, "TXT", tcp=True, **parts)
        assert not full.flags & wire.TC and full.answer


@pytest.mark.parametrize("size", [0, 1, 100, 511])
def test_sizes_below_512_count_as_512(daemon, size):
    answer = size_of_answer(daemon, txt_name(512, True), edns=True, size=size)
    assert len(answer) == 512 and not answer[2] & 2


def test_no_answer_is_longer_than_our_own_limit(make_daemon, server):
    daemon = make_daemon(server, limits={"udp-size": 1000})
    assert len(size_of_answer(daemon, txt_name(1000, True), edns=True, size=65535)) == 1000
    answer = wire.parse(size_of_answer(daemon, txt_name(1001, True), edns=True, size=65535))
    assert answer.flags & wire.TC and answer.payload == 1000


def test_a_truncated_response_holds_the_records_that_fit(daemon):
    """For clients that never use TCP."""
    question = len("many100.example") + 2 + 4
    for size in (512, 1232):
        for _ in range(2):
            with daemon.udp() as client:
                response = wire.parse(client.exchange(wire.query("many100.example", edns=True, size=size)))
            assert response.flags & wire.TC
            assert len(wire.addresses(response)) == (size - 12 - question - 11) // 16
            assert set(wire.addresses(response)) < set(wire.addresses(daemon.ask("many100.example", tcp=True)))


def test_additional_data_goes_first_and_silently(daemon):
    with daemon.udp() as client:
        data = client.exchange(wire.query("glue.example"))
        answer = wire.parse(data)
        assert not answer.flags & wire.TC and len(data) <= 512
        assert wire.addresses(answer) == [zone.address("glue.example")]
        assert len(daemon.ask("glue.example", tcp=True).additional) > 0


def test_errors_are_not_longer_than_queries(daemon, server):
    server.refuse()
    for name, rdtype in (("servfail.example", "A"), ("a.example", "AXFR"), ("a.example", 0)):
        data = wire.query(name, rdtype)
        with daemon.udp() as client:
            assert len(client.exchange(data)) <= len(data) + 11


def test_a_large_query_is_read(daemon):
    with daemon.udp() as client:
        answer = client.ask("a.example", options=[(wire.PADDING, bytes(1300))])
    assert wire.addresses(answer) == [zone.address("a.example")]


def test_an_oversized_datagram_does_no_harm(daemon):
    with daemon.udp() as client:
        client.send(wire.query("a.example") + bytes(60000))
    assert daemon.ask("b.example").rcode() == 0


def test_responses_come_from_the_queried_address(make_daemon, server):
    daemon = make_daemon(server, addresses=("0.0.0.0", "::"), access={"allow": ["127.0.0.0/8", "::1"]})
    for address in ("127.0.0.1", "127.0.0.5", "127.1.2.3", "::1"):
        with daemon.udp(address) as client:  # connected: receives only from this address
            assert client.ask("a.example").rcode() == 0
        assert daemon.ask("a.example", address=address, tcp=True).rcode() == 0


@pytest.mark.parametrize("deny", ["refuse", "drop"])
def test_clients_that_are_not_allowed(make_daemon, server, deny):
    daemon = make_daemon(server, access={"allow": ["127.0.0.0/28", "::1"], "deny": deny})
    assert daemon.ask("a.example").rcode() == 0
    with daemon.udp(source=("127.0.0.77", 0)) as stranger:
        stranger.send(wire.query("b.example", edns=True))
        if deny == "refuse":
            answer = wire.parse(stranger.receive())
            assert answer.rcode() == 5 and 18 in [code for code, _ in wire.extended_errors(answer)]
        else:
            daemon.ask("c.example")
            stranger.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.socket.recv(512)
    assert not server.queries_for("b.example")


def test_rd0_from_beyond_loopback_does_not_see_the_cache(make_daemon, make_server, make_namespace):
    namespace = make_namespace().up("192.0.2.1", "2001:db8::1")
    server = make_server(namespace=namespace)
    daemon = make_daemon(server, namespace=namespace, addresses=("192.0.2.1", "2001:db8::1"), port=53,
                         access={"allow": ["192.0.2.0/24", "2001:db8::/32"]})
    for address in ("192.0.2.1", "2001:db8::1"):
        assert daemon.ask("a.example", address=address).rcode() == 0
        for tcp in (False, True):
            snooped = daemon.ask("a.example", address=address, tcp=tcp, flags=0, edns=True)
            assert snooped.rcode() == 5 and not snooped.answer
            assert 20 in [code for code, _ in wire.extended_errors(snooped)]
    assert len(server.queries) == 1


def test_source_port_zero_gets_no_response(make_daemon, make_server, make_namespace):
    namespace = make_namespace().up()
    daemon = make_daemon(make_server(namespace=namespace), namespace=namespace)
    capture = Capture(namespace)
    data = wire.query("a.example")
    with namespace.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.sendto(struct.pack("!4H", 0, daemon.port, 8 + len(data), 0) + data, ("127.0.0.1", 0))
    assert daemon.ask("b.example").rcode() == 0
    packets = capture.stop(namespace)
    assert [packet for packet in packets if packet.protocol == "udp" and packet.source_port == 0]
    assert not [packet for packet in packets if packet.protocol == "udp" and packet.target_port == 0]


def test_icmp_errors_of_closed_clients_do_no_harm(daemon, server):
    """Responses to closed sockets come back as ICMP errors."""
    server.delay = 0.2
    for number in range(100):
        with daemon.udp() as client:
            client.send(wire.query(f"gone{number}.example"))
    server.wait_for(lambda: len(server.queries) == 100)
    server.truth()
    with daemon.udp() as client:
        for number in range(100):
            assert client.ask(f"n{number}.example").rcode() == 0


@pytest.mark.alone
@pytest.mark.threads
def test_five_thousand_clients_ask_one_name_at_once(daemon, server):
    server.delay = 0.5
    result = daemon.load(queries=5000, name="crowd.example", connections=250, in_flight=20).result()
    assert result["good"] == 5000, result
    assert len(server.queries_for("crowd.example")) <= 2


@pytest.mark.alone
@pytest.mark.whole
def test_misses_at_a_slow_server_do_not_slow_hits(daemon, server):
    daemon.ask("hit.example")
    server.delay = 1
    misses = daemon.load(queries=12000 // SLACK, rate=2000 // SLACK, name="miss%u.example", distinct=12000,
                         connections=16, in_flight=1000, patience=8000)
    hits = daemon.load(queries=3000 // SLACK, rate=600 // SLACK, name="hit.example", in_flight=1000)
    hits, misses = hits.result(), misses.result()
    assert hits["good"] == hits["sent"] and hits["p99_ms"] < 50 * SLACK, hits
    assert misses["silent"] == 0 and misses["wrong"] == 0, misses
    assert misses["good"] + misses["servfail"] == misses["sent"], misses


@pytest.mark.alone
def test_a_flood_of_junk_does_not_stop_other_clients(daemon):
    daemon.ask("hit.example")
    with daemon.udp() as junk:
        data = [bytes([number]) * (number % 60) for number in range(250)]
        for number in range(300_000):
            junk.send(data[number % 250])
        hits = daemon.load(queries=500, rate=1000, name="hit.example", in_flight=500, patience=500)
    result = hits.result()
    begun = time.monotonic()
    eventually(lambda: daemon.ask("hit.example").rcode() == 0)
    assert time.monotonic() - begun < 0.1 * SLACK
    assert result["good"] >= 500 - 5 * SLACK ** 2, result
