# SPDX-License-Identifier: MIT
"""How costs grow: with entries, records in an answer, names' lengths, clients, workers, the share of hits, the rate of misses; and hit
ratios. For `tests/bench/run growth`."""
import contextlib
import functools
import json
import os
import subprocess
import time

import callgrind
import report
import rows
import subjects

ENTRIES = (1000, 10000, 100000, 1000000, 10000000)
RECORDS = (1, 2, 5, 10, 20, 50)
NAMES = (1000, 10000, 100000, 1000000)
CLIENTS = (1, 10, 100, 1000)
LENGTHS = (10, 50, 100, 200)
WORKERS = (1, 2, 3, 4)
HIT_SHARES = (0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.99, 1)
RATES = (100, 500, 1000, 2000, 5000, 10000, 20000, 50000)
OCTETS_EACH = 250  # of memory, generously, for an entry of cachecost


CACHE_NOTE = """Octets: the smallest cache pays for whole pages, since each of its shards touches some of its own; from 10,000 names on that is \
little beside the entries. Nanoseconds: from some 10,000 names on they are more than the processor's caches hold, and then more than its TLB; a \
hit alone waits for that memory, those of a batch wait for it together. A put finds the place of its name in the index of both rings, moves an \
older entry from one to the other and, while the index grows, splits two of its buckets; the thousandth name still pays for pages that are \
touched for the first time. With the records of an answer grows what is copied, and each has a TTL to be aged."""

NAMES_NOTE = """More names than the processor's caches hold: the same waits for memory, most of them shared by the questions of a batch."""

CLIENTS_NOTE = """With one client each question is a wake-up. With a thousand, each of them a connection of its own in the kernel, what is kept for \
them is more than the processor's caches hold; the floor, which keeps nothing, bends as well."""

LENGTH_NOTE = """A name is read, lower-cased, hashed, compared and copied, and so costs more if it is longer; the floor echoes it."""

RATE_NOTE = """Both fall: up to some thousand a second each question is a turn of the loop of its own, with two wake-ups, and the rarer they are \
the colder is what they need, in the kernel as well; above that questions share turns and system calls, and what remains is what \
is done for each."""

SHARE_NOTE = """The floor asks for all of them. A hit among misses costs more than one among hits, because fewer of them share a turn, and because \
misses take what it needs out of the processor's caches."""

WORKERS_NOTE = """Instructions are counted in user space by callgrind, which runs one thread at a time; waits for locks (calls of futex, in and \
out) while all run on the cores there are. Instructions rise a little since the same load comes to each worker in smaller batches, and what is \
done once a turn is shared by fewer questions. The waits of misses are for the lock of a shard whose holder was put off its core: with more \
workers than cores that happens more often. The CPU that several workers take together is not shown: generator, upstream and workers would share \
so few cores that the figure would be theirs."""


class UdpNames(rows.Hit):
    name, floor, serves, unit = "names", "floor_udp", "udp", "us"

    def __init__(self, scale, names):
        super().__init__(scale)
        self.names, self.title = names, f"{names} names"
        self.load = ("-m", 128, "-z", 0.5)
        self.cache_mb, self.entries = 64 + names // 5000, names + 1000


class TcpClients(rows.Hit):
    name, floor, serves, unit = "clients", "floor_tcp", "tcp", "us"

    def __init__(self, scale, clients):
        super().__init__(scale)
        self.names, self.title = 100, f"{clients} client{'s' if clients > 1 else ''}"
        self.load = ("-t", "-c", clients, "-m", 1)


class NameLength(rows.Hit):
    name, floor, serves, unit = "length", "floor_udp", "udp", "us"
    pattern = "hit%u.example"

    def __init__(self, scale, octets):
        super().__init__(scale)
        self.title = f"names of {octets} octets"
        labels = ["n%u"] + ["x" * 19] * (octets // 20) + ["example"]
        self.pattern = ".".join(labels)


class MissRate(rows.Miss):
    name = "rate"

    def __init__(self, scale, rate):
        super().__init__(scale)
        self.title = f"{rate}/s" if rate else "100 in flight"
        self.whole = min(5 * rate, 100000) if rate else 100000
        self.load = ("-r", rate, "-m", 20000) if rate else ("-m", 100)

    def count(self, whole):
        return max(300, int(whole * min(1, 2 * self.scale)))


class HitShare(rows.Miss):
    """Each name is asked for the first time, or again, in turn at random; so many of the questions find it there."""
    name = "share"

    def __init__(self, scale, share):
        super().__init__(scale)
        self.title, self.share = f"{100 * share:.0f} % hits", share

    def options(self, count):
        names = max(1, round(count * (1 - self.share)))
        return ("-n", count, "-d", names, "-f", rows.fresh_numbers(names), "-N", "m%u.example", *self.load)


def table(head, lines):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---:|" * len(head),
                      *("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)])


def section(title, head, lines, note):
    return f"## {title}\n\n{table(head, lines)}\n\n{note}"


def cache_costs(place, pairs):
    """One line for each pair of entries and records that fits into memory."""
    for entries, records in pairs:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if entries * (OCTETS_EACH + 20 * records) > free:
            continue
        with subjects.on_cores(subjects.SUBJECT_CORE):
            done = subprocess.run([place.program("bench/cachecost"), str(entries), str(records)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        yield entries, records, found["octets"], found["alone_ns"], found["batch_ns"], found["put_ns"]


def daemon_costs(chosen, measure_row, grown):
    """One line for each row: its title, microseconds of CPU a query of dotstub and of the floor, their ratio."""
    for row in grown:
        found = measure_row(row, [subject for subject in chosen if subject.kind != "peer" and row.takes(subject)], 5)
        yield (row.title, report.figure(report.value_of(row, found, "dotstub")),
               report.figure(report.value_of(row, found, row.floor)), report.ratio(row, found, "dotstub", row.floor))


@contextlib.contextmanager
def workers(number):
    """dotstub that is started in here has so many."""
    os.environ["DOTSTUB_WORKERS"] = str(number)
    try:
        yield
    finally:
        del os.environ["DOTSTUB_WORKERS"]


def instructions(place, number, load):
    """In user space for each question, all threads."""
    subject = subjects.Subject("dotstub", place)
    callgrind.under_callgrind(subject)
    with workers(number):
        running = subject.start()
    try:
        running.load("-n", 2000, "-m", 4, "-c", 16, "-w", 20000, "-N", "hit%u.example", "-d", 100)
        counter = callgrind.Counter(running)
        counter.look()
        result = running.load("-n", 2000, "-m", 4, "-c", 16, "-w", 20000, *load)
        counted, _ = counter.look()
        return counted / result["good"]
    finally:
        running.stop()


def lock_waits(place, number, load):
    """Calls of futex for each thousand questions, on as many cores as there are."""
    with workers(number):
        running = subjects.Subject("dotstub", place).start(cores=subjects.CORES)
    try:
        running.load("-n", 2000, "-m", 4, "-c", 16, "-w", 20000, "-N", "hit%u.example", "-d", 100)
        counter = subprocess.Popen(["perf", "stat", "-x,", "-e", "syscalls:sys_enter_futex", "-p", str(running.pid)],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)
        result = running.load("-n", 50000, "-m", 8, "-c", 16, "-w", 20000, *load)
        counter.send_signal(2)
        calls = next(line.split(",")[0] for line in counter.communicate()[1].splitlines() if "sys_enter_futex" in line)
        return 1000 * int(calls) / result["answered"]
    finally:
        running.stop()


def worker_costs(place):
    """One line for each number of workers: instructions a hit and a miss, lock waits a thousand hits and misses."""
    hit = ("-N", "hit%u.example", "-d", 100)
    for number in WORKERS:
        cells = [count(place, number, load) for count in (instructions, lock_waits)
                 for load in (hit, ("-N", "miss%u.example", "-d", 50000, "-f", 100000))]
        yield (number, *(report.figure(cell) for cell in cells))


def hit_ratios(place):
    done = subprocess.run([place.program("bench/hitratio")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return "```\n" + done.stdout + "```"


def document(place, chosen, scale, measure_row):
    """Markdown, one section after the other as they are measured. A scale below 1 leaves the largest out."""
    largest = 10000000 if scale == 1 else 100000
    cache_head = ("entries", "records", "octets an entry", "ns a hit alone", "in a batch of 16", "ns a put")
    daemon_head = ("", "dotstub us", "floor us", "x floor")
    costs = functools.partial(daemon_costs, chosen, measure_row)
    pairs = [(entries, 1) for entries in ENTRIES if entries <= largest] + [(10000, records) for records in RECORDS]
    yield "# Growth\n\nWritten by `tests/bench/run growth`; do not edit. CPU in microseconds a question, as in benchmarks.md."
    yield section("The cache alone, names at random", cache_head, cache_costs(place, pairs), CACHE_NOTE)
    yield section("UDP hits, names by Zipf's law (0.5)", daemon_head, costs(UdpNames(scale / 3, names) for names in NAMES if names <= largest),
                  NAMES_NOTE)
    yield section("TCP hits, 1 in flight on each connection", daemon_head, costs(TcpClients(scale / 3, clients) for clients in CLIENTS),
                  CLIENTS_NOTE)
    yield section("UDP hits, long names", daemon_head, costs(NameLength(scale / 3, octets) for octets in LENGTHS), LENGTH_NOTE)
    yield section("Misses by rate", daemon_head, costs(MissRate(scale, rate) for rate in (*RATES, 0)), RATE_NOTE)
    yield section("Hits among misses, 100 in flight", daemon_head, costs(HitShare(scale / 3, share) for share in HIT_SHARES), SHARE_NOTE)
    yield section("Workers", ("workers", "instructions a hit", "a miss", "futex calls a thousand hits", "misses"), worker_costs(place),
                  WORKERS_NOTE)
    yield "## Hit ratios\n\n" + hit_ratios(place)
    yield f"{report.machine()} Commit {report.commit()}."
