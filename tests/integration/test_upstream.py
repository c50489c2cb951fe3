# SPDX-License-Identifier: MIT
"""Misbehaving upstream servers: each lie has no effect on the client, or a SERVFAIL with the reason."""
import itertools
import signal
import time

import pytest

import lies
import wire
import zone
from daemon import SLACK
from processes import eventually

SERVFAIL = 2


def truth(answer, name):
    assert answer.rcode() == 0, wire.extended_errors(answer)
    assert wire.addresses(answer) == [zone.address(name)]


def ask_truly(daemon, name, **parts):
    """Sends a query; the response must be true. Returns the time it took."""
    begun = time.monotonic()
    truth(daemon.ask(name, edns=True, **parts), name)
    return time.monotonic() - begun


def ask_many(daemon, prefix, count):
    """Sends queries for `count` names at once; each response must be true."""
    with daemon.udp() as client:
        for number in range(count):
            client.send(wire.query(f"{prefix}{number}.example", id=number))
        for _ in range(count):
            answer = wire.parse(client.receive())
            truth(answer, f"{prefix}{answer.id}.example")


def servfail(daemon, name="failing.example"):
    """Sends a query; it must fail in time, with SERVFAIL and an extended error. Returns the time it took, and the codes of the errors."""
    begun = time.monotonic()
    answer = daemon.ask(name, edns=True)
    took = time.monotonic() - begun
    assert answer.rcode() == SERVFAIL and not answer.answer
    assert wire.extended_errors(answer), "no extended error"
    assert took < 3.5 + 0.5 * SLACK
    return took, [code for code, _ in wire.extended_errors(answer)]


class fresh:
    """Makes new names."""
    number = 0

    @classmethod
    def name(cls):
        cls.number += 1
        return f"fresh{cls.number}.example"


def recovery(daemon):
    """Seconds until a new name is answered."""
    begun = time.monotonic()
    eventually(lambda: daemon.ask(fresh.name()).rcode() == 0, what="recovery")
    return time.monotonic() - begun


# Sessions.

def test_sessions_are_reused(daemon, server):
    for number in range(20):
        ask_truly(daemon, f"n{number}.example")
    assert len(server.connections) == 1
    session = server.connections[0]
    assert session.server is server and session.alpn == "dot" and session.version == "TLSv1.3"


def ask_in_one_turn(daemon, prefix, count):
    """Like ask_many, but all queries wait in the socket when the daemon continues."""
    with daemon.udp() as client:
        daemon.signal(signal.SIGSTOP)
        for number in range(count):
            client.send(wire.query(f"{prefix}{number}.example", id=number))
        daemon.signal(signal.SIGCONT)
        for _ in range(count):
            answer = wire.parse(client.receive())
            truth(answer, f"{prefix}{answer.id}.example")


def test_many_queries_share_one_write(make_daemon, server):
    """A turn reads a batch of up to 64 queries and sends all of them in one write, each in a TLS record of its own."""
    daemon = make_daemon(server, workers=1)
    ask_truly(daemon, "first.example")
    session = server.connections[0]
    reads, records = session.reads, session.records
    ask_in_one_turn(daemon, "n", 60)
    assert len(server.queries) == 61 and len(server.connections) == 1
    assert session.records - records == 60
    assert session.reads - reads <= 10  # one write, of which the server may read parts


def test_a_server_that_reads_one_query_of_each_record(make_daemon, server):
    daemon = make_daemon(server, workers=1)
    ask_truly(daemon, "first.example")
    with server.lying(one_of_a_record=True, delay=0.02):
        for burst in range(10):
            begun = time.monotonic()
            ask_in_one_turn(daemon, f"burst{burst}n", 24)
            assert time.monotonic() - begun < 0.5 * SLACK
    assert len(server.queries) >= 241 and not any(connection.cut for connection in server.connections)  # none was lost


def test_an_idle_session_is_closed_and_a_new_one_resumed(make_daemon, server):
    daemon = make_daemon(server, tls={"idle": "1s"})
    ask_truly(daemon, "a.example")
    server.wait_for(lambda: server.connections[0].closed)
    assert 0.9 < server.connections[0].closed - server.queries[0].time < 1.5 + SLACK
    assert server.connections[0].end == "close_notify"
    ask_truly(daemon, "b.example")
    assert len(server.connections) == 2 and server.connections[1].resumed


@pytest.mark.parametrize("how", ["at once", "rst", "fin", "notify", "silent"])
def test_resumed_sessions_that_do_not_respond(make_daemon, server, how):
    """Each is followed by a full handshake."""
    daemon = make_daemon(server, workers=1)
    ask_truly(daemon, "first.example")
    with server.lying(resumed=how):
        for number in range(10):
            server.kill()
            begun = time.monotonic()
            ask_truly(daemon, f"n{number}.example")
            assert time.monotonic() - begun < (2.5 if how == "silent" else 1)
    resumed = [connection.resumed for connection in server.connections if connection.established]
    assert resumed.count(True) >= 5 and not any(one and another for one, another in zip(resumed, resumed[1:]))


def test_a_server_with_nagles_algorithm(make_daemon, server):
    """The second of two responses is not withheld until a delayed acknowledgement."""
    server.nagle, server.delay = True, lambda query: 0.005 if query.name.startswith("a") else 0.01
    daemon = make_daemon(server, workers=1)
    waits = []
    for number in range(30):
        begun = time.monotonic()
        with daemon.udp() as client:
            for first in "ab":
                client.send(wire.query(f"{first}{number}.example"))
            for _ in range(2):
                assert client.receive()
        waits.append(time.monotonic() - begun)
    waits.sort()
    assert waits[15] < 0.03 * SLACK


@pytest.mark.parametrize("how", ["alert", "rst", "fin"])
def test_a_server_that_refuses_alpn(make_server, make_daemon, how):
    server = make_server(alpn=False)
    with server.lying(refuse_alpn=how):
        daemon = make_daemon(server)
        start = time.monotonic()
        ask_truly(daemon, f"alpn-{how}.example")
        assert time.monotonic() - start < 1
        offering = [b"\x03dot" in connection.client_hello for connection in server.connections]
        assert offering == [True, False]
        server.kill()
        ask_truly(daemon, f"again-{how}.example")
        assert [b"\x03dot" in connection.client_hello for connection in server.connections[2:]] == [False]


@pytest.mark.parametrize("tls", [{"versions": ("TLSv1_2", "TLSv1_2")}, {"tickets": False}, {"alpn": False}])
def test_servers_without_alpn_tickets_or_tls13(make_server, make_daemon, tls):
    import ssl
    if "versions" in tls:
        tls = {"versions": tuple(getattr(ssl.TLSVersion, version) for version in tls["versions"])}
    server = make_server(**tls)
    daemon = make_daemon(server)
    ask_truly(daemon, "a.example")
    server.kill()
    ask_truly(daemon, "b.example")
    assert [connection.resumed for connection in server.established] == [False, "tickets" not in tls]


def test_keepalive_of_the_server_is_honoured(daemon, server):
    server.options = [(wire.KEEPALIVE, b"\0\x0a")]  # one second
    ask_truly(daemon, "a.example")
    server.wait_for(lambda: server.connections[0].closed)
    assert server.connections[0].closed - server.queries[0].time < 1.1 + 0.3 * SLACK
    assert server.connections[0].end == "close_notify"
    ask_truly(daemon, "b.example")


def test_a_keepalive_of_zero_ends_the_session(daemon, server):
    server.options = [(wire.KEEPALIVE, b"\0\0")]
    for number in range(5):
        ask_truly(daemon, f"n{number}.example")
    server.wait_for(lambda: all(connection.closed for connection in server.connections))


# Lost sessions.

@pytest.mark.parametrize("how", ["notify", "fin", "rst"])
@pytest.mark.parametrize("after", [1, 5])
def test_sessions_closed_after_a_few_responses(daemon, server, how, after):
    server.close_after, server.close_how = after, how
    for number in range(25):
        assert ask_truly(daemon, f"n{number}.example") < 1 * SLACK


@pytest.mark.parametrize("how", ["notify", "fin", "rst"])
@pytest.mark.parametrize("after", [1, 5])
def test_many_queries_to_a_server_that_closes_after_a_few_responses(daemon, server, how, after):
    server.close_after, server.close_how = after, how
    ask_many(daemon, "m", 100)


@pytest.mark.parametrize("after", [1, 2, 5])
def test_sessions_silent_after_a_few_responses(daemon, server, after):
    """The connection stays open. Two of them tell where the next ones will be silent."""
    server.answer_first = after
    for number in range(3 * after + 10):
        assert ask_truly(daemon, f"n{number}.example") < 1 * SLACK
    assert sum(not query.answered for query in server.queries) <= 3 + after
    ask_many(daemon, "burst", 24)


@pytest.mark.parametrize("how", ["notify", "fin", "rst"])
def test_sessions_closed_when_idle(daemon, server, how):
    server.close_idle, server.close_how = 0.2, how
    for number in range(4):
        assert ask_truly(daemon, f"n{number}.example") < 1 * SLACK
        server.wait_for(lambda: not server.open)


@pytest.mark.parametrize("how", ["notify", "fin", "rst"])
def test_outstanding_queries_survive_the_loss_of_their_session(daemon, server, how):
    ask_truly(daemon, "first.example")
    server.silence = True
    with daemon.udp() as client:
        for number in range(50):
            client.send(wire.query(f"n{number}.example", id=number))
        server.wait_for(lambda: len(server.queries) >= 51)
        server.silence = False
        server.kill(how)
        for _ in range(50):
            answer = wire.parse(client.receive(2 * SLACK))
            truth(answer, f"n{answer.id}.example")


def test_half_a_pipeline_unanswered(daemon, server):
    """Every second query of a session gets no response, and then the session ends."""
    server.silence = lambda query: query.connection is server.connections[0] and query.question.id % 2
    with daemon.udp() as client:
        for number in range(40):
            client.send(wire.query(f"n{number}.example", id=number))
        server.wait_for(lambda: len(server.queries) >= 40)
        server.kill("fin", lambda connection: connection is server.connections[0])
        for _ in range(40):
            answer = wire.parse(client.receive())
            truth(answer, f"n{answer.id}.example")


def test_a_query_whose_sessions_are_always_lost(daemon, server):
    def twist(query, answer):
        if query.name == "deadly.example":
            server.loop.call_soon(query.connection.close, "rst")
            return []
        return [answer]
    server.twist = twist
    server.delay = lambda query: 0 if query.name == "deadly.example" else 0.05
    with daemon.udp() as client:
        client.send(wire.query("deadly.example", id=999))
        for number in range(20):
            client.send(wire.query(f"n{number}.example", id=number))
        answers = [wire.parse(client.receive()) for _ in range(21)]
    for answer in answers:
        if answer.id == 999:
            assert answer.rcode() == SERVFAIL
        else:
            truth(answer, f"n{answer.id}.example")
    assert len(server.queries_for("deadly.example")) <= 3


@pytest.mark.alone
def test_queries_leave_a_silent_session(daemon, server):
    ask_truly(daemon, "first.example")
    silent = server.connections[0]
    server.silence = lambda query: query.connection is silent
    assert ask_truly(daemon, "second.example") < 1 * SLACK
    assert ask_truly(daemon, "third.example") < 1 * SLACK
    server.wait_for(lambda: silent.closed, 5)


def test_a_slow_name_does_not_make_a_session_silent(daemon, server):
    ask_truly(daemon, "first.example")
    server.delay = lambda query: 3 if query.name == "slow.example" else 0.02
    with daemon.udp() as client:
        client.send(wire.query("slow.example"))
        for number in range(6):
            assert ask_truly(daemon, f"n{number}.example") < 1 * SLACK
            server.wait_for_queries(f"n{number}.example")
        truth(wire.parse(client.receive()), "slow.example")
    assert len(server.queries_for("slow.example")) <= 2
    assert server.connections[0].closed is None


@pytest.mark.whole
def test_a_type_that_is_never_answered(daemon, server):
    """Other types do not suffer, sessions stay, and the type is not waited for again at once."""
    ask_truly(daemon, "first.example")
    server.silence = lambda query: query.type == wire.type_number("HTTPS")
    with daemon.udp() as client:
        for number in range(60):
            for at, rdtype in enumerate(("A", "AAAA", "HTTPS")):
                client.send(wire.query(f"n{number}.example", rdtype, id=3 * number + at))
            time.sleep(0.02)
        answers = {wire.parse(client.receive()).id for _ in range(120)}
        assert answers == {number for number in range(180) if number % 3 < 2}
        assert all(client.receive()[3] & 15 == SERVFAIL for _ in range(60))
    assert len(server.connections) <= 4
    begun = time.monotonic()
    for _ in range(3):  # nothing else is asked meanwhile
        assert daemon.ask("dead.example", "HTTPS").rcode() == SERVFAIL
    assert time.monotonic() - begun < 3.5 + 0.5 * SLACK


# Slow responses.

@pytest.mark.parametrize("delay", [0.3, 2])
def test_slow_responses_are_accepted(daemon, server, delay):
    server.delay = delay
    ask_many(daemon, "n", 30)
    for number in range(30):
        assert len(server.queries_for(f"n{number}.example")) <= 2


def test_a_late_response_is_cached(daemon, server):
    server.delay = 4.5
    took, _ = servfail(daemon, "late.example")
    assert 3.2 < took
    eventually(lambda: daemon.ask("late.example", flags=0).rcode() == 0, 3 * SLACK, "the late answer in the cache")


def test_the_limit_is_configured(make_daemon, server):
    server.silence = True
    daemon = make_daemon(server, limits={"answer-by": "1s"})
    took, codes = servfail(daemon)
    assert took < 1.2 + 0.3 * SLACK and set(codes) & {22, 23}


def test_no_response(daemon, server):
    server.silence = True
    _, codes = servfail(daemon)
    assert set(codes) & {22, 23}


# Shapes of the stream.

@pytest.mark.parametrize("shape", ["byte records", "byte writes", "record each"])
def test_shapes_of_records(daemon, server, shape):
    server.shape = shape
    ask_many(daemon, "n", 20)
    ask_many(daemon, "m", 20)


def test_upstream_responses_out_of_order(daemon, server):
    server.reorder = 20
    ask_many(daemon, "n", 60)


def test_a_large_response_among_small_ones(daemon):
    with daemon.tcp() as client:
        client.send(wire.query("big60000.example", "TXT", id=1), *(wire.query(f"n{i}.example", id=i) for i in range(2, 30)))
        assert sorted(client.receive_all(29)) == list(range(1, 30))


FRAMINGS = {"length zero": lies.length_zero, "length below a header": lies.length_short,
            "length beyond what follows": lies.length_beyond, "garbage": lies.garbage}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_broken_frame_ends_only_its_session(daemon, server, framing):
    ask_truly(daemon, "first.example")
    bad = server.connections[0]
    server.framing = lambda connection, payload: FRAMINGS[framing](payload) if connection is bad else wire.frame(payload)
    assert ask_truly(daemon, "second.example") < 3 + SLACK
    ask_many(daemon, "n", 20)
    if framing != "garbage":  # which may look like a response without a query
        server.wait_for(lambda: bad.closed)


@pytest.mark.parametrize("tamper", [lies.flip_bit, lies.inject_cleartext])
def test_broken_records_end_only_their_session(daemon, server, tamper):
    ask_truly(daemon, "first.example")
    bad = server.connections[0]
    server.tamper = lambda connection, data: tamper(connection, data) if connection is bad else data
    assert ask_truly(daemon, "second.example") < 1 * SLACK
    ask_many(daemon, "n", 20)
    assert bad.closed


# Wrong responses.

@pytest.mark.parametrize("twist", [lies.duplicate, lies.unsolicited, lies.wrong_id_first])
def test_surplus_responses_are_ignored(daemon, server, twist):
    server.twist = twist
    ask_many(daemon, "n", 40)
    for number in range(10):
        ask_truly(daemon, f"m{number}.example")
    assert len(server.connections) <= 2, "sessions were closed"


WRONG = [lies.wrong_id, lies.wrong_name, lies.wrong_type, lies.wrong_class, lies.no_question, lies.question_twice,
         lies.not_a_response, lies.other_opcode, lies.echo, lies.cut]


@pytest.mark.parametrize("twist", WRONG, ids=lambda twist: twist.__name__)
def test_a_wrong_response_never_reaches_a_client(daemon, server, twist):
    with server.lying(twist=twist):
        servfail(daemon, "wrong.example")
    assert recovery(daemon) < 1.5 * SLACK
    assert wire.addresses(daemon.ask("other.example")) == [zone.address("other.example")]


@pytest.mark.parametrize("twist", WRONG, ids=lambda twist: twist.__name__)
def test_a_single_wrong_response_is_retried(daemon, server, twist):
    """The responses for one name are wrong: the queries beside it are answered."""
    server.twist = lambda query, answer: twist(query, answer) if query.name == "wrong.example" else [answer]
    with daemon.udp() as client:
        client.send(wire.query("wrong.example", id=999))
        ask_many(daemon, "n", 20)
        assert client.receive()[3] & 15 == SERVFAIL


def test_swapped_ids(daemon, server):
    server.twist = lies.swapped_ids()
    with daemon.udp() as client:
        for number in range(10):
            client.send(wire.query(f"n{number}.example", id=number))
        for _ in range(10):
            answer = wire.parse(client.receive())
            assert answer.rcode() == SERVFAIL or wire.addresses(answer) == [zone.address(f"n{answer.id}.example")]


@pytest.mark.parametrize("kind", lies.MALFORMED)
def test_a_malformed_response_never_reaches_a_client(daemon, server, kind):
    with server.lying(twist=lies.malformed(kind)):
        _, codes = servfail(daemon, "bad.example")
    assert codes[0] == 24
    assert recovery(daemon) < 1.5 * SLACK


@pytest.mark.parametrize("kind", lies.READABLE)
def test_a_broken_record_behind_the_answer_drops_only_the_rest(daemon, server, kind):
    with server.lying(twist=lies.malformed(kind)):
        for tcp in (False, True):
            answer = daemon.ask("odd.example", tcp=tcp)
            assert answer.rcode() == 0 and wire.addresses(answer) == ["11.0.0.1"]
            assert not answer.authority and not answer.additional


def test_a_chain_of_pointers_is_cheap(daemon, server):
    server.twist = lies.pointer_chain
    assert daemon.ask("chain.example", tcp=True).rcode() in (0, SERVFAIL)
    server.truth()
    ask_truly(daemon, "after.example")


def test_thousands_of_records(daemon):
    for _ in range(2):
        answer = daemon.ask("many2000.example", tcp=True)
        assert len(wire.addresses(answer)) == 2000


@pytest.mark.parametrize("twist", [lies.off_chain, lies.only_off_chain])
def test_records_of_other_names_are_not_cached(daemon, server, twist):
    with server.lying(twist=twist):
        daemon.ask("bait.example")
    ask_truly(daemon, "victim.example")


# Error responses and unusual TTLs.

@pytest.mark.parametrize("code, name, given", [(2, "servfail", 2), (5, "refused", 5), (4, "notimp", 4), (6, "yxdomain", 6),
                                               (1, "formerr", 2), (9, "notauth", 2), (11, "dsotypeni", 2)])
def test_errors_of_the_server(daemon, server, code, name, given):
    """An error about our own query becomes SERVFAIL with the reason."""
    with server.lying(twist=lies.rcode(code)):
        answer = daemon.ask(f"{name}1.example", edns=True)
    assert answer.rcode() == given
    reason = "the server responded FORMERR" if code == 1 else "unusable response"
    assert given == code or reason in wire.extended_errors(answer)[0][1]
    ask_truly(daemon, "other.example")
    assert len(server.connections) <= 2


@pytest.mark.parametrize("name", ["servfail.example", "refused.example"])
def test_a_failure_is_cached_for_a_short_time(daemon, server, name):
    assert daemon.ask(name).rcode() in (SERVFAIL, 5)
    before = len(server.queries_for(name))
    assert before <= 2
    for _ in range(10):
        assert daemon.ask(name).rcode() in (SERVFAIL, 5)
    assert len(server.queries_for(name)) == before
    eventually(lambda: daemon.ask(name).rcode() and len(server.queries_for(name)) > before, 8, "another try")


@pytest.mark.parametrize("name", ["servfail.example", "refused.example"])
def test_a_cached_failure_has_ede_13(daemon, name):
    daemon.ask(name, edns=True)
    assert 13 in [code for code, _ in wire.extended_errors(daemon.ask(name, edns=True))]


def test_a_cached_failure_has_ede_13_whatever_the_upstream_sent(daemon, server):
    server.twist = lies.failure_with(6, 7, 8)
    daemon.ask("a.example")
    assert [code for code, _ in wire.extended_errors(daemon.ask("a.example", edns=True))] == [13, 6, 7]


def test_a_large_cached_failure_has_ede_13(daemon, server):
    ask_truly(daemon, "before.example")  # so that the failure is not attributed to the OPT
    server.twist = lies.large_failure
    daemon.ask("a.example", tcp=True)
    assert 13 in [code for code, _ in wire.extended_errors(daemon.ask("a.example", tcp=True, edns=True))]
    assert len(server.queries) == 2


def test_a_truncated_upstream_response_does_not_reach_tcp(daemon, server):
    server.twist = lies.truncated
    answer = daemon.ask("cut.example", tcp=True)
    assert answer.rcode() == SERVFAIL and not answer.flags & wire.TC


def test_a_server_without_edns(daemon, server):
    server.twist = lies.no_edns
    ask_truly(daemon, "a.example")
    queries = server.queries_for("a.example")
    assert [bool(query.question.edns) for query in queries] == [True, False]


@pytest.mark.parametrize("code", [1, 2, 4, 5, 16])
@pytest.mark.parametrize("opt", ["none", "own", "echoed", "header only"])
def test_a_server_that_cannot_handle_an_opt(daemon, server, code, opt):
    """The query is retried without an OPT; later queries have none, after a failure if that happens three times."""
    if code == 16 and opt in ("none", "header only"):
        pytest.skip("BADVERS needs an OPT")
    server.twist = lies.refuses_opt(code, opt)
    for name in ("a.example", "b.example", "c.example", "d.example"):
        ask_truly(daemon, name)
    retried = 3 if code in (2, 5) else 1
    assert [bool(query.question.edns) for query in server.queries] == [True, False] * retried + [False] * (4 - retried)


def test_a_failure_of_a_moment_is_not_due_to_the_opt(daemon, server):
    with server.lying(twist=lambda query, truth: lies.rcode(2)(query, truth) if query.question.edns else [truth]):
        ask_truly(daemon, "a.example")
    ask_truly(daemon, "b.example")
    assert [bool(query.question.edns) for query in server.queries] == [True, False, True]


@pytest.mark.parametrize("code", [1, 4])
def test_another_upstream_gets_a_refused_query(make_daemon, make_server, code):
    first, second = make_server(), make_server(address="127.0.0.2")
    daemon = make_daemon(first.upstream(name="one"), second.upstream(name="two"))
    ask_truly(daemon, "before.example")
    first.twist = lies.rcode(code)
    for name in ("a.example", "b.example"):
        ask_truly(daemon, name)
    assert second.queries_for("a.example")


@pytest.mark.parametrize("twist", [lies.rcode(SERVFAIL), lies.rcode(5), lies.rcode(1), lies.rcode(9), lies.truncated],
                         ids=["SERVFAIL", "REFUSED", "FORMERR", "NOTAUTH", "TC"])
def test_the_last_of_three_upstreams_answers_what_two_cannot(make_daemon, make_server, twist):
    servers = [make_server(), make_server(address="127.0.0.2"), make_server(address="127.0.0.3")]
    daemon = make_daemon(*(server.upstream(name=f"number-{number}") for number, server in enumerate(servers)))
    ask_truly(daemon, "before.example")
    for server in servers[:2]:
        server.twist = twist
    for number in range(40):
        ask_truly(daemon, f"n{number}.example")
    servers[2].twist = lies.rcode(SERVFAIL)
    assert daemon.ask("none.example").rcode() != 0
    assert sum(len(server.queries_for("none.example")) for server in servers) <= 6


@pytest.mark.parametrize("twist", [lies.rcode(SERVFAIL), lies.rcode(1), lies.rcode(9), lies.referral(), lies.malformed("pointer to itself"), lies.truncated],
                         ids=["SERVFAIL", "FORMERR", "NOTAUTH", "referral", "malformed", "TC"])
def test_a_server_that_is_of_no_use_is_not_asked_first(make_daemon, make_server, twist):
    first, second = make_server(), make_server(address="127.0.0.2")
    second.delay = 0.02
    daemon = make_daemon(first.upstream(name="one"), second.upstream(name="two"), workers=1)
    ask_truly(daemon, "before.example")
    first.twist = twist
    for number in range(30):
        ask_truly(daemon, f"n{number}.example")
    assert len(first.queries) < 15


def test_another_upstream_answers_all_that_one_sometimes_fails(make_daemon, make_server):
    """The first responds SERVFAIL to every third name: too seldom to be deprioritized, too often for the budget of hedges."""
    first, second = make_server(), make_server(address="127.0.0.2")
    second.delay = 0.01
    daemon = make_daemon(first.upstream(name="one"), second.upstream(name="two"))
    ask_truly(daemon, "before.example")
    numbers = itertools.count()
    first.twist = lambda query, truth: lies.rcode(2)(query, truth) if next(numbers) % 3 == 0 else [truth]
    for number in range(120):
        ask_truly(daemon, f"n{number}.example")
    assert len(second.queries) >= 30


@pytest.mark.parametrize("twist", [lies.understands_nothing, lies.bare_formerr, lies.rcode(1)])
def test_a_server_that_always_sends_formerr_gets_two_attempts(daemon, server, twist):
    """The second attempt has no OPT; then the lookup fails."""
    server.twist = twist
    _, codes = servfail(daemon)
    assert codes[0] == 24 and len(server.queries_for("failing.example")) == 2


def test_a_failure_has_no_records(daemon, server):
    server.twist = lies.large_failure
    data = wire.query("a.example")
    with daemon.udp() as client:
        for _ in range(2):  # from upstream, from the cache
            answer = client.exchange(data)
            assert answer[3] & 15 == SERVFAIL and not answer[2] & 2 and len(answer) == len(data)


def test_a_referral_is_no_answer(make_daemon, make_server):
    """A server without recursion; clients would take its response for the proof that the name has no address."""
    first, second = make_server(), make_server(address="127.0.0.2")
    first.twist = lies.referral()
    daemon = make_daemon(first.upstream(name="one"), second.upstream(name="two"))
    for number in range(5):
        ask_truly(daemon, f"n{number}.example")
    second.twist = lies.referral()
    answer = daemon.ask("a.example", edns=True)
    assert answer.rcode() == SERVFAIL and "referral" in str(wire.extended_errors(answer))


@pytest.mark.parametrize("flags", [wire.AA, wire.RA])
def test_no_data_with_name_servers_but_without_soa(daemon, server, flags):
    """Of an authoritative server, or of one that does recursion: it is a response of the type NODATA."""
    server.twist = lies.referral(flags)
    answer = daemon.ask("a.example")
    assert answer.rcode() == 0 and not answer.answer


def test_an_extended_rcode_is_a_failure(daemon, server):
    def twist(query, answer):
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA,
                             question=wire.question_section(query.data), additional=[wire.opt(rcode=1)])]
    server.twist = twist
    for _ in range(2):
        assert daemon.ask("a.example").rcode() == SERVFAIL
        assert daemon.ask("a.example", edns=True).rcode() == SERVFAIL
    server.truth()
    eventually(lambda: daemon.ask("a.example").rcode() == 0, 8)


@pytest.mark.parametrize("ttl", [0x80000000, 0xFFFFFFFF, 0x7FFFFFFF])
def test_huge_ttls_are_capped(daemon, server, ttl):
    with server.lying(twist=lies.ttl(ttl)):
        for _ in range(2):
            assert 86399 <= wire.ttls(daemon.ask("huge.example"))[0] <= 86400
    assert len(server.queries) == 1


# Unreachable servers.

ACCEPTS = {"rst": "rst", "fin": "fin", "garbage": lies.GARBAGE, "http": lies.HTTP, "alert": lies.ALERT,
           "plain dns": lies.PLAIN_DNS}


@pytest.mark.alone
@pytest.mark.parametrize("fault", ["refused", "rst", "http"] + [
    pytest.param(fault, marks=pytest.mark.whole) for fault in ACCEPTS if fault not in ("rst", "http")])
def test_an_outage_fails_fast_and_ends_at_once(daemon, server, fault):
    ask_truly(daemon, "before.example")
    if fault == "refused":
        server.refuse()
    else:
        server.accept = ACCEPTS[fault]
        server.kill()
    took, codes = servfail(daemon)
    assert took < 2 + SLACK and set(codes) & {22, 23}
    for _ in range(5):  # the grace period after the last success ends
        took, _ = servfail(daemon, fresh.name())
        assert took < 0.1 * SLACK
    truth(daemon.ask("before.example"), "before.example")
    server.truth()
    if fault == "refused":
        server.restore()
    assert recovery(daemon) < 1 + 0.2 * SLACK


def test_failed_dials_are_few(make_server, make_daemon):
    server = make_server()
    server.accept = "rst"
    daemon = make_daemon(server)
    begun = time.monotonic()
    while time.monotonic() - begun < 3:
        servfail(daemon, fresh.name())
    assert len(server.connections) <= 20 * (time.monotonic() - begun) + 20


@pytest.mark.parametrize("fault", ["blackholed", "silent", "deaf", "half a handshake"])
def test_a_stalled_server_fails_in_time_and_recovers_soon(daemon, server, fault):
    ask_truly(daemon, "before.example")
    if fault == "blackholed":
        server.blackhole()
    else:
        server.__dict__.update({"silent": {"accept": "silent"}, "deaf": {"accept": "deaf"},
                                "half a handshake": {"tamper": lies.half_handshake}}[fault])
        server.kill()
    _, codes = servfail(daemon)
    assert set(codes) & {22, 23}
    truth(daemon.ask("before.example"), "before.example")
    server.truth()
    if fault == "blackholed":
        server.restore()
    assert recovery(daemon) < 1.5 + 0.5 * SLACK


def test_starting_before_the_server(make_daemon, make_server):
    server = make_server()
    server.refuse()
    daemon = make_daemon(server)
    _, codes = servfail(daemon)
    assert codes[0] in (22, 23) and codes[1:] == [14]  # the reason, and that no server ever answered
    server.restore()
    assert recovery(daemon) < 1 + 0.5 * SLACK
    server.refuse()
    server.kill()
    _, codes = servfail(daemon)
    assert len(codes) == 1


def test_the_reason_follows_a_long_upstream_name(make_daemon, server):
    daemon = make_daemon(server.upstream(name="the-name-of-an-upstream-that-takes-all-of-the-sixty-three-bytes"))
    server.refuse()
    answer = daemon.ask("a.example", edns=True)
    assert "refused" in wire.extended_errors(answer)[0][1].lower()


@pytest.mark.whole
def test_a_long_outage_has_no_after_effect(daemon, server):
    ask_truly(daemon, "before.example")
    server.refuse()
    begun = time.monotonic()
    while time.monotonic() - begun < 6:
        daemon.ask(fresh.name())
    server.restore()
    assert recovery(daemon) < 1 + 0.2 * SLACK


# Two servers.

def faulty(server, fault, certs):
    """Makes a server fail in the named way."""
    if fault == "refused":
        server.refuse()
    elif fault == "blackholed":
        server.blackhole()
    else:
        if fault == "wrong certificate":
            server.swap(certs.bad("wrong-name"))
        server.__dict__.update({"silent": {"silence": True}, "accepted then silent": {"accept": "silent"},
                                "garbage": {"accept": lies.GARBAGE}, "servfail": {"twist": lies.rcode(2)},
                                "half a handshake": {"tamper": lies.half_handshake}}.get(fault, {}))
        if fault not in ("silent", "servfail"):
            server.kill()


def check_two_servers(make_server, make_daemon, certs, fault, when):
    """The first of two servers has a fault: every query is answered soon."""
    first, second = make_server(), make_server(address="127.0.0.2")
    if when == "from the start":
        faulty(first, fault, certs)
    daemon = make_daemon(first.upstream(name="one"), second.upstream(name="two"))
    if when == "in mid-run":
        for number in range(10):
            ask_truly(daemon, f"before{number}.example")
        faulty(first, fault, certs)
    times = [ask_truly(daemon, f"n{number}.example") for number in range(12)]
    assert max(times) < 0.6 + 0.4 * SLACK, times
    assert max(times[6:]) < 0.3 * SLACK, times


@pytest.mark.parametrize("fault", ["refused", "blackholed", "accepted then silent", "garbage", "wrong certificate",
                                   "silent", "servfail", "half a handshake"])
@pytest.mark.parametrize("when", ["from the start", "in mid-run"])
def test_two_servers_the_first_with_a_fault(make_server, make_daemon, certs, fault, when):
    check_two_servers(make_server, make_daemon, certs, fault, when)


@pytest.mark.parametrize("before", [0, 5])
def test_a_retry_after_a_lost_session_avoids_the_failed_server(make_server, make_daemon, before):
    """The first server responds SERVFAIL; the second resets the session of the query once, is dialled again and answers."""
    first, second = make_server(), make_server(address="127.0.0.2")
    daemon = make_daemon(first.upstream(name="one"), second.upstream(name="two", role="backup"))
    ask_truly(daemon, "before.example")  # so that the failures are not attributed to the OPT
    first.twist = lies.rcode(2)
    resets = []

    def twist(query, answer):
        if query.name == "reset.example" and not resets:
            resets.append(query)
            second.loop.call_soon(query.connection.close, "rst")
            return []
        return [answer]
    second.twist = twist
    for number in range(before):  # responses on the session that is reset later
        ask_truly(daemon, f"n{number % 2}.example")
    ask_truly(daemon, "reset.example")
    assert resets and len(second.queries_for("reset.example")) == 2
    assert len(first.queries_for("reset.example")) <= 1


def test_a_backup_is_used_only_when_no_primary_answers(make_server, make_daemon):
    primary, backup = make_server(), make_server(address="127.0.0.2")
    daemon = make_daemon(primary.upstream(name="one"), backup.upstream(name="two", role="backup"))
    for number in range(10):
        ask_truly(daemon, f"n{number}.example")
    assert not backup.queries
    primary.refuse()
    for number in range(10):
        ask_truly(daemon, f"m{number}.example")
    assert len(backup.queries) >= 10


def test_both_addresses_of_one_upstream(make_server, make_daemon):
    first, second = make_server(), None
    second = make_server(address="127.0.0.2", port=first.port)
    daemon = make_daemon(first.upstream(addresses=["127.0.0.1", "127.0.0.2"]))
    ask_truly(daemon, "a.example")
    for server in (first, second):
        server.refuse()
        for number in range(5):
            ask_truly(daemon, f"{server.address[-1]}{number}.example")
        server.restore()
        recovery(daemon)


def test_ipv6_upstream(make_server, make_daemon):
    server = make_server(address="::1")
    ask_truly(make_daemon(server), "a.example")
