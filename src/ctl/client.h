/* SPDX-License-Identifier: MIT */
/* One HTTP request to a running daemon.
 *
 * Owns:    Nothing; the caller frees the reply's body.
 * Threads: Single-threaded; blocks for at most CLIENT_PATIENCE_S in each system call, and three times as long for a reply.
 * RFC:     9110; HTTP/1.0, so that the end of the connection ends the body.
 */
#ifndef DOTSTUB_CTL_CLIENT_H
#define DOTSTUB_CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"
#include "base/bytes.h"
#include "base/process.h"

#define CLIENT_PATIENCE_S 10
#define CLIENT_BODY_MAX   (16u << 20)

struct client_reply {
    unsigned status; /* HTTP's */
    char *body;      /* ends with a NUL */
};

/* Sends a request over a unix socket. 0, or negative: -ENOENT, -ECONNREFUSED, -EACCES, -EAGAIN (timeout), ...; -EPROTO:
 * the reply is not HTTP; -ENOMEM. */
int client_ask(struct client_reply *out, const char *socket_path, const char *verb, const char *target) MUST_CHECK;

/* Finds the process that listens, and its supplementary groups, at most `cap`. 0, or a negative error as above. The caller
 * releases the process. */
int client_find_process(const char *socket_path, struct process *out, gid_t *groups, size_t cap,
                        size_t *count) MUST_CHECK;

/* Sends a request over TCP, to metrics.listen. */
int client_ask_addr(struct client_reply *out, const struct addr *addr, const char *verb, const char *target) MUST_CHECK;

/* Appends "?name=value" or "&name=value", percent-encoded. False: no room. */
bool client_add_argument(char *target, size_t cap, const char *name, const char *value);
/* Parses a reply's head. 0 and a pointer to the body, or -EPROTO. */
int client_read_head(const char *text, unsigned *status, const char **body) MUST_CHECK;

#endif
