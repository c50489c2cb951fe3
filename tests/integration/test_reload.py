# SPDX-License-Identifier: MIT
"""Reload of the configuration: all or nothing, and no query is lost."""
import json
import re
import shutil
import signal
import threading
import time

import pytest

import exposition
import wire
from clients import Silence
from daemon import SLACK, Daemon, merged, write_config
from processes import eventually, free_port
from test_control import control, curl, post
from test_ctl import CONFIGURATION, ctl
from test_notify import heard, manager, variables  # noqa: F401
from test_saved import saving  # noqa: F401
from test_tcp import keepalive_of
from test_upstream import ask_truly

REFUSED = 5


class Reloadable(Daemon):
    """A daemon whose configuration file its own user can read."""

    def write(self, **changes):
        self.config = merged(self.config, changes)
        write_config(self.config_file, self.config)

    def reload(self, **changes):
        """Returns when the new configuration is in force: the settings that take effect at the next start."""
        self.write(**changes)
        answer = post(self, "/reload")
        assert answer.status == 200 and answer.json["reloaded"], answer.body
        return answer.json["at_next_start"]

    def reloads(self):
        return control(self, "/status").json["configuration"]


@pytest.fixture
def make_reloadable(certs, public_path, cleanup):
    def make(*servers, **options):
        ca_file = shutil.copy(certs.ca_file, public_path / "ca.pem")
        upstreams = [server.upstream() if hasattr(server, "upstream") else server for server in servers]
        daemon = Reloadable(public_path, upstreams, ca_file=ca_file, **options)
        cleanup.callback(lambda: daemon.stop() if daemon.running else daemon.check_log())
        return daemon
    return make


@pytest.fixture
def reloadable(make_reloadable, server):
    return make_reloadable(server)


# Nothing is lost.

def loads(daemon, seconds):
    """Hits and misses over UDP and TCP for about `seconds`."""
    rate = 1000 // SLACK
    return [daemon.load(queries=rate * seconds, distinct=distinct, rate=rate, name=name, connections=4, in_flight=500, tcp=tcp,
                        patience=6000)
            for name, distinct in (("hit%u.example", 50), ("u-miss%u.example", rate * seconds)) for tcp in (False, True)]


def all_good(running):
    for load in running:
        result = load.result(180)
        assert result["good"] == result["sent"] and not result["stray"], result


@pytest.mark.alone
@pytest.mark.threads
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.whole), 2])
def test_fifty_reloads_lose_nothing(make_reloadable, make_server, workers):
    """Each reload changes the servers, their names, or limits."""
    servers = [make_server(address=f"127.0.0.{n}") for n in (1, 2)]
    for server in servers:
        server.delay = 0.01
    entries = [{**server.upstream(), "name": f"entry{n}"} for n, server in enumerate(servers)]
    daemon = make_reloadable(*entries, workers=workers)  # the sandbox allows the ports of both
    changes = [{"upstreams": entries[:1]}, {"upstreams": entries[1:]}, {"upstreams": entries[::-1]},
               {"upstreams": [{**entry, "max-qps": 100000} for entry in entries]},
               {"upstreams": entries, "limits": {"answer-by": "5s"}}, {"cache": {"max-ttl": "1h"}, "limits": {"answer-by": "4s"}}]
    running = loads(daemon, 3)
    for number in range(50):
        daemon.reload(**changes[number % len(changes)])
    all_good(running)
    assert daemon.reloads()["reloads"] == 50
    assert control(daemon, "/stats").json["counters"]["responses_servfail"] == 0


@pytest.mark.alone
@pytest.mark.threads
@pytest.mark.whole
def test_fifty_signals_in_five_seconds_lose_nothing(reloadable, server):
    server.delay = 0.01
    running = loads(reloadable, 6)
    for _ in range(50):
        reloadable.hang_up()
        time.sleep(0.1)
    all_good(running)
    assert 10 <= reloadable.reloads()["reloads"] <= 50  # requests during a reload are combined
    assert reloadable.reloads()["reloads_failed"] == 0
    assert len(server.established) <= 3, "sessions of a server that stays were closed"


def test_it_needs_post_without_arguments(reloadable):
    assert control(reloadable, "/reload").status == 405
    assert post(reloadable, "/reload?a=1").status == 400
    assert reloadable.reloads()["last_reload"] is None


@pytest.mark.threads
def test_concurrent_requests_for_a_reload(reloadable, server):
    """Each gets its reply when a configuration that was read after the request is in force."""
    answers = []
    askers = [threading.Thread(target=lambda: answers.append(post(reloadable, "/reload").json)) for _ in range(10)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert answers == [{"reloaded": True, "at_next_start": []}] * 10
    ask_truly(reloadable, "a.example")


# Unchanged by a reload.

@pytest.mark.threads
def test_sessions_and_cache_stay(reloadable, server):
    ask_truly(reloadable, "a.example")
    entry = {**server.upstream(), "name": "renamed", "max-qps": 1000}
    assert reloadable.reload(upstreams=[entry]) == []
    ask_truly(reloadable, "a.example")
    ask_truly(reloadable, "b.example")
    assert len(server.connections) == 1 and len(server.queries_for("a.example")) == 1
    reported, = control(reloadable, "/status").json["servers"]
    assert reported["upstream"] == "renamed" and reported["sessions_open"] == 1


@pytest.mark.threads
def test_client_subnet_may_change_answers(reloadable, server):
    """The session stays; earlier cache entries are not served."""
    ask_truly(reloadable, "a.example")
    reloadable.reload(upstreams=[{**server.upstream(), "ecs": "default"}])
    ask_truly(reloadable, "a.example")
    assert len(server.connections) == 1
    asked = server.queries_for("a.example")
    assert [wire.ECS in dict(query.question.options) for query in asked] == [True, False]


@pytest.mark.threads
def test_order_and_policy_keep_the_cache(make_reloadable, make_server):
    entries = [{**make_server(address=f"127.0.0.{n}").upstream(), "name": f"entry{n}"} for n in (1, 2)]
    daemon = make_reloadable(*entries)
    ask_truly(daemon, "a.example")
    for upstreams in (entries[::-1], [{**entry, "max-qps": 1000} for entry in entries], [entries[0], {**entries[1], "role": "backup"}],
                      [{**entry, "source": "127.0.0.1"} for entry in entries]):
        daemon.reload(upstreams=upstreams)
        ask_truly(daemon, "a.example")
    counters = control(daemon, "/stats").json["counters"]
    assert counters["cache_hits"] == 4 and counters["lookups_started"] == 1


# Changed by a reload: servers.

@pytest.mark.threads
@pytest.mark.parametrize("workers", [1, 2])
def test_responses_of_previous_servers_are_not_served(make_reloadable, make_server, workers):
    """Cached responses of other servers are not served, but are served again once their servers are configured again."""
    old = make_server()
    new = make_server(address="127.0.0.2", port=old.port)
    daemon = make_reloadable(old, workers=workers)
    names = [f"n{number}.example" for number in range(20)]
    for name in names:
        ask_truly(daemon, name)
    daemon.reload(upstreams=[new.upstream()])
    assert "not in the cache" in ctl(daemon, "cache", names[0])
    for name in names:
        ask_truly(daemon, name)
    assert all(len(server.queries_for(name)) == 1 for server in (old, new) for name in names)
    daemon.reload(upstreams=[old.upstream()])
    for name in names:
        ask_truly(daemon, name)
    assert all(len(server.queries_for(name)) == 1 for server in (old, new) for name in names)


@pytest.mark.threads
@pytest.mark.parametrize("flush", ["/flush", "/flush?name=a.example", "/flush?suffix=example"])
def test_a_flush_removes_entries_of_previous_servers(make_reloadable, make_server, flush):
    old = make_server()
    new = make_server(address="127.0.0.2", port=old.port)
    daemon = make_reloadable(old)
    ask_truly(daemon, "a.example")
    daemon.reload(upstreams=[new.upstream()])
    assert post(daemon, flush).json["flushed"] == 1
    daemon.reload(upstreams=[old.upstream()])
    ask_truly(daemon, "a.example")
    assert len(old.queries_for("a.example")) == 2


@pytest.mark.threads
def test_changed_trust_needs_a_new_session(reloadable, server, certs):
    """Full handshake, without a ticket; the old session ends when it has answered."""
    ask_truly(reloadable, "a.example")
    reloadable.reload(upstreams=[server.upstream(pins=[certs.good.pin])])
    ask_truly(reloadable, "b.example")
    eventually(lambda: len(server.open) == 1)
    first, second = server.established
    assert first.end == "close_notify" and not second.resumed
    reloadable.reload(upstreams=[server.upstream(pins=["sha256/" + "A" * 43 + "="])])
    answer = reloadable.ask("c.example", edns=True)
    assert answer.rcode() == 2 and "pin" in wire.extended_errors(answer)[0][1]
    assert not server.queries_for("c.example")


@pytest.mark.threads
def test_a_replaced_ca_file_is_loaded(reloadable, server, certs):
    ask_truly(reloadable, "a.example")
    ca_file = reloadable.config["tls"]["ca-file"]
    shutil.copy(certs.stranger.chain_file, ca_file + ".new")
    shutil.move(ca_file + ".new", ca_file)
    reloadable.reload()
    assert reloadable.ask("b.example").rcode() == 2
    assert not server.queries_for("b.example")


@pytest.mark.threads
def test_a_removed_server_finishes_its_queries(make_reloadable, make_server):
    old = make_server()
    new = make_server(address="127.0.0.2", port=old.port)
    daemon = make_reloadable(old)
    old.delay = 0.5
    with daemon.udp() as client:
        client.send(wire.query("a.example", id=1))
        old.wait_for_queries("a.example")
        daemon.reload(upstreams=[new.upstream(name="new")])
        ask_truly(daemon, "b.example")
        assert [query.name for query in new.queries] == ["b.example"]
        assert wire.parse(client.receive()).id == 1
    before = len(new.queries_for("a.example"))  # it may have got a hedge, since the other server was late
    ask_truly(daemon, "a.example")
    assert len(new.queries_for("a.example")) == before + 1, "a response from before the reload was cached"
    eventually(lambda: not old.open)
    assert old.established[0].end == "close_notify"


@pytest.mark.threads
def test_waiting_queries_go_to_the_new_servers(make_reloadable, make_server):
    old = make_server()
    new = make_server(address="127.0.0.2", port=old.port)
    daemon = make_reloadable(old)
    old.blackhole()
    with daemon.udp() as client:
        client.send(wire.query("a.example", id=1))
        eventually(lambda: control(daemon, "/status").json["queries_waiting"] == 1)
        daemon.reload(upstreams=[new.upstream(name="new")])
        answer = wire.parse(client.receive())
        assert answer.id == 1 and answer.rcode() == 0
    third = make_server(address="127.0.0.3", port=old.port)
    daemon.reload(upstreams=[third.upstream(name="third")])
    ask_truly(daemon, "a.example")
    assert len(third.queries_for("a.example")) == 1


# Changed by a reload: settings.

@pytest.mark.threads
def test_settings_take_effect(reloadable, server):
    assert reloadable.ask("a.example").rcode() == 0
    reloadable.reload(access={"allow": ["192.0.2.0/24"]})
    assert reloadable.ask("a.example").rcode() == REFUSED
    reloadable.reload(access={"deny": "drop"})
    with reloadable.udp() as client, pytest.raises(Silence):
        client.ask("a.example", timeout=0.3)
    reloadable.reload(access={"allow": ["127.0.0.0/8"]})
    assert reloadable.ask("a.example").rcode() == 0
    reloadable.reload(cache={"max-ttl": "7s"})
    assert reloadable.ask("ttl.example").answer[0].ttl <= 7
    reloadable.reload(limits={"udp-size": 512})
    assert reloadable.ask("a.example", size=4096).payload == 512
    reloadable.reload(identity={"version": "x y"})
    assert "x y" in reloadable.dig("+short", "version.bind", "CH", "TXT")
    reloadable.reload(health={"name": "health.example"})
    assert reloadable.ask("health.example").answer[0][0].to_text() == "127.0.0.1"
    assert not server.queries_for("health.example")


@pytest.mark.threads
def test_answer_by_takes_effect_for_waiting_queries(reloadable, server):
    server.silence = True
    reloadable.reload(limits={"answer-by": "30s"})
    with reloadable.udp() as client:
        client.send(wire.query("a.example", id=1))
        server.wait_for_queries("a.example")
        reloadable.reload(limits={"answer-by": "100ms"})
        assert wire.parse(client.receive()).rcode() == 2


@pytest.mark.threads
def test_log_level(reloadable):
    def level():
        return control(reloadable, "/status").json["log_level"]
    reloadable.reload(log={"level": "warning"})
    assert level() == "warning"
    post(reloadable, "/log?level=debug")
    reloadable.reload(cache={"max-ttl": "2h"})
    assert level() == "debug"  # what was set meanwhile stays
    reloadable.reload(log={"level": "info"})
    assert level() == "info"


@pytest.mark.threads
def test_drain_time(reloadable):
    reloadable.reload(drain={"time": "1h"})
    reloadable.signal(signal.SIGTERM)
    reloadable.wait_line("draining for 3600.0 s")


@pytest.mark.threads
def test_tcp_clients_get_the_new_idle_timeout(reloadable):
    with reloadable.tcp() as client:
        def keepalive():
            return keepalive_of(client.ask("a.example", options=[(wire.KEEPALIVE, b"")]))
        assert keepalive() == 100
        reloadable.reload(limits={"tcp-idle": "20s"})
        assert keepalive() == 200
        reloadable.reload(limits={"tcp-idle": "100ms"})
        assert client.receive() is None


@pytest.mark.threads
def test_restart_only_settings_are_reported(reloadable, server, public_path):
    changes = {"workers": 3, "cache": {"size": "8MiB", "save": "yes", "max-ttl": "5s"},
               "metrics": {"listen": f"127.0.0.1@{free_port()}"}, "listen": [f"127.0.0.1@{reloadable.port}"]}
    keys = ["listen", "workers", "cache.size", "cache.save", "metrics.listen"]
    assert reloadable.reload(**changes) == keys
    assert reloadable.ask("a.example").answer[0].ttl <= 5  # the rest is in force
    status = control(reloadable, "/status").json
    assert status["workers"] == 1 and status["configuration"]["at_next_start"] == keys
    settings = {setting["setting"]: setting for setting in control(reloadable, "/config").json["settings"]}
    assert settings["workers"]["value"] == 1 and settings["workers"]["origin"].endswith(", whose value takes effect at the next start")
    assert settings["cache.max-ttl"]["value"] == "5s"
    for key in keys:
        assert any(f"config: {key}: takes effect at the next start" in line for line in reloadable.log())
    assert reloadable.ask("b.example", address="::1").rcode() == 0
    assert reloadable.reload() == keys
    shown = ctl(reloadable, "reload")
    assert shown == "reloaded\n" + "".join(f"{key}: takes effect at the next start\n" for key in keys)
    assert "workers: takes effect at the next start" in ctl(reloadable, "status")


@pytest.mark.threads
def test_the_saved_cache_belongs_to_the_current_servers(make_reloadable, make_server, saving):  # noqa: F811
    old = make_server()
    new = make_server(address="127.0.0.2", port=old.port)
    first = make_reloadable(old, **saving)
    ask_truly(first, "a.example")
    first.reload(upstreams=[new.upstream()])
    ask_truly(first, "b.example")
    first.stop()
    second = make_reloadable(new, **saving)
    assert "loaded 1 cache entries from" in second.wait_line("cache entries from")
    ask_truly(second, "a.example")
    ask_truly(second, "b.example")
    assert len(new.queries_for("b.example")) == 1 and len(new.queries_for("a.example")) == 1


# A broken file.

MISTAKE = "unknown key \"sise\" in cache; did you mean \"size\"?"


@pytest.mark.threads
def test_a_broken_file_changes_nothing(make_reloadable, server):
    port = free_port("127.0.0.1")
    daemon = make_reloadable(server, metrics={"listen": f"127.0.0.1@{port}"})
    metrics = lambda: exposition.parse(curl(f"http://127.0.0.1:{port}/metrics").body)  # noqa: E731
    value = lambda name, label="": metrics()[name][label]  # noqa: E731
    ask_truly(daemon, "a.example")
    assert value("dotstub_config_last_reload_successful") == 1
    good = daemon.config_file.read_text()
    daemon.config_file.write_text("access: {deny: drop}\ncache:\n  sise: 1MiB\n")
    lines = [f"{daemon.config_file}:3:3: {MISTAKE}", "  sise: 1MiB", "  ^"]
    answer = post(daemon, "/reload")
    assert answer.status == 400 and answer.json["mistakes"] == lines and "stays in force" in answer.json["error"]
    shown = ctl(daemon, "reload", status=CONFIGURATION)
    assert "\n".join(lines) in shown and "stays in force" in shown
    daemon.hang_up()
    eventually(lambda: daemon.reloads()["reloads_failed"] == 3)
    reloads = daemon.reloads()
    assert reloads["last_reload"] == "failed" and reloads["mistakes"] == lines and reloads["reloads"] == 0
    assert f"  {lines[0]}" in ctl(daemon, "status")
    assert any(f"error config: {lines[0]}" in line for line in daemon.log())
    assert value("dotstub_config_last_reload_successful") == 0
    assert value("dotstub_config_reloads_total", '{result="failed"}') == 3
    ask_truly(daemon, "a.example")
    ask_truly(daemon, "b.example")
    assert len(server.connections) == 1 and len(server.queries_for("a.example")) == 1
    daemon.config_file.write_text(good)
    daemon.reload()
    assert daemon.reloads()["last_reload"] == "good" and daemon.reloads()["mistakes"] == []
    assert value("dotstub_config_last_reload_successful") == 1
    assert value("dotstub_config_last_reload_timestamp_seconds") > time.time() - 600


@pytest.mark.threads
@pytest.mark.parametrize("what", ["absent", "unreadable", "ca-file"])
def test_an_unreadable_file_changes_nothing(reloadable, server, what):
    ask_truly(reloadable, "a.example")
    if what == "absent":
        reloadable.config_file.unlink()
    elif what == "unreadable":
        reloadable.config_file.chmod(0)
    else:
        reloadable.write(upstreams=[server.upstream(**{"ca-file": "/nowhere/ca.pem"})])
    answer = post(reloadable, "/reload")
    assert answer.status == 400
    assert re.search({"absent": "No such file", "unreadable": "Permission denied", "ca-file": "/nowhere/ca.pem"}[what],
                     answer.json["mistakes"][0], re.IGNORECASE)
    ask_truly(reloadable, "b.example")
    assert len(server.connections) == 1


@pytest.mark.threads
def test_reloads_while_it_stops(reloadable, server):
    server.blackhole()
    with reloadable.udp() as client:
        client.send(wire.query("a.example"))
        reloadable.signal(signal.SIGTERM)
        reloadable.hang_up()
        assert client.receive(3 * SLACK)[3] & 15 == 2
    assert reloadable.wait_exit() == 0


# The service manager.

@pytest.mark.threads
def test_the_service_manager_is_notified(make_reloadable, server, manager):  # noqa: F811
    daemon = make_reloadable(server, variables=variables(manager))
    assert heard(manager) == "READY=1"
    for text, status in (("{}", 200), ("sise: 1", 400), ("{}", 200)):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        daemon.config_file.write_text(json.dumps(daemon.config) if status == 200 else text)
        assert post(daemon, "/reload").status == status
        begun = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", heard(manager))
        assert begun and before <= int(begun[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert heard(manager) == "READY=1"
