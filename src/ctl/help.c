/* SPDX-License-Identifier: MIT */
/* Invariant: no line has more than WIDTH columns; it is broken between words only. */
#include <limits.h>
#include <string.h>
#include "base/spelling.h"
#include "command.h"

enum { WIDTH = 79, INDENT = 26, COMMANDS_MAX = 32 };

static const struct {
    const char *left, *text;
} options_help[] = {
    {"-s, --socket PATH", "the daemon's control socket (default: from the configuration)"},
    {"-c, --config FILE", "read control.socket from FILE instead of " SYSCONFDIR "/dotstub/dotstub.yaml"},
    {"-j, --json", "print JSON"},
    {"--suffix NAME", "flush: all names below NAME, and NAME"},
    {"--fleet", "flush: on all machines that share the store"},
    {"--changed", "config: only settings that are not the default"},
    {"--watch", "stats: a line each second"},
    {"--dry-run", "system: only print what would be done"},
    {"--root DIR", "system: change the files below DIR, run no commands"},
    {"--trust-ad", "system: make programs trust the AD flag of responses (DNSSEC validation by the upstream)"},
    {"--keep-local", "system enable: leave the local domain and private reverse zones at the router, without asking"},
    {"--quick", "doctor: only check that dotstub answers, as a container's health check"},
    {"--bundle FILE", "doctor: write a report to FILE, without query names and client addresses"},
    {"--plain", "forward add: queries to the servers are not encrypted"},
    {"--interface IF", "forward, portal: by this interface only, and while it is up; remove: its routes"},
    {"--for TIME", "forward add, portal open: only for this time, as 1h"},
    {"--server ADDR", "portal open: the resolver of the network, else it is read from the DHCP lease"},
    {"--replace", "forward add: remove the other routes by the interface that were added"},
    {"--directory DIR", "certificate: write the files to DIR instead of " SYSCONFDIR "/dotstub/tls"},
    {"--public", "certificate: say how to use a certificate of a public authority"},
    {"--version", "print the version"},
    {"-h, --help", "print this"},
};

/* The text in a column of its own, below `left` if that is long. */
static void print_entry(FILE *out, const char *left, const char *text)
{
    int at = fprintf(out, "  %s", left);
    if (at >= INDENT) {
        fputc('\n', out);
        at = 0;
    }
    at += fprintf(out, "%*s", INDENT - at, "");
    for (size_t len; *text; text += len + strspn(text + len, " ")) {
        len = strcspn(text, " ");
        if (at > INDENT && at + 1 + (int)len > WIDTH)
            at = fprintf(out, "\n%*s", INDENT, "") - 1;
        at += fprintf(out, at > INDENT ? " %.*s" : "%.*s", (int)len, text);
    }
    fputc('\n', out);
}

void help_command(const struct command *command, FILE *out)
{
    fprintf(out, "usage: dotstubctl %s%s%s\n", command->name, *command->arguments ? " " : "", command->arguments);
}

void help_all(FILE *out)
{
    char left[80];
    fputs("usage: dotstubctl [--socket PATH] [-c FILE] [--json] COMMAND [ARGUMENT...]\n\n", out);
    for (const struct command *command = all_commands; command->name; command++) {
        snprintf(left, sizeof left, "%s%s%s", command->name, *command->arguments ? " " : "", command->arguments);
        print_entry(out, left, command->help);
    }
    fputc('\n', out);
    for (size_t i = 0; i < sizeof options_help / sizeof *options_help; i++)
        print_entry(out, options_help[i].left, options_help[i].text);
}

void help_unknown(const char *what, const char *dashes, const char *word, const char *const *words)
{
    const char *meant = NULL;
    unsigned least = UINT_MAX;
    for (; *words; words++) {
        unsigned edits = spelling_distance(word, *words);
        meant = edits < least ? *words : meant;
        least = edits < least ? edits : least;
    }
    fprintf(stderr, "dotstubctl: unknown %s '%s%.80s'", what, dashes, word);
    if (meant)
        fprintf(stderr, "; did you mean '%s%s'?", dashes, meant);
    fputc('\n', stderr);
}

int help_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    const char *names[COMMANDS_MAX] = {NULL};
    (void)options;
    (void)command;
    if (count == 0) {
        help_all(stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; all_commands[i].name; i++) {
        if (i < COMMANDS_MAX - 1)
            names[i] = all_commands[i].name;
        if (strcmp(all_commands[i].name, arguments[0]) != 0)
            continue;
        help_command(&all_commands[i], stdout);
        print_entry(stdout, "", all_commands[i].help);
        return EXIT_OK;
    }
    help_unknown("command", "", arguments[0], names);
    return EXIT_USAGE;
}
