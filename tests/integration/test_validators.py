# SPDX-License-Identifier: MIT
"""Validators that use dotstub: signed names are secure, special-use names do not exist, and none of them is bogus."""
import contextlib
import pathlib
import shutil
import subprocess

import pytest

import resolved
import signed
import wire
from clients import UdpClient
from processes import Process, eventually, free_port

NXDOMAIN = 3
SPECIAL = ["host.test", "host.local", "a.host.internal", "host.alt", "secret.onion", "host.invalid", "test", "onion"]
DELEGATED = ["printer.home.arpa", "7.0.0.10.in-addr.arpa", "1.d.f.ip6.arpa"]  # without a DS


@pytest.fixture(scope="module")
def tree():
    return signed.Tree()


@pytest.fixture(scope="module")
def resolver(tree, certs, tmp_path_factory):
    server = signed.Resolver(tmp_path_factory.mktemp("tree") / "resolver", certs, tree)
    yield server
    server.end()


@pytest.fixture
def daemon(make_daemon, resolver):
    return make_daemon(resolver)


def test_the_upstream_is_what_it_should_be(daemon):
    """Signed names are validated there, and special-use names do not exist in its root."""
    secure = daemon.ask("www.example", do=True)
    assert wire.addresses(secure) == ["192.0.2.80"] and secure.flags & wire.AD
    plain = daemon.ask("www.unsigned", do=True)
    assert wire.addresses(plain) == ["192.0.2.81"] and not plain.flags & wire.AD
    for top in ("test", "onion", "local"):
        denied = daemon.ask(top, "DS", do=True)
        assert denied.rcode() == NXDOMAIN and denied.flags & wire.AD
    assert daemon.ask("home.arpa", "DS", do=True).rcode() == 0


# delv.

def delv(daemon, tree, tmp_path, name, rdtype="A"):
    anchors = tmp_path / "anchors"
    anchors.write_text(tree.delv_anchor())
    done = subprocess.run(["delv", "@127.0.0.1", "-p", str(daemon.port), "-a", str(anchors), "+root=.", name, rdtype],
                          capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", SPECIAL)
def test_delv_believes_that_special_names_do_not_exist(daemon, tree, tmp_path, name):
    said = delv(daemon, tree, tmp_path, name)
    assert "ncache nxdomain" in said and "negative response, fully validated" in said, said


@pytest.mark.parametrize("name", DELEGATED)
def test_delv_takes_local_zones_for_unsigned(daemon, tree, tmp_path, name):
    said = delv(daemon, tree, tmp_path, name, "PTR")
    assert "ncache nxdomain" in said and "negative response, unsigned answer" in said, said


def test_delv_validates(daemon, tree, tmp_path):
    for name in ("www.example", "alias.example"):
        assert "; fully validated" in delv(daemon, tree, tmp_path, name)
    assert "; unsigned answer" in delv(daemon, tree, tmp_path, "www.unsigned")


# Unbound and dnsmasq.

def unbound(daemon, tree, tmp_path):
    return signed.Forwarder(tmp_path / "forwarder", tree, daemon.port)


def dnsmasq(daemon, tree, tmp_path):
    if not shutil.which("dnsmasq"):
        pytest.skip("dnsmasq is not installed")
    port = free_port("127.0.0.1")
    words = tree.ds.to_text().split()
    anchor = ",".join(["."] + words[:3] + ["".join(words[3:])])
    process = Process(["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", f"--port={port}",
                       "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts",
                       f"--server=127.0.0.1#{daemon.port}", "--dnssec", "--dnssec-check-unsigned", f"--trust-anchor={anchor}",
                       "--user=root", "--pid-file", "--log-queries"])
    process.wait_line("started, version")
    process.port = port
    return process


@pytest.fixture(params=[unbound, dnsmasq])
def validator(request, daemon, tree, tmp_path, cleanup):
    """A function that asks the validator behind which dotstub is."""
    process = request.param(daemon, tree, tmp_path)
    cleanup.callback(process.end)

    def ask(name, rdtype="A"):
        with UdpClient("127.0.0.1", process.port) as client:
            return client.ask(name, rdtype, flags=wire.RD | wire.AD, edns=True)
    return ask


def test_validators_believe_that_special_names_do_not_exist(validator):
    for name in SPECIAL:
        response = validator(name)
        assert response.rcode() == NXDOMAIN, f"{name}: {response}"
        assert response.flags & wire.AD, f"{name}: {response}"


def test_validators_take_local_zones_for_unsigned(validator):
    for name in DELEGATED:
        assert validator(name, "PTR").rcode() == NXDOMAIN, name


def test_validators_validate(validator):
    for name in ("www.example", "alias.example"):
        response = validator(name)
        assert "192.0.2.80" in wire.addresses(response) and response.flags & wire.AD
    assert wire.addresses(validator("www.unsigned")) == ["192.0.2.81"]
    assert validator("gone.example").rcode() == NXDOMAIN


# systemd-resolved.


@pytest.fixture(params=["yes", "allow-downgrade"])
def stub(request, make_daemon, make_namespace, certs, tree, tmp_path, cleanup):
    """The real one, in namespaces of its own, with a link that is up: a function that asks its stub."""
    resolved.needed()
    namespace = resolved.network(make_namespace())
    upstream = signed.Resolver(tmp_path / "resolver", certs, tree, namespace)
    cleanup.callback(upstream.end)
    daemon = make_daemon(upstream, namespace=namespace)
    process = resolved.Resolved(namespace, f"127.0.0.1:{daemon.port}", dnssec=request.param, anchor=tree.anchor())
    cleanup.callback(process.end)

    def ask(name, rdtype="A"):
        with UdpClient("127.0.0.53", 53, make=namespace.socket) as client:
            return client.ask(name, rdtype, flags=wire.RD | wire.AD, edns=True)

    def answers():
        with contextlib.suppress(ConnectionRefusedError):
            return wire.addresses(ask("www.example"))
    eventually(answers, what="systemd-resolved")
    return ask


def test_resolved_believes_that_special_names_do_not_exist(stub):
    assert stub("www.example").flags & wire.AD
    for name in SPECIAL:
        if "." in name:  # systemd-resolved asks nobody for others
            assert stub(name).rcode() == NXDOMAIN, name
    secure = stub("www.example")  # what it saw has not turned validation off
    assert wire.addresses(secure) == ["192.0.2.80"] and secure.flags & wire.AD


def test_resolved_takes_local_zones_for_unsigned(stub):
    for name in DELEGATED:
        assert stub(name, "PTR").rcode() == NXDOMAIN, name
    plain = stub("www.unsigned")
    assert wire.addresses(plain) == ["192.0.2.81"] and not plain.flags & wire.AD
