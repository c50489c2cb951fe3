/* SPDX-License-Identifier: MIT */
/* The records of a message as JSON. */
#include "dns/records.h"
#include "json.h"

static void add_record(void *context, const struct record_view *record)
{
    json_t *object = json_object();
    put_text(object, "section", record->section);
    put_text(object, "name", record->owner);
    put_text(object, "type", record->type);
    put_number(object, "ttl", record->ttl);
    put_text(object, "data", record->rdata);
    (void)json_array_append_new(context, object);
}

/* Stops at a record that ldns cannot read. */
json_t *records_of(struct bytes message)
{
    json_t *records = json_array();
    int status = records_each(message, add_record, records);
    (void)status;
    return records;
}
