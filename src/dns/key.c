/* SPDX-License-Identifier: MIT */
/* Keys compare as one range of bytes, in the order of `struct key`: there is no padding before the name. */
#include "dns/key.h"

#include <string.h>

_Static_assert(offsetof(struct key, name) == 10, "padding in the key would be hashed and compared");

bool key_equal(const struct key *a, const struct key *b)
{
    return a->name_len == b->name_len && memcmp(a, b, key_len(a)) == 0;
}
