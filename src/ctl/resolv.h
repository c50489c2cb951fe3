/* SPDX-License-Identifier: MIT */
/* Reads and writes resolv.conf(5).
 *
 * Owns:    The text, from a successful resolv_read until resolv_free.
 * Threads: Single-threaded.
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
    char *text;                          /* "" if the file does not exist */
    char target[PATH_MAX];               /* target of the symbolic link; "": not a link */
    struct addr servers[RESOLV_SERVERS]; /* with port 53; invalid ones are left out */
    unsigned server_count;
    char searches[RESOLV_WORDS],
        options[RESOLV_WORDS]; /* words separated by a blank: of the last `search` or `domain`, of all `options` */
};

/* Reads `root` + RESOLV_CONF. 0 (also if it does not exist), or a negative error; -EFBIG: too large. */
int resolv_read(struct resolv *out, const char *root) MUST_CHECK;
/* Reads a copy of the file at another path. 0 or a negative error. */
int resolv_read_file(struct resolv *out, const char *path) MUST_CHECK;
void resolv_free(struct resolv *resolv);

/* Returns the file's text with `server` in place of all nameservers, and with the option trust-ad if `trust_ad`. The
 * caller frees it. NULL: out of memory. */
char *resolv_with_server(const struct resolv *resolv, const struct addr *server, bool trust_ad) MUST_CHECK;
/* True if `options` contains this word. */
bool resolv_has_option(const struct resolv *resolv, const char *option);
/* How long a program waits for a response before it tries again: the option timeout, else 5 s. */
unsigned resolv_timeout_ms(const struct resolv *resolv);

#endif
