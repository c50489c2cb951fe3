/* SPDX-License-Identifier: MIT */
#include "config/https.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_HTTPS = 443 };

/* Printable, without the bytes that separate parts of a URL or of HTTP. */
static bool is_url_text(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~' || strchr("\"<>\\^`|#", *text))
            return false;
    return true;
}

static int parse_port(uint16_t *out, const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || port == 0 || port > UINT16_MAX)
        return -EINVAL;
    *out = (uint16_t)port;
    return 0;
}

int https_url_parse(struct https_url *out, const char *text)
{
    static const char scheme[] = "https://";
    if (strncmp(text, scheme, sizeof scheme - 1) != 0 || strlen(text) >= HTTPS_URL_MAX || !is_url_text(text))
        return -EINVAL;
    text += sizeof scheme - 1;
    size_t len = strcspn(text, "/?");
    snprintf(out->authority, sizeof out->authority, "%.*s", (int)len, text);
    snprintf(out->path, sizeof out->path, "%s", text[len] ? text + len : "/");
    char *template = strstr(out->path, "{?dns}");
    if (template && strcmp(template, "{?dns}") == 0)
        *template = '\0';
    const char *host = out->authority, *end = strchr(host, ':');
    if (*host == '[') {
        const char *close = strchr(host, ']');
        if (!close)
            return -EINVAL;
        end = close[1] ? close + 1 : NULL;
        snprintf(out->host, sizeof out->host, "%.*s", (int)(close - host - 1), host + 1);
    } else {
        snprintf(out->host, sizeof out->host, "%.*s", end ? (int)(end - host) : (int)len, host);
    }
    out->port = PORT_HTTPS;
    if (!out->host[0] || strpbrk(out->authority, "@{}") || strpbrk(out->path, "{}") || out->path[0] != '/')
        return -EINVAL;
    if (!end)
        return 0;
    return *end == ':' ? parse_port(&out->port, end + 1) : -EINVAL;
}

void config_https_url(const struct config_upstream *upstream, struct https_url *out)
{
    const char *name = upstream->tls_name ? upstream->tls_name : upstream->host;
    *out = (struct https_url){.port = PORT_HTTPS, .path = "/dns-query"};
    if (upstream->https && https_url_parse(out, upstream->https) == 0)
        return;
    snprintf(out->host, sizeof out->host, "%s", name ? name : "");
    snprintf(out->authority, sizeof out->authority, "%s", name ? name : "");
}
