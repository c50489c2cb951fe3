/* SPDX-License-Identifier: MIT */
/* Invariant: used items come first, and no two have the same text. */
#include "base/reasons.h"

#include <stddef.h>
#include <string.h>
#include "base/errors.h"

/* The item of this text or the first unused one; NULL: all are used for others. */
static struct reason_count *find(struct reasons *reasons, const char *text)
{
    for (unsigned i = 0; i < REASONS_MAX; i++) {
        struct reason_count *item = &reasons->item[i];
        if (!item->text || strcmp(item->text, text) == 0)
            return item;
    }
    return NULL;
}

static void add(struct reasons *reasons, const char *text, uint64_t count)
{
    struct reason_count *item = find(reasons, text);
    if (!item) {
        reasons->others += count;
        return;
    }
    item->text = text;
    item->count += count;
}

void reasons_note(struct reasons *reasons, int error)
{
    add(reasons, error_text(error), 1);
}

void reasons_merge(struct reasons *reasons, const struct reasons *other)
{
    for (unsigned i = 0; i < REASONS_MAX && other->item[i].text; i++)
        add(reasons, other->item[i].text, other->item[i].count);
    reasons->others += other->others;
}

void reasons_subtract(struct reasons *reasons, const struct reasons *before)
{
    for (unsigned i = 0; i < REASONS_MAX && before->item[i].text; i++) {
        struct reason_count *item = find(reasons, before->item[i].text);
        if (item && item->text)
            item->count -= before->item[i].count < item->count ? before->item[i].count : item->count;
    }
    reasons->others -= before->others < reasons->others ? before->others : reasons->others;
}

const struct reason_count *reasons_top(const struct reasons *reasons)
{
    const struct reason_count *top = NULL;
    for (unsigned i = 0; i < REASONS_MAX && reasons->item[i].text; i++)
        if (reasons->item[i].count > (top ? top->count : 0))
            top = &reasons->item[i];
    return top;
}
