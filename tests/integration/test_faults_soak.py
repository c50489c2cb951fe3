# SPDX-License-Identifier: MIT
"""Three minutes with 500 queries a second and a fault every two seconds: every query is answered without retransmission."""
import itertools
import threading

import pytest

import lies
from daemon import SLACK

pytestmark = pytest.mark.faults
SECONDS, RATE, EVERY = 180, 500 // min(SLACK, 4), 2
BRISK = 0.02


def pause(seconds):
    threading.Event().wait(seconds)


def refuse(server):
    server.refuse()
    pause(0.1)
    server.restore()


def lie(seconds, **which):
    def fault(server):
        with server.lying(**which):
            pause(seconds)
    return fault


def reset_on_accept(server):
    with server.lying(accept="rst"):
        server.kill("rst")
        pause(0.1)


def fall_silent(server):
    """The open sessions fall silent."""
    victims = set(server.open)
    with server.lying(silence=lambda query: query.connection in victims):
        pause(1)
        server.kill("rst", lambda connection: connection in victims)


def garble(server):
    victims = set(server.open)
    with server.lying(tamper=lambda connection, data: lies.flip_bit(connection, data) if connection in victims else data):
        pause(0.5)


KILLS = [lambda server: server.kill("rst"), lambda server: server.kill("fin"), lambda server: server.kill("notify"), refuse,
         lie(1, close_after=20), lie(0.1, close_after=1), reset_on_accept]
STALLS = [*KILLS, fall_silent, lambda server: server.deafen(), garble, lie(0.2, silence=True), lie(0.5, delay=0.3)]


@pytest.mark.parametrize("faults, limit", [(KILLS, 250), (STALLS, 450)], ids=["kills", "stalls"])
def test_soak(make_daemon, server, faults, limit):
    server.delay = BRISK
    daemon = make_daemon(server, cache={"size": "4MiB"}, log={"level": "debug"})
    count = SECONDS * RATE
    load = daemon.load(queries=count, distinct=count, rate=RATE, name="n%u.example", connections=4, in_flight=4000,
                       patience=6000)
    memory = []
    for number, fault in zip(range(SECONDS // EVERY - 1), itertools.cycle(faults)):
        begun = server.loop.time()
        fault(server)
        pause(max(0, EVERY - (server.loop.time() - begun)))
        server.forget()
        memory.append(daemon.resident_kb())
    result = load.result(60)
    print(f"| soak, {limit} ms: {result}, memory {memory[len(memory) // 2]} KiB at half, {memory[-1]} KiB at the end |")
    failures = [line for line in daemon.log() if "came to nothing" in line]
    assert result["good"] == result["sent"] == count and not failures, (result, failures)
    assert result["max_ms"] < 5000 and result["p99_ms"] <= limit * SLACK, result
    assert max(memory[len(memory) // 2:]) <= max(memory[len(memory) // 4:len(memory) // 2]) + 2048 * SLACK, memory
