# SPDX-License-Identifier: MIT
"""`dotstubctl trace`: sends a query and shows each step."""
import concurrent.futures
import json
import re
import signal

import pytest

import wire
from test_control import control, post
from test_ctl import OTHER, USAGE, call, ctl
from test_explain import phases
from test_upstream import ask_truly

pytestmark = pytest.mark.threads


def trace(daemon, *arguments):
    return json.loads(ctl(daemon, "--json", "trace", *arguments))


def test_a_new_session_then_the_same_one(daemon, server):
    first = trace(daemon, "a.example")
    assert first["rcode"] == "NOERROR" and first["answer_records"] == 1 and first["step"] == "lookup"
    assert first["cache"]["found"] == "miss" and first["lookup"]["session"] == "opened" and not first["lookup"]["joined"]
    assert first["lookup"]["server"] == {"upstream": "liar", "address": f"127.0.0.1@{server.port}", "transport": "dot"}
    assert first["lookup"]["group"] == "root"
    assert sum(phases(first["lookup"]).values()) == first["lookup"]["total_ms"]
    second = trace(daemon, "b.example", "AAAA")
    assert second["type"] == "AAAA" and second["lookup"]["session"] == "reused"
    assert len(server.connections) == 1 and len(server.queries_for("a.example")) == len(server.queries_for("b.example", "AAAA")) == 1


@pytest.mark.parametrize("lie, phase", [({"delay": 0.3}, "response"), ({"greet_after": 0.3}, "handshake")], ids=lambda value: str(value))
def test_where_the_time_goes(daemon, server, lie, phase):
    with server.lying(**lie):
        told = trace(daemon, "a.example")
    assert told["lookup"]["longest"] == phase and phases(told["lookup"])[phase] >= 240 and told["total_ms"] >= 240


def test_a_cached_entry_is_shown_and_the_upstream_queried(daemon, server):
    ask_truly(daemon, "a.example")
    told = trace(daemon, "A.example.")
    assert told["cache"]["found"] == "hit" and told["cache"]["ttl"] > 0 and told["lookup"]
    assert len(server.queries_for("a.example")) == 2
    shown = ctl(daemon, "trace", "a.example")
    assert shown.startswith("a.example. A: NOERROR, 1 records, ") and "upstream queried anyway" in shown and re.search(r"lookup +new", shown)


def test_it_joins_a_lookup_in_progress(daemon, server):
    with server.lying(delay=0.5), daemon.udp() as client:
        client.send(wire.query("a.example"))
        server.wait_for_queries("a.example")
        assert trace(daemon, "a.example")["lookup"]["joined"]


def test_special_use_names(daemon, server):
    told = trace(daemon, "localhost")
    assert told["step"] == "special" and told["rcode"] == "NOERROR" and told["lookup"] is None and told["cache"] is None
    assert not server.queries


def test_a_failure(daemon, server):
    server.refuse()
    told = trace(daemon, "a.example")
    assert told["rcode"] == "SERVFAIL" and "Connection refused" in told["lookup"]["extended_error"]["text"]
    assert "Connection refused" in ctl(daemon, "trace", "b.example")


def test_a_large_response(daemon):
    told = trace(daemon, "big5000.example", "TXT")
    assert told["rcode"] == "NOERROR" and told["response_bytes"] > 5000


def test_access_lists_do_not_apply(make_daemon, server):
    daemon = make_daemon(server, access={"allow": ["192.0.2.0/24", "2001:db8::/32"]})
    assert trace(daemon, "a.example")["rcode"] == "NOERROR"


def test_the_number_of_traces_is_limited(daemon, server):
    with server.lying(delay=1), concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: post(daemon, f"/trace?name=n{n}.example"), range(20)))
    assert {answer.status for answer in answers} == {200, 503}
    assert sum(answer.status == 200 for answer in answers) >= 8
    assert post(daemon, "/trace?name=a.example").status == 200


def test_the_daemon_stops_during_a_trace(daemon, server):
    server.silence = True
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(post, daemon, "/trace?name=a.example")
        server.wait_for_queries("a.example")
        daemon.signal(signal.SIGTERM)
        assert waiting.result().status == 503
    assert daemon.wait_exit() == 0


@pytest.mark.parametrize("path", ["", "?name=", "?name=a..b", "?name=a&type=NONSENSE", "?nothing=1"])
def test_invalid_arguments(daemon, server, path):
    assert post(daemon, "/trace" + path).status == 400
    assert not server.queries


def test_it_needs_post(daemon, server):
    assert control(daemon, "/trace?name=a.example").status == 405 and not server.queries
    assert "not a known record type" in ctl(daemon, "trace", "a.example", "NONSENSE", status=USAGE)
    assert call("--socket", daemon.config["control"]["socket"], "trace").returncode == USAGE
