/* SPDX-License-Identifier: MIT */
#include "net/framing.h"

enum { DNS_HEADER = 2 };

static size_t dns_unit(struct bytes bytes)
{
    return bytes.len < DNS_HEADER ? DNS_HEADER : DNS_HEADER + (size_t)read_u16(bytes.data);
}

static void dns_seal(uint8_t *header, size_t len)
{
    write_u16(header, (uint16_t)len);
}

const struct framing framing_dns = {
    .name = "dns", .header = DNS_HEADER, .max = UINT16_MAX, .unit = dns_unit, .seal = dns_seal};

static size_t all_bytes(struct bytes bytes)
{
    return bytes.len;
}

const struct framing framing_bytes = {.name = "bytes", .max = 1 << 20, .unit = all_bytes};
