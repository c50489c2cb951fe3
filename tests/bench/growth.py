# SPDX-License-Identifier: MIT
"""Measures how costs grow with entries, records in a response, lengths of names, clients, workers, the share of hits and the rate of misses;
and hit ratios. For `tests/bench/run growth`."""
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
BYTES_EACH = 250  # upper estimate of the memory that cachecost needs for an entry


CACHE_NOTE = """Bytes: in the smallest cache whole pages dominate, since each shard touches pages of its own; from 10,000 names on they matter \
little. Nanoseconds: from about 10,000 names on the entries exceed the processor's caches, and then its TLB; a single hit waits for that memory, \
the hits of a batch wait for it together. A put searches the index of both rings, moves an older entry from one ring to the other and, while the \
index grows, splits two of its buckets; with 1,000 names it still touches pages for the first time. A response with more records is longer to \
copy, and each record has a TTL to be aged."""

NAMES_NOTE = """The entries exceed the processor's caches: hits wait for memory, and the queries of a batch share most of these waits."""

CLIENTS_NOTE = """With one client each query is a wake-up. With a thousand clients, the state of their connections in dotstub and in the kernel exceeds \
the processor's caches; the floor, which has no state of its own, becomes slower as well."""

LENGTH_NOTE = """dotstub reads, lower-cases, hashes, compares and copies a name, so that a longer name costs more; the floor echoes it."""

RATE_NOTE = """Both fall with the rate. Up to some thousand queries a second each query has a turn of the loop of its own with two wake-ups, and at low \
rates its code and data are no longer in the processor's caches. At higher rates queries share turns and system calls, and the cost of each query \
itself remains."""

SHARE_NOTE = """The floor forwards all queries. A hit among misses costs more than one among hits, because fewer hits share a turn, and because misses \
displace its data from the processor's caches."""

WORKERS_NOTE = """callgrind counts the instructions in user space and runs one thread at a time; waits for locks (calls of futex, to wait and to wake) are \
counted while the workers share all cores. Instructions rise a little, since the same load reaches each worker in smaller batches, and fewer \
queries share the costs of a turn. Misses wait for the lock of a shard when the kernel has preempted its holder, which is more frequent with more \
workers than cores. The total CPU of several workers is not shown: generator, upstream and workers share too few cores for a useful \
figure."""


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

    def __init__(self, scale, length):
        super().__init__(scale)
        self.title = f"names of {length} bytes"
        labels = ["n%u"] + ["x" * 19] * (length // 20) + ["example"]
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
    """Names are drawn at random, so that `share` of the queries are hits."""
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
        if entries * (BYTES_EACH + 20 * records) > free:
            continue
        with subjects.on_cores(subjects.SUBJECT_CORE):
            done = subprocess.run([place.program("bench/cachecost"), str(entries), str(records)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        yield entries, records, found["bytes"], found["alone_ns"], found["batch_ns"], found["put_ns"]


def daemon_costs(chosen, measure_row, grown):
    """One line for each row: its title, microseconds of CPU a query of dotstub and of the floor, their ratio."""
    for row in grown:
        found = measure_row(row, [subject for subject in chosen if subject.kind != "peer" and row.takes(subject)], 5)
        yield (row.title, report.figure(report.value_of(row, found, "dotstub")),
               report.figure(report.value_of(row, found, row.floor)), report.ratio(row, found, "dotstub", row.floor))


@contextlib.contextmanager
def workers(number):
    """dotstub started within this context has `number` workers."""
    os.environ["DOTSTUB_WORKERS"] = str(number)
    try:
        yield
    finally:
        del os.environ["DOTSTUB_WORKERS"]


def instructions(place, number, load):
    """Instructions in user space per query, all threads."""
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
    """Calls of futex per 1,000 queries, on all cores."""
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
    """One line for each number of workers: instructions per hit and per miss, lock waits per 1,000 hits and per 1,000 misses."""
    hit = ("-N", "hit%u.example", "-d", 100)
    for number in WORKERS:
        cells = [count(place, number, load) for count in (instructions, lock_waits)
                 for load in (hit, ("-N", "miss%u.example", "-d", 50000, "-f", 100000))]
        yield (number, *(report.figure(cell) for cell in cells))


def hit_ratios(place):
    done = subprocess.run([place.program("bench/hitratio")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return "```\n" + done.stdout + "```"


def document(place, chosen, scale, measure_row):
    """Yields Markdown sections as they are measured. A scale below 1 leaves out the largest sizes."""
    largest = 10000000 if scale == 1 else 100000
    cache_head = ("entries", "records", "bytes per entry", "ns per single hit", "ns per hit in a batch of 16", "ns per put")
    daemon_head = ("", "dotstub us", "floor us", "x floor")
    costs = functools.partial(daemon_costs, chosen, measure_row)
    pairs = [(entries, 1) for entries in ENTRIES if entries <= largest] + [(10000, records) for records in RECORDS]
    yield "# Growth\n\nWritten by `tests/bench/run growth`; do not edit. CPU in microseconds per query, as in benchmarks.md."
    yield section("The cache alone, names at random", cache_head, cache_costs(place, pairs), CACHE_NOTE)
    yield section("UDP hits, names by Zipf's law (0.5)", daemon_head, costs(UdpNames(scale / 3, names) for names in NAMES if names <= largest),
                  NAMES_NOTE)
    yield section("TCP hits, 1 in flight on each connection", daemon_head, costs(TcpClients(scale / 3, clients) for clients in CLIENTS),
                  CLIENTS_NOTE)
    yield section("UDP hits, long names", daemon_head, costs(NameLength(scale / 3, length) for length in LENGTHS), LENGTH_NOTE)
    yield section("Misses by rate", daemon_head, costs(MissRate(scale, rate) for rate in (*RATES, 0)), RATE_NOTE)
    yield section("Hits among misses, 100 in flight", daemon_head, costs(HitShare(scale / 3, share) for share in HIT_SHARES), SHARE_NOTE)
    yield section("Workers", ("workers", "instructions per hit", "per miss", "futex calls per 1,000 hits", "per 1,000 misses"), worker_costs(place),
                  WORKERS_NOTE)
    yield "## Hit ratios\n\n" + hit_ratios(place)
    yield f"{report.machine()} Commit {report.commit()}."
