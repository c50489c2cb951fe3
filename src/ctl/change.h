/* SPDX-License-Identifier: MIT */
/* Changes to the system's files that can be undone exactly.
 *
 * Does:    before anything is changed the journal says what will be. What is replaced keeps existing under a second name beside it
 *          (a hard link, PATH.before-dotstub): putting it back is one rename, and content, owner, mode, times, attributes and what
 *          a symbolic link points to are what they were. So undoing works after a reboot, and after a change that was
 *          cut short at any place.
 * Owns:    struct changes its texts. The journal, CHANGE_JOURNAL, is root's: it says what will be removed.
 * Threads: the program's only one; change_lock keeps other processes away.
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

enum { CHANGES_MAX = 4, CHANGE_NAME = 32 };

struct change {
    const char *path; /* absolute, as the system sees it; static */
    bool is_link;
    char *text; /* from malloc: what the file will say, or where the link points to */
};

struct changes {
    const char *root;       /* "" or a directory that stands for "/" */
    char name[CHANGE_NAME]; /* of the plan, kept in the journal */
    struct change item[CHANGES_MAX];
    unsigned count;
};

enum change_state { CHANGE_OFF, CHANGE_INTERRUPTED, CHANGE_ON };

/* Keeps others away until the process ends. 0, or a negative errno after a line that says what is wrong. */
int change_lock(const char *root) MUST_CHECK;
/* How things stand; `name` is the plan's ("" when off). */
enum change_state change_state(const char *root, char name[CHANGE_NAME]);
/* Makes all changes. A negative errno after a line that says what is wrong: change_undo then undoes what was done. */
int change_apply(const struct changes *changes) MUST_CHECK;
/* All of it worked: a negative errno after a line that says what is wrong. */
int change_confirm(const char *root) MUST_CHECK;
/* Undoes all that the journal says; without a journal nothing. A negative errno after a line that says what is wrong: what could not be
 * undone stays in the journal. */
int change_undo(const char *root) MUST_CHECK;
/* Tells what change_apply, or change_undo, would do. */
void change_explain(const struct changes *changes, FILE *out);
void change_explain_undo(const char *root, FILE *out);
void change_free(struct changes *changes);

#endif
