# SPDX-License-Identifier: MIT
"""A store whose master is told by Sentinels: real ones, and relays that lie in their name."""
import json
import re
import signal
import subprocess
import threading
import time

import pytest

import zone
from daemon import SLACK, run, write_config
from processes import Process, eventually
from redisserver import SERVER, Redis, Relay, Sentinel, fleet_key, replica_of
from test_ctl import ctl
from test_store import PATIENT, ask_each, ask_truly, count


class Trio:
    """A master, its replica, and Sentinels."""

    def __init__(self, directory, sentinels, **options):
        self.master = Redis(directory)
        self.replica = replica_of(self.master, directory)
        self.sentinels = [Sentinel(directory, self.master, **options) for _ in range(sentinels)]
        for sentinel in self.sentinels:
            eventually(lambda: sentinel.sees(num_slaves=1, num_other_sentinels=sentinels - 1), 30)

    def end(self):
        for one in (*self.sentinels, self.master, self.replica):
            if one.running:
                one.signal(signal.SIGKILL)
                one.wait_exit()


@pytest.fixture
def make_trio(cleanup, tmp_path):
    def make(sentinels=1, **options):
        trio = Trio(tmp_path, sentinels, **options)
        cleanup.callback(trio.end)
        return trio
    return make


@pytest.fixture
def settings_of(public_path):
    def settings(trio, **changes):
        ports = [one.port for one in (trio.master, trio.replica)]
        return {"servers": [one.where for one in trio.sentinels], "sentinel": "cache", "node-ports": ports, "patience": PATIENT, "warm-names": 0,
                "fleet-key-file": fleet_key(public_path / "fleet.key"), **changes}
    return settings


def servers(daemon, role):
    return {server["server"]: server["state"] for server in json.loads(ctl(daemon, "--json", "status"))["store"]["servers"]
            if server["role"] == role}


class Traffic:
    """Queries for new names, one after the other, while the body runs: each answer is true and in time."""

    def __init__(self, daemon):
        self.daemon, self.over, self.times, self.error = daemon, threading.Event(), [], None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.over.is_set():
                begun = time.monotonic()
                ask_truly(self.daemon, f"traffic{len(self.times)}.example")
                self.times.append(time.monotonic() - begun)
                self.over.wait(0.005)
        except Exception as error:  # raised again in the test
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        if self.error:
            raise self.error
        assert self.times and count(self.daemon, "queries_failed") == 0


def test_values_are_read_from_the_nearest_server(make_daemon, server, tmp_path, public_path, cleanup):
    """The master is far away; its replica is near, and is lost in the end."""
    master = Redis(tmp_path)
    relay = Relay(master.port)
    replica = replica_of(relay, tmp_path)
    sentinel = Sentinel(tmp_path, relay)
    for one in (master.end, relay.stop, replica.end, sentinel.end):
        cleanup.callback(one)
    eventually(lambda: sentinel.sees(num_slaves=1), 30)
    store = {"servers": [sentinel.where], "sentinel": "cache", "node-ports": [relay.port, replica.port], "patience": PATIENT, "warm-names": 0,
             "fleet-key-file": fleet_key(public_path / "fleet.key")}
    first = make_daemon(server, store=store)
    first.wait_line("store: master .* connected")
    names = [f"n{number}.example" for number in range(30)]
    for name in names:
        ask_truly(first, name)
    eventually(lambda: len(replica.keys()) == 30)
    relay.delay = 0.03
    daemon = make_daemon(server, store={**store, "read-from": "nearest"})
    daemon.wait_line("store: replica .* connected")

    def reads():
        found = re.search(rb"cmdstat_get:calls=(\d+)", replica("INFO", "commandstats"))
        return int(found.group(1)) if found else 0
    eventually(lambda: ask_truly(daemon, f"x{time.monotonic()}.example") and reads() > 5, 30)
    before, answered = reads(), count(daemon, "store_hits")
    server.forget()
    for name in names:
        ask_truly(daemon, name)
    assert reads() - before >= 20 and not server.queries and count(daemon, "store_hits") == answered + 30
    assert servers(daemon, "replica") == {replica.where: "ready"} and servers(daemon, "master") == {relay.where: "ready"}
    with Traffic(daemon):
        gets = count(daemon, "store_gets")
        replica.signal(signal.SIGKILL)
        daemon.wait_line(f"store: replica {replica.where}: connection lost")
        eventually(lambda: count(daemon, "store_gets") > gets + 20)  # of the master
    replica.wait_exit()


def test_another_server_takes_over(make_trio, settings_of, make_daemon, server):
    trio = make_trio()
    daemons = [make_daemon(server, store=settings_of(trio)) for _ in range(2)]
    for daemon in daemons:
        daemon.wait_line(f"store: master {trio.master.where}: connected")
    ask_truly(daemons[0], "a.example")
    eventually(trio.replica.keys)
    server.forget()
    ask_truly(daemons[1], "a.example")
    assert not server.queries
    with Traffic(daemons[0]):
        eventually(trio.sentinels[0].fail_over)
        for daemon in daemons:
            daemon.wait_line(f"store: master {trio.replica.where}: connected")
    for daemon in daemons:
        assert count(daemon, "store_failovers") == 1
        assert servers(daemon, "master") == {trio.replica.where: "ready"}
        assert servers(daemon, "sentinel") == {trio.sentinels[0].where: "ready"}
    before = set(trio.replica.keys())
    ask_truly(daemons[0], "b.example")
    eventually(lambda: set(trio.replica.keys()) - before)
    eventually(lambda: all(one["hears_flushes"] for one in json.loads(ctl(daemons[1], "--json", "status"))["store"]["servers"]
                           if one["role"] == "master"))
    ctl(daemons[0], "flush", "--fleet", "a.example")
    daemons[1].wait_line("flush by another machine: a.example.")


@pytest.mark.whole
def test_the_master_is_killed(make_trio, settings_of, make_daemon, server):
    trio = make_trio(3, quorum=2)
    daemon = make_daemon(server, store=settings_of(trio, patience="20ms"))
    daemon.wait_line(f"store: master {trio.master.where}: connected")
    with Traffic(daemon) as traffic:
        trio.master.signal(signal.SIGKILL)
        daemon.wait_line(f"store: master {trio.replica.where}: connected", timeout=30)
    assert sorted(traffic.times)[-3] < 0.2 * SLACK
    assert count(daemon, "store_failovers") == 1
    current, = [where for where, state in servers(daemon, "sentinel").items() if state == "ready"]
    one, = [sentinel for sentinel in trio.sentinels if sentinel.where == current]
    one.signal(signal.SIGKILL)
    daemon.wait_line(f"sentinel {current}: connection lost")
    eventually(lambda: [where for where, state in servers(daemon, "sentinel").items() if state == "ready" and where != current])
    gets = count(daemon, "store_gets")
    ask_each(daemon, "after", 20, 0.2)
    assert count(daemon, "store_gets") > gets


@pytest.mark.whole
def test_the_master_stops_and_continues_as_a_replica(make_trio, settings_of, make_daemon, server):
    """A master that was silent is a replica when it is back, which refuses writes."""
    trio = make_trio()
    daemon = make_daemon(server, store=settings_of(trio, patience="20ms"))
    daemon.wait_line(f"store: master {trio.master.where}: connected")
    with Traffic(daemon):
        trio.master.signal(signal.SIGSTOP)
        daemon.wait_line(f"store: master {trio.replica.where}: connected", timeout=30)
        trio.master.signal(signal.SIGCONT)
        eventually(lambda: trio.master.info("role") == "slave", 30)
    assert set(servers(daemon, "master")) == {trio.replica.where}  # maybe slow


def test_a_replica_is_refused_until_it_is_the_master(make_daemon, server, settings_of, tmp_path, cleanup):
    """The Sentinel tells a server that answers READONLY; without a message the master is asked for again."""
    master = Redis(tmp_path)
    sentinel = Sentinel(tmp_path, master)
    for one in (master, sentinel):
        cleanup.callback(one.end)
    trio = type("Trio", (), {"master": master, "replica": master, "sentinels": [sentinel]})
    daemon = make_daemon(server, store=settings_of(trio, patience="20ms"))
    daemon.wait_line(f"store: master {master.where}: connected")
    master("REPLICAOF", "127.0.0.1", sentinel.port)  # nothing there
    eventually(lambda: ask_truly(daemon, f"n{time.monotonic()}.example") and daemon.matching("connection lost: READONLY"))
    eventually(lambda: "it is not the master" in ctl(daemon, "--json", "status"))
    ask_each(daemon, "down", 20, 0.2)
    master("REPLICAOF", "NO", "ONE")
    eventually(lambda: ask_truly(daemon, f"n{time.monotonic()}.example") and servers(daemon, "master") == {master.where: "ready"})
    assert count(daemon, "store_failovers") == 0 and count(daemon, "queries_failed") == 0


@pytest.mark.parametrize("lie, said", [(b"*2\r\n$9\r\n127.0.0.1\r\n$2\r\n22\r\n", "127.0.0.1@22 is not used: its port is not in store.node-ports"),
                                       pytest.param(b"*-1\r\n", "it is not known there", marks=pytest.mark.whole),
                                       pytest.param(b"*99999999\r\n", "malformed", marks=pytest.mark.whole),
                                       pytest.param(b"-ERR no\r\n", "ERR no", marks=pytest.mark.whole),
                                       pytest.param(b"*1\r\n" * 20 + b"+x\r\n", "malformed", marks=pytest.mark.whole)], ids=["port", "nil", "count", "error", "nested"])
def test_a_sentinel_that_lies(make_daemon, server, settings_of, tmp_path, cleanup, lie, said):
    master = Redis(tmp_path)
    sentinel = Sentinel(tmp_path, master)
    relay = Relay(sentinel.port)
    for call in (master.end, sentinel.end, relay.stop):
        cleanup.callback(call)
    relay.twist = lambda data: re.sub(rb"\*2\r\n\$9\r\n127\.0\.0\.1\r\n\$\d+\r\n\d+\r\n", lambda _: lie, data)
    trio = type("Trio", (), {"master": master, "replica": master, "sentinels": [relay]})
    daemon = make_daemon(server, store=settings_of(trio))
    daemon.wait_line("store: sentinel .*" + said)
    ask_each(daemon, "a", 10, 0.2)
    assert not master.keys()
    relay.twist = None
    daemon.wait_line(f"store: master {master.where}: connected")
    assert count(daemon, "queries_failed") == 0


def test_tls_beyond_loopback(make_daemon, make_server, make_namespace, certs, public_path, tmp_path, cleanup):
    """Of a Sentinel and of the master that it tells, which must not be on loopback then."""
    host = zone.address("store.example")
    namespace = make_namespace().up(host)
    server = make_server(namespace=namespace)
    certificate = certs.make("sentinel-tls", certs.authority, names=["store.example"])
    files = {"tls-cert-file": certificate.chain_file, "tls-key-file": certificate.key_file, "tls-ca-cert-file": certs.ca_file,
             "tls-auth-clients": "no"}
    master = Redis(tmp_path, 6381, tls=certificate, bind=host, prefix=namespace.prefix)
    path = tmp_path / "sentinel.conf"
    path.write_text("\n".join([f"bind {host}", "port 0", "tls-port 26379", "tls-replication yes", f"sentinel monitor cache {host} 6381 1",
                               *(f"{key} {value}" for key, value in files.items())]) + "\n")
    sentinel = Process([*namespace.prefix, SERVER, str(path), "--sentinel"], read="stdout", stderr=subprocess.STDOUT)
    for one in (master, sentinel):
        cleanup.callback(one.end)
    sentinel.wait_line(r"\+monitor master")
    settings = {"servers": ["store.example@26379"], "sentinel": "cache", "tls-name": "store.example", "patience": PATIENT,
                "fleet-key-file": fleet_key(public_path / "fleet.key")}
    refused = make_daemon(server, namespace=namespace, store=settings)
    refused.wait_line(f"{host}@6381 is not used: its port is not in store.node-ports")
    daemon = make_daemon(server, namespace=namespace, store={**settings, "node-ports": [6381]})
    daemon.wait_line("store: sentinel store.example@26379: connected, TLS1.3")
    daemon.wait_line(f"store: master {host}@6381: connected, TLS1.3")
    ask_truly(daemon, "a.example")
    eventually(lambda: count(daemon, "store_puts") == 1 and count(daemon, "store_puts_failed") == 0)


def test_passwords_go_to_their_servers(make_daemon, server, settings_of, tmp_path, public_path, cleanup):
    master = Redis(tmp_path, requirepass="of-the-store")
    sentinel = Sentinel(tmp_path, master, requirepass="of-the-sentinel")
    for one in (master, sentinel):
        cleanup.callback(one.end)
    files = {}
    for key, text in (("password-file", "of-the-store"), ("sentinel-password-file", "of-the-sentinel")):
        files[key] = str(public_path / key)
        (public_path / key).write_text(text)
    trio = type("Trio", (), {"master": master, "replica": master, "sentinels": [sentinel]})
    daemon = make_daemon(server, store=settings_of(trio, **files))
    daemon.wait_line(f"store: master {master.where}: connected")
    without = make_daemon(server, store=settings_of(trio, **{"password-file": files["password-file"]}))
    without.wait_line("store: sentinel .*: cannot connect: NOAUTH")


def test_mistakes_in_the_configuration(tmp_path, public_path):
    store = {"servers": ["127.0.0.1@26379"], "sentinel": "cache", "fleet-key-file": fleet_key(public_path / "fleet.key")}
    for change, said in (({"node-ports": ["7000-6000"]}, "7000-6000 is not a port"), ({"node-ports": ["1-65535"]}, "is not a port"),
                         ({"sentinel-user": "x"}, "store.sentinel-user: a user needs a password"), ({"sentinel": "a b"}, "is not a name"), ({"cluster": True}, "a cluster has no Sentinels"), ({}, None),
                         ({"sentinel": "", "cluster": True}, None)):
        path = write_config(tmp_path / "a.yaml", {"listen": ["127.0.0.1@5399"], "store": {**store, **change}})
        done = run("--check", "-c", path)
        assert (done.returncode == 0) == (said is None), done.stderr
        assert not said or said in done.stderr
