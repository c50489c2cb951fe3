# SPDX-License-Identifier: MIT
"""A second-level cache on a real redis-server, and everything that can be wrong with it."""
import json
import signal
import time

import pytest

import wire
import zone
from daemon import SLACK, run, write_config
from processes import eventually
from redisserver import SERVERS, Redis, Relay, fleet_key
from test_ctl import ctl
from test_defences import counters
from test_metrics import scrape
from test_reload import make_reloadable  # noqa: F401 (fixture)
from test_upstream import truth

PATIENT = "500ms"  # for tests of what the store answers: a busy machine is not a slow store


@pytest.fixture(scope="module", params=SERVERS)
def redis(request, tmp_path_factory):
    """Each of the servers that are installed."""
    server = Redis(tmp_path_factory.mktemp("redis"), program=SERVERS[request.param])
    yield server
    server.end()


@pytest.fixture
def store(redis, public_path):
    """The settings of a replica; the store is empty."""
    redis("FLUSHALL")
    return {"servers": [redis.where], "fleet-key-file": fleet_key(public_path / "fleet.key"), "patience": PATIENT, "warm-names": 0}


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


def count(daemon, name):
    return counters(daemon)[name]


@pytest.mark.threads
def test_a_replica_answers_from_what_another_one_learned(make_replica, server, redis):
    first, second = make_replica(), make_replica()
    names = [f"n{number}.example" for number in range(20)]
    answers = [ask_truly(first, name) for name in names]
    eventually(lambda: len(redis.keys()) == 20)
    server.forget()
    for name, before in zip(names, answers):
        after = ask_truly(second, name)
        assert 0 < after.answer[0].ttl <= before.answer[0].ttl
    assert not server.queries
    assert count(second, "store_hits") == 20 and count(second, "store_puts") == 0
    for name in names:
        ask_truly(second, name)  # from its own cache now
    assert count(second, "store_gets") == 20


def test_the_store_learns_neither_names_nor_data(make_replica, redis):
    replica = make_replica()
    ask_truly(replica, "secret-name.example")
    eventually(redis.keys)
    (key,) = redis.keys()
    value = redis("GET", key)
    assert len(key) == 8 + 43 and b"secret" not in key
    assert b"secret" not in value and b"example" not in value
    assert (len(value) - 58) % 128 == 0
    ttl = redis("PTTL", key) / 1000
    assert 86400 + 290 < ttl <= 86400 + 300  # its life and the stale window


def test_what_is_not_stored(make_replica, server, redis):
    replica = make_replica()
    for name in ("servfail.example", "refused.example", "ttl1.example", "ttl0.example", "nosoa.nx.example"):
        replica.ask(name)
    replica.ask("nx.example")
    replica.ask("nodata.example")
    ask_truly(replica, "ttl2.example")
    eventually(lambda: len(redis.keys()) >= 3)
    assert len(redis.keys()) == 3 and count(replica, "store_puts") == 3
    other = make_replica()
    server.forget()
    assert other.ask("nx.example").rcode() == 3
    assert other.ask("nodata.example").rcode() == 0
    assert not server.queries


def test_do_and_cd_are_apart(make_replica, server, redis):
    first, second = make_replica(), make_replica()
    for parts in ({}, {"do": True}):
        first.ask("a.example", edns=True, **parts)
    eventually(lambda: len(redis.keys()) == 2)
    server.forget()
    second.ask("a.example", edns=True, do=True)
    assert not server.queries


def test_replicas_with_other_upstreams_do_not_mix(make_daemon, make_server, store, redis):
    servers = make_server(), make_server()
    for one in servers:
        daemon = make_daemon(one, store=store)
        daemon.wait_line("store: .* connected")
        ask_truly(daemon, "a.example")
        assert len(one.queries_for("a.example")) == 1
    eventually(lambda: len(redis.keys()) == 2)


def test_a_flush_excludes_what_was_sealed_before(make_replica, server, redis):
    replica = make_replica()
    ask_truly(replica, "a.example")
    eventually(redis.keys)
    ctl(replica, "flush", "a.example")
    time.sleep(0.01)
    ask_truly(replica, "a.example")
    assert len(server.queries_for("a.example")) == 2
    assert count(replica, "store_flushed") == 1
    assert count(replica, "store_puts") == 2  # the newer value replaces the older one


def test_a_value_past_its_ttl_is_stale_data(make_replica, make_daemon, server, store, redis):
    first = make_replica()
    ask_truly(first, "ttl2.example")
    eventually(redis.keys)
    time.sleep(2.1)
    server.refuse()
    second = make_daemon(server, store=store)
    second.wait_line("store: .* connected")
    answer = second.ask("ttl2.example", edns=True)
    truth(answer, "ttl2.example")
    assert (3, "") in wire.extended_errors(answer)  # stale answer
    assert count(second, "store_stale") == 1 and count(second, "store_hits") == 0


# A hostile store.

def rejected(make_replica, server, name, counter, *, before=lambda: None, **changes):
    """A replica asks for `name` and must get the truth from the upstream, and count the value of the store."""
    replica = make_replica(**changes)
    before()
    server.forget()
    ask_truly(replica, name)
    assert len(server.queries_for(name)) == 1
    assert count(replica, counter) == 1
    replica.stop()


@pytest.fixture
def filled(make_replica, redis):
    """Values for a.example and b.example, by key."""
    replica = make_replica()
    ask_truly(replica, "a.example")
    eventually(lambda: len(redis.keys()) == 1)
    (first,) = redis.keys()
    ask_truly(replica, "b.example")
    eventually(lambda: len(redis.keys()) == 2)
    (second,) = set(redis.keys()) - {first}
    replica.stop()
    return {"a.example": first, "b.example": second}


def test_moved_damaged_and_foreign_values(make_replica, server, redis, filled, public_path):
    a, b = filled["a.example"], filled["b.example"]
    good = redis("GET", a)
    redis("SET", b, good)
    rejected(make_replica, server, "b.example", "store_damaged")
    for value, counter in ((good[:100] + bytes([good[100] ^ 1]) + good[101:], "store_damaged"),
                           (good[:2] + b"\x7f" + good[3:], "store_damaged"), (b"\x02" + good[1:], "store_foreign"),
                           (b"", "store_foreign"), (b"x" * 60000, "store_foreign"), (good[:-1], "store_foreign"), (good + b"x", "store_damaged")):
        redis("SET", a, value)
        rejected(make_replica, server, "a.example", counter)
    redis("DEL", a)
    redis("LPUSH", a, "x")
    rejected(make_replica, server, "a.example", "store_failed")


def test_another_fleet_is_not_believed(make_replica, server, redis, filled, public_path):
    others = make_replica(**{"fleet-key-file": fleet_key(public_path / "other.key", b"other")})
    ask_truly(others, "a.example")
    eventually(lambda: len(redis.keys()) == 3)
    (foreign,) = set(redis.keys()) - set(filled.values())
    redis("SET", filled["a.example"], redis("GET", foreign))
    rejected(make_replica, server, "a.example", "store_damaged")


def test_expired_values_are_not_replayed(make_replica, make_daemon, store, server, redis):
    replica = make_daemon(server, store=store, cache={"serve-stale": 0})
    replica.wait_line("store: .* connected")
    ask_truly(replica, "ttl2.example")
    eventually(redis.keys)
    (key,) = redis.keys()
    assert redis("PTTL", key) <= 2000
    value = redis("GET", key)
    time.sleep(2.1)
    assert redis("GET", key) is None
    redis("SET", key, value)
    rejected(make_replica, server, "ttl2.example", "store_expired")


def test_a_key_is_replaced_without_a_cold_fleet(make_replica, server, redis, public_path):
    old, new = b"old", b"new"
    one = make_replica(**{"fleet-key-file": fleet_key(public_path / "1.key", old)})
    ask_truly(one, "a.example")
    eventually(redis.keys)
    two = make_replica(**{"fleet-key-file": fleet_key(public_path / "2.key", new, old)})
    server.forget()
    ask_truly(two, "a.example")
    assert not server.queries and count(two, "store_hits") == 1
    ask_truly(two, "b.example")
    three = make_replica(**{"fleet-key-file": fleet_key(public_path / "3.key", new)})
    eventually(lambda: len(redis.keys()) == 2)
    server.forget()
    ask_truly(three, "b.example")
    assert not server.queries


# The store in the way: each with traffic; nothing is lost and nothing is wrong.

def ask_each(daemon, prefix, number, most):
    """Asks for new names one after the other; each answer is true, and comes within `most` seconds. One may have waited for a processor: a store
    in the way delays each query, or the first ones by the patience."""
    times = []
    for i in range(number):
        begun = time.monotonic()
        ask_truly(daemon, f"{prefix}{i}.example")
        times.append(time.monotonic() - begun)
    assert sorted(times)[-2] < most * SLACK and max(times) < 10 * most * SLACK, sorted(times)[-5:]
    return times


@pytest.mark.threads
def test_killed_stopped_and_back(make_daemon, server, public_path, tmp_path):
    redis = Redis(tmp_path)
    daemon = make_daemon(server, store={"servers": [redis.where], "fleet-key-file": fleet_key(public_path / "fleet.key"), "patience": "20ms"})
    daemon.wait_line("store: .* connected")
    ask_each(daemon, "before", 20, 0.2)
    redis.signal(signal.SIGSTOP)
    ask_each(daemon, "stopped", 100, 0.2)
    late = count(daemon, "store_late")
    assert 1 <= late <= 8  # one patience each for 100 ms, and then the store is left alone
    daemon.wait_line("connection lost: no data received")
    redis.signal(signal.SIGCONT)
    eventually(lambda: ask_truly(daemon, f"again{time.monotonic()}.example") and count(daemon, "store_connects") == 2)
    redis.signal(signal.SIGKILL)
    redis.wait_exit()
    ask_each(daemon, "killed", 100, 0.2)
    assert count(daemon, "store_late") <= late + 2
    redis = Redis(tmp_path, redis.port)
    eventually(lambda: ask_truly(daemon, f"back{time.monotonic()}.example") and count(daemon, "store_connects") == 3)
    eventually(lambda: ask_truly(daemon, f"back{time.monotonic()}.example") and redis.keys())
    assert count(daemon, "queries_failed") == 0
    redis.end()


@pytest.mark.whole
def test_a_slow_store_is_left_alone(make_replica, redis, server, cleanup):
    relay = Relay(redis.port)
    cleanup.callback(relay.stop)
    replica = make_replica(servers=[relay.where], patience="20ms")
    ask_each(replica, "fast", 20, 0.2)
    relay.delay = 0.1
    times = ask_each(replica, "slow", 200, 0.2)
    assert sorted(times)[100] < 0.02 * SLACK
    assert count(replica, "store_late") <= 9
    gets = count(replica, "store_gets")
    relay.delay = 0
    eventually(lambda: ask_truly(replica, f"again{time.monotonic()}.example") and
             count(replica, "store_gets") > gets + 20, 10)


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28", b"$999999999\r\n", b"*99999999\r\n",
                                     b"+OK\r\n+OK\r\n+OK\r\n", b"-ERR no\r\n"])
def test_garbage(make_replica, redis, server, cleanup, garbage):
    relay = Relay(redis.port)
    cleanup.callback(relay.stop)
    replica = make_replica(servers=[relay.where], patience="20ms")
    ask_truly(replica, "a.example")
    relay.twist = lambda data: garbage
    ask_each(replica, "garbage", 20, 0.5)
    assert count(replica, "queries_failed") == 0 and count(replica, "store_hits") == 0
    relay.twist = None
    relay.reset()
    eventually(lambda: ask_truly(replica, f"again{time.monotonic()}.example") and count(replica, "store_connects") >= 2)


def test_a_wrong_password_is_told(make_daemon, make_reloadable, server, public_path, tmp_path):
    redis = Redis(tmp_path, requirepass="right")
    password = public_path / "password"
    password.write_text("wrong\n")
    settings = {"servers": [redis.where], "fleet-key-file": fleet_key(public_path / "fleet.key"), "password-file": str(password),
                "patience": PATIENT}
    daemon = make_reloadable(server, store=settings)
    daemon.wait_line("store: .*: cannot connect: WRONGPASS")
    ask_each(daemon, "a", 10, 0.2)
    password.write_text("right\n")
    daemon.hang_up()
    daemon.wait_line("store: .* connected")
    ask_truly(daemon, "b.example")
    eventually(redis.keys)
    without = make_daemon(server, store={key: value for key, value in settings.items() if key != "password-file"})
    without.wait_line("cannot connect: NOAUTH")
    ask_truly(without, "a.example")
    redis("ACL", "SETUSER", "dotstub", "on", ">secret", "~dotstub:*", "&dotstub:*", "+ping", "+get", "+set")
    password.write_text("secret")
    limited = make_reloadable(server, store={**settings, "user": "dotstub"})
    limited.wait_line("store: .* connected")
    server.forget()
    ask_truly(limited, "b.example")
    assert not server.queries
    redis.end()


@pytest.mark.whole
def test_full_memory(make_daemon, server, public_path, tmp_path):
    for policy, failed in (("allkeys-lru", False), ("noeviction", True)):
        redis = Redis(tmp_path, maxmemory="1300kb", maxmemory_policy=policy)
        daemon = make_daemon(server, store={"servers": [redis.where], "fleet-key-file": fleet_key(public_path / "fleet.key")})
        daemon.wait_line("store: .* connected")
        with daemon.udp() as client:
            for number in range(1500):
                client.send(wire.query(f"full{number}.example", id=number))
                truth(wire.parse(client.receive()), f"full{number}.example")
        assert (int(redis.info("evicted_keys")) > 0) == (not failed)
        assert (count(daemon, "store_puts_failed") > 0) == failed
        assert count(daemon, "queries_failed") == 0
        daemon.stop()
        redis.end()


def test_tls_beyond_loopback(make_daemon, make_server, make_namespace, certs, public_path, tmp_path):
    host = zone.address("store.example")  # dotstub finds it through its own upstream
    namespace = make_namespace().up(host)
    server = make_server(namespace=namespace)
    options = {"bind": host, "prefix": namespace.prefix}
    wrong = Redis(tmp_path, 6380, tls=certs.make("store-wrong", certs.authority, names=["elsewhere.example"]), **options)
    good = Redis(tmp_path, 6381, tls=certs.make("store-good", certs.authority, names=["store.example"]), **options)

    def make(where, **more):
        settings = {"servers": [where], "fleet-key-file": fleet_key(public_path / "fleet.key"), "patience": PATIENT, **more}
        return make_daemon(server, namespace=namespace, store=settings)
    for where, more in (("store.example@6381", {}), (f"{host}@6381", {"tls-name": "store.example"})):
        daemon = make(where, **more)
        daemon.wait_line("store: .* connected, TLS1.3")
        ask_truly(daemon, "a.example")
        eventually(lambda: count(daemon, "store_puts") or count(daemon, "store_hits"))
    assert len(server.queries_for("a.example")) == 1
    other = make("store.example@6380")
    other.wait_line("cannot connect: certificate is for another name")
    ask_truly(other, "a.example")
    plain = make(f"{host}@{good.plain_port}", **{"tls-name": "store.example"})  # nothing but a ClientHello goes to it
    plain.wait_line("store: .*cannot connect: ")
    ask_truly(plain, "a.example")
    unknown = make("nx.example@6381")
    unknown.wait_line("nx.example@6381: cannot connect: no address")
    ask_truly(unknown, "a.example")
    wrong.end()
    good.end()


@pytest.mark.plain  # with a sanitizer system calls are not restricted
def test_a_unix_socket(make_daemon, make_reloadable, server, public_path, tmp_path):
    path = public_path / "redis.sock"
    redis = Redis(tmp_path, socket_file=path)
    settings = {"servers": [str(path)], "fleet-key-file": fleet_key(public_path / "fleet.key"), "patience": PATIENT}
    for _ in range(2):
        daemon = make_daemon(server, store=settings)
        daemon.wait_line("store: /.* connected")
        ask_truly(daemon, "a.example")
        eventually(redis.keys)
    assert len(server.queries_for("a.example")) == 1
    redis.end()
    ask_each(daemon, "gone", 5, 0.2)
    without = make_reloadable(server)
    without.config["store"] = settings
    write_config(without.config_file, without.config)
    without.hang_up()
    without.wait_line("unix sockets are not among what the sandbox allows: restart needed")


def test_several_stores_share_the_names(make_daemon, server, public_path, tmp_path):
    stores = [Redis(tmp_path) for _ in range(3)]
    settings = {"servers": [one.where for one in stores], "fleet-key-file": fleet_key(public_path / "fleet.key"), "patience": PATIENT}
    first = make_daemon(server, store=settings)
    first.wait_line("store: .* connected", 3)
    names = [f"n{number}.example" for number in range(90)]
    for name in names:
        ask_truly(first, name)
    eventually(lambda: sum(len(one.keys()) for one in stores) == 90)
    shares = [len(one.keys()) for one in stores]
    assert min(shares) > 10
    stores[0].end()
    second = make_daemon(server, store=settings)
    second.wait_line("store: .* connected", 2)
    server.forget()
    for name in names:
        ask_truly(second, name)
    assert len(server.queries) == shares[0]  # only the share of the lost one
    for one in stores[1:]:
        one.end()


def test_a_reload_turns_it_off_and_on(make_reloadable, server, store, redis):
    daemon = make_reloadable(server, store=store)
    daemon.wait_line("store: .* connected")
    ask_truly(daemon, "a.example")
    eventually(lambda: len(redis.keys()) == 1)
    daemon.reload()
    assert count(daemon, "store_connects") == 1  # nothing has changed
    daemon.reload(store={"servers": []})
    ask_truly(daemon, "b.example")
    daemon.reload(store={"patience": "400ms", "servers": store["servers"]})
    daemon.wait_line("store: .* connected", 2)
    ask_truly(daemon, "c.example")
    eventually(lambda: len(redis.keys()) == 2)
    assert json.loads(ctl(daemon, "--json", "status"))["store"]["servers"][0]["state"] == "ready"
    ask_truly(daemon, "d.example")
    assert json.loads(ctl(daemon, "--json", "status"))["store"]["servers"][0]["latency_ms"] < 100


def test_the_metrics_have_the_latency_of_the_status(make_replica, redis):
    daemon = make_replica()
    for number in range(5):
        ask_truly(daemon, f"n{number}.example")
    _, total, replies = scrape(daemon)["dotstub_store_response_seconds"][f'{{server="{redis.where}"}}']
    found = json.loads(ctl(daemon, "--json", "status"))["store"]["servers"][0]
    assert replies == found["replies"] and total == pytest.approx(replies * found["latency_ms"] / 1000, abs=1e-5)


def test_a_store_without_a_key_is_refused(tmp_path, public_path):
    settings = {"listen": ["127.0.0.1@5399"], "store": {"servers": ["127.0.0.1@6379"]}}
    done = run("--check", "-c", write_config(tmp_path / "a.yaml", settings))
    assert done.returncode == 78 and "it needs a fleet key" in done.stderr
    settings["store"]["fleet-key-file"] = fleet_key(public_path / "fleet.key")
    assert run("--check", "-c", write_config(tmp_path / "a.yaml", settings)).returncode == 0
    (public_path / "fleet.key").write_text("password\n")
    done = run("--check", "-c", write_config(tmp_path / "a.yaml", settings))
    assert done.returncode and "has a line that is not a key" in done.stderr


# Partitions.

HERE, THERE = "10.53.0.1", "10.53.0.2"


@pytest.fixture
def far_redis(make_namespace, certs, tmp_path, cleanup):
    """A server in a namespace of its own, and the namespace at the other end of its link."""
    near, far = (make_namespace().up() for _ in range(2))
    near.run("ip", "link", "add", "store", "type", "veth", "peer", "name", "fleet", "netns", far.holder.pid)
    for namespace, link, address in ((near, "store", HERE), (far, "fleet", THERE)):
        namespace.run("ip", "address", "add", f"{address}/24", "dev", link)
        namespace.run("ip", "link", "set", link, "up")
    certificate = certs.make("far-store", certs.authority, names=["store.example"])
    redis = Redis(tmp_path, 6379, tls=certificate, bind=THERE, prefix=far.prefix)
    cleanup.callback(redis.end)
    redis.near, redis.far = near, far
    return redis


CUTS = {"link": (("ip", "link", "set", "fleet", "down"), ("ip", "link", "set", "fleet", "up")),
        "silence": (("ip", "route", "add", "blackhole", f"{HERE}/32"), ("ip", "route", "del", "blackhole", f"{HERE}/32"))}


@pytest.mark.parametrize("cut", CUTS)
def test_the_network_to_the_store_is_cut(make_daemon, make_server, far_redis, public_path, cut):
    """Nothing tells the daemon that the connection is gone. No query is lost, and few lookups wait for the store at all."""
    server = make_server(namespace=far_redis.near)
    daemon = make_daemon(server, namespace=far_redis.near,
                         store={"servers": [f"{THERE}@6379"], "tls-name": "store.example", "patience": "20ms",
                                "fleet-key-file": fleet_key(public_path / "fleet.key")})
    daemon.wait_line("store: .* connected, TLS1.3")
    stop, restore = CUTS[cut]
    for round in range(2):
        eventually(lambda: ask_truly(daemon, f"before{time.monotonic()}.example") and servers_are_ready(daemon), 20)
        late = count(daemon, "store_late")
        far_redis.far.run(*stop)
        for number in range(50):
            ask_truly(daemon, f"r{round}n{number}.example")
        waited = count(daemon, "store_late") - late
        assert 1 <= waited <= 10, waited  # each for its patience, in the first 200 ms
        for number in range(50, 300):
            ask_truly(daemon, f"r{round}n{number}.example")
        assert count(daemon, "store_late") - late == waited
        far_redis.far.run(*restore)
    eventually(lambda: ask_truly(daemon, f"after{time.monotonic()}.example") and servers_are_ready(daemon), 20)
    assert count(daemon, "queries_failed") == 0


def servers_are_ready(daemon):
    return all(server["state"] == "ready" for server in json.loads(ctl(daemon, "--json", "status"))["store"]["servers"])
