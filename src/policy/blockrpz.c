/* SPDX-License-Identifier: MIT */
/* Response policy zones as zone files. Each record is on one line, except those with parentheses that only SOA
 * records have in practice.
 *
 * The owner of a record is relative to $ORIGIN, which the file may set, or absolute; the zone's own name, that of its
 * SOA or else of the first $ORIGIN, is removed from it, and the rest is the trigger. A zone file without $ORIGIN and
 * with "@" for the zone's name has triggers without the zone's name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "blocklines.h"
#include "dns/codes.h"
#include "dns/records.h"
#include "dns/ttl.h"

enum { WORDS_MAX = 8, TTL_DEFAULT = 60, TTL_MAX = 86400 };

static int bad(struct block_lines *lines, const char *reason)
{
    lines->reason = reason;
    return LINE_BAD;
}

/* --- words --- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Ends the line at its comment, and replaces parentheses by spaces. False: a quoted string has no end. */
static bool strip_line(struct block_lines *lines, char *line)
{
    bool quoted = false;
    for (; *line; line++) {
        if (*line == '\\' && line[1]) {
            line++;
        } else if (*line == '"') {
            quoted = !quoted;
        } else if (!quoted && *line == ';') {
            *line = '\0';
            return true;
        } else if (!quoted && (*line == '(' || *line == ')')) {
            if (*line == '(')
                lines->open++;
            else if (lines->open > 0)
                lines->open--;
            *line = ' ';
        }
    }
    return !quoted;
}

/* Cuts off the next word. NULL: there is none. */
static char *take_word(char **at)
{
    while (is_space(**at))
        ++*at;
    char *word = *at;
    while (**at && !is_space(**at))
        ++*at;
    if (*at == word)
        return NULL;
    if (**at)
        *(*at)++ = '\0';
    return word;
}

/* --- names --- */

static bool is_absolute(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && text[len - 1] == '.' && (len < 2 || text[len - 2] != '\\');
}

/* A name of the file, absolute. Returns its length, or -EINVAL. */
static int read_name(const struct block_lines *lines, uint8_t out[NAME_MAX_WIRE], const char *text)
{
    if (strcmp(text, "@") == 0) {
        memcpy(out, lines->origin, lines->origin_len);
        return (int)lines->origin_len;
    }
    int len = name_from_text(out, text);
    if (len < 0 || is_absolute(text))
        return len;
    if ((size_t)len - 1 + lines->origin_len > NAME_MAX_WIRE)
        return -EINVAL;
    memcpy(out + len - 1, lines->origin, lines->origin_len);
    return len - 1 + (int)lines->origin_len;
}

static void set_apex(struct block_lines *lines, const uint8_t *name, size_t len)
{
    memcpy(lines->apex, name, len);
    lines->apex_len = len;
    lines->has_apex = true;
}

/* --- directives --- */

static bool read_ttl(const char *text, uint32_t *out)
{
    uint64_t seconds;
    if (!ttl_from_text(text, &seconds))
        return false;
    *out = seconds > TTL_MAX ? TTL_MAX : (uint32_t)seconds;
    return true;
}

static int read_directive(struct block_lines *lines, const char *word, char *at)
{
    uint8_t name[NAME_MAX_WIRE];
    const char *value = take_word(&at);
    if (!value)
        return bad(lines, "a directive without a value");
    if (strcasecmp(word, "$TTL") == 0)
        return read_ttl(value, &lines->ttl) ? LINE_IGNORED : bad(lines, "not a TTL");
    if (strcasecmp(word, "$ORIGIN") != 0)
        return LINE_UNSUPPORTED;
    int len = read_name(lines, name, value);
    if (len < 0)
        return bad(lines, "not a domain name");
    memcpy(lines->origin, name, (size_t)len);
    lines->origin_len = (size_t)len;
    if (!lines->has_apex)
        set_apex(lines, name, (size_t)len);
    return LINE_IGNORED;
}

/* --- triggers --- */

/* The labels before the apex as texts, the last one first; bytes that no trigger on addresses has become "?". */
struct labels {
    unsigned count;
    char text[40][8];
};

static bool list_labels(struct labels *out, const uint8_t *name)
{
    static const struct labels none;
    *out = none;
    const uint8_t *label[40];
    for (; *name; name += 1 + (size_t)*name) {
        if (out->count == sizeof label / sizeof *label || *name >= sizeof out->text[0])
            return false;
        label[out->count++] = name;
    }
    for (unsigned i = 0; i < out->count; i++) {
        const uint8_t *from = label[out->count - 1 - i];
        memcpy(out->text[i], from + 1, *from);
    }
    return true;
}

static bool read_number(const char *text, unsigned max, unsigned *out)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    *out = (unsigned)number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && number <= max;
}

/* "24.0.2.0.192.rpz-ip" and "48.zz.1.db8.2001.rpz-ip": `labels` without rpz-ip, the last one first. */
static bool read_prefix(struct prefix *out, const struct labels *labels)
{
    char text[64] = "";
    size_t at = 0;
    if (labels->count < 2)
        return false;
    unsigned bits, words = labels->count - 1;
    bool is_v4 = labels->count == 5;
    for (unsigned i = 0; i < words; i++)
        is_v4 = is_v4 && strspn(labels->text[i], "0123456789") == strlen(labels->text[i]);
    if (!read_number(labels->text[words], is_v4 ? 32 : 128, &bits))
        return false;
    for (unsigned i = 0; i < words && at < sizeof text; i++) {
        bool gap = !is_v4 && strcmp(labels->text[i], "zz") == 0;
        const char *before = i == 0 ? "" : is_v4 ? "." : ":";
        at +=
            (size_t)snprintf(text + at, sizeof text - at, "%s%s", before, gap ? (i == 0 ? ":" : "") : labels->text[i]);
        if (gap && i + 1 == words && at < sizeof text)
            at += (size_t)snprintf(text + at, sizeof text - at, ":");
    }
    if (at + 5 >= sizeof text)
        return false;
    snprintf(text + at, sizeof text - at, "/%u", bits);
    return prefix_parse(out, text) == 0;
}

/* Fills in the trigger. LINE_USED, or why the line is not used. */
static int read_trigger(struct block_lines *lines, struct block_entry *entry)
{
    struct labels labels;
    size_t before = lines->owner_len - lines->apex_len, at = 0, last = 0;
    uint8_t *name = entry->name;
    memcpy(name, lines->owner, before);
    name[before] = 0;
    for (; name[at]; at += 1 + (size_t)name[at])
        last = at;
    bool is_trigger = name[last] >= 6 && memcmp(name + last + 1, "rpz-", 4) == 0;
    entry->len = 0;
    if (!is_trigger) {
        bool wildcard = name[0] == 1 && name[1] == '*';
        entry->self = !wildcard;
        entry->below = wildcard;
        entry->len = before + 1 - (wildcard ? 2 : 0);
        memmove(name, name + (wildcard ? 2 : 0), entry->len);
        return LINE_USED;
    }
    if (name[last] != 6 || memcmp(name + last + 1, "rpz-ip", 6) != 0)
        return LINE_UNSUPPORTED;
    name[last] = 0;
    if (!list_labels(&labels, name) || !read_prefix(&entry->prefix, &labels))
        return bad(lines, "not an address of rpz-ip");
    return LINE_USED;
}

/* --- actions --- */

static int read_cname(struct block_lines *lines, struct block_entry *entry, const char *target)
{
    static const struct {
        const char *target;
        enum block_rule rule;
    } actions[] = {{".", RULE_NXDOMAIN},
                   {"*.", RULE_NODATA},
                   {"rpz-passthru.", RULE_PASS},
                   {"rpz-drop.", RULE_DROP},
                   {"rpz-tcp-only.", RULE_TCP}};
    uint8_t name[NAME_MAX_WIRE];
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcasecmp(target, actions[i].target) == 0) {
            entry->rule = actions[i].rule;
            return LINE_USED;
        }
    int len = read_name(lines, name, target);
    if (len < 0)
        return bad(lines, "not a domain name");
    entry->keep_labels = name[0] == 1 && name[1] == '*';
    (void)name_text(name + (entry->keep_labels ? 2 : 0), lines->rdata);
    /* Older files have the name itself as target for PASSTHRU. */
    if (entry->len > 0 && entry->self && name_equal(name, entry->name))
        entry->rule = RULE_PASS;
    return LINE_USED;
}

static bool parses(const struct block_entry *entry)
{
    static const uint8_t root;
    uint8_t out[MESSAGE_HEADER + 5 + BLOCK_LINE_MAX + 32], address[16];
    struct key key = {.type = TYPE_A, .class = CLASS_IN, .name_len = 1};
    key.name[0] = root;
    if (strcasecmp(entry->type, "A") == 0)
        return inet_pton(AF_INET, entry->rdata, address) == 1;
    if (strcasecmp(entry->type, "AAAA") == 0)
        return inet_pton(AF_INET6, entry->rdata, address) == 1;
    struct record_text record = {NULL, entry->type, entry->ttl, entry->rdata};
    return records_answer(out, sizeof out, &key, 0, &record, 1, NULL, 0) > 0;
}

/* ldns does not free all that it read of such data when it refuses it, and a list may have millions of lines. It frees all of
 * the generic form (RFC 3597 section 5). */
static bool leaks_if_refused(int type, const char *rdata)
{
    return (type == TYPE_CERT || type == TYPE_IPSECKEY) && strncmp(rdata, "\\#", 2) != 0;
}

static int read_data(struct block_lines *lines, struct block_entry *entry, const char *type, char *rest)
{
    size_t len = strlen(rest);
    while (len > 0 && is_space(rest[len - 1]))
        rest[--len] = '\0';
    entry->rule = RULE_DATA;
    entry->keep_labels = false;
    entry->rdata = lines->rdata;
    snprintf(entry->type, sizeof entry->type, "%s", type);
    if (strcasecmp(type, "CNAME") == 0)
        return read_cname(lines, entry, rest);
    int number = records_type_number(type);
    if (strlen(type) >= sizeof entry->type || number < 0)
        return bad(lines, "not a type");
    if (leaks_if_refused(number, rest))
        return bad(lines, "data of CERT and IPSECKEY must have the form \\# LENGTH HEX");
    snprintf(lines->rdata, sizeof lines->rdata, "%s", rest);
    if (!parses(entry))
        return bad(lines, "not the data of a record");
    return LINE_USED;
}

/* --- records --- */

static bool is_class(const char *word)
{
    return strcasecmp(word, "IN") == 0 || strcasecmp(word, "CH") == 0 || strcasecmp(word, "HS") == 0;
}

/* The owner is not the zone itself, whose records (SOA, NS) are no triggers. */
static int read_record(struct block_lines *lines, const char *type, char *rest)
{
    struct block_entry *entry = &lines->entry;
    if (strcasecmp(type, "SOA") == 0) {
        set_apex(lines, lines->owner, lines->owner_len);
        return LINE_IGNORED;
    }
    if (!name_is_under(lines->owner, lines->owner_len, lines->apex, lines->apex_len))
        return bad(lines, "not in the zone");
    if (lines->owner_len == lines->apex_len)
        return LINE_IGNORED;
    while (is_space(*rest))
        rest++;
    if (!*rest)
        return bad(lines, "a record without data");
    if (lines->open > 0)
        return LINE_UNSUPPORTED;
    int result = read_trigger(lines, entry);
    if (result == LINE_USED)
        result = read_data(lines, entry, type, rest);
    if (result != LINE_USED)
        return result;
    int status = lines->emit(lines->context, entry);
    return status < 0 ? status : LINE_USED;
}

int block_rpz_read(struct block_lines *lines, char *line)
{
    bool is_continued = lines->open > 0, same_owner = is_space(*line);
    char *at = line, *word;
    if (!strip_line(lines, line))
        return bad(lines, "a quoted text without its end");
    if (is_continued)
        return LINE_IGNORED;
    if (!same_owner && *line) {
        word = take_word(&at);
        if (!word)
            return LINE_IGNORED;
        if (*word == '$')
            return read_directive(lines, word, at);
        lines->owner_len = 0;
        int len = read_name(lines, lines->owner, word);
        if (len < 0)
            return bad(lines, "not a domain name");
        lines->owner_len = (size_t)len;
    }
    lines->entry.ttl = lines->ttl ? lines->ttl : TTL_DEFAULT;
    word = take_word(&at);
    for (unsigned i = 0; i < 2 && word && (is_class(word) || read_ttl(word, &lines->entry.ttl)); i++)
        word = take_word(&at);
    if (!word)
        return same_owner || !*line ? LINE_IGNORED : bad(lines, "no type");
    if (lines->owner_len == 0)
        return bad(lines, "a record without an owner");
    return read_record(lines, word, at);
}
