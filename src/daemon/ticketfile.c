/* SPDX-License-Identifier: MIT */
/* The file: a line with its name and version; the wall-clock time; tickets, each with its length, the digest of
 * its server and the milliseconds left; a digest of everything before. The file is read whole, so its size is
 * bounded. */
#include "ticketfile.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/file.h"
#include "base/log.h"

#define TITLE     "dotstub tickets 1\n"
#define TITLE_LEN (sizeof(TITLE) - 1)

enum {
    FILE_MAX = 1 << 20,
    TICKET_MAX = 65535,
    RECORD_FIXED = 2 + DIGEST_LEN + 4,
    EMPTY = TITLE_LEN + 8 + DIGEST_LEN, /* length of a file without tickets */
};

/* --- writing --- */

struct writing {
    struct buffer *all;
    size_t start; /* where our part of `all` starts */
    uint64_t now_ms;
};

/* A ticket that does not fit, or for which memory is lacking, costs a full handshake. */
static void append_ticket(void *context, const struct ticket *ticket)
{
    struct writing *writing = context;
    uint64_t left_ms = ticket->expires_ms > writing->now_ms ? ticket->expires_ms - writing->now_ms : 0;
    size_t len = RECORD_FIXED + ticket->data.len;
    if (left_ms == 0 || ticket->data.len > TICKET_MAX ||
        writing->all->len - writing->start + len + DIGEST_LEN > FILE_MAX)
        return;
    uint8_t *room = buffer_reserve(writing->all, len);
    if (!room)
        return;
    struct writer writer = writer_over(room, len);
    writer_u16(&writer, (uint16_t)ticket->data.len);
    writer_bytes(&writer, ticket->server, DIGEST_LEN);
    writer_u32(&writer, left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX);
    writer_bytes(&writer, ticket->data.data, ticket->data.len);
    buffer_commit(writing->all, len);
}

static int append_head(struct buffer *all)
{
    uint64_t now_s = (uint64_t)clock_wall_s();
    uint8_t time[8];
    write_u32(time, (uint32_t)(now_s >> 32));
    write_u32(time + 4, (uint32_t)now_s);
    int status = buffer_append(all, TITLE, TITLE_LEN);
    return status < 0 ? status : buffer_append(all, time, sizeof time);
}

int tickets_pack(struct buffer *out, struct worker *const *workers, unsigned count)
{
    struct writing writing = {.all = out, .start = out->len, .now_ms = clock_ms()};
    uint8_t digest[DIGEST_LEN];
    int status = append_head(out);
    for (unsigned i = 0; status == 0 && i < count; i++)
        worker_each_ticket(workers[i], append_ticket, &writing);
    if (status < 0)
        return status;
    digest_bytes(digest, buffer_bytes(out).data + writing.start, out->len - writing.start);
    return buffer_append(out, digest, DIGEST_LEN);
}

void ticketfile_write(const char *path, struct worker **workers, unsigned count)
{
    struct buffer all = {NULL, 0, 0, 0};
    int status = tickets_pack(&all, workers, count);
    if (status == 0 && all.len > EMPTY)
        status = file_replace(path, buffer_bytes(&all).data, all.len, 0600, false);
    if (status < 0)
        log_warning("tls", "cannot save TLS tickets in %s: %s", path, error_text(status));
    buffer_free(&all);
}

/* --- reading --- */

/* Finds the tickets in the file, if its digest is correct. */
static int check(struct bytes all, struct bytes *out)
{
    uint8_t digest[DIGEST_LEN];
    if (all.len < EMPTY || memcmp(all.data, TITLE, TITLE_LEN) != 0)
        return ERROR_MALFORMED;
    digest_bytes(digest, all.data, all.len - DIGEST_LEN);
    if (memcmp(digest, all.data + all.len - DIGEST_LEN, DIGEST_LEN) != 0)
        return ERROR_MALFORMED;
    *out = (struct bytes){all.data + TITLE_LEN, all.len - TITLE_LEN - DIGEST_LEN};
    return 0;
}

/* The age of the file in milliseconds of the wall clock; -1 if it is unknown. */
static int64_t read_age(struct cursor *cursor)
{
    uint64_t saved_s = (uint64_t)cursor_u32(cursor) << 32;
    saved_s |= cursor_u32(cursor);
    int64_t now_s = clock_wall_s();
    if (now_s < 0 || saved_s > (uint64_t)now_s)
        return -1;
    uint64_t age_s = (uint64_t)now_s - saved_s + 1;
    return age_s < UINT32_MAX ? (int64_t)(age_s * 1000) : -1;
}

static void share_out(struct bytes records, struct worker **workers, unsigned count)
{
    struct cursor cursor = cursor_over(records);
    int64_t age_ms = read_age(&cursor);
    for (unsigned i = 0; age_ms >= 0 && cursor_left(&cursor) > 0; i++) {
        struct ticket ticket;
        size_t len = cursor_u16(&cursor);
        const uint8_t *server = cursor_take(&cursor, DIGEST_LEN);
        int64_t left_ms = (int64_t)cursor_u32(&cursor) - age_ms;
        ticket.data = (struct bytes){cursor_take(&cursor, len), len};
        if (cursor.failed)
            return;
        if (left_ms <= 0)
            continue;
        memcpy(ticket.server, server, DIGEST_LEN);
        ticket.expires_ms = clock_ms() + (uint64_t)left_ms;
        (void)worker_take_ticket(workers[i % count], &ticket);
    }
}

int tickets_unpack(struct bytes packed, struct worker **workers, unsigned count)
{
    struct bytes records;
    int status = check(packed, &records);
    if (status == 0)
        share_out(records, workers, count);
    return status;
}

void ticketfile_read(const char *path, struct worker **workers, unsigned count)
{
    struct buffer all = {NULL, 0, 0, 0};
    int status = file_read_private(&all, path, FILE_MAX);
    if (status == 0)
        status = tickets_unpack(buffer_bytes(&all), workers, count);
    if (status == ERROR_MALFORMED)
        log_warning("tls", "ignoring %s: damaged", path);
    else if (status < 0 && status != -ENOENT)
        log_warning("tls", "ignoring %s: cannot be read: %s", path, error_text(status));
    if (status != -ENOENT && unlink(path) < 0 && errno != ENOENT)
        log_warning("tls", "cannot remove %s: %s", path, error_text(-errno));
    buffer_free(&all);
}
