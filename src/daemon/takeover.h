/* SPDX-License-Identifier: MIT */
/* The receiving side of a hand-over: a process started with --take-over while another one answers queries
 * (handover.h).
 *
 * Owns:    the connection and what it received, until others take that over.
 * Threads: the main thread, before its loop runs; blocks, at most HANDOVER_PATIENCE_S for each step.
 */
#ifndef DOTSTUB_DAEMON_TAKEOVER_H
#define DOTSTUB_DAEMON_TAKEOVER_H

#include "control/control.h"
#include "inherited.h"
#include "worker.h"

struct takeover {
    int fd;
    int *listening; /* listening sockets; the caller may take them */
    size_t listening_count;
    int control[CONTROL_SOCKETS]; /* likewise; -1: taken */
    size_t control_count;
    unsigned output_count;
    int routes; /* a pipe with the routes added at run time; -1: it sent none */
};

/* Receives the sockets of process `pid`, which has the control socket of this configuration and runs as root or as
 * `uid`. From then on this process logs to the same
 * destination. 0, or negative after a log line. */
int takeover_begin(struct takeover *out, const struct config *config, pid_t pid, uid_t uid) MUST_CHECK;
/* Reads the routes that were added at run time into the empty buffer. False: it sent none. */
bool takeover_routes(const struct takeover *takeover, struct buffer *out);
/* Receives tickets and cache, before the workers run. As above. */
int takeover_fill(struct takeover *takeover, const struct config *config, const struct routes *routes,
                  struct cache *cache, struct worker **workers) MUST_CHECK;
/* Reports that this process answers queries. 0: the other process has stopped receiving them; negative, after a
 * log line: it continues, and this one must exit. */
int takeover_finish(struct takeover *takeover) MUST_CHECK;
void takeover_end(struct takeover *takeover);

#endif
