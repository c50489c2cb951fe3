/* SPDX-License-Identifier: MIT */
/* dnssec negative list, add, remove: one request each. */
#include "negative.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "client.h"
#include "show.h"
#include "table.h"

static int show_list(const json_t *root, FILE *out)
{
    static const struct table_column columns[] = {
        {"NAME", "name", false}, {"FROM", "from", false}, {"SECONDS LEFT", "left_s", true}, {.title = NULL}};
    const json_t *list = json_object_get(root, "negative");
    if (!json_is_array(list))
        return -EPROTO;
    if (json_array_size(list) > 0)
        table_print(out, list, columns);
    else
        fputs("no negative trust anchors\n", out);
    return 0;
}

static int show_change(const json_t *root, FILE *out)
{
    char name[TABLE_CELL], time[TABLE_CELL];
    if (!json_is_string(json_object_get(root, "name")))
        return -EPROTO;
    table_field(root, "name", name);
    bool added = json_is_integer(json_object_get(root, "left_s"));
    if (added)
        fprintf(out, "%s and the names below it are not validated for %s\n", name,
                table_duration(table_number(root, "left_s"), time));
    else
        fprintf(out, "%s is validated again, unless the configuration says otherwise\n", name);
    if (json_is_false(json_object_get(root, "saved")))
        fprintf(out, "not saved: a restart %s, see the log\n", added ? "ends it" : "may bring the anchor back");
    return 0;
}

static int usage(const char *sentence)
{
    fprintf(stderr, "dotstubctl: %s\n", sentence);
    return EXIT_USAGE;
}

int negative_run(const struct options *options, char **words, int count)
{
    static const struct command list = {.verb = "GET", .path = "/dnssec/negative", .show = show_list},
                                add = {.verb = "POST", .path = "/dnssec/negative/add", .show = show_change},
                                take_away = {.verb = "POST", .path = "/dnssec/negative/remove", .show = show_change};
    const char *word = count > 0 ? words[0] : "list";
    const struct command *command = strcmp(word, "add") == 0 ? &add : strcmp(word, "remove") == 0 ? &take_away : NULL;
    char target[2048];
    if (!command && strcmp(word, "list") != 0)
        return usage("write `dnssec negative list`, `add NAME [--for TIME]` or `remove NAME`");
    if (options->given && command != &add)
        return usage("only `dnssec negative add` takes --for");
    if (!command)
        return count <= 1 ? ask_send(options, &list, list.path) : usage("list takes no arguments");
    if (count != 2)
        return usage("name one zone, as in `dotstubctl dnssec negative add broken.example --for 1h`");
    snprintf(target, sizeof target, "%s", command->path);
    if (!client_add_argument(target, sizeof target, "name", words[1]) ||
        (options->value[OWN_FOR] && !client_add_argument(target, sizeof target, "for", options->value[OWN_FOR])))
        return usage("argument too long");
    return ask_send(options, command, target);
}
