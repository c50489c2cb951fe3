# SPDX-License-Identifier: MIT
"""The sandbox around a running daemon, however it was started. tests/unit/test_sandbox tries what it forbids."""
import ctypes
import json
import os
import pathlib
import shutil
import signal

import pytest

from clients import UdpClient
from daemon import FLAVOUR, USER
from manager import Manager, Service
from processes import eventually
from test_control import control, post
from test_ctl import ctl
from test_reload import make_reloadable  # noqa: F401
from test_upgrade import gone, make_public, programs, rights, take_over, upgrade  # noqa: F401
from test_upstream import ask_truly

VERSION = ctypes.CDLL(None).syscall(444, None, 0, 1)  # landlock_create_ruleset
landlock = pytest.mark.skipif(VERSION <= 0, reason="this kernel has no Landlock")
ports = pytest.mark.skipif(VERSION < 4, reason="this kernel's Landlock knows no ports")


def threads(pid):
    """(seccomp mode, no new privileges) of each thread."""
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        facts = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        yield facts["Seccomp"], facts["NoNewPrivs"]


def assert_confined(pid):
    seen = set(threads(pid))
    assert seen == {("2" if FLAVOUR == "plain" else "0", "1")}, seen


def test_status_shows_what_is_in_force(daemon):
    report = control(daemon, "/status").json["sandbox"]
    assert report == {"system_calls": FLAVOUR == "plain", "files": VERSION > 0, "tcp_ports": VERSION >= 4, "landlock": max(VERSION, 0)}
    if FLAVOUR == "plain" and VERSION >= 4:
        assert "sandbox   system calls, files, TCP ports\n" in ctl(daemon, "status")
        daemon.wait_line("sandbox: system calls, files and TCP ports are restricted")


def test_off(make_daemon, server):
    daemon = make_daemon(server, sandbox="off")
    ask_truly(daemon, "a.example")
    assert not any(control(daemon, "/status").json["sandbox"].values())
    assert "sandbox   off\n" in ctl(daemon, "status")
    assert set(threads(daemon.pid)) == {("0", "1")}


def test_on_is_the_default(daemon):
    settings = {one["setting"]: one["value"] for one in control(daemon, "/config").json["settings"]}
    assert settings["sandbox"] == "kill", "the tests' choice"
    (default,) = [line for line in pathlib.Path(__file__).parents[2].joinpath("conf/dotstub.yaml").read_text().splitlines()
                  if line.startswith("#sandbox:")]
    assert default == "#sandbox: on"


@pytest.mark.parametrize("workers", [1, 3])
def test_all_threads_are_confined(make_daemon, server, workers, tmp_path):
    """Workers, and the pool, which saves the cache."""
    daemon = make_daemon(server, workers=workers)
    ask_truly(daemon, "a.example")
    assert_confined(daemon.pid)


def test_started_by_a_manager(make_daemon, server, cleanup):
    manager = Manager()
    cleanup.callback(manager.close)
    service = Service(make_daemon, manager, server)
    assert_confined(service.daemon.pid)
    service.restart()
    assert_confined(service.daemon.pid)
    ask_truly(service.daemon, "a.example")


def test_taken_over(daemon, server, cleanup):
    child = take_over(daemon)
    cleanup.callback(child.end)
    ask_truly(daemon, "a.example")
    assert_confined(child.pid)


def test_upgraded(make_public, server, programs, cleanup):  # noqa: F811
    daemon = make_public(server)
    after = json.loads(upgrade(daemon, programs, options=["--json"]))["after"]["pid"]
    assert gone(daemon) == 0
    assert_confined(after)
    assert rights(after)[3] == {0}
    ask_truly(daemon, "a.example")
    os.kill(after, signal.SIGTERM)
    eventually(lambda: not os.path.exists(f"/proc/{after}"), what="its end")


# A reload.

def refused(daemon, **changes):
    """The mistakes of a reload that fails."""
    daemon.write(**changes)
    answer = post(daemon, "/reload")
    assert answer.status == 400, answer.body
    return answer.json["mistakes"]


@ports
def test_a_reload_to_another_port(make_reloadable, make_server):  # noqa: F811
    old, new = make_server(), make_server(address="127.0.0.2")
    daemon = make_reloadable(old)
    assert refused(daemon, upstreams=[new.upstream()]) == [
        f"upstream liar: port {new.port} is not among those that the sandbox allows: restart needed"]
    ask_truly(daemon, "a.example")
    assert len(old.queries) == 1


@landlock
def test_a_reload_to_a_ca_file_elsewhere(make_reloadable, server, certs, cleanup, public_path):  # noqa: F811
    daemon = make_reloadable(server)
    elsewhere = public_path.with_name(public_path.name + "-elsewhere")
    elsewhere.mkdir(mode=0o755)
    cleanup.callback(lambda: shutil.rmtree(elsewhere))
    shutil.copy(certs.ca_file, elsewhere / "ca.pem")
    assert refused(daemon, tls={"ca-file": str(elsewhere / "ca.pem")}) == [
        f"tls.ca-file: {elsewhere / 'ca.pem'} is outside the directories that the sandbox allows: restart needed"]
    ask_truly(daemon, "a.example")
    shutil.copy(certs.ca_file, public_path / "another.pem")
    daemon.reload(tls={"ca-file": str(public_path / "another.pem")})
    ask_truly(daemon, "b.example")


@landlock
def test_a_ca_file_that_is_replaced_is_read(make_reloadable, server, certs, public_path):  # noqa: F811
    """By rename, as installers do; its directory is allowed, not the file."""
    daemon = make_reloadable(server)
    shutil.copy(certs.ca_file, public_path / "new.pem")
    os.rename(public_path / "new.pem", public_path / "ca.pem")
    daemon.reload()
    ask_truly(daemon, "a.example")


def test_the_sandbox_changes_at_a_restart_only(make_reloadable, server):  # noqa: F811
    daemon = make_reloadable(server)
    assert daemon.reload(sandbox="off") == ["sandbox"]
    assert_confined(daemon.pid)


# Descriptors run out.

@pytest.mark.plain
def test_without_descriptors_it_goes_on(make_daemon, server):
    """libuv closes and opens "/" then, to accept connections and close them."""
    daemon = make_daemon(server, limits={"tcp-clients": 100000}, exec_as=["prlimit", "--nofile=120", "--"])
    clients = []
    try:
        for _ in range(150):
            clients.append(daemon.tcp())
    except OSError:
        pass
    with UdpClient("127.0.0.1", daemon.port) as client:
        assert client.ask("localhost").rcode() == 0
    for client in clients:
        client.close()
    ask_truly(daemon, "a.example")
