/* SPDX-License-Identifier: MIT */
/* The programs of seccomp that write_filters.c compiles when dotstub is built.
 *
 * Does:    constant data, for one kind of processor.
 * Threads: any.
 */
#ifndef DOTSTUB_DAEMON_FILTERS_H
#define DOTSTUB_DAEMON_FILTERS_H

#include <linux/filter.h>

/* Stands for the process ID, which the program that is loaded has in its place. */
enum { FILTER_PID = 0x7f1d7f1d };

/* The first two may be combined. */
enum filter_kind {
    FILTER_KILL = 1,         /* a call that is not allowed ends the process */
    FILTER_UNIX_STREAMS = 2, /* connections to unix sockets are allowed */
    FILTER_NO_IO_URING = 4,  /* all but io_uring_setup is allowed */
    FILTER_COUNT
};

struct filter_program {
    const struct sock_filter *code;
    unsigned short len; /* instructions */
};

extern const struct filter_program filter_programs[FILTER_COUNT];

#endif
