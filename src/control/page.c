/* SPDX-License-Identifier: MIT */
/* Invariant: the Content-Security-Policy allows the page's script and style by their hashes, computed from the bytes
 * that are sent. Injected script does not run, and nothing is fetched from other hosts.
 */
#include "page.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "request.h"
#include "status.h"

/* --- the page --- */

enum { HASH_TEXT = sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_ORIGINAL) };

/* Hashes the text between the first `begin` and the next `end`. */
static const char *hash_between(const char *begin, const char *end, char out[HASH_TEXT])
{
    const char *from = strstr((const char *)page_html, begin) + strlen(begin);
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const uint8_t *)from, (size_t)(strstr(from, end) - from));
    return sodium_bin2base64(out, HASH_TEXT, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
}

void page_send(struct view *view, struct http_request *request)
{
    char policy[512], script[HASH_TEXT], style[HASH_TEXT];
    (void)view;
    snprintf(policy, sizeof policy,
             "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; connect-src 'self'; img-src data:; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             hash_between("<script>", "</script>", script), hash_between("<style>", "</style>", style));
    http_reply_page(request, page_html, page_html_len, policy);
}

/* --- status.json --- */

static void reply_status(struct view *view, struct http_request *request, const struct gather_sum *sum,
                         enum status_names names)
{
    if (sum)
        request_reply(request, HTTP_OK, status_page(view, sum, names));
    else
        request_no_report(view, request);
}

void page_status_private(struct view *view, struct http_request *request, const struct gather_sum *sum)
{
    reply_status(view, request, sum, NAMES_SHOWN);
}

/* Returns the token of `Authorization: Bearer TOKEN` or of ?token=TOKEN, or NULL. */
static const char *token_given(const struct http_request *request)
{
    const char *header = request->authorization;
    if (header && strncasecmp(header, "Bearer ", 7) == 0)
        return header + 7;
    return request_argument(request, "token");
}

void page_status_public(struct view *view, struct http_request *request, const struct gather_sum *sum)
{
    const char *given = token_given(request);
    if (!view->config->metrics_names || !view->token.set)
        reply_status(view, request, sum, NAMES_HIDDEN);
    else if (!given)
        reply_status(view, request, sum, NAMES_FOR_TOKEN);
    else if (token_fits(&view->token, given))
        reply_status(view, request, sum, NAMES_SHOWN);
    else
        request_refuse(request, HTTP_FORBIDDEN, "wrong token: it differs from the one in metrics.token-file");
}
