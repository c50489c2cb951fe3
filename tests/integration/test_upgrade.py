# SPDX-License-Identifier: MIT
"""A process takes over from another while clients send queries: none is lost, whatever the new process does."""
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

from clients import TcpClient, UdpClient
from daemon import BINARY, PREFIX, SLACK, USER, environment
from manager import Manager, Service
from processes import PATIENCE, Process, eventually, free_port
from test_ctl import call, ctl
from test_notify import activate, bound  # noqa: F401
from test_reload import make_reloadable  # noqa: F401
from test_restart import Asker
from test_saved import saving, tickets  # noqa: F401
from test_upstream import ask_truly

OTHER, USAGE, PORT, CONFIGURATION = 1, 64, 71, 78
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


def test_an_ordinary_user_can_take_over(daemon, server, certs, ended, public_path):
    """Take-over does not need root."""
    path, ca_file, binary = (public_path / name for name in ("dotstub.yaml", "ca.pem", "dotstub"))
    shutil.copy(certs.ca_file, ca_file)
    shutil.copy(BINARY, binary)
    path.write_text(json.dumps({**daemon.config, "tls": {"ca-file": str(ca_file)}}))
    for file, mode in ((path, 0o644), (ca_file, 0o644), (binary, 0o755)):
        file.chmod(mode)
    uid = str(pwd.getpwnam(USER).pw_uid)
    child = ended(Process(["setpriv", "--reuid", uid, "--clear-groups", *PREFIX, str(binary), "-c", str(path), "--take-over",
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
    old, new = make_server(), make_server(address="127.0.0.2")
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


def connect(daemon):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(PATIENCE)
    client.connect(f"\0dotstub-handover-{daemon.pid}")
    return client


def test_no_process_to_take_over_from(daemon, server):
    child = Process([*PREFIX, str(BINARY), "--user", USER, "-c", str(daemon.config_file), "--take-over", "999999999"], env=environment())
    assert child.wait_exit() == OTHER
    assert "cannot take over: cannot connect to the running process" in child.wait_line("error")
    for wrong in ("x", "0", "-3", "12x", ""):
        child = Process([str(BINARY), "--take-over", wrong], env=environment())
        assert child.wait_exit() == USAGE


def test_an_impostor_is_not_trusted(daemon, server, cleanup):
    """Any user can bind a free name."""
    script = ("import socket,sys,os\nos.setuid(12345)\ns=socket.socket(socket.AF_UNIX)\n"
              "s.bind('\\0dotstub-handover-%d' % os.getpid())\ns.listen()\nprint('here', flush=True)\nc,_=s.accept()\nprint(len(c.recv(100)), flush=True)")
    impostor = Process(["python3", "-c", script], read="stdout")
    cleanup.callback(impostor.end)
    impostor.wait_line("here")
    child = Process([*PREFIX, str(BINARY), "--user", USER, "-c", str(daemon.config_file), "--take-over", str(impostor.pid)],
                    env=environment())
    assert child.wait_exit() == OTHER
    assert "Operation not permitted" in child.wait_line("cannot take over")
    assert impostor.wait_line("^0$"), "nothing was said to it"


def test_another_user_gets_nothing(daemon, server):
    script = ("import socket,os,sys\nos.setuid(12345)\ns=socket.socket(socket.AF_UNIX)\n"
              "s.connect('\\0dotstub-handover-%d' % int(sys.argv[1]))\n"
              "try:\n s.sendall(b'dotstub handover 1\\n'); print(len(s.recv(100)))\nexcept OSError: print(0)")
    done = subprocess.run(["python3", "-c", script, str(daemon.pid)], capture_output=True, text=True, timeout=60)
    assert done.stdout == "0\n", done
    still_answers(daemon)


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


def test_stopped_during_a_hand_over(daemon, server):
    with connect(daemon) as client:
        client.sendall(TITLE)
        assert client.recv(len(TITLE), socket.MSG_WAITALL) == TITLE
        daemon.stop()


@pytest.mark.plain
def test_killed_at_any_moment_it_does_no_harm(daemon, server):
    """The successor is killed at later and later moments: it has taken over completely or not at all."""
    current, step = daemon, 0
    while step < 40:
        step += 1
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
            if daemon.matching(f"process {child.pid} now answers queries"):
                return  # it had taken over: restarting it is up to the service manager
        ask_truly(daemon, f"n{step}.example")
    if current is not daemon:
        current.end()


# dotstubctl upgrade.

def test_ctl_upgrades(daemon, server, ended, tmp_path):
    ask_truly(daemon, "a.example")
    said = ctl(daemon, "upgrade")
    assert gone(daemon) == 0
    (pid,) = re.fullmatch(rf"replaced pid {daemon.pid}, version \S+, by pid (\d+), version \S+\n", said).groups()
    another = tmp_path / "another"
    shutil.copy(BINARY, another)
    said = json.loads(ctl(daemon, "--json", "upgrade", another))
    assert said["before"]["pid"] == int(pid)
    last = said["after"]["pid"]
    assert os.readlink(f"/proc/{last}/exe") == str(another)
    words = pathlib.Path(f"/proc/{last}/cmdline").read_bytes().split(b"\0")
    assert words.count(b"--take-over") == 1 and words[words.index(b"--take-over") + 1] == pid.encode()
    ask_truly(daemon, "a.example")
    assert len(server.queries_for("a.example")) == 1
    os.kill(last, signal.SIGTERM)
    eventually(lambda: not os.path.exists(f"/proc/{last}"), what="the end of the last one")


def test_ctl_upgrades_a_managed_service(make_daemon, server, cleanup):
    manager = Manager()
    cleanup.callback(manager.close)
    service = Service(make_daemon, manager, server)
    said = json.loads(ctl(service.daemon, "--json", "upgrade"))
    manager.wait_heard(f"MAINPID={said['after']['pid']}")
    manager.wait_heard("READY=1", 2)
    os.kill(said["after"]["pid"], signal.SIGTERM)
    manager.wait_heard("STOPPING=1")
    assert gone(service.daemon) == 0


@pytest.mark.parametrize("crash", ["exit 3", "kill -SEGV $$"])
def test_ctl_upgrade_to_a_program_that_crashes(daemon, server, tmp_path, crash):
    program = tmp_path / "crashes"
    program.write_text(f"#!/bin/sh\n{crash}\n")
    program.chmod(0o755)
    assert "the new process ended; the old daemon continues" in ctl(daemon, "upgrade", program, status=OTHER)
    still_answers(daemon)
    program.chmod(0o644)
    assert "cannot run" in ctl(daemon, "upgrade", program, status=OTHER)
    assert "No such file" in ctl(daemon, "upgrade", tmp_path / "nothing", status=USAGE)
    still_answers(daemon)


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
    load = daemon.load(queries=RATE * 10, distinct=2000, rate=RATE, name="u%u.example", connections=50, in_flight=20000, patience=10000)
    askers = [Asker(daemon.port) for _ in range(4)]
    current = daemon
    for number in range(6):
        before = [asker.answered for asker in askers]
        eventually(lambda: all(asker.answered >= count + 100 for asker, count in zip(askers, before)), what="answers over TCP")
        if number % 3 == 2:
            with connect(current) as client:
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
