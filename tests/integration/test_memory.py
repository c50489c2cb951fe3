# SPDX-License-Identifier: MIT
"""Allocations that fail while sessions are opened and misses are answered: those of dotstub, and those of its libraries."""
import contextlib
import struct

import pytest

from clients import Load
from processes import eventually

pytestmark = [pytest.mark.plain]
ROUNDS, BATCH = 6, 50  # each round begins with new sessions


class Failing:
    """A daemon's view of tests/tools/failing.c."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(24))
        path.chmod(0o666)
        self.variables = {"LD_PRELOAD": str(Load.TOOLS.resolve() / "failing.so"), "FAILING": str(path)}

    def counts(self):
        """Allocations and failed ones since the start."""
        return struct.unpack("=QQ", self.path.read_bytes()[8:])

    @contextlib.contextmanager
    def one_in(self, number):
        self.set(number)
        yield
        self.set(0)

    def set(self, number):
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=Q", number))


@pytest.fixture
def failing(public_path):
    return Failing(public_path / "failing")


def misses(daemon, server, first):
    """The number of misses that are answered, of one batch over new sessions."""
    assert daemon.running, "\n".join(daemon.log()[-20:])
    server.kill("rst")
    return daemon.load(queries=BATCH, distinct=BATCH, first=first, name="m%u.example", in_flight=10, patience=5000).result()["good"]


@pytest.mark.parametrize("one_in, least", [(500, 0.99), (100, 0.95), (20, 0.70)])
def test_queries_are_answered_while_allocations_fail(make_daemon, make_server, failing, one_in, least):
    server = make_server(tickets=False)  # full handshakes
    daemon = make_daemon(server, variables=failing.variables)
    misses(daemon, server, 0)
    before = failing.counts()
    with failing.one_in(one_in):
        good = sum(misses(daemon, server, round * BATCH) for round in range(1, ROUNDS + 1))
    asked, failed = (after - number for after, number in zip(failing.counts(), before))
    print(f"{good} of {ROUNDS * BATCH} answered; {failed} of {asked} allocations failed; {len(server.established)} sessions")
    assert failed > asked / one_in / 2 > 0
    assert len(server.established) >= ROUNDS
    assert good >= least * ROUNDS * BATCH
    eventually(lambda: misses(daemon, server, 1000) == BATCH, what="all queries of a batch")
    daemon.stop()
