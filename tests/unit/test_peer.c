/* SPDX-License-Identifier: MIT */
/* control/peer: which credentials give access. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control/peer.h"

static void root_our_user_and_the_group_have_access(void **state)
{
    (void)state;
    const struct peer root = {.uid = 0, .gid = 77}, own = {.uid = 500, .gid = 77}, member = {.uid = 501, .gid = 600};
    struct peer other = {.uid = 501, .gid = 77, .groups = {1, 2, 600}, .group_count = 3};
    assert_true(peer_may_ask(&root, 500, 600));
    assert_true(peer_may_ask(&own, 500, 600));
    assert_true(peer_may_ask(&member, 500, 600));
    assert_true(peer_may_ask(&other, 500, 600));
    other.group_count = 2;
    assert_false(peer_may_ask(&other, 500, 600));
}

static void credentials_come_from_the_kernel(void **state)
{
    (void)state;
    int fds[2];
    struct peer peer;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(peer_read(&peer, fds[0]), 0);
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.gid, getegid());
    assert_int_equal(peer.group_count, (size_t)getgroups(0, NULL));
    assert_true(peer_read(&peer, -1) < 0);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_our_user_and_the_group_have_access),
        cmocka_unit_test(credentials_come_from_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
