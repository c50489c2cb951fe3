/* SPDX-License-Identifier: MIT */
#include "presence.h"
#include <arpa/inet.h>
#include <string.h>
#include "dns/codes.h"
#include "dns/presence.h"
#include "local.h"

static const uint8_t suffix[] = "\10presence\7dotstub\4test";

bool presence_is_asked(const struct key *key)
{
    const uint8_t *label = key->name;
    if (key->name_len != 1 + PRESENCE_DIGITS + sizeof suffix || *label != PRESENCE_DIGITS ||
        memcmp(label + 1 + PRESENCE_DIGITS, suffix, sizeof suffix) != 0)
        return false;
    for (unsigned i = 1; i <= PRESENCE_DIGITS; i++)
        if (!memchr("0123456789abcdef", label[i], 16))
            return false;
    return true;
}

static uint16_t number_of(const struct key *key)
{
    unsigned number = 0;
    for (unsigned i = 1; i <= PRESENCE_DIGITS; i++) {
        uint8_t digit = key->name[i];
        number = number << 4 | (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return (uint16_t)number;
}

/* TTL 0: a cache between dotstub and the client must not answer the next check. */
enum verdict presence_answer(struct query *query)
{
    const struct in_addr address = {htonl(presence_address(number_of(&query->key)))};
    char text[INET_ADDRSTRLEN];
    const struct record_text record = {NULL, "A", 0, inet_ntop(AF_INET, &address, text, sizeof text)};
    return local_answer(query, RCODE_NOERROR, &record, query->key.type == TYPE_A, NULL, 0);
}
