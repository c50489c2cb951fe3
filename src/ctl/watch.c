/* SPDX-License-Identifier: MIT */
/* stats --watch: prints the counters' increase each second, until it is interrupted or the daemon ends. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "client.h"
#include "command.h"
#include "locate.h"
#include "table.h"

enum { HEADER_EVERY = 20 };

static const struct {
    const char *title, *counter;
} columns[] = {{"QUERIES", "queries_received"},    {"HITS", "cache_hits"},
               {"MISSES", "cache_misses"},         {"STALE", "responses_stale"},
               {"SERVFAIL", "responses_servfail"}, {"ATTEMPTS", "attempts_sent"},
               {"SESSIONS", "sessions_opened"},    {"DROPPED", "queries_dropped"}};
#define COLUMNS (sizeof columns / sizeof *columns)

/* 0, or an exit status after printing the error. */
static int read_counters(const char *path, json_int_t out[COLUMNS])
{
    struct client_reply reply;
    int status = client_ask(&reply, path, "GET", "/stats");
    if (status < 0)
        return locate_explain(path, status);
    json_t *root = reply.status == 200 ? json_loads(reply.body, 0, NULL) : NULL;
    const json_t *counters = json_object_get(root, "counters");
    bool good = json_is_object(counters);
    for (size_t i = 0; i < COLUMNS; i++)
        out[i] = table_number(counters, columns[i].counter);
    json_decref(root);
    free(reply.body);
    if (good)
        return EXIT_OK;
    fputs("dotstubctl: invalid reply from the daemon\n", stderr);
    return EXIT_PROTOCOL;
}

static void print_header(void)
{
    for (size_t i = 0; i < COLUMNS; i++)
        printf("%10s", columns[i].title);
    fputc('\n', stdout);
}

static int print_difference(const json_int_t before[COLUMNS], const json_int_t now[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++)
        printf("%10" JSON_INTEGER_FORMAT, now[i] - before[i]);
    return fputc('\n', stdout) == EOF ? -EIO : 0;
}

static int print_json(const json_int_t before[COLUMNS], const json_int_t now[COLUMNS])
{
    json_t *root = json_object();
    for (size_t i = 0; i < COLUMNS; i++)
        (void)json_object_set_new(root, columns[i].counter, json_integer(now[i] - before[i]));
    return table_print_json(root, stdout, 0);
}

static int watch(const struct options *options, const char *path)
{
    json_int_t before[COLUMNS], now[COLUMNS];
    int status = read_counters(path, before);
    for (unsigned line = 0; status == EXIT_OK; line++) {
        if (line % HEADER_EVERY == 0 && !options->json)
            print_header();
        if (fflush(stdout) != 0)
            return EXIT_OTHER;
        sleep(1);
        status = read_counters(path, now);
        if (status == EXIT_OK && (options->json ? print_json : print_difference)(before, now) < 0)
            status = EXIT_OTHER;
        memcpy(before, now, sizeof before);
    }
    return status;
}

int stats_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    char path[PATH_MAX];
    if (!(options->given & OWN(OWN_WATCH)))
        return ask_run(options, command, arguments, count);
    int status = locate_socket(options, path);
    return status == EXIT_OK ? watch(options, path) : status;
}
