/* SPDX-License-Identifier: MIT */
/* The trust (certificates and pins) for each upstream of a configuration.
 *
 * Threads: the main thread; the trusts are reference-counted and read from any.
 */
#ifndef DOTSTUB_DAEMON_TRUSTS_H
#define DOTSTUB_DAEMON_TRUSTS_H

#include "config/config.h"
#include "net/tls.h"

/* (*out)[i] belongs to config->upstreams[i]. 0, or negative after one line to `errors` with the remedy. */
int trusts_load(struct tls_trust ***out, const struct config *config, FILE *errors) MUST_CHECK;
/* NULL does nothing. */
void trusts_free(struct tls_trust **trusts, size_t count);

#endif
