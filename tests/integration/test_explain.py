# SPDX-License-Identifier: MIT
"""The flight recorder: `dotstubctl explain` names the phase of an injected delay, and failures have an id."""
import contextlib
import json
import re
import threading
import time

import pytest

import lies
import wire
from daemon import SLACK
from test_control import control
from test_ctl import USAGE, ctl
from test_upstream import ask_truly

pytestmark = pytest.mark.threads

DELAY = 0.3
SLOW = "250ms"


@pytest.fixture
def recording(make_daemon, server):
    return make_daemon(server, log={"slow": SLOW})


def explain(daemon, *arguments):
    return json.loads(ctl(daemon, "--json", "explain", *arguments))["records"]


def phases(record):
    return {phase["phase"]: phase["ms"] for phase in record["phases"]}


def only(daemon, *arguments):
    (record,) = explain(daemon, *arguments)
    assert sum(phases(record).values()) == record["total_ms"]
    if record["total_ms"]:
        assert record["explanation"].startswith(f"{phases(record)[record['longest']]} of {record['total_ms']} ms: ")
    else:
        assert record["longest"] is None and record["explanation"] == "less than a millisecond"
    return record


# A delay in each phase.

def delayed_response(daemon, server):
    ask_truly(daemon, "first.example")
    with server.lying(delay=DELAY):
        daemon.ask("slow.example")
    return "reused"


def delayed_handshake(daemon, server):
    with server.lying(greet_after=DELAY):
        daemon.ask("slow.example")
    return "opened"


def delayed_connect(daemon, server):
    """No connection is accepted for a while; the daemon or the kernel retries."""
    server.blackhole()
    timer = threading.Timer(DELAY, server.restore)
    timer.start()
    daemon.ask("slow.example")
    timer.join()
    return "opened"


def delayed_session(daemon, server):
    """Connections are refused at first: the server is in back-off, then a session opens."""
    server.refuse()
    timer = threading.Timer(DELAY, server.restore)
    timer.start()
    daemon.ask("slow.example")
    timer.join()
    return "opened"


def delayed_by_a_lost_session(daemon, server):
    """No attempt gets a response until its session is lost."""
    ask_truly(daemon, "first.example")
    lost = threading.Event()

    def lose():
        lost.set()
        server.kill("rst")

    with server.lying(silence=lambda query: query.name == "slow.example" and not lost.is_set()):
        timer = threading.Timer(DELAY, lose)
        timer.start()
        daemon.ask("slow.example")
        timer.join()
    return "opened"


@pytest.mark.parametrize("inject, phase, words", [
    (delayed_response, "response", "waiting for the response of liar 127.0.0.1@"),
    (delayed_handshake, "handshake", "the TLS handshake with liar 127.0.0.1@"),
    (delayed_connect, "connect", "connecting to liar 127.0.0.1@"),
    (delayed_session, "queue", "waiting for a session"),
    (delayed_by_a_lost_session, "retries", "earlier attempts"),
], ids=lambda value: value if isinstance(value, str) and value.isalpha() else "")
def test_the_longest_phase(recording, server, inject, phase, words):
    session = inject(recording, server)
    record = only(recording, "slow.example")
    assert record["longest"] == phase and words in record["explanation"], record
    assert phases(record)[phase] >= 0.8 * 1000 * DELAY
    assert record["kind"] == "slow" and record["rcode"] == "NOERROR"
    assert record["session"] in (session, "opened", "resumed")  # a late query may be hedged on another session
    assert record["server"] == {"upstream": "liar", "address": f"127.0.0.1@{server.port}", "transport": "dot"}
    shown = ctl(recording, "explain", "slow.example")
    assert shown.startswith("slow.example. A, NOERROR, over UDP, ") and words in shown


def test_repeatedly(recording, server):
    """Repeated for two phases in turn, so that chance does not decide."""
    ask_truly(recording, "first.example")
    for n in range(5):
        with server.lying(delay=DELAY):
            recording.ask(f"answer{n}.example")
        assert only(recording, "last-slow")["longest"] == "response"
        server.kill("fin")
        with server.lying(greet_after=DELAY):
            recording.ask(f"handshake{n}.example")
        assert only(recording, "last-slow")["longest"] == "handshake"
    assert len(explain(recording)) == 10


def test_fast_queries_are_not_recorded(recording):
    for n in range(20):
        ask_truly(recording, f"n{n}.example")
        ask_truly(recording, f"n{n}.example")
    assert explain(recording) == [] or SLACK > 1
    assert "no recorded query matches: only those that failed or waited longer" in ctl(recording, "explain", "nobody.example")


def test_a_failure_has_an_id(recording, server):
    server.refuse()
    answer = recording.ask("fails.example", edns=True)
    assert answer.rcode() == 2
    error = wire.extended_errors(answer)[0]
    identity = re.search(r"liar: Connection refused \[([0-9a-f]{6})\]$", error[1])[1]
    record = only(recording, identity)
    assert record["kind"] == "failed" and record["name"] == "fails.example." and record["rcode"] == "SERVFAIL"
    assert record["extended_error"]["text"] == error[1] and record["session"] is None
    assert only(recording, "last-failed") == {**record, "ended_s_ago": only(recording, "last-failed")["ended_s_ago"]}
    recording.wait_line(rf"resolve: a query failed after \d+ ms: liar: Connection refused .*dotstubctl explain {identity}")
    assert not [line for line in recording.log() if "fails" in line]


def test_a_servers_error_response_has_an_id(recording, server):
    with server.lying(twist=lies.rcode(2)):
        answer = recording.ask("fails.example", edns=True)
    (error,) = wire.extended_errors(answer)
    identity = re.search(r"liar: the server answered SERVFAIL \[([0-9a-f]{6})\]$", error[1])[1]
    assert only(recording, identity)["name"] == "fails.example."
    assert not [line for line in recording.log() if "a query failed" in line]  # the failure is the server's response
    again = wire.extended_errors(recording.ask("fails.example", edns=True))  # kept for a while: it leads to the first one
    assert again[-1][1] == error[1] and len(explain(recording)) == 1


def test_queries_that_share_a_lookup(recording, server):
    with server.lying(delay=2 * DELAY), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(recording.udp()) for _ in range(5)]
        for client in clients:
            client.send(wire.query("slow.example"))
        for client in clients:
            client.receive()
    assert only(recording, "slow.example")["queries"] == 5


def test_records_of_all_workers(make_daemon, server):
    daemon = make_daemon(server, workers=3, log={"slow": SLOW})
    with server.lying(twist=lies.rcode(2)):
        for n in range(12):
            daemon.ask(f"n{n}.example")
    ended = [record["ended_s_ago"] for record in explain(daemon)]
    assert len(ended) == 12 and ended == sorted(ended)


def test_a_stale_response(make_daemon, server):
    daemon = make_daemon(server, log={"slow": SLOW}, cache={"stale-answer-after": "300ms"})
    with server.lying(twist=lies.ttl(1)):
        ask_truly(daemon, "a.example")
    time.sleep(1.2)  # its TTL
    with server.lying(silence=True):
        assert daemon.ask("a.example").rcode() == 0
    record = only(daemon, "last-slow")
    assert record["stale"] and record["extended_error"]["code"] == 3


@pytest.mark.parametrize("path", ["?which=x", "?name=", "?name=a..b", "?id=", "?id=xyz", "?id=1&name=a", "?nothing=1"])
def test_invalid_arguments(recording, path):
    assert control(recording, "/explain" + path).status == 400


def test_it_needs_get(recording):
    assert control(recording, "/explain", "-X", "POST").status == 405
    assert "not a valid domain name" in ctl(recording, "explain", "a..b", status=USAGE)
