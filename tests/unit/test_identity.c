/* SPDX-License-Identifier: MIT */
/* base/identity: root acts as another user; directories that only root controls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/identity.h"

enum { OTHER = 65534 };

static void root_acts_as_another_user_and_returns(void **state)
{
    (void)state;
    struct identity before;
    if (geteuid() != 0)
        skip();
    gid_t group = getegid();
    assert_int_equal(identity_assume(&before, OTHER, OTHER), 0);
    assert_int_equal(geteuid(), OTHER);
    assert_int_equal(getegid(), OTHER);
    assert_int_equal(access("/root", F_OK), 0); /* access() asks for the real user */
    assert_int_equal(faccessat(0, "/proc/1/environ", R_OK, AT_EACCESS), -1);
    identity_restore(&before);
    assert_int_equal(geteuid(), 0);
    assert_int_equal(getegid(), group);
    assert_int_equal(faccessat(0, "/proc/1/environ", R_OK, AT_EACCESS), 0);
}

static void others_stay_who_they_are(void **state)
{
    (void)state;
    struct identity before, nested;
    if (geteuid() != 0)
        skip();
    assert_int_equal(identity_assume(&before, OTHER, OTHER), 0);
    assert_int_equal(identity_assume(&nested, 0, 0), 0);
    assert_int_equal(geteuid(), OTHER);
    identity_restore(&nested);
    assert_int_equal(geteuid(), OTHER);
    identity_restore(&before);
    assert_int_equal(geteuid(), 0);
}

static void a_directory_of_roots_has_only_roots_above_it(void **state)
{
    (void)state;
    char top[] = "/tmp/test_identity.XXXXXX", inner[64], link[64];
    if (geteuid() != 0)
        skip();
    assert_non_null(mkdtemp(top));
    snprintf(inner, sizeof inner, "%s/inner", top);
    snprintf(link, sizeof link, "%s/link", top);
    assert_int_equal(mkdir(inner, 0755), 0);
    assert_int_equal(symlink("/", link), 0);
    assert_true(identity_is_roots("/"));
    assert_true(identity_is_roots(inner));
    assert_true(identity_is_roots(link));
    assert_false(identity_is_roots("/no such directory"));
    assert_int_equal(chmod(top, 0775), 0);
    assert_false(identity_is_roots(inner));
    assert_int_equal(chmod(top, 01777), 0);
    assert_true(identity_is_roots(inner));
    assert_int_equal(chmod(top, 0755), 0);
    assert_int_equal(chown(top, OTHER, 0), 0);
    assert_false(identity_is_roots(inner));
    assert_false(identity_is_roots(top));
    assert_int_equal(unlink(link), 0);
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(rmdir(top), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_acts_as_another_user_and_returns),
        cmocka_unit_test(others_stay_who_they_are),
        cmocka_unit_test(a_directory_of_roots_has_only_roots_above_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
