# SPDX-License-Identifier: MIT
"""The rows of the table. Each row prepares a running subject once and measures it several times, in turn with the other subjects."""
import subprocess
import time

from subjects import OTHER_CORE, on_cores
import signed_tree

next_number = 0


class Unable(Exception):
    """A subject cannot do what the row wants."""


def fresh_numbers(count):
    """The first of `count` numbers that no name has used yet."""
    global next_number
    first, next_number = next_number, next_number + count
    return first


class Row:
    """`serves`: the ability that a subject needs to take part. `floor`: the subject that ratios refer to. `value`: the figure for
    ratios. `target`: text of the goal for dotstub; `bounds`: the same as values by name, with "floor" for the ratio to the floor's value,
    "above" for the difference, and "peer" for the ratio to the best peer's."""

    name = title = unit = target = ""
    floor, serves, value = None, "miss", "value"
    bounds = {}
    upstream = ()  # options of tests/bench/upstream
    cache_mb, entries = 64, 100000
    blocked = 0  # names of a block list
    local = False  # with local records and routes
    encrypted = False  # with listeners for TLS and HTTPS
    https = False  # the upstream is asked over HTTPS
    signed = None  # (names, zones) of the signed tree that is the upstream
    validate = False  # with validation of DNSSEC
    store = False  # with a second-level cache
    restarts = False  # each measurement starts the subject anew
    repetitions = None  # at most
    worst = False  # the worst of all measurements counts, not the median

    def __init__(self, scale=1.0):
        self.scale = scale

    def takes(self, subject):
        return subject.name == self.floor if subject.kind == "floor" else self.serves in subject.serves

    def count(self, whole):
        return max(300, int(whole * self.scale))

    def prepare(self, running):
        pass

    def measure(self, running):
        raise NotImplementedError

    def end(self):
        """Stops what `prepare` has started."""


def lost(result):
    """Percent of the queries without a good answer."""
    return 100 * (1 - result["good"] / result["sent"])


def warm(running, *options):
    """Sends queries until all names are in the cache: some subjects lose queries while they connect."""
    for _ in range(5):
        result = running.load(*options, "-w", 2000)
        if result["good"] == result["sent"]:
            return
    raise Unable(f"loses queries each time: {result}")


class CpuRow(Row):
    """Microseconds of CPU, user and system, per answered query."""

    unit = "us"

    def cpu(self, running, *options):
        before = running.cpu()
        result = running.load(*options)
        if lost(result) > 20:
            raise Unable(f"too many queries lost for a figure: {result}")
        return 1e6 * (running.cpu() - before) / result["answered"], result


class Compared:
    """In front of a row: a subject also runs without what the row is about, and is measured in turn. `ratio`: to that one."""

    def __init__(self, scale=1.0):
        super().__init__(scale)
        self.without = {}

    def prepare(self, running):
        super().prepare(running)
        self.without[running] = running.subject.start((), self.cache_mb, self.entries, signed=self.signed)
        super().prepare(self.without[running])

    def measure(self, running):
        found, plain = super().measure(running), super().measure(self.without[running])
        return {**found, "ratio": found["value"] / plain["value"]}

    def end(self):
        for running in self.without.values():
            running.stop()


class Hit(CpuRow):
    names, whole, load, pattern = 1, 300000, ("-m", 128), "hit%u.example"

    def prepare(self, running):
        if running.subject.kind != "floor":
            warm(running, "-n", self.names, "-d", self.names, "-N", self.pattern, "-m", 20,
                 *({"tcp": ["-t"], "tls": ["-T"], "https": ["-H", "-m", 1]}.get(self.serves, [])))

    def measure(self, running):
        value, result = self.cpu(running, "-n", self.count(self.whole), "-d", self.names, "-N", self.pattern, "-w", 1000,
                                 *self.load)
        return {"value": value, "lost": lost(result)}


class UdpHitOne(Hit):
    name, title, floor, serves = "udp-one", "UDP hit, one name", "floor_udp", "udp"
    target, bounds = "<= 1.02 x floor", {"floor": 1.02}


class UdpHitZipf(Hit):
    name, title, floor, serves = "udp-zipf", "UDP hit, 10k names, Zipf 1.0", "floor_udp", "udp"
    target, bounds = "<= 1.05 x floor", {"floor": 1.05}
    names, load = 10000, ("-m", 128, "-z", 1.0)


class TcpHitOne(Hit):
    name, title, floor, serves = "tcp-1x100", "TCP hit, 1 in flight on each of 100 connections", "floor_tcp", "tcp"
    target, bounds = "<= 1.08 x floor", {"floor": 1.08}
    names, load = 100, ("-t", "-c", 100, "-m", 1)


class TcpHitTen(Hit):
    name, title, floor, serves = "tcp-10x100", "TCP hit, 10 in flight on each of 100 connections", "floor_tcp", "tcp"
    target, bounds = "<= 1.35 x floor", {"floor": 1.35}
    names, load = 100, ("-t", "-c", 100, "-m", 10)


class TlsHitOne(Hit):
    name, title, floor, serves = "tls-1x100", "DoT hit, 1 in flight on each of 100 connections", "floor_tls", "tls"
    encrypted = True
    names, load, whole = 100, ("-T", "-c", 100, "-m", 1), 100000


class TlsHitTen(Hit):
    name, title, floor, serves = "tls-10x100", "DoT hit, 10 in flight on each of 100 connections", "floor_tls", "tls"
    target, bounds = "<= 1.4 x floor, <= 0.5 x the best peer", {"floor": 1.4, "peer": 0.5}
    names, load, whole, encrypted = 100, ("-T", "-c", 100, "-m", 10), 100000, True


class HttpsHitOne(Hit):
    name, title, serves, encrypted = "https-1x100", "DoH hit, 1 in flight on each of 100 connections", "https", True
    target, bounds = "<= 0.6 x the best peer", {"peer": 0.6}
    names, load, whole = 100, ("-H", "-c", 100, "-m", 1), 50000


class HttpsHitTen(HttpsHitOne):
    name, title = "https-10x100", "DoH hit, 10 in flight on each of 100 connections"
    load = ("-H", "-c", 100, "-m", 10)


class Handshakes(Row):
    """CPU of a handshake and one hit, and the number of them that a core can do in a second."""

    name, title, unit, serves, encrypted = "handshake-full", "full TLS handshake of a client, and one hit", "us", "tls", True
    whole, mode = 2000, ()

    def takes(self, subject):
        return subject.kind != "floor" and super().takes(subject)

    def prepare(self, running):
        warm(running, "-n", 1, "-N", "hit%u.example")

    def measure(self, running):
        count, before = self.count(self.whole), running.cpu()
        result = running.handshakes(count, *self.mode)
        seconds = running.cpu() - before
        return {"value": 1e6 * seconds / count, "per_second": count / seconds, "resumed": 100 * result["resumed"] / count}


class Resumptions(Handshakes):
    name, title, mode = "handshake-resumed", "resumed TLS handshake of a client, and one hit", ("resume",)


class IdleSessions(Row):
    """The growth of the resident set by 1,000 sessions, after 100 others have filled the pools."""

    name, title, unit, serves, encrypted = "tls-memory", "memory per idle TLS session of a client, 1,000 sessions", "KiB", "tls", True
    target, bounds, repetitions, restarts = "<= 24", {"value": 24}, 3, True
    whole = 1000

    def takes(self, subject):
        return subject.kind != "floor" and super().takes(subject)

    def measure(self, running):
        warm(running, "-n", 1, "-N", "hit%u.example")
        clients = [running.handshakes(100, "hold")]
        before = running.process.resident_kb()
        clients.append(running.handshakes(self.whole, "hold"))
        after = running.process.resident_kb()
        for client in clients:
            client.communicate()
        return {"value": (after - before) / self.whole}


class Miss(CpuRow):
    name, title, floor = "miss-100", "miss over DoT, 100 in flight", "floor_dot"
    target, bounds = "<= 1.2 x floor", {"floor": 1.2}
    whole, load = 100000, ("-m", 100)

    def prepare(self, running):
        """Opens the sessions that the subject wants."""
        count = self.count(1000)
        running.load("-n", count, "-d", count, "-f", fresh_numbers(count), "-N", "m%u.example", "-r", 500, "-w", 2000)

    def options(self, count):
        return ("-n", count, "-d", count, "-f", fresh_numbers(count), "-N", "m%u.example", *self.load)

    def measure(self, running):
        before = running.upstream.counts()
        count = self.count(self.whole)
        value, result = self.cpu(running, *self.options(count))
        after = running.upstream.counts()
        counted = {key: after[key] - before[key] for key in after}
        return {"value": value, "p50": result["p50_ms"], "p99": result["p99_ms"], "p999": result["p999_ms"], "max": result["max_ms"],
                "lost": lost(result), "stalls": result["stalls"], "asked": counted["queries"] / count,
                "per_record": counted["queries"] / max(1, counted["records"]),
                "handshakes": counted["handshakes"], "full": counted["handshakes"] - counted["resumed"],
                "padded": counted["padded"] / max(1, counted["queries"])}


class MissHttps(Miss):
    """`to_dot`: the ratio to misses of the same subject over DoT, measured in turn."""

    name, title, serves, floor, https = "miss-https", "miss over DoH, 100 in flight", "miss-https", None, True
    target, bounds = "<= 1.6 x over DoT", {"to_dot": 1.6}
    whole = 50000

    def __init__(self, scale=1.0):
        super().__init__(scale)
        self.over_dot = {}

    def prepare(self, running):
        super().prepare(running)
        self.over_dot[running] = running.subject.start((), self.cache_mb, self.entries)
        super().prepare(self.over_dot[running])

    def measure(self, running):
        found, dot = super().measure(running), super().measure(self.over_dot[running])
        return {**found, "to_dot": found["value"] / dot["value"]}

    def end(self):
        for running in self.over_dot.values():
            running.stop()


class MissPaced(Miss):
    name, title = "miss-2000", "miss at 2,000/s"
    target, bounds = "<= 0.95 x floor", {"floor": 0.95}
    whole, load = 40000, ("-r", 2000, "-m", 2000)


class MissLatency(Miss):
    name, title, unit, value = "miss-20ms", "miss, upstream 20 ms, 2,000/s", "ms", "p50"
    target, bounds = "p50 <= 20.5, p99 <= 21.5, none lost", {"p50": 20.5, "p99": 21.5, "lost": 0}
    upstream = ("-d", 20)
    whole, load = 20000, ("-r", 2000, "-m", 10000)


class Slow(Miss):
    name, title, unit, value = "slow", "upstream 20 ms, 5 % at 300 ms, 0.1 % dropped, 2,000/s", "ms", "p99"
    target, bounds = "none lost, p99 <= 55, p99.9 <= 330, upstream queries <= 1.08", {
        "lost": 0, "p99": 55, "p999": 330, "asked": 1.08}
    upstream = ("-d", 20, "-s", 0.05, "-S", 300, "-x", 0.001)
    whole, load, floor, repetitions = 20000, ("-r", 2000, "-m", 20000, "-w", 6000), None, 3


class Reset(Miss):
    name, title, unit, value = "reset", "upstream 20 ms resets all sessions each second, 2,000/s", "ms", "p99"
    target = "worst of five: none lost, p99 <= 36, longest <= 60, at most one new session for each reset, all resumed"
    bounds = {"lost": 0, "p99": 36, "max": 60, "per_reset": 1, "full": 0}
    upstream = ("-d", 20, "-r", 1000)
    whole, load, floor, repetitions, worst = 20000, ("-r", 2000, "-m", 20000, "-w", 6000), None, 5, True

    def measure(self, running):
        before = running.upstream.counts()
        found = super().measure(running)
        after = running.upstream.counts()
        return {**found, "per_reset": (after["connections"] - before["connections"]) / max(1, after["rounds"] - before["rounds"])}


class SystemCalls(Miss):
    name, title, unit = "syscalls", "system calls a miss, 100 in flight", "calls"
    target, bounds = "<= 0.5", {"value": 0.5}
    repetitions = 3

    def measure(self, running):
        count = self.count(self.whole)
        with on_cores(OTHER_CORE):
            counter = subprocess.Popen(["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", str(running.pid)],
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)
        result = running.load(*self.options(count))
        counter.send_signal(2)
        calls = next(line.split(",")[0] for line in counter.communicate()[1].splitlines() if "sys_enter" in line)
        return {"value": int(calls) / result["answered"], "lost": lost(result)}


class OneHit(Hit):
    name, title, floor, serves, unit = "rtt-hit", "one client, one hit at a time: p50", "floor_udp", "udp", "us a round"
    target, bounds = "<= 1.1 x floor", {"floor": 1.1}
    whole = 20000

    def measure(self, running):
        result = running.load("-n", self.count(self.whole), "-N", "hit0.example", "-m", 1, "-w", 1000)
        return {"value": result["p50_ms"] * 1000, "lost": lost(result)}


class OneMiss(Miss):
    name, title, unit = "rtt-miss", "one client, one miss at a time: p50", "us a round"
    target, bounds = "<= floor + 30 us", {"above": 30}
    whole, load = 5000, ("-m", 1)

    def measure(self, running):
        result = running.load(*self.options(self.count(self.whole)))
        return {"value": result["p50_ms"] * 1000, "lost": lost(result)}


class Memory(Row):
    name, title, unit = "memory", "memory per A entry, 1M names", "bytes"
    target, bounds = "<= 100", {"value": 100}
    serves, restarts, repetitions = "udp", True, 1
    whole, cache_mb, entries = 1000000, 256, 1100000

    def measure(self, running):
        count = self.count(self.whole)
        fill = ("-n", count, "-d", count, "-N", "%u.memory.example", "-m", 100, "-w", 2000)
        time.sleep(0.5)
        before = running.process.resident_kb()
        running.load(*fill)
        after = running.process.resident_kb()
        asked = running.upstream.counts()["queries"]
        running.load(*fill)
        hit_ratio = 1 - (running.upstream.counts()["queries"] - asked) / count
        if hit_ratio < 0.9:
            raise Unable(f"holds {100 * hit_ratio:.0f} % of {count} names")
        return {"value": (after - before) * 1024 / count, "hit_ratio": hit_ratio}


class Empty(Row):
    name, title, unit = "rss", "RSS empty, after one answer", "MB"
    target, bounds = "<= 9", {"value": 9}
    floor, restarts = "floor_dot", True

    def measure(self, running):
        time.sleep(0.5)
        return {"value": running.process.resident_kb() * 1024 / 1e6}


class Idle(Row):
    name, title, unit = "idle", "idle without a session", "wake-ups a minute"
    target, bounds, repetitions = "0", {"value": 0}, 1

    def measure(self, running):
        """Waits until all sessions are closed, which subjects do after up to 30 s."""
        full = self.scale > 0.1
        time.sleep(max(0, running.began + 40 * full - time.monotonic()))
        before, seconds = running.process.wakeups(), 15 if full else 1
        time.sleep(seconds)
        return {"value": (running.process.wakeups() - before) * 60 / seconds}


class Start(Row):
    name, title, unit = "start", "exec to first answered miss", "ms"
    target, bounds = "<= 1.25 x floor", {"floor": 1.25}
    floor, restarts = "floor_dot", True

    def measure(self, running):
        return {"value": running.started * 1000}


class BlockHit(Compared, Hit):
    """`ratio`: to the same subject without lists, records and routes, measured in turn."""

    name, title, serves = "block-hit", "UDP hit, 1,000 names; 1M other names blocked, 1,000 records and 100 routes", "block"
    names, blocked, local = 1000, 1000000, True
    target, bounds = "<= 1.05 x without", {"ratio": 1.05}

    def takes(self, subject):
        return {"block", "udp"} <= set(subject.serves)


class Blocking(Row):
    """The costs of a list of a million names: the difference to the same subject without it."""

    serves, restarts, repetitions, blocked = "block", True, 1, 1000000

    def figure(self, running):
        raise NotImplementedError

    def measure(self, running):
        value = self.figure(running)
        without = running.subject.start((), self.cache_mb, self.entries)
        try:
            return {"value": (value - self.figure(without)) * self.per}
        finally:
            without.stop()


class BlockMemory(Blocking):
    name, title, unit, per = "block-memory", "memory per blocked name, 1M names", "bytes", 1 / 1000000
    target, bounds = "<= 12", {"value": 12}

    def figure(self, running):
        time.sleep(0.5)
        return running.process.resident_kb() * 1024


class BlockLoad(Blocking):
    name, title, unit, per = "block-load", "CPU for loading 1M blocked names", "s", 1
    target, bounds = "<= 1.5", {"value": 1.5}

    def figure(self, running):
        return running.cpu()


class Validated(CpuRow):
    """A miss for a signed name, by subjects that validate."""

    serves, validate = "validate", True
    target, bounds = "<= 0.6 x the best peer", {"peer": 0.6}
    pattern, whole, few = "%u.warm.example", 1000, 50

    def __init__(self, scale=1.0):
        super().__init__(scale)
        starts = 8 * 3  # repetitions and a first time, of three subjects
        self.signed = (super().count(self.whole) * starts, max(20, int(self.few * scale)) * starts)
        self.next = 0

    def fresh(self, count):
        first, self.next = self.next, self.next + count
        return ("-n", count, "-d", count, "-f", first, "-N", self.pattern, "-e", "-m", 50, "-w", 3000)

    def prepare(self, running):
        """Opens the sessions, and fetches the keys above the names."""
        result = running.load(*self.fresh(self.count(self.whole)))
        if lost(result) > 1:
            raise Unable(f"does not validate: {result}")

    def measure(self, running):
        value, result = self.cpu(running, *self.fresh(self.count(self.whole)))
        return {"value": value, "p50": result["p50_ms"], "p99": result["p99_ms"], "lost": lost(result)}


class ValidatedWarm(Validated):
    name, title = "signed-warm", "miss for a signed name, validated, keys in the cache"


class ValidatedCold(Validated):
    name, title = "signed-cold", "miss for a name in a signed zone that is not known yet, validated"
    pattern, bounds, target = "www.z%u.example", {"peer": 1}, "<= the best peer"

    def count(self, whole):
        return max(20, int(self.few * self.scale))


class ValidatedHit(Compared, Hit):
    """`ratio`: to the same subject without validation, measured in turn."""

    name, title, serves, validate = "signed-hit", "UDP hit, 1,000 signed names, validated", "validate", True
    names, pattern, signed = 1000, "%u.warm.example", None
    target, bounds = "<= 1.02 x without validation", {"ratio": 1.02}

    def __init__(self, scale=1.0):
        super().__init__(scale)
        self.signed = ValidatedWarm(scale).signed


class ValidatedMemory(Row):
    """`ratio`: to the same subject without validation. The names are those of an unsigned zone below signed ones."""

    name, title, unit = "signed-memory", "memory per A entry of an unsigned name, with validation", "bytes"
    target, bounds = "<= 1.1 x without validation", {"ratio": 1.1}
    serves, validate, restarts, repetitions = "validate", True, True, 3

    def __init__(self, scale=1.0):
        super().__init__(scale)
        self.signed = ValidatedWarm(scale).signed
        self.names = self.signed[0] * signed_tree.UNSIGNED

    def growth(self, running):
        """Bytes of memory per name, after the first of them."""
        names = ("-N", "%u.plain.example", "-e", "-m", 50, "-w", 3000)
        running.load("-n", 300, "-d", 300, *names)
        before = running.process.resident_kb()
        result = running.load("-n", self.names - 300, "-d", self.names - 300, "-f", 300, *names)
        if lost(result) > 1:
            raise Unable(f"loses queries: {result}")
        return (running.process.resident_kb() - before) * 1024 / (self.names - 300)

    def measure(self, running):
        value = self.growth(running)
        without = running.subject.start((), self.cache_mb, self.entries, signed=self.signed)
        try:
            return {"value": value, "ratio": value / self.growth(without)}
        finally:
            without.stop()


class StoreMiss(Compared, Miss):
    """`ratio`: to misses of the same subject without a store, measured in turn."""

    name, title, serves, floor, store = "store-miss", "miss over DoT, 100 in flight, with a store that lacks the name", "store", None, True
    target, bounds = "<= 1.15 x without", {"ratio": 1.15}
    whole = 50000


class StoreHit(StoreMiss):
    """Another one of the fleet has learned the names. `ratio`: to misses without a store."""

    name, title = "store-hit", "hit in the store, 100 in flight"
    target, bounds = "<= 0.5 x a miss", {"ratio": 0.5}
    whole = 20000

    def __init__(self, scale=1.0):
        super().__init__(scale)
        self.others = {}

    def prepare(self, running):
        super().prepare(running)
        self.others[running] = running.subject.start((), self.cache_mb, self.entries, store=True, beside=running)
        Miss.prepare(self, self.others[running])

    def learn(self, running, count):
        """The options for queries whose names only the other one and the store have."""
        options = ("-n", count, "-d", count, "-f", fresh_numbers(count), "-N", "m%u.example")
        self.others[running].load(*options, "-m", 100)
        time.sleep(0.3)  # until the last values are written
        return options

    def measure(self, running):
        count = self.count(self.whole)
        options = self.learn(running, count)
        before = running.upstream.counts()["queries"]
        value, result = self.cpu(running, *options, *self.load)
        asked = (running.upstream.counts()["queries"] - before) / count
        plain = Miss.measure(self, self.without[running])
        return {"value": value, "p50": result["p50_ms"], "p99": result["p99_ms"], "lost": lost(result), "asked": asked,
                "ratio": value / plain["value"]}

    def end(self):
        super().end()
        for running in self.others.values():
            running.stop()


class StoreOne(StoreHit):
    """`local`: the p50 of hits in the subject's own cache."""

    name, title, unit = "store-rtt", "one client, one hit in the store at a time: p50", "us a round"
    target, bounds = "<= a local hit + 250 us", {"later": 250}
    whole = 2000

    def measure(self, running):
        options = self.learn(running, self.count(self.whole))
        p50, local = (running.load(*options, "-m", 1)["p50_ms"] * 1000 for _ in range(2))
        return {"value": p50, "later": p50 - local}


ROWS = [UdpHitOne, UdpHitZipf, TcpHitOne, TcpHitTen, TlsHitOne, TlsHitTen, HttpsHitOne, HttpsHitTen, Handshakes,
        Resumptions, IdleSessions, Miss, MissHttps, MissPaced, MissLatency, SystemCalls, OneHit, OneMiss, Memory, Empty,
        Idle, Start, BlockHit, BlockMemory, BlockLoad, ValidatedWarm, ValidatedCold, ValidatedHit, ValidatedMemory,
        StoreMiss, StoreHit, StoreOne, Slow, Reset]
