/* SPDX-License-Identifier: MIT */
/* One event loop: turns, flushes, deadlines.
 *
 * A turn of libuv is: timers (before version 1.45), pending, prepare, sleep (poll) and the callbacks of ready handles,
 * timers (since 1.45), close callbacks.
 *
 * Invariants:
 * - now_ms is read at its first use after the sleep and invalidated before the next one, so it is never older than
 *   the wake-up; the timer's callback, which may run after a long turn, reads it again.
 * - The timer is set in one place, loop_arm, right before the sleep. It is never armed for later than the
 *   earliest deadline rounded up to its step. It may be armed for an earlier one that has been stopped since: under
 *   load each query stops some, and a needless wake-up per step is cheaper than tracking them all. After loop_rest
 *   it is armed for the remaining ones.
 * - The timer uses CLOCK_MONOTONIC, deadlines use the boot-time clock: loop_arm notices deadlines that passed
 *   during a suspend at the end of the first turn after it.
 * - expire_at is not later than any deadline of the timeouts; it may be earlier if timeouts were stopped.
 * - Each walk over a list keeps its position with a marker link, so callees may change the list.
 */
#include <assert.h>
#include "base/mem.h"
#include "net/loop.h"

#define STEP_MS 10

/* Steps to the next link of a list that callees may change: the marker (zeroed before the first step, out of
 * the list after the last) stays right behind the link that is being handled. */
static struct list_link *walk(struct list *list, struct list_link *marker)
{
    struct list_link *link = list_linked(marker) ? list_next(list, marker) : list_first(list);
    list_remove(marker);
    if (link)
        list_insert_after(link, marker);
    return link;
}

/* --- deadlines --- */

static void timeouts_expire(struct timeouts *timeouts, uint64_t now_ms)
{
    struct list_link *link;
    while ((link = list_first(&timeouts->running))) {
        struct timeout *timeout = container_of(link, struct timeout, link);
        if (timeout->at_ms > now_ms)
            return;
        timeout_stop(timeout);
        timeouts->expired(timeout);
    }
}

static void loop_run_ticks(struct loop *loop, uint64_t now_ms)
{
    struct list_link marker = {0}, *link;
    loop->wake_at = loop->exact_at = LOOP_NEVER;
    while ((link = walk(&loop->tick_hooks, &marker))) {
        struct loop_tick *hook = container_of(link, struct loop_tick, link);
        loop_wake_by(loop, hook->tick(hook, now_ms));
    }
    if (loop->wake_at <= now_ms)
        loop->wake_at = now_ms + 1; /* a deadline that has passed must not make the loop spin */
}

static uint64_t earliest_timeout(const struct loop *loop)
{
    uint64_t at_ms = LOOP_NEVER;
    for (struct list_link *link = list_first(&loop->timeouts); link; link = list_next(&loop->timeouts, link)) {
        struct list_link *first = list_first(&container_of(link, struct timeouts, link)->running);
        if (first && container_of(first, struct timeout, link)->at_ms < at_ms)
            at_ms = container_of(first, struct timeout, link)->at_ms;
    }
    return at_ms;
}

static void loop_on_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    struct list_link marker = {0}, *link;
    loop->armed_at = LOOP_NEVER;
    loop->now_ms = clock_ms();
    while ((link = walk(&loop->timeouts, &marker)))
        timeouts_expire(container_of(link, struct timeouts, link), loop->now_ms);
    loop->expire_at = earliest_timeout(loop);
    if (loop->wake_at <= loop->now_ms || loop->exact_at <= loop->now_ms)
        loop_run_ticks(loop, loop->now_ms);
}

static void loop_arm(struct loop *loop, uint64_t at_ms)
{
    uint64_t now_ms = clock_ms();
    uv_update_time(&loop->uv);
    /* Both clocks are truncated to milliseconds: without one more, the timer could fire before the deadline. */
    uv_timer_start(&loop->timer, loop_on_timer, at_ms > now_ms ? at_ms - now_ms + 1 : 0, 0);
    loop->armed_at = at_ms;
}

void loop_wake_by(struct loop *loop, uint64_t at_ms)
{
    if (at_ms < loop->wake_at)
        loop->wake_at = at_ms;
}

void loop_wake_exactly(struct loop *loop, uint64_t at_ms)
{
    if (at_ms < loop->exact_at)
        loop->exact_at = at_ms;
}

void loop_rest(struct loop *loop)
{
    loop->settle_due = true;
}

/* --- turns --- */

static void loop_flush(struct loop *loop)
{
    struct list_link *link;
    while ((link = list_pop(&loop->flush_hooks)) || (link = list_pop(&loop->last_flush_hooks))) {
        struct loop_flush *hook = container_of(link, struct loop_flush, link);
        hook->flush(hook);
    }
}

/* After loop_rest the ticks compute their deadlines again before the flush hooks run, because hooks set further
 * ones. Then the timer is armed for the next deadline; deadlines within one step share a wake-up. */
static void loop_before_sleep(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    uint64_t now_ms = loop_now(loop), at_ms;
    bool settled = loop->settle_due && now_ms >= loop->settled_ms + STEP_MS; /* wake_at and expire_at are correct */
    if (settled) {
        loop->settle_due = false;
        loop->settled_ms = now_ms;
        loop->expire_at = earliest_timeout(loop);
        loop_run_ticks(loop, now_ms);
    }
    loop_flush(loop);
    at_ms = loop->wake_at < loop->expire_at ? loop->wake_at : loop->expire_at;
    at_ms = loop->drained_by < at_ms ? loop->drained_by : at_ms;
    at_ms = loop->exact_at < at_ms ? loop->exact_at : at_ms;
    if (at_ms > LOOP_NEVER - STEP_MS) {
        uv_timer_stop(&loop->timer);
        loop->armed_at = LOOP_NEVER;
    } else {
        at_ms = (at_ms + STEP_MS - 1) / STEP_MS * STEP_MS;
        if (loop->exact_at < at_ms)
            at_ms = loop->exact_at;
        if (loop->armed_at <= now_ms || (settled ? loop->armed_at != at_ms : loop->armed_at > at_ms))
            loop_arm(loop, at_ms);
    }
    loop->now_ms = 0;
}

void loop_run(struct loop *loop)
{
    loop->now_ms = 0;
    uv_run(&loop->uv, UV_RUN_DEFAULT); /* the prepare handle keeps the loop alive until uv_stop */
    loop_flush(loop);
    loop->now_ms = 0;
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

static void note_foreign(uv_handle_t *handle, void *found)
{
    const struct loop *loop = handle->loop->data;
    if (handle != (const uv_handle_t *)&loop->prepare && handle != (const uv_handle_t *)&loop->timer)
        *(bool *)found = true;
}

static bool loop_is_alone(struct loop *loop)
{
    bool foreign = false;
    uv_walk(&loop->uv, note_foreign, &foreign);
    return !foreign;
}

bool loop_drain(struct loop *loop, uint64_t ms)
{
    bool alone;
    loop->drained_by = clock_ms() + ms;
    loop->now_ms = 0;
    while (!(alone = loop_is_alone(loop)) && clock_ms() < loop->drained_by)
        uv_run(&loop->uv, UV_RUN_ONCE);
    loop->drained_by = LOOP_NEVER;
    return alone;
}

/* --- start and stop --- */

int loop_init(struct loop *loop)
{
    int status = UV_ENOMEM;
    *loop = (struct loop){.armed_at = LOOP_NEVER,
                          .wake_at = LOOP_NEVER,
                          .expire_at = LOOP_NEVER,
                          .exact_at = LOOP_NEVER,
                          .drained_by = LOOP_NEVER};
    loop->read_scratch = mem_alloc(LOOP_SCRATCH);
    loop->clear_scratch = mem_alloc(LOOP_SCRATCH);
    if (!loop->read_scratch || !loop->clear_scratch)
        goto fail;
    status = uv_loop_init(&loop->uv);
    if (status < 0)
        goto fail;
    list_init(&loop->flush_hooks);
    list_init(&loop->last_flush_hooks);
    list_init(&loop->tick_hooks);
    list_init(&loop->timeouts);
    loop->uv.data = loop->prepare.data = loop->timer.data = loop;
    uv_prepare_init(&loop->uv, &loop->prepare); /* these three calls cannot fail */
    uv_timer_init(&loop->uv, &loop->timer);
    uv_prepare_start(&loop->prepare, loop_before_sleep);
    return 0;
fail:
    mem_free(loop->read_scratch);
    mem_free(loop->clear_scratch);
    return status;
}

void loop_fini(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT); /* consumes a pending loop_stop, and does nothing else */
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    int status = uv_loop_close(&loop->uv);
    assert(status == 0);
    mem_free(loop->read_scratch);
    mem_free(loop->clear_scratch);
}

void loop_add_flush(struct loop *loop, struct loop_flush *hook)
{
    if (!list_linked(&hook->link))
        list_push_back(hook->last ? &loop->last_flush_hooks : &loop->flush_hooks, &hook->link);
}

void loop_remove_flush(struct loop_flush *hook)
{
    list_remove(&hook->link);
}

void loop_add_tick(struct loop *loop, struct loop_tick *hook)
{
    list_push_back(&loop->tick_hooks, &hook->link);
}

void loop_remove_tick(struct loop_tick *hook)
{
    list_remove(&hook->link);
}

/* --- timeouts of one length --- */

void timeouts_init(struct timeouts *timeouts, struct loop *loop, uint64_t length_ms, void (*expired)(struct timeout *))
{
    *timeouts = (struct timeouts){.loop = loop, .length_ms = length_ms ? length_ms : 1, .expired = expired};
    list_init(&timeouts->running);
    list_push_back(&loop->timeouts, &timeouts->link);
}

/* All deadlines move by the same time, so the list stays in order. */
void timeouts_set_length(struct timeouts *timeouts, uint64_t length_ms)
{
    uint64_t length = length_ms ? length_ms : 1;
    list_for_each(link, &timeouts->running) {
        struct timeout *timeout = container_of(link, struct timeout, link);
        timeout->at_ms = timeout->at_ms - timeouts->length_ms + length;
    }
    timeouts->length_ms = length;
    timeouts->loop->expire_at = earliest_timeout(timeouts->loop);
}

void timeouts_fini(struct timeouts *timeouts)
{
    while (list_pop(&timeouts->running))
        ;
    list_remove(&timeouts->link);
}

void timeout_start(struct timeouts *timeouts, struct timeout *timeout)
{
    list_remove(&timeout->link);
    timeout->at_ms = loop_now(timeouts->loop) + timeouts->length_ms;
    if (timeout->at_ms < timeouts->loop->expire_at)
        timeouts->loop->expire_at = timeout->at_ms;
    list_push_back(&timeouts->running, &timeout->link);
}

void timeout_stop(struct timeout *timeout)
{
    list_remove(&timeout->link);
}
