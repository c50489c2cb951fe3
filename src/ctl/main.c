/* SPDX-License-Identifier: MIT */
/* dotstubctl: the table of commands, and the command line. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "command.h"
#include <config.h>
#include "show.h"

/* clang-format off */
static const struct command commands[] = {
    {"status", "", "show the daemon, its upstreams and its cache; exit status 2: reduced, 3: failing, 4: down", ask_run, 0, 0, 0, "GET", "/status",
     {NULL}, show_status},
    {"stats", "[--watch]", "show all counters since the start, or a line each second", stats_run, 0, 0, OWN(OWN_WATCH), "GET", "/stats", {NULL}, show_stats},
    {"flush", "[NAME | --suffix NAME]", "flush the cache, or one name, or all names below one", ask_run, 0, 1, OWN(OWN_SUFFIX), "POST",
     "/flush", {"name"}, show_flush},
    {"cache", "NAME [TYPE]", "show the cache entries of a name (default type: A)", ask_run, 1, 2, 0, "GET", "/cache",
     {"name", "type"}, show_cache},
    {"explain", "[last-slow | last-failed | NAME | ID]", "show where the time of slow and failed queries went", ask_run, 0, 1, 0, "GET",
     "/explain", {NULL}, show_explain},
    {"trace", "NAME [TYPE]", "send a query and show each step (default type: A)", ask_run, 1, 2, 0, "POST", "/trace", {"name", "type"},
     show_trace},
    {"config", "", "show the settings in force and their origin", ask_run, 0, 0, 0, "GET", "/config", {NULL}, show_config},
    {"log", "LEVEL [MODULE]", "set the log level, or one module's: error, warning, info or debug", ask_run, 1, 2, 0, "POST", "/log",
     {"level", "module"}, show_log},
    {"queries", "yes|no [N]", "log every query, or one in N", ask_run, 1, 2, 0, "POST", "/log",
     {"queries", "sample"}, show_log},
    {"reload", "", "reload the configuration", ask_run, 0, 0, 0, "POST", "/reload", {NULL}, show_reload},
    {"drain", "[SECONDS]", "fail health checks for SECONDS (default: drain.time), then stop", ask_run, 0, 1, 0, "POST", "/drain",
     {"seconds"}, show_drain},
    {"upgrade", "[PROGRAM]", "replace the daemon by a new process, of PROGRAM or of its own program file", upgrade_run, 0, 1, 0,
     NULL, NULL, {NULL}, NULL},
    {"system", "status | enable | disable", "make dotstub this machine's resolver, or undo that; exit status 2: off", system_run,
     1, 1, OWN(OWN_DRY_RUN) | OWN(OWN_ROOT) | OWN(OWN_TRUST_AD), NULL, NULL, {NULL}, NULL},
    {"doctor", "[--quick] [--bundle FILE]", "check DNS on this machine and suggest remedies; exit status 2: problems found", doctor_run,
     0, 0, OWN(OWN_QUICK) | OWN(OWN_BUNDLE), NULL, NULL, {NULL}, NULL},
    {"pin", "HOST [ADDR]", "print the pin of a server's key, after verifying its certificate", pin_run, 1, 2, 0, NULL, NULL, {NULL}, NULL},
    {"check", "[FILE]", "check a configuration file; needs no daemon", check_run, 0, 1, 0, NULL, NULL, {NULL}, NULL},
};
/* clang-format on */
#define COMMANDS (sizeof commands / sizeof *commands)

/* --- command line --- */

static void print_usage(FILE *out)
{
    fputs("usage: dotstubctl [--socket PATH] [-c FILE] [--json] COMMAND [ARGUMENT...]\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s%-37s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    fputs(
        "\n"
        "  -s, --socket PATH  the daemon's control socket (default: from the configuration)\n"
        "  -c, --config FILE  read control.socket from FILE instead of " SYSCONFDIR "/dotstub/dotstub.yaml\n"
        "  -j, --json         print the daemon's reply as JSON\n"
        "      --dry-run      system: only print what would be done\n"
        "      --root DIR     system: change the files below DIR, run no commands\n"
        "      --trust-ad     system: make programs trust the AD flag of responses (DNSSEC validation by the upstream)\n"
        "      --quick        doctor: only check that the daemon answers, as a container's health check\n"
        "      --bundle FILE  doctor: write a report to FILE, without query names and client addresses\n"
        "      --version      print the version\n"
        "  -h, --help         print this\n",
        out);
}

/* Returns an exit status, or -1 to go on with the arguments from optind. */
static int read_options(struct options *out, int argc, char **argv)
{
    enum { FIRST_OWN = 256, SAY_VERSION = FIRST_OWN + OWN_COUNT };
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"suffix", required_argument, NULL, FIRST_OWN + OWN_SUFFIX},
        {"dry-run", no_argument, NULL, FIRST_OWN + OWN_DRY_RUN},
        {"root", required_argument, NULL, FIRST_OWN + OWN_ROOT},
        {"trust-ad", no_argument, NULL, FIRST_OWN + OWN_TRUST_AD},
        {"watch", no_argument, NULL, FIRST_OWN + OWN_WATCH},
        {"quick", no_argument, NULL, FIRST_OWN + OWN_QUICK},
        {"bundle", required_argument, NULL, FIRST_OWN + OWN_BUNDLE},
        {"version", no_argument, NULL, SAY_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "s:c:jh", options, NULL)) != -1) {
        switch (option) {
        case 's':
            out->socket = optarg;
            break;
        case 'c':
            out->config = optarg;
            break;
        case 'j':
            out->json = true;
            break;
        case SAY_VERSION:
            puts("dotstubctl " PACKAGE_VERSION);
            return EXIT_OK;
        case 'h':
            print_usage(stdout);
            return EXIT_OK;
        default:
            if (option < FIRST_OWN) {
                print_usage(stderr);
                return EXIT_USAGE;
            }
            out->given |= OWN(option - FIRST_OWN);
            out->value[option - FIRST_OWN] = optarg;
        }
    }
    return -1;
}

/* NULL after printing the error. */
static const struct command *find_command(const struct options *options, int count, char **arguments)
{
    size_t i = 0;
    while (count > 0 && i < COMMANDS && strcmp(commands[i].name, arguments[0]) != 0)
        i++;
    const struct command *command = count > 0 && i < COMMANDS ? &commands[i] : NULL;
    if (!command) {
        fprintf(stderr, count > 0 ? "dotstubctl: unknown command '%s'\n" : "dotstubctl: no command given\n",
                arguments[0]);
        print_usage(stderr);
        return NULL;
    }
    unsigned given = (unsigned)count - 1;
    bool has_both = given > 0 && options->value[OWN_SUFFIX]; /* NAME and --suffix exclude each other */
    if (given >= command->least && given <= command->most && !(options->given & ~command->own) && !has_both)
        return command;
    fprintf(stderr, "usage: dotstubctl %s %s\n", command->name, command->arguments);
    return NULL;
}

int main(int argc, char **argv)
{
    struct options options = {.socket = NULL};
    int status = read_options(&options, argc, argv);
    if (status >= 0)
        return status;
    const struct command *command = find_command(&options, argc - optind, argv + optind);
    if (!command)
        return EXIT_USAGE;
    return command->run(&options, command, argv + optind + 1, argc - optind - 1);
}
