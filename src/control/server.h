/* SPDX-License-Identifier: MIT */
/* An HTTP server on one listening socket, for few and small requests.
 *
 * Does:    Reads a whole request, calls the handler, sends the reply; one request per connection. Limits the number of
 *          connections, the bytes of a request's head and body, and the lifetime of a connection.
 * Owns:    The listening descriptor, its connections and their requests. A request lives until http_reply, even if its
 *          client has gone.
 * Threads: The loop's thread.
 * RFC:     9110, 9112.
 */
#ifndef DOTSTUB_CONTROL_SERVER_H
#define DOTSTUB_CONTROL_SERVER_H

#include <stdbool.h>
#include "net/loop.h"

enum http_verb { HTTP_GET, HTTP_POST, HTTP_OTHER_VERB }; /* HEAD is HTTP_GET; the library omits the body */

/* server.c asserts that they equal libmicrohttpd's. */
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
#define HTTP_SPARE     32 /* connections beyond the limit, of which some are being closed */

struct http_server;
struct http_request {
    struct http_server *server;
    enum http_verb verb;
    const char *path;                          /* without arguments */
    const char *host, *origin, *authorization; /* headers; NULL: absent */
    unsigned argument_count;                   /* HTTP_ARGUMENTS + 1: too many */
    struct {
        const char *name, *value; /* decoded; value NULL: no "=" */
    } argument[HTTP_ARGUMENTS];
};

struct http_ops {
    /* Returns whether the peer of this connection has access. NULL: everybody has. */
    bool (*admits)(void *context, int fd);
    /* Must call http_reply, now or later. */
    void (*handle)(void *context, struct http_request *request);
};

/* Serves a listening, non-blocking descriptor, and takes ownership of it even if it fails. Above `connections`
 * clients, the oldest one of the network with the most clients is disconnected. 0 or a negative error. */
int http_server_open(struct http_server **out, struct loop *loop, int fd, const struct http_ops *ops, void *context,
                     unsigned connections) MUST_CHECK;
/* The number of clients that were disconnected to accept others. */
uint64_t http_server_evicted(const struct http_server *server);
/* Sends what does not block, and closes in the loop's next turns. Requests that wait are answered with HTTP_UNAVAILABLE;
 * their handlers must still call http_reply, but must not read them any more. */
void http_server_close(struct http_server *server);

/* Takes ownership of `body` (from malloc); NULL means out of memory and sends HTTP_INTERNAL_ERROR. `allow` is the Allow
 * header for HTTP_WRONG_VERB, else NULL. Do not use the request afterwards. */
void http_reply(struct http_request *request, unsigned status, const char *type, char *body, const char *allow);
/* Sends a static HTML page with its Content-Security-Policy. Do not use the request afterwards. */
void http_reply_page(struct http_request *request, const unsigned char *page, size_t len, const char *policy);

#endif
