# SPDX-License-Identifier: MIT
"""Steady traffic while the first of two servers fails, the network changes, or a limit is exceeded."""
import signal
import threading

import pytest

import lies
from faults import Traffic
from test_faults_outages import BRISK, REFUSALS, STALLS, begin, finish

pytestmark = pytest.mark.faults
DEBUG = {"level": "debug"}


@pytest.fixture
def pair(make_server):
    first, second = make_server(), make_server(address="127.0.0.2")
    first.delay, second.delay = BRISK, 2 * BRISK  # the first is preferred while it works
    return first, second


def daemon_of(make_daemon, pair, **options):
    return make_daemon(pair[0].upstream(name="one"), pair[1].upstream(name="two"), log=DEBUG, **options)


@pytest.mark.parametrize("fault", ["refused", "blackholed", *REFUSALS, *STALLS])
def test_two_servers_the_first_is_unreachable(make_daemon, pair, fault):
    daemon = daemon_of(make_daemon, pair)
    traffic = Traffic(daemon)
    with traffic.fault():
        begin(pair[0], fault)
        traffic.go_on(4)
        finish(pair[0], fault)
    traffic.end(f"two servers, the first: {fault}", "170").loses_nothing(0.6)


LIES = {
    "one session silent": lambda server: {"silence": lambda query, open=tuple(server.open): query.connection in open},
    "closed after each response": lambda server: {"close_after": 1},
    "responses take 300 ms": lambda server: {"delay": 0.3},
    "responses take 2 s": lambda server: {"delay": 2},
    "responses take 4.5 s": lambda server: {"delay": 4.5},
    "length zero": lambda server: {"framing": lies.length_zero},
    "length beyond what follows": lambda server: {"framing": lies.length_beyond},
    "garbage frames": lambda server: {"framing": lies.garbage},
    "a flipped bit": lambda server: {"tamper": lies.flip_bit},
    "wrong ids": lambda server: {"twist": lies.wrong_id},
    "wrong names": lambda server: {"twist": lies.wrong_name},
    "queries echoed": lambda server: {"twist": lies.echo},
    "malformed": lambda server: {"twist": lies.malformed("pointer to itself")},
    "truncated": lambda server: {"twist": lies.truncated},
    "SERVFAIL": lambda server: {"twist": lies.rcode(2)},
    "REFUSED": lambda server: {"twist": lies.rcode(5)},
}


@pytest.mark.parametrize("lie", LIES)
def test_two_servers_the_first_lies(make_daemon, pair, lie):
    daemon = daemon_of(make_daemon, pair)
    traffic = Traffic(daemon)
    with traffic.fault(), pair[0].lying(**LIES[lie](pair[0])):
        traffic.go_on(4)
    traffic.end(f"two servers, the first: {lie}", "171").loses_nothing(0.6)


def test_two_servers_the_first_swaps_its_certificate(make_daemon, pair, certs):
    daemon = daemon_of(make_daemon, pair)
    traffic = Traffic(daemon)
    with traffic.fault():
        pair[0].swap(certs.bad("wrong-name"))
        pair[0].kill()
        traffic.go_on(4)
        pair[0].swap(certs.good)
    traffic.end("two servers, the first: certificate of another name", "170").loses_nothing(0.6)


# Networks.

@pytest.fixture
def world(make_namespace):
    return make_namespace().up("8.8.8.8", "2001:db8::1")


@pytest.fixture
def daemon_in(world, make_server, make_daemon):
    server = make_server(address="8.8.8.8", port=853, namespace=world)
    server.delay = BRISK
    return make_daemon(server, log=DEBUG, namespace=world), server


def test_other_addresses_come_and_go(world, daemon_in):
    daemon, server = daemon_in
    traffic = Traffic(daemon)
    sessions = len(server.connections)
    with traffic.fault():
        for number in range(8):
            world.run("ip", "link", "add", f"va{number}", "type", "veth", "peer", "name", f"vb{number}")
            world.run("ip", "address", "add", f"10.9.{number}.1/24", "dev", f"va{number}")
            world.run("ip", "link", "set", f"va{number}", "up")
            threading.Event().wait(0.25)
            world.run("ip", "link", "del", f"va{number}")
            threading.Event().wait(0.25)
    outcome = traffic.end("veths and addresses of others come and go", "180").loses_nothing(0.5)
    outcome.demand(len(server.connections) <= sessions + 1, "sessions were dropped")


def test_the_route_goes_and_comes_back(world, daemon_in):
    daemon, server = daemon_in
    traffic = Traffic(daemon)
    with traffic.fault():
        world.run("ip", "rule", "add", "pref", "5", "lookup", "local")
        world.run("ip", "rule", "del", "pref", "0")
        world.run("ip", "rule", "add", "pref", "1", "to", "8.8.8.8", "unreachable")
        traffic.go_on(6)
        world.run("ip", "rule", "del", "pref", "1")
    traffic.end("no route for 6 s", "181").answers_every_query().recovers(1).dials_at_most(20)


def test_packets_are_dropped_for_a_while(world, daemon_in):
    daemon, server = daemon_in
    traffic = Traffic(daemon)
    world.run("ip", "rule", "add", "pref", "5", "lookup", "local")
    world.run("ip", "rule", "del", "pref", "0")
    with traffic.fault():
        world.run("ip", "rule", "add", "pref", "1", "to", "8.8.8.8", "blackhole")
        traffic.go_on(6)
        world.run("ip", "rule", "del", "pref", "1")
    traffic.end("packets lost for 6 s", "181").answers_every_query().recovers(1.5).dials_at_most(20)


def test_suspended(make_daemon, make_server):
    """The daemon is stopped by SIGSTOP while the server ends its sessions."""
    server = make_server()
    daemon = make_daemon(server, log=DEBUG)
    traffic = Traffic(daemon, hits=0)
    with traffic.fault():
        daemon.signal(signal.SIGSTOP)
        server.kill("rst")
        traffic.go_on(3)
        daemon.signal(signal.SIGCONT)
    outcome = traffic.end("stopped for 3 s, sessions reset meanwhile", "182").recovers(0.5)
    outcome.demand(outcome.answered == outcome.sent, "queries lost")


@pytest.mark.parametrize("kind", ["unreachable", "prohibit", "blackhole"])
def test_one_address_family_drops_packets(world, make_server, make_daemon, kind):
    server = make_server(address="8.8.8.8", port=853, namespace=world)
    other = make_server(address="2001:db8::1", port=853, namespace=world)
    server.delay = other.delay = BRISK
    entry = {"name": "google", "tls-name": "dns.google", "addresses": ["2001:db8::1", "8.8.8.8"]}
    daemon = make_daemon(entry, log=DEBUG, namespace=world)
    traffic = Traffic(daemon)
    world.run("ip", "-6", "rule", "add", "pref", "5", "lookup", "local")
    world.run("ip", "-6", "rule", "del", "pref", "0")
    with traffic.fault():
        world.run("ip", "-6", "rule", "add", "pref", "1", "to", "2001:db8::1", kind)
        traffic.go_on(4)
        world.run("ip", "-6", "rule", "del", "pref", "1")
    traffic.end(f"IPv6 {kind}", "172").loses_nothing(0.6)


# Limits.

def test_max_qps_spills(make_daemon, pair):
    daemon = make_daemon(pair[0].upstream(name="one", **{"max-qps": 30}), pair[1].upstream(name="two"), log=DEBUG)
    traffic = Traffic(daemon)
    with traffic.fault():
        before = len(pair[0].queries)
        traffic.go_on(4)
        most = len(pair[0].queries) - before
    outcome = traffic.end("max-qps of the first below the query rate", "190").loses_nothing(0.5)
    outcome.demand(most <= 4 * 30 + 35, f"{most} queries in 4 s")


def test_refused_under_load(make_daemon, make_server):
    """A server that limits the rate: REFUSED above 30 queries in a second."""
    server, other = make_server(), make_server(address="127.0.0.2")
    daemon = make_daemon(server.upstream(name="one", **{"max-qps": 60}), other.upstream(name="two"), log=DEBUG)
    other.delay = 2 * BRISK
    recent = []

    def twist(query, truth):
        recent.append(query.time)
        return lies.rcode(5)(query, truth) if len([when for when in recent[-100:] if when > query.time - 1]) > 30 else [truth]
    traffic = Traffic(daemon)
    with traffic.fault(), server.lying(twist=twist):
        traffic.go_on(5)
    traffic.end("REFUSED above 30 queries a second, max-qps 60, another server", "190").loses_nothing(0.6)
