/* SPDX-License-Identifier: MIT */
/* Invariant: a sign of life goes out only when every worker's loop has turned since the one before. A worker that hangs is so
 * noticed within the time the manager allows, counted from its last turn, and never by a machine that merely slept: the
 * timer and the manager's stand still together. */
#include "watchdog.h"
#include "base/log.h"
#include "net/notify.h"

enum { SIGNS_IN_TIME = 4 };

static void tell(uv_timer_t *timer)
{
    struct watchdog *watchdog = timer->data;
    bool alive = true;
    for (unsigned i = 0; i < watchdog->count; i++)
        if (!worker_lives(watchdog->workers[i]))
            alive = false; /* the others are asked all the same */
    if (alive && notify_send("WATCHDOG=1") < 0)
        log_debug("daemon", "the service manager did not take the sign of life");
}

int watchdog_init(struct watchdog *watchdog, struct loop *loop)
{
    *watchdog = (struct watchdog){.count = 0};
    int status = uv_timer_init(&loop->uv, &watchdog->timer);
    watchdog->timer.data = watchdog;
    return status;
}

void watchdog_start(struct watchdog *watchdog, struct worker **workers, unsigned count)
{
    uint64_t allowed = notify_watchdog_ms();
    watchdog->workers = workers;
    watchdog->count = count;
    if (allowed >= SIGNS_IN_TIME)
        uv_timer_start(&watchdog->timer, tell, 0, allowed / SIGNS_IN_TIME);
}

void watchdog_stop(struct watchdog *watchdog)
{
    uv_timer_stop(&watchdog->timer);
}

void watchdog_close(struct watchdog *watchdog)
{
    uv_close((uv_handle_t *)&watchdog->timer, NULL);
}
