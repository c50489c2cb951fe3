/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - at most one lookup of a host is under way; then its due_ms is UINT64_MAX;
 * - each item is freed by its reply; a reply of an earlier generation changes nothing else;
 * - a table is published after each change of a state, in the order of the changes. */
#include "bootstrap.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "hostfile.h"
#include "saved_state.h"

enum { MEMORY_RETRY_MS = 1000 };
#define UNDER_WAY UINT64_MAX

/* A lookup under way; holds copies, because the configuration may change meanwhile. */
struct asking {
    struct worker_host item;
    struct bootstrap *bootstrap;
    size_t index;
    unsigned generation;
    char host[BOOTSTRAP_NAME], group[sizeof(TEAM_BOOTSTRAP) + BOOTSTRAP_NAME];
};

/* A table on its way to a worker. */
struct telling {
    struct worker_known item;
    struct bootstrap *bootstrap;
};

static void schedule(struct bootstrap *bootstrap);

/* --- telling the workers --- */

/* A result is published again soon. */
static void note_untold(struct bootstrap *bootstrap)
{
    log_warning("upstream", "addresses of upstreams could not be changed: out of memory; trying again");
    bootstrap->untold = true;
    for (size_t i = 0; i < bootstrap->count; i++)
        if (bootstrap->states[i].due_ms != UNDER_WAY)
            bootstrap->states[i].due_ms = clock_ms() + MEMORY_RETRY_MS;
}

static void told(struct mailbox_item *item, void *reader)
{
    struct telling *telling = container_of(item, struct telling, item.reply);
    struct bootstrap *bootstrap = telling->bootstrap;
    (void)reader;
    if (telling->item.status < 0) {
        note_untold(bootstrap);
        schedule(bootstrap);
    }
    bootstrap_table_unref(telling->item.known);
    mem_free(telling);
}

static struct bootstrap_table *make_table(const struct bootstrap *bootstrap)
{
    struct bootstrap_table *table = bootstrap_table_new(bootstrap->count);
    for (size_t i = 0; table && i < bootstrap->count; i++) {
        const struct host_state *state = &bootstrap->states[i];
        struct bootstrap_entry *entry = &table->entries[i];
        snprintf(entry->upstream, sizeof entry->upstream, "%s", state->upstream);
        snprintf(entry->host, sizeof entry->host, "%s", state->host);
        entry->count = host_addresses(state, entry->addresses);
        entry->pending = state->phase == HOST_PENDING;
    }
    return table;
}

static void tell(struct bootstrap *bootstrap, struct worker *worker, struct bootstrap_table *table)
{
    struct telling *telling = mem_zalloc(1, sizeof *telling);
    if (!telling) {
        note_untold(bootstrap);
        return;
    }
    telling->bootstrap = bootstrap;
    telling->item.known = bootstrap_table_ref(table);
    telling->item.reply.open = told;
    worker_know(worker, &telling->item);
}

static void publish(struct bootstrap *bootstrap)
{
    struct bootstrap_table *table = make_table(bootstrap);
    bootstrap->untold = false;
    if (!table) {
        note_untold(bootstrap);
        return;
    }
    routing_know(bootstrap->routing, table);
    for (unsigned i = 0; i < bootstrap->worker_count; i++)
        tell(bootstrap, bootstrap->workers[i], table);
    bootstrap_table_unref(table);
}

/* --- lookups --- */

static void log_result(const struct host_state *state)
{
    struct addr addresses[CONFIG_HOST_ADDRESSES];
    char list[CONFIG_HOST_ADDRESSES * ADDR_TEXT] = "", text[ADDR_TEXT];
    size_t count = host_addresses(state, addresses), len = 0;
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "",
                                addr_format(&addresses[i], false, text));
    if (state->error == 0)
        log_info("upstream", "%s: the addresses of %s are %s", state->upstream, state->host, list);
    else
        log_warning("upstream", "%s: cannot look up %s: %s; %s", state->upstream, state->host, error_text(state->error),
                    count ? "its latest addresses stay in use" : "trying again");
}

static void save(const struct bootstrap *bootstrap)
{
    char path[PATH_MAX];
    if (saved_state_path(path, bootstrap->config, "hosts"))
        hostfile_write(path, bootstrap->states, bootstrap->count);
}

/* Removes addresses at which dotstub itself listens: queries would come back. */
static void drop_own(const struct config *config, struct host_half *half, const char *upstream)
{
    uint16_t port = 0;
    for (size_t i = 0; i < config->upstream_count; i++)
        if (strcmp(config->upstreams[i].name, upstream) == 0)
            port = config->upstreams[i].port;
    for (size_t i = half->count; i-- > 0;) {
        struct addr addr = half->addresses[i];
        addr_set_port(&addr, port);
        if (config_is_own(config, &addr))
            half->addresses[i] = half->addresses[--half->count];
    }
}

static void asked(struct mailbox_item *item, void *reader)
{
    struct asking *asking = container_of(item, struct asking, item.reply);
    struct bootstrap *bootstrap = asking->bootstrap;
    (void)reader;
    if (asking->generation == bootstrap->generation && !bootstrap->stopped) {
        struct host_state *state = &bootstrap->states[asking->index];
        int before = state->error;
        for (int family = 0; family < HOST_FAMILIES; family++)
            drop_own(bootstrap->config, &asking->item.lookup.halves[family], state->upstream);
        bool changed = host_note(state, &asking->item.lookup, clock_ms());
        if (changed || (state->error && !before))
            log_result(state);
        if (changed || bootstrap->untold)
            publish(bootstrap);
        if (changed && state->error == 0)
            save(bootstrap);
        schedule(bootstrap);
    }
    mem_free(asking);
}

static void ask(struct bootstrap *bootstrap, size_t index)
{
    struct host_state *state = &bootstrap->states[index];
    struct asking *asking = mem_zalloc(1, sizeof *asking);
    if (!asking) {
        state->due_ms = clock_ms() + MEMORY_RETRY_MS;
        return;
    }
    asking->bootstrap = bootstrap;
    asking->index = index;
    asking->generation = bootstrap->generation;
    snprintf(asking->host, sizeof asking->host, "%s", state->host);
    snprintf(asking->group, sizeof asking->group, TEAM_BOOTSTRAP "%s", state->upstream);
    asking->item.lookup.host = asking->host;
    asking->item.lookup.group = asking->group;
    asking->item.lookup.plain = state->plain;
    asking->item.reply.open = asked;
    state->due_ms = UNDER_WAY;
    worker_look_up(bootstrap->workers[0], &asking->item);
}

static void due(uv_timer_t *timer)
{
    struct bootstrap *bootstrap = container_of(timer, struct bootstrap, timer);
    for (size_t i = 0; i < bootstrap->count; i++)
        if (bootstrap->states[i].due_ms <= clock_ms())
            ask(bootstrap, i);
    schedule(bootstrap);
}

/* Starts the timer for the lookup that is due first. */
static void schedule(struct bootstrap *bootstrap)
{
    uint64_t first_ms = UNDER_WAY, now_ms = clock_ms();
    for (size_t i = 0; i < bootstrap->count; i++)
        if (bootstrap->states[i].due_ms < first_ms)
            first_ms = bootstrap->states[i].due_ms;
    uv_timer_stop(&bootstrap->timer);
    if (first_ms != UNDER_WAY && !bootstrap->stopped)
        uv_timer_start(&bootstrap->timer, due, first_ms > now_ms ? first_ms - now_ms : 0, 0);
}

/* --- start, changes, end --- */

int bootstrap_init(struct bootstrap *bootstrap, struct loop *loop)
{
    *bootstrap = (struct bootstrap){.count = 0};
    return uv_timer_init(&loop->uv, &bootstrap->timer);
}

static size_t count_hosts(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->upstream_count; i++)
        count += config->upstreams[i].host != NULL;
    return count;
}

/* The state of the same upstream and host in the previous configuration. */
static const struct host_state *find(const struct bootstrap *bootstrap, const struct config_upstream *upstream)
{
    for (size_t i = 0; i < bootstrap->count; i++)
        if (strcmp(bootstrap->states[i].upstream, upstream->name) == 0 &&
            strcmp(bootstrap->states[i].host, upstream->host) == 0)
            return &bootstrap->states[i];
    return NULL;
}

/* Each host that is new, or was being looked up, is due at once: the bootstrap may have changed. Without memory the
 * hosts of the configuration are pending until the next reload. */
static void take(struct bootstrap *bootstrap, struct config *config)
{
    size_t count = count_hosts(config), at = 0;
    struct host_state *states = mem_zalloc(count + 1, sizeof *states);
    for (size_t i = 0; states && i < config->upstream_count; i++) {
        const struct config_upstream *upstream = &config->upstreams[i];
        const struct host_state *before = upstream->host ? find(bootstrap, upstream) : NULL;
        if (!upstream->host)
            continue;
        struct host_state *state = &states[at++];
        if (before)
            *state = *before;
        state->upstream = upstream->name;
        state->host = upstream->host;
        state->plain = upstream->bootstrap_to != NULL;
        if (state->due_ms == UNDER_WAY || state->error)
            state->due_ms = 0;
    }
    if (!states)
        log_error("upstream", "addresses of hosts are not looked up: out of memory");
    mem_free(bootstrap->states);
    config_ref(config);
    config_unref(bootstrap->config);
    bootstrap->config = config;
    bootstrap->states = states;
    bootstrap->count = at;
    bootstrap->generation++;
}

void bootstrap_start(struct bootstrap *bootstrap, struct config *config, struct routing *routing,
                     struct worker *const *workers, unsigned count)
{
    char path[PATH_MAX];
    bootstrap->routing = routing;
    bootstrap->workers = workers;
    bootstrap->worker_count = count;
    take(bootstrap, config);
    if (bootstrap->count == 0)
        return;
    if (saved_state_path(path, config, "hosts"))
        hostfile_read(path, bootstrap->states, bootstrap->count);
    publish(bootstrap);
    schedule(bootstrap);
}

void bootstrap_configure(struct bootstrap *bootstrap, struct config *config)
{
    if (!bootstrap->routing || bootstrap->stopped)
        return;
    take(bootstrap, config);
    schedule(bootstrap);
}

void bootstrap_network_changed(struct bootstrap *bootstrap)
{
    for (size_t i = 0; i < bootstrap->count; i++) {
        struct host_state *state = &bootstrap->states[i];
        if (state->error == 0 || state->due_ms == UNDER_WAY)
            continue;
        state->failures = 0;
        state->due_ms = clock_ms();
    }
    schedule(bootstrap);
}

size_t bootstrap_report(const struct bootstrap *bootstrap, struct host_report *out, size_t room)
{
    size_t count = bootstrap->count < room ? bootstrap->count : room;
    for (size_t i = 0; i < count; i++) {
        const struct host_state *state = &bootstrap->states[i];
        out[i] = (struct host_report){.upstream = state->upstream,
                                      .host = state->host,
                                      .plain = state->plain,
                                      .resolved_ms = state->resolved_ms,
                                      .due_ms = state->due_ms == UNDER_WAY ? 0 : state->due_ms,
                                      .error = state->error};
        out[i].count = host_addresses(state, out[i].addresses);
    }
    return count;
}

void bootstrap_stop(struct bootstrap *bootstrap)
{
    bootstrap->stopped = true;
    uv_timer_stop(&bootstrap->timer);
}

void bootstrap_close(struct bootstrap *bootstrap)
{
    uv_close((uv_handle_t *)&bootstrap->timer, NULL);
}

void bootstrap_fini(struct bootstrap *bootstrap)
{
    mem_free(bootstrap->states);
    config_unref(bootstrap->config);
}
