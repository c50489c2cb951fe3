/* SPDX-License-Identifier: MIT */
/* What is trusted for each upstream entry of a configuration.
 *
 * Threads: the main thread; the trusts themselves are ref-counted and read from any.
 */
#ifndef DOTSTUB_DAEMON_TRUSTS_H
#define DOTSTUB_DAEMON_TRUSTS_H

#include "config/config.h"
#include "net/tls.h"

/* (*out)[i] belongs to config->upstreams[i]. 0, or negative after one line to `errors` that says what is wrong and what to do. */
int trusts_load(struct tls_trust ***out, const struct config *config, FILE *errors) MUST_CHECK;
/* NULL does nothing. */
void trusts_free(struct tls_trust **trusts, size_t count);

#endif
