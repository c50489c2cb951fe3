/* SPDX-License-Identifier: MIT */
/* The certificates for clients of listen-tls.
 *
 * Threads: the main thread; identities are reference-counted and used by the workers.
 */
#ifndef DOTSTUB_DAEMON_IDENTITY_H
#define DOTSTUB_DAEMON_IDENTITY_H

#include "config/config.h"
#include "net/tls_server.h"

/* NULL in *out: no listener needs certificates. 0, or negative after one line to `errors` with the remedy. */
int identity_load(struct tls_identity **out, const struct config *config, FILE *errors) MUST_CHECK;

#endif
