# SPDX-License-Identifier: MIT
"""Certificates of our own (dotstubctl certificate), what devices need (dotstubctl profile), and discovery (RFC 9462, RFC 9463)."""
import json
import plistlib
import shutil
import socket
import ssl
import struct
import subprocess

import dns.name
import dns.rdtypes.svcbbase as svcb
import pytest

import wire
from daemon import write_config
from processes import eventually, free_port
from test_ctl import CTL
from listening import TlsClient

NAME, ADDRESS = "dns.home.arpa", "192.168.1.2"
DISCOVERY = "_dns.resolver.arpa"


def dotstubctl(*arguments, status=0):
    done = subprocess.run([CTL, *map(str, arguments)], capture_output=True, text=True, timeout=30)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The files of dotstubctl certificate, readable by every user."""
    directory = tmp_path_factory.mktemp("identity")
    output = dotstubctl("certificate", NAME, "127.0.0.1", ADDRESS, "fd00::2", "--directory", directory)
    assert 'listen-tls: [0.0.0.0, "::"]' in output and "820 days" in output
    for parent in directory, *directory.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    assert (directory / "ca.key").stat().st_mode & 0o777 == 0o600
    assert (directory / "privkey.pem").stat().st_mode & 0o777 == 0o640
    (directory / "privkey.pem").chmod(0o644)
    return directory


def settings(made, tls=None, https=None, **config):
    return {**({"listen-tls": tls} if tls else {}), **({"listen-https": https} if https else {}),
            "tls-server": {"certificate": [str(made / "fullchain.pem")], "key": [str(made / "privkey.pem")]}, **config}


# Certificates.

def test_programs_accept_the_certificate(made, make_daemon, server):
    """OpenSSL and GnuTLS check the name, the address, and the constraints of the authority."""
    chain, authority = made / "fullchain.pem", made / "ca.crt"
    for check in ["-verify_hostname", NAME], ["-verify_ip", ADDRESS], ["-verify_ip", "fd00::2"], ["-purpose", "sslserver"]:
        done = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", authority, *check, chain], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    port = free_port("127.0.0.1", "::1")
    daemon = make_daemon(server, **settings(made, [f"127.0.0.1@{port}"]))
    with TlsClient(port, name=NAME, ca=authority) as client:
        assert client.ask("a.example").rcode() == 0
    done = subprocess.run(["kdig", "@127.0.0.1", "-p", str(port), f"+tls-ca={authority}", f"+tls-hostname={NAME}", "a.example"],
                          capture_output=True, text=True, timeout=30)
    assert "status: NOERROR" in done.stdout, done.stdout + done.stderr
    with TlsClient(port, name=NAME, ca=authority) as before:  # renewed by the same authority, and loaded without a restart
        old = before.certificate()
        dotstubctl("certificate", NAME, "127.0.0.1", ADDRESS, "fd00::2", "--directory", made)
        (made / "privkey.pem").chmod(0o644)
        daemon.wait_line("loaded the changed certificates")
        with TlsClient(port, name=NAME, ca=authority) as after:
            assert after.certificate() != old
        assert before.ask("b.example").rcode() == 0


def test_the_authority_is_of_no_use_for_other_names(made, tmp_path):
    assert "limited to other names" in dotstubctl("certificate", "bank.example", "--directory", made, status=64)
    assert "limited to other names" in dotstubctl("certificate", NAME, "10.0.0.1", "--directory", made, status=64)
    key = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key", "-out", tmp_path / "crt",
                          "-subj", "/CN=bank.example", "-addext", "subjectAltName=DNS:bank.example", "-CA", made / "ca.crt", "-CAkey",
                          made / "ca.key"], capture_output=True, text=True)
    assert key.returncode == 0, key.stderr
    done = subprocess.run(["openssl", "verify", "-CAfile", made / "ca.crt", tmp_path / "crt"], capture_output=True, text=True)
    assert done.returncode != 0 and "permitted subtree violation" in done.stderr, done.stderr


@pytest.mark.parametrize("arguments, message", [(["host"], "not a host name"), (["Dns.Example"], "not a host name"),
                                                (["dns.example", "nowhere"], "not an address"), (["dns.example", "1.2.3.4@53"], "not an address")])
def test_mistakes_of_arguments(tmp_path, arguments, message):
    assert message in dotstubctl("certificate", *arguments, "--directory", tmp_path / "tls", status=64)
    assert not (tmp_path / "tls").exists()


def test_a_public_certificate_is_explained():
    output = dotstubctl("certificate", "--public", "dns.example.net")
    assert "certbot certonly" in output and "renewal-hooks/deploy/dotstub" in output
    script = output.split("<<'HOOK'\n")[1].split("HOOK\n")[0]
    assert subprocess.run(["sh", "-n"], input=script, text=True).returncode == 0


# DDR.

def ask_discovery(daemon, rdtype="SVCB", **parts):
    return daemon.ask(DISCOVERY, rdtype, **parts)


def services(response):
    """(priority, target, parameters) of each record; parameters by their number."""
    return [(record.priority, str(record.target), record.params) for rrset in response.answer for record in rrset]


def test_listeners_are_announced(made, make_daemon, server):
    tls = free_port("127.0.0.1", "::1")
    https = next(port for port in iter(free_port, None) if port != tls)
    daemon = make_daemon(server, **settings(made, [f"127.0.0.1@{tls}"], [f"127.0.0.1@{https}"]))
    response = ask_discovery(daemon)
    assert response.rcode() == 0 and not server.queries
    (first, target, dot), (second, _, doh) = sorted(services(response))
    assert (first, second, target) == (1, 2, NAME + ".")
    assert dot[svcb.ParamKey.ALPN].ids == (b"dot",) and dot[svcb.ParamKey.PORT].port == tls
    assert svcb.ParamKey.IPV4HINT not in dot  # loopback does not help others
    assert doh[svcb.ParamKey.ALPN].ids == (b"h2",) and doh[svcb.ParamKey.PORT].port == https
    assert doh[7].value == b"/dns-query{?dns}"
    nodata = ask_discovery(daemon, "A")
    assert nodata.rcode() == 0 and not nodata.answer and nodata.authority
    assert not ask_discovery(daemon, "TXT").answer
    assert ask_discovery(daemon, klass=3).rcode() == 5 and not server.queries


def test_the_address_that_was_asked_is_a_hint(made, make_daemon, server):
    port = free_port("0.0.0.0")
    daemon = make_daemon(server, addresses=("0.0.0.0",), port=port,
                         **settings(made, [f"0.0.0.0@{free_port('0.0.0.0')}"], access={"allow": ["127.0.0.0/8"]}))
    (_, _, dot), = services(daemon.ask(DISCOVERY, "SVCB", address="127.0.0.1"))
    assert dot[svcb.ParamKey.IPV4HINT].addresses == ("127.0.0.1",)


def test_discovery_is_off_without_listeners_and_by_the_setting(made, make_daemon, server):
    port = free_port("127.0.0.1", "::1")
    for config in {}, settings(made, [f"127.0.0.1@{port}"], discovery={"name": "off"}):
        daemon = make_daemon(server, **config)
        response = ask_discovery(daemon)
        assert response.rcode() == 0 and not response.answer and response.authority
        daemon.stop()


def test_another_name(made, make_daemon, server):
    port = free_port("127.0.0.1", "::1")
    daemon = make_daemon(server, **settings(made, [f"127.0.0.1@{port}"], discovery={"name": "resolver.example"}))
    assert services(ask_discovery(daemon))[0][1] == "resolver.example."


def test_the_name_of_a_renewed_certificate(make_daemon, server, certs, public_path):
    port = free_port("127.0.0.1", "::1")
    for label, name in ("old", "old.example"), ("new", "new.example"):
        identity = certs.make(f"discovery-{label}", certs.authority, names=["*.wild.example", name])
        for kind, source in ("crt", identity.chain_file), ("key", identity.key_file):
            shutil.copy(source, public_path / f"{label}.{kind}")
            (public_path / f"{label}.{kind}").chmod(0o644)
    daemon = make_daemon(server, **{"listen-tls": [f"127.0.0.1@{port}"], "tls-server": {"certificate": [str(public_path / "old.crt")],
                                                                                       "key": [str(public_path / "old.key")]}})
    assert services(ask_discovery(daemon))[0][1] == "old.example."
    (public_path / "new.key").rename(public_path / "old.key")
    (public_path / "new.crt").rename(public_path / "old.crt")
    eventually(lambda: services(ask_discovery(daemon))[0][1] == "new.example.", what="the new name")


# Profiles.

@pytest.fixture
def config_file(made, tmp_path):
    def write(**config):
        return write_config(tmp_path / "profile.yaml", json.dumps({"access": {"allow": ["192.168.0.0/16"]}, **settings(made, **config)}))
    return write


def test_apple(made, config_file):
    profile = plistlib.loads(dotstubctl("-c", config_file(tls=["0.0.0.0", "::"]), "profile", "apple").encode())
    assert profile["PayloadType"] == "Configuration" and len(profile["PayloadContent"]) == 2
    root, dns_settings = profile["PayloadContent"]
    assert root["PayloadType"] == "com.apple.security.root"
    assert root["PayloadContent"] == ssl.PEM_cert_to_DER_cert((made / "ca.crt").read_text())
    assert dns_settings["PayloadType"] == "com.apple.dnsSettings.managed"
    assert dns_settings["DNSSettings"]["DNSProtocol"] == "TLS" and dns_settings["DNSSettings"]["ServerName"] == NAME
    assert ADDRESS in dns_settings["DNSSettings"]["ServerAddresses"]
    assert len({profile["PayloadUUID"], root["PayloadUUID"], dns_settings["PayloadUUID"]}) == 3
    doh = plistlib.loads(dotstubctl("-c", config_file(https=["0.0.0.0"]), "profile", "apple").encode())
    assert doh["PayloadContent"][1]["DNSSettings"]["ServerURL"] == f"https://{NAME}/dns-query"
    assert doh["PayloadUUID"] == profile["PayloadUUID"], "the new profile replaces the old one"


def test_android_and_windows(config_file):
    android = dotstubctl("-c", config_file(tls=["0.0.0.0"]), "profile", "android")
    assert f"\n    {NAME}\n" in android and "not of a public authority" in android
    windows = dotstubctl("-c", config_file(tls=["0.0.0.0"], https=["0.0.0.0"]), "profile", "windows")
    assert f"netsh dns add encryption server={ADDRESS} dohtemplate=https://{NAME}/dns-query autoupgrade=yes" in windows
    assert f"netsh dns add encryption server={ADDRESS} dothost={NAME}:853" in windows


def read_params(data):
    found = {}
    while data:
        key, length = struct.unpack_from("!HH", data)
        found[key], data = data[4:4 + length], data[4 + length:]
    return found


def test_dnr_for_dhcp(config_file):
    lines = dotstubctl("-c", config_file(tls=["0.0.0.0"], https=["0.0.0.0"]), "profile", "dnr").splitlines()
    option, = [line.split(",")[1] for line in lines if line.startswith("dhcp-option=162,")]
    data, seen = bytes.fromhex(option.replace(":", "")), []
    while data:
        length, priority, name_length = struct.unpack_from("!HHB", data)
        instance, data = data[2:2 + length], data[2 + length:]
        name, _ = dns.name.from_wire(instance, 3)
        at = 3 + name_length
        addresses = [socket.inet_ntoa(instance[at + 1 + i:at + 5 + i]) for i in range(0, instance[at], 4)]
        seen.append((priority, str(name), addresses, read_params(instance[at + 1 + instance[at]:])))
    assert [one[:2] for one in seen] == [(1, NAME + "."), (2, NAME + ".")] and ADDRESS in seen[0][2]
    assert seen[0][3] == {1: b"\x03dot", 3: struct.pack("!H", 853)}
    assert seen[1][3] == {1: b"\x02h2", 3: struct.pack("!H", 443), 7: b"/dns-query{?dns}"}
    kea = [json.loads(line) for line in lines if line.startswith("{")]
    assert {one["code"] for one in kea} == {162, 144} and bytes.fromhex(kea[0]["data"]).hex(":") == option
    six = bytes.fromhex([one for one in kea if one["code"] == 144][0]["data"])
    priority, name_length = struct.unpack_from("!HH", six)
    at = 4 + name_length
    length, = struct.unpack_from("!H", six, at)
    assert priority == 1 and socket.inet_ntop(socket.AF_INET6, six[at + 2:at + 2 + length]) == "fd00::2"


def test_without_listeners_there_is_no_profile(tmp_path):
    assert "neither listen-tls nor listen-https" in dotstubctl("-c", write_config(tmp_path / "c.yaml", "{}"), "profile", "apple", status=78)
