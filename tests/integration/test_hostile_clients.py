# SPDX-License-Identifier: MIT
"""Clients that try to use up shared resources. 127.0.0.1 is a normal client and 127.0.0.2 a hostile one: two networks."""
import contextlib
import http.client
import json
import socket
import threading
import time

import pytest

import wire
import zone
from clients import Silence
from daemon import SLACK
from processes import eventually, free_port

ATTACKER = "127.0.0.2"
SO_RCVBUFFORCE = 33


def from_attacker(family, kind):
    made = socket.socket(family, kind)
    made.bind((ATTACKER, 0))
    return made


def control(daemon, path):
    """A JSON response of the control socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(daemon.config["control"]["socket"])
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return json.loads(connection.makefile("rb").read().partition(b"\r\n\r\n")[2])


def counter(daemon, name):
    return control(daemon, "/stats")["counters"][name]


def waiting(daemon):
    return control(daemon, "/status")["queries_waiting"]


def most_kb(daemon):
    return int(daemon.facts()["VmHWM"].split()[0])


class Steady(threading.Thread):
    """Calls `send(number)` at a constant rate until it is stopped."""

    def __init__(self, rate, send):
        super().__init__(daemon=True)
        self.rate, self.send, self.ended = rate, send, threading.Event()

    def run(self):
        begun, number = time.monotonic(), 0
        while not self.ended.wait(max(0, begun + number / self.rate - time.monotonic())):
            for _ in range(max(1, self.rate // 200)):
                self.send(number)
                number += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


# Memory.

@pytest.mark.alone
@pytest.mark.plain
def test_many_queries_for_one_slow_large_response(daemon, server):
    """20 connections with 500 queries each wait for a response of 60 KB, and read nothing."""
    server.delay = lambda query: 1.5
    daemon.ask("warm.example")
    before = daemon.resident_kb()
    clients = [daemon.tcp(make=from_attacker, receive_buffer=4096) for _ in range(20)]
    for client in clients:
        client.send(*(wire.query("big60000.example", "TXT", id=number) for number in range(500)))
    begun = time.monotonic()
    eventually(lambda: counter(daemon, "cache_stored") >= 2, what="the response")
    while time.monotonic() - begun < 4:
        assert daemon.ask("warm.example").rcode() == 0
        assert daemon.ask("warm.example", tcp=True).rcode() == 0
    print(f"memory +{most_kb(daemon) - before} KiB")
    assert most_kb(daemon) - before < 16 * 1024
    assert counter(daemon, "responses_deferred") > 9000
    for client in clients:
        client.close()
    eventually(lambda: waiting(daemon) == 0, what="the end of their queries")


def test_readers_get_all_responses_that_waited_for_them(daemon, server):
    server.delay = 0.5
    clients = [daemon.tcp(receive_buffer=65536) for _ in range(4)]
    for client in clients:
        client.send(*(wire.query("big60000.example", "TXT", id=number) for number in range(100)))
    for client in clients:
        answers = client.receive_all(100, 30)
        assert sorted(answers) == list(range(100))
        assert all(len(answer) > 60000 for answer in answers.values())
    assert counter(daemon, "responses_deferred") > 0
    assert len(server.queries) <= 2, "not from the cache"  # a hedge
    for client in clients:
        client.close()


# Shares.

@pytest.mark.alone
@pytest.mark.plain
def test_names_that_are_never_answered_do_not_starve_another_client(daemon, server):
    """3,000 queries a second for such names, while another client's queries are cache misses."""
    server.silence = lambda query: query.name.startswith("never")
    attacker = daemon.udp(make=from_attacker)
    failed, slow = [], []
    with Steady(3000, lambda number: attacker.send(wire.query(f"never{number}.example"))):
        eventually(lambda: waiting(daemon) > 9000, what="the limit of queries")
        for number in range(70):
            begun = time.monotonic()
            try:
                rcode = daemon.ask(f"honest{number}.example", timeout=3.5).rcode()
            except Silence:
                rcode = -1
            took = time.monotonic() - begun
            if rcode != 0:
                failed.append((number, rcode))
            slow.append(took)
            time.sleep(max(0, 0.08 - took))
    slow.sort()
    print(f"failed {len(failed)} of {len(slow)}, median {slow[len(slow) // 2]:.3f}, most {slow[-1]:.3f}")
    stats = control(daemon, "/stats")["counters"]
    print({name: stats[name] for name in stats if "share" in name or "sessions" in name or name == "queries_over_limit"})
    assert not failed
    attacker.close()


def test_at_the_limit_the_client_with_the_most_queries_loses(make_daemon, server):
    daemon = make_daemon(server, limits={"queries-in-flight": 50})
    server.silence = lambda query: query.name.startswith("never")
    server.delay = 0.3
    with daemon.udp(make=from_attacker) as attacker, daemon.udp() as honest:
        for number in range(50):
            attacker.send(wire.query(f"never{number}.example", id=number))
        eventually(lambda: waiting(daemon) == 50, what="the limit")
        for number in range(10):
            honest.send(wire.query(f"honest{number}.example", id=number))
        for _ in range(10):
            answer = wire.parse(honest.receive())
            assert wire.addresses(answer) == [zone.address(f"honest{answer.id}.example")]
        refused = [attacker.receive() for _ in range(10)]
        assert [int.from_bytes(answer[:2], "big") for answer in refused] == list(range(10)), "not the oldest ones"
        assert all(wire.parse(answer).rcode() == 2 for answer in refused)
    assert counter(daemon, "queries_over_share") == 10 and counter(daemon, "queries_over_limit") == 0


def test_at_the_limit_an_equal_client_takes_nothing(make_daemon, server):
    daemon = make_daemon(server, limits={"queries-in-flight": 2})
    server.silence = True
    with daemon.udp(make=from_attacker) as one, daemon.udp() as two:
        one.send(wire.query("one.example"))
        two.send(wire.query("two.example"))
        eventually(lambda: waiting(daemon) == 2, what="the limit")
        assert daemon.ask("three.example").rcode() == 2
    assert counter(daemon, "queries_over_share") == 0 and counter(daemon, "queries_over_limit") == 1


@pytest.mark.alone
def test_connections_that_wait_do_not_keep_others_out(daemon, server):
    """1,100 connections with one query each that is never answered."""
    server.silence = lambda query: query.name.startswith("never")
    daemon.ask("hit.example")
    attackers = []
    for number in range(1100):
        attackers.append(daemon.tcp(make=from_attacker))
        attackers[-1].send(wire.query(f"never{number}.example"))
    eventually(lambda: waiting(daemon) == 1000, what="the limit of connections")
    times = []
    for _ in range(20):
        begun = time.monotonic()
        assert daemon.ask("hit.example", tcp=True, timeout=10).rcode() == 0
        times.append(time.monotonic() - begun)
    print(f"most {max(times):.3f} s")
    assert max(times) < 1 * SLACK
    for attacker in attackers:
        attacker.close()


def test_the_network_with_the_most_connections_makes_place(make_daemon, server):
    daemon = make_daemon(server, limits={"tcp-clients": 20})
    honest = [daemon.tcp() for _ in range(5)]
    for client in honest:
        client.ask("a.example")
    attackers = [daemon.tcp(make=from_attacker) for _ in range(30)]
    for client in honest:
        assert client.ask("b.example").rcode() == 0
    assert sum(client.wait_end() in ("fin", "rst") for client in attackers[:15]) == 15
    for client in honest + attackers:
        client.close()


def test_a_message_that_never_ends_ends_with_the_idle_time(make_daemon, server):
    daemon = make_daemon(server, limits={"tcp-idle": "1s"})
    with daemon.tcp() as slow:
        begun = time.monotonic()
        with Steady(10, lambda number: send_byte(slow)):
            assert slow.wait_end() in ("fin", "rst")
        assert time.monotonic() - begun < 1.5 * SLACK


def send_byte(client):
    with contextlib.suppress(OSError):
        client.socket.send(b"\1")


@pytest.mark.alone
def test_messages_that_never_end_make_place_before_idle_clients(make_daemon, server):
    daemon = make_daemon(server, limits={"tcp-clients": 20})
    honest = [daemon.tcp() for _ in range(10)]
    for client in honest:
        client.ask("a.example")
    slow = [daemon.tcp(make=from_attacker) for _ in range(10)]
    with Steady(10, lambda number: [send_byte(client) for client in slow]):
        time.sleep(1.5)
        newer = [daemon.tcp() for _ in range(5)]
        for client in newer:
            assert client.ask("b.example").rcode() == 0
    for client in honest + newer:
        assert client.ask("c.example").rcode() == 0
    for client in honest + slow + newer:
        client.close()


def test_held_connections_do_not_silence_the_health_check(make_daemon, server):
    port = free_port()
    daemon = make_daemon(server, metrics={"listen": f"127.0.0.1@{port}"})
    held = []
    for number in range(300):
        client = from_attacker(socket.AF_INET, socket.SOCK_STREAM)
        client.connect(("127.0.0.1", port))
        client.send(b"GET /metr")
        held.append(client)
        if number in (70, 299):
            begun = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == 200
            assert time.monotonic() - begun < 1 * SLACK
    for client in held:
        client.close()


# Late responses over UDP.

def bomb(daemon, address, name, count, options=()):
    """Sends `count` queries for a slow name over UDP; returns the bytes sent, and the responses."""
    client = daemon.udp(address, source=(address, 0))
    client.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    sent, responses = 0, []
    for number in range(count):
        data = wire.query(name, "TXT", id=number, edns=True, options=options)
        sent += len(data)
        client.send(data)
        if number % 100 == 99:
            time.sleep(0.002)
    with contextlib.suppress(Silence):
        while len(responses) < count:
            responses.append(client.receive(6))
    client.close()
    return sent, responses


@pytest.fixture
def burst(make_daemon, make_server, make_namespace):
    """A daemon in a namespace of its own, whose server answers names that begin with N after N milliseconds."""
    namespace = make_namespace().up("192.0.2.1")
    server = make_server(namespace=namespace)
    server.delay = lambda query: int(query.name.split(".")[0]) / 1000
    return make_daemon(server, namespace=namespace, port=53, addresses=("192.0.2.1", "127.0.0.1"),
                       access={"allow": ["0.0.0.0/0"]}, cache={"stale-answer-after": "3s"})


def truncated(responses):
    return sum(bool(wire.parse(response).flags & wire.TC) for response in responses)


@pytest.mark.alone
@pytest.mark.plain
@pytest.mark.parametrize("delay", [pytest.param(2600, marks=pytest.mark.whole), 1200])
def test_a_burst_of_held_responses_is_at_most_three_times_as_large_as_the_queries(burst, delay):
    sent, responses = bomb(burst, "192.0.2.1", f"{delay}.big1000.example", 9000)
    received, whole = sum(map(len, responses)), 9000 - truncated(responses)
    print(f"{sent} bytes sent, {received} received, factor {received / sent:.2f}; {whole} of 9,000 responses whole")
    assert len(responses) == 9000, "a query was met with silence"
    assert received <= 3 * sent
    assert whole == 0 or delay < 2000
    assert counter(burst, "responses_withheld") == 9000 - whole


@pytest.mark.parametrize("address, count", [("192.0.2.1", 100), ("127.0.0.1", 300)])
def test_few_held_responses_and_those_to_this_machine_are_whole(burst, address, count):
    _, responses = bomb(burst, address, "2100.big1000.example", count)
    assert len(responses) == count and truncated(responses) == 0


def test_held_responses_to_the_holder_of_a_cookie_are_whole(burst):
    with burst.udp("192.0.2.1", source=("192.0.2.1", 0)) as client:
        cookie = wire.option(client.ask("1.example", options=[(wire.COOKIE, b"12345678")]), wire.COOKIE)
    _, responses = bomb(burst, "192.0.2.1", "2100.big1000.example", 300, [(wire.COOKIE, cookie)])
    assert len(responses) == 300 and truncated(responses) == 0


def test_the_number_of_held_responses_is_an_option(burst):
    _, responses = bomb(burst, "192.0.2.1", "2100.big1000.example", 101)
    assert len(responses) == 101 and truncated(responses) == 101


def test_at_the_limit_of_lookups_the_client_with_the_most_loses(make_daemon, server):
    """Lookups go on after their clients have given up: 12 of them for 6 queries."""
    daemon = make_daemon(server, limits={"queries-in-flight": 6, "answer-by": "200ms"})
    server.silence = lambda query: query.name.startswith("never")
    with daemon.udp(make=from_attacker) as attacker:
        for number in range(12):
            attacker.send(wire.query(f"never{number}.example"))
            if number % 6 == 5:
                eventually(lambda: waiting(daemon) == 0, what="the end of the queries")
    assert daemon.ask("honest.example").rcode() == 0
    assert counter(daemon, "lookups_over_share") == 1
