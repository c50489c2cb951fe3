/* SPDX-License-Identifier: MIT */
/* The certificates for clients of listen-tls and listen-https.
 *
 * Does:    loads them; watches the directories of the files, loads changed files and gives them to the workers.
 *          Connections stay; a mistake in a file leaves the previous certificates in use.
 * Owns:    its handles.
 * Threads: the main thread; identities are reference-counted and used by the workers.
 */
#ifndef DOTSTUB_DAEMON_IDENTITY_H
#define DOTSTUB_DAEMON_IDENTITY_H

#include "config/config.h"
#include "net/tls_server.h"
#include "watching.h"
#include "worker.h"

/* NULL in *out: no listener needs certificates. 0, or negative after one line to `errors` with the remedy. */
int identity_load(struct tls_identity **out, const struct config *config, FILE *errors) MUST_CHECK;

struct identity_change {
    struct worker_identity worker;
    struct identity_watch *watch;
};

struct identity_watch {
    const struct config *config;
    struct worker **workers;         /* NULL: not started */
    struct identity_change *changes; /* one for each worker */
    unsigned worker_count;
    unsigned outstanding; /* workers that have not replied yet */
    uint64_t seen;        /* the state of the files that were loaded last, or could not be */
    struct watching watching;
    bool loaded;  /* the workers have an identity */
    bool again;   /* look again when all have replied */
    bool retried; /* the files could not be loaded a moment ago */
};

/* Call it when the workers run. `loaded`: they have the identity of `config`; else the files are loaded when they
 * change. 0 or -ENOMEM: nothing is watched. */
int identity_watch_start(struct identity_watch *watch, struct loop *loop, const struct config *config,
                         struct worker **workers, bool loaded) MUST_CHECK;
/* A reload has given the workers the identity of this configuration, which is borrowed until the next call. */
void identity_configure(struct identity_watch *watch, const struct config *config);
/* Starts to close the handles, before the workers end. */
void identity_watch_close(struct identity_watch *watch);
/* Call it when the workers have ended. */
void identity_watch_fini(struct identity_watch *watch);

#endif
