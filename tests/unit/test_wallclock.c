/* SPDX-License-Identifier: MIT */
/* Detection of a changed wall clock. The machine's clock is not changed: the test makes the timer expire and
 * replaces the result of the read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <cmocka.h>
#include "net/wallclock.h"

struct watch {
    struct wallclock wallclock;
    struct loop loop;
    unsigned told;
    bool then_close;
};

/* --- the kernel --- */

static struct {
    int fd;              /* of the timer */
    int read_error;      /* error of a read; 0: it returns expirations */
    int refuses;         /* error of timerfd_create */
    int refuses_setting; /* error of timerfd_settime */
    int flags;
    struct itimerspec when;
} kernel;

int __real_timerfd_create(int clock, int flags);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *before);
ssize_t __real_read(int fd, void *out, size_t len);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *before);
ssize_t __wrap_read(int fd, void *out, size_t len);

int __wrap_timerfd_create(int clock, int flags)
{
    if (kernel.refuses) {
        errno = kernel.refuses;
        return -1;
    }
    assert_int_equal(clock, CLOCK_REALTIME);
    return kernel.fd = __real_timerfd_create(clock, flags);
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *before)
{
    if (kernel.refuses_setting) {
        errno = kernel.refuses_setting;
        return -1;
    }
    kernel.flags = flags;
    kernel.when = *when;
    return __real_timerfd_settime(fd, flags, when, before);
}

ssize_t __wrap_read(int fd, void *out, size_t len)
{
    ssize_t got = __real_read(fd, out, len);
    if (fd != kernel.fd || !kernel.read_error)
        return got;
    errno = kernel.read_error;
    return -1;
}

static void timer_becomes_readable(int read_error)
{
    static const struct itimerspec soon = {.it_value.tv_nsec = 1};
    struct pollfd timer = {.fd = kernel.fd, .events = POLLIN};
    kernel.read_error = read_error;
    assert_int_equal(__real_timerfd_settime(kernel.fd, 0, &soon, NULL), 0);
    assert_int_equal(poll(&timer, 1, 10000), 1);
}

/* --- the tests --- */

static void on_set(struct wallclock *wallclock)
{
    struct watch *watch = container_of(wallclock, struct watch, wallclock);
    watch->told++;
    if (watch->then_close)
        wallclock_close(wallclock);
}

static int setup(void **state)
{
    static struct watch watch;
    memset(&watch, 0, sizeof(watch));
    memset(&kernel, 0, sizeof(kernel));
    *state = &watch;
    return loop_init(&watch.loop);
}

static int teardown(void **state)
{
    struct watch *watch = *state;
    wallclock_close(&watch->wallclock);
    bool drained = loop_drain(&watch->loop, 10000);
    loop_fini(&watch->loop);
    return drained ? 0 : -1;
}

static void turns(struct watch *watch)
{
    for (int i = 0; i < 3; i++)
        uv_run(&watch->loop.uv, UV_RUN_NOWAIT);
}

static void timer_never_expires_but_is_cancelled_when_the_clock_is_set(void **state)
{
    struct watch *watch = *state;
    wallclock_open(&watch->wallclock, &watch->loop, on_set);
    assert_int_equal(kernel.flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
    assert_true(kernel.when.it_value.tv_sec > 0);
    assert_true((uintmax_t)kernel.when.it_value.tv_sec >= INT32_MAX);
    assert_false(kernel.when.it_interval.tv_sec || kernel.when.it_interval.tv_nsec);
    turns(watch);
    assert_int_equal(watch->told, 0);
}

static void each_setting_is_reported_once(void **state)
{
    struct watch *watch = *state;
    wallclock_open(&watch->wallclock, &watch->loop, on_set);
    timer_becomes_readable(ECANCELED);
    turns(watch);
    assert_int_equal(watch->told, 1);
    turns(watch);
    assert_int_equal(watch->told, 1);
    timer_becomes_readable(ECANCELED);
    turns(watch);
    assert_int_equal(watch->told, 2);
}

static void other_timer_events_are_not_clock_changes(void **state)
{
    struct watch *watch = *state;
    wallclock_open(&watch->wallclock, &watch->loop, on_set);
    timer_becomes_readable(0);
    turns(watch);
    timer_becomes_readable(EAGAIN);
    turns(watch);
    assert_int_equal(watch->told, 0);
}

static void callback_may_close(void **state)
{
    struct watch *watch = *state;
    watch->then_close = true;
    wallclock_open(&watch->wallclock, &watch->loop, on_set);
    timer_becomes_readable(ECANCELED);
    turns(watch);
    assert_int_equal(watch->told, 1);
    assert_int_equal(watch->wallclock.fd, -1);
}

static void machine_without_such_timers_is_lived_with(void **state)
{
    struct watch *watch = *state;
    kernel.refuses = ENOSYS;
    wallclock_open(&watch->wallclock, &watch->loop, on_set);
    turns(watch);
    wallclock_close(&watch->wallclock);
    kernel.refuses = 0;
    kernel.refuses_setting = EINVAL;
    wallclock_open(&watch->wallclock, &watch->loop, on_set);
    turns(watch);
    assert_int_equal(watch->told, 0);
    assert_int_equal(close(kernel.fd), -1); /* it was closed */
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(timer_never_expires_but_is_cancelled_when_the_clock_is_set),
        TEST(each_setting_is_reported_once),
        TEST(other_timer_events_are_not_clock_changes),
        TEST(callback_may_close),
        TEST(machine_without_such_timers_is_lived_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
