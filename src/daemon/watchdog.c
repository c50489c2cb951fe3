/* SPDX-License-Identifier: MIT */
/* Invariant: a heartbeat is sent only if every worker's loop has turned since the previous one. So a hanging
 * worker is noticed within the time the manager allows, counted from its last turn. Suspend causes no false alarm:
 * our timer and the manager's both stop. */
#include "watchdog.h"
#include "base/log.h"
#include "net/notify.h"

enum { HEARTBEATS_IN_TIME = 4 };

static void tell(uv_timer_t *timer)
{
    struct watchdog *watchdog = timer->data;
    bool alive = true;
    for (unsigned i = 0; i < watchdog->count; i++)
        if (!worker_lives(watchdog->workers[i]))
            alive = false; /* the loop still requests heartbeats of the other workers */
    if (alive && notify_send("WATCHDOG=1") < 0)
        log_debug("daemon", "the service manager did not accept the heartbeat");
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
    if (allowed >= HEARTBEATS_IN_TIME)
        uv_timer_start(&watchdog->timer, tell, 0, allowed / HEARTBEATS_IN_TIME);
}

void watchdog_stop(struct watchdog *watchdog)
{
    uv_timer_stop(&watchdog->timer);
}

void watchdog_close(struct watchdog *watchdog)
{
    uv_close((uv_handle_t *)&watchdog->timer, NULL);
}
