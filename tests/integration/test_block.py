# SPDX-License-Identifier: MIT
"""Block lists: files in each format, names behind aliases, lists that change under load."""
import dns.edns
import dns.rcode
import dns.rdatatype
import pytest

import wire
import zone
from daemon import SLACK, run, write_config
from processes import eventually
from test_ctl import ctl

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
    daemon.wait_line("block: read the changed files again")
    assert ask(daemon, "cname2.www.example").answer
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
    assert {query.name for query in server.queries} == {"walled.example", "x.b.example.w.example"}
    assert ask(daemon, "c.example").rcode() == dns.rcode.SERVFAIL


def test_bad_lines_and_bad_lists(make_blocking):
    bad = "".join(f"bad line {number}\n" for number in range(12))
    good = "".join(f"n{number}.example\n" for number in range(20))
    daemon = make_blocking({"ads": ("domains", good + bad), "wrong": ("domains", "0.0.0.0 a.example\n")})
    assert is_blocked(daemon, "n0.example", "ads")
    assert len(daemon.matching("block list ads: .*the line is left out")) == 10
    assert daemon.matching(r"block list ads: \S+:21: more than one word; the line is left out")
    assert daemon.matching("block list ads: 2 more lines cannot be used")
    assert daemon.matching("block list wrong: 1 of 1 lines cannot be used; check its format; it is not used")
    replace(daemon.lists / "ads", bad)
    daemon.wait_line("block list ads: 12 of 12 lines cannot be used; check its format; the previous one stays in use")
    assert is_blocked(daemon, "n0.example", "ads")
    (daemon.lists / "ads").unlink()
    daemon.wait_line("block list ads: cannot read .*: No such file or directory; the previous one stays in use")
    assert is_blocked(daemon, "n0.example", "ads")
    replace(daemon.lists / "wrong", "a.example\n")
    eventually(lambda: is_blocked(daemon, "a.example", "wrong"))


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
        daemon.wait_line("block: read the changed files again", times=number)
        assert is_blocked(daemon, f"n{number * 100000}.ads0.example", "ads")
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
            ({"answer": "nothing"}, "block.answer: write nxdomain, nodata, zero, or addresses"),
            ({"answer": ["zero", "192.0.2.1"]}, "block.answer: zero excludes other values; write only it, or only addresses"),
            ({"lists": [{"file": "/a", "answer": ["192.0.2.1@53"]}]}, "answer: write nxdomain, nodata, zero, or addresses")):
        done = run("--check", "-c", str(write_config(tmp_path / "c.yaml", {"block": block})))
        assert done.returncode and sentence in done.stderr, done.stderr
