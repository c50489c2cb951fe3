# SPDX-License-Identifier: MIT
"""dotstubctl doctor: each problem that it detects is provoked; and stats --watch."""
import json
import pathlib
import socket
import stat
import subprocess
import threading

import pytest

import lies
import wire
from daemon import PREFIX, environment
from processes import PATIENCE, Process
from test_ctl import CTL
from test_reload import make_reloadable  # noqa: F401
from test_system import BEFORE, Machine, other_nameserver
from test_upstream import ask_truly

DEGRADED = 2


@pytest.fixture
def dot(make_namespace, make_server, make_daemon):
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    return namespace, server, make_daemon(server, namespace=namespace, port=53, metrics={"listen": "127.0.0.1@9353"})


class Patient(Machine):
    def doctor(self, *arguments, status=0, before="", config=None, prefix=(), **variables):
        """The findings by check. `before`: a shell command to run first in the mount namespace; `config`: options to find the daemon, instead of the file."""
        config = ["-c", str(self.config_file)] if config is None else config
        command = ["unshare", "--mount", "sh", "-ec", f'mount --bind "$0/etc" /etc; {before}\nexec "$@"', str(self.path),
                   str(CTL), *map(str, config), "--json", "doctor", *map(str, arguments)]
        done = subprocess.run([*PREFIX, *self.namespace.prefix, *prefix, *command], env=environment(**variables),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        self.found = json.loads(done.stdout)
        assert self.found["state"] == ("ok" if status == 0 else "problems")
        assert all(check["ok"] == (check["result"] != "problem") for check in self.found["checks"])
        return {check["check"]: check for check in self.found["checks"]}

    def problems(self, *arguments, **options):
        found = self.doctor(*arguments, status=DEGRADED, **options)
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
    assert "reaches dotstub" in found["programs"]["says"] and "5000 ms" in found["timeout"]["says"]
    assert {"control", "throttling", "leaks", "clock", "ca", "mtu", "ipv6"} <= set(found)


def test_programs_use_another_nameserver(patient):
    patient.resolv.write_text(BEFORE)
    assert "programs use 192.0.2.1, not dotstub -> run dotstubctl system enable" in patient.problems()["resolv"]
    patient.resolv.write_text("nameserver 127.0.0.1\nnameserver 192.0.2.1\n")
    assert "1 other nameservers get cleartext queries" in patient.problems()["resolv"]


def test_the_daemon_is_stopped(patient, dot):
    dot[2].stop()
    problems = patient.problems()
    assert {"daemon", "tcp", "health", "control", "resolv"} == set(problems) and "systemctl start dotstub" in problems["daemon"]
    assert "no reply from the daemon: Connection refused" in problems["control"]
    assert "programs use 127.0.0.1, where dotstub does not answer" in problems["resolv"]


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


def test_no_cas(make_namespace, make_server, make_daemon, certs, public_path):
    """The CA file is removed while the daemon runs."""
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    ca_file = public_path / "ca.pem"
    ca_file.write_bytes(pathlib.Path(certs.ca_file).read_bytes())
    daemon = make_daemon(server, namespace=namespace, port=53, ca_file=ca_file)
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    ca_file.unlink()
    assert "install ca-certificates" in patient.problems()["ca"]


def test_the_plain_servers_of_routes_are_no_leak(make_namespace, make_server, make_daemon, public_path):
    namespace = make_namespace().up("192.0.2.99", "10.0.0.53")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as company:
        company.bind(("10.0.0.53", 53))
        company.settimeout(PATIENCE)
        daemon = make_daemon(server, namespace=namespace, port=53,
                             forward=[{"zones": ["corp.example"], "to": ["10.0.0.53"], "plain": True}])
        patient = Patient(public_path / "root", namespace, daemon.config_file)
        patient.file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        with daemon.udp() as client:
            client.send(wire.query("www.corp.example"))
            company.recv(512)
            assert patient.doctor()["leaks"]["ok"]


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


def test_the_access_list_lacks_this_machine(patient, dot, make_daemon):
    """As in a container: the daemon runs, so the remedy is not to start the daemon."""
    namespace, server, daemon = dot
    daemon.stop()
    for deny in ("refuse", "drop"):
        strict = make_daemon(server, namespace=namespace, port=53, access={"allow": ["192.0.2.0/24"], "deny": deny})
        patient.config_file = strict.config_file
        assert set(patient.doctor("--quick")) == {"daemon"}
        patient.resolv.write_text("nameserver 127.0.0.1\n")
        problems = patient.problems()
        assert set(problems) == {"resolv"} and "add 127.0.0.0/8 and ::1 to access.allow" in problems["resolv"]
        patient.resolv.write_text("nameserver 192.0.2.1\n")
        assert set(patient.problems()) == {"resolv"} and patient.found["checks"][1]["check"] == "access"
        strict.stop()


def test_another_nameserver_on_the_port(patient, dot, public_path):
    """It answers localhost, but it is not dotstub."""
    dot[2].stop()
    unbound = other_nameserver(dot[0], public_path)
    try:
        for arguments in ([], ["--quick"]):
            problem = patient.problems(*arguments)["daemon"]
            assert "not dotstub but pid " in problem and "(unbound) answers at 127.0.0.1@53" in problem and "stop that program" in problem
        assert "unbound" in patient.problems()["port"]
    finally:
        unbound.end()


SYSTEMD = """
import ctypes, socket, subprocess, sys
ctypes.CDLL(None).prctl(15, b"systemd")
sockets = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
for one in sockets:
    one.bind(("127.0.0.1", 53))
sockets[1].listen()
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


@pytest.mark.plain  # a new pid namespace needs a new /proc, which setarch -R cannot have
def test_the_port_is_held_by_a_socket_unit(patient, dot, public_path):
    dot[2].stop()
    script = public_path / "systemd.py"
    script.write_text(SYSTEMD)
    prefix = ["unshare", "--pid", "--fork", "--mount-proc", "/usr/bin/python3", str(script)]
    assert "systemctl list-sockets" in patient.problems(prefix=prefix)["port"]
    patient.file("/etc/systemd/system/sockets.target.wants/dotstub.socket")
    assert "port" not in patient.problems(prefix=prefix)
    found = {check["check"]: check for check in patient.found["checks"]}
    assert found["port"]["says"] == "127.0.0.1@53 belongs to systemd, which passes it to dotstub"


def test_the_daemon_s_own_configuration_counts(make_namespace, make_server, make_daemon, public_path):
    """It has settings from the environment; doctor is given the socket only, or a file with other settings."""
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    daemon = make_daemon(server, namespace=namespace, port=53, variables={"DOTSTUB_LISTEN": "127.0.0.7", "DOTSTUB_LIMITS_ANSWER_BY": "2900ms"})
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", "nameserver 127.0.0.7\n")
    for config in (["-s", daemon.config["control"]["socket"]], ["-c", daemon.config_file]):
        found = patient.doctor(config=config)
        assert "answers at 127.0.0.7@53" in found["daemon"]["says"] and "within 2900 ms" in found["timeout"]["says"]
        assert {"server", "ca", "port", "programs"} <= set(found)


def test_a_configuration_with_mistakes(patient, dot):
    """The report is complete nevertheless, from the daemon's configuration in force."""
    complete = set(patient.doctor())
    patient.config_file.write_text(patient.config_file.read_text().replace("{", "{\"cahce\": {},", 1))
    found = patient.doctor(config=["-s", dot[2].config["control"]["socket"], "-c", patient.config_file], status=DEGRADED)
    assert set(found) == complete | {"config"}
    assert "unknown key \"cahce\"" in found["config"]["says"] and "a restart of dotstub would fail" in found["config"]["remedy"]
    dot[2].stop()
    problems = patient.problems("--quick")
    assert "dotstub does not start with it" in problems["config"] and "does not answer" in problems["daemon"]


def test_a_reload_that_failed_and_settings_that_wait(make_namespace, make_server, make_reloadable, public_path):  # noqa: F811
    """With the socket alone, as in a container, doctor does not know the daemon's file."""
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    daemon = make_reloadable(server, namespace=namespace, port=53)
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    good, config = patient.config_file.read_text(), ["-s", daemon.config["control"]["socket"]]
    assert "reload" not in patient.doctor(config=config)
    patient.config_file.write_text(good.replace("{", '{"cahce": {},', 1))
    daemon.hang_up()
    daemon.wait_line("the previous one stays in force")
    found = patient.problems(config=config)["reload"]
    assert "the last reload failed" in found and 'unknown key "cahce"' in found and "run dotstubctl reload" in found
    patient.config_file.write_text(good.replace("{", '{"workers": 3, "cache": {"size": "2MiB"},', 1))
    daemon.hang_up()
    daemon.wait_line("daemon: reloaded")
    found = patient.doctor(config=config)["reload"]
    assert found["result"] == "note" and found["says"].endswith("the next start: workers, cache.size")


def test_a_block_list_that_cannot_be_read(make_namespace, make_server, make_daemon, public_path):
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    (public_path / "good").write_text("ads.example\n")
    lists = [{"name": name, "file": str(public_path / name)} for name in ("good", "missing")]
    daemon = make_daemon(server, namespace=namespace, port=53, block={"lists": lists})
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    found = patient.problems()
    assert set(found) == {"block"} and f"block list missing: cannot read {public_path}/missing" in found["block"]
    assert "it blocks nothing" in found["block"]
    (public_path / "good").unlink()
    daemon.wait_line("block list good: .*the previous one stays in use")
    (public_path / "missing").write_text("ads.example\n")
    daemon.wait_line("info config: block list missing: 1 name")
    found = patient.problems()
    assert "list good" in found["block"] and "what was read before is in use" in found["block"]


def test_a_daemon_that_does_not_reply_is_asked_once(patient, public_path):
    """Each time takes ten seconds if it hangs."""
    path, asked = public_path / "silent.sock", []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(8)

        def serve():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                asked.append(client.recv(65536))
                client.close()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert "no reply from the daemon" in patient.problems(config=["-s", path, "-c", patient.config_file])["control"]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(asked) == 1


@pytest.mark.parametrize("options, limits, sentence", [
    ("timeout:3", {}, "dotstub reports a failure after 3500 ms"), ("timeout:1", {}, "stale answers come after 1800 ms"),
    ("timeout:5", {"answer-by": "6s"}, "reports a failure after 6000 ms")])
def test_programs_give_up_before_dotstub(make_namespace, make_server, make_daemon, public_path, options, limits, sentence):
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    daemon = make_daemon(server, namespace=namespace, port=53, limits=limits)
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", f"nameserver 127.0.0.1\noptions ndots:1 {options}\n")
    assert sentence in patient.problems()["timeout"]


def test_the_timeout_counts_behind_other_nameservers_too(make_namespace, make_server, make_daemon, public_path):
    """dotstub listens at another port, where a manager may forward to it."""
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    daemon = make_daemon(server, namespace=namespace, port=5300, control={"socket": "off"})
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    problems = patient.problems()
    assert "/etc/resolv.conf" in problems["timeout"] and "for 1000 ms" in problems["timeout"] and "not dotstub" in problems["resolv"]


def test_docker_gives_up_before_dotstub(make_namespace, make_server, make_daemon, public_path):
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    daemon = make_daemon(server, namespace=namespace, port=53, limits={"answer-by": "4500ms"})
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    patient.file("/etc/docker/daemon.json", '{"dns": ["172.17.0.1"]}')
    before = "mount -t tmpfs none /run; touch /run/docker.sock"
    assert "Docker's DNS server waits for a response for 4000 ms" in patient.problems(before=before)["timeout"]
    patient.file("/etc/docker/daemon.json", "{}")
    assert "timeout" in patient.problems(before=before)
    notes = {check["check"] for check in patient.found["checks"] if check["result"] == "note"}
    assert "docker" in notes


def test_lookups_of_programs_go_elsewhere(patient):
    patient.file("/etc/nsswitch.conf", "hosts: files\n")
    assert "does not reach dotstub: another resolver answered" in patient.problems()["programs"]


def test_the_resolver_of_programs_does_not_answer(patient):
    patient.file("/etc/resolv.conf", "nameserver 198.51.100.53\noptions timeout:1 attempts:1\n")
    assert "does not reach dotstub: the resolver that it asked did not answer" in patient.problems()["programs"]


def test_programs_ask_resolved_first(patient):
    patient.file("/etc/nsswitch.conf", "hosts: files resolve [!UNAVAIL=return] dns\n")
    before = "mount -t tmpfs none /run; mkdir -p /run/systemd/resolve; touch /run/systemd/resolve/io.systemd.Resolve"
    assert "`resolve` before `dns`" in patient.problems(before=before)["nsswitch"]
    assert "nsswitch" not in patient.doctor()


def test_an_address_without_a_route_is_a_note(make_namespace, make_server, make_daemon, public_path):
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    upstream = {**server.upstream(), "addresses": [f"192.0.2.99@{server.port}", "2001:db8::99@853"]}
    daemon = make_daemon(upstream, namespace=namespace, port=53)
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    patient.doctor()
    assert [check["result"] for check in patient.found["checks"] if check["check"] == "server"] == ["ok", "note"]
    server.refuse()
    assert "2001:db8::99@853: Network is unreachable -> there is no route" in patient.problems()["server"]


def test_the_bundle_contains_nothing_private(make_namespace, make_server, make_daemon, public_path, tmp_path):
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    private = {"access": {"allow": ["127.0.0.0/8", "::1", "198.51.100.0/24"]}, "identity": {"hostname": "secret-host"},
               "health": {"name": "secret-health.example"}, "single-label": "search", "search": ["secret-search.example"],
               "records": ["secret-printer.lan. A 203.0.113.9"], "rebind-allow": ["secret-allowed.example"],
               "hosts": {"entries": [{"name": "secret-laptop.lan", "addresses": ["203.0.113.10"]}]},
               "views": [{"clients": ["203.0.113.64/26"], "upstreams": ["liar"]}],
               "forward": [{"zones": ["secret-zone.example"], "to": ["192.0.2.99"], "plain": True}]}
    https = {"name": "account", "host": "account5678.dns.provider.example", "bootstrap": ["liar"], "transport": "https",
             "https": "https://account5678.dns.provider.example/account9012"}
    daemon = make_daemon({**server.upstream(), "tls-name": "account1234.dns.provider.example"}, https, namespace=namespace,
                         port=53, **private)
    patient = Patient(public_path / "root", namespace, daemon.config_file)
    patient.file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    daemon.ask("secret-query.example")
    path = tmp_path / "report.json"
    patient.problems("--bundle", path)
    text, report = path.read_text(), json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    words = ("host", "health", "query", "search", "printer", "allowed", "laptop", "zone")
    for word in (*(f"secret-{word}" for word in words), "198.51.100", "203.0.113", "account1", "account5", "account9"):
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


def test_watch_survives_an_upgrade(make_namespace, make_server, make_daemon):
    """The new process counts from 0: no increase is negative, and none is that of the old process again."""
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    daemon = make_daemon(server, namespace=namespace)
    path = daemon.config["control"]["socket"]
    for number in range(50):
        daemon.ask(f"name{number}.example")
    watching = Process([*PREFIX, str(CTL), "--json", "--socket", path, "stats", "--watch"], read="stdout", env=environment())
    try:
        watching.wait_line(r"^\{.*\}$")
        daemon.stop()
        follower = make_daemon(server, namespace=namespace, port=daemon.port)
        assert follower.config["control"]["socket"] == path
        for number in range(3):
            follower.ask(f"other{number}.example")
        watching.wait_line(r'"queries_received": [1-3],')
        lines = [json.loads(line) for line in watching.log()]
        assert all(more >= 0 for line in lines for more in line.values())
        assert sum(line["queries_received"] for line in lines) <= 3
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
