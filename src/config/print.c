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

static const char *leaf(const struct option *option)
{
    size_t section = option_section(option);
    return section ? option->key + section + 1 : option->key;
}

/* Prints "section:" at the first option of a section; true if the option is in a section. */
static bool print_section(FILE *out, const struct option *option, const char *before)
{
    size_t len = option_section(option);
    bool begins =
        option == options || option_section(option - 1) != len || strncmp(option[-1].key, option->key, len) != 0;
    if (len > 0 && begins)
        fprintf(out, "%s%.*s:\n", before, (int)len, option->key);
    return len > 0;
}

/* -- The configuration in force -- */

static void print_member(FILE *out, const char *before, const void *base, const struct option *option,
                         const char *origin)
{
    fprintf(out, "%s%s: ", before, leaf(option));
    member_print(out, base, option);
    fprintf(out, " # %s\n", origin);
}

static void print_upstreams(FILE *out, const struct snapshot *snapshot)
{
    const struct config *config = &snapshot->config;
    fputs("upstreams:\n", out);
    for (size_t i = 0; i < config->upstream_count; i++)
        for (size_t j = 0; j < upstream_option_count; j++)
            print_member(out, j == 0 ? "  - " : "    ", &config->upstreams[i], &upstream_options[j],
                         snapshot->upstream_origins[i][j]);
}

int config_print(const struct config *config, FILE *out)
{
    const struct snapshot *snapshot = snapshot_of(config);
    for (size_t i = 0; i < option_count; i++) {
        bool set_in = print_section(out, &options[i], "");
        if (options[i].type == OPTION_UPSTREAMS)
            print_upstreams(out, snapshot);
        else
            print_member(out, set_in ? "  " : "", config, &options[i], snapshot->origins[i]);
    }
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
    fprintf(out, "%s%s: ", before, leaf(option));
    print_default(out, option, text);
    fputc('\n', out);
}

static const char *builtin_text(const struct option *option)
{
    const char *text = preset_text(&presets[0], option->key);
    return text ? text : option->unset;
}

static void print_builtin_upstream(FILE *out, const struct option *option)
{
    print_help(out, "# ", option->help);
    fprintf(out, "#%s:\n", option->key);
    for (size_t i = 0; i < upstream_option_count; i++)
        print_setting(out, "#     # ", i == 0 ? "#  - " : "#    ", &upstream_options[i],
                      builtin_text(&upstream_options[i]));
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
        if (option_section(&options[i]) == 0 || option_section(&options[i]) != option_section(&options[i - 1]) ||
            strncmp(options[i].key, options[i - 1].key, option_section(&options[i])) != 0)
            fputc('\n', out);
        bool set_in = print_section(out, &options[i], "#");
        if (options[i].type == OPTION_UPSTREAMS)
            print_builtin_upstream(out, &options[i]);
        else
            print_setting(out, set_in ? "#  # " : "# ", set_in ? "#  " : "#", &options[i], options[i].unset);
    }
    return written(out);
}
