/* SPDX-License-Identifier: MIT */
/* Relies on: the servers of one upstream are adjacent, in the configuration's order, and upstream names are unique. */
#include "health.h"
#include <stdio.h>
#include <string.h>
#include "base/errors.h"

/* An idle server that was used before is presumed to work. An idle server that was never used is not: if another server
 * of its upstream fails, it would have been dialed already. */
static bool is_usable(const struct server_report *server)
{
    return server->state == SERVER_OPEN || (server->state == SERVER_IDLE && server->opened > 0);
}

/* The servers of one upstream: their number, the one that failed last, and whether any is usable. */
struct upstream_health {
    size_t count;
    const struct server_report *failed;
    bool usable;
};

static struct upstream_health look(const struct gather_sum *sum, size_t first)
{
    struct upstream_health health = {.count = 0};
    const char *name = sum->servers[first].upstream;
    for (size_t i = first; i < sum->server_count && strcmp(sum->servers[i].upstream, name) == 0; i++, health.count++) {
        const struct server_report *server = &sum->servers[i];
        health.usable |= is_usable(server);
        if (server->state == SERVER_FAILING && (!health.failed || server->failed_ms > health.failed->failed_ms))
            health.failed = server;
    }
    return health;
}

unsigned health_each(const struct gather_sum *sum, void (*tell)(void *context, const char *sentence), void *context)
{
    unsigned count = 0;
    struct upstream_health health;
    for (size_t i = 0; i < sum->server_count; i += health.count) {
        health = look(sum, i);
        if (health.usable || !health.failed)
            continue;
        char sentence[512], addr[ADDR_TEXT];
        snprintf(sentence, sizeof sentence, "upstream %s is unreachable: %s: %s", health.failed->upstream,
                 addr_format(&health.failed->addr, true, addr), error_text(health.failed->last_error));
        tell(context, sentence);
        count++;
    }
    return count;
}
