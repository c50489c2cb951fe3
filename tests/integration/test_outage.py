# SPDX-License-Identifier: MIT
"""Servers that fail: the lines in the log, and the state of servers that no query uses."""
import threading
import time

import pytest

from daemon import SLACK
from processes import eventually
from test_control import control
from test_upstream import ask_truly


@pytest.fixture
def asking():
    """asking(daemon): a client that queries two new names a second in the background."""
    stop = threading.Event()
    threads = []

    def run(daemon):
        number = 0
        while not stop.wait(0.5):
            daemon.ask(f"n{number}.private-name.example")
            number += 1

    def begin(daemon):
        threads.append(threading.Thread(target=run, args=[daemon]))
        threads[-1].start()

    yield begin
    stop.set()
    for thread in threads:
        thread.join()


def state_of(daemon, upstream):
    return {server["upstream"]: server["state"] for server in control(daemon, "/status").json["servers"]}[upstream]


@pytest.mark.whole
def test_six_dead_servers_have_one_line_after_the_first_ones(make_namespace, make_daemon, asking):
    namespace = make_namespace().up()
    upstreams = [{"name": "one", "tls-name": "one.example", "addresses": [f"192.0.2.{n}" for n in range(1, 5)]},
                 {"name": "two", "tls-name": "two.example", "addresses": ["198.51.100.1", "198.51.100.2"]}]
    daemon = make_daemon(*upstreams, namespace=namespace)
    before = len(daemon.log())
    asking(daemon)
    line = daemon.wait_line("cannot open a session to .* and [0-9] more servers", timeout=15 * SLACK)
    assert "for 1" in line and " s now)" in line
    lines = daemon.log()[before:]
    assert len(lines) <= 5 + 2, lines  # the first line of each kind, the state, this one
    quiet = len(daemon.log())
    time.sleep(12)
    assert len(daemon.log()) <= quiet + 1, "\n".join(daemon.log())
    assert "private-name" not in "\n".join(daemon.log())


@pytest.mark.whole
def test_a_spare_that_is_broken_is_known_and_so_is_its_recovery(make_daemon, make_server, server, asking):
    spare = make_server()
    spare.refuse()
    daemon = make_daemon(server, spare.upstream(name="spare", role="backup"))
    ask_truly(daemon, "a.example")
    status = control(daemon, "/status").json
    assert status["state"] == "ok" and state_of(daemon, "spare") == "unknown"
    asking(daemon)
    eventually(lambda: state_of(daemon, "spare") == "failing", timeout=40 * SLACK, what="the probe of the spare")
    status = control(daemon, "/status").json
    assert status["state"] == "reduced" and "upstream spare is unreachable" in status["why"][0]
    assert status["last_minute"]["failed"] == 0
    spare.restore()
    eventually(lambda: control(daemon, "/status").json["state"] == "ok", timeout=60 * SLACK, what="the recovery of the spare")
    assert state_of(daemon, "spare") in ("idle", "open")  # open: a query waited in that moment, on a busy machine


def test_without_a_directory_the_state_is_saved_later(make_daemon, server, public_path):
    public_path.chmod(0o777)
    path = public_path / "later" / "cache"
    daemon = make_daemon(server, cache={"save": True, "save-file": str(path)})
    ask_truly(daemon, "a.example")
    assert daemon.matching("warning cache: cannot save the cache in .*/later/cache")
    path.parent.mkdir()
    path.parent.chmod(0o777)
    daemon.stop()
    assert path.exists()
