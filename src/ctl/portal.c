/* SPDX-License-Identifier: MIT */
/* portal status, open, close. The resolver of the network is found here, never by the daemon. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "client.h"
#include "command.h"
#include "lease.h"
#include "show.h"
#include "table.h"

enum { TARGET = 7000, LIST = 6000 };

/* To `open` the daemon says what it has added, to `close` what it has removed. */
static int show_portal_change(const json_t *root, FILE *out)
{
    const json_t *added = json_object_get(root, "added");
    char left[TABLE_CELL];
    if (!json_is_array(added) && !json_is_array(json_object_get(root, "removed")))
        return -EPROTO;
    if (!json_is_array(added)) {
        fputs("closed\n", out);
        return 0;
    }
    fprintf(out, "open for %s: these names are sent without encryption\n",
            table_duration(table_number(root, "left_s"), left));
    show_lines(added, "  ", "", out);
    return 0;
}

int show_portal(const json_t *root, FILE *out)
{
    const json_t *open = json_object_get(root, "open"), *names = json_object_get(root, "names");
    char servers[TABLE_CELL], left[TABLE_CELL];
    if (!json_is_boolean(open) || !json_is_array(names))
        return -EPROTO;
    if (!json_is_true(open)) {
        fputs("closed\n", out);
        return 0;
    }
    fprintf(out, "open for %s more: these names are sent to %s without encryption\n",
            table_duration(table_number(root, "left_s"), left), table_text(json_object_get(root, "servers"), servers));
    show_lines(names, "  ", "", out);
    return 0;
}

static const struct command status_command = {.verb = "GET", .path = "/portal", .show = show_portal},
                            open_command = {.verb = "POST",
                                            .path = "/portal/open",
                                            .show = show_portal_change,
                                            .again = true},
                            close_command = {
                                .verb = "POST", .path = "/portal/close", .show = show_portal_change, .again = true};

static int usage(const char *sentence)
{
    fprintf(stderr, "dotstubctl: %s\n", sentence);
    return EXIT_USAGE;
}

/* The resolvers of the lease, separated by commas. */
static void list_servers(const struct network_lease *lease, char list[LIST])
{
    char text[ADDR_TEXT];
    size_t len = 0;
    for (unsigned i = 0; i < lease->server_count; i++)
        len +=
            (size_t)snprintf(list + len, LIST - len, "%s%s", i ? "," : "", addr_format(&lease->servers[i], true, text));
}

static bool add(char target[TARGET], const char *name, const char *value)
{
    return !value || !*value || client_add_argument(target, TARGET, name, value);
}

static int open_window(const struct options *options, char **names, int count)
{
    char target[TARGET], more[LIST] = "", servers[LIST] = "";
    struct network_lease lease;
    const char *server = options->value[OWN_SERVER], *interface = options->value[OWN_INTERFACE];
    size_t len = 0;
    bool found = lease_read(&lease, interface, "");
    if (!server && !found)
        return usage("no DHCP lease names the resolver of this network; name it with --server");
    if (!server)
        list_servers(&lease, servers);
    for (int i = 0; i < count && len < LIST; i++) {
        if (strchr(names[i], ','))
            return usage("separate names by blanks");
        len += (size_t)snprintf(more + len, LIST - len, "%s%s", i ? "," : "", names[i]);
    }
    snprintf(target, sizeof target, "%s", open_command.path);
    if (len >= LIST || !add(target, "names", more) || !add(target, "servers", server ? server : servers) ||
        !add(target, "interface", interface) || !add(target, "for", options->value[OWN_FOR]))
        return usage("too many names");
    int status = ask_send(options, &open_command, target);
    if (status == EXIT_OK && *lease.url && !options->json)
        printf("the network's page is %s\n", lease.url);
    return status;
}

int portal_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    (void)command;
    if (strcmp(arguments[0], "open") == 0)
        return open_window(options, arguments + 1, count - 1);
    if (count > 1 || options->given)
        return usage("only open takes names and options");
    const struct command *one = strcmp(arguments[0], "close") == 0 ? &close_command : &status_command;
    return ask_send(options, one, one->path);
}
