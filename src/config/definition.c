/* SPDX-License-Identifier: MIT */
/* The identity of a group of upstreams: two groups with one digest may share cache entries.
 *
 * The digest covers everything that can change a response: the servers (certificate name, pins, name of the CA file,
 * addresses with ports, or the host name with its port), encryption, zones and interface of plain servers, client
 * subnet and the DNSSEC mode. It does not cover settings that only affect which server is used, how often and from
 * which address: order, labels, roles, max-qps, source, TLS versions, the present addresses of a host.
 *
 * Each part is preceded by its length, so that no two definitions produce the same bytes. Parts whose order does
 * not matter are sorted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/https.h"

enum { ENCRYPTION_NONE = 0, ENCRYPTION_TLS = 1 };

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

static void add_byte(struct buffer *out, uint8_t byte, int *status)
{
    add(out, &byte, sizeof byte, status);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int compare_zones(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_pins(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct config_pin));
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, DIGEST_LEN);
}

static void add_host(struct buffer *out, const struct config_upstream *upstream, int *status)
{
    uint8_t port[2];
    write_u16(port, upstream->port);
    add_byte(out, 1, status); /* defined by a host name */
    add_text(out, upstream->host, status);
    add(out, port, sizeof port, status);
}

static void add_addresses(struct buffer *out, const struct config_upstream *upstream, int *status)
{
    if (upstream->host) {
        add_host(out, upstream, status);
        return;
    }
    char(*texts)[ADDR_TEXT] = mem_zalloc(upstream->address_count + 1, sizeof *texts);
    if (!texts) {
        *status = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < upstream->address_count; i++)
        addr_format(&upstream->addresses[i], true, texts[i]);
    qsort(texts, upstream->address_count, sizeof *texts, compare_texts);
    add_byte(out, 0, status); /* defined by addresses, not by a host name */
    for (size_t i = 0; i < upstream->address_count; i++)
        add_text(out, texts[i], status);
    mem_free(texts);
}

static void add_pins(struct buffer *out, const struct config_pin *list, size_t count, int *status)
{
    size_t len = count * sizeof *list;
    struct config_pin *pins = mem_alloc(len + 1);
    if (!pins) {
        *status = -ENOMEM;
        return;
    }
    if (len > 0)
        memcpy(pins, list, len);
    qsort(pins, count, sizeof *pins, compare_pins);
    add(out, pins, len, status);
    mem_free(pins);
}

static void add_https(struct buffer *out, const struct config_upstream *upstream, int *status)
{
    struct https_url url;
    config_https_url(upstream, &url);
    add_byte(out, (uint8_t)upstream->transport, status);
    add_text(out, url.authority, status);
    add_text(out, url.path, status);
    add_pins(out, upstream->https_pins, upstream->https_pin_count, status);
}

/* A plain server gets names of its zones only, so a group with other zones could not take its place. An address behind
 * one interface may be another server than the same address behind another one. */
static void add_plain(struct buffer *out, const struct config_upstream *upstream, int *status)
{
    const char **zones = mem_zalloc(upstream->plain_zone_count + 1, sizeof *zones);
    if (!zones) {
        *status = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < upstream->plain_zone_count; i++)
        zones[i] = upstream->plain_zones[i];
    qsort(zones, upstream->plain_zone_count, sizeof *zones, compare_zones);
    add_byte(out, 1 + upstream->plain_exact, status);
    for (size_t i = 0; i < upstream->plain_zone_count; i++)
        add_text(out, zones[i], status);
    add_byte(out, 0, status);
    add_text(out, upstream->interface, status);
    mem_free(zones);
}

/* A CA file is identified by its name: an update of the system's certificates does not change the operator of the
 * server. Without tls-name only pins count, and no CA file is used. */
static int define_upstream(const struct config *config, const struct config_upstream *upstream, uint8_t out[DIGEST_LEN])
{
    const char *ca_file = upstream->ca_file ? upstream->ca_file : config->tls.ca_file;
    struct buffer all = {NULL, 0, 0, 0};
    int status = 0;
    add_byte(&all, upstream->plain_zone_count > 0 ? ENCRYPTION_NONE : ENCRYPTION_TLS, &status);
    add_text(&all, upstream->tls_name, &status);
    add_text(&all, upstream->tls_name ? ca_file : NULL, &status);
    add_pins(&all, upstream->pins, upstream->pin_count, &status);
    add_byte(&all, upstream->ecs == ECS_OFF, &status);
    add_addresses(&all, upstream, &status);
    if (upstream->client_certificate) /* an operator may answer each of its users differently */
        add_text(&all, upstream->client_certificate, &status);
    if (upstream->transport != TRANSPORT_DOT)
        add_https(&all, upstream, &status);
    if (upstream->plain_zone_count > 0)
        add_plain(&all, upstream, &status);
    if (status == 0)
        digest_bytes(out, buffer_bytes(&all).data, all.len);
    buffer_free(&all);
    return status;
}

/* Entries that were validated with other anchors, or not at all, must not be found. All zero in the default mode. */
static int define_dnssec(const struct config *config, uint8_t out[DIGEST_LEN])
{
    struct buffer all = {NULL, 0, 0, 0};
    int status = 0;
    memset(out, 0, DIGEST_LEN);
    if (config->dnssec.mode == DNSSEC_MODE_UPSTREAM)
        return 0;
    add_byte(&all, (uint8_t)config->dnssec.mode, &status);
    add_text(&all, config->dnssec.trust_anchors, &status);
    for (size_t i = 0; i < config->dnssec.negative_count; i++)
        add_text(&all, config->dnssec.negative[i], &status);
    if (status == 0)
        digest_bytes(out, buffer_bytes(&all).data, all.len);
    buffer_free(&all);
    return status;
}

int config_define_group(const struct config *config, const struct config_upstream *upstreams, size_t count,
                        uint8_t out[DIGEST_LEN])
{
    uint8_t(*digests)[DIGEST_LEN] =
        mem_zalloc(count + 1, DIGEST_LEN); /* the last digest covers the settings of the whole group */
    int status = digests ? 0 : -ENOMEM;
    for (size_t i = 0; status == 0 && i < count; i++)
        status = define_upstream(config, &upstreams[i], digests[i]);
    if (status == 0)
        status = define_dnssec(config, digests[count]);
    if (status == 0) {
        qsort(digests, count, DIGEST_LEN, compare_digests);
        digest_bytes(out, digests, (count + 1) * DIGEST_LEN);
    }
    mem_free(digests);
    return status;
}
