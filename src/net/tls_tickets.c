/* SPDX-License-Identifier: MIT */
/* Invariants: item[0 .. count) hold tickets, oldest first; a ticket leaves the store when it is taken, so it is
 * used once. */
#include "net/tls.h"

#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "tls_private.h"

void tls_tickets_clear(struct tls_tickets *tickets)
{
    for (unsigned i = 0; i < tickets->count; i++)
        mem_free(tickets->item[i].data);
    *tickets = (struct tls_tickets){0};
}

void tls_tickets_drop_linkable(struct tls_tickets *tickets)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < tickets->count; i++) {
        if (tickets->item[i].tls13)
            tickets->item[kept++] = tickets->item[i];
        else
            mem_free(tickets->item[i].data);
    }
    tickets->count = kept;
}

static void drop_oldest(struct tls_tickets *tickets)
{
    mem_free(tickets->item[0].data);
    tickets->count--;
    memmove(&tickets->item[0], &tickets->item[1], tickets->count * sizeof tickets->item[0]);
}

void tls_tickets_put(struct tls_tickets *tickets, const void *data, size_t len, uint64_t expires_ms, bool tls13)
{
    uint8_t *copy = mem_alloc(len);
    if (!copy)
        return;
    memcpy(copy, data, len);
    if (tickets->count == TLS_TICKETS)
        drop_oldest(tickets);
    tickets->item[tickets->count].data = copy;
    tickets->item[tickets->count].len = len;
    tickets->item[tickets->count].expires_ms = expires_ms;
    tickets->item[tickets->count].tls13 = tls13;
    tickets->count++;
}

uint8_t *tls_tickets_take(struct tls_tickets *tickets, size_t *len, uint64_t *expires_ms)
{
    uint64_t now_ms = clock_ms();
    while (tickets->count > 0) {
        unsigned last = --tickets->count;
        uint8_t *data = tickets->item[last].data;
        tickets->item[last].data = NULL;
        if (tickets->item[last].expires_ms > now_ms) {
            *len = tickets->item[last].len;
            *expires_ms = tickets->item[last].expires_ms;
            return data;
        }
        mem_free(data);
    }
    return NULL;
}
