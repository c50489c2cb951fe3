/* SPDX-License-Identifier: MIT */
/* How long sessions of one server may be idle, and whether an idle one is wanted again.
 *
 * Does:    learns after how long the server closes an idle session, so that we close it a little earlier (a query would else meet the
 *          end of its session); and how long the pauses between queries are, so that a session may be opened ahead of the next one.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_IDLE_H
#define DOTSTUB_UPSTREAM_IDLE_H

#include <stdbool.h>
#include <stdint.h>

struct idle {
    uint64_t limit_ms;  /* the server closes a session that is idle for so long; 0: unknown */
    uint64_t closes[3]; /* after how long it did, the latest three times */
    unsigned close_count;
    unsigned ended_first; /* sessions since then that we could end before it */
    uint64_t asked_ms;    /* the latest query; 0: none */
    uint64_t kept_ms;     /* for how long the last idle session was kept; 0: none was */
    uint8_t returns; /* one bit for each pause longer than that, the latest lowest: it was over before twice the time */
};

/* How long a session may be idle before we end it: `wanted_ms`, or a little less than the server would wait, as it said (0: it did not)
 * or as was learned. */
uint64_t idle_lifetime(const struct idle *idle, uint64_t wanted_ms, uint64_t told_ms);
/* The server ended a session cleanly that had been idle for so long. */
void idle_note_close(struct idle *idle, uint64_t idle_ms);
/* We ended an idle session before the server did. */
void idle_note_end(struct idle *idle);
/* A query is put on a session. */
void idle_note_query(struct idle *idle, uint64_t now_ms);
/* A session that had been of use ended after being idle for so long. True: as pauses were lately, the next query will come before another
 * session opened now would end, and need not wait for it. */
bool idle_wanted_again(struct idle *idle, uint64_t idle_ms);
/* The server's idle timeout may depend on the network, which has changed; the times of queries do not. */
void idle_forget_server(struct idle *idle);

#endif
