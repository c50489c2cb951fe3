/* SPDX-License-Identifier: MIT */
/* The log settings of the configuration. */
#ifndef DOTSTUB_DAEMON_LOGGING_H
#define DOTSTUB_DAEMON_LOGGING_H

#include "config/config.h"

/* Call it once, before there are other threads: sets destination and format; then as logging_set. */
void logging_open(const struct config *config);
/* Sets levels and query log, which may change at any time. Undoes POST /log. */
void logging_set(const struct config *config);
/* Logs the notices of a configuration. */
void logging_notices(const struct config *config);
/* As logging_set, if the log settings differ from those of the configuration before. */
void logging_change(const struct config *config, const struct config *before);

#endif
