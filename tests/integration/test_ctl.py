# SPDX-License-Identifier: MIT
"""dotstubctl against a running daemon: every command, its tables and JSON, and every exit status."""
import contextlib
import fcntl
import json
import os
import pty
import pwd
import re
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

import wire
from daemon import BINARY, FLAVOUR, PREFIX, USER, environment, run, write_config
from processes import eventually
from test_upstream import ask_truly

pytestmark = pytest.mark.threads

CTL = BINARY.with_name("dotstubctl")
OTHER, DEGRADED, FAILING, DOWN, USAGE, NO_DAEMON, PROTOCOL, NO_PERMISSION, CONFIGURATION = 1, 2, 3, 4, 64, 69, 76, 77, 78
STATES = (0, DEGRADED, FAILING, DOWN)


def call(*arguments, prefix=(), **variables):
    return subprocess.run([*PREFIX, *prefix, str(CTL), *map(str, arguments)], env=environment(**variables),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def ctl(daemon, *arguments, status=0, **options):
    done = call("--socket", daemon.config["control"]["socket"], *arguments, **options)
    assert done.returncode == status, done.stdout + done.stderr
    assert bool(done.stderr) == (status not in STATES), done.stderr
    return done.stdout if status in STATES else done.stderr


def test_status(daemon, server):
    ask_truly(daemon, "a.example")
    shown = ctl(daemon, "status")
    first = shown.splitlines()[0]
    assert re.match(r"dotstub \S+: ok\b", first) and f"pid {daemon.pid}" in first
    assert f"127.0.0.1@{daemon.port}" in shown and "cache     1 entries" in shown and "sessions  1 to 1 of 1 servers" in shown
    assert re.search(r"^encrypted to liar: TLS1.3, certificate dns\.google, (29|30) d \d+ h left$", shown, re.M)
    assert "programs  of this machine do not use dotstub" in shown
    assert len(shown.splitlines()) <= 10 or FLAVOUR != "plain"  # a slow machine adds lines, of queries that were slow
    title, row = ctl(daemon, "servers").splitlines()
    assert title.split()[:3] == ["UPSTREAM", "ADDRESS", "STATE"]
    assert row.split()[:5] == ["liar", f"127.0.0.1@{server.port}", "open", "1", "0"]
    assert json.loads(ctl(daemon, "--json", "status"))["pid"] == daemon.pid


def test_status_of_each_state(make_daemon, make_server, server):
    spare = make_server()
    daemon = make_daemon(server, spare.upstream(name="spare"))
    ask_truly(daemon, "a.example")
    ctl(daemon, "status")
    spare.refuse()
    server.refuse()
    daemon.ask("b.example")
    shown = ctl(daemon, "status", status=DOWN)
    assert "no upstream is usable" in shown and "is unreachable" in shown and "encrypted to spare: Connection refused, " in shown
    assert "Connection refused" in ctl(daemon, "servers")
    assert json.loads(ctl(daemon, "-j", "status", status=DOWN))["state"] == "down"
    server.restore()
    eventually(lambda: daemon.ask("c.example").rcode() == 0, what="a session to the server")
    for n in range(1000):  # until the queries that failed meanwhile are no more than 5 %
        daemon.ask("c.example")
    shown = ctl(daemon, "status", status=DEGRADED)
    assert re.match(r"dotstub \S+: reduced for ", shown) and "upstream spare is unreachable" in shown


def test_status_while_stale_data_is_served(make_daemon, server):
    daemon = make_daemon(server, cache={"max-ttl": "1s", "min-ttl": "0s"})
    ask_truly(daemon, "a.example")
    assert "stale" not in ctl(daemon, "status")
    server.refuse()
    eventually(lambda: wire.extended_errors(daemon.ask("a.example", edns=True))[:1] == [(3, "")], what="a stale response")
    minute = json.loads(ctl(daemon, "-j", "status", status=DOWN))["last_minute"]
    assert minute["stale"] == 1 and 0 < minute["stale_ratio"] < 1
    assert re.search(r"queries .* [0-9.]+ % stale", ctl(daemon, "status", status=DOWN))


def test_status_while_queries_fail(daemon, server):
    for n in range(5):
        ask_truly(daemon, f"good{n}.example")
    server.silence = True
    with daemon.udp() as client:
        for n in range(20):
            client.send(wire.query(f"n{n}.example"))
        assert [wire.parse(client.receive(10)).rcode() for n in range(20)] == [2] * 20
    shown = ctl(daemon, "status", status=FAILING)
    assert "20 of 25 queries within the last minute were not answered by any upstream" in shown


def test_stats(daemon):
    ask_truly(daemon, "a.example")
    counters = dict(line.split() for line in ctl(daemon, "stats").splitlines())
    assert counters["queries_received"] == "1" and counters["lookups_started"] == "1"


def test_flush(daemon, server):
    for name in ("a.example", "b.example", "x.b.example"):
        ask_truly(daemon, name)
    assert ctl(daemon, "flush", "A.Example.") == "1 entries flushed\n"
    assert ctl(daemon, "flush", "--suffix", "b.example") == "2 entries flushed\n"
    ask_truly(daemon, "a.example")
    assert len(server.queries_for("a.example")) == 2
    assert ctl(daemon, "flush") == "1 entries flushed\n"
    assert json.loads(ctl(daemon, "--json", "flush")) == {"flushed": 0}


def test_cache(daemon):
    assert ctl(daemon, "cache", "a.example") == "a.example. A: not in the cache\n"
    ask_truly(daemon, "a.example")
    shown = ctl(daemon, "cache", "A.example", "a").splitlines()
    assert shown[0] == "a.example. A" and shown[1].startswith("NOERROR: ")
    assert shown[2].split() == ["NAME", "TTL", "TYPE", "DATA"] and re.fullmatch(r"a\.example\. +\d+  A +[0-9.]+", shown[3])
    (entry,) = json.loads(ctl(daemon, "--json", "cache", "a.example"))["entries"]
    (record,) = entry["records"]
    assert record == {"section": "answer", "name": "a.example.", "type": "A", "ttl": record["ttl"], "data": shown[3].split()[-1]}


def test_config(daemon):
    rows = [line.split() for line in ctl(daemon, "config").splitlines()]
    assert rows[0] == ["SETTING", "VALUE", "FROM"]
    assert ["cache.size", "64MiB", "default"] in rows
    assert any(row[0] == "upstreams.liar.tls-name" and row[1] == "dns.google" for row in rows)


def test_config_changed(daemon):
    whole, changed = (json.loads(ctl(daemon, "--json", "config", *more))["settings"] for more in ([], ["--changed"]))
    assert len(changed) < len(whole) and all(row["origin"] != "default" for row in changed)
    assert {row["setting"] for row in changed} >= {"listen", "control.socket", "tls.ca-file", "upstreams.liar.tls-name"}
    assert [row for row in whole if row["origin"] != "default"] == changed
    assert "cache.size" not in ctl(daemon, "config", "--changed")


def test_log(daemon):
    assert ctl(daemon, "log", "debug", "tls") == "log level info, tls debug\n"
    assert ctl(daemon, "log", "debug") == "log level debug\n"
    assert ctl(daemon, "queries", "yes", "3") == "log level debug; logging one query in 3\n"
    assert ctl(daemon, "queries", "no") == "log level debug\n"
    assert "log level: debug" in ctl(daemon, "status")


def test_the_pin_of_a_server(daemon, server, certs):
    """The server is found by the upstream's name, by the name in the certificate, or by an address."""
    for arguments in (["liar"], ["dns.google"], ["DNS.Google", f"127.0.0.1@{server.port}"]):
        done = call("-c", daemon.config_file, "pin", *arguments)
        assert done.returncode == 0 and done.stdout.startswith(certs.good.pin + "  "), done
    assert f"dns.google at 127.0.0.1@{server.port}, certificate dns.google" in call("-c", daemon.config_file, "pin", "liar").stdout
    (found,) = json.loads(call("-c", daemon.config_file, "--json", "pin", "liar").stdout)["servers"]
    assert found["pin"] == certs.good.pin and found["error"] is None and found["version"] == "TLS1.3"
    status = json.loads(ctl(daemon, "--json", "status"))
    ask_truly(daemon, "a.example")
    status = json.loads(ctl(daemon, "--json", "status"))
    assert status["servers"][0]["last_session"]["pin"] == certs.good.pin


def test_no_pin_without_verification(make_daemon, make_server, certs):
    """The pin of a certificate that fails verification is not printed; configured pins, which may be outdated, do not count."""
    bad = make_server(certs.bad("wrong-name"))
    daemon = make_daemon(bad)
    done = call("-c", daemon.config_file, "pin", "liar")
    assert done.returncode == OTHER and not done.stdout and "dns.google at 127.0.0.1" in done.stderr
    good = make_server()
    daemon = make_daemon({**good.upstream(), "pins": ["sha256/" + "A" * 43 + "="]})
    assert call("-c", daemon.config_file, "pin", "liar").stdout.startswith(certs.good.pin)
    for wrong in (["pin"], ["pin", "tls://a"], ["pin", "dns.google", "nowhere"], ["pin", "a", "127.0.0.1", "b"]):
        assert call("-c", daemon.config_file, *wrong).returncode == USAGE


def test_check(daemon, tmp_path):
    good = call("check", daemon.config_file)
    assert good.returncode == 0 and good.stdout == run("--check", "-c", daemon.config_file).stdout
    bad = write_config(tmp_path / "bad.yaml", "cahce: {size: 1MiB}\n")
    done = call("check", bad)
    assert done.returncode == CONFIGURATION and done.stderr == run("--check", "-c", bad).stderr and "cache" in done.stderr
    assert call("-c", bad, "check").returncode == CONFIGURATION
    assert call("check", DOTSTUB_CACHE_SIZE="lots").returncode == CONFIGURATION


def test_the_socket_path_comes_from_the_configuration(daemon, tmp_path):
    path = daemon.config["control"]["socket"]
    assert call("-c", daemon.config_file, "stats").returncode == 0
    assert call("stats", DOTSTUB_CONTROL_SOCKET=path).returncode == 0
    off = write_config(tmp_path / "off.yaml", "control: {socket: off}\n")
    done = call("-c", off, "stats")
    assert done.returncode == NO_DAEMON and "control.socket is off" in done.stderr
    bad = write_config(tmp_path / "bad.yaml", "cahce: {size: 1MiB}\n")
    done = call("-c", bad, "stats")
    assert done.returncode == CONFIGURATION and "unknown key" in done.stderr
    done = call("stats", DOTSTUB_CACHE_SIZE="lots")  # an invalid environment: the default path
    assert done.returncode == NO_DAEMON and "/run/dotstub/control.sock" in done.stderr


@pytest.mark.parametrize("arguments", [
    [], ["nothing"], ["status", "x"], ["cache"], ["cache", "a", "b", "c"], ["log"], ["flush", "a", "b"], ["flush", "a", "--suffix", "b"],
    ["status", "--suffix", "a"], ["--nothing"], ["--socket"], ["cache", "x" * 3000]])
def test_a_wrong_command_line(daemon, arguments):
    done = call("--socket", daemon.config["control"]["socket"], *arguments)
    assert done.returncode == USAGE and done.stderr and not done.stdout
    assert done.stderr.splitlines()[-1].startswith("dotstubctl: ")  # the error is the last line


@pytest.mark.parametrize("arguments, sentence", [
    (["statsu"], "unknown command 'statsu'; did you mean 'status'?"), (["frob"], "unknown command 'frob'"),
    (["log", "inof"], "unknown argument 'inof'; did you mean 'info'?"), (["queries", "yse"], "did you mean 'yes'?"),
    (["system", "enabel"], "did you mean 'enable'?"), (["--jsno", "status"], "unknown option '--jsno'; did you mean '--json'?"),
    (["explain", "last-slwo"], "unknown argument 'last-slwo'; did you mean 'last-slow'?"), (["explain", "router"], "a name has a dot"),
    (["help", "doctr"], "did you mean 'doctor'?"), (["-x"], "unknown option '-x'"), (["--socket"], "needs an argument")])
def test_an_unknown_word(arguments, sentence):
    done = call(*arguments)
    assert done.returncode == USAGE and sentence in done.stderr and not done.stdout


@pytest.mark.parametrize("arguments, sentence", [
    (["cache", "a..b"], "not a valid domain name"), (["cache", "a", "NONSENSE"], "not a known record type"),
    (["flush", ""], "not a valid domain name"), (["flush", "--suffix", "*.a.example"], 'without "*."'),
    (["trace", "b\u00fccher.example"], "begins with xn--"), (["explain", "b\u00fccher.example"], "begins with xn--"), (["log", "info", "nothing"], "module"), (["queries", "yes", "many"], "sample")])
def test_wrong_arguments_that_the_daemon_refuses(daemon, arguments, sentence):
    assert sentence in ctl(daemon, *arguments, status=USAGE)


def test_no_daemon(daemon, tmp_path):
    done = call("--socket", tmp_path / "nothing.sock", "status")
    assert done.returncode == NO_DAEMON and "is dotstub running?" in done.stderr
    daemon.signal(signal.SIGKILL)
    daemon.wait_exit()
    assert "is dotstub running?" in ctl(daemon, "status", status=NO_DAEMON)


def test_no_permission(make_daemon, server, public_path):
    path = public_path / "control.sock"
    daemon = make_daemon(server, control={"socket": str(path)})
    stranger = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    probe = subprocess.run([*stranger, str(CTL), "--version"], capture_output=True)
    if probe.returncode:
        pytest.skip("other users cannot run the programs of this build")
    assert "run as root" in ctl(daemon, "status", prefix=stranger, status=NO_PERMISSION)
    path.chmod(0o666)
    assert "only root" in ctl(daemon, "status", prefix=stranger, status=NO_PERMISSION)
    ctl(daemon, "stats", prefix=["setpriv", f"--reuid={pwd.getpwnam(USER).pw_uid}", "--clear-groups"])


@pytest.mark.parametrize("reply", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nno json", b"HTTP/1.1 200 OK\r\n\r\n{}"])
def test_another_program_listens(tmp_path, reply):
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve():
            with listening.accept()[0] as client:
                client.recv(4096)
                client.sendall(reply)
        thread = threading.Thread(target=serve)
        thread.start()
        done = call("--socket", path, "status")
        thread.join()
    assert done.returncode == PROTOCOL and done.stderr


@pytest.mark.whole
def test_a_reply_that_never_ends(tmp_path):
    path = tmp_path / "slow.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve():
            with listening.accept()[0] as client, contextlib.suppress(OSError):
                client.recv(4096)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    client.sendall(b" ")
                    time.sleep(1)
        thread = threading.Thread(target=serve)
        thread.start()
        done = call("--socket", path, "status")  # fails after 60 s
        thread.join()
    assert done.returncode == NO_DAEMON and "timed out" in done.stderr, done.stderr


def test_version_and_help():
    assert call("--version").stdout.startswith("dotstubctl ")
    shown = call("--help").stdout
    assert all(word in shown for word in ("status", "stats", "flush", "cache", "config", "log", "check", "--socket", "--json"))
    assert call("help").stdout == shown
    for line in shown.splitlines():  # a path may be longer than a line
        assert len(line) < 80 or line.split() == [line.strip()], line
    one = call("help", "flush").stdout
    assert one.startswith("usage: dotstubctl flush [--fleet] [NAME | --suffix NAME]\n") and "all names below one" in one


def on_terminal(daemon, *arguments, columns=80, **variables):
    """The output on a terminal of this width, as lines."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    environ = {name: value for name, value in environment(**variables).items() if name != "NO_COLOR" or "NO_COLOR" in variables}
    child = subprocess.Popen([*PREFIX, str(CTL), "--socket", daemon.config["control"]["socket"], *arguments],
                             env={**environ, "TERM": "xterm"}, stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE)
    os.close(slave)
    out = b""
    with contextlib.suppress(OSError), open(master, "rb", buffering=0) as reader:
        while more := reader.read(65536):
            out += more
    child.communicate(timeout=30)
    return out.decode().splitlines()


COLOR = re.compile("\033\\[[0-9;]*m")


def test_colors_on_a_terminal_only(daemon):
    ask_truly(daemon, "a.example")
    for command, word in (("status", "ok"), ("servers", "open")):
        assert any(re.search(rf"\033\[32m{word} *\033\[0?m", line) for line in on_terminal(daemon, command)), command
        assert not any("\033" in line for line in on_terminal(daemon, command, NO_COLOR="1"))
        assert "\033" not in ctl(daemon, command)


def test_tables_fit_the_terminal(daemon, server):
    """A cell that is too long is wrapped between words; no word is broken, and nothing is lost."""
    server.refuse()
    for number in range(5):
        daemon.ask(f"name{number}.example")
    ctl(daemon, "explain")
    whole = ctl(daemon, "explain").splitlines()
    assert len(whole) == 6 and max(map(len, whole)) > 90

    def words_of(lines):  # without the time since the query
        return {word for line in lines for word in line.split() if not word.isdecimal()}

    for columns in (80, 90):
        lines = [COLOR.sub("", line).rstrip() for line in on_terminal(daemon, "explain", columns=columns)]
        assert max(map(len, lines)) <= columns and len(lines) > 6
        assert words_of(lines) == words_of(whole)
    wide = [COLOR.sub("", line).rstrip() for line in on_terminal(daemon, "explain", columns=200)]
    assert len(wide) == 6
