/* SPDX-License-Identifier: MIT */
/* The token that gives access to query names on metrics.listen.
 *
 * Does:    Reads it from a file, so that it never appears in the configuration or its output; compares in constant
 *          time.
 * Owns:    A digest of the token, not the token itself.
 * Threads: Any; a value.
 */
#ifndef DOTSTUB_CONTROL_TOKEN_H
#define DOTSTUB_CONTROL_TOKEN_H

#include <stdbool.h>
#include "base/hash.h"

enum { TOKEN_MIN = 16, TOKEN_MAX = 256 };

struct token {
    bool set;
    uint8_t digest[DIGEST_LEN];
};

/* Reads the first line of the file without trailing white space. 0 or a negative error; -EINVAL: shorter than
 * TOKEN_MIN, longer than TOKEN_MAX, or not visible ASCII. */
int token_read(struct token *out, const char *path) MUST_CHECK;
/* False if `given` is NULL or the token is not set. */
bool token_fits(const struct token *token, const char *given);

#endif
