# SPDX-License-Identifier: MIT
"""The replicas of a fleet help each other through the store: flushes, leases, popular names."""
import base64
import json
import pathlib
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from clients import UdpClient
from daemon import SLACK
from processes import Process, eventually, free_port
from redisserver import Redis, Relay, fleet_key
from test_ctl import ctl
from test_store import ask_truly, count, make_replica, redis, store  # noqa: F401 (fixtures)
from test_upstream import truth


def settled(value):
    """The value that stays the same for 50 ms: votes for names are written a little later."""
    seen = []

    def same():
        seen.append(value())
        time.sleep(0.05)
        return seen[-2:] == [value()] * 2
    eventually(same)
    return seen[-1]


def has_entry(daemon, name):
    return bool(json.loads(ctl(daemon, "--json", "cache", name))["entries"])


def listens(daemon):
    return all(server["hears_flushes"] for server in json.loads(ctl(daemon, "--json", "status"))["store"]["servers"])


# Behind a balancer.

DNSDIST = """\
setLocal("127.0.0.1:{port}")
setACL({{"127.0.0.0/8"}})
setServerPolicy(roundrobin)
setSecurityPollSuffix("")
"""
HEALTH = 1  # the name of the health checks
DNSDIST_SERVER = """\
newServer({{address="127.0.0.1:{port}", name="replica{number}", checkName="up.example.", checkInterval=1, checkTimeout={timeout}, maxCheckFailures=1}})
"""


@pytest.fixture
def balance(public_path, cleanup):
    """Starts dnsdist, which sends each query to the next one of the replicas."""
    def start(replicas):
        port, config = free_port("127.0.0.1"), public_path / "dnsdist.conf"
        servers = (DNSDIST_SERVER.format(port=replica.port, number=number, timeout=1000 * SLACK) for number, replica in enumerate(replicas))
        config.write_text(DNSDIST.format(port=port) + "".join(servers))
        balancer = Process(["dnsdist", "-C", str(config), "--supervised", "--disable-syslog"], read="stdout")
        cleanup.callback(balancer.end)
        for number in range(len(replicas)):
            balancer.wait_line(rf"(?i)replica{number}.*\bup\b")
        return balancer, port
    return start


def test_behind_dnsdist(make_replica, make_daemon, server, redis, store, balance, cleanup):
    """Queries go to any replica, and each name to the upstream once: also without a replica, without the store, and with
    a replica that starts anew."""
    replicas = [make_replica() for _ in range(3)]
    balancer, port = balance(replicas)
    client = UdpClient("127.0.0.1", port)
    cleanup.callback(client.close)

    def ask(*names, stored=None):
        """Three times; each time the next replica. `stored`: the number of names in the store then."""
        for turn in range(3):
            for name in names:
                truth(client.ask(name, edns=True), name)
            eventually(lambda: stored is None or len(redis.keys()) == stored)

    def names(word):
        return [f"{word}{number}.example" for number in range(25)]  # not a multiple of the replicas

    def asked(word):
        return [len(server.queries_for(name)) for name in names(word)]
    ask(*names("first"), stored=25 + HEALTH)
    assert asked("first") == [1] * 25
    assert all(count(replica, "store_hits") >= 10 for replica in replicas)

    replicas[0].child.kill()
    balancer.wait_line(r"(?i)replica0.*\bdown\b", timeout=30)
    ask(*names("second"), stored=50 + HEALTH)
    assert asked("second") == [1] * 25

    again = make_daemon(server, store=store, port=replicas[0].port)
    balancer.wait_line(r"(?i)replica0.*\bup\b", times=2, timeout=30)
    ask(*names("first"), *names("second"), stored=50 + HEALTH)
    assert asked("first") + asked("second") == [1] * 50
    assert count(again, "store_hits") >= 30

    redis.signal(signal.SIGSTOP)
    ask(*names("third"))
    redis.signal(signal.SIGCONT)
    assert all(count(replica, "queries_failed") == 0 for replica in (*replicas[1:], again))


# Flushes.

@pytest.mark.threads
def test_a_flush_reaches_the_fleet_within_a_second(make_replica, server, redis):
    replicas = [make_replica() for _ in range(3)]
    for replica in replicas:
        eventually(lambda: listens(replica))
        for name in ("www.flushed.example", "flushed.example", "other.example"):
            ask_truly(replica, name)
    server.forget()
    begun = time.monotonic()
    told = json.loads(ctl(replicas[0], "--json", "flush", "--fleet", "--suffix", "flushed.example"))
    assert told == {"flushed": 2, "servers": 1, "servers_told": 1}
    for replica in replicas[1:]:
        replica.wait_line("store: flush by another machine: flushed.example. and all names below")
        eventually(lambda: not has_entry(replica, "www.flushed.example"))
    assert time.monotonic() - begun < 1 * SLACK
    for replica in replicas:
        for name in ("www.flushed.example", "flushed.example"):
            ask_truly(replica, name)
        ask_truly(replica, "other.example")
    assert not server.queries_for("other.example")
    assert len(server.queries_for("www.flushed.example")) == 3  # nobody believes older values, nor those of the next five seconds
    assert [count(replica, "store_flushes_heard") for replica in replicas] == [0, 1, 1]
    assert count(replicas[1], "store_flushed") == 2


def test_a_flush_that_was_missed_is_in_the_store(make_replica, server, redis, cleanup):
    relay = Relay(redis.port)
    cleanup.callback(relay.stop)
    first, cut = make_replica(), make_replica(servers=[relay.where])
    eventually(lambda: listens(first) and listens(cut))
    for replica in (first, cut):
        ask_truly(replica, "a.example")
    relay.stop()
    cut.wait_line("store: .* connection lost")
    ctl(first, "flush", "--fleet", "a.example")
    assert has_entry(cut, "a.example")
    again = Relay(redis.port, relay.port)
    cleanup.callback(again.stop)
    cut.wait_line("store: .* connected", 2)
    cut.wait_line("flush by another machine: a.example.")
    eventually(lambda: not has_entry(cut, "a.example"))
    server.forget()
    for replica in (make_replica(), cut):  # older values are excluded for replicas that come later, too
        ask_truly(replica, "a.example")
        assert count(replica, "store_flushed") == 1
    assert len(server.queries_for("a.example")) == 2


def test_messages_of_others_and_old_ones_are_ignored(make_replica, server, redis):
    replica = make_replica()
    eventually(lambda: listens(replica))
    with redis.client() as client:
        channels = redis("PUBSUB", "CHANNELS", "dotstub:*")
        assert len(channels) == 1
        client("SUBSCRIBE", channels[0])
        ask_truly(replica, "a.example")
        ctl(replica, "flush", "--fleet", "a.example")
        (kind, _, message) = client.reply()
        assert kind == b"message" and b"example" not in message
    before = count(replica, "store_flushes_ignored")
    for number, text in enumerate((message, b"", b"x" * 200, b"x" * 100000, message[:-1] + bytes([message[-1] ^ 1]))):
        ask_truly(replica, "b.example")
        redis("PUBLISH", channels[0], text)
        eventually(lambda: count(replica, "store_flushes_ignored") == before + number + 1)
        assert has_entry(replica, "b.example")
    (members,) = [redis("ZRANGE", key, 0, -1) for key in redis("KEYS", "dotstub:*") if redis("TYPE", key) == b"zset"]
    assert len(members) == 1 and b"example" not in members[0]


def test_everything_and_without_a_store(make_replica, make_daemon, server, redis):
    first, second = make_replica(), make_replica()
    eventually(lambda: listens(second))
    for replica in (first, second):
        ask_truly(replica, "a.example")
    ctl(first, "flush", "--fleet")
    eventually(lambda: not has_entry(second, "a.example"))
    alone = make_daemon(server)
    assert "store.servers is empty" in ctl(alone, "flush", "--fleet", "a.example", status=64)


def test_a_user_without_rights_still_has_the_store(make_daemon, server, public_path, tmp_path):
    redis = Redis(tmp_path, requirepass="right")
    redis("ACL", "SETUSER", "dotstub", "on", ">secret", "~dotstub:*", "resetchannels", "+ping", "+get", "+set")
    password = public_path / "password"
    password.write_text("secret")
    daemon = make_daemon(server, store={"servers": [redis.where], "fleet-key-file": fleet_key(public_path / "fleet.key"), "user": "dotstub",
                                        "password-file": str(password), "patience": "500ms"})
    daemon.wait_line("store: .* connected")
    daemon.wait_line("flushes of the fleet do not arrive at once: NOPERM")
    ask_truly(daemon, "a.example")
    eventually(redis.keys)
    assert "not all machines may know" in ctl(daemon, "flush", "--fleet", "a.example", status=1)
    redis.end()


# Leases.

@pytest.fixture
def slow_server(make_server):
    server = make_server()
    server.delay = 0.08
    return server


def ask_all(replicas, name):
    """Each replica is asked at the same time."""
    with ThreadPoolExecutor(len(replicas)) as pool:
        return list(pool.map(lambda replica: ask_truly(replica, name), replicas))


def total(replicas, name):
    return sum(count(replica, name) for replica in replicas)


@pytest.mark.threads
def test_one_replica_asks_for_all(make_daemon, slow_server, store):
    replicas = [make_daemon(slow_server, store=store) for _ in range(3)]
    for number, replica in enumerate(replicas):
        replica.wait_line("store: .* connected")
        for i in range(3):
            ask_truly(replica, f"r{number}n{i}.example")  # so that the upstream's response time is known
    slow_server.forget()
    won = total(replicas, "store_leases_won")
    names = [f"popular{number}.example" for number in range(10)]
    for name in names:
        ask_all(replicas, name)
    queries = sum(len(slow_server.queries_for(name)) for name in names)
    assert queries <= 12, queries  # 30 without leases
    assert total(replicas, "store_leases_won") >= won + 10
    assert total(replicas, "store_leases_lost") >= 15
    assert total(replicas, "store_leases_filled") >= 15
    assert total(replicas, "queries_failed") == 0


def test_an_expired_name_is_refreshed_by_one_replica(make_daemon, slow_server, store):
    replicas = [make_daemon(slow_server, store=store, log={"slow": "20ms"}) for _ in range(3)]
    for number, replica in enumerate(replicas):
        replica.wait_line("store: .* connected")
        for i in range(3):
            ask_truly(replica, f"r{number}n{i}.example")
    ask_all(replicas, "ttl2.example")
    time.sleep(2.1)
    slow_server.forget()
    before = [count(replica, "store_leases_filled") for replica in replicas]
    ask_all(replicas, "ttl2.example")
    assert len(slow_server.queries_for("ttl2.example")) == 1
    waited = [replica for replica, filled in zip(replicas, before) if count(replica, "store_leases_filled") > filled]
    assert len(waited) == 2
    for replica in waited:
        explained = ctl(replica, "explain", "ttl2.example")
        assert "from the store: another machine asked the upstream for it" in explained and "waiting for the store" in explained
        assert re.search(r"[12] of [12] lookups got the value that another machine asked for", ctl(replica, "status"))


def test_a_lease_is_not_waited_for_in_vain(make_daemon, slow_server, store, redis):
    """The holder has nothing to give."""
    replica, other = (make_daemon(slow_server, store=store) for _ in range(2))
    for one in (replica, other):
        one.wait_line("store: .* connected")
    for i in range(3):
        ask_truly(replica, f"n{i}.example")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(other.ask, "ttl1.example")
        eventually(lambda: slow_server.queries_for("ttl1.example"))
        replica.ask("ttl1.example")  # is not stored: the holder says so, and the other one asks
        asked.result()
    assert len(slow_server.queries_for("ttl1.example")) == 2
    assert count(other, "store_leases_won") == 1 and count(replica, "store_leases_lost") == 1
    assert count(replica, "store_leases_filled") == 0


def test_a_store_that_lies_about_leases(make_replica, server, redis, cleanup):
    relay = Relay(redis.port)
    cleanup.callback(relay.stop)
    replica = make_replica(servers=[relay.where])
    ask_truly(replica, "a.example")
    (foreign,) = [redis("GET", key) for key in redis("KEYS", "dotstub:{*")]
    for number, lease in enumerate((b"", b"x" * 186, b"x" * 60000, foreign, b"held")):
        text = b"*2\r\n$-1\r\n$%d\r\n%b\r\n" % (len(lease), lease)

        def twist(data):
            """Another one has the lease, always; `held`: its own one."""
            before, array, _ = data.replace(b"+OK\r\n", b"$-1\r\n").partition(b"*2\r\n")
            return before + (text if array and lease != b"held" else data[len(before):])
        relay.twist = twist
        begun = time.monotonic()
        ask_truly(replica, f"lied{number}.example")
        assert time.monotonic() - begun < 0.3 * SLACK
    assert count(replica, "store_leases_lost") == 5
    assert count(replica, "store_leases_refused") == 4
    assert count(replica, "queries_failed") == 0


# Popular names.

WARM = {"warm-names": 1000}


def test_a_new_replica_fetches_popular_names(make_replica, server, redis):
    first, second = (make_replica(**WARM) for _ in range(2))
    names = [f"n{number}.example" for number in range(400)]
    for replica in (first, second):
        for name in names:
            replica.ask(name)
    (popular,) = [key for key in redis("KEYS", "dotstub:*") if redis("TYPE", key) == b"zset"]
    members = settled(lambda: redis("ZCARD", popular))
    assert members >= 90  # about every fourth name
    assert not any(b"example" in member for member in redis("ZRANGE", popular, 0, -1))
    server.forget()
    third = make_replica(**WARM)
    eventually(lambda: count(third, "store_warmed") == members, 3)
    gets = count(third, "store_gets")
    for name in names:
        ask_truly(third, name)
    assert not server.queries  # each name came from the local cache or from the store
    assert count(third, "cache_hits") == members and count(third, "store_gets") - gets == len(names) - members


def test_popular_names_that_are_not(make_replica, server, redis, public_path):
    """The set has garbage, values of other names, of another fleet, or none."""
    first = make_replica(**WARM)
    for number in range(40):
        ask_truly(first, f"n{number}.example")
    (popular,) = [key for key in redis("KEYS", "dotstub:*") if redis("TYPE", key) == b"zset"]
    members = settled(lambda: redis("ZCARD", popular))
    assert members >= 9  # about every fourth name
    one, other = redis("ZRANGE", popular, 0, 1)
    for text in (b"", b"x", b"x" * 32, b"x" * 3000):
        redis("ZADD", popular, "1e9", text)
    name = "dotstub:" + base64.urlsafe_b64encode(one).decode().rstrip("=")
    redis("SET", name, redis("GET", "dotstub:" + base64.urlsafe_b64encode(other).decode().rstrip("=")))
    second = make_replica(**WARM)
    eventually(lambda: count(second, "store_warmed") == members - 1)
    assert count(second, "store_damaged") == 1
    off = make_replica()
    ask_truly(off, "n1.example")
    assert count(off, "store_warmed") == 0


def test_the_simulation_is_sound():
    done = subprocess.run([pathlib.Path(__file__).parents[1] / "fleet/simulate", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "ok" in done.stdout, done.stderr
