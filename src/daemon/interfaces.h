/* SPDX-License-Identifier: MIT */
/* Which network interfaces exist and are up.
 *
 * Threads: any.
 */
#ifndef DOTSTUB_DAEMON_INTERFACES_H
#define DOTSTUB_DAEMON_INTERFACES_H

#include <ifaddrs.h>
#include <stdbool.h>

/* The interfaces now, for interfaces_free. NULL: the system does not tell. */
struct ifaddrs *interfaces_read(void);
/* NULL does nothing. */
void interfaces_free(struct ifaddrs *interfaces);
bool interface_is_up(const struct ifaddrs *interfaces, const char *name);

#endif
