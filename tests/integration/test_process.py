# SPDX-License-Identifier: MIT
"""The process: stop, standard descriptors, ports, privileges, exit statuses, idle cost."""
import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time

import dns.rcode
import pytest

import wire
import zone
from clients import TcpClient, UdpClient
from daemon import BINARY, EMPTY_RUN, FLAVOUR, PREFIX, SLACK, USER, environment, run, write_config
from processes import Process, eventually, free_port
from test_ctl import ctl
from test_upstream import ask_truly, fresh

pytestmark = pytest.mark.threads

USAGE, PORT, PRIVILEGES, CONFIGURATION = 64, 71, 77, 78
CAP_NET_BIND_SERVICE = 10


def stays(daemon, seconds):
    """The process must keep running for this time."""
    with pytest.raises(subprocess.TimeoutExpired):
        daemon.child.wait(seconds)


# Starting.

def test_root_makes_the_runtime_directory(make_daemon, server):
    """As `sudo dotstub` after a boot: /run is empty. The directory is the daemon user's, so that a restart works too."""
    daemon = make_daemon(server, exec_as=EMPTY_RUN, control={"socket": "/run/dotstub/control.sock"})
    inside = ["nsenter", "--target", str(daemon.pid), "--mount"]
    done = subprocess.run([*inside, "stat", "-c", "%a %U", "/run/dotstub"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["755", USER]
    done = subprocess.run([*inside, BINARY.with_name("dotstubctl"), "-s", "/run/dotstub/control.sock", "stats"], env=environment(),
                          capture_output=True, text=True)
    assert done.returncode == 0 and "queries_received" in done.stdout, done.stderr


# Stopping.

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop(daemon, number):
    ask_truly(daemon, "a.example")
    begun = time.monotonic()
    daemon.signal(number)
    assert daemon.wait_exit() == 0
    assert time.monotonic() - begun < 2 * SLACK


def test_a_stop_ends_sessions_cleanly(daemon, server):
    ask_truly(daemon, "a.example")
    daemon.stop()
    server.wait_for(lambda: server.connections[0].closed)
    assert server.connections[0].end == "close_notify"


@pytest.mark.skipif(FLAVOUR == "thread", reason="the thread sanitizer has a thread of its own")
def test_a_start_makes_no_other_threads(make_daemon, server):
    """The main thread and the worker: libuv's pool is made when the first job needs it."""
    daemon = make_daemon(server, workers=1)
    assert json.loads(ctl(daemon, "--json", "status"))  # the main loop runs, so the files of steps were looked at
    assert len(os.listdir(f"/proc/{daemon.pid}/task")) == 2


def test_queries_in_flight_are_answered_at_a_stop(daemon, server):
    ask_truly(daemon, "first.example")
    server.delay = 0.3
    with daemon.udp() as udp, daemon.tcp() as tcp:
        udp.send(wire.query("udp.example"))
        tcp.send(wire.query("tcp.example"))
        server.wait_for_queries("udp.example")
        server.wait_for_queries("tcp.example")
        daemon.signal(signal.SIGTERM)
        for client, name in ((udp, "udp.example"), (tcp, "tcp.example")):
            answer = wire.parse(client.receive(3 * SLACK))
            assert answer.rcode() == 2 or wire.addresses(answer) == [zone.address(name)]
    assert daemon.wait_exit() == 0


def test_queries_that_cannot_be_answered_are_servfail_at_a_stop(daemon, server):
    server.silence = True
    with daemon.udp() as udp, daemon.tcp() as tcp:
        udp.send(wire.query("udp.example"))
        tcp.send(wire.query("tcp.example"))
        server.wait_for_queries("tcp.example")
        begun = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert udp.receive(3 * SLACK)[3] & 15 == 2
        assert tcp.receive(3 * SLACK)[3] & 15 == 2
    assert daemon.wait_exit() == 0
    assert time.monotonic() - begun < 2 + 0.5 * SLACK


def test_a_stop_under_load(daemon):
    load = daemon.load(queries=20000, distinct=20000, name="n%u.example", in_flight=100, patience=500)
    eventually(lambda: daemon.ask(fresh.name()).rcode() == 0)
    begun = time.monotonic()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert time.monotonic() - begun < 2 + 0.5 * SLACK
    load.child.kill()
    load.child.communicate()


def test_a_stop_while_the_server_is_unreachable(daemon, server):
    server.blackhole()
    with daemon.udp() as client:
        client.send(wire.query("a.example"))
        daemon.signal(signal.SIGTERM)
        assert client.receive(3 * SLACK)[3] & 15 == 2
    assert daemon.wait_exit() == 0


def test_hangup_keeps_running(daemon, server):
    ask_truly(daemon, "a.example")
    for _ in range(5):
        daemon.hang_up()
    ask_truly(daemon, "a.example")
    ask_truly(daemon, "b.example")
    assert len(server.queries_for("a.example")) == 1, "the cache is gone"


@pytest.mark.parametrize("number", [signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGALRM])
def test_other_signals(daemon, number):
    if number in (signal.SIGPIPE, signal.SIGWINCH):
        daemon.signal(number)
        ask_truly(daemon, "a.example")


# Standard descriptors.

def start(command, **options):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment(), **options)


def answers(port):
    try:
        with UdpClient("127.0.0.1", port) as client:
            return client.ask("localhost", timeout=1).rcode() == 0
    except (AssertionError, OSError):
        return False


@pytest.fixture
def quiet_config(tmp_path, server, certs):
    """The arguments of a daemon whose log is not read, and its port."""
    port = free_port()
    path = write_config(tmp_path / "quiet.yaml", {
        "listen": [f"127.0.0.1@{port}"], "upstreams": [server.upstream()], "tls": {"ca-file": certs.ca_file},
        "log": {"level": "debug"}})
    return [*PREFIX, str(BINARY), "--user", USER, "-c", str(path)], port


def check_quiet(child, port, server):
    eventually(lambda: answers(port), what="an answer")
    with UdpClient("127.0.0.1", port) as client:
        assert client.ask("a.example").rcode() == 0
        server.kill()
        assert client.ask("b.example").rcode() == 0
    child.terminate()
    assert child.wait(10) == 0


def test_closed_standard_descriptors(quiet_config, server):
    command, port = quiet_config
    check_quiet(start(["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *command]), port, server)


def test_other_descriptors_of_the_starter_are_closed(make_daemon, server):
    """A descriptor of a private file would stay open in dotstub, and in whatever process controls dotstub."""
    ends = os.pipe()
    daemon = make_daemon(server, options={"pass_fds": ends[1:]})
    os.close(ends[1])
    os.set_blocking(ends[0], False)
    assert os.read(ends[0], 1) == b"", "the daemon still holds the other end"
    os.close(ends[0])
    ask_truly(daemon, "a.example")


def test_standard_error_whose_reader_left(quiet_config, server):
    command, port = quiet_config
    reader, writer = os.pipe()
    child = start(command, stderr=writer)
    os.close(writer)
    os.close(reader)
    check_quiet(child, port, server)


def test_standard_error_is_a_full_pipe(quiet_config, server):
    """The pipe fills: lines are dropped, and all queries are answered."""
    command, port = quiet_config
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    child = start(command, stderr=writer)
    os.close(writer)
    check_quiet(child, port, server)
    os.close(reader)


def test_standard_error_on_a_full_disk(quiet_config, server):
    command, port = quiet_config
    with open("/dev/full", "w") as full:
        check_quiet(start(command, stderr=full), port, server)


# Ports.

def test_a_port_that_another_dotstub_has(make_daemon, server):
    first = make_daemon(server)
    second = make_daemon(server, port=first.port, wait=False)
    assert second.wait_exit() == PORT
    line = second.wait_line(f"error daemon: .*{first.port}")
    assert "in use" in line and BINARY.name in line
    ask_truly(first, "a.example")


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_a_port_that_another_program_has(make_daemon, server, kind):
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", port))
        if kind == "tcp":
            taken.listen()
        daemon = make_daemon(server, port=port, wait=False)
        assert daemon.wait_exit() == PORT
        line = daemon.wait_line(f"error daemon: .*{port}")
        assert "in use" in line and "python" in line


def test_either_all_addresses_or_none(make_daemon, server):
    """The second address is in use: the daemon must not have answered on the first."""
    port = free_port()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taken:
        taken.bind(("::1", port))
        daemon = make_daemon(server, port=port, wait=False)
        assert daemon.wait_exit() == PORT
        assert not daemon.matching("ready")


def test_a_restart_gets_the_port_at_once(make_daemon, server):
    port = free_port()
    for _ in range(3):
        daemon = make_daemon(server, port=port)
        with daemon.tcp() as client:  # leaves TIME_WAIT behind
            assert client.ask("a.example").rcode() == 0
            daemon.stop()


def test_an_address_that_comes_later(make_daemon, make_server, make_namespace):
    """A configured address is bound before an interface has it."""
    namespace = make_namespace().up()
    daemon = make_daemon(make_server(namespace=namespace), addresses=("192.0.2.200",), port=5300, namespace=namespace,
                         access={"allow": ["192.0.2.0/24"]})
    namespace.add("192.0.2.200")
    for tcp in (False, True):
        assert daemon.ask("a.example", address="192.0.2.200", tcp=tcp).rcode() == 0


# Privileges.

def test_root_privileges_are_dropped(daemon):
    facts = daemon.facts()
    assert "0" not in facts["Uid"].split() and "0" not in facts["Gid"].split()
    for kind in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
        assert int(facts[kind], 16) == 0, kind
    assert facts["NoNewPrivs"].strip() == "1"
    groups = set(facts["Groups"].split())
    assert groups <= {facts["Gid"].split()[0]}


def test_root_without_the_user_is_an_error(make_daemon, server):
    daemon = make_daemon(server, arguments=["--user", "no-such-user"], wait=False)
    assert daemon.wait_exit() == PRIVILEGES
    assert "no-such-user" in daemon.wait_line("error daemon")


@pytest.fixture
def ordinary(certs, public_path):
    """ordinary(config): the command of a daemon that is started by an ordinary user, who can read what it needs."""
    program = shutil.copy(BINARY, public_path / "dotstub")
    ca = str(shutil.copy(certs.ca_file, public_path / "ca.pem"))

    def command(**config):
        path = write_config(public_path / "dotstub.yaml", {**config, "tls": {"ca-file": ca}})
        return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *PREFIX, str(program), "-c", str(path)]
    return command


def test_an_ordinary_user_on_a_low_port(make_namespace, ordinary):
    namespace = make_namespace().up()
    namespace.run("sh", "-c", "echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start")
    child = Process([*namespace.prefix, *ordinary(listen=["127.0.0.1@53"])], env=environment())
    assert child.wait_exit() == PRIVILEGES
    assert "permission" in child.wait_line("error daemon")


def test_an_ordinary_user_on_a_high_port(server, ordinary, cleanup):
    port = free_port()
    child = Process(ordinary(listen=[f"127.0.0.1@{port}"], upstreams=[server.upstream()]), env=environment())
    cleanup.callback(child.end)
    child.wait_line("daemon: ready")
    with TcpClient("127.0.0.1", port) as client:
        assert client.ask("a.example").rcode() == 0
    assert child.end() == 0


def file_capability(number):
    """The attribute that setcap(8) writes for NAME=p: permitted, not effective."""
    return struct.pack("<5I", 0x02000000, 1 << number, 0, 0, 0)


@pytest.mark.plain  # a program with capabilities is hidden from the leak sanitizer
def test_a_capability_of_the_file(make_namespace, ordinary, server, public_path):
    namespace = make_namespace().up()
    namespace.run("sh", "-c", "echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start")
    command = ordinary(listen=["127.0.0.1@53"])
    os.setxattr(public_path / "dotstub", "security.capability", file_capability(CAP_NET_BIND_SERVICE))
    child = Process([*namespace.prefix, *command], env=environment())
    child.wait_line("daemon: ready")
    facts = child.facts()
    assert [int(facts[kind], 16) for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [0, 0, 0, 0]
    assert child.end() == 0


@pytest.mark.plain
@pytest.mark.parametrize("withheld", [["--bounding-set=-all"], ["--bounding-set=-all", "--no-new-privs"]])
def test_a_capability_of_the_file_that_is_withheld(ordinary, server, public_path, cleanup, withheld):
    port = free_port()
    command = ordinary(listen=[f"127.0.0.1@{port}"], upstreams=[server.upstream()])
    os.setxattr(public_path / "dotstub", "security.capability", file_capability(CAP_NET_BIND_SERVICE))
    child = Process([command[0], *withheld, *command[1:]], env=environment())
    cleanup.callback(child.end)
    child.wait_line("daemon: ready")
    with TcpClient("127.0.0.1", port) as client:
        assert client.ask("a.example").rcode() == 0
    assert child.end() == 0


# Statuses.

def test_statuses_are_distinct(tmp_path, server, make_daemon):
    bad = write_config(tmp_path / "bad.yaml", "listen: [1.2.3\n")
    assert run("-c", bad).returncode == CONFIGURATION
    assert run("-c", tmp_path / "missing.yaml").returncode == CONFIGURATION
    assert run("--no-such-option").returncode == USAGE
    assert run("surplus").returncode == USAGE


@pytest.mark.parametrize("content", [None, "", "no certificate at all\n"], ids=["missing", "empty", "junk"])
def test_a_ca_file_is_waited_for(make_daemon, server, certs, public_path, content):
    """Local names are answered without it; queries for others fail with the reason, until the file is there."""
    path = public_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    daemon = make_daemon(server, ca_file=path)
    assert str(path) in daemon.wait_line("warning daemon: upstream liar cannot be used until the CA certificates can be loaded")
    assert daemon.ask("localhost").answer
    texts = [text for _, text in wire.extended_errors(daemon.ask("a.example", edns=True))]
    assert any("CA certificates cannot be loaded" in text for text in texts), texts
    assert run("-c", daemon.config_file, "--check").returncode == CONFIGURATION
    shutil.copy(certs.ca_file, path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)
    eventually(lambda: daemon.ask("b.example").rcode() == dns.rcode.NOERROR, what="a response after the file was made")
    daemon.wait_line(f"info tls: loaded the CA file {path}")


# Idle.

@pytest.mark.whole
def test_an_idle_daemon_sleeps(make_daemon, server):
    """Without a session there is no wake-up in three seconds, also after a session has ended."""
    daemon = make_daemon(server, tls={"idle": "1s"}, limits={"tcp-idle": "1s"})
    stays(daemon, 0.2)
    before = daemon.wakeups()
    stays(daemon, 3)
    assert daemon.wakeups() - before <= (0 if FLAVOUR == "plain" else 40)
    ask_truly(daemon, "a.example")
    ask_truly(daemon, "b.example", tcp=True)
    server.wait_for(lambda: not server.open)
    stays(daemon, 1.5)
    before = daemon.wakeups()
    stays(daemon, 3)
    assert daemon.wakeups() - before <= (0 if FLAVOUR == "plain" else 40)


def test_an_idle_session_costs_nothing(make_daemon, server):
    daemon = make_daemon(server)
    ask_truly(daemon, "a.example")
    stays(daemon, 0.5)
    before = daemon.wakeups()
    stays(daemon, 3)
    assert daemon.wakeups() - before <= (2 if FLAVOUR == "plain" else 40)


@pytest.mark.alone
def test_a_miss_wakes_twice(make_daemon, server):
    """Once for the query and once for the response, not for cancelled deadlines. On a busy machine queries are hedged, so the best of
    several rounds counts."""
    daemon = make_daemon(server)
    ask_truly(daemon, "first.example")

    def wakeups(number):
        before = daemon.wakeups()
        for n in range(6):
            ask_truly(daemon, f"n{n}.round{number}.example")
            stays(daemon, 0.4)
        return daemon.wakeups() - before

    assert any(wakeups(number) <= (6 * 2 if FLAVOUR == "plain" else 80) for number in range(4))


@pytest.mark.alone
def test_it_starts_fast_and_small(make_daemon, server):
    if FLAVOUR == "plain":
        times = []
        for _ in range(3):
            begun = time.monotonic()
            daemon = make_daemon(server)
            ask_truly(daemon, "a.example")
            times.append(time.monotonic() - begun)
            small = daemon.resident_kb()
            assert small < 11 * 1024
            daemon.stop()
        assert min(times) < 0.1, times
        daemon = make_daemon(server, ca_file="system")
        daemon.ask("localhost")
        assert daemon.resident_kb() < small + 1024, "the system's CA certificates are in memory parsed"


@pytest.mark.parametrize("workers, limit, said", [(1, 64, "and 1 worker may need"), (16, 400, "and 16 workers may need")])
def test_a_limit_of_open_files_that_is_too_low_is_said(make_daemon, server, workers, limit, said):
    daemon = make_daemon(server, workers=workers,
                         options={"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))})
    line, = daemon.matching(f"the limit of open files is {limit}, ")
    assert said in line and "raise it (ulimit -n, LimitNOFILE=)" in line and ("lower `workers`" in line) == (workers > 1)


def test_few_descriptors(make_daemon, server):
    """64 descriptors and 150 clients: it starts, answers, and recovers."""
    daemon = make_daemon(server, options={"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))})
    clients = []
    for number in range(150):
        clients.append(daemon.tcp())
    ask_truly(daemon, "udp.example")
    ask_truly(daemon, "tcp.example", tcp=True)
    for client in clients:
        client.close()
    server.kill()
    ask_truly(daemon, "again.example")
    ask_truly(daemon, "again.example", tcp=True)
