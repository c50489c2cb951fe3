/* SPDX-License-Identifier: MIT */
/* daemon/routefile: routes as text and back, and what is wrong with a file. */
#include "daemon/routefile.h"
#include <fcntl.h>
#include <inttypes.h>
#include "base/clock.h"
#include "base/log.h"
#include "loading.h"

enum { MOST = 8 };

static struct config *config;
static char directory[64], file[96];
static struct added_route *taken[MOST];
static size_t taken_count;

static int setup(void **state)
{
    char text[400];
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    taken_count = 0;
    snprintf(directory, sizeof directory, "/tmp/test_routefile.XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(file, sizeof file, "%s/routes", directory);
    snprintf(text, sizeof text,
             "upstreams: [quad9, {name: corp, addresses: [192.0.2.1], tls-name: dns.example, role: routed}]\n"
             "cache: {save-file: %s/cache}\n",
             directory);
    struct result result = load(text);
    config = result.config;
    free(result.said);
    return config ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < taken_count; i++)
        added_unref(taken[i]);
    config_unref(config);
    (void)unlink(file);
    return rmdir(directory);
}

static struct added_route *make(const char *zones, const char *servers, const char *interface, bool plain,
                                uint64_t until_ms)
{
    struct added_route *added;
    const uint8_t salt[ROUTE_SALT] = {0xab, 0xcd, 1, 2, 3};
    const struct added_texts texts = {zones, servers, interface, plain, false};
    assert_int_equal(added_new(&added, config, &texts, salt, until_ms, stderr), 0);
    return added;
}

static void take(void *context, struct added_route *added)
{
    assert_ptr_equal(context, &taken_count);
    assert_true(taken_count < MOST);
    taken[taken_count++] = added;
}

static void read_back(void)
{
    routefile_read(config, take, &taken_count);
}

static void routes_survive(void **state)
{
    (void)state;
    struct added_route *list[] = {make("a.example,b.example.", "10.0.0.53,2001:db8::1@5300,fe80::1%lo", "lo", true, 0),
                                  make("c.example", "corp,quad9", NULL, false, clock_ms() + 90000)};
    assert_true(routefile_write(config, list, 2));
    struct stat stat_of;
    assert_int_equal(stat(file, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
    read_back();
    assert_int_equal(taken_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct config_route *a = &list[i]->route, *b = &taken[i]->route;
        assert_int_equal(a->zone_count, b->zone_count);
        assert_string_equal(a->zones[a->zone_count - 1], b->zones[a->zone_count - 1]);
        assert_int_equal(a->to_count, b->to_count);
        for (size_t t = 0; t < a->to_count; t++)
            assert_true(addr_equal(&a->to[t], &b->to[t]));
        assert_int_equal(a->upstream_count, b->upstream_count);
        assert_int_equal(a->plain, b->plain);
        assert_memory_equal(a->salt, b->salt, ROUTE_SALT);
        added_unref(list[i]);
    }
    assert_string_equal(taken[0]->route.interface, "lo");
    assert_null(taken[1]->route.interface);
    assert_int_equal(taken[0]->route.until_ms, 0);
    int64_t left = (int64_t)(taken[1]->route.until_ms - clock_ms());
    assert_true(left > 85000 && left <= 90000);
}

static void without_routes_there_is_no_file(void **state)
{
    (void)state;
    struct added_route *one = make("a.example", "corp", NULL, false, 0);
    assert_true(routefile_write(config, &one, 1));
    assert_int_equal(access(file, F_OK), 0);
    assert_true(routefile_write(config, NULL, 0));
    assert_int_equal(access(file, F_OK), -1);
    assert_true(routefile_write(config, NULL, 0));
    read_back();
    assert_int_equal(taken_count, 0);
    added_unref(one);
}

/* Writes a file of these lines with a correct title and digest. */
static char *pack(const char *lines)
{
    uint8_t digest[DIGEST_LEN];
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    fprintf(out, "dotstub routes 1\n%s", lines);
    fflush(out);
    digest_bytes(digest, text, len);
    fputs("digest ", out);
    for (unsigned i = 0; i < DIGEST_LEN; i++)
        fprintf(out, "%02x", digest[i]);
    fputc('\n', out);
    fclose(out);
    return text;
}

static int unpack(const char *lines)
{
    char *text = pack(lines);
    struct bytes packed = {(const uint8_t *)text, strlen(text)};
    int status = routes_unpack(packed, config, take, &taken_count);
    free(text);
    return status;
}

#define SALT "000102030405060708090a0b0c0d0e0f"

static void each_line_is_checked(void **state)
{
    static const char *const malformed[] = {"x\n",
                                            "0 0 " SALT " - - a.example\n",
                                            "0 0 " SALT " - - a.example corp more\n",
                                            "0 0 00 - - a.example corp\n",
                                            "0 0 " SALT "0 - - a.example corp\n",
                                            "0 0 G00102030405060708090a0b0c0d0e0f - - a.example corp\n",
                                            "-1 0 " SALT " - - a.example corp\n",
                                            "0 x " SALT " - - a.example corp\n",
                                            "0 9999999999999 " SALT " - - a.example corp\n"};
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        assert_int_equal(unpack(malformed[i]), ERROR_MALFORMED);
    assert_int_equal(taken_count, 0);
    /* A route that cannot be used is left out; the others are taken. */
    assert_int_equal(unpack("0 0 " SALT " - - . corp\n0 0 " SALT " - - b.example gone\n0 0 " SALT
                            " - - c.example 10.0.0.1\n"
                            "0 0 " SALT " - - a.example corp\n"),
                     0);
    assert_int_equal(taken_count, 1);
    assert_string_equal(taken[0]->route.zones[0], "a.example");
}

static void time_goes_on_without_the_process(void **state)
{
    char line[200];
    int64_t now_s = clock_wall_s();
    (void)state;
    snprintf(line, sizeof line, "%" PRId64 " 50 " SALT " - - a.example corp\n", now_s - 1);
    assert_int_equal(unpack(line), 0);
    assert_int_equal(taken_count, 0); /* its time is over */
    snprintf(line, sizeof line, "%" PRId64 " 50 " SALT " - - a.example corp\n", now_s + 20);
    assert_int_equal(unpack(line), 0);
    snprintf(line, sizeof line, "%" PRId64 " 50 " SALT " - - b.example corp\n",
             now_s + 90000); /* the clock was set back */
    assert_int_equal(unpack(line), 0);
    assert_int_equal(taken_count, 2);
    assert_true(taken[0]->route.until_ms - clock_ms() <= 20000);
    assert_true(taken[1]->route.until_ms - clock_ms() <= 50000);
}

static void a_damaged_text_is_refused(void **state)
{
    (void)state;
    char *text = pack("0 0 " SALT " - - a.example corp\n");
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        text[i] ^= 1;
        assert_int_equal(routes_unpack((struct bytes){(const uint8_t *)text, len}, config, take, &taken_count),
                         ERROR_MALFORMED);
        text[i] ^= 1;
        assert_int_equal(routes_unpack((struct bytes){(const uint8_t *)text, i}, config, take, &taken_count),
                         ERROR_MALFORMED);
    }
    assert_int_equal(taken_count, 0);
    free(text);
}

static void a_file_of_others_is_ignored(void **state)
{
    char other[128];
    (void)state;
    struct added_route *one = make("a.example", "corp", NULL, false, 0);
    assert_true(routefile_write(config, &one, 1));
    assert_int_equal(chmod(file, 0640), 0);
    read_back();
    assert_int_equal(chmod(file, 0600), 0);
    snprintf(other, sizeof other, "%s.other", file);
    assert_int_equal(rename(file, other), 0);
    assert_int_equal(symlink(other, file), 0);
    read_back();
    assert_int_equal(taken_count, 0);
    assert_true(routefile_write(config, &one, 1)); /* replaces the link, not the file that it names */
    read_back();
    assert_int_equal(taken_count, 1);
    unlink(other);
    added_unref(one);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(routes_survive),
                                       TEST(without_routes_there_is_no_file),
                                       TEST(each_line_is_checked),
                                       TEST(time_goes_on_without_the_process),
                                       TEST(a_damaged_text_is_refused),
                                       TEST(a_file_of_others_is_ignored)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
