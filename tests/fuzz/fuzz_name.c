/* SPDX-License-Identifier: MIT */
/* Names in wire format and as text: a valid name is the same after conversion to text and back. */
#include <ctype.h>

#include "dns/name.h"
#include "fuzz.h"

#include <ldns/ldns.h> /* last: before stdbool.h it has a bool of its own */

/* ldns must read our text as our wire format. */
static void compare_with_ldns(const char *text, const uint8_t *wire, size_t len)
{
    ldns_rdf *name = ldns_dname_new_frm_str(text);
    MUST(name);
    MUST(ldns_rdf_size(name) == len);
    MUST(memcmp(ldns_rdf_data(name), wire, len) == 0);
    ldns_rdf_deep_free(name);
}

static void check_wire(const uint8_t *data, size_t size)
{
    uint8_t lowered[NAME_MAX_WIRE], again[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT];
    size_t len = name_len((struct bytes){data, size});
    MUST(len <= size && len <= NAME_MAX_WIRE);
    if (!len)
        return;
    name_lower(lowered, data, len);
    for (size_t i = 0; i < len; i++)
        MUST(lowered[i] == (data[i] >= 'A' && data[i] <= 'Z' ? tolower(data[i]) : data[i]));
    MUST(name_equal(lowered, data));
    MUST(name_is_under(lowered, len, lowered + len - 1, 1));
    MUST(name_labels(data) < NAME_MAX_WIRE / 2 + 1);
    compare_with_ldns(name_text(data, text), data, len);
    MUST(name_from_text(again, text) == (int)len);
    MUST(memcmp(again, lowered, len) == 0);
}

static void check_text(const uint8_t *data, size_t size)
{
    uint8_t wire[NAME_MAX_WIRE], again[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT], *input = malloc(size + 1);
    MUST(input);
    memcpy(input, data, size);
    input[size] = '\0';
    int len = name_from_text(wire, input);
    free(input);
    if (len < 0)
        return;
    MUST(name_len((struct bytes){wire, (size_t)len}) == (size_t)len);
    MUST(name_from_text(again, name_text(wire, text)) == len);
    MUST(memcmp(wire, again, (size_t)len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    check_wire(data, size);
    check_text(data, size);
    return 0;
}
