/* SPDX-License-Identifier: MIT */
/* Two rings, so that many failures do not overwrite the records of slow queries. */
#include <errno.h>
#include <stdio.h>
#include "base/hash.h"
#include "base/mem.h"
#include "resolve/recorder.h"

/* Six hexadecimal digits. The first id is random, so ids of an earlier process, which a client may still have, are
 * unlikely to match. */
#define IDS 0x1000000u

int recorder_init(struct recorder *recorder)
{
    *recorder =
        (struct recorder){.records = mem_zalloc(RECORDER_ALL, sizeof(struct record)), .last_id = random_below(IDS)};
    return recorder->records ? 0 : -ENOMEM;
}

void recorder_fini(struct recorder *recorder)
{
    mem_free(recorder->records);
}

uint32_t recorder_next_id(struct recorder *recorder)
{
    recorder->last_id = recorder->last_id % (IDS - 1) + 1;
    return recorder->last_id;
}

static unsigned place_of(enum record_kind kind, unsigned number)
{
    return (unsigned)kind * RECORDER_KEPT + number % RECORDER_KEPT;
}

struct record *recorder_take(struct recorder *recorder, enum record_kind kind)
{
    return &recorder->records[place_of(kind, recorder->count[kind]++)];
}

unsigned recorder_copy(const struct recorder *recorder, struct record *out)
{
    unsigned copied = 0;
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        unsigned count = recorder->count[kind], kept = count < RECORDER_KEPT ? count : RECORDER_KEPT;
        for (unsigned i = 1; i <= kept; i++)
            out[copied++] = recorder->records[place_of((enum record_kind)kind, count - i)];
    }
    return copied;
}

const char *record_id_text(uint32_t id, char out[RECORD_ID_TEXT])
{
    snprintf(out, RECORD_ID_TEXT, "%06x", (unsigned)id);
    return out;
}
