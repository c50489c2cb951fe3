/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/errors.h"
#include "base/io.h"

enum { LARGE = 1 << 20 }; /* more bytes than a pipe or a socket holds */

static uint8_t sent[LARGE], received[LARGE + 1];

static void make_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

/* --- a writer on another thread, interrupted all the time --- */

struct talk {
    int fd;
    size_t len;
    pthread_t reader;
    int status;
};

static void ignore(int number)
{
    (void)number;
}

static void *write_all(void *context)
{
    struct talk *talk = context;
    talk->status = write_full(talk->fd, sent, talk->len);
    close(talk->fd);
    return NULL;
}

static pthread_t begin(struct talk *talk, int fd, size_t len)
{
    pthread_t writer;
    *talk = (struct talk){.fd = fd, .len = len, .reader = pthread_self(), .status = 1};
    assert_int_equal(pthread_create(&writer, NULL, write_all, talk), 0);
    return writer;
}

static void end(pthread_t writer, const struct talk *talk, int status)
{
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(talk->status, status);
}

static void *interrupt(void *context)
{
    const struct talk *talk = context;
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned i = 0; i < 50; i++) {
        nanosleep(&pause, NULL);
        pthread_kill(talk->reader, SIGUSR1);
    }
    memset(sent, 7, 10);
    return write_all(context);
}

static void partial_reads_and_writes_are_completed(void **state)
{
    (void)state;
    struct talk talk;
    for (int with_socket = 0; with_socket < 2; with_socket++) {
        int ends[2];
        if (with_socket)
            make_pair(ends);
        else
            assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        for (size_t i = 0; i < LARGE; i++)
            sent[i] = (uint8_t)(i * 31 >> 3);
        pthread_t writer = begin(&talk, ends[1], LARGE);
        assert_int_equal(read_full(ends[0], received, 3), 0);
        assert_int_equal(read_full(ends[0], received + 3, LARGE - 3), 0);
        end(writer, &talk, 0);
        assert_memory_equal(sent, received, LARGE);
        close(ends[0]);
    }
}

static void an_interrupted_read_goes_on(void **state)
{
    (void)state;
    const struct sigaction handler = {.sa_handler = ignore}; /* without SA_RESTART */
    struct talk talk = {.len = 10, .reader = pthread_self(), .status = 1};
    int ends[2];
    pthread_t writer;
    assert_int_equal(sigaction(SIGUSR1, &handler, NULL), 0);
    make_pair(ends);
    talk.fd = ends[1];
    assert_int_equal(pthread_create(&writer, NULL, interrupt, &talk), 0);
    assert_int_equal(read_full(ends[0], received, 10), 0);
    end(writer, &talk, 0);
    assert_int_equal(received[9], 7);
    close(ends[0]);
}

static void an_end_before_time_is_an_error_or_a_length(void **state)
{
    (void)state;
    struct talk talk;
    int ends[2];
    make_pair(ends);
    pthread_t writer = begin(&talk, ends[1], 5);
    assert_int_equal(read_full(ends[0], received, 6), ERROR_CLOSED);
    end(writer, &talk, 0);
    assert_int_equal(read_full(ends[0], received, 0), 0);
    close(ends[0]);

    make_pair(ends);
    writer = begin(&talk, ends[1], LARGE);
    assert_int_equal(read_to_end(ends[0], received, 1000), 1000);
    assert_int_equal(read_to_end(ends[0], received, sizeof received), LARGE - 1000);
    assert_int_equal(read_to_end(ends[0], received, sizeof received), 0);
    end(writer, &talk, 0);
    close(ends[0]);
}

static void errors_are_errno_numbers(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(read_full(-1, received, 1), -EBADF);
    assert_int_equal(read_to_end(-1, received, 1), -EBADF);
    assert_int_equal(write_full(-1, sent, 1), -EBADF);
    make_pair(ends);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read_full(ends[0], received, 1), -EAGAIN);
    close(ends[1]);
    assert_int_equal(write_full(ends[0], sent, 1), -EPIPE); /* -EPIPE, without SIGPIPE */
    close(ends[0]);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full >= 0) {
        assert_int_equal(write_full(full, sent, 1), -ENOSPC);
        close(full);
    }
}

/* --- descriptors --- */

static ino_t inode(int fd)
{
    struct stat stat;
    assert_int_equal(fstat(fd, &stat), 0);
    return stat.st_ino;
}

static int open_count(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void descriptors_come_with_their_data(void **state)
{
    (void)state;
    int ends[2], one[2], fds[IO_FDS], wanted[2];
    size_t count = 99;
    char data[4] = "";
    make_pair(ends);
    assert_int_equal(pipe2(one, 0), 0);
    wanted[0] = one[0];
    wanted[1] = one[1];
    assert_int_equal(send_fds(ends[1], "abcd", 4, wanted, 2), 0);
    assert_int_equal(recv_fds(ends[0], data, 4, fds, &count), 0);
    assert_memory_equal(data, "abcd", 4);
    assert_int_equal(count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(inode(fds[i]), inode(one[i]));
        assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
        close(fds[i]);
        close(one[i]);
    }
    assert_int_equal(send_fds(ends[1], "x", 1, wanted, 0), 0); /* no message */
    assert_int_equal(write_full(ends[1], "y", 1), 0);
    assert_int_equal(recv_fds(ends[0], data, 1, fds, &count), 0);
    assert_int_equal(data[0], 'y');
    assert_int_equal(count, 0);
    close(ends[1]);
    assert_int_equal(recv_fds(ends[0], data, 1, fds, &count), ERROR_CLOSED);
    close(ends[0]);
}

static void many_descriptors_come_in_several_messages(void **state)
{
    (void)state;
    enum { MANY = IO_FDS + 7 };
    int ends[2], fds[IO_FDS], same[MANY];
    size_t count = 0;
    char kind = 0;
    make_pair(ends);
    for (unsigned i = 0; i < MANY; i++)
        same[i] = STDERR_FILENO;
    assert_int_equal(send_fds(ends[1], "k", 1, same, MANY), 0);
    for (size_t left = MANY; left > 0; left -= count) {
        assert_int_equal(recv_fds(ends[0], &kind, 1, fds, &count), 0);
        assert_int_equal(kind, 'k');
        assert_int_equal(count, left < IO_FDS ? left : IO_FDS);
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
    }
    close(ends[0]);
    close(ends[1]);
}

/* The kernel takes up to 253 descriptors, more than IO_FDS. */
static void too_many_descriptors_are_refused_and_closed(void **state)
{
    (void)state;
    enum { MOST = 253 };
    int many[MOST];
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof many)];
    struct cmsghdr *head = (struct cmsghdr *)(void *)control;
    *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof many)};
    struct iovec data = {(char[]){"x"}, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_LEN(sizeof many)};
    int ends[2], fds[IO_FDS];
    size_t count;
    char byte;
    make_pair(ends);
    for (unsigned i = 0; i < MOST; i++)
        many[i] = STDERR_FILENO;
    memcpy(CMSG_DATA(head), many, sizeof many);
    int before = open_count();
    assert_int_equal(sendmsg(ends[1], &message, 0), 1);
    assert_int_equal(recv_fds(ends[0], &byte, 1, fds, &count), ERROR_MALFORMED);
    assert_int_equal(open_count(), before);

    /* The data ends too early. */
    assert_int_equal(send_fds(ends[1], "x", 1, &ends[0], 1), 0);
    close(ends[1]);
    assert_int_equal(recv_fds(ends[0], received, 2, fds, &count), ERROR_CLOSED);
    assert_int_equal(open_count(), before - 1);
    close(ends[0]);
    assert_int_equal(send_fds(-1, "x", 1, &ends[0], 1), -EBADF);
    assert_int_equal(recv_fds(-1, &byte, 1, fds, &count), -EBADF);
}

/* In a child, so that the other descriptors of the test stay. */
static void all_from_a_descriptor_on_are_closed(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (child == 0) {
        int low = dup(STDERR_FILENO), high = fcntl(low, F_DUPFD, 900), hidden = fcntl(low, F_DUPFD_CLOEXEC, 901);
        close_from(low + 1);
        _exit(fcntl(low, F_GETFD) < 0 || fcntl(high, F_GETFD) >= 0 || fcntl(hidden, F_GETFD) >= 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partial_reads_and_writes_are_completed),
        cmocka_unit_test(an_interrupted_read_goes_on),
        cmocka_unit_test(an_end_before_time_is_an_error_or_a_length),
        cmocka_unit_test(errors_are_errno_numbers),
        cmocka_unit_test(descriptors_come_with_their_data),
        cmocka_unit_test(many_descriptors_come_in_several_messages),
        cmocka_unit_test(all_from_a_descriptor_on_are_closed),
        cmocka_unit_test(too_many_descriptors_are_refused_and_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
