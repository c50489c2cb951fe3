# SPDX-License-Identifier: MIT
"""The status page and what it polls, asked with curl: headers, what is shown to whom, the token. test_browser.py looks at it."""
import base64
import hashlib
import pathlib
import re

import pytest

from daemon import run
from processes import free_port
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
    """make_shown(**metrics): a daemon with metrics.listen and these settings, which has answered one question slowly."""
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


def names(answer):
    assert answer.status == 200
    return [record["name"] for record in answer.json["recent"]]


# The page.

@pytest.mark.parametrize("way", [control, metrics])
def test_the_page_may_do_nothing_but_what_it_does(shown, way):
    answer = way(shown, "/")
    assert answer.status == 200 and answer.body == PAGE.read_text()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    for element in ("script", "style"):
        (inner,) = re.findall(f"<{element}>(.*?)</{element}>", answer.body, re.S)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert policy.pop(f"{element}-src") == f"'sha256-{digest}'"
    assert policy == {"default-src": "'none'", "connect-src": "'self'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
                      "frame-ancestors": "'none'"}


def test_the_page_fetches_nothing_from_elsewhere():
    page = PAGE.read_text()
    assert set(re.findall(r"(?:https?:)?//[^\s'\"]+", re.sub(r"/\*.*?\*/", "", page))) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\bsrc=|@import|url\(|innerHTML|insertAdjacent|document\.write|eval\(", page)


def test_it_is_read_by_get_and_takes_no_other_argument(shown):
    assert metrics(shown, "/", "--head").status == 200
    assert metrics(shown, "/", "-X", "POST").status == 405 and metrics(shown, "/status.json", "-X", "POST").status == 405
    assert metrics(shown, "/?x=1").status == 400 and metrics(shown, "/status.json?x=1").status == 400
    assert control(shown, "/?token=x").status == 400


def test_what_is_polled(shown, server):
    status = metrics(shown, "/status.json").json
    assert status["state"] == "ok" and status["degraded"] == [] and status["names"] == "hidden" and status["slow_ms"] == 100
    assert status["counters"]["queries_received"] == status["counters"]["cache_misses"] == 1
    (only,) = status["servers"]
    assert only["address"] == f"127.0.0.1@{server.port}" and only["state"] == "open" and only["last_session"]["version"] == "TLS1.3"
    (record,) = status["recent"]
    assert record["kind"] == "slow" and record["type"] == "A" and record["rcode"] == "NOERROR" and 150 <= record["total_ms"]
    assert "waiting for the answer of liar" in record["explanation"]
    latency = status["latency"]
    assert sum(latency["misses"]) == 1 and len(latency["misses"]) == len(latency["hits"]) == len(latency["bounds"]) + 1
    again = metrics(shown, "/status.json").json
    assert again["clock_ms"] >= status["clock_ms"] and abs(again["time"] - status["time"]) <= 60


def test_a_few_records_are_enough(shown, server):
    server.refuse()
    for n in range(30):
        shown.ask(f"f{n}.example")
    recent = metrics(shown, "/status.json").json["recent"]
    assert len(recent) == 20 and all(record["kind"] == "failed" and record["rcode"] == "SERVFAIL" for record in recent)


# Who may read names.

def test_names_are_for_the_control_socket(shown):
    assert names(control(shown, "/status.json")) == ["secret.example."]
    assert control(shown, "/status.json").json["names"] == "shown"
    for more in ((), BEARER):
        answer = metrics(shown, "/status.json", *more)
        assert names(answer) == [None] and "secret" not in answer.body
        assert metrics(shown, f"/status.json?token={TOKEN}").json["names"] == "hidden"


def test_without_names_nothing_private_is_said(shown, server):
    with server.lying(silence=True):
        shown.ask("hidden.example")
    answer = metrics(shown, "/status.json")
    assert len(answer.json["recent"]) == 2 and all(record["extended_error"] is None for record in answer.json["recent"])
    for private in ("example", f"@{shown.port}", "pid", "log_level", "listen"):
        assert private not in answer.body


def test_the_token_opens_names(guarded):
    closed = metrics(guarded, "/status.json")
    assert names(closed) == [None] and closed.json["names"] == "token" and "secret" not in closed.body
    for answer in (metrics(guarded, "/status.json", *BEARER), metrics(guarded, f"/status.json?token={TOKEN}"),
                   metrics(guarded, "/status.json", "-H", f"authorization: bearer {TOKEN}")):
        assert names(answer) == ["secret.example."] and answer.json["names"] == "shown"


@pytest.mark.parametrize("wrong", ["", "0", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "x" * 5000])
def test_a_wrong_token_opens_nothing(guarded, wrong):
    for answer in (metrics(guarded, f"/status.json?token={wrong}"), metrics(guarded, "/status.json", "-H", f"Authorization: Bearer {wrong}")):
        if not wrong and answer.status == 200:  # a header without one
            assert names(answer) == [None]
        else:
            assert answer.status == 403 and "token" in answer.json["error"] and "secret" not in answer.body


def test_an_authorization_of_another_kind_is_none(guarded):
    assert names(metrics(guarded, "/status.json", "-u", f"x:{TOKEN}")) == [None]


def test_the_secret_is_in_no_print(guarded):
    printed = run("-c", guarded.config_file, "--print-config").stdout
    assert "names: yes" in printed and "token-file:" in printed
    assert TOKEN not in printed + control(guarded, "/config").body + "\n".join(guarded.log())


# Mistakes.

def test_names_need_a_token(tmp_path):
    config = tmp_path / "dotstub.yaml"
    config.write_text("metrics:\n  names: yes\n")
    done = run("-c", config, "--check")
    assert done.returncode != 0 and "dotstub.yaml:2:" in done.stderr and "metrics.token-file" in done.stderr


@pytest.mark.parametrize("text, sentence", [(None, "No such file or directory"), ("short\n", "16 to 256"), ("x" * 257, "16 to 256"), ("\n" + TOKEN, "16 to 256"),
                                            ("sixteen or more, with blanks\n", "16 to 256"), ("", "16 to 256")])
def test_a_token_that_cannot_be_used_is_an_error(make_daemon, server, tmp_path, text, sentence):
    path = tmp_path / "token" if text is None else token_file(tmp_path, text)
    daemon = make_daemon(server, metrics={"listen": f"127.0.0.1@{free_port('127.0.0.1')}", "names": True, "token-file": str(path)}, wait=False)
    assert daemon.wait_exit() == 71
    (error,) = [line for line in daemon.log() if " error " in line]
    assert sentence in error and str(path) in error and "metrics.token-file" in error and (not text or text.strip() not in error)


# Pages of others.

def test_by_a_name_of_its_own_no_page_gets_in(shown):
    for path in ("/", "/status.json", "/status"):
        assert control(shown, path, "-H", "Host: evil.example").status == 403
        assert control(shown, path, "-H", "Host: evil.example:8080").status == 403
    for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080", "dotstub", "x"):
        assert control(shown, "/status.json", "-H", f"Host: {host}").status == 200
    for path in ("/", "/status.json"):
        assert metrics(shown, path, "-H", "Host: evil.example").status == 403


def test_no_page_changes_anything(shown):
    for path in ("/flush", "/drain?seconds=0", "/log?level=debug"):
        answer = post(shown, path, "-H", "Origin: http://evil.example")
        assert answer.status == 403 and answer.json["error"]
    status = control(shown, "/status", "-H", "Origin: http://localhost").json
    assert status["state"] == "ok" and status["cache"]["entries"] == 1 and status["log_level"] == "info"
