"""How costs grow: with entries, records in an answer, clients; and hit ratios. For `tests/bench/run growth`."""
import json
import os
import subprocess

import report
import rows
import subjects

ENTRIES = (1000, 10000, 100000, 1000000, 10000000)
RECORDS = (1, 2, 5, 10, 20, 50)
NAMES = (1000, 10000, 100000, 1000000)
CLIENTS = (1, 10, 100, 1000)
OCTETS_EACH = 250  # of memory, generously, for an entry of cachecost


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
        self.names, self.title = 100, f"{clients} clients"
        self.load = ("-t", "-c", clients, "-m", 1)


def table(head, lines):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---:|" * len(head),
                      *("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)])


def cache_costs(place, pairs):
    """One line for each pair of entries and records that fits into memory."""
    for entries, records in pairs:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if entries * (OCTETS_EACH + 20 * records) > free:
            continue
        with subjects.on_core(subjects.SUBJECT_CORE):
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


def hit_ratios(place):
    done = subprocess.run([place.program("bench/hitratio")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return "```\n" + done.stdout + "```"


def document(place, chosen, scale, measure_row):
    """Markdown, one section after the other as they are measured. A scale below 1 leaves the largest out."""
    largest = 10000000 if scale == 1 else 100000
    cache_head = ("entries", "records", "octets an entry", "ns a hit alone", "in a batch of 16", "ns a put")
    daemon_head = ("", "dotstub us", "floor us", "x floor")
    pairs = [(entries, 1) for entries in ENTRIES if entries <= largest] + [(10000, records) for records in RECORDS]
    yield "# Growth"
    yield "## The cache alone, names at random\n\n" + table(cache_head, cache_costs(place, pairs))
    yield "## UDP hits, names by Zipf's law (0.5)\n\n" + table(daemon_head, daemon_costs(
        chosen, measure_row, [UdpNames(scale / 3, names) for names in NAMES if names <= largest]))
    yield "## TCP hits, 1 in flight on each connection\n\n" + table(daemon_head, daemon_costs(
        chosen, measure_row, [TcpClients(scale / 3, clients) for clients in CLIENTS]))
    yield "## Hit ratios\n\n" + hit_ratios(place)
