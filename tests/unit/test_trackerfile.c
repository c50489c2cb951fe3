/* SPDX-License-Identifier: MIT */
/* The saved state of trust anchors: what it brings back, and what no change of the file can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/hash.h"
#include "daemon/trackerfile.h"
#include "resolve/tracked.h"
#include "root_signer.h"

static struct ksk old, new, stranger;
static struct anchors *configured;
static struct config config;
static char folder[64], cache_path[128], path[128];
static uint8_t content[256 * 1024];
static size_t content_len;

static int begin(void **state)
{
    (void)state;
    hash_init_fixed((const uint8_t *)"0123456789abcdef");
    snprintf(folder, sizeof folder, "/tmp/dotstub-trackerfile-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(cache_path, sizeof cache_path, "%s/cache", folder);
    snprintf(path, sizeof path, "%s/trust-anchors", folder);
    config = (struct config){.cache = {.save_file = cache_path}};
    make_key(&old);
    make_key(&new);
    make_key(&stranger);
    now_s = SIGNER_NOW;
    clock_fake(UINT64_C(1000000) * DAY, now_s);
    if (anchors_new(&configured) < 0)
        return -1;
    return anchors_add(configured, (const uint8_t *)"", 1, TYPE_DNSKEY, key_of(&old));
}

static int end(void **state)
{
    (void)state;
    (void)tracked_begin(NULL);
    anchors_unref(configured);
    gnutls_privkey_deinit(old.signer.key);
    gnutls_privkey_deinit(new.signer.key);
    gnutls_privkey_deinit(stranger.signer.key);
    clock_real();
    unlink(path);
    return rmdir(folder); /* nothing else was left in it */
}

static enum tracking_result see(const struct set *set)
{
    static struct tracking_change changes[TRACKING_KEYS];
    unsigned count;
    return tracked_see(sighting_of(set), changes, &count);
}

static void pass(int64_t seconds)
{
    now_s += seconds;
    clock_fake(UINT64_C(1000000) * DAY, now_s);
}

static void restart(void)
{
    assert_true(tracked_begin(NULL));
    assert_true(tracked_begin(configured));
    trackerfile_read(&config);
}

static enum tracking_state state_of(const struct ksk *ksk)
{
    struct tracked_key keys[TRACKING_KEYS];
    unsigned count = tracked_list(keys);
    for (unsigned i = 0; i < count; i++)
        if (keys[i].tag == ksk->signer.tag)
            return keys[i].state;
    return TRACKING_START;
}

static void read_content(void)
{
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    content_len = fread(content, 1, sizeof content, in);
    assert_true(content_len > DIGEST_LEN && feof(in));
    fclose(in);
}

/* Writes these bytes with a digest that fits them. */
static void write_content(const uint8_t *data, size_t len)
{
    uint8_t digest[DIGEST_LEN];
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    digest_bytes(digest, data, len);
    fwrite(data, 1, len, out);
    fwrite(digest, 1, sizeof digest, out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

/* The new key is valid, and the old one is revoked. */
static void change_the_key(void)
{
    struct ksk form = revoked(&old);
    assert_true(tracked_begin(configured));
    see(&(struct set){KEYS(&old, &new), SIGNERS(&old)});
    pass(TRACKING_HOLD_S);
    see(&(struct set){KEYS(&old, &new), SIGNERS(&old)});
    pass(DAY);
    see(&(struct set){KEYS(&form, &new), SIGNERS(&form, &new)});
    assert_int_equal(state_of(&new), TRACKING_VALID);
    assert_int_equal(state_of(&old), TRACKING_REVOKED);
    trackerfile_write(&config);
}

static void a_restart_brings_the_states_back(void **state)
{
    (void)state;
    struct stat stat_of;
    change_the_key();
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
    restart();
    assert_int_equal(state_of(&new), TRACKING_VALID);
    assert_int_equal(state_of(&old), TRACKING_REVOKED);
}

static void without_a_change_there_is_no_file(void **state)
{
    (void)state;
    assert_true(tracked_begin(configured));
    see(&(struct set){KEYS(&old, &new), SIGNERS(&old)});
    trackerfile_write(&config);
    assert_int_equal(access(path, F_OK), 0);
    see(&(struct set){KEYS(&old), SIGNERS(&old)});
    trackerfile_write(&config);
    assert_int_equal(access(path, F_OK), -1);
    restart();
    assert_int_equal(state_of(&old), TRACKING_VALID);
}

static void a_file_that_is_not_private_or_not_whole_is_ignored(void **state)
{
    (void)state;
    change_the_key();
    assert_int_equal(chmod(path, 0640), 0);
    restart();
    assert_int_equal(state_of(&old), TRACKING_VALID);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 100), 0);
    restart();
    assert_int_equal(state_of(&old), TRACKING_VALID);
    assert_int_equal(state_of(&new), TRACKING_START);
}

/* One line that cannot be read makes the whole file unusable, so that the lines before it are not half a state. */
static void a_line_that_cannot_be_read_spoils_the_file(void **state)
{
    (void)state;
    static const char *const lines[] = {"x\n",       "1800000000\n",      "1800000000 !!!!\n",
                                        "-1 AAAA\n", "1800000000 AAAA\n", "99999999999 AAAA\n"};
    change_the_key();
    read_content();
    size_t len = content_len - DIGEST_LEN;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        memcpy(content + len, lines[i], strlen(lines[i]));
        write_content(content, len + strlen(lines[i]));
        restart();
        assert_int_equal(state_of(&old), TRACKING_VALID);
        assert_int_equal(state_of(&new), TRACKING_START);
    }
}

/* The lines of the file with other times. */
static void write_with_times(int64_t first_s, int64_t second_s)
{
    static char text[sizeof content];
    char *next = NULL;
    size_t len = 0;
    memcpy(text, content, content_len - DIGEST_LEN);
    text[content_len - DIGEST_LEN] = '\0';
    char *line = strtok_r(text, "\n", &next);
    static char out[sizeof content];
    len = (size_t)snprintf(out, sizeof out, "%s\n", line);
    for (unsigned i = 0; (line = strtok_r(NULL, "\n", &next)); i++)
        len += (size_t)snprintf(out + len, sizeof out - len, "%lld%s\n", (long long)(i == 0 ? first_s : second_s),
                                strchr(line, ' '));
    write_content((const uint8_t *)out, len);
}

static void times_are_believed_within_the_signatures_only(void **state)
{
    (void)state;
    assert_true(tracked_begin(configured));
    int64_t first_s = now_s;
    see(&(struct set){KEYS(&old, &new), SIGNERS(&old)});
    pass(TRACKING_HOLD_S);
    see(&(struct set){KEYS(&old, &new), SIGNERS(&old)});
    trackerfile_write(&config);
    read_content();
    write_with_times(first_s, first_s + 10 * DAY); /* before the second signature */
    restart();
    assert_int_equal(state_of(&new), TRACKING_PENDING);
    write_with_times(first_s, now_s + 3 * DAY); /* it has not come yet */
    restart();
    assert_int_equal(state_of(&new), TRACKING_PENDING);
    write_with_times(first_s + 15 * DAY, now_s + DAY / 2);
    restart();
    assert_int_equal(state_of(&new), TRACKING_PENDING);
    write_with_times(first_s, now_s);
    restart();
    assert_int_equal(state_of(&new), TRACKING_VALID);
}

/* The program that wrote the file has taken over the service user: the digest is right, the rest is random. */
static void no_change_of_the_file_adds_a_key_or_leaves_none(void **state)
{
    (void)state;
    static uint8_t changed[sizeof content];
    struct tracked_key keys[TRACKING_KEYS];
    change_the_key();
    read_content();
    size_t len = content_len - DIGEST_LEN;
    srand(1);
    for (unsigned round = 0; round < 400; round++) {
        size_t some = round % 4 == 0 ? (size_t)rand() % len : len;
        memcpy(changed, content, len);
        for (int left = rand() % 3; left >= 0; left--) {
            uint8_t *byte = &changed[25 + (size_t)rand() % (len - 25)];
            *byte = round % 2 ? (uint8_t)rand() : *byte == '\n' ? '\n' : (uint8_t)('A' + rand() % 26);
        }
        write_content(changed, some);
        restart();
        unsigned count = tracked_list(keys), trusted = 0;
        for (unsigned i = 0; i < count; i++) {
            bool known = keys[i].tag == old.signer.tag || keys[i].tag == new.signer.tag;
            trusted += tracking_is_trusted(keys[i].state);
            assert_true(known || !tracking_is_trusted(keys[i].state));
        }
        assert_true(trusted > 0);
    }
}

static void a_foreign_key_is_not_added(void **state)
{
    (void)state;
    struct set set = {KEYS(&old, &stranger), SIGNERS(&stranger)};
    assert_true(tracked_begin(configured));
    see(&(struct set){KEYS(&old, &new), SIGNERS(&old)});
    trackerfile_write(&config);
    read_content();
    /* The root of a liar, with its own state. */
    struct anchors *its;
    assert_int_equal(anchors_new(&its), 0);
    assert_int_equal(anchors_add(its, (const uint8_t *)"", 1, TYPE_DNSKEY, key_of(&stranger)), 0);
    assert_true(tracked_begin(its));
    see(&set);
    pass(TRACKING_HOLD_S);
    see(&set);
    trackerfile_write(&config);
    anchors_unref(its);
    restart();
    assert_int_equal(state_of(&stranger), TRACKING_START);
    assert_int_equal(state_of(&old), TRACKING_VALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_restart_brings_the_states_back),
        TEST(without_a_change_there_is_no_file),
        TEST(a_file_that_is_not_private_or_not_whole_is_ignored),
        TEST(a_line_that_cannot_be_read_spoils_the_file),
        TEST(times_are_believed_within_the_signatures_only),
        TEST(no_change_of_the_file_adds_a_key_or_leaves_none),
        TEST(a_foreign_key_is_not_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
