# SPDX-License-Identifier: MIT
"""Formats measurements: lines for the terminal while the benchmark runs, and docs/benchmarks.md."""
import datetime
import operator
import os
import platform
import statistics
import subprocess

from subjects import OTHER_CORE, SUBJECT_CORE, TOP

DETAILS = {"p50": "p50 ms", "p99": "p99 ms", "p999": "p99.9 ms", "max": "longest ms", "lost": "lost %", "stalls": "stalls", "asked": "upstream queries each",
           "per_record": "queries per record", "ratio": "x without", "handshakes": "handshakes", "full": "full handshakes", "padded": "padded",
           "hit_ratio": "hit ratio", "to_dot": "x over DoT", "per_second": "a second and core", "resumed": "resumed %", "later": "us above a local hit",
           "per_reset": "sessions per reset"}

METHOD = """\
Each subject has a DNS-over-TLS server of its own as upstream (`tests/bench/upstream`, TLS 1.3, AES-256-GCM, a
throwaway CA, the name dns.google, one address), all on loopback. The subject is pinned to core {subject}; the load generator
(`tests/tools/dnsload`, which checks id, Question section, rcode and address of every response) and the upstream are pinned to core
{other}. A row starts all subjects that can take part, warms them up, and measures them in turn, {repetitions} times.{share} A figure
is the median, or the worst if the target says so; +- is half the distance from lowest to highest; a ratio is the median of the ratios
of the repetitions, since the measurements of a repetition are adjacent in time. CPU is user and system time of the subject, all its
threads, from `/proc/PID/task/*/schedstat`, divided by the number of answered queries.

The floors are programs that only do the input and output: `floor_udp` (recvmmsg, sendmmsg, 64 x 2 KiB), `floor_tcp`
(an echo over libuv's streams, one write for each read), `floor_dot` (UDP in, one TLS session out, libuv and GnuTLS, one
record for each message and one send for each turn of the loop, no cache, no checks), `floor_tls` (an echo of TLS records, libuv and GnuTLS, one send for
each read).

Peers are Debian's packages, each with one thread, a cache that holds what the row needs, and no validation of DNSSEC; their
configurations are in `tests/bench/peers`.
"""

LIMITS = """\
- Generator and upstream share a core, so that in rows of misses they limit the rate of a fast subject: CPU per query is comparable,
  queries per second are not, and are not given.
- On loopback the sender does most of the receiver's work in the kernel, and the kernel charges responses to the client to the
  subject. Between machines the kernel's share differs; the floors differ with it, which is why ratios are given.
- A subject that is faster than its load sees smaller batches; a slower one sees full batches. At 2,000 queries a second each
  query is a wake-up of its own, and the figure is mostly the cost of a wake-up.
- The upstream does not pad its responses, and has records for A queries only.
- Other load on the machine changes percentiles in milliseconds; it changes CPU per query much less.
- dnsload measures latency from the time at which a query was due. "lost": without a good answer within the time limit of the row
  (1 s for hits, 5 or 6 s for misses). "stalls": how often the generator itself could not run for 5 ms or more.
- Memory is the growth of the resident set during the first query for each name; memory allocated earlier does not count.
"""


def median(row, found, key):
    """Where the row says so, the worst instead."""
    values = [one[key] for one in found if key in one]
    return (max if row.worst else statistics.median)(values) if values else None


def spread(found, key):
    """Half the distance from the lowest to the highest, in percent of the median."""
    values = [one[key] for one in found]
    middle = statistics.median(values)
    return 50 * (max(values) - min(values)) / middle if middle else 0


def figure(value):
    if value is None:
        return "-"
    digits = 0 if value >= 1000 else 1 if value >= 20 else 2
    return f"{value:.{digits}f}"


def value_of(row, found, name):
    return median(row, found.get(name) or [], row.value)


def compare(row, found, name, base, operation=operator.truediv):
    """The median over the repetitions, whose measurements are adjacent in time; None: not measured."""
    pairs = [(one[row.value], other[row.value]) for one, other in zip(found.get(name) or [], found.get(base) or [])]
    values = [operation(*pair) for pair in pairs if pair[1]]
    return statistics.median(values) if values else None


def ratio(row, found, name, base):
    value = compare(row, found, name, base)
    return "-" if value is None else f"{value:.2f}"


def peers_of(row, found, chosen):
    """(value, name) of each peer that was measured."""
    values = [(value_of(row, found, subject.name), subject.name) for subject in chosen if subject.kind == "peer"]
    return [pair for pair in values if pair[0] is not None]


def compared(row, found, key):
    """The value that a bound of this name limits; None: not measured."""
    if key == "floor":
        return compare(row, found, "dotstub", row.floor)
    if key == "above":
        return compare(row, found, "dotstub", row.floor, operator.sub)
    if key == "peer":
        ratios = [compare(row, found, "dotstub", name) for name in found if name != "dotstub" and not name.startswith("floor_")]
        return max((value for value in ratios if value is not None), default=None)
    return median(row, found["dotstub"], key)


def reached(row, found):
    """"yes", or "no" with the values that exceed their bounds; "" if not all were measured."""
    names = {**DETAILS, "value": row.unit, "floor": "ratio to floor", "above": "above floor", "peer": "ratio to the best peer"}
    if not found.get("dotstub"):
        return ""
    values = {key: compared(row, found, key) for key in row.bounds}
    missed = [f"{names[key]} {figure(values[key])}" for key, bound in row.bounds.items()
              if values[key] is not None and values[key] > bound]
    if missed:
        return "no: " + ", ".join(missed)
    return "" if None in values.values() else "yes"


def row_lines(row, found):
    """One line for each subject: name, value, spread, ratios, details."""
    for name, measured in found.items():
        value = median(row, measured, row.value)
        if value is None:
            yield name, "failed", "", "", "", ""
            continue
        more = "; ".join(f"{label} {figure(median(row, measured, key))}" for key, label in DETAILS.items()
                         if key != row.value and median(row, measured, key) is not None)
        yield (name, figure(value), f"{spread(measured, row.value):.0f}", ratio(row, found, name, row.floor),
               ratio(row, found, name, "dotstub"), more)


def row_in_short(row, found):
    """The row as text for a terminal."""
    lines = [f"== {row.name}: {row.title}. Target {row.target}: {reached(row, found)}"]
    for name, value, about, to_floor, to_ours, more in row_lines(row, found):
        lines.append(f"{name:10} {value:>8} {row.unit} +-{about:>2} %  {to_floor:>5} x floor  {to_ours:>5} x dotstub  {more}")
    return "\n".join(lines)


def row_in_full(row, found):
    """The row as a section of the document."""
    return "\n".join([
        f"### {row.name}: {row.title}", "", f"In {row.unit if row.unit != 'us' else 'microseconds of CPU per query'}. "
        f"Target: {row.target}.", "",
        "| subject | value | +- % | x floor | x dotstub | more |", "|---|---:|---:|---:|---:|---|",
        *("| " + " | ".join(cells) + " |" for cells in row_lines(row, found))])


def summary(results, chosen):
    lines = ["| row | unit | dotstub | floor | dotstub / floor | best peer | best peer / dotstub | target | reached |",
             "|---|---|---:|---:|---:|---|---:|---|---|"]
    for row, found in results:
        ours, base = value_of(row, found, "dotstub"), value_of(row, found, row.floor)
        best, name = min(peers_of(row, found, chosen), default=(None, ""))
        lines.append(f"| {row.title} | {row.unit} | {figure(ours)} | {figure(base)} | "
                     f"{ratio(row, found, 'dotstub', row.floor)} | {name} {figure(best)} | "
                     f"{ratio(row, found, name, 'dotstub')} | {row.target} | {reached(row, found)} |")
    return "\n".join(lines)


def by_peer(results, chosen):
    """Each subject's value and, for peers, how many times dotstub's that is."""
    names = [subject.name for subject in chosen if subject.kind != "floor"]
    lines = ["| row | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for row, found in results:
        cells = []
        for name in names:
            value = value_of(row, found, name)
            cells.append(figure(value) + (f" ({ratio(row, found, name, 'dotstub')} x)" if value and name != "dotstub" else ""))
        lines.append(f"| {row.title} ({row.unit}) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def output(*command):
    done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip()


def machine():
    with open("/proc/cpuinfo") as lines:
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    with open("/etc/os-release") as lines:
        system = next(line.split("=")[1].strip().strip('"') for line in lines if line.startswith("PRETTY_NAME"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    libraries = ", ".join(f"{name} {output('pkg-config', '--modversion', name)}" for name in ("libuv", "gnutls", "ldns"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (f"{model}, {os.cpu_count()} cores, {memory} GiB; {system}, Linux {platform.release()}; "
            f"{output('gcc', '--version').splitlines()[0]}; {libraries}. Load average at the end: {load} (the benchmark itself causes 2).")


def commit():
    """The commit; changes of the document itself are ignored."""
    changed = output("git", "status", "--porcelain", "--untracked-files=no", "--", ":!docs/benchmarks.md")
    return output("git", "rev-parse", "--short=12", "HEAD") + (" with changes not committed" if changed else "")


def document(results, chosen, repetitions, scale):
    method = METHOD.format(subject=SUBJECT_CORE, other=OTHER_CORE, repetitions=repetitions,
                           share="" if scale == 1 else f" This run sent {100 * scale:.0f} % of the queries of a complete run.")
    versions = "\n".join(f"- {subject.name}: {subject.version}" for subject in chosen if subject.kind != "ours")
    return "\n\n".join([
        "# Benchmarks", "Written by `tests/bench/run`; do not edit.",
        f"{datetime.date.today()}, commit {commit()}.", "## Results", summary(results, chosen),
        "Less is better in every row. `best peer / dotstub` above 1: how many times better dotstub is.",
        "## Against each peer", by_peer(results, chosen), "## Machine", machine(), "## Method", method.rstrip(), versions,
        "## Limits of the method", LIMITS.rstrip(), "## Rows",
        "\n\n".join(row_in_full(row, found) for row, found in results)]) + "\n"
