/* SPDX-License-Identifier: MIT */
/* What a command of dotstubctl is, and each of them; the table is in main.c.
 *
 * Does:    each prints its answer on standard output or one sentence on standard error, and gives an exit status.
 * Threads: the program's only one.
 */
#ifndef DOTSTUB_CTL_COMMAND_H
#define DOTSTUB_CTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

/* Exit statuses, as in dotstubctl(8). */
enum {
    EXIT_OK = 0,
    EXIT_OTHER = 1,
    EXIT_DEGRADED = 2,
    EXIT_USAGE = EX_USAGE,           /* 64 */
    EXIT_NO_DAEMON = EX_UNAVAILABLE, /* 69 */
    EXIT_PROTOCOL = EX_PROTOCOL,     /* 76 */
    EXIT_NO_PERMISSION = EX_NOPERM,  /* 77 */
    EXIT_CONFIGURATION = EX_CONFIG,  /* 78 */
};

/* Options that only some commands have. */
enum own_option { OWN_SUFFIX, OWN_DRY_RUN, OWN_ROOT, OWN_TRUST_AD, OWN_WATCH, OWN_QUICK, OWN_BUNDLE, OWN_COUNT };
#define OWN(option) (1u << (option))

struct options {
    const char *socket, *config;
    bool json;
    unsigned given;               /* of OWN(...) */
    const char *value[OWN_COUNT]; /* of those that have one */
};

struct command {
    const char *name, *arguments, *help;
    int (*run)(const struct options *options, const struct command *command, char **arguments, int count);
    unsigned least, most; /* arguments */
    unsigned own;         /* the options it has, of OWN(...) */
    /* for ask_run: */
    const char *verb, *path;
    const char *names[2]; /* what the arguments are called in the request; NULL: see explain_name */
    int (*show)(const json_t *root, FILE *out);
};

/* One request to the daemon. */
int ask_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Starts another daemon in the place of the one that runs. */
int upgrade_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Asks no daemon: runs dotstub --check, the program that lies beside this one, so that both always agree. */
int check_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Makes the machine's programs ask dotstub, and undoes that. */
int system_run(const struct options *options, const struct command *command, char **arguments, int count);
/* All counters, or what is counted in each second. */
int stats_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Looks for what could be wrong, and says what to do. */
int doctor_run(const struct options *options, const struct command *command, char **arguments, int count);

#endif
