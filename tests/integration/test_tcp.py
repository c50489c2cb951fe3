# SPDX-License-Identifier: MIT
"""TCP (RFC 7766, RFC 7828): pipelines, order, close, limits, and misbehaving clients."""
import random
import struct
import threading
import time

import pytest

import wire
import zone
from daemon import SLACK
from processes import eventually

pytestmark = pytest.mark.threads


def keepalive_of(answer):
    for option in answer.options:
        if option.otype == wire.KEEPALIVE:
            return option.timeout if hasattr(option, "timeout") else struct.unpack("!H", option.data)[0]
    return None


def test_one_query_after_another(daemon):
    with daemon.tcp() as client:
        for number in range(50):
            assert wire.addresses(client.ask(f"n{number}.example")) == [zone.address(f"n{number}.example")]


def test_all_queries_of_a_pipeline_are_answered(daemon, server):
    asked = {number: wire.query(f"n{number}.example", id=number) for number in range(300)}
    with daemon.tcp() as client:
        client.send(*asked.values())
        answers = client.receive_all(300)
    for number, data in answers.items():
        assert wire.addresses(wire.parse(data)) == [zone.address(f"n{number}.example")]
    assert len(server.queries) == 300


def test_responses_come_out_of_order(daemon, server):
    server.delay = lambda query: 0.5 if query.name == "slow.example" else 0
    with daemon.tcp() as client:
        client.send(wire.query("slow.example", id=1), wire.query("fast.example", id=2))
        assert [client.receive()[:2] for _ in range(2)] == [b"\0\2", b"\0\1"]


def test_a_hit_does_not_wait_behind_a_miss(daemon, server):
    daemon.ask("hit.example")
    server.silence = True
    with daemon.tcp() as client:
        client.send(wire.query("miss.example", id=1), wire.query("hit.example", id=2))
        assert client.receive()[:2] == b"\0\2"


def test_a_half_closed_connection_is_answered(daemon, server):
    server.delay = 0.3
    with daemon.tcp() as client:
        client.send(*(wire.query(f"n{number}.example", id=number) for number in range(20)))
        client.half_close()
        assert sorted(client.receive_all(20)) == list(range(20))
        assert client.receive() is None


def test_half_closed_at_once(daemon):
    with daemon.tcp() as client:
        client.half_close()
        assert client.receive() is None


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_bytes_may_come_in_any_pieces(daemon, step):
    stream = b"".join(wire.frame(wire.query(f"n{number}.example", id=number)) for number in range(5))
    with daemon.tcp() as client:
        for at in range(0, len(stream), step):
            client.write(stream[at:at + step])
        assert sorted(client.receive_all(5)) == list(range(5))


def test_a_thousand_queries_on_one_connection(daemon):
    result = daemon.load(tcp=True, queries=1000, name="n%u.example", distinct=1000, in_flight=1000).result()
    assert result["good"] == 1000 and result["reconnects"] == 0, result


def test_sixty_five_thousand_queries_in_one_write(daemon):
    daemon.ask("hit.example")
    count = 65000
    with daemon.tcp() as client:
        stream = b"".join(wire.frame(wire.query("hit.example", id=number)) for number in range(count))
        writer = threading.Thread(target=client.socket.sendall, args=(stream,))
        client.socket.settimeout(60)
        writer.start()
        answers = client.receive_all(count, 60)
        writer.join()
    assert sorted(answers) == list(range(count))


def test_connections_do_not_see_each_others_responses(daemon, server):
    server.delay = lambda query: random.random() / 5
    clients = [daemon.tcp() for _ in range(30)]
    for round in range(5):
        for number, client in enumerate(clients):
            client.send(wire.query(f"c{number}r{round}.example", id=round))
    for number, client in enumerate(clients):
        for round, data in client.receive_all(5).items():
            assert wire.addresses(wire.parse(data)) == [zone.address(f"c{number}r{round}.example")]
        client.close()


def test_clients_that_disconnect_while_waiting_do_no_harm(daemon, server):
    server.delay = 0.2
    for number in range(60):
        client = daemon.tcp()
        client.send(wire.query(f"gone{number}.example"))
        client.reset() if number % 2 else client.close()
    server.wait_for(lambda: len(server.queries) >= 30)  # a reset may overtake its query
    assert daemon.ask("after.example", tcp=True).rcode() == 0


# Keepalive and idle connections.

def test_keepalive_is_sent_to_clients_that_request_it(make_daemon, server):
    daemon = make_daemon(server, limits={"tcp-idle": "7s"})
    for _ in range(2):
        answer = daemon.ask("a.example", tcp=True, options=[(wire.KEEPALIVE, b"")])
        assert 0 < keepalive_of(answer) <= 70
    assert keepalive_of(daemon.ask("a.example", tcp=True, edns=True)) is None
    assert keepalive_of(daemon.ask("a.example", options=[(wire.KEEPALIVE, b"")])) is None


def test_an_idle_connection_is_closed(make_daemon, server):
    daemon = make_daemon(server, limits={"tcp-idle": "1s"})
    with daemon.tcp() as client:
        client.ask("a.example")
        begun = time.monotonic()
        assert client.wait_end() == "fin"
        assert 0.9 < time.monotonic() - begun < 1.5 + 0.5 * SLACK


def test_a_connection_without_a_query_is_closed(make_daemon, server):
    daemon = make_daemon(server, limits={"tcp-idle": "1s"})
    with daemon.tcp() as client:
        assert client.wait_end() == "fin"


def test_a_connection_with_a_waiting_query_is_not_idle(make_daemon, server):
    server.delay = 2
    daemon = make_daemon(server, limits={"tcp-idle": "1s"})
    assert daemon.ask("a.example", tcp=True).rcode() == 0


# Misbehaving clients.

@pytest.mark.parametrize("length", [0, 1, 11])
def test_a_frame_shorter_than_a_header_gets_no_response(daemon, length):
    with daemon.tcp() as client:
        client.send(bytes(length), wire.query("a.example", id=5))
        assert client.receive()[:2] == b"\0\5"
    assert daemon.ask("a.example", tcp=True).rcode() == 0


def test_a_response_over_tcp_is_not_answered(daemon):
    with daemon.tcp() as client:
        client.send(wire.query("a.example", id=1, flags=wire.QR), wire.query("a.example", id=2))
        assert client.receive()[:2] == b"\0\2"


def test_a_message_that_makes_no_progress_ends_the_connection(daemon):
    data = wire.frame(wire.query("a.example"))
    with daemon.tcp() as client:
        begun = time.monotonic()
        client.write(data[:10])
        client.wait_end(10 + 2 * SLACK)
        assert 4 < time.monotonic() - begun < 7 + SLACK


def test_many_slow_writers_do_not_stop_other_clients(daemon):
    data = wire.frame(wire.query("a.example"))
    clients = [daemon.tcp() for _ in range(300)]
    for client in clients:
        client.write(data[:1])
    assert daemon.ask("b.example").rcode() == 0
    assert daemon.ask("c.example", tcp=True).rcode() == 0
    for client in clients:
        client.write(data[1:])
    for client in clients:
        assert wire.addresses(wire.parse(client.receive())) == [zone.address("a.example")]
        client.close()


@pytest.mark.whole
def test_slow_readers_cost_little_memory(daemon):
    """40 clients request a large response 40 times each and read nothing."""
    daemon.ask("big60000.example", "TXT", tcp=True)
    before = daemon.resident_kb()
    data = b"".join(wire.frame(wire.query("big60000.example", "TXT", id=number)) for number in range(40))
    clients = [daemon.tcp(receive_buffer=4096) for _ in range(40)]
    begun = time.monotonic()
    for client in clients:
        client.write(data)
    while time.monotonic() - begun < 2:
        assert daemon.ask("hit.example").rcode() == 0
        assert daemon.ask("hit.example", tcp=True).rcode() == 0
    assert SLACK > 1 or daemon.resident_kb() - before < 16 * 1024  # sanitizers keep freed memory
    for client in clients:  # clients that do not read are reset
        assert client.wait_end(15) in ("rst", "fin")
        client.close()


def test_a_reader_that_resumes_in_time_gets_all_responses(daemon):
    daemon.ask("big60000.example", "TXT", tcp=True)
    with daemon.tcp(receive_buffer=4096) as client:
        client.send(*(wire.query("big60000.example", "TXT", id=number) for number in range(40)))
        daemon.ask("between.example")
        assert sorted(client.receive_all(40)) == list(range(40))


def test_at_the_limit_a_new_client_replaces_the_oldest_idle_one(make_daemon, server):
    daemon = make_daemon(server, limits={"tcp-clients": 20})
    clients = [daemon.tcp() for _ in range(20)]
    for number, client in enumerate(clients):
        client.ask(f"n{number}.example")
    begun = time.monotonic()
    assert daemon.ask("new.example", tcp=True).rcode() == 0
    assert time.monotonic() - begun < 1
    assert clients[0].wait_end() in ("fin", "rst"), "the oldest idle connection is not closed first"
    assert clients[-1].ask("again.example").rcode() == 0
    for client in clients:
        client.close()


@pytest.mark.alone
def test_two_thousand_idle_clients(daemon):
    before = daemon.resident_kb()
    clients = [daemon.tcp() for _ in range(2000)]
    for number in range(20):
        begun = time.monotonic()
        assert daemon.ask(f"n{number}.example", tcp=True).rcode() == 0
        assert time.monotonic() - begun < 1
        assert daemon.ask(f"n{number}.example").rcode() == 0
    for client in clients:
        client.close()
    if SLACK == 1:
        eventually(lambda: daemon.resident_kb() - before < 16 * 1024, what="the memory back")
    assert daemon.ask("after.example", tcp=True).rcode() == 0


@pytest.mark.alone
def test_a_flood_of_resets(daemon):
    for number in range(1000):
        client = daemon.tcp()
        client.send(wire.query(f"n{number % 10}.example"))
        client.reset()
    assert daemon.ask("after.example", tcp=True).rcode() == 0
    assert daemon.ask("after.example").rcode() == 0


def test_garbage_over_tcp(daemon):
    choice = random.Random(2)
    for _ in range(100):
        with daemon.tcp() as client:
            client.write(choice.randbytes(choice.randrange(1, 3000)))
    assert daemon.ask("after.example", tcp=True).rcode() == 0


@pytest.mark.parametrize("rdtype", ["TXT", "APL", "TYPE65280"])
def test_the_cost_of_a_message_is_linear_in_its_length(daemon, rdtype):
    """With empty strings a naive parser takes quadratic time."""
    record = wire.rr("", rdtype, b"\0" * 64000)
    crowded = [wire.query("a.example", id=number, additional=[record]) for number in range(20)]
    with daemon.tcp() as client:
        for data in crowded:
            client.send(data)
        assert sorted(client.receive_all(20)) == list(range(20))
