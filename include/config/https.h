/* SPDX-License-Identifier: MIT */
/* The URL of an upstream for DNS over HTTPS.
 *
 * Does:    splits a URL as https://HOST[:PORT]/PATH; what is not given comes from the upstream.
 * Owns:    nothing.
 * Threads: any.
 * RFC:     3986, 8484 (a template's {?dns} is left out: queries are sent by POST).
 */
#ifndef DOTSTUB_CONFIG_HTTPS_H
#define DOTSTUB_CONFIG_HTTPS_H

#include "config/config.h"

#define HTTPS_URL_MAX 512

struct https_url {
    char host[HTTPS_URL_MAX];      /* without brackets */
    char authority[HTTPS_URL_MAX]; /* as in the URL */
    char path[HTTPS_URL_MAX];
    uint16_t port;
};

/* 0, or -EINVAL: `text` is not such a URL. */
int https_url_parse(struct https_url *out, const char *text) MUST_CHECK;
/* The URL of an upstream with the transport https or auto; by default https://TLS-NAME/dns-query. */
void config_https_url(const struct config_upstream *upstream, struct https_url *out);

#endif
