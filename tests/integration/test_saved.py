# SPDX-License-Identifier: MIT
"""With cache.save the cache and the tickets survive a restart."""
import json
import os
import pathlib
import pwd
import signal
import ssl
import subprocess

import pytest

from daemon import USER, merged
from test_ctl import ctl
from test_upstream import ask_truly

pytestmark = pytest.mark.threads


@pytest.fixture
def saving(public_path):
    """The settings of a daemon that saves its state in a folder of its user."""
    folder = public_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
    return {"cache": {"save": True, "save-file": str(folder / "cache")}}


def saved(settings):
    return settings["cache"]["save-file"]


def ttl_of(answer):
    return answer.answer[0].ttl


def test_the_cache_survives_a_restart(make_daemon, server, saving):
    first = make_daemon(server, **saving)
    names = [f"n{number}.example" for number in range(50)]
    before = {name: ttl_of(first.ask(name)) for name in names}
    first.stop()
    status = os.stat(saved(saving))
    assert status.st_mode & 0o777 == 0o600 and status.st_uid == pwd.getpwnam(USER).pw_uid
    server.forget()
    second = make_daemon(server, **saving)
    assert second.wait_line("cache entries from").endswith("loaded 50 cache entries from " + saved(saving) +
                                                           ", skipped 0: too old, or of other upstreams")
    for name in names:
        assert 0 < ttl_of(second.ask(name)) <= before[name]
    assert not server.queries


def test_a_damaged_file_is_one_log_line(make_daemon, server, saving):
    first = make_daemon(server, **saving)
    ask_truly(first, "a.example")
    first.stop()
    with open(saved(saving), "r+b") as file:
        file.seek(-30, os.SEEK_END)
        file.write(b"damage")
    second = make_daemon(server, **saving)
    assert ": damaged, truncated, or not a saved cache of this version" in second.wait_line("cache: ")
    ask_truly(second, "a.example")
    assert len(server.queries_for("a.example")) == 2
    assert len(second.matching("cache: ")) == 1


def test_saved_responses_of_other_upstreams_are_not_used(make_daemon, make_server, saving):
    servers = make_server(), make_server()
    for server in servers:
        daemon = make_daemon(server, **saving)
        ask_truly(daemon, "a.example")
        daemon.stop()
        assert len(server.queries_for("a.example")) == 1


def test_a_flush_survives_a_crash(make_daemon, server, saving):
    first = make_daemon(server, **saving)
    ask_truly(first, "a.example")
    first.stop()
    second = make_daemon(server, **saving)
    second.wait_line("loaded 1 cache entries from")
    assert json.loads(ctl(second, "--json", "flush", "a.example"))["flushed"] == 1
    second.signal(signal.SIGKILL)
    second.wait_exit()
    third = make_daemon(server, **saving)
    ask_truly(third, "a.example")
    assert len(server.queries_for("a.example")) == 2


def test_an_unwritable_folder(make_daemon, server, saving):
    settings = merged(saving, {"cache": {"save-file": "/proc/dotstub/cache"}})
    daemon = make_daemon(server, **settings)
    ask_truly(daemon, "a.example")
    daemon.stop()
    assert "cannot save the cache in /proc/dotstub/cache: " in daemon.wait_line("warning cache")


def test_a_read_only_folder_holds_no_flushed_entries(make_daemon, server, public_path):
    """There is no file, which the kernel does not say: unlink fails with EROFS."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", public_path], check=True)
    try:
        daemon = make_daemon(server, cache={"save": True, "save-file": str(public_path / "cache")})
        daemon.wait_line("cannot save the cache in .*: the directory is not writable")
        ctl(daemon, "flush")
        daemon.wait_line("control: cache flushed")
        assert not daemon.matching("cannot remove")
        daemon.stop()
    finally:
        subprocess.run(["umount", "--lazy", public_path], check=True)


# Tickets.

def tickets(settings):
    return settings["cache"]["save-file"].replace("cache", "tickets")


def ended(daemon, name):
    """Sends a query, and waits until its session has got tickets."""
    ask_truly(daemon, name)
    daemon.stop()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_session_after_a_restart_is_resumed(make_daemon, server, saving, workers):
    ended(make_daemon(server, **saving), "a.example")
    assert os.stat(tickets(saving)).st_mode & 0o777 == 0o600
    daemon = make_daemon(server, workers=workers, **saving)
    assert not os.path.exists(tickets(saving)), "a ticket must not be used twice"
    assert not daemon.matching("ignoring .*tickets")
    for number in range(25):
        ask_truly(daemon, f"b{number}.example")
    assert [connection.resumed for connection in server.established] == [False] + [True] * workers


@pytest.mark.parametrize("change", [{"tls": {"min-version": "1.3"}}, {"cache": {"save": False}}])
def test_tickets_are_not_used_after_a_change_of_trust(make_daemon, server, saving, change):
    ended(make_daemon(server, **saving), "a.example")
    ask_truly(make_daemon(server, **merged(saving, change)), "b.example")
    assert [connection.resumed for connection in server.established] == [False, False]


def test_tls12_tickets_are_not_saved(make_daemon, make_server, saving, certs):
    server = make_server(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))
    ended(make_daemon(server, **saving), "a.example")
    assert not os.path.exists(tickets(saving))


@pytest.mark.parametrize("damage", ["cut", "wrong", "readable", "link"])
def test_damaged_tickets_are_one_log_line(make_daemon, server, saving, damage):
    ended(make_daemon(server, **saving), "a.example")
    path = pathlib.Path(tickets(saving))
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[:-1])
    elif damage == "wrong":
        path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    elif damage == "readable":
        path.chmod(0o644)
    else:
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")
    daemon = make_daemon(server, **saving)
    ask_truly(daemon, "b.example")
    assert [connection.resumed for connection in server.established] == [False, False]
    (line,) = daemon.matching("warning tls: ")
    assert str(path) in line and "ignoring" in line
    assert not os.path.lexists(path)
