# SPDX-License-Identifier: MIT
"""Steady traffic before, during and after a fault: each query is one datagram without retransmission, and its outcome is recorded.

    traffic = Traffic(daemon)              misses, each for a new name, and hits for one cached name
    with traffic.fault():                  2 s after the traffic began
        server.refuse()
        traffic.go_on(4)
        server.restore()                   the fault ends with this block
    outcome = traffic.end(title)           after the recovery, when every query is answered or lost
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import select
import socket
import struct
import threading
import time

import wire
import zone
from daemon import SLACK

BEFORE, AFTER = 2, 2       # seconds of traffic before a fault and after its end
LOST_AFTER = 6             # seconds; clients send a query again after 5
SO_TIMESTAMPNS = 35
HIT_LIMIT = 0.05
GRACE = 1.5                # seconds after the last success in which misses wait instead of failing
RESULTS = pathlib.Path(os.environ["TEST_FAULTS"]) if "TEST_FAULTS" in os.environ else None


@dataclasses.dataclass
class SentQuery:
    name: str
    hit: bool
    sent: float
    received: float = None
    rcode: int = None
    correct: bool = False

    @property
    def waited(self):
        return None if self.received is None else self.received - self.sent


class Stalls(threading.Thread):
    """Measures the longest time for which the machine did not run a thread that was ready: the daemon cannot answer sooner."""

    def __init__(self):
        super().__init__(daemon=True)
        self.longest, self.running = 0.0, True
        self.start()

    def run(self):
        while self.running:
            begun = time.monotonic()
            time.sleep(0.005)
            self.longest = max(self.longest, time.monotonic() - begun - 0.005)


class Traffic:
    """Misses and hits at steady rates from one socket. Responses have the kernel's timestamps if available."""

    def __init__(self, daemon, *, misses=50, hits=20, name="m{}.example", tag="", before=BEFORE):
        self.daemon, self.pattern, self.hit_name = daemon, name, f"hit{tag}.example"
        self.rates = {False: misses, True: hits}
        assert daemon.ask(self.hit_name).rcode() == 0
        self.client = daemon.udp()
        self.socket = self.client.socket
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)
        self.queries, self.begun, self.ended = [], time.time(), None
        self.from_time = self.until_time = None
        self.sending, self.number = True, 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.stalls = Stalls()
        self.go_on(before)
        self.memory, self.descriptors = daemon.resident_kb(), self.open_descriptors()

    # Sending.

    def run(self):
        due = {hit: self.begun for hit, rate in self.rates.items() if rate}
        while self.daemon.running and (self.sending or self.unanswered()):
            now = time.time()
            for hit in due:
                while self.sending and due[hit] <= now:
                    due[hit] += 1 / self.rates[hit]
                    self.ask(hit)
            wait = min(due.values()) - time.time() if self.sending and due else 0.05
            if select.select([self.socket], [], [], max(0, min(wait, 0.05)))[0]:
                self.receive()

    def ask(self, hit):
        number = len(self.queries)
        assert number < 65536
        if not hit:
            self.number += 1
        name = self.hit_name if hit else self.pattern(self.number) if callable(self.pattern) else self.pattern.format(self.number)
        data = wire.query(name, id=number)
        self.queries.append(SentQuery(name, hit, time.time()))
        with contextlib.suppress(ConnectionError):
            self.socket.send(data)

    def receive(self):
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                data, ancillary, _, _ = self.socket.recvmsg(65535, 64)
                received = time.time()
                for level, kind, value in ancillary:
                    if kind == SO_TIMESTAMPNS:
                        seconds, nanoseconds = struct.unpack("qq", value)
                        received = seconds + nanoseconds / 1e9
                self.note(data, received)

    def note(self, data, received):
        number, flags = struct.unpack_from("!HH", data)
        query = self.queries[number]
        assert query.received is None, "two responses to one query"
        query.rcode = flags & 15
        query.correct = query.rcode == 0 and wire.addresses(wire.parse(data)) == [zone.address(query.name)]
        query.received = max(received, query.sent)

    def unanswered(self):
        return any(query.received is None for query in self.queries) and time.time() < self.queries[-1].sent + LOST_AFTER

    # Control.

    def go_on(self, seconds):
        time.sleep(seconds)

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    @contextlib.contextmanager
    def fault(self):
        """The context of the fault; the recovery lies between its end and the end of the traffic."""
        self.lines_before = len(self.daemon.log())
        self.from_time = time.time()
        yield self
        self.until_time = time.time()
        self.lines = self.daemon.log()[self.lines_before:]
        self.go_on(AFTER)

    def end(self, title, row=""):
        self.sending = False
        self.thread.join(LOST_AFTER * 3)
        self.stalls.running = False
        self.client.close()
        return Outcome(title, row, self)


class Outcome:
    """The outcome of the traffic; numbers are of misses unless their name says otherwise. Times in seconds."""

    def __init__(self, title, row, traffic):
        misses = [query for query in traffic.queries if not query.hit]
        hits = [query for query in traffic.queries if query.hit]
        self.title, self.row, self.misses, self.hits = title, row, misses, hits
        self.begun, self.ended = traffic.from_time, traffic.until_time
        self.sent = len(misses)
        self.answered = sum(query.correct for query in misses)
        self.servfail = sum(query.rcode == 2 for query in misses)
        self.silent = sum(query.received is None for query in misses)
        self.wrong = self.sent - self.answered - self.servfail - self.silent
        self.late = sum(query.received is not None and query.waited > 5 for query in misses)
        self.longest = max((query.waited for query in misses if query.received), default=0)
        self.hits_lost = sum(not query.correct for query in hits)
        self.hits_longest = max((query.waited for query in hits if query.received), default=0)
        self.stall = traffic.stalls.longest
        self.grown = traffic.daemon.resident_kb() - traffic.memory if traffic.daemon.running else 0
        self.descriptors = traffic.open_descriptors() - traffic.descriptors if traffic.daemon.running else 0
        self.lines = traffic.lines
        lasted = max(self.ended - self.begun, 0.001)
        self.ends = sum(bool(re.search("debug upstream: session to .* ends:", line)) for line in traffic.lines) / lasted
        self.recovery = self.recovered()
        self.save()

    def recovered(self):
        """Time from the end of the fault to the first correct answer or to the last query without one, whichever is later."""
        after = [query for query in self.misses if query.sent > self.ended]
        first = min((query.received for query in self.misses if query.correct and query.received > self.ended), default=None)
        if first is None:
            return None
        return max([first - self.ended] + [query.sent - self.ended for query in after if not query.correct])

    def during(self, since=0.0, until=None):
        """The misses sent in a part of the fault."""
        end = self.ended if until is None else self.begun + until
        return [query for query in self.misses if self.begun + since <= query.sent < end]

    def line(self):
        recovery = "none" if self.recovery is None else f"{self.recovery * 1000:.0f}"
        return (f"| {self.title} | {self.sent} | {self.answered} | {self.servfail} | {self.silent} | {self.wrong} | {self.late} "
                f"| {self.longest * 1000:.0f} | {recovery} | {self.ends:.1f} | {self.hits_longest * 1000:.0f} "
                f"| {self.stall * 1000:.0f} | {self.grown} |")

    def save(self):
        print(self.line())
        if RESULTS:
            RESULTS.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"\W+", "-", self.title)
            (RESULTS / f"{self.row or 'z'}-{name}.json").write_text(json.dumps({"row": self.row, "line": self.line()}))

    # Requirements.

    def stretched(self, seconds):
        """A time limit, extended for sanitizers and for stalls of the machine."""
        return seconds * SLACK + self.stall

    def demand(self, condition, what):
        assert condition, f"{what}\n{self.line()}\n" + "\n".join(self.worst() + self.lines[-40:])

    def worst(self):
        bad = [query for query in self.misses if not query.correct] or sorted(
            (query for query in self.misses if query.received), key=lambda query: -query.waited)
        return [f"  at {query.sent - self.begun:+.3f} {query.name}: rcode {query.rcode}, "
                f"{'nothing' if query.received is None else f'{query.waited:.3f} s'}" for query in bad[:12]]

    def answers_every_query(self):
        """Requirements for every fault: a response to each query, none of them wrong, fast hits, no leak."""
        self.demand(not self.silent and not self.late, "queries without a response in time")
        self.demand(not self.wrong, "wrong answers")
        self.demand(not self.hits_lost, "hits without a correct answer")
        self.demand(self.hits_longest <= self.stretched(HIT_LIMIT), "a hit was slow")
        self.demand(self.descriptors <= 10, f"{self.descriptors} descriptors more than before")
        self.demand(SLACK > 1 or self.grown <= 4096, f"{self.grown} KiB more than before")
        return self

    def loses_nothing(self, longest):
        self.answers_every_query()
        self.demand(self.answered == self.sent, "queries lost")
        self.demand(self.longest <= self.stretched(longest), "a query waited for too long")
        return self

    def recovers(self, within):
        self.demand(self.recovery is not None and self.recovery <= self.stretched(within), "the recovery takes too long")
        return self

    def dials_at_most(self, rate):
        self.demand(self.ends <= rate, "too many dials")
        return self

    def fails_fast(self, within=0.1, since=GRACE + 0.2):
        """While no server works, queries fail fast."""
        slow = [query for query in self.during(since=since, until=self.ended - self.begun - within)
                if query.waited is None or query.waited > self.stretched(within)]
        self.demand(not slow, f"{len(slow)} failures were late")
        return self

    def waits_in_grace(self):
        """In the grace period after the last success, misses wait instead of failing."""
        early = [query for query in self.during(until=GRACE) if query.rcode == 2 and query.received < self.begun + GRACE - 0.1]
        self.demand(not early, f"{len(early)} failed within the grace period")
        return self
