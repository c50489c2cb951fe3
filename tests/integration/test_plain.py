# SPDX-License-Identifier: MIT
"""Plain DNS over UDP to the servers of a route: a server that lies, and real ones."""
import concurrent.futures
import shutil
import time

import dns.flags
import dns.rcode
import pytest

import lies
import wire
import zone
from plainserver import PlainServer, truncated
from processes import Process, eventually, free_port
from realservers import ZONE
from test_control import control

ROUTE = {"zones": ["corp.example"], "plain": True}


@pytest.fixture
def make_plain(cleanup):
    def make(*arguments, **options):
        server = PlainServer(*arguments, **options)
        cleanup.callback(server.close)
        return server
    return make


@pytest.fixture
def plain(make_plain):
    return make_plain()


@pytest.fixture
def daemon(make_daemon, server, plain):
    return make_daemon(server, workers=1, forward=[{**ROUTE, "to": [plain.to]}])


def stats(daemon):
    return {name.removeprefix("plain_udp_"): value for name, value in control(daemon, "/stats").json["counters"].items()
            if name.startswith("plain_udp_")}


def ask_truly(daemon, name, rdtype="A", **parts):
    answer = daemon.ask(name, rdtype, **parts)
    assert answer.rcode() == 0 and answer.answer, answer
    if rdtype == "A":
        assert wire.addresses(answer) == [zone.address(name)]
    return answer


def test_queries_go_over_udp_from_many_ports_under_random_ids(daemon, plain):
    names = [f"n{number}.some-letters-in-a-name.corp.example" for number in range(400)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for answer in pool.map(daemon.ask, names):
            assert answer.rcode() == 0
    queries = plain.over("udp")
    assert len(queries) == len(plain.queries) == 400 and not plain.over("tcp")
    assert {query.question.edns["size"] for query in queries} == {1232}
    assert not [query for query in queries if wire.KEEPALIVE in dict(query.question.options)]
    ports = [query.port for query in queries]
    assert 60 < len(set(ports)) <= 64 and max(ports.count(port) for port in set(ports)) <= 100
    assert max(ports) - min(ports) > 10000 and min(ports) >= 1024
    assert len({query.question.id for query in queries}) > 380
    spellings = {query.name[query.name.index("."):] for query in queries}
    assert len(spellings) == 400 and {spelling.lower() for spelling in spellings} == {".some-letters-in-a-name.corp.example"}
    assert stats(daemon)["queries"] == 400 and stats(daemon)["ports"] == len(set(ports))


def test_a_used_up_port_is_replaced(daemon, plain):
    with daemon.udp() as client:
        for number in range(700):
            client.ask(f"n{number}.corp.example")
    ports = [query.port for query in plain.queries]
    assert len(ports) == 700 and max(ports.count(port) for port in set(ports)) <= 100


def from_another_port(query, truth):
    return [(lies.header(zone.answer(query.question, query.data), rcode=3),), truth]


def other_question_first(query, truth):
    return [*lies.wrong_name(query, truth), *lies.wrong_type(query, truth), truth]


@pytest.mark.parametrize("twist, counter", [(lies.wrong_id_first, "wrong_id"), (other_question_first, "wrong_question"),
                                            (from_another_port, None), (lies.duplicate, "late")])
def test_what_is_no_response_is_ignored_and_counted(daemon, plain, twist, counter):
    with plain.lying(twist=twist):
        ask_truly(daemon, "a.corp.example")
    ask_truly(daemon, "b.corp.example")
    eventually(lambda: not counter or stats(daemon)[counter] + stats(daemon)["wrong_id"] > 0)
    assert not plain.over("tcp")


def test_many_wrong_responses_send_a_query_over_tcp(daemon, plain):
    def guess(query, truth):
        return [lies.header(truth, id=query.question.id ^ number, rcode=3) for number in range(1, 20)]
    with plain.lying(twist=guess):
        ask_truly(daemon, "a.corp.example")
    assert [query.protocol for query in plain.queries] == ["udp", "tcp"]
    assert stats(daemon)["attacked"] == 1 and stats(daemon)["wrong_id"] >= 8
    ask_truly(daemon, "b.corp.example")
    assert plain.queries[-1].protocol == "udp" and plain.queries[-1].port != plain.queries[0].port


def in_lower_case(query, truth):
    section = wire.question_section(truth)
    return [truth[:12] + section.lower() + truth[12 + len(section):]]


def test_a_server_that_changes_the_case_is_asked_over_tcp_then_in_lower_case(daemon, plain):
    with plain.lying(twist=in_lower_case):
        for number in range(6):
            ask_truly(daemon, f"n{number}.a-long-name-with-letters.corp.example")
    assert [query.protocol for query in plain.queries] == ["udp", "tcp"] * 3 + ["udp"] * 3
    assert all(query.name == query.name.lower() for query in plain.queries[6:])
    found = stats(daemon)
    assert found["case"] == 3 and found["unmixed"] == 1 and found["over_tcp"] == 3


def test_a_truncated_response_is_asked_for_over_tcp(daemon, plain):
    answer = ask_truly(daemon, "big2000.corp.example", "TXT", tcp=True)
    assert len(b"".join(answer.answer[0][0].strings)) >= 1990 and not answer.flags & dns.flags.TC
    assert [query.protocol for query in plain.queries] == ["udp", "tcp"] and stats(daemon)["truncated"] == 1
    ask_truly(daemon, "a.corp.example")
    assert plain.queries[-1].protocol == "udp"
    with plain.lying(twist=lambda query, truth: [truncated(truth)]):
        ask_truly(daemon, "b.corp.example")
    assert plain.queries[-1].protocol == "tcp"


def no_edns(query, truth):
    return [lies.header(wire.message(id=query.question.id, question=wire.question_section(truth)), set=wire.QR, rcode=1)
            if query.question.edns else truth]


def test_a_server_without_edns_is_asked_without_it(daemon, plain):
    with plain.lying(twist=no_edns):
        ask_truly(daemon, "a.corp.example")
        ask_truly(daemon, "b.corp.example")
    assert [bool(query.question.edns) for query in plain.queries] == [True, False, False]


class lost:
    """Loses the first transmissions of each name."""

    def __init__(self, times):
        self.times, self.seen = times, {}

    def __call__(self, query, truth):
        self.seen[query.name.lower()] = self.seen.get(query.name.lower(), 0) + 1
        return [truth] if self.seen[query.name.lower()] > self.times else []


def test_a_lost_datagram_is_sent_again_as_a_new_query(daemon, plain):
    with plain.lying(twist=lost(1)):
        ask_truly(daemon, "some-letters-in-a-name.corp.example")
    first, second = plain.queries
    assert (first.port, first.question.id, first.name) != (second.port, second.question.id, second.name)
    assert 0.25 < second.time - first.time < 1.5 and stats(daemon)["repeated"] == 1


@pytest.mark.parametrize("delay", [0.8, 2.8])
def test_a_slow_response_is_taken_when_it_comes(daemon, plain, delay):
    """Also if the query was sent again meanwhile: before the response to the second transmission comes."""
    with plain.lying(delay=delay):
        ask_truly(daemon, "slow.corp.example")
        first, second = plain.queries
        assert time.monotonic() < second.time + delay


def test_the_next_server_is_asked_when_one_is_silent_or_gone(make_daemon, server, make_plain):
    silent, good = make_plain(), make_plain()
    daemon = make_daemon(server, workers=1, forward=[{**ROUTE, "to": [silent.to, good.to]}])
    with silent.lying(silent=True):
        began = time.monotonic()
        for number in range(5):
            ask_truly(daemon, f"n{number}.corp.example")
        assert time.monotonic() - began < 2
        eventually(lambda: [one["state"] for one in control(daemon, "/status").json["servers"]
                            if one["address"] == silent.to] == ["failing"])
        before = len(silent.queries)
        ask_truly(daemon, "after.corp.example")
        # A server that failed is asked for nothing but the SOA of the zone.
        assert {(query.name.lower(), query.type) for query in silent.queries[before:]} <= {("corp.example", zone.SOA)}
    silent.close_udp()
    ask_truly(daemon, "gone.corp.example")


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "FORMERR", "NOTIMP"])
def test_the_next_server_is_asked_when_one_fails(make_daemon, server, make_plain, rcode):
    """The servers of a route are machines of their own: what one cannot answer another may."""
    failing, good = make_plain(), make_plain()
    daemon = make_daemon(server, workers=1, forward=[{**ROUTE, "to": [failing.to, good.to]}])
    ask_truly(daemon, "before.corp.example")
    with failing.lying(twist=lies.rcode(dns.rcode.from_text(rcode))):
        for number in range(40):
            ask_truly(daemon, f"n{number}.corp.example")
        assert len(good.queries) >= 40
        with good.lying(twist=lies.rcode(dns.rcode.from_text("REFUSED"))):
            assert daemon.ask("none.corp.example").rcode() != dns.rcode.NOERROR
            assert len([query for query in failing.queries + good.queries if query.name.lower() == "none.corp.example"]) <= 4


def test_a_refused_datagram_fails_the_server_at_once(make_daemon, server, make_plain):
    nobody, good = f"127.0.0.1@{free_port('127.0.0.1')}", make_plain()
    daemon = make_daemon(server, workers=1, forward=[{**ROUTE, "to": [nobody, good.to]}, {"zones": ["lab.example"], "plain": True, "to": [nobody]}])
    began = time.monotonic()
    ask_truly(daemon, "a.corp.example")
    assert time.monotonic() - began < 0.3
    assert daemon.ask("a.lab.example").rcode() == dns.rcode.SERVFAIL
    assert not server.queries


def test_no_question_is_outstanding_twice(daemon, plain):
    """Clients with other flags make lookups of their own, which wait for each other here."""
    live, most = [], []

    def hold(query, truth):
        live.append(query)
        most.append(len(live))
        time.sleep(0.1)
        live.remove(query)
        return [truth]
    with plain.lying(twist=hold), concurrent.futures.ThreadPoolExecutor(4) as pool:
        for answer in pool.map(lambda parts: daemon.ask("a.corp.example", **parts),
                               [{}, {"do": True}, {"flags": wire.RD | wire.CD}, {"do": True, "flags": wire.RD | wire.CD}]):
            assert answer.rcode() == 0
    times = [query.time for query in plain.queries]
    assert len(times) == 4 and min(after - before for before, after in zip(times, times[1:])) > 0.09
    assert stats(daemon)["held"] >= 3


def test_queries_come_from_the_source(make_daemon, server, plain):
    daemon = make_daemon(server, workers=1, forward=[{**ROUTE, "to": [plain.to], "source": "127.0.0.5"}])
    ask_truly(daemon, "a.corp.example")
    ask_truly(daemon, "big2000.corp.example", "TXT", tcp=True)
    assert [(query.protocol, query.source) for query in plain.queries] == [(protocol, "127.0.0.5") for protocol in ("udp", "udp", "tcp")]


def test_tcp_only(make_daemon, server, plain):
    daemon = make_daemon(server, forward=[{**ROUTE, "to": [plain.to], "tcp-only": True}])
    ask_truly(daemon, "a.corp.example")
    assert [query.protocol for query in plain.queries] == ["tcp"]


# Real servers.

def dnsmasq(port):
    return ["dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", f"--port={port}",
            "--listen-address=127.0.0.1", "--bind-interfaces", "--local=/real.example/", "--host-record=a.real.example,198.51.100.7",
            "--log-facility=-", "--local-ttl=60"] + [f"--txt-record=large.real.example,{str(number) * 200}" for number in range(10, 20)], "started"


def unbound(port, directory):
    (directory / "zone").write_text(ZONE)
    (directory / "unbound.conf").write_text(f"""\
server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    do-daemonize: no
    interface: 127.0.0.1@{port}
    module-config: "iterator"
auth-zone:
    name: "real.example."
    zonefile: "{directory}/zone"
    for-upstream: no
    fallback-enabled: no
remote-control:
    control-enable: no
""")
    return [shutil.copy("/usr/sbin/unbound", directory / "unbound"), "-d", "-p", "-c", str(directory / "unbound.conf")], "start of service"


def knot(port, directory):
    (directory / "zone").write_text(ZONE)
    (directory / "knot.conf").write_text(f"""\
server:
    rundir: "{directory}"
    listen: 127.0.0.1@{port}
log:
  - target: stderr
    any: info
database:
    storage: "{directory}"
zone:
  - domain: real.example
    file: "{directory}/zone"
    journal-content: none
""")
    return ["knotd", "-c", str(directory / "knot.conf")], "server started"


@pytest.mark.parametrize("kind", ["dnsmasq", "unbound", "knot"])
def test_a_real_server(make_daemon, server, cleanup, tmp_path, kind):
    port, directory = free_port("127.0.0.1"), tmp_path / kind
    directory.mkdir()
    command, ready = dnsmasq(port) if kind == "dnsmasq" else {"unbound": unbound, "knot": knot}[kind](port, directory)
    real = Process(command)
    cleanup.callback(real.end)
    real.wait_line(ready)
    daemon = make_daemon(server, forward=[{"zones": ["real.example"], "plain": True, "to": [f"127.0.0.1@{port}"]}])
    assert wire.addresses(daemon.ask("a.real.example")) == ["198.51.100.7"]
    assert daemon.ask("no.such.name.real.example").rcode() == dns.rcode.NXDOMAIN
    large = daemon.ask("large.real.example", "TXT", tcp=True)
    assert sum(len(data.to_wire()) for data in large.answer[0]) > 1900
    found = stats(daemon)
    assert found["truncated"] == 1 and found["case"] == found["wrong_id"] == found["wrong_question"] == found["repeated"] == 0
    assert not server.queries
