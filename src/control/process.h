/* SPDX-License-Identifier: MIT */
/* What the system says of this process, under the names that all exporters use.
 *
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_PROCESS_H
#define DOTSTUB_CONTROL_PROCESS_H

#include <stdint.h>
#include <stdio.h>

/* What the system does not tell is left out. */
void process_metrics(FILE *out, int64_t started_wall_s);

#endif
