/* SPDX-License-Identifier: MIT */
/* Invariant: a mistake prints three lines of bounded length, whatever the source text is. */
#include "config/report.h"

#include <stdarg.h>
#include <string.h>

#define LINE_SHOWN 160 /* bytes shown of a source line */
#define LINE_AHEAD 120 /* at most this number before the caret */

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* A line of the source without its end; empty if there is no such line. As in YAML 1.2, lines end with LF, CR or
 * CRLF. */
static struct bytes source_line(const struct source *source, unsigned line)
{
    const char *at = source->text, *end = source->text + source->len;
    while (line > 1 && at < end) {
        char byte = *at++;
        if (byte == '\n' || (byte == '\r' && (at == end || *at != '\n')))
            line--;
    }
    const char *stop = at;
    while (stop < end && *stop != '\n' && *stop != '\r')
        stop++;
    if (line > 1)
        stop = at;
    return (struct bytes){(const uint8_t *)at, (size_t)(stop - at)};
}

static void print_line_and_caret(FILE *out, const struct mark *mark)
{
    struct bytes bytes = source_line(mark->source, mark->line);
    const char *line = (const char *)bytes.data;

    size_t caret = 0;
    for (unsigned column = 1; column < mark->column && caret < bytes.len; column++)
        do
            caret++;
        while (caret < bytes.len && is_continuation(line[caret]));

    size_t from = caret > LINE_AHEAD ? caret - LINE_AHEAD : 0;
    while (from > 0 && is_continuation(line[from]))
        from--;
    size_t to = bytes.len - from > LINE_SHOWN ? from + LINE_SHOWN : bytes.len;
    while (to < bytes.len && is_continuation(line[to]))
        to--;

    fprintf(out, "%.*s\n", (int)(to - from), line + from);
    for (size_t i = from; i < caret; i++)
        if (!is_continuation(line[i]))
            fputc(line[i] == '\t' ? '\t' : ' ', out);
    fputs("^\n", out);
}

static bool counted_and_shown(struct report *report)
{
    return report->mistakes++ < REPORT_SHOWN;
}

void report_at(struct report *report, struct mark mark, const char *format, ...)
{
    if (!counted_and_shown(report))
        return;
    bool has_place = mark.source && !mark.source->command;
    if (!mark.source)
        fprintf(report->out, "built-in default: ");
    else if (!has_place)
        ;
    else if (mark.source->environment)
        fprintf(report->out, "environment: ");
    else
        fprintf(report->out, "%s:%u:%u: ", mark.source->name, mark.line, mark.column);

    va_list args;
    va_start(args, format);
    vfprintf(report->out, format, args);
    va_end(args);
    fputc('\n', report->out);
    if (has_place)
        print_line_and_caret(report->out, &mark);
}

void report_file(struct report *report, const char *path, const char *format, ...)
{
    if (!counted_and_shown(report))
        return;
    fprintf(report->out, "%s: ", path);
    va_list args;
    va_start(args, format);
    vfprintf(report->out, format, args);
    va_end(args);
    fputc('\n', report->out);
}

void report_end(struct report *report)
{
    if (report->mistakes > REPORT_SHOWN)
        fprintf(report->out, "and %u more mistakes\n", report->mistakes - REPORT_SHOWN);
}

const char *report_quote(const char *text, char out[QUOTED_TEXT])
{
    size_t room = QUOTED_TEXT - sizeof("\"...\""), len = strnlen(text, room + 1);
    bool cut = len > room;
    if (cut)
        for (len = room; len > 0 && is_continuation(text[len]);)
            len--;
    snprintf(out, QUOTED_TEXT, "\"%.*s%s\"", (int)len, text, cut ? "..." : "");
    return out;
}
