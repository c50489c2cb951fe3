/* SPDX-License-Identifier: MIT */
/* Plain DNS over TCP, for the zones of a route that says plain: yes.
 *
 * Invariant: a server carries only names in the zones of its route. It has its own table of them, so that no mistake in the choice of a
 * group can send another name without encryption. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "dns/key.h"
#include "dns/suffixes.h"
#include "session.h"

static int make_zones(struct suffix_table **out, char *const *texts, size_t count)
{
    struct suffix *suffixes = mem_zalloc(count + 1, sizeof *suffixes);
    uint8_t(*names)[NAME_MAX_WIRE] = mem_zalloc(count + 1, sizeof *names);
    int status = suffixes && names ? 0 : -ENOMEM;
    for (size_t i = 0; status >= 0 && i < count; i++) {
        status = name_from_text(names[i], texts[i]);
        suffixes[i].name = names[i];
    }
    if (status >= 0)
        status = suffix_table_new(out, suffixes, count);
    mem_free(suffixes);
    mem_free(names);
    return status;
}

static int tcp_prepare(struct server *server, struct tls_trust *trust)
{
    struct suffix_table *zones = NULL;
    (void)trust;
    int status = make_zones(&zones, server->entry->plain_zones, server->entry->plain_zone_count);
    server->transport_state = zones;
    return status;
}

static void tcp_discard(struct server *server)
{
    suffix_table_free(server->transport_state);
}

static bool tcp_same(const struct server *a, const struct server *b)
{
    if (a->entry->plain_zone_count != b->entry->plain_zone_count)
        return false;
    for (size_t i = 0; i < a->entry->plain_zone_count; i++)
        if (strcmp(a->entry->plain_zones[i], b->entry->plain_zones[i]) != 0)
            return false;
    return true;
}

static bool tcp_carries(const struct server *server, const struct key *key)
{
    uint32_t value;
    size_t len;
    return suffix_table_find(server->transport_state, key->name, key->name_len, &value, &len) &&
           (!server->entry->plain_exact || len == key->name_len);
}

static int tcp_start(struct server *server)
{
    const struct stream_form form = {.framing = &framing_dns,
                                     .layer = &byte_layer_plain,
                                     .interface = server->entry->interface,
                                     .mark = server->entry->fwmark};
    return session_dial(server, &form, 0);
}

static void tcp_opened(struct session *session, char words[TRANSPORT_TEXT])
{
    (void)session;
    snprintf(words, TRANSPORT_TEXT, "plain TCP");
}

const struct transport transport_tcp = {
    .name = "tcp",
    .port = 53,
    .tap = TAP_TCP,
    .prepare = tcp_prepare,
    .discard = tcp_discard,
    .same = tcp_same,
    .carries = tcp_carries,
    .start = tcp_start,
    .submit = session_take,
    .cancel = session_forget,
    .flush = session_flush,
    .tick = session_check,
    .stop = session_close,
    .usable = session_is_usable,
    .connected_ms = session_connected_ms,
    .local = session_local,
    .acknowledged = session_is_acknowledged,
    .opened = tcp_opened,
};
