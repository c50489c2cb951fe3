/* SPDX-License-Identifier: MIT */
/* All counters of the program, in one list: name and help. A new counter is one line here.
 *
 * Does:    one block of counters per worker; relaxed atomics, written by their worker only, read by anyone.
 * Owns:    the block lies in its worker.
 * Threads: counter_add from the owning thread; counter_read from any.
 */
#ifndef DOTSTUB_BASE_COUNTERS_H
#define DOTSTUB_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* X(name, help) */
#define COUNTERS(X)                                                                                                    \
    X(udp_received, "datagrams read from UDP clients")                                                                 \
    X(udp_ignored, "datagrams answered with silence: short, responses, source port 0")                                 \
    X(udp_too_long, "datagrams refused because they are longer than any query")                                        \
    X(udp_send_failed, "UDP answers that the system refused to send")                                                  \
    X(tcp_accepted, "TCP clients accepted")                                                                            \
    X(tcp_evicted, "idle TCP clients closed to let a new one in")                                                      \
    X(tcp_held, "TCP clients that had to wait for a place because all others were busy")                               \
    X(tcp_stalled, "TCP clients reset because they made no progress")                                                  \
    X(queries_received, "queries taken in")                                                                            \
    X(queries_trailing, "queries with bytes after their last record, which were ignored")                              \
    X(queries_finished, "queries answered")                                                                            \
    X(queries_dropped, "queries given up without an answer: client gone, policy, memory")                              \
    X(drops_policy, "of these, because access.deny says so")                                                           \
    X(drops_client_gone, "of these, because their TCP client was gone")                                                \
    X(drops_no_room, "of these, because there was no memory for their answer")                                         \
    X(queries_retransmitted, "of these, retransmissions: the query they repeat goes on")                               \
    X(queries_slow, "queries that waited longer than log.slow")                                                        \
    X(queries_over_limit, "queries refused because limits.queries-in-flight was reached")                              \
    X(responses_local, "answers made here: errors, special names, refusals")                                           \
    X(responses_servfail, "SERVFAIL answers")                                                                          \
    X(responses_refused, "REFUSED answers")                                                                            \
    X(responses_formerr, "FORMERR answers")                                                                            \
    X(responses_truncated, "UDP answers sent with TC")                                                                 \
    X(cache_hits, "queries answered from the cache")                                                                   \
    X(cache_misses, "queries that the cache could not answer")                                                         \
    X(responses_stale, "queries answered with data past its TTL because fresh data was not to be had")                 \
    X(refreshes, "questions asked to renew what is about to expire or has been answered stale")                        \
    X(cache_stored, "answers stored")                                                                                  \
    X(cache_not_stored, "answers that may not be stored: TTL 0, no SOA, too large, flushed meanwhile")                 \
    X(lookups_started, "questions asked upstream for at least one query")                                              \
    X(lookups_joined, "queries that joined a question already asked")                                                  \
    X(lookups_failed, "questions that no server answered")                                                             \
    X(deadlines_hit, "queries whose time (limits.answer-by) was over before their answer came")                        \
    X(attempts_sent, "messages sent to upstream servers")                                                              \
    X(attempts_reused, "of these, on a session that had not to be opened for them")                                    \
    X(attempts_resent, "messages sent again because their session died")                                               \
    X(hedges_sent, "late questions asked a second time elsewhere")                                                     \
    X(hedges_won, "of these, answered first")                                                                          \
    X(hedges_denied, "late questions not asked again because the budget was spent")                                    \
    X(attempts_timeout, "messages that no answer came for in time")                                                    \
    X(upstream_ignored_id, "upstream answers ignored: no question with that id")                                       \
    X(upstream_ignored_question, "upstream answers ignored: another question")                                         \
    X(upstream_malformed, "upstream messages that break the format")                                                   \
    X(upstream_throttled, "times that an upstream refused under load and is asked less since")                         \
    X(sessions_dialed, "connections to upstream servers begun")                                                        \
    X(sessions_opened, "sessions whose handshake succeeded")                                                           \
    X(sessions_resumed, "of these, resumed by ticket")                                                                 \
    X(sessions_failed, "connections that failed before the handshake was done")                                        \
    X(sessions_closed_by_server, "sessions closed cleanly by the server")                                              \
    X(sessions_reset, "sessions that ended by a reset, an error or a broken frame")                                    \
    X(sessions_closed_idle, "sessions closed by us after their idle time")                                             \
    X(sessions_retired, "sessions retired: silent, out of ids")                                                        \
    X(query_lines_written, "lines of the query log written")                                                           \
    X(query_lines_lost, "lines of the query log lost because nobody read them in time")                                \
    X(dnstap_queued, "messages given to dnstap")                                                                       \
    X(dnstap_lost, "messages that dnstap had no place for")                                                            \
    X(memory_failed, "allocations of our own that failed")

enum counter {
#define COUNTERS_ENUM(name, help) COUNTER_##name,
    COUNTERS(COUNTERS_ENUM)
#undef COUNTERS_ENUM
        COUNTER_COUNT
};

struct counters {
    _Atomic uint64_t value[COUNTER_COUNT];
};

/* One writer, so a plain load and store is enough and cheaper than an atomic add. */
static inline void counter_add(struct counters *counters, enum counter which, uint64_t amount)
{
    uint64_t old = atomic_load_explicit(&counters->value[which], memory_order_relaxed);
    atomic_store_explicit(&counters->value[which], old + amount, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counters *counters, enum counter which)
{
    return atomic_load_explicit(&counters->value[which], memory_order_relaxed);
}

/* The name as listed, and the help sentence. */
const char *counter_name(enum counter which);
const char *counter_help(enum counter which);

#endif
