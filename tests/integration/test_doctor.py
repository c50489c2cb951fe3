# SPDX-License-Identifier: MIT
"""dotstubctl doctor: each problem that it detects is provoked; and stats --watch."""
import json
import socket
import stat
import subprocess

import pytest

import lies
from daemon import PREFIX, environment
from processes import Process
from test_ctl import CTL
from test_system import BEFORE, Machine
from test_upstream import ask_truly

DEGRADED, USAGE, CONFIGURATION = 2, 64, 78


@pytest.fixture
def dot(make_namespace, make_server, make_daemon):
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    return namespace, server, make_daemon(server, namespace=namespace, port=53, metrics={"listen": "127.0.0.1@9353"})


class Patient(Machine):
    def doctor(self, *arguments, status=0):
        """The findings by check."""
        command = ["unshare", "--mount", "sh", "-ec", 'mount --bind "$0/etc" /etc; exec "$@"', str(self.path),
                   str(CTL), "-c", str(self.config_file), "--json", "doctor", *map(str, arguments)]
        done = subprocess.run([*PREFIX, *self.namespace.prefix, *command], env=environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        self.found = json.loads(done.stdout)
        assert self.found["state"] == ("ok" if status == 0 else "problems")
        return {check["check"]: check for check in self.found["checks"]}

    def problems(self, *arguments):
        found = self.doctor(*arguments, status=DEGRADED)
        bad = [check for check in self.found["checks"] if not check["ok"]]
        assert all(check["remedy"] for check in bad) and found
        return {check["check"]: check["says"] + " -> " + check["remedy"] for check in bad}


@pytest.fixture
def patient(dot, public_path):
    out = Patient(public_path / "root", dot[0], dot[2].config_file)
    out.file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    return out


def test_no_problems(patient):
    found = patient.doctor()
    assert "answers at 127.0.0.1@53 over UDP" in found["daemon"]["says"] and "over TCP" in found["tcp"]["says"]
    assert found["health"]["says"] == "/healthz: 200 ok"
    assert "dotstub" in found["port"]["says"]
    assert "192.0.2.99@853: TLS1.3" in found["server"]["says"] and "certificate dns.google" in found["server"]["says"]
    assert found["resolv"]["says"] == "programs use dotstub at 127.0.0.1"
    assert {"control", "throttling", "leaks", "clock", "ca", "mtu", "ipv6"} <= set(found)


def test_programs_use_another_nameserver(patient):
    patient.resolv.write_text(BEFORE)
    assert "programs use 192.0.2.1, not dotstub -> run dotstubctl system enable" in patient.problems()["resolv"]
    patient.resolv.write_text("nameserver 127.0.0.1\nnameserver 192.0.2.1\n")
    assert "1 other nameservers get cleartext queries" in patient.problems()["resolv"]


def test_the_daemon_is_stopped(patient, dot):
    dot[2].stop()
    problems = patient.problems()
    assert {"daemon", "tcp", "health", "control"} == set(problems) and "systemctl start dotstub" in problems["daemon"]


def test_another_process_has_the_port(patient, dot):
    dot[2].stop()
    holder = dot[0].socket(socket.AF_INET, socket.SOCK_DGRAM)
    with holder:
        holder.bind(("127.0.0.1", 53))
        assert "127.0.0.1@53 belongs to pid" in patient.problems()["port"]


@pytest.mark.parametrize("certificate, sentence", [("wrong-name", "captive portal"), ("untrusted-ca", "captive portal"), ("expired", "clock")])
def test_a_wrong_certificate(make_namespace, make_server, make_daemon, certs, public_path, certificate, sentence):
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(certs.bad(certificate), address="192.0.2.99", port=853, namespace=namespace)
    daemon = make_daemon(server, namespace=namespace, port=53)
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    assert sentence in patient.problems()["server"]


def test_servers_refuse_connections(patient, dot):
    dot[1].refuse()
    assert "firewall or captive portal" in patient.problems()["server"]


def test_no_cas(patient, dot):
    config = json.loads(patient.config_file.read_text())
    config["tls"]["ca-file"] = "/nowhere/ca.pem"
    patient.config_file.write_text(json.dumps(config))
    assert "install ca-certificates" in patient.problems()["ca"]


def test_a_socket_to_port_53_of_another_host(patient, dot):
    with dot[0].socket(socket.AF_INET, socket.SOCK_DGRAM) as leak:
        leak.connect(("192.0.2.99", 53))
        assert "1 sockets are connected to port 53" in patient.problems()["leaks"]
    with dot[0].socket(socket.AF_INET6, socket.SOCK_DGRAM) as own:
        own.connect(("::1", 53))
        patient.doctor()


def test_ipv6_only(make_namespace, make_server, make_daemon, public_path):
    """Without DNS64, hosts with only IPv4 cannot be reached."""
    namespace = make_namespace().up("2001:db8::99")
    server = make_server(address="2001:db8::99", port=853, namespace=namespace)
    daemon = make_daemon(server, namespace=namespace, port=53)
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    namespace.run("ip", "-6", "route", "add", "2001:db8::/64", "dev", "lo")
    found = patient.doctor()
    assert found["ipv6"]["says"] == "route to the Internet: IPv6 only" and "(DNS64)" in found["nat64"]["says"]
    with server.lying(twist=lies.rcode(3)):
        subprocess.run([CTL, "--socket", daemon.config["control"]["socket"], "flush"], check=True, capture_output=True)
        assert "dns64.dns.google" in patient.problems()["nat64"]


def test_quick_needs_neither_socket_nor_network(patient, dot):
    dot[1].refuse()
    patient.resolv.write_text(BEFORE)
    config = json.loads(patient.config_file.read_text())
    config["control"]["socket"] = "off"
    patient.config_file.write_text(json.dumps(config))
    assert set(patient.doctor("--quick")) == {"daemon", "health"}
    dot[2].stop()
    assert set(patient.problems("--quick")) == {"daemon", "health"}


def test_quick_accepts_refused(patient, dot, make_daemon):
    """As in a container whose access.allow does not include itself."""
    namespace, server, daemon = dot
    daemon.stop()
    strict = make_daemon(server, namespace=namespace, port=53, access={"allow": ["192.0.2.0/24"]})
    patient.config_file = strict.config_file
    assert set(patient.doctor("--quick")) == {"daemon"}
    assert "unexpected response" in patient.problems()["daemon"]


def test_the_bundle_contains_nothing_private(patient, dot, tmp_path):
    config = json.loads(patient.config_file.read_text())
    config |= {"access": {"allow": ["127.0.0.0/8", "::1", "198.51.100.0/24"]}, "identity": {"hostname": "secret-host"},
               "health": {"name": "secret-health.example"}}
    config["upstreams"][0]["tls-name"] = "account1234.dns.provider.example"
    patient.config_file.write_text(json.dumps(config))
    ask_truly(dot[2], "secret-query.example")
    path = tmp_path / "report.json"
    patient.problems("--bundle", path)
    text, report = path.read_text(), json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for word in ("secret", "198.51.100", "account1234"):
        assert word not in text, word
    assert report["stats"]["counters"]["queries_received"] >= 1 and report["status"]["version"] == report["versions"]["dotstubctl"]
    settings = {row["setting"]: row["value"] for row in report["settings"]}
    assert settings["cache.size"] == "64MiB" and settings["upstreams.liar.tls-name"] == "*.dns.provider.example"
    assert {check["check"] for check in report["checks"]} >= {"daemon", "server", "resolv"}


def test_text_output(patient):
    patient.resolv.write_text(BEFORE)
    done = patient.namespace.run("unshare", "--mount", "sh", "-ec", 'mount --bind "$0/etc" /etc; exec "$@"', patient.path,
                                 CTL, "-c", patient.config_file, "doctor", check=False)
    assert done.returncode == DEGRADED
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("PROBLEM  resolv"))
    assert lines[at + 1].strip() == "-> run dotstubctl system enable" and lines[0].startswith("ok       daemon")


def test_a_wrong_configuration(patient):
    patient.config_file.write_text("cahce: {}\n")
    done = patient.namespace.run(CTL, "-c", patient.config_file, "doctor", check=False)
    assert done.returncode == CONFIGURATION and "unknown key" in done.stderr


def test_watch(daemon):
    path = daemon.config["control"]["socket"]
    watching = Process([*PREFIX, str(CTL), "--socket", path, "stats", "--watch"], read="stdout", env=environment())
    try:
        watching.wait_line("QUERIES +HITS")
        ask_truly(daemon, "a.example")
        daemon.ask("a.example")
        watching.wait_line(r"^ +[1-9]\d* +[0-9]+ +[0-9]+ ")
        daemon.stop()
        assert watching.wait_exit() == 69
    finally:
        watching.end()


def test_watch_json(daemon):
    path = daemon.config["control"]["socket"]
    watching = Process([*PREFIX, str(CTL), "--json", "--socket", path, "stats", "--watch"], read="stdout", env=environment())
    try:
        line = json.loads(watching.wait_line(r"^\{.*\}$"))
        assert list(line)[:2] == ["queries_received", "cache_hits"] and all(type(more) is int for more in line.values())
    finally:
        watching.end()
