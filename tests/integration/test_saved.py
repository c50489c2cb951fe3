"""What outlives the daemon: with cache.save the cache."""
import json
import os
import pwd
import signal

import pytest

from daemon import USER, merged
from test_ctl import ctl
from test_upstream import ask_truly

pytestmark = pytest.mark.threads


@pytest.fixture
def saving(public_path):
    """The settings of a daemon that saves, in a folder of its user's own."""
    folder = public_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
    return {"cache": {"save": True, "save-file": str(folder / "cache")}}


def saved(settings):
    return settings["cache"]["save-file"]


def ttl_of(answer):
    return answer.answer[0].ttl


def test_the_cache_outlives_the_daemon(make_daemon, server, saving):
    first = make_daemon(server, **saving)
    names = [f"n{number}.example" for number in range(50)]
    before = {name: ttl_of(first.ask(name)) for name in names}
    first.stop()
    status = os.stat(saved(saving))
    assert status.st_mode & 0o777 == 0o600 and status.st_uid == pwd.getpwnam(USER).pw_uid
    server.forget()
    second = make_daemon(server, **saving)
    assert second.wait_line("answers taken from").endswith("50 answers taken from " + saved(saving) +
                                                           ", 0 left out: too old, or of other upstreams")
    for name in names:
        assert 0 < ttl_of(second.ask(name)) <= before[name]
    assert not server.queries


def test_a_damaged_file_is_one_line(make_daemon, server, saving):
    first = make_daemon(server, **saving)
    ask_truly(first, "a.example")
    first.stop()
    with open(saved(saving), "r+b") as file:
        file.seek(-30, os.SEEK_END)
        file.write(b"damage")
    second = make_daemon(server, **saving)
    assert "is damaged, cut, or no saved cache of this version, and is ignored" in second.wait_line("cache: ")
    ask_truly(second, "a.example")
    assert len(server.asked("a.example")) == 2
    assert len(second.matching("cache: ")) == 1


def test_other_upstreams_do_not_answer_for_each_other(make_daemon, make_server, saving):
    servers = make_server(), make_server()
    for server in servers:
        daemon = make_daemon(server, **saving)
        ask_truly(daemon, "a.example")
        daemon.stop()
        assert len(server.asked("a.example")) == 1


def test_a_flush_outlives_a_crash(make_daemon, server, saving):
    first = make_daemon(server, **saving)
    ask_truly(first, "a.example")
    first.stop()
    second = make_daemon(server, **saving)
    second.wait_line("1 answers taken from")
    assert json.loads(ctl(second, "--json", "flush", "a.example"))["flushed"] == 1
    second.signal(signal.SIGKILL)
    second.wait_exit()
    third = make_daemon(server, **saving)
    ask_truly(third, "a.example")
    assert len(server.asked("a.example")) == 2


def test_where_nothing_can_be_written(make_daemon, server, saving):
    settings = merged(saving, {"cache": {"save-file": "/proc/dotstub/cache"}})
    daemon = make_daemon(server, **settings)
    ask_truly(daemon, "a.example")
    daemon.stop()
    assert "the cache cannot be saved in /proc/dotstub/cache: " in daemon.wait_line("warning cache")
