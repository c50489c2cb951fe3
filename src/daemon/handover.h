/* SPDX-License-Identifier: MIT */
/* Hand-over from one process to the next while both run: an upgrade that clients do not notice.
 *
 * Does:    the running process listens on a unix socket in a directory of its user (private_dir.h). A process started
 *          with --take-over connects and receives the listening sockets, the TLS tickets and the cache. When the
 *          new process reports that it answers queries the old one stops: it answers the queries it has received,
 *          the new process all later ones. If the new process does not report, the old one continues, without its
 *          TLS tickets.
 * Owns:    the listening socket and at most one connection; borrows the data that it sends.
 * Threads: the main thread's loop; the dialogue is a job on libuv's pool, with HANDOVER_PATIENCE_S for each step.
 *
 * The protocol, over a unix stream (old: the running process, new: the one started with --take-over):
 *   new, old: HANDOVER_TITLE
 *   old: the number of descriptors, then the descriptors, in messages of one byte that says what they are
 *        (HANDOVER_ROUTES may be missing, and a process that does not know it closes it)
 *   old: for each worker its tickets, preceded by their length; then the cache, in the format of its file
 *   new: HANDOVER_READY, when it answers queries
 *   old: HANDOVER_ACCEPTED, when it has stopped receiving queries
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
    HANDOVER_ROUTES = 'F', /* a pipe with the routes added at run time, as routes_pack writes them */
    HANDOVER_READY = 'R',
    HANDOVER_ACCEPTED = 'A',
};
/* HANDOVER_OUTPUT: standard output and standard error, in this order; one of them gets the log. */

struct handover_setup {
    struct loop *loop;
    struct mailbox *mailbox; /* of `loop` */
    const int *sockets;      /* the listening sockets */
    size_t socket_count;
    const struct control *control;
    struct cache *cache;
    const struct config *config;
    struct routes *routes; /* in force */
    struct worker **workers;
    unsigned worker_count;
    char *(*routes_text)(void); /* the added routes, as routes_pack; NULL: none */
    bool (*is_flushing)(void);  /* true: the dialogue begins later, see handover_resume */
    void (*given)(pid_t to);    /* the process `to` answers queries: time to stop */
};

enum handover_state {
    HANDOVER_IDLE,
    HANDOVER_GATHERING, /* the workers collect their tickets */
    HANDOVER_TALKING,   /* the job runs: it owns the connection and what is sent, but not `stop` */
};

struct handover {
    struct handover_setup setup;
    enum handover_state state;
    uv_poll_t poll;
    int directory, fd, peer_fd, routes_fd; /* -1: none */
    char name[108], draft[128]; /* of the socket in `directory`: its final name, and the one that it is bound to */
    pid_t peer;
    struct handover_tickets *tickets; /* one for each worker, in use while `outstanding` */
    unsigned outstanding;
    uv_work_t work;
    bool delayed;              /* GATHERING is over, but not is_flushing */
    bool open, closing, given; /* given: the next process has the name */
    int status;                /* result of the job */
    struct routes *routes;     /* held while the job uses `terms` */
    struct dump_terms terms;
    atomic_bool stop;
};

#define HANDOVER_NONE                                                                                                  \
    {                                                                                                                  \
        .directory = -1, .fd = -1, .peer_fd = -1, .routes_fd = -1                                                      \
    }

/* Makes the directory; call it before privileges are dropped, if the control socket of this configuration is open.
 * Does nothing in an application container. */
void handover_init(struct handover *handover, const struct config *config, uid_t uid, gid_t gid);
/* Binds the socket under a temporary name: call it when privileges are dropped. If it fails, that is logged and there
 * can be no take-over. */
void handover_bind(struct handover *handover);
/* Call it once the workers run: takes the socket's final name, which may be that of the previous process until now. */
void handover_open(struct handover *handover, const struct handover_setup *setup);
/* Call it before the workers are stopped: cancels a hand-over under way and accepts no other. A second call does
 * nothing. */
void handover_close(struct handover *handover);
static inline bool handover_busy(const struct handover *handover)
{
    return handover->state != HANDOVER_IDLE;
}
/* Call it when is_flushing has become false. So nothing that is being flushed is sent, and the control side has replied
 * to each request. */
void handover_resume(struct handover *handover);
/* Call it when the workers have ended: waits for the job. */
void handover_wait(struct handover *handover);

/* Opens the directory and writes the address of the socket of the process with this control socket; the caller closes
 * the descriptor. Returns it, or a negative errno. */
int handover_address(struct sockaddr_un *out, const char *control_socket, uid_t uid) MUST_CHECK;

#endif
