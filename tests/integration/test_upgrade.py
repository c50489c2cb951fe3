# SPDX-License-Identifier: MIT
"""A process takes over from another while clients send queries: none is lost, whatever the new process does."""
import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading

import pytest

from clients import Silence, TcpClient, UdpClient
from daemon import BINARY, PREFIX, SLACK, USER, environment
from manager import Manager, Service
from processes import PATIENCE, Process, eventually, free_port
from test_ctl import call, ctl
from test_notify import activate, bound  # noqa: F401
from test_reload import make_reloadable  # noqa: F401
from test_restart import Asker
from test_saved import saving, tickets  # noqa: F401
from test_upstream import ask_truly

OTHER, USAGE, PORT, NO_PERMISSION, CONFIGURATION = 1, 64, 71, 77, 78
RATE = 4000 // min(SLACK, 8)
TITLE = b"dotstub handover 1\n"


def gone(process):
    """Its exit status; the next process continues its log."""
    return process.child.wait(PATIENCE)


def successor(daemon, *, config_file=None, user=USER, binary=(*PREFIX, str(BINARY)), **variables):
    """A process that takes over from this daemon."""
    return Process([*binary, "--user", user, "-c", str(config_file or daemon.config_file), "--take-over", str(daemon.pid)],
                   env=environment(**variables))


def take_over(daemon, **options):
    """Returns the process that has taken over and logs to the same place; the test must end it."""
    child = successor(daemon, **options)
    daemon.wait_line(f"process {child.pid} now answers queries: stopping")
    assert daemon.wait_line("daemon: ready", 2)
    assert gone(daemon) == 0
    return child


@pytest.fixture
def ended(cleanup):
    def later(child):
        cleanup.callback(lambda: child.end() if child.running else None)
        return child
    return later


def as_user(user):
    """A prefix that runs a command as this user, without capabilities."""
    uid, gid = (user, user) if user.isdigit() else (str(pwd.getpwnam(user).pw_uid), str(pwd.getpwnam(user).pw_gid))
    return ["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups"]


@pytest.fixture
def make_public(make_daemon, certs, public_path):
    """make_public(server, ...): a daemon whose user can reach its files."""
    ca_file = public_path / "ca.pem"
    shutil.copyfile(certs.ca_file, ca_file)

    def make(*servers, **options):
        return make_daemon(*servers, directory=public_path, ca_file=ca_file, **options)
    return make


@pytest.fixture
def programs(public_path):
    """A directory with dotstub and dotstubctl that every user can run."""
    directory = public_path / "programs"
    directory.mkdir()
    for name in ("dotstub", "dotstubctl"):
        shutil.copy(BINARY.with_name(name), directory)
    return directory


def upgrade(daemon, programs, *arguments, status=0, options=()):
    """dotstubctl upgrade, as root. Returns what it prints."""
    done = subprocess.run([str(programs / "dotstubctl"), "--socket", daemon.config["control"]["socket"], "-c",
                           str(daemon.config_file), *options, "upgrade", *map(str, arguments)], env=environment(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr if status else done.stdout


@pytest.mark.threads
@pytest.mark.parametrize("counts", [(1, 1), (2, 3), (3, 1)])
def test_a_process_takes_over(make_daemon, server, ended, tmp_path, counts):
    daemon = make_daemon(server, workers=counts[0])
    for number in range(20):
        ask_truly(daemon, f"n{number}.example")
    server.forget()
    daemon.config["workers"] = counts[1]
    path = tmp_path / "successor.yaml"
    path.write_text(json.dumps(daemon.config))
    child = ended(take_over(daemon, config_file=path))
    assert daemon.wait_line("took over .* cache entries").count("took over 20 cache entries") == 1
    for number in range(20):
        ask_truly(daemon, f"n{number}.example")
        daemon.ask(f"n{number}.example", tcp=True, address="::1")
    assert not server.queries
    assert f"pid {child.pid}" in ctl(daemon, "status")
    assert child.end() == 0


def test_sessions_are_resumed(daemon, server, ended):
    ask_truly(daemon, "a.example")
    ended(take_over(daemon))
    ask_truly(daemon, "b.example")
    assert [connection.resumed for connection in server.established] == [False, True]


def test_repeated_take_overs(daemon, server, ended):
    """Each process takes over from the previous one."""
    current = daemon
    for number in range(4):
        child = ended(Process([*PREFIX, str(BINARY), "--user", USER, "-c", str(daemon.config_file), "--take-over", str(current.pid)],
                              env=environment()))
        daemon.wait_line(f"process {child.pid} now answers queries: stopping")
        assert gone(current) == 0
        ask_truly(daemon, f"n{number}.example")
        current = child
    assert current.end() == 0


def test_an_ordinary_user_can_take_over(make_public, server, programs, ended):
    """Take-over does not need root."""
    daemon = make_public(server)
    child = ended(Process([*as_user(USER), *PREFIX, str(programs / "dotstub"), "-c", str(daemon.config_file), "--take-over",
                           str(daemon.pid)], env=environment()))
    daemon.wait_line(f"process {child.pid} now answers queries: stopping")
    assert gone(daemon) == 0
    ask_truly(daemon, "a.example")


@pytest.mark.parametrize("workers", [1, 2])
def test_sockets_that_the_manager_has_opened(activate, cleanup, ended, tmp_path, workers):
    port = free_port()
    child = activate([cleanup.enter_context(one) for one in bound(port)], workers=workers)
    child.wait_line("daemon: ready")
    path = tmp_path / "successor.yaml"
    path.write_text(json.dumps({**json.loads((tmp_path / "activated.yaml").read_text()), "listen": [f"127.0.0.1@{port}"], "workers": 2}))
    after = ended(Process([*PREFIX, str(BINARY), "--user", USER, "-c", str(path), "--take-over", str(child.pid)], env=environment()))
    child.wait_line(f"process {after.pid} now answers queries: stopping")
    assert gone(child) == 0
    with UdpClient("127.0.0.1", port) as udp, TcpClient("127.0.0.1", port) as tcp:
        assert udp.ask("a.example").rcode() == 0 and tcp.ask("b.example").rcode() == 0


def test_the_service_manager_is_notified(make_daemon, server, cleanup, ended):
    manager = Manager()
    cleanup.callback(manager.close)
    service = Service(make_daemon, manager, server)
    child = ended(take_over(service.daemon, **{"NOTIFY_SOCKET": manager.variables()["NOTIFY_SOCKET"]}))
    manager.wait_heard(f"MAINPID={child.pid}")
    manager.wait_heard("READY=1", 2)
    assert "STOPPING=1" not in manager.heard
    assert len(manager.names()) == 4, "the sockets are to be kept for the next one"
    child.end()
    service.start()
    ask_truly(service.daemon, "a.example")


def test_the_successor_saves_the_state(make_daemon, server, saving, ended):  # noqa: F811
    daemon = make_daemon(server, **saving)
    ask_truly(daemon, "a.example")
    child = ended(take_over(daemon))
    assert not os.path.exists(saving["cache"]["save-file"]) and not os.path.exists(tickets(saving))
    ask_truly(daemon, "b.example")
    assert child.end() == 0
    make_daemon(server, **saving).wait_line("loaded 2 cache entries from")


@pytest.mark.threads
def test_only_entries_of_current_upstreams_are_handed_over(make_reloadable, make_server, ended):  # noqa: F811
    """Each process has its own group ids; only cache entries of the current upstreams are handed over."""
    old = make_server()
    new = make_server(address="127.0.0.2", port=old.port)
    daemon = make_reloadable(old)
    ask_truly(daemon, "a.example")
    daemon.reload(upstreams=[new.upstream()])
    ask_truly(daemon, "b.example")
    ended(take_over(daemon))
    assert "took over 1 cache entries" in daemon.wait_line("took over .* cache entries")
    ask_truly(daemon, "a.example")
    ask_truly(daemon, "b.example")
    assert [query.name for query in new.queries] == ["b.example", "a.example"] and len(old.queries) == 1


# Failures.

def still_answers(daemon):
    ask_truly(daemon, "still.example")
    assert daemon.running and f"pid {daemon.pid}" in ctl(daemon, "status")


def handover_socket(daemon):
    control = pathlib.Path(daemon.config["control"]["socket"])
    return control.parent / "handover" / control.name


@contextlib.contextmanager
def short_path(path):
    """The same directory through a descriptor, since names of unix sockets are at most 107 bytes long."""
    fd = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)


def connect(daemon):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(PATIENCE)
    with short_path(handover_socket(daemon)) as path:
        client.connect(path)
    return client


def test_no_process_to_take_over_from(daemon, server):
    child = Process([*PREFIX, str(BINARY), "--user", USER, "-c", str(daemon.config_file), "--take-over", "999999999"], env=environment())
    assert child.wait_exit() == OTHER
    assert "cannot take over: cannot connect to the running process" in child.wait_line("error")
    for wrong in ("x", "0", "-3", "12x", ""):
        child = Process([str(BINARY), "--take-over", wrong], env=environment())
        assert child.wait_exit() == USAGE


@pytest.mark.parametrize("other", ["other.sock", "off"])
def test_another_control_socket(daemon, server, tmp_path, other):
    """It is at the next start only, as a reload says."""
    path = tmp_path / "other.yaml"
    socket_path = other if other == "off" else str(tmp_path / other)
    path.write_text(json.dumps({**daemon.config, "control": {"socket": socket_path}}))
    child = successor(daemon, config_file=path)
    assert child.wait_exit() == OTHER
    assert "if control.socket has changed since it started" in child.wait_line("error")
    still_answers(daemon)


def test_the_socket_is_for_the_daemons_user_only(daemon, server):
    path = handover_socket(daemon)
    uid = pwd.getpwnam(USER).pw_uid
    assert (path.parent.stat().st_uid, path.parent.stat().st_mode & 0o7777) == (uid, 0o700)
    assert path.stat().st_uid == uid and os.listdir(path.parent) == [path.name]
    abstract = [line for line in open("/proc/net/unix") if "@dotstub-handover" in line]
    assert not abstract
    daemon.stop()
    assert not os.listdir(path.parent)


def test_a_directory_that_others_can_enter_is_not_used(make_daemon, server, tmp_path):
    directory = tmp_path / "handover"
    directory.mkdir()
    shutil.chown(directory, USER)
    daemon = make_daemon(server)
    daemon.wait_line("dotstubctl upgrade will not work for this process: Operation not permitted")
    assert not os.listdir(directory)


def test_an_impostor_is_not_trusted(daemon, server, cleanup, public_path):
    """The kernel reports which process listens, even in a directory of the right user."""
    directory = public_path / "handover"
    directory.mkdir(mode=0o700)
    shutil.chown(directory, USER)
    path = public_path / "impostor.yaml"
    path.write_text(json.dumps({**daemon.config, "listen": [f"127.0.0.1@{free_port()}"], "control": {"socket": str(public_path / "c.sock")}}))
    script = ("import socket,sys,os\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\nos.chmod(sys.argv[1], 0o777)\n"
              "os.setuid(12345)\ns.listen()\nprint('here', flush=True)\nc,_=s.accept()\nprint(len(c.recv(100)), flush=True)")
    impostor = Process(["python3", "-c", script, str(directory / "c.sock")], read="stdout")
    cleanup.callback(impostor.end)
    impostor.wait_line("here")
    child = Process([*PREFIX, str(BINARY), "--user", USER, "-c", str(path), "--take-over", str(impostor.pid)], env=environment())
    assert child.wait_exit() == OTHER
    assert "Operation not permitted" in child.wait_line("cannot take over")
    assert impostor.wait_line("^0$"), "nothing was said to it"


OUTSIDER = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
try:
    client.connect(f"/proc/self/fd/{sys.argv[1]}/{sys.argv[2]}")
    client.sendall(b"dotstub handover 1\\n")
    print(len(client.recv(19)))
except ConnectionError:
    print(0)
except PermissionError:
    print("denied")
"""


@pytest.mark.parametrize("user, prefix, suffix, received", [
    ("12345", [], [], "denied"), (USER, [], [], str(len(TITLE))), (USER, ["unshare", "--pid", "--fork"], [], "0"),
    (USER, [], ["unshare", "--user", "--map-current-user"], "0")], ids=["user", "own", "pids", "users"])
def test_other_users_and_other_containers_get_nothing(daemon, server, user, prefix, suffix, received):
    """Not even those with the daemon's uid, which can enter the directory."""
    path = handover_socket(daemon)
    fd = os.open(path.parent, os.O_PATH)
    done = subprocess.run([*prefix, *as_user(user), *suffix, "/usr/bin/python3", "-c", OUTSIDER, str(fd), path.name],
                          pass_fds=[fd], capture_output=True, text=True, timeout=60)
    os.close(fd)
    assert done.stdout == f"{received}\n", done
    if prefix or suffix:
        daemon.wait_line("a process of another container may not take over")
    still_answers(daemon)


@pytest.mark.parametrize("variables", [{"container": "podman"}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}])
def test_off_in_containers(make_daemon, server, variables):
    daemon = make_daemon(server, variables=variables)
    assert not handover_socket(daemon).parent.exists()


@pytest.mark.parametrize("binary", [["/bin/false"], ["sh", "-c", "kill -SEGV $$"]])
def test_a_binary_that_crashes_at_once(daemon, server, binary):
    assert successor(daemon, binary=binary).wait_exit() != 0
    still_answers(daemon)


def test_a_configuration_that_is_wrong(daemon, server, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("nonsense: yes\n")
    assert successor(daemon, config_file=path).wait_exit() == CONFIGURATION
    still_answers(daemon)


def test_an_unavailable_address(daemon, server, tmp_path, cleanup):
    taken = cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    taken.bind(("127.0.0.1", 0))
    path = tmp_path / "other.yaml"
    path.write_text(daemon.config_file.read_text().replace('"listen": [', f'"listen": ["127.0.0.1@{taken.getsockname()[1]}", '))
    assert successor(daemon, config_file=path).wait_exit() == PORT
    daemon.wait_line("did not take over: (connection closed|Connection reset)")
    still_answers(daemon)


@pytest.mark.parametrize("said", [b"", b"dotstub", b"something else than that\n", TITLE])
def test_a_successor_that_ends(daemon, server, said):
    """Before or after it has received everything."""
    with connect(daemon) as client:
        client.sendall(said)
        if said == TITLE:
            assert client.recv(len(TITLE), socket.MSG_WAITALL) == TITLE
            (count,) = struct.unpack("!I", client.recv(4, socket.MSG_WAITALL))
            assert count == 2 + 4 + 1
    assert f"process {os.getpid()} did not take over: " in daemon.wait_line("did not take over")
    still_answers(daemon)


@pytest.mark.parametrize("said", [b"", TITLE])
def test_a_successor_that_stops_responding(daemon, server, said):
    """The old process continues after 5 s; only then may another process take over."""
    with connect(daemon) as client:
        client.sendall(said)
        with connect(daemon) as second:
            assert second.recv(1) == b""
        still_answers(daemon)
        daemon.wait_line("did not take over: Connection timed out")
    still_answers(daemon)


@pytest.mark.whole
def test_stopped_during_a_hand_over(daemon, server):
    with connect(daemon) as client:
        client.sendall(TITLE)
        assert client.recv(len(TITLE), socket.MSG_WAITALL) == TITLE
        daemon.stop()


@pytest.mark.plain
def test_killed_at_any_moment_it_does_no_harm(daemon, server):
    """The new process is killed later and later during its start: it has either taken over everything, or nothing."""
    current, killed = daemon, []
    for step in range(1, 41):
        child = Process([str(BINARY), "--user", USER, "-c", str(daemon.config_file), "--take-over", str(current.pid)], env=environment())
        threading.Event().wait(0.003 * step)
        child.signal(signal.SIGSTOP)
        if daemon.matching(f"process {child.pid} now answers queries"):
            child.signal(signal.SIGCONT)
            assert gone(current) == 0
            current = child
        else:
            child.signal(signal.SIGKILL)
            child.wait_exit()
            killed.append(str(child.pid))
        try:
            ask_truly(daemon, f"n{step}.example")
        except (ConnectionRefusedError, Silence):
            # It had taken over, and the old process said so a moment too late for this test: restarting it is up to the service manager.
            assert daemon.wait_line(f"process ({'|'.join(killed)}) now answers queries")
            return
    if current is not daemon:
        current.end()


# dotstubctl upgrade.

def rights(pid):
    """(uids, gids, groups, all capability sets, no new privileges) of a process."""
    with open(f"/proc/{pid}/status") as status:
        facts = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    capabilities = {int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    return ({int(uid) for uid in facts["Uid"].split()}, {int(gid) for gid in facts["Gid"].split()},
            facts["Groups"].split(), capabilities, facts["NoNewPrivs"])


def test_ctl_upgrades(make_public, server, programs, ended, public_path):
    """The new process gets only what it needs from the daemon; then that process is replaced the same way."""
    daemon = make_public(server, variables={"DOTSTUB_CACHE_MAX_TTL": "1h", "SECRET": "1", "BASH_ENV": "/tmp/x"})
    ask_truly(daemon, "a.example")
    said = upgrade(daemon, programs)
    assert gone(daemon) == 0
    (pid,) = re.fullmatch(rf"replaced pid {daemon.pid}, version \S+, by pid (\d+), version \S+\n", said).groups()
    user = pwd.getpwnam(USER)
    assert rights(pid) == ({user.pw_uid}, {user.pw_gid}, [], {0}, "1")
    variables = dict(one.split("=", 1) for one in pathlib.Path(f"/proc/{pid}/environ").read_text().split("\0") if one)
    assert variables == {"DOTSTUB_CACHE_MAX_TTL": "1h"}
    assert pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1] == [
        str(programs / "dotstub"), "--take-over", str(daemon.pid), "-c", str(daemon.config_file)]
    another = public_path / "another"
    shutil.copy(BINARY, another)
    said = json.loads(upgrade(daemon, programs, another, options=["--json"]))
    assert said["before"]["pid"] == int(pid)
    last = said["after"]["pid"]
    assert os.readlink(f"/proc/{last}/exe") == str(another)
    ask_truly(daemon, "a.example")
    assert len(server.queries_for("a.example")) == 1
    os.kill(last, signal.SIGTERM)
    eventually(lambda: not os.path.exists(f"/proc/{last}"), what="the end of the last one")


def test_ctl_upgrades_a_managed_service(make_public, server, programs, cleanup):
    manager = Manager()
    cleanup.callback(manager.close)
    service = Service(make_public, manager, server)
    said = json.loads(upgrade(service.daemon, programs, options=["--json"]))
    manager.wait_heard(f"MAINPID={said['after']['pid']}")
    manager.wait_heard("READY=1", 2)
    os.kill(said["after"]["pid"], signal.SIGTERM)
    manager.wait_heard("STOPPING=1")
    assert gone(service.daemon) == 0


@pytest.mark.parametrize("crash", ["exit 3", "kill -SEGV $$"])
def test_ctl_upgrade_to_a_program_that_crashes(make_public, server, programs, public_path, crash):
    daemon = make_public(server)
    program = public_path / "crashes"
    program.write_text(f"#!/bin/sh\nprintf 'its reason\\033[2J' >&2\n{crash}\n")
    program.chmod(0o755)
    said = upgrade(daemon, programs, program, status=OTHER)
    assert "the new process ended; the old daemon continues" in said and "its reason?[2J" in said
    still_answers(daemon)
    program.chmod(0o644)
    assert "cannot run" in upgrade(daemon, programs, program, status=OTHER)
    assert "No such file" in upgrade(daemon, programs, public_path / "nothing", status=USAGE)
    still_answers(daemon)


def test_ctl_upgrade_to_a_process_that_cannot_read_the_certificates(make_public, server, programs, public_path):
    """A start waits for them, but the old process has them."""
    daemon = make_public(server)
    ask_truly(daemon, "a.example")
    (public_path / "ca.pem").chmod(0o600)
    said = upgrade(daemon, programs, status=OTHER)
    assert "cannot load the certificates in ca-file" in said and "the old daemon continues" in said
    still_answers(daemon)


def test_ctl_upgrade_needs_the_daemons_file(make_public, server, programs):
    daemon = make_public(server)
    done = subprocess.run([str(programs / "dotstubctl"), "--socket", daemon.config["control"]["socket"], "upgrade"],
                          env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == USAGE and f"the daemon was started with `-c {daemon.config_file}`" in done.stderr
    still_answers(daemon)


def test_ctl_upgrade_by_another_user(make_public, server, programs):
    """A member of the socket's group may query the state, but not replace the daemon."""
    daemon = make_public(server)
    done = subprocess.run(["setpriv", "--reuid", "12345", "--regid", str(pwd.getpwnam(USER).pw_gid), "--clear-groups",
                           str(programs / "dotstubctl"), "--socket", daemon.config["control"]["socket"], "-c",
                           str(daemon.config_file), "upgrade"], env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == NO_PERMISSION and "only root and the daemon's user" in done.stderr
    still_answers(daemon)


# A compromised daemon: `dotstubctl upgrade` as root executes nothing as root.

FAKE = """
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("here", flush=True)
while True:
    client, _ = server.accept()
    if not client.recv(4096):
        continue
    body = json.dumps({"pid": int(sys.argv[2]) if len(sys.argv) > 2 else os.getpid(), "version": "9" + chr(27) + "[2J"})
    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + body.encode())
    client.close()
"""


@pytest.mark.whole
def test_a_relative_configuration_file(make_public, programs, server, public_path):
    """The new process finds it from the working directory of the daemon, dotstubctl from its own."""
    daemon = make_public(server, file=False, arguments=["-c", "dotstub0.yaml"], options={"cwd": public_path})
    assert daemon.config_file == public_path / "dotstub0.yaml"
    done = subprocess.run([programs / "dotstubctl", "-c", "dotstub0.yaml", "--json", "upgrade"], env=environment(), cwd=public_path,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    daemon.wait_exit()
    ask_truly(daemon, "a.example")
    os.kill(json.loads(done.stdout)["after"]["pid"], signal.SIGTERM)


@pytest.fixture
def make_fake(cleanup, public_path):
    """make_fake(pid): a process of the daemon's user that listens like a daemon, and claims to be process `pid`."""
    def make(*pid, **variables):
        directory = public_path / "run"
        directory.mkdir()
        shutil.chown(directory, USER)
        path, program = directory / "control.sock", public_path / "fake.py"
        program.write_text(FAKE)
        fake = Process([*as_user(USER), "/usr/bin/python3", str(program), str(path), *map(str, pid)], read="stdout",
                       env=environment(**variables))
        cleanup.callback(fake.end)
        fake.wait_line("here")
        return fake, path
    return make


@pytest.fixture
def recorder(public_path):
    """A program that records its privileges and environment, and the file with the records."""
    notes, program = public_path / "notes", public_path / "recorder"
    notes.touch()
    notes.chmod(0o666)
    program.write_text(f"#!/bin/sh\ncat /proc/self/status >>{notes}\nenv >>{notes}\nexit 1\n")
    program.chmod(0o755)
    return program, notes


def test_a_daemon_that_serves_a_foreign_pid(make_fake, recorder, programs, cleanup):
    program, notes = recorder
    victim = Process(["sleep", "60"], env={"PATH": os.environ["PATH"], "LD_PRELOAD": ""})
    cleanup.callback(victim.end)
    fake, path = make_fake(victim.pid)
    done = subprocess.run([str(programs / "dotstubctl"), "--socket", str(path), "upgrade", str(program)], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == NO_PERMISSION, done
    assert f"process {fake.pid} listens on the control socket but says that it is process {victim.pid}" in done.stderr
    assert not notes.read_text() and "\033" not in done.stdout + done.stderr


def test_a_hostile_daemon_gains_nothing(make_fake, recorder, programs):
    """Its pid is true, but its replies and its own state (limits, environment) are hostile."""
    program, notes = recorder
    fake, path = make_fake(LD_PRELOAD="", LD_LIBRARY_PATH="/tmp", DOTSTUB_LOG_LEVEL="debug", NOTIFY_SOCKET="")
    done = subprocess.run([str(programs / "dotstubctl"), "--socket", str(path), "upgrade", str(program)], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == OTHER and "\033" not in done.stdout + done.stderr, done
    text, uid = notes.read_text(), pwd.getpwnam(USER).pw_uid
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in text and "NoNewPrivs:\t1" in text
    assert {line.split(":\t")[1] for line in text.splitlines() if re.match("Cap(Prm|Eff|Bnd|Inh|Amb):", line)} == {"0" * 16}
    assert "DOTSTUB_LOG_LEVEL=debug" in text and "LD_" not in text


@pytest.mark.plain  # a sanitizer must be loaded first
def test_the_loaders_variables_are_not_passed_on(make_public, server, programs, ended, public_path):
    """A library preloaded into the daemon is not loaded into a process that root starts."""
    source, library, notes = (public_path / name for name in ("preload.c", "preload.so", "loaded"))
    source.write_text('#include <stdio.h>\n#include <unistd.h>\n__attribute__((constructor)) static void note(void)\n{\n'
                      f'    FILE *notes = fopen("{notes}", "a");\n    if (!notes)\n        return;\n    fprintf(notes, "%d\\n", (int)geteuid());\n    fclose(notes);\n}}\n')
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    daemon = make_public(server, variables={"LD_PRELOAD": str(library)})
    assert notes.read_text() == "0\n", "the daemon itself was started by root with it"
    notes.chmod(0o666)
    said = json.loads(upgrade(daemon, programs, options=["--json"]))
    assert gone(daemon) == 0
    assert notes.read_text() == "0\n"
    os.kill(said["after"]["pid"], signal.SIGTERM)
    daemon.wait_line("stopping on signal 15")


def kill_inside(process):
    """Kills the first process of the namespace, which ends all others. Its parent could not kill a process that has dropped root."""
    for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    process.wait_exit()


def test_ctl_does_not_upgrade_a_container(daemon, server, cleanup, tmp_path):
    """Outside the container its pid belongs to another process, which must not be replaced; and process 1 must not end."""
    path = tmp_path / "inside.yaml"
    path.write_text(json.dumps({**daemon.config, "listen": [f"127.0.0.1@{free_port()}"], "control": {"socket": str(tmp_path / "inside")}}))
    for command in (["sh", "-c", '"$@"; :', "sh"], []):
        inside = Process(["unshare", "--pid", "--fork", "--mount-proc", *command, *PREFIX, str(BINARY), "--user", USER, "-c",
                          str(path)], env=environment())
        cleanup.callback(lambda process=inside: process.running and kill_inside(process))
        inside.wait_line("daemon: ready")
        done = call("--socket", tmp_path / "inside", "upgrade")
        assert done.returncode == OTHER and "container" in done.stderr and not done.stdout
        assert not inside.matching("did not take over")
        kill_inside(inside)


# Under load.

@pytest.mark.alone
@pytest.mark.threads
def test_upgrades_under_load_lose_nothing(make_daemon, server, ended):
    """Successful upgrades, and in between some that crash."""
    daemon = make_daemon(server, workers=2)
    for number in range(100):
        daemon.ask(f"n{number}.example")
    load = daemon.load(queries=RATE * 5, distinct=2000, rate=RATE, name="u%u.example", connections=50, in_flight=20000, patience=10000)
    askers = [Asker(daemon.port) for _ in range(4)]
    current = daemon
    for number in range(6):
        before = [asker.answered for asker in askers]
        eventually(lambda: all(asker.answered >= count + 100 for asker, count in zip(askers, before)), what="answers over TCP")
        if number % 3 == 2:
            with connect(daemon) as client:
                client.sendall(TITLE)
                client.recv(len(TITLE), socket.MSG_WAITALL)
            daemon.wait_line(f"process {os.getpid()} did not take over", number // 3 + 1)
            continue
        child = ended(Process([*PREFIX, str(BINARY), "--user", USER, "-c", str(daemon.config_file), "--take-over", str(current.pid)],
                              env=environment()))
        daemon.wait_line(f"process {child.pid} now answers queries: stopping")
        assert gone(current) == 0
        current = child
    for asker in askers:
        asker.end()
        assert not asker.wrong and asker.resent <= 4
    result = load.result(120)
    assert result["good"] == result["sent"] and not result["stray"], result
    assert current.end() == 0
