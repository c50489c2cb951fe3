/* SPDX-License-Identifier: MIT */
/* Block lists in all formats: the first byte chooses one, the rest are lines. Each entry has a valid name in lower case,
 * a rule of its format, and data that can be answered. */
#include "../../src/policy/blocklines.h"
#include "dns/codes.h"
#include "dns/records.h"
#include "fuzz.h"

static void check_name(const struct block_entry *entry)
{
    uint8_t lowered[NAME_MAX_WIRE];
    MUST(entry->len <= NAME_MAX_WIRE);
    MUST(name_len((struct bytes){entry->name, entry->len}) == entry->len);
    name_lower(lowered, entry->name, entry->len);
    MUST(memcmp(lowered, entry->name, entry->len) == 0);
    MUST(entry->self || entry->below);
}

static void check_prefix(const struct prefix *prefix)
{
    MUST(prefix->bits <= 128);
    for (unsigned bit = prefix->bits; bit < 128; bit++)
        MUST(!(prefix->bytes[bit / 8] >> (7 - bit % 8) & 1));
}

static void check_data(const struct block_entry *entry)
{
    uint8_t out[MESSAGE_MAX];
    struct key key = {.type = TYPE_A, .class = CLASS_IN, .name_len = 1};
    struct record_text record = {NULL, entry->type, entry->ttl, entry->rdata};
    MUST(records_answer(out, sizeof out, &key, 0, &record, 1, NULL, 0) > 0);
}

static int check(void *context, const struct block_entry *entry)
{
    const struct block_lines *lines = context;
    MUST(entry->rule > RULE_NONE && entry->rule <= RULE_ALLOW);
    MUST(lines->format == BLOCK_RPZ || entry->rule == RULE_BLOCK ||
         (lines->format == BLOCK_ADBLOCK && entry->rule == RULE_ALLOW));
    MUST(lines->format == BLOCK_RPZ || entry->len > 0);
    if (entry->len > 0)
        check_name(entry);
    else
        check_prefix(&entry->prefix);
    if (entry->rule == RULE_DATA)
        check_data(entry);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct block_lines lines;
    if (size == 0)
        return 0;
    block_lines_start(&lines, (enum config_block_format)(data[0] & 3), check, &lines);
    for (size_t at = 1; at < size;) {
        const uint8_t *newline = memchr(data + at, '\n', size - at);
        size_t len = newline ? (size_t)(newline - data) - at : size - at;
        size_t used = len < BLOCK_LINE_MAX ? len : BLOCK_LINE_MAX;
        char *line = malloc(used + 1);
        MUST(line);
        memcpy(line, data + at, used);
        line[used] = '\0';
        int result = block_lines_read(&lines, line, used);
        MUST(result >= LINE_USED && result <= LINE_BAD);
        free(line);
        at += len + 1;
    }
    return 0;
}
