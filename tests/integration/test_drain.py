# SPDX-License-Identifier: MIT
"""Draining: health checks fail for a time while queries are still answered; then the daemon stops."""
import signal
import time

import pytest

from daemon import FLAVOUR, SLACK
from processes import eventually, free_port
from test_control import control, curl, post
from test_ctl import DEGRADED, USAGE, ctl
from test_notify import heard, manager, variables  # noqa: F401
from test_upstream import ask_truly

pytestmark = pytest.mark.threads
NAME = "health.example"


@pytest.fixture
def make_checked(make_daemon, server):
    """A daemon with all kinds of health checks."""
    def make(**options):
        port = free_port("127.0.0.1")
        daemon = make_daemon(server, health={"name": NAME}, metrics={"listen": f"127.0.0.1@{port}"}, **options)
        daemon.readyz = lambda: curl(f"http://127.0.0.1:{port}/readyz")
        return daemon
    return make


def health(daemon, rdtype="A", **options):
    answer = daemon.ask(NAME, rdtype, **options)
    return answer.rcode().name, [str(record) for rrset in answer.answer for record in rrset]


def assert_drains(daemon):
    eventually(lambda: health(daemon) == ("REFUSED", []))
    assert health(daemon, tcp=True) == ("REFUSED", [])
    answer = daemon.readyz()
    assert answer.status == 503 and answer.body == "draining\n"
    assert control(daemon, "/status").json["state"] == "draining"


def test_health_name(make_checked, server):
    daemon = make_checked()
    assert health(daemon) == ("NOERROR", ["127.0.0.1"])
    assert health(daemon, "AAAA", tcp=True) == ("NOERROR", ["::1"])
    assert health(daemon, "TXT") == ("NOERROR", [])
    ask_truly(daemon, f"not.{NAME}")
    assert [query.name for query in server.queries] == [f"not.{NAME}"]


def test_drain_loses_nothing(make_checked, server):
    """Health checks fail at once; queries are answered until the end."""
    daemon = make_checked(workers=2)
    seconds, rate = 3, 500 // SLACK
    server.delay = 0.02
    loads = [daemon.load(queries=2 * rate, distinct=distinct, rate=rate, name=name, connections=4, in_flight=500, tcp=tcp)
             for name, distinct in (("hit%u.example", 50), ("miss%u.example", 2 * rate)) for tcp in (False, True)]
    server.wait_for_queries("miss9.example")
    answer = post(daemon, f"/drain?seconds={seconds * SLACK}")
    assert answer.status == 200 and answer.json == {"draining_s": seconds * SLACK}
    assert_drains(daemon)
    for load in loads:
        result = load.result(120)
        assert result["good"] == result["sent"] == 2 * rate, result
    assert daemon.wait_exit(30 * SLACK) == 0
    assert any("drained: stopping" in line for line in daemon.log())


def test_sigterm_drains_for_drain_time(make_checked, manager):  # noqa: F811
    daemon = make_checked(drain={"time": "1s"}, variables=variables(manager))
    assert heard(manager) == "READY=1"
    begun = time.monotonic()
    daemon.signal(signal.SIGTERM)
    assert heard(manager) == "STOPPING=1\nEXTEND_TIMEOUT_USEC=6000000"
    assert_drains(daemon)
    ask_truly(daemon, "a.example")
    assert daemon.wait_exit() == 0
    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it(make_checked, number):
    daemon = make_checked(drain={"time": "1h"})
    daemon.signal(signal.SIGTERM)
    daemon.wait_line("draining for 3600.0 s")
    daemon.signal(number)
    assert daemon.wait_exit() == 0


@pytest.mark.skipif(FLAVOUR == "thread", reason="the thread sanitizer calls the handler for a blocked signal: libuv then waits for its own lock")
def test_further_signals_do_not_change_the_exit_status(make_checked):
    for _ in range(3):
        daemon = make_checked()
        while daemon.child.poll() is None:
            daemon.child.send_signal(signal.SIGTERM)
        assert daemon.wait_exit() == 0


def test_sigint_stops_without_draining(make_checked):
    daemon = make_checked(drain={"time": "1h"})
    daemon.signal(signal.SIGINT)
    assert daemon.wait_exit() == 0


def test_the_remaining_time_can_be_changed(make_checked):
    daemon = make_checked()
    post(daemon, "/drain?seconds=3600")
    assert_drains(daemon)
    assert post(daemon, "/drain?seconds=0.1").json == {"draining_s": 0.1}
    assert daemon.wait_exit() == 0


def test_dotstubctl_drain(make_checked):
    daemon = make_checked(drain={"time": "1h"})
    assert ctl(daemon, "drain") == "draining for 3600 s, then stopping\n"
    assert_drains(daemon)
    assert ": draining" in ctl(daemon, "status", status=DEGRADED).splitlines()[0]
    assert "a number" in ctl(daemon, "drain", "soon", status=USAGE)
    assert ctl(daemon, "drain", "0.1") == "draining for 0.1 s, then stopping\n"
    assert daemon.wait_exit() == 0


def test_drain_without_a_time_stops_at_once(make_checked):
    daemon = make_checked()
    assert post(daemon, "/drain").json == {"draining_s": 0}
    assert daemon.wait_exit() == 0
