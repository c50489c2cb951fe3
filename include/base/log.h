/* SPDX-License-Identifier: MIT */
/* Log lines: "level module: sentence" with the time, or with sd-daemon priority prefixes when they go to the journal (JOURNAL_STREAM names
 * it); or as JSON, one object a line. A closed or full reader is never an error and never blocks: what it does not take at once is lost, and
 * the next line that it takes says how many were.
 *
 * Does:    one level per module; lines of a sentence (log_write) or of fields (log_line, for those who write many at once).
 * Owns:    nothing but the levels, the format and the descriptor, which are the process's.
 * Threads: any; one write per line.
 */
#ifndef DOTSTUB_BASE_LOG_H
#define DOTSTUB_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* The modules that lines come from; tests/lint/layers holds the calls against this list. */
#define LOG_MODULES(X)                                                                                                 \
    X(cache)                                                                                                           \
    X(config) X(control) X(daemon) X(link) X(log) X(resolve) X(tls) X(upstream) X(verifytime) X(wallclock) X(worker)
enum {
#define LOG_MODULES_ENUM(name) LOG_MODULE_##name,
    LOG_MODULES(LOG_MODULES_ENUM)
#undef LOG_MODULES_ENUM
        LOG_MODULE_COUNT
};
/* All of them, with commas between. */
const char *log_module_list(void);
const char *log_module_name(unsigned module);
/* The module of that name, or LOG_MODULE_COUNT. */
unsigned log_find_module(const char *name);
/* "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);

/* Of all modules, and of what is no module. */
void log_set_level(enum log_level level);
enum log_level log_level(void);
void log_set_module_level(unsigned module, enum log_level level);
enum log_level log_module_level(unsigned module);
bool log_enabled(enum log_level level, const char *module);

/* Before there is another thread. `fd` is borrowed; 2 unless it is set. */
void log_set_output(int fd, enum log_format format);

/* `module` is the source module's name, as in "tls". A line of text is cut at 1,000 bytes with its newline; all but
 * printable ASCII is escaped as \xNN; errno is kept. */
void log_write(enum log_level level, const char *module, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(module, ...)                                                                                         \
    do {                                                                                                               \
        if (log_enabled(LOG_LEVEL_DEBUG, module))                                                                      \
            log_write(LOG_LEVEL_DEBUG, module, __VA_ARGS__);                                                           \
    } while (0)

/* "level subject: key=text key=7" or {..., "key": "text", "key": 7}: all of a field or nothing of it. */
struct log_field {
    const char *key, *text; /* text NULL: the number */
    uint64_t number;
};
#define LOG_LINE_MAX 2500
/* Writes no more than LOG_LINE_MAX, newline included, and gives the length. Whoever calls asks first whether the line is wanted. */
size_t log_line(char out[LOG_LINE_MAX], enum log_level level, const char *subject, const struct log_field *fields,
                size_t count);
/* Whole lines, LOG_BATCH bytes at most, in one write. False: they are lost. */
#define LOG_BATCH 4096
bool log_put(const char *lines, size_t len);

/* For lines that a hostile network could cause without end: true at most once each 10 s per limit; the number
 * suppressed since the last true is put into *suppressed. Zeroed memory is a fresh limit; one thread per
 * limit. */
struct log_limit {
    uint64_t next_ms, suppressed;
};
bool log_allowed(struct log_limit *limit, uint64_t now_ms, uint64_t *suppressed);

/* The same for what several threads see at once: one of them gets true. Any thread. */
struct log_shared_limit {
    _Atomic uint64_t next_ms;
};
bool log_allowed_shared(struct log_shared_limit *limit, uint64_t now_ms);

#endif
