/* SPDX-License-Identifier: MIT */
/* The time that certificates are verified with.
 *
 * Invariants:
 * - verified_s is a clock time, later than the build, at which a certificate chain was valid. It is used only while
 *   the clock is behind the build date, so a clock that was ahead for a while has no effect once it is correct.
 * - The file contains only "verified SECONDS" and a newline. A time long after this build is ignored, because it
 *   would make all certificates look expired.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/file.h"
#include "base/io.h"
#include "base/log.h"
#include "net/verifytime.h"

#define SAVE_EVERY_MS (3600 * 1000)
#define WORD          "verified "
#define DIGITS_MOST   11
#define BELIEVED_S    (10 * 365 * 86400ll) /* after this build */

#define BOOTING_MS (10 * 60 * 1000) /* after the boot */

static _Atomic int64_t verified_s;
static _Thread_local int64_t assumed_s; /* 0: none */

/* Used only by the thread that saves. */
static int64_t saved_s;
static uint64_t next_save_ms;

int64_t verifytime_now(void)
{
    int64_t now_s = clock_wall_s();
    int64_t noted_s = atomic_load_explicit(&verified_s, memory_order_relaxed);
    if (assumed_s)
        return assumed_s;
    if (now_s >= BUILD_DATE_S)
        return now_s;
    return noted_s > BUILD_DATE_S ? noted_s : BUILD_DATE_S;
}

void verifytime_assume(int64_t time_s)
{
    assumed_s = time_s;
}

bool verifytime_may_be_behind(void)
{
    return clock_wall_s() < BUILD_DATE_S || (clock_ms() < BOOTING_MS && !clock_is_synchronised());
}

void verifytime_note(void)
{
    int64_t now_s = clock_wall_s();
    if (now_s >= BUILD_DATE_S)
        atomic_store_explicit(&verified_s, now_s, memory_order_relaxed);
}

/* --- the file --- */

/* Returns the number of bytes read, at most `cap`, or a negative error. */
static ssize_t read_start(const char *path, char *out, size_t cap)
{
    int fd = file_open_private(path);
    if (fd < 0)
        return fd;
    ssize_t len = read_to_end(fd, out, cap);
    close(fd);
    return len;
}

static bool parse(const char *text, size_t len, int64_t *out)
{
    const size_t word = strlen(WORD);
    int64_t value = 0;
    if (len < word + 2 || len > word + DIGITS_MOST + 1 || memcmp(text, WORD, word) != 0 || text[len - 1] != '\n')
        return false;
    for (size_t i = word; i < len - 1; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    if (value > BUILD_DATE_S + BELIEVED_S)
        return false;
    *out = value;
    return true;
}

static void warn_if_behind(void)
{
    int64_t behind_s = verifytime_now() - clock_wall_s();
    if (behind_s > 0)
        log_warning("verifytime",
                    "the system's clock is at least %lld s behind; certificates are verified with a later time",
                    (long long)behind_s);
}

void verifytime_load(const char *path)
{
    char text[64];
    int64_t kept_s = 0;
    ssize_t len = read_start(path, text, sizeof(text));
    if (len < 0 && len != -ENOENT)
        log_warning("verifytime", "cannot read %s: %s", path, error_text((int)len));
    else if (len >= 0 && !parse(text, (size_t)len, &kept_s))
        log_warning("verifytime", "ignoring %s: it does not contain the time of a verified handshake", path);
    atomic_store(&verified_s, kept_s);
    saved_s = kept_s;
    next_save_ms = 0;
    warn_if_behind();
}

void verifytime_save(const char *path)
{
    char text[64];
    int64_t now_s = atomic_load_explicit(&verified_s, memory_order_relaxed);
    if (now_s == saved_s || clock_ms() < next_save_ms)
        return;
    next_save_ms = clock_ms() + SAVE_EVERY_MS;
    int len = snprintf(text, sizeof(text), WORD "%lld\n", (long long)now_s);
    int status = file_replace(path, text, (size_t)len, 0600, true);
    if (status < 0)
        log_warning("verifytime", "cannot save the time of the last verified handshake in %s: %s", path,
                    error_text(status));
    else
        saved_s = now_s;
}
