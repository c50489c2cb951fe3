/* SPDX-License-Identifier: MIT */
/* dnstap: copies of questions and answers for a program that listens on a unix socket, by Frame Streams.
 *
 * Does:    hands messages to libfstrm's thread, through a queue for each worker. What the queue has no place for is lost and counted; while
 *          nobody listens on the socket the thread throws everything away and looks again each second. Without ./configure --enable-dnstap
 *          there is no tap, and nothing is left of it where questions and answers pass.
 * Owns:    the thread and its queues.
 * Threads: tap_open and tap_close the main thread; tap_message the queue's worker.
 * RFC:     none; dnstap.proto of dnstap.info, whose few fields are written here.
 */
#ifndef DOTSTUB_NET_TAP_H
#define DOTSTUB_NET_TAP_H

#include "base/addr.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/counters.h"

/* As dnstap.proto numbers them. */
enum tap_kind { TAP_CLIENT_QUERY = 5, TAP_CLIENT_RESPONSE = 6, TAP_FORWARDER_QUERY = 7, TAP_FORWARDER_RESPONSE = 8 };
enum tap_transport { TAP_UDP = 1, TAP_TCP = 2, TAP_DOT = 3 };

struct tap_event {
    enum tap_kind kind;
    enum tap_transport transport;
    const struct addr *asker, *answerer; /* NULL or unset: not known */
    struct bytes message;
};

struct tap;
struct tap_queue;

#ifdef ENABLE_DNSTAP
/* `identity` and `version` stand in each message. 0 or -ENOMEM. */
int tap_open(struct tap **out, const char *path, unsigned queues, const char *identity, const char *version) MUST_CHECK;
/* The queue of this number; counts into the worker's counters. */
struct tap_queue *tap_queue(struct tap *tap, unsigned number, struct counters *counters);
/* After the workers' end. Gives what is queued a second to leave. */
void tap_close(struct tap *tap);
/* `queue` NULL: does nothing. Never blocks. */
void tap_message(struct tap_queue *queue, const struct tap_event *event);
#define TAP_IS_BUILT true
#else
#define TAP_IS_BUILT false
#endif

#endif
