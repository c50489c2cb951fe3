/* SPDX-License-Identifier: MIT */
/* One line for each change of state that an operator asks for in the night: a server is there, fails, and answers again; the network or the clock
 * is another; an upstream asks for less.
 *
 * Invariant: what is told here serves no decision. Nothing that a network can cause at will is told more often than log_allowed lets it; what
 * all workers see at the same moment is told by one of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include "base/errors.h"
#include "group.h"

static const char *name_of(const struct server *server, char text[ADDR_TEXT + 256])
{
    char addr[ADDR_TEXT];
    snprintf(text, ADDR_TEXT + 256, "%.254s %s", server->entry->name, addr_format(&server->addr, true, addr));
    return text;
}

static uint64_t failing_s(const struct server *server)
{
    return (loop_now(server->group->loop) - server->notes.failing_since_ms) / 1000;
}

void news_failed(struct server *server, const char *what, int reason)
{
    char name[ADDR_TEXT + 256], since[64] = "";
    if (!notes_add_failure(&server->notes, loop_now(server->group->loop), reason))
        return;
    if (failing_s(server) > 0)
        snprintf(since, sizeof since, " (for %" PRIu64 " s now)", failing_s(server));
    log_warning("upstream", "%s %s: %s%s", what, name_of(server, name), error_text(reason), since);
}

void news_answers(struct server *server)
{
    char name[ADDR_TEXT + 256];
    uint64_t failed_s = failing_s(server);
    if (notes_add_recovery(&server->notes))
        log_info("upstream", "%s answers again after %" PRIu64 " s", name_of(server, name), failed_s);
}

void news_throttled(struct server *server)
{
    uint64_t suppressed;
    if (log_allowed(&server->budget->log_limit, loop_now(server->group->loop), &suppressed))
        log_warning("upstream", "%s refuses under load: it is asked %u questions a second at most for now",
                    server->entry->name, (unsigned)server->budget->rate);
}

/* All workers are told of it at once. */
void news_of_machine(struct group *group, enum machine_news news)
{
    static const char *const sentences[] = {
        [NEWS_NETWORK] =
            "the network changed: sessions whose way is another now are opened anew, servers that failed are tried at once",
        [NEWS_SLEEP] = "the machine slept: all sessions are opened anew",
        [NEWS_CLOCK] = "the clock was set: servers that failed are tried at once",
    };
    static struct log_shared_limit limits[sizeof sentences / sizeof *sentences];
    if (log_allowed_shared(&limits[news], loop_now(group->loop)))
        log_info("upstream", "%s", sentences[news]);
}

/* The first one, and the first after a failure; a session that follows one that rested too long is none. */
void news_opened(const struct server *server, const char *words)
{
    char name[ADDR_TEXT + 256];
    const bool is_news = server->notes.opened == 0 || server->notes.told_failing;
    const enum log_level level = is_news ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
    if (log_enabled(level, "upstream"))
        log_write(level, "upstream", "session to %s: %s", name_of(server, name), words);
}
