# SPDX-License-Identifier: MIT
"""Interfaces that come, go, are made anew and change their addresses, while the daemon runs."""
import time

import pytest

from daemon import SLACK
from processes import eventually

PATIENCE = 3 + 2 * SLACK  # seconds from the event


def interface(namespace, name, *addresses):
    namespace.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
    for end in (name, f"{name}-peer"):
        namespace.run("ip", "link", "set", end, "up")
    for address in addresses:
        namespace.run("ip", "address", "add", address, "dev", name, *(["nodad"] if ":" in address else []))


def asks(namespace, address, port=53, tcp=False):
    """True if the daemon answers its health name there."""
    done = namespace.run("dig", f"@{address}", "-p", port, "health.check", "A", "+short", "+tries=1", "+timeout=1",
                         *(["+tcp"] if tcp else []), check=False)
    return done.stdout == "127.0.0.1\n"


@pytest.fixture
def lan(make_namespace):
    return make_namespace().up()


@pytest.fixture
def listens(make_daemon, lan):
    """listens(*addresses, ...): a daemon with this `listen`."""
    def make(*addresses, **options):
        upstream = {"name": "nobody", "tls-name": "dns.google", "addresses": ["192.0.2.1"]}
        return make_daemon(upstream, namespace=lan, listen=list(addresses), access={"allow": ["0.0.0.0/0", "::/0"]},
                           health={"name": "health.check"}, **options)
    return make


def answers_soon(namespace, address, **options):
    begun = time.monotonic()
    eventually(lambda: asks(namespace, address, **options), what=f"an answer from {address}")
    assert time.monotonic() - begun < PATIENCE


@pytest.mark.parametrize("workers", [1, 3])
def test_a_link_local_address_on_an_interface_that_comes_later_and_is_made_anew(listens, lan, workers):
    daemon = listens("127.0.0.1", "fe80::53%lan0", workers=workers)
    assert asks(lan, "127.0.0.1")
    assert daemon.matching("warning daemon: not listening on fe80::53%lan0@53 yet: no such interface")
    for round in 1, 2:
        interface(lan, "lan0", "fe80::53/64")
        answers_soon(lan, "fe80::53%lan0")
        assert asks(lan, "fe80::53%lan0", tcp=True)
        lan.run("ip", "link", "delete", "lan0")
        daemon.wait_line(r"not listening on fe80::53%lan0@53, TCP, any more", times=round)
    assert asks(lan, "127.0.0.1")


def test_an_interface_stands_for_its_addresses(listens, lan):
    interface(lan, "lan0", "192.0.2.10/24", "2001:db8::10/64")
    interface(lan, "lan1", "198.51.100.10/24")
    daemon = listens("%lan0")
    assert asks(lan, "192.0.2.10") and asks(lan, "2001:db8::10") and not asks(lan, "198.51.100.10")
    lan.run("ip", "address", "add", "192.0.2.11/32", "dev", "lan0")
    answers_soon(lan, "192.0.2.11")
    lan.run("ip", "address", "delete", "192.0.2.10/24", "dev", "lan0")
    daemon.wait_line(r"not listening on 192.0.2.10@53, (UDP|TCP), any more", times=2)
    answers_soon(lan, "192.0.2.11")
    lan.run("ip", "link", "delete", "lan0")
    daemon.wait_line(r"not listening on 192.0.2.11@53, (UDP|TCP), any more", times=2)
    interface(lan, "lan0", "203.0.113.1/24")
    answers_soon(lan, "203.0.113.1")


def test_an_interface_may_be_missing_at_the_start(listens, lan):
    daemon = listens("%vpn0")
    assert daemon.matching("warning daemon: not listening on %vpn0@53 yet: no address")
    interface(lan, "vpn0", "192.0.2.10/24")
    answers_soon(lan, "192.0.2.10")


def test_wildcards_leave_interfaces_out(listens, lan):
    interface(lan, "lan0", "192.0.2.10/24")
    interface(lan, "docker0", "198.51.100.10/24")
    daemon = listens("0.0.0.0", "::", **{"listen-except": ["docker0"]})
    assert asks(lan, "127.0.0.1") and asks(lan, "::1") and asks(lan, "192.0.2.10")
    assert not asks(lan, "198.51.100.10")
    lan.run("ip", "address", "add", "198.51.100.11/24", "dev", "docker0")
    lan.run("ip", "address", "add", "192.0.2.11/32", "dev", "lan0")
    answers_soon(lan, "192.0.2.11")
    assert not asks(lan, "198.51.100.11")
    with lan.socket() as other:  # the port is free for another program there
        other.bind(("198.51.100.10", 53))
    assert daemon.running


def test_an_address_that_is_in_use_later_is_waited_for(listens, lan):
    daemon = listens("127.0.0.1", "%lan0")
    other = lan.socket()
    other.setsockopt(0, 15, 1)  # IP_FREEBIND
    other.bind(("192.0.2.10", 53))
    other.listen()
    interface(lan, "lan0", "192.0.2.10/24")
    daemon.wait_line("cannot listen on 192.0.2.10@53: .*in use")
    other.close()
    answers_soon(lan, "192.0.2.10", tcp=True)


def test_queries_that_wait_end_with_their_listener(make_daemon, lan, make_server):
    """The response has no socket to leave by; the counters stay consistent."""
    interface(lan, "lan0", "192.0.2.10/24")
    server = make_server(address="127.0.0.1", namespace=lan)
    daemon = make_daemon(server, namespace=lan, listen=["127.0.0.1", "%lan0"], access={"allow": ["0.0.0.0/0"]})
    server.silence = True
    lan.run("dig", "@192.0.2.10", "waits.example", "+tries=1", "+timeout=1", check=False)
    server.wait_for_queries("waits.example")
    lan.run("ip", "link", "delete", "lan0")
    daemon.wait_line(r"not listening on 192.0.2.10@53, UDP, any more")
    assert daemon.running


def test_an_address_that_nobody_has_is_said(listens, lan):
    """It may come later, or be mistyped."""
    interface(lan, "lan0", "192.0.2.10/24")
    daemon = listens("127.0.0.2", "192.0.2.10", "192.0.2.11", "2001:db8::11")
    for address in "192.0.2.11", "2001:db8::11":
        assert daemon.matching(f"info daemon: listening on {address}@53, UDP and TCP; this machine does not have the address yet$")
    for address in "127.0.0.2", "192.0.2.10":
        assert daemon.matching(f"info daemon: listening on {address}@53, UDP and TCP$")
    lan.run("ip", "address", "add", "192.0.2.11/32", "dev", "lan0")
    answers_soon(lan, "192.0.2.11")


def test_without_ipv6_a_configured_address_is_waited_for(make_namespace, make_daemon):
    namespace = make_namespace().without_ipv6().up()
    daemon = make_daemon({"name": "x", "tls-name": "dns.google", "addresses": ["8.8.8.8"]}, namespace=namespace,
                         listen=["127.0.0.1", "::1"], health={"name": "health.check"})
    assert daemon.matching("warning daemon: not listening on ::1@53 yet") and asks(namespace, "127.0.0.1")
    namespace.run("sh", "-c", "for file in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 0 >$file; done")
    answers_soon(namespace, "::1")


def test_an_upstream_on_an_interface_that_is_made_anew(make_namespace, make_server, make_daemon):
    home, away = make_namespace().up(), make_namespace().up()
    server = make_server(address="::", namespace=away)

    def connect():
        home.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "srv0", "netns", away.holder.pid)
        home.run("ip", "link", "set", "lan0", "up")
        home.run("ip", "address", "add", "fe80::2/64", "dev", "lan0", "nodad")
        away.run("ip", "link", "set", "srv0", "up")
        away.run("ip", "address", "add", "fe80::53/64", "dev", "srv0", "nodad")

    upstream = {"name": "router", "tls-name": "dns.google", "addresses": ["fe80::53%lan0"], "port": server.port,
                "source": "fe80::2%lan0"}
    daemon = make_daemon(upstream, namespace=home)
    assert daemon.ask("before.example").rcode() == 2
    for _ in range(2):
        connect()
        begun = time.monotonic()
        eventually(lambda: daemon.ask(f"n{time.monotonic()}.example").rcode() == 0, what="an answer")
        assert time.monotonic() - begun < PATIENCE
        home.run("ip", "link", "delete", "lan0")
