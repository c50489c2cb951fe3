# SPDX-License-Identifier: MIT
"""redis-server (or valkey-server) for tests, a relay that is slow or lies, and a way to look into a store."""
import base64
import contextlib
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from processes import PATIENCE, Process, eventually, free_port

SERVERS = {name: path for name in ("valkey-server", "redis-server") if (path := shutil.which(name))}
SYNCED = "(MASTER|PRIMARY) <-> REPLICA sync: Finished with success"  # redis-server, valkey-server
SERVER = next(iter(SERVERS.values()), None)  # where one is enough


def fleet_key(path, *keys):
    """Writes a fleet key file that the daemon's user can read."""
    path.write_text("".join(base64.b64encode(key.ljust(32, b"-")).decode() + "\n" for key in keys or (b"fleet",)))
    path.chmod(0o644)
    return str(path)


class Client:
    """A connection with the commands of a test."""

    def __init__(self, port, password=None):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.file = self.socket.makefile("rb")
        if password:
            self("AUTH", password)

    def __call__(self, *arguments):
        parts = [argument if isinstance(argument, bytes) else str(argument).encode() for argument in arguments]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b":":
            return int(rest)
        assert kind == b"+", f"the server said {line!r}"
        return rest

    def close(self):
        self.file.close()
        self.socket.close()


class Redis(Process):
    """A server of its own on 127.0.0.1. `options` of its configuration: maxmemory="1mb"."""

    def __init__(self, directory, port=None, *, tls=None, socket_file=None, bind="127.0.0.1", prefix=(), program=SERVER, **options):
        self.port = port or free_port("127.0.0.1")
        self.directory, self.password = directory, options.get("requirepass")
        command = [*prefix, program, "--bind", bind, "--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", str(directory),
                   "--loglevel", "notice", "--protected-mode", "no", "--repl-diskless-sync-delay", "0"]
        if tls:
            self.plain_port = free_port("127.0.0.1")
            command += ["--port", str(self.plain_port), "--tls-port", str(self.port), "--tls-cert-file", str(tls.chain_file), "--tls-key-file",
                        str(tls.key_file), "--tls-auth-clients", "no"]
        else:
            self.plain_port = self.port
            command += ["--port", str(self.port)]
        if socket_file:
            command += ["--unixsocket", str(socket_file), "--unixsocketperm", "777"]
        for key, value in options.items():
            command += ["--" + key.replace("_", "-"), str(value)]
        super().__init__(command, read="stdout", stderr=subprocess.STDOUT)
        self.wait_line("Ready to accept connections")

    @property
    def where(self):
        return f"127.0.0.1@{self.port}"

    @contextlib.contextmanager
    def client(self):
        client = Client(self.plain_port, self.password)
        try:
            yield client
        finally:
            client.close()

    def __call__(self, *arguments):
        with self.client() as client:
            return client(*arguments)

    def keys(self):
        """The keys of stored responses."""
        return sorted(key for key in self("KEYS", "dotstub:*") if b"{" not in key and self("TYPE", key) != b"zset")

    def info(self, name, section="default"):
        for line in self("INFO", section).decode().splitlines():
            if line.startswith(name + ":"):
                return line.split(":", 1)[1]
        raise KeyError(name)


class Sentinel(Process):
    """A Sentinel on 127.0.0.1 that watches a master by the name of "cache"."""

    def __init__(self, directory, master, *, quorum=1, down_after_ms=500, **options):
        self.port = free_port("127.0.0.1")
        self.password = options.get("requirepass")
        lines = ["bind 127.0.0.1", f"port {self.port}", f"dir {directory}", f"sentinel monitor cache 127.0.0.1 {master.port} {quorum}",
                 f"sentinel down-after-milliseconds cache {down_after_ms}", "sentinel failover-timeout cache 5000"]
        lines += [f"{key.replace('_', '-')} {value}" for key, value in options.items()]
        path = directory / f"sentinel{self.port}.conf"
        path.write_text("\n".join(lines) + "\n")
        super().__init__([SERVER, str(path), "--sentinel"], read="stdout", stderr=subprocess.STDOUT)
        self.wait_line(r"\+monitor master")

    where, client, __call__ = Redis.where, Redis.client, Redis.__call__
    plain_port = property(lambda self: self.port)

    def sees(self, **wanted):
        """True if the master has these values in the Sentinel's eyes: num_slaves=1."""
        flat = self("SENTINEL", "MASTER", "cache")
        facts = {key.decode().replace("-", "_"): value.decode() for key, value in zip(flat[::2], flat[1::2])}
        return all(facts.get(key) == str(value) for key, value in wanted.items())

    def fail_over(self):
        """False: it does not know enough about the replica yet."""
        try:
            return self("SENTINEL", "FAILOVER", "cache")
        except AssertionError as error:
            if "NOGOODSLAVE" not in str(error):
                raise
            return False


def replica_of(master, directory):
    """A replica whose link to the master is up."""
    replica = Redis(directory, replicaof=f"127.0.0.1 {master.port}")
    replica.wait_line(SYNCED)
    return replica


class Cluster:
    """Masters that share the slots, and a replica of the first one if it is wanted."""

    def __init__(self, directory, masters=3, replica=False, **options):
        self.nodes, self.masters = [], []
        try:
            self.begin(directory, masters, replica, options)
        except BaseException:
            self.end()
            raise

    def begin(self, directory, masters, replica, options):
        buses = [free_port("127.0.0.1") for _ in range(masters + replica)]
        for number, bus in enumerate(buses):
            self.nodes.append(Redis(directory, cluster_enabled="yes", cluster_config_file=f"nodes{number}.conf", cluster_node_timeout=1000,
                                    cluster_port=bus, cluster_require_full_coverage="no", **options))
        self.masters = self.nodes[:masters]
        for number, node in enumerate(self.masters):
            node("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node("CLUSTER", "ADDSLOTSRANGE", 16384 * number // masters, 16384 * (number + 1) // masters - 1)
        for node in self.nodes[1:]:
            node("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, buses[0])
        for node in self.nodes:
            eventually(lambda: b"cluster_state:ok" in (info := node("CLUSTER", "INFO")) and f"cluster_known_nodes:{len(self.nodes)}\r".encode() in info)
        if replica:
            self.nodes[-1]("CLUSTER", "REPLICATE", self.nodes[0]("CLUSTER", "MYID"))
            self.nodes[-1].wait_line(SYNCED)

    def owner(self, key):
        """The master that has the slot of this key."""
        slot = self.nodes[0]("CLUSTER", "KEYSLOT", key)
        for first, last, (_, port, *_), *_ in next(node for node in self.nodes if node.running)("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise KeyError(slot)

    @staticmethod
    def begin_move(slot, source, target):
        """The slot is moving, and its keys are at the target. Leases are in the slots of their entries."""
        target("CLUSTER", "SETSLOT", slot, "IMPORTING", source("CLUSTER", "MYID"))
        source("CLUSTER", "SETSLOT", slot, "MIGRATING", target("CLUSTER", "MYID"))
        for key in source("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)

    @staticmethod
    def end_move(slot, source, target):
        for node in (target, source):
            node("CLUSTER", "SETSLOT", slot, "NODE", target("CLUSTER", "MYID"))

    def keys(self):
        return sorted(key for node in self.nodes if node.running and node.info("role") == "master" for key in node.keys())

    def end(self):
        for node in self.nodes:
            if node.running:
                node.signal(signal.SIGKILL)
                node.wait_exit()


class Relay:
    """A relay to a port of 127.0.0.1 that delays replies (`delay` seconds), holds everything (`hold`), or replaces what the server
    sends (`twist`, a function of bytes)."""

    def __init__(self, to, port=0):
        self.to, self.delay, self.hold, self.twist = to, 0, False, None
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.sockets, self.stopped = [], False
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def where(self):
        return f"127.0.0.1@{self.port}"

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                if self.stopped:
                    return
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets += [client, server]
            threading.Thread(target=self.copy, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, True), daemon=True).start()

    def copy(self, source, target, replies):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if replies:
                    time.sleep(self.delay)
                    if self.twist:
                        data = self.twist(data)
                while self.hold and not self.stopped:
                    time.sleep(0.01)
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def reset(self):
        """Ends all connections."""
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
        self.sockets = []

    def stop(self):
        self.stopped = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.reset()
