/* SPDX-License-Identifier: MIT */
/* One HTTP request over the unix socket of a running daemon.
 *
 * Owns:    the body that it gives comes from malloc and is the caller's.
 * Threads: the program's only one; it blocks, CLIENT_PATIENCE_S at most for each step.
 * RFC:     9110; HTTP/1.0, so that the end of the connection is the end of the body.
 */
#ifndef DOTSTUB_CTL_CLIENT_H
#define DOTSTUB_CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"
#include "base/bytes.h"

#define CLIENT_PATIENCE_S 10
#define CLIENT_BODY_MAX   (16u << 20)

struct client_reply {
    unsigned status; /* HTTP's */
    char *body;      /* ends with a NUL */
};

/* 0, or negative: why the daemon could not be asked (-ENOENT, -ECONNREFUSED, -EACCES, -EAGAIN: no answer in time, ...), -EPROTO:
 * what answered is no dotstub, -ENOMEM. */
int client_ask(struct client_reply *out, const char *socket_path, const char *verb, const char *target) MUST_CHECK;

/* The process that listens there, as it is seen from here; or negative as above. */
int client_find_process(const char *socket_path) MUST_CHECK;

/* The same over TCP: metrics.listen. */
int client_ask_addr(struct client_reply *out, const struct addr *addr, const char *verb, const char *target) MUST_CHECK;

/* Appends "name=value" to a target, after "?" or "&", with all that is no plain letter as %XX. False: there is no room. */
bool client_add_argument(char *target, size_t cap, const char *name, const char *value);
/* Reads an answer's head. 0 with the place where the body begins, or -EPROTO. */
int client_read_head(const char *text, unsigned *status, const char **body) MUST_CHECK;

#endif
