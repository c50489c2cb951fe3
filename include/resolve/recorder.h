/* SPDX-License-Identifier: MIT */
/* The flight recorder: where the time of the latest slow and failed queries of one worker went.
 *
 * Does:    keeps records of queries that waited longer than log.slow or that failed: the latest RECORDER_KEPT of
 *          either kind. Queries that waited for the same lookup share the record of the first of them, and its id,
 *          which is also in the extended error and in the log.
 * Owns:    its records, of a fixed number.
 * Threads: the worker's; a copy of a record belongs to the caller.
 */
#ifndef DOTSTUB_RESOLVE_RECORDER_H
#define DOTSTUB_RESOLVE_RECORDER_H

#include "base/addr.h"
#include "base/log.h"
#include "dns/key.h"
#include "dns/message.h"

#define RECORDER_KEPT 64

enum record_kind { RECORD_SLOW, RECORD_FAILED, RECORD_KINDS };

/* The phases follow each other, and their sum is the query's total time. */
enum record_phase {
    PHASE_STORE,   /* waiting for the second-level cache */
    PHASE_RETRIES, /* attempts before the one that the other phases describe */
    PHASE_PLACE,   /* waiting for a session while none could take the attempt and none was dialled */
    PHASE_CONNECT, /* waiting for a session while some were dialled */
    PHASE_HANDSHAKE,
    PHASE_WRITE,    /* on a session, until the query was written */
    PHASE_ANSWER,   /* waiting for the response */
    PHASE_VALIDATE, /* validating it, waiting for keys and DS */
    PHASES,
};

enum record_session { RECORD_NO_SESSION, RECORD_REUSED, RECORD_OPENED, RECORD_RESUMED /* opened, by ticket */ };

struct record_server {
    char upstream[48]; /* truncated; "": none */
    struct addr addr;
    const char *transport; /* its name; a constant */
};

#define RECORD_VIEW 64 /* bytes, the longest name of a view with its NUL */

struct record {
    uint32_t id; /* 0: no record */
    enum record_kind kind;
    uint64_t ended_ms; /* boot-time clock */
    uint32_t total_ms, phase_ms[PHASES];
    struct key key;
    bool tcp;
    bool joined;            /* it joined a lookup in progress */
    bool stale;             /* the response was stale */
    bool stored;            /* the response came from the second-level cache */
    bool awaited;           /* another replica of the fleet asked the upstream for it, and the lookup waited */
    char view[RECORD_VIEW]; /* the client's; "": none */
    uint16_t rcode;
    int ede_code; /* EDE_NONE: none */
    char ede_text[EDE_TEXT + 1];
    struct record_server asked, dialed; /* of the latest attempt; of the dials that took most time */
    char group[56];                     /* that served the name, truncated; "": the query came to none */
    enum record_session session;
    unsigned tries, session_losses; /* attempts, and sessions lost while it was outstanding */
    unsigned queries;               /* queries that share the record, including the first */
};

struct recorder {
    struct record *records;       /* RECORDER_KEPT of each kind */
    unsigned count[RECORD_KINDS]; /* records made in all */
    uint32_t last_id;
};

/* 0 or -ENOMEM. */
int recorder_init(struct recorder *recorder) MUST_CHECK;
void recorder_fini(struct recorder *recorder);
uint32_t recorder_next_id(struct recorder *recorder);
/* A record to fill, in place of the oldest of its kind. */
struct record *recorder_take(struct recorder *recorder, enum record_kind kind);
/* Copies all records, of each kind from the newest to the oldest; `out` has room for RECORDER_ALL. Returns their
 * number. */
#define RECORDER_ALL (RECORD_KINDS * RECORDER_KEPT)
unsigned recorder_copy(const struct recorder *recorder, struct record *out);

/* "3fa2c1" */
#define RECORD_ID_TEXT 9
const char *record_id_text(uint32_t id, char out[RECORD_ID_TEXT]);

#endif
