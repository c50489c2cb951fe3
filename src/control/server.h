/* SPDX-License-Identifier: MIT */
/* HTTP on one listening socket, for few and small requests.
 *
 * Does:    reads a request whole, hands it up, sends the reply; one request a connection. Bounds: connections at once, octets
 *          of a request's head and body, and the time from a connection's beginning to its end.
 * Owns:    the listening descriptor, its connections and their requests; a request lives until http_reply, however long that takes.
 * Threads: the loop's.
 * RFC:     9110, 9112.
 */
#ifndef DOTSTUB_CONTROL_SERVER_H
#define DOTSTUB_CONTROL_SERVER_H

#include <stdbool.h>
#include "net/loop.h"

enum http_verb { HTTP_GET, HTTP_POST, HTTP_OTHER_VERB }; /* HEAD is a GET whose body is not sent */

/* The library's numbers: server.c holds them against each other. */
enum {
    HTTP_OK = 200,
    HTTP_BAD_REQUEST = 400,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_WRONG_VERB = 405,
    HTTP_TOO_LARGE = 413,
    HTTP_INTERNAL_ERROR = 500,
    HTTP_UNAVAILABLE = 503,
};

#define HTTP_ARGUMENTS 8

struct http_server;
struct http_request {
    struct http_server *server;
    enum http_verb verb;
    const char *path;                          /* without the arguments */
    const char *host, *origin, *authorization; /* headers; NULL: none */
    unsigned argument_count;                   /* HTTP_ARGUMENTS + 1: there were more */
    struct {
        const char *name, *value; /* decoded; value NULL: there was no "=" */
    } argument[HTTP_ARGUMENTS];
};

struct http_ops {
    /* May whoever is at the other end of this descriptor ask at all? NULL: anybody. */
    bool (*admits)(void *context, int fd);
    /* Answers with http_reply, now or later. */
    void (*handle)(void *context, struct http_request *request);
};

/* Serves a listening, non-blocking descriptor, which it owns from then on, success or not. `connections`: at most so many at once;
 * others wait in the system's queue. 0 or negative. */
int http_server_open(struct http_server **out, struct loop *loop, int fd, const struct http_ops *ops, void *context,
                     unsigned connections) MUST_CHECK;
/* Every request must have had its reply. What can be sent at once is sent; the rest ends in the loop's next turns. */
void http_server_close(struct http_server *server);

/* `body` comes from malloc and is taken over; NULL (memory is gone): a short text with HTTP_INTERNAL_ERROR. `allow`: for
 * HTTP_WRONG_VERB, else NULL. The request is gone after it. */
void http_reply(struct http_request *request, unsigned status, const char *type, char *body, const char *allow);
/* A page of HTML that lives for ever, with its Content-Security-Policy; the request is gone as well. */
void http_reply_page(struct http_request *request, const unsigned char *page, size_t len, const char *policy);

#endif
