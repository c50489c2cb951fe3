# SPDX-License-Identifier: MIT
"""upstream-policy: how queries are divided among the primary upstreams."""
import collections

import pytest

from processes import eventually
from test_control import control, post
from test_ctl import ctl
from test_reload import make_reloadable  # noqa: F401

pytestmark = pytest.mark.alone  # where the machine stalls, other servers are used
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
    """The set of names that each server was the first to receive since the last call: another one may have got a hedge."""
    first = {}
    for number, server in enumerate(servers):
        for query in server.queries:
            first[query.name] = min(first.get(query.name, (query.time, number)), (query.time, number))
        server.forget()
    return [{name for name, (_, owner) in first.items() if owner == number} for number in range(len(servers))]


def settled(daemon, servers):
    """The shares of all names, each by the majority of five queries: where the machine stalls, a dial looks as if it hung, and a hedge
    overtakes the first attempt."""
    shares(servers)
    owners = {name: collections.Counter() for name in NAMES}
    for _ in range(5):
        ask_all(daemon)
        for number, share in enumerate(shares(servers)):
            for name in share:
                owners[name][number] += 1
    return [{name for name, counts in owners.items() if counts.most_common(1)[0][0] == number} for number in range(len(servers))]


def test_spread_divides_names_and_moves_the_share_of_a_failed_upstream(make_daemon, servers):
    daemon = make_daemon(*entries(servers), **{"upstream-policy": "spread"})
    first = settled(daemon, servers)
    assert set().union(*first) == set(NAMES) and all(len(share) >= 8 for share in first)

    servers[1].refuse()
    second = settled(daemon, servers)
    assert not second[1] and first[0] < second[0] and first[2] < second[2]
    assert second[0] | second[2] == set(NAMES)

    servers[1].restore()
    mine = sorted(first[1])[0]

    def returned():
        ask_all(daemon, [mine])
        return servers[1].queries
    eventually(returned)
    assert settled(daemon, servers) == first


def test_the_shares_survive_a_restart(make_daemon, servers):
    """With a new key at each start, every operator would see every name after some time. Without a machine id the key is random."""
    try:
        with open("/etc/machine-id") as file:
            if len(file.read().strip()) != 32:
                pytest.skip("this machine has no machine id")
    except OSError:
        pytest.skip("this machine has no machine id")
    seen = []
    for _ in range(2):
        daemon = make_daemon(*entries(servers), **{"upstream-policy": "spread"})
        seen.append(settled(daemon, servers))
        daemon.stop()
    assert seen[0] == seen[1]


def test_failover_gives_all_to_one_the_first_to_begin_with(make_daemon, servers):
    daemon = make_daemon(*entries(servers))
    ask_all(daemon, NAMES[:1])
    assert servers[0].queries
    sizes = [len(share) for share in settled(daemon, servers)]
    assert max(sizes) > len(NAMES) * 3 / 4, sizes
    used = sizes.index(max(sizes))
    servers[used].refuse()
    sizes = [len(share) for share in settled(daemon, servers)]
    assert max(sizes) > len(NAMES) * 3 / 4 and sizes[used] == 0, sizes


def test_fastest_measures_all(make_daemon, servers):
    servers[0].delay, servers[1].delay = 0.08, 0.04
    daemon = make_daemon(*entries(servers), **{"upstream-policy": "fastest"})
    ask_all(daemon, NAMES[:12])
    assert all(server.queries for server in servers)
    shares(servers)
    ask_all(daemon, NAMES[12:])
    found = shares(servers)
    assert len(found[2]) > len(NAMES[12:]) * 3 / 4, [len(share) for share in found]


def test_a_reload_changes_the_policy(make_reloadable, servers):  # noqa: F811
    daemon = make_reloadable(*entries(servers))
    assert max(map(len, settled(daemon, servers))) > len(NAMES) * 3 / 4
    assert control(daemon, "/status").json["upstream_policy"] == "failover"
    assert daemon.reload(**{"upstream-policy": "spread"}) == []
    assert control(daemon, "/status").json["upstream_policy"] == "spread"
    assert "upstream policy: spread" in ctl(daemon, "status")
    assert all(len(share) >= 8 for share in settled(daemon, servers))
