/* SPDX-License-Identifier: MIT */
/* Text files of the daemon's state: a title line, lines, and the digest of all before it.
 *
 * Threads: any.
 */
#ifndef DOTSTUB_DAEMON_WHOLEFILE_H
#define DOTSTUB_DAEMON_WHOLEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "base/hash.h"

/* Checks the title and the digest of `len` bytes; replaces the digest by a NUL. */
static inline bool wholefile_check(char *all, size_t len, const char *title)
{
    uint8_t digest[DIGEST_LEN];
    size_t title_len = strlen(title);
    if (len < title_len + DIGEST_LEN || memcmp(all, title, title_len) != 0)
        return false;
    digest_bytes(digest, all, len - DIGEST_LEN);
    if (memcmp(digest, all + len - DIGEST_LEN, DIGEST_LEN) != 0)
        return false;
    all[len - DIGEST_LEN] = '\0';
    return true;
}

#endif
