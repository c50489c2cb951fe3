/* SPDX-License-Identifier: MIT */
#include "proxy.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "resolve/resolver.h"

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum {
    AT_COMMAND = sizeof signature, /* version and command */
    AT_FAMILY = 13,                /* address family and transport */
    AT_LENGTH = 14,
    LOCAL = 0x20,
    PROXY = 0x21,
    FAMILY_INET = 0x1,
    FAMILY_INET6 = 0x2,
    INET_BLOCK = 12,  /* two addresses, two ports */
    INET6_BLOCK = 36, /* the same */
};

/* --- which listeners --- */

enum proxy_use proxy_use(const struct config *config, const struct addr *listener, int type)
{
    if (!config_proxy_requires(config, listener))
        return PROXY_OFF;
    if (type == SOCK_STREAM || config_proxy_is_private(config, listener))
        return PROXY_ON;
    return PROXY_REFUSE;
}

/* --- the header --- */

/* The source address of the block; the destination and other fields are of no use here. */
static int read_source(const uint8_t *block, size_t len, unsigned family, struct addr *client)
{
    if (family == FAMILY_INET && len >= INET_BLOCK) {
        *client = (struct addr){.in = {.sin_family = AF_INET}};
        memcpy(&client->in.sin_addr, block, 4);
        memcpy(&client->in.sin_port, block + 8, 2);
    } else if (family == FAMILY_INET6 && len >= INET6_BLOCK) {
        *client = (struct addr){.in6 = {.sin6_family = AF_INET6}};
        memcpy(&client->in6.sin6_addr, block, 16);
        memcpy(&client->in6.sin6_port, block + 32, 2);
    } else {
        return -EBADMSG;
    }
    return 0;
}

int proxy_read(struct bytes bytes, struct addr *client)
{
    size_t shown = bytes.len < sizeof signature ? bytes.len : sizeof signature;
    if (shown > 0 && memcmp(bytes.data, signature, shown) != 0)
        return -EBADMSG;
    if (bytes.len < PROXY_HEADER)
        return 0;
    uint8_t command = bytes.data[AT_COMMAND];
    unsigned transport = bytes.data[AT_FAMILY] & 0x0f, family = bytes.data[AT_FAMILY] >> 4;
    size_t len = read_u16(bytes.data + AT_LENGTH);
    if ((command != LOCAL && command != PROXY) || PROXY_HEADER + len > PROXY_MAX)
        return -EBADMSG;
    if (bytes.len - PROXY_HEADER < len)
        return 0;
    if (command == PROXY &&
        ((transport != 1 && transport != 2) || read_source(bytes.data + PROXY_HEADER, len, family, client) < 0))
        return -EBADMSG;
    return (int)(PROXY_HEADER + len);
}

/* --- refusals --- */

void proxy_refused(struct resolver *resolver, struct proxy_refusals *refusals, const struct addr *peer,
                   enum proxy_refusal why)
{
    static const char *const sentences[] = {
        [PROXY_NO_BALANCER] = "is not in proxy-protocol.from, so this listener does not answer it",
        [PROXY_NO_HEADER] = "sent no valid header; make the balancer send PROXY protocol v2, before TLS",
        [PROXY_NOT_PRIVATE] = "gets no answer over UDP until a restart: this address is not in proxy-protocol.private",
    };
    char text[ADDR_TEXT];
    uint64_t suppressed;
    counter_add(resolver->counters, COUNTER_proxy_refused, 1);
    if (log_allowed(&refusals->limit[why], loop_now(resolver->loop), &suppressed))
        log_warning("worker", "PROXY v2: %s %s", addr_format(peer, false, text), sentences[why]);
}
