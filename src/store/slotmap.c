/* SPDX-License-Identifier: MIT */
/* Elements of arrays are visited by index: the first one behind the array, then that after each one (resp_item.after). */
#include "slotmap.h"

#include <string.h>
#include "base/errors.h"

/* --- slots --- */

static uint16_t crc16(struct bytes bytes)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        crc = (uint16_t)(crc ^ bytes.data[i] << 8);
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

unsigned slot_of(struct bytes key)
{
    const uint8_t *open = memchr(key.data, '{', key.len);
    const uint8_t *shut = open ? memchr(open, '}', (size_t)(key.data + key.len - open)) : NULL;
    if (shut && shut > open + 1)
        key = (struct bytes){open + 1, (size_t)(shut - open - 1)};
    return crc16(key) % SLOTS;
}

/* --- elements --- */

static bool is_text(const struct resp_item *item)
{
    return item->type == RESP_TEXT || item->type == RESP_STATUS;
}

static bool is_word(const struct resp_reply *reply, uint32_t at, const char *word)
{
    const struct resp_item *item = &reply->items[at];
    return is_text(item) && item->len == strlen(word) && memcmp(resp_text(reply, item), word, item->len) == 0;
}

/* The value of a key in a flat array of keys and values; 0: there is none. */
static uint32_t find(const struct resp_reply *reply, uint32_t map, const char *key)
{
    uint32_t end = reply->items[map].after;
    if (reply->items[map].type != RESP_ARRAY)
        return 0;
    for (uint32_t at = map + 1; at < end;) {
        uint32_t value = reply->items[at].after;
        if (value >= end)
            return 0;
        if (is_word(reply, at, key))
            return value;
        at = reply->items[value].after;
    }
    return 0;
}

/* False: it is not usable. "?": the server does not know its name. */
static bool take_host(char out[SLOT_HOST], const struct resp_reply *reply, uint32_t at)
{
    const struct resp_item *item = &reply->items[at];
    if (!is_text(item) || item->len == 0 || item->len >= SLOT_HOST || is_word(reply, at, "?") ||
        memchr(resp_text(reply, item), 0, item->len))
        return false;
    memcpy(out, resp_text(reply, item), item->len);
    out[item->len] = '\0';
    return true;
}

static uint16_t port_of(const struct resp_reply *reply, uint32_t at)
{
    int64_t port = at > 0 && reply->items[at].type == RESP_INTEGER ? reply->items[at].integer : 0;
    return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* --- maps --- */

static bool is_same(const struct slot_server *a, const struct slot_server *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->tls_port == b->tls_port;
}

static int add_master(struct slot_map *map, const struct slot_server *server, uint8_t *index)
{
    for (unsigned i = 0; i < map->count; i++)
        if (is_same(&map->master[i], server)) {
            *index = (uint8_t)i;
            return 0;
        }
    if (map->count == SLOT_MASTERS)
        return ERROR_MALFORMED;
    map->master[map->count] = *server;
    *index = (uint8_t)map->count++;
    return 0;
}

static int add_range(struct slot_map *map, const struct resp_reply *reply, uint32_t from, uint32_t to, uint8_t master)
{
    const struct resp_item *first = &reply->items[from], *last = &reply->items[to];
    if (first->type != RESP_INTEGER || last->type != RESP_INTEGER || first->integer < 0 || last->integer >= SLOTS ||
        first->integer > last->integer)
        return ERROR_MALFORMED;
    for (int64_t slot = first->integer; slot <= last->integer; slot++) {
        if (map->owner[slot] != SLOT_NOBODY)
            return ERROR_MALFORMED;
        map->owner[slot] = master;
    }
    return 0;
}

static void add_replica(struct slot_map *map, const struct slot_server *server, uint8_t master)
{
    for (unsigned i = 0; i < map->replica_count; i++)
        if (is_same(&map->replica[i].server, server))
            return;
    if (map->replica_count < SLOT_REPLICAS)
        map->replica[map->replica_count++] = (struct slot_replica){.server = *server, .master = master};
}

static void begin_map(struct slot_map *map)
{
    map->count = map->replica_count = 0;
    memset(map->owner, SLOT_NOBODY, sizeof map->owner);
}

/* --- CLUSTER SHARDS --- */

static bool read_node(struct slot_server *out, const struct resp_reply *reply, uint32_t node, const char *role_wanted)
{
    uint32_t role = find(reply, node, "role"), health = find(reply, node, "health"),
             endpoint = find(reply, node, "endpoint"), ip = find(reply, node, "ip");
    if (role == 0 || !is_word(reply, role, role_wanted) ||
        (health > 0 &&
         (is_word(reply, health, "fail") || is_word(reply, health, "failed") || is_word(reply, health, "loading"))))
        return false;
    *out = (struct slot_server){.port = port_of(reply, find(reply, node, "port")),
                                .tls_port = port_of(reply, find(reply, node, "tls-port"))};
    bool told = endpoint > 0 && take_host(out->host, reply, endpoint);
    /* Without an endpoint it is the host of the server that was asked; one without a name has an address. */
    if (!told && endpoint > 0 && is_word(reply, endpoint, "?"))
        told = ip > 0 && take_host(out->host, reply, ip);
    return out->port > 0 || out->tls_port > 0;
}

/* 0: it has no master now. */
static int read_master(struct slot_server *out, const struct resp_reply *reply, uint32_t nodes)
{
    if (nodes == 0 || reply->items[nodes].type != RESP_ARRAY)
        return ERROR_MALFORMED;
    for (uint32_t at = nodes + 1; at < reply->items[nodes].after; at = reply->items[at].after)
        if (read_node(out, reply, at, "master"))
            return 1;
    return 0;
}

static void read_replicas(struct slot_map *map, const struct resp_reply *reply, uint32_t nodes, uint8_t master)
{
    struct slot_server server;
    for (uint32_t at = nodes + 1; at < reply->items[nodes].after; at = reply->items[at].after)
        if (read_node(&server, reply, at, "replica"))
            add_replica(map, &server, master);
}

static int read_shard(struct slot_map *map, const struct resp_reply *reply, uint32_t shard)
{
    uint32_t slots = find(reply, shard, "slots"), nodes = find(reply, shard, "nodes");
    struct slot_server server;
    uint8_t master = SLOT_NOBODY;
    int status = read_master(&server, reply, nodes);
    if (status <= 0)
        return status;
    if (slots == 0 || reply->items[slots].type != RESP_ARRAY || reply->items[slots].len % 2 != 0)
        return ERROR_MALFORMED;
    status = add_master(map, &server, &master);
    if (status == 0)
        read_replicas(map, reply, nodes, master);
    uint32_t end = reply->items[slots].after;
    for (uint32_t at = slots + 1; status == 0 && at < end;) {
        uint32_t last = reply->items[at].after;
        if (last >= end)
            return ERROR_MALFORMED;
        status = add_range(map, reply, at, last, master);
        at = reply->items[last].after;
    }
    return status;
}

int slot_map_shards(struct slot_map *out, const struct resp_reply *reply)
{
    int status = reply->items[0].type == RESP_ARRAY ? 0 : ERROR_MALFORMED;
    begin_map(out);
    for (uint32_t at = 1; status == 0 && at < reply->count; at = reply->items[at].after)
        status = read_shard(out, reply, at);
    return status;
}

/* --- CLUSTER SLOTS --- */

/* Host and port are the first elements. */
static bool read_address(struct slot_server *out, const struct resp_reply *reply, uint32_t node)
{
    if (reply->items[node].type != RESP_ARRAY || reply->items[node].len < 2)
        return false;
    uint32_t host = node + 1, port = reply->items[host].after;
    *out = (struct slot_server){.port = port_of(reply, port), .tls_port = port_of(reply, port)};
    (void)take_host(out->host, reply, host);
    return out->port > 0;
}

static int read_range(struct slot_map *map, const struct resp_reply *reply, uint32_t range)
{
    uint8_t master = SLOT_NOBODY;
    uint32_t end = reply->items[range].after;
    if (reply->items[range].type != RESP_ARRAY || reply->items[range].len < 3)
        return ERROR_MALFORMED;
    uint32_t from = range + 1, to = reply->items[from].after;
    uint32_t node = to < end ? reply->items[to].after : end;
    struct slot_server server;
    if (node >= end || !read_address(&server, reply, node))
        return ERROR_MALFORMED;
    int status = add_master(map, &server, &master);
    for (uint32_t at = reply->items[node].after; status == 0 && at < end; at = reply->items[at].after)
        if (read_address(&server, reply, at))
            add_replica(map, &server, master);
    return status == 0 ? add_range(map, reply, from, to, master) : status;
}

int slot_map_slots(struct slot_map *out, const struct resp_reply *reply)
{
    int status = reply->items[0].type == RESP_ARRAY ? 0 : ERROR_MALFORMED;
    begin_map(out);
    for (uint32_t at = 1; status == 0 && at < reply->count; at = reply->items[at].after)
        status = read_range(out, reply, at);
    return status;
}

/* --- redirections --- */

/* A number of at most five digits, after which `end` comes. Returns the byte behind `end`, or NULL. */
static const uint8_t *read_number(const uint8_t *at, const uint8_t *limit, int end, unsigned *out)
{
    const uint8_t *begun = at;
    *out = 0;
    for (; at < limit && *at >= '0' && *at <= '9' && at < begun + 5; at++)
        *out = *out * 10 + (unsigned)(*at - '0');
    if (at == begun || (end >= 0 && (at == limit || *at != end)) || (end < 0 && at != limit))
        return NULL;
    return end < 0 ? at : at + 1;
}

static const uint8_t *last_colon(const uint8_t *at, const uint8_t *limit)
{
    while (limit > at)
        if (*--limit == ':')
            return limit;
    return NULL;
}

/* "MOVED 3999 127.0.0.1:6381", where the host may be missing, or have colons. */
bool slot_redirect_read(struct slot_redirect *out, const struct resp_reply *error)
{
    const struct resp_item *item = &error->items[0];
    bool ask = resp_begins(error, item, "ASK "), moved = resp_begins(error, item, "MOVED ");
    unsigned slot, port;
    if (item->type != RESP_ERROR || (!ask && !moved))
        return false;
    const uint8_t *text = resp_text(error, item), *limit = text + item->len;
    const uint8_t *at = read_number(text + (ask ? 4 : 6), limit, ' ', &slot);
    const uint8_t *colon = at ? last_colon(at, limit) : NULL;
    if (!colon || slot >= SLOTS || !read_number(colon + 1, limit, -1, &port) || port == 0 || port > UINT16_MAX ||
        colon - at >= SLOT_HOST || memchr(at, 0, (size_t)(colon - at)))
        return false;
    *out = (struct slot_redirect){.ask = ask, .slot = slot};
    out->to.port = out->to.tls_port = (uint16_t)port;
    if (colon - at != 1 || *at != '?')
        memcpy(out->to.host, at, (size_t)(colon - at));
    return true;
}
