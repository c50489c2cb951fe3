/* SPDX-License-Identifier: MIT */
/* The secret that opens names on metrics.listen.
 *
 * Does:    reads it from a file, so that neither settings nor their print hold it; compares in constant time.
 * Owns:    a digest of it; the secret itself is not kept.
 * Threads: any; a value.
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

/* The first line of the file, without white space at its end. 0 or a negative errno; -EINVAL: it is shorter than TOKEN_MIN, longer
 * than TOKEN_MAX, or has other than visible ASCII. */
int token_read(struct token *out, const char *path) MUST_CHECK;
/* NULL fits nothing, and nothing fits a token that is not set. */
bool token_fits(const struct token *token, const char *given);

#endif
