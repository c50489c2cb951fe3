/* SPDX-License-Identifier: MIT */
/* Invariant: objects of ldns are freed on each path; ldns reports a failed allocation in one of its lists as an internal
 * error. */
#include "dns/zonetext.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <ldns/ldns.h>

#include "base/mem.h"
#include "dns/build.h"
#include "dns/ttl.h"

enum { DEFAULT_TTL = 3600, FIRST_META = 128, LAST_META = 255, TTL_MAX = 0x7fffffff };

struct zone_text {
    uint32_t ttl;
    ldns_rdf *origin, *owner;
    struct answer_scratch scratch;
    uint8_t rdata[MESSAGE_MAX], message[MESSAGE_MAX];
};

int zone_text_new(struct zone_text **out)
{
    struct zone_text *zone = mem_alloc(sizeof *zone);
    if (!zone)
        return -ENOMEM;
    zone->ttl = DEFAULT_TTL;
    zone->owner = NULL;
    zone->origin = ldns_dname_new_frm_str(".");
    if (!zone->origin) {
        mem_free(zone);
        return -ENOMEM;
    }
    *out = zone;
    return 0;
}

void zone_text_free(struct zone_text *zone)
{
    if (!zone)
        return;
    ldns_rdf_deep_free(zone->origin);
    ldns_rdf_deep_free(zone->owner);
    mem_free(zone);
}

static int refuse(char why[ZONE_TEXT_WHY], const char *text)
{
    snprintf(why, ZONE_TEXT_WHY, "%s", text);
    return -EINVAL;
}

/* As the message will be walked when it is sent. */
static bool is_valid(struct zone_text *zone, const struct zone_record *record)
{
    struct key key = {.type = record->type, .class = CLASS_IN, .name_len = record->owner_len};
    struct build build;
    struct answer answer;
    memcpy(key.name, record->owner, record->owner_len);
    build_begin(&build, zone->message, sizeof zone->message, &key);
    build_record(&build, BUILD_ANSWER, NULL, record->type, record->ttl, record->rdata.data, record->rdata.len);
    int len = build_end(&build, RCODE_NOERROR);
    return len > 0 && message_own_answer(zone->message, (size_t)len, &zone->scratch, &answer) == 0;
}

/* Letters beyond ASCII outside of quotes and comments: a name that no program would query. */
static bool has_other_letters(const char *text)
{
    for (bool quoted = false; *text && (quoted || *text != ';'); text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (*text == '\\' && text[1])
            text++;
        else if (!quoted && (uint8_t)*text >= 0x80)
            return true;
    }
    return false;
}

/* The word behind the owner, which may be left out: a TTL, a class or a type. */
static const char *behind_owner(const char *text)
{
    if (*text != ' ' && *text != '\t')
        text += strcspn(text, " \t");
    return text + strspn(text, " \t");
}

static bool read_ttl(const char *text, uint64_t *seconds)
{
    char word[32];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(text, " \t"), text);
    return ttl_from_text(word, seconds);
}

/* ldns takes only the lower 32 bits of a TTL. */
static bool has_large_ttl(const char *text)
{
    uint64_t seconds;
    return read_ttl(behind_owner(text), &seconds) && seconds > TTL_MAX;
}

/* The class may be before the TTL (RFC 1035 section 5.1), where ldns takes the TTL for the type. Exchanges them. */
static void put_ttl_first(char *text)
{
    char *class = text + (behind_owner(text) - text), ttl[32];
    size_t class_len = strcspn(class, " \t"), gap = strspn(class + class_len, " \t");
    size_t ttl_len = strcspn(class + class_len + gap, " \t");
    uint64_t seconds;
    if (class_len != 2 || strncasecmp(class, "IN", 2) != 0 || ttl_len >= sizeof ttl ||
        !read_ttl(class + class_len + gap, &seconds))
        return;
    memcpy(ttl, class + class_len + gap, ttl_len);
    memset(class, ' ', class_len + gap + ttl_len);
    memcpy(class, ttl, ttl_len);
    memcpy(class + ttl_len + 1, "IN", 2);
}

static int convert(struct zone_text *zone, const ldns_rr *rr, struct zone_record *record, char why[ZONE_TEXT_WHY])
{
    const ldns_rdf *owner = ldns_rr_owner(rr);
    unsigned type = ldns_rr_get_type(rr);
    struct writer writer = writer_over(zone->rdata, sizeof zone->rdata);
    if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
        return refuse(why, "only class IN is served");
    if (type == 0 || type == TYPE_OPT || (type >= FIRST_META && type <= LAST_META) || ldns_rr_is_question(rr))
        return refuse(why, "no record can have this type");
    if (!owner || ldns_rdf_size(owner) == 0 || ldns_rdf_size(owner) > NAME_MAX_WIRE || ldns_rr_ttl(rr) > TTL_MAX)
        return refuse(why, "its name or TTL is invalid");
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
        writer_bytes(&writer, ldns_rdf_data(ldns_rr_rdf(rr, i)), ldns_rdf_size(ldns_rr_rdf(rr, i)));
    record->owner_len = (uint8_t)ldns_rdf_size(owner);
    name_lower(record->owner, ldns_rdf_data(owner), record->owner_len);
    record->type = (uint16_t)type;
    record->ttl = ldns_rr_ttl(rr);
    record->rdata = (struct bytes){zone->rdata, writer_len(&writer)};
    if (writer.failed || !is_valid(zone, record))
        return refuse(why, "its data is invalid");
    return 0;
}

static int take_record(struct zone_text *zone, ldns_rr *rr,
                       int (*take)(void *context, const struct zone_record *record), void *context,
                       char why[ZONE_TEXT_WHY])
{
    struct zone_record record;
    int status = convert(zone, rr, &record, why);
    ldns_rr_free(rr);
    return status < 0 ? status : take(context, &record);
}

/* ldns reads $INCLUDE as an error, which is what is wanted. */
static int status_of(ldns_status status, char why[ZONE_TEXT_WHY])
{
    if (status == LDNS_STATUS_MEM_ERR || status == LDNS_STATUS_INTERNAL_ERR)
        return -ENOMEM;
    return refuse(why,
                  status == LDNS_STATUS_SYNTAX_INCLUDE ? "$INCLUDE is not supported" : ldns_get_errorstr_by_id(status));
}

int zone_text_read(struct zone_text *zone, const char *text,
                   int (*take)(void *context, const struct zone_record *record), void *context, char why[ZONE_TEXT_WHY])
{
    size_t len = strlen(text);
    if (has_other_letters(text))
        return refuse(why,
                      "letters beyond ASCII; write such a name in its ASCII form, which begins with xn--, and other "
                      "texts in quotes");
    char *own = mem_strdup(text);
    if (!own)
        return -ENOMEM;
    put_ttl_first(own);
    if (has_large_ttl(own)) {
        mem_free(own);
        return refuse(why, "its TTL is above 2147483647 seconds");
    }
    FILE *file = len > 0 ? fmemopen(own, len, "r") : NULL;
    int status = file ? 0 : len > 0 ? -ENOMEM : 0;
    while (file && status == 0 && !feof(file)) {
        ldns_rr *rr = NULL;
        int line = 0;
        ldns_status read = ldns_rr_new_frm_fp_l(&rr, file, &zone->ttl, &zone->origin, &zone->owner, &line);
        if (read == LDNS_STATUS_OK)
            status = take_record(zone, rr, take, context, why);
        else if (read != LDNS_STATUS_SYNTAX_EMPTY && read != LDNS_STATUS_SYNTAX_TTL &&
                 read != LDNS_STATUS_SYNTAX_ORIGIN)
            status = status_of(read, why);
    }
    if (file)
        fclose(file);
    mem_free(own);
    return status;
}
