/* SPDX-License-Identifier: MIT */
/* Watches files by their names.
 *
 * Does:    watches the file or directory, and the directories in which a change may give its path other contents:
 *          those of the file and of the symbolic links on the way, or the nearest existing one if some are missing. So a file that is written to, replaced by rename, removed, or made later is seen, and a link
 *          that gets another target.
 * Owns:    its handles.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_WATCHING_H
#define DOTSTUB_DAEMON_WATCHING_H

#include <stdbool.h>
#include "net/loop.h"

#define WATCHING_WAIT_MS 300 /* programs write files in several steps */

struct watching {
    uv_timer_t timer;
    struct list paths;
    const char *what; /* for log lines: "certificates" */
    /* Runs once for all changes of the last WATCHING_WAIT_MS, and after watching_again. Other files of the same
     * directories cause it as well. It has to call watching_begin and watching_add again, before it looks at the files. */
    void (*changed)(struct watching *watching);
    uint64_t wait_ms;
    bool told; /* that a directory cannot be watched */
};

void watching_init(struct watching *watching, struct loop *loop, const char *what,
                   void (*changed)(struct watching *watching));
/* Forgets all paths, and changes that were not reported yet. */
void watching_begin(struct watching *watching);
/* Without memory, or without the kernel's means, changes are not seen; a log line says so. */
void watching_add(struct watching *watching, const char *path);
/* Calls `changed` after this time in any case. */
void watching_again(struct watching *watching, uint64_t ms);
/* Starts to close the handles. */
void watching_close(struct watching *watching);

#endif
