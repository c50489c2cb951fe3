/* SPDX-License-Identifier: MIT */
/* Where block lists come from, and what is known about them across snapshots.
 *
 * Does:    keeps one source for each list of the snapshots in use: its latest usable content, which is shared by the
 *          snapshots, its hits, and why it could not be read lately. A list whose files have not changed is not read
 *          again.
 * Owns:    a source is ref-counted by the snapshots; a content by its source and by the snapshots.
 * Threads: any; one lock, which is not needed for queries.
 */
#ifndef DOTSTUB_POLICY_BLOCKSOURCE_H
#define DOTSTUB_POLICY_BLOCKSOURCE_H

#include <limits.h>
#include <stdatomic.h>
#include "base/list.h"
#include "blocklist.h"
#include "policy/blocking.h"

/* A list as it was read. */
struct block_content {
    atomic_uint references;
    struct block_list list;
    int64_t read_s; /* wall clock */
};

struct block_source {
    struct list_link link;
    unsigned references; /* under the lock, as all below but `hits` */
    char name[CONFIG_BLOCK_NAME], path[PATH_MAX];
    enum config_block_format format;
    size_t max_names;
    bool is_fetched;               /* it has a URL */
    uint64_t state;                /* of the files when they were read last */
    struct block_content *content; /* NULL: it was never usable */
    bool is_waiting;               /* for the end of changes: the files are read again, whatever their state */
    char error[BLOCK_ERROR];       /* of the last reading; "" if it succeeded */
    atomic_uint_fast64_t hits;     /* responses */
};

/* The source of a list with a reference, and its content with a reference (NULL: none), after reading it if its files
 * have changed. Files that cannot be used are logged, and the previous content is given. 0 or -ENOMEM. */
int block_source_get(struct block_source **out, struct block_content **content, const struct config *config,
                     const struct config_block_list *list) MUST_CHECK;
/* True if a list is perhaps being written, so that its previous content was given. */
bool block_source_is_waiting(const struct block_source *source);
/* Drops the references; each may be NULL. */
void block_source_put(struct block_source *source, struct block_content *content);
/* The path of a list: its file, or the one to which its URL is fetched. */
void block_source_path(char out[PATH_MAX], const struct config *config, const struct config_block_list *list);
void block_source_report(struct block_source *source, const struct block_content *content,
                         struct block_list_report *out);

#endif
