/* SPDX-License-Identifier: MIT */
#include "blocklines.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { LABEL_MAX = 63 };

void block_lines_start(struct block_lines *lines, enum config_block_format format,
                       int (*emit)(void *context, const struct block_entry *entry), void *context)
{
    lines->format = format;
    lines->emit = emit;
    lines->context = context;
    lines->reason = NULL;
    block_lines_next_file(lines);
}

void block_lines_next_file(struct block_lines *lines)
{
    lines->origin[0] = lines->apex[0] = 0;
    lines->origin_len = lines->apex_len = 1;
    lines->owner_len = 0;
    lines->has_apex = false;
    lines->ttl = 0;
    lines->open = 0;
}

/* --- names --- */

/* The byte in lower case; 0: not allowed in a host name. */
static uint8_t host_byte(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
        return (uint8_t)c;
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : 0;
}

/* No top-level domain is a number, so this is an address. */
static bool is_number(const uint8_t *label)
{
    for (unsigned i = 1; i <= *label; i++)
        if (label[i] < '0' || label[i] > '9')
            return false;
    return true;
}

int block_host(uint8_t out[NAME_MAX_WIRE], const char *text, size_t len)
{
    size_t at = 1, label = 0; /* out[label] will be the length of the current label */
    len -= len > 1 && text[len - 1] == '.';
    for (size_t i = 0; i <= len; i++) {
        if (i == len || text[i] == '.') {
            if (at - label < 2 || at - label > LABEL_MAX + 1)
                return -EINVAL;
            out[label] = (uint8_t)(at - label - 1);
            if (i == len)
                break;
            label = at++;
        } else {
            out[at++] = host_byte(text[i]);
            if (out[at - 1] == 0)
                return -EINVAL;
        }
        if (at >= NAME_MAX_WIRE)
            return -EINVAL;
    }
    if (is_number(out + label))
        return -EINVAL;
    out[at++] = 0;
    return (int)at;
}

static int bad(struct block_lines *lines, const char *reason)
{
    lines->reason = reason;
    return LINE_BAD;
}

/* Emits a rule for a host name. LINE_USED, LINE_BAD or negative. */
static int emit_host(struct block_lines *lines, const char *text, size_t len, enum block_rule rule, bool below)
{
    struct block_entry *entry = &lines->entry;
    int name = block_host(entry->name, text, len);
    if (name < 0)
        return bad(lines, "not a host name");
    entry->rule = rule;
    entry->self = true;
    entry->below = below;
    entry->len = (size_t)name;
    int status = lines->emit(lines->context, entry);
    return status < 0 ? status : LINE_USED;
}

/* --- words --- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word, and its length; advances *at past it. NULL: there is none. */
static char *next_word(char **at, size_t *len)
{
    while (is_space(**at))
        ++*at;
    char *word = *at;
    while (**at && !is_space(**at))
        ++*at;
    *len = (size_t)(*at - word);
    return *len ? word : NULL;
}

/* --- hosts --- */

static bool leads_nowhere(const char *text)
{
    uint8_t address[16];
    if (inet_pton(AF_INET, text, address) == 1)
        return address[0] == 0 || address[0] == 127;
    static const uint8_t zero[15];
    return inet_pton(AF_INET6, text, address) == 1 && memcmp(address, zero, sizeof zero) == 0 && address[15] <= 1;
}

/* Names that hosts files have for the machine itself, so that lists made for them have them as well. */
static bool is_of_machine(const char *name)
{
    static const char *const names[] = {"localhost", "localhost.localdomain", "local", "broadcasthost", "0.0.0.0"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return strncasecmp(name, "ip6-", 4) == 0;
}

static int read_names(struct block_lines *lines, char *at)
{
    int result = LINE_IGNORED;
    size_t len;
    char *word;
    while ((word = next_word(&at, &len))) {
        bool is_last = !*at;
        word[len] = '\0';
        if (!is_of_machine(word)) {
            result = emit_host(lines, word, len, RULE_BLOCK, false);
            if (result != LINE_USED)
                return result;
        }
        at += !is_last;
    }
    return result;
}

static int read_hosts(struct block_lines *lines, char *line)
{
    size_t len;
    char *at = line, *comment = strchr(line, '#');
    uint8_t address[16];
    if (comment)
        *comment = '\0';
    char *word = next_word(&at, &len);
    if (!word)
        return LINE_IGNORED;
    if (!*at)
        return bad(lines, "an address without a name, or a name without an address");
    word[len] = '\0';
    word[strcspn(word, "%")] = '\0';
    if (leads_nowhere(word))
        return read_names(lines, at + 1);
    if (inet_pton(AF_INET, word, address) == 1 || inet_pton(AF_INET6, word, address) == 1)
        return LINE_UNSUPPORTED;
    return bad(lines, "does not begin with an address");
}

/* --- domains --- */

static bool is_comment(const char *word)
{
    return *word == '#' || *word == '!' || *word == ';' || strncmp(word, "//", 2) == 0;
}

static int read_domain(struct block_lines *lines, char *line)
{
    size_t len, more_len;
    char *at = line, *word = next_word(&at, &len);
    if (!word || is_comment(word))
        return LINE_IGNORED;
    char *comment = memchr(word, '#', len);
    if (comment) {
        len = (size_t)(comment - word);
    } else {
        const char *more = next_word(&at, &more_len);
        if (more && !is_comment(more))
            return bad(lines, "more than one word");
    }
    size_t skip = len > 2 && word[0] == '*' && word[1] == '.' ? 2 : len > 1 && word[0] == '.';
    return emit_host(lines, word + skip, len - skip, RULE_BLOCK, true);
}

/* --- adblock --- */

static int read_adblock(struct block_lines *lines, char *line)
{
    size_t len;
    char *at = line, *word = next_word(&at, &len);
    if (!word || *word == '!' || *word == '[' || (*word == '#' && (len == 1 || is_space(word[1]))))
        return LINE_IGNORED;
    bool allow = strncmp(word, "@@", 2) == 0;
    word += allow ? 2 : 0;
    if (strncmp(word, "||", 2) != 0)
        return LINE_UNSUPPORTED;
    word += 2;
    size_t name = strcspn(word, "^");
    const char *end = word + name;
    end += *end == '^';
    end += *end == '|';
    if (end == word + name || (*end && strcmp(end, "$important") != 0) || memchr(word, '*', name) ||
        memchr(word, '/', name))
        return LINE_UNSUPPORTED;
    return emit_host(lines, word, name, allow ? RULE_ALLOW : RULE_BLOCK, true);
}

/* --- all --- */

int block_lines_read(struct block_lines *lines, char *line, size_t len)
{
    if (memchr(line, '\0', len))
        return bad(lines, "not text");
    while (len > 0 && (line[len - 1] == '\r' || is_space(line[len - 1])))
        line[--len] = '\0';
    if (strncmp(line, "\xEF\xBB\xBF", 3) == 0) /* byte order mark of UTF-8 */
        line += 3;
    switch (lines->format) {
    case BLOCK_HOSTS:
        return read_hosts(lines, line);
    case BLOCK_ADBLOCK:
        return read_adblock(lines, line);
    case BLOCK_RPZ:
        return block_rpz_read(lines, line);
    default:
        return read_domain(lines, line);
    }
}
