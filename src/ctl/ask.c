/* SPDX-License-Identifier: MIT */
/* Commands that send one request to the control socket and print the reply. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "client.h"
#include "command.h"
#include "locate.h"
#include "show.h"
#include "table.h"

/* Status 400 is a wrong argument, or a configuration with mistakes. */
static int print_error(const struct client_reply *reply)
{
    char sentence[512];
    bool mistakes = show_mistakes(reply->body, stderr);
    fprintf(stderr, "dotstubctl: %s\n", show_error(reply->body, sentence, sizeof sentence));
    return mistakes               ? EXIT_CONFIGURATION
           : reply->status == 400 ? EXIT_USAGE
           : reply->status == 403 ? EXIT_NO_PERMISSION
                                  : EXIT_OTHER;
}

/* Removes the settings with default values. */
static void keep_changed(json_t *root)
{
    json_t *settings = json_object_get(root, "settings");
    for (size_t i = json_array_size(settings); i-- > 0;) {
        const char *origin = json_string_value(json_object_get(json_array_get(settings, i), "origin"));
        if (origin && strcmp(origin, "default") == 0)
            (void)json_array_remove(settings, i);
    }
}

/* With --json it is shown to nobody, for the exit status. */
static int print_root(const struct options *options, const struct command *command, json_t *root)
{
    FILE *out = options->json ? fopen("/dev/null", "w") : stdout;
    if (!out)
        return EXIT_OTHER;
    int status = command->show(root, out);
    if (status >= 0 && command->more)
        command->more(root, out);
    if (options->json)
        fclose(out);
    if (status >= 0 && options->json && table_print_json(json_incref(root), stdout, TABLE_INDENT) < 0)
        status = EXIT_OTHER;
    return status;
}

static int print_reply(const struct options *options, const struct command *command, const struct client_reply *reply)
{
    if (reply->status != 200)
        return print_error(reply);
    json_t *root = json_loads(reply->body, 0, NULL);
    if (options->given & OWN(OWN_CHANGED))
        keep_changed(root);
    int status = root ? print_root(options, command, root) : EXIT_PROTOCOL;
    json_decref(root);
    if (status >= 0 && status != EXIT_PROTOCOL)
        return status;
    fputs("dotstubctl: invalid reply from the daemon\n", stderr);
    return EXIT_PROTOCOL;
}

/* The argument of `explain` is a word, an id ("3fa2c1"), or a name with a dot in it ("3fa2c1."). NULL: none of these. */
static const char *explain_name(const char *argument)
{
    if (strcmp(argument, "last-slow") == 0 || strcmp(argument, "last-failed") == 0)
        return "which";
    if (strlen(argument) == 6 && strspn(argument, "0123456789abcdef") == 6)
        return "id";
    return strchr(argument, '.') ? "name" : NULL;
}

int ask_send(const struct options *options, const struct command *command, const char *target)
{
    enum { BUSY = 503, AGAIN_US = 200000, TIMES = 50 };
    char path[PATH_MAX];
    struct client_reply reply = {.body = NULL};
    int status = locate_socket(options, path);
    if (status != EXIT_OK)
        return status;
    status = client_ask(&reply, path, command->verb, target);
    for (unsigned i = 0; status == 0 && reply.status == BUSY && command->again && i < TIMES; i++) {
        free(reply.body);
        usleep(AGAIN_US);
        status = client_ask(&reply, path, command->verb, target);
    }
    if (status < 0)
        return locate_explain(path, status);
    status = print_reply(options, command, &reply);
    free(reply.body);
    return fflush(stdout) == 0 ? status : EXIT_OTHER;
}

int ask_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    char target[2048];
    bool fits = true;
    snprintf(target, sizeof target, "%s", command->path);
    for (int i = 0; i < count; i++) {
        const char *name = command->names[i] ? command->names[i] : explain_name(arguments[i]);
        if (!name) {
            help_unknown("argument", "", arguments[i], command->words);
            fputs("dotstubctl: a name has a dot, at least at its end; an id has six hexadecimal digits\n", stderr);
            return EXIT_USAGE;
        }
        fits = fits && client_add_argument(target, sizeof target, name, arguments[i]);
    }
    if (options->value[OWN_SUFFIX])
        fits = fits && client_add_argument(target, sizeof target, "suffix", options->value[OWN_SUFFIX]);
    if (options->given & OWN(OWN_FLEET))
        fits = fits && client_add_argument(target, sizeof target, "fleet", "yes");
    if (!fits) {
        fputs("dotstubctl: argument too long\n", stderr);
        return EXIT_USAGE;
    }
    return ask_send(options, command, target);
}
