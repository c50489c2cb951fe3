/* SPDX-License-Identifier: MIT */
/* The PROXY protocol, version 2: a balancer names its client in a header before the first byte of a connection, or at
 * the start of each datagram.
 *
 * Does:    says which listeners require the header and which peers may send it; reads it. A header is never guessed:
 *          on such a listener everything without one is refused, on others a header is a malformed query.
 * Owns:    nothing.
 * Threads: any.
 */
#ifndef DOTSTUB_LISTEN_PROXY_H
#define DOTSTUB_LISTEN_PROXY_H

#include "base/bytes.h"
#include "base/log.h"
#include "config/config.h"
#include "resolve/context.h"

enum {
    PROXY_HEADER = 16, /* bytes before the addresses */
    PROXY_MAX = 4096,  /* the longest header with all its fields that is accepted */
};

enum proxy_use {
    PROXY_OFF,    /* queries come without a header */
    PROXY_ON,     /* each connection or datagram begins with one */
    PROXY_REFUSE, /* headers over UDP, but the address is not declared private: nothing is answered */
};

/* The use at the listener of this address; `type` is that of its socket. */
enum proxy_use proxy_use(const struct config *config, const struct addr *listener, int type);

/* True if the peer is one of proxy-protocol.from. */
static inline bool proxy_is_trusted(const struct config *config, const struct addr *peer)
{
    return prefixes_hold(config->proxy_protocol.from, config->proxy_protocol.from_count, peer);
}

/* Reads the header at the start of the bytes. Returns its length, and changes *client to the address that it names, if
 * it names one: the connection checks of a balancer (LOCAL) are its own. 0: the bytes end before the header does;
 * -EBADMSG: not a header, or one that names a client of another family than IPv4 and IPv6, or longer than PROXY_MAX. */
int proxy_read(struct bytes bytes, struct addr *client) MUST_CHECK;

enum proxy_refusal { PROXY_NO_BALANCER, PROXY_NO_HEADER, PROXY_NOT_PRIVATE, PROXY_REFUSALS };

/* Limits of the log lines, one for each reason. */
struct proxy_refusals {
    struct log_limit limit[PROXY_REFUSALS];
};

/* Counts and logs that a peer was refused. */
void proxy_refused(struct resolver *resolver, struct proxy_refusals *refusals, const struct addr *peer,
                   enum proxy_refusal why);

#endif
