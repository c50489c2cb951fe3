# SPDX-License-Identifier: MIT
"""Steady traffic while the server is unreachable, or sends slow, wrong or surplus responses."""
import threading

import pytest

import lies
import wire
import zone
from daemon import SLACK
from faults import Traffic
from processes import eventually

pytestmark = pytest.mark.faults
BRISK = 0.02


@pytest.fixture
def daemon(make_daemon, server):
    server.delay = BRISK
    return make_daemon(server, log={"level": "debug"})


REFUSALS = {"reset": "rst", "closed": "fin", "answered with garbage": lies.GARBAGE, "answered with HTTP": lies.HTTP,
            "answered with an alert": lies.ALERT, "answered with plain DNS": lies.PLAIN_DNS}
STALLS = {"accepted, then silent": {"accept": "silent"}, "reads nothing": {"accept": "deaf"},
          "half a handshake": {"tamper": lies.half_handshake}, "reads nothing after the handshake": {"deaf": True},
          "reads queries and answers none": {"silence": True}}


def begin(server, fault):
    if fault == "refused":
        server.refuse()
    elif fault == "blackholed":
        server.blackhole()
    elif fault in REFUSALS:
        server.accept = REFUSALS[fault]
        server.kill()
    else:
        server.__dict__.update(STALLS[fault])
        if fault != "reads queries and answers none":
            server.kill()


def finish(server, fault):
    server.truth()
    server.delay = BRISK
    if fault in ("refused", "blackholed"):
        server.restore()


@pytest.mark.parametrize("fault", ["refused", *REFUSALS])
def test_outage(daemon, server, fault):
    traffic = Traffic(daemon)
    with traffic.fault():
        begin(server, fault)
        traffic.go_on(5)
        finish(server, fault)
    traffic.end(f"connections {fault}, 5 s", "120").answers_every_query().waits_in_grace().fails_fast().recovers(1).dials_at_most(20)


@pytest.mark.parametrize("fault", ["refused", *REFUSALS])
def test_short_outage(daemon, server, fault):
    """Shorter than the grace period after a success: no client gets an error."""
    traffic = Traffic(daemon)
    with traffic.fault():
        begin(server, fault)
        traffic.go_on(0.6)
        finish(server, fault)
    traffic.end(f"connections {fault}, 0.6 s", "121").loses_nothing(1.5).recovers(1).dials_at_most(25)


@pytest.mark.parametrize("fault", ["blackholed", *STALLS])
def test_stall(daemon, server, fault):
    traffic = Traffic(daemon)
    with traffic.fault():
        begin(server, fault)
        traffic.go_on(6)
        finish(server, fault)
    outcome = traffic.end(f"{fault}, 6 s", "122").answers_every_query().recovers(1.5).dials_at_most(20)
    outcome.demand(outcome.longest <= outcome.stretched(4.1), "SERVFAIL came late")


@pytest.mark.parametrize("fault", ["refused", "blackholed"])
def test_long_outage(daemon, server, fault, pytestconfig):
    """The length of an outage does not delay the recovery."""
    traffic = Traffic(daemon, misses=10)
    with traffic.fault():
        begin(server, fault)
        traffic.go_on(25)
        finish(server, fault)
    traffic.end(f"{fault}, 25 s", "123").answers_every_query().recovers(1 if fault == "refused" else 1.5).dials_at_most(20)


@pytest.mark.parametrize("kind", ["wrong-name", "expired", "self-signed"])
def test_certificate_swapped_for_a_bad_one(daemon, server, certs, kind):
    """No query is sent to the unverified server."""
    traffic = Traffic(daemon)
    with traffic.fault():
        server.swap(certs.bad(kind))
        server.kill()
        before = len(server.queries)
        traffic.go_on(4)
        assert len(server.queries) == before
        server.swap(certs.good)
    traffic.end(f"certificate: {kind}, 4 s", "150").answers_every_query().fails_fast().recovers(1).dials_at_most(20)


def test_tickets_that_the_server_refuses(daemon, server, certs):
    def renew():
        server.swap(certs.good)
        server.kill("fin")
        threading.Event().wait(0.5)
    traffic = Traffic(daemon)
    with traffic.fault():
        for _ in range(6):
            renew()
    traffic.end("tickets not accepted, twice a second", "151").loses_nothing(0.5)


# Slow responses.

@pytest.mark.parametrize("delay", [0.3, 2])
def test_slow_responses(daemon, server, delay):
    traffic = Traffic(daemon)
    with traffic.fault(), server.lying(delay=delay):
        traffic.go_on(5)
    outcome = traffic.end(f"responses take {delay} s", "131").loses_nothing(delay + 0.5)
    times = {}
    for query in server.queries:
        times[query.name] = times.get(query.name, 0) + 1
    outcome.demand(max(times.values()) <= 2, "more than one hedge")
    outcome.demand(sum(times.values()) <= outcome.sent * 1.08 + 25, f"{sum(times.values())} queries for {outcome.sent}")


def test_responses_after_4_5_seconds(daemon, server):
    traffic = Traffic(daemon, misses=20)
    with traffic.fault(), server.lying(delay=4.5):
        traffic.go_on(5)
    outcome = traffic.end("responses take 4.5 s", "132").answers_every_query()
    outcome.demand(outcome.longest <= outcome.stretched(4.1), "SERVFAIL came late")
    failed = [query.name for query in outcome.misses if query.rcode == 2]
    outcome.demand(len(failed) >= 30, "too few queries failed")
    eventually(lambda: all(daemon.ask(name, flags=0).rcode() == 0 for name in failed[:40]), 3 * SLACK, "late responses in the cache")


# Wrong responses.

@pytest.mark.parametrize("twist", [lies.duplicate, lies.unsolicited, lies.wrong_id_first])
def test_surplus_responses(daemon, server, twist):
    traffic = Traffic(daemon)
    sessions = len(server.connections)
    with traffic.fault(), server.lying(twist=twist):
        traffic.go_on(3)
    outcome = traffic.end(f"{twist.__name__} responses", "142").loses_nothing(0.5)
    outcome.demand(len(server.connections) <= sessions + 1, "sessions were given up")


WRONG = [lies.wrong_id, lies.wrong_name, lies.wrong_type, lies.wrong_class, lies.no_question, lies.question_twice,
         lies.not_a_response, lies.other_opcode, lies.echo, lies.cut, lies.truncated]


@pytest.mark.parametrize("twist", WRONG, ids=lambda twist: twist.__name__)
def test_wrong_responses(daemon, server, twist):
    """The responses for one name in ten are wrong: they never reach a client, and other names are not affected."""
    traffic = Traffic(daemon, name=lambda number: f"{'bad' if number % 10 == 0 else 'good'}{number}.example")
    with traffic.fault(), server.lying(twist=lambda query, truth: twist(query, truth) if query.name[0] == "b" else [truth]):
        traffic.go_on(4)
    check_one_in_ten(traffic.end(f"one in ten: {twist.__name__}", "143"))


def check_one_in_ten(outcome):
    outcome.answers_every_query()
    lost = [query for query in outcome.misses if query.name[0] == "g" and not query.correct]
    outcome.demand(not lost, "others suffered")
    longest = max(query.waited for query in outcome.misses if query.name[0] == "g")
    outcome.demand(longest <= outcome.stretched(1), f"others waited {longest}")


def test_swapped_ids(daemon, server):
    traffic = Traffic(daemon)
    with traffic.fault(), server.lying(twist=lies.swapped_ids()):
        traffic.go_on(4)
    traffic.end("swapped ids", "143").answers_every_query().recovers(1)


def test_malformed_responses(daemon, server):
    """Every kind in turn, for one name in ten."""
    kinds = list(lies.MALFORMED)
    traffic = Traffic(daemon, name=lambda number: f"{'bad' if number % 10 == 0 else 'good'}{number}.example")

    def twist(query, truth):
        if query.name[0] != "b":
            return [truth]
        return lies.malformed(kinds[int(query.name[3:-8]) // 10 % len(kinds)])(query, truth)
    with traffic.fault(), server.lying(twist=twist):
        traffic.go_on(len(kinds) / 5 + 1)
    check_one_in_ten(traffic.end("one in ten malformed, every kind", "144"))


@pytest.mark.parametrize("kind", ["pointer chains", "thousands of records", "64 KiB"])
def test_expensive_responses(daemon, server, kind):
    names = {"pointer chains": "bad{}.example", "thousands of records": "many4000.bad{}.example", "64 KiB": "big64000.bad{}.example"}
    name = lambda number: (names[kind] if number % 10 == 0 else "good{}.example").format(number)
    twist = (lambda query, truth: lies.pointer_chain(query, truth) if query.name[0] == "b" else [truth])
    traffic = Traffic(daemon, name=name)
    with traffic.fault(), server.lying(twist=twist if kind == "pointer chains" else None):
        traffic.go_on(3)
    outcome = traffic.end(f"one in ten: {kind}", "145")
    lost = [query for query in outcome.misses if query.name[0] == "g" and not query.correct]
    outcome.demand(not lost and not outcome.silent and not outcome.hits_lost, "others suffered")


@pytest.mark.parametrize("rcode, name", [(2, "SERVFAIL"), (5, "REFUSED"), (1, "FORMERR")])
def test_error_responses(daemon, server, rcode, name):
    """One name in ten: the error reaches the client at once, since there is no other server."""
    traffic = Traffic(daemon, name=lambda number: f"{'bad' if number % 10 == 0 else 'good'}{number}.example")
    twist = lies.rcode(rcode)
    with traffic.fault(), server.lying(twist=lambda query, truth: twist(query, truth) if query.name[0] == "b" else [truth]):
        traffic.go_on(3)
    outcome = traffic.end(f"one in ten: {name}", "146")
    lost = [query for query in outcome.misses if query.name[0] == "g" and not query.correct]
    outcome.demand(not lost and not outcome.silent and outcome.longest <= outcome.stretched(0.5), "others suffered")


def test_off_chain(daemon, server):
    traffic = Traffic(daemon)
    with traffic.fault(), server.lying(twist=lies.off_chain):
        traffic.go_on(2)
    assert wire.addresses(daemon.ask("victim.example")) == [zone.address("victim.example")]
    traffic.end("records off the chain", "147").recovers(0.5)


def test_queries_whose_sessions_are_always_lost(daemon, server):
    """Twice a second a query makes the server reset its session each time: the others are answered, and it gets at most 4 attempts: on the
    open session, on a resumed one, whose end is blamed on the ticket, on a new one, and isolated."""
    def twist(query, truth):
        if query.name.startswith("deadly"):
            server.loop.call_soon(query.connection.close, "rst")
            return []
        return [truth]
    traffic = Traffic(daemon)
    with traffic.fault(), server.lying(twist=twist, delay=lambda query: 0 if query.name.startswith("deadly") else BRISK):
        with daemon.udp() as client:
            for number in range(8):
                client.send(wire.query(f"deadly{number}.example", id=number))
                traffic.go_on(0.5)
            for _ in range(8):
                assert client.receive()[3] & 15 == 2
    outcome = traffic.end("queries whose sessions are always lost", "148").loses_nothing(1)
    for number in range(8):
        outcome.demand(len(server.queries_for(f"deadly{number}.example")) <= 4, "too many upstream queries")
