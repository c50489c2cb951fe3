/* SPDX-License-Identifier: MIT */
/* Changes to system files that can be undone exactly.
 *
 * Does:    Writes a journal before the first change. A replaced file gets a second name (a hard link,
 *          PATH.before-dotstub), so that one rename restores it with content, owner, mode, times and attributes;
 *          symbolic links likewise. Undo also works after a reboot and after an interruption at any point.
 * Owns:    struct changes owns its texts. The journal, CHANGE_JOURNAL, must belong to root because it names files to
 *          remove.
 * Threads: Single-threaded; change_lock excludes other processes.
 */
#ifndef DOTSTUB_CTL_CHANGE_H
#define DOTSTUB_CTL_CHANGE_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/check.h"

#define CHANGE_DIRECTORY SYSCONFDIR "/dotstub"
#define CHANGE_JOURNAL   CHANGE_DIRECTORY "/system.state"
#define CHANGE_BEFORE    ".before-dotstub"

enum { CHANGES_MAX = 8, CHANGE_NAME = 32 };

struct change {
    const char *path; /* absolute, without `root`; must outlive the changes */
    bool is_link;
    char *text; /* from malloc: content of the file or target of the link */
};

struct changes {
    const char *root;       /* "" or a directory to use as "/" */
    char name[CHANGE_NAME]; /* of the plan, stored in the journal */
    struct change item[CHANGES_MAX];
    unsigned count;
};

enum change_state { CHANGE_OFF, CHANGE_INTERRUPTED, CHANGE_ON };

/* Excludes other processes until exit. 0, or a negative error after printing it. */
int change_lock(const char *root) MUST_CHECK;
/* Returns the state; `name` becomes the plan's name ("" when off). */
enum change_state change_state(const char *root, char name[CHANGE_NAME]);
/* True if the journal names a path with this end. */
bool change_names(const char *root, const char *end);
/* Makes all changes. 0, or a negative error after printing it; then call change_undo. */
int change_apply(const struct changes *changes) MUST_CHECK;
/* Marks the journal as confirmed. 0, or a negative error after printing it. */
int change_confirm(const char *root) MUST_CHECK;
/* Undoes the journal's steps; 0 if there is no journal. On failure returns a negative error after printing it, and
 * keeps the journal. */
int change_undo(const char *root) MUST_CHECK;
/* Print what change_apply, or change_undo, would do. */
void change_explain(const struct changes *changes, FILE *out);
void change_explain_undo(const char *root, FILE *out);
void change_free(struct changes *changes);

#endif
