/* SPDX-License-Identifier: MIT */
/* Messages from servers that the walk accepts: after chain_tidy the walk still accepts them, a second pass changes nothing, and ldns
 * reads no record that the original does not have. */
#include "base/errors.h"
#include "dns/chain.h"
#include "fuzz.h"

#include "ldns_reads.h" /* last: before stdbool.h ldns has a bool of its own */

static struct answer_scratch scratch, again_scratch;
static struct rewrite rewrite, again_rewrite;

static bool holds(ldns_rr_list *list, const ldns_rr *record)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
        if (ldns_rr_compare(ldns_rr_list_rr(list, i), record) == 0)
            return true;
    return false;
}

static void check_subset(ldns_rr_list *old, ldns_rr_list *new)
{
    MUST(ldns_rr_list_rr_count(new) <= ldns_rr_list_rr_count(old));
    for (size_t i = 0; i < ldns_rr_list_rr_count(new); i++)
        MUST(holds(old, ldns_rr_list_rr(new, i)));
}

static void compare(const uint8_t *before, size_t before_len, const struct answer *answer)
{
    ldns_pkt *old = NULL, *new = NULL;
    MUST(ldns_wire2pkt(&old, before, before_len) == LDNS_STATUS_OK);
    MUST(ldns_wire2pkt(&new, answer->wire, answer->len) == LDNS_STATUS_OK);
    check_subset(ldns_pkt_answer(old), ldns_pkt_answer(new));
    check_subset(ldns_pkt_authority(old), ldns_pkt_authority(new));
    check_subset(ldns_pkt_additional(old), ldns_pkt_additional(new));
    ldns_pkt_free(old);
    ldns_pkt_free(new);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer answer, again;
    struct answer_transport transport;
    if (size > MESSAGE_MAX)
        return 0;
    uint8_t *wire = exact_copy(data, size);
    if (message_walk_answer(wire, size, &scratch, &answer, &transport) == 0) {
        size_t before_len = answer.len;
        bool readable = answer.ttl_count < 100 && ldns_can_read(&answer);
        uint8_t *before = exact_copy(wire, before_len);
        size_t name = name_len((struct bytes){wire + MESSAGE_HEADER, before_len - MESSAGE_HEADER});
        uint16_t type = read_u16(wire + MESSAGE_HEADER + name);
        bool dnssec_ok = !(wire[0] & 1);
        int status = chain_tidy(&answer, type, dnssec_ok, &rewrite);
        if (status == 0) {
            uint8_t *copy = exact_copy(answer.wire, answer.len);
            MUST(message_own_answer(copy, answer.len, &again_scratch, &again) == 0);
            MUST(again.ttl_count == answer.ttl_count && again.additional == answer.additional);
            MUST(memcmp(again.ttl_offsets, answer.ttl_offsets, again.ttl_count * sizeof(uint16_t)) == 0);
            if (chain_tidy(&again, type, dnssec_ok, &again_rewrite) == 0) {
                MUST(again.ttl_count == answer.ttl_count);
                MUST(again.len == answer.len && memcmp(again.wire, answer.wire, answer.len) == 0);
            }
            if (readable)
                compare(before, before_len, &answer);
            free(copy);
        } else {
            MUST(status == ERROR_MALFORMED && answer.wire == wire && memcmp(wire, before, before_len) == 0);
        }
        free(before);
    }
    free(wire);
    return 0;
}
