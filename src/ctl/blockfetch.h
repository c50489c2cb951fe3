/* SPDX-License-Identifier: MIT */
/* Fetches a file over https, with libcurl.
 *
 * Does:    resolves each host through the daemon (POST /trace), never by other means; verifies certificates; follows at
 *          most FETCH_REDIRECTS redirects, to https only.
 * Threads: Single-threaded; blocks for at most FETCH_TIME_S.
 * RFC:     9110 (conditional requests).
 */
#ifndef DOTSTUB_CTL_BLOCKFETCH_H
#define DOTSTUB_CTL_BLOCKFETCH_H

#include <stdio.h>
#include "base/check.h"

enum { FETCH_REDIRECTS = 5, FETCH_TIME_S = 300 };
#define FETCH_ERROR 300
#define FETCH_MARK  512

struct fetch {
    const char *url, *socket_path, *ca_file; /* ca_file NULL: the system's */
    size_t max_bytes;
    FILE *out; /* gets the body */
    /* Of the copy that is there already, "" if unknown; afterwards of the new one. */
    char etag[FETCH_MARK], modified[FETCH_MARK];
    char error[FETCH_ERROR];
    /* For fetch_run: */
    size_t bytes;
    int written_error;
};

enum fetch_result { FETCH_NEW, FETCH_SAME, FETCH_FAILED };

/* Fetches. FETCH_FAILED: with a sentence in `error`. FETCH_SAME: the server says that the copy is current. */
enum fetch_result fetch_run(struct fetch *fetch) MUST_CHECK;

#endif
