# SPDX-License-Identifier: MIT
"""Block lists: files in each format, names behind aliases, lists that change under load."""
import http.server
import os
import pwd
import shutil
import ssl
import threading

import dns.edns
import dns.rcode
import dns.rdatatype
import pytest

import wire
import zone
from daemon import SLACK, USER, run, write_config
from processes import eventually
from test_control import control
from test_ctl import call, ctl
from test_reload import make_reloadable  # noqa: F401

NXDOMAIN, NOERROR = dns.rcode.NXDOMAIN, dns.rcode.NOERROR


def replace(path, text):
    new = path.with_name("." + path.name)
    new.write_text(text)
    new.rename(path)


@pytest.fixture
def make_blocking(make_daemon, server, public_path):
    """`lists`: name=(format, text). Gives the daemon; the files are daemon.lists/NAME."""
    def make(lists, **options):
        items = []
        for name, (form, text) in lists.items():
            (public_path / name).write_text(text)
            items.append({"name": name, "file": str(public_path / name), "format": form})
        daemon = make_daemon(server, block={"lists": items, **options.pop("block", {})}, **options)
        daemon.lists = public_path
        return daemon
    return make


def reason(answer):
    """(code, text) of the only extended error; None: there is none."""
    errors = [option for option in answer.options if isinstance(option, dns.edns.EDEOption)]
    return (errors[0].code, errors[0].text) if errors else None


def ask(daemon, name, rdtype="A", **parts):
    return daemon.ask(name, rdtype, edns=True, **parts)


def is_blocked(daemon, name, by):
    answer = ask(daemon, name)
    return reason(answer) == (15, by)


def test_the_formats(make_blocking, server):
    daemon = make_blocking({
        "domains": ("domains", "# comment\nads.example\n*.tracker.example\n"),
        "hosts": ("hosts", "127.0.0.1 localhost\n0.0.0.0 one.example two.example\n"),
        "adblock": ("adblock", "! title\n||banner.example^\n@@||good.banner.example^\n##.ad\n"),
        "rpz": ("rpz", "$TTL 60\n@ SOA a. b. 1 2 3 4 5\nnx.rpz.example CNAME .\nempty.rpz.example CNAME *.\n"
                       "walled.rpz.example A 192.0.2.80\n*.rpz.example CNAME rpz-passthru.\n"),
    })
    for name, by in (("ads.example", "domains"), ("www.ads.example", "domains"), ("x.tracker.example", "domains"),
                     ("one.example", "hosts"), ("TWO.example", "hosts"), ("banner.example", "adblock"), ("nx.rpz.example", "rpz")):
        for tcp in (False, True):
            answer = ask(daemon, name, tcp=tcp)
            assert answer.rcode() == NXDOMAIN and reason(answer) == (15, by), name
            soa = answer.authority[0]
            assert soa.rdtype == dns.rdatatype.SOA and soa.ttl == 10 and answer.question[0].name.is_subdomain(soa.name)
    answer = ask(daemon, "empty.rpz.example")
    assert answer.rcode() == NOERROR and not answer.answer and reason(answer) == (15, "rpz")
    assert wire.addresses(ask(daemon, "walled.rpz.example")) == ["192.0.2.80"]
    assert not server.queries
    for name in "www.one.example", "good.banner.example", "other.rpz.example", "example":
        assert reason(ask(daemon, name)) is None, name
    assert ask(daemon, "localhost").answer
    daemon.wait_line("block list adblock: 2 names, .*; 1 lines not supported, 0 left out")


def test_the_answers(make_blocking):
    daemon = make_blocking({"a": ("domains", "a.example\n")}, block={"answer": "zero", "ttl": "1m"})
    answer = ask(daemon, "a.example")
    assert wire.texts(answer) == [("a.example.", "A", "0.0.0.0")] and answer.answer[0].ttl == 60
    assert wire.texts(ask(daemon, "a.example", "AAAA")) == [("a.example.", "AAAA", "::")]
    assert not ask(daemon, "a.example", "HTTPS").answer
    assert daemon.dig("a.example", "+short").strip() == "0.0.0.0"


def test_aliases_are_looked_at_in_responses(make_blocking, server):
    daemon = make_blocking({"ads": ("hosts", "0.0.0.0 www.example\n")})
    for _ in range(2):  # from the upstream, and from the cache
        answer = ask(daemon, "cname2.www.example")
        assert answer.rcode() == NXDOMAIN and not answer.answer and reason(answer) == (15, "ads")
    assert [query.name for query in server.queries] == ["cname2.www.example"]
    assert ctl(daemon, "cache", "cname2.www.example")  # the cache has what the upstream said
    replace(daemon.lists / "ads", "0.0.0.0 other.example\n")
    eventually(lambda: ask(daemon, "cname2.www.example").answer, what="the new list")
    assert len(server.queries) == 1


def test_addresses_in_responses(make_blocking, server):
    address = ".".join(reversed(zone.address("bad.example").split(".")))
    daemon = make_blocking({"rpz": ("rpz", f"32.{address}.rpz-ip CNAME .\n")})
    for _ in range(2):
        answer = ask(daemon, "bad.example")
        assert answer.rcode() == NXDOMAIN and reason(answer) == (15, "rpz")
    assert ask(daemon, "good.example").answer
    assert [query.name for query in server.queries] == ["bad.example", "good.example"]


def test_a_cname_of_a_list_is_resolved(make_blocking, server):
    daemon = make_blocking({"rpz": ("rpz", "a.example 60 CNAME walled.example.\n*.b.example CNAME *.w.example.\n"
                                           "c.example CNAME servfail.example.\n")})
    answer = ask(daemon, "A.example")
    assert wire.texts(answer) == [("a.example.", "CNAME", "walled.example."), ("walled.example.", "A", zone.address("walled.example"))]
    assert reason(answer) == (15, "rpz")
    answer = ask(daemon, "x.b.example", "AAAA")
    assert wire.texts(answer)[0] == ("x.b.example.", "CNAME", "x.b.example.w.example.")
    assert wire.texts(answer)[1][:2] == ("x.b.example.w.example.", "AAAA")
    assert wire.texts(ask(daemon, "a.example", "CNAME")) == [("a.example.", "CNAME", "walled.example.")]
    assert wire.texts(ask(daemon, "a.example")) == [("a.example.", "CNAME", "walled.example."), ("walled.example.", "A", zone.address("walled.example"))]
    assert [query.name for query in server.queries] == ["walled.example", "x.b.example.w.example"]
    assert ask(daemon, "c.example").rcode() == dns.rcode.SERVFAIL
    before = len(server.queries)
    answer = ask(daemon, "c.example")
    assert answer.rcode() == dns.rcode.SERVFAIL and len(server.queries) == before


def test_a_silent_upstream_of_the_target_of_a_cname(make_blocking, server):
    daemon = make_blocking({"rpz": ("rpz", "a.example 60 CNAME walled.example.\n")}, limits={"answer-by": "200ms"})
    server.silence = True
    answer = ask(daemon, "a.example")
    assert answer.rcode() == dns.rcode.SERVFAIL and reason(answer)
    server.silence = False
    assert ask(daemon, "other.example").rcode() == NOERROR


def test_bad_lines_and_bad_lists(make_blocking):
    bad = "".join(f"bad line {number}\n" for number in range(12))
    good = "".join(f"n{number}.example\n" for number in range(20))
    daemon = make_blocking({"ads": ("domains", good + bad), "wrong": ("domains", "0.0.0.0 a.example\n")})
    assert is_blocked(daemon, "n0.example", "ads")
    # The lists may be read twice, if a file is so new that it might have changed meanwhile.
    named = {line.split(": ")[2] for line in daemon.matching("block list ads: .*the line is left out")}
    assert len(named) == 10
    assert daemon.matching(r"block list ads: \S+:21: more than one word; the line is left out")
    assert daemon.matching("block list ads: 2 more lines cannot be used")
    assert daemon.matching("block list wrong: 1 of 1 lines cannot be used; check its format; it is not used")
    replace(daemon.lists / "ads", bad)
    daemon.wait_line("block list ads: 12 of 12 lines cannot be used; check its format; the previous one stays in use")
    assert is_blocked(daemon, "n0.example", "ads")
    (daemon.lists / "ads").write_text("")
    daemon.wait_line("warning config: block list ads: the file is empty; the previous one stays in use")
    assert is_blocked(daemon, "n0.example", "ads") and "ads: the file is empty" in ctl(daemon, "block", "list")
    (daemon.lists / "ads").write_text("n0.example\n")
    eventually(lambda: is_blocked(daemon, "n0.example", "ads") and not is_blocked(daemon, "n1.example", "ads"))
    (daemon.lists / "ads").unlink()
    daemon.wait_line("block list ads: cannot read .*: No such file or directory; the previous one stays in use")
    assert is_blocked(daemon, "n0.example", "ads")
    replace(daemon.lists / "wrong", "a.example\n")
    eventually(lambda: is_blocked(daemon, "a.example", "wrong"))


def test_a_list_that_is_being_written(make_reloadable, server, public_path):  # noqa: F811
    """As by a download in place: the part that is there already is not used, also not by a reload."""
    def lines(first, last):
        return "".join(f"n{number}.example\n" for number in range(first, last))
    path = public_path / "ads"
    path.write_text(lines(0, 2000))
    daemon = make_reloadable(server, block={"lists": [{"name": "ads", "file": str(path)}]})
    with open(path, "w") as file:
        file.write(lines(0, 100))
        file.flush()
        daemon.wait_line("ads: only 100 names, and 2000 before: waiting until the file has not changed for 2 s")
        ctl(daemon, "reload")
        assert is_blocked(daemon, "n1999.example", "ads")
        loads = len(daemon.matching("block list ads: 2000 names"))
        file.write(lines(100, 1900))
        file.flush()
        ctl(daemon, "reload")
        assert is_blocked(daemon, "n1999.example", "ads")
        file.write(lines(1900, 2000))
    daemon.wait_line("block list ads: 2000 names", times=loads + 1)
    assert is_blocked(daemon, "n1999.example", "ads") and not daemon.matching("was the file written completely")
    replace(path, lines(0, 100))
    ctl(daemon, "reload")
    daemon.wait_line("warning config: block list ads: only 100 names, and 2000 before; was the file written completely?")
    eventually(lambda: not is_blocked(daemon, "n1999.example", "ads"))
    assert is_blocked(daemon, "n99.example", "ads")


def test_a_directory(make_daemon, server, public_path):
    folder = public_path / "block.d"
    folder.mkdir()
    (folder / "a.txt").write_text("a.example\n")
    daemon = make_daemon(server, block={"lists": [{"file": str(folder)}]})
    assert is_blocked(daemon, "a.example", "block.d")
    (folder / "b.txt").write_text("b.example\n")
    eventually(lambda: is_blocked(daemon, "b.example", "block.d"))
    (folder / "a.txt").unlink()
    eventually(lambda: ask(daemon, "a.example").answer)


@pytest.mark.threads
def test_a_big_list_is_replaced_without_a_lost_query(make_blocking):
    def names(start):
        return "".join(f"n{number}.ads{number % 1000}.example\n" for number in range(start, start + 100000))
    daemon = make_blocking({"ads": ("domains", names(0))}, workers=2)
    rate = 500 // SLACK
    running = [daemon.load(queries=rate * 2, distinct=distinct, rate=rate, name=name, connections=4, in_flight=500, patience=6000)
               for name, distinct in (("hit%u.example", 50), ("u-miss%u.example", rate * 2))]
    for number in range(1, 3):
        replace(daemon.lists / "ads", names(number * 100000))
        eventually(lambda: is_blocked(daemon, f"n{number * 100000}.ads0.example", "ads"), what="the new list")
        assert ask(daemon, "n0.ads0.example").answer
    for load in running:
        result = load.result(60)
        assert result["good"] == result["sent"] and not result["stray"], result


def test_without_lists_there_is_no_step(make_daemon, server):
    daemon = make_daemon(server)
    assert "block" not in ctl(daemon, "trace", "a.example")


def test_mistakes_in_the_configuration(tmp_path):
    for block, sentence in (
            ({"lists": [{"format": "hosts"}]}, "block.lists: this list has no source; write file: and a path, or url:"),
            ({"lists": [{"file": "/a", "url": "https://x.example/"}]}, "block.lists: this list has a file and a url; keep one of them"),
            ({"lists": [{"url": "http://x.example/a"}]}, "block.lists: lists are fetched over https only; write a URL with https://"),
            ({"lists": [{"file": "/a/x"}, {"file": "/b/x"}]}, "block.lists: two lists have the name x; write name: and another one"),
            ({"lists": [{"name": "all", "file": "/a"}]}, "block.lists: all is the word for all lists; write name: and another one"),
            ({"answer": "nothing"}, "block.answer: write nxdomain, nodata, zero, or addresses"),
            ({"answer": ["zero", "192.0.2.1"]}, "block.answer: zero excludes other values; write only it, or only addresses"),
            ({"lists": [{"file": "/a", "answer": ["192.0.2.1@53"]}]}, "answer: write nxdomain, nodata, zero, or addresses")):
        done = run("--check", "-c", str(write_config(tmp_path / "c.yaml", {"block": block})))
        assert done.returncode and sentence in done.stderr, done.stderr
    done = run("--check", "-c", str(write_config(tmp_path / "c.yaml", {"views": [{"clients": ["192.0.2.1"], "block": {"lists": ["kids"]}}]})))
    assert done.returncode and "views: there is no block list kids; define it in block.lists" in done.stderr


def test_views_have_lists_of_their_own(make_daemon, server, public_path):
    for name in "ads", "kids":
        (public_path / name).write_text(f"{name}.example\n")
    daemon = make_daemon(server, block={"lists": [{"file": str(public_path / "ads")}, {"file": str(public_path / "kids"), "default": False}]},
                         views=[{"clients": ["127.0.0.2"], "block": {"lists": ["kids"]}}, {"clients": ["127.0.0.3"], "block": {"lists": []}},
                                {"clients": ["127.0.0.4"]}])

    def blocked(client):
        with daemon.udp(source=(client, 0)) as asker:
            return [name for name in ("ads", "kids") if reason(asker.ask(f"{name}.example", edns=True))]
    assert [blocked(f"127.0.0.{number}") for number in (1, 2, 3, 4)] == [["ads"], ["kids"], [], ["ads"]]
    assert "blocked by the list ads, rule" in ctl(daemon, "block", "test", "ads.example")
    assert "blocked by the list kids, for clients of views that name it, rule" in ctl(daemon, "block", "test", "kids.example")


# dotstubctl.

def blocks(daemon):
    return {item["name"]: item for item in control(daemon, "/block").json["lists"]}


def test_the_lists_are_shown(make_blocking):
    daemon = make_blocking({"ads": ("domains", "ads.example\nbad line\n"), "wrong": ("hosts", "x\n")})
    assert is_blocked(daemon, "www.ads.example", "ads")
    ads, wrong = blocks(daemon)["ads"], blocks(daemon)["wrong"]
    assert (ads["names"], ads["hits"], ads["lines_bad"], ads["error"]) == (1, 1, 1, None) and ads["read_s_ago"] < 60
    assert wrong["read_s_ago"] is None and "cannot be used" in wrong["error"]
    shown = ctl(daemon, "block", "list")
    assert [line.split()[0] for line in shown.splitlines()[:3]] == ["LIST", "ads", "wrong"] and wrong["error"] in shown
    metrics = control(daemon, "/metrics").body
    assert 'dotstub_block_hits_total{list="ads"} 1\n' in metrics and 'dotstub_block_failing{list="wrong"} 1\n' in metrics
    assert "dotstub_queries_blocked_total 1\n" in metrics


def test_a_name_is_tested(make_blocking):
    daemon = make_blocking({"rpz": ("rpz", "*.bad.example CNAME .\nok.example CNAME rpz-passthru.\n"), "ads": ("domains", "x.example\n")},
                           block={"exceptions": ["fine.x.example"]})
    for name, sentence in (("w.bad.example", "w.bad.example.: blocked by the list rpz, rule *.bad.example. (nxdomain)"),
                           ("bad.example", "bad.example.: not listed"),
                           ("ok.example", "ok.example.: allowed by the list rpz, rule ok.example. (passthru)"),
                           ("fine.x.example", "fine.x.example.: allowed by block.exceptions or dotstubctl unblock, rule *.x.example. (block)")):
        assert ctl(daemon, "block", "test", name).strip() == sentence
    assert "not a valid domain name" in ctl(daemon, "block", "test", "a..b", status=64)
    assert 'without "*."' in ctl(daemon, "unblock", "*.ads.example", status=64)
    assert "begins with xn--" in ctl(daemon, "block", "test", "b\u00fccher.example", status=64)
    assert "argument is missing" in ctl(daemon, "block", "test", status=64)
    assert "too many arguments" in ctl(daemon, "block", "list", "x", status=64)


def test_a_name_is_unblocked_for_some_time(make_blocking):
    daemon = make_blocking({"ads": ("domains", "ads.example\n")})
    assert is_blocked(daemon, "x.ads.example", "ads")
    assert ctl(daemon, "unblock", "x.ads.example", "2s").strip() == "x.ads.example. is not blocked for 2 s"
    assert ask(daemon, "x.ads.example").answer and is_blocked(daemon, "y.ads.example", "ads")
    assert "x.ads.example." in ctl(daemon, "block", "list")
    eventually(lambda: is_blocked(daemon, "x.ads.example", "ads"))
    assert control(daemon, "/block").json["unblocked"] == []
    ctl(daemon, "unblock", "x.ads.example")
    (left,) = control(daemon, "/block").json["unblocked"]
    assert 590 < left["seconds"] <= 600
    assert ask(daemon, "x.ads.example").answer
    ctl(daemon, "unblock", "x.ads.example", "0")
    assert is_blocked(daemon, "x.ads.example", "ads")
    for wrong in "8d", "10", "x", "-1s", "1y":
        assert "must be a time" in ctl(daemon, "unblock", "x.example", wrong, status=64) or wrong.startswith("-")


def test_a_start_as_root_reads_lists_as_the_user(make_daemon, server, public_path):
    """The directory is the user's, who could link a list to a file that only root may read."""
    secret, directory = public_path / "secret", public_path / "state"
    secret.write_text("secret.example\n")
    secret.chmod(0o600)
    directory.mkdir()
    os.chown(directory, pwd.getpwnam(USER).pw_uid, -1)
    (directory / "ads").symlink_to(secret)
    daemon = make_daemon(server, block={"lists": [{"name": "ads", "url": "https://lists.example/ads"}], "directory": str(directory)})
    assert daemon.ask("secret.example").rcode() == 0
    assert daemon.matching("block list ads: .*Permission denied")


# dotstubctl block update.

class ListServer:
    """An https server of lists: `content` by path. `asked`: (path, status, If-None-Match) of each request."""

    def __init__(self, certificate):
        self.content, self.asked, self.redirects = {}, [], {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                data = outer.content.get(self.path)
                etag = f'"{zone.hash_of(data)}"' if data is not None else None
                status = 302 if self.path in outer.redirects else 404 if data is None else 304 if self.headers["If-None-Match"] == etag else 200
                outer.asked.append((self.path, status, self.headers["If-None-Match"]))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", outer.redirects[self.path])
                if status == 200:
                    self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(data) if status == 200 else 0))
                self.end_headers()
                if status == 200:
                    self.wfile.write(data.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain_file, certificate.key_file)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def lists(certs, cleanup):
    server = ListServer(certs.good)  # for dns.google
    cleanup.callback(server.stop)
    return server


@pytest.fixture
def make_fetching(make_daemon, server, certs, public_path, lists):
    """A daemon with the list `ads` of the https server, whose name it has from another block list."""
    def make(path="/ads.txt", name="dns.google", control=None, more=(), **block):
        (public_path / "names").write_text("".join(f"{name} {data}\n" for data in ("A 127.0.0.1", *more)))
        (public_path / "state").mkdir()
        daemon = make_daemon(server, control=control or {}, block={
            "lists": [{"file": str(public_path / "names"), "format": "rpz"}, {"name": "ads", "url": f"https://{name}:{lists.port}{path}"}],
            "directory": str(public_path / "state/block"), "ca-file": str(certs.ca_file), **block})
        daemon.directory = public_path / "state/block"
        daemon.update = lambda status=0: call("-c", daemon.config_file, "block", "update")
        return daemon
    return make


def names(count, start=0):
    return "".join(f"n{number}.ads.example\n" for number in range(start, start + count))


def test_update_fetches_changed_lists(make_fetching, lists):
    daemon = make_fetching()
    assert daemon.matching("block list ads: not fetched yet; run dotstubctl block update")
    lists.content["/ads.txt"] = names(10)
    done = daemon.update()
    assert (done.returncode, done.stdout, done.stderr) == (0, "ads: 10 names\n", "")
    eventually(lambda: is_blocked(daemon, "n9.ads.example", "ads"))
    done = daemon.update()
    assert (done.returncode, done.stdout) == (0, "ads: not changed\n")
    lists.content["/ads.txt"] = names(10, 5)
    assert daemon.update().stdout == "ads: 10 names\n"
    eventually(lambda: is_blocked(daemon, "n14.ads.example", "ads"))
    assert ask(daemon, "n0.ads.example").answer
    assert [status for _, status, _ in lists.asked] == [200, 304, 200]
    assert sorted(path.name for path in daemon.directory.iterdir()) == [".ads.mark", "ads"]


def test_a_failed_update_keeps_the_list(make_fetching, lists, server):
    daemon = make_fetching(**{"max-size": "1KiB"})
    lists.content["/ads.txt"] = names(20)
    assert daemon.update().returncode == 0
    for content, sentence in ((names(9), "the fetched list has only 9 names instead of 20; remove"),
                              ("<html>\n<body>\nx y\n", "3 of 3 lines cannot be used"),
                              (names(100), "it has more than 1024 bytes (block.max-size)"),
                              (None, "the server answered with status 404")):
        lists.content["/ads.txt"] = content
        done = daemon.update()
        assert done.returncode == 1 and sentence in done.stderr and done.stderr.endswith("the previous one stays in use\n"), done.stderr
        assert (daemon.directory / "ads").read_text() == names(20)
    eventually(lambda: is_blocked(daemon, "n19.ads.example", "ads"))
    (daemon.directory / "ads").unlink()
    lists.content["/ads.txt"] = names(9)
    assert daemon.update().stdout == "ads: 9 names\n"


def test_update_as_root_follows_no_link(make_fetching, lists, certs, public_path):
    victim = public_path / "victim"
    victim.write_text("first line\nsecond line\n")
    victim.chmod(0o600)
    shutil.copy(certs.ca_file, public_path / "ca.pem")
    daemon = make_fetching(control={"socket": str(public_path / "control.sock")}, **{"ca-file": str(public_path / "ca.pem")})
    user = pwd.getpwnam(USER)
    daemon.directory.mkdir()
    lists.content["/ads.txt"] = names(10)
    for owner in user.pw_uid, 0:  # anybody may write to the second one
        daemon.directory.chmod(0o755 if owner else 0o777)
        os.chown(daemon.directory, owner, user.pw_gid)
        for path in daemon.directory.iterdir():
            path.unlink()
        (daemon.directory / "ads").write_text(names(10, 5))
        (daemon.directory / ".ads.mark").symlink_to(victim)
        done = daemon.update()
        assert (done.returncode, done.stdout) == (0, "ads: 10 names\n"), done.stderr
        assert victim.read_text() == "first line\nsecond line\n" and victim.stat().st_mode & 0o777 == 0o600
        assert lists.asked[-1][2] is None, lists.asked
        assert (daemon.directory / "ads").stat().st_uid == owner


def test_update_trusts_only_its_authorities(make_fetching, lists, certs):
    daemon = make_fetching(**{"ca-file": str(certs.stranger.chain_file)})
    lists.content["/ads.txt"] = names(10)
    done = daemon.update()
    assert done.returncode == 1 and "certificate" in done.stderr.lower() and not lists.asked


def test_update_from_a_name_with_many_addresses(make_fetching, lists):
    """More than fit the list for libcurl."""
    daemon = make_fetching(more=[f"AAAA 2001:db8:1111:2222:3333:4444:5555:{number:x}" for number in range(0x6000, 0x6040)])
    lists.content["/ads.txt"] = names(3)
    done = daemon.update()
    assert (done.stdout, done.stderr) == ("ads: 3 names\n", "")


def test_update_resolves_through_the_daemon(make_fetching, lists, server):
    daemon = make_fetching(path="/first")
    lists.redirects["/first"] = f"https://dns.google:{lists.port}/ads.txt"
    lists.content["/ads.txt"] = names(3)
    assert daemon.update().stdout == "ads: 3 names\n"
    lists.redirects["/first"] = f"https://nx.example:{lists.port}/ads.txt"
    done = daemon.update()
    assert done.returncode == 1 and "dotstub found no address of nx.example" in done.stderr
    assert "nx.example" in {query.name for query in server.queries}
    lists.redirects["/first"] = f"http://dns.google:{lists.port}/ads.txt"
    done = daemon.update()
    assert done.returncode == 1 and "is not a URL with https://" in done.stderr
    lists.redirects["/first"] = "\x1b]0;pwned\x07"
    done = daemon.update()
    assert done.returncode == 1 and "\x1b" not in done.stderr, done.stderr
    assert "is not a URL" in done.stderr or "status 404" in done.stderr, done.stderr  # newer versions of curl encode it
    daemon.stop()
    assert daemon.update().returncode != 0
