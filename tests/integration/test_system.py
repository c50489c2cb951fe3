# SPDX-License-Identifier: MIT
"""dotstubctl system enable and disable, with a daemon on port 53 of its own network namespace."""
import json
import os
import pathlib
import re
import signal
import stat
import subprocess

import pytest

from daemon import BINARY, PREFIX, environment
from processes import PATIENCE, Process

CTL = BINARY.with_name("dotstubctl")
OTHER, DEGRADED, USAGE, NO_DAEMON, NO_PERMISSION = 1, 2, 64, 69, 77
# The configuration directory of this build, where the journal is.
SYSCONFDIR = re.search(r"instead of\s+(\S+)/dotstub/dotstub.yaml", subprocess.run([CTL, "--help"], capture_output=True, text=True).stdout)[1]
BEFORE = "# mine\nsearch corp.example lan\nnameserver 192.0.2.1\noptions ndots:2 timeout:3\nnameserver 192.0.2.2\nsortlist 10.0.0.0"


class Machine:
    """A root directory. With `real` its /etc is mounted over /etc, otherwise the command gets --root."""

    def __init__(self, path, namespace, config_file):
        self.path, self.namespace, self.config_file = path, namespace, config_file
        self.journal = path / SYSCONFDIR.lstrip("/") / "dotstub/system.state"
        self.journal.parent.mkdir(parents=True)
        (path / "etc").mkdir(exist_ok=True)

    def file(self, name, text=""):
        path = self.path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def system(self, *arguments, status=0, real=False, before="", prefix=(), **variables):
        """`before`: a shell command to run first in the mount namespace, with `real`."""
        command = [str(CTL), "-c", str(self.config_file), *([] if real else ["--root", str(self.path)]), "system", *arguments]
        if real:
            mounts = [f'mount --bind "$0/{directory}" /{directory}' for directory in ("etc", SYSCONFDIR.lstrip("/"))
                      if directory == "etc" or not SYSCONFDIR.startswith("/etc")]
            command = ["unshare", "--mount", "sh", "-ec", "\n".join([*mounts, before, 'exec "$@"']), str(self.path), *command]
        done = subprocess.run([*PREFIX, *self.namespace.prefix, *prefix, *command], env=environment(**variables), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=3 * PATIENCE)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status in (0, DEGRADED) else done.stderr

    def snapshot(self):
        """Every path with its mode, owner, times, links and content, except the times of directories."""
        out = {}
        for path in sorted(self.path.rglob("*")):
            facts = path.lstat()
            what = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
            times = None if stat.S_ISDIR(facts.st_mode) else (facts.st_mtime_ns, facts.st_ino, facts.st_nlink)
            out[str(path)] = (stat.filemode(facts.st_mode), facts.st_uid, facts.st_gid, times, what)
        return out

    @property
    def resolv(self):
        return self.path / "etc/resolv.conf"


@pytest.fixture
def dot(make_namespace, make_server, make_daemon):
    """A namespace with a server and a daemon on port 53."""
    namespace = make_namespace().up("192.0.2.99")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    return namespace, server, make_daemon(server, namespace=namespace, port=53)


@pytest.fixture
def machine(dot, public_path):
    out = Machine(public_path / "root", dot[0], dot[2].config_file)
    out.file("/etc/resolv.conf", BEFORE)
    return out


def test_plain(machine):
    before = machine.snapshot()
    shown = machine.system("enable")
    assert "on: programs use dotstub at 127.0.0.1@53" in shown
    assert machine.resolv.read_text().splitlines()[1:] == [
        "nameserver 127.0.0.1", "# mine", "search corp.example lan", "options ndots:2 timeout:3", "sortlist 10.0.0.0"]
    assert stat.S_IMODE(machine.resolv.stat().st_mode) == 0o644
    assert machine.system("enable") == "already on\n"
    status = json.loads(machine.system("--json", "status"))
    assert status == {"state": "on", "in_force": True, "manager": "/etc/resolv.conf", "nameservers": ["127.0.0.1"],
                      "dotstub": "127.0.0.1@53", "responding": True, "programs_arrive": None, "notes": []}
    assert "the original files are restored" in machine.system("disable")
    assert machine.snapshot() == before
    assert machine.system("disable") == "off: nothing to undo\n"
    assert machine.system("status", status=DEGRADED).startswith("system    off\n")


def test_the_real_etc(machine):
    before = machine.snapshot()
    machine.system("enable", real=True)
    status = json.loads(machine.system("--json", "status", real=True))
    assert status["in_force"] and status["programs_arrive"] is True
    asked = machine.namespace.run("unshare", "--mount", "sh", "-ec", f"mount --bind {machine.path}/etc /etc; dig +short anything.example")
    assert asked.stdout.strip()
    machine.system("disable", real=True)
    assert machine.snapshot() == before


def test_trust_ad(machine):
    machine.system("--trust-ad", "enable")
    assert machine.resolv.read_text().endswith("options trust-ad\n")
    machine.system("disable")
    machine.resolv.write_text("options edns0 trust-ad\nnameserver 192.0.2.1\n")
    machine.system("--trust-ad", "enable")
    assert machine.resolv.read_text().count("trust-ad") == 1


@pytest.mark.parametrize("kind", ["link", "dangling link", "nothing", "mode", "binary"])
def test_disable_restores_the_original(machine, kind):
    if kind == "mode":
        machine.resolv.chmod(0o600)
        os.chown(machine.resolv, 12, 34)
    elif kind == "binary":
        machine.resolv.write_bytes(b"nameserver 192.0.2.1\n\xff\xfe\x00\x01" + bytes(range(256)))
    else:
        machine.resolv.unlink()
    if "link" in kind:
        machine.resolv.symlink_to("resolv.conf.real")
    if kind == "link":
        machine.file("/etc/resolv.conf.real", BEFORE)
    before = machine.snapshot()
    machine.system("enable")
    assert not machine.resolv.is_symlink() and b"nameserver 127.0.0.1" in machine.resolv.read_bytes()
    machine.system("disable")
    assert machine.snapshot() == before


def test_the_dhclient_hook(machine):
    hooks = machine.file("/etc/dhcp/dhclient-enter-hooks.d/other").parent
    before = machine.snapshot()
    machine.system("enable")
    script = f'make_resolv_conf() {{ echo written; }}; . "{hooks}/zz-dotstub"; make_resolv_conf'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == ""
    machine.system("disable")
    assert machine.snapshot() == before


def test_dry_run_changes_nothing(machine):
    before = machine.snapshot()
    shown = machine.system("--dry-run", "enable")
    assert "would replace" in shown and "    nameserver 127.0.0.1\n" in shown and "within 5 s" in shown
    assert machine.snapshot() == before
    machine.system("enable")
    on = machine.snapshot()
    assert "would put back" in machine.system("--dry-run", "disable")
    assert machine.snapshot() == on


def test_enable_is_undone_when_the_first_lookup_fails(machine, dot):
    before = machine.snapshot()
    dot[1].refuse()
    said = machine.system("enable", status=OTHER)
    assert "did not resolve example.com within 5 s" in said and "all changes were undone" in said
    assert machine.snapshot() == before


def test_without_a_daemon_nothing_changes(machine, dot):
    before = machine.snapshot()
    dot[2].stop()
    assert "Nothing was changed" in machine.system("enable", status=NO_DAEMON)
    assert machine.snapshot() == before
    assert "does not answer" in machine.system("status", status=DEGRADED)


def test_disable_needs_neither_daemon_nor_configuration(machine, dot):
    before = machine.snapshot()
    machine.system("enable")
    dot[2].stop()
    machine.config_file.write_text("no: such: thing\n")
    machine.system("disable")
    assert machine.snapshot() == before


def calls(machine, tmp_path):
    """The system calls by which enable changes files: name, and ordinal among calls of that name."""
    log = tmp_path / "calls"
    machine.system("enable", prefix=["strace", "-f", "-o", str(log), "-e", "trace=linkat,rename,mkdir,unlink"])
    machine.system("disable")
    names = re.findall(r"^\d+ +(linkat|rename|mkdir|unlink)\(", log.read_text(), re.M)
    return [(name, names[:number].count(name) + 1) for number, name in enumerate(names)]


@pytest.mark.whole
@pytest.mark.plain  # the leak sanitizer does not work under strace
@pytest.mark.parametrize("then", ["enable", "disable"])
def test_interrupted_at_each_call(machine, tmp_path, then):
    """Kills enable at each system call that changes a file, one call per run."""
    machine.file("/etc/dhcp/dhclient-enter-hooks.d/other")
    before = machine.snapshot()
    places = calls(machine, tmp_path)
    assert len(places) >= 8
    for name, number in places:
        machine.system("enable", status=-signal.SIGKILL, prefix=[
            "strace", "-f", "-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}"])
        machine.system(then)
        if then == "enable":
            assert machine.system("enable") == "already on\n"
            machine.system("disable")
        left = {path: facts for path, facts in machine.snapshot().items() if not path.endswith("system.state.new")}
        assert left == before, (name, number)


def test_another_program_writes_the_file(machine):
    before = machine.snapshot()
    machine.system("enable")
    machine.file("/etc/resolv.conf", "nameserver 192.0.2.7\n")
    assert "was changed since" in machine.system("enable", status=OTHER)
    assert "was changed since" in machine.system("status", status=DEGRADED)
    machine.system("disable")
    assert machine.snapshot() == before


@pytest.mark.parametrize("trouble, sentence", [
    ("mount --bind $0/etc/resolv.conf /etc/resolv.conf", "a mount point, as in a container"),
    ("mount -o remount,bind,ro /etc", "make it writable"),
])
def test_a_file_that_cannot_be_changed(machine, trouble, sentence):
    before = machine.snapshot()
    said = machine.system("enable", real=True, before=trouble, status=OTHER)
    assert sentence in said and "all changes were undone" in said
    assert machine.snapshot() == before


def test_an_immutable_file(machine):
    if subprocess.run(["chattr", "+i", machine.resolv], capture_output=True).returncode:
        pytest.skip("this filesystem knows no immutable files")
    try:
        said = machine.system("enable", status=OTHER)
    finally:
        subprocess.run(["chattr", "-i", machine.resolv], check=True)
    assert "immutable" in said and "all changes were undone" in said
    assert machine.resolv.read_text() == BEFORE and not machine.journal.exists()


def other_nameserver(namespace, public_path):
    """Unbound on port 53: it answers from its local data."""
    config = public_path / "unbound.conf"
    config.write_text(f"""server:
    directory: "{public_path}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    interface: 127.0.0.1@53
    local-zone: "localhost." redirect
    local-data: "localhost. A 127.0.0.1"
    local-data: "example.com. A 192.0.2.1"
remote-control:
    control-enable: no
""")
    unbound = Process([*namespace.prefix, "unbound", "-d", "-p", "-c", str(config)])
    unbound.wait_line("start of service")
    return unbound


def test_another_nameserver_on_the_port(machine, dot, public_path):
    """It answers localhost and example.com, but it is not dotstub."""
    before = machine.snapshot()
    dot[2].stop()
    unbound = other_nameserver(dot[0], public_path)
    try:
        said = machine.system("enable", status=NO_DAEMON)
        assert "not dotstub but pid " in said and "(unbound) answers at 127.0.0.1@53" in said and "Nothing was changed" in said
        assert machine.snapshot() == before
        assert not json.loads(machine.system("--json", "status", status=DEGRADED))["responding"]
    finally:
        unbound.end()


def test_already_on_without_a_daemon(machine, dot):
    machine.system("enable")
    dot[2].stop()
    assert "dotstub does not answer" in machine.system("enable", status=NO_DAEMON)


def test_lookups_of_programs_do_not_arrive(machine):
    """resolv.conf names dotstub, but nsswitch.conf does not use it."""
    machine.file("/etc/nsswitch.conf", "hosts: files\n")
    before = machine.snapshot()
    said = machine.system("enable", real=True, status=OTHER)
    assert "did not reach dotstub" in said and "all changes were undone" in said
    assert machine.snapshot() == before


WRITERS = {
    "WSL": ("# This file was automatically generated by WSL. To stop automatic generation of this file, see /etc/wsl.conf\n", "generateResolvConf"),
    "tailscaled": ("# resolv.conf(5) file generated by tailscale\n", "tailscale set --accept-dns=false"),
    "ConnMan": ("# Generated by Connection Manager\n", "connmanctl"),
    "netconfig": ("### autogenerated by netconfig!\n", "NETCONFIG_DNS_POLICY"),
    "cloud-init": ("# Your system has been configured\n# Created by cloud-init on instance boot\n", "configure it not to write the file"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_the_writer_of_the_file_is_named(machine, writer):
    comment, remedy = WRITERS[writer]
    machine.resolv.write_text(comment + BEFORE + "\n")
    for arguments in (["--dry-run", "enable"], ["enable"]):
        shown = machine.system(*arguments)
        assert f"note: {writer}" in shown and "will write /etc/resolv.conf again: " in shown and remedy in shown
    (note,) = json.loads(machine.system("--json", "status"))["notes"]
    assert note["check"] == "writer" and not note["leaks"] and writer in note["says"]


def test_the_text_of_the_file_moves_no_cursor(machine):
    machine.resolv.write_text("# Generated by \x1b]0;x\x07me\nsearch \x1b[2Jlan\n" + BEFORE + "\n")
    for arguments in (["--dry-run", "enable"], ["enable"]):
        shown = machine.system(*arguments)
        assert "\x1b" not in shown and "\x07" not in shown, shown
        assert "note: ?]0 will write /etc/resolv.conf again: " in shown
    assert "search \x1b[2Jlan\n" in machine.resolv.read_text()


@pytest.mark.parametrize("writer, file, text, switch, off", [
    ("WSL", "/proc/sys/fs/binfmt_misc/WSLInterop", "", "/etc/wsl.conf", "[network]\ngenerateResolvConf = false\n"),
    ("netconfig", "/etc/sysconfig/network/config", 'NETCONFIG_DNS_POLICY="auto"\n', "/etc/sysconfig/network/config", 'NETCONFIG_DNS_POLICY=""\n'),
    ("udhcpc", "/etc/udhcpc/default.script", "echo nameserver $i >>/etc/resolv.conf\n", "/sbin/resolvconf", ""),
])
def test_a_writer_without_a_comment(machine, writer, file, text, switch, off):
    """Its own file tells that it is there, or that it does not write."""
    machine.file(file, text)
    assert f"note: {writer} will write /etc/resolv.conf again" in machine.system("--dry-run", "enable")
    machine.file(switch, off)
    assert "note:" not in machine.system("--dry-run", "enable")
    machine.file(file, text)


@pytest.mark.parametrize("target, writer", [
    ("../run/connman/resolv.conf", "ConnMan"), ("../run/netconfig/resolv.conf", "netconfig"), ("../mnt/wsl/resolv.conf", "WSL")])
def test_a_writer_by_its_link(machine, target, writer):
    machine.resolv.unlink()
    machine.resolv.symlink_to(target)
    machine.file(target[2:], "nameserver 192.0.2.1\n")
    assert f"note: {writer}" in machine.system("--dry-run", "enable")


@pytest.mark.parametrize("client, present, path, text, check", [
    ("dhcpcd", "/usr/lib/dhcpcd/dhcpcd-hooks/20-resolv.conf", "/etc/dhcpcd.enter-hook", None, '. {path}; echo "$skip_hooks"'),
    ("dhcpcd", "/etc/dhcpcd.conf", "/etc/dhcpcd.enter-hook", None, '. {path}; echo "$skip_hooks"'),
    ("dhcpcd", "/lib/dhcpcd/dhcpcd-hooks/20-resolv.conf", "/etc/dhcpcd.enter-hook", "echo mine >/dev/null", '. {path}; echo "$skip_hooks"'),
    ("udhcpc", "/usr/share/udhcpc/default.script", "/etc/udhcpc/udhcpc.conf", 'RESOLV_CONF="/etc/resolv.conf"', '. {path}; echo "$RESOLV_CONF"'),
])
def test_dhcp_clients(machine, client, present, path, text, check):
    """A file that the client's script reads keeps it from writing resolv.conf; the operator's lines stay."""
    machine.file(present)
    if text:
        machine.file(path, text)
    machine.resolv.write_text(f"# Generated by {client} from eth0.dhcp\n{BEFORE}")
    before = machine.snapshot()
    shown = machine.system("enable")
    assert "note:" not in shown or client != "dhcpcd"
    ours = machine.path / path.lstrip("/")
    assert (text or "") in ours.read_text()
    done = subprocess.run(["sh", "-c", check.format(path=ours)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == {"dhcpcd": "resolv.conf", "udhcpc": "no"}[client]
    machine.system("disable")
    assert machine.snapshot() == before


def test_nsswitch_asks_resolved_first(machine):
    """systemd-resolved and resolv.conf are both configured: programs use one or the other."""
    machine.file("/etc/nsswitch.conf", "passwd: files\nhosts:  files resolve [!UNAVAIL=return] dns # comment\n")
    machine.file("/run/systemd/resolve/io.systemd.Resolve")
    assert "through systemd-resolved;" in machine.system("enable")
    assert "DNS=127.0.0.1:53" in (machine.path / "etc/systemd/resolved.conf.d/zz-dotstub.conf").read_text()
    assert "nameserver 127.0.0.1" in machine.resolv.read_text()
    machine.system("disable")
    for hosts in ("files dns resolve", "files mymachines dns", "files [NOTFOUND=resolve] dns"):
        machine.file("/etc/nsswitch.conf", f"hosts: {hosts}\n")
        assert "through /etc/resolv.conf;" in machine.system("enable"), hosts
        machine.system("disable")


def test_trust_ad_behind_resolved(machine):
    machine.resolv.unlink()
    machine.file("/run/systemd/resolve/stub-resolv.conf", "nameserver 127.0.0.53\noptions edns0 trust-ad\n")
    machine.resolv.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    assert "note: systemd-resolved does not pass on the AD flag" in machine.system("--trust-ad", "enable")
    machine.system("disable")
    assert "note:" not in machine.system("enable")


def test_containers_and_copies_are_named(machine):
    machine.file("/usr/bin/dockerd")
    machine.file("/usr/bin/podman")
    machine.file("/var/spool/postfix/etc/resolv.conf", "nameserver 192.0.2.1\n")
    shown = machine.system("enable")
    for part in ("note: docker gives containers", "note: podman leaves out", "note: postfix has a copy of resolv.conf", "names 192.0.2.1"):
        assert part in shown
    machine.system("disable")
    machine.file("/etc/docker/daemon.json", '{"dns": ["172.17.0.1"]}')
    machine.file("/etc/containers/containers.conf", '[containers]\ndns_servers = ["10.88.0.1"]\n')
    machine.file("/var/spool/postfix/etc/resolv.conf", "nameserver 127.0.0.1\n")
    assert "note:" not in machine.system("enable")


@pytest.mark.parametrize("files, manager, written", [
    ({"/run/systemd/resolve/stub-resolv.conf": "nameserver 127.0.0.53\n", "link": "../run/systemd/resolve/stub-resolv.conf"},
     "systemd-resolved", {"/etc/systemd/resolved.conf.d/zz-dotstub.conf": "[Resolve]\nDNS=\nDNS=127.0.0.1:53\nDomains=~.\n"}),
    ({"/run/systemd/resolve/resolv.conf": "nameserver 192.0.2.1\n", "/run/systemd/resolve/stub-resolv.conf": "nameserver 127.0.0.53\n",
      "link": "/run/systemd/resolve/resolv.conf"},
     "systemd-resolved", {"/etc/systemd/resolved.conf.d/zz-dotstub.conf": "Domains=~.\n", "link": "../run/systemd/resolve/stub-resolv.conf"}),
    ({"/etc/resolv.conf": "# Generated by NetworkManager\nsearch a.example b.example\nnameserver 192.0.2.1\noptions ndots:2\n"},
     "NetworkManager", {"/etc/NetworkManager/conf.d/zz-dotstub.conf":
                        "[global-dns]\nsearches=a.example,b.example\noptions=ndots:2\n\n[global-dns-domain-*]\nservers=127.0.0.1\n"}),
    ({"/lib/resolvconf/list-records": "", "/run/resolvconf/resolv.conf": "nameserver 192.0.2.1\n", "link": "../run/resolvconf/resolv.conf"},
     "resolvconf", {"/etc/systemd/system/dotstub-resolvconf.service": "'printf \"nameserver 127.0.0.1\\\\n\" | /sbin/resolvconf -a lo.dotstub'"}),
    ({"/etc/resolv.conf": "# Generated by resolvconf\nnameserver 192.0.2.1\n", "/etc/resolvconf.conf": "resolv_conf=/etc/resolv.conf\n"},
     "openresolv", {"/etc/resolvconf.conf": "name_servers=127.0.0.1\nresolv_conf_local_only=YES\n"}),
])
def test_each_manager(machine, files, manager, written):
    machine.resolv.unlink()
    for path, text in files.items():
        if path == "link":
            machine.resolv.symlink_to(text)
        else:
            machine.file(path, text)
    if files.get("link", "").startswith("/run"):  # absolute: within the test's root
        machine.resolv.unlink()
        machine.resolv.symlink_to(str(machine.path) + files["link"])
    before = machine.snapshot()
    assert f"through {manager};" in machine.system("enable")
    for path, text in written.items():
        if path == "link":
            assert os.readlink(machine.resolv) == text
        else:
            assert text in (machine.path / path.lstrip("/")).read_text()
    machine.system("disable")
    assert machine.snapshot() == before


def test_another_port_and_other_addresses(make_namespace, make_server, make_daemon, public_path):
    namespace = make_namespace().up("192.0.2.99", "192.0.2.50")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    daemon = make_daemon(server, namespace=namespace, port=5300)
    machine = Machine(public_path / "root", namespace, daemon.config_file)
    machine.file("/etc/resolv.conf", BEFORE)
    assert "supports only port 53" in machine.system("enable", status=OTHER)
    machine.resolv.unlink()
    machine.file("/run/systemd/resolve/stub-resolv.conf", "nameserver 127.0.0.53\n")
    machine.resolv.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    machine.system("enable")
    assert "DNS=127.0.0.1:5300\n" in (machine.path / "etc/systemd/resolved.conf.d/zz-dotstub.conf").read_text()
    shown = json.loads(machine.system("--json", "--dry-run", "status"))
    assert shown["dotstub"] == "127.0.0.1@5300"


def test_permission_and_usage(machine):
    stranger = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    machine.config_file.parent.chmod(0o755)
    probe = subprocess.run([*stranger, str(CTL), "-c", machine.config_file, "--version"], capture_output=True)
    if probe.returncode == 0:
        assert "run as root" in machine.system("enable", status=NO_PERMISSION, prefix=stranger)
    assert "usage" in machine.system("on", status=USAGE)
    assert "usage" in machine.system(status=USAGE)


# Zones that the router keeps.

ROUTER = "192.168.1.1"
HOME = f"search home.lan corp.example\nnameserver {ROUTER}\n"


@pytest.fixture
def home(make_namespace, make_server, make_daemon, cleanup, public_path):
    """A machine in the network of a router, which serves home.lan; the daemon's configuration is below the root."""
    namespace = make_namespace().up("192.0.2.99", ROUTER)
    router = Process([*namespace.prefix, "dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
                      f"--listen-address={ROUTER}", "--bind-interfaces", "--local=/home.lan/168.192.in-addr.arpa/corp.example/", "--log-facility=-",
                      "--host-record=printer.home.lan,192.168.1.9", "--host-record=www.corp.example,192.168.1.10"])
    cleanup.callback(router.end)
    router.wait_line("started")
    server = make_server(address="192.0.2.99", port=853, namespace=namespace)
    path = public_path / "root" / SYSCONFDIR.lstrip("/") / "dotstub"
    machine = Machine(public_path / "root", namespace, path / "dotstub.yaml")
    machine.server = server
    machine.resolv.write_text(HOME)
    return machine


@pytest.fixture
def home_daemon(home, certs, make_daemon):
    ca_file = home.file("ca.pem", open(certs.ca_file).read())
    daemon = make_daemon(home.server, namespace=home.namespace, port=53, directory=home.journal.parent, ca_file=ca_file)
    daemon.config_file.rename(home.config_file)
    home.config_file.chmod(0o644)
    daemon.end()
    daemon = Process([*PREFIX, *home.namespace.prefix, str(BINARY), "--user", "nobody", "-c", str(home.config_file)], env=environment())
    daemon.wait_line("daemon: ready")
    yield daemon
    daemon.end()


def look_up(home, name, *more):
    return home.namespace.run("dig", "+short", "+tries=1", "@127.0.0.1", name, *more).stdout.strip()


def test_the_router_keeps_its_zones(home, home_daemon):
    before = home.snapshot()
    assert look_up(home, "printer.home.lan") != "192.168.1.9"
    home.server.forget()
    shown = home.system("enable", "--keep-local", real=True)
    assert "note: corp.example was answered by 192.168.1.1, and is now sent to the upstreams; a route keeps it there" in shown
    assert look_up(home, "printer.home.lan") == "192.168.1.9"
    assert look_up(home, "-x", "192.168.1.9") == "printer.home.lan."
    assert look_up(home, "www.corp.example") not in ("", "192.168.1.10")
    assert not [query for query in home.server.queries if "home.lan" in query.name or "arpa" in query.name]
    text = (home.config_file.parent / "conf.d/50-keep-local.yaml").read_text()
    assert 'zones: ["home.lan", "168.192.in-addr.arpa"]\n    to: ["192.168.1.1"]\n    plain: yes\n    private: yes\n' in text
    home.system("disable", real=True)
    assert look_up(home, "printer.home.lan") != "192.168.1.9"
    assert home.snapshot() == before


def test_without_the_option_the_zones_are_named(home, home_daemon):
    shown = home.system("enable", real=True)
    assert "note: home.lan was answered by 192.168.1.1, and is now sent to the upstreams; --keep-local keeps it there" in shown
    assert not (home.config_file.parent / "conf.d").exists()
    home.system("disable", real=True)


@pytest.mark.parametrize("answers, kept", [("\n\n\n", ["home.lan", "168.192.in-addr.arpa"]), ("n\ny\nn\n", ["corp.example"]), ("n\n\nno\n", [])])
def test_it_asks_on_a_terminal(home, home_daemon, answers, kept):
    mounts = "; ".join(f"mount --bind {home.path}/{directory} /{directory}" for directory in ("etc", SYSCONFDIR.lstrip("/"))
                       if directory == "etc" or not SYSCONFDIR.startswith("/etc"))
    command = f"{' '.join(PREFIX)} {CTL} -c {home.config_file} system enable"
    shown = subprocess.run([*home.namespace.prefix, "unshare", "--mount", "sh", "-ec", f"{mounts}; script -qec '{command}' /dev/null"],
                           input=answers, env=environment(), capture_output=True, text=True, timeout=3 * PATIENCE).stdout
    for line in ("home.lan was answered by 192.168.1.1; keep it? [Y/n]", "corp.example was answered by 192.168.1.1; keep it? [y/N]",
                 "168.192.in-addr.arpa was answered by 192.168.1.1; keep it? [Y/n]", "on: programs use dotstub"):
        assert line in shown, shown
    file = home.config_file.parent / "conf.d/50-keep-local.yaml"
    text = file.read_text() if file.exists() else ""
    assert re.findall(r'"([a-z0-9.-]+[a-z])"', text) == kept
    assert (look_up(home, "www.corp.example") == "192.168.1.10") == ("corp.example" in kept)
    home.system("disable", real=True)


def test_keep_local_in_an_image(home, home_daemon):
    before = home.snapshot()
    shown = home.system("enable", "--keep-local", "--dry-run")
    assert f"{SYSCONFDIR}/dotstub/conf.d/50-keep-local.yaml" in shown and '"home.lan"' in shown
    assert home.snapshot() == before
    home.system("enable", "--keep-local")
    assert '"home.lan"' in (home.config_file.parent / "conf.d/50-keep-local.yaml").read_text()
    home.system("disable")
    assert home.snapshot() == before
    elsewhere = home.path.parent / "other.yaml"
    elsewhere.write_text(home.config_file.read_text())
    home.config_file = elsewhere
    assert "is not below" in home.system("enable", "--keep-local", status=OTHER)
