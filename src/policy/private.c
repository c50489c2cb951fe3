/* SPDX-License-Identifier: MIT */
/* The DS of private zones (forward with private: yes). Such a zone does not exist for the servers of its parent, whose proof of that would
 * make validating clients refuse the whole zone; so the query is answered here, with NODATA (RFC 4035 section 3.1.4.1).
 */
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/suffixes.h"
#include "local.h"
#include "policy/steps.h"

#define TTL 10800

/* The snapshot: the private zones. */
struct private_zones {
    struct suffix_table *table;
    size_t count;
    struct suffix suffixes[];
};

struct private
{
    const struct private_zones *zones; /* NULL only while the step is left out */
};

static void release(void *snapshot)
{
    struct private_zones *zones = snapshot;
    suffix_table_free(zones->table);
    mem_free(zones);
}

static size_t count_zones(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->forward_count; i++)
        count += config->forward[i].is_private ? config->forward[i].zone_count : 0;
    return count;
}

static int add_zones(struct private_zones *zones, const struct config *config, uint8_t (*names)[NAME_MAX_WIRE])
{
    for (size_t i = 0; i < config->forward_count; i++) {
        const struct config_route *route = &config->forward[i];
        for (size_t z = 0; route->is_private && z < route->zone_count; z++) {
            int len = name_from_text(names[zones->count], route->zones[z]);
            if (len < 0)
                return len;
            zones->suffixes[zones->count].name = names[zones->count];
            zones->count++;
        }
    }
    return suffix_table_new(&zones->table, zones->suffixes, zones->count);
}

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    size_t count = count_zones(config);
    (void)errors;
    if (count == 0)
        return 0;
    struct private_zones *zones = mem_zalloc(1, sizeof *zones + count * sizeof *zones->suffixes);
    uint8_t(*names)[NAME_MAX_WIRE] = mem_zalloc(count, sizeof *names);
    int status = zones && names ? add_zones(zones, config, names) : -ENOMEM;
    mem_free(names);
    if (status == 0)
        *snapshot = zones;
    else
        mem_free(zones);
    return status;
}

static bool wanted(const void *snapshot)
{
    return snapshot != NULL;
}

static int init(struct resolver *resolver, void **state)
{
    (void)resolver;
    *state = mem_zalloc(1, sizeof(struct private));
    return *state ? 0 : -ENOMEM;
}

static void configure(void *state, const void *snapshot)
{
    struct private *private = state;
    private->zones = snapshot;
}

static enum verdict run(struct query *query, void *state)
{
    const struct private *private = state;
    const struct key *key = &query->key;
    uint32_t value;
    size_t len;
    if (key->type != TYPE_DS || !suffix_table_find(private->zones->table, key->name, key->name_len, &value, &len) ||
        len != key->name_len)
        return NEXT;
    char apex[NAME_MAX_TEXT], text[NAME_MAX_TEXT + 64];
    snprintf(text, sizeof text, "%s nobody.invalid. 1 3600 1200 604800 %d", name_text(key->name, apex), TTL);
    const struct record_text soa = {apex, "SOA", TTL, text};
    return local_answer(query, RCODE_NOERROR, NULL, 0, &soa, 1);
}

const struct step step_private = {
    .name = "private",
    .prepare = prepare,
    .release = release,
    .wanted = wanted,
    .init = init,
    .configure = configure,
    .run = run,
    .fini = mem_free,
};
