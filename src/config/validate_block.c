/* SPDX-License-Identifier: MIT */
/* Rules of the section `block`. */
#include <string.h>
#include "config/member.h"
#include "config/validate.h"

static bool text_is(const struct value *value, const char *text)
{
    return value->text.len == strlen(text) && memcmp(value->text.data, text, value->text.len) == 0;
}

static bool has_text(const struct setting *setting)
{
    return setting->broken || (setting->first && !setting->first->none);
}

static bool is_address(const struct value *value)
{
    char text[ADDR_TEXT];
    struct addr addr;
    if (value->text.len >= sizeof text)
        return false;
    memcpy(text, value->text.data, value->text.len);
    text[value->text.len] = '\0';
    return !strchr(text, '@') && !strchr(text, '%') && addr_parse(&addr, text, 53) == 0;
}

static void check_answer(struct draft *draft, const struct setting *answer, const char *key)
{
    static const char *const words[] = {"nxdomain", "nodata", "zero"};
    for (const struct value *value = answer->first; value; value = value->next) {
        bool is_word = false;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            is_word = is_word || text_is(value, words[i]);
        if (is_word && answer->count > 1)
            report_at(draft->report, value->mark, "%s: %.*s excludes other values; write only it, or only addresses",
                      key, (int)value->text.len, (const char *)value->text.data);
        else if (!is_word && !is_address(value))
            report_at(draft->report, value->mark, "%s: write nxdomain, nodata, zero, or addresses", key);
    }
}

/* The name as config_block_name gives it. */
static void name_of(const struct draft_item *item, char out[CONFIG_BLOCK_NAME])
{
    char texts[3][2048];
    static const char *const keys[] = {"name", "file", "url"};
    struct config_block_list list = {.name = NULL};
    char **members[] = {&list.name, &list.file, &list.url};
    for (size_t i = 0; i < 3; i++) {
        const struct setting *setting = draft_item_setting(item, keys[i]);
        if (!setting->first || setting->first->none)
            continue;
        size_t len = setting->first->text.len, room = sizeof texts[i] - 1, skip = len > room ? len - room : 0;
        memcpy(texts[i], setting->first->text.data + skip, len - skip);
        texts[i][len - skip] = '\0';
        *members[i] = texts[i];
    }
    config_block_name(&list, out);
}

static void check_name(struct draft *draft, const struct draft_item *item)
{
    char name[CONFIG_BLOCK_NAME], other[CONFIG_BLOCK_NAME];
    name_of(item, name);
    if (strcmp(name, "all") == 0)
        report_at(draft->report, item->mark, "block.lists: all is the word for all lists; write name: and another one");
    for (const struct draft_item *before = draft_setting(draft, "block.lists")->items; before != item;
         before = before->next) {
        name_of(before, other);
        if (strcmp(name, other) == 0) {
            report_at(draft->report, item->mark, "block.lists: two lists have the name %s; write name: and another one",
                      name);
            return;
        }
    }
}

static void check_list(struct draft *draft, const struct draft_item *item)
{
    const struct setting *file = draft_item_setting(item, "file"), *url = draft_item_setting(item, "url");
    bool has_file = has_text(file), has_url = has_text(url);
    if (!has_file && !has_url)
        report_at(draft->report, item->mark, "block.lists: this list has no source; write file: and a path, or url:");
    else if (has_file && has_url)
        report_at(draft->report, url->mark, "block.lists: this list has a file and a url; keep one of them");
    else if (url->first && !url->first->none &&
             (url->first->text.len < 9 || memcmp(url->first->text.data, "https://", 8) != 0))
        report_at(draft->report, url->mark,
                  "block.lists: lists are fetched over https only; write a URL with https://");
    check_answer(draft, draft_item_setting(item, "answer"), "answer");
    check_name(draft, item);
}

/* -- Views -- */

static bool is_list(const struct draft *draft, const struct value *wanted)
{
    char name[CONFIG_BLOCK_NAME];
    for (const struct draft_item *item = draft_setting(draft, "block.lists")->items; item; item = item->next) {
        name_of(item, name);
        if (text_is(wanted, name))
            return true;
    }
    return false;
}

static void check_view(struct draft *draft, const struct draft_item *view)
{
    const struct setting *lists = draft_item_setting(view, "block.lists");
    for (const struct value *value = lists->first; value; value = value->next) {
        int len = (int)value->text.len;
        const char *text = (const char *)value->text.data;
        if (text_is(value, "all") && lists->count > 1)
            report_at(draft->report, value->mark,
                      "views: all excludes the names of lists; write only it, or only names");
        else if (!text_is(value, "all") && !is_list(draft, value))
            report_at(draft->report, value->mark, "views: there is no block list %.*s; define it in block.lists", len,
                      text);
    }
}

void validate_block(struct draft *draft)
{
    const struct setting *lists = draft_setting(draft, "block.lists");
    check_answer(draft, draft_setting(draft, "block.answer"), "block.answer");
    if (draft_setting(draft, "block.answer")->count == 0 && !draft_setting(draft, "block.answer")->broken)
        report_at(draft->report, draft_setting(draft, "block.answer")->mark,
                  "block.answer: write nxdomain, nodata, zero, or addresses");
    for (const struct draft_item *item = lists->items; item; item = item->next)
        check_list(draft, item);
    for (const struct draft_item *view = draft_setting(draft, "views")->items; view; view = view->next)
        check_view(draft, view);
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
}

const char *config_block_name(const struct config_block_list *list, char out[CONFIG_BLOCK_NAME])
{
    const char *text = list->name ? list->name : list->file ? list->file : list->url ? list->url : "";
    size_t end = list->name || list->file ? strlen(text) : strcspn(text, "?#"), len = 0;
    while (end > 0 && text[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && text[start - 1] != '/')
        start--;
    for (; start < end && len + 1 < CONFIG_BLOCK_NAME; start++)
        out[len++] = is_plain(text[start]) ? text[start] : '_';
    if (len == 0 || out[0] == '.')
        out[0] = '_', len += len == 0;
    out[len] = '\0';
    return out;
}
