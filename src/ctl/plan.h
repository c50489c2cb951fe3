/* SPDX-License-Identifier: MIT */
/* Finds which software manages this machine's nameservers, and plans the changes that make dotstub the nameserver.
 *
 * Does:    Only reads files. Each kind of system has one row in the table of plan.c.
 * Owns:    struct plan owns its changes, until change_free.
 * Threads: Single-threaded.
 */
#ifndef DOTSTUB_CTL_PLAN_H
#define DOTSTUB_CTL_PLAN_H

#include "change.h"
#include "resolv.h"

enum { PLAN_COMMANDS = 3, PLAN_WORDS = 5 };

struct manager {
    const char *name;                             /* "resolved", as in the journal */
    const char *title;                            /* "systemd-resolved" */
    bool any_port;                                /* supports ports other than 53 */
    const char *apply[PLAN_COMMANDS][PLAN_WORDS]; /* run after the files are written; NULL ends words and commands */
    const char *undo_before[PLAN_COMMANDS][PLAN_WORDS]; /* run before and after the files are restored */
    const char *undo_after[PLAN_COMMANDS][PLAN_WORDS];
};

struct plan {
    const struct manager *manager;
    struct changes changes;
};

struct plan_wish {
    const char *root; /* "" or a directory to use as "/" */
    struct addr server;
    bool trust_ad;
    const char *keep_path; /* the file for the zones that the router keeps; NULL: none */
    char *keep_text;       /* its content, from malloc */
};

/* Finds the manager in charge. */
const struct manager *plan_find_manager(const struct resolv *resolv, const char *root);
/* Finds a manager by the name in a journal; NULL: unknown. */
const struct manager *plan_manager_named(const char *name);
/* 0, or a negative error after printing it. */
int plan_make(struct plan *out, const struct manager *manager, const struct resolv *resolv,
              const struct plan_wish *wish) MUST_CHECK;

#endif
