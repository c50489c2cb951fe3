/* SPDX-License-Identifier: MIT */
/* Messages from servers: ldns reads each message that the walk accepts, with the same records as before the walk. The walk does not
 * change a message that it refuses. */
#include "base/errors.h"
#include "dns/addresses.h"
#include "dns/codes.h"
#include "dns/message.h"
#include "dns/rewrite.h"
#include "dns/synthesis.h"
#include "fuzz.h"

#include "ldns_reads.h" /* last: before stdbool.h ldns has a bool of its own */

static struct answer_scratch scratch;

static void check_offsets(const struct answer *answer)
{
    size_t last = scratch.section_end[0];
    MUST(last >= MESSAGE_HEADER + 5);
    for (unsigned i = 0; i < answer->ttl_count; i++) {
        MUST(answer->ttl_offsets[i] >= last + 5); /* owner, type, class */
        last = answer->ttl_offsets[i] + 6u;       /* TTL, RDLENGTH */
        last += read_u16(answer->wire + last - 2);
        MUST(last <= answer->len);
    }
    MUST(last == answer->len);
    for (int section = 1; section < 4; section++)
        MUST(scratch.section_end[section] >= scratch.section_end[section - 1]);
    MUST(scratch.section_end[3] == answer->len);
    MUST(answer->additional == scratch.section_end[2]);
}

static ldns_rr_list *section(const ldns_pkt *packet, int which)
{
    return which == 1 ? ldns_pkt_answer(packet) : which == 2 ? ldns_pkt_authority(packet) : ldns_pkt_additional(packet);
}

/* ldns leaks records of a message that it refuses. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* True if the walk accepts the message without a change. */
static bool is_whole(const struct answer *answer, const uint8_t *original, size_t size)
{
    unsigned records = 0;
    for (int which = 1; which < 4; which++)
        records += read_u16(original + 4 + 2 * which);
    return records == answer->ttl_count && size == answer->len;
}

static void compare_with_ldns(const struct answer *answer, const uint8_t *original, size_t size)
{
    ldns_pkt *before = NULL, *after = NULL;
    unsigned ttl = 0;
    MUST(ldns_wire2pkt(&after, answer->wire, answer->len) == LDNS_STATUS_OK);
    if (ldns_wire2pkt(&before, original, size) != LDNS_STATUS_OK) { /* a record is malformed */
        MUST(!is_whole(answer, original, size));
        ldns_pkt_free(after);
        return;
    }
    MUST(!ldns_pkt_edns(after));
    MUST(ldns_rr_compare(ldns_rr_list_rr(ldns_pkt_question(before), 0), ldns_rr_list_rr(ldns_pkt_question(after), 0)) ==
         0);
    for (int which = 1; which < 4; which++) {
        ldns_rr_list *old = section(before, which), *new = section(after, which);
        size_t count = read_u16(answer->wire + 4 + 2 * which);
        MUST(ldns_rr_list_rr_count(old) >= count);
        MUST(ldns_rr_list_rr_count(new) == count);
        for (size_t i = 0; i < count; i++) {
            MUST(ldns_rr_compare(ldns_rr_list_rr(old, i), ldns_rr_list_rr(new, i)) == 0);
            MUST(ldns_rr_ttl(ldns_rr_list_rr(new, i)) == read_u32(answer->wire + answer->ttl_offsets[ttl++]));
        }
    }
    MUST(ttl == answer->ttl_count);
    ldns_pkt_free(before);
    ldns_pkt_free(after);
}

/* A second walk changes nothing. */
static void walk_again(const struct answer *answer)
{
    struct answer again;
    uint8_t *copy = exact_copy(answer->wire, answer->len);
    unsigned count = answer->ttl_count;
    size_t additional = answer->additional;
    MUST(message_own_answer(copy, answer->len, &scratch, &again) == 0);
    MUST(again.len == answer->len && again.ttl_count == count && again.additional == additional);
    MUST(again.ede.count == 0 && again.rcode == (answer->rcode & 15));
    MUST(memcmp(copy, answer->wire, answer->len) == 0);
    free(copy);
}

static void compare_sections(ldns_pkt *one, ldns_pkt *other)
{
    for (int which = 1; which < 4; which++) {
        ldns_rr_list *old = section(one, which), *new = section(other, which);
        MUST(ldns_rr_list_rr_count(old) == ldns_rr_list_rr_count(new));
        for (size_t i = 0; i < ldns_rr_list_rr_count(old); i++)
            MUST(ldns_rr_compare(ldns_rr_list_rr(old, i), ldns_rr_list_rr(new, i)) == 0);
    }
}

/* The compressed message is shorter, valid, and has the same records. */
static void compress(const struct answer *answer)
{
    static struct rewrite rewrite;
    static struct answer_scratch own_scratch;
    struct answer shorter, again;
    ldns_pkt *before = NULL, *after = NULL;
    answer_assign(&shorter, answer);
    if (!rewrite_compress(&shorter, &rewrite))
        return;
    MUST(shorter.len < answer->len && shorter.ttl_count == answer->ttl_count);
    uint8_t *copy = exact_copy(shorter.wire, shorter.len);
    MUST(message_own_answer(copy, shorter.len, &own_scratch, &again) == 0);
    MUST(again.len == shorter.len && again.ttl_count == shorter.ttl_count && again.additional == shorter.additional);
    MUST(memcmp(own_scratch.ttl_offsets, shorter.ttl_offsets, again.ttl_count * sizeof *again.ttl_offsets) == 0);
    if (ldns_can_read(answer)) {
        MUST(ldns_wire2pkt(&before, answer->wire, answer->len) == LDNS_STATUS_OK);
        MUST(ldns_wire2pkt(&after, copy, shorter.len) == LDNS_STATUS_OK);
        compare_sections(before, after);
        ldns_pkt_free(before);
        ldns_pkt_free(after);
    }
    free(copy);
}

static struct bytes searched; /* for addresses */
static unsigned addresses;

static bool count_address(const uint8_t *address, size_t len)
{
    MUST(len == 4 || len == 16);
    MUST(address >= searched.data && address + len <= searched.data + searched.len);
    addresses++;
    return false;
}

static unsigned address_records(const struct answer *answer, unsigned first, unsigned count)
{
    unsigned found = 0;
    for (unsigned i = first; i < first + count; i++) {
        uint16_t type = read_u16(answer->wire + answer->ttl_offsets[i] - 4);
        found += type == TYPE_A || type == TYPE_AAAA;
    }
    return found;
}

/* Each A and AAAA record has one address, and hints have any number. */
static void find_addresses(const struct answer *answer)
{
    unsigned answers = read_u16(answer->wire + 6), additionals = read_u16(answer->wire + 10);
    searched = (struct bytes){answer->wire, answer->len};
    addresses = 0;
    MUST(!addresses_in_answer(answer, count_address));
    MUST(addresses >= address_records(answer, 0, answers));
    addresses = 0;
    MUST(!addresses_in_additional(answer, count_address));
    MUST(addresses >= address_records(answer, answer->ttl_count - additionals, additionals));
}

/* A response made of the records is valid, and has an address for each A record. */
static void synthesize(const struct answer *answer)
{
    static const struct prefix prefix = {.bytes = {0, 0x64, 0xFF, 0x9B}, .bits = 96};
    static struct answer_scratch made_scratch;
    static struct rewrite rewrite;
    static uint8_t room[MESSAGE_MAX];
    struct key key = {.type = TYPE_AAAA, .class = CLASS_IN, .name_len = 3, .name = "\1a"};
    struct synthesis synthesis;
    struct answer made;
    synthesis_begin(&synthesis, room, sizeof room, &key, RCODE_NOERROR);
    synthesis.prefix = &prefix;
    synthesis_alias(&synthesis, key.name, key.name_len, 1);
    unsigned addresses_made = synthesis_copy_answer(&synthesis, answer, &rewrite);
    synthesis_copy_soa(&synthesis, answer, &rewrite);
    (void)synthesis_negative_ttl(answer, &rewrite, 1);
    size_t len = synthesis_end(&synthesis);
    if (len == 0)
        return;
    MUST(message_own_answer(room, len, &made_scratch, &made) == 0);
    MUST(made.len == len && read_u16(room + 6) >= addresses_made + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer answer;
    struct answer_transport transport;
    if (size > MESSAGE_MAX)
        return 0;
    uint8_t *wire = exact_copy(data, size);
    if (message_walk_answer(wire, size, &scratch, &answer, &transport) == 0) {
        check_offsets(&answer);
        if (ldns_can_read(&answer))
            compare_with_ldns(&answer, data, size);
        find_addresses(&answer);
        walk_again(&answer);
        compress(&answer);
        answer.ttl_offsets = NULL; /* of the second walk */
        synthesize(&answer);
    } else {
        MUST(memcmp(wire, data, size) == 0);
    }
    free(wire);
    return 0;
}
