/* SPDX-License-Identifier: MIT */
#include "drain.h"
#include <inttypes.h>
#include <stdio.h>
#include "base/log.h"
#include "manager.h"

enum { STOP_MS = 5000 }; /* longer than stopping takes */

static void timer_over(uv_timer_t *timer)
{
    log_info("daemon", "drained: stopping");
    container_of(timer, struct drain, timer)->over();
}

int drain_init(struct drain *drain, struct loop *loop, void (*over)(void))
{
    *drain = (struct drain){.over = over};
    return uv_timer_init(&loop->uv, &drain->timer);
}

void drain_begin(struct drain *drain, uint64_t ms, struct control *control, struct worker **workers, unsigned count)
{
    char assignments[80];
    for (unsigned i = 0; !drain->begun && i < count; i++)
        worker_drain(workers[i]);
    drain->begun = true;
    control_draining(control);
    snprintf(assignments, sizeof assignments, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, (ms + STOP_MS) * 1000);
    manager_tell(assignments);
    log_info("daemon", "draining for %.1f s: health checks now fail; queries are still answered", (double)ms / 1000);
    uv_timer_start(&drain->timer, timer_over, ms, 0);
}

void drain_close(struct drain *drain)
{
    uv_close((uv_handle_t *)&drain->timer, NULL);
}
