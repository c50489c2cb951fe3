/* SPDX-License-Identifier: MIT */
/* dnssec.negative: the meaning of a text. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "config/config.h"
#include "config/draft.h"
#include "config/report.h"
#include "config/validate.h"

#define UNTIL " until "

/* Seconds since 1970 of YYYY-MM-DD, with or without THH:MMZ, in UTC. -EINVAL: not such a time. */
static int read_time(const char *text, int64_t *out)
{
    struct tm tm = {.tm_mday = 0}, again;
    int end = 0, whole = 0;
    if (strspn(text, "0123456789-T:Z") != strlen(text) ||
        sscanf(text, "%4d-%2d-%2d%nT%2d:%2dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &end, &tm.tm_hour, &tm.tm_min,
               &whole) < 3 ||
        text[whole ? whole : end])
        return -EINVAL;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    const struct tm given = tm;
    time_t time = timegm(&tm);
    if (time <= 0 || !gmtime_r(&time, &again) || again.tm_year != given.tm_year || again.tm_mon != given.tm_mon ||
        again.tm_mday != given.tm_mday || again.tm_hour != given.tm_hour || again.tm_min != given.tm_min)
        return -EINVAL;
    *out = time;
    return 0;
}

int config_negative(const char *text, uint8_t name[NAME_MAX_WIRE], int64_t *until_s)
{
    const char *until = strstr(text, UNTIL);
    size_t len = until ? (size_t)(until - text) : strlen(text);
    char only[NAME_MAX_TEXT];
    *until_s = 0;
    if (len >= sizeof only || (until && read_time(until + sizeof UNTIL - 1, until_s) < 0))
        return -EINVAL;
    memcpy(only, text, len);
    only[len] = '\0';
    return len > 0 && !strchr(only, ' ') ? name_from_text(name, only) : -EINVAL;
}

void validate_negative(struct draft *draft)
{
    const struct setting *negative = draft_setting(draft, "dnssec.negative");
    uint8_t name[NAME_MAX_WIRE];
    char text[NAME_MAX_TEXT + 32];
    int64_t until_s;
    for (const struct value *value = negative->first; value; value = value->next) {
        snprintf(text, sizeof text, "%.*s", (int)value->text.len, (const char *)value->text.data);
        if (value->text.len >= sizeof text || config_negative(text, name, &until_s) < 0)
            report_at(draft->report, value->mark,
                      "dnssec.negative: %.80s is not valid; write NAME, or NAME until 2026-12-31 (or "
                      "2026-12-31T12:00Z), in UTC",
                      text);
    }
}
