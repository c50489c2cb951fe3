/* SPDX-License-Identifier: MIT */
/* Block lists: the four formats line by line, and files as a whole. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../src/policy/blocklist.h"
#include "base/errors.h"
#include "base/mem.h"

static char seen[8192];
static int emit_result;

static int note(void *context, const struct block_entry *entry)
{
    static const char *const rules[] = {
        [RULE_BLOCK] = "block", [RULE_NXDOMAIN] = "nxdomain", [RULE_NODATA] = "nodata", [RULE_DROP] = "drop",
        [RULE_TCP] = "tcp",     [RULE_DATA] = "data",         [RULE_PASS] = "pass",     [RULE_ALLOW] = "allow"};
    char name[NAME_MAX_TEXT] = "", data[1200] = "";
    size_t used = strlen(seen);
    (void)context;
    if (entry->len > 0)
        name_text(entry->name, name);
    else
        for (size_t i = 0; i < 17; i++)
            snprintf(name + 2 * i, 3, "%02x", i < 16 ? entry->prefix.bytes[i] : entry->prefix.bits);
    if (entry->rule == RULE_DATA)
        snprintf(data, sizeof data, " %u %s %s%s", entry->ttl, entry->type, entry->keep_labels ? "*." : "",
                 entry->rdata);
    snprintf(seen + used, sizeof seen - used, "%s%s%s%s%s%s", used ? ", " : "",
             entry->len == 0 || entry->self ? "" : "*.", name, entry->len > 0 && entry->self && entry->below ? "+" : "",
             entry->rule == RULE_BLOCK ? "" : " ", entry->rule == RULE_BLOCK ? "" : rules[entry->rule]);
    used = strlen(seen);
    snprintf(seen + used, sizeof seen - used, "%s", data);
    return emit_result;
}

static struct block_lines lines;

static void begin(enum config_block_format format)
{
    block_lines_start(&lines, format, note, NULL);
}

static int line_is(const char *text)
{
    char line[BLOCK_LINE_MAX + 1];
    seen[0] = '\0';
    lines.reason = NULL;
    snprintf(line, sizeof line, "%s", text);
    int result = block_lines_read(&lines, line, strlen(line));
    assert_true((result == LINE_BAD) == (lines.reason != NULL));
    assert_true((result == LINE_USED) == (seen[0] != '\0') || result < 0);
    return result;
}

static void used(const char *text, const char *entries)
{
    int result = line_is(text);
    if (result != LINE_USED || strcmp(seen, entries) != 0)
        fail_msg("\"%s\": %d, %s, %s", text, result, lines.reason ? lines.reason : "", seen);
}

static void test_domains(void **state)
{
    (void)state;
    begin(BLOCK_DOMAINS);
    used("ads.example", "ads.example.+");
    used("  Ads.Example.\t\r", "ads.example.+");
    used("*.ads.example", "ads.example.+");
    used(".ads.example", "ads.example.+");
    used("_x.a-b.example # why", "_x.a-b.example.+");
    used("ads.example#why", "ads.example.+");
    used("\xEF\xBB\xBF"
         "first.example",
         "first.example.+");
    used("zip", "zip.+");
    static const char *const ignored[] = {"", "   ", "# x", "! x", "; x", "// x", "\t# ads.example"};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        assert_int_equal(line_is(ignored[i]), LINE_IGNORED);
    static const char *const bad[] = {
        "0.0.0.0 ads.example", "ads..example",       ".",          "*.", "192.0.2.1", "ads.123", "a b", "<html>",
        "\303\274ber.example", "https://x.example/", "a.*.example"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(line_is(bad[i]), LINE_BAD);
}

static void test_lengths(void **state)
{
    (void)state;
    char text[300], label[70];
    memset(label, 'a', sizeof label);
    begin(BLOCK_DOMAINS);
    snprintf(text, sizeof text, "%.63s", label);
    assert_int_equal(line_is(text), LINE_USED);
    snprintf(text, sizeof text, "%.64s", label);
    assert_int_equal(line_is(text), LINE_BAD);
    snprintf(text, sizeof text, "%.63s.%.63s.%.63s.%.61s", label, label, label, label); /* 255 bytes in wire form */
    assert_int_equal(line_is(text), LINE_USED);
    snprintf(text, sizeof text, "%.63s.%.63s.%.63s.%.62s", label, label, label, label);
    assert_int_equal(line_is(text), LINE_BAD);
    char nul[] = "ads\0.example";
    assert_int_equal(block_lines_read(&lines, nul, sizeof nul - 1), LINE_BAD);
}

static void test_hosts(void **state)
{
    (void)state;
    begin(BLOCK_HOSTS);
    used("0.0.0.0 ads.example", "ads.example.");
    used("127.0.0.1\tAds.Example  t.example # x", "ads.example., t.example.");
    used(":: a.example", "a.example.");
    used("::1 a.example", "a.example.");
    static const char *const ignored[] = {
        "127.0.0.1 localhost",   "::1 ip6-localhost ip6-loopback",        "0.0.0.0 0.0.0.0",
        "# 0.0.0.0 ads.example", "127.0.0.1 localhost.localdomain local", "127.0.0.1 LocalHost"};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        assert_int_equal(line_is(ignored[i]), LINE_IGNORED);
    static const char *const others[] = {"192.0.2.1 www.example", "2001:db8::1 www.example",
                                         "255.255.255.255 broadcasthost", "fe80::1%lo0 localhost"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(line_is(others[i]), LINE_UNSUPPORTED);
    static const char *const bad[] = {"ads.example", "0.0.0.0", "x ads.example", "0.0.0.0 a..b", "0.0.0.0 192.0.2.1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(line_is(bad[i]), LINE_BAD);
}

static void test_adblock(void **state)
{
    (void)state;
    begin(BLOCK_ADBLOCK);
    used("||ads.example^", "ads.example.+");
    used("||ads.example^|", "ads.example.+");
    used("||ads.example^$important", "ads.example.+");
    used("@@||good.ads.example^", "good.ads.example.+ allow");
    static const char *const ignored[] = {"! comment", "[Adblock Plus 2.0]", "", "# comment"};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        assert_int_equal(line_is(ignored[i]), LINE_IGNORED);
    static const char *const others[] = {"||ads.example^$third-party",
                                         "/banner/",
                                         "example.com##.ad",
                                         "||ads.example",
                                         "||*.ads.example^",
                                         "|ads.example^",
                                         "||ads.example/x^",
                                         "##.ad",
                                         "ads.example",
                                         "@@/x/"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(line_is(others[i]), LINE_UNSUPPORTED);
    assert_int_equal(line_is("||a..b^"), LINE_BAD);
    assert_int_equal(line_is("||192.0.2.1^"), LINE_BAD);
}

static void test_rpz_actions(void **state)
{
    (void)state;
    begin(BLOCK_RPZ);
    assert_int_equal(line_is("$TTL 1h"), LINE_IGNORED);
    assert_int_equal(line_is("@ SOA localhost. root.localhost. (1 ; serial"), LINE_IGNORED);
    assert_int_equal(line_is("  2 3 4"), LINE_IGNORED);
    assert_int_equal(line_is("  5 )"), LINE_IGNORED);
    assert_int_equal(line_is("  NS localhost."), LINE_IGNORED);
    used("a.example CNAME .", "a.example. nxdomain");
    used("*.a.example 60 IN CNAME *.", "*.a.example. nodata");
    used("B.example IN 60 cname rpz-passthru.", "b.example. pass");
    used("c.example CNAME RPZ-DROP.", "c.example. drop");
    used("d.example CNAME rpz-tcp-only.", "d.example. tcp");
    used("e.example CNAME e.example.", "e.example. pass");
    used("f.example A 192.0.2.1", "f.example. data 3600 A 192.0.2.1");
    used("  AAAA 2001:db8::1 ; x", "f.example. data 3600 AAAA 2001:db8::1");
    used("  5 TXT \"a;b\" (c)", "f.example. data 5 TXT \"a;b\"  c");
    used("*.g.example CNAME *.walled.example.", "*.g.example. data 3600 CNAME *.walled.example.");
    used("h.example CNAME w.example.", "h.example. data 3600 CNAME w.example.");
    used("* CNAME .", "*.. nxdomain");
    used("i.example CERT \\# 6 000100020501", "i.example. data 3600 CERT \\# 6 000100020501");
    static const char *const bad[] = {"a..b CNAME .",
                                      "x.example",
                                      "x.example NOTYPE 1",
                                      "x.example A 1.2.3",
                                      "x.example CNAME a..b",
                                      "x.example TXT \"a",
                                      "x.example MX x",
                                      "$ORIGIN",
                                      "$TTL x",
                                      "x.example A",
                                      "x.example CERT PKIX 1 8 AQID", /* ldns leaks when it refuses such data */
                                      "x.example TYPE37 0 1 8 AQID",
                                      "x.example IPSECKEY 10 1 2 192.0.2.38 ?"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(line_is(bad[i]), LINE_BAD);
    assert_int_equal(line_is("$INCLUDE x"), LINE_UNSUPPORTED);
    assert_int_equal(line_is("x.rpz-nsdname CNAME ."), LINE_UNSUPPORTED);
    assert_int_equal(line_is("8.0.0.0.10.rpz-client-ip CNAME ."), LINE_UNSUPPORTED);
    assert_int_equal(line_is("x.example TXT (a"), LINE_UNSUPPORTED);
    assert_int_equal(line_is("b)"), LINE_IGNORED);
    used("y.example CNAME .", "y.example. nxdomain");
}

static void test_rpz_origin(void **state)
{
    (void)state;
    begin(BLOCK_RPZ);
    assert_int_equal(line_is("a.example CNAME ."), LINE_USED); /* no SOA: the name of the zone is unknown */
    assert_int_equal(line_is("$ORIGIN rpz.local."), LINE_IGNORED);
    assert_int_equal(line_is("rpz.local. 60 SOA a. b. 1 2 3 4 5"), LINE_IGNORED);
    used("a.example CNAME .", "a.example. nxdomain");
    used("b.example.rpz.local. CNAME .", "b.example. nxdomain");
    assert_int_equal(line_is("$ORIGIN example"), LINE_IGNORED);
    used("c CNAME .", "c.example. nxdomain");
    used("d A 192.0.2.1", "d.example. data 60 A 192.0.2.1");
    used("e CNAME w", "e.example. data 60 CNAME w.example.rpz.local.");
    assert_int_equal(line_is("x.example. CNAME ."), LINE_BAD); /* not in the zone */
    block_lines_next_file(&lines);
    assert_int_equal(line_is(" CNAME ."), LINE_BAD); /* no owner */
    assert_int_equal(line_is("@ SOA a. b. 1 2 3 4 5"), LINE_IGNORED);
    used("c CNAME .", "c. nxdomain");
}

static void test_rpz_addresses(void **state)
{
    (void)state;
    begin(BLOCK_RPZ);
    used("32.1.2.0.192.rpz-ip CNAME .", "00000000000000000000ffffc000020180 nxdomain");
    used("24.0.2.0.192.rpz-ip CNAME *.", "00000000000000000000ffffc000020078 nodata");
    used("128.1.zz.db8.2001.rpz-ip A 192.0.2.9", "20010db800000000000000000000000180 data 60 A 192.0.2.9");
    used("32.zz.db8.2001.rpz-ip CNAME rpz-passthru.", "20010db800000000000000000000000020 pass");
    used("128.1.zz.rpz-ip CNAME .", "0000000000000000000000000000000180 nxdomain");
    used("0.zz.rpz-ip CNAME .", "0000000000000000000000000000000000 nxdomain");
    static const char *const bad[] = {
        "33.1.2.0.192.rpz-ip CNAME .", "24.1.2.0.192.rpz-ip CNAME .", "rpz-ip CNAME .",
        "32.rpz-ip CNAME .",           "129.zz.rpz-ip CNAME .",       "8.zz.zz.rpz-ip CNAME .",
        "32.1.2.0.999.rpz-ip CNAME .", "x.1.2.0.192.rpz-ip CNAME ."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(line_is(bad[i]), LINE_BAD);
}

static void test_a_failure_ends_the_list(void **state)
{
    (void)state;
    emit_result = -ENOMEM;
    begin(BLOCK_DOMAINS);
    assert_int_equal(line_is("a.example"), -ENOMEM);
    begin(BLOCK_HOSTS);
    assert_int_equal(line_is("0.0.0.0 a.example b.example"), -ENOMEM);
    begin(BLOCK_RPZ);
    assert_int_equal(line_is("a.example CNAME ."), -ENOMEM);
    emit_result = 0;
}

/* --- files --- */

static char directory[] = "/tmp/test_blocklist.XXXXXX";
static char path[64];

static void write_file(const char *name, const char *text, size_t len)
{
    char file[128];
    snprintf(file, sizeof file, "%s/%s", directory, name);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    fclose(out);
}

static int read_list(struct block_list *list, enum config_block_format format, const char *text,
                     char error[BLOCK_ERROR])
{
    const struct block_source_spec spec = {"ads", path, format, 1000};
    snprintf(path, sizeof path, "%s/list", directory);
    write_file("list", text, strlen(text));
    return block_list_read(list, &spec, error);
}

static uint8_t value_of(const struct block_list *list, const char *text)
{
    uint8_t name[NAME_MAX_WIRE];
    int len = name_from_text(name, text);
    assert_true(len > 0);
    return name_set_find(&list->names, hash_wide(name, (size_t)len));
}

static void test_a_file(void **state)
{
    (void)state;
    struct block_list list;
    char error[BLOCK_ERROR];
    assert_int_equal(read_list(&list, BLOCK_DOMAINS, "# x\na.example\n\nb..c\nb.example", error), 0);
    assert_int_equal(list.names.count, 2);
    assert_int_equal(list.used, 2);
    assert_int_equal(list.bad, 1);
    assert_int_equal(value_of(&list, "a.example"), RULE_BLOCK | RULE_BLOCK << 4);
    assert_int_equal(value_of(&list, "b.example"), RULE_BLOCK | RULE_BLOCK << 4);
    block_list_free(&list);
    assert_int_equal(read_list(&list, BLOCK_ADBLOCK, "||a.example^\n@@||a.example^\n/x/\n", error), 0);
    assert_int_equal(value_of(&list, "a.example"), RULE_ALLOW | RULE_ALLOW << 4);
    assert_int_equal(list.unsupported, 1);
    block_list_free(&list);
    assert_int_equal(read_list(&list, BLOCK_RPZ, "a.example CNAME .\n*.a.example CNAME rpz-drop.\n", error), 0);
    assert_int_equal(value_of(&list, "a.example"), RULE_NXDOMAIN | RULE_DROP << 4);
    block_list_free(&list);
    assert_int_equal(read_list(&list, BLOCK_DOMAINS, "", error), 0);
    assert_int_equal(list.names.count, 0);
    block_list_free(&list);
}

static void test_long_lines(void **state)
{
    (void)state;
    struct block_list list;
    char error[BLOCK_ERROR], *text = calloc(1, 200000);
    assert_non_null(text);
    memset(text, 'a', 70000); /* longer than the buffer for reading */
    strcat(text, "\nok.example\nok2.example\n");
    size_t at = strlen(text);
    memset(text + at, ' ', BLOCK_LINE_MAX - 10);
    strcat(text, "c3.example\n");
    assert_int_equal(read_list(&list, BLOCK_DOMAINS, text, error), 0);
    assert_int_equal(list.used, 3);
    assert_int_equal(list.bad, 1);
    block_list_free(&list);
    free(text);
}

static void test_refused_files(void **state)
{
    (void)state;
    struct block_list list = {.used = 77};
    char error[BLOCK_ERROR];
    assert_int_equal(read_list(&list, BLOCK_DOMAINS, "0.0.0.0 a.example\n0.0.0.0 b.example\nc.example\n", error),
                     ERROR_CONFIG);
    assert_string_equal(error, "block list ads: 2 of 3 lines cannot be used; check its format");
    assert_int_equal(read_list(&list, BLOCK_ADBLOCK, "a.example\n", error), ERROR_CONFIG);
    assert_string_equal(error, "block list ads: none of its 1 rules is supported; check its format");
    assert_int_equal(list.used, 77);
    char *text = calloc(1, 20000);
    assert_non_null(text);
    for (unsigned i = 0; i < 1001; i++)
        sprintf(text + strlen(text), "n%u.example\n", i);
    assert_int_equal(read_list(&list, BLOCK_DOMAINS, text, error), -ENOSPC);
    assert_string_equal(error, "block list ads: it has more than 1000 names (block.max-names)");
    free(text);
    unlink(path);
    const struct block_source_spec spec = {"ads", path, BLOCK_DOMAINS, 1000}, device = {"ads", "/dev/zero", 0, 1000};
    assert_int_equal(block_list_read(&list, &spec, error), -ENOENT);
    assert_non_null(strstr(error, "No such file"));
    assert_int_equal(block_list_read(&list, &device, error), -EINVAL);
}

static void test_a_directory(void **state)
{
    (void)state;
    struct block_list list;
    char error[BLOCK_ERROR], sub[128];
    const struct block_source_spec spec = {"ads", directory, BLOCK_DOMAINS, 1000};
    write_file("b.txt", "b.example\nx.example", 19);
    write_file("a.txt", "a.example\nx.example\n", 20);
    write_file(".hidden", "h.example\n", 10);
    snprintf(sub, sizeof sub, "%s/sub", directory);
    assert_int_equal(mkdir(sub, 0700), 0);
    assert_int_equal(block_list_read(&list, &spec, error), 0);
    assert_int_equal(list.names.count, 3);
    assert_int_equal(list.used, 4);
    assert_int_equal(value_of(&list, "h.example"), 0);
    block_list_free(&list);
    rmdir(sub);
}

static bool network_is(const struct block_list *list, const char *text, enum block_rule rule)
{
    struct prefix address;
    assert_int_equal(prefix_parse(&address, text), 0);
    const struct block_network *found = block_list_network(list, address.bytes);
    return (found ? found->rule : RULE_NONE) == rule;
}

static void test_networks(void **state)
{
    (void)state;
    struct block_list list;
    char error[BLOCK_ERROR];
    assert_int_equal(read_list(&list, BLOCK_RPZ,
                               "24.0.2.0.192.rpz-ip CNAME .\n32.1.2.0.192.rpz-ip CNAME rpz-passthru.\n"
                               "32.1.2.0.192.rpz-ip CNAME *.\n0.zz.rpz-ip CNAME rpz-drop.\n"
                               "9.0.0.128.10.rpz-ip A 192.0.2.7\n9.0.0.128.10.rpz-ip A 192.0.2.8\n",
                               error),
                     0);
    assert_true(network_is(&list, "192.0.2.1", RULE_PASS));
    assert_true(network_is(&list, "192.0.2.2", RULE_NXDOMAIN));
    assert_true(network_is(&list, "192.0.3.1", RULE_NONE)); /* ::/0 is not for IPv4 */
    assert_true(network_is(&list, "2001:db8::1", RULE_DROP));
    assert_true(network_is(&list, "10.128.3.4", RULE_DATA));
    assert_true(network_is(&list, "10.127.3.4", RULE_NONE));
    struct prefix address;
    const struct block_record *record;
    assert_int_equal(prefix_parse(&address, "10.200.0.1"), 0);
    const struct block_network *found = block_list_network(&list, address.bytes);
    assert_int_equal(block_list_records(&list, block_network_hash(&found->prefix), false, &record), 2);
    assert_string_equal(block_record_text(&list, &record[0]), "192.0.2.7");
    assert_string_equal(block_record_text(&list, &record[1]), "192.0.2.8");
    assert_int_equal(block_list_records(&list, block_network_hash(&found->prefix), true, &record), 0);
    block_list_free(&list);
}

static void test_memory(void **state)
{
    (void)state;
    for (unsigned long n = 1;; n++) {
        struct block_list list;
        char error[BLOCK_ERROR];
        mem_fail_at(n);
        int status = read_list(&list, BLOCK_RPZ,
                               "a.example CNAME .\nb.example A 192.0.2.1\n8.0.0.0.10.rpz-ip A 192.0.2.1\n", error);
        mem_fail_at(0);
        if (status == 0) {
            block_list_free(&list);
            break;
        }
        assert_int_equal(status, -ENOMEM);
        assert_string_equal(error, "block list ads: out of memory");
    }
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const names[] = {"list", "a.txt", "b.txt", ".hidden"};
    char file[128];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(file, sizeof file, "%s/%s", directory, names[i]);
        unlink(file);
    }
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domains),       cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_hosts),         cmocka_unit_test(test_adblock),
        cmocka_unit_test(test_rpz_actions),   cmocka_unit_test(test_rpz_origin),
        cmocka_unit_test(test_rpz_addresses), cmocka_unit_test(test_a_failure_ends_the_list),
        cmocka_unit_test(test_a_file),        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_networks),      cmocka_unit_test(test_memory),
        cmocka_unit_test(test_refused_files), cmocka_unit_test(test_a_directory),
    };
    if (hash_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
