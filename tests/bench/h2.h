/* SPDX-License-Identifier: MIT */
/* DNS over HTTPS on one connection, both sides, for the benchmark's generator and server: nghttp2 over memory.
 *
 * Does:    one DNS message in each direction of a stream; everything that is due in one piece of output.
 * Owns:    the nghttp2 session and the messages that are not complete or not sent.
 */
#ifndef DOTSTUB_BENCH_H2_H
#define DOTSTUB_BENCH_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h2;

/* A whole message: a request (server) or a response with status 200 (client; else len is 0). */
typedef void h2_message(void *context, int32_t stream, const uint8_t *message, size_t len);

/* NULL: no memory. `authority`: of a client's requests, which go to /dns-query; NULL: a server. */
struct h2 *h2_new(const char *authority, h2_message *message, void *context);
void h2_free(struct h2 *h2);

/* Takes bytes of the peer. -1: the connection must end. */
int h2_receive(struct h2 *h2, const uint8_t *data, size_t len);
/* Sends a request. The stream; -1: no memory. */
int32_t h2_ask(struct h2 *h2, const uint8_t *message, size_t len);
/* Sends the response; nothing if the peer has reset the stream. */
void h2_answer(struct h2 *h2, int32_t stream, const uint8_t *message, size_t len);
/* The next bytes to send, valid until the next call: their number, 0: none, -1: the connection must end. */
long h2_output(struct h2 *h2, const uint8_t **data);

#endif
