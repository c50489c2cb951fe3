/* SPDX-License-Identifier: MIT */
/* The header fields of received messages. nghttp2 has checked their form: names in lower case, pseudo-header fields
 * first and once each. */
#include <string.h>
#include "base/mem.h"
#include "http2_private.h"
#include "net/http2.h"

static bool is_text(const uint8_t *value, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(value, text, len) == 0;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

/* Parameters behind ';' do not matter; none is defined. */
static enum http2_type type_of(const uint8_t *value, size_t len)
{
    static const char wanted[] = "application/dns-message";
    const size_t wanted_len = sizeof wanted - 1;
    if (len < wanted_len)
        return HTTP2_OTHER_TYPE;
    for (size_t i = 0; i < wanted_len; i++)
        if (lower(value[i]) != (uint8_t)wanted[i])
            return HTTP2_OTHER_TYPE;
    while (len > wanted_len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    size_t end = wanted_len;
    while (end < len && (value[end] == ' ' || value[end] == '\t'))
        end++;
    return end == len || value[end] == ';' ? HTTP2_DNS_MESSAGE : HTTP2_OTHER_TYPE;
}

/* A number of seconds, UINT32_MAX at most; 0 for all else, as a date. */
static uint32_t seconds_of(const uint8_t *value, size_t len)
{
    uint64_t seconds = 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return 0;
        seconds = 10 * seconds + (value[i] - '0');
        if (seconds > UINT32_MAX)
            seconds = UINT32_MAX;
    }
    return (uint32_t)seconds;
}

static void take_path(struct http2_exchange *exchange, const uint8_t *value, size_t len)
{
    if (exchange->path)
        return;
    exchange->path = mem_alloc(len + 1);
    if (!exchange->path) {
        exchange->too_large = exchange->headers_too_large = true;
        return;
    }
    memcpy(exchange->path, value, len);
    exchange->path[len] = '\0';
    exchange->path_cap = len + 1;
    exchange->http2->held += exchange->path_cap;
}

static void take_request_field(struct http2_exchange *exchange, const uint8_t *name, size_t name_len,
                               const uint8_t *value, size_t len)
{
    if (is_text(name, name_len, ":method")) {
        exchange->method = HTTP2_OTHER_METHOD;
        if (is_text(value, len, "GET"))
            exchange->method = HTTP2_GET;
        else if (is_text(value, len, "POST"))
            exchange->method = HTTP2_POST;
    } else if (is_text(name, name_len, ":path")) {
        take_path(exchange, value, len);
    }
}

static void take_response_field(struct http2_exchange *exchange, const uint8_t *name, size_t name_len,
                                const uint8_t *value, size_t len)
{
    if (is_text(name, name_len, ":status"))
        exchange->status = (unsigned)seconds_of(value, len);
    else if (is_text(name, name_len, "age"))
        exchange->age_s = seconds_of(value, len);
    else if (is_text(name, name_len, "retry-after"))
        exchange->retry_after_s = seconds_of(value, len);
}

void http2_take_field(struct http2_exchange *exchange, const uint8_t *name, size_t name_len, const uint8_t *value,
                      size_t value_len)
{
    if (exchange->headers > HTTP2_HEADERS) {
        exchange->too_large = exchange->headers_too_large = true;
        return;
    }
    if (is_text(name, name_len, "content-type"))
        exchange->type = type_of(value, value_len);
    else if (exchange->http2->is_server)
        take_request_field(exchange, name, name_len, value, value_len);
    else
        take_response_field(exchange, name, name_len, value, value_len);
}
