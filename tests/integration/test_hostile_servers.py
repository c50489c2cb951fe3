# SPDX-License-Identifier: MIT
"""Servers that send too much: certificates, records without a response. Hits are not delayed by what a server does."""
import ssl
import threading
import time

import pytest

import wire
from certs import NAME
from daemon import SLACK
from processes import eventually
from test_hostile_clients import counter, waiting

PROBE = 0.002  # seconds between two hits


class Hits(threading.Thread):
    """Asks for a name in the cache all the time, and notes how long each response took."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.client, self.times, self.ended = daemon.udp(), [], threading.Event()

    def run(self):
        while not self.ended.wait(PROBE):
            begun = time.monotonic()
            self.client.ask("hit.example")
            self.times.append(time.monotonic() - begun)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()
        self.client.close()

    @property
    def most(self):
        return max(self.times)


def names(count, length):
    return [NAME] + [f"{number:0{length - 8}d}.example" for number in range(count)]


# name: (number of names, their length, refused)
LARGE = {"many-names": (3000, 20, True), "many-short-names": (6000, 14, True),
         "many-parts": (990, 13, True),  # below 16 KiB
         "below-the-limits": (850, 14, False)}


def large(certs, kind, trusted):
    count, length, _ = LARGE[kind]
    issuer = certs.authority if trusted else certs.stranger
    return certs.make(f"{kind}-{issuer.label}", issuer, names=names(count, length), ca=False)


@pytest.mark.alone
@pytest.mark.plain
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
@pytest.mark.parametrize("kind", ["below-the-limits", *(pytest.param(kind, marks=pytest.mark.whole) for kind in list(LARGE)[:-1])])
def test_a_large_certificate_does_not_delay_hits(daemon, server, certs, kind, trusted):
    daemon.ask("hit.example")
    server.swap(large(certs, kind, trusted))
    refused, most = LARGE[kind][2] or not trusted, []
    while len(most) < 5 and min(most, default=1) > 0.03:  # other processes delay responses as well
        connections = len(server.connections)
        server.kill()
        with Hits(daemon) as hits:
            rcode = daemon.ask(f"miss{len(most)}.example").rcode()
            end, number = time.monotonic() + 12, 0  # the longest back-off is 10 s
            while len(server.connections) == connections and time.monotonic() < end:
                time.sleep(0.1)
                number += 1
                daemon.ask(f"miss{len(most)}-{number}.example")
            assert len(server.connections) > connections
            time.sleep(0.5)
        assert rcode == (2 if refused else 0)
        most.append(hits.most)
    print(f"{kind}, trusted {trusted}: longest hit {' '.join(f'{one * 1000:.1f}' for one in most)} ms")
    assert min(most) < 0.05 * SLACK
    assert (counter(daemon, "sessions_untrusted") > 0) == refused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["many-names", "many-parts"])
def test_a_large_certificate_is_named_in_the_extended_error(make_daemon, make_server, certs, kind, version):
    daemon = make_daemon(make_server(large(certs, kind, True), versions=(version, version)))
    answer = daemon.ask("a.example", edns=True)
    assert answer.rcode() == 2
    assert any("certificate or handshake is too large" in (option.text or "") for option in answer.options)


@pytest.mark.whole
def test_a_refused_certificate_is_seldom_fetched(make_daemon, make_server, certs):
    """A dial every 0.7 s for five seconds, later one every ten."""
    server = make_server(certs.bad("untrusted-ca"))
    daemon = make_daemon(server)
    end, number = time.monotonic() + 12, 0
    while time.monotonic() < end:
        number += 1
        daemon.ask(f"miss{number}.example")
        time.sleep(0.05)
    print(f"{len(server.connections)} connections in 12 s")
    assert 8 <= len(server.connections) <= 13


# Many queries that end in one moment.

MANY = 9000


def wait_in_numbers(daemon, client, name):
    """MANY queries wait; `name` is a pattern for their names."""
    for number in range(MANY):
        client.send(wire.query(name % number, id=number))
        if number % 100 == 99:
            time.sleep(0.002)
    eventually(lambda: waiting(daemon) > MANY * 0.95, what="queries that wait")


def longest_hit(make_daemon, make_server, name, lies, end=lambda server: None):
    """The longest of the hits while all of these queries end because of `end`; the best of some tries."""
    most = []
    while len(most) < 5 and min(most, default=1) > 0.03:  # other processes delay responses as well
        server = make_server()
        daemon = make_daemon(server)
        daemon.ask("hit.example")
        with server.lying(**lies), daemon.udp() as client:
            wait_in_numbers(daemon, client, name)
            with Hits(daemon) as hits:
                end(server)
                eventually(lambda: waiting(daemon) == 0, what="their end")
        daemon.stop()
        most.append(hits.most)
    print(f"longest hit {' '.join(f'{one * 1000:.1f}' for one in most)} ms")
    return min(most)


@pytest.mark.alone
@pytest.mark.plain
@pytest.mark.parametrize("size", ["", "big1000."])
def test_one_response_for_many_queries_does_not_delay_hits(make_daemon, make_server, size):
    slow = {"delay": lambda query: 2 if query.name.startswith("slow") else 0}
    assert longest_hit(make_daemon, make_server, f"slow.{size}example" + "%.0s", slow) < 0.05 * SLACK


@pytest.mark.alone
@pytest.mark.plain
@pytest.mark.parametrize("how", ["kill", pytest.param("refuse", marks=pytest.mark.whole)])
def test_the_loss_of_many_queries_does_not_delay_hits(make_daemon, make_server, how):
    """Either they are sent again, or all fail."""
    silent = {"silence": lambda query: query.name.startswith("never")}
    assert longest_hit(make_daemon, make_server, "never%d.example", silent, lambda server: getattr(server, how)()) < 0.05 * SLACK


# Sessions on which the server only sends.

def junk(connection, payload, sent):
    """Sends this payload in a record of its own, as long as the connection is open. `sent` counts the bytes."""
    if connection.transport.is_closing():
        return
    for _ in range(100):
        connection.tls.write(payload)
        sent.append(len(payload))
    connection.flush_ciphertext()
    connection.server.loop.call_later(0.001, junk, connection, payload, sent)


JUNK = {
    "parts of a message": b"\xff",
    "messages that answer nothing": wire.frame(wire.query("nothing.example", flags=wire.QR)),
}


@pytest.mark.parametrize("kind", JUNK)
def test_a_server_that_only_sends_loses_its_session(daemon, server, kind):
    daemon.ask("hit.example")
    first, sent = server.open[0], []
    server.do(lambda: junk(first, JUNK[kind], sent))
    server.wait_for(lambda: first.closed)
    eventually(lambda: counter(daemon, "sessions_flooded") == 1, what="the end of the session")
    assert daemon.ask("miss.example").rcode() == 0


def test_a_server_that_answers_may_send_more(daemon, server):
    """Together its responses are much larger than the limit."""
    for number in range(30):
        assert len(daemon.ask(f"{number}.big60000.example", "TXT", tcp=True).answer) == 1
    assert len(server.open) == len(server.connections) <= 2 and counter(daemon, "sessions_flooded") == 0  # one by a hedge


@pytest.mark.parametrize("limit", ["128KiB", "2MiB"])
def test_the_bytes_that_it_may_send_are_an_option(make_daemon, server, limit):
    daemon = make_daemon(server, tls={"unanswered": limit})
    daemon.ask("hit.example")
    first, sent = server.open[0], []
    server.do(lambda: junk(first, JUNK["messages that answer nothing"], sent))
    server.wait_for(lambda: first.closed)
    eventually(lambda: counter(daemon, "sessions_flooded") == 1, what="the end of the session")
    assert sum(sent) > 1 << 20 if limit == "2MiB" else sum(sent) < 4 << 20
