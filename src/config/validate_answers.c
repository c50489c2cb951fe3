/* SPDX-License-Identifier: MIT */
#include "config/validate_answers.h"

#include <stdio.h>
#include <string.h>

#include "dns/synthesis.h"

static void check_dns64(struct draft *draft)
{
    const struct setting *setting = draft_setting(draft, "dns64.prefix");
    const struct value *value = setting->first;
    struct prefix prefix;
    char text[80];
    if (setting->broken || value->none)
        return;
    snprintf(text, sizeof text, "%.*s", (int)value->text.len, (const char *)value->text.data);
    if (strcmp(text, "discover") == 0)
        return;
    if (prefix_parse(&prefix, text) < 0 || !nat64_prefix_is_valid(&prefix))
        report_at(
            draft->report, value->mark,
            "dns64.prefix: expected off, discover, or an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits without a bit "
            "set behind them, such as 64:ff9b::/96");
}

static void check_search(struct draft *draft)
{
    const struct setting *way = draft_setting(draft, "single-label"), *search = draft_setting(draft, "search");
    if (way->broken || search->broken)
        return;
    bool wanted = way->first->number == SINGLE_LABEL_SEARCH;
    if (wanted && search->count == 0)
        report_at(draft->report, way->mark, "single-label: search needs domains; list them in search");
    if (!wanted && search->count > 0)
        report_at(draft->report, search->mark,
                  "search: these domains are for single-label: search; set it, or remove them");
    for (const struct value *value = search->first; value; value = value->next)
        if (value->text.len == 1 && value->text.data[0] == '.')
            report_at(draft->report, value->mark, "search: the root is not a domain to search in; remove it");
}

void validate_answers(struct draft *draft)
{
    check_dns64(draft);
    check_search(draft);
}
