# SPDX-License-Identifier: MIT
"""Upstreams with a host in place of addresses."""
import os
import pathlib
import pwd
import socket
import struct

import dns.message
import dns.rcode
import pytest

import wire
import zone
from capture import Capture
from daemon import USER
from processes import Process, eventually
from test_control import control
from test_json import Contract
from test_ctl import ctl
from test_reload import make_reloadable  # noqa: F401
from test_routes import names

HOST = "dns.google"  # of the certificates
PLAIN = "10.0.0.53"


@pytest.fixture
def world(make_namespace):
    return make_namespace().up("192.0.2.1", "192.0.2.2", "192.0.2.3", PLAIN)


@pytest.fixture
def boot(make_server, world):
    """Looks up the host."""
    return make_server(address="192.0.2.1", port=853, namespace=world)


@pytest.fixture
def hidden(make_server, world):
    """The upstream whose address must be looked up."""
    return make_server(address="192.0.2.2", port=853, namespace=world)


def addresses(*texts, ttl=300, types=(zone.A, zone.AAAA)):
    """A twist: the host has these addresses."""
    def twist(query, truth):
        if query.name.rstrip(".").lower() != HOST or query.type not in types:
            return [truth] if query.name.rstrip(".").lower() != HOST else []
        family = socket.AF_INET if query.type == zone.A else socket.AF_INET6
        data = [socket.inet_pton(family, text) for text in texts if (":" in text) == (family == socket.AF_INET6)]
        records = b"".join(wire.rr(HOST, query.type, each, ttl) for each in data)
        head = struct.pack("!6H", query.question.id, wire.QR | wire.RD | wire.RA, 1, len(data), 0 if data else 1, 0)
        return [head + wire.question_section(query.data) + (records or zone.soa())]
    return twist


def upstreams(boot, **settings):
    return [boot.upstream(name="boot", role="routed"), {"name": "hidden", "host": HOST, "bootstrap": ["boot"], **settings}]


def hosts(daemon):
    return control(daemon, "/status").json["hosts"]


def test_the_first_query_waits_for_the_address(make_daemon, world, boot, hidden):
    with boot.lying(twist=addresses("192.0.2.2"), delay=0.3):
        daemon = make_daemon(*upstreams(boot), namespace=world)
        assert daemon.ask("a.example").rcode() == 0
    assert names(hidden) == {"a.example"} and names(boot) == {HOST}
    assert {query.type for query in boot.queries} == {zone.A, zone.AAAA}
    state = hosts(daemon)[0]
    assert state["host"] == HOST and state["addresses"] == ["192.0.2.2"] and state["upstream"] == "hidden"
    assert state["last_error"] is None and state["resolved_s_ago"] <= 2 and 200 < state["next_s"] <= 270
    assert f"{HOST} is 192.0.2.2" in ctl(daemon, "status")
    contract = Contract()
    contract.check("status", ctl(daemon, "--json", "status"))
    assert [name for name in contract.unseen("status") if name.startswith("hosts")] == ["hosts[].last_error"]
    counters = control(daemon, "/stats").json["counters"]
    assert counters["bootstrap_lookups"] == 2 and counters["bootstrap_plain"] == 0


def test_an_address_of_another_server_is_not_trusted(make_daemon, make_server, certs, world, boot):
    other = make_server(certs.bad("wrong-name"), address="192.0.2.3", port=853, namespace=world)
    with boot.lying(twist=addresses("192.0.2.3")):
        daemon = make_daemon(*upstreams(boot), namespace=world)
        assert daemon.ask("a.example").rcode() == dns.rcode.SERVFAIL
    assert not other.queries


def test_addresses_that_no_server_has_are_ignored(make_daemon, world, boot, hidden):
    with boot.lying(twist=addresses("127.0.0.1", "0.0.0.0", "224.0.0.1", "192.0.2.2", "::1", "fe80::1", "ff02::1")):
        daemon = make_daemon(*upstreams(boot), namespace=world)
        assert daemon.ask("a.example").rcode() == 0
    assert hosts(daemon)[0]["addresses"] == ["192.0.2.2"]


def dnsmasq(world, cleanup, *options):
    server = Process([*world.prefix, "dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
                      f"--listen-address={PLAIN}", "--bind-interfaces", "--log-facility=-", "--local-ttl=60", *options])
    cleanup.callback(server.end)
    server.wait_line("started")
    return server


def plain_names(packets):
    """The names in queries to the plain server, over UDP and TCP."""
    found = set()
    for packet in packets:
        if packet.target == PLAIN and packet.target_port == 53 and len(packet.payload) > 12:
            messages = wire.frames(bytearray(packet.payload)) if packet.protocol == "tcp" else [packet.payload]
            found |= {str(dns.message.from_wire(message).question[0].name).lower() for message in messages}
    return found


def test_a_plain_server_gets_this_name_alone(make_daemon, world, hidden, cleanup):
    dnsmasq(world, cleanup, f"--host-record={HOST},192.0.2.2,2001:db8::2")
    capture = Capture(world)
    daemon = make_daemon({"name": "hidden", "host": HOST, "bootstrap": [PLAIN]}, namespace=world)
    for name in "a.example", f"www.{HOST}", HOST:
        daemon.ask(name)
    assert hosts(daemon)[0]["addresses"] == ["192.0.2.2", "2001:db8::2"] and hosts(daemon)[0]["plain"]
    assert names(hidden) == {"a.example", f"www.{HOST}", HOST}
    counters = control(daemon, "/stats").json["counters"]
    assert counters["bootstrap_plain"] == 2 and counters["plain_refused"] == 0
    daemon.stop()
    assert plain_names(capture.stop(world)) == {f"{HOST}."}


def test_a_failed_lookup_is_repeated(make_daemon, world, boot, hidden):
    boot.refuse()
    daemon = make_daemon(*upstreams(boot), namespace=world)
    daemon.wait_line(f"cannot look up {HOST}")
    answer = daemon.ask("a.example", edns=True)
    assert answer.rcode() == dns.rcode.SERVFAIL and "no address of the upstream is known" in str(answer)
    assert hosts(daemon)[0]["last_error"] and not hosts(daemon)[0]["addresses"]
    boot.twist = addresses("192.0.2.2")
    boot.restore()
    eventually(lambda: daemon.ask("b.example").rcode() == 0)


@pytest.fixture
def state(public_path):
    folder = public_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
    return folder


def test_a_start_needs_no_bootstrap_once_the_address_is_saved(make_daemon, make_server, world, boot, hidden, state):
    saving = {"save-file": str(state / "cache")}
    with boot.lying(twist=addresses("192.0.2.2")):
        first = make_daemon(*upstreams(boot), namespace=world, cache=saving)
        assert first.ask("a.example").rcode() == 0
        first.stop()
    assert (state / "hosts").stat().st_mode & 0o777 == 0o600
    boot.refuse()
    second = make_daemon(*upstreams(boot), namespace=world, cache=saving)
    assert second.ask("b.example").rcode() == 0
    second.wait_line("its latest addresses stay in use")
    assert hosts(second)[0]["addresses"] == ["192.0.2.2"] and hosts(second)[0]["resolved_s_ago"] is None
    assert "192.0.2.2, from the saved state" in ctl(second, "status", status=2)
    # Sessions to an address that stays are kept.
    make_server(address="192.0.2.3", port=853, namespace=world)
    boot.twist = addresses("192.0.2.2", "192.0.2.3")
    boot.restore()
    eventually(lambda: hosts(second)[0]["addresses"] == ["192.0.2.2", "192.0.2.3"])
    assert second.ask("c.example").rcode() == 0
    assert len({query.connection for query in hidden.queries_for("b.example") + hidden.queries_for("c.example")}) == 1
    second.stop()
    (state / "hosts").chmod(0o644)
    boot.refuse()
    third = make_daemon(*upstreams(boot), namespace=world, cache=saving)
    assert "of another user, or accessible to others" in third.wait_line(r"ignoring .*/hosts")


def test_a_chain_of_hosts_and_a_reload(make_reloadable, certs, world, boot, hidden, make_server):  # noqa: F811
    """The second host is looked up through the first one."""
    last = make_server(address="192.0.2.3", port=853, namespace=world)
    chain = [boot.upstream(name="boot", role="routed"), {"name": "middle", "host": HOST, "bootstrap": ["boot"], "role": "routed"},
             {"name": "last", "host": HOST, "bootstrap": ["middle"]}]
    boot.twist, hidden.twist = addresses("192.0.2.2"), addresses("192.0.2.3")
    daemon = make_reloadable(*chain, namespace=world)
    assert daemon.ask("a.example").rcode() == 0
    assert names(last) == {"a.example"} and names(hidden) == names(boot) == {HOST}
    daemon.reload(upstreams=[chain[0], {"name": "last", "host": HOST, "bootstrap": ["boot"]}])
    assert daemon.ask("b.example").rcode() == 0
    assert names(last) == {"a.example", "b.example"}
    assert [each["upstream"] for each in hosts(daemon)] == ["last"]
