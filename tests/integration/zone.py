# SPDX-License-Identifier: MIT
"""The true responses of the lying server: the response to a query is computed from its name.

Labels anywhere in a name are directives:
    ttlN        records have TTL N (else 300)          soaM-N    negative answers' SOA has TTL M and MINIMUM N
    nx          NXDOMAIN                               nodata    NOERROR without answers
    nosoa       a negative answer without SOA          cnameN    a chain of N aliases to the name without this label
    bigN        TXT of about N bytes                  manyN     N address records
    servfail refused                                   this rcode
    ad          the AD flag is set                     glue      an additional section
    edeN        an extended error with info code N     httpsN    (HTTPS) N records
Any other name has its A and AAAA, and a short TXT.
"""
import functools
import re
import socket
import struct

import wire

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, HTTPS = 1, 2, 5, 6, 12, 15, 16, 28, 33, 65
SUFFIX = "example"
DIRECTIVE = re.compile(r"(ttl|big|many|cname|ede|https)(\d+)|soa(\d+)-(\d+)|nx|nodata|nosoa|servfail|refused|ad|glue")


def hash_of(name):
    """FNV-1a of the lower-case name without its last dot, as in tests/tools/query.c."""
    value = 2166136261
    for byte in name.lower().rstrip(".").encode("latin-1"):
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def address(name):
    value = hash_of(name)
    return f"{11 + (value >> 24) % 100}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def address6(name):
    value = hash_of(name)
    return f"2600:db8::{value >> 16:x}:{value & 0xFFFF:x}"


@functools.lru_cache(maxsize=1024)
def directives(name):
    found = {}
    for label in name.lower().split("."):
        match = DIRECTIVE.fullmatch(label)
        if match and match.group(1):
            found[match.group(1)] = int(match.group(2))
        elif match and match.group(3):
            found["soa"] = (int(match.group(3)), int(match.group(4)))
        elif match:
            found[label] = True
    return found


def target_of(name):
    """The last name of the chain of a cnameN name."""
    return ".".join(label for label in name.split(".") if not re.fullmatch(r"cname\d+", label.lower()))


def text_of(size):
    """Strings of a TXT record with `size` bytes."""
    out = b""
    while size > 0:
        length = min(255, size - 1)
        out, size = out + bytes([length]) + b"x" * length, size - 1 - length
    return out


def soa(ttl=300, minimum=300):
    data = (wire.name_wire("ns." + SUFFIX) + wire.name_wire("host." + SUFFIX) +
            struct.pack("!5I", 1, 7200, 3600, 604800, minimum))
    return wire.rr(SUFFIX, "SOA", data, ttl)


def https(name, priority):
    """A ServiceMode record: alpn, port, an address hint and an unknown key."""
    parameters = [(1, b"\2h3\2h2"), (3, struct.pack("!H", 8000 + priority)), (4, socket.inet_aton(address(name))),
                  (65280, b"unknown")]
    return struct.pack("!H", priority) + wire.name_wire("") + b"".join(
        struct.pack("!HH", key, len(value)) + value for key, value in parameters)


def data(name, rdtype, found):
    """The rdata of the records of one type, a list."""
    if rdtype == A:
        first = socket.inet_aton(address(name))
        count = found.get("many", 1)
        return [first] + [struct.pack("!I", 0x0B000000 + number) for number in range(1, count)]
    if rdtype == AAAA:
        return [socket.inet_pton(socket.AF_INET6, address6(name))]
    if rdtype == TXT:
        return [text_of(found["big"])] if "big" in found else [b"\x04text"]
    if rdtype == HTTPS:
        return [https(name, priority + 1) for priority in range(found.get("https", 1))]
    if rdtype == MX:
        return [struct.pack("!H", 10) + wire.name_wire("mx." + name)]
    if rdtype == SRV:
        return [struct.pack("!3H", 1, 2, 443) + wire.name_wire("srv." + name)]
    if rdtype == PTR:
        return [wire.name_wire("host.example")]
    if rdtype == NS:
        return [wire.name_wire("ns." + name)]
    return []


def plain_address(question, section):
    """The most frequent response, made quickly: one A record."""
    flags = wire.QR | wire.RA | question.flags & (wire.RD | wire.CD)
    head = struct.pack("!6H", question.id, flags, 1, 1, 0, 1 if question.edns else 0)
    record = b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4" + socket.inet_aton(address(question.name))
    return head + section + record + (wire.opt(options=()) if question.edns else b"")


def chain(name, length, ttl):
    """`length` aliases from a name to its target: (records, target)."""
    target, records = target_of(name), []
    for step in range(length, 0, -1):
        following = f"c{step - 1}.{target}" if step > 1 else target
        records.append(wire.rr(name, CNAME, wire.name_wire(following), ttl))
        name = following
    return records, name


def answer(question, query, options=()):
    """The true response to a query; `question` is what wire.read_question made of it. `options` go into the OPT, if the query has one."""
    found = directives(question.name)
    section = wire.question_section(query)
    if question.type == A and not found and not options:
        return plain_address(question, section)
    ttl, rcode, answers, authority, additional = found.get("ttl", 300), 0, [], [], []
    if "servfail" in found or "refused" in found:
        rcode = 2 if "servfail" in found else 5
    else:
        rcode = 3 if "nx" in found else 0
        answers, name = chain(question.name, found.get("cname", 0), ttl)
        records = [] if "nx" in found or "nodata" in found else data(name, question.type, found)
        answers += [wire.rr(name, question.type, value, ttl) for value in records]
        if not records and "nosoa" not in found:
            authority = [soa(*found.get("soa", (300, 300)))]
    if "glue" in found:
        additional = [wire.rr("glue." + SUFFIX, A, socket.inet_aton("198.41.0.4"), ttl) for _ in range(20)]
    if question.edns:
        if "ede" in found:
            options = (*options, (wire.EDE, struct.pack("!H", found["ede"]) + b"said upstream"))
        additional = [*additional, wire.opt(do=question.edns["do"], options=options)]
    flags = wire.QR | wire.RA | question.flags & (wire.RD | wire.CD) | rcode | (wire.AD if "ad" in found else 0)
    return wire.message(id=question.id, flags=flags, question=section, answers=answers, authority=authority,
                        additional=additional)
