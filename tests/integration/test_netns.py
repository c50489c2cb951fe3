# SPDX-License-Identifier: MIT
"""Incomplete networks: no IPv6, no route, routes that come later; and getent through the daemon."""
import ipaddress
import re
import shutil
import subprocess
import time

import pytest

import wire
import zone
from daemon import SLACK
from processes import eventually
from test_privacy import default_daemon, world  # noqa: F401 (fixtures)
from test_upstream import ask_truly, fresh


def test_without_ipv6(make_namespace, make_server, make_daemon, certs):
    namespace = make_namespace().without_ipv6().up("8.8.8.8")
    make_server(address="8.8.8.8", port=853, namespace=namespace)
    daemon = make_daemon(file=False, port=53, namespace=namespace, variables={"DOTSTUB_TLS_CA_FILE": certs.ca_file})
    for number in range(5):
        assert ask_truly(daemon, f"n{number}.example") < 1 * SLACK
    assert daemon.matching("info daemon: .*::1")
    assert daemon.running


def test_it_starts_without_a_route_and_answers_once_there_is_one(make_namespace, make_server, make_daemon, certs):
    namespace = make_namespace().up()
    daemon = make_daemon(file=False, port=53, namespace=namespace, variables={"DOTSTUB_TLS_CA_FILE": certs.ca_file})
    begun = time.monotonic()
    answer = daemon.ask("a.example", edns=True)
    assert answer.rcode() == 2 and time.monotonic() - begun < 4.5
    assert {22, 23} & {code for code, _ in wire.extended_errors(answer)}
    assert wire.addresses(daemon.ask("localhost")) == ["127.0.0.1"]
    namespace.add("8.8.8.8")
    make_server(address="8.8.8.8", port=853, namespace=namespace)
    begun = time.monotonic()
    eventually(lambda: daemon.ask(fresh.name()).rcode() == 0, what="an answer")
    assert time.monotonic() - begun < 1 + 0.5 * SLACK


def test_the_network_goes_and_comes_back(make_namespace, make_server, make_daemon, certs):
    namespace = make_namespace().up("8.8.8.8")
    server = make_server(address="8.8.8.8", port=853, namespace=namespace)
    daemon = make_daemon(file=False, port=53, namespace=namespace, variables={"DOTSTUB_TLS_CA_FILE": certs.ca_file})
    ask_truly(daemon, "before.example")
    namespace.run("ip", "address", "del", "8.8.8.8/32", "dev", "lo")
    server.kill("rst")
    assert daemon.ask("during.example").rcode() == 2
    namespace.add("8.8.8.8")
    begun = time.monotonic()
    eventually(lambda: daemon.ask(fresh.name()).rcode() == 0, what="an answer")
    assert time.monotonic() - begun < 1.5 + 0.5 * SLACK


@pytest.mark.parametrize("fault", ["blackhole", "unreachable", "prohibit"])
def test_an_unreachable_address_family(make_namespace, make_server, make_daemon, certs, fault):
    namespace = make_namespace().up("8.8.8.8", "2001:db8::1")
    namespace.run("ip", "-6", "route", "add", *([] if fault == "blackhole" else [fault]), "2001:4860::/32",
                  *(["via", "2001:db8::1"] if fault == "blackhole" else []), check=fault != "blackhole")
    make_server(address="8.8.8.8", port=853, namespace=namespace)
    entry = {"name": "google", "tls-name": "dns.google", "addresses": ["2001:4860:4860::8888", "8.8.8.8"]}
    daemon = make_daemon(entry, port=53, namespace=namespace)
    for number in range(5):
        assert ask_truly(daemon, f"n{number}.example") < 0.6 + 0.4 * SLACK


@pytest.fixture
def getent(world, tmp_path):  # noqa: F811
    """getent(resolv.conf, database, name): runs in a root directory of its own with this resolv.conf. glibc has a built-in DNS client, so
    that such a root needs only getent, its libraries and two files."""
    program = shutil.which("getent")
    libraries = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], capture_output=True, text=True).stdout)
    for path in (program, *libraries):
        copy = tmp_path / path.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "nsswitch.conf").write_text("hosts: dns\n")

    def ask(resolv_conf, database, name):
        (tmp_path / "etc" / "resolv.conf").write_text(resolv_conf)
        done = world.run("chroot", tmp_path, program, database, name, check=False)
        return done.stdout if done.returncode == 0 else None
    return ask


@pytest.mark.parametrize("resolv_conf", ["nameserver 127.0.0.1\n", "nameserver ::1\n",
                                         "nameserver 127.0.0.1\noptions use-vc edns0 trust-ad\n"])
def test_getent_asks_the_daemon(default_daemon, make_server, world, getent, resolv_conf):  # noqa: F811
    make_server(address="8.8.8.8", port=853, namespace=world)
    default_daemon()
    for _ in range(2):
        assert zone.address("host.example") in getent(resolv_conf, "ahostsv4", "host.example")
        found = getent(resolv_conf, "hosts", "host.example").split()[0]
        assert ipaddress.ip_address(found) == ipaddress.ip_address(zone.address6("host.example"))
    assert getent(resolv_conf, "hosts", "nx.example") is None
    assert "127.0.0.1" in getent(resolv_conf, "ahostsv4", "localhost")
    assert "host.example" in getent(resolv_conf, "hosts", "8.8.8.8")
