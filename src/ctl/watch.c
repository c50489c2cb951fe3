/* SPDX-License-Identifier: MIT */
/* stats --watch: prints the counters' increase each second, until it is interrupted or the daemon is gone for PATIENCE_MS. During an
 * upgrade or a restart there may be no reply; the new process counts from 0. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include "client.h"
#include "command.h"
#include "locate.h"
#include "table.h"

enum { HEADER_EVERY = 20, PATIENCE_MS = 3000, RETRY_MS = 100 };

static const struct {
    const char *title, *counter;
} columns[] = {{"QUERIES", "queries_received"},    {"HITS", "cache_hits"},
               {"MISSES", "cache_misses"},         {"STALE", "responses_stale"},
               {"SERVFAIL", "responses_servfail"}, {"ATTEMPTS", "attempts_sent"},
               {"SESSIONS", "sessions_opened"},    {"DROPPED", "queries_dropped"}};
#define COLUMNS (sizeof columns / sizeof *columns)

struct sample {
    json_int_t uptime_s, counters[COLUMNS];
};

/* 0, -EPROTO, or a negative error of client_ask. */
static int read_sample(const char *path, struct sample *out)
{
    struct client_reply reply;
    int status = client_ask(&reply, path, "GET", "/stats");
    if (status < 0)
        return status;
    json_t *root = reply.status == 200 ? json_loads(reply.body, 0, NULL) : NULL;
    const json_t *counters = json_object_get(root, "counters");
    bool good = json_is_object(counters);
    out->uptime_s = table_number(root, "uptime_s");
    for (size_t i = 0; i < COLUMNS; i++)
        out->counters[i] = table_number(counters, columns[i].counter);
    json_decref(root);
    free(reply.body);
    return good ? 0 : -EPROTO;
}

/* 0, or an exit status after printing the error. */
static int read_patiently(const char *path, struct sample *out)
{
    int status;
    for (unsigned ms = 0; (status = read_sample(path, out)) < 0 && ms < PATIENCE_MS; ms += RETRY_MS) {
        if (status == -EACCES || status == -EPERM)
            break;
        usleep(RETRY_MS * 1000);
    }
    return status < 0 ? locate_explain(path, status) : EXIT_OK;
}

/* A new process counts from 0. */
static void subtract(json_int_t out[COLUMNS], const struct sample *now, const struct sample *before)
{
    bool is_new = now->uptime_s < before->uptime_s;
    for (size_t i = 0; i < COLUMNS; i++)
        is_new = is_new || now->counters[i] < before->counters[i];
    for (size_t i = 0; i < COLUMNS; i++)
        out[i] = now->counters[i] - (is_new ? 0 : before->counters[i]);
}

static void print_header(void)
{
    for (size_t i = 0; i < COLUMNS; i++)
        printf("%10s", columns[i].title);
    fputc('\n', stdout);
}

static int print_difference(const json_int_t more[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++)
        printf("%10" JSON_INTEGER_FORMAT, more[i]);
    return fputc('\n', stdout) == EOF ? -EIO : 0;
}

static int print_json(const json_int_t more[COLUMNS])
{
    json_t *root = json_object();
    for (size_t i = 0; i < COLUMNS; i++)
        (void)json_object_set_new(root, columns[i].counter, json_integer(more[i]));
    return table_print_json(root, stdout, 0);
}

static int watch(const struct options *options, const char *path)
{
    struct sample before, now;
    json_int_t more[COLUMNS];
    int status = read_sample(path, &before);
    status = status < 0 ? locate_explain(path, status) : EXIT_OK;
    for (unsigned line = 0; status == EXIT_OK; line++) {
        if (line % HEADER_EVERY == 0 && !options->json)
            print_header();
        if (fflush(stdout) != 0)
            return EXIT_OTHER;
        sleep(1);
        status = read_patiently(path, &now);
        if (status != EXIT_OK)
            break;
        subtract(more, &now, &before);
        if ((options->json ? print_json : print_difference)(more) < 0)
            status = EXIT_OTHER;
        before = now;
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
