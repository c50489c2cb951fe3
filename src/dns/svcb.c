/* SPDX-License-Identifier: MIT */
#include "dns/svcb.h"

#include <string.h>

enum { ALPN = 1, PORT = 3, IPV4_HINT = 4, IPV6_HINT = 6, DOH_PATH = 7 };

/* The variable of the URI template (RFC 8484 section 4.1.1). */
static const char query_variable[] = "{?dns}";

static void put_hints(struct writer *writer, uint16_t key, sa_family_t family, const struct addr *hints, size_t count)
{
    size_t found = 0, size = family == AF_INET ? 4 : 16;
    for (size_t i = 0; i < count && found < SVCB_HINTS; i++)
        found += hints[i].sa.sa_family == family;
    if (found == 0)
        return;
    writer_u16(writer, key);
    writer_u16(writer, (uint16_t)(found * size));
    for (size_t i = 0; i < count && found > 0; i++) {
        if (hints[i].sa.sa_family != family)
            continue;
        writer_bytes(writer,
                     family == AF_INET ? (const void *)&hints[i].in.sin_addr : (const void *)&hints[i].in6.sin6_addr,
                     size);
        found--;
    }
}

void svcb_params(struct writer *writer, const struct svcb_service *service, const struct addr *hints, size_t count)
{
    size_t alpn = strlen(service->alpn);
    writer_u16(writer, ALPN);
    writer_u16(writer, (uint16_t)(1 + alpn));
    writer_u8(writer, (uint8_t)alpn);
    writer_bytes(writer, service->alpn, alpn);
    writer_u16(writer, PORT);
    writer_u16(writer, 2);
    writer_u16(writer, service->port);
    put_hints(writer, IPV4_HINT, AF_INET, hints, count);
    put_hints(writer, IPV6_HINT, AF_INET6, hints, count);
    if (!service->path)
        return;
    size_t path = strlen(service->path);
    writer_u16(writer, DOH_PATH);
    writer_u16(writer, (uint16_t)(path + sizeof query_variable - 1));
    writer_bytes(writer, service->path, path);
    writer_bytes(writer, query_variable, sizeof query_variable - 1);
}
