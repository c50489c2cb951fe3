/* SPDX-License-Identifier: MIT */
/* All counters of the program, in one list: name and help. A new counter is one line here.
 *
 * Does:    one block of counters per worker; relaxed atomics, written by their worker only, read by anyone.
 * Owns:    each block is a member of its worker.
 * Threads: counter_add from the owning thread; counter_read from any.
 */
#ifndef DOTSTUB_BASE_COUNTERS_H
#define DOTSTUB_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* X(name, help) */
#define COUNTERS(X)                                                                                                    \
    X(udp_received, "datagrams read from UDP clients")                                                                 \
    X(udp_ignored, "datagrams ignored: too short, responses, or from source port 0")                                   \
    X(udp_too_long, "datagrams refused because they are longer than any query")                                        \
    X(udp_send_failed, "UDP responses that the system refused to send")                                                \
    X(tcp_accepted, "TCP clients accepted")                                                                            \
    X(tcp_evicted, "idle TCP clients disconnected to accept a new one")                                                \
    X(tcp_held, "TCP clients that waited to be accepted because all others were busy")                                 \
    X(https_errors, "HTTPS requests of clients refused with an HTTP status")                                           \
    X(https_floods, "HTTPS clients disconnected because they sent too many frames without a message")                  \
    X(https_failed, "responses of upstreams over HTTPS that were no usable DNS message")                               \
    X(fallbacks, "upstreams whose queries went over to HTTPS because DNS over TLS did not work")                       \
    X(http_refused, "connections to listen-http that did not come from http-proxies")                                  \
    X(https_stuck, "streams of HTTPS clients reset because they made no progress")                                     \
    X(tcp_stalled, "TCP clients reset because they made no progress")                                                  \
    X(tls_handshakes, "TLS handshakes of clients")                                                                     \
    X(tls_resumed, "TLS handshakes of clients that resumed a session")                                                 \
    X(tls_failed, "TLS handshakes of clients that failed")                                                             \
    X(tls_evicted, "clients reset during the TLS handshake because too many others were in theirs")                    \
    X(proxy_headers, "PROXY headers from balancers: one for each connection or datagram")                              \
    X(proxy_refused, "connections and datagrams refused: not from a balancer, or without a valid PROXY header")        \
    X(queries_received, "queries received from clients, and those that dotstub sends itself (search, DNS64, trace)")   \
    X(queries_trailing, "queries with bytes after their last record, which were ignored")                              \
    X(queries_finished, "queries answered")                                                                            \
    X(queries_dropped, "queries dropped without a response: retransmission, client gone, policy, memory")              \
    X(drops_policy, "queries dropped because of access.deny")                                                          \
    X(drops_blocked, "queries dropped because a block list says so (rpz-drop)")                                        \
    X(drops_client_gone, "queries dropped because their TCP client had disconnected")                                  \
    X(drops_no_room, "queries dropped because there was no memory for their response")                                 \
    X(queries_retransmitted, "queries dropped because they repeat a query that is still being answered")               \
    X(queries_failed, "queries answered with SERVFAIL because no upstream answered them")                              \
    X(queries_slow, "queries that waited longer than log.slow")                                                        \
    X(queries_over_limit, "queries refused because limits.queries-in-flight was reached")                              \
    X(queries_over_share,                                                                                              \
      "queries of the largest client network refused because limits.queries-in-flight was reached")                    \
    X(responses_local, "responses made locally: errors, special names, refusals")                                      \
    X(discovery_responses, "responses that name the encrypted listeners (_dns.resolver.arpa)")                         \
    X(responses_servfail, "SERVFAIL responses")                                                                        \
    X(responses_refused, "REFUSED responses")                                                                          \
    X(responses_formerr, "FORMERR responses")                                                                          \
    X(responses_limited, "responses with TC or BADCOOKIE because of rate-limit.responses")                             \
    X(responses_rebind, "responses replaced by NODATA because they had private addresses (rebind-protection)")         \
    X(queries_in_views, "queries of clients of a view")                                                                \
    X(records_answered, "queries answered with data of records and zones")                                             \
    X(hosts_answered, "queries answered with names of hosts files, leases and hosts.entries")                          \
    X(queries_searched, "queries for a name of one label that was looked up in the domains of search")                 \
    X(responses_filtered, "responses without their AAAA records because of filter-aaaa")                               \
    X(responses_dns64, "responses with IPv6 addresses made of IPv4 addresses (dns64.prefix)")                          \
    X(responses_dns64_ptr, "responses with the name of an IPv4 address for an IPv6 address (dns64.prefix)")            \
    X(responses_sorted, "responses whose addresses were put into the order of sort-addresses")                         \
    X(queries_single_label, "queries refused because their name has one label (single-label: refuse)")                 \
    X(queries_blocked, "queries for names, or with names or addresses in their response, of a block list")             \
    X(cookies_valid, "queries with a valid server cookie")                                                             \
    X(cookies_invalid, "queries with a server cookie that is expired or of another server")                            \
    X(responses_truncated, "UDP responses sent with TC")                                                               \
    X(responses_withheld, "late UDP responses sent with TC because many queries of their client waited")               \
    X(responses_deferred, "TCP responses that waited because limits.tcp-output was reached")                           \
    X(cache_hits, "queries answered from the cache")                                                                   \
    X(cache_nxdomain_cuts, "queries answered NXDOMAIN from the cache because a name above theirs does not exist")      \
    X(cache_misses, "queries that the cache could not answer")                                                         \
    X(responses_stale, "queries answered with stale data because no fresh data was available in time")                 \
    X(refreshes, "lookups started to refresh an entry that expires soon or was served stale")                          \
    X(cache_stored, "responses stored in the cache")                                                                   \
    X(cache_not_stored, "responses not stored in the cache: TTL 0, no SOA, too large, flushed meanwhile")              \
    X(lookups_started, "lookups started for at least one query")                                                       \
    X(lookups_joined, "queries that joined a lookup in progress")                                                      \
    X(lookups_over_share, "lookups of the largest client network ended because too many were in progress")             \
    X(lookups_failed, "lookups that no server answered")                                                               \
    X(deadlines_hit, "queries not answered within limits.answer-by")                                                   \
    X(attempts_sent, "attempts: queries sent to upstream servers")                                                     \
    X(attempts_reused, "attempts on a session that was already open")                                                  \
    X(attempts_resent, "attempts sent again because their session was lost")                                           \
    X(hedges_sent, "hedges: second attempts sent because a response was late")                                         \
    X(hedges_won, "hedges whose response arrived first")                                                               \
    X(hedges_denied, "hedges not sent because their budget was spent")                                                 \
    X(attempts_timeout, "attempts without a response in time")                                                         \
    X(upstream_ignored_id, "upstream responses ignored because no attempt has their id")                               \
    X(upstream_ignored_question, "upstream responses ignored because their Question section does not match the query") \
    X(plain_refused, "queries that were not sent because their name is outside the zones of a plain server")           \
    X(plain_udp_queries, "transmissions of queries over plain UDP")                                                    \
    X(plain_udp_repeated,                                                                                              \
      "queries over plain UDP that were sent again because the first transmission was not answered")                   \
    X(plain_udp_unanswered, "queries to plain servers that were not answered in time")                                 \
    X(plain_udp_ports, "sockets opened for plain UDP, each with a source port drawn at random")                        \
    X(plain_udp_held,                                                                                                  \
      "queries that waited because one for the same name and type was outstanding at that plain server")               \
    X(plain_udp_late, "responses over plain UDP to a query that had ended or been given up")                           \
    X(plain_udp_wrong_id, "datagrams from a plain server without the id of a query, perhaps forged")                   \
    X(plain_udp_wrong_question, "datagrams from a plain server for another name or type, perhaps forged")              \
    X(plain_udp_attacked, "queries that went on over TCP because many wrong responses came")                           \
    X(plain_udp_case, "responses over plain UDP in another letter case than the query; retried over TCP")              \
    X(plain_udp_unmixed, "servers that changed the letter case, so that their queries are in lower case")              \
    X(plain_udp_truncated, "truncated responses over plain UDP; retried over TCP")                                     \
    X(plain_udp_over_tcp, "queries sent over TCP after plain UDP")                                                     \
    X(upstream_malformed, "malformed upstream responses")                                                              \
    X(upstream_throttled, "times that an upstream refused queries under load and its rate was reduced")                \
    X(bootstrap_lookups, "lookups of the addresses of an upstream's host, A and AAAA counted apart")                   \
    X(bootstrap_plain, "of bootstrap_lookups: those that went to bootstrap servers without encryption")                \
    X(portal_lookups, "lookups sent without encryption through the portal window")                                     \
    X(sessions_dialed, "connections to upstream servers started")                                                      \
    X(sessions_opened, "sessions whose handshake succeeded")                                                           \
    X(sessions_resumed, "sessions resumed with a ticket")                                                              \
    X(sessions_failed, "connections that failed before the end of the handshake")                                      \
    X(sessions_untrusted, "connections that failed because the server's certificate was refused")                      \
    X(sessions_closed_by_server, "sessions closed cleanly by the server")                                              \
    X(sessions_reset, "sessions ended by a reset, an error or a malformed frame")                                      \
    X(sessions_flooded, "sessions closed because the server sent tls.unanswered bytes without answering a query")      \
    X(sessions_closed_idle, "sessions closed by dotstub because they were idle")                                       \
    X(sessions_retired, "sessions that take no more queries because they were silent or out of message ids")           \
    X(store_gets, "values asked of the store")                                                                         \
    X(store_hits, "lookups answered by the store")                                                                     \
    X(store_stale, "expired values of the store that were taken as stale data")                                        \
    X(store_late, "lookups that went on to the upstream because the store took longer than store.patience")            \
    X(store_left_alone, "lookups that did not ask the store because it is not connected, slow or silent")              \
    X(store_failed, "values that the store did not give: connection lost, or an error")                                \
    X(store_older, "values of the store that were not used because the local cache has a newer one")                   \
    X(store_flushed, "values of the store that were not used because they are older than a flush")                     \
    X(store_foreign, "values of the store that are of another version, or no response to the query")                   \
    X(store_damaged, "values of the store that were not sealed by this fleet for this name")                           \
    X(store_early, "values of the store that were sealed in the future: the clocks of replicas differ")                \
    X(store_expired, "values of the store that are past their life")                                                   \
    X(store_puts, "responses given to the store")                                                                      \
    X(store_puts_dropped, "responses not given to the store: not connected, too much unsent, too large")               \
    X(store_puts_failed, "responses that the store did not take: connection lost, out of memory, an error")            \
    X(store_connects, "connections to the store opened")                                                               \
    X(store_connects_failed, "connections to the store that failed before its first reply")                            \
    X(store_refused, "connections that the store refused, as because of the password")                                 \
    X(store_lost, "connections to the store that were lost: closed, silent, malformed")                                \
    X(store_failovers, "masters of the store that another server took over from")                                      \
    X(store_moved, "commands to a cluster that were redirected because the slot has moved (MOVED)")                    \
    X(store_asks, "commands to a cluster that were redirected because the slot is moving (ASK)")                       \
    X(store_maps, "maps of a cluster's slots that were taken")                                                         \
    X(store_maps_refused, "maps of a cluster's slots that were malformed, or have too many masters")                   \
    X(store_nodes_refused, "servers of the store that others named and that are not used: port, loopback, malformed")  \
    X(store_flushes_sent, "flushes of the whole fleet that were given to the store")                                   \
    X(store_flushes_heard, "flushes of the whole fleet that came from other replicas")                                 \
    X(store_flushes_ignored, "flush messages that were not used: old, repeated, or not sealed by this fleet")          \
    X(store_leases_won, "leases of names that this replica asked the upstream for, for the fleet")                     \
    X(store_leases_lost, "lookups that waited for the value of a replica that had the lease")                          \
    X(store_leases_filled, "lookups that got the value that they waited for")                                          \
    X(store_leases_refused, "leases that could not be used: an error, damaged, past their life")                       \
    X(store_warmed, "popular names of the fleet that were taken from the store after the start")                       \
    X(query_lines_written, "lines of the query log written")                                                           \
    X(query_lines_lost, "lines of the query log lost because their reader was too slow")                               \
    X(dnstap_queued, "messages queued for dnstap")                                                                     \
    X(dnstap_lost, "messages lost because the dnstap queue was full")                                                  \
    X(dnssec_secure, "responses that dotstub validated: signed, or proven")                                            \
    X(dnssec_insecure, "responses that dotstub validated: proven not to be signed")                                    \
    X(dnssec_bogus, "responses that dotstub refused because they are bogus")                                           \
    X(dnssec_bogus_signature, "of dnssec_bogus: a wrong signature, or other bogus data (EDE 6)")                       \
    X(dnssec_bogus_expired, "of dnssec_bogus: an expired signature (EDE 7)")                                           \
    X(dnssec_bogus_not_yet, "of dnssec_bogus: a signature that is not valid yet (EDE 8)")                              \
    X(dnssec_bogus_no_key, "of dnssec_bogus: no key for a signature, a DS or a trust anchor (EDE 9)")                  \
    X(dnssec_bogus_unsigned, "of dnssec_bogus: no signature (EDE 10)")                                                 \
    X(dnssec_bogus_no_zone_key, "of dnssec_bogus: no keys of a zone (EDE 11)")                                         \
    X(dnssec_bogus_no_proof, "of dnssec_bogus: no proof that something does not exist (EDE 12)")                       \
    X(dnssec_reports, "reports of bogus data sent to the agents of zones (RFC 9567)")                                  \
    X(dnssec_reports_limited, "reports not sent because of a limit on reports, or on lookups")                         \
    X(dnssec_limited, "of dnssec_bogus: because of a limit on the work of one response or lookup")                     \
    X(dnssec_over_memory, "validations ended because too much memory waited for keys and DS")                          \
    X(dnssec_ahead, "queries for keys and DS sent together with the query that will need them")                        \
    X(dnssec_paused, "validations that continued in a later turn because they had taken a millisecond")                \
    X(dnssec_retried, "bogus responses after which a server of another operator was asked")                            \
    X(dnssec_denied, "queries answered from proofs in the cache that a name or type does not exist (RFC 8198)")        \
    X(dnssec_proofs, "proofs put into the cache for that, or renewed")                                                 \
    X(dnssec_proofs_evicted, "of them dropped for lack of room")                                                       \
    X(dnssec_remembered, "signatures that were not checked again, because the same ones had been verified")            \
    X(dnssec_signatures, "signatures checked")                                                                         \
    X(memory_failed, "memory allocations of dotstub that failed; those of libraries are not counted")

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
