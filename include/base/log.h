/* SPDX-License-Identifier: MIT */
/* Log lines: "level module: sentence" with the time, or with the priority prefixes of sd-daemon(3) for the journal
 * (if JOURNAL_STREAM names it); or JSON, one object per line. A slow or closed reader is never an error and never
 * blocks the caller: lines that it does not accept at once are dropped, and the next accepted line is preceded by a
 * line with their number.
 *
 * Does:    keeps one level per module; writes lines of a sentence (log_write) or of fields (log_line, for callers
 *          that batch lines).
 * Owns:    nothing; levels, format and descriptor belong to the process.
 * Threads: any; one write per line.
 */
#ifndef DOTSTUB_BASE_LOG_H
#define DOTSTUB_BASE_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* The modules that log; tests/lint/layers checks the calls against this list. */
#define LOG_MODULES(X)                                                                                                 \
    X(cache)                                                                                                           \
    X(config)                                                                                                          \
    X(control) X(daemon) X(link) X(log) X(resolve) X(store) X(tls) X(upstream) X(verifytime) X(wallclock) X(worker)
enum {
#define LOG_MODULES_ENUM(name) LOG_MODULE_##name,
    LOG_MODULES(LOG_MODULES_ENUM)
#undef LOG_MODULES_ENUM
        LOG_MODULE_COUNT
};
/* The names of all modules, separated by commas. */
const char *log_module_list(void);
const char *log_module_name(unsigned module);
/* The module of that name, or LOG_MODULE_COUNT. */
unsigned log_find_module(const char *name);
/* "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);

/* The level of all modules, and of names that are not in LOG_MODULES. */
void log_set_level(enum log_level level);
enum log_level log_level(void);
void log_set_module_level(unsigned module, enum log_level level);
enum log_level log_module_level(unsigned module);
bool log_enabled(enum log_level level, const char *module);

/* Call it before there are other threads. `fd` is borrowed; the default is 2. */
void log_set_output(int fd, enum log_format format);

/* `module` is a name of LOG_MODULES. A line of text is cut at 1,000 bytes with its newline; all but printable
 * ASCII is escaped as \xNN; errno is preserved. */
void log_write(enum log_level level, const char *module, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(module, ...)                                                                                         \
    do {                                                                                                               \
        if (log_enabled(LOG_LEVEL_DEBUG, module))                                                                      \
            log_write(LOG_LEVEL_DEBUG, module, __VA_ARGS__);                                                           \
    } while (0)

/* A line "level subject: key=text key=7", or {..., "key": "text", "key": 7}. A field that does not fit is left out
 * whole. */
struct log_field {
    const char *key, *text; /* text NULL: a number */
    uint64_t number;
};
#define LOG_LINE_MAX 2500
/* Formats a line of at most LOG_LINE_MAX bytes, newline included, and returns its length. The caller checks
 * log_enabled first. */
size_t log_line(char out[LOG_LINE_MAX], enum log_level level, const char *subject, const struct log_field *fields,
                size_t count);
/* Writes whole lines, at most LOG_BATCH bytes, in one write. False: they were dropped. */
#define LOG_BATCH 4096
bool log_put(const char *lines, size_t len);

/* Rate limit for lines that a hostile network can cause: true at most once in 10 s per limit, with *suppressed the
 * number of lines suppressed since the last true. A zeroed struct is a fresh limit; one thread per limit. */
struct log_limit {
    uint64_t next_ms, suppressed;
};
bool log_allowed(struct log_limit *limit, uint64_t now_ms, uint64_t *suppressed);

/* Limit for lines about conditions that last, such as an outage: a line at once, then 10 s, 1 min, 10 min and every
 * hour after it while the condition goes on. A condition that did not occur for a minute is new when it occurs again:
 * a line at once, but at least 10 s after the last one, doubling to an hour, until it was away for an hour. Any thread. */
#define LOG_REPEATS 16
struct log_repeats {
    pthread_mutex_t lock;
    struct log_repeat {
        uint64_t key, last_ms, line_ms, gap_ms, suppressed;
        unsigned step;
    } item[LOG_REPEATS];
};
#define LOG_REPEATS_INIT                                                                                               \
    {                                                                                                                  \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                                              \
    }
/* `key` identifies the condition and is not 0. `fresh`: it concerns somebody that no line named yet, and counts as
 * new. True: write a line; *suppressed is the number of lines suppressed since the last one. */
bool log_repeat_allowed(struct log_repeats *repeats, uint64_t key, bool fresh, uint64_t now_ms, uint64_t *suppressed);
/* Forgets all conditions. */
void log_repeats_reset(struct log_repeats *repeats);

/* As log_allowed, for events that several threads notice at once: only one of them gets true. Any thread. */
struct log_shared_limit {
    _Atomic uint64_t next_ms;
};
bool log_allowed_shared(struct log_shared_limit *limit, uint64_t now_ms);

#endif
