/* SPDX-License-Identifier: MIT */
/* What makes answers those of these upstreams and of no others. Each part has its length before it, so that no two sets give the
 * same octets. */
#include <string.h>
#include "base/bytes.h"
#include "config/config.h"

static void add(struct buffer *out, const void *data, size_t len, int *status)
{
    uint8_t prefix[4];
    write_u32(prefix, (uint32_t)len);
    if (*status == 0)
        *status = buffer_append(out, prefix, sizeof prefix);
    if (*status == 0 && len > 0)
        *status = buffer_append(out, data, len);
}

static void add_text(struct buffer *out, const char *text, int *status)
{
    add(out, text, text ? strlen(text) : 0, status);
}

static void add_upstream(struct buffer *out, const struct config *config, const struct config_upstream *upstream,
                         int *status)
{
    uint8_t ecs = upstream->ecs == ECS_OFF;
    uint8_t count[4];
    char text[ADDR_TEXT];
    write_u32(count, (uint32_t)upstream->address_count);
    add_text(out, upstream->tls_name, status);
    add_text(out, upstream->ca_file ? upstream->ca_file : config->tls.ca_file, status);
    add(out, upstream->pins, upstream->pin_count * sizeof *upstream->pins, status);
    add(out, &ecs, sizeof ecs, status);
    add(out, count, sizeof count, status);
    for (size_t i = 0; i < upstream->address_count; i++)
        add_text(out, addr_format(&upstream->addresses[i], true, text), status);
}

int config_define_upstreams(const struct config *config, uint8_t out[DIGEST_LEN])
{
    struct buffer all = {NULL, 0, 0, 0};
    int status = 0;
    for (size_t i = 0; i < config->upstream_count; i++)
        add_upstream(&all, config, &config->upstreams[i], &status);
    if (status == 0)
        digest_bytes(out, buffer_bytes(&all).data, all.len);
    buffer_free(&all);
    return status;
}
