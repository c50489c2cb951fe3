/* SPDX-License-Identifier: MIT */
/* Messages for tests, written front to back, with any mistakes that a test needs. */
#ifndef DOTSTUB_TESTS_WIRE_H
#define DOTSTUB_TESTS_WIRE_H

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "dns/message.h"

struct wire {
    uint8_t data[MESSAGE_MAX + 1];
    size_t len;
};

#define QUERY_FLAGS  FLAG_RD
#define ANSWER_FLAGS (FLAG_QR | FLAG_RD | FLAG_RA)
#define AT_QUESTION  "\300\014" /* a pointer to the name of the question */

static inline void wire_raw(struct wire *wire, const void *data, size_t len)
{
    assert(wire->len + len <= sizeof(wire->data));
    memcpy(wire->data + wire->len, data, len);
    wire->len += len;
}
/* A string literal's bytes without its NUL. */
#define wire_literal(wire, literal) wire_raw(wire, literal, sizeof(literal) - 1)

static inline void wire_u8(struct wire *wire, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    wire_raw(wire, &byte, 1);
}

static inline void wire_u16(struct wire *wire, unsigned value)
{
    wire_u8(wire, value >> 8);
    wire_u8(wire, value & 0xFF);
}

static inline void wire_u32(struct wire *wire, uint32_t value)
{
    wire_u16(wire, value >> 16);
    wire_u16(wire, value & 0xFFFF);
}

static inline void wire_header(struct wire *wire, unsigned flags, unsigned questions, unsigned answers,
                               unsigned authorities, unsigned additionals)
{
    wire->len = 0;
    wire_u16(wire, 0x1234);
    wire_u16(wire, flags);
    wire_u16(wire, questions);
    wire_u16(wire, answers);
    wire_u16(wire, authorities);
    wire_u16(wire, additionals);
}

/* "www.example.com"; "" is the root. */
static inline void wire_name(struct wire *wire, const char *name)
{
    while (*name) {
        size_t label = strcspn(name, ".");
        wire_u8(wire, (unsigned)label);
        wire_raw(wire, name, label);
        name += label + (name[label] == '.');
    }
    wire_u8(wire, 0);
}

static inline void wire_pointer(struct wire *wire, size_t target)
{
    wire_u16(wire, 0xC000u | (unsigned)target);
}

static inline void wire_question(struct wire *wire, const char *name, unsigned type)
{
    wire_name(wire, name);
    wire_u16(wire, type);
    wire_u16(wire, 1);
}

/* The part of a record between its owner and its data. */
static inline void wire_fixed(struct wire *wire, unsigned type, uint32_t ttl, size_t rdlength)
{
    wire_u16(wire, type);
    wire_u16(wire, 1);
    wire_u32(wire, ttl);
    wire_u16(wire, (unsigned)rdlength);
}

/* A record whose owner is the name of the query. */
static inline void wire_record(struct wire *wire, unsigned type, uint32_t ttl, const void *rdata, size_t rdlength)
{
    wire_literal(wire, AT_QUESTION);
    wire_fixed(wire, type, ttl, rdlength);
    wire_raw(wire, rdata, rdlength);
}

static inline void wire_a(struct wire *wire, uint32_t ttl)
{
    wire_record(wire, 1, ttl, "\300\000\002\001", 4);
}

/* `ttl` is upper rcode, version and flags. */
static inline void wire_opt(struct wire *wire, unsigned udp_size, uint32_t ttl, const void *options, size_t len)
{
    wire_u8(wire, 0);
    wire_u16(wire, 41);
    wire_u16(wire, udp_size);
    wire_u32(wire, ttl);
    wire_u16(wire, (unsigned)len);
    wire_raw(wire, options, len);
}

static inline struct bytes wire_bytes(const struct wire *wire)
{
    return (struct bytes){wire->data, wire->len};
}

#endif
