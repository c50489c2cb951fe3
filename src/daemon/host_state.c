/* SPDX-License-Identifier: MIT */
#include "host_state.h"
#include <string.h>
#include "base/errors.h"

static size_t total(const struct host_state *state)
{
    return state->counts[HOST_V4] + state->counts[HOST_V6];
}

static bool has(const struct addr *list, size_t count, const struct addr *addr)
{
    for (size_t i = 0; i < count; i++)
        if (addr_equal(&list[i], addr))
            return true;
    return false;
}

/* The order of addresses does not matter: servers rotate them. True: the set has changed. */
static bool replace(struct host_state *state, int family, const struct host_half *half)
{
    bool same = state->counts[family] == half->count;
    for (size_t i = 0; same && i < half->count; i++)
        same = has(state->addresses[family], state->counts[family], &half->addresses[i]);
    if (same)
        return false;
    memcpy(state->addresses[family], half->addresses, half->count * sizeof *half->addresses);
    state->counts[family] = half->count;
    return true;
}

static bool note_failure(struct host_state *state, int error, uint64_t now_ms)
{
    uint64_t wait_ms = state->failures < 6 ? (uint64_t)HOST_RETRY_MIN << state->failures : HOST_RETRY_MAX;
    bool changed = state->phase == HOST_PENDING;
    state->failures++;
    state->error = error;
    state->due_ms = now_ms + (wait_ms < HOST_RETRY_MAX ? wait_ms : HOST_RETRY_MAX);
    if (changed)
        state->phase = HOST_FAILED;
    return changed;
}

/* In ms, before the TTL ends; early if one family is unknown. */
static uint64_t next_after(const struct host_lookup *lookup)
{
    uint64_t ttl = HOST_TTL_MAX;
    for (int family = 0; family < HOST_FAMILIES; family++) {
        const struct host_half *half = &lookup->halves[family];
        uint64_t its = half->status < 0 ? HOST_TTL_MIN : half->count > 0 ? half->ttl : HOST_TTL_MAX;
        if (its < ttl)
            ttl = its;
    }
    return (ttl > HOST_TTL_MIN ? ttl : HOST_TTL_MIN) * 900;
}

bool host_note(struct host_state *state, const struct host_lookup *lookup, uint64_t now_ms)
{
    size_t found = lookup->halves[HOST_V4].count + lookup->halves[HOST_V6].count;
    int status = lookup->halves[HOST_V4].status ? lookup->halves[HOST_V4].status : lookup->halves[HOST_V6].status;
    if (found == 0)
        return note_failure(state, status ? status : ERROR_NO_ADDRESS, now_ms);
    bool changed = state->phase != HOST_KNOWN;
    for (int family = 0; family < HOST_FAMILIES; family++)
        if (lookup->halves[family].status == 0)
            changed |= replace(state, family, &lookup->halves[family]);
    state->phase = HOST_KNOWN;
    state->failures = 0;
    state->error = 0;
    state->resolved_ms = now_ms;
    state->due_ms = now_ms + next_after(lookup);
    return changed;
}

void host_restore(struct host_state *state, const struct addr *addr)
{
    int family = addr->sa.sa_family == AF_INET ? HOST_V4 : HOST_V6;
    size_t *count = &state->counts[family];
    if (!host_address_is_usable(addr) || *count == CONFIG_HOST_EACH || has(state->addresses[family], *count, addr))
        return;
    state->addresses[family][(*count)++] = *addr;
    state->phase = HOST_KNOWN;
}

size_t host_addresses(const struct host_state *state, struct addr out[CONFIG_HOST_ADDRESSES])
{
    memcpy(out, state->addresses[HOST_V4], state->counts[HOST_V4] * sizeof *out);
    memcpy(out + state->counts[HOST_V4], state->addresses[HOST_V6], state->counts[HOST_V6] * sizeof *out);
    return total(state);
}
