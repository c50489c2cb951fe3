/* SPDX-License-Identifier: MIT */
/* The names with which dotstubctl detects a running dotstub.
 *
 * Does:    XXXX.presence.dotstub.test, with four hexadecimal digits of the client's choice, has one address, which
 *          is computed from the digits. `test` does not exist in the root (RFC 6761 section 6.2), so any other
 *          resolver responds NXDOMAIN.
 * Threads: any.
 */
#ifndef DOTSTUB_DNS_PRESENCE_H
#define DOTSTUB_DNS_PRESENCE_H

#include <stdint.h>
#include <stdio.h>

#define PRESENCE_SUFFIX "presence.dotstub.test."

enum { PRESENCE_DIGITS = 4, PRESENCE_TEXT = 32 };

/* The name with this number. */
static inline const char *presence_name(uint16_t number, char out[PRESENCE_TEXT])
{
    snprintf(out, PRESENCE_TEXT, "%04x." PRESENCE_SUFFIX, number);
    return out;
}

/* Its address, in host byte order: within 198.18.0.0/15, which no host has (RFC 2544) and which filters of private
 * addresses pass. */
static inline uint32_t presence_address(uint16_t number)
{
    return UINT32_C(0xC6120000) | number;
}

#endif
