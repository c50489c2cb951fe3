# SPDX-License-Identifier: MIT
"""The status page and /status.json over curl: headers, access to names, the token. test_browser.py tests the page in a browser."""
import base64
import hashlib
import pathlib
import re

import pytest

from daemon import run
from processes import eventually, free_port
from test_control import control, metrics, post
from test_upstream import ask_truly

pytestmark = pytest.mark.threads

PAGE = pathlib.Path(__file__).parents[2] / "src/control/page.html"
TOKEN = "0123456789abcdef0123456789abcdef"
BEARER = ("-H", f"Authorization: Bearer {TOKEN}")


def token_file(directory, text=TOKEN + "\n"):
    path = directory / "token"
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture
def make_shown(make_daemon, server):
    """make_shown(**metrics): a daemon with metrics.listen and these settings, which has answered one query slowly."""
    def make(**settings):
        port = free_port("127.0.0.1")
        daemon = make_daemon(server, metrics={"listen": f"127.0.0.1@{port}", **settings}, log={"slow": "100ms"})
        daemon.metrics_port = port
        with server.lying(delay=0.15):
            ask_truly(daemon, "secret.example")
        return daemon
    return make


@pytest.fixture
def shown(make_shown):
    return make_shown()


@pytest.fixture
def guarded(make_shown, tmp_path):
    return make_shown(names=True, **{"token-file": str(token_file(tmp_path))})


def names(reply):
    assert reply.status == 200
    return [record["name"] for record in reply.json["recent"]]


# The page.

@pytest.mark.parametrize("way", [control, metrics])
def test_the_policy_allows_only_the_pages_own_script_and_style(shown, way):
    reply = way(shown, "/")
    assert reply.status == 200 and reply.body == PAGE.read_text()
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["referrer-policy"] == "no-referrer"
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    for element in ("script", "style"):
        (inner,) = re.findall(f"<{element}>(.*?)</{element}>", reply.body, re.S)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert policy.pop(f"{element}-src") == f"'sha256-{digest}'"
    assert policy == {"default-src": "'none'", "connect-src": "'self'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
                      "frame-ancestors": "'none'"}


def test_the_page_loads_nothing_from_other_hosts():
    page = PAGE.read_text()
    assert set(re.findall(r"(?:https?:)?//[^\s'\"]+", re.sub(r"/\*.*?\*/", "", page))) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\bsrc=|@import|url\(|innerHTML|insertAdjacent|document\.write|eval\(", page)


def test_only_get_and_no_unknown_arguments(shown):
    assert metrics(shown, "/", "--head").status == 200
    assert metrics(shown, "/", "-X", "POST").status == 405 and metrics(shown, "/status.json", "-X", "POST").status == 405
    assert metrics(shown, "/?x=1").status == 400 and metrics(shown, "/status.json?x=1").status == 400
    assert control(shown, "/?token=x").status == 400


def test_status_json(shown, server):
    status = metrics(shown, "/status.json").json
    assert status["store"]["servers"] == []  # the page hides that section
    assert status["state"] == "ok" and status["why"] == [] and status["names"] == "hidden" and status["slow_ms"] == 100
    assert status["counters"]["queries_received"] == status["counters"]["cache_misses"] == 1
    (only,) = status["servers"]
    assert only["address"] == f"127.0.0.1@{server.port}" and only["state"] == "open" and only["last_session"]["version"] == "TLS1.3"
    (record,) = status["recent"]
    assert record["kind"] == "slow" and record["type"] == "A" and record["rcode"] == "NOERROR" and 150 <= record["total_ms"]
    assert "waiting for the response of liar" in record["explanation"]
    latency = status["latency"]
    assert sum(latency["misses"]) == 1 and len(latency["misses"]) == len(latency["hits"]) == len(latency["bounds"]) + 1
    again = metrics(shown, "/status.json").json
    assert again["clock_ms"] >= status["clock_ms"] and abs(again["time"] - status["time"]) <= 60


def test_at_most_20_records(shown, server):
    server.refuse()
    for n in range(30):
        shown.ask(f"f{n}.example")
    recent = metrics(shown, "/status.json").json["recent"]
    assert len(recent) == 20 and all(record["kind"] == "failed" and record["rcode"] == "SERVFAIL" for record in recent)


# Access to names.

def test_names_need_the_control_socket(shown):
    assert names(control(shown, "/status.json")) == ["secret.example."]
    assert control(shown, "/status.json").json["names"] == "shown"
    for more in ((), BEARER):
        reply = metrics(shown, "/status.json", *more)
        assert names(reply) == [None] and "secret" not in reply.body
        assert metrics(shown, f"/status.json?token={TOKEN}").json["names"] == "hidden"


def test_nothing_private_without_names(shown, server):
    with server.lying(silence=True):
        shown.ask("hidden.example")
    reply = metrics(shown, "/status.json")
    assert len(reply.json["recent"]) == 2 and all(record["extended_error"] is None for record in reply.json["recent"])
    for private in ("example", f"@{shown.port}", "pid", "log_level", "listen"):
        assert private not in reply.body


def test_the_token_gives_names(guarded):
    closed = metrics(guarded, "/status.json")
    assert names(closed) == [None] and closed.json["names"] == "token" and "secret" not in closed.body
    for reply in (metrics(guarded, "/status.json", *BEARER), metrics(guarded, f"/status.json?token={TOKEN}"),
                   metrics(guarded, "/status.json", "-H", f"authorization: bearer {TOKEN}")):
        assert names(reply) == ["secret.example."] and reply.json["names"] == "shown"


@pytest.mark.parametrize("wrong", ["", "0", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "x" * 5000])
def test_a_wrong_token_is_refused(guarded, wrong):
    for reply in (metrics(guarded, f"/status.json?token={wrong}"), metrics(guarded, "/status.json", "-H", f"Authorization: Bearer {wrong}")):
        if not wrong and reply.status == 200:  # a header without a token
            assert names(reply) == [None]
        else:
            assert reply.status == 403 and "token" in reply.json["error"] and "secret" not in reply.body


def test_another_authorization_scheme_is_ignored(guarded):
    assert names(metrics(guarded, "/status.json", "-u", f"x:{TOKEN}")) == [None]


def test_the_token_is_never_printed(guarded):
    printed = run("-c", guarded.config_file, "--print-config").stdout
    assert "names: yes" in printed and "token-file:" in printed
    assert TOKEN not in printed + control(guarded, "/config").body + "\n".join(guarded.log())


# Configuration errors.

def test_names_need_a_token(tmp_path):
    config = tmp_path / "dotstub.yaml"
    config.write_text("metrics:\n  names: yes\n")
    done = run("-c", config, "--check")
    assert done.returncode != 0 and "dotstub.yaml:2:" in done.stderr and "metrics.token-file" in done.stderr


@pytest.mark.parametrize("text, sentence", [(None, "No such file or directory"), ("short\n", "16 to 256"), ("x" * 257, "16 to 256"), ("\n" + TOKEN, "16 to 256"),
                                            ("sixteen or more, with blanks\n", "16 to 256"), ("", "16 to 256")])
def test_an_invalid_token_file_is_waited_for(make_daemon, server, public_path, text, sentence):
    path = public_path / "token" if text is None else token_file(public_path, text)
    port = free_port("127.0.0.1")
    daemon = make_daemon(server, metrics={"listen": f"127.0.0.1@{port}", "names": True, "token-file": str(path)})
    daemon.metrics_port = port
    daemon.wait_line("metrics: listening on")
    ask_truly(daemon, "a.example")
    (warning,) = daemon.matching("metrics.token-file")
    assert " warning control: " in warning and sentence in warning and str(path) in warning and (not text or text.strip() not in warning)
    assert metrics(daemon, "/status.json").json["names"] == "hidden"
    path.write_text(TOKEN + "\n")
    path.chmod(0o644)
    eventually(lambda: metrics(daemon, "/status.json").json["names"] == "token", what="the token to be read")
    assert len(daemon.matching("metrics.token-file")) == 1


# Other web pages.

def test_dns_rebinding_is_refused(shown):
    for path in ("/", "/status.json", "/status"):
        assert control(shown, path, "-H", "Host: evil.example").status == 403
        assert control(shown, path, "-H", "Host: evil.example:8080").status == 403
    for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080", "dotstub", "x"):
        assert control(shown, "/status.json", "-H", f"Host: {host}").status == 200
    for path in ("/", "/status.json"):
        assert metrics(shown, path, "-H", "Host: evil.example").status == 403


def test_requests_from_web_pages_change_nothing(shown):
    for path in ("/flush", "/drain?seconds=0", "/log?level=debug"):
        reply = post(shown, path, "-H", "Origin: http://evil.example")
        assert reply.status == 403 and reply.json["error"]
    status = control(shown, "/status", "-H", "Origin: http://localhost").json
    assert status["state"] == "ok" and status["cache"]["entries"] == 1 and status["log_level"] == "info"
