/* SPDX-License-Identifier: MIT */
/* Invariants: `at` never passes `end`. A node may begin only where `fresh` is set: at the start of a line, or
 * after an indicator, a bracket or a comma. Elsewhere only the end of a node, or what separates it from the next,
 * is accepted. */
#include "config/prescan.h"

#include <string.h>

/* The last thing read in this line. */
enum last { LAST_NOTHING, LAST_SCALAR, LAST_BRACKET };

struct prescan_walk {
    const char *at, *end;
    struct mark mark; /* of `at` */
    enum last last;
    bool fresh, blank; /* blank: `at` is at the start of the text or after white space */
    size_t depth;
    struct {
        char bracket;
        struct mark mark;
    } open[PRESCAN_DEPTH_MAX];
    struct mark wrong;
    const char *why; /* set if the walk ends early */
};

static bool refuse(struct prescan_walk *walk, struct mark mark, const char *why)
{
    walk->wrong = mark;
    walk->why = why;
    return false;
}

static void step(struct prescan_walk *walk)
{
    walk->at++;
    if (walk->at == walk->end || ((unsigned char)*walk->at & 0xc0) != 0x80)
        walk->mark.column++;
}

/* The byte at offset `ahead`; a line end past the end of the text. */
static char look(const struct prescan_walk *walk, size_t ahead)
{
    return (size_t)(walk->end - walk->at) > ahead ? walk->at[ahead] : '\n';
}

static bool is_line_end(char byte)
{
    return byte == '\n' || byte == '\r';
}

static bool is_white(char byte)
{
    return byte == ' ' || byte == '\t' || is_line_end(byte);
}

/* True if a ":", "-" or "?" followed by this byte is an indicator. */
static bool is_behind_indicator(const struct prescan_walk *walk, char byte)
{
    return is_white(byte) || (walk->depth > 0 && strchr(",[]{}", byte));
}

static bool take_line_end(struct prescan_walk *walk)
{
    if (look(walk, 0) == '\r' && look(walk, 1) == '\n' && walk->end - walk->at > 1)
        walk->at++;
    walk->at++;
    walk->mark.line++;
    walk->mark.column = 1;
    walk->fresh = walk->blank = true;
    walk->last = LAST_NOTHING;
    return true;
}

static bool take_white(struct prescan_walk *walk)
{
    bool indents = walk->mark.column == 1;
    for (; walk->at < walk->end && (*walk->at == ' ' || *walk->at == '\t'); step(walk))
        if (indents && *walk->at == '\t')
            return refuse(walk, walk->mark, "a tab; lines are indented with spaces");
    walk->blank = true;
    return true;
}

static bool take_comment(struct prescan_walk *walk)
{
    while (walk->at < walk->end && !is_line_end(*walk->at))
        step(walk);
    return true;
}

static bool take_quoted(struct prescan_walk *walk)
{
    struct mark start = walk->mark;
    char quote = *walk->at;
    for (step(walk); walk->at < walk->end && !is_line_end(*walk->at); step(walk)) {
        bool escapes = quote == '"' ? *walk->at == '\\' : *walk->at == '\'' && look(walk, 1) == '\'';
        if (escapes && is_line_end(look(walk, 1)))
            break;
        if (escapes)
            step(walk);
        else if (*walk->at == quote)
            break;
    }
    if (walk->at == walk->end || *walk->at != quote)
        return refuse(walk, start, "this quote is not closed in its line");
    step(walk);
    walk->last = LAST_SCALAR;
    return true;
}

/* Reads a scalar without quotes, up to its end. */
static bool take_plain(struct prescan_walk *walk)
{
    for (; walk->at < walk->end && !is_line_end(*walk->at); step(walk)) {
        char byte = *walk->at;
        if (byte == ':' && is_behind_indicator(walk, look(walk, 1)))
            break;
        if (is_white(byte) && look(walk, 1) == '#')
            break;
        if (walk->depth > 0 && strchr(",[]{}", byte))
            break;
    }
    walk->last = LAST_SCALAR;
    return true;
}

static bool take_opening(struct prescan_walk *walk)
{
    if (walk->depth == PRESCAN_DEPTH_MAX)
        return refuse(walk, walk->mark, "nested too deeply");
    walk->open[walk->depth].bracket = *walk->at;
    walk->open[walk->depth].mark = walk->mark;
    walk->depth++;
    step(walk);
    walk->fresh = true;
    walk->last = LAST_NOTHING;
    return true;
}

static bool take_closing(struct prescan_walk *walk)
{
    char opening = *walk->at == ']' ? '[' : '{';
    if (walk->depth == 0 || walk->open[walk->depth - 1].bracket != opening)
        return refuse(walk, walk->mark, opening == '[' ? "no [ is open here" : "no { is open here");
    walk->depth--;
    step(walk);
    walk->fresh = false;
    walk->last = LAST_BRACKET;
    return true;
}

/* The ":" after a key. */
static bool take_colon(struct prescan_walk *walk)
{
    if (walk->last != LAST_SCALAR)
        return refuse(walk, walk->mark, "there is no key before this \":\"; put an IPv6 address in quotes");
    step(walk);
    walk->fresh = true;
    walk->last = LAST_NOTHING;
    return true;
}

static bool take_node(struct prescan_walk *walk)
{
    static const struct {
        char byte;
        const char *why;
    } unused[] = {{'&', "anchors are not supported"},
                  {'*', "aliases are not supported; write the value out"},
                  {'!', "tags are not supported"},
                  {'%', "directives are not supported"},
                  {'?', "a key is written as key: value"},
                  {'|', "a value must be on one line"},
                  {'>', "a value must be on one line"},
                  {'@', "a value that begins with @ needs quotes"},
                  {'`', "a value that begins with ` needs quotes"},
                  {'#', "a comment needs a space before it"}};
    for (size_t i = 0; i < sizeof(unused) / sizeof(*unused); i++)
        if (*walk->at == unused[i].byte)
            return refuse(walk, walk->mark, unused[i].why);
    if (*walk->at == '[' || *walk->at == '{')
        return take_opening(walk);
    if (*walk->at == '-' && is_behind_indicator(walk, look(walk, 1))) {
        if (walk->depth > 0)
            return refuse(walk, walk->mark, "no \"- \" between brackets");
        step(walk);
        return true; /* the item may begin */
    }
    walk->fresh = false;
    return *walk->at == '"' || *walk->at == '\'' ? take_quoted(walk) : take_plain(walk);
}

/* "---" or "..." at the start of a line. */
static bool is_document_marker(const struct prescan_walk *walk)
{
    char byte = look(walk, 0);
    return walk->mark.column == 1 && (byte == '-' || byte == '.') && look(walk, 1) == byte && look(walk, 2) == byte &&
           is_white(look(walk, 3));
}

static bool take_document_marker(struct prescan_walk *walk)
{
    if (walk->depth > 0)
        return refuse(walk, walk->open[walk->depth - 1].mark, "this bracket is never closed");
    for (int i = 0; i < 3; i++)
        step(walk);
    return true;
}

/* Reads the next element; false if the text must be refused. */
static bool take(struct prescan_walk *walk)
{
    char byte = *walk->at;
    bool blank = walk->blank;
    if (is_line_end(byte))
        return take_line_end(walk);
    if (is_white(byte))
        return take_white(walk);
    walk->blank = false;
    if (is_document_marker(walk))
        return take_document_marker(walk);
    if (byte == '#' && blank)
        return take_comment(walk);
    if (byte == ':' && is_behind_indicator(walk, look(walk, 1)))
        return take_colon(walk);
    if (walk->depth > 0 && (byte == ']' || byte == '}'))
        return take_closing(walk);
    if (walk->depth > 0 && byte == ',') {
        step(walk);
        walk->fresh = true;
        walk->last = LAST_NOTHING;
        return true;
    }
    if (walk->fresh)
        return take_node(walk);
    return refuse(walk, walk->mark,
                  "something is missing before this: a comma, a line end, or quotes around the whole");
}

bool prescan_check(struct report *report, const struct source *source)
{
    struct prescan_walk walk = {.at = source->text, .end = source->text + source->len, .mark = {source, 1, 1}};
    walk.fresh = walk.blank = true;
    if (source->len >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0)
        walk.at += 3; /* a byte order mark */
    bool good = true;
    while (good && walk.at < walk.end)
        good = take(&walk);
    if (good && walk.depth > 0)
        good = refuse(&walk, walk.open[walk.depth - 1].mark, "this bracket is never closed");
    if (!good)
        report_at(report, walk.wrong, "%s", walk.why);
    return good;
}
