/* SPDX-License-Identifier: MIT */
/* Replaces the running daemon without losing a query: starts the new process, then waits until it answers on the
 * control socket. If the new process ends first, the old daemon continues.
 *
 * The kernel identifies the daemon's process and user as the listener on the control socket. The daemon's replies
 * only confirm them: a process that has replaced the socket can reply anything. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/errors.h"
#include "client.h"
#include "command.h"
#include "locate.h"
#include "successor.h"
#include "table.h"

enum { TIMEOUT_MS = 30000, STEP_MS = 20 };

/* A running daemon, as it describes itself. */
struct running {
    pid_t pid;
    char version[64];
};

static int parse_running(struct running *out, const char *json)
{
    json_t *root = json_loads(json, 0, NULL);
    const char *version = json_string_value(json_object_get(root, "version"));
    json_int_t pid = json_integer_value(json_object_get(root, "pid"));
    int status = version && pid > 0 && pid <= INT_MAX ? 0 : -EPROTO;
    if (status == 0) {
        out->pid = (pid_t)pid;
        snprintf(out->version, sizeof out->version, "%s", version);
        table_make_plain(out->version);
    }
    json_decref(root);
    return status;
}

/* 0, -EPROTO, or a negative error of client_ask. */
static int read_daemon(struct running *out, const char *path)
{
    struct client_reply reply;
    int status = client_ask(&reply, path, "GET", "/status");
    if (status < 0)
        return status;
    status = reply.status == 200 ? parse_running(out, reply.body) : -EPROTO;
    free(reply.body);
    return status;
}

/* --- the new process --- */

/* Prints the output of the new process, which is not trusted. False: it has ended. */
static bool relay(int output)
{
    char text[512];
    ssize_t len = read(output, text, sizeof text - 1);
    for (ssize_t i = 0; i < len; i++)
        if (text[i] != '\n' && (text[i] < 0x20 || text[i] > 0x7e))
            text[i] = '?';
    if (len > 0)
        fwrite(text, 1, (size_t)len, stderr);
    return len > 0;
}

/* Both processes use the same control socket, so compare the pid in /status. During the hand-over there may be no reply
 * at all. */
static int await(struct running *out, struct successor *successor, const char *path)
{
    struct pollfd events[] = {{.fd = (int)syscall(SYS_pidfd_open, successor->pid, 0), .events = POLLIN},
                              {.fd = successor->output, .events = POLLIN}};
    bool ended = events[0].fd < 0, follows = false;
    for (unsigned ms = 0; !ended && !follows && ms < TIMEOUT_MS; ms += STEP_MS) {
        (void)poll(events, 2, STEP_MS);
        if (events[1].revents && !relay(successor->output))
            events[1].fd = -1;
        ended = events[0].revents != 0;
        follows = !ended && read_daemon(out, path) == 0 && out->pid == successor->pid;
    }
    while (ended && events[1].fd >= 0 && relay(successor->output))
        continue;
    if (!ended && !follows)
        (void)syscall(SYS_pidfd_send_signal, events[0].fd, SIGTERM, NULL, 0);
    if (events[0].fd >= 0)
        close(events[0].fd);
    close(successor->output);
    if (follows)
        return EXIT_OK;
    fprintf(stderr, "dotstubctl: the new process %s; the old daemon continues; look at its log\n",
            ended ? "ended" : "did not take over in time");
    return EXIT_OTHER;
}

/* --- checks --- */

/* In another pid namespace the daemon's pid means nothing here. If it is process 1, its end would end the container. */
static int check_place(const struct process *daemon)
{
    int status = process_check(daemon);
    if (daemon->pid == 1)
        fputs("dotstubctl: the daemon is process 1 of its container: replace the container\n", stderr);
    else if (status == -EXDEV)
        fputs("dotstubctl: the daemon runs in a container: replace the container\n", stderr);
    else if (status < 0)
        fprintf(stderr, "dotstubctl: cannot tell which process the daemon is: %s; restart it\n", error_text(status));
    else
        return EXIT_OK;
    return EXIT_OTHER;
}

static int check_user(const struct process *daemon, const struct running *says)
{
    if (says->pid != daemon->pid)
        fprintf(stderr,
                "dotstubctl: process %ld listens on the control socket but says that it is process %ld: restart it\n",
                (long)daemon->pid, (long)says->pid);
    else if (daemon->uid == 0)
        fputs("dotstubctl: the daemon runs as root: start it with --user, or restart it\n", stderr);
    else if (geteuid() != 0 && geteuid() != daemon->uid)
        fputs("dotstubctl: only root and the daemon's user can replace it: run as root\n", stderr);
    else
        return EXIT_OK;
    return EXIT_NO_PERMISSION;
}

/* The new process reads the file given by our command line, which must be the daemon's. */
static int check_config(const struct successor_plan *plan)
{
    char daemons[PATH_MAX], resolved[PATH_MAX];
    if (successor_read_config(plan->daemon.pid, daemons) < 0)
        return EXIT_OTHER;
    if (!daemons[0] && !plan->config)
        return EXIT_OK;
    if (plan->config && realpath(daemons, resolved) && strcmp(resolved, plan->config) == 0)
        return EXIT_OK;
    table_make_plain(daemons);
    if (daemons[0])
        fprintf(stderr, "dotstubctl: the daemon was started with `-c %s`: give dotstubctl the same option\n", daemons);
    else
        fputs("dotstubctl: the daemon was started without -c: leave out that option\n", stderr);
    return EXIT_USAGE;
}

static int print_json(const struct running *before, const struct running *after)
{
    json_t *root = json_pack("{s:{s:I, s:s}, s:{s:I, s:s}}", "before", "pid", (json_int_t)before->pid, "version",
                             before->version, "after", "pid", (json_int_t)after->pid, "version", after->version);
    return table_print_json(root, stdout, 0);
}

static int replace(const struct options *options, const struct successor_plan *plan, const char *path)
{
    struct running before, after;
    struct successor successor;
    int status = read_daemon(&before, path);
    if (status < 0)
        return locate_explain(path, status);
    status = check_place(&plan->daemon);
    if (status == EXIT_OK)
        status = check_user(&plan->daemon, &before);
    if (status == EXIT_OK)
        status = check_config(plan);
    if (status != EXIT_OK)
        return status;
    if (successor_start(&successor, plan) < 0)
        return EXIT_NO_PERMISSION;
    status = await(&after, &successor, path);
    if (status != EXIT_OK)
        return status;
    if (options->json)
        return print_json(&before, &after) < 0 ? EXIT_OTHER : EXIT_OK;
    printf("replaced pid %ld, version %s, by pid %ld, version %s\n", (long)before.pid, before.version, (long)after.pid,
           after.version);
    return EXIT_OK;
}

/* 0, or an exit status after printing the error. */
static int make_absolute(char out[PATH_MAX], const char *path)
{
    if (realpath(path, out))
        return EXIT_OK;
    fprintf(stderr, "dotstubctl: %s: %s\n", path, error_text(-errno));
    return EXIT_USAGE;
}

int upgrade_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    struct successor_plan plan = {.daemon = {.fd = -1}};
    char path[PATH_MAX], beside[PATH_MAX], program[PATH_MAX], config[PATH_MAX];
    (void)command;
    int status = locate_socket(options, path);
    if (status == EXIT_OK)
        status = make_absolute(program, count > 0 ? arguments[0] : locate_daemon(beside));
    if (status == EXIT_OK && options->config)
        status = make_absolute(config, options->config);
    if (status != EXIT_OK)
        return status;
    plan.program = program;
    plan.config = options->config ? config : NULL;
    int error = client_find_process(path, &plan.daemon, plan.groups, SUCCESSOR_GROUPS, &plan.group_count);
    status = error < 0 ? locate_explain(path, error) : replace(options, &plan, path);
    process_release(&plan.daemon);
    return status;
}
