/* SPDX-License-Identifier: MIT */
/* Invariants: a text is accepted whole or refused; numbers are decimal, without sign, leading zeros or
 * underscores, so that no number is read differently than it looks. */
#include "config/value.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/spelling.h"
#include "dns/name.h"

#define ITEM_LONGEST 4095 /* bytes of a text in a list */
#define HOST_LONGEST 253  /* characters of a name of 255 bytes in wire form */

struct unit {
    const char *word;
    uint64_t size;
};

/* The largest unit first: printing uses the first one that divides the number. */
static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {0}};
static const struct unit sizes[] = {
    {"GiB", UINT64_C(1) << 30}, {"MiB", UINT64_C(1) << 20}, {"KiB", 1024}, {"", 1}, {0}};
static const struct unit plain[] = {{"", 1}, {0}};

static const struct unit *units_of(const struct option *option)
{
    return option->type == OPTION_DURATION ? durations : option->type == OPTION_SIZE ? sizes : plain;
}

static bool fail(char why[VALUE_WHY], const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(char why[VALUE_WHY], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, VALUE_WHY, format, args);
    va_end(args);
    return false;
}

const char *value_number(const struct option *option, uint64_t number, char out[NUMBER_TEXT])
{
    const struct unit *unit = units_of(option);
    while (unit->size > 1 && number % unit->size != 0)
        unit++;
    if (number == 0 && option->type == OPTION_DURATION)
        snprintf(out, NUMBER_TEXT, "0s");
    else if (number == 0)
        snprintf(out, NUMBER_TEXT, "0");
    else
        snprintf(out, NUMBER_TEXT, "%" PRIu64 "%s", number / unit->size, unit->word);
    return out;
}

/* Reads the digits at the start of *text and moves *text past them; saturates. */
static bool read_digits(const char **text, uint64_t *number)
{
    const char *at = *text;
    *number = 0;
    if (*at < '0' || *at > '9' || (*at == '0' && at[1] >= '0' && at[1] <= '9'))
        return false;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (unsigned)(*at - '0'), number))
            *number = UINT64_MAX;
    *text = at;
    return true;
}

/* " or auto" is printed from two pieces. */
static const char *or_text(const struct option *option)
{
    return option->word ? " or " : "";
}

static const char *word_text(const struct option *option)
{
    return option->word ? option->word : "";
}

static bool fail_shape(char why[VALUE_WHY], const struct option *option, const char *text)
{
    char quoted[QUOTED_TEXT];
    report_quote(text, quoted);
    if (option->type == OPTION_DURATION)
        return fail(why, "%s is not a duration; write a number and its unit, as in 500ms, 30s, 5m, 1h or 1d", quoted);
    if (option->type == OPTION_SIZE)
        return fail(why, "%s is not a size; write a number and its unit, as in 512KiB, 64MiB or 1GiB", quoted);
    return fail(why, "%s is not a whole number%s%s", quoted, or_text(option), word_text(option));
}

static bool fail_range(char why[VALUE_WHY], const struct option *option, const char *text)
{
    char quoted[QUOTED_TEXT], min[NUMBER_TEXT], max[NUMBER_TEXT];
    return fail(why, "%s is out of range; use %s to %s%s%s", report_quote(text, quoted),
                value_number(option, option->min, min), value_number(option, option->max, max), or_text(option),
                word_text(option));
}

static bool parse_number(uint64_t *out, const struct option *option, const char *text, char why[VALUE_WHY])
{
    const char *at = text;
    uint64_t number;
    if (!read_digits(&at, &number))
        return fail_shape(why, option, text);
    const struct unit *unit = units_of(option);
    while (unit->word && strcmp(unit->word, at) != 0)
        unit++;
    if (!unit->word && (number != 0 || *at))
        return fail_shape(why, option, text);
    if (number != 0 && __builtin_mul_overflow(number, unit->size, &number))
        return fail_range(why, option, text);
    if (number < option->min || number > option->max)
        return fail_range(why, option, text);
    if (option->grain && number % option->grain != 0)
        return fail(why, "%s is not a whole number of seconds", text);
    *out = number;
    return true;
}

/* -1: not a word for yes or no. */
static int boolean_of(const char *text)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcasecmp(words[i], text) == 0)
            return i % 2;
    return -1;
}

static bool parse_boolean(uint64_t *out, const char *text, char why[VALUE_WHY])
{
    char quoted[QUOTED_TEXT];
    int boolean = boolean_of(text);
    if (boolean < 0)
        return fail(why, "%s is neither yes nor no", report_quote(text, quoted));
    *out = (uint64_t)boolean;
    return true;
}

/* Lists the choices ("a, b or c") and the one that was probably meant. */
static bool fail_choice(char why[VALUE_WHY], const struct option *option, const char *text)
{
    char quoted[QUOTED_TEXT], words[96] = "";
    const char *nearest = NULL;
    unsigned least = UINT32_MAX;
    for (const struct choice *choice = option->choices; choice->word; choice++) {
        size_t len = strlen(words);
        const char *between = choice == option->choices ? "" : choice[1].word ? ", " : " or ";
        snprintf(words + len, sizeof(words) - len, "%s%s", between, choice->word);
        unsigned edits = spelling_distance(text, choice->word);
        if (edits < least) {
            least = edits;
            nearest = choice->word;
        }
    }
    report_quote(text, quoted);
    if (nearest)
        return fail(why, "%s is not %s; did you mean \"%s\"?", quoted, words, nearest);
    return fail(why, "%s is not %s", quoted, words);
}

/* A choice between yes, no and others takes all words for yes and no: other programs rewrite them. */
static bool parse_choice(uint64_t *out, const struct option *option, const char *text, char why[VALUE_WHY])
{
    int boolean = boolean_of(text);
    const char *word = boolean < 0 ? text : boolean ? "yes" : "no";
    for (const struct choice *choice = option->choices; choice->word; choice++) {
        if (strcmp(choice->word, text) != 0 && strcmp(choice->word, word) != 0)
            continue;
        *out = choice->value;
        return true;
    }
    return fail_choice(why, option, text);
}

static bool is_alphanumeric(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
}

static bool parse_text(struct bytes *out, const struct option *option, const char *text, char why[VALUE_WHY])
{
    size_t len = strlen(text), longest = option_is_list(option) ? ITEM_LONGEST : (size_t)option->max;
    bool is_path = option->type == OPTION_PATH || option->type == OPTION_PATHS;
    bool is_word = option->type == OPTION_NAME || option->type == OPTION_WORDS;
    char quoted[QUOTED_TEXT];
    report_quote(text, quoted);
    if (len == 0)
        return fail(why, "expected a text here");
    if (len > longest)
        return fail(why, "%s is longer than %zu bytes", quoted, longest);
    if (is_path && text[0] != '/')
        return fail(why, "%s is not an absolute path%s%s", quoted, or_text(option), word_text(option));
    for (size_t i = 0; is_word && i < len; i++)
        if (!is_alphanumeric(text[i]) && !strchr("-._", text[i]))
            return fail(why, "%s is not a name; use letters, digits, dots, hyphens and underscores", quoted);
    *out = (struct bytes){(const uint8_t *)text, len};
    return true;
}

/* The length of one label and its dot, or 0 if it is invalid. */
static size_t label_len(const char *text, size_t left)
{
    size_t len = 0;
    while (len < left && (is_alphanumeric(text[len]) || text[len] == '-'))
        len++;
    if (len == 0 || len > 63 || text[0] == '-' || text[len - 1] == '-')
        return 0;
    return len == left ? len : text[len] == '.' ? len + 1 : 0;
}

static bool parse_host(struct bytes *out, const char *text, char why[VALUE_WHY])
{
    char quoted[QUOTED_TEXT];
    struct addr addr;
    report_quote(text, quoted);
    if (!addr_parse(&addr, text, 1))
        return fail(why, "%s is an address; use a host name, as in dns.example", quoted);

    size_t len = strlen(text), at = 0, step = 0;
    if (len > 1 && text[len - 1] == '.')
        len--; /* the dot of the root */
    while (at < len && (step = label_len(text + at, len - at)) > 0)
        at += step;
    bool ends_in_number = at > 0 && strspn(text + at - step, "0123456789.") >= step;
    if (len == 0 || len > HOST_LONGEST || at != len || text[len - 1] == '.' || ends_in_number)
        return fail(why, "%s is not a host name in ASCII letters, digits, hyphens and dots, as in dns.example", quoted);
    *out = (struct bytes){(const uint8_t *)text, len};
    return true;
}

/* A domain name; unlike a host name it may have underscores. */
static bool parse_name(struct bytes *out, const char *text, char why[VALUE_WHY])
{
    char quoted[QUOTED_TEXT];
    uint8_t wire[NAME_MAX_WIRE];
    size_t at = 0;
    while (is_alphanumeric(text[at]) || (text[at] && strchr("-._", text[at])))
        at++;
    if (text[at] || name_from_text(wire, text) < 0)
        return fail(
            why, "%s is not a domain name in ASCII letters, digits, hyphens, underscores and dots, as in corp.example",
            report_quote(text, quoted));
    *out = (struct bytes){(const uint8_t *)text, strlen(text)};
    return true;
}

static bool parse_interface(struct bytes *out, const char *text, char why[VALUE_WHY])
{
    char quoted[QUOTED_TEXT];
    if (!addr_is_interface_name(text))
        return fail(why, "%s is not the name of an interface, as in eth0", report_quote(text, quoted));
    *out = (struct bytes){(const uint8_t *)text, strlen(text)};
    return true;
}

static bool parse_address(struct addr *out, const struct option *option, const char *text, char why[VALUE_WHY])
{
    char quoted[QUOTED_TEXT];
    struct addr addr;
    const uint16_t port = option->port > 0 ? (uint16_t)option->port : 0;
    report_quote(text, quoted);
    const bool fine = option->interfaces && text[0] == '%' ? addr_parse_interface(&addr, text, port) == 0
                                                           : addr_parse(&addr, text, port) == 0;
    if (fine && addr_lacks_zone(&addr))
        return fail(why, "%s is a link-local address; name its interface as well, as in \"fe80::1%%eth0\"", quoted);
    if (!fine)
        return fail(why, "%s is not an address; write ADDR%s, as in 192.0.2.1%s or \"2001:db8::1%s\"", quoted,
                    option->port == PORT_REFUSED  ? ""
                    : option->port == PORT_WANTED ? "@PORT"
                                                  : " or ADDR@PORT",
                    option->port == PORT_WANTED ? "@9153" : "", option->port == PORT_WANTED ? "@9153" : "");
    bool port_named = strchr(text, '@') != NULL;
    char mapped[ADDR_TEXT];
    if (addr_unmap(&addr)) /* an IPv6 socket cannot have it: IPV6_V6ONLY */
        return fail(why, "%s is an IPv4 address in the form of IPv6; write %s", quoted,
                    addr_format(&addr, port_named, mapped));
    if (port_named && option->port == PORT_REFUSED)
        return fail(why, "%s has a port; write the address alone", quoted);
    if (!port_named && option->port == PORT_WANTED)
        return fail(why, "%s has no port; write ADDR@PORT", quoted);
    *out = addr;
    return true;
}

static bool parse_prefix(struct prefix *out, const char *text, char why[VALUE_WHY])
{
    char quoted[QUOTED_TEXT];
    if (!prefix_parse(out, text))
        return true;
    return fail(why,
                "%s is not a network; write ADDR/BITS with zeros after the first BITS bits, as in 192.0.2.0/24, or "
                "one address",
                report_quote(text, quoted));
}

/* Strict: padding with "=", no spaces, unused bits zero. */
static bool decode_base64(uint8_t out[32], const char *text)
{
    size_t len;
    return sodium_base642bin(out, 32, text, strlen(text), NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           len == 32;
}

static bool parse_pin(struct config_pin *out, const char *text, char why[VALUE_WHY])
{
    char quoted[QUOTED_TEXT];
    static const char start[] = "sha256/";
    if (strncmp(text, start, strlen(start)) == 0 && decode_base64(out->sha256, text + strlen(start)))
        return true;
    return fail(why, "%s is not a pin; write sha256/ and the base64 of 32 bytes, 44 characters",
                report_quote(text, quoted));
}

static bool parse_level(struct config_log_level *out, const char *text, char why[VALUE_WHY])
{
    char quoted[QUOTED_TEXT], name[QUOTED_TEXT];
    const char *sign = strchr(text, '=');
    unsigned level = LOG_LEVEL_ERROR;
    report_quote(text, quoted);
    while (sign && level <= LOG_LEVEL_DEBUG && strcmp(log_level_name(level), sign + 1) != 0)
        level++;
    if (!sign || level > LOG_LEVEL_DEBUG)
        return fail(why, "%s is not MODULE=LEVEL, the level error, warning, info or debug", quoted);
    snprintf(name, sizeof(name), "%.*s", (int)(sign - text), text);
    unsigned module = log_find_module(name);
    if (module == LOG_MODULE_COUNT)
        return fail(why, "%s is not a module; the modules are %s", quoted, log_module_list());
    *out = (struct config_log_level){(uint8_t)module, (uint8_t)level};
    return true;
}

bool value_parse(struct value *value, const struct option *option, const char *text, char why[VALUE_WHY])
{
    struct value read = {.next = value->next, .mark = value->mark};
    bool fine = true;
    bool empty_name = option->type == OPTION_NAME && !text[0];
    if (option->word && (strcmp(option->word, text) == 0 || empty_name)) {
        read.none = true;
        *value = read;
        return true;
    }
    switch (option->type) {
    case OPTION_BOOLEAN:
        fine = parse_boolean(&read.number, text, why);
        break;
    case OPTION_INTEGER:
    case OPTION_DURATION:
    case OPTION_SIZE:
        fine = parse_number(&read.number, option, text, why);
        break;
    case OPTION_CHOICE:
        fine = parse_choice(&read.number, option, text, why);
        break;
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_NAME:
    case OPTION_PATHS:
    case OPTION_TEXTS:
    case OPTION_WORDS:
        fine = parse_text(&read.text, option, text, why);
        break;
    case OPTION_HOST:
        fine = parse_host(&read.text, text, why);
        break;
    case OPTION_ADDRESS:
    case OPTION_ADDRESSES:
        fine = parse_address(&read.addr, option, text, why);
        break;
    case OPTION_PREFIXES:
        fine = parse_prefix(&read.prefix, text, why);
        break;
    case OPTION_NAMES:
        fine = parse_name(&read.text, text, why);
        break;
    case OPTION_PINS:
        fine = parse_pin(&read.pin, text, why);
        break;
    case OPTION_HOSTS:
        fine = parse_host(&read.text, text, why);
        break;
    case OPTION_INTERFACE:
    case OPTION_INTERFACES:
        fine = parse_interface(&read.text, text, why);
        break;
    case OPTION_LEVELS:
        fine = parse_level(&read.level, text, why);
        break;
    case OPTION_ITEMS:
        return fail(why, "is a list of mappings");
    }
    if (fine)
        *value = read;
    return fine;
}

bool value_fits(const struct option *option, const char *text)
{
    struct value value = {.next = NULL};
    char why[VALUE_WHY];
    return value_parse(&value, option, text, why);
}
