# SPDX-License-Identifier: MIT
"""Views: clients that get other routes and upstreams, by their network or by the interface that their queries come in on."""
import json

import dns.rcode
import pytest

import wire
from clients import TcpClient, UdpClient
from processes import eventually
from test_control import control
from test_ctl import USAGE, ctl
from test_reload import make_reloadable  # noqa: F401
from test_routes import names, servers, upstreams  # noqa: F401

KIDS, GUEST, BOSS = "127.0.2.1", "127.0.3.1", "127.0.2.7"
VIEWS = [{"name": "kids", "clients": ["127.0.2.0/24"], "upstreams": ["up1"]},
         {"clients": ["127.0.2.7", "2001:db8::/32"], "group": "work"}]
GROUPS = [{"name": "work", "upstreams": ["up2"]}]


def ask(daemon, source, name, rdtype="A"):
    with UdpClient("127.0.0.1", daemon.port, source=(source, 0)) as client:
        return client.ask(name, rdtype)


def trace(daemon, *arguments):
    return json.loads(ctl(daemon, "--json", "trace", *arguments))


def test_the_longest_network_decides(make_daemon, servers):  # noqa: F811
    daemon = make_daemon(*upstreams(servers), views=VIEWS, groups=GROUPS, log={"queries": True})
    for source, name in ("127.0.0.1", "a.example"), (KIDS, "b.example"), (BOSS, "c.example"), ("127.0.2.8", "d.example"), (GUEST, "e.example"):
        assert ask(daemon, source, name).rcode() == 0
    assert [names(server) for server in servers] == [{"a.example", "e.example"}, {"b.example", "d.example"}, {"c.example"}]
    daemon.wait_line("client=127.0.2.1 .*name=b.example.* view=kids ")
    daemon.wait_line("client=127.0.2.7 .*name=c.example.* view=127.0.2.7/32 ")
    assert not [line for line in daemon.log() if "name=a.example" in line and "view=" in line]
    assert "dotstub_queries_in_views_total 3\n" in control(daemon, "/metrics").body
    assert control(daemon, "/status").json["views"] == [{"name": "kids", "interface": None, "group": "view:kids"},
                                                         {"name": "127.0.2.7/32", "interface": None, "group": "work"}]


def test_responses_of_different_views_do_not_mix(make_daemon, servers):  # noqa: F811
    daemon = make_daemon(*upstreams(servers)[:2], views=VIEWS[:1])
    for source in "127.0.0.1", KIDS, "127.0.0.1", KIDS:
        ask(daemon, source, "a.example")
    assert [len(server.queries) for server in servers] == [1, 1, 0]


def test_views_without_difference_share_entries(make_daemon, servers):  # noqa: F811
    daemon = make_daemon(*upstreams(servers)[:2], forward=[{"zones": ["corp.example"], "upstreams": ["up1"]}],
                         views=[{"name": "same", "clients": ["127.0.2.0/24"], "upstreams": ["up0"]}, {"name": "none", "clients": ["127.0.3.0/24"]},
                                {"clients": ["127.0.4.0/24"], "inherit": False, "forward": [{"zones": ["corp.example"], "upstreams": ["up1"]}]}])
    for source in "127.0.0.1", KIDS, GUEST, "127.0.4.1":
        for name in "a.example", "b.corp.example":
            assert ask(daemon, source, name).rcode() == 0
    assert [len(server.queries) for server in servers] == [1, 1, 0]


def test_a_view_has_routes_of_its_own(make_daemon, servers):  # noqa: F811
    corp = {"zones": ["corp.example"], "upstreams": ["up1"]}
    daemon = make_daemon(*upstreams(servers), forward=[corp, {"zones": ["home.arpa"], "upstreams": ["up1"], "private": True}],
                         views=[{"name": "kids", "clients": ["127.0.2.0/24"],
                                 "forward": [{"zones": ["Corp.Example", "lab.example", "internal"], "upstreams": ["up2"], "private": True}]},
                                {"name": "guests", "clients": ["127.0.3.0/24"], "inherit": False}])
    for source, name in ((KIDS, "a.corp.example"), (KIDS, "b.lab.example"), (KIDS, "c.home.arpa"), (KIDS, "d.example"), (KIDS, "k.internal"),
                         ("127.0.0.1", "e.corp.example"), ("127.0.0.1", "f.lab.example"), (GUEST, "g.corp.example")):
        assert ask(daemon, source, name).rcode() == 0
    assert ask(daemon, "127.0.0.1", "l.internal").rcode() == dns.rcode.NXDOMAIN
    assert ask(daemon, GUEST, "h.home.arpa").rcode() == dns.rcode.NXDOMAIN
    assert names(servers[0]) == {"d.example", "f.lab.example", "g.corp.example"}
    assert names(servers[1]) == {"c.home.arpa", "e.corp.example"}
    assert names(servers[2]) == {"a.corp.example", "b.lab.example", "k.internal"}
    for source, zone in (KIDS, "corp.example"), (KIDS, "home.arpa"), ("127.0.0.1", "home.arpa"):
        answer = ask(daemon, source, zone, "DS")
        assert answer.rcode() == 0 and not answer.answer and answer.authority
    ask(daemon, "127.0.0.1", "corp.example", "DS")
    assert servers[0].queries[-1].name == "corp.example"


def test_a_trace_as_a_client(make_daemon, servers):  # noqa: F811
    daemon = make_daemon(*upstreams(servers)[:2], views=VIEWS[:1])
    assert trace(daemon, "a.example", "A")["view"] is None
    told = trace(daemon, "b.example", "A", KIDS)
    assert told["view"] == "kids" and told["lookup"]["view"] == "kids" and names(servers[1]) == {"b.example"}
    assert "view of the client" in ctl(daemon, "trace", "b.example", "A", KIDS)
    assert "not an IP address" in ctl(daemon, "trace", "b.example", "A", "kids", status=USAGE)
    assert trace(daemon, "c.example", "A", "192.0.2.1")["rcode"] == "REFUSED"
    servers[1].refuse()
    assert ask(daemon, KIDS, "d.example").rcode() == dns.rcode.SERVFAIL
    assert json.loads(ctl(daemon, "--json", "explain", "last-failed"))["records"][0]["view"] == "kids"
    assert "client of view kids" in ctl(daemon, "explain", "last-failed")


def test_a_reload_changes_views(make_reloadable, servers):  # noqa: F811
    daemon = make_reloadable(*upstreams(servers), views=VIEWS, groups=GROUPS)
    ask(daemon, KIDS, "a.example")
    daemon.reload(views=[], groups=[])
    ask(daemon, KIDS, "b.example")
    daemon.reload(views=[{"clients": ["127.0.2.0/24"], "upstreams": ["up2"]}])
    ask(daemon, KIDS, "a.example")
    assert [names(server) for server in servers] == [{"b.example"}, {"a.example"}, {"a.example"}]


# Interfaces.

def test_a_query_that_waits_while_views_are_renumbered_stays_in_its_own(make_reloadable, servers):  # noqa: F811
    more = {"log": {"queries": True}, "workers": 1}
    daemon = make_reloadable(*upstreams(servers)[:2], views=VIEWS[:1], **more)
    servers[1].silence = True
    with UdpClient("127.0.0.1", daemon.port, source=(KIDS, 0)) as client:
        client.send(wire.query("a.example"))
        servers[1].wait_for_queries("a.example")
        daemon.reload(views=[{"name": "first", "clients": [f"{GUEST}/32"], "upstreams": ["up0"]}, *VIEWS[:1]], **more)
        servers[1].silence = False
        servers[1].kill()
        assert wire.parse(client.receive()).rcode() == 0
    daemon.wait_line("client=127.0.2.1 .*name=a.example.* view=kids ")


@pytest.fixture
def networks(make_namespace):
    """A namespace with two networks, and one with a client in each of them."""
    home, outside = make_namespace().up(), make_namespace().up()
    connect(home, outside, 1)
    connect(home, outside, 2)
    return home, outside


def connect(home, outside, number):
    home.run("ip", "link", "add", f"lan{number}", "type", "veth", "peer", "name", f"far{number}", "netns", outside.holder.pid)
    for namespace, device, host in (home, f"lan{number}", 1), (outside, f"far{number}", 2):
        namespace.run("ip", "address", "add", f"10.{number}.0.{host}/24", "dev", device)
        namespace.run("ip", "address", "add", f"2001:db8:{number}::{host}/64", "dev", device, "nodad")
        namespace.run("ip", "link", "set", device, "up")


def ask_from(outside, daemon, address, name, kind=UdpClient):
    with kind(address, daemon.port, make=outside.socket) as client:
        return client.ask(name)


def test_the_interface_decides(make_daemon, make_server, networks):
    home, outside = networks
    servers = [make_server(namespace=home) for _ in range(2)]
    daemon = make_daemon(*upstreams(servers), namespace=home, port=5300, addresses=("127.0.0.1", "10.1.0.1", "10.2.0.1", "2001:db8:1::1", "2001:db8:2::1"),
                         access={"allow": ["127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"]},
                         views=[{"name": "second", "interface": "lan2", "upstreams": ["up1"]}, {"clients": ["10.9.0.0/16"], "upstreams": ["up1"]}])
    daemon.ask("a.example")
    for number, address in enumerate(("10.1.0.1", "2001:db8:1::1")):
        for kind in UdpClient, TcpClient:
            ask_from(outside, daemon, address, f"first{number}{kind.__name__}.example", kind)
    assert names(servers[1]) == set() and len(names(servers[0])) == 5
    for number, address in enumerate(("10.2.0.1", "2001:db8:2::1")):
        for kind in UdpClient, TcpClient:
            ask_from(outside, daemon, address, f"second{number}{kind.__name__}.example", kind)
    assert len(names(servers[0])) == 5 and len(names(servers[1])) == 4
    # The address of the other network does not make the client one of it.
    outside.run("ip", "route", "add", "10.1.0.1/32", "via", "10.2.0.1")
    ask_from(outside, daemon, "10.1.0.1", "other.example")
    assert "other.example" in names(servers[1])


def test_an_interface_that_is_made_anew(make_daemon, make_server, networks):
    home, outside = networks
    servers = [make_server(namespace=home) for _ in range(2)]
    daemon = make_daemon(*upstreams(servers), namespace=home, port=5300, addresses=("0.0.0.0",), access={"allow": ["127.0.0.0/8", "10.0.0.0/8"]},
                         views=[{"interface": "lan2", "upstreams": ["up1"]}])
    ask_from(outside, daemon, "10.2.0.1", "a.example")
    home.run("ip", "link", "delete", "lan2")
    connect(home, outside, 3)
    connect(home, outside, 2)
    count = iter(range(100))
    eventually(lambda: ask_from(outside, daemon, "10.2.0.1", f"b{next(count)}.example") and len(names(servers[1])) > 1)
    daemon.ask("c.example")
    assert "a.example" in names(servers[1]) and "c.example" in names(servers[0])
    assert control(daemon, "/status").json["views"][0]["name"] == "%lan2"


@pytest.mark.parametrize("kind", [UdpClient, TcpClient])
def test_a_reload_adds_an_interface(make_reloadable, make_server, networks, kind):  # noqa: F811
    home, outside = networks
    servers = [make_server(namespace=home) for _ in range(2)]
    daemon = make_reloadable(*upstreams(servers), namespace=home, port=5300, addresses=("127.0.0.1", "10.2.0.1",), access={"allow": ["127.0.0.0/8", "10.0.0.0/8"]})
    with kind("10.2.0.1", daemon.port, make=outside.socket) as client:
        client.ask("a.example")
        daemon.reload(views=[{"interface": "lan2", "upstreams": ["up1"]}])
        client.ask("b.example")
    assert [names(server) for server in servers] == [{"a.example"}, {"b.example"}]
