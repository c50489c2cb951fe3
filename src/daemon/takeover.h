/* SPDX-License-Identifier: MIT */
/* The side that takes: a process that is started with --take-over, while another still answers (handover.h).
 *
 * Owns:    the connection and what came by it until that is taken over by others.
 * Threads: the main thread, before its loop runs; blocks, HANDOVER_PATIENCE_S at most for each step.
 */
#ifndef DOTSTUB_DAEMON_TAKEOVER_H
#define DOTSTUB_DAEMON_TAKEOVER_H

#include "control/control.h"
#include "inherited.h"
#include "worker.h"

struct takeover {
    int fd;
    int *listening; /* descriptors that questions come by: the caller's, when he takes them */
    size_t listening_count;
    int control[CONTROL_SOCKETS]; /* the same; -1: taken */
    size_t control_count;
    unsigned output_count;
};

/* Asks the process `pid`, which must be root's or the user's `uid`, for its sockets. From then on what is logged goes where its
 * log goes. 0, or negative after one line that says what is wrong. */
int takeover_begin(struct takeover *out, pid_t pid, uid_t uid) MUST_CHECK;
/* Tickets and cache, into what does not run yet. As above. */
int takeover_fill(struct takeover *takeover, const struct config *config, const struct routes *routes,
                  struct cache *cache, struct worker **workers) MUST_CHECK;
/* Questions are answered. 0: the other process has stopped taking them in; negative, after a line: it goes on, this one is to end. */
int takeover_finish(struct takeover *takeover) MUST_CHECK;
void takeover_end(struct takeover *takeover);

#endif
