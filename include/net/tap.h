/* SPDX-License-Identifier: MIT */
/* dnstap: copies of queries and responses for a program that listens on a unix socket, by Frame Streams.
 *
 * Does:    passes messages to libfstrm's thread, through a queue for each worker. Messages that do not fit are lost
 *          and counted. While no program listens on the socket, the thread discards all messages and tries to
 *          connect each second. Without ./configure --enable-dnstap there is no tap, and no code for it on the path
 *          of queries and responses.
 * Owns:    the thread and its queues.
 * Threads: tap_open and tap_close the main thread; tap_message the queue's worker.
 * RFC:     none; implements the needed fields of dnstap.proto (dnstap.info).
 */
#ifndef DOTSTUB_NET_TAP_H
#define DOTSTUB_NET_TAP_H

#include "base/addr.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/counters.h"

/* The numbers of dnstap.proto. */
enum tap_kind { TAP_CLIENT_QUERY = 5, TAP_CLIENT_RESPONSE = 6, TAP_FORWARDER_QUERY = 7, TAP_FORWARDER_RESPONSE = 8 };
enum tap_transport { TAP_UDP = 1, TAP_TCP = 2, TAP_DOT = 3, TAP_DOH = 4 };

struct tap_event {
    enum tap_kind kind;
    enum tap_transport transport;
    const struct addr *asker, *answerer; /* NULL or unset: unknown */
    struct bytes message;
};

struct tap;
struct tap_queue;

#ifdef ENABLE_DNSTAP
/* Each message contains `identity` and `version`. 0 or -ENOMEM. */
int tap_open(struct tap **out, const char *path, unsigned queues, const char *identity, const char *version) MUST_CHECK;
/* The queue with this number; uses the worker's counters. */
struct tap_queue *tap_queue(struct tap *tap, unsigned number, struct counters *counters);
/* Call it when the workers have ended. Waits at most one second for queued messages to be sent. */
void tap_close(struct tap *tap);
/* `queue` NULL: does nothing. Never blocks. */
void tap_message(struct tap_queue *queue, const struct tap_event *event);
#define TAP_IS_BUILT true
#else
#define TAP_IS_BUILT false
#endif

#endif
