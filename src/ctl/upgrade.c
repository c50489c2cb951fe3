/* SPDX-License-Identifier: MIT */
/* Another dotstub in the place of the one that runs, without a question lost: starts it, and waits until the control socket is
 * that process's, or it has ended; then the daemon goes on as before. */
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

enum { PATIENCE_MS = 30000, STEP_MS = 20 };

/* Who answers at the control socket. 0, -EPROTO, or negative as client_ask. */
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

/* The socket is one and the same all the time; what tells both apart is their number. While one follows the other neither need
 * answer. */
static int await_successor(struct running *out, pid_t successor, const char *path)
{
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, successor, 0), .events = POLLIN};
    bool ended = end.fd < 0, follows = false;
    for (unsigned ms = 0; !ended && !follows && ms < PATIENCE_MS; ms += STEP_MS) {
        ended = poll(&end, 1, STEP_MS) > 0;
        follows = !ended && read_daemon(out, path) == 0 && out->pid == successor;
    }
    if (end.fd >= 0)
        close(end.fd);
    if (follows)
        return EXIT_OK;
    if (!ended)
        kill(successor, SIGTERM);
    fprintf(stderr, "dotstubctl: the new process %s and the daemon goes on; see its log\n",
            ended ? "ended" : "did not take over in time");
    return EXIT_OTHER;
}

/* Its number is another's here if it lives in a container, and where it is process 1 its end is the container's. */
static int check_place(const struct running *daemon, const char *path)
{
    if (daemon->pid == 1)
        fputs("dotstubctl: the daemon is process 1, with whose end its container ends: replace the container\n",
              stderr);
    else if (client_find_process(path) != daemon->pid)
        fputs("dotstubctl: the daemon runs in a container: upgrade it there, or replace the container\n", stderr);
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
        printf("pid %ld, version %s, was followed by pid %ld, version %s\n", (long)before.pid, before.version,
               (long)after.pid, after.version);
    else if (print_json(&before, &after) < 0)
        return EXIT_OTHER;
    return EXIT_OK;
}
