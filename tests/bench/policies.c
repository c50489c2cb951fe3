/* SPDX-License-Identifier: MIT */
/* Invariants: a name is in at most one list, the one its node names; a list's `count` is the number of nodes that name it. */
#include "policies.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define NOBODY UINT32_MAX

void *policy_memory(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) {
        perror("hitratio");
        exit(2);
    }
    return memory;
}

/* --- names in lists --- */

enum where { NOWHERE, MAIN, SMALL, GHOST, LISTS };

struct node {
    uint32_t newer, older; /* in its list */
    uint32_t born;
    uint8_t where, hits;
};

struct list {
    uint32_t newest, oldest, count;
};

struct state {
    const struct trace *trace;
    uint32_t capacity, now;
    struct node *nodes; /* by name */
    struct list lists[LISTS];
    uint32_t hand; /* SIEVE's: the node that it examines next */
};

static void take_out(struct state *state, uint32_t name)
{
    struct node *node = &state->nodes[name];
    struct list *list = &state->lists[node->where];
    *(node->newer == NOBODY ? &list->newest : &state->nodes[node->newer].older) = node->older;
    *(node->older == NOBODY ? &list->oldest : &state->nodes[node->older].newer) = node->newer;
    list->count--;
    node->where = NOWHERE;
}

static void put_newest(struct state *state, uint32_t name, enum where where)
{
    struct node *node = &state->nodes[name];
    struct list *list = &state->lists[where];
    node->older = list->newest;
    node->newer = NOBODY;
    node->where = (uint8_t)where;
    *(list->newest == NOBODY ? &list->oldest : &state->nodes[list->newest].newer) = name;
    list->newest = name;
    list->count++;
}

static bool is_fresh(const struct state *state, uint32_t name)
{
    return state->now - state->nodes[name].born < state->trace->ttl[name];
}

/* A request for a stored name: true if it was fresh; otherwise renews it. */
static bool renew(struct state *state, uint32_t name)
{
    bool fresh = is_fresh(state, name);
    if (!fresh)
        state->nodes[name].born = state->now;
    return fresh;
}

static void insert(struct state *state, uint32_t name, enum where where)
{
    state->nodes[name].born = state->now;
    state->nodes[name].hits = 0;
    put_newest(state, name, where);
}

/* --- least recently used --- */

static bool lru(struct state *state, uint32_t name)
{
    if (state->nodes[name].where == MAIN) {
        take_out(state, name);
        put_newest(state, name, MAIN);
        return renew(state, name);
    }
    if (state->lists[MAIN].count == state->capacity)
        take_out(state, state->lists[MAIN].oldest);
    insert(state, name, MAIN);
    return false;
}

/* --- SIEVE --- */

static void sieve_evict(struct state *state)
{
    uint32_t at = state->hand;
    for (;; at = state->nodes[at].newer) {
        if (at == NOBODY)
            at = state->lists[MAIN].oldest;
        if (!state->nodes[at].hits)
            break;
        state->nodes[at].hits = 0;
    }
    state->hand = state->nodes[at].newer;
    take_out(state, at);
}

static bool sieve(struct state *state, uint32_t name)
{
    if (state->nodes[name].where == MAIN) {
        state->nodes[name].hits = 1;
        return renew(state, name);
    }
    if (state->lists[MAIN].count == state->capacity)
        sieve_evict(state);
    insert(state, name, MAIN);
    return false;
}

/* --- S3-FIFO --- */

static void s3_evict_main(struct state *state)
{
    for (;;) {
        uint32_t name = state->lists[MAIN].oldest;
        take_out(state, name);
        if (!state->nodes[name].hits)
            return;
        state->nodes[name].hits--;
        put_newest(state, name, MAIN);
    }
}

static void s3_remember(struct state *state, uint32_t name)
{
    if (state->lists[GHOST].count >= state->capacity - state->capacity / 10)
        take_out(state, state->lists[GHOST].oldest);
    put_newest(state, name, GHOST);
}

/* Evicts from the small queue until a name with at most one request is found. */
static void s3_evict_small(struct state *state)
{
    while (state->lists[SMALL].count > 0) {
        uint32_t name = state->lists[SMALL].oldest;
        take_out(state, name);
        if (state->nodes[name].hits <= 1) {
            s3_remember(state, name);
            return;
        }
        if (state->lists[MAIN].count >= state->capacity - state->capacity / 10)
            s3_evict_main(state);
        state->nodes[name].hits = 0;
        put_newest(state, name, MAIN);
    }
}

static bool s3_fifo(struct state *state, uint32_t name)
{
    struct node *node = &state->nodes[name];
    if (node->where == MAIN || node->where == SMALL) {
        node->hits += node->hits < 3;
        return renew(state, name);
    }
    while (state->lists[MAIN].count + state->lists[SMALL].count >= state->capacity) {
        if (state->lists[SMALL].count >= state->capacity / 10)
            s3_evict_small(state);
        else
            s3_evict_main(state);
    }
    bool returns = node->where == GHOST;
    if (returns)
        take_out(state, name);
    insert(state, name, returns ? MAIN : SMALL);
    return false;
}

/* --- online policies --- */

static double run(const struct trace *trace, uint32_t capacity, bool (*ask)(struct state *, uint32_t name))
{
    struct state state = {.trace = trace, .capacity = capacity, .hand = NOBODY};
    uint32_t hits = 0;
    state.nodes = policy_memory(trace->names, sizeof *state.nodes);
    for (unsigned i = 0; i < LISTS; i++)
        state.lists[i] = (struct list){NOBODY, NOBODY, 0};
    for (; state.now < trace->len; state.now++)
        hits += ask(&state, trace->requests[state.now]) && state.now >= trace->len / 2;
    free(state.nodes);
    return (double)hits / (trace->len - trace->len / 2);
}

static double run_lru(const struct trace *trace, uint32_t capacity)
{
    return run(trace, capacity, lru);
}

static double run_sieve(const struct trace *trace, uint32_t capacity)
{
    return run(trace, capacity, sieve);
}

static double run_s3_fifo(const struct trace *trace, uint32_t capacity)
{
    return run(trace, capacity, s3_fifo);
}

/* --- Belady's offline optimum --- */

struct needed {
    uint32_t at, name; /* at: the next request for the name */
};

/* The name that is needed last is on top. Outdated elements stay until they reach the top. */
struct heap {
    struct needed *items;
    size_t count;
};

static void heap_push(struct heap *heap, struct needed item)
{
    size_t at = heap->count++;
    for (; at > 0 && heap->items[(at - 1) / 2].at < item.at; at = (at - 1) / 2)
        heap->items[at] = heap->items[(at - 1) / 2];
    heap->items[at] = item;
}

static struct needed heap_pop(struct heap *heap)
{
    struct needed top = heap->items[0], last = heap->items[--heap->count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < heap->count) {
        child += child + 1 < heap->count && heap->items[child + 1].at > heap->items[child].at;
        if (heap->items[child].at <= last.at)
            break;
        heap->items[at] = heap->items[child];
        at = child;
    }
    heap->items[at] = last;
    return top;
}

/* For each request, the next one for the same name. */
static uint32_t *next_requests(const struct trace *trace)
{
    uint32_t *next = policy_memory(trace->len, sizeof *next);
    uint32_t *seen = policy_memory(trace->names, sizeof *seen);
    for (uint32_t i = trace->len; i-- > 0;) {
        uint32_t *at = &seen[trace->requests[i]];
        next[i] = *at ? *at : NOBODY;
        *at = i;
    }
    free(seen);
    return next;
}

static double run_belady(const struct trace *trace, uint32_t capacity)
{
    uint32_t *next = next_requests(trace), hits = 0, count = 0;
    uint32_t *born = policy_memory(trace->names, sizeof *born);
    uint32_t *needed_at = policy_memory(trace->names, sizeof *needed_at); /* 0: not stored */
    struct heap heap = {policy_memory(trace->len, sizeof *heap.items), 0};
    for (uint32_t now = 0; now < trace->len; now++) {
        uint32_t name = trace->requests[now];
        bool hit = needed_at[name] && now - born[name] < trace->ttl[name];
        hits += hit && now >= trace->len / 2;
        count += !needed_at[name];
        if (!hit)
            born[name] = now;
        bool useful = next[now] != NOBODY && next[now] - born[name] < trace->ttl[name];
        needed_at[name] = useful ? next[now] : NOBODY;
        heap_push(&heap, (struct needed){needed_at[name], name});
        while (count > capacity) {
            struct needed last = heap_pop(&heap);
            if (needed_at[last.name] != last.at)
                continue;
            needed_at[last.name] = 0;
            count--;
        }
    }
    free(heap.items);
    free(needed_at);
    free(born);
    free(next);
    return (double)hits / (trace->len - trace->len / 2);
}

const struct policy policies[] = {
    {"LRU", run_lru}, {"SIEVE", run_sieve}, {"S3-FIFO", run_s3_fifo}, {"Belady", run_belady}, {NULL, NULL}};
