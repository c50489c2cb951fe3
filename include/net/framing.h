/* SPDX-License-Identifier: MIT */
/* A framing: delimits the messages in a stream of bytes.
 *
 * Does:    says where a message ends. On the wire a message is a *unit*: the header, if the framing has one, and
 *          the message.
 * Owns:    nothing; a framing is an immutable table.
 * Threads: any.
 * RFC:     1035 section 4.2.2 (dns).
 */
#ifndef DOTSTUB_NET_FRAMING_H
#define DOTSTUB_NET_FRAMING_H

#include "base/bytes.h"

struct framing {
    const char *name;
    size_t header; /* bytes before each message; 0: the message itself contains its length */
    size_t max;    /* the longest message, without header */
    /* The length of the first unit in `bytes` if it is at most bytes.len. If more: the unit is incomplete, and this
     * number of bytes is needed at least to complete it or to know its length. */
    size_t (*unit)(struct bytes bytes);
    /* Writes the header of a message of `len` bytes. NULL if and only if `header` is 0. */
    void (*seal)(uint8_t *header, size_t len);
};

/* A 2-byte length before each message. */
extern const struct framing framing_dns;
/* No messages: the bytes as they come, for owners that delimit messages themselves. Each read is a unit. */
extern const struct framing framing_bytes;

#endif
