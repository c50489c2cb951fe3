/* SPDX-License-Identifier: MIT */
/* What the configuration says of the log. */
#ifndef DOTSTUB_DAEMON_LOGGING_H
#define DOTSTUB_DAEMON_LOGGING_H

#include "config/config.h"

/* Once, before there is another thread: where lines go and how they look; then as logging_set. */
void logging_open(const struct config *config);
/* What may change at any time: levels and the query log. Undoes what was set by POST /log. */
void logging_set(const struct config *config);
/* As logging_set, if what it says is not that of the configuration before. */
void logging_change(const struct config *config, const struct config *before);

#endif
