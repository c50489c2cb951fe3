/* SPDX-License-Identifier: MIT */
/* base/process: the process at the other end of a socket, its user and its namespaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/process.h"

/* A listening socket in the abstract namespace, which a process in other namespaces reaches too. */
static int listen_here(struct sockaddr_un *name)
{
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    socklen_t len = sizeof *name;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)name, sizeof(sa_family_t)), 0); /* the kernel chooses the name */
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)name, &len), 0);
    return fd;
}

struct peer {
    int listening, connection;
    pid_t pid; /* our child */
};

/* A child with these namespaces of its own and this user connects, and stays until the connection is closed. */
static void meet(struct peer *peer, int spaces, uid_t uid)
{
    struct sockaddr_un name;
    peer->listening = listen_here(&name);
    peer->pid = fork();
    assert_true(peer->pid >= 0);
    if (peer->pid == 0) {
        char nothing;
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        bool ready = unshare(spaces) == 0;
        if (spaces & CLONE_NEWPID && fork() > 0)
            _exit(wait(NULL) < 0);
        ready = ready && (uid == geteuid() || spaces & CLONE_NEWUSER || setresuid(uid, uid, uid) == 0);
        if (!ready || connect(fd, (struct sockaddr *)&name, (socklen_t)(sizeof(sa_family_t) + 6)) < 0)
            _exit(1);
        _exit(read(fd, &nothing, 1) != 0);
    }
    const struct timeval patience = {.tv_sec = 30}; /* the child may have failed */
    setsockopt(peer->listening, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    peer->connection = accept(peer->listening, NULL, NULL);
    assert_true(peer->connection >= 0);
}

static void part(const struct peer *peer)
{
    close(peer->connection);
    close(peer->listening);
    assert_int_equal(waitpid(peer->pid, NULL, 0), peer->pid);
}

static void it_is_who_connected(void **state)
{
    (void)state;
    struct peer peer;
    struct process process;
    meet(&peer, 0, geteuid());
    assert_int_equal(process_of_peer(&process, peer.connection), 0);
    assert_int_equal(process.pid, peer.pid);
    assert_int_equal(process.uid, geteuid());
    assert_int_equal(process.gid, getegid());
    assert_int_equal(process_check(&process), 0);
    part(&peer);
    assert_int_equal(process_check(&process), -ESRCH);
    process_release(&process);
    assert_int_equal(process.fd, -1);
}

static void without_pidfds_proc_tells(void **state)
{
    (void)state;
    struct peer peer;
    struct process process;
    meet(&peer, 0, geteuid());
    assert_int_equal(process_of_peer(&process, peer.connection), 0);
    process_release(&process);
    assert_int_equal(process_check(&process), 0);
    part(&peer);
    assert_int_equal(process_check(&process), -ESRCH);
}

static void another_user_is_noticed(void **state)
{
    (void)state;
    struct peer peer;
    struct process process;
    if (geteuid() != 0)
        skip();
    meet(&peer, 0, 65534);
    assert_int_equal(process_of_peer(&process, peer.connection), 0);
    assert_int_equal(process.uid, 65534);
    assert_int_equal(process_check(&process), 0);
    process.uid = 65533;
    assert_int_equal(process_check(&process), -EPERM);
    process_release(&process);
    part(&peer);
}

/* A process of another container, with or without a pidfd. */
static void is_elsewhere(int spaces)
{
    struct peer peer;
    struct process process;
    meet(&peer, spaces, geteuid());
    assert_int_equal(process_of_peer(&process, peer.connection), 0);
    assert_int_equal(process_check(&process), -EXDEV);
    process_release(&process);
    assert_int_equal(process_check(&process), -EXDEV);
    part(&peer);
}

static void other_pid_namespaces_are_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    is_elsewhere(CLONE_NEWPID);
}

static void other_user_namespaces_are_refused(void **state)
{
    (void)state;
    struct peer peer;
    struct process process;
#ifdef __SANITIZE_THREAD__
    skip(); /* its thread in the child keeps it from a user namespace of its own */
#endif
    if (geteuid() != 0)
        skip();
    meet(&peer, CLONE_NEWUSER, geteuid());
    assert_int_equal(process_of_peer(&process, peer.connection), 0);
    assert_int_equal(process_check(&process), -EXDEV);
    process_release(&process);
    part(&peer);
}

/* From inside a namespace the kernel gives a process outside it the pid 0. */
static void who_cannot_be_seen_is_refused(void **state)
{
    (void)state;
    struct sockaddr_un name;
    int status;
    if (geteuid() != 0)
        skip();
    int fd = listen_here(&name);
    pid_t child = fork();
    if (child == 0) {
        struct process process;
        if (unshare(CLONE_NEWPID) < 0)
            _exit(2);
        pid_t inside = fork();
        if (inside == 0) {
            int own = socket(AF_UNIX, SOCK_STREAM, 0);
            if (connect(own, (struct sockaddr *)&name, (socklen_t)(sizeof(sa_family_t) + 6)) < 0)
                _exit(3);
            _exit(process_of_peer(&process, own) != -EXDEV);
        }
        _exit(waitpid(inside, &status, 0) == inside && WIFEXITED(status) ? WEXITSTATUS(status) : 4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(fd);
}

static void what_is_no_socket_has_no_peer(void **state)
{
    (void)state;
    struct process process;
    assert_true(process_of_peer(&process, -1) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_who_connected),
        cmocka_unit_test(without_pidfds_proc_tells),
        cmocka_unit_test(another_user_is_noticed),
        cmocka_unit_test(other_pid_namespaces_are_refused),
        cmocka_unit_test(other_user_namespaces_are_refused),
        cmocka_unit_test(who_cannot_be_seen_is_refused),
        cmocka_unit_test(what_is_no_socket_has_no_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
