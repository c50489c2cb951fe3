/* SPDX-License-Identifier: MIT */
/* RDATA: the layout of each type, and the check that it fills RDLENGTH exactly.
 *
 * Invariants:
 * - Every type that ldns parses field by field is listed, because ldns takes the end of the last field, not
 *   RDLENGTH, as the start of the next record. Two types that it parses wrongly have other layouts here: NSAP-PTR
 *   is a name (RFC 1706 section 6), SINK is opaque. Every other type is opaque (RFC 3597 section 3), so unknown
 *   types pass.
 * - Data that is shorter than its type requires, as some servers send it, passes if it contains no name: a TXT
 *   without strings, a HINFO with one string, a truncated LOC or digest.
 * - A layout is applied from left to right; no field extends past the end of the data.
 * - The class is ignored, as in ldns.
 */
#include "walk.h"

#include <ldns/ldns.h>
#include <string.h>

/* One character for each field:
 *   1 ... 8  that many bytes
 *   N        a name that may be compressed: in the types of RFC 1035, in those that receivers must decompress
 *            according to RFC 3597 section 4, and in DNAME and LP, which some servers compress although they must
 *            not
 *   n        a name that may not be compressed
 *   r        uncompressed names up to the end
 *   s        a character string
 *   o        a character string, or nothing
 *   S        character strings up to the end
 *   d        a length of two bytes, and that number of bytes
 *   *  +     the remaining bytes; at least one of them
 *   b        type bitmaps up to the end
 *   p        service parameters up to the end
 *   a        address prefixes up to the end
 *   h        the lengths, tag and key that HIP begins with
 *   g        a gateway; the second byte of the data is its kind
 *   G        the same, but the upper bit of that byte means something else (RFC 8777 section 4.2)
 */
static const char layouts[][12] = {
    [LDNS_RR_TYPE_A] = "4",
    [LDNS_RR_TYPE_NS] = "N",
    [LDNS_RR_TYPE_MD] = "N",
    [LDNS_RR_TYPE_MF] = "N",
    [LDNS_RR_TYPE_CNAME] = "N",
    [LDNS_RR_TYPE_SOA] = "NN44444",
    [LDNS_RR_TYPE_MB] = "N",
    [LDNS_RR_TYPE_MG] = "N",
    [LDNS_RR_TYPE_MR] = "N",
    [LDNS_RR_TYPE_WKS] = "41*",
    [LDNS_RR_TYPE_PTR] = "N",
    [LDNS_RR_TYPE_HINFO] = "so",
    [LDNS_RR_TYPE_MINFO] = "NN",
    [LDNS_RR_TYPE_MX] = "2N",
    [LDNS_RR_TYPE_TXT] = "S",
    [LDNS_RR_TYPE_RP] = "NN",
    [LDNS_RR_TYPE_AFSDB] = "2N",
    [LDNS_RR_TYPE_X25] = "s",
    [LDNS_RR_TYPE_ISDN] = "so",
    [LDNS_RR_TYPE_RT] = "2N",
    [LDNS_RR_TYPE_NSAP] = "*",
    [LDNS_RR_TYPE_NSAP_PTR] = "N",
    [LDNS_RR_TYPE_SIG] = "2114442N+",
    [LDNS_RR_TYPE_KEY] = "211*",
    [LDNS_RR_TYPE_PX] = "2NN",
    [LDNS_RR_TYPE_GPOS] = "sss",
    [LDNS_RR_TYPE_AAAA] = "88",
    [LDNS_RR_TYPE_LOC] = "*",
    [LDNS_RR_TYPE_NXT] = "N*",
    [LDNS_RR_TYPE_SRV] = "222N",
    [LDNS_RR_TYPE_NAPTR] = "22sssN",
    [LDNS_RR_TYPE_KX] = "2N",
    [LDNS_RR_TYPE_CERT] = "221*",
    [LDNS_RR_TYPE_DNAME] = "N",
    [LDNS_RR_TYPE_APL] = "a",
    [LDNS_RR_TYPE_DS] = "211*",
    [LDNS_RR_TYPE_SSHFP] = "11*",
    [LDNS_RR_TYPE_IPSECKEY] = "111g*",
    [LDNS_RR_TYPE_RRSIG] = "2114442n+",
    [LDNS_RR_TYPE_NSEC] = "nb",
    [LDNS_RR_TYPE_DNSKEY] = "211*",
    [LDNS_RR_TYPE_DHCID] = "*",
    [LDNS_RR_TYPE_NSEC3] = "112ssb",
    [LDNS_RR_TYPE_NSEC3PARAM] = "112s",
    [LDNS_RR_TYPE_TLSA] = "111*",
    [LDNS_RR_TYPE_SMIMEA] = "111*",
    [LDNS_RR_TYPE_HIP] = "hr",
    [LDNS_RR_TYPE_NINFO] = "S",
    [LDNS_RR_TYPE_TALINK] = "nn",
    [LDNS_RR_TYPE_CDS] = "211*",
    [LDNS_RR_TYPE_CDNSKEY] = "211*",
    [LDNS_RR_TYPE_OPENPGPKEY] = "*",
    [LDNS_RR_TYPE_CSYNC] = "42b",
    [LDNS_RR_TYPE_ZONEMD] = "411*",
    [LDNS_RR_TYPE_SVCB] = "2np",
    [LDNS_RR_TYPE_HTTPS] = "2np",
    [LDNS_RR_TYPE_SPF] = "S",
    [LDNS_RR_TYPE_NID] = "28",
    [LDNS_RR_TYPE_L32] = "24",
    [LDNS_RR_TYPE_L64] = "28",
    [LDNS_RR_TYPE_LP] = "2N",
    [LDNS_RR_TYPE_EUI48] = "6",
    [LDNS_RR_TYPE_EUI64] = "8",
    [LDNS_RR_TYPE_TKEY] = "n4422dd",
    [LDNS_RR_TYPE_TSIG] = "n62d22d",
    [LDNS_RR_TYPE_URI] = "22*",
    [LDNS_RR_TYPE_CAA] = "1s*",
    [LDNS_RR_TYPE_AVC] = "S",
    [LDNS_RR_TYPE_AMTRELAY] = "11G",
};

static const char *layout_of(uint16_t type)
{
    if (type < sizeof(layouts) / sizeof(layouts[0]) && layouts[type][0])
        return layouts[type];
    return type == LDNS_RR_TYPE_DLV ? "211*" : "*";
}

static bool skip(struct walk *walk, size_t end, size_t bytes)
{
    if (end - walk->at < bytes)
        return false;
    walk->at += bytes;
    return true;
}

static bool skip_string(struct walk *walk, size_t end)
{
    return walk->at < end && skip(walk, end, 1 + (size_t)walk->wire[walk->at]);
}

static bool skip_counted(struct walk *walk, size_t end)
{
    return end - walk->at >= 2 && skip(walk, end, 2 + (size_t)read_u16(walk->wire + walk->at));
}

/* Windows in rising order, each of 1 to 32 bytes (RFC 4034 section 4.1.2). */
static bool skip_bitmaps(struct walk *walk, size_t end)
{
    int last = -1;
    while (walk->at < end) {
        const uint8_t *window = walk->wire + walk->at;
        if (end - walk->at < 2 || window[0] <= last || window[1] < 1 || window[1] > 32 ||
            !skip(walk, end, 2 + (size_t)window[1]))
            return false;
        last = window[0];
    }
    return true;
}

/* Key, length, value; the meaning and the order of keys is checked by the client (RFC 9460 section 2.2). */
static bool skip_service_parameters(struct walk *walk, size_t end)
{
    while (walk->at < end) {
        if (!skip(walk, end, 2) || !skip_counted(walk, end))
            return false;
    }
    return true;
}

/* Family, prefix length, one bit of negation and seven of length (RFC 3123 section 4). */
static bool skip_prefixes(struct walk *walk, size_t end)
{
    while (walk->at < end) {
        if (end - walk->at < 4 || !skip(walk, end, 4 + (size_t)(walk->wire[walk->at + 3] & 0x7F)))
            return false;
    }
    return true;
}

/* RFC 8005 section 5. */
static bool skip_host_identity(struct walk *walk, size_t end)
{
    const uint8_t *at = walk->wire + walk->at;
    return end - walk->at >= 4 && skip(walk, end, 4 + (size_t)at[0] + read_u16(at + 2));
}

/* The kinds are the same in IPSECKEY (RFC 4025 section 2.3) and AMTRELAY; other kinds are opaque. */
static bool skip_gateway(struct walk *walk, size_t end, uint8_t kind)
{
    switch (kind) {
    case 0:
        return true;
    case 1:
        return skip(walk, end, 4);
    case 2:
        return skip(walk, end, 16);
    case 3:
        return walk_name(walk, end, false);
    default:
        walk->at = end;
        return true;
    }
}

static bool skip_names(struct walk *walk, size_t end)
{
    while (walk->at < end) {
        if (!walk_name(walk, end, false))
            return false;
    }
    return true;
}

static bool skip_strings(struct walk *walk, size_t end)
{
    while (walk->at < end) {
        if (!skip_string(walk, end))
            return false;
    }
    return true;
}

static bool skip_rest(struct walk *walk, size_t end, size_t least)
{
    return end - walk->at >= least && skip(walk, end, end - walk->at);
}

static bool skip_field(struct walk *walk, size_t end, char field, size_t start)
{
    switch (field) {
    case 'N':
        return walk_name(walk, end, true);
    case 'n':
        return walk_name(walk, end, false);
    case 'r':
        return skip_names(walk, end);
    case 's':
        return skip_string(walk, end);
    case 'o':
        return walk->at == end || skip_string(walk, end);
    case 'S':
        return skip_strings(walk, end);
    case 'd':
        return skip_counted(walk, end);
    case '*':
        return skip_rest(walk, end, 0);
    case '+':
        return skip_rest(walk, end, 1);
    case 'b':
        return skip_bitmaps(walk, end);
    case 'p':
        return skip_service_parameters(walk, end);
    case 'a':
        return skip_prefixes(walk, end);
    case 'h':
        return skip_host_identity(walk, end);
    case 'g':
        return skip_gateway(walk, end, walk->wire[start + 1]);
    case 'G':
        return skip_gateway(walk, end, walk->wire[start + 1] & 0x7F);
    default:
        return skip(walk, end, (size_t)(field - '0'));
    }
}

bool walk_rdata(struct walk *walk, uint16_t type, size_t end)
{
    size_t start = walk->at;
    for (const char *field = layout_of(type); *field; field++) {
        if (!skip_field(walk, end, *field, start))
            return false;
    }
    return walk->at == end;
}

size_t name_end(const uint8_t *wire, size_t at)
{
    while (wire[at] && wire[at] < 0xC0)
        at += 1 + (size_t)wire[at];
    return wire[at] ? at + 2 : at + 1;
}

/* In every layout only fields of fixed length and strings precede a name that may be compressed. */
unsigned rdata_names(const uint8_t *wire, uint16_t type, size_t rdata, size_t names[RDATA_NAMES])
{
    const char *layout = layout_of(type), *last = strrchr(layout, 'N');
    unsigned count = 0;
    for (const char *field = layout; last && field <= last; field++) {
        if (*field == 'N') {
            names[count++] = rdata;
            rdata = name_end(wire, rdata);
        } else if (*field == 's') {
            rdata += 1 + (size_t)wire[rdata];
        } else {
            rdata += (size_t)(*field - '0');
        }
    }
    return count;
}
