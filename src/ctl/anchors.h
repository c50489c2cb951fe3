/* SPDX-License-Identifier: MIT */
/* dotstubctl dnssec anchors. */
#ifndef DOTSTUB_CTL_ANCHORS_H
#define DOTSTUB_CTL_ANCHORS_H

#include "command.h"

int anchors_run(const struct options *options);

#endif
