/* SPDX-License-Identifier: MIT */
/* The commands of dotstubctl; the table is in main.c.
 *
 * Does:    Each command prints its result on standard output or one sentence on standard error, and returns an exit
 *          status.
 * Threads: Single-threaded.
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
    EXIT_DEGRADED = 2, /* of `status`: reduced, or draining */
    EXIT_FAILING = 3,
    EXIT_DOWN = 4,
    EXIT_USAGE = EX_USAGE,           /* 64 */
    EXIT_NO_DAEMON = EX_UNAVAILABLE, /* 69 */
    EXIT_PROTOCOL = EX_PROTOCOL,     /* 76 */
    EXIT_NO_PERMISSION = EX_NOPERM,  /* 77 */
    EXIT_CONFIGURATION = EX_CONFIG,  /* 78 */
};

/* Options of single commands. */
enum own_option {
    OWN_SUFFIX,
    OWN_FLEET,
    OWN_DRY_RUN,
    OWN_ROOT,
    OWN_TRUST_AD,
    OWN_WATCH,
    OWN_QUICK,
    OWN_BUNDLE,
    OWN_CHANGED,
    OWN_PLAIN,
    OWN_INTERFACE,
    OWN_FOR,
    OWN_REPLACE,
    OWN_SERVER,
    OWN_KEEP_LOCAL,
    OWN_DIRECTORY,
    OWN_PUBLIC,
    OWN_COUNT
};
#define OWN(option) (1u << (option))

struct options {
    const char *socket, *config;
    bool json;
    unsigned given;               /* a mask of OWN(...) */
    const char *value[OWN_COUNT]; /* argument of the option, if it takes one */
};

enum { COMMAND_WORDS = 6 };

struct command {
    const char *name, *arguments, *help;
    int (*run)(const struct options *options, const struct command *command, char **arguments, int count);
    unsigned least, most;             /* number of arguments */
    unsigned own;                     /* its options, a mask of OWN(...) */
    const char *words[COMMAND_WORDS]; /* for the first argument; ends with NULL */
    bool only_words;                  /* no other first argument is valid */
    /* for ask_run: */
    const char *verb, *path;
    const char *names[3];                        /* names of the arguments in the request; NULL: see explain_name */
    int (*show)(const json_t *root, FILE *out);  /* gives an exit status, or a negative error */
    void (*more)(const json_t *root, FILE *out); /* may be NULL */
    bool again;                                  /* try again for ten seconds while the daemon is busy */
};

/* All commands; the last one has no name. */
extern const struct command all_commands[];
/* Prints the commands and options, or a command's usage. */
int help_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Prints the usage of a command; each line has at most 79 columns. */
void help_command(const struct command *command, FILE *out);
void help_all(FILE *out);
/* Prints an error about a word that is none of `words` (ends with NULL), with the one that was probably meant; `dashes` come before
 * both. */
void help_unknown(const char *what, const char *dashes, const char *word, const char *const *words);

/* Prints whether programs of this machine use dotstub. */
void status_programs(const json_t *root, FILE *out);
/* Sends one request to the daemon. */
int ask_run(const struct options *options, const struct command *command, char **arguments, int count);
/* The same for a command whose path and arguments are in `target`. */
int ask_send(const struct options *options, const struct command *command, const char *target);
/* Opens, closes and shows the window for a captive portal. */
int portal_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Adds, removes and prints routes. */
int forward_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Replaces the running daemon by a new process. */
int upgrade_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Runs `dotstub --check`, so that both programs agree on every configuration. */
int check_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Prints the pins of a server's key. */
int pin_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Makes dotstub the machine's resolver, or undoes that. */
int system_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Prints all counters, or their increase in each second. */
int stats_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Lists, tests and updates block lists. */
int dnssec_run(const struct options *options, const struct command *command, char **arguments, int count);
int block_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Makes a certificate for the encrypted listeners, or says how to get a public one. */
int certificate_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Prints what devices need to use the encrypted listeners. */
int profile_run(const struct options *options, const struct command *command, char **arguments, int count);
/* Checks the machine's DNS, and prints remedies. */
int doctor_run(const struct options *options, const struct command *command, char **arguments, int count);

#endif
