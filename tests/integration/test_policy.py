# SPDX-License-Identifier: MIT
"""upstream-policy: how queries are divided among the primary upstreams."""
import pytest

from processes import eventually
from test_control import control, post
from test_ctl import ctl
from test_reload import make_reloadable  # noqa: F401

NAMES = [f"n{number}.example" for number in range(60)]


@pytest.fixture
def servers(make_server):
    return [make_server() for _ in range(3)]


def entries(servers):
    return [server.upstream(name=f"liar{number}") for number, server in enumerate(servers)]


def ask_all(daemon, names=NAMES):
    """One query for each name, none of which is in the cache."""
    post(daemon, "/flush")
    for name in names:
        assert daemon.ask(name).rcode() == 0


def shares(servers):
    """The set of names that each server has received since the last call."""
    found = [{query.name for query in server.queries} for server in servers]
    for server in servers:
        server.forget()
    return found


def test_spread_divides_names_and_moves_the_share_of_a_failed_upstream(make_daemon, servers):
    daemon = make_daemon(*entries(servers), **{"upstream-policy": "spread"})
    ask_all(daemon)
    first = shares(servers)
    assert set().union(*first) == set(NAMES) and all(len(share) >= 8 for share in first)
    assert sum(map(len, first)) == len(NAMES), "a name was sent to two operators"
    ask_all(daemon)
    assert shares(servers) == first

    servers[1].refuse()
    ask_all(daemon)
    second = shares(servers)
    assert not second[1] and first[0] < second[0] and first[2] < second[2]
    assert second[0] | second[2] == set(NAMES) and not second[0] & second[2]

    servers[1].restore()
    mine = sorted(first[1])[0]

    def returned():
        ask_all(daemon, [mine])
        return servers[1].queries
    eventually(returned)
    shares(servers)
    ask_all(daemon)
    assert shares(servers) == first


def test_the_shares_survive_a_restart(make_daemon, servers):
    """With another key at each start every operator would see every name in time. Without a machine id the key is random."""
    try:
        with open("/etc/machine-id") as file:
            if len(file.read().strip()) != 32:
                pytest.skip("this machine has no machine id")
    except OSError:
        pytest.skip("this machine has no machine id")
    seen = []
    for _ in range(2):
        daemon = make_daemon(*entries(servers), **{"upstream-policy": "spread"})
        ask_all(daemon)
        daemon.stop()
        seen.append(shares(servers))
    assert seen[0] == seen[1]


def test_failover_gives_all_to_the_first(make_daemon, servers):
    daemon = make_daemon(*entries(servers))
    ask_all(daemon)
    assert [len(share) for share in shares(servers)] == [len(NAMES), 0, 0]
    servers[0].refuse()
    ask_all(daemon)
    assert [len(share) for share in shares(servers)] == [0, len(NAMES), 0]


def test_fastest_measures_all(make_daemon, servers):
    servers[0].delay, servers[1].delay = 0.08, 0.04
    daemon = make_daemon(*entries(servers), **{"upstream-policy": "fastest"})
    ask_all(daemon, NAMES[:12])
    assert all(server.queries for server in servers)
    shares(servers)
    ask_all(daemon, NAMES[12:])
    found = shares(servers)
    assert len(found[2]) >= len(NAMES[12:]) - 2, [len(share) for share in found]


def test_a_reload_changes_the_policy(make_reloadable, servers):  # noqa: F811
    daemon = make_reloadable(*entries(servers))
    ask_all(daemon)
    assert [bool(share) for share in shares(servers)] == [True, False, False]
    assert control(daemon, "/status").json["upstream_policy"] == "failover"
    assert daemon.reload(**{"upstream-policy": "spread"}) == []
    assert control(daemon, "/status").json["upstream_policy"] == "spread"
    assert "policy    spread" in ctl(daemon, "status")
    ask_all(daemon)
    assert all(len(share) >= 8 for share in shares(servers))
