/* SPDX-License-Identifier: MIT */
/* Invariant: `lines` holds whole lines; the flush hook is registered if and only if it is not empty. */
#include "resolve/querylog.h"
#include <string.h>
#include "dns/name.h"
#include "dns/records.h"
#include "dns/codes.h"
#include "upstream/report.h"
#include "upstream/upstream.h"

_Atomic unsigned querylog_one_in;

void querylog_set(unsigned sample)
{
    atomic_store_explicit(&querylog_one_in, sample, memory_order_relaxed);
}

/* --- writing --- */

static void write_lines(struct querylog *log)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < log->len; i++)
        lines += log->lines[i] == '\n';
    counter_add(log->counters, log_put(log->lines, log->len) ? COUNTER_query_lines_written : COUNTER_query_lines_lost,
                lines);
    log->len = 0;
}

static void flush(struct loop_flush *hook)
{
    write_lines(container_of(hook, struct querylog, flush));
}

void querylog_init(struct querylog *log, struct loop *loop, struct counters *counters)
{
    log->loop = loop;
    log->counters = counters;
    log->flush.flush = flush;
    log->passed = 0;
    log->len = 0;
}

void querylog_fini(struct querylog *log)
{
    loop_remove_flush(&log->flush);
    if (log->len > 0)
        write_lines(log);
}

/* --- formatting a line --- */

static const char *how_text(const struct querylog_entry *entry)
{
    static const char *const texts[] = {
        [HOW_HIT] = "hit", [HOW_MISS] = "miss", [HOW_STALE] = "stale", [HOW_LOCAL] = "local", [HOW_FAILED] = "failed"};
    return entry->how == HOW_LOCAL && entry->rcode == RCODE_REFUSED ? "refused" : texts[entry->how];
}

static void add_line(struct querylog *log, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_MAX];
    size_t len = log_line(line, LOG_LEVEL_INFO, "query", fields, count);
    if (log->len + len > sizeof log->lines)
        write_lines(log);
    else if (log->len == 0)
        loop_add_flush(log->loop, &log->flush);
    memcpy(log->lines + log->len, line, len);
    log->len += len;
}

static void make_line(struct querylog *log, const struct querylog_entry *entry)
{
    enum { MOST = 12 };
    char client[ADDR_TEXT], name[NAME_MAX_TEXT], type[TYPE_TEXT], rcode[RCODE_TEXT], server[ADDR_TEXT],
        text[EDE_TEXT + 1] = "";
    const struct ede *ede = entry->ede->count > 0 ? &entry->ede->item[0] : NULL;
    struct log_field fields[MOST] = {
        {"client", addr_format(entry->client, false, client), 0},
        {"transport", entry->tcp ? "tcp" : "udp", 0},
    };
    size_t count = 2;
    if (entry->name) {
        fields[count++] = (struct log_field){"name", name_text(entry->name, name), 0};
        fields[count++] = (struct log_field){"type", records_type_text(entry->type, type), 0};
    }
    fields[count++] = (struct log_field){"rcode", records_rcode_text(entry->rcode, rcode), 0};
    fields[count++] = (struct log_field){"how", how_text(entry), 0};
    fields[count++] = (struct log_field){"ms", NULL, entry->ms};
    if (entry->view)
        fields[count++] = (struct log_field){"view", entry->view, 0};
    if (entry->server) {
        fields[count++] = (struct log_field){"upstream", upstream_name(entry->server), 0};
        fields[count++] = (struct log_field){"server", addr_format(server_address(entry->server), true, server), 0};
    }
    if (ede) {
        memcpy(text, ede->text, ede->len);
        fields[count++] = (struct log_field){"ede", NULL, ede->code};
        fields[count++] = (struct log_field){"ede_text", text, 0};
    }
    add_line(log, fields, ede && !ede->len ? count - 1 : count);
}

void querylog_note(struct querylog *log, const struct querylog_entry *entry)
{
    if (++log->passed < querylog_sample())
        return;
    log->passed = 0;
    make_line(log, entry);
}
