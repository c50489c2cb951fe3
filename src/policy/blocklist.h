/* SPDX-License-Identifier: MIT */
/* One block list in memory.
 *
 * Does:    reads the files of a list into a set of names, a table of networks and the records of local data.
 * Owns:    what block_list_read has made, until block_list_free.
 * Threads: immutable once read; any.
 */
#ifndef DOTSTUB_POLICY_BLOCKLIST_H
#define DOTSTUB_POLICY_BLOCKLIST_H

#include "blocklines.h"
#include "dns/nameset.h"

#define BLOCK_TOLD 10 /* bad lines that are logged */

/* A rule for the addresses of a network. */
struct block_network {
    struct prefix prefix;
    uint8_t rule;
};

/* One record of local data. Names and networks are found by the same hash. */
struct block_record {
    struct wide_hash owner;
    uint32_t ttl, rdata; /* rdata: offset in `texts` */
    uint16_t type;
    bool below, keep_labels; /* as in struct block_entry */
};

struct block_list {
    struct name_set names;
    struct block_network *networks; /* sorted by length, then address */
    size_t network_count;
    uint64_t lengths[3]; /* bit N: there are networks of N bits */
    struct block_record *records;
    size_t record_count;
    struct buffer texts;
    size_t lines, used, unsupported, bad;
};

/* A list to read. */
struct block_source_spec {
    const char *name, *path;
    enum config_block_format format;
    size_t max_names;
};

#define BLOCK_ERROR 256
/* Reads a list. 0; or negative, with a sentence without a full stop in `error`, which names the list. */
int block_list_read(struct block_list *out, const struct block_source_spec *spec, char error[BLOCK_ERROR]) MUST_CHECK;
void block_list_free(struct block_list *list);
/* Bytes of memory. */
size_t block_list_size(const struct block_list *list);

/* Values of the set: the rule for the name itself and the rule for names below it. */
static inline enum block_rule block_value_rule(uint8_t value, bool self)
{
    return (enum block_rule)(self ? value & 15 : value >> 4);
}

/* The network of the list that contains the address and has the most bits; NULL: none. `address` is in the form of
 * struct prefix. */
const struct block_network *block_list_network(const struct block_list *list, const uint8_t address[16]);
/* The records of an owner's hash; gives their number. */
size_t block_list_records(const struct block_list *list, struct wide_hash owner, bool below,
                          const struct block_record **first);
static inline const char *block_record_text(const struct block_list *list, const struct block_record *record)
{
    return (const char *)buffer_bytes(&list->texts).data + record->rdata;
}
/* The hash of a network, as the owner of records. */
static inline struct wide_hash block_network_hash(const struct prefix *prefix)
{
    uint8_t bytes[17];
    memcpy(bytes, prefix->bytes, 16);
    bytes[16] = prefix->bits;
    return hash_wide(bytes, sizeof bytes);
}

#endif
