/* SPDX-License-Identifier: MIT */
/* Invariants: the tree is built from libfyaml's events, not from its documents, so that nothing is expanded and
 * our limits stop the parser; the stack holds the open collections; `last` is the last member of its collection. */
#include "config/yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <string.h>
#include "config/prescan.h"
#include "config/text.h"

struct open_collection {
    struct yaml_node *node;
    struct yaml_node *last;
    struct yaml_node *key; /* of a mapping: a key whose value has not been read yet */
};

struct builder {
    struct arena *arena;
    struct report *report;
    const struct source *source;
    struct yaml_node *root;
    struct mark last_mark; /* of empty values: libfyaml has none before version 0.8, then one after the key */
    struct open_collection stack[YAML_DEPTH_MAX];
    size_t depth, nodes, documents;
    bool stopped; /* a limit was reached, which was reported */
};

static struct mark mark_at(const struct builder *builder, const struct fy_mark *mark)
{
    if (!mark)
        return builder->last_mark;
    return (struct mark){builder->source, (unsigned)mark->line + 1, (unsigned)mark->column + 1};
}

/* libfyaml's marks are after the opening quote. */
static struct mark mark_before(const struct builder *builder, const struct fy_mark *mark)
{
    struct mark behind = mark_at(builder, mark);
    behind.column -= behind.column > 1;
    return behind;
}

static void stop(struct builder *builder, struct mark mark, const char *why)
{
    report_at(builder->report, mark, "%s", why);
    builder->stopped = true;
}

static int node_new(struct yaml_node **out, struct builder *builder, enum yaml_kind kind, struct mark mark)
{
    struct yaml_node *node = arena_take(builder->arena, sizeof(*node));
    if (!node)
        return -ENOMEM;
    node->kind = kind;
    node->mark = builder->last_mark = mark;
    if (++builder->nodes > YAML_NODES_MAX)
        stop(builder, mark, "too many values for a configuration file");
    *out = node;
    return 0;
}

/* True if the key can be used; otherwise reports it. */
static bool key_is_usable(struct builder *builder, const struct yaml_node *mapping, const struct yaml_node *key)
{
    char quoted[QUOTED_TEXT];
    if (key->kind != YAML_SCALAR) {
        if (key->kind != YAML_REFUSED)
            report_at(builder->report, key->mark, "a key must be a word");
        return false;
    }
    for (const struct yaml_node *member = mapping->first; member; member = member->next) {
        if (strcmp(member->key->text, key->text) != 0)
            continue;
        report_at(builder->report, key->mark, "duplicate key %s; first in line %u", report_quote(key->text, quoted),
                  member->key->mark.line);
        return false;
    }
    if (mapping->count < YAML_KEYS_MAX)
        return true;
    stop(builder, key->mark, "too many keys in one mapping");
    return false;
}

static void append(struct open_collection *open, struct yaml_node *node)
{
    if (open->last)
        open->last->next = node;
    else
        open->node->first = node;
    open->last = node;
    open->node->count++;
}

/* Adds a complete node to the tree: as the root, the next item, the next key, or the value of the last key. */
static void place(struct builder *builder, struct yaml_node *node)
{
    if (builder->depth == 0) {
        builder->root = node;
        return;
    }
    struct open_collection *open = &builder->stack[builder->depth - 1];
    if (open->node->kind == YAML_LIST) {
        append(open, node);
    } else if (!open->key) {
        open->key = node;
    } else {
        node->key = open->key;
        open->key = NULL;
        if (key_is_usable(builder, open->node, node->key))
            append(open, node);
    }
}

static int open_collection(struct builder *builder, enum yaml_kind kind, struct mark mark)
{
    struct yaml_node *node;
    if (builder->depth == YAML_DEPTH_MAX) {
        stop(builder, mark, "nested too deeply");
        return 0;
    }
    int error = node_new(&node, builder, kind, mark);
    if (!error)
        builder->stack[builder->depth++] = (struct open_collection){.node = node};
    return error;
}

static bool says_nothing(const struct buffer *text, enum fy_scalar_style style)
{
    static const char *const words[] = {"~", "null", "Null", "NULL"};
    bool found = text->len == 0;
    for (size_t i = 0; !found && i < sizeof(words) / sizeof(*words); i++)
        found = text->len == strlen(words[i]) && memcmp(buffer_bytes(text).data, words[i], text->len) == 0;
    return found && style == FYSS_PLAIN;
}

static bool is_one_line(struct fy_token *token, enum fy_scalar_style style)
{
    const struct fy_mark *start = fy_token_start_mark(token), *end = fy_token_end_mark(token);
    return style != FYSS_LITERAL && style != FYSS_FOLDED && start && end && start->line == end->line;
}

/* Collects the text of a scalar, or sets *why if no setting may have it. It does not call fy_token_get_text, which
 * trusts lengths that the scanner (0.7.12) estimated: when they are wrong it leaks and returns uninitialised
 * bytes. */
static int collect_text(struct buffer *out, const char **why, struct fy_token *token)
{
    if (!is_one_line(token, fy_token_scalar_style(token))) {
        *why = "a value must be on one line";
        return 0;
    }
    struct fy_token_iter *iterator = fy_token_iter_create(token);
    const struct fy_iter_chunk *chunk = NULL;
    size_t at;
    int error = iterator ? 0 : -ENOMEM, broken = 0;
    while (!error && (chunk = fy_token_iter_chunk_next(iterator, chunk, &broken)))
        error = buffer_append(out, chunk->str, chunk->len);
    fy_token_iter_destroy(iterator);
    if (broken || text_check((const char *)buffer_bytes(out).data, out->len, false, &at) != TEXT_CLEAN)
        *why = "a value may not contain control characters";
    return error;
}

static int add_scalar(struct builder *builder, enum yaml_kind kind, struct mark mark, struct bytes text)
{
    struct yaml_node *node;
    int error = node_new(&node, builder, kind, mark);
    if (error)
        return error;
    node->text = arena_text(builder->arena, (const char *)text.data, text.len);
    if (!node->text)
        return -ENOMEM;
    place(builder, node);
    return 0;
}

static int read_scalar(struct builder *builder, struct fy_event *event)
{
    struct fy_token *token = fy_event_get_token(event);
    enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
    bool quoted = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
    const char *why = NULL;
    struct buffer text = {0};
    int error = token ? collect_text(&text, &why, token) : 0;
    const struct fy_mark *start = why || text.len > 0 || style != FYSS_PLAIN ? fy_event_start_mark(event) : NULL;
    struct mark mark = quoted ? mark_before(builder, start) : mark_at(builder, start);
    enum yaml_kind kind = why ? YAML_REFUSED : says_nothing(&text, style) ? YAML_NULL : YAML_SCALAR;
    if (!error && why)
        report_at(builder->report, mark, "%s", why);
    if (!error)
        error = add_scalar(builder, kind, mark, buffer_bytes(&text));
    buffer_free(&text);
    return error;
}

static int read_event(struct builder *builder, struct fy_event *event)
{
    struct mark mark = mark_at(builder, fy_event_start_mark(event));
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (++builder->documents > 1)
            stop(builder, mark, "a second document; a configuration file holds one");
        return 0;
    case FYET_MAPPING_START:
        return open_collection(builder, YAML_MAPPING, mark);
    case FYET_SEQUENCE_START:
        return open_collection(builder, YAML_LIST, mark);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        builder->depth--;
        place(builder, builder->stack[builder->depth].node);
        return 0;
    case FYET_SCALAR:
        return read_scalar(builder, event);
    case FYET_ALIAS:
        stop(builder, mark, "aliases are not supported");
        return 0;
    default:
        return 0;
    }
}

static void report_syntax(struct builder *builder, struct fy_diag *diag)
{
    struct fy_diag_error *error;
    void *iterator = NULL;
    while ((error = fy_diag_errors_iterate(diag, &iterator))) {
        if (error->type != FYET_ERROR)
            continue;
        struct mark mark = {builder->source, (unsigned)error->line, (unsigned)error->column};
        stop(builder, error->line > 0 && error->column > 0 ? mark : builder->last_mark, error->msg);
        return;
    }
    stop(builder, builder->last_mark, "this is not YAML");
}

static int read_events(struct builder *builder, struct fy_parser *parser, struct fy_diag *diag)
{
    int error = 0;
    bool ended = false;
    while (!error && !ended && !builder->stopped) {
        struct fy_event *event = fy_parser_parse(parser);
        if (event) {
            ended = event->type == FYET_STREAM_END;
            error = read_event(builder, event);
            fy_parser_event_free(parser, event);
        } else {
            report_syntax(builder, diag);
        }
    }
    return error;
}

/* libfyaml reads past the end of a text that ends within a line, in an escape or in a comment. */
static const char *with_line_end(struct arena *arena, const struct source *source, size_t *len)
{
    *len = source->len;
    if (source->text[source->len - 1] == '\n')
        return source->text;
    char *text = arena_take(arena, source->len + 1);
    if (text) {
        memcpy(text, source->text, source->len);
        text[(*len)++] = '\n';
    }
    return text;
}

static int parse(struct builder *builder, const char *text, size_t len)
{
    struct fy_diag_cfg silent = {.level = FYET_ERROR};
    struct fy_diag *diag = fy_diag_create(&silent);
    if (!diag)
        return -ENOMEM;
    fy_diag_set_collect_errors(diag, true);

    int error = -ENOMEM;
    struct fy_parse_cfg settings = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = diag};
    struct fy_parser *parser = fy_parser_create(&settings);
    if (parser && fy_parser_set_string(parser, text, len) == 0)
        error = read_events(builder, parser, diag);
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return error;
}

int yaml_parse(struct yaml_node **root, struct arena *arena, struct report *report, const struct source *source)
{
    struct builder builder = {.arena = arena, .report = report, .source = source, .last_mark = {source, 1, 1}};
    size_t len;
    *root = NULL;
    if (source->len == 0 || !prescan_check(report, source))
        return 0;
    const char *text = with_line_end(arena, source, &len);
    int error = text ? parse(&builder, text, len) : -ENOMEM;
    if (!error && !builder.stopped)
        *root = builder.root;
    return error;
}
