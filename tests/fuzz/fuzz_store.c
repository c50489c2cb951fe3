/* SPDX-License-Identifier: MIT */
/* Input from a hostile store: opens input as a sealed value; reads it as the content of one, as if it had been sealed by the
 * fleet, and packs and reads the result again; reads it as replies, and these as the map of a cluster. */
#include "fuzz.h"
#include "store/resp.h"
#include "store/seal.h"
#include "store/slotmap.h"
#include "store/value.h"

#define NOW_MS INT64_C(1700000000000)

static struct seal_keys keys;
static struct value_room room, again;

static void open_sealed(const uint8_t *data, size_t size)
{
    uint8_t name[SEAL_NAME], *copy = exact_copy(data, size);
    struct seal_terms terms = {.kind = SEAL_ANSWER, .name = name};
    struct bytes content;
    seal_name(name, &keys, 0, SEAL_ANSWER, (struct bytes){(const uint8_t *)"x", 1});
    MUST(unseal(copy, size, &keys, 0, NOW_MS, &terms, &content) != SEAL_OPENED);
    free(copy);
}

/* Sealing and opening give the same bytes. */
static void seal_and_open(const uint8_t *data, size_t size)
{
    uint8_t name[SEAL_NAME], *sealed = malloc(seal_len(size));
    struct seal_terms terms = {.kind = SEAL_ANSWER, .name = name, .sealed_ms = NOW_MS, .expires_ms = NOW_MS + 1000};
    struct bytes content;
    MUST(sealed);
    seal_name(name, &keys, 0, SEAL_ANSWER, (struct bytes){data, size < 64 ? size : 64});
    seal(sealed, &keys, &terms, (struct bytes){data, size});
    MUST(unseal(sealed, seal_len(size), &keys, 0, NOW_MS, &terms, &content) == SEAL_OPENED);
    MUST(content.len == size && (size == 0 || memcmp(content.data, data, size) == 0));
    free(sealed);
}

static void read_content(const uint8_t *data, size_t size)
{
    static uint8_t packed[VALUE_MAX];
    struct key key = {.type = 1, .class = 1, .name_len = 3, .name = {1, 'a', 0}};
    struct store_value value, second;
    struct key found;
    uint8_t *copy = exact_copy(data, size);
    if (size > 2 && value_unpack(&value, (struct bytes){copy, size}, &key, data[1] * UINT64_C(1000), &room) == 0) {
        MUST(value.answer.len <= VALUE_MESSAGE_MAX && value.answer.ttl <= value.ttl);
        size_t len = value_pack(packed, &value.answer, 0, value.verdict);
        MUST(len > 0);
        MUST(value_unpack(&second, (struct bytes){packed, len}, &key, 0, &again) == 0);
        MUST(second.answer.len == value.answer.len && second.answer.ttl == value.answer.ttl);
    }
    if (value_key((struct bytes){copy, size}, &found) == 0)
        MUST(name_len((struct bytes){found.name, found.name_len}) == found.name_len);
    free(copy);
}

/* A cluster's reply: each slot has one of the masters, and hosts are texts. */
static void read_maps(const struct resp_reply *reply)
{
    static struct slot_map map;
    struct slot_redirect redirect;
    for (unsigned i = 0; i < 2; i++) {
        if ((i == 0 ? slot_map_shards(&map, reply) : slot_map_slots(&map, reply)) < 0)
            continue;
        MUST(map.count <= SLOT_MASTERS);
        for (unsigned slot = 0; slot < SLOTS; slot++)
            MUST(map.owner[slot] == SLOT_NOBODY || map.owner[slot] < map.count);
        for (unsigned master = 0; master < map.count; master++)
            MUST(strlen(map.master[master].host) < SLOT_HOST);
    }
    if (slot_redirect_read(&redirect, reply))
        MUST(redirect.slot < SLOTS && redirect.to.port > 0 && strlen(redirect.to.host) < SLOT_HOST);
}

static void read_replies(const uint8_t *data, size_t size)
{
    struct resp *resp = resp_new();
    struct resp_reply reply;
    MUST(resp);
    int status = 0;
    for (size_t at = 0; status >= 0 && at < size; at += 1 + data[0]) {
        size_t part = size - at < 1u + data[0] ? size - at : 1u + data[0];
        status = resp_feed(resp, (struct bytes){data + at, part});
        while (status == 0 && (status = resp_next(resp, &reply)) > 0) {
            MUST(reply.count > 0 && reply.count <= RESP_ITEMS && reply.items[0].after == reply.count);
            for (uint32_t i = 0; i < reply.count; i++)
                if (reply.items[i].type != RESP_ARRAY)
                    MUST(reply.items[i].len <= size);
            read_maps(&reply);
            status = 0;
        }
    }
    resp_free(resp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";
    const char *why;
    if (keys.count == 0)
        MUST(seal_keys_parse(&keys, (struct bytes){(const uint8_t *)text, strlen(text)}, &why) == 0);
    if (size > 40000)
        return 0;
    open_sealed(data, size);
    seal_and_open(data, size);
    read_content(data, size);
    read_replies(data, size);
    return 0;
}
