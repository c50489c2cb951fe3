/* Invariants: a line is at most LINE_MOST bytes with its newline, holds printable ASCII only and leaves in
 * one write, which is made only when it cannot block. errno is as before after every call. */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"

enum { LINE_MOST = 1000, LIMIT_MS = 10000 };

/* sd-daemon(3): the number is the syslog priority. */
static const struct {
    const char *name, *priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", "<3>"},
    [LOG_LEVEL_WARNING] = {"warning", "<4>"},
    [LOG_LEVEL_INFO] = {"info", "<6>"},
    [LOG_LEVEL_DEBUG] = {"debug", "<7>"},
};

static _Atomic int highest = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&highest, (int)level, memory_order_relaxed);
}

enum log_level log_level(void)
{
    return (enum log_level)atomic_load_explicit(&highest, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&highest, memory_order_relaxed);
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode"; it is inherited, so only a match means this stderr. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat stat;
    char here[64];
    if (!stream || fstat(STDERR_FILENO, &stat) < 0)
        return false;
    snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)stat.st_dev, (uintmax_t)stat.st_ino);
    return strcmp(stream, here) == 0;
}

static size_t format_prefix(char *out, size_t cap, enum log_level level, const char *module)
{
    char when[32];
    const char *prefix = levels[level].priority;
    if (!stderr_is_journal()) {
        struct tm tm = {0};
        const time_t now = (time_t)clock_wall_s();
        gmtime_r(&now, &tm);
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ ", &tm);
        prefix = when;
    }
    const int len = snprintf(out, cap, "%s%s %.32s: ", prefix, levels[level].name, module);
    return len > 0 ? (size_t)len : 0;
}

/* Text of strangers must not start a new line or move a terminal's cursor. Gives the length; stops before
 * what does not fit whole. */
static size_t escape(char *out, size_t cap, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;
    for (; *text != '\0'; ++text) {
        const unsigned char byte = (unsigned char)*text;
        const bool plain = byte >= 0x20 && byte < 0x7f;
        if (cap - len < (plain ? 1 : 4))
            break;
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

/* Whoever reads stderr may have stopped: a line that would block is dropped. Asking and writing are one step,
 * so that another thread cannot take the room in between. */
static void write_line(const char *line, size_t len)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    pthread_mutex_lock(&lock);
    if (poll(&room, 1, 0) == 1 && room.revents & POLLOUT) {
        const ssize_t written = write(STDERR_FILENO, line, len);
        (void)written;
    }
    pthread_mutex_unlock(&lock);
}

void log_write(enum log_level level, const char *module, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    const int saved_errno = errno;
    char text[LINE_MOST] = "", line[LINE_MOST];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t len = format_prefix(line, sizeof(line), level, module);
    len += escape(line + len, sizeof(line) - len - 1, text);
    line[len++] = '\n';
    write_line(line, len);
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
