/* Log lines on standard error: "level module: sentence", with sd-daemon priority prefixes when stderr is the
 * journal (JOURNAL_STREAM is set). A closed or full stderr is never an error and never blocks: the
 * descriptor's failure is ignored.
 *
 * Threads: any; one write per line.
 */
#ifndef DOTSTUB_BASE_LOG_H
#define DOTSTUB_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
enum log_level log_level(void);
bool log_enabled(enum log_level level);
/* `module` is the source module's name, as in "tls". The line is cut at 1,000 bytes with its newline; all but
 * printable ASCII is escaped as \xNN; errno is kept. */
void log_write(enum log_level level, const char *module, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                       \
    do {                                                                                                     \
        if (log_enabled(LOG_LEVEL_DEBUG))                                                                    \
            log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                                         \
    } while (0)

/* For lines that a hostile network could cause without end: true at most once each 10 s per limit; the number
 * suppressed since the last true is put into *suppressed. Zeroed memory is a fresh limit; one thread per
 * limit. */
struct log_limit {
    uint64_t next_ms, suppressed;
};
bool log_allowed(struct log_limit *limit, uint64_t now_ms, uint64_t *suppressed);

#endif
