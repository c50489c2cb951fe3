/* SPDX-License-Identifier: MIT */
/* Invariants: a write to a member has the size that the table names; a printed member reads back as the same
 * value. */
#include "config/member.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_list_of_texts(const struct option *option)
{
    switch (option->type) {
    case OPTION_NAMES:
    case OPTION_HOSTS:
    case OPTION_INTERFACES:
    case OPTION_PATHS:
    case OPTION_TEXTS:
    case OPTION_WORDS:
        return true;
    default:
        return false;
    }
}

static size_t item_size(const struct option *option)
{
    if (is_list_of_texts(option))
        return sizeof(char *);
    switch (option->type) {
    case OPTION_ADDRESSES:
        return sizeof(struct addr);
    case OPTION_PREFIXES:
        return sizeof(struct prefix);
    case OPTION_PINS:
        return sizeof(struct config_pin);
    case OPTION_ITEMS:
        return option->items->size;
    default:
        assert(option->type == OPTION_LEVELS);
        return sizeof(struct config_log_level);
    }
}

static void store_number(void *member, size_t size, uint64_t number)
{
    uint8_t narrow = (uint8_t)number;
    uint16_t half = (uint16_t)number;
    uint32_t word = (uint32_t)number;
    const void *from = size == 1 ? &narrow : size == 2 ? (void *)&half : size == 4 ? (void *)&word : (void *)&number;
    assert(size == 1 || size == 2 || size == 4 || size == 8);
    memcpy(member, from, size);
}

static uint64_t load_number(const void *member, size_t size)
{
    uint8_t narrow;
    uint16_t half;
    uint32_t word;
    uint64_t number;
    switch (size) {
    case 1:
        memcpy(&narrow, member, 1);
        return narrow;
    case 2:
        memcpy(&half, member, 2);
        return half;
    case 4:
        memcpy(&word, member, 4);
        return word;
    default:
        memcpy(&number, member, sizeof(number));
        return number;
    }
}

static int store_text(void *member, const struct value *value, struct arena *arena)
{
    char *copy = NULL;
    if (!value->none) {
        copy = arena_text(arena, (const char *)value->text.data, value->text.len);
        if (!copy)
            return -ENOMEM;
    }
    memcpy(member, &copy, sizeof(copy));
    return 0;
}

void *member_store_items(void *base, const struct option *option, size_t count, struct arena *arena)
{
    void *items = arena_take(arena, count * item_size(option));
    if (!items)
        return NULL;
    memcpy((char *)base + option->at, &items, sizeof(items));
    memcpy((char *)base + option->beside, &count, sizeof(count));
    return items;
}

const void *member_item(const void *base, const struct option *option, size_t i)
{
    const char *items;
    memcpy(&items, (const char *)base + option->at, sizeof(items));
    return items + i * item_size(option);
}

size_t member_count(const void *base, const struct option *option)
{
    size_t count;
    memcpy(&count, (const char *)base + option->beside, sizeof(count));
    return count;
}

void member_item_key(char *out, size_t cap, const char *list, const void *base, const struct option *option, size_t i)
{
    const struct option_items *of = option->items;
    const char *name = NULL;
    if (of->identity) {
        const struct option *identity = &of->table[option_index(of->table, of->count, of->identity)];
        memcpy(&name, (const char *)member_item(base, option, i) + identity->at, sizeof(name));
    }
    if (name)
        snprintf(out, cap, "%s.%s.", list, name);
    else
        snprintf(out, cap, "%s.%zu.", list, i + 1);
}

static int store_list(void *base, const struct option *option, const struct value *values, size_t count,
                      struct arena *arena)
{
    size_t size = item_size(option);
    uint8_t *at = member_store_items(base, option, count, arena);
    if (!at)
        return -ENOMEM;
    for (const struct value *value = values; value; value = value->next, at += size) {
        if (!is_list_of_texts(option))
            memcpy(at, &value->addr, size); /* all members of the union start at the same address */
        else if (store_text(at, value, arena) < 0)
            return -ENOMEM;
    }
    return 0;
}

int member_store(void *base, const struct option *option, const struct value *values, size_t count, struct arena *arena)
{
    char *member = (char *)base + option->at;
    if (option_is_list(option))
        return store_list(base, option, values, count, arena);
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_HOST:
    case OPTION_NAME:
    case OPTION_INTERFACE:
        return store_text(member, values, arena);
    case OPTION_ADDRESS:
        memcpy(member, &values->addr, sizeof(values->addr));
        *((bool *)base + option->beside) = !values->none;
        return 0;
    case OPTION_DURATION:
        store_number(member, option->size, values->number / option->grain);
        return 0;
    default:
        store_number(member, option->size, values->number);
        return 0;
    }
}

static void print_prefix(FILE *out, const struct prefix *prefix)
{
    char text[PREFIX_TEXT];
    fprintf(out, "\"%s\"", prefix_format(prefix, text));
}

static void print_pin(FILE *out, const struct config_pin *pin)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    fputs("\"sha256/", out);
    for (unsigned i = 0; i < 43; i++) {
        unsigned bit = i * 6, pair = (unsigned)pin->sha256[bit / 8] << 8;
        if (bit / 8 + 1 < sizeof(pin->sha256))
            pair |= pin->sha256[bit / 8 + 1];
        fputc(alphabet[pair >> (10 - bit % 8) & 63], out);
    }
    fputs("=\"", out);
}

static void print_level(FILE *out, const struct config_log_level *item)
{
    fprintf(out, "\"%s=%s\"", log_module_name(item->module), log_level_name((enum log_level)item->level));
}

static void print_addr(FILE *out, const struct addr *addr, const struct option *option)
{
    char text[ADDR_TEXT];
    fprintf(out, "\"%s\"", addr_format(addr, option->port != PORT_REFUSED && addr_port(addr) != 0, text));
}

static void print_quoted(FILE *out, const char *text, size_t len)
{
    fputc('"', out);
    for (size_t i = 0; i < len; i++)
        fprintf(out, text[i] == '"' || text[i] == '\\' ? "\\%c" : "%c", text[i]);
    fputc('"', out);
}

/* Items of lists are quoted, so that a list is also JSON. */
static void print_text_item(FILE *out, const void *item)
{
    const char *text;
    memcpy(&text, item, sizeof(text));
    print_quoted(out, text, strlen(text));
}

static void print_list(FILE *out, const void *base, const struct option *option)
{
    size_t count = member_count(base, option);
    fputc('[', out);
    for (size_t i = 0; i < count; i++) {
        const void *item = member_item(base, option, i);
        fputs(i ? ", " : "", out);
        if (option->type == OPTION_ADDRESSES)
            print_addr(out, item, option);
        else if (option->type == OPTION_PREFIXES)
            print_prefix(out, item);
        else if (option->type == OPTION_PINS)
            print_pin(out, item);
        else if (is_list_of_texts(option))
            print_text_item(out, item);
        else
            print_level(out, item);
    }
    fputc(']', out);
}

/* True for a word that every YAML reader takes as this text (some would read 1.2 as a number). */
static bool is_plain(const char *text, size_t len)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.-@";
    size_t dots = 0, digits = 0;
    for (size_t i = 0; i < len; i++) {
        if (!memchr(fit, text[i], strlen(fit)))
            return false;
        dots += text[i] == '.';
        digits += text[i] >= '0' && text[i] <= '9';
    }
    bool is_fraction = dots == 1 && digits + dots == len;
    bool says_nothing = len == 4 && strncasecmp(text, "null", 4) == 0;
    return len > 0 && !memchr("-.@", text[0], 3) && !is_fraction && !says_nothing;
}

void member_print_text(FILE *out, const char *text, size_t len)
{
    if (is_plain(text, len))
        fprintf(out, "%.*s", (int)len, text);
    else
        print_quoted(out, text, len);
}

static void print_word(FILE *out, const struct option *option)
{
    member_print_text(out, option->word, strlen(option->word));
}

static void print_choice(FILE *out, const struct option *option, uint64_t number)
{
    const struct choice *choice = option->choices;
    while (choice->word && choice->value != number)
        choice++;
    if (choice->word)
        member_print_text(out, choice->word, strlen(choice->word));
    else
        print_word(out, option);
}

void member_print(FILE *out, const void *base, const struct option *option)
{
    const char *member = (const char *)base + option->at, *text;
    char number[NUMBER_TEXT];
    if (option_is_list(option)) {
        print_list(out, base, option);
        return;
    }
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_HOST:
    case OPTION_NAME:
    case OPTION_INTERFACE:
        memcpy(&text, member, sizeof(text));
        member_print_text(out, text ? text : option->word, strlen(text ? text : option->word));
        return;
    case OPTION_ADDRESS:
        if (*((const bool *)base + option->beside))
            print_addr(out, (const struct addr *)member, option);
        else
            print_word(out, option);
        return;
    case OPTION_BOOLEAN:
        fputs(load_number(member, option->size) ? "yes" : "no", out);
        return;
    case OPTION_CHOICE:
        print_choice(out, option, load_number(member, option->size));
        return;
    case OPTION_DURATION:
        if (option->word && load_number(member, option->size) == 0) {
            print_word(out, option);
            return;
        }
        fputs(value_number(option, load_number(member, option->size) * option->grain, number), out);
        return;
    default:
        fputs(value_number(option, load_number(member, option->size), number), out);
    }
}
