# SPDX-License-Identifier: MIT
"""A restart loses no query: the manager stores the sockets, and with cache.save the cache is loaded at once."""
import os
import socket
import threading

import pytest

import wire
from clients import TcpClient, UdpClient
from daemon import SLACK
from manager import Manager, Service
from processes import eventually
from test_ctl import ctl
from test_saved import saving  # noqa: F401
from test_upstream import ask_truly

NAME = "dotstub-listen"
RESTARTS = 5
RATE = 4000 // min(SLACK, 8)


@pytest.fixture
def manager(cleanup):
    manager = Manager()
    cleanup.callback(manager.close)
    return manager


@pytest.fixture
def service(make_daemon, server, manager):
    return Service(make_daemon, manager, server)


@pytest.mark.threads
def test_the_manager_stores_the_sockets(service, manager):
    """Queries sent while no daemon runs wait for the next one."""
    manager.wait_heard("READY=1")
    assert manager.names() == [NAME] * 4
    service.daemon.stop()
    with UdpClient("127.0.0.1", service.daemon.port) as udp, TcpClient("::1", service.daemon.port) as tcp:
        udp.send(wire.query("udp.example"))
        tcp.send(wire.query("tcp.example"))
        service.start()
        for client in (udp, tcp):
            assert wire.parse(client.receive()).rcode() == 0
    manager.wait_heard("READY=1", 2)
    assert manager.names() == [NAME] * 4, "stored twice, or not again"


@pytest.mark.parametrize("counts", [(1, 3), (3, 1), (3, 2)])
def test_the_number_of_workers_may_change(make_daemon, server, manager, counts):
    service = Service(make_daemon, manager, server, workers=counts[0])
    service.daemon.stop()
    clients = [UdpClient("127.0.0.1", service.daemon.port) for _ in range(20)]
    for number, client in enumerate(clients):  # their queries are in the queues of all sockets
        client.send(wire.query(f"n{number}.example"))
    service.start(workers=counts[1])
    for client in clients:
        assert wire.parse(client.receive()).rcode() == 0
        client.close()
    manager.wait_heard("READY=1", 2)
    assert len(manager.names()) == 4 * max(counts)
    assert len(service.daemon.matching("daemon: listening on")) == 2
    assert ctl(service.daemon, "status")


def test_addresses_may_change(make_daemon, server, manager):
    """Unused sockets are closed before others are bound, since an address and the wildcard exclude each other."""
    service = Service(make_daemon, manager, server, addresses=("127.0.0.1",))
    manager.wait_heard("READY=1")
    service.restart(addresses=("0.0.0.0",), access={"allow": ["127.0.0.0/8"]})
    ask_truly(service.daemon, "a.example")
    manager.wait_heard("READY=1", 2)
    assert manager.names() == [NAME] * 2
    assert {socket.socket(fileno=os.dup(fd)).getsockname()[0] for _, fd in manager.stored} == {"0.0.0.0"}


def test_a_manager_that_stores_nothing(make_daemon, server, manager):
    manager.keep = lambda name, fd: os.close(fd)
    service = Service(make_daemon, manager, server)
    service.restart()
    ask_truly(service.daemon, "a.example")


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_manager_that_stores_some_sockets(make_daemon, server, manager, kind):
    """UDP and TCP are independent: stored sockets are used, others are bound again."""
    keep = manager.keep
    manager.keep = lambda name, fd: keep(name, fd) if socket.socket(fileno=os.dup(fd)).type == kind else os.close(fd)
    service = Service(make_daemon, manager, server, workers=2)
    manager.wait_heard("READY=1")
    assert manager.names() == [NAME] * 4
    service.daemon.stop()
    with (UdpClient if kind == socket.SOCK_DGRAM else TcpClient)("127.0.0.1", service.daemon.port) as client:
        client.send(wire.query("a.example"))
        service.start()
        assert wire.parse(client.receive()).rcode() == 0
    ask_truly(service.daemon, "b.example")
    manager.wait_heard("READY=1", 2)
    assert manager.names() == [NAME] * 4


def test_an_unusable_stored_socket(make_daemon, server, manager, cleanup):
    """It is closed, so that its address can be bound."""
    for one in (socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)):
        manager.stored.append((NAME, one.detach()))
    service = Service(make_daemon, manager, server)
    ask_truly(service.daemon, "a.example")


# Under load.

class Asker(threading.Thread):
    """Sends queries over TCP, one after the other; if the connection ends, it sends the query again over a new one."""

    def __init__(self, port):
        super().__init__()
        self.port, self.over, self.answered, self.resent, self.wrong = port, False, 0, 0, []
        self.start()

    def run(self):
        client = None
        while not self.over:
            client = client or TcpClient("127.0.0.1", self.port)
            data = wire.query(f"n{self.answered % 100}.example")
            try:
                client.send(data)
                answer = client.receive()
            except ConnectionError:
                answer = None
            if answer is None:
                client.close()
                client, self.resent = None, self.resent + 1
                continue
            if answer[:2] != data[:2] or wire.parse(answer).rcode() != 0:
                self.wrong.append(answer)
            self.answered += 1
        if client:
            client.close()

    def end(self):
        self.over = True
        self.join()


@pytest.mark.alone
@pytest.mark.threads
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.whole), 2])
def test_restarts_under_load_lose_nothing(make_daemon, server, manager, saving, workers):  # noqa: F811
    """Each UDP query is one datagram and gets a response; each TCP query gets one after at most one new connection."""
    service = Service(make_daemon, manager, server, workers=workers, **saving)
    for number in range(100):
        service.daemon.ask(f"n{number}.example")
    load = service.daemon.load(queries=RATE * RESTARTS, distinct=5000, rate=RATE, name="u%u.example", connections=50, in_flight=20000,
                               patience=10000)
    askers = [Asker(service.daemon.port) for _ in range(4)]
    for restart in range(RESTARTS):  # the first restarts come during misses
        before = [asker.answered for asker in askers]
        eventually(lambda: all(asker.answered >= count + 100 for asker, count in zip(askers, before)), what="answers over TCP")
        service.restart()
    for asker in askers:
        asker.end()
        assert not asker.wrong and asker.answered > 100
        assert asker.resent <= RESTARTS
    result = load.result(120)
    assert result["good"] == result["sent"] and not result["stray"], result
    assert len(server.queries) < (100 + 5000) * 1.5, "cached names were queried again"  # some are hedged, more on a busy machine
