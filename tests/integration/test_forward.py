# SPDX-License-Identifier: MIT
"""Routes at run time: dotstubctl forward."""
import os
import pathlib
import pwd
import re
import signal
import subprocess
import textwrap
import time

import dns.rcode
import pytest
import yaml

from capture import Capture
from daemon import PREFIX, USER
from processes import eventually
from test_control import control, post
from test_ctl import CTL, ctl
from test_reload import make_reloadable  # noqa: F401
from test_routes import COMPANY, ROUTED, dnsmasq, in_plain
from test_saved import saving  # noqa: F401
from test_upgrade import TITLE, connect as connect_as_successor, ended, make_public, take_over  # noqa: F401

USAGE, CONFIGURATION = 64, 78


@pytest.fixture
def world(make_namespace):
    """A machine with a public resolver, and a company that is reached by vpn0 once `connect` has run."""
    return make_namespace().up("192.0.2.1")


@pytest.fixture
def public(make_server, world):
    return make_server(address="192.0.2.1", port=853, namespace=world)


@pytest.fixture
def connect(world, make_namespace, cleanup):
    """connect(): brings vpn0 up, with the company's server behind it."""
    def make(name="vpn0"):
        company = make_namespace().up()
        world.run("ip", "link", "add", name, "type", "veth", "peer", "name", "srv0", "netns", company.holder.pid)
        company.run("ip", "address", "add", f"{COMPANY}/24", "dev", "srv0")
        company.run("ip", "link", "set", "srv0", "up")
        world.run("ip", "address", "add", "10.0.0.1/24", "dev", name)
        world.run("ip", "link", "set", name, "up")
        return dnsmasq(company, cleanup)
    return make


def routes(daemon):
    """By their zones, without the dots at their ends."""
    return {",".join(zone.rstrip(".") for zone in route["zones"]): route for route in control(daemon, "/forward").json["routes"]}


def address(daemon, name="www.corp.example"):
    """The address in the response; None: SERVFAIL, False: any other response without one."""
    answer = daemon.ask(name)
    if answer.rcode() == dns.rcode.SERVFAIL:
        return None
    return str(answer.answer[0][0]) if answer.answer else False


def names(server):
    return {query.name.rstrip(".").lower() for query in server.queries}


def multicast(packet):
    return packet.target.startswith(("ff", "224."))


# Adding and removing.

def test_a_route_for_a_vpn(make_daemon, public, world, connect):
    """Nobody gets a name of the other: before, while and after the route exists."""
    capture = Capture(world, interface="")
    daemon = make_daemon(public, namespace=world, workers=2)
    assert address(daemon, "host.corp.example") != "10.1.2.3"
    assert address(daemon) != "10.1.2.3"
    connect()
    said = ctl(daemon, "forward", "add", "corp.example", "10.in-addr.arpa", COMPANY, "--plain", "--interface", "vpn0")
    assert said.startswith("added corp.example.\nadded 10.in-addr.arpa.\n") and "\n2 entries flushed\n" in said
    public.forget()
    for _ in range(4):
        assert address(daemon) == "10.1.2.3"
    assert str(daemon.ask("3.2.1.10.in-addr.arpa", "PTR").answer[0][0]) == "www.corp.example."
    assert address(daemon, "a.example")
    assert names(public) == {"a.example"}
    listed = ctl(daemon, "forward", "list")
    assert re.search(r"corp\.example\., ?10\.in-addr\.arpa\. +10\.0\.0\.53@53 +NOT encrypted +vpn0 +run time", listed), listed
    assert "corp.example" in ctl(daemon, "status")
    said = ctl(daemon, "forward", "remove", "Corp.example.", "10.in-addr.arpa")
    assert said.startswith("removed corp.example.\nremoved 10.in-addr.arpa.\n")
    public.forget()
    assert address(daemon) not in ("10.1.2.3", None)
    assert names(public) == {"www.corp.example"}
    assert ctl(daemon, "forward", "list").startswith("no routes")
    daemon.stop()
    sent, others = in_plain(capture.stop(world))
    assert sent == {"www.corp.example.", "3.2.1.10.in-addr.arpa."} 
    assert not [packet for packet in others if packet.protocol in ("tcp", "udp") and not multicast(packet)]


def test_a_route_added_again_does_not_revive_answers(make_daemon, make_server):
    servers = [make_server() for _ in range(2)]
    daemon = make_daemon(servers[0].upstream(name="up0"), servers[1].upstream(name="up1", **ROUTED))
    for _ in range(3):
        for server in servers:
            server.forget()
        ctl(daemon, "forward", "add", "corp.example", "up1")
        daemon.ask("a.corp.example")
        daemon.ask("a.corp.example")
        ctl(daemon, "forward", "remove", "corp.example")
        daemon.ask("a.corp.example")
        assert [len(server.queries) for server in servers] == [1, 1]
    ctl(daemon, "forward", "add", "corp.example", "up1", "--for", "1h")
    daemon.ask("a.corp.example")
    sessions = len(servers[1].connections)
    said = ctl(daemon, "forward", "add", "corp.example", "up1", "--for", "2h")  # as it is: only its time changes
    assert "for 2" in said
    daemon.ask("a.corp.example")
    assert len(servers[1].queries) == 3 and len(servers[1].connections) == sessions


def test_a_route_at_run_time_is_before_one_of_the_configuration(make_reloadable, make_server):  # noqa: F811
    servers = [make_server() for _ in range(3)]
    upstreams = [server.upstream(name=f"up{number}", **(ROUTED if number else {})) for number, server in enumerate(servers)]
    daemon = make_reloadable(*upstreams, forward=[{"zones": ["corp.example", "Lab.example"], "upstreams": ["up1"]}])

    def asked(name):
        for server in servers:
            server.forget()
        daemon.ask(name)
        return [number for number, server in enumerate(servers) if server.queries]

    assert asked("a.lab.example") == [1]
    assert "lab.example.: until it is removed, this replaces" in ctl(daemon, "forward", "add", "lab.example", "x.corp.example", "up2")
    assert asked("a.lab.example") == [2] and asked("b.corp.example") == [1] and asked("a.x.corp.example") == [2]
    assert set(routes(daemon)) == {"corp.example", "lab.example,x.corp.example"}
    daemon.reload(forward=[{"zones": ["lab.example", "new.example"], "upstreams": ["up1"]}])
    assert asked("c.lab.example") == [2] and asked("c.new.example") == [1] and asked("c.corp.example") == [0]
    ctl(daemon, "forward", "remove", "lab.example")
    assert asked("d.lab.example") == [1] and asked("d.x.corp.example") == [2]
    daemon.reload(upstreams=[{**upstream, "ca-file": str(daemon.config["tls"]["ca-file"])} for upstream in upstreams[:2]])
    daemon.wait_line("removed the route of x.corp.example: the new configuration does not have its upstreams")
    assert asked("e.x.corp.example") == [0]
    assert set(routes(daemon)) == {"lab.example,new.example"}


def test_the_group_of_the_configuration(make_daemon, make_server):
    servers = [make_server() for _ in range(2)]
    daemon = make_daemon(servers[0].upstream(name="up0"), servers[1].upstream(name="up1", **ROUTED),
                         groups=[{"name": "work", "upstreams": ["up1"], "policy": "fastest"}])
    ctl(daemon, "forward", "add", "corp.example", "work")
    daemon.ask("a.corp.example")
    assert names(servers[1]) == {"a.corp.example"} and not servers[0].queries
    assert routes(daemon)["corp.example"]["servers"] == ["work"]


@pytest.mark.parametrize("arguments, sentence", [
    (["corp.example", "10.0.0.53"], "queries to these servers are not encrypted; write plain: yes beside them (dotstubctl forward: --plain)"),
    ([".", "10.0.0.53", "--plain"], "a route for all names"),
    (["corp..example", "10.0.0.53", "--plain"], "is not a domain name"),
    (["corp.example", "10.0.0.300", "--plain"], "is not an address; write ADDR or ADDR@PORT"),
    (["corp.example", "corp.example", "10.0.0.53", "--plain"], "has two routes; remove one"),
    (["corp.example", "10.0.0.53", "10.0.0.53", "--plain"], "is listed twice"),
    (["corp.example", "0.0.0.0", "--plain"], "this is not the address of a server"),
    (["corp.example", "nobody"], "nobody is neither in upstreams nor a preset"),
    (["corp.example", "quad9"], "quad9 is not among the upstreams in force"),
    (["corp.example", "10.0.0.53", "--plain", "--interface", "wg 0"], "is not the name of an interface"),
    (["corp.example", "10.0.0.53", "--plain", "--interface", "absent0"], "absent0 does not exist or is down"),
    (["corp.example", "up0", "--interface", "lo"], "interface is for the servers of to"),
    (["corp.example", "10.0.0.53", "--plain", "--for", "5"], "is not a duration"),
    (["corp.example", "10.0.0.53", "--plain", "--for", "10ms"], "out of range"),
    (["corp.example", "10.0.0.53", "--plain", "--replace"], "name it with --interface"),
    ([*(f"z{number}.example" for number in range(65)), "10.0.0.53", "--plain"], "more than 64 zones"),
])
def test_a_route_is_checked_as_one_of_the_configuration(refusing, arguments, sentence):
    assert sentence.replace("nobody is", '"nobody" is') in ctl(refusing, "forward", "add", *arguments, status=CONFIGURATION)
    assert not routes(refusing)


@pytest.fixture(scope="module")
def refusing(certs, tmp_path_factory):
    from daemon import Daemon
    daemon = Daemon(tmp_path_factory.mktemp("refusing"), [{"name": "up0", "addresses": ["192.0.2.1"], "tls-name": "dns.example"}],
                    ca_file=certs.ca_file)
    yield daemon
    daemon.stop()


def test_our_own_address_is_no_server(refusing):
    sentence = ctl(refusing, "forward", "add", "corp.example", f"127.0.0.1@{refusing.port}", "--plain", status=CONFIGURATION)
    assert "is an address of dotstub itself" in sentence


@pytest.mark.parametrize("arguments, sentence", [
    (["add", "corp.example"], "name a zone and its server"), (["add", "10.0.0.53"], "name a zone and its server"),
    (["remove"], "name the zones to remove"), (["list", "x"], "list takes no arguments"), (["ad"], "did you mean 'add'"),
    (["add", "a.example,b.example", "10.0.0.53"], "separate zones and servers by blanks"),
    (["remove", "a.example", "--plain"], "remove takes no option"),
])
def test_a_wrong_command_line(refusing, arguments, sentence):
    assert sentence in ctl(refusing, "forward", *arguments, status=USAGE)


def test_what_was_not_added_cannot_be_removed(refusing):
    assert "no route was added for corp.example" in ctl(refusing, "forward", "remove", "corp.example", status=CONFIGURATION)
    assert ctl(refusing, "forward", "remove", "--interface", "wg0") == "0 entries flushed\n"


@pytest.mark.parametrize("path, status", [
    ("/forward/add?zones=a.example&servers=10.0.0.53&plain=maybe", 400), ("/forward/add?zones=a%00b&servers=10.0.0.53&plain=yes", 400),
    ("/forward/add?zones=a%1b.example&servers=10.0.0.53&plain=yes", 400), ("/forward/add?zones=a.example&server=10.0.0.53", 400),
    ("/forward/add?zones=&servers=", 400), ("/forward/add?zones=,,,&servers=,,&plain=yes", 400),
    ("/forward/add?zones=a.example&servers=%ff%fe&plain=yes", 400), ("/forward/remove", 400),
    ("/forward/add?zones=" + "a." * 200 + "&servers=10.0.0.53&plain=yes", 400),
])
def test_wrong_requests_change_nothing(refusing, path, status):
    assert post(refusing, path).status == status
    assert not routes(refusing)


def test_the_number_of_routes_is_limited(make_daemon, server):
    daemon = make_daemon(server.upstream(name="up0"), limits={"added-routes": 2})
    for name in "a.example", "b.example":
        ctl(daemon, "forward", "add", name, "up0")
    assert "limits.added-routes allows 2" in ctl(daemon, "forward", "add", "c.example", "up0", status=CONFIGURATION)
    ctl(daemon, "forward", "add", "b.example", "d.example", "up0")  # replaces one
    assert set(routes(daemon)) == {"a.example", "b.example,d.example"}
    assert control(daemon, "/forward").json["most_added"] == 2
    assert "\ndotstub_added_routes 2\n" in control(daemon, "/metrics").body


def test_a_port_outside_the_sandbox_needs_a_restart(make_daemon, server):
    daemon = make_daemon(server.upstream(name="up0"))
    if not control(daemon, "/status").json["sandbox"]["tcp_ports"]:
        pytest.skip("this kernel cannot restrict ports")
    for port in 53, 443, 853, server.port:
        ctl(daemon, "forward", "add", "a.example", f"10.0.0.53@{port}", "--plain")
    sentence = ctl(daemon, "forward", "add", "b.example", "10.0.0.53@5353", "--plain", status=CONFIGURATION)
    assert "port 5353 is not among those that the sandbox allows: write the route into `forward` in dotstub.yaml" in sentence
    assert set(routes(daemon)) == {"a.example"}


def test_the_routes_of_an_interface_are_replaced_together(make_daemon, public, world, connect):
    connect()
    daemon = make_daemon(public, namespace=world)
    ctl(daemon, "forward", "add", "a.example", "b.example", COMPANY, "--plain", "--interface", "vpn0")
    ctl(daemon, "forward", "add", "c.example", COMPANY, "--plain")
    ctl(daemon, "forward", "add", "b.example", "d.example", COMPANY, "--plain", "--interface", "vpn0", "--replace")
    assert set(routes(daemon)) == {"c.example", "b.example,d.example"}
    ctl(daemon, "forward", "remove", "d.example")
    ctl(daemon, "forward", "remove", "--interface", "vpn0")
    assert set(routes(daemon)) == {"c.example"}


DOCUMENT = (pathlib.Path(__file__).parents[2] / "docs/routes.md").read_text()


@pytest.mark.parametrize("pattern", [r"sudo (dotstubctl forward add corp\.example .* --interface wg0)", r"PostUp = (dotstubctl .*)"])
def test_the_vpn_of_the_document(make_daemon, public, world, connect, pattern):
    """Its commands, as they are; 10.0.0.54 does not answer."""
    daemon = make_daemon(public, namespace=world)
    connect("wg0")
    command = re.search(pattern, DOCUMENT)[1].replace("%i", "wg0").split()
    ctl(daemon, *command[1:])
    assert address(daemon) == "10.1.2.3"
    assert str(daemon.ask("3.2.1.10.in-addr.arpa", "PTR").answer[0][0]) == "www.corp.example."
    world.run("ip", "link", "delete", "wg0")
    eventually(lambda: not routes(daemon))
    assert names(public) == set()


def test_the_kubernetes_node_of_the_document(make_daemon, make_server, make_namespace, cleanup):
    block = DOCUMENT.split("## A Kubernetes node")[1].split("\n\n")[1]
    node = make_namespace().up("192.0.2.1", "10.96.0.10")
    public = make_server(address="192.0.2.1", port=853, namespace=node)
    dnsmasq(node, cleanup, "10.96.0.10", "cluster.local/96.10.in-addr.arpa", "kubernetes.default.svc.cluster.local,10.96.0.1")
    daemon = make_daemon(public, namespace=node, **yaml.safe_load(textwrap.dedent(block)))
    assert address(daemon, "kubernetes.default.svc.cluster.local") == "10.96.0.1"
    assert str(daemon.ask("1.0.96.10.in-addr.arpa", "PTR").answer[0][0]) == "kubernetes.default.svc.cluster.local."
    assert daemon.ask("absent.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert daemon.ask("a.example").rcode() == 0
    assert names(public) == {"a.example"}


# How long they last.

def test_the_route_goes_with_its_interface(make_daemon, public, world, connect):
    connect()
    daemon = make_daemon(public, namespace=world)
    ctl(daemon, "forward", "add", "corp.example", COMPANY, "--plain", "--interface", "vpn0")
    ctl(daemon, "forward", "add", "lab.example", COMPANY, "--plain")
    assert address(daemon) == "10.1.2.3"
    world.run("ip", "link", "delete", "vpn0")
    daemon.wait_line("forward: removed the route of corp.example: its interface is gone")
    assert set(routes(daemon)) == {"lab.example"}
    assert address(daemon) not in ("10.1.2.3", None)
    connect()
    ctl(daemon, "forward", "add", "corp.example", COMPANY, "--plain", "--interface", "vpn0")
    assert address(daemon) == "10.1.2.3"
    world.run("ip", "link", "set", "vpn0", "down")
    daemon.wait_line("its interface is gone", 2)
    assert set(routes(daemon)) == {"lab.example"}


def test_the_route_goes_with_its_time(make_daemon, server):
    daemon = make_daemon(server.upstream(name="up0"))
    ctl(daemon, "forward", "add", "lab.example", "up0", "--for", "1h")
    assert 3500 < routes(daemon)["lab.example"]["left_s"] <= 3600
    assert "\nfor 1 s\n" in ctl(daemon, "forward", "add", "corp.example", "up0", "--for", "1s")
    daemon.wait_line("forward: removed the route of corp.example: its time is over")
    assert set(routes(daemon)) == {"lab.example"}


def test_routes_survive_a_restart(make_daemon, public, world, connect, saving):  # noqa: F811
    connect()
    first = make_daemon(public, namespace=world, **saving)
    ctl(first, "forward", "add", "corp.example", "10.in-addr.arpa", COMPANY, "--plain", "--interface", "vpn0")
    ctl(first, "forward", "add", "lab.example", COMPANY, "--plain", "--for", "1h")
    ctl(first, "forward", "add", "short.example", COMPANY, "--plain", "--for", "1s")
    assert address(first) == "10.1.2.3"
    file = os.path.join(os.path.dirname(saving["cache"]["save-file"]), "routes")
    status = os.stat(file)
    assert status.st_mode & 0o777 == 0o600 and status.st_uid == pwd.getpwnam(USER).pw_uid
    first.signal(signal.SIGKILL)
    first.wait_exit()
    time.sleep(1)  # the time of short.example goes by while no process runs
    public.forget()
    second = make_daemon(public, namespace=world, **saving)
    assert set(routes(second)) == {"corp.example,10.in-addr.arpa", "lab.example"}
    assert routes(second)["lab.example"]["left_s"] > 3500
    assert address(second) == "10.1.2.3" and not public.queries
    second.stop()
    world.run("ip", "link", "delete", "vpn0")
    third = make_daemon(public, namespace=world, **saving)
    third.wait_line("removed the route of corp.example: forward: the interface vpn0 does not exist")
    assert set(routes(third)) == {"lab.example"}
    ctl(third, "forward", "remove", "lab.example")
    assert not os.path.exists(file)


@pytest.mark.parametrize("damage", ["text", "mode", "link", "owner"])
def test_a_saved_file_that_cannot_be_trusted_is_ignored(make_daemon, server, saving, damage):  # noqa: F811
    upstream = server.upstream(name="up0")
    first = make_daemon(upstream, **saving)
    ctl(first, "forward", "add", "corp.example", "up0")
    first.stop()
    file = os.path.join(os.path.dirname(saving["cache"]["save-file"]), "routes")
    if damage == "text":
        with open(file) as old:
            text = old.read()
        with open(file, "w") as new:
            new.write(text.replace("corp.example", "evil.example"))
    elif damage == "mode":
        os.chmod(file, 0o644)
    elif damage == "owner":
        os.chown(file, 0, -1)
    else:
        os.rename(file, file + ".moved")
        os.symlink(file + ".moved", file)
    second = make_daemon(upstream, **saving)
    second.wait_line("daemon: ignoring .*routes: ")
    assert not routes(second)


def test_routes_survive_an_upgrade(make_public, server, ended):  # noqa: F811
    """Without a saved state, by the hand-over alone."""
    daemon = make_public(server.upstream(name="up0"))
    said = ctl(daemon, "forward", "add", "corp.example", "lab.example", "gone.example", "up0", "--for", "1h")
    assert "not saved: a restart ends the route" in said
    assert "not saved: a restart may bring the route back" in ctl(daemon, "forward", "remove", "gone.example")
    daemon.ask("a.corp.example")
    server.forget()
    ended(take_over(daemon))
    assert set(routes(daemon)) == {"corp.example,lab.example"}
    assert 3500 < routes(daemon)["corp.example,lab.example"]["left_s"] <= 3600
    daemon.ask("a.corp.example")
    assert not server.queries  # the cache came over under the route's id
    ctl(daemon, "forward", "remove", "corp.example")
    eventually(lambda: set(routes(daemon)) == {"lab.example"})


def test_a_change_waits_for_the_end_of_a_hand_over(daemon, server):
    path = "/forward/add?zones=corp.example&servers=192.0.2.1&plain=yes"
    with connect_as_successor(daemon) as successor:
        successor.sendall(TITLE)
        eventually(lambda: post(daemon, "/forward/remove?interface=none0").status == 503)
        trying = subprocess.Popen([*PREFIX, str(CTL), "--socket", daemon.config["control"]["socket"], "forward", "add", "lab.example",
                                   "192.0.2.1", "--plain"], stdout=subprocess.PIPE, text=True)
        assert post(daemon, path).json["error"].startswith("an upgrade is under way")
    assert trying.communicate(timeout=30)[0].startswith("added lab.example.") and trying.returncode == 0
    assert set(routes(daemon)) == {"lab.example"}
