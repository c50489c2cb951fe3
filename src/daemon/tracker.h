/* SPDX-License-Identifier: MIT */
/* Follows changes of the root's keys (dnssec.track-root): asks for them, logs each change, and saves the state.
 *
 * Does:    asks the first worker for the root's DNSKEY RRset soon after the start and then as RFC 5011 section 2.3 says; gives
 *          it to the tracking (resolve/tracked.h). When anchors have changed, the daemon prepares step_validate again and gives
 *          it to all workers. While the clock may be behind nothing is asked.
 * Owns:    its timer, the item under way, and the file "trust-anchors" beside cache.save-file (trackerfile.h).
 * Threads: the main thread.
 * RFC:     5011.
 */
#ifndef DOTSTUB_DAEMON_TRACKER_H
#define DOTSTUB_DAEMON_TRACKER_H

#include "config/config.h"
#include "net/loop.h"
#include "resolve/tracked.h"
#include "worker.h"

struct tracker {
    uv_timer_t timer;
    struct config *config; /* a reference; NULL: not begun */
    struct worker *worker; /* the first one; NULL: not started */
    void (*changed)(void); /* the anchors: step_validate must be prepared again */
    uint64_t asked_ms;     /* the latest query */
    int64_t retry_s;       /* the time until the next query, after one that fails */
    bool unsaved;          /* the file could not be written, and has not what tracked_each_evidence shows */
    bool stopped;
    bool handed_over; /* the file belongs to the next process */
};

/* 0 or negative (libuv's numbers). */
int tracker_init(struct tracker *tracker, struct loop *loop) MUST_CHECK;
/* Call it when privileges are dropped, with the configured anchors (tracked_configured): begins with the saved state. True: it
 * has found or revoked anchors, so step_validate must be prepared again. */
bool tracker_begin(struct tracker *tracker, struct config *config, struct anchors *configured);
/* Call it when the worker runs. */
void tracker_start(struct tracker *tracker, struct worker *worker, void (*changed)(void));
/* Another configuration, or other configured anchors, which the workers have, or will: begins with the saved state again. */
void tracker_configure(struct tracker *tracker, struct config *config, struct anchors *configured);
/* A query that failed is repeated soon. */
void tracker_network_changed(struct tracker *tracker);
/* Another process has taken over: nothing is written from now on. */
void tracker_hand_over(struct tracker *tracker);
/* The workers are about to stop: posts no more items. */
void tracker_stop(struct tracker *tracker);
/* The struct must exist until the timer is closed (see loop_drain). */
void tracker_close(struct tracker *tracker);
void tracker_fini(struct tracker *tracker);

#endif
