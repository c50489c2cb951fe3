/* SPDX-License-Identifier: MIT */
/* Reports that the wall clock was set.
 *
 * Invariant: the timer is set once, to the latest possible time; each time the wall clock is set the kernel makes a
 * read fail with ECANCELED, and the timer stays set (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET).
 */
#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/log.h"
#include "net/wallclock.h"

#define END_OF_TIME ((time_t)(UINTMAX_MAX >> (8 * (sizeof(uintmax_t) - sizeof(time_t)) + 1)))

static void wallclock_on_readable(uv_poll_t *poll, int status, int events)
{
    struct wallclock *wallclock = poll->data;
    uint64_t expirations;
    (void)status;
    (void)events;
    if (read(wallclock->fd, &expirations, sizeof(expirations)) < 0 && errno == ECANCELED)
        wallclock->was_set(wallclock);
}

static int timer_for_the_end_of_time(void)
{
    static const struct itimerspec never = {.it_value.tv_sec = END_OF_TIME};
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

void wallclock_open(struct wallclock *wallclock, struct loop *loop, void (*was_set)(struct wallclock *))
{
    *wallclock = (struct wallclock){.fd = timer_for_the_end_of_time(), .was_set = was_set};
    int status = wallclock->fd;
    if (status < 0)
        goto fail;
    status = uv_poll_init(&loop->uv, &wallclock->poll, wallclock->fd);
    if (status < 0)
        goto fail;
    wallclock->poll.data = wallclock;
    uv_poll_start(&wallclock->poll, UV_READABLE, wallclock_on_readable);
    return;
fail:
    log_debug("wallclock", "cannot monitor clock changes: %s", error_text(status));
    if (wallclock->fd >= 0)
        close(wallclock->fd);
    wallclock->fd = -1;
}

void wallclock_close(struct wallclock *wallclock)
{
    if (wallclock->fd < 0)
        return;
    uv_close((uv_handle_t *)&wallclock->poll, NULL); /* the descriptor may be closed now */
    close(wallclock->fd);
    wallclock->fd = -1;
}
