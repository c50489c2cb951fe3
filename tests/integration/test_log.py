# SPDX-License-Identifier: MIT
"""The log: its formats and targets; a reader that blocks does no harm."""
import json
import os
import signal

import pytest

from daemon import FLAVOUR, SLACK
from processes import eventually
from test_ctl import ctl
from test_upstream import ask_truly

pytestmark = pytest.mark.threads


@pytest.fixture
def full_pipe(cleanup):
    """The write end of a full pipe without a reader."""
    reader, writer = os.pipe()
    cleanup.callback(os.close, reader)
    cleanup.callback(os.close, writer)
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    return writer


def answers(daemon):
    """Waits until the daemon answers, without its log."""
    try:
        return daemon.dig("localhost", "+short") == "127.0.0.1\n"
    except AssertionError:
        return False


def test_json(make_daemon, server):
    daemon = make_daemon(server, log={"format": "json", "level": "debug"}, wait=False)
    daemon.wait_line('"message": "ready: version')
    ask_truly(daemon, "a.example")
    daemon.stop()
    lines = [json.loads(line) for line in daemon.log()]
    assert {"daemon", "upstream"} <= {line["module"] for line in lines}
    for line in lines:
        assert list(line) == ["time", "level", "module", "message"]
        # With a sanitizer there is no filter of system calls, and a warning says so.
        assert line["level"] in ("info", "debug") or (FLAVOUR != "plain" and line["message"].startswith("sandbox: "))


def test_standard_output(make_daemon, server):
    daemon = make_daemon(server, log={"output": "stdout"}, options={"read": "stdout"})
    daemon.stop()
    assert daemon.matching("info daemon: stopping on signal 15")


def test_modules(make_daemon, server):
    daemon = make_daemon(server, log={"level": "error", "modules": ["upstream=debug", "daemon=info"]})
    ask_truly(daemon, "a.example")
    daemon.stop()
    assert {line.split()[2] for line in daemon.log()} == {"daemon:", "upstream:"}
    assert daemon.matching("debug upstream: session to .* ends")


def test_queries(make_daemon, server):
    daemon = make_daemon(server, log={"queries": True, "format": "json"}, wait=False)
    daemon.wait_line('"message": "ready: version')
    ask_truly(daemon, "a.example")
    daemon.ask("a.example", tcp=True)
    daemon.ask("localhost")
    daemon.wait_line('"module": "query"', times=3)
    miss, hit, local = [json.loads(line) for line in daemon.matching('"module": "query"')]
    asked = {"client": "127.0.0.1", "transport": "udp", "name": "a.example.", "type": "A", "rcode": "NOERROR"}
    assert asked.items() <= miss.items() and miss["how"] == "miss" and miss["server"] == f"{server.address}@{server.port}"
    assert {**asked, "transport": "tcp", "how": "hit", "ms": 0}.items() <= hit.items()
    assert local["name"] == "localhost." and local["how"] == "local"


def test_queries_at_run_time(daemon):
    daemon.ask("localhost")
    ctl(daemon, "queries", "yes", "2")
    for _ in range(6):
        daemon.ask("localhost")
    daemon.wait_line(" query: ", times=3)
    ctl(daemon, "queries", "no")
    daemon.ask("localhost")
    daemon.stop()
    assert len(daemon.matching(" query: client=127.0.0.1 transport=udp name=localhost. type=A rcode=NOERROR how=local ms=0")) == 3


def test_a_pipe_without_a_reader(make_daemon, server, full_pipe):
    daemon = make_daemon(server, log={"level": "debug", "queries": True}, wait=False, options={"read": "stdout", "stderr": full_pipe})
    eventually(lambda: answers(daemon), what="an answer")
    for number in range(50):
        ask_truly(daemon, f"n{number}.example")
    daemon.signal(signal.SIGHUP)
    ask_truly(daemon, "a.example")
    assert json.loads(ctl(daemon, "--json", "stats"))["counters"]["query_lines_lost"] > 50
    assert daemon.end(10 * SLACK) == 0


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_a_standard_error_that_blocks(make_daemon, server, redirection):
    daemon = make_daemon(server, log={"level": "debug"}, wait=False, exec_as=["sh", "-c", f'exec "$@" {redirection}', "sh"])
    eventually(lambda: answers(daemon), what="an answer")
    ask_truly(daemon, "a.example")
    assert daemon.end(10 * SLACK) == 0
