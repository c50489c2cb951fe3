/* SPDX-License-Identifier: MIT */
/* Invariants: both prints follow the order of the table; the output of config_print reads back as the same
 * snapshot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/member.h"
#include "config/options.h"
#include "config/snapshot.h"

#define HELP_WIDTH 110

static int written(FILE *out)
{
    return fflush(out) || ferror(out) ? -EIO : 0;
}

/* Prints "section:" at the first option of a section; true if the option is in a section. */
static bool print_section(FILE *out, const struct option *table, const struct option *option, const char *before)
{
    if (option_begins_section(table, option))
        fprintf(out, "%s%.*s:\n", before, (int)option_section(option), option->key);
    return option_section(option) > 0;
}

/* -- The configuration in force -- */

/* The table of one mapping. */
struct printed {
    FILE *out;
    const struct option *table;
    size_t count;
    const void *base;
    const struct value_origin *origins;
    int indent;
};

static void print_table(const struct printed *table, const char *first);

static void print_items(const struct printed *above, const struct option *option, const struct value_origin *origin,
                        int indent)
{
    const struct option_items *of = option->items;
    size_t count = member_count(above->base, option);
    fprintf(above->out, "%*s%s:%s # %s\n", indent, "", option_leaf(option), count > 0 ? "" : " []", origin->text);
    for (size_t i = 0; i < count; i++)
        print_table(&(struct printed){above->out, of->table, of->count, member_item(above->base, option, i),
                                      origin->items[i], indent + 4},
                    "- ");
}

/* Prints the settings of one mapping. `first` is printed before the first one, at the end of its indentation. */
static void print_table(const struct printed *table, const char *first)
{
    int indent = table->indent, begin = (int)strlen(first);
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->table[i];
        char before[64];
        snprintf(before, sizeof before, "%*s%s", i == 0 ? indent - begin : indent, "", i == 0 ? first : "");
        bool set_in = print_section(table->out, table->table, option, before);
        if (option_begins_section(table->table, option) || set_in)
            snprintf(before, sizeof before, "%*s", indent + 2, "");
        if (option->type == OPTION_ITEMS) {
            print_items(table, option, &table->origins[i], set_in ? indent + 2 : indent);
            continue;
        }
        fprintf(table->out, "%s%s: ", before, option_leaf(option));
        member_print(table->out, table->base, option);
        fprintf(table->out, " # %s\n", table->origins[i].text);
    }
}

int config_print(const struct config *config, FILE *out)
{
    print_table(&(struct printed){out, options, option_count, config, snapshot_of(config)->origins, 0}, "");
    return written(out);
}

/* -- The annotated file -- */

/* Wraps the sentences into comment lines. */
static void print_help(FILE *out, const char *before, const char *help)
{
    size_t width = HELP_WIDTH - strlen(before);
    while (*help) {
        size_t len = strlen(help);
        if (len > width)
            for (len = width; help[len] != ' ';)
                len--;
        fprintf(out, "%s%.*s\n", before, (int)len, help);
        help += len + (help[len] == ' ');
    }
}

/* Prints a default as YAML, lists in brackets. */
static void print_default(FILE *out, const struct option *option, const char *text)
{
    if (!option_is_list(option)) {
        member_print_text(out, text, strlen(text));
        return;
    }
    fputc('[', out);
    for (const char *item = text, *comma; *item; item = comma + (*comma == ',')) {
        comma = item + strcspn(item, ",");
        fputs(item == text ? "" : ", ", out);
        member_print_text(out, item, (size_t)(comma - item));
    }
    fputc(']', out);
}

static void print_setting(FILE *out, const char *help_before, const char *before, const struct option *option,
                          const char *text)
{
    print_help(out, help_before, option->help);
    fprintf(out, "%s%s: ", before, option_leaf(option));
    print_default(out, option, text);
    fputc('\n', out);
}

/* The value of an example: of the default preset, or the default. */
static const char *example_text(const struct option *list, const struct option *option)
{
    const char *text = *list->unset ? preset_text(preset_find(list->unset), option->key) : NULL;
    return text ? text : option->unset ? option->unset : "";
}

/* Prints a list with the keys of an item. Without a default these keys stay a comment when the list is enabled. */
static void print_list(FILE *out, const struct option *option, const char *before)
{
    const struct option_items *of = option->items;
    bool empty = !*option->unset;
    char text[3][64];
    snprintf(text[0], sizeof text[0], "%s%s", before, empty ? "  # - " : "  - ");
    snprintf(text[1], sizeof text[1], "%s%s", before, empty ? "  #   " : "    ");
    snprintf(text[2], sizeof text[2], "%s%s", before, empty ? "  #     # " : "     # ");
    fprintf(out, "%s%s:%s\n", before, option_leaf(option), empty ? " []" : "");
    for (size_t i = 0; i < of->count; i++) {
        const struct option *item = &of->table[i];
        bool set_in = print_section(out, of->table, item, text[i > 0]);
        char indented[70];
        snprintf(indented, sizeof indented, "%s%s", text[i > 0 || set_in], set_in ? "  " : "");
        print_setting(out, text[2], indented, item, example_text(option, item));
    }
}

int config_print_annotated(FILE *out)
{
    fputs("# Settings of dotstub(8), each with its default; dotstub.yaml(5) has more about them.\n"
          "# To set one, remove the \"#\" before it, and the one before the line of its section.\n"
          "#\n"
          "# Durations: 500ms 30s 5m 1h 1d. Sizes: 64MiB. Addresses: ADDR or ADDR@PORT; put IPv6 in quotes.\n"
          "# Files in conf.d/ beside this one are read after it, in the order of their names.\n"
          "# Each can also be set by a variable: cache.size is DOTSTUB_CACHE_SIZE.\n",
          out);
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];
        if (option_section(option) == 0 || option_begins_section(options, option))
            fputc('\n', out);
        bool set_in = print_section(out, options, option, "#");
        const char *help_before = set_in ? "#  # " : "# ", *before = set_in ? "#  " : "#";
        if (option->type == OPTION_ITEMS) {
            print_help(out, help_before, option->help);
            print_list(out, option, before);
        } else {
            print_setting(out, help_before, before, option, option->unset);
        }
    }
    return written(out);
}
