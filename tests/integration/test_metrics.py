# SPDX-License-Identifier: MIT
"""/metrics after known queries; and the alert rules and the dashboard use only metrics that exist."""
import json
import pathlib
import re

import pytest
import yaml

import exposition
import lies
import wire
from daemon import SLACK
from processes import eventually, free_port
from test_control import control, metrics, metrics_daemon, post  # noqa: F401, a fixture
from test_defences import counters
from test_upstream import ask_truly

pytestmark = pytest.mark.threads

SHIPPED = pathlib.Path(__file__).parents[2] / "packaging" / "prometheus"
# Metrics of the Prometheus server itself.
FOREIGN = {"up"}


def scrape(daemon):
    reply = control(daemon, "/metrics")
    assert reply.status == 200 and exposition.promtool("check", "metrics", input=reply.body) == ""
    return exposition.parse(reply.body)


def of_server(server):
    return f'{{upstream="liar",address="127.0.0.1@{server.port}"}}'


def accounting_is_consistent(found):
    received, finished, dropped = (found[f"dotstub_queries_{what}_total"][""] for what in ("received", "finished", "dropped"))
    return received == finished + dropped + found["dotstub_queries_waiting"][""] and found["dotstub_queries_unaccounted"] == {"": 0}


def test_queries_by_kind(daemon, server):
    ask_truly(daemon, "a.example")
    daemon.ask("a.example", "AAAA")
    daemon.ask("a.example", "HTTPS")
    daemon.ask("a.example", "CAA")
    daemon.ask("nothing.test")
    with daemon.tcp() as client:
        client.send(wire.query("a.example"))
        client.receive()
        found = scrape(daemon)
        assert found["dotstub_tcp_clients"] == {"": 1}
    assert found["dotstub_queries_by_transport_total"] == {
        f'{{transport="{name}"}}': number for name, number in {"none": 0, "udp": 5, "tcp": 1, "tls": 0, "https": 0}.items()}
    assert found["dotstub_queries_by_type_total"] == {'{type="A"}': 3, '{type="AAAA"}': 1, '{type="HTTPS"}': 1, '{type="other"}': 1}
    rcodes = found["dotstub_responses_by_rcode_total"]
    assert sum(rcodes.values()) == 6 and rcodes['{rcode="NXDOMAIN"}'] >= 1 and rcodes['{rcode="SERVFAIL"}'] == 0
    assert accounting_is_consistent(found)
    eventually(lambda: scrape(daemon)["dotstub_tcp_clients"] == {"": 0}, what="the client's end")


def test_queries_of_dotstub_itself_are_none_of_a_client(make_daemon, server):
    daemon = make_daemon(server, **{"single-label": "search", "search": ["corp.example"]})
    assert daemon.ask("printer").answer
    assert post(daemon, "/trace?name=a.example").status == 200
    found = scrape(daemon)
    transports = found["dotstub_queries_by_transport_total"]
    assert transports['{transport="none"}'] == 2 and transports['{transport="udp"}'] == 1 and sum(transports.values()) == 3
    assert found["dotstub_queries_received_total"] == {"": 3} and accounting_is_consistent(found)
    assert found["dotstub_queries_by_type_total"]['{type="A"}'] == found["dotstub_responses_by_rcode_total"]['{rcode="NOERROR"}'] == 1
    assert found["dotstub_miss_duration_seconds"][""][2] == 1


def test_miss_times(daemon, server):
    for n in range(10):
        ask_truly(daemon, f"n{n}.example")
    with server.lying(delay=0.3):
        daemon.ask("slow.example")
    buckets, total, count = scrape(daemon)["dotstub_miss_duration_seconds"][""]
    assert count == 11 and buckets[0.2] <= 10 and 0.3 <= total < 5 * SLACK
    buckets, total, count = scrape(daemon)["dotstub_server_response_seconds"][of_server(server)]
    assert count >= 11 and total >= 0.3


def test_hit_times_are_sampled(daemon):
    ask_truly(daemon, "a.example")
    for _ in range(17 * 4):
        daemon.ask("a.example")
    buckets, total, count = scrape(daemon)["dotstub_hit_duration_seconds"][""]
    assert count == 4 and 0 < total < 1 * SLACK


def test_session_times(daemon, server):
    with server.lying(greet_after=0.3):
        ask_truly(daemon, "a.example")
    found = scrape(daemon)
    assert found["dotstub_server_handshake_seconds"][of_server(server)][1] >= 0.3
    assert found["dotstub_server_connect_seconds"][of_server(server)][2] == 1
    assert found["dotstub_server_sessions_opened_total"] == {of_server(server): 1}
    assert found["dotstub_server_certificate_expires_seconds"][of_server(server)] > 1.7e9


def test_reuse_and_resumption(daemon, server):
    """Counts the first query of each session; on a busy machine a late query is hedged on another session."""
    def first_ones(found):
        first = found["dotstub_attempts_sent_total"][""] - found["dotstub_attempts_reused_total"][""]
        assert 1 <= first <= found["dotstub_sessions_opened_total"][""] <= 3
        return first
    for n in range(5):
        ask_truly(daemon, f"n{n}.example")
    before = first_ones(scrape(daemon))
    server.kill("fin")
    server.wait_for(lambda: not server.open)
    ask_truly(daemon, "again.example")
    found = scrape(daemon)
    assert first_ones(found) > before
    assert found["dotstub_server_sessions_resumed_total"][of_server(server)] >= 1
    assert found["dotstub_sessions_closed_by_server_total"][""] >= 1


def test_drops_by_reason(make_daemon, server):
    daemon = make_daemon(server, access={"allow": ["::1"], "deny": "drop"})
    with daemon.udp() as stranger, daemon.tcp("::1") as client:
        stranger.send(wire.query("a.example"))
        server.silence = True
        client.send(wire.query("b.example"))
        server.wait_for_queries("b.example")
        client.reset()
    eventually(lambda: scrape(daemon)["dotstub_drops_client_gone_total"] == {"": 1}, what="a query dropped")
    found = scrape(daemon)
    assert found["dotstub_drops_policy_total"] == {"": 1} and found["dotstub_queries_dropped_total"] == {"": 2}
    assert accounting_is_consistent(found)


def test_retransmissions_and_waiting_queries(daemon, server):
    server.silence = True
    with daemon.udp() as client:
        message = wire.query("a.example")
        client.send(message)
        server.wait_for_queries("a.example")
        client.send(message)
        eventually(lambda: scrape(daemon)["dotstub_queries_retransmitted_total"] == {"": 1}, what="the retransmission")
        found = scrape(daemon)
    assert found["dotstub_queries_waiting"] == {"": 1} and found["dotstub_queries_dropped_total"] == {"": 1} and accounting_is_consistent(found)


def test_slow_and_failed(make_daemon, server):
    daemon = make_daemon(server, log={"slow": "250ms"})
    with server.lying(delay=0.3):
        daemon.ask("slow.example")
    with server.lying(twist=lies.rcode(2)):
        daemon.ask("fails.example")
    found = scrape(daemon)
    assert found["dotstub_queries_slow_total"] == {"": 1}
    assert found["dotstub_responses_by_rcode_total"]['{rcode="SERVFAIL"}'] == found["dotstub_responses_servfail_total"][""] == 1


def test_evictions(make_daemon, server):
    daemon = make_daemon(server, cache={"size": "1MiB"})
    assert scrape(daemon)["dotstub_cache_evictions_total"] == {"": 0}
    daemon.load(queries=1500, distinct=1500, name="n%u.many200.example", edns=True).result()
    found = scrape(daemon)
    assert found["dotstub_cache_evictions_total"][""] > 0
    assert 0 < found["dotstub_cache_used_bytes"][""] <= found["dotstub_cache_size_bytes"][""]


def test_accounting_in_every_scrape(make_daemon, server):
    daemon = make_daemon(server, workers=3)
    server.delay = 0.05
    with daemon.udp() as client:
        for n in range(300):
            client.send(wire.query(f"n{n}.example"))
            if n % 30 == 0:
                assert accounting_is_consistent(scrape(daemon))
    assert accounting_is_consistent(scrape(daemon))


def test_the_process(daemon):
    found = scrape(daemon)
    assert 1e6 < found["process_resident_memory_bytes"][""] < found["process_virtual_memory_bytes"][""]
    assert 5 < found["process_open_fds"][""] < found["process_max_fds"][""]
    assert found["process_cpu_seconds_total"][""] > 0


# Alert rules and dashboard.

def expressions_of_rules():
    groups = yaml.safe_load((SHIPPED / "dotstub.rules.yaml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def dashboard():
    return json.loads((SHIPPED / "dotstub-dashboard.json").read_text())


def expressions_of_dashboard():
    return {f"{panel['title']} {target['refId']}": target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]}


def names_in(expression):
    """The metrics in an expression: identifiers that are not functions, keywords or labels."""
    plain = re.sub(r'"[^"]*"', '""', expression)
    plain = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", plain)
    plain = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", plain)
    return set(re.findall(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()", plain)) - {"and", "or", "unless", "by", "sum", "max"}


def test_the_dashboard_has_each_counter_of_the_store(daemon):
    shown = " ".join(expressions_of_dashboard().values())
    names = [name for name in counters(daemon) if name.startswith("store_")]
    assert len(names) > 30 and not [name for name in names if f"dotstub_{name}_total" not in shown]


@pytest.mark.parametrize("expressions", [expressions_of_rules, expressions_of_dashboard])
def test_expressions_use_existing_metrics(make_daemon, server, public_path, expressions):
    daemon = make_daemon(server, block={"lists": [{"name": "ads", "file": str(public_path / "ads")}]})
    ask_truly(daemon, "a.example")
    there = exposition.names(control(daemon, "/metrics").body) | FOREIGN
    asked = {where: names_in(expression) for where, expression in expressions().items()}
    assert all(asked.values()) and len(asked) > 15
    assert {where: missing for where, names in asked.items() if (missing := names - there)} == {}


def test_promtool_accepts_them(tmp_path):
    rules = SHIPPED / "dotstub.rules.yaml"
    assert exposition.promtool("check", "rules", rules) == ""
    made = {"groups": [{"name": "dashboard", "rules": [
        {"record": f"r{n}", "expr": expression.replace("$__rate_interval", "1m").replace("$instance", ".*")}
        for n, expression in enumerate(expressions_of_dashboard().values())]}]}
    copy = tmp_path / "dashboard.yaml"
    copy.write_text(json.dumps(made))
    assert exposition.promtool("check", "rules", copy) == ""


def test_each_alert_has_a_remedy():
    for group in yaml.safe_load((SHIPPED / "dotstub.rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["summary"] and rule["annotations"]["description"].endswith("."), rule["alert"]
            assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_panels_do_not_overlap():
    taken, ids = set(), set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24 and panel["id"] not in ids
        taken |= cells
        ids.add(panel["id"])
