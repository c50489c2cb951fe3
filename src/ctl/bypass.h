/* SPDX-License-Identifier: MIT */
/* Files and programs other than /etc/resolv.conf that determine where this machine's programs send queries.
 *
 * Does:    Only reads files. Finds the program that writes /etc/resolv.conf again, NSS modules that come before
 *          `dns`, copies of the file, and programs that replace loopback nameservers by servers of their own.
 * Threads: Single-threaded.
 */
#ifndef DOTSTUB_CTL_BYPASS_H
#define DOTSTUB_CTL_BYPASS_H

#include <stdbool.h>
#include "resolv.h"

enum { BYPASS_TEXT = 400 };

/* One finding. */
struct bypass {
    const char *check;        /* "nsswitch", "writer", "postfix", "docker", "podman", "trust-ad" */
    bool leaks;               /* because of it, programs of this machine do not use dotstub */
    char says[BYPASS_TEXT];   /* a sentence without a full stop, in printable ASCII */
    char remedy[BYPASS_TEXT]; /* likewise */
};

struct bypass_view {
    const char *root;            /* "" or a directory to use as "/" */
    const struct resolv *resolv; /* the present one, or the planned one */
    const struct addr *servers;  /* the addresses of dotstub, with port 53 */
    unsigned server_count;
    bool by_resolved; /* systemd-resolved forwards to dotstub, now or as planned */
    bool trust_ad;    /* AD is wanted */
};

/* Calls `tell` for each finding. */
void bypass_each(const struct bypass_view *view, void (*tell)(void *context, const struct bypass *bypass),
                 void *context);

/* True if nsswitch.conf makes programs query a running systemd-resolved before the nameservers of resolv.conf. */
bool bypass_resolved_comes_first(const char *root);
/* True if Docker is installed: its DNS server for containers gives up after BYPASS_DOCKER_MS. */
bool bypass_has_docker(const char *root);
enum { BYPASS_DOCKER_MS = 4000 };

#endif
