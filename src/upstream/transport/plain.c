/* SPDX-License-Identifier: MIT */
#include "plain.h"

#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/suffixes.h"

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

static int make_apex(struct key *out, const char *zone)
{
    int len = name_from_text(out->name, zone);
    if (len < 0)
        return len;
    out->name_len = (uint8_t)len;
    out->type = TYPE_SOA;
    out->class = CLASS_IN;
    return 0;
}

int plain_prepare(struct server *server, struct tls_trust *trust)
{
    const struct config_upstream *entry = server->entry;
    struct plain *plain = mem_zalloc(1, sizeof *plain);
    (void)trust;
    if (!plain)
        return -ENOMEM;
    server->transport_state = plain;
    int status = make_zones(&plain->zones, entry->plain_zones, entry->plain_zone_count);
    if (status >= 0)
        status = make_apex(&plain->apex, entry->plain_zones[0]);
    if (status >= 0)
        status = table_init(&plain->asked, 16);
    if (status < 0)
        plain_discard(server);
    return status < 0 ? status : 0;
}

void plain_discard(struct server *server)
{
    struct plain *plain = plain_of(server);
    if (!plain)
        return;
    table_fini(&plain->asked);
    suffix_table_free(plain->zones);
    mem_free(plain);
    server->transport_state = NULL;
}

bool plain_same(const struct server *a, const struct server *b)
{
    if (a->entry->plain_zone_count != b->entry->plain_zone_count)
        return false;
    for (size_t i = 0; i < a->entry->plain_zone_count; i++)
        if (strcmp(a->entry->plain_zones[i], b->entry->plain_zones[i]) != 0)
            return false;
    return true;
}

bool plain_carries(const struct server *server, const struct key *key)
{
    uint32_t value;
    size_t len;
    return suffix_table_find(plain_of(server)->zones, key->name, key->name_len, &value, &len) &&
           (!server->entry->plain_exact || len == key->name_len);
}
