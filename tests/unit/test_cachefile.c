/* SPDX-License-Identifier: MIT */
/* daemon/cachefile: periodic writes, flushes, and unusable files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/cachefile.h"
#include "tests/unit/answers.h"

static struct loop loop;
static struct cache *cache;
static struct cachefile file;
static struct config config;
static struct key_group ids[2];
static struct routes routes, other_routes;
static char folder[64], path[128], new_path[128];
static struct sample sample;
static uint8_t out[MESSAGE_MAX];
static struct cache_found found;

static int fresh(void **state)
{
    (void)state;
    hash_init_fixed((const uint8_t *)"0123456789abcdef");
    snprintf(folder, sizeof folder, "/tmp/dotstub-cachefile-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/cache", folder);
    snprintf(new_path, sizeof new_path, "%s/cache.new", folder);
    config = (struct config){.cache = {.max_ttl = 86400, .negative_max_ttl = 3600, .save = true, .save_file = path}};
    ids[0] = (struct key_group){0, "one definition"};
    ids[1] = (struct key_group){1, "another one"};
    routes = (struct routes){.refs = 1, .ids = &ids[0], .group_count = 1};
    other_routes = (struct routes){.refs = 1, .ids = &ids[1], .group_count = 1};
    cache = cache_new(4 << 20);
    return cache && loop_init(&loop) == 0 && cachefile_init(&file, &loop) == 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    cachefile_wait(&file);
    cachefile_close(&file);
    assert_int_equal(routes.refs, 1);
    assert_int_equal(other_routes.refs, 1);
    assert_true(loop_drain(&loop, 1000));
    loop_fini(&loop);
    cache_free(cache);
    unlink(path);
    return rmdir(folder); /* nothing else was left in it */
}

static void put(unsigned number)
{
    sample_key(&sample, number);
    sample_answer(&sample, 1, number, 300);
    assert_int_equal(cache_put(cache, &sample.key, sample.hash, &sample.answer, clock_ms(), cache_epoch(cache)), 0);
}

static bool has(unsigned number)
{
    sample_key(&sample, number);
    return cache_get(cache, &sample.key, sample.hash, clock_ms(), CACHE_FRESH, 0, out, sizeof out, &found) == CACHE_HIT;
}

static void open_it(void)
{
    cachefile_open(&file, &config, &routes, cache, true);
    cachefile_wait(&file);
}

static void save(void)
{
    cachefile_save(&file);
    cachefile_wait(&file);
}

/* As the next process does. */
static void read_again(void)
{
    cachefile_close(&file);
    assert_int_equal(cachefile_init(&file, &loop), 0);
    cache_flush(cache);
    open_it();
}

static ino_t inode(void)
{
    struct stat stat;
    return lstat(path, &stat) == 0 ? stat.st_ino : 0;
}

static void the_cache_is_written_and_read(void **state)
{
    struct stat stat;
    (void)state;
    open_it();
    put(1);
    save();
    assert_int_equal(lstat(path, &stat), 0);
    assert_int_equal(stat.st_mode, S_IFREG | 0600);
    read_again();
    assert_true(has(1));
}

static void without_save_there_is_no_file(void **state)
{
    (void)state;
    config.cache.save = false;
    open_it();
    put(1);
    save();
    cachefile_flushed(&file);
    cachefile_end(&file);
    assert_int_equal(inode(), 0);
}

static void without_a_change_nothing_is_written(void **state)
{
    (void)state;
    open_it();
    put(1);
    save();
    ino_t first = inode();
    save();
    assert_int_equal(inode(), first);
    put(2);
    int kept = open(path, O_RDONLY | O_CLOEXEC); /* so that its inode is not used again */
    save();
    close(kept);
    assert_int_not_equal(inode(), first);
}

static void flushed_entries_do_not_come_back(void **state)
{
    (void)state;
    open_it();
    put(1);
    put(2);
    save();
    assert_int_equal(cache_flush_name(cache, sample.key.name, sample.key.name_len, false), 1);
    cachefile_flushed(&file);
    assert_int_equal(inode(), 0);
    save();
    read_again();
    assert_true(has(1));
    assert_false(has(2));
}

/* The flush may come before or after the job has read the entry. */
static void a_flush_during_a_write(void **state)
{
    (void)state;
    open_it();
    for (unsigned i = 0; i < 50; i++) {
        put(1);
        put(2);
        cachefile_save(&file);
        usleep(i * 20);
        sample_key(&sample, 2);
        assert_int_equal(cache_flush_name(cache, sample.key.name, sample.key.name_len, false), 1);
        cachefile_flushed(&file);
        cachefile_wait(&file);
        read_again();
        assert_true(inode() == 0 || has(1));
        assert_false(has(2));
    }
}

static void the_last_save_has_the_newest_entries(void **state)
{
    (void)state;
    open_it();
    put(1);
    cachefile_save(&file);
    put(2);
    cachefile_end(&file);
    read_again();
    assert_true(has(1) && has(2));
}

/* Entries of groups that are no longer in force are not saved. */
static void groups_in_force_are_saved(void **state)
{
    (void)state;
    open_it();
    put(1);
    cachefile_save(&file);
    cachefile_configure(&file, &config, &other_routes);
    cachefile_wait(&file); /* also the entries being written at that time */
    assert_int_not_equal(inode(), 0);
    read_again();
    assert_false(has(1));
    put(1);
    cachefile_configure(&file, &config, &other_routes);
    save();
    cachefile_configure(&file, &config, &routes);
    save();
    read_again();
    assert_true(has(1));
}

static void a_damaged_file_is_ignored_and_replaced(void **state)
{
    (void)state;
    open_it();
    put(1);
    save();
    assert_int_equal(truncate(path, 60), 0);
    read_again();
    assert_false(has(1));
    put(2);
    save();
    read_again();
    assert_true(has(2));
}

/* Others could have written it, or replaced it by a link. */
static void a_file_that_is_not_ours_alone_is_ignored(void **state)
{
    char elsewhere[128];
    (void)state;
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    open_it();
    put(1);
    save();
    assert_int_equal(chmod(path, 0620), 0);
    read_again();
    assert_false(has(1));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    read_again();
    assert_false(has(1));
    assert_int_equal(rename(elsewhere, path), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65534, 0), 0);
        read_again();
        assert_false(has(1));
        assert_int_equal(chown(path, 0, 0), 0);
    }
    read_again();
    assert_true(has(1));
}

static void a_path_that_is_not_a_file_is_ignored(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    open_it();
    put(1);
    save();
    read_again();
    assert_true(has(1));
}

static void a_missing_folder(void **state)
{
    static char nowhere[] = "/nonexistent/cache";
    (void)state;
    config.cache.save_file = nowhere;
    open_it();
    put(1);
    save();
    put(2);
    save();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_cache_is_written_and_read),
        TEST(without_save_there_is_no_file),
        TEST(without_a_change_nothing_is_written),
        TEST(flushed_entries_do_not_come_back),
        TEST(a_flush_during_a_write),
        TEST(the_last_save_has_the_newest_entries),
        TEST(groups_in_force_are_saved),
        TEST(a_damaged_file_is_ignored_and_replaced),
        TEST(a_file_that_is_not_ours_alone_is_ignored),
        TEST(a_path_that_is_not_a_file_is_ignored),
        TEST(a_missing_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
