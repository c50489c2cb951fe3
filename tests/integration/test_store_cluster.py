# SPDX-License-Identifier: MIT
"""A store on a real cluster: slots that move, masters that are killed, maps that lie."""
import json
import re
import shutil
import signal
import time

import pytest

import zone
from daemon import SLACK
from processes import eventually
from redisserver import Cluster, Redis, Relay, Sentinel, fleet_key
from test_ctl import ctl
from test_reload import make_reloadable  # noqa: F401 (fixture)
from test_fleet import settled
from test_store import PATIENT, ask_each, ask_truly, count
from test_store_sentinel import Traffic


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.end()


@pytest.fixture
def cluster(shared):
    for node in shared.masters:
        node("FLUSHALL")
    return shared


@pytest.fixture
def make_cluster(tmp_path, cleanup):
    def make(**options):
        cluster = Cluster(tmp_path, **options)
        cleanup.callback(cluster.end)
        return cluster
    return make


def settings(cluster, path, contacts=None, **changes):
    return {"servers": [one.where for one in contacts or cluster.nodes[:1]], "cluster": True, "node-ports": [node.port for node in cluster.nodes],
            "patience": PATIENT, "warm-names": 0, "fleet-key-file": fleet_key(path / "fleet.key"), **changes}


@pytest.fixture
def make_replica(make_daemon, server, public_path):
    def make(cluster, contacts=None, **changes):
        daemon = make_daemon(server, store=settings(cluster, public_path, contacts, **changes))
        eventually(lambda: list(servers(daemon).values()).count("ready") == len(cluster.masters))
        return daemon
    return make


def servers(daemon):
    return {one["server"]: one["state"] for one in json.loads(ctl(daemon, "--json", "status"))["store"]["servers"] if one["role"] == "master"}


def next_millisecond():
    """Waits, so that a value sealed from now on is newer than a flush before, for clocks in milliseconds."""
    begun = time.time_ns() // 1000000
    while time.time_ns() // 1000000 <= begun + 1:
        pass


def test_each_entry_is_in_its_slot(make_replica, cluster, server):
    first, second = make_replica(cluster), make_replica(cluster, cluster.nodes[1:2])
    names = [f"n{number}.example" for number in range(60)]
    for name in names:
        ask_truly(first, name)
    eventually(lambda: len(cluster.keys()) == 60)
    assert min(len(node.keys()) for node in cluster.masters) > 5
    server.forget()
    for name in names:
        ask_truly(second, name)
    assert not server.queries and count(second, "store_hits") == 60
    for replica in (first, second):
        assert count(replica, "store_moved") == count(replica, "store_asks") == count(replica, "store_failed") == 0
        assert count(replica, "store_maps") <= 2
        assert set(servers(replica)) == {node.where for node in cluster.nodes}


def test_a_flush_reaches_replicas_of_other_servers(make_replica, cluster, server):
    first, second = make_replica(cluster), make_replica(cluster, cluster.nodes[2:3])
    for replica in (first, second):
        eventually(lambda: all(one["hears_flushes"] for one in json.loads(ctl(replica, "--json", "status"))["store"]["servers"]))
        ask_truly(replica, "a.example")
    assert json.loads(ctl(first, "--json", "flush", "--fleet", "a.example")) == {"flushed": 1, "servers": 3, "servers_told": 3}
    second.wait_line("flush by another machine: a.example.")
    third = make_replica(cluster, cluster.nodes[1:2])  # learns it from a set
    server.forget()
    ask_truly(third, "a.example")
    assert len(server.queries_for("a.example")) == 1 and count(third, "store_flushed") == 1


def test_a_slot_moves(make_replica, cluster, server):
    """ASK while it does, MOVED when it has."""
    replica, other = make_replica(cluster), make_replica(cluster)
    ask_truly(replica, "a.example")
    (key,) = eventually(cluster.keys)
    slot, source = cluster.nodes[0]("CLUSTER", "KEYSLOT", key), cluster.owner(key)
    target = next(node for node in cluster.masters if node is not source)
    cluster.begin_move(slot, source, target)
    server.forget()
    ask_truly(other, "a.example")
    assert not server.queries and count(other, "store_asks") == 1 and count(other, "store_moved") == 0
    ctl(other, "flush", "a.example")
    next_millisecond()
    ask_truly(other, "a.example")  # its newer value is stored there as well
    eventually(lambda: count(other, "store_asks") >= 3)
    cluster.end_move(slot, source, target)
    eventually(lambda: target.keys() == [key])
    server.forget()
    ctl(replica, "flush", "a.example")
    next_millisecond()
    ask_truly(replica, "a.example")
    assert count(replica, "store_moved") == 1
    ctl(replica, "flush", "a.example")
    next_millisecond()
    ask_truly(replica, "a.example")
    assert count(replica, "store_moved") == 1
    for daemon in (replica, other):
        assert count(daemon, "queries_failed") == 0 and count(daemon, "store_puts_failed") == 0


def test_leases_and_popular_names(make_replica, cluster, server):
    first = make_replica(cluster, **{"warm-names": 1000})
    names = [f"n{number}.example" for number in range(80)]
    for name in names:
        ask_truly(first, name)
    assert count(first, "store_leases_won") == 80 and count(first, "store_leases_refused") == 0
    popular = [(node, key) for node in cluster.masters for key in node("KEYS", "dotstub:*") if node("TYPE", key) == b"zset"]
    (node, key), = popular
    members = settled(lambda: node("ZCARD", key))
    assert members >= 18  # about every fourth name
    server.forget()
    second = make_replica(cluster, cluster.nodes[1:2], **{"warm-names": 1000})
    eventually(lambda: count(second, "store_warmed") == members)
    assert not server.queries


@pytest.mark.whole
def test_tls_beyond_loopback(make_daemon, make_server, make_namespace, certs, public_path, tmp_path, cleanup):
    """The cluster names a plain port and one for TLS."""
    host = zone.address("store.example")
    namespace = make_namespace().up(host)
    server = make_server(namespace=namespace)
    certificate = certs.make("cluster-tls", certs.authority, names=["store.example"])
    node = Redis(tmp_path, 6381, tls=certificate, bind=host, prefix=namespace.prefix, cluster_enabled="yes", tls_cluster="yes", tls_ca_cert_file=certs.ca_file)
    cleanup.callback(node.end)
    cli = shutil.which("redis-cli") or "valkey-cli"
    namespace.run(cli, "-h", host, "-p", node.plain_port, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    namespace.run(cli, "-h", host, "-p", node.plain_port, "CONFIG", "SET", "cluster-announce-hostname", "store.example",
                  "cluster-preferred-endpoint-type", "hostname")
    daemon = make_daemon(server, namespace=namespace, store={"servers": [f"{host}@6381"], "cluster": True, "tls-name": "store.example",
                                                             "fleet-key-file": fleet_key(public_path / "fleet.key"), "patience": PATIENT})
    daemon.wait_line("store: store.example@6381: connected, TLS1.3")
    taken = lambda: count(daemon, "store_puts") > count(daemon, "store_puts_failed")  # a cluster that has just begun refuses commands
    eventually(lambda: ask_truly(daemon, f"a{time.monotonic()}.example") and taken())
    assert servers(daemon) == {"store.example@6381": "ready"}


@pytest.mark.whole
@pytest.mark.parametrize("lie", [b"*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:16383\r\n$5\r\nnodes\r\n*1\r\n*6\r\n$4\r\nport\r\n:22\r\n$8\r\nendpoint\r\n"
                                 b"$9\r\n127.0.0.1\r\n$4\r\nrole\r\n$6\r\nmaster\r\n", b"*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n", b"*99999999\r\n", b"-ERR no\r\n"],
                         ids=["port", "nested", "count", "error"])
def test_a_map_that_lies(make_daemon, server, cluster, public_path, cleanup, lie):
    relay = Relay(cluster.nodes[0].port)
    cleanup.callback(relay.stop)
    relay.twist = lambda data: lie if re.search(rb"[0-9a-f]{40}", data) else data  # an id of a node
    daemon = make_daemon(server, store=settings(cluster, public_path, [relay]))
    daemon.wait_line("store: .*(no map of the cluster|is not used|connection lost: malformed)")
    ask_each(daemon, "a", 10, 0.2)
    assert not cluster.keys() and count(daemon, "queries_failed") == 0
    relay.twist = None
    eventually(lambda: ask_truly(daemon, f"again{time.monotonic()}.example") and len(servers(daemon)) == 3, 20)


@pytest.mark.whole
def test_another_kind_of_store_after_a_reload(make_reloadable, make_daemon, server, cluster, public_path, tmp_path, cleanup):
    """With several workers, each with connections of its own."""
    redis = Redis(tmp_path)
    sentinel = Sentinel(tmp_path, redis)
    for one in (redis, sentinel):
        cleanup.callback(one.end)
    plain = {"servers": [redis.where], "sentinel": "", "cluster": False, "patience": PATIENT, "warm-names": 0, "fleet-key-file": fleet_key(public_path / "fleet.key")}
    ports = [redis.port, *(node.port for node in cluster.nodes)]
    kinds = [{**plain, "node-ports": ports}, {**plain, "servers": [sentinel.where], "sentinel": "cache", "node-ports": ports},
             {**plain, "servers": [cluster.nodes[0].where], "cluster": True, "node-ports": ports}]
    everything = {**plain, "servers": [one.where for one in (redis, sentinel, *cluster.nodes)]}
    daemon = make_reloadable(server, store=everything, workers=3)  # so that the sandbox knows the ports
    wanted = [{redis.where}, {redis.where}, {node.where for node in cluster.nodes}]
    for round in range(2):
        for number, kind in enumerate(kinds):
            daemon.reload(store=kind)
            state = lambda: json.loads(ctl(daemon, "--json", "status"))["store"]["servers"]
            eventually(lambda: {one["server"] for one in state() if one["role"] in ("server", "master") and one["state"] == "ready"} == wanted[number])
            puts = count(daemon, "store_puts") - count(daemon, "store_puts_failed")
            eventually(lambda: ask_truly(daemon, f"r{round}k{number}n{time.monotonic()}.example") and
                     count(daemon, "store_puts") - count(daemon, "store_puts_failed") >= puts + 5)
    assert count(daemon, "queries_failed") == 0 and count(daemon, "store_failovers") == 0


@pytest.mark.whole
def test_a_replica_takes_over(make_cluster, make_replica):
    cluster = make_cluster(replica=True)
    daemon = make_replica(cluster, cluster.nodes[:2], patience="20ms")
    eventually(lambda: cluster.nodes[3].info("master_link_status") == "up")
    with Traffic(daemon) as traffic:
        cluster.nodes[0].signal(signal.SIGKILL)
        eventually(lambda: servers(daemon).get(cluster.nodes[3].where) == "ready", 30)
    assert sorted(traffic.times)[-3] < 0.2 * SLACK
    assert count(daemon, "store_failovers") == 1
    before = set(cluster.nodes[3].keys())
    ask_each(daemon, "after", 30, 0.2)
    eventually(lambda: set(cluster.nodes[3].keys()) - before)


@pytest.mark.whole
def test_values_are_read_from_the_nearest_server(make_cluster, make_replica, make_daemon, server, public_path, cleanup):
    """The first master is far away."""
    cluster = make_cluster(replica=True)
    far, near = cluster.nodes[0], cluster.nodes[3]
    eventually(lambda: near.info("master_link_status") == "up")
    first = make_replica(cluster)
    names = [f"n{number}.example" for number in range(60)]
    for name in names:
        ask_truly(first, name)
    copies = lambda: [key for key in near("KEYS", "dotstub:*") if b"{" not in key]
    eventually(lambda: len(cluster.keys()) == 60 and len(copies()) == len(far.keys()) > 5)
    share = len(copies())
    relay = Relay(far.port)
    cleanup.callback(relay.stop)
    relay.delay = 0.03
    far("CONFIG", "SET", "cluster-announce-port", relay.port)
    eventually(lambda: all(b"%d@" % relay.port in node("CLUSTER", "NODES") for node in cluster.nodes))
    store = settings(cluster, public_path, cluster.nodes[1:2], **{"read-from": "nearest"})
    store["node-ports"] += [relay.port]
    daemon = make_daemon(server, store=store)
    reads = lambda: int(re.search(r"calls=(\d+)", near.info("cmdstat_get", "commandstats")).group(1)) if b"cmdstat_get:" in near("INFO", "commandstats") else 0
    eventually(lambda: ask_truly(daemon, f"x{time.monotonic()}.example") and reads() > 5, 30)
    before, answered = reads(), count(daemon, "store_hits")
    server.forget()
    for name in names:
        ask_truly(daemon, name)
    assert reads() - before >= share // 3
    assert not server.queries and count(daemon, "store_hits") == answered + 60
    roles = {one["server"]: one["role"] for one in json.loads(ctl(daemon, "--json", "status"))["store"]["servers"]}
    assert roles[near.where] == "replica" and roles[relay.where] == "master"
    assert count(daemon, "store_moved") == count(daemon, "queries_failed") == 0


@pytest.mark.whole
def test_a_server_without_a_replica_is_lost(make_cluster, make_replica, server):
    cluster = make_cluster()
    first = make_replica(cluster, patience="20ms")
    names = [f"n{number}.example" for number in range(90)]
    for name in names:
        ask_truly(first, name)
    eventually(lambda: len(cluster.keys()) == 90)
    share = len(cluster.nodes[2].keys())
    with Traffic(first):
        cluster.nodes[2].signal(signal.SIGKILL)
        eventually(lambda: any(state != "ready" for state in servers(first).values()))
        time.sleep(3)
    cluster.masters = cluster.nodes[:2]
    second = make_replica(cluster, cluster.masters)
    server.forget()
    for name in names:
        ask_truly(second, name)
    assert share <= len(server.queries) < share + 20


@pytest.mark.whole
def test_all_slots_move_under_traffic(make_cluster, make_replica):
    cluster = make_cluster()
    daemon = make_replica(cluster)
    source, target = cluster.masters[:2]
    with Traffic(daemon):
        for slot in range(500):
            cluster.begin_move(slot, source, target)
            cluster.end_move(slot, source, target)
    eventually(lambda: ask_truly(daemon, f"after{time.monotonic()}.example") and count(daemon, "store_moved") + count(daemon, "store_asks"))
    eventually(lambda: ask_truly(daemon, f"after{time.monotonic()}.example") and count(daemon, "store_maps") > 1)
