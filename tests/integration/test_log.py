"""The log: its formats, where it goes, and that nobody who does not read it can hurt."""
import json
import os
import signal

import pytest

from daemon import SLACK
from processes import eventually
from test_upstream import ask_truly

pytestmark = pytest.mark.threads


@pytest.fixture
def full_pipe(cleanup):
    """The end for writing of a pipe that is full and that nobody reads."""
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
    """Without a log nobody says that it is ready."""
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
        assert list(line) == ["time", "level", "module", "message"] and line["level"] in ("info", "debug")


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


def test_a_pipe_that_nobody_reads(make_daemon, server, full_pipe):
    daemon = make_daemon(server, log={"level": "debug"}, wait=False, options={"read": "stdout", "stderr": full_pipe})
    eventually(lambda: answers(daemon), what="an answer")
    for number in range(50):
        ask_truly(daemon, f"n{number}.example")
    daemon.signal(signal.SIGHUP)
    ask_truly(daemon, "a.example")
    assert daemon.end(10 * SLACK) == 0


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_a_standard_error_that_takes_nothing(make_daemon, server, redirection):
    daemon = make_daemon(server, log={"level": "debug"}, wait=False, exec_as=["sh", "-c", f'exec "$@" {redirection}', "sh"])
    eventually(lambda: answers(daemon), what="an answer")
    ask_truly(daemon, "a.example")
    assert daemon.end(10 * SLACK) == 0
