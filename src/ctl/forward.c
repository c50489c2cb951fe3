/* SPDX-License-Identifier: MIT */
/* forward list, add, remove: one request each. */
#include <stdio.h>
#include <string.h>
#include "base/addr.h"
#include "client.h"
#include "command.h"
#include "show.h"

enum { TARGET = 7000, LIST = 6000 };

static const struct command list_command = {.verb = "GET", .path = "/forward", .show = show_forward},
                            add_command = {.verb = "POST",
                                           .path = "/forward/add",
                                           .show = show_forwarded,
                                           .again = true},
                            remove_command = {
                                .verb = "POST", .path = "/forward/remove", .show = show_forwarded, .again = true};

static bool is_address(const char *word)
{
    struct addr addr;
    const char *last = strrchr(word, '.');
    bool ends_in_digits = last && last[1] && !last[1 + strspn(last + 1, "0123456789")];
    return addr_parse(&addr, word, 53) == 0 || strpbrk(word, ":@") || ends_in_digits;
}

/* Servers are the addresses; if there are none, the words without a dot, which are names of upstreams or of a group. */
static bool is_server(const char *word, bool any_address)
{
    return any_address ? is_address(word) : !strchr(word, '.');
}

static bool append(char list[LIST], const char *word)
{
    size_t len = strlen(list);
    return snprintf(list + len, LIST - len, "%s%s", len ? "," : "", word) < (int)(LIST - len);
}

static bool add_list(char target[TARGET], const char *name, const char *list)
{
    return !*list || client_add_argument(target, TARGET, name, list);
}

static bool add_option(char target[TARGET], const struct options *options, const char *name, enum own_option option)
{
    return !options->value[option] || client_add_argument(target, TARGET, name, options->value[option]);
}

static bool add_flag(char target[TARGET], const struct options *options, const char *name, enum own_option option)
{
    return !(options->given & OWN(option)) || client_add_argument(target, TARGET, name, "yes");
}

static bool has_comma(char **words, int count)
{
    for (int i = 0; i < count; i++)
        if (strchr(words[i], ','))
            return true;
    return false;
}

static int usage(const char *sentence)
{
    fprintf(stderr, "dotstubctl: %s\n", sentence);
    return EXIT_USAGE;
}

static int add(const struct options *options, char **words, int count)
{
    char target[TARGET], zones[LIST] = "", servers[LIST] = "";
    bool any_address = false, fits = true;
    for (int i = 0; i < count; i++)
        any_address |= is_address(words[i]);
    for (int i = 0; i < count; i++)
        fits = fits && append(is_server(words[i], any_address) ? servers : zones, words[i]);
    if (!*zones || !*servers)
        return usage("name a zone and its server, as in `dotstubctl forward add corp.example 10.0.0.53 --plain`; the "
                     "name of an upstream has no dot, and a zone of one label ends in one");
    snprintf(target, sizeof target, "%s", add_command.path);
    fits = fits && add_list(target, "zones", zones) && add_list(target, "servers", servers) &&
           add_flag(target, options, "plain", OWN_PLAIN) && add_flag(target, options, "replace", OWN_REPLACE) &&
           add_option(target, options, "interface", OWN_INTERFACE) && add_option(target, options, "for", OWN_FOR);
    return fits ? ask_send(options, &add_command, target) : usage("too many zones; add several routes");
}

static int take_away(const struct options *options, char **words, int count)
{
    char target[TARGET], zones[LIST] = "";
    bool fits = true;
    if (options->given & ~OWN(OWN_INTERFACE))
        return usage("remove takes no option but --interface");
    if (count == 0 && !options->value[OWN_INTERFACE])
        return usage("name the zones to remove, or --interface");
    for (int i = 0; i < count; i++)
        fits = fits && append(zones, words[i]);
    snprintf(target, sizeof target, "%s", remove_command.path);
    fits = fits && add_list(target, "zones", zones) && add_option(target, options, "interface", OWN_INTERFACE);
    return fits ? ask_send(options, &remove_command, target) : usage("too many zones; remove them in several steps");
}

int forward_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    (void)command;
    if (has_comma(arguments, count))
        return usage("separate zones and servers by blanks");
    if (strcmp(arguments[0], "add") == 0)
        return add(options, arguments + 1, count - 1);
    if (strcmp(arguments[0], "remove") == 0)
        return take_away(options, arguments + 1, count - 1);
    if (count > 1 || options->given)
        return usage("list takes no arguments");
    return ask_send(options, &list_command, list_command.path);
}
