/* SPDX-License-Identifier: MIT */
/* Events: one log line for each change of state that an operator needs to know. A server answers for the first
 * time, fails, or answers again; the network or the clock changed; an upstream refuses queries under load.
 *
 * Invariant: no decision depends on an event. log_allowed limits events that a hostile network can cause; an event
 * that all workers see at the same moment is logged by one of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include "base/errors.h"
#include "dns/key.h"
#include "dns/name.h"
#include "dns/records.h"
#include "group.h"
#include "outages.h"

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

void event_failed(struct server *server, const char *what, int reason)
{
    char name[ADDR_TEXT + 256], since[64] = "", more[64] = "";
    uint64_t now_ms = loop_now(server->group->loop);
    unsigned others;
    notes_add_failure(&server->notes, now_ms, reason);
    if (!outages_note_failure(&server->addr, what, reason, now_ms, &others))
        return;
    if (failing_s(server) > 0)
        snprintf(since, sizeof since, " (for %" PRIu64 " s now)", failing_s(server));
    if (others > 0)
        snprintf(more, sizeof more, " and %u more server%s", others, others > 1 ? "s" : "");
    log_warning("upstream", "%s %s%s: %s%s", what, name_of(server, name), more, error_text(reason), since);
}

void event_answers(struct server *server)
{
    char name[ADDR_TEXT + 256];
    uint64_t failed_s = failing_s(server);
    notes_add_recovery(&server->notes);
    condition_note(&server->condition, CONDITION_ANSWERED, loop_now(server->group->loop));
    if (outages_note_recovery(&server->addr))
        log_info("upstream", "%s answers again after %" PRIu64 " s", name_of(server, name), failed_s);
}

void event_throttled(struct server *server)
{
    uint64_t suppressed;
    if (log_allowed(&server->budget->log_limit, loop_now(server->group->loop), &suppressed))
        log_warning("upstream", "%s refuses queries under load: limiting it to %u queries a second",
                    server->entry->name, (unsigned)server->budget->rate);
}

void event_machine(struct group *group, enum machine_event event)
{
    static const char *const sentences[] = {
        [EVENT_NETWORK] =
            "the network changed: replacing sessions whose route changed, dialling failed servers at once",
        [EVENT_SLEEP] = "the machine was suspended: replacing all sessions",
        [EVENT_CLOCK] = "the clock was set: dialling failed servers at once",
    };
    static struct log_shared_limit limits[sizeof sentences / sizeof *sentences];
    if (log_allowed_shared(&limits[event], loop_now(group->loop)))
        log_info("upstream", "%s", sentences[event]);
}

/* The first session is an event; one that replaces another is not. After a failure the first response is. */
void event_opened(const struct server *server, const char *words)
{
    char name[ADDR_TEXT + 256];
    const enum log_level level = server->notes.opened == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
    if (log_enabled(level, "upstream"))
        log_write(level, "upstream", "session to %s: %s", name_of(server, name), words);
}

void event_portal(const struct server *server, const struct key *key)
{
    char name[NAME_MAX_TEXT], type[TYPE_TEXT], address[ADDR_TEXT];
    counter_add(server->group->counters, COUNTER_portal_lookups, 1);
    log_info("upstream", "portal: %s %s was sent to %s without encryption", name_text(key->name, name),
             records_type_text(key->type, type), addr_format(&server->addr, true, address));
}
