/* SPDX-License-Identifier: MIT */
/* Messages from clients: all that the walk reads lies inside the message, and ldns reads the same. */
#include "dns/message.h"
#include "fuzz.h"

#include <ldns/ldns.h> /* last: before stdbool.h it has a bool of its own */

static void check_question(struct bytes wire, const struct request *request)
{
    struct key key;
    MUST(request->question_end == MESSAGE_HEADER + request->name_len + 4u);
    MUST(request->question_end <= wire.len);
    message_request_key(wire, request, &key);
    MUST(name_len((struct bytes){key.name, key.name_len}) == key.name_len);
    MUST(message_answers(wire, &key));
}

static void check_cookie(struct bytes wire, const struct request *request)
{
    struct bytes cookie = message_request_cookie(wire, request);
    MUST(cookie.data > wire.data + MESSAGE_HEADER && cookie.len <= wire.len);
    MUST(cookie.data + cookie.len <= wire.data + wire.len);
}

/* ldns reads NSAP-PTR and SINK records differently; types in the Question section and OPT do not matter. */
static bool ldns_can_read(struct bytes wire, const struct request *request)
{
    if (read_u16(wire.data + 6) == 0 && read_u16(wire.data + 8) == 0 && read_u16(wire.data + 10) == request->edns)
        return true;
    for (size_t at = MESSAGE_HEADER; at + 1 < wire.len; at++) {
        uint16_t type = read_u16(wire.data + at);
        if (type == LDNS_RR_TYPE_NSAP_PTR || type == LDNS_RR_TYPE_SINK)
            return false;
    }
    return true;
}

static void compare_with_ldns(struct bytes wire, const struct request *request)
{
    ldns_pkt *packet = NULL;
    MUST(ldns_wire2pkt(&packet, wire.data, wire.len) == LDNS_STATUS_OK);
    MUST(ldns_rr_list_rr_count(ldns_pkt_question(packet)) == 1);
    const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(packet), 0);
    MUST(ldns_rr_get_type(question) == (ldns_rr_type)request->type);
    MUST(ldns_rr_get_class(question) == (ldns_rr_class)request->class);
    MUST(ldns_rdf_size(ldns_rr_owner(question)) == request->name_len);
    MUST(memcmp(ldns_rdf_data(ldns_rr_owner(question)), wire.data + MESSAGE_HEADER, request->name_len) == 0);
    MUST(ldns_pkt_edns_do(packet) == request->dnssec_ok);
    MUST(ldns_pkt_edns(packet) == request->edns);
    if (request->edns && ldns_pkt_edns_udp_size(packet) >= 512)
        MUST(ldns_pkt_edns_udp_size(packet) == request->udp_size);
    ldns_pkt_free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MESSAGE_MAX)
        return 0;
    uint8_t *copy = exact_copy(data, size);
    struct bytes wire = {copy, size};
    struct request request;
    enum request_verdict verdict = message_parse_request(wire, &request);
    if (verdict != REQUEST_SILENT && request.has_question)
        check_question(wire, &request);
    MUST(verdict == REQUEST_SILENT || request.edns || (!request.dnssec_ok && !request.options));
    if (verdict != REQUEST_SILENT && (request.options & REQUEST_COOKIE))
        check_cookie(wire, &request);
    MUST(verdict != REQUEST_NO_QUESTION || (!request.has_question && (request.options & REQUEST_COOKIE)));
    MUST(verdict != REQUEST_BADVERS || request.edns);
    if ((verdict == REQUEST_OK || verdict == REQUEST_BADVERS) && ldns_can_read(wire, &request))
        compare_with_ldns(wire, &request);
    free(copy);
    return 0;
}
