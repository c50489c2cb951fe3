# SPDX-License-Identifier: MIT
"""A wall clock that is wrong or jumps (libfaketime changes it, but not the monotonic clocks)."""
import glob
import pathlib
import tempfile

import pytest

import wire
from processes import eventually

pytestmark = pytest.mark.plain  # sanitizers do not work with a preloaded library
LIBRARY = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
DAY = 86400


class WallClock:
    """The wall clock of daemons started with `variables`; it is `ahead` seconds ahead of the true time."""

    def __init__(self, directory):
        self.file = directory / "clock"
        self.variables = {"LD_PRELOAD": LIBRARY[0], "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                          "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.options = {"sandbox": "off"}  # the library reads its file again and again
        self.set(0)

    def set(self, ahead):
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{ahead:+d}\n")
        fresh.chmod(0o644)
        fresh.rename(self.file)


@pytest.fixture
def clock():
    assert LIBRARY, "libfaketime is missing"
    with tempfile.TemporaryDirectory() as directory:  # not below the directory of pytest, which the daemon's user may not enter
        path = pathlib.Path(directory)
        path.chmod(0o755)
        yield WallClock(path)


FIFTY_YEARS = 50 * 365 * DAY


@pytest.fixture
def old_authority(certs):
    """A CA that is older than any build."""
    return certs.make("old-authority", subject="Old authority", ca=True, days=(-3650, 3650))


def started(make_daemon, make_server, clock, old_authority, leaf):
    server = make_server(leaf)
    daemon = make_daemon(server, ca_file=str(old_authority.chain_file), variables=clock.variables, **clock.options)
    assert daemon.log()[0].startswith("197"), "the clock is not wrong"
    return daemon, server


def test_a_clock_at_1970_neither_weakens_nor_prevents_verification(make_daemon, make_server, clock, old_authority, certs):
    clock.set(-FIFTY_YEARS)
    good = certs.make("long-valid", old_authority, names=["dns.google"], days=(-365, 365))
    daemon, server = started(make_daemon, make_server, clock, old_authority, good)
    assert daemon.ask("a.example").rcode() == 0
    server.swap(certs.make("long-expired", old_authority, names=["dns.google"], days=(-365, -30)))
    server.kill()
    before = len(server.queries)
    assert daemon.ask("b.example").rcode() == 2 and len(server.queries) == before, "by the build's date it is expired"


def test_a_certificate_from_the_future_is_accepted_until_the_clock_is_set(make_daemon, make_server, clock, old_authority, certs):
    """So that names of time servers can be looked up; then the certificate is verified again."""
    clock.set(-FIFTY_YEARS)
    fresh = certs.make("fresh", old_authority, names=["dns.google"], days=(-1 / 24, 30))  # younger than the build
    daemon, server = started(make_daemon, make_server, clock, old_authority, fresh)
    assert daemon.ask("a.example").rcode() == 0
    daemon.wait_line("not valid yet")
    server.kill()
    assert daemon.ask("b.example").rcode() == 0
    assert not any(connection.resumed for connection in server.connections)


def test_a_certificate_from_the_future_is_refused_by_a_clock_that_is_set(make_daemon, make_server, clock, old_authority, certs):
    early = certs.make("early", old_authority, names=["dns.google"], days=(10, 30))
    server = make_server(early)
    daemon = make_daemon(server, ca_file=str(old_authority.chain_file), variables=clock.variables, **clock.options)
    answer = daemon.ask("a.example", edns=True)
    assert answer.rcode() == 2 and "not valid yet" in " ".join(text for _, text in wire.extended_errors(answer))
    assert not server.queries
    clock.set(20 * DAY)
    eventually(lambda: daemon.ask("a.example").rcode() == 0, 5, "an answer after the clock was set")


@pytest.mark.parametrize("jump", [DAY, -DAY, 400 * DAY])
def test_a_jump_of_the_wall_clock_changes_no_ttl(make_daemon, server, clock, jump):
    daemon = make_daemon(server, variables=clock.variables, **clock.options)
    first = daemon.ask("a.example").answer[0].ttl
    clock.set(jump)
    for _ in range(2):
        assert first - 2 <= daemon.ask("a.example").answer[0].ttl <= first
    assert len(server.queries_for("a.example")) == 1
