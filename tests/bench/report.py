# SPDX-License-Identifier: MIT
"""From measurements to tables: lines for the terminal while it runs, and docs/benchmarks.md."""
import datetime
import operator
import os
import platform
import statistics
import subprocess

from subjects import OTHER_CORE, SUBJECT_CORE, TOP

DETAILS = {"p50": "p50 ms", "p99": "p99 ms", "p999": "p99.9 ms", "max": "longest ms", "lost": "lost %", "stalls": "stalls", "asked": "upstream queries each",
           "per_record": "queries a record", "handshakes": "handshakes", "full": "full handshakes", "padded": "padded",
           "kept": "kept", "per_reset": "sessions a reset"}

METHOD = """\
Each subject is started with a DNS-over-TLS server of its own behind it (`tests/bench/upstream`, TLS 1.3, AES-256-GCM, a
throwaway CA, the name dns.google, one address), all on loopback. The subject is pinned to core {subject}; the load generator
(`tests/tools/dnsload`, which checks id, question, rcode and address of every answer) and the upstream are pinned to core
{other}. A row starts all subjects that can do it, warms them, and measures them in turn, {repetitions} times over.{share} A figure
is the median, or the worst where the target says so; +- is half the distance from lowest to highest; a ratio is the median of the ratios of each repetition, whose
measurements lie side by side in time. CPU is user and system time of the subject, all its
threads, from `/proc/PID/task/*/schedstat`, divided by the questions that were answered.

The floors are programs that do the input and output and nothing else: `floor_udp` (recvmmsg, sendmmsg, 64 x 2 KiB), `floor_tcp`
(an echo over libuv's streams, one write for each read), `floor_dot` (UDP in, one TLS session out, libuv and GnuTLS, one
record and one send for each turn of the loop, no cache, no checks).

Peers are Debian's packages, each with one thread, a cache that holds what the row needs, and no validation of DNSSEC; their
configurations are in `tests/bench/peers`.
"""

LIMITS = """\
- Generator and upstream share a core, so in a row of misses they, not a fast subject, set the pace: the subject's CPU a
  query is comparable, queries a second are not given.
- On loopback the sender does most of the receiver's work in the kernel, and answers to the client are charged to the
  subject. Between machines the kernel's share is another; the floors move with it, which is why ratios are given.
- A subject that is faster than its load sees smaller batches; one that is slower sees full ones. At 2,000 queries a second every
  query is a wake-up of its own, and the figure is mostly the price of one.
- The upstream does not pad its answers, and answers nothing but A questions with records.
- Percentiles in milliseconds suffer from whatever else runs on the machine; CPU a query much less.
- dnsload counts latency from the moment a question was due. "lost" is without a good answer within the patience of the row
  (1 s for hits, 5 or 6 s for misses). "stalls" counts when the generator itself could not run for 5 ms or more.
- Memory is the growth of the resident set while the names are asked for the first time, so what was already there counts for nothing.
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
    """The median of what each repetition says, since its measurements lie side by side in time; None: cannot be told."""
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
    """What a bound of this name holds for; None: it was not measured."""
    if key == "floor":
        return compare(row, found, "dotstub", row.floor)
    if key == "above":
        return compare(row, found, "dotstub", row.floor, operator.sub)
    return median(row, found["dotstub"], key)


def reached(row, found):
    """"yes", or what is missed and by how much; "" where that cannot be told."""
    names = {**DETAILS, "value": row.unit, "floor": "ratio to floor", "above": "above floor"}
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
        f"### {row.name}: {row.title}", "", f"In {row.unit if row.unit != 'us' else 'microseconds of CPU a query'}. "
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
            f"{output('gcc', '--version').splitlines()[0]}; {libraries}. Load average at the end: {load} (two of it are ours).")


def commit():
    """Without the document itself, which cannot be part of what it describes."""
    changed = output("git", "status", "--porcelain", "--untracked-files=no", "--", ":!docs/benchmarks.md")
    return output("git", "rev-parse", "--short=12", "HEAD") + (" with changes not committed" if changed else "")


def document(results, chosen, repetitions, scale):
    method = METHOD.format(subject=SUBJECT_CORE, other=OTHER_CORE, repetitions=repetitions,
                           share="" if scale == 1 else f" This run asked {100 * scale:.0f} % of the questions that a whole one does.")
    versions = "\n".join(f"- {subject.name}: {subject.version}" for subject in chosen if subject.kind != "ours")
    return "\n\n".join([
        "# Benchmarks", "Written by `tests/bench/run`; do not edit.",
        f"{datetime.date.today()}, commit {commit()}.", "## Results", summary(results, chosen),
        "Less is better in every row. `best peer / dotstub` above 1: dotstub is that many times better.",
        "## Against each peer", by_peer(results, chosen), "## Machine", machine(), "## Method", method.rstrip(), versions,
        "## Limits of the method", LIMITS.rstrip(), "## Rows",
        "\n\n".join(row_in_full(row, found) for row, found in results)]) + "\n"
