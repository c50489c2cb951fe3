/* SPDX-License-Identifier: MIT */
#include "dns/edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define OPT          11
#define QUESTION_LEN 7 /* a. A IN */
#define QUESTION_END (MESSAGE_HEADER + QUESTION_LEN)
#define RECORD_LEN   16
#define WITH_RD      0x0100

enum { NOERROR = 0, FORMERR = 1, SERVFAIL = 2, NOTIMP = 4, BADVERS = 16 };

/* A client's query "A. A IN" and its answer: two answer records and one additional record. */
struct scene {
    struct request request;
    struct edit_client client;
    struct answer answer;
    uint8_t wire[1024];
    bool truncated;
};

static const uint8_t as_asked[QUESTION_LEN] = {1, 'A', 0, 0, 1, 0, 1};
static const uint8_t as_stored[QUESTION_LEN] = {1, 'a', 0, 0, 1, 0, 1};
static const uint8_t record[RECORD_LEN] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};

/* The answer as stored in the cache: another id, and every flag set that could be copied by mistake. */
static void set(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    memset(scene->wire, 0xee, sizeof(scene->wire));
    scene->request = (struct request){.id = 0x1234,
                                      .flags = WITH_RD,
                                      .has_question = true,
                                      .name_len = 3,
                                      .type = 1,
                                      .class = 1,
                                      .question_end = QUESTION_END,
                                      .udp_size = 512};
    scene->client =
        (struct edit_client){.request = &scene->request, .question = as_asked, .limit = 512, .our_udp_size = 1232};
    struct writer writer = writer_over(scene->wire, sizeof(scene->wire));
    writer_bytes(&writer, "\xab\xcd\xff\xff\0\1\0\2\0\0\0\1", MESSAGE_HEADER);
    writer_bytes(&writer, as_stored, QUESTION_LEN);
    for (int i = 0; i < 3; i++)
        writer_bytes(&writer, record, RECORD_LEN);
    scene->answer = (struct answer){
        .wire = scene->wire, .len = writer_len(&writer), .additional = (uint16_t)(QUESTION_END + 2 * RECORD_LEN)};
}

static void set_edns(struct scene *scene)
{
    set(scene);
    scene->request.edns = true;
    scene->request.udp_size = 4096;
}

static void add_ede(struct ede_list *list, uint16_t code, uint8_t len)
{
    struct ede *ede = &list->item[list->count++];
    ede->code = code;
    ede->len = len;
    memset(ede->text, 'x', len);
}

static size_t finish(struct scene *scene)
{
    scene->truncated = true;
    return edit_finish(scene->wire, sizeof(scene->wire), &scene->answer, &scene->client, &scene->truncated);
}

static size_t fail_with(struct scene *scene, uint16_t rcode, const struct ede_list *ede)
{
    return edit_error(scene->wire, sizeof(scene->wire), rcode, true, ede, &scene->client);
}

static void check_counts(const uint8_t *wire, uint16_t questions, uint16_t answers, uint16_t additionals)
{
    assert_int_equal(read_u16(wire + 4), questions);
    assert_int_equal(read_u16(wire + 6), answers);
    assert_int_equal(read_u16(wire + 8), 0);
    assert_int_equal(read_u16(wire + 10), additionals);
}

static uint16_t flags_of(const struct scene *scene)
{
    return read_u16(scene->wire + MESSAGE_FLAGS);
}

static void an_answer_gets_the_clients_id_and_question_section(void **state)
{
    (void)state;
    struct scene scene;
    set(&scene);
    assert_int_equal(finish(&scene), QUESTION_END + 3 * RECORD_LEN);
    assert_false(scene.truncated);
    assert_int_equal(read_u16(scene.wire), 0x1234);
    assert_memory_equal(scene.wire + MESSAGE_HEADER, as_asked, QUESTION_LEN);
    assert_memory_equal(scene.wire + QUESTION_END + 2 * RECORD_LEN, record, RECORD_LEN);
    check_counts(scene.wire, 1, 2, 1);
}

static void flags_are_the_clients_with_qr_and_ra(void **state)
{
    (void)state;
    struct scene scene;
    set(&scene);
    scene.request.flags = 0;
    finish(&scene);
    assert_int_equal(flags_of(&scene), FLAG_QR | FLAG_RA);
    set(&scene);
    scene.request.flags = 0x7fff; /* opcode 15; AA, TC, RA, Z, AD and an rcode that a query has no use for */
    finish(&scene);
    assert_int_equal(flags_of(&scene), FLAG_QR | FLAG_RA | 0x7800 | FLAG_RD | FLAG_CD);
}

static void ad_is_set_for_clients_with_ad_or_do(void **state)
{
    (void)state;
    struct scene scene;
    for (int asked = 0; asked < 8; asked++) {
        set_edns(&scene);
        scene.client.authenticated = asked & 1;
        scene.request.dnssec_ok = asked & 2;
        scene.request.flags |= asked & 4 ? FLAG_AD : 0;
        finish(&scene);
        assert_int_equal(!!(flags_of(&scene) & FLAG_AD), (asked & 1) && (asked & 6));
    }
}

static void a_query_with_an_opt_gets_one(void **state)
{
    (void)state;
    static const uint8_t opt[OPT] = {0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0};
    static const uint8_t opt_do[OPT] = {0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0x80, 0, 0, 0};
    struct scene scene;
    set_edns(&scene);
    size_t len = scene.answer.len;
    assert_int_equal(finish(&scene), len + OPT);
    assert_memory_equal(scene.wire + len, opt, OPT);
    check_counts(scene.wire, 1, 2, 2);
    set_edns(&scene);
    scene.request.dnssec_ok = true;
    assert_int_equal(finish(&scene), len + OPT);
    assert_memory_equal(scene.wire + len, opt_do, OPT);
}

static void an_extended_rcode_goes_into_the_opt_or_becomes_servfail(void **state)
{
    (void)state;
    struct scene scene;
    set_edns(&scene);
    scene.answer.rcode = 0xab7;
    size_t len = scene.answer.len;
    finish(&scene);
    assert_int_equal(flags_of(&scene) & 15, 7);
    assert_int_equal(scene.wire[len + 5], 0xab);
    assert_int_equal(scene.wire[len + 6], 0);
    set(&scene);
    scene.answer.rcode = 0xab7;
    finish(&scene);
    assert_int_equal(flags_of(&scene) & 15, SERVFAIL);
    set(&scene);
    scene.answer.rcode = 3;
    finish(&scene);
    assert_int_equal(flags_of(&scene) & 15, 3);
}

static void extended_errors_go_to_edns_clients_only(void **state)
{
    (void)state;
    static const uint8_t options[] = {0, 14, 0, 15, 0, 4, 0, 22, 'x', 'x', 0, 15, 0, 2, 0, 3};
    struct scene scene;
    set_edns(&scene);
    add_ede(&scene.answer.ede, 22, 2);
    add_ede(&scene.answer.ede, 3, 0);
    size_t len = scene.answer.len;
    assert_int_equal(finish(&scene), len + OPT + 14);
    assert_memory_equal(scene.wire + len + OPT - 2, options, sizeof(options));
    set(&scene);
    add_ede(&scene.answer.ede, 22, 2);
    assert_int_equal(finish(&scene), len);
}

/* A COOKIE option if `cookie`, then the others, of data of these lengths: each takes 4 bytes more. */
static void set_options(struct scene *scene, bool cookie, size_t keepalive, size_t nsid)
{
    static struct edit_options options;
    uint8_t data[EDIT_NSID];
    memset(data, 'n', sizeof data);
    options.len = 0;
    if (cookie)
        edit_put_option(&options, OPTION_CODE_COOKIE, data, EDIT_COOKIE);
    if (keepalive)
        edit_put_option(&options, OPTION_CODE_KEEPALIVE, "\0\144", keepalive);
    if (nsid)
        edit_put_option(&options, OPTION_CODE_NSID, data, nsid);
    scene->client.options = &options;
}

enum { COOKIE = 4 + EDIT_COOKIE };

static void options_are_for_clients_with_edns(void **state)
{
    (void)state;
    static const uint8_t keepalive[] = {0, 6, 0, 11, 0, 2, 0, 100};
    struct scene scene;
    set_edns(&scene);
    set_options(&scene, false, 2, 0);
    size_t len = scene.answer.len;
    assert_int_equal(finish(&scene), len + OPT + 6);
    assert_memory_equal(scene.wire + len + OPT - 2, keepalive, sizeof keepalive);
    set_edns(&scene);
    set_options(&scene, true, 2, 5);
    assert_int_equal(finish(&scene), len + OPT + COOKIE + 6 + 9);
    assert_int_equal(read_u16(scene.wire + len + OPT - 2), COOKIE + 6 + 9);
    assert_int_equal(read_u16(scene.wire + len + OPT), OPTION_CODE_COOKIE);
    assert_int_equal(read_u16(scene.wire + len + OPT + COOKIE), OPTION_CODE_KEEPALIVE);
    assert_int_equal(read_u16(scene.wire + len + OPT + COOKIE + 6), OPTION_CODE_NSID);
    set(&scene);
    set_options(&scene, true, 2, 5);
    assert_int_equal(finish(&scene), len);
    assert_int_equal(fail_with(&scene, SERVFAIL, NULL), QUESTION_END);
}

/* Grows the answer so that all steps of shrinking happen above the lowest limit: 20 answers, 1 additional record.
 */
static void set_big(struct scene *scene)
{
    set_edns(scene);
    scene->answer.additional = QUESTION_END + 20 * RECORD_LEN;
    scene->answer.len = scene->answer.additional + RECORD_LEN;
    write_u16(scene->wire + 6, 20);
    for (int i = 0; i < 21; i++)
        memcpy(scene->wire + QUESTION_END + i * RECORD_LEN, record, RECORD_LEN);
    add_ede(&scene->answer.ede, 22, 40);
    add_ede(&scene->answer.ede, 23, 20);
}

enum { BIG = QUESTION_END + 20 * RECORD_LEN, EDES = 2 * 6, TEXTS = 60 };

static void check_shrunk(size_t limit, size_t expected, uint16_t answers, uint16_t additionals)
{
    for (int by_cap = 0; by_cap < 2; by_cap++) {
        struct scene scene;
        set_big(&scene);
        scene.client.limit = by_cap ? MESSAGE_MAX : limit;
        size_t cap = by_cap ? limit : sizeof(scene.wire);
        assert_int_equal(edit_finish(scene.wire, cap, &scene.answer, &scene.client, &scene.truncated), expected);
        assert_int_equal(scene.truncated, answers < 20);
        assert_int_equal(!!(flags_of(&scene) & FLAG_TC), answers < 20);
        check_counts(scene.wire, 1, answers, additionals);
        assert_int_equal(scene.wire[limit > BIG + RECORD_LEN ? limit : BIG + RECORD_LEN], 0xee);
    }
}

static void answers_that_fit_exactly_are_unchanged(void **state)
{
    (void)state;
    check_shrunk(BIG + RECORD_LEN + OPT + EDES + TEXTS, BIG + RECORD_LEN + OPT + EDES + TEXTS, 20, 2);
}

static void additional_data_goes_first_without_tc(void **state)
{
    (void)state;
    check_shrunk(BIG + RECORD_LEN + OPT + EDES + TEXTS - 1, BIG + OPT + EDES + TEXTS, 20, 1);
    check_shrunk(BIG + OPT + EDES + TEXTS, BIG + OPT + EDES + TEXTS, 20, 1);
}

static void extended_errors_go_before_tc(void **state)
{
    (void)state;
    check_shrunk(BIG + OPT + EDES + TEXTS - 1, BIG + OPT + EDES, 20, 1);
    check_shrunk(BIG + OPT + EDES - 1, BIG + OPT + EDES / 2, 20, 1);
    check_shrunk(BIG + OPT + EDES / 2 - 1, BIG + OPT, 20, 1);
    check_shrunk(BIG + OPT, BIG + OPT, 20, 1);
}

static void at_last_tc_with_whole_records_and_opt(void **state)
{
    (void)state;
    enum { FIT = (EDIT_ERROR_MIN - QUESTION_END - OPT) / RECORD_LEN };
    check_shrunk(BIG + OPT - 1, BIG - RECORD_LEN + OPT, 19, 1);
    check_shrunk(BIG + OPT - RECORD_LEN, BIG - RECORD_LEN + OPT, 19, 1);
    check_shrunk(BIG + OPT - RECORD_LEN - 1, BIG - 2 * RECORD_LEN + OPT, 18, 1);
    check_shrunk(EDIT_ERROR_MIN, QUESTION_END + FIT * RECORD_LEN + OPT, FIT, 1);
}

static void authority_records_come_after_all_answers(void **state)
{
    (void)state;
    for (unsigned cut = 0; cut < 2; cut++) {
        struct scene scene;
        set_big(&scene);
        scene.request.edns = false;
        write_u16(scene.wire + 6, 17);
        write_u16(scene.wire + 8, 3);
        scene.client.limit = BIG - 1 - cut * 3 * RECORD_LEN;
        assert_int_equal(finish(&scene), BIG - RECORD_LEN - cut * 3 * RECORD_LEN);
        assert_int_equal(read_u16(scene.wire + 6), cut ? 16 : 17);
        assert_int_equal(read_u16(scene.wire + 8), cut ? 0 : 2);
        assert_true(scene.truncated);
    }
}

static void check_options_left(size_t limit, size_t expected, bool truncated)
{
    struct scene scene;
    set_big(&scene);
    set_options(&scene, true, 2, 10);
    scene.client.limit = limit;
    assert_int_equal(finish(&scene), expected);
    assert_int_equal(scene.truncated, truncated);
    size_t opt = truncated ? expected - OPT - COOKIE : BIG;
    assert_int_equal(read_u16(scene.wire + opt + OPT - 2), expected - opt - OPT);
    assert_int_equal(read_u16(scene.wire + opt + OPT), OPTION_CODE_COOKIE);
}

static void options_go_before_tc_but_for_the_cookie(void **state)
{
    (void)state;
    enum { ALL = BIG + OPT + COOKIE + 6 + 14 };
    check_options_left(ALL, ALL, false);
    check_options_left(ALL - 1, ALL - 14, false);
    check_options_left(ALL - 14 - 1, ALL - 14 - 6, false);
    check_options_left(BIG + OPT + COOKIE, BIG + OPT + COOKIE, false);
    check_options_left(BIG + OPT + COOKIE - 1, BIG - RECORD_LEN + OPT + COOKIE, true);
}

static void a_response_with_the_longest_name_is_cut_to_the_room(void **state)
{
    (void)state;
    uint8_t question[NAME_MAX_WIRE + 4] = {0};
    struct scene scene;
    set_edns(&scene);
    scene.request.question_end = MESSAGE_HEADER + sizeof(question);
    scene.client.question = question;
    set_options(&scene, true, 2, 10);
    scene.client.limit = EDIT_ERROR_MIN;
    scene.answer.additional = 600;
    scene.answer.len = 600;
    assert_int_equal(finish(&scene), EDIT_ERROR_MIN);
    assert_true(scene.truncated);
}

static void a_client_without_edns_is_truncated_too(void **state)
{
    (void)state;
    struct scene scene;
    set_big(&scene);
    scene.request.edns = false;
    scene.client.limit = BIG;
    assert_int_equal(finish(&scene), BIG);
    assert_false(scene.truncated);
    check_counts(scene.wire, 1, 20, 0);
    set_big(&scene);
    scene.request.edns = false;
    scene.client.limit = BIG - 1;
    assert_int_equal(finish(&scene), BIG - RECORD_LEN);
    assert_true(scene.truncated);
    check_counts(scene.wire, 1, 19, 0);
}

static void an_error_is_header_and_question_section(void **state)
{
    (void)state;
    struct scene scene;
    set(&scene);
    scene.client.authenticated = true;
    scene.request.flags = 0x7fff;
    assert_int_equal(fail_with(&scene, SERVFAIL, NULL), QUESTION_END);
    assert_int_equal(read_u16(scene.wire), 0x1234);
    assert_int_equal(flags_of(&scene), FLAG_QR | FLAG_RA | 0x7800 | FLAG_RD | FLAG_CD | SERVFAIL);
    assert_memory_equal(scene.wire + MESSAGE_HEADER, as_asked, QUESTION_LEN);
    check_counts(scene.wire, 1, 0, 0);
}

static void an_error_without_a_question_is_a_header(void **state)
{
    (void)state;
    struct scene scene;
    set(&scene);
    assert_int_equal(edit_error(scene.wire, 1024, NOTIMP, false, NULL, &scene.client), MESSAGE_HEADER);
    check_counts(scene.wire, 0, 0, 0);
    set(&scene);
    scene.request.has_question = false;
    scene.client.question = NULL;
    assert_int_equal(fail_with(&scene, FORMERR, NULL), MESSAGE_HEADER);
    assert_int_equal(flags_of(&scene), FLAG_QR | FLAG_RA | FLAG_RD | FORMERR);
    check_counts(scene.wire, 0, 0, 0);
}

static void badvers_is_in_the_opt(void **state)
{
    (void)state;
    static const uint8_t opt[OPT] = {0, 0, 41, 1232 >> 8, 1232 & 255, 1, 0, 0, 0, 0, 0};
    struct scene scene;
    set_edns(&scene);
    assert_int_equal(fail_with(&scene, BADVERS, NULL), QUESTION_END + OPT);
    assert_memory_equal(scene.wire + QUESTION_END, opt, OPT);
    assert_int_equal(flags_of(&scene) & 15, NOERROR);
    check_counts(scene.wire, 1, 0, 1);
}

static void an_error_has_the_reason_for_edns_clients(void **state)
{
    (void)state;
    struct ede_list three = {0};
    struct scene scene;
    for (uint16_t code = 22; code < 25; code++)
        add_ede(&three, code, EDE_TEXT);
    set_edns(&scene);
    set_options(&scene, true, 2, EDIT_NSID);
    scene.client.limit = 1024;
    assert_int_equal(fail_with(&scene, SERVFAIL, &three), QUESTION_END + EDIT_OPT_MAX);
    scene.request.edns = false;
    assert_int_equal(fail_with(&scene, SERVFAIL, &three), QUESTION_END);
}

/* Two texts of 200 bytes, the first with a character of three at byte 62: whole, else cut, else left out. */
static void long_texts_are_cut_where_room_is_short(void **state)
{
    (void)state;
    static const struct {
        size_t room, text[2];
    } cases[] = {
        {OPT + 12 + 400, {200, 200}}, {OPT + 12 + 399, {62, 64}}, {OPT + 12 + 126, {62, 64}}, {OPT + 12 + 125, {0, 0}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ede_list two = {0};
        struct scene scene;
        add_ede(&two, 22, 200);
        add_ede(&two, 23, 200);
        memcpy(two.item[0].text + 62, "\u20ac", 3);
        set_edns(&scene);
        scene.client.limit = QUESTION_END + cases[i].room;
        assert_int_equal(fail_with(&scene, SERVFAIL, &two),
                         QUESTION_END + OPT + 12 + cases[i].text[0] + cases[i].text[1]);
    }
}

static void the_longest_question_section_fits_the_smallest_room(void **state)
{
    (void)state;
    static const size_t lengths[][2] = {{0, 0},   {5, 0},   {6, 6},
                                        {12, 12}, {15, 12}, {16, 16}}; /* more room, more used */
    uint8_t question[NAME_MAX_WIRE + 4] = {0}, out[EDIT_ERROR_MIN + 16];
    struct ede_list one = {0};
    struct scene scene;
    add_ede(&one, 22, 4);
    set_edns(&scene);
    scene.request.question_end = MESSAGE_HEADER + sizeof(question);
    scene.client.question = question;
    set_options(&scene, true, 2, 0);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        size_t room = EDIT_ERROR_MIN + lengths[i][0], expected = EDIT_ERROR_MIN + lengths[i][1];
        scene.client.limit = 512;
        assert_int_equal(edit_error(out, room, SERVFAIL, true, &one, &scene.client), expected);
        scene.client.limit = room;
        assert_int_equal(edit_error(out, sizeof(out), SERVFAIL, true, &one, &scene.client), expected);
    }
}

static struct key key_of_len(uint8_t name_len, uint8_t flags)
{
    struct key key = {.type = 28, .class = 1, .flags = flags, .name_len = name_len};
    for (int at = 0, left = name_len - 1; left > 0; left = name_len - 1 - at) {
        int label = left > 64 ? 63 : left - 1;
        key.name[at] = (uint8_t)label;
        memset(key.name + at + 1, 'a', (size_t)label);
        at += label + 1;
    }
    return key;
}

static void our_query_is_built_from_the_key(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 0, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 28, 0, 1};
    uint8_t out[EDIT_QUESTION_MAX];
    struct key key = key_of_len(3, 0);
    assert_int_equal(edit_question(out, &key, &(struct edit_ask){.pad = true, .keepalive = true}), sizeof(expected));
    assert_memory_equal(out, expected, sizeof(expected));
    key.flags = KEY_CD | KEY_DO;
    edit_question(out, &key, &(struct edit_ask){0});
    assert_int_equal(read_u16(out + MESSAGE_FLAGS), FLAG_RD | FLAG_AD | FLAG_CD);
}

static void our_query_has_an_opt_with_the_set_options(void **state)
{
    (void)state;
    static const uint8_t plain[] = {0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0};
    static const uint8_t full[] = {0,  0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0x80, 0, 0, 12, 0,
                                   11, 0, 0,  0,         8,          0, 4, 0,    1, 0, 0};
    uint8_t out[EDIT_QUESTION_MAX];
    struct key key = key_of_len(3, 0);
    assert_int_equal(edit_question(out, &key, &(struct edit_ask){.edns = true}), QUESTION_END + OPT);
    assert_memory_equal(out + QUESTION_END, plain, OPT);
    check_counts(out, 1, 0, 1);
    key.flags = KEY_DO;
    assert_int_equal(edit_question(out, &key, &(struct edit_ask){.edns = true, .keepalive = true, .subnet_none = true}),
                     QUESTION_END + sizeof(full));
    assert_memory_equal(out + QUESTION_END, full, sizeof(full));
}

static void padding_is_last_and_fills_blocks_of_128(void **state)
{
    (void)state;
    for (int name_len = 1; name_len <= NAME_MAX_WIRE; name_len++) {
        uint8_t out[EDIT_QUESTION_MAX + 1];
        struct key key = key_of_len((uint8_t)name_len, 0);
        memset(out, 0xee, sizeof(out));
        size_t bare = edit_question(out, &key, &(struct edit_ask){true, true, true, false, false});
        size_t len = edit_question(out, &key, &(struct edit_ask){true, true, true, true, false});
        assert_int_equal(len % 128, 0);
        assert_true(len <= EDIT_QUESTION_MAX && len >= bare + 4 && len < bare + 4 + 128);
        assert_int_equal(read_u16(out + bare), 12);
        assert_int_equal(read_u16(out + bare + 2), len - bare - 4);
        assert_int_equal(read_u16(out + MESSAGE_HEADER + name_len + 4 + OPT - 2),
                         len - (size_t)(MESSAGE_HEADER + name_len + 4 + OPT));
        for (size_t i = bare + 4; i < len; i++)
            assert_int_equal(out[i], 0);
        assert_int_equal(out[len], 0xee);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_gets_the_clients_id_and_question_section),
        cmocka_unit_test(flags_are_the_clients_with_qr_and_ra),
        cmocka_unit_test(ad_is_set_for_clients_with_ad_or_do),
        cmocka_unit_test(a_query_with_an_opt_gets_one),
        cmocka_unit_test(an_extended_rcode_goes_into_the_opt_or_becomes_servfail),
        cmocka_unit_test(extended_errors_go_to_edns_clients_only),
        cmocka_unit_test(options_are_for_clients_with_edns),
        cmocka_unit_test(answers_that_fit_exactly_are_unchanged),
        cmocka_unit_test(additional_data_goes_first_without_tc),
        cmocka_unit_test(extended_errors_go_before_tc),
        cmocka_unit_test(at_last_tc_with_whole_records_and_opt),
        cmocka_unit_test(authority_records_come_after_all_answers),
        cmocka_unit_test(options_go_before_tc_but_for_the_cookie),
        cmocka_unit_test(a_response_with_the_longest_name_is_cut_to_the_room),
        cmocka_unit_test(a_client_without_edns_is_truncated_too),
        cmocka_unit_test(an_error_is_header_and_question_section),
        cmocka_unit_test(an_error_without_a_question_is_a_header),
        cmocka_unit_test(badvers_is_in_the_opt),
        cmocka_unit_test(an_error_has_the_reason_for_edns_clients),
        cmocka_unit_test(long_texts_are_cut_where_room_is_short),
        cmocka_unit_test(the_longest_question_section_fits_the_smallest_room),
        cmocka_unit_test(our_query_is_built_from_the_key),
        cmocka_unit_test(our_query_has_an_opt_with_the_set_options),
        cmocka_unit_test(padding_is_last_and_fills_blocks_of_128),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
