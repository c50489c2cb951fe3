/* SPDX-License-Identifier: MIT */
/* dotstubctl dnssec negative. */
#ifndef DOTSTUB_CTL_NEGATIVE_H
#define DOTSTUB_CTL_NEGATIVE_H

#include "command.h"

/* `words` are those behind "negative". Returns an exit status. */
int negative_run(const struct options *options, char **words, int count);

#endif
