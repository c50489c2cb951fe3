# SPDX-License-Identifier: MIT
"""Twists: responses of a misbehaving server. Each takes (query, true response) and returns the messages to send instead."""
import random
import struct

import wire
import zone


def header(data, *, id=None, set=0, clear=0, rcode=None):
    """The message with a changed header."""
    old_id, flags = struct.unpack_from("!HH", data)
    flags = (flags | set) & ~clear
    if rcode is not None:
        flags = flags & ~15 | rcode
    return struct.pack("!HH", old_id if id is None else id, flags) + data[4:]


def wrong_id(query, truth):
    return [header(truth, id=query.question.id ^ 0x5555)]


def wrong_id_first(query, truth):
    return wrong_id(query, truth) + [truth]


def about(query, **different):
    """The true response to another query, with the id of this one."""
    question = query.question._replace(**different)
    data = wire.message(question.name, question.type, klass=question.klass, id=question.id)
    return zone.answer(question, data)


def wrong_name(query, truth):
    return [about(query, name="wrong." + query.name)]


def wrong_type(query, truth):
    return [about(query, type=zone.AAAA if query.type == zone.A else zone.A)]


def wrong_class(query, truth):
    return [about(query, klass=3)]


def no_question(query, truth):
    record = wire.rr(query.name, zone.A, b"\x0b\0\0\1")
    return [struct.pack("!6H", query.question.id, wire.QR | wire.RD | wire.RA, 0, 1, 0, 0) + record]


def question_twice(query, truth):
    section = wire.question_section(query.data)
    return [struct.pack("!6H", query.question.id, wire.QR | wire.RD | wire.RA, 2, 1, 0, 0) + section * 2 +
            wire.rr(query.name, zone.A, b"\x0b\0\0\1")]


def not_a_response(query, truth):
    return [header(truth, clear=wire.QR)]


def other_opcode(query, truth):
    return [header(truth, set=4 << 11)]


def echo(query, truth):
    return [query.data]


def duplicate(query, truth):
    return [truth] * 3


def unsolicited(query, truth):
    """Responses without a query come first, one of them with an id that may be used next."""
    other = query.question._replace(name="unasked.example", id=(query.question.id + 1) & 0xFFFF)
    data = wire.message(other.name, id=other.id)
    return [zone.answer(other, data), header(zone.answer(other, data), id=random.randrange(65536)), truth]


class swapped_ids:
    """Delays every other response and sends it together with the next one, with their ids swapped."""

    def __init__(self):
        self.delayed = None

    def __call__(self, query, truth):
        if self.delayed is None:
            self.delayed = truth
            return []
        first, self.delayed = self.delayed, None
        (one,), (two,) = struct.unpack_from("!H", first), struct.unpack_from("!H", truth)
        return [header(first, id=two), header(truth, id=one)]


def cut(query, truth):
    """The message ends within its first record; the frame is complete."""
    return [truth[:12 + len(wire.question_section(query.data)) + 8]]


def rcode(number):
    def twist(query, truth):
        section = wire.question_section(query.data)
        additional = [wire.opt()] if query.question.edns else []
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | number, question=section,
                             additional=additional)]
    return twist


def large_failure(query, truth):
    """SERVFAIL with more records than fit into a datagram."""
    return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | 2, question=wire.question_section(query.data),
                         authority=[wire.rr(query.name, "TXT", zone.text_of(5000))], additional=[wire.opt()])]


def failure_with(*codes):
    """SERVFAIL and extended errors."""
    def twist(query, truth):
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | 2,
                             question=wire.question_section(query.data),
                             additional=[wire.opt(options=[(wire.EDE, struct.pack("!H", code)) for code in codes])])]
    return twist


def refused_with(code):
    """REFUSED and an extended error."""
    def twist(query, truth):
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | 5,
                             question=wire.question_section(query.data),
                             additional=[wire.opt(options=[(wire.EDE, struct.pack("!H", code))])])]
    return twist


def truncated(query, truth):
    section = wire.question_section(query.data)
    return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | wire.TC, question=section,
                         additional=[wire.opt()] if query.question.edns else [])]


def no_edns(query, truth):
    """A server without EDNS: FORMERR without an OPT for every query that has one."""
    if not query.question.edns:
        return [truth]
    return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | 1,
                         question=wire.question_section(query.data))]


def refuses_opt(code, opt):
    """An error to each query with an OPT; with it comes no OPT, one of the server's own, that of the query, or not even the question."""
    def twist(query, truth):
        if not query.question.edns:
            return [truth]
        section = wire.question_section(query.data)
        additional = {"own": [wire.opt(rcode=code >> 4)], "echoed": [wire.opt(rcode=code >> 4, options=[(8, bytes(4))])]}.get(opt, [])
        bare = opt == "header only"
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | code & 15, question=b"" if bare else section,
                             additional=additional, **({"counts": (0, 0, 0, 0)} if bare else {}))]
    return twist


def understands_nothing(query, truth):
    """FORMERR without an OPT for every query."""
    return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | 1, question=wire.question_section(query.data))]


def bare_formerr(query, truth):
    return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | 1, question=b"", counts=(0, 0, 0, 0))]


def off_chain(query, truth):
    """The answer also has a record of a name that is not on the chain."""
    section = wire.question_section(query.data)
    return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA, question=section,
                         answers=[wire.rr(query.name, zone.A, b"\x0b\0\0\1"),
                                  wire.rr("victim.example", zone.A, b"\x0b\0\0\2")],
                         additional=[wire.rr("victim.example", zone.A, b"\x0b\0\0\2")])]


def only_off_chain(query, truth):
    section = wire.question_section(query.data)
    return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA, question=section,
                         answers=[wire.rr("victim.example", zone.A, b"\x0b\0\0\2")])]


def records(spec, name, ttl=300):
    """Records in wire format: "q>t" is a CNAME, "t=1" an address 11.0.0.1; q is the query's name, any other is one below it, or a name
    outside where it has a dot."""
    def full(label):
        return name if label == "q" else label if "." in label else f"{label}.{name}"
    for word in spec.split():
        if ">" in word:
            yield wire.rr(full(word.split(">")[0]), zone.CNAME, wire.name_wire(full(word.split(">")[1])), ttl)
        else:
            yield wire.rr(full(word.split("=")[0]), zone.A, bytes([11, 0, 0, int(word.split("=")[1])]), ttl)


def says(answers="", authority=(), additional="", *, rcode=0, ttl=300):
    """These records, whatever the type of the query; answers and additional as for records(), authority in wire format."""
    def twist(query, truth):
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | rcode,
                             question=wire.question_section(query.data), authority=authority,
                             answers=list(records(answers, query.name, ttl)), additional=[
                                 *records(additional, query.name, ttl), wire.opt()])]
    return twist


def referral(flags=0):
    """A server without recursion sends the name servers of a zone above the name, and no answer."""
    def twist(query, truth):
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | flags, question=wire.question_section(query.data),
                             authority=[wire.rr(query.name.split(".", 1)[1], "NS", wire.name_wire("ns.example"))], additional=[wire.opt()])]
    return twist


def ttl(number):
    """The right answer with any TTL, including invalid ones."""
    def twist(query, truth):
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA,
                             question=wire.question_section(query.data),
                             answers=[wire.rr(query.name, query.type, value, number)
                                      for value in zone.data(query.name, query.type, {})])]
    return twist


def pointer(at):
    return struct.pack("!H", 0xC000 | at)


A_RECORD = b"\0\1\0\1\0\0\1\x2c\0\4\x0b\0\0\1"  # behind its owner
OWNER = pointer(12)

# Malformed records by kind: function of their offset -> (bytes, ANCOUNT, ARCOUNT).
MALFORMED = {
    "pointer to itself": lambda at: (pointer(at) + A_RECORD, 1, 0),
    "pointer forward": lambda at: (pointer(at + 16) + A_RECORD + b"\1a\0" + A_RECORD, 2, 0),
    "two pointers in a loop": lambda at: (b"\1a" + pointer(at + 4) + pointer(at) + A_RECORD, 1, 0),
    "pointer beyond the end": lambda at: (pointer(0x3FFF) + A_RECORD, 1, 0),
    "pointer into the header": lambda at: (pointer(0) + A_RECORD, 1, 0),
    "label type 01": lambda at: (b"\x41a\0" + A_RECORD, 1, 0),
    "label type 10": lambda at: (b"\x81a\0" + A_RECORD, 1, 0),
    "name over 255": lambda at: ((b"\x3f" + b"a" * 63) * 4 + b"\0" + A_RECORD, 1, 0),
    "RDLENGTH beyond the end": lambda at: (OWNER + b"\0\1\0\1\0\0\1\x2c\1\0\x0b\0\0\1", 1, 0),
    "A of three bytes": lambda at: (OWNER + b"\0\1\0\1\0\0\1\x2c\0\3\x0b\0\0", 1, 0),
    "A of no bytes": lambda at: (OWNER + b"\0\1\0\1\0\0\1\x2c\0\0", 1, 0),
    "CNAME whose name ends early": lambda at: (OWNER + b"\0\5\0\1\0\0\1\x2c\0\5\1a\0\0\0", 1, 0),
    "CNAME to itself by pointer": lambda at: (OWNER + b"\0\5\0\1\0\0\1\x2c\0\2" + pointer(at + 12), 1, 0),
    "more records counted than there are": lambda at: (OWNER + A_RECORD, 5, 0),
    "65,535 records counted": lambda at: (OWNER + A_RECORD, 65535, 0),
    "OPT as an answer": lambda at: (OWNER + A_RECORD + wire.opt(), 2, 0),
    "half a record": lambda at: (OWNER + A_RECORD[:6], 1, 0),
    "no record": lambda at: (b"", 1, 0),
}

# The same for messages whose Answer section is readable: one address, 11.0.0.1.
READABLE = {
    "fewer records counted than there are": lambda at: (OWNER + A_RECORD + OWNER + A_RECORD, 1, 0),
    "two OPTs": lambda at: (OWNER + A_RECORD + wire.opt() + wire.opt(), 1, 2),
    "OPT of another owner": lambda at: (OWNER + A_RECORD + wire.opt(owner=OWNER), 1, 1),
    "OPT whose option is longer than it": lambda at: (
        OWNER + A_RECORD + b"\0\0\x29\4\xd0\0\0\0\0\0\4\0\x0f\0\xff", 1, 1),
    "additional record counted that is not there": lambda at: (OWNER + A_RECORD, 1, 1),
    "broken additional record": lambda at: (OWNER + A_RECORD + OWNER + b"\0\1\0\1\0\0\1\x2c\0\3\x0b\0\0", 1, 1),
    "468 bytes of zeros behind the answer": lambda at: (OWNER + A_RECORD + bytes(468), 1, 0),
}


def malformed(kind):
    def twist(query, truth):
        section = wire.question_section(query.data)
        body, answers, additional = {**MALFORMED, **READABLE}[kind](12 + len(section))
        return [struct.pack("!6H", query.question.id, wire.QR | wire.RD | wire.RA, 1, answers, 0, additional) +
                section + body]
    return twist


def pointer_chain(query, truth):
    """A valid response of 60,000 bytes, mostly pointers to pointers: expensive for a parser that follows each of them."""
    section = wire.question_section(query.data)
    at = 12 + len(section)
    chain = b"".join(pointer(12) if number == 0 else pointer(at + 12 + 2 * (number - 1)) for number in range(7000))
    records = OWNER + struct.pack("!HHIH", 65280, 1, 300, len(chain)) + chain
    last = pointer(at + 12 + 2 * 6999)
    count = 2500
    return [struct.pack("!6H", query.question.id, wire.QR | wire.RD | wire.RA, 1, 1 + count, 0, 0) + section + records +
            (last + A_RECORD) * count]


# Framings: wrong ways to put a message on the stream.
def length_zero(payload):
    return b"\0\0" + wire.frame(payload)


def length_short(payload):
    return struct.pack("!H", 7) + payload[:7]


def length_beyond(payload):
    return struct.pack("!H", len(payload) + 1000) + payload


def garbage(payload):
    return wire.frame(random.randbytes(len(payload)))


def flip_bit(connection, data):
    """Flips a bit of the ciphertext after the handshake."""
    if not connection.established or not connection.queries:
        return data
    return data[:-3] + bytes([data[-3] ^ 4]) + data[-2:]


def inject_cleartext(connection, data):
    """Inserts an unencrypted DNS response between the records."""
    if not connection.established or not connection.queries:
        return data
    return wire.frame(wire.message("cleartext.example", flags=wire.QR | wire.RD | wire.RA)) + data


def half_handshake(connection, data):
    return data[:len(data) // 2] if not connection.established else data


HTTP = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # fatal, handshake_failure
GARBAGE = bytes(range(255, -1, -1)) * 4
PLAIN_DNS = wire.frame(wire.message("cleartext.example", flags=wire.QR | wire.RD | wire.RA))
