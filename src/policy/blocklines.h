/* SPDX-License-Identifier: MIT */
/* Reads block lists line by line, in four formats.
 *
 * Does:    turns each line into entries: a rule for names, or for addresses in responses. A line is used, ignored
 *          (empty, a comment, a line that every list of the format has), not supported, or bad; a bad line has a
 *          reason.
 *          hosts:   an address that leads nowhere (0.0.0.0, 127.0.0.1, ::, ::1) and names, each exactly.
 *          domains: a name for itself and all names below it; a leading "*." or "." changes nothing.
 *          adblock: ||name^ and @@||name^, likewise; everything else is not supported.
 *          rpz:     a zone file with triggers on QNAME and on response addresses.
 * Owns:    nothing; entries point into the parser until the next line.
 * Threads: one for each parser.
 * RFC:     1035 section 5 (zone files), draft-vixie-dnsop-dns-rpz.
 */
#ifndef DOTSTUB_POLICY_BLOCKLINES_H
#define DOTSTUB_POLICY_BLOCKLINES_H

#include "base/addr.h"
#include "config/config.h"
#include "dns/name.h"

/* Longer lines are bad. */
#define BLOCK_LINE_MAX 4095

/* If a list has two rules for one name, the greater one applies. They fit four bits. */
enum block_rule {
    RULE_NONE,
    RULE_BLOCK,    /* the answer of the configuration */
    RULE_NXDOMAIN, /* the others are of RPZ, but RULE_ALLOW */
    RULE_NODATA,
    RULE_DROP,
    RULE_TCP, /* over UDP, TC */
    RULE_DATA,
    RULE_PASS,  /* not blocked by this list or a later one */
    RULE_ALLOW, /* not blocked by any list */
};

struct block_entry {
    enum block_rule rule;
    bool self, below; /* for the name; for names below it */
    size_t len;       /* of the name; 0: the rule is for addresses of `prefix` */
    uint8_t name[NAME_MAX_WIRE];
    struct prefix prefix;
    /* RULE_DATA: a record. `rdata` is in presentation form. The CNAME of a wildcard that keeps the labels in place of
     * its own wildcard has `keep_labels`, and the data without the "*." */
    char type[16];
    uint32_t ttl;
    bool keep_labels;
    const char *rdata;
};

enum block_line { LINE_USED, LINE_IGNORED, LINE_UNSUPPORTED, LINE_BAD };

struct block_lines {
    enum config_block_format format;
    /* Gets each entry. Negative ends the list. */
    int (*emit)(void *context, const struct block_entry *entry);
    void *context;
    const char *reason; /* of a bad line */
    /* RPZ: */
    uint8_t origin[NAME_MAX_WIRE], apex[NAME_MAX_WIRE], owner[NAME_MAX_WIRE];
    size_t origin_len, apex_len, owner_len; /* owner 0: none yet */
    bool has_apex;
    uint32_t ttl;
    unsigned open; /* parentheses that a line has left open; the lines up to their end are ignored */
    char rdata[BLOCK_LINE_MAX + 1];
    struct block_entry entry;
};

void block_lines_start(struct block_lines *lines, enum config_block_format format,
                       int (*emit)(void *context, const struct block_entry *entry), void *context);
/* Begins another file of the same list. */
void block_lines_next_file(struct block_lines *lines);
/* Reads one line of `len` bytes without its newline; `line` has a NUL behind it, and is changed. A result of enum
 * block_line, or a negative result of `emit`. */
int block_lines_read(struct block_lines *lines, char *line, size_t len) MUST_CHECK;
/* Parses a host name, with or without the last dot, to lower case: letters, digits, "-" and "_". Returns the length in
 * bytes, or -EINVAL. */
int block_host(uint8_t out[NAME_MAX_WIRE], const char *text, size_t len) MUST_CHECK;

/* Reads a line of RPZ (blockrpz.c). */
int block_rpz_read(struct block_lines *lines, char *line) MUST_CHECK;

#endif
