/* SPDX-License-Identifier: MIT */
/* Single values: what each type accepts and refuses, and the consistency of the table. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/spelling.h"
#include "config/foreign.h"
#include "config/options.h"
#include "config/report.h"
#include "config/value.h"

static const struct option *option_of(const char *key)
{
    size_t i = option_index(options, option_count, key);
    if (i < option_count)
        return &options[i];
    i = option_index(upstream_options, upstream_option_count, key);
    assert_true(i < upstream_option_count);
    return &upstream_options[i];
}

static struct value taken(const char *key, const char *text)
{
    struct value value = {0};
    char why[VALUE_WHY] = "";
    if (!value_parse(&value, option_of(key), text, why))
        fail_msg("%s refuses %s: %s", key, text, why);
    return value;
}

static void refused(const char *key, const char *text, const char *sentence)
{
    struct value value = {.number = 4711};
    char why[VALUE_WHY] = "";
    if (value_parse(&value, option_of(key), text, why))
        fail_msg("%s takes %s", key, text);
    assert_int_equal(value.number, 4711);
    foreign_explain(option_of(key), text, why);
    if (!strstr(why, sentence))
        fail_msg("%s of %s: %s", text, key, why);
}

static void integers_are_decimal_and_in_range(void **state)
{
    (void)state;
    assert_int_equal(taken("limits.udp-size", "512").number, 512);
    assert_int_equal(taken("limits.udp-size", "4096").number, 4096);
    assert_int_equal(taken("max-qps", "0").number, 0);
    refused("limits.udp-size", "511", "out of range; use 512 to 4096");
    refused("limits.udp-size", "4097", "out of range");
    refused("limits.udp-size", "18446744073709551617", "out of range");
    static const char *const odd[] = {"0512", "0x200", "1_000", "1e3", "+600", "-1", "600.0", " 600", "600 ", ""};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        refused("limits.udp-size", odd[i], "is not a whole number");
}

static void workers_are_a_number_or_auto(void **state)
{
    (void)state;
    assert_int_equal(taken("workers", "64").number, 64);
    assert_true(taken("workers", "auto").none);
    refused("workers", "0", "use 1 to 64 or auto");
    refused("workers", "65", "use 1 to 64 or auto");
    refused("workers", "many", "whole number or auto");
}

static void durations_need_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {{"500ms", 500}, {"30s", 30000}, {"0", 0}, {"0s", 0}, {"0ms", 0}, {"5m", 300000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint64_t ms = cases[i].ms;
        if (ms <= 30000)
            assert_int_equal(taken("cache.stale-answer-after", cases[i].text).number, ms);
        else
            assert_int_equal(taken("tls.idle", cases[i].text).number, ms);
    }
    assert_int_equal(taken("cache.max-ttl", "1d").number, 86400000);
    assert_int_equal(taken("cache.max-ttl", "1h").number, 3600000);
    assert_int_equal(taken("cache.serve-stale", "0").number, 0);
    static const char *const odd[] = {"30", "1w", "1.5s", "1h30m", "s", "30 s", "30S", "-1s", "01s", "0x1s", ""};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        refused("tls.idle", odd[i], "is not a duration");
    refused("cache.max-ttl", "1500ms", "not a whole number of seconds");
    refused("cache.max-ttl", "999999999999999999d", "out of range");
    refused("limits.answer-by", "0", "out of range; use 100ms to 30s");
    refused("tls.idle", "2d", "out of range; use 100ms to 1d");
}

static void sizes_are_binary(void **state)
{
    (void)state;
    assert_int_equal(taken("cache.size", "64MiB").number, 64 << 20);
    assert_int_equal(taken("cache.size", "2048KiB").number, 2 << 20);
    assert_int_equal(taken("cache.size", "1GiB").number, 1 << 30);
    assert_int_equal(taken("cache.size", "67108864").number, 64 << 20);
    static const char *const odd[] = {"64MB", "64M", "64mib", "64 MiB", "1.5GiB", "MiB", "064MiB"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        refused("cache.size", odd[i], "is not a size");
    refused("cache.size", "0", "use 1MiB to 1024GiB");
    refused("cache.size", "1025GiB", "out of range");
    refused("cache.size", "99999999999999999999GiB", "out of range");
}

static void booleans_are_yes_and_no_in_three_ways(void **state)
{
    (void)state;
    static const char *const yes[] = {"yes", "true", "on", "Yes", "TRUE"}, *const no[] = {"no", "false", "off", "No"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
        assert_int_equal(taken("cache.save", yes[i]).number, 1);
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
        assert_int_equal(taken("cache.save", no[i]).number, 0);
    refused("cache.save", "1", "neither yes nor no");
    refused("cache.save", "y", "neither yes nor no");
    refused("cache.save", "", "neither yes nor no");
}

static void choices_name_their_words_and_the_one_meant(void **state)
{
    (void)state;
    assert_int_equal(taken("log.level", "debug").number, LOG_LEVEL_DEBUG);
    assert_int_equal(taken("tls.min-version", "1.3").number, 13);
    assert_int_equal(taken("ecs", "default").number, ECS_DEFAULT);
    refused("log.level", "warn", "error, warning, info or debug; did you mean \"warning\"?");
    refused("log.level", "degub", "did you mean \"debug\"?");
    refused("log.level", "chatty", "\"chatty\" is not error, warning, info or debug");
    refused("role", "Primary", "did you mean \"primary\"?");
    refused("tls.min-version", "1.1", "1.2 or 1.3");
}

static void levels_are_of_existing_modules(void **state)
{
    (void)state;
    const struct config_log_level level = taken("log.modules", "upstream=debug").level;
    assert_string_equal(log_module_name(level.module), "upstream");
    assert_int_equal(level.level, LOG_LEVEL_DEBUG);
    refused("log.modules", "tsl=debug", "\"tsl=debug\" is not a module; the modules are cache, config, control,");
    refused("log.modules", "=debug", "is not a module");
    refused("log.modules", "tls", "\"tls\" is not MODULE=LEVEL, the level error, warning, info or debug");
    refused("log.modules", "tls=loud", "is not MODULE=LEVEL");
    refused("log.modules", "tls=", "is not MODULE=LEVEL");
}

static void texts_and_paths(void **state)
{
    (void)state;
    assert_int_equal(taken("identity.version", "a b").text.len, 3);
    assert_true(taken("identity.version", "off").none);
    assert_true(taken("control.socket", "off").none);
    assert_true(taken("ca-file", "").none);
    refused("identity.version", "", "expected a text here");
    refused("tls.ca-file", "", "expected a text here");
    refused("control.socket", "run/x.sock", "not an absolute path or off");
    char path[200];
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[107] = '\0';
    assert_int_equal(taken("control.socket", path).text.len, 107);
    path[107] = 'x';
    path[108] = '\0';
    refused("control.socket", path, "longer than 107");
    refused("name", "a b", "is not a name");
    refused("name", "a/b", "is not a name");
}

static void host_names(void **state)
{
    (void)state;
    assert_int_equal(taken("tls-name", "dns.google").text.len, 10);
    assert_int_equal(taken("tls-name", "dns.google.").text.len, 10);
    assert_int_equal(taken("tls-name", "1dot1dot1dot1.cloudflare-dns.com").text.len, 32);
    assert_int_equal(taken("tls-name", "localhost").text.len, 9);
    assert_int_equal(taken("tls-name", "xn--bcher-kva.example").text.len, 21);
    refused("tls-name", "8.8.8.8", "is an address");
    refused("tls-name", "2001:db8::1", "is an address");
    refused("tls-name", "1.1.1.1@853", "is an address");
    static const char *const odd[] = {
        ".",          "dns..google", ".dns.google", "dns.google..", "dns.google:853",
        "dns google", "dns.google ", "-a.example",  "a-.example",   "b\303\274cher.example",
        "*.google",   "a_b.example", "1.2.3.4.5",   "dns.google/x", "example.256"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        refused("tls-name", odd[i], "is not a host name");

    char longest[300] = "";
    for (int i = 0; i < 4; i++) {
        memset(longest + i * 64, 'a', 63);
        longest[i * 64 + 63] = '.';
    }
    longest[253] = '\0'; /* 63.63.63.61 */
    assert_int_equal(taken("tls-name", longest).text.len, 253);
    longest[253] = 'a';
    longest[254] = '\0';
    refused("tls-name", longest, "is not a host name");
    memset(longest, 'a', 64);
    longest[64] = '\0';
    refused("tls-name", longest, "is not a host name");
}

static void addresses_and_their_ports(void **state)
{
    (void)state;
    struct value value = taken("listen", "127.0.0.1");
    assert_int_equal(addr_port(&value.addr), 53);
    value = taken("listen", "::1@5300");
    assert_int_equal(addr_port(&value.addr), 5300);
    value = taken("addresses", "192.0.2.1");
    assert_int_equal(addr_port(&value.addr), 0); /* until the setting "port" is known */
    value = taken("metrics.listen", "127.0.0.1@9153");
    assert_int_equal(addr_port(&value.addr), 9153);
    assert_true(taken("metrics.listen", "off").none);
    assert_true(taken("source", "").none);
    value = taken("source", "192.0.2.7");
    assert_int_equal(value.addr.sa.sa_family, AF_INET);
    refused("metrics.listen", "127.0.0.1", "has no port");
    refused("source", "192.0.2.7@53", "has a port");
    static const char *const odd[] = {"localhost",   "127.0.0.1:53",    "[::1]:53", "[::1]",       "127.0.0.1@",
                                      "127.0.0.1@0", "127.0.0.1@65536", "127.1",    "127.0.0.1/8", "",
                                      "010.0.0.1"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        refused("listen", odd[i], "is not an address");
}

static void networks(void **state)
{
    (void)state;
    struct addr addr;
    assert_int_equal(addr_parse(&addr, "192.0.2.9", 53), 0);
    struct value value = taken("access.allow", "192.0.2.0/24");
    assert_true(prefix_holds(&value.prefix, &addr));
    refused("access.allow", "192.0.2.1/24", "is not a network");
    refused("access.allow", "192.0.2.0/33", "is not a network");
    refused("access.allow", "any", "is not a network");
}

static void pins_are_32_bytes_of_base64(void **state)
{
    (void)state;
    struct value value = taken("pins", "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=");
    for (unsigned i = 0; i < 31; i++)
        assert_int_equal(value.pin.sha256[i], i);
    assert_int_equal(value.pin.sha256[31], 0xff);
    static const char *const odd[] = {
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=",            /* no sha256/ */
        "sha1/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=",       /* another hash */
        "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8",      /* no padding */
        "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv9=",     /* bits behind the last byte */
        "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd_v8=",     /* another alphabet */
        "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ==", /* 34 bytes */
        "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",     /* 31 bytes */
        "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8= ",    /* a blank */
        "sha256/AAECAwQFBgcICQoLDA0O\nDxAREhMUFRYXGBkaGxwdHv8=",   /* in two lines */
        "sha256/",
        "",
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        refused("pins", odd[i], "is not a pin");
}

static void numbers_are_printed_in_the_largest_unit(void **state)
{
    (void)state;
    char text[NUMBER_TEXT];
    assert_string_equal(value_number(option_of("tls.idle"), 30000, text), "30s");
    assert_string_equal(value_number(option_of("tls.idle"), 1800, text), "1800ms");
    assert_string_equal(value_number(option_of("tls.idle"), 86400000, text), "1d");
    assert_string_equal(value_number(option_of("tls.idle"), 90000000, text), "25h");
    assert_string_equal(value_number(option_of("tls.idle"), 0, text), "0s");
    assert_string_equal(value_number(option_of("cache.size"), 64 << 20, text), "64MiB");
    assert_string_equal(value_number(option_of("cache.size"), 1000001, text), "1000001");
    assert_string_equal(value_number(option_of("workers"), 16, text), "16");
}

static void distance_finds_slips_only(void **state)
{
    (void)state;
    assert_int_equal(spelling_distance("lisetn", "listen"), 1);
    assert_int_equal(spelling_distance("liste", "listen"), 1);
    assert_int_equal(spelling_distance("listten", "listen"), 1);
    assert_int_equal(spelling_distance("Listen", "listen"), 1);
    assert_int_equal(spelling_distance("answer_by", "answer-by"), 1);
    assert_int_equal(spelling_distance("warn", "warning"), 1);
    assert_int_equal(spelling_distance("x", "ecs"), UINT_MAX);
    assert_int_equal(spelling_distance("forward", "listen"), UINT_MAX);
    assert_int_equal(spelling_distance("", "ecs"), UINT_MAX);
    char longest[200];
    memset(longest, 'a', sizeof(longest));
    longest[199] = '\0';
    assert_int_equal(spelling_distance(longest, "listen"), UINT_MAX);
    assert_int_equal(spelling_distance("listen", longest), UINT_MAX);
}

static void long_texts_are_quoted_in_part(void **state)
{
    (void)state;
    char quoted[QUOTED_TEXT], text[300] = "";
    assert_string_equal(report_quote("a", quoted), "\"a\"");
    for (int i = 0; i < 100; i++)
        strcat(text, "\303\251");
    report_quote(text, quoted);
    size_t len = strlen(quoted);
    assert_true(len < QUOTED_TEXT);
    assert_string_equal(quoted + len - 4, "...\"");
    assert_int_equal((unsigned char)quoted[len - 5], 0251); /* not cut within a character */
}

static void each_setting_has_a_variable_of_its_own(void **state)
{
    (void)state;
    char name[OPTION_VARIABLE_TEXT];
    assert_string_equal(option_variable(option_of("cache.negative-max-ttl"), name), "DOTSTUB_CACHE_NEGATIVE_MAX_TTL");
    for (size_t i = 0; i < option_count; i++)
        assert_int_equal(option_by_variable(option_variable(&options[i], name)), i);
    assert_int_equal(option_by_variable("DOTSTUB_SIZE"), option_count);
}

static void settings_of_one_section_are_adjacent(void **state)
{
    (void)state;
    for (size_t i = 1; i < option_count; i++)
        for (size_t j = 0; j + 1 < i; j++) {
            size_t len = option_section(&options[i]);
            bool same =
                len > 0 && option_section(&options[j]) == len && memcmp(options[i].key, options[j].key, len) == 0;
            if (same)
                assert_int_equal(strncmp(options[i - 1].key, options[i].key, len + 1), 0);
        }
}

static void spellings_of_other_programs_get_the_corrected_form(void **state)
{
    (void)state;
    static const char pin[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";
    char text[128], write[128];
    static const struct {
        const char *key, *text, *write;
    } cases[] = {
        {"addresses", "9.9.9.9:853", "; write 9.9.9.9@853"},
        {"addresses", "9.9.9.9@853#dns.quad9.net", "; write 9.9.9.9@853, and tls-name: dns.quad9.net"},
        {"addresses", "9.9.9.9#dns.quad9.net", "; write 9.9.9.9, and tls-name: dns.quad9.net"},
        {"addresses", "9.9.9.9#853", "; write 9.9.9.9@853"},
        {"addresses", "[2620:fe::fe]:853", "; write \"2620:fe::fe@853\""},
        {"addresses", "[2620:fe::fe]:853#dns.quad9.net", "; write \"2620:fe::fe@853\", and tls-name: dns.quad9.net"},
        {"addresses", "tls://9.9.9.9", "; write 9.9.9.9"},
        {"addresses", "dns.quad9.net", "; write the addresses here, or upstreams: [quad9], which has them"},
        {"addresses", "https://dns.example/dns-query",
         "; write its addresses here, and tls-name: dns.example; dotstub uses"},
        {"listen", "127.0.0.1:5300", "; write 127.0.0.1@5300"},
        {"listen", "[::1]:5300", "; write \"::1@5300\""},
        {"listen", "192.168.1.1/24", "; write 192.168.1.1"},
        {"metrics.listen", "127.0.0.1:9353", "; write 127.0.0.1@9353"},
        {"access.allow", "192.168.1.1/24", "; write 192.168.1.0/24"},
        {"access.allow", "192.168.1.0/255.255.255.0", "; write 192.168.1.0/24"},
        {"access.allow", "2001:db8::1/32", "; write 2001:db8::/32"},
        {"cache.max-ttl", "3600", "; write 3600s"},
        {"limits.answer-by", "3500", "; write 3500ms"},
        {"tls.idle", "30 sec", "; write 30s"},
        {"tls.idle", "5 minutes", "; write 5m"},
        {"cache.size", "64M", "; write 64MiB"},
        {"cache.size", "1 GB", "; write 1GiB"},
        {"log.level", "INFO", "; write info"},
        {"log.level", "notice", "; write info"},
        {"log.modules", "TLS=Debug", "; write tls=debug"},
        {"tls.min-version", "TLSv1.3", "; write 1.3"},
        {"cache.prefetch", "1", "; write yes"},
        {"tls-name", "https://dns.google/dns-query", "; write dns.google; dotstub uses DNS over TLS"},
        {"tls-name", "dns.google:853", "; write dns.google, and port: 853"},
        {"tls-name", "9.9.9.9@853#dns.quad9.net", "; write dns.quad9.net"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].key, cases[i].text, cases[i].write);
    snprintf(write, sizeof write, "; write sha256/%s", pin);
    static const char *const forms[] = {"%s", "sha256//%s", "pin-sha256=\"%s\"", "sha256:%s"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, forms[i], pin);
#pragma GCC diagnostic pop
        refused("pins", text, write);
    }
}

static void other_mistakes_get_no_correction(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"addresses", "999.9.9.9:853"},  {"addresses", "x"},
        {"addresses", "[::1"},           {"listen", "host.example"},
        {"access.allow", "10.0.0.0/33"}, {"access.allow", "10.0.0/8"},
        {"cache.max-ttl", "soon"},       {"cache.size", "M"},
        {"cache.size", "64 parsecs"},    {"log.level", "loud"},
        {"pins", "sha256/short"},        {"tls-name", "a..b"},
        {"addresses", "9.9.9.9:99999"},  {"addresses", ""},
        {"access.allow", "/24"},         {"tls.idle", "3x"},
    };
    char better[FOREIGN_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(value_fits(option_of(cases[i][0]), cases[i][1]));
        if (foreign_correct(option_of(cases[i][0]), cases[i][1], better))
            fail_msg("%s %s: %s", cases[i][0], cases[i][1], better);
    }
}

static void presets_are_complete_and_distinct(void **state)
{
    (void)state;
    static struct addr all[256];
    size_t count = 0;
    for (size_t i = 0; i < preset_count; i++) {
        char list[256], *rest = list, *address;
        assert_ptr_equal(preset_find(presets[i].name), &presets[i]);
        (void)taken("name", presets[i].name);
        (void)taken("tls-name", presets[i].tls_name);
        if (presets[i].max_qps)
            (void)taken("max-qps", presets[i].max_qps);
        snprintf(list, sizeof list, "%s", presets[i].addresses);
        while ((address = strsep(&rest, ","))) {
            all[count] = taken("addresses", address).addr;
            for (size_t j = 0; j < count; j++)
                if (addr_equal(&all[j], &all[count]))
                    fail_msg("%s of %s is another preset's", address, presets[i].name);
            count++;
        }
    }
    assert_null(preset_find("no-such"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_decimal_and_in_range),
        cmocka_unit_test(workers_are_a_number_or_auto),
        cmocka_unit_test(durations_need_a_unit),
        cmocka_unit_test(sizes_are_binary),
        cmocka_unit_test(booleans_are_yes_and_no_in_three_ways),
        cmocka_unit_test(choices_name_their_words_and_the_one_meant),
        cmocka_unit_test(texts_and_paths),
        cmocka_unit_test(levels_are_of_existing_modules),
        cmocka_unit_test(host_names),
        cmocka_unit_test(addresses_and_their_ports),
        cmocka_unit_test(networks),
        cmocka_unit_test(pins_are_32_bytes_of_base64),
        cmocka_unit_test(numbers_are_printed_in_the_largest_unit),
        cmocka_unit_test(distance_finds_slips_only),
        cmocka_unit_test(long_texts_are_quoted_in_part),
        cmocka_unit_test(each_setting_has_a_variable_of_its_own),
        cmocka_unit_test(settings_of_one_section_are_adjacent),
        cmocka_unit_test(spellings_of_other_programs_get_the_corrected_form),
        cmocka_unit_test(other_mistakes_get_no_correction),
        cmocka_unit_test(presets_are_complete_and_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
