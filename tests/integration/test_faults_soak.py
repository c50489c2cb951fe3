# SPDX-License-Identifier: MIT
"""Three minutes with 500 queries a second and a fault every two seconds: every query is answered without retransmission."""
import itertools
import threading

import pytest

import lies
from daemon import SLACK
from faults import Stalls

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
SILENT = [fall_silent, lambda server: server.deafen(), garble]
STALLS = [*KILLS, *SILENT, lie(0.2, silence=True), lie(0.5, delay=0.3)]


@pytest.mark.parametrize("faults, p99_ms, max_ms, delay", [
    ([*KILLS, *SILENT], 150, 400, BRISK), (SILENT, 150, 400, BRISK), (SILENT, 150, 400, 0.001), (STALLS, 450, 5000, BRISK)],
    ids=["survivable", "silent", "silent-1ms", "stalls"])
def test_soak(make_daemon, server, faults, p99_ms, max_ms, delay):
    server.delay = delay
    daemon = make_daemon(server, cache={"size": "4MiB"}, log={"level": "debug"})
    count = SECONDS * RATE
    load = daemon.load(queries=count, distinct=count, rate=RATE, name="n%u.example", connections=4, in_flight=4000,
                       patience=6000)
    stalls, memory = Stalls(), []
    for number, fault in zip(range(SECONDS // EVERY - 1), itertools.cycle(faults)):
        begun = server.loop.time()
        fault(server)
        pause(max(0, EVERY - (server.loop.time() - begun)))
        server.forget()
        memory.append(daemon.resident_kb())
    result = load.result(60)
    stalls.running = False
    print(f"| soak, {p99_ms} ms: {result}, memory {memory[len(memory) // 2]} KiB at half, {memory[-1]} KiB at the end |")
    failures = [line for line in daemon.log() if "came to nothing" in line]
    assert result["good"] == result["sent"] == count and not failures, (result, failures)
    stalled_ms = stalls.longest * 1000
    assert result["max_ms"] <= max_ms * SLACK + stalled_ms and result["p99_ms"] <= p99_ms * SLACK + stalled_ms, (result, stalled_ms)
    assert max(memory[len(memory) // 2:]) <= max(memory[len(memory) // 4:len(memory) // 2]) + 2048 * SLACK, memory
