/* SPDX-License-Identifier: MIT */
/* resolv.conf(5): what programs on this machine ask.
 *
 * Owns:    its text, from a successful resolv_read until resolv_free.
 * Threads: the program's only one.
 */
#ifndef DOTSTUB_CTL_RESOLV_H
#define DOTSTUB_CTL_RESOLV_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"

#define RESOLV_CONF "/etc/resolv.conf"

enum { RESOLV_SERVERS = 8, RESOLV_WORDS = 1024 };

struct resolv {
    char *text;                          /* "" where there is no file */
    char target[PATH_MAX];               /* what it links to; "": it is no link */
    struct addr servers[RESOLV_SERVERS]; /* port 53; only those that are understood */
    unsigned server_count;
    char searches[RESOLV_WORDS],
        options[RESOLV_WORDS]; /* words, a blank between them; the last `search` or `domain`, all `options` */
};

/* Reads `root` + RESOLV_CONF. 0, or a negative errno: it is there and cannot be read; -EFBIG: it is none. */
int resolv_read(struct resolv *out, const char *root) MUST_CHECK;
void resolv_free(struct resolv *resolv);

/* The same file with this one nameserver in place of all others, and all else as it was; `trust_ad`: with that option. From malloc,
 * NULL: memory is gone. */
char *resolv_with_server(const struct resolv *resolv, const struct addr *server, bool trust_ad) MUST_CHECK;
/* True if `options` has this word. */
bool resolv_has_option(const struct resolv *resolv, const char *option);

#endif
