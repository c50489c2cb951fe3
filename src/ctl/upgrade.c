/* SPDX-License-Identifier: MIT */
/* Replaces the running daemon without losing a query: starts the new process, then waits until it answers on the
 * control socket. If the new process ends first, the old daemon continues. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/errors.h"
#include "client.h"
#include "command.h"
#include "locate.h"
#include "successor.h"
#include "table.h"

enum { TIMEOUT_MS = 30000, STEP_MS = 20 };

/* Reads pid and version of the daemon. 0, -EPROTO, or a negative error of client_ask. */
static int read_daemon(struct running *out, const char *path)
{
    struct client_reply reply;
    int status = client_ask(&reply, path, "GET", "/status");
    if (status < 0)
        return status;
    status = reply.status == 200 ? running_read(out, reply.body) : -EPROTO;
    free(reply.body);
    return status;
}

/* Both processes use the same control socket, so compare the pid in /status. During the hand-over there may be no reply
 * at all. */
static int await_successor(struct running *out, pid_t successor, const char *path)
{
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, successor, 0), .events = POLLIN};
    bool ended = end.fd < 0, follows = false;
    for (unsigned ms = 0; !ended && !follows && ms < TIMEOUT_MS; ms += STEP_MS) {
        ended = poll(&end, 1, STEP_MS) > 0;
        follows = !ended && read_daemon(out, path) == 0 && out->pid == successor;
    }
    if (end.fd >= 0)
        close(end.fd);
    if (follows)
        return EXIT_OK;
    if (!ended)
        kill(successor, SIGTERM);
    fprintf(stderr, "dotstubctl: the new process %s; the old daemon continues; look at its log\n",
            ended ? "ended" : "did not take over in time");
    return EXIT_OTHER;
}

/* In another pid namespace the daemon's pid means nothing here. If it is process 1, its end would end the container. */
static int check_place(const struct running *daemon, const char *path)
{
    if (daemon->pid == 1)
        fputs("dotstubctl: the daemon is process 1 of its container: replace the container\n", stderr);
    else if (client_find_process(path) != daemon->pid)
        fputs("dotstubctl: the daemon runs in a container: run upgrade there, or replace the container\n", stderr);
    else
        return EXIT_OK;
    return EXIT_OTHER;
}

static int print_json(const struct running *before, const struct running *after)
{
    json_t *root = json_pack("{s:{s:I, s:s}, s:{s:I, s:s}}", "before", "pid", (json_int_t)before->pid, "version",
                             before->version, "after", "pid", (json_int_t)after->pid, "version", after->version);
    return table_print_json(root, stdout, 0);
}

int upgrade_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    const char *program = count > 0 ? arguments[0] : NULL;
    struct running before, after;
    char path[PATH_MAX], absolute[PATH_MAX];
    (void)command;
    int status = locate_socket(options, path);
    if (status == EXIT_OK && (status = read_daemon(&before, path)) < 0)
        status = locate_explain(path, status);
    if (status == EXIT_OK)
        status = check_place(&before, path);
    if (status == EXIT_OK && program && !realpath(program, absolute)) {
        fprintf(stderr, "dotstubctl: %s: %s\n", program, error_text(-errno));
        status = EXIT_USAGE;
    }
    if (status != EXIT_OK)
        return status;
    pid_t successor = successor_start(&before, program ? absolute : NULL);
    if (successor < 0)
        return EXIT_NO_PERMISSION;
    status = await_successor(&after, successor, path);
    if (status != EXIT_OK)
        return status;
    if (!options->json)
        printf("replaced pid %ld, version %s, by pid %ld, version %s\n", (long)before.pid, before.version,
               (long)after.pid, after.version);
    else if (print_json(&before, &after) < 0)
        return EXIT_OTHER;
    return EXIT_OK;
}
