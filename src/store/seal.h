/* SPDX-License-Identifier: MIT */
/* The two things that the store gets: keys without readable names, and sealed values.
 *
 * Does:    derives the keys of a fleet from its file; names entries by keyed BLAKE2b; seals and opens values with
 *          XChaCha20-Poly1305 and a nonce that is random and synthetic. Kind, name of the entry, seal time and expiry
 *          are associated data: a value cannot be moved to another entry, prolonged, or used after its expiry. Values
 *          are padded.
 * Owns:    nothing; values. Keys should be wiped by their owner.
 * Threads: any.
 * RFC:     8439 (with the nonce of XChaCha20: draft-irtf-cfrg-xchacha).
 */
#ifndef DOTSTUB_STORE_SEAL_H
#define DOTSTUB_STORE_SEAL_H

#include "base/bytes.h"

enum {
    SEAL_KEY = 32, /* bytes of each key, but of that for nonces */
    SEAL_NONCE_KEY = 16,
    SEAL_NAME = 32, /* bytes of an entry's name */
    SEAL_HEADER = 1 + 1 + 8 + 8 + 24,
    SEAL_TAG = 16,
    SEAL_AHEAD_MS = 5000, /* clocks of replicas may differ by this */
    SEAL_FLEET_KEYS = 2,
};

/* The purpose of a value. A value of one kind is never taken for another one. */
enum seal_kind { SEAL_ANSWER = 1, SEAL_LEASE, SEAL_TOMBSTONE, SEAL_FLUSH, SEAL_POPULAR };

/* The first key seals; all open. */
struct seal_keys {
    unsigned count;
    struct seal_key {
        uint8_t names[SEAL_KEY], values[SEAL_KEY], control[SEAL_KEY], nonces[SEAL_NONCE_KEY];
    } key[SEAL_FLEET_KEYS];
};

/* Reads the fleet key file: one or two lines with base64 of 32 random bytes each (44 characters); empty lines and lines
 * that begin with "#" are ignored. 0, -EINVAL with `*why` set to the rest of a sentence after the file's name, or
 * -EIO. */
int seal_keys_parse(struct seal_keys *out, struct bytes text, const char **why) MUST_CHECK;
void seal_keys_wipe(struct seal_keys *keys);

/* The name of the entry for these bytes, with one of the fleet's keys. */
void seal_name(uint8_t out[SEAL_NAME], const struct seal_keys *keys, unsigned which, enum seal_kind kind,
               struct bytes of);
/* The key of an entry in the store: "dotstub:" and base64url of its name, without NUL. */
enum { SEAL_TEXT = 8 + 43 };
void seal_text(char out[SEAL_TEXT + 1], const uint8_t name[SEAL_NAME]);

struct seal_terms {
    enum seal_kind kind;
    const uint8_t *name;           /* of its entry */
    int64_t sealed_ms, expires_ms; /* wall clock */
};

/* The length of the sealed value of `len` bytes, with padding. */
size_t seal_len(size_t len);
/* Seals with the first key. `out` has room for seal_len(content.len); `content` does not overlap it. */
void seal(uint8_t *out, const struct seal_keys *keys, const struct seal_terms *terms, struct bytes content);

enum seal_verdict {
    SEAL_OPENED,
    SEAL_FOREIGN, /* not of this version or kind */
    SEAL_DAMAGED, /* not sealed with this key for this entry, or changed */
    SEAL_EARLY,   /* sealed more than SEAL_AHEAD_MS in the future */
    SEAL_EXPIRED,
};
/* Opens a value in place: `*content` is within `sealed`. terms->kind and terms->name are given; the times are set on
 * success. */
enum seal_verdict unseal(uint8_t *sealed, size_t len, const struct seal_keys *keys, unsigned which, int64_t now_ms,
                         struct seal_terms *terms, struct bytes *content);

#endif
