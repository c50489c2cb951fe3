# SPDX-License-Identifier: MIT
"""A second-level cache on a real redis-server, and everything that can be wrong with it."""
import signal
import time

import pytest

from daemon import SLACK
from redisserver import Redis, Relay, fleet_key
from test_defences import counters
from test_upstream import truth


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.end()


@pytest.fixture
def store(redis, public_path):
    """The settings of a replica; the store is empty."""
    redis("FLUSHALL")
    return {"servers": [redis.where], "fleet-key-file": fleet_key(public_path / "fleet.key")}


@pytest.fixture
def make_replica(make_daemon, server, store):
    def make(ready=True, **changes):
        daemon = make_daemon(server, store={**store, **changes})
        if ready:
            daemon.wait_line("store: .* connected")
        return daemon
    return make


def ask_truly(daemon, name, rdtype="A", **parts):
    answer = daemon.ask(name, rdtype, edns=True, **parts)
    truth(answer, name)
    return answer


def wait_for(condition, seconds=5):
    until = time.monotonic() + seconds * SLACK
    while not condition():
        assert time.monotonic() < until, "it did not become true in time"
        time.sleep(0.005)


def count(daemon, name):
    return counters(daemon)[name]


def test_a_replica_answers_from_what_another_one_learned(make_replica, server, redis):
    first, second = make_replica(), make_replica()
    names = [f"n{number}.example" for number in range(20)]
    answers = [ask_truly(first, name) for name in names]
    wait_for(lambda: len(redis.keys()) == 20)
    server.forget()
    for name, before in zip(names, answers):
        after = ask_truly(second, name)
        assert 0 < after.answer[0].ttl <= before.answer[0].ttl
    assert not server.queries
    assert count(second, "store_hits") == 20 and count(second, "store_puts") == 0
    for name in names:
        ask_truly(second, name)  # from its own cache now
    assert count(second, "store_gets") == 20
