/* SPDX-License-Identifier: MIT */
/* Invariants: a line has at most LINE_MOST bytes with its newline (LOG_LINE_MAX for JSON and fields), holds
 * printable ASCII only, and takes one write. Every call preserves errno. `highest` is never below the level of any
 * module, so most disabled lines cost one comparison. */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "logsink.h"

enum { LINE_MOST = 1000, LIMIT_MS = 10000 };

_Static_assert(LOG_BATCH <= PIPE_BUF && LOG_LINE_MAX <= LOG_BATCH, "a pipe with room takes a batch whole");

/* sd-daemon(3): the number is the syslog priority. */
static const struct {
    const char *name, *priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", "<3>"},
    [LOG_LEVEL_WARNING] = {"warning", "<4>"},
    [LOG_LEVEL_INFO] = {"info", "<6>"},
    [LOG_LEVEL_DEBUG] = {"debug", "<7>"},
};

static const char *const modules[] = {
#define NAME(name) #name,
    LOG_MODULES(NAME)
#undef NAME
};

static _Atomic int general = LOG_LEVEL_INFO, highest = LOG_LEVEL_INFO;
static _Atomic int by_module[LOG_MODULE_COUNT] = {
#define INFO(name) LOG_LEVEL_INFO,
    LOG_MODULES(INFO)
#undef INFO
};
static enum log_format line_format;
static _Atomic uint64_t lost; /* number of lines */

/* --- levels --- */

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

const char *log_module_list(void)
{
#define COMMA_AND_NAME(name) ", " #name
    static const char list[] = LOG_MODULES(COMMA_AND_NAME);
#undef COMMA_AND_NAME
    return list + 2;
}

const char *log_module_name(unsigned module)
{
    return modules[module];
}

unsigned log_find_module(const char *name)
{
    unsigned module = 0;
    while (module < LOG_MODULE_COUNT && strcmp(modules[module], name) != 0)
        module++;
    return module;
}

static void set(_Atomic int *where, int level)
{
    atomic_store_explicit(where, level, memory_order_relaxed);
}

static int get(_Atomic int *where)
{
    return atomic_load_explicit(where, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
    set(&general, (int)level);
    for (unsigned i = 0; i < LOG_MODULE_COUNT; i++)
        set(&by_module[i], (int)level);
    set(&highest, (int)level);
}

void log_set_module_level(unsigned module, enum log_level level)
{
    int most = get(&general);
    set(&by_module[module], (int)level);
    for (unsigned i = 0; i < LOG_MODULE_COUNT; i++)
        if (get(&by_module[i]) > most)
            most = get(&by_module[i]);
    set(&highest, most);
}

enum log_level log_level(void)
{
    return (enum log_level)get(&general);
}

enum log_level log_module_level(unsigned module)
{
    return (enum log_level)get(&by_module[module]);
}

bool log_enabled(enum log_level level, const char *name)
{
    if ((int)level > get(&highest))
        return false;
    const unsigned module = log_find_module(name);
    return (int)level <= get(module < LOG_MODULE_COUNT ? &by_module[module] : &general);
}

void log_set_output(int fd, enum log_format format)
{
    logsink_set_output(fd);
    line_format = format;
}

/* --- formatting a line --- */

/* Escapes text from the network, which must not start a new line or move a terminal's cursor. `quoted`: the text
 * is inside quotes. Returns the length; stops before a byte whose escape does not fit, and leaves *text there. */
static size_t escape(char *out, size_t cap, const char **text, bool quoted)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;
    for (; **text != '\0'; ++*text) {
        const unsigned char byte = (unsigned char)**text;
        const bool plain = byte >= 0x20 && byte < 0x7f;
        const bool marked = quoted && (!plain || byte == '"' || byte == '\\');
        if (cap - len < (plain ? 1u : 4u) + marked)
            break;
        if (marked)
            out[len++] = '\\';
        if (plain) {
            out[len++] = (char)byte;
        } else {
            out[len++] = '\\';
            out[len++] = 'x';
            out[len++] = digits[byte >> 4];
            out[len++] = digits[byte & 15];
        }
    }
    return len;
}

/* Writes the part before the sentence or the fields: at most 128 bytes. */
static size_t format_head(char *out, size_t cap, enum log_level level, const char *subject)
{
    char when[32] = "";
    const bool journal = logsink_is_journal(), json = line_format == LOG_FORMAT_JSON;
    struct tm tm = {0};
    const time_t now = (time_t)clock_wall_s();
    gmtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    int len;
    if (json)
        len = snprintf(out, cap, "%s{\"time\": \"%s\", \"level\": \"%s\", \"module\": \"%.32s\"",
                       journal ? levels[level].priority : "", when, levels[level].name, subject);
    else if (journal)
        len = snprintf(out, cap, "%s%s %.32s:", levels[level].priority, levels[level].name, subject);
    else
        len = snprintf(out, cap, "%s %s %.32s:", when, levels[level].name, subject);
    return len > 0 ? (size_t)len : 0;
}

static size_t format_sentence(char *line, size_t cap, enum log_level level, const char *module, const char *text)
{
    const bool json = line_format == LOG_FORMAT_JSON;
    const char *before = json ? ", \"message\": \"" : " ", *behind = json ? "\"}\n" : "\n";
    size_t len = format_head(line, cap, level, module);
    memcpy(line + len, before, strlen(before));
    len += strlen(before);
    len += escape(line + len, cap - len - strlen(behind), &text, json);
    memcpy(line + len, behind, strlen(behind));
    return len + strlen(behind);
}

/* True if `text` needs no quotes in a line of text. */
static bool is_word(const char *text)
{
    const char *at = text;
    while (*at > 0x20 && *at < 0x7f && *at != '"')
        at++;
    return at > text && *at == '\0';
}

/* Writes the text, with quotes if it needs them. 0 if it does not fit. */
static size_t format_text(char *out, size_t cap, const char *text)
{
    if (line_format == LOG_FORMAT_TEXT && is_word(text)) {
        const size_t len = escape(out, cap, &text, false);
        return *text ? 0 : len;
    }
    if (cap < 2)
        return 0;
    const size_t len = escape(out + 1, cap - 2, &text, true);
    out[0] = out[len + 1] = '"';
    return *text ? 0 : len + 2;
}

/* Returns 0 if the field does not fit. */
static size_t format_field(char *out, size_t cap, const struct log_field *field)
{
    const char *before = line_format == LOG_FORMAT_JSON ? ", \"" : " ",
               *behind = line_format == LOG_FORMAT_JSON ? "\": " : "=";
    char number[24];
    snprintf(number, sizeof(number), "%" PRIu64, field->number);
    const int head = snprintf(out, cap, "%s%s%s%s", before, field->key, behind, field->text ? "" : number);
    if (head < 0 || (size_t)head >= cap)
        return 0;
    if (!field->text)
        return (size_t)head;
    const size_t len = format_text(out + head, cap - (size_t)head, field->text);
    return len ? (size_t)head + len : 0;
}

size_t log_line(char out[LOG_LINE_MAX], enum log_level level, const char *subject, const struct log_field *fields,
                size_t count)
{
    const char *behind = line_format == LOG_FORMAT_JSON ? "}\n" : "\n";
    size_t len = format_head(out, LOG_LINE_MAX, level, subject);
    for (size_t i = 0; i < count; i++)
        len += format_field(out + len, LOG_LINE_MAX - strlen(behind) - len, &fields[i]);
    memcpy(out + len, behind, strlen(behind));
    return len + strlen(behind);
}

/* --- writing --- */

static size_t line_most(void)
{
    return line_format == LOG_FORMAT_JSON ? LOG_LINE_MAX : LINE_MOST;
}

static uint64_t count_lines(const char *lines, size_t len)
{
    uint64_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += lines[i] == '\n';
    return count;
}

/* Reports the number of dropped lines once the reader accepts lines again. */
static void log_dropped(void)
{
    char text[80], line[LOG_LINE_MAX];
    const uint64_t count = atomic_exchange_explicit(&lost, 0, memory_order_relaxed);
    snprintf(text, sizeof(text), "%" PRIu64 " log lines before this one were dropped: their reader was too slow",
             count);
    if (count > 0 && !logsink_put(line, format_sentence(line, line_most(), LOG_LEVEL_WARNING, "log", text)))
        atomic_fetch_add_explicit(&lost, count, memory_order_relaxed);
}

bool log_put(const char *lines, size_t len)
{
    if (atomic_load_explicit(&lost, memory_order_relaxed) > 0)
        log_dropped();
    const bool done = logsink_put(lines, len);
    if (!done)
        atomic_fetch_add_explicit(&lost, count_lines(lines, len), memory_order_relaxed);
    return done;
}

void log_write(enum log_level level, const char *module, const char *format, ...)
{
    if (!log_enabled(level, module))
        return;
    const int saved_errno = errno;
    char text[LINE_MOST] = "", line[LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)log_put(line, format_sentence(line, line_most(), level, module, text));
    errno = saved_errno;
}

bool log_allowed(struct log_limit *limit, uint64_t now_ms, uint64_t *suppressed)
{
    if (now_ms < limit->next_ms) {
        ++limit->suppressed;
        return false;
    }
    *suppressed = limit->suppressed;
    *limit = (struct log_limit){.next_ms = now_ms + LIMIT_MS};
    return true;
}

bool log_allowed_shared(struct log_shared_limit *limit, uint64_t now_ms)
{
    uint64_t next_ms = atomic_load_explicit(&limit->next_ms, memory_order_relaxed);
    return now_ms >= next_ms && atomic_compare_exchange_strong(&limit->next_ms, &next_ms, now_ms + LIMIT_MS);
}

/* --- conditions that last --- */

#define MINUTE_MS UINT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)

static const uint64_t repeat_intervals[] = {LIMIT_MS, MINUTE_MS, 10 * MINUTE_MS, HOUR_MS};

/* The condition's item, or the one that was not used for the longest time. */
static struct log_repeat *repeat_find(struct log_repeats *repeats, uint64_t key)
{
    struct log_repeat *oldest = &repeats->item[0];
    for (unsigned i = 0; i < LOG_REPEATS; i++) {
        if (repeats->item[i].key == key)
            return &repeats->item[i];
        if (repeats->item[i].last_ms < oldest->last_ms)
            oldest = &repeats->item[i];
    }
    return oldest;
}

static bool repeat_is_due(struct log_repeat *item, bool fresh, uint64_t now_ms)
{
    const unsigned last_step = sizeof(repeat_intervals) / sizeof(*repeat_intervals) - 1;
    const bool again = now_ms > item->last_ms + MINUTE_MS;
    if (!again && !fresh) {
        if (now_ms < item->line_ms + repeat_intervals[item->step])
            return false;
        item->step += item->step < last_step;
        return true;
    }
    item->step = again ? 0 : item->step > 0 ? item->step : 1;
    if (now_ms < item->line_ms + item->gap_ms)
        return false;
    item->gap_ms = item->gap_ms < HOUR_MS / 2 ? 2 * item->gap_ms : HOUR_MS;
    return true;
}

bool log_repeat_allowed(struct log_repeats *repeats, uint64_t key, bool fresh, uint64_t now_ms, uint64_t *suppressed)
{
    pthread_mutex_lock(&repeats->lock);
    struct log_repeat *item = repeat_find(repeats, key);
    const bool is_new = item->key != key || now_ms > item->last_ms + HOUR_MS;
    if (is_new)
        *item = (struct log_repeat){.key = key, .gap_ms = LIMIT_MS};
    const bool due = is_new || repeat_is_due(item, fresh, now_ms);
    item->last_ms = now_ms;
    if (due) {
        *suppressed = item->suppressed;
        item->suppressed = 0;
        item->line_ms = now_ms;
    } else {
        item->suppressed++;
    }
    pthread_mutex_unlock(&repeats->lock);
    return due;
}

void log_repeats_reset(struct log_repeats *repeats)
{
    pthread_mutex_lock(&repeats->lock);
    memset(repeats->item, 0, sizeof(repeats->item));
    pthread_mutex_unlock(&repeats->lock);
}
