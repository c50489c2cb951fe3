/* SPDX-License-Identifier: MIT */
/* Real answers, tests/data/answers (made by tests/tools/make-answers): all are accepted, with every record. */
#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/message.h"

#define FOLDER TEST_DATA "/data/answers"

static struct answer_scratch scratch;

static size_t read_message(const char *file, uint8_t *wire)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", FOLDER, file);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    size_t len = fread(wire, 1, MESSAGE_MAX + 1, stream);
    assert_int_equal(ferror(stream), 0);
    fclose(stream);
    assert_in_range(len, MESSAGE_HEADER, MESSAGE_MAX);
    return len;
}

static unsigned records(const uint8_t *wire)
{
    return read_u16(wire + 6) + read_u16(wire + 8) + read_u16(wire + 10);
}

static void accept_answer(const char *file)
{
    static uint8_t wire[MESSAGE_MAX + 1];
    struct answer answer;
    struct answer_transport transport;
    size_t len = read_message(file, wire);
    unsigned count = records(wire);
    if (message_walk_answer(wire, len, &scratch, &answer, &transport) != 0)
        fail_msg("%s is refused", file);
    assert_int_equal(answer.ttl_count, count - transport.edns);
    assert_int_equal(records(wire), answer.ttl_count);
    if (message_own_answer(wire, answer.len, &scratch, &answer) != 0)
        fail_msg("%s is refused without its OPT", file);
}

static void test_all_answers_are_accepted(void **state)
{
    unsigned files = 0;
    DIR *folder = opendir(FOLDER);
    (void)state;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        accept_answer(entry->d_name);
        files++;
    }
    closedir(folder);
    assert_true(files > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_answers_are_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
