/* SPDX-License-Identifier: MIT */
#include "denial.h"

#include <string.h>

#include "dns/codes.h"
#include "wire.h"

bool denial_is_delegation(struct bytes types)
{
    return bitmap_has(types, TYPE_NS) && !bitmap_has(types, TYPE_SOA);
}

bool denial_ends_zone(struct bytes types)
{
    return denial_is_delegation(types) || bitmap_has(types, TYPE_DNAME);
}

bool denial_is_nodata(struct bytes types, uint16_t type, bool is_root)
{
    if (bitmap_has(types, type) || bitmap_has(types, TYPE_CNAME) || (type == TYPE_ANY && types.len > 0))
        return false;
    if (type == TYPE_DS)
        return is_root || !bitmap_has(types, TYPE_SOA);
    return !denial_is_delegation(types);
}

size_t denial_wildcard(const uint8_t *name, size_t len, unsigned labels, uint8_t out[NAME_MAX_WIRE])
{
    const uint8_t *ancestor = canonical_ancestor(name, labels);
    size_t rest = len - (size_t)(ancestor - name);
    if (rest + 2 > NAME_MAX_WIRE)
        return 0;
    out[0] = 1;
    out[1] = '*';
    memcpy(out + 2, ancestor, rest);
    return rest + 2;
}

static void collect_nsec3(struct denial_proof *proof, const struct rrset *set, const struct rrsets *sets,
                          const uint8_t *wire)
{
    struct bytes salt;
    unsigned iterations;
    if (proof->nsec3_count == DENIAL_RECORDS ||
        !nsec3_read(set, sets, wire, &proof->nsec3[proof->nsec3_count], &salt, &iterations))
        return;
    if (iterations > DENIAL_ITERATIONS) {
        proof->many_iterations = true;
        return;
    }
    if (proof->nsec3_count > 0 && (iterations != proof->iterations || salt.len != proof->salt.len ||
                                   memcmp(salt.data, proof->salt.data, salt.len) != 0))
        return;
    proof->salt = salt;
    proof->iterations = iterations;
    proof->nsec3_count++;
}

void denial_collect(struct denial_proof *proof, const struct rrsets *sets, const uint8_t *wire, const uint8_t *apex,
                    size_t apex_len, unsigned *hashes)
{
    proof->apex = apex;
    proof->apex_len = apex_len;
    proof->apex_labels = name_labels(apex);
    proof->nsec_count = proof->nsec3_count = 0;
    proof->many_iterations = false;
    proof->hashes = hashes;
    for (unsigned i = 0; i < sets->count; i++) {
        const struct rrset *set = &sets->set[i];
        if (set->section != 1 || set->status != RRSET_SECURE || set->apex_labels != proof->apex_labels ||
            !name_is_under(set->owner, set->owner_len, apex, apex_len))
            continue;
        if (set->type == TYPE_NSEC && proof->nsec_count < DENIAL_RECORDS)
            proof->nsec_count += nsec_read(set, sets, wire, &proof->nsec[proof->nsec_count]);
        else if (set->type == TYPE_NSEC3)
            collect_nsec3(proof, set, sets, wire);
    }
}

enum denial denial_check(struct denial_proof *proof, const uint8_t *name, size_t len, uint16_t type, bool nxdomain)
{
    enum denial denial = nsec_check(proof, name, len, type, nxdomain);
    return denial == DENIAL_NONE && proof->nsec3_count > 0 ? nsec3_check(proof, name, len, type, nxdomain) : denial;
}

enum denial denial_check_wildcard(struct denial_proof *proof, const uint8_t *name, size_t len, unsigned from_labels)
{
    enum denial denial = nsec_check_wildcard(proof, name, len, from_labels);
    return denial == DENIAL_NONE && proof->nsec3_count > 0 ? nsec3_check_wildcard(proof, name, len, from_labels)
                                                           : denial;
}
