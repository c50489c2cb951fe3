/* SPDX-License-Identifier: MIT */
/* How long sessions of one server may be idle, and whether to open one ahead of the next query.
 *
 * Does:    learns after what time the server closes an idle session, so that we close it a little earlier
 *          (otherwise a query may be lost with the session); learns how long the pauses between queries are, so
 *          that a session can be opened ahead of the next query.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_IDLE_H
#define DOTSTUB_UPSTREAM_IDLE_H

#include <stdbool.h>
#include <stdint.h>

struct idle {
    uint64_t limit_ms;  /* the idle time after which the server closes a session; 0: unknown */
    uint64_t closes[3]; /* the idle times of the latest three sessions that the server closed */
    unsigned close_count;
    unsigned ended_first; /* sessions since then that we ended before the server did */
    uint64_t asked_ms;    /* when the latest query was sent; 0: none */
    uint64_t kept_ms;     /* the idle time of the last session that ended idle; 0: none did */
    /* One bit for each longer pause, the latest lowest: 1 if the pause was shorter than twice kept_ms. */
    uint8_t returns;
};

/* The idle time after which we end a session: `wanted_ms`, or a little less than the server's own limit, as
 * announced (`told_ms`; 0: not announced) or as learned. */
uint64_t idle_lifetime(const struct idle *idle, uint64_t wanted_ms, uint64_t told_ms);
/* The server closed a session cleanly that had been idle for `idle_ms`. */
void idle_note_close(struct idle *idle, uint64_t idle_ms);
/* We ended an idle session before the server did. */
void idle_note_end(struct idle *idle);
/* A query is put on a session. */
void idle_note_query(struct idle *idle, uint64_t now_ms);
/* A session that had answered queries ended after `idle_ms` of idleness. True: judging by recent pauses, the next
 * query will come before a session opened now would be idle for too long, so opening one ahead saves that query the
 * handshake. */
bool idle_wanted_again(struct idle *idle, uint64_t idle_ms);
/* The server's idle timeout may depend on the network, which has changed; the times of queries do not. */
void idle_forget_server(struct idle *idle);

#endif
