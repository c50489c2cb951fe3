# SPDX-License-Identifier: MIT
"""Steady traffic while sessions end, fall silent or break: clients do not notice."""
import random
import threading
import time

import pytest

import lies
import wire
from daemon import SLACK
from faults import Traffic

pytestmark = pytest.mark.faults
BRISK = 0.02  # seconds until the server responds


@pytest.fixture
def daemon(make_daemon, server):
    server.delay = BRISK
    return make_daemon(server, log={"level": "debug"})


def repeatedly(action, times, pause):
    for _ in range(times):
        action()
        threading.Event().wait(pause)


# Lost sessions.

@pytest.mark.parametrize("how", ["rst", "fin", "notify"])
def test_killed(daemon, server, how):
    traffic = Traffic(daemon)
    with traffic.fault():
        repeatedly(lambda: server.kill(how), 16, 0.25)
    traffic.end(f"sessions killed 4 times a second, {how}", "101").loses_nothing(0.5).recovers(0.5)


@pytest.mark.parametrize("how", ["rst", "fin", "notify"])
@pytest.mark.parametrize("after", [1, 5])
def test_closed_after_responses(daemon, server, how, after):
    traffic = Traffic(daemon)
    with traffic.fault(), server.lying(close_after=after, close_how=how):
        traffic.go_on(4)
    traffic.end(f"closed after each {after} responses, {how}", "102").loses_nothing(1).recovers(0.5)


@pytest.mark.parametrize("after", [1, 2, 5])
@pytest.mark.parametrize("rate", [5, 50])
def test_silent_after_responses(daemon, server, after, rate):
    """Each connection responds to a few queries, then to nothing, and stays open. That is learned: few queries get no response."""
    traffic = Traffic(daemon, misses=rate)
    with traffic.fault(), server.lying(answer_first=after):
        traffic.go_on(8)
        learned = len(server.queries)
        traffic.go_on(4)
        unanswered = [query for query in server.queries[learned:] if not query.answered]
    outcome = traffic.end(f"silent after {after} responses, {rate} queries a second", "102").loses_nothing(2.5).recovers(0.5)
    waits = sorted(asked.waited for asked in outcome.misses)
    outcome.demand(waits[len(waits) * 9 // 10] <= outcome.stretched(0.1), "many queries waited for too long")
    outcome.demand(len(unanswered) <= 4 + after, f"{len(unanswered)} queries in 4 s got no response")


@pytest.mark.parametrize("how", ["rst", "fin", "notify"])
def test_closed_when_idle(daemon, server, how):
    """One query a second, and sessions that end after half a second: each query meets a closing session or a dial."""
    traffic = Traffic(daemon, misses=2.1)
    with traffic.fault(), server.lying(close_idle=0.47, close_how=how):
        traffic.go_on(6)
    traffic.end(f"closed after 0.47 s idle, a query each 0.48 s, {how}", "103").loses_nothing(0.5)


@pytest.mark.parametrize("how", ["rst", "fin"])
def test_half_of_the_pipeline_unanswered(daemon, server, how):
    """Every fourth connection leaves half of its queries without a response until it ends."""
    traffic = Traffic(daemon)
    with traffic.fault():
        with server.lying(silence=lambda query: server.connections.index(query.connection) % 4 == 1 and query.question.id % 2):
            repeatedly(lambda: server.kill(how), 16, 0.25)
        server.kill(how)
    traffic.end(f"half the pipeline unanswered, then {how}", "104").loses_nothing(1).recovers(0.5)


def test_a_server_that_fails_once(daemon, server):
    traffic = Traffic(daemon)
    with traffic.fault():
        server.kill("rst")
        with server.lying(accept="rst"):
            traffic.go_on(0.03)
    traffic.end("fails once", "105").loses_nothing(0.5).recovers(0.3)


def test_all_sessions_reset_together(daemon, server):
    """Simultaneous losses count as one: one new session each time, and no attempt is isolated."""
    traffic = Traffic(daemon, misses=300)
    open_sessions(daemon, [server], traffic)
    with traffic.fault():
        before = len(server.connections)
        repeatedly(lambda: server.kill("rst"), 8, 0.5)
        dialed = len(server.connections) - before
    outcome = traffic.end("all sessions reset twice a second, 300 misses a second", "101").loses_nothing(0.25).recovers(0.3)
    outcome.demand(dialed <= 8 * (1 if SLACK == 1 else 2) + 2, f"{dialed} sessions were dialled")


# Silent sessions.

def test_one_session_silent(daemon, server):
    traffic = Traffic(daemon)
    victims = list(server.open)
    with traffic.fault(), server.lying(silence=lambda query: query.connection in victims):
        traffic.go_on(4)
        assert all(victim.closed for victim in victims)
    traffic.end("one session silent, new ones work", "110").loses_nothing(0.4).recovers(0.5)


def test_one_session_silent_and_few_queries(daemon, server):
    traffic = Traffic(daemon, misses=1)
    victims = [(one, one.queries) for one in server.open]
    with traffic.fault(), server.lying(silence=lambda query: query.connection in dict(victims)):
        traffic.go_on(4)
        assert all(victim.closed or victim.queries == asked for victim, asked in victims)
    traffic.end("one session silent, one query a second", "110").loses_nothing(0.4)


def open_sessions(daemon, servers, traffic):
    """Hedges of slow names open further sessions."""
    delays = [server.delay for server in servers]
    for server in servers:
        server.delay = lambda query, usual=server.delay: 0.5 if query.name.startswith("slow") else usual
    with daemon.udp() as client:
        for number in range(3):
            client.send(wire.query(f"slow{number}.example", id=number))
            traffic.go_on(0.1)
        for _ in range(3):
            client.receive()
    for server, delay in zip(servers, delays):
        server.wait_for(lambda: all(query.answered for query in server.queries if query.name.startswith("slow")))
        server.delay = delay
    traffic.go_on(0.1)


class Network:
    """A namespace in which the packets of single connections can be dropped."""

    def __init__(self, namespace, *addresses):
        self.namespace, self.dropped = namespace.up(*addresses), set()
        namespace.run("ip", "rule", "add", "pref", "10", "lookup", "local")
        namespace.run("ip", "rule", "del", "pref", "0")

    def drop(self, *servers):
        """Drops what clients send on the connections that are open now; returns their number."""
        chosen = [one for server in servers for one in server.open if one not in self.dropped]
        for one in chosen:
            self.namespace.run("ip", "rule", "add", "pref", "5", "ipproto", "tcp", "sport", one.peer[1], "blackhole")
        self.dropped.update(chosen)
        return len(chosen)


@pytest.mark.parametrize("count, delay", [(1, BRISK), (1, 0.001), (3, BRISK)])
@pytest.mark.parametrize("how", ["deaf", "dropped"])
@pytest.mark.parametrize("rate", [1, 5, 20, 350])
def test_all_open_sessions_dead(make_namespace, make_server, make_daemon, rate, how, count, delay):
    """The kernel acknowledges the queries and the server does not read them, or their packets are dropped; new sessions work."""
    addresses = ["8.8.8.8", "8.8.4.4", "9.9.9.9"][:count]
    network = Network(make_namespace(), *addresses)
    servers = [make_server(address=address, port=853, namespace=network.namespace) for address in addresses]
    for server in servers:
        server.delay = delay
    daemon = make_daemon(*(server.upstream(name=f"number-{number}") for number, server in enumerate(servers)),
                         log={"level": "debug"}, namespace=network.namespace)
    traffic = Traffic(daemon, misses=rate)
    open_sessions(daemon, servers, traffic)
    with traffic.fault():
        assert (network.drop(*servers) if how == "dropped" else sum(server.deafen() for server in servers)) >= 2
        traffic.go_on(5)
    title = f"all open sessions {how}, new ones work, {count} servers, {delay * 1000:.0f} ms, {rate} queries a second"
    traffic.end(title, "110").loses_nothing(0.4)


def test_one_session_half_open(make_namespace, make_server, make_daemon):
    """The packets of one session are dropped, so that nothing is acknowledged."""
    network = Network(make_namespace(), "8.8.8.8")
    server = make_server(address="8.8.8.8", port=853, namespace=network.namespace)
    server.delay = BRISK
    daemon = make_daemon(server, log={"level": "debug"}, namespace=network.namespace)
    traffic = Traffic(daemon)
    with traffic.fault():
        repeatedly(lambda: network.drop(server), 2, 2)
    traffic.end("one session half open (its packets are lost), twice", "110").loses_nothing(0.4).recovers(0.5)


@pytest.mark.parametrize("rate", [1, 50])
def test_a_slow_name(daemon, server, rate):
    """A slow name is hedged once, and no session is closed for it."""
    server.delay = lambda query: 3 if query.name.startswith("slow") else BRISK
    traffic = Traffic(daemon, misses=rate)
    with daemon.udp() as client:
        with traffic.fault():
            before = len(server.connections)
            for number in range(4):
                client.send(wire.query(f"slow{number}.example", id=number))
                traffic.go_on(1)
            for _ in range(4):
                assert client.receive()[3] & 15 == 0
    outcome = traffic.end(f"one name a second takes 3 s, others 20 ms, {rate} a second", "111").loses_nothing(0.5)
    assert all(len(server.queries_for(f"slow{number}.example")) <= 2 for number in range(4))
    outcome.demand(len(server.connections) <= before + 2, f"{len(server.connections) - before} sessions were dialled")
    assert not [one for one in server.connections if one.closed], "a session was closed"


# Broken streams.

FRAMES = {"length zero": {"framing": lies.length_zero}, "length below 12": {"framing": lies.length_short},
          "length beyond what follows": {"framing": lies.length_beyond}, "garbage": {"framing": lies.garbage},
          "a flipped bit": {"tamper": lies.flip_bit}, "cleartext injected": {"tamper": lies.inject_cleartext}}


@pytest.mark.parametrize("kind", FRAMES)
def test_broken_frames(daemon, server, kind):
    """While every session breaks, queries fail; afterwards they are answered at once."""
    traffic = Traffic(daemon)
    with traffic.fault(), server.lying(**FRAMES[kind]):
        traffic.go_on(5)
    traffic.end(f"broken frames: {kind}", "140").answers_every_query().recovers(1)


@pytest.mark.parametrize("kind", FRAMES)
def test_broken_frames_of_one_session(daemon, server, kind):
    traffic = Traffic(daemon)
    victims = list(server.open)
    (lie, value), = FRAMES[kind].items()
    if lie == "framing":
        def twist(query, truth):
            server.framing = value if query.connection in victims else None
            return [truth]
        changes = {"twist": twist, "framing": None}
    else:
        changes = {"tamper": lambda connection, data: value(connection, data) if connection in victims else data}
    with traffic.fault(), server.lying(**changes):
        traffic.go_on(4)
    traffic.end(f"broken frames on one session: {kind}", "141").loses_nothing(1 if kind != "garbage" else 4).recovers(1)


@pytest.mark.parametrize("shape", ["byte records", "byte writes", "record each", "out of order"])
def test_shapes(daemon, server, shape):
    traffic = Traffic(daemon)
    with traffic.fault(), server.lying(**({"reorder": 10} if shape == "out of order" else {"shape": shape})):
        traffic.go_on(3)
    traffic.end(f"responses as {shape}", "130").loses_nothing(0.5)


# Idle limits.

@pytest.mark.parametrize("told", [True, False], ids=["told", "learned"])
def test_idle_limits(daemon, server, told):
    """With gaps of about the server's idle limit (2 s), no query is written into a closing session."""
    limit = 2
    server.options = [(wire.KEEPALIVE, bytes([0, limit * 10]))] if told else ()
    server.close_idle = limit
    traffic = Traffic(daemon, misses=0.46)
    with traffic.fault():
        traffic.go_on(20)
    outcome = traffic.end(f"idle limit of 2 s {'told' if told else 'learned'}, a query each 2.17 s", "160").loses_nothing(0.5)
    outcome.demand(all(one.resumed for one in server.established[1:]), "full handshakes")


def ask_after_pauses(daemon, server, pauses, at_once=1):
    """Sends a burst of queries after each pause; returns the number of pauses longer than `server.close_idle`, after which a dial is needed."""
    longest = number = 0
    for pause in pauses:
        threading.Event().wait(pause)
        with daemon.udp() as client:
            begun = time.monotonic()
            for _ in range(at_once):
                number += 1
                client.send(wire.query(f"n{number}.example", id=number))
            for _ in range(at_once):
                assert client.receive()[3] & 15 == 0
            longest = max(longest, time.monotonic() - begun)
    assert longest < 0.5 * SLACK, longest
    assert all(one.resumed for one in server.established[1:]), "full handshakes"
    return sum(pause > server.close_idle for pause in pauses)


@pytest.mark.parametrize("limit, factor", [(2, 1), (2, 3), (4, 1), (4, 3), (10, 1)])
def test_pauses_by_chance(daemon, server, limit, factor):
    """Exponentially distributed pauses, with a mean of one and three times the server's limit."""
    server.close_idle = limit
    chance = random.Random(limit * 10 + factor)
    pauses = [chance.expovariate(1 / (limit * factor)) for _ in range(int(100 / (limit * factor)))]
    due = 1 + ask_after_pauses(daemon, server, pauses)
    print(f"{len(server.established)} dials where {due} were due")
    assert len(server.established) <= 1.1 * due + 2


@pytest.mark.parametrize("limit", [2, 10])
def test_bursts(daemon, server, limit):
    server.close_idle = limit
    due = 1 + ask_after_pauses(daemon, server, [1, 45, 45], at_once=20)
    assert len(server.established) <= 1.1 * due + 2
