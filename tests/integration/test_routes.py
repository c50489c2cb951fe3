# SPDX-License-Identifier: MIT
"""Routes (forward) and groups: which upstreams get a name."""
import itertools

import dns.message
import dns.rcode
import dns.rdatatype
import pytest

import wire
from capture import Capture
from processes import Process, eventually
from test_control import control
from test_ctl import ctl
from test_reload import make_reloadable  # noqa: F401

ROUTED = {"role": "routed"}


@pytest.fixture
def servers(make_server):
    return [make_server() for _ in range(3)]


def upstreams(servers):
    """The first one for names without a route."""
    return [server.upstream(name=f"up{number}", **(ROUTED if number else {})) for number, server in enumerate(servers)]


def names(server):
    return {query.name.rstrip(".").lower() for query in server.queries}


def test_the_longest_zone_decides(make_daemon, servers):
    daemon = make_daemon(*upstreams(servers), forward=[{"zones": ["corp.example"], "upstreams": ["up1"]},
                                                       {"zones": ["Lab.Corp.example", "home.arpa", "10.in-addr.arpa"], "upstreams": ["up2"]}])
    for name in "a.example", "notcorp.example", "corp.example", "x.corp.example", "lab.corp.example", "y.lab.corp.example", "tv.home.arpa":
        daemon.ask(name)
    daemon.ask("1.0.0.10.in-addr.arpa", "PTR")
    assert daemon.ask("1.0.168.192.in-addr.arpa", "PTR").rcode() == dns.rcode.NXDOMAIN
    assert names(servers[0]) == {"a.example", "notcorp.example"}
    assert names(servers[1]) == {"corp.example", "x.corp.example"}
    assert names(servers[2]) == {"lab.corp.example", "y.lab.corp.example", "tv.home.arpa", "1.0.0.10.in-addr.arpa"}
    groups = {server["group"] for server in control(daemon, "/status").json["servers"]}
    assert groups == {"root", "forward:corp.example", "forward:Lab.Corp.example"}


def test_the_ds_of_a_zone_follows_its_parent(make_daemon, servers):
    daemon = make_daemon(*upstreams(servers)[:2], forward=[{"zones": ["corp.example"], "upstreams": ["up1"]}])
    daemon.ask("corp.example", "DS")
    daemon.ask("sub.corp.example", "DS")
    daemon.ask("corp.example", "DNSKEY")
    assert [query.name for query in servers[0].queries] == ["corp.example"]
    assert {query.name for query in servers[1].queries} == {"sub.corp.example", "corp.example"}


def test_a_private_zone_has_no_ds(make_daemon, servers):
    daemon = make_daemon(*upstreams(servers)[:2],
                         forward=[{"zones": ["corp.example", "internal"], "upstreams": ["up1"], "private": True}])
    for zone in "corp.example", "internal":
        answer = daemon.ask(zone, "DS")
        assert answer.rcode() == 0 and not answer.answer and answer.authority[0].rdtype == dns.rdatatype.SOA
    assert not servers[0].queries and not servers[1].queries
    daemon.ask("www.internal")
    assert names(servers[1]) == {"www.internal"}


def test_a_group_has_its_own_policy_and_its_failure_is_not_that_of_all(make_daemon, servers):
    servers[1].refuse()
    servers[2].refuse()
    daemon = make_daemon(*upstreams(servers), groups=[{"name": "work", "upstreams": ["up2", "up1"], "policy": "spread"}],
                         forward=[{"zones": ["corp.example"], "group": "work"}, {"zones": ["lab.example"], "group": "work"}])
    assert daemon.ask("a.example").rcode() == 0
    assert daemon.ask("a.corp.example").rcode() == dns.rcode.SERVFAIL
    assert not servers[0].queries or names(servers[0]) == {"a.example"}
    eventually(lambda: control(daemon, "/status").json["state"] == "reduced")
    metrics = control(daemon, "/metrics").body
    assert 'upstream="up1"' in metrics and 'group="work"' in metrics
    assert [line for line in metrics.splitlines() if line.startswith("dotstub_server_failing") and 'upstream="up0"' in line and "group" not in line]


def test_a_changed_route_does_not_serve_old_answers(make_reloadable, servers):  # noqa: F811
    daemon = make_reloadable(*upstreams(servers), forward=[{"zones": ["corp.example"], "upstreams": ["up1"]}])
    daemon.ask("a.corp.example")
    daemon.reload(forward=[{"zones": ["corp.example"], "upstreams": ["up2"]}])
    daemon.ask("a.corp.example")
    daemon.reload(forward=[])
    daemon.ask("a.corp.example")
    assert [names(server) for server in servers] == [{"a.corp.example"}] * 3


# Plain servers.

COMPANY = "10.0.0.53"


def dnsmasq(namespace, cleanup, address=COMPANY, zones="corp.example/10.in-addr.arpa", host="www.corp.example,10.1.2.3"):
    """The server of a company, over plain DNS."""
    server = Process([*namespace.prefix, "dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
                      f"--listen-address={address}", "--bind-interfaces", f"--local=/{zones}/", f"--host-record={host}",
                      *(f"--txt-record=large.corp.example,{str(number) * 200}" for number in range(10)), "--log-facility=-", "--local-ttl=60"])
    cleanup.callback(server.end)
    server.wait_line("started")
    return server


@pytest.fixture
def world(make_namespace):
    return make_namespace().up("192.0.2.1", COMPANY)


@pytest.fixture
def company(world, cleanup):
    return dnsmasq(world, cleanup)


def in_plain(packets):
    """The names in queries to the company, and all packets that are neither of a client nor to one of the two servers."""
    names, others = set(), []
    for packet in packets:
        if packet.source in ("127.0.0.1", "::1") and packet.target == packet.source or 853 in (packet.source_port, packet.target_port):
            continue
        if COMPANY not in (packet.source, packet.target) or packet.protocol not in ("udp", "tcp"):
            others.append(packet)
        elif packet.target == COMPANY and len(packet.payload) > 14:
            messages = wire.frames(bytearray(packet.payload)) if packet.protocol == "tcp" else [packet.payload]
            names |= {str(dns.message.from_wire(message).question[0].name).lower() for message in messages}
    return names, others


def test_a_company_server_gets_its_names_and_no_others(make_daemon, make_server, world, company):
    public = make_server(address="192.0.2.1", port=853, namespace=world)
    capture = Capture(world)
    daemon = make_daemon(public, namespace=world,
                         forward=[{"zones": ["corp.example", "10.in-addr.arpa"], "to": [COMPANY], "plain": True, "private": True}])
    assert [str(data) for data in daemon.ask("www.corp.example").answer[0]] == ["10.1.2.3"]
    assert str(daemon.ask("3.2.1.10.in-addr.arpa", "PTR").answer[0][0]) == "www.corp.example."
    assert daemon.ask("no.corp.example").rcode() == dns.rcode.NXDOMAIN
    daemon.ask("sub.corp.example", "DS")
    assert len(daemon.ask("large.corp.example", "TXT", tcp=True).answer[0]) == 10  # truncated over UDP
    assert "group forward:corp.example" in ctl(daemon, "trace", "www.corp.example")
    for name in "a.example", "corp.example.org", "notcorp.example", "example", "www.corp.example.internal", "x.home.arpa":
        daemon.ask(name)
    for name in "corp.example", "example":
        daemon.ask(name, "DS")
    stats = control(daemon, "/stats").json["counters"]
    assert stats["plain_refused"] == 0
    assert "NOT encrypted, for corp.example" in ctl(daemon, "status")
    daemon.stop()
    names, others = in_plain(capture.stop(world))
    assert names == {"www.corp.example.", "3.2.1.10.in-addr.arpa.", "no.corp.example.", "sub.corp.example.",
                     "large.corp.example."} and not others


def test_two_routes_to_one_server(make_daemon, make_server, world, company):
    public = make_server(address="192.0.2.1", port=853, namespace=world)
    daemon = make_daemon(public, namespace=world, forward=[{"zones": ["corp.example"], "to": [COMPANY], "plain": True},
                                                           {"zones": ["10.in-addr.arpa"], "to": [COMPANY], "plain": True}])
    assert daemon.ask("www.corp.example").rcode() == 0
    assert str(daemon.ask("3.2.1.10.in-addr.arpa", "PTR").answer[0][0]) == "www.corp.example."
    assert control(daemon, "/stats").json["counters"]["plain_refused"] == 0


def test_names_of_a_company_that_fails_go_nowhere_else(make_daemon, make_server, world, company):
    public = make_server(address="192.0.2.1", port=853, namespace=world)
    daemon = make_daemon(public, namespace=world, forward=[{"zones": ["corp.example"], "to": [COMPANY], "plain": True}])
    daemon.ask("www.corp.example")
    company.end()
    assert daemon.ask("www2.corp.example").rcode() == dns.rcode.SERVFAIL
    assert daemon.ask("www.corp.example").rcode() == 0  # from the cache
    assert not public.queries


@pytest.mark.parametrize("private", [True, False], ids=["private", "public"])
def test_a_route_by_an_interface_waits_for_it(make_daemon, make_server, make_namespace, cleanup, private):
    """While it is down a private route fails, and without another one other upstreams are asked. The same address is reachable by another interface as well, which must not be used."""
    home, away, elsewhere = make_namespace().up("192.0.2.1"), make_namespace().up(), make_namespace().up()
    public = make_server(address="192.0.2.1", port=853, namespace=home)

    def connect(name, other):
        home.run("ip", "link", "add", name, "type", "veth", "peer", "name", "srv0", "netns", other.holder.pid)
        other.run("ip", "address", "add", f"{COMPANY}/24", "dev", "srv0")
        other.run("ip", "link", "set", "srv0", "up")
        home.run("ip", "address", "add", "10.0.0.1/24", "dev", name)
        home.run("ip", "link", "set", name, "up")

    connect("lan0", elsewhere)
    dnsmasq(elsewhere, cleanup)
    daemon = make_daemon(public, namespace=home,
                         forward=[{"zones": ["corp.example"], "to": [COMPANY], "plain": True, "interface": "vpn0", "private": private}])

    def asked_of(name):
        """Whether it is the company or the public server that is asked for a new name; None: neither."""
        answer = daemon.ask(f"{name}.corp.example")
        if answer.rcode() == dns.rcode.SERVFAIL:
            return None
        return public if f"{name}.corp.example" in names(public) else COMPANY

    def in_force():
        return [route["in_force"] for route in control(daemon, "/forward").json["routes"]]

    elsewhere_asked = None if private else public
    assert asked_of("before") == elsewhere_asked and in_force() == [private]
    connect("vpn0", away)
    dnsmasq(away, cleanup)
    new = itertools.count()  # a name that was asked of the public server stays in its list
    eventually(lambda: asked_of(f"new{next(new)}") == COMPANY)
    assert in_force() == [True] and wire.addresses(daemon.ask("www.corp.example")) == ["10.1.2.3"]
    home.run("ip", "link", "delete", "vpn0")
    eventually(lambda: in_force() == [private])
    assert asked_of("after") == elsewhere_asked
    assert daemon.ask("a.example").rcode() == 0
    assert not private or names(public) == {"a.example"}


def test_a_single_label_with_a_route_is_not_refused(make_daemon, servers):
    daemon = make_daemon(*upstreams(servers)[:2], forward=[{"zones": ["lan"], "upstreams": ["up1"]}], **{"single-label": "refuse"})
    assert daemon.ask("lan").rcode() != dns.rcode.REFUSED
    assert daemon.ask("printer").rcode() == dns.rcode.REFUSED
    assert names(servers[1]) == {"lan"} and not servers[0].queries
