# SPDX-License-Identifier: MIT
"""Load with ten thousand names, also while sessions are lost: every query is one datagram, and is counted."""
import pytest

from daemon import SLACK
from processes import eventually
from test_control import control

pytestmark = [pytest.mark.alone, pytest.mark.threads]
NAMES = 10_000 // (1 if SLACK < 8 else 4)


def all_good(result):
    assert result["good"] == result["sent"] and not result["stray"], result


def both(daemon, udp_names, tcp_names, count=NAMES):
    """The same load over UDP and TCP at once."""
    udp = daemon.load(queries=count, distinct=count, name=udp_names, connections=10, in_flight=50, patience=6000)
    tcp = daemon.load(queries=count, distinct=count, name=tcp_names, connections=10, in_flight=50, patience=6000, tcp=True)
    return udp.result(120), tcp.result(120)


def read_by(daemon, server):
    """The number of queries at the server once it has read all that were sent: the last ones may be hedges."""
    eventually(lambda: control(daemon, "/stats").json["counters"]["attempts_sent"] == len(server.queries))
    return len(server.queries)


def test_ten_thousand_names_over_udp_and_tcp(daemon, server):
    for result in both(daemon, "u%u.example", "t%u.example"):
        all_good(result)
    assert server.most_open() <= 3, "more than two sessions and a replacement"
    before = read_by(daemon, server)
    assert 2 * NAMES <= before <= 2 * NAMES * 1.08
    for result in both(daemon, "t%u.example", "u%u.example"):  # the names of the other transport
        all_good(result)
    assert len(server.queries) == before, "the second round was not answered from the cache"


def test_several_workers(make_daemon, make_server):
    server = make_server()
    daemon = make_daemon(server, workers=3)
    for result in both(daemon, "u%u.example", "t%u.example", 3000):
        all_good(result)
    assert server.most_open() <= 3 * 3
    before = read_by(daemon, server)
    for result in both(daemon, "u%u.example", "t%u.example", 3000):
        all_good(result)
    assert len(server.queries) == before


@pytest.mark.parametrize("how", ["rst", *(pytest.param(how, marks=pytest.mark.whole) for how in ("fin", "notify"))])
def test_resetting_all_sessions_under_load_loses_nothing(daemon, server, how):
    """After every 400 responses all sessions are reset, together with their outstanding queries."""
    server.delay = 0.02
    count, rate = 4000 // min(SLACK, 4), 1000 // min(SLACK, 4)
    udp = daemon.load(queries=count, distinct=count, rate=rate, name="u%u.example", connections=4, in_flight=500)
    tcp = daemon.load(queries=count, distinct=count, rate=rate, name="t%u.example", connections=4, in_flight=500, tcp=True)
    kills = 0
    for answers in range(400, 2 * count, 400):
        server.wait_for(lambda: sum(connection.answers for connection in server.connections) >= answers)
        kills += server.kill(how)
    for result in (udp.result(), tcp.result()):
        all_good(result)
    assert kills >= 2 * count // 400 - 1
    full = [connection for connection in server.established[1:] if not connection.resumed]
    assert len(full) <= 1 + 0.1 * kills, "full handshakes in spite of tickets"


def test_sessions_that_close_after_few_responses_under_load(daemon, server):
    server.close_after = 50
    result = daemon.load(queries=3000 // SLACK, distinct=3000, rate=1000 // SLACK, name="n%u.example", in_flight=500).result()
    all_good(result)


def test_two_servers_one_stops_under_load(make_daemon, make_server):
    first, second = make_server(), make_server(address="127.0.0.2")
    daemon = make_daemon(first.upstream(name="one"), second.upstream(name="two"))
    load = daemon.load(queries=3000 // SLACK, distinct=3000, rate=1000 // SLACK, name="n%u.example", in_flight=1000)
    first.wait_for(lambda: len(first.queries) + len(second.queries) > 500 // SLACK)
    first.refuse()
    result = load.result()
    all_good(result)
    assert result["max_ms"] < 700 * SLACK, result


@pytest.mark.whole
def test_hits_are_not_slowed_by_a_stopped_server(daemon, server):
    daemon.ask("hit.example")
    server.blackhole()
    misses = daemon.load(queries=300, distinct=300, rate=100, name="miss%u.example", in_flight=1000, patience=6000)
    hits = daemon.load(queries=2000 // SLACK, rate=1000 // SLACK, name="hit.example", in_flight=200).result()
    all_good(hits)
    assert hits["p99_ms"] < 50 * SLACK, hits
    misses = misses.result()
    assert misses["servfail"] == misses["sent"] and misses["max_ms"] < 4100 + 400 * SLACK, misses


def test_more_names_than_the_cache_holds(make_daemon, server):
    daemon = make_daemon(server, cache={"size": "4MiB"})
    for _ in range(2):
        for result in both(daemon, "u%u.a-rather-long-name-to-fill-the-cache.example", "t%u.example", 8000 // SLACK):
            all_good(result)
