/* SPDX-License-Identifier: MIT */
/* The trust (certificates and pins) for each upstream of a configuration.
 *
 * Threads: the main thread; the trusts are reference-counted and read from any.
 */
#ifndef DOTSTUB_DAEMON_TRUSTS_H
#define DOTSTUB_DAEMON_TRUSTS_H

#include "config/config.h"
#include "net/tls.h"

/* (*out)[i] belongs to config->upstreams[i]. `wait`: CA certificates that cannot be loaded are looked for later, after
 * a warning in the log. 0, or negative after one line to `errors` with the remedy. */
int trusts_load(struct tls_trust ***out, const struct config *config, bool wait, FILE *errors) MUST_CHECK;
/* NULL does nothing. */
void trusts_free(struct tls_trust **trusts, size_t count);

#endif
