# SPDX-License-Identifier: MIT
"""Networks that block or disturb DNS over TLS, for an upstream with transport: auto: its queries go over HTTPS until DNS over TLS works
again. A relay plays the network; the one operator has a server for each transport."""
import itertools
import threading
import time

import pytest

import wire
from daemon import SLACK
from dohserver import DohServer
from processes import eventually
from relay import Relay
from test_control import control

DELAY = 0.01  # seconds, of each response of both servers


def all_good(result):
    assert result["good"] == result["sent"], result
    return result


class Operator:
    """One operator behind a network."""

    def __init__(self, make_daemon, server, doh, certs, cleanup, **options):
        self.dot, self.doh, self.certs = server, doh, certs
        self.dot.delay = self.doh.delay = DELAY
        self.relay = Relay(server.port)
        cleanup.callback(self.relay.stop)
        self.daemon = make_daemon({"name": "op", "tls-name": "dns.google", "addresses": ["127.0.0.1"], "port": self.relay.port,
                                   "transport": "auto", "https": f"https://dns.google:{doh.port}/dns-query"}, **options)
        self.number, self.first, self.errors = itertools.count(), 0, []

    def ask(self):
        """One query for a new name; the time until it was answered."""
        name, began = f"q{next(self.number)}.example", time.monotonic()
        with self.daemon.udp() as client:
            response = client.ask(name)
        took = time.monotonic() - began
        if response.rcode() == 0:
            return took
        self.errors.append(took)
        return None

    def load(self, seconds, rate=50, daemon=None):
        """Begins queries for new names at a steady rate, by another process."""
        count, self.first = int(seconds * rate), self.first + int(seconds * rate)
        return (daemon or self.daemon).load(queries=count, distinct=count, first=self.first, name="l%u.example", rate=rate, in_flight=1000)

    def ask_for(self, seconds, rate=50):
        """The same to its end; all are answered."""
        return all_good(self.load(seconds, rate).result())

    def first_answer(self):
        """Seconds until a query was answered."""
        began = time.monotonic()
        eventually(lambda: self.ask() is not None, what="an answer")
        return time.monotonic() - began

    def server_of(self, transport):
        return next(one for one in control(self.daemon, "/status").json["servers"] if one["transport"] == transport)

    def is_on_https(self):
        return self.server_of("https")["fallback"] is not None


@pytest.fixture
def operator(make_daemon, server, certs, cleanup):
    doh = DohServer(certs.good)
    cleanup.callback(doh.stop)
    operator = Operator(make_daemon, server, doh, certs, cleanup)
    assert operator.ask() is not None and not doh.connections, "DNS over TLS first"
    return operator


def intercept(operator):
    operator.stranger = type(operator.dot)(operator.certs.make("box", operator.certs.stranger, names=["dns.google"]))
    operator.relay.target = operator.stranger.port
    operator.relay.end()


def reset(operator):
    operator.relay.mode = "reset"
    operator.relay.end()


BLOCKS = {"refused": (lambda operator: operator.relay.refuse(), 1.0), "reset": (reset, 1.0), "intercepted": (intercept, 1.0),
          "dropped": (lambda operator: operator.relay.drop(), 1.5)}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_blocked_port(operator, block):
    """The first answer after the fault comes in time, all later ones too, and the status says why."""
    act, limit = BLOCKS[block]
    act(operator)
    try:
        assert operator.first_answer() <= limit * SLACK
        assert operator.ask_for(0.7)["max_ms"] < 250 * SLACK and not operator.errors
        assert operator.is_on_https() and operator.doh.requests
        operator.daemon.wait_line(r"op: queries go over HTTPS, because DNS over TLS does not work on this network: ")
        assert control(operator.daemon, "/status").json["state"] != "down"
    finally:
        if hasattr(operator, "stranger"):
            assert not operator.stranger.queries, "a stranger got a query"
            operator.stranger.stop()


def test_sessions_that_end_with_queries_unanswered(operator):
    """Three within a minute."""
    for number in range(3):
        operator.dot.silence = True
        asking = threading.Thread(target=operator.ask)
        asking.start()
        operator.dot.wait_for(lambda: operator.dot.open and any(not query.answered for query in operator.dot.queries[-1:]))
        operator.dot.silence = False
        operator.dot.kill("rst")
        asking.join()
        operator.dot.forget()
        operator.ask_for(0.3)  # losses within 250 ms count once
    eventually(operator.is_on_https, what="HTTPS after three losses")
    assert operator.first_answer() < 0.5 * SLACK and not operator.errors


def test_a_throttled_port(operator):
    operator.relay.rate = 1000
    threads = [threading.Thread(target=operator.ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    eventually(operator.is_on_https, timeout=6 * SLACK, what="HTTPS instead of late responses")
    for thread in threads:
        thread.join()
    assert not operator.errors
    assert operator.ask_for(0.5)["max_ms"] < 250 * SLACK


def test_both_blocked_fails_with_the_reason_and_recovers(operator):
    operator.relay.refuse()
    operator.doh.refuse()
    response = operator.daemon.ask("none.example", edns=True)
    assert response.rcode() == 2 and "refused" in " ".join(str(option) for option in response.options if option.otype == wire.EDE)
    assert not operator.is_on_https(), "nothing shows that HTTPS is better"
    operator.relay.open()
    assert operator.first_answer() < 1.5 * SLACK


def test_https_that_fails_while_tls_is_blocked(operator):
    """HTTPS ends, too, then DNS over TLS returns: queries do not wait for the proof."""
    operator.relay.refuse()
    assert operator.first_answer() < 1 * SLACK and operator.is_on_https()
    operator.doh.refuse()
    operator.relay.open()
    assert operator.first_answer() < 2 * SLACK


@pytest.mark.faults
@pytest.mark.alone
@pytest.mark.parametrize("fault", [*BLOCKS, "throttled", "open for 5 s"])
def test_the_drill(operator, make_daemon, fault):
    """Queries keep being answered over HTTPS, as fast as by a daemon that uses HTTPS alone and has the same load at the same time, and go over
    TLS again within a minute of its return."""
    relay, alone = operator.relay, make_daemon(operator.doh.upstream())
    if fault in BLOCKS:
        BLOCKS[fault][0](operator)
    elif fault == "throttled":
        relay.rate = 1000
    else:
        operator.dot.delay = operator.doh.delay = 10 * DELAY  # so that each end leaves queries unanswered
        relay.lifetime = 5
        relay.end()
    begun = time.monotonic()
    eventually(lambda: operator.load(0.5, 100).result() and operator.is_on_https(), timeout=40, what="HTTPS")
    changed = time.monotonic() - begun
    loads = [operator.load(40, 100, daemon) for daemon in (operator.daemon, alone)]
    during, beside = (all_good(load.result()) for load in loads)
    assert operator.is_on_https(), "it is left while the fault lasts"
    relay.open()
    returned = time.monotonic()
    if hasattr(operator, "stranger"):
        operator.stranger.stop()
    eventually(lambda: operator.ask_for(0.5, 100) and not operator.is_on_https(), timeout=62, what="DNS over TLS again")
    took = time.monotonic() - returned
    before = len(operator.doh.requests)
    operator.ask_for(1)
    assert len(operator.doh.requests) == before
    print(f"{fault}: over HTTPS after {changed:.1f} s; p50 {during['p50_ms']:.1f} ms, p99 {during['p99_ms']:.1f} ms, longest {during['max_ms']:.1f} ms; "
          f"over HTTPS alone {beside['p50_ms']:.1f}, {beside['p99_ms']:.1f}, {beside['max_ms']:.1f} ms; over TLS again after {took:.1f} s")
    assert took <= 60 and during["p99_ms"] <= 1.1 * beside["p99_ms"] + 1
