/* SPDX-License-Identifier: MIT */
#include "upstream/spread.h"
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/io.h"

static uint8_t spread_key[DIGEST_LEN];
static bool has_key;

/* 32 hexadecimal digits. */
#define MACHINE_ID_LEN 32

/* machine-id(5) requires a digest with an application's own constant instead of the id itself. */
void spread_init(const char *machine_id)
{
    static const char purpose[] = "dotstub upstream-policy spread";
    uint8_t text[sizeof purpose + MACHINE_ID_LEN];
    int fd = open(machine_id, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    memcpy(text, purpose, sizeof purpose);
    has_key = fd >= 0 && read_full(fd, text + sizeof purpose, MACHINE_ID_LEN) == 0 &&
              memcmp(text + sizeof purpose, "uninitialized", 13) != 0;
    if (fd >= 0)
        close(fd);
    if (has_key)
        digest_bytes(spread_key, text, sizeof text);
}

uint64_t spread_hash(const void *data, size_t len)
{
    return has_key ? hash_keyed(spread_key, data, len) : hash_bytes(data, len); /* hash_bytes has a random key */
}
