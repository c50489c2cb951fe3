/* SPDX-License-Identifier: MIT */
/* Records and zones of the configuration: what is accepted, and the responses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "asker.h"
#include "dns/localdata.h"
#include "policy/steps.h"

static const struct step step_pass = {.name = "pass", .run = asker_pass};
static const struct step *const steps[] = {&step_records, &step_hosts, &step_special, &step_pass, NULL};

static int setup(void **state)
{
    struct asker *asker = mem_zalloc(1, sizeof *asker);
    asker_open(asker, steps);
    *state = asker;
    return 0;
}

static int teardown(void **state)
{
    asker_close(*state);
    mem_free(*state);
    return 0;
}

enum { MANY = 40 };
static const char *records[MANY];
static struct config_zone zones[MANY];

/* Records up to the first NULL; names of zones and their types in turn. */
static void use(struct asker *asker, const char *const *texts, const struct config_zone *of, size_t zone_count)
{
    size_t count = 0;
    while (texts[count])
        count++;
    memcpy(records, texts, count * sizeof *texts);
    if (zone_count > 0)
        memcpy(zones, of, zone_count * sizeof *of);
    asker->config.records = (char **)records;
    asker->config.record_count = count;
    asker->config.zones = zones;
    asker->config.zone_count = zone_count;
    asker->configured.workers++; /* differs */
}

static char lab[] = "lab.example", open_zone[] = "open.example", no[] = "no.example", bad[] = "bad.example",
            nested[] = "deep.lab.example";
static const struct config_zone lab_zone[] = {{lab, LOCAL_STATIC}};

static const char *const texts[] = {"www.LAB.example. 300 IN A 192.0.2.80",
                                    "$ORIGIN lab.example.",
                                    "$TTL 77",
                                    "mail MX 10 mx ; a comment",
                                    "mx A 192.0.2.25",
                                    "   AAAA 2001:db8::25",
                                    "alias CNAME www",
                                    "chain CNAME Alias",
                                    "loop1 CNAME loop2",
                                    "loop2 CNAME loop1",
                                    "*.wild TXT hello",
                                    "b.wild A 192.0.2.2",
                                    "x.y.wild A 192.0.2.7",
                                    "*.aliases CNAME www",
                                    "a.b.c A 192.0.2.3",
                                    "sub DNAME other",
                                    "x.other A 192.0.2.5",
                                    "svc HTTPS 1 . alpn=h2",
                                    "odd TYPE65280 \\# 3 010203",
                                    "classfirst IN 78 A 192.0.2.78",
                                    "\tin  1h\tAAAA 2001:db8::78",
                                    "tohost CNAME host",
                                    "tonone CNAME none",
                                    NULL};

static void expect_rcode(struct asker *asker, const char *name, uint16_t type, uint16_t rcode, const char *answer)
{
    asker_ask(asker, name, type);
    assert_true(asker_was_answered(asker, rcode));
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), answer);
}

static void expect(struct asker *asker, const char *name, uint16_t type, const char *answer)
{
    expect_rcode(asker, name, type, RCODE_NOERROR, answer);
    assert_string_equal(asker_section(asker, LDNS_SECTION_AUTHORITY), "");
}

#define LAB_SOA "lab.example. 300 IN SOA lab.example. nobody.invalid. 1 3600 1200 604800 300\n"

static void expect_no_data(struct asker *asker, const char *name, uint16_t type, const char *soa)
{
    expect_rcode(asker, name, type, RCODE_NOERROR, "");
    assert_string_equal(asker_section(asker, LDNS_SECTION_AUTHORITY), soa);
}

static void expect_absent(struct asker *asker, const char *name, uint16_t type, const char *soa)
{
    expect_rcode(asker, name, type, RCODE_NXDOMAIN, "");
    assert_string_equal(asker_section(asker, LDNS_SECTION_AUTHORITY), soa);
}

static void expect_pass(struct asker *asker, const char *name, uint16_t type)
{
    asker_ask(asker, name, type);
    assert_int_equal(asker->passed, 1);
}

static void without_records_all_pass(void **state)
{
    expect_pass(*state, "www.lab.example", TYPE_A);
    assert_false(step_is_wanted(&step_records, NULL));
}

static void records_are_answered(void **state)
{
    struct asker *asker = *state;
    use(asker, texts, lab_zone, 1);
    expect(asker, "www.lab.example", TYPE_A, "www.lab.example. 300 IN A 192.0.2.80\n");
    expect(asker, "WWW.lab.EXAMPLE", TYPE_A, "WWW.lab.EXAMPLE. 300 IN A 192.0.2.80\n");
    expect(asker, "mail.lab.example", 15, "mail.lab.example. 77 IN MX 10 mx.lab.example.\n");
    expect(asker, "classfirst.lab.example", TYPE_A, "classfirst.lab.example. 78 IN A 192.0.2.78\n");
    expect(asker, "classfirst.lab.example", TYPE_AAAA, "classfirst.lab.example. 3600 IN AAAA 2001:db8::78\n");
    expect(asker, "mx.lab.example", TYPE_ANY,
           "mx.lab.example. 77 IN A 192.0.2.25\nmx.lab.example. 77 IN AAAA 2001:db8::25\n");
    expect(asker, "odd.lab.example", 65280, "odd.lab.example. 77 IN TYPE65280 \\# 3 010203\n");
    asker_ask(asker, "svc.lab.example", TYPE_HTTPS);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    assert_int_equal(ldns_pkt_ancount(asker->packet), 1);
    expect_no_data(asker, "www.lab.example", TYPE_AAAA, LAB_SOA);
    expect_no_data(asker, "www.lab.example", TYPE_NS, LAB_SOA);
    assert_int_equal(counter_read(&asker->counters, COUNTER_records_answered), 10);
    expect_pass(asker, "www.other.example", TYPE_A);
    expect_pass(asker, "example", TYPE_A);
    expect_pass(asker, "", TYPE_NS);
    asker->class = CLASS_CH;
    expect_pass(asker, "www.lab.example", TYPE_A);
}

static void absent_names_and_names_between_differ(void **state)
{
    struct asker *asker = *state;
    use(asker, texts, lab_zone, 1);
    expect_absent(asker, "none.lab.example", TYPE_A, LAB_SOA);
    expect_absent(asker, "a.www.lab.example", TYPE_A, LAB_SOA);
    expect_no_data(asker, "c.lab.example", TYPE_A, LAB_SOA);
    expect_no_data(asker, "b.c.lab.example", TYPE_ANY, LAB_SOA);
    expect_absent(asker, "x.c.lab.example", TYPE_A, LAB_SOA);
}

static void wildcards_follow_rfc_4592(void **state)
{
    struct asker *asker = *state;
    use(asker, texts, lab_zone, 1);
    expect(asker, "q.wild.lab.example", TYPE_TXT, "q.wild.lab.example. 77 IN TXT \"hello\"\n");
    expect(asker, "p.q.wild.lab.example", TYPE_TXT, "p.q.wild.lab.example. 77 IN TXT \"hello\"\n");
    expect(asker, "*.wild.lab.example", TYPE_TXT, "*.wild.lab.example. 77 IN TXT \"hello\"\n");
    expect_no_data(asker, "q.wild.lab.example", TYPE_A, LAB_SOA);
    expect_no_data(asker, "wild.lab.example", TYPE_TXT, LAB_SOA);
    expect_no_data(asker, "b.wild.lab.example", TYPE_TXT, LAB_SOA); /* an owner of its own */
    expect_no_data(asker, "y.wild.lab.example", TYPE_TXT, LAB_SOA); /* a name between */
    expect_absent(asker, "z.y.wild.lab.example", TYPE_TXT, LAB_SOA);
    expect(asker, "q.aliases.lab.example", TYPE_A,
           "q.aliases.lab.example. 77 IN CNAME www.lab.example.\nwww.lab.example. 300 IN A 192.0.2.80\n");
}

static void aliases_are_followed(void **state)
{
    struct asker *asker = *state;
    use(asker, texts, lab_zone, 1);
    expect(asker, "chain.lab.example", TYPE_A,
           "chain.lab.example. 77 IN CNAME Alias.lab.example.\nalias.lab.example. 77 IN CNAME www.lab.example.\n"
           "www.lab.example. 300 IN A 192.0.2.80\n");
    expect(asker, "chain.lab.example", 5, "chain.lab.example. 77 IN CNAME Alias.lab.example.\n");
    expect(asker, "alias.lab.example", TYPE_ANY, "alias.lab.example. 77 IN CNAME www.lab.example.\n");
    expect_rcode(asker, "alias.lab.example", TYPE_AAAA, RCODE_NOERROR,
                 "alias.lab.example. 77 IN CNAME www.lab.example.\n");
    assert_string_equal(asker_section(asker, LDNS_SECTION_AUTHORITY), LAB_SOA);
    expect_rcode(asker, "tonone.lab.example", TYPE_A, RCODE_NXDOMAIN,
                 "tonone.lab.example. 77 IN CNAME none.lab.example.\n"); /* RFC 6604 */
    expect_rcode(asker, "loop1.lab.example", TYPE_A, RCODE_SERVFAIL, "");
    expect(asker, "x.sub.lab.example", TYPE_A,
           "sub.lab.example. 77 IN DNAME other.lab.example.\nx.sub.lab.example. 77 IN CNAME x.other.lab.example.\n"
           "x.other.lab.example. 77 IN A 192.0.2.5\n");
    expect(asker, "sub.lab.example", 39, "sub.lab.example. 77 IN DNAME other.lab.example.\n");
    expect_no_data(asker, "sub.lab.example", TYPE_A, LAB_SOA);
}

static void a_dname_may_make_a_name_too_long(void **state)
{
    struct asker *asker = *state;
    static char source[300], name[300];
    static const char *const text[] = {source, NULL};
    char label[64];
    memset(label, 'a', 60);
    label[60] = '\0';
    snprintf(source, sizeof source, "s.lab.example. DNAME %s.%s.%s.lab.example.", label, label, label);
    use(asker, text, lab_zone, 1);
    snprintf(name, sizeof name, "%s.s.lab.example", label);
    asker_ask(asker, name, TYPE_A);
    assert_true(asker_was_answered(asker, RCODE_YXDOMAIN));
    assert_int_equal(ldns_pkt_ancount(asker->packet), 1);
}

static void hosts_go_before_absent_names(void **state)
{
    struct asker *asker = *state;
    static char host[] = "host.lab.example", wild[] = "h.wild.lab.example", www[] = "www.lab.example";
    struct addr address;
    struct config_host entries[] = {{host, &address, 1}, {wild, &address, 1}, {www, &address, 1}};
    assert_int_equal(addr_parse(&address, "2001:db8::99", 0), 0);
    use(asker, texts, lab_zone, 1);
    asker->config.hosts.entries = entries;
    asker->config.hosts.entry_count = 3;
    expect(asker, "host.lab.example", TYPE_AAAA, "host.lab.example. 0 IN AAAA 2001:db8::99\n");
    expect(asker, "h.wild.lab.example", TYPE_AAAA, "h.wild.lab.example. 0 IN AAAA 2001:db8::99\n");
    expect(asker, "www.lab.example", TYPE_AAAA, "www.lab.example. 0 IN AAAA 2001:db8::99\n");
    expect(asker, "www.lab.example", TYPE_A, "www.lab.example. 300 IN A 192.0.2.80\n");
    expect(asker, "tohost.lab.example", TYPE_AAAA,
           "tohost.lab.example. 77 IN CNAME host.lab.example.\nhost.lab.example. 0 IN AAAA 2001:db8::99\n");
    expect_rcode(asker, "tohost.lab.example", TYPE_A, RCODE_NOERROR,
                 "tohost.lab.example. 77 IN CNAME host.lab.example.\n");
    expect_absent(asker, "none.lab.example", TYPE_A, LAB_SOA);
}

static void the_apex_has_soa_and_ns(void **state)
{
    struct asker *asker = *state;
    static const char *const own[] = {"lab.example. 600 SOA ns.lab.example. admin.lab.example. 7 2 3 4 60",
                                      "lab.example. 600 NS ns.lab.example.", NULL};
    use(asker, texts, lab_zone, 1);
    expect(asker, "lab.example", TYPE_SOA, LAB_SOA);
    expect(asker, "lab.example", TYPE_NS, "lab.example. 300 IN NS lab.example.\n");
    expect_no_data(asker, "lab.example", TYPE_A, LAB_SOA);
    use(asker, own, lab_zone, 1);
    expect(asker, "lab.example", TYPE_SOA, "lab.example. 600 IN SOA ns.lab.example. admin.lab.example. 7 2 3 4 60\n");
    expect(asker, "lab.example", TYPE_NS, "lab.example. 600 IN NS ns.lab.example.\n");
    expect_absent(asker, "x.lab.example", TYPE_A,
                  "lab.example. 60 IN SOA ns.lab.example. admin.lab.example. 7 2 3 4 60\n");
}

static void zones_have_types(void **state)
{
    struct asker *asker = *state;
    static const struct config_zone all[] = {{lab, LOCAL_STATIC},
                                             {open_zone, LOCAL_TRANSPARENT},
                                             {no, LOCAL_REFUSE},
                                             {bad, LOCAL_NXDOMAIN},
                                             {nested, LOCAL_TRANSPARENT}};
    static const char *const some[] = {"a.open.example. A 192.0.2.1", "b.c.open.example. A 192.0.2.2",
                                       "n.deep.lab.example. A 192.0.2.3", NULL};
    use(asker, some, all, 5);
    expect(asker, "a.open.example", TYPE_A, "a.open.example. 3600 IN A 192.0.2.1\n");
    expect_no_data(asker, "a.open.example", TYPE_AAAA,
                   "open.example. 300 IN SOA open.example. nobody.invalid. 1 3600 1200 604800 300\n");
    expect_pass(asker, "x.open.example", TYPE_A);
    expect_pass(asker, "open.example", TYPE_SOA);
    expect_pass(asker, "c.open.example", TYPE_A);
    expect_rcode(asker, "x.no.example", TYPE_A, RCODE_REFUSED, "");
    expect_rcode(asker, "no.example", TYPE_SOA, RCODE_REFUSED, "");
    expect_absent(asker, "bad.example", TYPE_A,
                  "bad.example. 300 IN SOA bad.example. nobody.invalid. 1 3600 1200 604800 300\n");
    expect_absent(asker, "x.bad.example", TYPE_TXT,
                  "bad.example. 300 IN SOA bad.example. nobody.invalid. 1 3600 1200 604800 300\n");
    expect_absent(asker, "x.lab.example", TYPE_A, LAB_SOA);
    expect_pass(asker, "x.deep.lab.example", TYPE_A);
    expect(asker, "n.deep.lab.example", TYPE_A, "n.deep.lab.example. 3600 IN A 192.0.2.3\n");
}

static void the_zone_above_has_the_ds(void **state)
{
    struct asker *asker = *state;
    static const struct config_zone both[] = {{lab, LOCAL_STATIC}, {nested, LOCAL_STATIC}};
    static const char *const none[] = {NULL};
    use(asker, none, both, 2);
    expect_pass(asker, "lab.example", TYPE_DS);
    expect_no_data(asker, "deep.lab.example", TYPE_DS, LAB_SOA);
    expect_absent(asker, "x.lab.example", TYPE_DS, LAB_SOA);
}

static void records_without_zones_stand_alone(void **state)
{
    struct asker *asker = *state;
    static const char *const some[] = {"www.lab.example. 60 A 192.0.2.1",      "*.apps.lab.example. 60 A 192.0.2.2",
                                       "x.y.apps.lab.example. 60 A 192.0.2.3", "nas. 60 A 192.0.2.4",
                                       "printer.local. 60 A 192.0.2.5",        NULL};
    use(asker, some, NULL, 0);
    expect(asker, "www.lab.example", TYPE_A, "www.lab.example. 60 IN A 192.0.2.1\n");
    expect_no_data(asker, "www.lab.example", TYPE_HTTPS,
                   "www.lab.example. 300 IN SOA www.lab.example. nobody.invalid. 1 3600 1200 604800 300\n");
    expect_pass(asker, "www.lab.example", TYPE_DS);
    expect_pass(asker, "lab.example", TYPE_A);
    expect_pass(asker, "other.lab.example", TYPE_A);
    expect_pass(asker, "a.www.lab.example", TYPE_A);
    expect(asker, "q.apps.lab.example", TYPE_A, "q.apps.lab.example. 60 IN A 192.0.2.2\n");
    expect_pass(asker, "apps.lab.example", TYPE_A);
    expect_pass(asker, "z.y.apps.lab.example", TYPE_A);
    expect(asker, "nas", TYPE_A, "nas. 60 IN A 192.0.2.4\n");
    expect(asker, "printer.local", TYPE_A, "printer.local. 60 IN A 192.0.2.5\n");
    asker_ask(asker, "other.local", TYPE_A);
    assert_true(asker_was_answered(asker, RCODE_NXDOMAIN)); /* a special name */
}

/* --- mistakes --- */

static char told[2048];

static void tell(void *context, bool in_zones, size_t i, const char *why)
{
    (void)context;
    snprintf(told + strlen(told), sizeof told - strlen(told), "%s%zu %s\n", in_zones ? "z" : "r", i, why);
}

static void expect_mistakes(const char *const *of, const struct local_zone_text *in, size_t zone_count,
                            const char *expected)
{
    struct local_data *data = NULL;
    struct local_texts all = {in, zone_count, of, 0};
    while (of[all.record_count])
        all.record_count++;
    told[0] = '\0';
    assert_int_equal(local_data_new(&data, &all, tell, NULL), *expected ? -EINVAL : 0);
    assert_string_equal(told, expected);
    local_data_free(data);
}

static void mistakes_are_told_with_their_place(void **state)
{
    static const struct local_zone_text some[] = {
        {"lab.example", LOCAL_STATIC}, {"bad.example", LOCAL_NXDOMAIN}, {"no.example", LOCAL_REFUSE}};
    static const struct local_zone_text twice[] = {{"lab.example", LOCAL_STATIC}, {"LAB.example.", LOCAL_REFUSE}};
    static const char *const syntax[] = {"nonsense",
                                         "a.lab.example. A 1.2.3",
                                         "a.lab.example. CH TXT x",
                                         "a.lab.example. ANY \\# 0",
                                         "$INCLUDE /etc/passwd",
                                         NULL};
    static const char *const places[] = {"a.lab.example. A 192.0.2.1",
                                         "a.other.example. A 192.0.2.1",
                                         "a.bad.example. A 192.0.2.1",
                                         "a.no.example. A 192.0.2.1",
                                         "s.lab.example. SOA a. b. 1 2 3 4 5",
                                         "s.lab.example. NS a.",
                                         NULL};
    static const char *const owners[] = {"a.lab.example. CNAME b.lab.example.",
                                         "a.lab.example. A 192.0.2.1",
                                         "c.lab.example. CNAME x.",
                                         "c.lab.example. CNAME y.",
                                         "d.lab.example. DNAME x.",
                                         "e.d.lab.example. A 192.0.2.1",
                                         "*.lab.example. DNAME x.",
                                         NULL};
    static const char *const others[] = {"gr\xC3\xBCn.lab.example. A 192.0.2.1",
                                         "a.lab.example. CNAME gr\xC3\xBCn.example.",
                                         "a.lab.example. 99999999999 A 192.0.2.1",
                                         "b.lab.example. IN 8640086400 A 192.0.2.1",
                                         "  4000w A 192.0.2.1",
                                         "$TTL 99999999999",
                                         NULL};
    static const char *const fine[] = {"a.lab.example. 2147483647 IN A 192.0.2.1 ; B\xC3\xBCro",
                                       "a.lab.example. TXT \"B\xC3\xBCro; \\\"\xC3\xBC\" 99999999999",
                                       "99999999999.lab.example. 1h30M IN A 192.0.2.1", NULL};
    static const char *const none[] = {NULL};
    (void)state;
    expect_mistakes(none, some, 3, "");
    expect_mistakes(fine, some, 3, "");
    expect_mistakes(others, some, 3,
                    "r0 letters beyond ASCII; write such a name in its ASCII form, which begins with xn--, and other "
                    "texts in quotes\n"
                    "r1 letters beyond ASCII; write such a name in its ASCII form, which begins with xn--, and other "
                    "texts in quotes\n"
                    "r2 its TTL is above 2147483647 seconds\nr3 its TTL is above 2147483647 seconds\n"
                    "r4 its TTL is above 2147483647 seconds\nr5 its TTL is above 2147483647 seconds\n");
    expect_mistakes(none, twice, 2, "z1 this zone is there already; remove one\n");
    struct local_data *data = NULL;
    struct local_texts all = {NULL, 0, syntax, 5};
    told[0] = '\0';
    assert_int_equal(local_data_new(&data, &all, tell, NULL), -EINVAL);
    for (const char *at = told, *number = "01234"; *number; number++) {
        assert_true(at[0] == 'r' && at[1] == *number);
        at = strchr(at, '\n') + 1;
    }
    assert_non_null(strstr(told, "r2 only class IN is served\n"));
    assert_non_null(strstr(told, "r4 $INCLUDE is not supported\n"));
    expect_mistakes(
        places, some, 3,
        "r3 a.no.example. is in a zone with type: refuse; make it static or remove the record\n"
        "r2 a.bad.example. is in a zone with type: nxdomain; make it static or remove the record\n"
        "r5 s.lab.example. would be delegated by its NS record; write a route in forward, or a zone of its own\n"
        "r4 s.lab.example. has a SOA record and is not one of zones\n"
        "r1 a.other.example. is in none of zones; add its zone there, with type: transparent if other "
        "names in it are to be resolved\n");
    expect_mistakes(owners, some, 1,
                    "r6 *.lab.example. is a wildcard, which cannot have a DNAME record\n"
                    "r0 a.lab.example. has a CNAME record and others; a CNAME must be alone\n"
                    "r2 c.lab.example. has a CNAME record and others; a CNAME must be alone\n"
                    "r3 c.lab.example. has a CNAME record and others; a CNAME must be alone\n"
                    "r5 e.d.lab.example. is below a name with a DNAME record\n");
}

static void memory_may_run_out(void **state)
{
    static const struct local_zone_text some[] = {{"lab.example", LOCAL_STATIC}};
    (void)state;
    for (unsigned long n = 1; n < 60; n++) {
        struct local_data *data = NULL;
        struct local_texts all = {some, 1, texts, sizeof texts / sizeof *texts - 1};
        mem_fail_at(n);
        int status = local_data_new(&data, &all, tell, NULL);
        mem_fail_at(0);
        assert_true(status == 0 || status == -ENOMEM);
        if (status == 0) {
            local_data_free(data);
            assert_in_range(n, 8, 59);
            return;
        }
    }
    fail();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_records_all_pass),
        TEST(records_are_answered),
        TEST(absent_names_and_names_between_differ),
        TEST(wildcards_follow_rfc_4592),
        TEST(aliases_are_followed),
        TEST(a_dname_may_make_a_name_too_long),
        TEST(hosts_go_before_absent_names),
        TEST(the_apex_has_soa_and_ns),
        TEST(zones_have_types),
        TEST(the_zone_above_has_the_ds),
        TEST(records_without_zones_stand_alone),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
