# SPDX-License-Identifier: MIT
"""fwmark of upstreams: packets with the mark take another route."""
import dns.rcode
import pytest

import daemon as dotstub
from processes import eventually
from test_control import control
from test_reload import make_reloadable  # noqa: F401

MARK = 0x7007


@pytest.fixture
def world(make_namespace):
    """A network in which only packets with the mark reach 192.0.2.9."""
    home, far = make_namespace().up(), make_namespace().up("192.0.2.9")
    home.run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "in0", "netns", far.holder.pid)
    for namespace, name, address in (home, "out0", "10.0.0.1/24"), (far, "in0", "10.0.0.2/24"):
        namespace.run("ip", "address", "add", address, "dev", name)
        namespace.run("ip", "link", "set", name, "up")
    home.run("ip", "rule", "add", "fwmark", MARK, "lookup", 100)
    home.run("ip", "route", "add", "192.0.2.9", "via", "10.0.0.2", "table", 100)
    return home, far


@pytest.fixture
def server(make_server, world):
    return make_server(address="192.0.2.9", port=853, namespace=world[1])


def capabilities(daemon):
    facts = daemon.facts()
    return {int(facts[name], 16) for name in ("CapEff", "CapPrm")}, int(facts["CapBnd"], 16), int(facts["CapAmb"], 16)


def test_marked_packets_take_their_route(make_daemon, world, server):
    daemon = make_daemon(server.upstream(fwmark=MARK), namespace=world[0])
    assert daemon.ask("a.example").rcode() == 0
    # CAP_NET_RAW, or CAP_NET_ADMIN of older kernels, and nothing else.
    own, bounding, ambient = capabilities(daemon)
    assert own <= {1 << 13, 1 << 12} and len(own) == 1 and bounding == ambient == 0
    assert control(daemon, "/status").json["sandbox"]["system_calls"] or dotstub.FLAVOUR != "plain"  # which forbids raw sockets; sanitizers need more


def test_without_a_mark_nothing_is_kept(make_daemon, world, server):
    daemon = make_daemon(server.upstream(), namespace=world[0])
    assert daemon.ask("a.example").rcode() == dns.rcode.SERVFAIL
    assert capabilities(daemon) == ({0}, 0, 0)


def test_without_the_capability_check_says_so(tmp_path, server):
    file = dotstub.write_config(tmp_path / "dotstub.yaml", {"upstreams": [server.upstream(fwmark=MARK)]})
    assert dotstub.run("--check", "-c", file).returncode == 0
    done = dotstub.run("--check", "-c", file, prefix=["setpriv", "--bounding-set=-all", "--inh-caps=-all"])
    assert done.returncode == 78
    assert "upstream liar: fwmark needs the capability CAP_NET_RAW" in done.stderr and str(file) in done.stderr


def test_a_reload_cannot_add_the_capability(make_reloadable, world, server):  # noqa: F811
    daemon = make_reloadable(server, namespace=world[0])
    daemon.write(upstreams=[server.upstream(fwmark=MARK)])
    daemon.hang_up()
    daemon.wait_line("fwmark needs the capability")
    daemon.wait_line("the previous one stays in force")
    eventually(lambda: control(daemon, "/status").json["configuration"]["last_reload"] == "failed")


def test_a_change_of_the_marked_route_ends_its_sessions(make_daemon, world, server):
    home, far = world
    home.run("ip", "link", "add", "out1", "type", "veth", "peer", "name", "in1", "netns", far.holder.pid)
    for namespace, name, address in (home, "out1", "10.1.0.1/24"), (far, "in1", "10.1.0.2/24"):
        namespace.run("ip", "address", "add", address, "dev", name)
        namespace.run("ip", "link", "set", name, "up")
    daemon = make_daemon(server.upstream(fwmark=MARK), namespace=home)
    assert daemon.ask("a.example").rcode() == 0
    home.run("ip", "route", "replace", "192.0.2.9", "via", "10.1.0.2", "table", 100)
    daemon.wait_line("the network changed: replacing sessions whose route changed")
    assert daemon.ask("b.example").rcode() == 0
    assert len(server.connections) == 2
