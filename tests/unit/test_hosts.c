/* SPDX-License-Identifier: MIT */
/* Hosts files, lease files and entries: what is read, and the responses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "../src/policy/hosts_read.h"
#include "asker.h"
#include "policy/steps.h"

static const struct step step_pass = {.name = "pass", .run = asker_pass};
static const struct step *const steps[] = {&step_hosts, &step_special, &step_pass, NULL};

static char folder[32], hosts_path[64], lease_path[64];
static char *paths[1];

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int setup(void **state)
{
    struct asker *asker = mem_zalloc(1, sizeof *asker);
    strcpy(folder, "/tmp/test_hosts.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(hosts_path, sizeof hosts_path, "%s/hosts", folder);
    snprintf(lease_path, sizeof lease_path, "%s/leases", folder);
    asker_open(asker, steps);
    *state = asker;
    return 0;
}

static int teardown(void **state)
{
    char command[64];
    asker_close(*state);
    mem_free(*state);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* Makes the asker use this file, as after a reload. */
static void use_hosts(struct asker *asker, const char *text)
{
    write_text(hosts_path, text);
    paths[0] = hosts_path;
    asker->config.hosts.files = paths;
    asker->config.hosts.file_count = 1;
    asker->configured.workers++; /* differs */
}

static void use_leases(struct asker *asker, const char *text)
{
    static char domain[] = "lan";
    static struct config_leases leases;
    write_text(lease_path, text);
    leases = (struct config_leases){lease_path, domain};
    asker->config.hosts.leases = &leases;
    asker->config.hosts.lease_count = 1;
    asker->configured.workers++;
}

static void expect(struct asker *asker, const char *name, uint16_t type, const char *answer)
{
    asker_ask(asker, name, type);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), answer);
    assert_string_equal(asker_section(asker, LDNS_SECTION_ADDITIONAL), "");
}

static void expect_pass(struct asker *asker, const char *name, uint16_t type)
{
    asker_ask(asker, name, type);
    assert_int_equal(asker->passed, 1);
}

static void without_files_all_pass(void **state)
{
    expect_pass(*state, "printer.lan", TYPE_A);
    assert_false(step_hosts.wanted(NULL));
}

static void names_of_a_file_are_answered(void **state)
{
    struct asker *asker = *state;
    use_hosts(asker, "# comment\n"
                     "192.0.2.1\tPrinter.lan  printer # the one upstairs\n"
                     "  2001:db8::1 printer.lan\r\n"
                     "\n"
                     "192.0.2.2 printer.lan\n"
                     "192.0.2.1 printer.lan other.lan\n"
                     "192.0.2.3 last.lan"); /* without a newline */
    expect(asker, "printer.lan", TYPE_A, "printer.lan. 0 IN A 192.0.2.1\nprinter.lan. 0 IN A 192.0.2.2\n");
    expect(asker, "PRINTER.lan", TYPE_AAAA, "PRINTER.lan. 0 IN AAAA 2001:db8::1\n");
    expect(asker, "printer", TYPE_A, "printer. 0 IN A 192.0.2.1\n");
    expect(asker, "other.lan", TYPE_A, "other.lan. 0 IN A 192.0.2.1\n");
    expect(asker, "last.lan", TYPE_A, "last.lan. 0 IN A 192.0.2.3\n");
    expect(asker, "last.lan", TYPE_ANY, "last.lan. 0 IN A 192.0.2.3\n");
    assert_int_equal(counter_read(&asker->counters, COUNTER_hosts_answered), 6);
    assert_int_equal(counter_read(&asker->counters, COUNTER_responses_local), 6);
    expect_pass(asker, "lan", TYPE_A);
    expect_pass(asker, "a.printer.lan", TYPE_A);
    expect_pass(asker, "comment", TYPE_A);
}

static void other_types_have_no_data(void **state)
{
    struct asker *asker = *state;
    use_hosts(asker, "192.0.2.1 printer.lan\n");
    static const uint16_t types[] = {TYPE_AAAA, TYPE_HTTPS, TYPE_TXT, TYPE_NS, TYPE_SOA};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        expect(asker, "printer.lan", types[i], "");
        assert_string_equal(asker_section(asker, LDNS_SECTION_AUTHORITY),
                            "printer.lan. 0 IN SOA printer.lan. nobody.invalid. 1 3600 1200 604800 0\n");
    }
    expect_pass(asker, "printer.lan", TYPE_DS);
    asker->class = CLASS_CH;
    expect_pass(asker, "printer.lan", TYPE_A);
}

static void addresses_have_the_first_name(void **state)
{
    struct asker *asker = *state;
    use_hosts(asker, "192.168.1.10 nas.lan nas\n"
                     "192.168.1.10 second.lan\n"
                     "2001:db8::a:b nas.lan\n"
                     "0.0.0.0 blocked.example\n");
    expect(asker, "10.1.168.192.in-addr.arpa", TYPE_PTR, "10.1.168.192.in-addr.arpa. 0 IN PTR nas.lan.\n");
    expect(asker, "10.1.168.192.IN-ADDR.arpa", TYPE_TXT, "");
    expect(asker, "b.0.0.0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", TYPE_PTR,
           "b.0.0.0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 0 IN PTR nas.lan.\n");
    expect(asker, "blocked.example", TYPE_A, "blocked.example. 0 IN A 0.0.0.0\n");
    asker_ask(asker, "0.0.0.0.in-addr.arpa", TYPE_PTR); /* of the special zone 0.in-addr.arpa */
    assert_true(asker_was_answered(asker, RCODE_NXDOMAIN));
    static const char *const others[] = {"11.1.168.192.in-addr.arpa", "010.1.168.192.in-addr.arpa",
                                         "x.1.168.192.in-addr.arpa", "1.168.192.in-addr.arpa",
                                         "266.1.168.192.in-addr.arpa"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        asker_ask(asker, others[i], TYPE_PTR);
        assert_true(asker_was_answered(asker, RCODE_NOERROR) || asker_was_answered(asker, RCODE_NXDOMAIN));
        assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "");
    }
}

static void loopback_addresses_stay_on_this_machine(void **state)
{
    struct asker *asker = *state;
    use_hosts(asker, "127.0.0.1 localhost local.alias\n"
                     "127.0.1.1 box.example box\n"
                     "192.0.2.1 both.example\n"
                     "::1 ip6-localhost both.example\n");
    expect(asker, "box", TYPE_A, "box. 0 IN A 127.0.1.1\n");
    expect(asker, "box", TYPE_AAAA, "");
    expect(asker, "ip6-localhost", TYPE_AAAA, "ip6-localhost. 0 IN AAAA ::1\n");
    expect(asker, "1.1.0.127.in-addr.arpa", TYPE_PTR, "1.1.0.127.in-addr.arpa. 0 IN PTR box.example.\n");
    expect(asker, "1.0.0.127.in-addr.arpa", TYPE_PTR, "1.0.0.127.in-addr.arpa. 10800 IN PTR localhost.\n");
    expect(asker, "localhost", TYPE_A, "localhost. 10800 IN A 127.0.0.1\n");
    asker_from(asker, "192.0.2.200");
    expect_pass(asker, "box", TYPE_A);
    expect_pass(asker, "ip6-localhost", TYPE_AAAA);
    expect(asker, "both.example", TYPE_A, "both.example. 0 IN A 192.0.2.1\n");
    expect(asker, "both.example", TYPE_AAAA, "");
    asker_ask(asker, "1.1.0.127.in-addr.arpa", TYPE_PTR);
    assert_true(asker_was_answered(asker, RCODE_NXDOMAIN)); /* of the special zone */
}

static void localhost_is_not_redefined(void **state)
{
    struct asker *asker = *state;
    use_hosts(asker, "192.0.2.66 localhost app.localhost LOCALHOST.\n192.0.2.1 fine.lan\n");
    expect(asker, "localhost", TYPE_A, "localhost. 10800 IN A 127.0.0.1\n");
    expect(asker, "app.localhost", TYPE_A, "app.localhost. 10800 IN A 127.0.0.1\n");
}

static void hosts_win_over_special_names(void **state)
{
    struct asker *asker = *state;
    use_hosts(asker, "192.0.2.1 nas.local nas.internal nas.test\n");
    expect(asker, "nas.local", TYPE_A, "nas.local. 0 IN A 192.0.2.1\n");
    expect(asker, "nas.internal", TYPE_A, "nas.internal. 0 IN A 192.0.2.1\n");
    asker_ask(asker, "other.internal", TYPE_A);
    assert_true(asker_was_answered(asker, RCODE_NXDOMAIN));
}

/* --- reading --- */

static struct hosts_reading reading;

static void read_text(const char *text, size_t len)
{
    FILE *file = fopen(hosts_path, "w");
    assert_non_null(file);
    fwrite(text, 1, len, file);
    fclose(file);
    assert_int_equal(hosts_reading_init(&reading), 0);
    assert_int_equal(hosts_read_path(&reading, hosts_path), 0);
}

static bool read_has(const char *text)
{
    uint8_t name[NAME_MAX_WIRE];
    int len = name_from_text(name, text);
    return hosts_table_find(&reading.table, name, (size_t)len) != 0;
}

static void assert_warned(unsigned i, const char *words)
{
    assert_non_null(reading.warning[i]);
    if (!strstr(reading.warning[i], words))
        fail_msg("%s instead of %s", reading.warning[i], words);
}

static void bad_lines_are_counted_and_the_rest_is_used(void **state)
{
    static const char text[] = "\xEF\xBB\xBF"
                               "192.0.2.1 marked.lan\n"
                               "no.address.lan\n"
                               "192.0.2.2\n"
                               "192.0.2.3 bad..lan fine.lan\n"
                               "010.0.0.1 octal.lan\n"
                               "192.0.2.4 nul\0.lan\n"
                               "fe80::1%eth0 scoped.lan\n"
                               "192.0.2.5 *.wild.lan gr\xC3\xBCn.lan last.lan\n";
    (void)state;
    read_text(text, sizeof text - 1);
    assert_int_equal(reading.bad, 7);
    assert_warned(0, "hosts:2: \"no.address.lan\" is not an address");
    assert_warned(1, "hosts:3: an address without a name");
    assert_warned(2, "hosts:4: \"bad..lan\" is not a host name");
    assert_warned(3, "hosts:5: \"010.0.0.1\" is not an address");
    assert_warned(4, "hosts:6: a NUL byte");
    assert_warned(5, "hosts:8: *.wild.lan: hosts files have no wildcards");
    assert_warned(6, "hosts:8: \"gr\xC3\xBCn.lan\" is not a host name; the rest of the file is used");
    assert_false(read_has("*.wild.lan"));
    assert_true(read_has("last.lan"));
    assert_true(read_has("marked.lan"));
    assert_true(read_has("fine.lan"));
    assert_false(read_has("octal.lan"));
    assert_false(read_has("scoped.lan"));
    assert_false(reading.incomplete);
    hosts_reading_fini(&reading);
}

static void only_the_first_bad_lines_are_named(void **state)
{
    char text[4096] = "";
    (void)state;
    for (unsigned i = 0; i < 25; i++)
        strcat(text, "bad line\n");
    strcat(text, "192.0.2.1 good.lan\n");
    read_text(text, strlen(text));
    assert_int_equal(reading.bad, 25);
    assert_non_null(reading.warning[HOSTS_WARNINGS - 1]);
    assert_true(read_has("good.lan"));
    hosts_reading_fini(&reading);
}

static void long_lines_are_cut_off(void **state)
{
    enum { LONG = 200000 };
    char *text = calloc(1, LONG + 200);
    (void)state;
    memset(text, 'x', LONG);
    strcat(text, " a.lan\n192.0.2.1 b.lan\n192.0.2.1 ");
    memset(text + strlen(text), 'y', 100);
    strcat(text, "\n192.0.2.1 c.lan");
    read_text(text, strlen(text));
    assert_int_equal(reading.bad, 2);
    assert_warned(0, "hosts:1: the line is too long");
    assert_warned(1, "hosts:3: \"yyy");
    assert_true(read_has("b.lan"));
    assert_true(read_has("c.lan"));
    hosts_reading_fini(&reading);
    free(text);
}

static void a_name_has_a_limited_number_of_addresses(void **state)
{
    char text[4096] = "";
    (void)state;
    for (unsigned i = 0; i < HOSTS_ADDRESSES_MAX + 3; i++)
        sprintf(text + strlen(text), "192.0.2.%u many.lan\n", i);
    read_text(text, strlen(text));
    assert_int_equal(reading.bad, 3);
    assert_warned(0, "hosts:65: too many names, or too many addresses of many.lan");
    hosts_reading_fini(&reading);
}

static void directories_and_missing_files_are_read(void **state)
{
    char path[128];
    static const struct {
        const char *name, *text;
    } in[] = {{"b", "192.0.2.2 b.lan\n"},
              {"a", "192.0.2.1 a.lan\n"},
              {".hidden", "192.0.2.3 c.lan\n"},
              {"backup~", "192.0.2.4 d.lan\n"},
              {"#x", "192.0.2.5 e.lan\n"}};
    (void)state;
    snprintf(path, sizeof path, "%s/d", folder);
    assert_int_equal(mkdir(path, 0755), 0);
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
        snprintf(path, sizeof path, "%s/d/%s", folder, in[i].name);
        write_text(path, in[i].text);
    }
    snprintf(path, sizeof path, "%s/d/sub", folder);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/d", folder);
    assert_int_equal(hosts_reading_init(&reading), 0);
    assert_int_equal(hosts_read_path(&reading, path), 0);
    assert_int_equal(reading.table.names.count, 2);
    assert_int_equal(reading.bad, 0);
    assert_int_equal(hosts_read_path(&reading, "/nonexistent/hosts"), 0);
    assert_false(reading.incomplete);
    assert_int_equal(hosts_read_path(&reading, "/dev/null"), 0);
    assert_true(reading.incomplete);
    assert_warned(0, "/dev/null: cannot be read: neither a regular file nor a directory");
    hosts_reading_fini(&reading);
}

static void many_names_are_found(void **state)
{
    enum { MANY = 20000 };
    uint8_t name[NAME_MAX_WIRE];
    char text[64];
    (void)state;
    assert_int_equal(hosts_reading_init(&reading), 0);
    for (unsigned i = 0; i < MANY; i++) {
        struct hosts_address address = {.len = 4, .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        snprintf(text, sizeof text, "host-%u.example.com", i);
        int len = name_from_text(name, text);
        assert_int_equal(hosts_reading_add(&reading, name, (size_t)len, &address, true), 0);
    }
    assert_int_equal(hosts_table_finish(&reading.table), 0);
    assert_int_equal(reading.table.names.count, MANY);
    assert_int_equal(reading.table.reverses.count, MANY);
    unsigned held = 0;
    for (unsigned i = 0; i < MANY; i++) {
        struct hosts_address address;
        snprintf(text, sizeof text, "host-%u.example.com", i);
        int len = name_from_text(name, text);
        uint32_t at = hosts_table_find(&reading.table, name, (size_t)len);
        assert_int_not_equal(at, 0);
        assert_int_equal(hosts_table_next(&reading.table, at, &address), 0);
        assert_int_equal(address.bytes[2] << 8 | address.bytes[3], i);
        assert_string_equal((const char *)hosts_table_name(&reading.table, &address), (const char *)name);
        assert_true(hosts_table_may_hold(&reading.table, name, (size_t)len));
        size_t reverse_len = hosts_reverse_name(name, &address);
        assert_true(hosts_table_may_hold(&reading.table, name, reverse_len));
        snprintf(text, sizeof text, "other-%u.example.org", i);
        len = name_from_text(name, text);
        assert_int_equal(hosts_table_find(&reading.table, name, (size_t)len), 0);
        held += hosts_table_may_hold(&reading.table, name, (size_t)len);
    }
    assert_in_range(held, 0, MANY / 8); /* the filter excludes most other names */
    assert_in_range(reading.table.used / MANY, 40, 55);
    hosts_reading_fini(&reading);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    write_text(hosts_path, "192.0.2.1 a.lan b.lan\n2001:db8::1 a.lan\n");
    for (unsigned long n = 1; n < 40; n++) {
        mem_fail_at(n);
        int status = hosts_reading_init(&reading);
        if (status < 0)
            continue;
        status = hosts_read_path(&reading, hosts_path);
        assert_true(status == 0 || status == -12);
        if (status == 0 && hosts_table_finish(&reading.table) == 0)
            n = 40;
        hosts_reading_fini(&reading);
    }
    mem_fail_at(0);
}

/* --- leases --- */

static void leases_of_dnsmasq_are_read(void **state)
{
    struct asker *asker = *state;
    char text[1024];
    long long later = (long long)time(NULL) + 3600;
    use_hosts(asker, "192.0.2.1 taken.lan\n");
    snprintf(text, sizeof text,
             "%lld 00:11:22:33:44:55 192.168.1.50 Laptop 01:00:11:22:33:44:55\n"
             "0 00:11:22:33:44:56 192.168.1.51 forever *\n"
             "1000 00:11:22:33:44:57 192.168.1.52 gone *\n"
             "%lld 00:11:22:33:44:58 192.168.1.53 * *\n"
             "%lld 00:11:22:33:44:59 192.168.1.54 taken *\n"
             "%lld 00:11:22:33:44:60 192.168.1.55 wpad *\n"
             "%lld 00:11:22:33:44:61 192.168.1.56 www.bank.example *\n"
             "%lld 00:11:22:33:44:62 192.168.1.57 full.lan *\n"
             "duid 00:01:00:01:2a:2b\n"
             "%lld 1234567 2001:db8::50 laptop 00:01:00:01\n"
             "nonsense\n",
             later, later, later, later, later, later, later);
    use_leases(asker, text);
    expect(asker, "laptop.lan", TYPE_A, "laptop.lan. 0 IN A 192.168.1.50\n");
    expect(asker, "laptop.lan", TYPE_AAAA, "laptop.lan. 0 IN AAAA 2001:db8::50\n");
    expect(asker, "forever.lan", TYPE_A, "forever.lan. 0 IN A 192.168.1.51\n");
    expect(asker, "full.lan", TYPE_A, "full.lan. 0 IN A 192.168.1.57\n");
    expect(asker, "taken.lan", TYPE_A, "taken.lan. 0 IN A 192.0.2.1\n");
    expect(asker, "50.1.168.192.in-addr.arpa", TYPE_PTR, "50.1.168.192.in-addr.arpa. 0 IN PTR laptop.lan.\n");
    expect_pass(asker, "laptop", TYPE_A);
    expect_pass(asker, "gone.lan", TYPE_A);
    expect_pass(asker, "wpad.lan", TYPE_A);
    expect_pass(asker, "www.bank.example", TYPE_A);
}

static void leases_expire_without_a_change_of_the_file(void **state)
{
    struct asker *asker = *state;
    char text[128];
    snprintf(text, sizeof text, "%lld 00:11:22:33:44:55 192.0.2.50 short *\n", (long long)time(NULL) + 2);
    use_leases(asker, text);
    expect(asker, "short.lan", TYPE_A, "short.lan. 0 IN A 192.0.2.50\n");
    expect(asker, "50.2.0.192.in-addr.arpa", TYPE_PTR, "50.2.0.192.in-addr.arpa. 0 IN PTR short.lan.\n");
    sleep(3);
    expect_pass(asker, "short.lan", TYPE_A);
    asker_ask(asker, "50.2.0.192.in-addr.arpa", TYPE_PTR);
    assert_true(asker_was_answered(asker, RCODE_NXDOMAIN)); /* of the special zone */
}

#define KEA4                                                                                                           \
    "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"
#define KEA6                                                                                                            \
    "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname," \
    "hwaddr,state,user_context,hwtype,hwaddr_source,pool_id\n"

static void the_last_line_of_an_address_counts_in_kea(void **state)
{
    struct asker *asker = *state;
    char text[2048];
    unsigned long long later = (unsigned long long)time(NULL) + 3600;
    snprintf(text, sizeof text,
             KEA4 "192.0.2.50,aa:bb:cc:00:00:01,,3600,%llu,1,0,0,first,0,,0\n"
                  "192.0.2.51,aa:bb:cc:00:00:02,,3600,%llu,1,0,0,moved.lan.,0,,0\n"
                  "192.0.2.52,aa:bb:cc:00:00:03,,3600,%llu,1,0,0,released,0,,0\n"
                  "192.0.2.53,aa:bb:cc:00:00:04,,3600,%llu,1,0,0,declined,1,,0\n"
                  "192.0.2.54,aa:bb:cc:00:00:05,,4294967295,%llu,1,0,0,forever,0,,0\n"
                  "192.0.2.50,aa:bb:cc:00:00:09,,3600,%llu,1,0,0,second,0,,0\n"
                  "192.0.2.52,aa:bb:cc:00:00:03,,0,%llu,1,0,0,released,0,,0\n"
                  "short,line\n",
             later, later, later, later, later - 7200, later, later - 7200);
    use_leases(asker, text);
    expect(asker, "second.lan", TYPE_A, "second.lan. 0 IN A 192.0.2.50\n");
    expect(asker, "moved.lan", TYPE_A, "moved.lan. 0 IN A 192.0.2.51\n");
    expect(asker, "forever.lan", TYPE_A, "forever.lan. 0 IN A 192.0.2.54\n");
    expect_pass(asker, "first.lan", TYPE_A);
    expect_pass(asker, "released.lan", TYPE_A);
    expect_pass(asker, "declined.lan", TYPE_A);
    snprintf(text, sizeof text,
             KEA6 "2001:db8::1,00:03,3600,%llu,1,1800,0,1,128,0,0,six,,0,,,,0\n"
                  "2001:db8:1::,00:03,3600,%llu,1,1800,2,1,56,0,0,prefix,,0,,,,0\n",
             later, later);
    use_leases(asker, text);
    expect(asker, "six.lan", TYPE_AAAA, "six.lan. 0 IN AAAA 2001:db8::1\n");
    expect_pass(asker, "prefix.lan", TYPE_AAAA);
}

static void files_of_keas_cleanup_are_read(void **state)
{
    struct asker *asker = *state;
    char text[512], path[128];
    unsigned long long later = (unsigned long long)time(NULL) + 3600;
    static const char *const suffixes[] = {".2", ".1", ".completed"};
    for (unsigned i = 0; i < 2; i++) {
        snprintf(text, sizeof text,
                 KEA4 "192.0.2.%u,aa:bb,,3600,%llu,1,0,0,old%u,0,,0\n192.0.2.9,aa:bb,,3600,%llu,1,0,0,both%u,0,,0\n",
                 i + 1, later, i + 1, later, i + 1);
        snprintf(path, sizeof path, "%s%s", lease_path, suffixes[i]);
        write_text(path, text);
    }
    use_leases(asker, KEA4);
    expect(asker, "old1.lan", TYPE_A, "old1.lan. 0 IN A 192.0.2.1\n");
    expect(asker, "old2.lan", TYPE_A, "old2.lan. 0 IN A 192.0.2.2\n");
    expect(asker, "both2.lan", TYPE_A, "both2.lan. 0 IN A 192.0.2.9\n");
    expect_pass(asker, "both1.lan", TYPE_A);
    snprintf(path, sizeof path, "%s%s", lease_path, suffixes[2]);
    snprintf(text, sizeof text, KEA4 "192.0.2.3,aa:bb,,3600,%llu,1,0,0,merged,0,,0\n", later);
    write_text(path, text);
    use_leases(asker, KEA4);
    expect(asker, "merged.lan", TYPE_A, "merged.lan. 0 IN A 192.0.2.3\n");
    expect_pass(asker, "old1.lan", TYPE_A);
}

static void entries_are_answered(void **state)
{
    struct asker *asker = *state;
    static char name[] = "Printer.lan";
    struct addr addresses[2];
    struct config_host entry = {name, addresses, 2};
    assert_int_equal(addr_parse(&addresses[0], "192.0.2.9", 0), 0);
    assert_int_equal(addr_parse(&addresses[1], "2001:db8::9", 0), 0);
    asker->config.hosts.entries = &entry;
    asker->config.hosts.entry_count = 1;
    expect(asker, "printer.lan", TYPE_ANY, "printer.lan. 0 IN A 192.0.2.9\nprinter.lan. 0 IN AAAA 2001:db8::9\n");
    expect(asker, "9.2.0.192.in-addr.arpa", TYPE_PTR, "9.2.0.192.in-addr.arpa. 0 IN PTR printer.lan.\n");
}

static void note_path(void *context, const char *path)
{
    strcat(strcat(context, path), " ");
}

static void all_files_are_named(void **state)
{
    struct asker *asker = *state;
    char all[512] = "", expected[512];
    use_hosts(asker, "");
    use_leases(asker, "");
    step_hosts.files(&asker->config, note_path, all);
    snprintf(expected, sizeof expected, "%s %s.2 %s.1 %s.completed %s ", hosts_path, lease_path, lease_path, lease_path,
             lease_path);
    assert_string_equal(all, expected);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_files_all_pass),
        TEST(names_of_a_file_are_answered),
        TEST(other_types_have_no_data),
        TEST(addresses_have_the_first_name),
        TEST(loopback_addresses_stay_on_this_machine),
        TEST(localhost_is_not_redefined),
        TEST(hosts_win_over_special_names),
        TEST(bad_lines_are_counted_and_the_rest_is_used),
        TEST(only_the_first_bad_lines_are_named),
        TEST(long_lines_are_cut_off),
        TEST(a_name_has_a_limited_number_of_addresses),
        TEST(directories_and_missing_files_are_read),
        TEST(many_names_are_found),
        TEST(memory_may_run_out),
        TEST(leases_of_dnsmasq_are_read),
        TEST(leases_expire_without_a_change_of_the_file),
        TEST(the_last_line_of_an_address_counts_in_kea),
        TEST(files_of_keas_cleanup_are_read),
        TEST(entries_are_answered),
        TEST(all_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
