/* SPDX-License-Identifier: MIT */
/* Framing: how messages are told apart in a stream of bytes.
 *
 * Does:    says where a message ends. On the wire a message is a *unit*: its header, if the framing has one, and
 *          itself.
 * Owns:    nothing; a framing is an immutable table.
 * Threads: any.
 * RFC:     1035 section 4.2.2 (dns).
 */
#ifndef DOTSTUB_NET_FRAMING_H
#define DOTSTUB_NET_FRAMING_H

#include "base/bytes.h"

struct framing {
    const char *name;
    size_t header; /* bytes in front of each message; 0: a message shows its own length */
    size_t max;    /* the longest message, without header */
    /* The length of the first unit in `bytes` if it is at most bytes.len. If more: the unit is not whole, and this is
     * how many bytes there must be at least before it is or before its length can be told. */
    size_t (*unit)(struct bytes bytes);
    /* Writes the header of a message of `len` bytes. NULL exactly when there is none. */
    void (*seal)(uint8_t *header, size_t len);
};

/* A 2-byte length before each message. */
extern const struct framing framing_dns;

#endif
