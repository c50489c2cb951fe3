# SPDX-License-Identifier: MIT
"""The service manager: its notifications, and the sockets that it passes. The tests act as the manager."""
import contextlib
import ctypes
import os
import pathlib
import socket

import pytest

import wire
from clients import TcpClient, UdpClient
from daemon import BINARY, PREFIX, USER, environment, write_config
from processes import PATIENCE, Process, eventually, free_port
from test_upstream import ask_truly

PORT = 71
WATCHDOG = 0.4  # seconds


@pytest.fixture
def manager(cleanup):
    """A manager's socket, with a name that every user may send to."""
    manager = cleanup.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    manager.bind(f"\0dotstub-test-{os.getpid()}-{free_port()}")
    manager.settimeout(PATIENCE)
    return manager


def variables(manager, **others):
    return {"NOTIFY_SOCKET": "@" + manager.getsockname()[1:].decode(), **others}


def heard(manager, seconds=PATIENCE):
    """The next notification, except those that store descriptors (test_restart)."""
    manager.settimeout(seconds)
    said = manager.recv(1000).decode()
    return heard(manager, seconds) if said.startswith("FDSTORE") else said


# Notifications.

@pytest.mark.threads
def test_ready_and_stopping(make_daemon, server, manager):
    daemon = make_daemon(server, variables=variables(manager), wait=False)
    assert heard(manager) == "READY=1"
    ask_truly(daemon, "a.example")
    daemon.stop()
    assert heard(manager) == "STOPPING=1"
    with pytest.raises(BlockingIOError):
        heard(manager, 0)


def test_a_start_that_fails_is_not_ready(make_daemon, server, manager, cleanup):
    port = free_port()
    taken = cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    taken.bind(("127.0.0.1", port))
    daemon = make_daemon(server, port=port, variables=variables(manager), wait=False)
    assert daemon.wait_exit() == PORT
    with pytest.raises(BlockingIOError):
        heard(manager, 0)


def test_a_manager_that_is_gone(make_daemon, server, manager):
    daemon = make_daemon(server, variables=variables(manager))
    manager.close()
    ask_truly(daemon, "a.example")
    daemon.stop()


@pytest.mark.threads
def test_heartbeats(make_daemon, server, manager):
    daemon = make_daemon(server, workers=2, variables=variables(manager, WATCHDOG_USEC=str(int(WATCHDOG * 1e6))))
    assert heard(manager) == "READY=1"
    for _ in range(8):
        assert heard(manager, PATIENCE) == "WATCHDOG=1"
    daemon.stop()


@contextlib.contextmanager
def stopped_thread(number):
    """Stops one thread within this context; the others of its process run."""
    seize, interrupt, detach = 0x4206, 0x4207, 17
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if ptrace(seize, number, None, None) < 0:
        pytest.skip(f"no tracing here: {os.strerror(ctypes.get_errno())}")
    ptrace(interrupt, number, None, None)
    os.waitpid(number, 0x40000000)  # __WALL
    try:
        yield
    finally:
        ptrace(detach, number, None, None)


def worker_threads(daemon):
    """Threads other than the main one that wait for events; those of libuv's pool wait for work."""
    tasks = pathlib.Path(f"/proc/{daemon.pid}/task")
    return [int(task.name) for task in tasks.iterdir() if int(task.name) != daemon.pid and "poll" in (task / "wchan").read_text()]


@pytest.mark.plain
def test_no_heartbeat_while_a_worker_hangs(make_daemon, server, manager):
    daemon = make_daemon(server, workers=2, variables=variables(manager, WATCHDOG_USEC=str(int(WATCHDOG * 1e6))))
    assert heard(manager) == "READY=1"
    assert heard(manager) == "WATCHDOG=1"
    eventually(lambda: len(worker_threads(daemon)) == 2, what="two idle workers")
    with stopped_thread(worker_threads(daemon)[0]):
        with pytest.raises(TimeoutError):
            for _ in range(5):
                heard(manager, 2 * WATCHDOG)
    assert heard(manager) == "WATCHDOG=1"


# Inherited sockets.

def bound(port, kinds=(socket.SOCK_DGRAM, socket.SOCK_STREAM), address="127.0.0.1"):
    made = []
    for kind in kinds:
        one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((address, port))
        if kind == socket.SOCK_STREAM:
            one.listen(5)
        made.append(one)
    return made


@pytest.fixture
def activate(server, certs, tmp_path, cleanup):
    """activate(sockets, workers=2, ...): a daemon that inherits these sockets."""
    def make(sockets, **config):
        path = write_config(tmp_path / "activated.yaml", {
            "upstreams": [server.upstream()], "tls": {"ca-file": str(certs.ca_file)},
            "control": {"socket": str(tmp_path / "control.sock")}, **config})
        copies = [os.dup(one.fileno()) for one in sockets]

        def hand_over():
            high = [os.dup2(copy, 100 + place) for place, copy in enumerate(copies)]
            for place, copy in enumerate(high):
                os.dup2(copy, 3 + place)

        child = Process(["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *PREFIX, str(BINARY), "--user", USER, "-c", str(path)],
                        env=environment(LISTEN_FDS=str(len(sockets))), close_fds=False, preexec_fn=hand_over)
        for copy in copies:
            os.close(copy)
        cleanup.callback(child.end)
        return child
    return make


@pytest.mark.threads
@pytest.mark.parametrize("workers", [1, 2])
def test_inherited_sockets_take_the_place_of_the_default(activate, cleanup, workers):
    """Queries sent before the start, or during a restart, wait in the socket for the daemon."""
    port = free_port()
    sockets = [cleanup.enter_context(one) for one in bound(port)]
    for start in range(2):
        with UdpClient("127.0.0.1", port) as udp, TcpClient("127.0.0.1", port) as tcp:
            udp.send(wire.query(f"udp{start}.example"))
            tcp.send(wire.query(f"tcp{start}.example"))
            child = activate(sockets, workers=workers)
            for client in (udp, tcp):
                assert wire.parse(client.receive(PATIENCE)).rcode() == 0
            child.wait_line("daemon: ready")
            assert [line.split(" on ")[1] for line in child.matching("daemon: listening on")] == [f"127.0.0.1@{port}, UDP and TCP"]
        assert child.end() == 0


def test_addresses_without_an_inherited_socket_are_bound(activate, cleanup):
    port, other = free_port(), free_port()
    sockets = [cleanup.enter_context(one) for one in bound(port)]
    child = activate(sockets, listen=[f"127.0.0.1@{port}", f"::1@{other}"])
    child.wait_line("daemon: ready")
    for address, at in (("127.0.0.1", port), ("::1", other)):
        with UdpClient(address, at) as udp, TcpClient(address, at) as tcp:
            assert udp.ask("a.example").rcode() == 0
            assert tcp.ask("a.example").rcode() == 0


@pytest.mark.parametrize("kinds, config, sentence", [
    ([socket.SOCK_DGRAM, socket.SOCK_STREAM], {"listen": ["127.0.0.1@1"]}, "which is not in `listen`"),
    ([socket.SOCK_DGRAM], {}, "no TCP socket for 127.0.0.1@"),
    ([socket.SOCK_DGRAM, socket.SOCK_DGRAM], {}, "two sockets of one kind for 127.0.0.1@"),
    ([socket.SOCK_STREAM], {}, "no UDP socket for 127.0.0.1@"),
])
def test_inherited_sockets_that_do_not_fit(activate, cleanup, kinds, config, sentence):
    sockets = [cleanup.enter_context(one) for one in bound(free_port(), kinds)]
    child = activate(sockets, **config)
    assert child.wait_exit() == PORT
    assert sentence in child.wait_line("error daemon")


def test_a_descriptor_that_is_not_a_socket(activate, cleanup):
    child = activate([cleanup.enter_context(open("/dev/null"))])
    assert child.wait_exit() == PORT
    assert "descriptor 3 of the service manager" in child.wait_line("error daemon")
