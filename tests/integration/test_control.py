# SPDX-License-Identifier: MIT
"""The control socket and metrics.listen over curl: every path and verb, misuse, and the state of a running daemon."""
import contextlib
import grp
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

import exposition
import wire
import zone
from daemon import BINARY, EMPTY_RUN, PREFIX, SLACK, USER, environment, run
from processes import Process, eventually, free_port
from test_upstream import ask_truly

pytestmark = pytest.mark.threads

READS = ("/status", "/stats", "/config", "/forward", "/portal", "/metrics", "/cache?name=a.example", "/explain")
CHANGES = ("/flush", "/log?level=info", "/trace?name=b.example", "/drain?seconds=3600",
           "/forward/add?zones=z.example&servers=192.0.2.1&plain=yes", "/portal/close", "/forward/remove?interface=none0")


class Reply:
    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        lines = head.split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0] else 0
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}

    @property
    def json(self):
        return json.loads(self.body)


def curl(*arguments, user=None):
    command = ["curl", "-s", "-i", "--max-time", str(10 * SLACK), *arguments]
    if user:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    return Reply(subprocess.run(command, capture_output=True, timeout=60).stdout.decode())


def control(daemon, path, *arguments, user=None):
    return curl("--unix-socket", socket_of(daemon), *arguments, f"http://dotstub{path}", user=user)


def post(daemon, path, *arguments):
    return control(daemon, path, "-X", "POST", *arguments)


def socket_of(daemon):
    return daemon.config["control"]["socket"]


@contextlib.contextmanager
def raw(daemon, data=b""):
    """A raw connection to the control socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20 * SLACK)
        connection.connect(socket_of(daemon))
        connection.sendall(data)
        yield connection


def read_all(connection):
    data = b""
    with contextlib.suppress(ConnectionError):
        while more := connection.recv(65536):
            data += more
    return data


@pytest.fixture
def metrics_daemon(make_daemon, server):
    port = free_port("127.0.0.1")
    daemon = make_daemon(server, metrics={"listen": f"127.0.0.1@{port}"})
    daemon.metrics_port = port
    return daemon


def metrics(daemon, path, *arguments):
    return curl(*arguments, f"http://127.0.0.1:{daemon.metrics_port}{path}")


# Reading.

def test_status(daemon, server):
    ask_truly(daemon, "a.example")
    status = control(daemon, "/status").json
    assert status["state"] == "ok" and status["why"] == [] and abs(status["since"] - time.time()) < 30
    assert status["pid"] == daemon.pid and status["workers"] == 1
    assert f"127.0.0.1@{daemon.port}" in status["listen"]
    assert status["cache"]["entries"] == 1 and status["cache"]["used_bytes"] > 0
    (only,) = status["servers"]
    assert only["upstream"] == "liar" and only["address"] == f"127.0.0.1@{server.port}"
    assert only["state"] == "open" and only["sessions_open"] == 1 and only["latency_ms"] > 0
    assert only["last_session"]["version"] == "TLS1.3" and only["last_session"]["certificate"] == "dns.google"
    assert only["last_error"] is None


def test_status_of_an_unreachable_upstream(daemon, server):
    server.refuse()
    daemon.ask("a.example")
    status = control(daemon, "/status").json
    assert status["state"] == "down"
    assert "no upstream is usable" in status["why"][0]
    assert "liar" in status["why"][1] and "Connection refused" in status["why"][1]
    assert status["last_minute"]["failed"] >= 1 and status["last_minute"]["failed_by_reason"][0]["reason"] == "Connection refused"
    assert {"reason": "Connection refused", "upstream": "liar"}.items() <= status["server_failures"][0].items()
    assert status["servers"][0]["state"] == "failing" and status["servers"][0]["last_error"] == "Connection refused"
    server.restore()
    eventually(lambda: daemon.ask("b.example").rcode() == 0, what="a response")

    def state_after_some_answers():
        for _ in range(100):
            daemon.ask("b.example")
        return control(daemon, "/status").json["state"]
    eventually(lambda: state_after_some_answers() == "ok")  # until the queries that failed meanwhile are no more than 5 %
    assert control(daemon, "/status").json["why"] == []


def test_status_counts_waiting_queries(daemon, server):
    server.silence = True
    with daemon.udp() as client:
        client.send(wire.query("a.example"))
        server.wait_for_queries("a.example")
        status = control(daemon, "/status").json
    assert status["queries_waiting"] == 1 and status["servers"][0]["in_flight"] >= 1


def test_stats_are_summed_over_workers(make_daemon, server):
    daemon = make_daemon(server, workers=3)
    for n in range(30):
        daemon.ask(f"n{n}.example")
    counters = control(daemon, "/stats").json["counters"]
    assert counters["queries_received"] == counters["queries_finished"] == 30
    assert counters["udp_received"] == 30


def test_config_agrees_with_print_config(daemon):
    told = control(daemon, "/config").json["settings"]
    printed = run("-c", daemon.config_file, "--print-config").stdout
    def spelt(value):
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else json.dumps(value) if isinstance(value, list) else value
    for setting in told:
        name, value, origin = setting["setting"].split(".")[-1], spelt(setting["value"]), setting["origin"]
        assert re.search(rf'{name}: ("?){re.escape(str(value))}\1 # {re.escape(origin)}\n', printed), setting
    assert {"cache.size", "upstreams.liar.port", "listen"} <= {setting["setting"] for setting in told}


def test_cache_lists_entries(daemon):
    ask_truly(daemon, "a.example")
    (entry,) = control(daemon, "/cache?name=A.example&type=A").json["entries"]
    assert entry["rcode"] == "NOERROR" and 0 < entry["ttl"] <= entry["original_ttl"] and not entry["dnssec_ok"]
    assert [record["type"] for record in entry["records"]] == ["A"]
    daemon.ask("a.example", do=True)
    (entry,) = control(daemon, "/cache?name=a.example").json["entries"]
    assert entry["dnssec_ok"]  # it serves clients with DO and without
    assert control(daemon, "/cache?name=a.example&type=AAAA").json["entries"] == []
    assert control(daemon, "/cache?name=b.example").json["entries"] == []


# Changing.

def test_flush(daemon, server):
    for name in ("a.example", "b.example", "x.b.example"):
        ask_truly(daemon, name)
    assert post(daemon, "/flush?name=a.example").json == {"flushed": 1}
    assert post(daemon, "/flush?suffix=b.example").json == {"flushed": 2}
    for name in ("a.example", "b.example"):
        ask_truly(daemon, name)
        assert len(server.queries_for(name)) == 2
    assert post(daemon, "/flush").json == {"flushed": 2}
    ask_truly(daemon, "a.example")
    assert len(server.queries_for("a.example")) == 3


@pytest.mark.parametrize("path", ["/flush?name=t.example", "/flush?suffix=c1.t.example", "/flush?name=c1.t.example"])
def test_a_flush_of_the_target_of_an_alias(daemon, server, path):
    for _ in range(2):
        daemon.ask("cname2.t.example")  # an alias of c1.t.example, which is one of t.example
        daemon.ask("cname1.other.example")
    assert post(daemon, path).json == {"flushed": 1}
    daemon.ask("cname2.t.example")
    daemon.ask("cname1.other.example")
    assert len(server.queries_for("cname2.t.example")) == 2 and len(server.queries_for("cname1.other.example")) == 1


@pytest.mark.parametrize("path", ["/flush", "/flush?name=a.example", "/flush?suffix=example"])
def test_a_response_to_a_query_from_before_a_flush_is_not_cached(daemon, server, path):
    ask_truly(daemon, "first.example")
    server.delay = 0.5
    with daemon.udp() as client:
        client.send(wire.query("a.example"))
        server.wait_for_queries("a.example")
        post(daemon, path)
        assert wire.addresses(wire.parse(client.receive())) == [zone.address("a.example")]
    assert control(daemon, "/cache?name=a.example").json["entries"] == []
    server.delay, before = 0, len(server.queries_for("a.example"))
    ask_truly(daemon, "a.example")
    assert len(server.queries_for("a.example")) == before + 1
    assert len(control(daemon, "/cache?name=a.example").json["entries"]) == 1


def test_flushed_data_is_not_served_stale(daemon, server):
    ask_truly(daemon, "a.example")
    post(daemon, "/flush?name=a.example")
    server.refuse()
    assert daemon.ask("a.example").rcode() == 2


def test_flushing_a_full_cache_delays_no_query(make_daemon, server):
    daemon = make_daemon(server, workers=2)
    names = [f"n{n}.example" for n in range(400)]
    for name in names:
        daemon.ask(name)
    for _ in range(20):
        post(daemon, "/flush?suffix=nothing.test")
        begun = time.monotonic()
        daemon.ask(names[0])
        assert time.monotonic() - begun < 1 * SLACK
    assert control(daemon, "/status").json["cache"]["entries"] == 400


def test_log_level(daemon):
    assert post(daemon, "/log?level=debug").json == {"level": "debug", "modules": {}, "queries_one_in": 0}
    assert control(daemon, "/status").json["log_level"] == "debug"
    ask_truly(daemon, "a.example")
    post(daemon, "/log?level=error")
    lines = len(daemon.log())
    post(daemon, "/flush")
    assert not [line for line in daemon.log()[lines:] if "flushed" in line]


def test_log_level_of_a_module(daemon):
    assert post(daemon, "/log?level=debug&module=upstream").json == {"level": "info", "modules": {"upstream": "debug"},
                                                                      "queries_one_in": 0}
    post(daemon, "/log?level=error&module=control")
    post(daemon, "/flush")
    reply = post(daemon, "/log?level=debug&module=upstraem")
    assert reply.status == 400 and reply.json["error"].startswith("unknown module; the modules are cache, config, control, daemon")
    assert post(daemon, "/log?level=warning").json == {"level": "warning", "modules": {}, "queries_one_in": 0}
    assert not daemon.matching("flushed")


# Misuse.

@pytest.mark.parametrize("path", READS)
def test_reading_needs_get(daemon, path):
    assert control(daemon, path).status == 200
    assert control(daemon, path, "--head").status == 200
    for verb in ("POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"):
        reply = control(daemon, path, "-X", verb)
        assert reply.status == 405 and reply.headers["allow"] == "GET, HEAD" and "GET" in reply.json["error"]


@pytest.mark.parametrize("path", CHANGES)
def test_changes_need_post(daemon, path):
    ask_truly(daemon, "a.example")
    for verb in ("GET", "PUT", "DELETE"):
        reply = control(daemon, path, "-X", verb)
        assert reply.status == 405 and reply.headers["allow"] == "POST"
    assert control(daemon, "/status").json["cache"]["entries"] == 1
    assert post(daemon, path).status == 200


def test_unknown_paths_list_the_known_ones(daemon):
    for path in ("/index.html", "/nothing", "/status/", "/readyz", "//status"):
        reply = control(daemon, path)
        assert reply.status == 404
        assert {"/", "/status.json", "/status", "/stats", "/config", "/metrics", "/cache", "/explain", "/trace", "/flush", "/log", "/reload", "/drain", "/forward", "/forward/add", "/forward/remove", "/portal", "/portal/open", "/portal/close",
                "/block", "/block/test", "/unblock", "/dnssec/anchors", "/dnssec/negative", "/dnssec/negative/add", "/dnssec/negative/remove"} == set(reply.json["paths"])


@pytest.mark.parametrize("path", ["/flush?nmae=a.example", "/flush?name=", "/flush?name=a..b", "/flush?name=a&suffix=b", "/flush?name",
                                  "/flush?name=a&name=b", "/flush?" + "&".join(f"a{n}=1" for n in range(50)), "/log", "/log?level=x", "/drain?seconds=", "/drain?seconds=-1", "/drain?seconds=3601",
                                  "/drain?seconds=0x1", "/drain?seconds=inf", "/drain?second=1"])
def test_wrong_arguments_change_nothing(daemon, path):
    ask_truly(daemon, "a.example")
    reply = post(daemon, path)
    assert reply.status == 400 and reply.json["error"]
    status = control(daemon, "/status").json
    assert status["cache"]["entries"] == 1 and status["log_level"] == "info"


def test_too_large(daemon):
    assert control(daemon, "/" + "x" * 100000).status in (413, 414, 431)
    assert control(daemon, "/status", "-H", "X: " + "x" * 100000).status in (413, 431)
    assert post(daemon, "/flush", "-d", "x" * 5000).status == 413
    assert post(daemon, "/flush", "-d", "x" * 500).status == 200
    with raw(daemon, b"POST /flush HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n") as client:
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                client.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
        assert b" 200 " not in read_all(client)
    assert control(daemon, "/status").status == 200


@pytest.mark.whole
def test_invalid_http(daemon):
    for data in (b"\0" * 100, b"\r\n" * 50, b"GET\r\n\r\n", b"\xff\xfe /status HTTP/1.1\r\n\r\n", b"GET /%00%ff HTTP/1.0\r\n\r\n",
                   b"GET /status%00x HTTP/1.0\r\n\r\n"):
        with raw(daemon, data) as client:
            client.shutdown(socket.SHUT_WR)
            assert b" 200 " not in read_all(client)
    assert control(daemon, "/status").status == 200


@pytest.mark.whole
def test_a_slow_client_is_closed_and_delays_no_other(daemon):
    begun = time.monotonic()
    with raw(daemon, b"GET /status HT") as client, raw(daemon, b"GET /metrics HTTP/1.0\r\nX: ") as dripping:
        assert control(daemon, "/status").status == 200
        assert time.monotonic() - begun < 5 * SLACK
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begun < 20 * SLACK:
                dripping.sendall(b"x")
                time.sleep(0.2)
        assert 9 < time.monotonic() - begun < 14 * SLACK
        assert b" 200 " not in read_all(client)


def test_a_hundred_idle_clients(daemon):
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(raw(daemon))
        begun = time.monotonic()
        assert control(daemon, "/status").status == 200
        assert time.monotonic() - begun < 2 * SLACK
        ask_truly(daemon, "a.example")
    assert control(daemon, "/status").status == 200


def test_clients_that_disconnect_while_waiting(daemon):
    for _ in range(50):
        with raw(daemon, b"GET /status HTTP/1.1\r\nHost: d\r\n\r\n"):
            pass
    assert control(daemon, "/status").status == 200


# Access.

def test_owner_and_mode_of_the_socket(daemon):
    entry = pwd.getpwnam(USER)
    facts = os.stat(socket_of(daemon))
    assert stat.S_ISSOCK(facts.st_mode) and stat.S_IMODE(facts.st_mode) == 0o660
    assert (facts.st_uid, facts.st_gid) == (entry.pw_uid, entry.pw_gid)


def test_other_users_are_refused_whatever_the_mode(make_daemon, server, public_path):
    path = public_path / "control.sock"
    daemon = make_daemon(server, control={"socket": str(path)})
    stranger = 54321
    assert control(daemon, "/status", user=stranger).status == 0
    path.chmod(0o666)
    for arguments in (["/status"], ["/flush", "-X", "POST"], ["/nothing"]):
        reply = control(daemon, *arguments, user=stranger)
        assert reply.status == 403 and "cache" not in reply.body
    daemon.wait_line(r"access denied to a process of user 54321")
    assert control(daemon, "/status", user=pwd.getpwnam(USER).pw_uid).status == 200
    command = ["setpriv", "--reuid=54321", "--regid=54321", f"--groups={pwd.getpwnam(USER).pw_gid}", "curl", "-s", "--unix-socket",
               str(path), "http://d/status"]
    assert '"state"' in subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


# The socket file.

def test_a_stale_socket_is_replaced(make_daemon, server, tmp_path):
    first = make_daemon(server)
    first.signal(signal.SIGKILL)
    first.wait_exit()
    assert os.path.exists(socket_of(first))
    second = make_daemon(server, control={"socket": socket_of(first)})
    assert control(second, "/status").json["pid"] == second.pid


@pytest.mark.parametrize("how, sentence", [
    ("live", "another process listens there"), ("file", "the file exists and is not a socket"),
    ("missing", "No such file or directory; create its directory")])
def test_a_configured_socket_that_cannot_be_opened_is_waited_for(make_daemon, server, public_path, how, sentence):
    path, other = public_path / "wanted.sock", None
    public_path.chmod(0o777)
    if how == "live":
        other = make_daemon(server, control={"socket": str(path)})
    elif how == "file":
        path.write_text("precious")
    else:
        path = public_path / "nowhere" / "wanted.sock"
    daemon = make_daemon(server, control={"socket": str(path)})
    ask_truly(daemon, "a.example")
    (warning,) = daemon.matching("no control socket at")
    assert " warning control: " in warning and sentence in warning and str(path) in warning
    if how == "live":
        other.stop()
    elif how == "file":
        assert path.read_text() == "precious"
        path.unlink()
    else:
        path.parent.mkdir()
        path.parent.chmod(0o777)
    daemon.wait_line(f"control: listening on {path}")
    assert control(daemon, "/status").json["pid"] == daemon.pid
    assert len(daemon.matching("no control socket at")) == 1


def test_the_default_socket_may_be_missing(make_daemon, server, certs, public_path):
    """Without root nobody makes its directory."""
    account = pwd.getpwnam(USER)
    stranger = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    if subprocess.run([*stranger, BINARY, "--version"], capture_output=True).returncode:
        pytest.skip("other users cannot run the programs of this build")
    upstreams = json.dumps([server.upstream()])
    config = public_path / "dotstub.yaml"
    config.write_text(f'{{"listen": ["127.0.0.1@{free_port()}"], "upstreams": {upstreams}}}')
    ca_file = public_path / "ca.pem"
    ca_file.write_bytes(open(certs.ca_file, "rb").read())
    daemon = Process([*PREFIX, *EMPTY_RUN, *stranger, str(BINARY), "-c", str(config)], env=environment(DOTSTUB_TLS_CA_FILE=str(ca_file)))
    daemon.wait_line("daemon: ready")
    assert [line for line in daemon.log() if "control: no control socket at /run/dotstub/control.sock" in line]
    assert daemon.end() == 0


def test_off(make_daemon, server):
    daemon = make_daemon(server, control={"socket": "off"})
    ask_truly(daemon, "a.example")
    assert not [line for line in daemon.log() if "control" in line]


def test_requests_during_a_stop(metrics_daemon, server):
    daemon = metrics_daemon
    server.silence = True
    with daemon.udp() as client:
        client.send(wire.query("a.example"))
        server.wait_for_queries("a.example")
        daemon.signal(signal.SIGTERM)
        daemon.wait_line("stopping on signal")
        reply = metrics(daemon, "/readyz")
        assert reply.status == 503 and reply.body == "stopping\n"
        reply = control(daemon, "/status")
        assert reply.status == 503 and reply.json == {"error": "stopping"}
    assert daemon.wait_exit() == 0


# Metrics.

def test_metrics(metrics_daemon, server):
    ask_truly(metrics_daemon, "secret.example")
    metrics_daemon.ask("secret.example")
    for reply in (metrics(metrics_daemon, "/metrics"), control(metrics_daemon, "/metrics")):
        assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        found = exposition.parse(reply.body)
        assert found["dotstub_queries_received_total"] == {"": 2}
        assert found["dotstub_cache_hits_total"] == {"": 1}
        assert found["dotstub_sessions_open"] == {f'{{upstream="liar",address="127.0.0.1@{server.port}"}}': 1}
        assert found["dotstub_cache_entries"] == {"": 1}
        assert abs(found["process_start_time_seconds"][""] - time.time()) < 60
        assert any("version=" in labels for labels in found["dotstub_build_info"])
        assert "secret" not in reply.body
    stats = control(metrics_daemon, "/stats").json["counters"]
    assert {f"dotstub_{name}_total" for name in stats} <= set(found)


def test_health(metrics_daemon, server):
    assert metrics(metrics_daemon, "/healthz").body == "ok\n"
    reply = metrics(metrics_daemon, "/readyz")
    assert reply.status == 200 and re.fullmatch("ready\nstate: ok for [0-9]+ s\n", reply.body)
    server.refuse()
    metrics_daemon.ask("secret.example")
    reply = metrics(metrics_daemon, "/readyz")
    assert reply.status == 200 and "\nstate: down for " in reply.body and "\nupstream liar is unreachable" in reply.body and "secret" not in reply.body


def test_metrics_are_read_only(metrics_daemon):
    ask_truly(metrics_daemon, "a.example")
    for path in ("/flush", "/log?level=debug", "/status", "/stats", "/config", "/cache?name=a.example", "/explain"):
        assert metrics(metrics_daemon, path, "-X", "POST").status == 404
        assert metrics(metrics_daemon, path).status == 404
    for path in ("/metrics", "/healthz", "/readyz"):
        assert metrics(metrics_daemon, path, "-X", "POST").status == 405
        assert metrics(metrics_daemon, path + "?a=1").status == 400
    assert control(metrics_daemon, "/status").json["cache"]["entries"] == 1


def test_metrics_and_health_answer_under_any_host(metrics_daemon):
    for host in ("evil.example", "dotstub.monitoring.svc.cluster.local", "127.0.0.1.evil.example", "localhost", "[::1]:9", ""):
        for path in ("/metrics", "/healthz", "/readyz"):
            assert metrics(metrics_daemon, path, "-H", f"Host: {host}" if host else "Host;").status == 200


def test_the_page_is_refused_to_other_hosts(make_daemon, server):
    port = free_port("127.0.0.1")
    daemon = make_daemon(server, metrics={"listen": f"127.0.0.1@{port}", "hosts": ["dns.lan", "box.example"]})
    daemon.metrics_port = port
    for path in ("/", "/status.json"):
        for host in ("evil.example", "127.0.0.1.evil.example", "dns.lan.evil.example", ""):
            assert metrics(daemon, path, "-H", f"Host: {host}" if host else "Host;").status == 403
        for host in ("localhost", "127.0.0.1", "[::1]:9", socket.gethostname(), "dns.lan", "DNS.lan:9153", "box.example"):
            assert metrics(daemon, path, "-H", f"Host: {host}").status == 200


def test_a_metrics_address_in_use_is_waited_for(make_daemon, server):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        daemon = make_daemon(server, metrics={"listen": f"127.0.0.1@{other.getsockname()[1]}"})
        daemon.metrics_port = other.getsockname()[1]
        ask_truly(daemon, "a.example")
        (warning,) = daemon.matching("cannot serve metrics")
        assert " warning control: " in warning and "trying again" in warning
    daemon.wait_line("metrics: listening on")
    assert metrics(daemon, "/readyz").status == 200
    assert len(daemon.matching("cannot serve metrics")) == 1
