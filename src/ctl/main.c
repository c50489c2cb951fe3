/* SPDX-License-Identifier: MIT */
/* dotstubctl: the table of commands, and the command line. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "command.h"
#include <config.h>
#include "show.h"

/* clang-format off */
const struct command all_commands[] = {
    {"status", "", "show state, upstreams, traffic and cache; exit status 0: ok, 2: reduced or draining, 3: failing, 4: down",
     .run = ask_run, .verb = "GET", .path = "/status", .show = show_status, .more = status_programs},
    {"servers", "", "show each server's state, sessions, response time and last error", .run = ask_run, .verb = "GET",
     .path = "/status", .show = show_servers},
    {"stats", "[--watch]", "show all counters since the start, or a line each second", .run = stats_run, .own = OWN(OWN_WATCH),
     .verb = "GET", .path = "/stats", .show = show_stats},
    {"flush", "[--fleet] [NAME | --suffix NAME]", "flush the cache, or one name, or all names below one", .run = ask_run,
     .most = 1, .own = OWN(OWN_SUFFIX) | OWN(OWN_FLEET), .verb = "POST", .path = "/flush", .names = {"name"}, .show = show_flush},
    {"cache", "NAME [TYPE]", "show the cache entries of a name with their records (default type: A)", .run = ask_run, .least = 1,
     .most = 2, .verb = "GET", .path = "/cache", .names = {"name", "type"}, .show = show_cache},
    {"explain", "[last-slow | last-failed | NAME | ID]", "show where the time of slow and failed queries went", .run = ask_run,
     .most = 1, .words = {"last-slow", "last-failed"}, .verb = "GET", .path = "/explain", .show = show_explain},
    {"trace", "NAME [TYPE [CLIENT]]", "send a query and show each step and the records (default type: A)", .run = ask_run,
     .least = 1, .most = 3, .verb = "POST", .path = "/trace", .names = {"name", "type", "client"}, .show = show_trace},
    {"dnssec", "NAME [TYPE] | anchors | negative list | negative add|remove NAME",
     "show the zones and keys that validate a name (default type: A), the trust anchors with their states, or change negative ones", .run = dnssec_run,
     .least = 1, .most = 3, .own = OWN(OWN_FOR), .words = {"negative"}},
    {"config", "[--changed]", "show the settings in force and their origin", .run = ask_run, .own = OWN(OWN_CHANGED),
     .verb = "GET", .path = "/config", .show = show_config},
    {"log", "LEVEL [MODULE]", "set the log level, or one module's: error, warning, info or debug", .run = ask_run, .least = 1,
     .most = 2, .words = {"error", "warning", "info", "debug"}, .only_words = true, .verb = "POST", .path = "/log",
     .names = {"level", "module"}, .show = show_log},
    {"queries", "yes|no [N]", "log every query, or one in N", .run = ask_run, .least = 1, .most = 2, .words = {"yes", "no"},
     .only_words = true, .verb = "POST", .path = "/log", .names = {"queries", "sample"}, .show = show_log},
    {"reload", "", "reload the configuration", .run = ask_run, .verb = "POST", .path = "/reload", .show = show_reload},
    {"forward", "list | add ZONE... SERVER... | remove ZONE...",
     "show routes, or add and remove some at run time", .run = forward_run, .least = 1, .most = 200,
     .own = OWN(OWN_PLAIN) | OWN(OWN_INTERFACE) | OWN(OWN_FOR) | OWN(OWN_REPLACE), .words = {"list", "add", "remove"},
     .only_words = true},
    {"portal", "status | open [NAME...] | close",
     "let a few names through to the resolver of a captive portal", .run = portal_run, .least = 1, .most = 40,
     .own = OWN(OWN_SERVER) | OWN(OWN_INTERFACE) | OWN(OWN_FOR), .words = {"status", "open", "close", NULL},
     .only_words = true},
    {"drain", "[SECONDS]", "fail health checks for SECONDS (default: drain.time), then stop", .run = ask_run, .most = 1,
     .verb = "POST", .path = "/drain", .names = {"seconds"}, .show = show_drain},
    {"block", "list | test NAME | update", "show the block lists, or which rule decides about a name, or fetch lists again",
     .run = block_run, .least = 1, .most = 2, .words = {"list", "test", "update"}, .only_words = true},
    {"unblock", "NAME [TIME]", "do not block a name for this time (default: 10m; 0 ends it)", .run = ask_run, .least = 1,
     .most = 2, .verb = "POST", .path = "/unblock", .names = {"name", "for"}, .show = show_unblock},
    {"upgrade", "[PROGRAM]", "replace the daemon by a new process, of PROGRAM or of its own program file", .run = upgrade_run,
     .most = 1},
    {"system", "status | enable | disable", "make dotstub this machine's resolver, or undo that; exit status 2: off",
     .run = system_run, .least = 1, .most = 1, .own = OWN(OWN_DRY_RUN) | OWN(OWN_ROOT) | OWN(OWN_TRUST_AD) | OWN(OWN_KEEP_LOCAL),
     .words = {"status", "enable", "disable"}, .only_words = true},
    {"doctor", "[--quick] [--bundle FILE]", "check DNS on this machine and suggest remedies; exit status 2: problems found",
     .run = doctor_run, .own = OWN(OWN_QUICK) | OWN(OWN_BUNDLE)},
    {"pin", "HOST [ADDR]", "print the pin of a server's key, after verifying its certificate", .run = pin_run, .least = 1,
     .most = 2},
    {"certificate", "NAME [ADDRESS...] | --public NAME",
     "make a certificate and its authority for listen-tls and listen-https, or say how to use a public one",
     .run = certificate_run, .least = 1, .most = 17, .own = OWN(OWN_DIRECTORY) | OWN(OWN_PUBLIC)},
    {"profile", "apple | android | windows | dnr", "print what devices or DHCP servers need to use the encrypted listeners",
     .run = profile_run, .least = 1, .most = 1, .words = {"apple", "android", "windows", "dnr"}, .only_words = true},
    {"check", "[FILE]", "check a configuration file; needs no daemon", .run = check_run, .most = 1},
    {"help", "[COMMAND]", "print this, or the usage of a command", .run = help_run, .most = 1},
    {.name = NULL},
};
/* clang-format on */

/* --- command line --- */

enum { FIRST_OWN = 256, SAY_VERSION = FIRST_OWN + OWN_COUNT };

static const struct option long_options[] = {
    {"socket", required_argument, NULL, 's'},
    {"config", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, 'j'},
    {"suffix", required_argument, NULL, FIRST_OWN + OWN_SUFFIX},
    {"fleet", no_argument, NULL, FIRST_OWN + OWN_FLEET},
    {"dry-run", no_argument, NULL, FIRST_OWN + OWN_DRY_RUN},
    {"root", required_argument, NULL, FIRST_OWN + OWN_ROOT},
    {"trust-ad", no_argument, NULL, FIRST_OWN + OWN_TRUST_AD},
    {"keep-local", no_argument, NULL, FIRST_OWN + OWN_KEEP_LOCAL},
    {"watch", no_argument, NULL, FIRST_OWN + OWN_WATCH},
    {"quick", no_argument, NULL, FIRST_OWN + OWN_QUICK},
    {"bundle", required_argument, NULL, FIRST_OWN + OWN_BUNDLE},
    {"changed", no_argument, NULL, FIRST_OWN + OWN_CHANGED},
    {"plain", no_argument, NULL, FIRST_OWN + OWN_PLAIN},
    {"interface", required_argument, NULL, FIRST_OWN + OWN_INTERFACE},
    {"for", required_argument, NULL, FIRST_OWN + OWN_FOR},
    {"replace", no_argument, NULL, FIRST_OWN + OWN_REPLACE},
    {"server", required_argument, NULL, FIRST_OWN + OWN_SERVER},
    {"directory", required_argument, NULL, FIRST_OWN + OWN_DIRECTORY},
    {"public", no_argument, NULL, FIRST_OWN + OWN_PUBLIC},
    {"version", no_argument, NULL, SAY_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};
enum { LONG_OPTIONS = sizeof long_options / sizeof *long_options };

/* `given` was refused by getopt_long. */
static int refuse_option(int option, const char *given)
{
    const char *names[LONG_OPTIONS] = {NULL};
    for (size_t i = 0; long_options[i].name; i++)
        names[i] = long_options[i].name;
    if (option == ':')
        fprintf(stderr, "dotstubctl: the option '%.80s' needs an argument\n", given);
    else if (strncmp(given, "--", 2) != 0)
        fprintf(stderr, "dotstubctl: unknown option '-%c'\n", optopt);
    else
        help_unknown("option", "--", given + 2, names);
    return EXIT_USAGE;
}

/* Returns an exit status, or -1 to go on with the arguments from optind. */
static int read_options(struct options *out, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":s:c:jh", long_options, NULL)) != -1) {
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
            help_all(stdout);
            return EXIT_OK;
        case '?':
        case ':':
            return refuse_option(option, argv[optind - 1]);
        default:
            out->given |= OWN(option - FIRST_OWN);
            out->value[option - FIRST_OWN] = optarg;
        }
    }
    return -1;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

/* The options and arguments suit the command. */
static bool fits(const struct command *command, const struct options *options, char **arguments, int count)
{
    unsigned given = (unsigned)count;
    const char *error = given < command->least                    ? "an argument is missing"
                        : given > command->most                   ? "too many arguments"
                        : options->given & ~command->own          ? "that option belongs to another command"
                        : given > 0 && options->value[OWN_SUFFIX] ? "give NAME or --suffix, not both"
                                                                  : NULL;
    bool unknown = !error && command->only_words && !is_one_of(arguments[0], command->words);
    if (error || unknown)
        help_command(command, stderr);
    if (error)
        fprintf(stderr, "dotstubctl: %s\n", error);
    if (unknown)
        help_unknown("argument", "", arguments[0], command->words);
    return !error && !unknown;
}

/* NULL after printing the error. */
static const struct command *find_command(const char *name)
{
    const char *names[sizeof all_commands / sizeof *all_commands] = {NULL};
    for (size_t i = 0; all_commands[i].name; i++) {
        if (strcmp(all_commands[i].name, name) == 0)
            return &all_commands[i];
        names[i] = all_commands[i].name;
    }
    help_unknown("command", "", name, names);
    return NULL;
}

int main(int argc, char **argv)
{
    struct options options = {.socket = NULL};
    int status = read_options(&options, argc, argv);
    if (status >= 0)
        return status;
    if (optind == argc) {
        help_all(stderr);
        fputs("\ndotstubctl: no command given\n", stderr);
        return EXIT_USAGE;
    }
    const struct command *command = find_command(argv[optind]);
    if (!command || !fits(command, &options, argv + optind + 1, argc - optind - 1))
        return EXIT_USAGE;
    return command->run(&options, command, argv + optind + 1, argc - optind - 1);
}
