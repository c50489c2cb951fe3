# SPDX-License-Identifier: MIT
"""DNS messages as bytes, for tests whose messages a library would refuse to write, and for servers, where a library would be slow."""
import collections
import random
import struct

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype

QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0040, 0x0020, 0x0010
KEEPALIVE, PADDING, ECS, COOKIE, EDE = 11, 12, 8, 10, 15

Question = collections.namedtuple("Question", "id flags name type klass edns options size")


def name_wire(name):
    """The name in wire format, its letter case unchanged; `name` is text with or without the last dot."""
    labels = [label.encode("latin-1") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def opt(size=1232, version=0, do=False, options=(), rcode=0, owner=b"\0"):
    """An OPT record; options as (code, data)."""
    data = b"".join(struct.pack("!HH", code, len(value)) + value for code, value in options)
    ttl = rcode << 24 | version << 16 | (0x8000 if do else 0)
    return owner + struct.pack("!HHIH", 41, size, ttl, len(data)) + data


def type_number(rdtype):
    return rdtype if isinstance(rdtype, int) else int(dns.rdatatype.from_text(rdtype))


def rr(name, rdtype, data, ttl=300, klass=1):
    owner = name if isinstance(name, bytes) else name_wire(name)
    return owner + struct.pack("!HHIH", type_number(rdtype), klass, ttl, len(data)) + data


def message(name="", rdtype="A", *, id=None, flags=RD, klass=1, question=None, answers=(), authority=(), additional=(),
            counts=None, tail=b""):
    """A message of the parts given; `counts` overrides the counts in the header, `question` the Question section."""
    if question is None:
        question = name_wire(name) + struct.pack("!HH", type_number(rdtype), klass)
    if id is None:
        id = random.randrange(65536)
    if counts is None:
        counts = (1 if question else 0, len(answers), len(authority), len(additional))
    return struct.pack("!6H", id, flags, *counts) + question + b"".join((*answers, *authority, *additional)) + tail


def query(name, rdtype="A", *, edns=None, do=False, size=1232, options=(), version=0, **parts):
    """A query of a client; with an OPT if `edns`, or if another argument needs one."""
    if edns or (edns is None and (do or options or version or size != 1232)):
        parts["additional"] = (*parts.get("additional", ()), opt(size, version, do, options))
    return message(name, rdtype, **parts)


def read_name(data, at):
    """Reads an uncompressed name: (text, offset behind it)."""
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels), at + 1


def read_question(data):
    """Parses a query of dotstub; raises if it is unusual."""
    id, flags, questions, _, _, additional = struct.unpack_from("!6H", data)
    if questions != 1:
        raise ValueError("not exactly one question")
    name, at = read_name(data, 12)
    rdtype, klass = struct.unpack_from("!HH", data, at)
    at += 4
    edns, options = None, []
    if additional:
        _, size, ttl, length = struct.unpack_from("!HHIH", data, at + 1)
        edns, at = {"size": size, "do": bool(ttl & 0x8000), "version": ttl >> 16 & 255}, at + 11
        end = at + length
        while at < end:
            code, length = struct.unpack_from("!HH", data, at)
            options.append((code, data[at + 4:at + 4 + length]))
            at += 4 + length
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes left over")
    return Question(id, flags, name, rdtype, klass, edns, options, len(data))


def question_section(data):
    """The Question section of a message with one question."""
    _, at = read_name(data, 12)
    return data[12:at + 4]


def frame(payload):
    return struct.pack("!H", len(payload)) + payload


def frames(buffer):
    """Removes the complete frames from a bytearray and returns their messages."""
    found = []
    while len(buffer) >= 2:
        length = buffer[0] << 8 | buffer[1]
        if len(buffer) < 2 + length:
            break
        found.append(bytes(buffer[2:2 + length]))
        del buffer[:2 + length]
    return found


def parse(data):
    """A dnspython message; trailing bytes are an error."""
    return dns.message.from_wire(data, one_rr_per_rrset=False)


def texts(response, section="answer"):
    """The records of a section as (name, type, data) texts, sorted; TTLs left out."""
    return sorted((rrset.name.to_text().lower(), dns.rdatatype.to_text(rrset.rdtype), record.to_text())
                  for rrset in getattr(response, section) for record in rrset)


def ttls(response, section="answer"):
    return [rrset.ttl for rrset in getattr(response, section)]


def addresses(response):
    return sorted(record.address for rrset in response.answer if rrset.rdtype in (1, 28) for record in rrset)


def extended_errors(response):
    """(code, text) of each extended DNS error of a response."""
    return [(option.data[0] << 8 | option.data[1], bytes(option.data[2:]).decode())
            if isinstance(option, dns.edns.GenericOption) else (int(option.code), option.text or "")
            for option in response.options if option.otype == EDE]


def option(response, code):
    """The data of an EDNS option of a response, or None."""
    for found in response.options:
        if found.otype == code:
            return found.to_wire()
    return None
