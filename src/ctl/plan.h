/* SPDX-License-Identifier: MIT */
/* Who decides which nameserver this machine's programs ask, and what makes that dotstub.
 *
 * Does:    looks at files only; changes nothing. For each kind of system there is one row in the table of plan.c.
 * Owns:    struct plan its changes, until change_free.
 * Threads: the program's only one.
 */
#ifndef DOTSTUB_CTL_PLAN_H
#define DOTSTUB_CTL_PLAN_H

#include "change.h"
#include "resolv.h"

enum { PLAN_COMMANDS = 3, PLAN_WORDS = 5 };

struct manager {
    const char *name;                             /* "resolved": stands in the journal */
    const char *title;                            /* "systemd-resolved" */
    bool any_port;                                /* it can ask at other ports than 53 */
    const char *apply[PLAN_COMMANDS][PLAN_WORDS]; /* run when the files are written; NULL ends words and commands */
    const char *undo_before[PLAN_COMMANDS][PLAN_WORDS]; /* and around their restoration */
    const char *undo_after[PLAN_COMMANDS][PLAN_WORDS];
};

struct plan {
    const struct manager *manager;
    struct changes changes;
};

struct plan_wish {
    const char *root; /* "" or a directory that stands for "/" */
    struct addr server;
    bool trust_ad;
};

/* Finds out whose business it is. */
const struct manager *plan_find_manager(const struct resolv *resolv, const char *root);
/* By the name in a journal; NULL: there is none of that name. */
const struct manager *plan_manager_named(const char *name);
/* 0, -ENOMEM, or another negative errno after a line that says what is wrong. */
int plan_make(struct plan *out, const struct manager *manager, const struct resolv *resolv,
              const struct plan_wish *wish) MUST_CHECK;

#endif
