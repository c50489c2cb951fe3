# SPDX-License-Identifier: MIT
"""The subjects of the benchmark: dotstub, the floors and the peers, each described by a file of shell functions in peers/.

Such a file sets `kind` (ours, floor or peer), `serves` (udp, tcp, tls, https: cache hits over them; miss; miss-https: over HTTPS; block: lists of names; validate: DNSSEC; store: a second-level cache) and optionally `packages`. It defines
    version      prints one line
    configure    writes configuration into the current directory; sets the array `run` to the command. Gets DIR, PORT
                 (on 127.0.0.1), UPSTREAM (a port there: DNS-over-TLS as dns.google), CA (its file), CACHE_MB, ENTRIES
                 (number that the cache must hold), TLS (a port there, for DNS over TLS with the certificate CERT and its KEY), HTTPS (the same for DNS over HTTPS,
                 at /dns-query), LISTEN_TLS ("yes": the row uses them), UPSTREAM_HTTPS ("yes": the upstream is asked over HTTPS, at the same
                 port and https://dns.google/dns-query), BLOCKED (a file of names that get NXDOMAIN with all names below them, one a line; "": none),
                 STORE (a port there of a Redis that it uses as a second-level cache, with the key in FLEET_KEY; "": none),
                 ANCHOR (a file with the root's DS: validate with it, if it can; "": no validation),
                 LOCAL ("yes": with 1,000 local records and 100 routes as well, if it can), BUILD, and UNPACKED (for files that must not
                 be installed)
    prepare      optional: fetches or unpacks into UNPACKED what no package installs
"""
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.insert(0, str(TOP / "tests" / "integration"))

import signed_tree  # noqa: E402
import wire  # noqa: E402
from certs import Certificates  # noqa: E402
from processes import Process, free_port  # noqa: E402
from redisserver import Redis, fleet_key  # noqa: E402

# The subject has a core of its own; the generator and the upstream share another.
CORES = sorted(os.sched_getaffinity(0))
SUBJECT_CORE, OTHER_CORE = CORES[-1], CORES[0]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextlib.contextmanager
def on_cores(*cores):
    """Pins processes that are started within this context to these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Failure(Exception):
    """A subject could not be started."""


class Place:
    """The build, the throwaway certificates, and a directory for each start of a subject."""

    def __init__(self, build):
        self.build = pathlib.Path(build)
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="bench"))
        self.scratch.chmod(0o755)
        self.certificates = Certificates(self.scratch)
        self.unpacked = self.build / "unpacked"
        self.signed_server, self.anchor = None, self.scratch / "anchor"
        self.redis, self.fleet_key = None, self.scratch / "fleet.key"

    def program(self, name):
        return str(self.build / "tests" / name)

    def directory(self):
        path = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        path.chmod(0o777)  # some subjects drop root
        return path

    def blocked(self, count):
        """A file of `count` names, or "" for none."""
        path = self.scratch / f"blocked{count}"
        if count and not path.exists():
            path.write_text("".join(f"n{number}.ads{number % 997}.example\n" for number in range(count)))
            path.chmod(0o644)
        return str(path) if count else ""

    def signed(self, names, small):
        """The server of a signed tree, shared by all subjects, and the file of its anchor."""
        if not self.signed_server:
            tree = signed_tree.Tree(names, small)
            self.anchor.write_text(tree.anchor + "\n")
            self.anchor.chmod(0o644)
            with on_cores(OTHER_CORE):
                self.signed_server = signed_tree.Server(self, tree)
        return self.signed_server

    def store(self):
        """The port of a Redis that all subjects share."""
        if not self.redis:
            fleet_key(self.fleet_key)
            with on_cores(OTHER_CORE):
                self.redis = Redis(self.directory(), maxmemory="256mb", maxmemory_policy="allkeys-lru")
        return self.redis.port

    def close(self):
        for server in (self.signed_server, self.redis):
            if server:
                server.end()
        shutil.rmtree(self.scratch, ignore_errors=True)


class Subject:
    """One file of peers/."""

    def __init__(self, name, place):
        self.name, self.place, self.file = name, place, HERE / "peers" / name
        values = self.shell('printf "%s\\n" "$kind" "$serves" "${packages-}"').splitlines()
        self.kind, self.serves, self.packages = values[0], values[1].split(), values[2].split()

    def shell(self, command, directory="/", **variables):
        environment = {**os.environ, "BUILD": str(self.place.build), "UNPACKED": str(self.place.unpacked),
                       **{name: str(value) for name, value in variables.items()}}
        done = subprocess.run(["bash", "-c", f". '{self.file}'; set -e; {command}"], cwd=directory, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise Failure(f"{self.file}: {command} failed")
        return done.stdout

    @functools.cached_property
    def version(self):
        return self.shell("version").strip()

    def start(self, upstream_options=(), cache_mb=64, entries=100000, cores=(SUBJECT_CORE,), blocked=0, local=False, encrypted=False,
              https=False, signed=None, validate=False, store=False, beside=None):
        """`beside`: another running subject, whose upstream this one asks as well."""
        return Running(self, upstream_options, cache_mb, entries, cores, blocked, local, encrypted, https, signed, validate, store, beside)


class Upstream:
    """A running tests/bench/upstream."""

    def __init__(self, place, options):
        certificate = place.certificates.good
        self.port = free_port("127.0.0.1")
        command = [place.program("bench/upstream"), "-p", str(self.port), "-c", str(certificate.chain_file),
                   "-k", str(certificate.key_file), *map(str, options)]
        with on_cores(OTHER_CORE):
            self.process = Process(command, read="stdout")
        wait_for_tcp(self.port)

    def counts(self):
        seen = len(self.process.log())
        self.process.signal(signal.SIGUSR1)
        return json.loads(self.process.wait_line(".", times=seen + 1))

    def stop(self):
        self.process.end()


def wait_for_tcp(port, patience=10):
    end = time.monotonic() + patience
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


class Running:
    """A running subject with an upstream of its own. `started`: seconds from exec to its first answered miss."""

    def __init__(self, subject, upstream_options, cache_mb, entries, cores, blocked=0, local=False, encrypted=False, https=False, signed=None,
                 validate=False, store=False, beside=None):
        self.subject, self.place = subject, subject.place
        self.upstream = Upstream(self.place, upstream_options)
        upstream_port = self.place.signed(*signed).port if signed else (beside or self).upstream.port
        self.port, self.directory = free_port("127.0.0.1"), self.place.directory()
        self.tls_port, self.https_port = [port for port in {free_port("127.0.0.1") for _ in range(4)} if port != self.port][:2]
        ca, listener = self.place.certificates.ca_file, self.place.certificates.good
        command = subject.shell('configure; printf "%s\\0" "${run[@]}"', self.directory, DIR=self.directory,
                                PORT=self.port, UPSTREAM=upstream_port, CA=ca, CACHE_MB=cache_mb, ENTRIES=entries,
                                TLS=self.tls_port, CERT=listener.chain_file, KEY=listener.key_file,
                                BLOCKED=self.place.blocked(blocked), LOCAL="yes" if local else "", HTTPS=self.https_port,
                                LISTEN_TLS="yes" if encrypted else "", UPSTREAM_HTTPS="yes" if https else "",
                                ANCHOR=self.place.anchor if validate else "",
                                STORE=self.place.store() if store else "", FLEET_KEY=self.place.fleet_key)
        with on_cores(*cores):
            self.began = time.monotonic()
            self.process = Process(command.split("\0")[:-1], cwd=self.directory, stdout=subprocess.DEVNULL)
        try:
            self.wait_answering(90 if blocked else 20)
        except Exception:
            self.stop()
            raise
        self.started = time.monotonic() - self.began

    def wait_answering(self, patience):
        if self.subject.serves == ["tls"]:
            wait_for_tcp(self.tls_port)
            return
        if "tcp" in self.subject.serves and "udp" not in self.subject.serves:
            wait_for_tcp(self.port)
            return
        end, query = time.monotonic() + patience, wire.query("first.example")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", self.port))
            while self.process.running and time.monotonic() < end:
                try:
                    client.settimeout(0.1)
                    client.send(query)
                    answer = client.recv(4096)
                    if answer[3] & 15 == 0:
                        return
                    time.sleep(0.01)
                except ConnectionRefusedError:
                    time.sleep(0.0003)
                except TimeoutError:
                    pass
        raise Failure(f"{self.subject.name} does not answer:\n" + "\n".join(self.process.log()[-20:]))

    @property
    def pid(self):
        return self.process.pid

    def cpu(self):
        """Seconds on the processor so far, user and system, all threads."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/schedstat") as times:
                total += int(times.read().split()[0])
        return total / 1e9

    def load(self, *options):
        """Runs the generator: what it counted."""
        port = self.tls_port if "-T" in options else self.https_port if "-H" in options else self.port
        command = [self.place.program("tools/dnsload"), "-p", str(port), *map(str, options)]
        if self.subject.kind == "floor" and "miss" not in self.subject.serves:
            command.append("-E")
        with on_cores(OTHER_CORE):
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def handshakes(self, count, *mode):
        """Runs tests/bench/handshakes: what it counted. Mode hold: the process, whose connections stay until its end."""
        command = [self.place.program("bench/handshakes"), str(self.tls_port), str(count), *mode]
        with on_cores(OTHER_CORE):
            client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = client.stdout.readline()
        if not line:
            client.wait()
            raise Failure(f"{self.subject.name} refused one of {count} connections")
        if mode == ("hold",):
            return client
        client.communicate()
        return json.loads(line)

    def stop(self):
        try:
            self.process.end(5)
        except subprocess.TimeoutExpired:
            pass
        self.upstream.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
