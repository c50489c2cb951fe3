/* SPDX-License-Identifier: MIT */
/* Commands that send one request to the control socket and print the reply. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client.h"
#include "command.h"
#include "locate.h"
#include "show.h"
#include "table.h"

static int print_reply(const struct options *options, const struct command *command, const struct client_reply *reply)
{
    char sentence[512];
    if (reply->status != 200) {
        fprintf(stderr, "dotstubctl: %s\n", show_error(reply->body, sentence, sizeof sentence));
        if (show_mistakes(reply->body, stderr))
            return EXIT_CONFIGURATION;
        return reply->status == 403 ? EXIT_NO_PERMISSION : EXIT_OTHER;
    }
    FILE *nowhere = options->json ? fopen("/dev/null", "w") : NULL; /* table_show still computes the exit status */
    int status = table_show(reply->body, options->json ? nowhere : stdout, command->show);
    if (nowhere)
        fclose(nowhere);
    if (options->json)
        fputs(reply->body, stdout);
    if (status < 0) {
        fputs("dotstubctl: invalid reply from the daemon\n", stderr);
        return EXIT_PROTOCOL;
    }
    return status;
}

/* "3fa2c1" is an id; write "3fa2c1." for the name. */
static const char *explain_name(const char *argument)
{
    if (strcmp(argument, "last-slow") == 0 || strcmp(argument, "last-failed") == 0)
        return "which";
    return strlen(argument) == 6 && strspn(argument, "0123456789abcdef") == 6 ? "id" : "name";
}

int ask_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    char target[2048], path[PATH_MAX];
    struct client_reply reply;
    bool fits = true;
    snprintf(target, sizeof target, "%s", command->path);
    for (int i = 0; i < count; i++)
        fits = fits &&
               client_add_argument(target, sizeof target,
                                   command->names[i] ? command->names[i] : explain_name(arguments[i]), arguments[i]);
    if (options->value[OWN_SUFFIX])
        fits = fits && client_add_argument(target, sizeof target, "suffix", options->value[OWN_SUFFIX]);
    if (!fits) {
        fputs("dotstubctl: argument too long\n", stderr);
        return EXIT_USAGE;
    }
    int status = locate_socket(options, path);
    if (status != EXIT_OK)
        return status;
    status = client_ask(&reply, path, command->verb, target);
    if (status < 0)
        return locate_explain(path, status);
    status = print_reply(options, command, &reply);
    free(reply.body);
    return fflush(stdout) == 0 ? status : EXIT_OTHER;
}
