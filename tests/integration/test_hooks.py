# SPDX-License-Identifier: MIT
"""The hooks of NetworkManager, systemd-networkd, systemd-resolved and resolvconf, run as those run them."""
import os
import pathlib
import subprocess

import pytest

from daemon import PREFIX
from processes import eventually
from test_ctl import CTL
from test_forward import address, connect, names, public, routes, world  # noqa: F401
from test_routes import COMPANY

HOOKS = pathlib.Path(__file__).parents[2] / "packaging/hooks"
SHELLS = ["dash", "bash", "busybox"]


class Hooks:
    """Runs hooks; `told` lists the calls of dotstubctl since the last look."""

    def __init__(self, path, ctl=None, prefix=()):
        self.path, self.prefix, self.shell = path, list(prefix), []
        self.links, self.state, self.zones = path / "links", path / "state", path / "zones"
        self.links.mkdir()
        self.zones.write_text("# a comment\nCorp.Example.   # another one\nnot/a/name\n\nfritz.box")
        self.log = path / "log"
        self.log.touch()
        self.status = path / "status"
        self.status.write_text("0")
        fake = path / "dotstubctl"
        fake.write_text(f'#!/bin/sh\necho "$*" >>{self.log}\necho reason >&2\nexit "$(cat {self.status})"\n')
        fake.chmod(0o755)
        self.environment = {"PATH": os.environ["PATH"], "DOTSTUBCTL": ctl or str(fake), "DOTSTUB_HELPER": str(HOOKS / "network-routes"),
                            "DOTSTUB_NETWORK_ZONES": str(self.zones), "DOTSTUB_NETWORK_STATE": str(self.state),
                            "DOTSTUB_NETWORK_LINKS": str(self.links), "DOTSTUB_SYSTEMD_RUN": str(path / "systemd")}

    def link(self, name, index=1, kind="network"):
        directory = self.links / name
        directory.mkdir()
        (directory / "ifindex").write_text(f"{index}\n")
        (directory / "type").write_text({"none": "65534\n", "wwan": "65534\n", "ppp": "512\n"}.get(kind, "1\n"))
        (directory / "uevent").write_text(f"DEVTYPE={kind}\nINTERFACE={name}\n" if kind in ("wireguard", "wwan", "ppp") else f"INTERFACE={name}\n")
        if kind == "tun":
            (directory / "tun_flags").write_text("0x1001\n")

    def run(self, hook, *arguments, status=0, **variables):
        done = subprocess.run([*self.prefix, *self.shell, str(HOOKS / hook), *arguments], env={**self.environment, **variables},
                              cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stderr

    def told(self):
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines

    def zones_of(self, domains, interface="eth0", source="test"):
        """The zones that are allowed of these."""
        self.run("network-routes", "set", source, interface, domains, "10.0.0.53")
        (line,) = self.told()
        words = line.split()
        assert words[:2] == ["forward", "add"] or words == ["forward", "remove", "--interface", interface], line
        return [word for word in words[2:] if word.endswith(".")]


@pytest.fixture
def hooks(tmp_path):
    out = Hooks(tmp_path)
    out.link("eth0", 2)
    out.link("wg0", 3, "wireguard")
    out.link("tun0", 4, "tun")
    out.link("ipsec0", 5, "none")
    out.link("wwan0", 6, "wwan")
    out.link("ppp0", 7, "ppp")
    return out


ADD = "forward add {} 10.0.0.53 --plain --interface {} --replace"


# Which zones a network may serve.

@pytest.mark.parametrize("interface", ["eth0", "wg0", "tun0", "ipsec0", "wwan0", "ppp0"])
def test_a_network_never_gets_the_names_of_all(hooks, interface):
    hostile = (". ~. com ~com. uk co.uk com.au arpa in-addr.arpa ip6.arpa 1.in-addr.arpa 8.8.8.8.in-addr.arpa 8.b.d.0.1.0.0.2.ip6.arpa "
               "172.in-addr.arpa 100.in-addr.arpa e164.arpa local onion localhost 10.1.2.3 printer")
    assert hooks.zones_of(hostile, interface) == []


def test_a_tunnel_may_serve_domains(hooks):
    domains = "corp.test ~Lab.Corp.Test. vpn.example 10.in-addr.arpa 20.172.in-addr.arpa 64.100.in-addr.arpa d.f.ip6.arpa internal corp.test"
    expected = ["corp.test.", "lab.corp.test.", "vpn.example.", "10.in-addr.arpa.", "20.172.in-addr.arpa.", "64.100.in-addr.arpa.", "d.f.ip6.arpa.", "internal."]
    for interface in "wg0", "tun0", "ipsec0":
        assert hooks.zones_of(domains, interface) == expected
    assert hooks.zones_of("corp.test lan", "ppp0") == ["lan."]  # DSL, or a modem
    assert hooks.zones_of("corp.test", "ppp0", source="vpn") == ["corp.test.", "lan."]


@pytest.mark.parametrize("interface", ["eth0", "wwan0", "ppp0"])
def test_another_network_may_serve_private_names_and_those_of_the_operator(hooks, interface):
    domains = "lan home x.home.arpa google.com corp.test dept.corp.example Fritz.Box notcorp.example 1.168.192.in-addr.arpa example"
    assert hooks.zones_of(domains, interface) == ["lan.", "home.", "x.home.arpa.", "dept.corp.example.", "fritz.box.", "1.168.192.in-addr.arpa."]


@pytest.mark.parametrize("shell", SHELLS)
def test_odd_words_are_left_out(hooks, shell):
    hooks.shell = ["busybox", "sh"] if shell == "busybox" else [shell, "--posix"] if shell == "bash" else [shell]
    domains = ("$(touch pwned).lan `id`.lan ;reboot;.lan a..lan -a.lan a-.lan .lan * ? [a-z].lan /etc/passwd.lan a\\b.lan --socket.lan 'q'.lan \"q\".lan "
               + "a" * 64 + ".lan " + "a." * 127 + "lan \u00e4.lan a\tb.lan\nc.lan,d.lan \x01.lan good.lan")
    assert hooks.zones_of(domains) == ["b.lan.", "c.lan.", "d.lan.", "good.lan."]
    servers = "$(id) 127.0.0.1 127.0.0.53 ::1 0.0.0.0 10.0.0.1:53 10.0.0.2@53 -x -s.a.b.c --a.b.c.d fe80::1 fe80::2%eth9 10.0.0.53#dns.example 2001:db8::1 10.0.0.53 word"
    hooks.run("network-routes", "set", "test", "eth0", "good.lan", servers)
    assert hooks.told() == ["forward add good.lan. fe80::1%eth0 fe80::2%eth9 10.0.0.53 2001:db8::1 --plain --interface eth0 --replace"]


def test_lists_are_bounded(hooks):
    assert len(hooks.zones_of(" ".join(f"z{number}.lan" for number in range(1000)))) == 60
    hooks.run("network-routes", "set", "test", "eth0", "a.lan", " ".join(f"10.0.0.{number}" for number in range(1, 200)))
    assert len([word for word in hooks.told()[0].split() if word.startswith("10.")]) == 8


@pytest.mark.parametrize("interface", ["", ".", "..", "../x", "a b", "a/b", "-x;y", "x" * 16, "$(id)", "*"])
def test_an_odd_interface_is_left_out(hooks, interface):
    hooks.run("network-routes", "set", "test", interface, "a.lan", "10.0.0.53")
    hooks.run("network-routes", "clear", "test", interface)
    assert not hooks.told()


@pytest.mark.parametrize("arguments", [(), ("set",), ("set", "test", "eth0", "a.lan"), ("clear",), ("only",), ("again", "x"), ("nothing",),
                                       ("set", "../x", "eth0", "a.lan", "10.0.0.53"), ("set", "", "eth0", "a.lan", "10.0.0.53")])
def test_a_wrong_command_line(hooks, arguments):
    assert "usage:" in hooks.run("network-routes", *arguments, status=64)
    assert not hooks.told()


def test_without_the_file_of_the_operator_nothing_is_done(hooks):
    hooks.zones.unlink()
    hooks.run("network-routes", "set", "test", "wg0", "a.lan", "10.0.0.53")
    assert not hooks.told() and not hooks.state.exists()


# The calls of dotstubctl.

def test_sources_are_joined(hooks):
    hooks.run("network-routes", "set", "one", "eth0", "a.lan", "10.0.0.1")
    hooks.run("network-routes", "set", "two", "eth0", "b.lan a.lan", "10.0.0.2 10.0.0.1")
    assert hooks.told()[1] == "forward add a.lan. b.lan. 10.0.0.1 10.0.0.2 --plain --interface eth0 --replace"
    hooks.run("network-routes", "clear", "one", "eth0")
    hooks.run("network-routes", "clear", "one", "eth0")
    assert hooks.told() == ["forward add b.lan. a.lan. 10.0.0.2 10.0.0.1 --plain --interface eth0 --replace"]
    hooks.run("network-routes", "only", "two", "wg0")
    assert hooks.told() == ["forward remove --interface eth0"]


def test_dotstub_may_start_later(hooks):
    hooks.status.write_text("69")
    assert hooks.run("network-routes", "set", "test", "eth0", "a.lan", "10.0.0.53") == ""
    hooks.status.write_text("0")
    hooks.told()
    hooks.run("network-routes", "again")
    assert hooks.told() == [ADD.format("a.lan.", "eth0")]


def test_a_refusal_is_reported(hooks):
    hooks.status.write_text("78")
    assert hooks.run("network-routes", "set", "test", "eth0", "a.lan", "10.0.0.53") == "network-routes: eth0: reason\n"


# NetworkManager.

def test_networkmanager(hooks):
    lease = {"IP4_NAMESERVERS": "10.0.0.53", "IP4_DOMAINS": "a.lan google.com", "DHCP4_DOMAIN_NAME": "b.lan", "DEVICE_IP_IFACE": "eth0"}
    for action in "up", "dhcp4-change", "reapply":
        hooks.run("networkmanager", "eth0", action, **lease)
        assert hooks.told() == [ADD.format("a.lan. b.lan.", "eth0")]
    hooks.run("networkmanager", "eth0", "down")
    assert hooks.told() == ["forward remove --interface eth0"]
    vpn = {"VPN_IP_IFACE": "tun0", "VPN_IP4_DOMAINS": "corp.test", "VPN_IP4_NAMESERVERS": "10.0.0.53", "VPN_IP6_NAMESERVERS": "", **lease}
    hooks.run("networkmanager", "eth0", "vpn-up", **vpn)
    assert hooks.told() == [ADD.format("corp.test.", "tun0")]
    hooks.run("networkmanager", "eth0", "vpn-down", **vpn)
    assert hooks.told() == ["forward remove --interface tun0"]
    hooks.run("networkmanager", "wg0", "up", IP4_NAMESERVERS="10.0.0.53", IP4_DOMAINS="~corp.test")
    assert hooks.told() == [ADD.format("corp.test.", "wg0")]
    hooks.run("networkmanager", "eth0", "hostname")
    hooks.run("networkmanager")
    hooks.run("networkmanager", "eth0", "up", DOTSTUB_HELPER="/nonexistent")
    assert not hooks.told()


# systemd.

def test_networkd_and_resolved(hooks):
    links, resolve = (hooks.path / "systemd" / name for name in ("netif/links", "resolve/netif"))
    for directory in links, resolve:
        directory.mkdir(parents=True)
    (links / "2").write_text("# This is private data. Do not parse.\nADMIN_STATE=configured\nDNS=10.0.0.53\nNTP=10.9.9.9\nDOMAINS=a.lan\nROUTE_DOMAINS=b.lan $(touch pwned).lan\nMDNS=no")
    (links / "3").write_text("ADMIN_STATE=configured\nDNS=10.0.0.53\n")
    (links / "99").write_text("DNS=10.0.0.53\nDOMAINS=gone.lan\n")
    (resolve / "4").write_text("LLMNR=yes\nSERVERS=10.0.0.53#dns.corp.test\nDOMAINS=~corp.test ~.\n")
    hooks.run("networkd")
    assert sorted(hooks.told()) == [ADD.format("a.lan. b.lan.", "eth0"), ADD.format("corp.test.", "tun0")]
    (resolve / "4").unlink()
    hooks.run("networkd")
    assert hooks.told() == [ADD.format("a.lan. b.lan.", "eth0"), "forward remove --interface tun0"]


# resolvconf.

RECORDS = {"eth0.dhclient": "domain a.lan\nsearch b.lan c.lan\nnameserver 10.0.0.53\n", "lo.dotstub": "nameserver 127.0.0.1\nsearch d.lan\n",
           "tun0.openvpn": "search corp.test\nnameserver 10.0.0.53 # not read\noptions ndots:1", "eth0.ip6": "nameserver 2001:db8::1\nsortlist x"}
TOLD = [f"forward add b.lan. c.lan. 10.0.0.53 2001:db8::1 --plain --interface eth0 --replace", ADD.format("corp.test.", "tun0")]


def test_resolvconf_of_debian(hooks):
    records = hooks.path / "records"
    records.mkdir()
    for name, text in RECORDS.items():
        (records / name).write_text(text)
    hooks.environment["DOTSTUB_RESOLVCONF_RECORDS"] = str(records)
    hooks.run("resolvconf")
    assert hooks.told() == TOLD
    (records / "tun0.openvpn").unlink()
    hooks.run("resolvconf")
    assert hooks.told() == [TOLD[0], "forward remove --interface tun0"]


def test_openresolv(hooks):
    program = hooks.path / "resolvconf"
    text = "".join(f"# resolv.conf from {name}\n{record}\n\n" for name, record in RECORDS.items())
    program.write_text(f"#!/bin/sh\n[ \"$1\" = -l ] && cat <<'END'\n{text}END\n")
    program.chmod(0o755)
    hooks.run("resolvconf", "-a", "eth0", DOTSTUB_RESOLVCONF=str(program))
    assert hooks.told() == TOLD
    program.write_text("#!/bin/sh\n")
    hooks.run("resolvconf", "-d", "eth0", DOTSTUB_RESOLVCONF=str(program))
    assert sorted(hooks.told()) == ["forward remove --interface eth0", "forward remove --interface tun0"]


# With dotstub.

def test_a_vpn_comes_and_goes(make_daemon, public, world, connect, tmp_path):  # noqa: F811
    daemon = make_daemon(public, namespace=world)
    path = tmp_path / "hooks"
    path.mkdir()
    hooks = Hooks(path, prefix=world.prefix, ctl=" ".join([*PREFIX, str(CTL), "--socket", daemon.config["control"]["socket"]]))
    hooks.link("vpn0", kind="tun")
    connect()
    vpn = {"VPN_IP_IFACE": "vpn0", "VPN_IP4_DOMAINS": "corp.example com", "VPN_IP4_NAMESERVERS": COMPANY}
    assert hooks.run("networkmanager", "eth0", "vpn-up", **vpn) == ""
    assert set(routes(daemon)) == {"corp.example"}
    assert address(daemon) == "10.1.2.3" and address(daemon, "example.com") != "10.1.2.3"
    assert names(public) == {"example.com"}
    assert hooks.run("networkmanager", "eth0", "vpn-down", **vpn) == ""
    assert not routes(daemon)
    assert hooks.run("networkmanager", "eth0", "vpn-up", **vpn) == ""
    world.run("ip", "link", "delete", "vpn0")
    eventually(lambda: not routes(daemon))
    assert hooks.run("networkmanager", "eth0", "vpn-down", **vpn) == ""


def test_the_window_for_a_captive_portal(hooks):
    for state, wanted in ("PORTAL", ["portal open"]), ("LIMITED", ["portal open"]), ("FULL", ["portal close"]), ("UNKNOWN", []):
        hooks.run("networkmanager-portal", "", "connectivity-change", CONNECTIVITY_STATE=state)
        assert hooks.told() == wanted
    hooks.run("networkmanager-portal", "eth0", "up", CONNECTIVITY_STATE="PORTAL")
    hooks.run("networkmanager-portal")
    assert not hooks.told()
