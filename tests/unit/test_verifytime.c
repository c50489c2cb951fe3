/* SPDX-License-Identifier: MIT */
/* The time of verification: the choice between the three times, saving, and its effect on certificates.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/errors.h"
#include "net/tls.h"
#include "net/verifytime.h"
#include "tls_server.h"

#define NAME           "dns.test.example"
#define BUILD          BUILD_DATE_S
#define HOUR           3600
#define HOUR_MS        (HOUR * 1000ull)
#define TEN_MINUTES_MS (600 * 1000ull)
#define DAY            86400
#define YEAR           (365ll * DAY)

/* Each test has a directory of its own, and a process without a handshake. */
static char directory[] = "/tmp/dotstub-test-time-XXXXXX";
static char path[64], new_path[64];

/* The wall clock, and milliseconds since the boot. */
static void set_clock(int64_t wall_s, uint64_t ms)
{
    clock_fake(ms * 1000, wall_s);
}

static int setup(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/verified", directory);
    snprintf(new_path, sizeof(new_path), "%s/verified.new", directory);
    set_clock(BUILD + YEAR, 1000);
    verifytime_load(path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clock_real();
    unlink(path);
    unlink(new_path);
    rmdir(path);
    return rmdir(directory);
}

static void write_file(const void *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
}

static const char *read_file(void)
{
    static char text[100];
    memset(text, 0, sizeof(text));
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return "";
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    return text;
}

static const char *kept(int64_t seconds)
{
    static char text[100];
    snprintf(text, sizeof(text), "verified %lld\n", (long long)seconds);
    return text;
}

/* Loads the file, and returns the lines logged meanwhile. */
static const char *load_and_listen(void)
{
    static char said[2000];
    int ends[2], standard_error = dup(STDERR_FILENO);
    memset(said, 0, sizeof(said));
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], STDERR_FILENO);
    verifytime_load(path);
    dup2(standard_error, STDERR_FILENO);
    ssize_t len = read(ends[0], said, sizeof(said) - 1);
    assert_true(len > 0 || errno == EAGAIN);
    close(ends[0]);
    close(ends[1]);
    close(standard_error);
    return said;
}

static bool is_one_line(const char *said)
{
    const char *end = strchr(said, '\n');
    return end && end[1] == '\0';
}

/* --- choice of the time --- */

static void correct_clock_is_used(void **state)
{
    (void)state;
    set_clock(BUILD + 5, 1000);
    assert_int_equal(verifytime_now(), BUILD + 5);
}

static void no_time_is_before_the_build(void **state)
{
    (void)state;
    set_clock(0, 1000);
    assert_int_equal(verifytime_now(), BUILD);
    set_clock(-5, 1000);
    assert_int_equal(verifytime_now(), BUILD);
}

static void no_time_is_before_the_last_verified_handshake(void **state)
{
    (void)state;
    set_clock(BUILD + DAY, 1000);
    verifytime_note();
    set_clock(BUILD + 2 * DAY, 1000);
    assert_int_equal(verifytime_now(), BUILD + 2 * DAY);
    set_clock(0, 1000);
    assert_int_equal(verifytime_now(), BUILD + DAY);
    verifytime_note();
    assert_int_equal(verifytime_now(), BUILD + DAY);
}

/* --- the file --- */

static void time_is_saved_over_a_restart(void **state)
{
    (void)state;
    struct stat file;
    verifytime_note();
    verifytime_save(path);
    assert_string_equal(read_file(), kept(BUILD + YEAR));
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode, S_IFREG | 0600);
    assert_int_equal(access(new_path, F_OK), -1);
    set_clock(0, 5);
    verifytime_load(path);
    assert_int_equal(verifytime_now(), BUILD + YEAR);
}

static void nothing_is_saved_before_a_handshake(void **state)
{
    (void)state;
    verifytime_save(path);
    assert_int_equal(access(path, F_OK), -1);
}

static void file_is_written_once_an_hour(void **state)
{
    (void)state;
    verifytime_note();
    verifytime_save(path);
    set_clock(BUILD + 2 * YEAR, 1000 + HOUR_MS - 1);
    verifytime_note();
    verifytime_save(path);
    assert_string_equal(read_file(), kept(BUILD + YEAR));
    set_clock(BUILD + 2 * YEAR, 1000 + HOUR_MS);
    verifytime_save(path);
    assert_string_equal(read_file(), kept(BUILD + 2 * YEAR));
}

static void file_is_not_written_again_without_a_handshake(void **state)
{
    (void)state;
    verifytime_note();
    verifytime_save(path);
    assert_int_equal(unlink(path), 0);
    set_clock(BUILD + YEAR + HOUR, 1000 + HOUR_MS);
    verifytime_save(path);
    assert_int_equal(access(path, F_OK), -1);
}

static void time_that_was_loaded_is_not_written_back(void **state)
{
    (void)state;
    write_file(kept(BUILD + YEAR), strlen(kept(BUILD + YEAR)));
    set_clock(0, 1000);
    verifytime_load(path);
    assert_int_equal(unlink(path), 0);
    verifytime_note();
    verifytime_save(path);
    assert_int_equal(access(path, F_OK), -1);
}

static void rest_of_a_broken_save_is_replaced_and_no_link_followed(void **state)
{
    (void)state;
    char victim[80];
    struct stat file;
    snprintf(victim, sizeof(victim), "%s/victim", directory);
    assert_int_equal(symlink(victim, new_path), 0);
    verifytime_note();
    verifytime_save(path);
    assert_string_equal(read_file(), kept(BUILD + YEAR));
    assert_int_equal(access(victim, F_OK), -1);
    assert_int_equal(lstat(path, &file), 0);
    assert_true(S_ISREG(file.st_mode));
}

static void failed_save_leaves_nothing_and_is_tried_again_an_hour_later(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0); /* cannot be replaced by a file */
    verifytime_note();
    verifytime_save(path);
    assert_int_equal(access(new_path, F_OK), -1);
    assert_int_equal(rmdir(path), 0);
    verifytime_save(path);
    assert_int_equal(access(path, F_OK), -1);
    set_clock(BUILD + YEAR, 1000 + HOUR_MS);
    verifytime_save(path);
    assert_string_equal(read_file(), kept(BUILD + YEAR));
}

static void path_without_end_is_survived(void **state)
{
    (void)state;
    static char long_path[8192];
    memset(long_path, 'a', sizeof(long_path) - 1);
    verifytime_load(long_path);
    verifytime_note();
    verifytime_save(long_path);
    assert_int_equal(verifytime_now(), BUILD + YEAR);
}

static void absent_file_is_nothing_to_speak_of(void **state)
{
    (void)state;
    assert_string_equal(load_and_listen(), "");
    assert_int_equal(verifytime_now(), BUILD + YEAR);
}

static void valid_file_is_not_logged(void **state)
{
    (void)state;
    write_file("verified 5\n", 11);
    assert_string_equal(load_and_listen(), "");
}

static void clock_that_is_behind_is_one_line(void **state)
{
    (void)state;
    set_clock(0, 1000);
    const char *said = load_and_listen();
    assert_true(is_one_line(said));
    assert_non_null(strstr(said, "behind"));
}

static void is_ignored_with_one_line(const void *text, size_t len)
{
    write_file(text, len);
    const char *said = load_and_listen();
    if (!is_one_line(said) || !strstr(said, "ignoring") || verifytime_now() != BUILD + YEAR)
        fail_msg("believed %zu bytes: %.*s", len, (int)len, (const char *)text);
}

static void garbage_is_ignored_with_one_line(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n",
        "verified \n",
        "verified",
        "verified 1800000000",
        "verified 1800000000\n\n",
        "verified 1800000000 \n",
        "verified  1800000000\n",
        "verified -1800000000\n",
        "verified +1800000000\n",
        "verified 1800000000.5\n",
        "verified 0x6b49d200\n",
        "verifies 1800000000\n",
        "1800000000\n",
        "verified 99999999999\n",
        "verified 9999999999999999999999999999\n",
    };
    static const char with_nul[] = "verified 18000\0000000\n";
    static char long_text[100000];
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        is_ignored_with_one_line(texts[i], strlen(texts[i]));
    is_ignored_with_one_line(with_nul, sizeof(with_nul) - 1);
    memset(long_text, '1', sizeof(long_text));
    memcpy(long_text, "verified ", 9);
    long_text[sizeof(long_text) - 1] = '\n';
    is_ignored_with_one_line(long_text, sizeof(long_text));
    long_text[63] = '\n';
    is_ignored_with_one_line(long_text, sizeof(long_text));
}

static void time_ten_years_after_the_build_is_ignored(void **state)
{
    (void)state;
    const char *text = kept(BUILD + 10 * YEAR + 1);
    is_ignored_with_one_line(text, strlen(text));
    write_file(kept(BUILD + 10 * YEAR), strlen(text));
    set_clock(0, 1000);
    assert_non_null(strstr(load_and_listen(), "behind"));
    assert_int_equal(verifytime_now(), BUILD + 10 * YEAR);
}

static void directory_or_pipe_in_its_place_is_one_line(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(is_one_line(load_and_listen()));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(is_one_line(load_and_listen()));
    assert_int_equal(verifytime_now(), BUILD + YEAR);
}

static void file_that_others_can_write_is_one_line(void **state)
{
    (void)state;
    const char *text = kept(BUILD + YEAR);
    write_file(text, strlen(text));
    assert_int_equal(chmod(path, 0602), 0);
    set_clock(0, 1000);
    assert_non_null(strstr(load_and_listen(), "of another user, or accessible to others"));
    assert_int_equal(verifytime_now(), BUILD);
}

/* --- certificates --- */

/* A CA that is valid from the build date on, for ten years. */
static struct certificate authority;
static char *ca_file;

static int64_t from_now(int64_t at_s)
{
    return at_s - time(NULL);
}

static int make_authority(void **state)
{
    (void)state;
    authority = certificate_make(&(struct certificate_spec){.common_name = "authority",
                                                            .ca = true,
                                                            .from_s = from_now(BUILD - DAY),
                                                            .until_s = from_now(BUILD + 10 * YEAR)});
    ca_file = certificate_file(&authority, 1);
    return 0;
}

static int unmake_authority(void **state)
{
    (void)state;
    unlink(ca_file);
    free(ca_file);
    certificate_free(&authority);
    return 0;
}

static int handshake(struct tls *tls, struct buffer *output, struct tls_server *server)
{
    int result = tls_handshake(tls);
    while (result == -EAGAIN) {
        assert_int_equal(buffer_append(&server->in, buffer_bytes(output).data, output->len), 0);
        buffer_consume(output, output->len);
        tls_server_step(server);
        assert_true(server->out.len > 0);
        tls_input(tls, buffer_bytes(&server->out));
        result = tls_handshake(tls);
        buffer_consume(&server->out, server->out.len);
    }
    return result;
}

static int outcome(const struct tls_trust_options *options, const struct certificate *leaf)
{
    struct tls_trust *trust = NULL;
    struct tls_tickets tickets = {0};
    struct tls_server server;
    assert_int_equal(tls_trust_new(&trust, options), 0);
    struct buffer output = {0};
    struct tls *tls = tls_new(&(struct tls_client){trust, &tickets, "dot"}, &output);
    assert_non_null(tls);
    tls_server_init(&server, &(struct tls_server_options){.chain = leaf, .chain_len = 1});
    int result = handshake(tls, &output, &server);
    tls_free(tls);
    buffer_free(&output);
    tls_server_fini(&server);
    tls_tickets_clear(&tickets);
    tls_trust_unref(trust);
    return result;
}

/* The outcome of a handshake with a server whose certificate is valid in that time. */
static int outcome_of(int64_t from_s, int64_t until_s)
{
    struct certificate leaf = certificate_make(&(struct certificate_spec){
        .sans = {NAME}, .issuer = &authority, .from_s = from_now(from_s), .until_s = from_now(until_s)});
    int result = outcome(&(struct tls_trust_options){.ca_file = ca_file, .tls_name = NAME, .min_version = 12}, &leaf);
    certificate_free(&leaf);
    return result;
}

static void certificate_is_verified_by_the_clock(void **state)
{
    (void)state;
    set_clock(BUILD + 30 * DAY, 1000);
    assert_int_equal(outcome_of(BUILD + 31 * DAY, BUILD + 90 * DAY), ERROR_TLS_NOT_YET);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 29 * DAY), ERROR_TLS_EXPIRED);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 90 * DAY), 0);
}

static void machine_without_a_clock_verifies_at_the_date_of_the_build(void **state)
{
    (void)state;
    set_clock(0, 1000);
    assert_int_equal(outcome_of(BUILD - DAY, BUILD + DAY), 0);
    assert_int_equal(outcome_of(BUILD - 2 * DAY, BUILD - DAY), ERROR_TLS_EXPIRED);
}

/* The valid chain proves that the clock is behind. */
static void chain_from_the_future_is_accepted_before_the_build(void **state)
{
    (void)state;
    set_clock(0, 3600 * 1000);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 2 * DAY), 0);
    assert_int_equal(outcome_of(BUILD - 2 * DAY, BUILD - DAY), ERROR_TLS_EXPIRED);
    assert_int_equal(outcome_of(BUILD + 2 * DAY, BUILD + DAY), ERROR_TLS_EXPIRED); /* never valid */
    assert_int_equal(verifytime_now(), BUILD);                                     /* the time was not recorded */
}

static void chain_from_the_future_is_accepted_for_ten_minutes_without_synchronisation(void **state)
{
    (void)state;
    set_clock(BUILD + 30 * DAY, TEN_MINUTES_MS - 1);
    assert_int_equal(outcome_of(BUILD + 31 * DAY, BUILD + 90 * DAY), ERROR_TLS_NOT_YET);
    clock_fake_synchronised(false);
    assert_int_equal(outcome_of(BUILD + 31 * DAY, BUILD + 90 * DAY), 0);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 29 * DAY), ERROR_TLS_EXPIRED);
    set_clock(BUILD + 30 * DAY, TEN_MINUTES_MS);
    assert_int_equal(outcome_of(BUILD + 31 * DAY, BUILD + 90 * DAY), ERROR_TLS_NOT_YET);
    set_clock(0, 1000);
    assert_int_equal(verifytime_now(), BUILD);
}

static void chain_from_the_future_must_be_good_otherwise(void **state)
{
    (void)state;
    set_clock(0, 1000);
    struct certificate other = certificate_make(&(struct certificate_spec){.sans = {"other.example"},
                                                                           .issuer = &authority,
                                                                           .from_s = from_now(BUILD + DAY),
                                                                           .until_s = from_now(BUILD + YEAR)});
    struct certificate alone = certificate_make(
        &(struct certificate_spec){.sans = {NAME}, .from_s = from_now(BUILD + DAY), .until_s = from_now(BUILD + YEAR)});
    const struct tls_trust_options options = {.ca_file = ca_file, .tls_name = NAME, .min_version = 12};
    assert_int_equal(outcome(&options, &other), ERROR_TLS_NAME);
    assert_int_equal(outcome(&options, &alone), ERROR_TLS_UNTRUSTED);
    certificate_free(&other);
    certificate_free(&alone);
}

static void clock_that_was_ahead_has_no_effect_once_corrected(void **state)
{
    (void)state;
    set_clock(BUILD + 9 * YEAR, 1000);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 10 * YEAR), 0);
    verifytime_save(path);
    set_clock(BUILD + 10 * DAY, 1000);
    assert_int_equal(verifytime_now(), BUILD + 10 * DAY);
    verifytime_load(path);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 90 * DAY), 0);
    set_clock(0, 1000); /* the recorded time is used */
    assert_int_equal(verifytime_now(), BUILD + 10 * DAY);
}

static void clock_behind_the_build_makes_no_expired_certificate_good(void **state)
{
    (void)state;
    set_clock(BUILD + 60 * DAY, 1000);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 90 * DAY), 0);
    set_clock(0, 1000);
    assert_int_equal(verifytime_now(), BUILD + 60 * DAY);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 20 * DAY), ERROR_TLS_EXPIRED);
    verifytime_save(path);
    verifytime_load(path);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 20 * DAY), ERROR_TLS_EXPIRED);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 90 * DAY), 0);
}

static void failed_handshake_does_not_record_the_time(void **state)
{
    (void)state;
    set_clock(BUILD + 60 * DAY, 1000);
    assert_int_equal(outcome_of(BUILD + DAY, BUILD + 2 * DAY), ERROR_TLS_EXPIRED);
    set_clock(0, 1000);
    assert_int_equal(verifytime_now(), BUILD);
}

static void handshake_verified_by_pins_alone_does_not_record_the_time(void **state)
{
    (void)state;
    struct certificate leaf = certificate_make(&(struct certificate_spec){.sans = {NAME}});
    const struct tls_pin pin = certificate_pin(&leaf);
    set_clock(BUILD + 9 * YEAR, 1000);
    assert_int_equal(outcome(&(struct tls_trust_options){.pins = &pin, .pin_count = 1, .min_version = 12}, &leaf), 0);
    certificate_free(&leaf);
    set_clock(0, 1000);
    assert_int_equal(verifytime_now(), BUILD);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(correct_clock_is_used),
        TEST(no_time_is_before_the_build),
        TEST(no_time_is_before_the_last_verified_handshake),
        TEST(time_is_saved_over_a_restart),
        TEST(nothing_is_saved_before_a_handshake),
        TEST(file_is_written_once_an_hour),
        TEST(file_is_not_written_again_without_a_handshake),
        TEST(time_that_was_loaded_is_not_written_back),
        TEST(rest_of_a_broken_save_is_replaced_and_no_link_followed),
        TEST(failed_save_leaves_nothing_and_is_tried_again_an_hour_later),
        TEST(path_without_end_is_survived),
        TEST(absent_file_is_nothing_to_speak_of),
        TEST(valid_file_is_not_logged),
        TEST(clock_that_is_behind_is_one_line),
        TEST(garbage_is_ignored_with_one_line),
        TEST(time_ten_years_after_the_build_is_ignored),
        TEST(directory_or_pipe_in_its_place_is_one_line),
        TEST(file_that_others_can_write_is_one_line),
        TEST(certificate_is_verified_by_the_clock),
        TEST(machine_without_a_clock_verifies_at_the_date_of_the_build),
        TEST(chain_from_the_future_is_accepted_before_the_build),
        TEST(chain_from_the_future_is_accepted_for_ten_minutes_without_synchronisation),
        TEST(chain_from_the_future_must_be_good_otherwise),
        TEST(clock_that_was_ahead_has_no_effect_once_corrected),
        TEST(clock_behind_the_build_makes_no_expired_certificate_good),
        TEST(failed_handshake_does_not_record_the_time),
        TEST(handshake_verified_by_pins_alone_does_not_record_the_time),
    };
    return cmocka_run_group_tests(tests, make_authority, unmake_authority);
}
