/* SPDX-License-Identifier: MIT */
/* Invariant: servers of one upstream entry stand together, in the configuration's order; entries are told apart by their names,
 * which are unique. */
#include "health.h"
#include <stdio.h>
#include <string.h>
#include "base/errors.h"

/* At rest after it was of use: nothing is known against it. One that was never asked is no hope where another fails, since it would be
 * asked then. */
static bool is_usable(const struct server_report *server)
{
    return server->state == SERVER_OPEN || (server->state == SERVER_IDLE && server->opened > 0);
}

/* One entry's servers from `first` on: their number, the failure seen last, and whether any could be asked. */
struct entry_health {
    size_t count;
    const struct server_report *failed;
    bool usable;
};

static struct entry_health look(const struct gather_sum *sum, size_t first)
{
    struct entry_health health = {.count = 0};
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
    struct entry_health health;
    for (size_t i = 0; i < sum->server_count; i += health.count) {
        health = look(sum, i);
        if (health.usable || !health.failed)
            continue;
        char sentence[512], addr[ADDR_TEXT];
        snprintf(sentence, sizeof sentence, "upstream %s cannot be asked: %s: %s", health.failed->upstream,
                 addr_format(&health.failed->addr, true, addr), error_text(health.failed->last_error));
        tell(context, sentence);
        count++;
    }
    return count;
}
