/* SPDX-License-Identifier: MIT */
/* The checks of the listeners and their certificates. */
#include <string.h>
#include "config/validate_private.h"

static void check_reach(struct draft *draft, const struct setting *listen, const char *key)
{
    const struct setting *allow = draft_setting(draft, "access.allow");
    char text[ADDR_TEXT];
    const struct value *value = listen->first;
    while (value && addr_is_loopback(&value->addr))
        value = value->next;
    if (value && !allow->named)
        report_at(draft->report, value->mark,
                  "%s: %s can be reached from other machines; list the allowed clients in access.allow", key,
                  addr_format(&value->addr, false, text));
}

void validate_listen(struct draft *draft)
{
    const struct setting *listen = draft_setting(draft, "listen");
    if (listen->count == 0 && !listen->broken)
        report_at(draft->report, listen->mark, "listen: no address is left, so no client could send a query");
    validate_duplicates(draft, listen, "listen");
    check_reach(draft, listen, "listen");
}

/* Both would take connections to the same address. */
static void check_not_in(struct draft *draft, const struct setting *setting, const char *key,
                         const struct setting *other, const char *other_key)
{
    char text[ADDR_TEXT];
    for (const struct value *value = setting->first; value; value = value->next)
        for (const struct value *taken = other->first; taken; taken = taken->next)
            if (addr_equal(&value->addr, &taken->addr))
                report_at(draft->report, value->mark, "%s: %s is in %s too; give them different ports", key,
                          addr_format(&value->addr, true, text), other_key);
}

/* The lists of addresses for connections, besides `listen`. */
static const struct {
    const char *key;
    bool tls;
} stream_listeners[] = {{"listen-tls", true}, {"listen-https", true}, {"listen-http", false}};

static void check_stream_listeners(struct draft *draft, bool has_certificate)
{
    for (size_t i = 0; i < sizeof stream_listeners / sizeof *stream_listeners; i++) {
        const char *key = stream_listeners[i].key;
        const struct setting *listen = draft_setting(draft, key);
        validate_duplicates(draft, listen, key);
        check_reach(draft, listen, key);
        check_not_in(draft, listen, key, draft_setting(draft, "listen"), "listen");
        for (size_t other = 0; other < i; other++)
            check_not_in(draft, listen, key, draft_setting(draft, stream_listeners[other].key),
                         stream_listeners[other].key);
        if (stream_listeners[i].tls && listen->count > 0 && !has_certificate)
            report_at(draft->report, listen->mark,
                      "%s: it needs a certificate; name PEM files in tls-server.certificate and tls-server.key", key);
    }
}

static void check_https_path(struct draft *draft)
{
    const struct setting *path = draft_setting(draft, "https-path");
    const struct value *value = path->first;
    if (value && (value->text.len == 0 || value->text.data[0] != '/' || memchr(value->text.data, '?', value->text.len)))
        report_at(draft->report, value->mark, "https-path: a path begins with / and has no ?, as in /dns-query");
}

void validate_tls_server(struct draft *draft)
{
    const struct setting *certificates = draft_setting(draft, "tls-server.certificate"),
                         *keys = draft_setting(draft, "tls-server.key");
    check_stream_listeners(draft, certificates->count > 0 || certificates->broken);
    check_https_path(draft);
    if (certificates->broken || keys->broken)
        return;
    if (certificates->count != keys->count)
        report_at(draft->report, keys->count ? keys->mark : certificates->mark,
                  "tls-server.key: %zu keys for %zu certificates; name the key of each, in the same order", keys->count,
                  certificates->count);
}
