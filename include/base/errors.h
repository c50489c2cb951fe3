/* SPDX-License-Identifier: MIT */
/* Error numbers: 0 or negative. Negative errno values (libuv uses them too), and our own from -2000 down.
 *
 * Does:    gives one short text per error, for a log line or an extended DNS error (RFC 8914): at most 48 bytes,
 *          ASCII, no full stop.
 * Threads: any.
 */
#ifndef DOTSTUB_BASE_ERRORS_H
#define DOTSTUB_BASE_ERRORS_H

#include <stdbool.h>

/* X(name, number, text) */
#define ERRORS(X)                                                                                                      \
    X(ERROR_MALFORMED, -2000, "malformed message")                                                                     \
    X(ERROR_CLOSED, -2001, "connection closed by the server")                                                          \
    X(ERROR_STOPPING, -2002, "shutting down")                                                                          \
    X(ERROR_LIMIT, -2003, "limit reached")                                                                             \
    X(ERROR_NO_SERVER, -2004, "no server available")                                                                   \
    X(ERROR_NO_ADDRESS, -2033, "no address of the upstream is known")                                                  \
    X(ERROR_SILENT, -2005, "no data received on the session")                                                          \
    X(ERROR_NETWORK_CHANGED, -2007, "the network changed")                                                             \
    X(ERROR_THROTTLED, -2006, "more queries than max-qps allows")                                                      \
    X(ERROR_UNANSWERED, -2008, "the server did not answer in time")                                                    \
    X(ERROR_FLOOD, -2009, "too many bytes without a response")                                                         \
    X(ERROR_TLS_NAME, -2010, "certificate is for another name")                                                        \
    X(ERROR_TLS_EXPIRED, -2011, "certificate has expired")                                                             \
    X(ERROR_TLS_NOT_YET, -2012, "certificate is not valid yet")                                                        \
    X(ERROR_TLS_UNTRUSTED, -2013, "certificate is not trusted")                                                        \
    X(ERROR_TLS_PIN, -2014, "key does not match any pin")                                                              \
    X(ERROR_TLS_ALERT, -2015, "TLS alert from the server")                                                             \
    X(ERROR_TLS_PROTOCOL, -2016, "TLS protocol error")                                                                 \
    X(ERROR_TLS_WEAK, -2017, "certificate or key is too weak")                                                         \
    X(ERROR_TLS_ALPN, -2018, "TLS alert: no common ALPN protocol")                                                     \
    X(ERROR_TLS_SIZE, -2019, "certificate or handshake is too large")                                                  \
    X(ERROR_TLS_NO_CA, -2024, "CA certificates cannot be loaded")                                                      \
    X(ERROR_HTTP_PROTOCOL, -2040, "HTTP/2 protocol error")                                                             \
    X(ERROR_HTTP_VERSION, -2041, "the client does not speak HTTP/2")                                                   \
    X(ERROR_HTTP_FLOOD, -2042, "too many HTTP/2 frames without a message")                                             \
    X(ERROR_HTTP_REFUSED, -2043, "HTTP/2 request refused")                                                             \
    X(ERROR_HTTP_RESET, -2044, "HTTP/2 stream reset")                                                                  \
    X(ERROR_HTTP_STATUS, -2045, "HTTP status other than 200")                                                          \
    X(ERROR_HTTP_TYPE, -2046, "HTTP response without a DNS message")                                                   \
    X(ERROR_HTTP_BUSY, -2047, "the server asked to send later (HTTP 429 or 503)")                                      \
    X(ERROR_HTTP_ALPN, -2048, "the server does not speak HTTP/2")                                                      \
    X(ERROR_TLS_NO_CERTIFICATE, -2025, "our client certificate cannot be loaded")                                      \
    X(ERROR_IDLE, -2020, "idle")                                                                                       \
    X(ERROR_SLOW_READER, -2021, "client does not read its responses")                                                  \
    X(ERROR_SLOW_WRITER, -2022, "incomplete message, no further data")                                                 \
    X(ERROR_NOT_PRIVATE, -2023, "of another user, or accessible to others")                                            \
    X(ERROR_CONFIG, -2030, "configuration error")                                                                      \
    X(ERROR_UPSTREAM_ANSWER, -2031, "unusable response from the server")                                               \
    X(ERROR_BOGUS, -2034, "bogus response (DNSSEC)")                                                                   \
    X(ERROR_UPSTREAM_REFERRAL, -2035, "the server sent a referral: it does no recursion")                              \
    X(ERROR_UPSTREAM_FORMERR, -2032, "the server responded FORMERR")

enum {
#define ERRORS_ENUM(name, number, text) name = number,
    ERRORS(ERRORS_ENUM)
#undef ERRORS_ENUM
};

/* True for errors of a server that was reached but failed verification. */
static inline bool error_is_distrust(int error)
{
    return error == ERROR_TLS_NAME || error == ERROR_TLS_EXPIRED || error == ERROR_TLS_NOT_YET ||
           error == ERROR_TLS_UNTRUSTED || error == ERROR_TLS_PIN || error == ERROR_TLS_WEAK || error == ERROR_TLS_SIZE;
}

/* The text of one of our errors or of a negative errno; never NULL. */
const char *error_text(int error);

#endif
