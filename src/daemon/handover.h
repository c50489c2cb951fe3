/* SPDX-License-Identifier: MIT */
/* From one process to the next while both run: an upgrade that no client notices.
 *
 * Does:    the process that runs listens on a socket with a name made of its number. One that is started with --take-over asks
 *          there, and is given the listening sockets, the TLS tickets and the cache. When it says that it answers, the first one
 *          stops: what was asked of it is answered, the rest is the other's. If it does not say so, nothing has happened but that
 *          tickets are spent.
 * Owns:    the listening socket and at most one connection; what is given stays its owner's.
 * Threads: the main thread's loop; the talk itself is a job on libuv's pool, with HANDOVER_PATIENCE_S for each step.
 *
 * The talk, over a unix stream: HANDOVER_TITLE and back, with the number of descriptors; these, in messages of one byte that
 * says what they are; for each worker its tickets, with their length before them; the cache as in its file; then back: 'R' when
 * questions are answered; 'A' when the first one has stopped taking them in.
 */
#ifndef DOTSTUB_DAEMON_HANDOVER_H
#define DOTSTUB_DAEMON_HANDOVER_H

#include <sys/un.h>
#include "cachefile.h"
#include "control/control.h"
#include "worker.h"

#define HANDOVER_TITLE      "dotstub handover 1\n"
#define HANDOVER_PATIENCE_S 5

enum handover_kind {
    HANDOVER_OUTPUT = 'O',
    HANDOVER_LISTEN = 'L',
    HANDOVER_CONTROL = 'C',
    HANDOVER_READY = 'R',
    HANDOVER_ACCEPTED = 'A',
};
/* HANDOVER_OUTPUT: standard output and standard error, in this order: where its log goes. */

struct handover_setup {
    struct loop *loop;
    struct mailbox *mailbox; /* of that loop */
    const int *sockets;      /* that questions come by */
    size_t socket_count;
    const struct control *control;
    struct cache *cache;
    const struct config *config;
    struct routes *routes; /* in force */
    struct worker **workers;
    unsigned worker_count;
    void (*given)(pid_t to); /* the process `to` has all of it and answers: time to stop */
};

enum handover_state {
    HANDOVER_IDLE,
    HANDOVER_GATHERING, /* tickets come from the workers */
    HANDOVER_TALKING,   /* the job runs: but for `stop`, the connection and what is given are its */
};

struct handover {
    struct handover_setup setup;
    enum handover_state state;
    uv_poll_t poll;
    int fd, peer_fd; /* -1: none */
    pid_t peer;
    struct handover_tickets *tickets; /* one for each worker, under way while `outstanding` */
    unsigned outstanding;
    uv_work_t work;
    bool open, closing;
    int status;            /* of the job */
    struct routes *routes; /* held while the job goes by `terms` */
    struct dump_terms terms;
    atomic_bool stop;
};

/* Once the workers run. Where it cannot be had there is one line in the log, and no upgrade. */
void handover_open(struct handover *handover, const struct handover_setup *setup);
/* Before the workers are stopped: nothing is given any more, a talk under way ends. Calling it again does nothing. */
void handover_close(struct handover *handover);
static inline bool handover_busy(const struct handover *handover)
{
    return handover->state != HANDOVER_IDLE;
}
/* When the workers have ended: returns when the job has. */
void handover_wait(struct handover *handover);

/* The name of the socket of process `pid`; gives its length. */
socklen_t handover_name(struct sockaddr_un *out, pid_t pid);

#endif
