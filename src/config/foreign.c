/* SPDX-License-Identifier: MIT */
/* Invariant: a correction was parsed by the option before it is suggested. */
#include "config/foreign.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/addr.h"

enum { WORD = 128 };

/* Copies up to `len` bytes. False: too long, or empty. */
static bool copy(char out[WORD], const char *text, size_t len)
{
    if (len == 0 || len >= WORD)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

static bool lower_case(char out[WORD], const char *text)
{
    if (!copy(out, text, strlen(text)))
        return false;
    for (char *at = out; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return true;
}

/* -- Numbers with units -- */

struct unit_word {
    const char *foreign, *ours;
};

static const struct unit_word duration_units[] = {
    {"", "s"},        {"", "ms"},      {"sec", "s"},     {"secs", "s"},  {"second", "s"}, {"seconds", "s"},
    {"msec", "ms"},   {"msecs", "ms"}, {"millis", "ms"}, {"min", "m"},   {"mins", "m"},   {"minute", "m"},
    {"minutes", "m"}, {"hr", "h"},     {"hour", "h"},    {"hours", "h"}, {"day", "d"},    {"days", "d"},
    {"s", "s"},       {"ms", "ms"},    {"m", "m"},       {"h", "h"},     {"d", "d"},      {NULL, NULL},
};
static const struct unit_word size_units[] = {
    {"k", "KiB"},  {"kb", "KiB"}, {"kib", "KiB"}, {"ki", "KiB"},  {"m", "MiB"},  {"mb", "MiB"}, {"mib", "MiB"},
    {"mi", "MiB"}, {"g", "GiB"},  {"gb", "GiB"},  {"gib", "GiB"}, {"gi", "GiB"}, {"b", ""},     {NULL, NULL},
};

static bool correct_number(const struct option *option, const char *text, char out[FOREIGN_TEXT])
{
    const struct unit_word *units = option->type == OPTION_DURATION ? duration_units : size_units;
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits + strspn(text + digits, " ");
    for (size_t i = 0; digits > 0 && digits < 20 && units[i].foreign; i++) {
        if (strcasecmp(units[i].foreign, unit) != 0)
            continue;
        snprintf(out, FOREIGN_TEXT, "%.*s%s", (int)digits, text, units[i].ours);
        if (value_fits(option, out))
            return true;
    }
    return false;
}

/* -- Words -- */

static const struct unit_word words[] = {
    {"warn", "warning"}, {"err", "error"},     {"crit", "error"},  {"critical", "error"}, {"fatal", "error"},
    {"notice", "info"},  {"verbose", "debug"}, {"trace", "debug"}, {"1", "yes"},          {"0", "no"},
    {"y", "yes"},        {"n", "no"},          {"enabled", "yes"}, {"disabled", "no"},    {"tlsv1.2", "1.2"},
    {"tlsv1.3", "1.3"},  {"tls1.2", "1.2"},    {"tls1.3", "1.3"},  {"none", "off"},       {"disable", "off"},
    {"disabled", "off"}, {"no", "off"},        {"false", "off"},
};

static bool correct_word(const struct option *option, const char *text, char out[FOREIGN_TEXT])
{
    char lower[WORD];
    if (!lower_case(lower, text))
        return false;
    snprintf(out, FOREIGN_TEXT, "%s", lower);
    if (value_fits(option, out))
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        snprintf(out, FOREIGN_TEXT, "%s", words[i].ours);
        if (strcmp(words[i].foreign, lower) == 0 && value_fits(option, out))
            return true;
    }
    return false;
}

/* -- Addresses and names -- */

/* The parts of "tls://[2001:db8::1]:853#dns.example", "192.0.2.1#853", "https://dns.example/dns-query". */
struct endpoint {
    char host[WORD], name[WORD]; /* the name to authenticate; "": none */
    unsigned port;               /* 0: none */
    bool https;
};

static bool read_port(const char *text, unsigned *port)
{
    size_t digits = strspn(text, "0123456789");
    *port = digits > 0 && digits <= 5 && !text[digits] ? (unsigned)strtoul(text, NULL, 10) : 0;
    return *port > 0 && *port <= 65535;
}

/* Splits "HOST:PORT", "[HOST]:PORT", "HOST@PORT" or HOST. */
static bool read_host(struct endpoint *out, const char *text)
{
    const char *end, *rest;
    if (text[0] == '[') {
        end = strchr(++text, ']');
        rest = end ? end + 1 : "";
    } else {
        end = rest = strchr(text, '@');
        if (!end && strchr(text, ':') == strrchr(text, ':')) /* two colons: IPv6 */
            end = rest = strchr(text, ':');
        if (!end)
            end = rest = text + strlen(text);
    }
    if (!end || !copy(out->host, text, (size_t)(end - text)))
        return false;
    return !*rest || (strchr(":@#", *rest) && read_port(rest + 1, &out->port));
}

static bool read_endpoint(struct endpoint *out, const char *text)
{
    static const char *const schemes[] = {"https://", "h3://",  "tls://", "dot://",
                                          "dns://",   "udp://", "tcp://", "quic://"};
    char body[WORD];
    *out = (struct endpoint){.port = 0};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(text, schemes[i], len) != 0)
            continue;
        text += len;
        out->https = i < 2;
        break;
    }
    size_t len = strcspn(text, "#/");
    if (!copy(body, text, len))
        return false;
    if (text[len] == '#' && !read_port(text + len + 1, &out->port) &&
        !copy(out->name, text + len + 1, strlen(text + len + 1)))
        return false;
    return read_host(out, body);
}

static bool is_address(const char *text)
{
    struct addr addr;
    return addr_parse(&addr, text, 1) == 0 && !strchr(text, '@');
}

/* True for a host name with a dot: a word without one is more likely a mistyped preset. */
static bool is_host_name(const char *text)
{
    return strchr(text, '.') &&
           value_fits(&upstream_options[option_index(upstream_options, upstream_option_count, "tls-name")], text);
}

static void put_address(char *out, size_t cap, const struct endpoint *endpoint)
{
    bool quoted = strchr(endpoint->host, ':') != NULL;
    if (endpoint->port > 0)
        snprintf(out, cap, quoted ? "\"%.80s@%u\"" : "%.80s@%u", endpoint->host, endpoint->port);
    else
        snprintf(out, cap, quoted ? "\"%.80s\"" : "%.80s", endpoint->host);
}

/* The preset with this name or address; NULL: none. */
static const struct preset *preset_of(const struct endpoint *endpoint)
{
    const char *text = endpoint->name[0] ? endpoint->name : endpoint->host;
    size_t len = strlen(text);
    for (size_t i = 0; i < preset_count; i++) {
        const char *at = strstr(presets[i].addresses, text);
        if (strcasecmp(presets[i].tls_name, text) == 0 || strcasecmp(presets[i].name, text) == 0 ||
            (at && (at == presets[i].addresses || at[-1] == ',') && (!at[len] || at[len] == ',')))
            return &presets[i];
    }
    return NULL;
}

static bool correct_address(const struct option *option, const char *text, char out[FOREIGN_TEXT])
{
    struct endpoint endpoint;
    char address[WORD];
    if (!read_endpoint(&endpoint, text))
        return false;
    if (is_address(endpoint.host)) {
        put_address(address, sizeof address, &endpoint);
        char plain[WORD];
        size_t len = strlen(address);
        bool quoted = address[0] == '"';
        if (!copy(plain, address + quoted, len - 2 * (size_t)quoted) || !value_fits(option, plain))
            return false;
        snprintf(out, FOREIGN_TEXT, endpoint.name[0] ? "%.70s, and tls-name: %.70s" : "%.70s%s", address,
                 endpoint.name);
        return true;
    }
    if (option->port != PORT_LATER || !is_host_name(endpoint.host))
        return false;
    const struct preset *preset = preset_of(&endpoint);
    if (preset)
        snprintf(out, FOREIGN_TEXT, "the addresses here, or upstreams: [%s], which has them", preset->name);
    else
        snprintf(out, FOREIGN_TEXT, "its addresses here, and tls-name: %.80s%s", endpoint.host,
                 endpoint.https ? "; dotstub uses DNS over TLS" : "");
    return true;
}

static bool correct_host(const struct option *option, const char *text, char out[FOREIGN_TEXT])
{
    struct endpoint endpoint;
    if (!read_endpoint(&endpoint, text))
        return false;
    const char *name = endpoint.name[0] ? endpoint.name : endpoint.host;
    if (!value_fits(option, name) || strcmp(name, text) == 0)
        return false;
    snprintf(out, FOREIGN_TEXT, "%.80s", name);
    if (endpoint.https)
        snprintf(out + strlen(out), FOREIGN_TEXT - strlen(out), "; dotstub uses DNS over TLS");
    else if (endpoint.port)
        snprintf(out + strlen(out), FOREIGN_TEXT - strlen(out), ", and port: %u", endpoint.port);
    return true;
}

bool foreign_correct_upstream(const char *text, char out[FOREIGN_TEXT])
{
    struct endpoint endpoint;
    char address[WORD];
    if (!read_endpoint(&endpoint, text))
        return false;
    const struct preset *preset = preset_of(&endpoint);
    put_address(address, sizeof address, &endpoint);
    if (preset)
        snprintf(out, FOREIGN_TEXT, "%s", preset->name);
    else if (is_address(endpoint.host))
        snprintf(out, FOREIGN_TEXT, "{name: %.40s, tls-name: %.40s, addresses: [%.50s]}",
                 endpoint.name[0] ? endpoint.name : "WORD", endpoint.name[0] ? endpoint.name : "HOST", address);
    else if (is_host_name(endpoint.host))
        snprintf(out, FOREIGN_TEXT, "{name: %.40s, tls-name: %.40s, addresses: [ADDR]}", endpoint.host, endpoint.host);
    else
        return false;
    return true;
}

/* -- Networks -- */

/* The number of leading ones of "255.255.255.0"; -1: not a mask. */
static int mask_bits(const char *text)
{
    struct in_addr mask;
    if (inet_pton(AF_INET, text, &mask) != 1)
        return -1;
    uint32_t bits = ntohl(mask.s_addr);
    int count = 0;
    for (; bits & 0x80000000; bits <<= 1)
        count++;
    return bits == 0 ? count : -1;
}

/* "192.168.1.1/24": the network of the address. */
static bool correct_prefix(const struct option *option, const char *text, char out[FOREIGN_TEXT])
{
    const char *slash = strchr(text, '/');
    char host[WORD], network[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (!slash || !copy(host, text, (size_t)(slash - text)))
        return false;
    int family = strchr(host, ':') ? AF_INET6 : AF_INET, total = family == AF_INET ? 32 : 128;
    int bits = strchr(slash, '.') ? mask_bits(slash + 1) : (int)strtol(slash + 1, NULL, 10);
    if (inet_pton(family, host, bytes) != 1 || bits < 0 || bits > total)
        return false;
    for (int bit = bits; bit < total; bit++)
        bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    inet_ntop(family, bytes, network, sizeof network);
    snprintf(out, FOREIGN_TEXT, "%s/%d", network, bits);
    return value_fits(option, out);
}

/* -- Pins -- */

static bool correct_pin(const struct option *option, const char *text, char out[FOREIGN_TEXT])
{
    static const char *const starts[] = {"sha256//", "sha256:", "sha256=", "pin-sha256=", "pin-sha256:", ""};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t len = strlen(starts[i]);
        if (strncasecmp(text, starts[i], len) != 0)
            continue;
        const char *pin = text + len + (text[len] == '"');
        snprintf(out, FOREIGN_TEXT, "sha256/%.*s", (int)strcspn(pin, "\""), pin);
        if (value_fits(option, out))
            return true;
    }
    return false;
}

bool foreign_correct(const struct option *option, const char *text, char out[FOREIGN_TEXT])
{
    switch (option->type) {
    case OPTION_DURATION:
    case OPTION_SIZE:
        return correct_number(option, text, out) || (option->word && correct_word(option, text, out));
    case OPTION_BOOLEAN:
    case OPTION_CHOICE:
    case OPTION_LEVELS:
        return correct_word(option, text, out);
    case OPTION_HOST:
        return correct_host(option, text, out);
    case OPTION_ADDRESS:
    case OPTION_ADDRESSES:
        return correct_address(option, text, out);
    case OPTION_PREFIXES:
        return correct_prefix(option, text, out);
    case OPTION_PINS:
        return correct_pin(option, text, out);
    default:
        return false;
    }
}

void foreign_explain(const struct option *option, const char *text, char why[VALUE_WHY])
{
    char better[FOREIGN_TEXT];
    if (strstr(why, "did you mean") || !foreign_correct(option, text, better))
        return;
    size_t len = strcspn(why, ";");
    snprintf(why + len, VALUE_WHY - len, "; write %s", better);
}
