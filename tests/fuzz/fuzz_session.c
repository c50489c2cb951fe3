/* SPDX-License-Identifier: MIT */
/* A server that misbehaves: the input decides what it sends, and when it resets, closes, hangs or refuses. Each attempt ends once, or can
 * be cancelled; the response that it gets fits its query; and at the end no object is left.
 *
 *       0..31    ask, if the place is free (16 places)         32..47   cancel
 *      48..63    time passes                                   64..79   the latest connection is reset, or closed
 *      80..95    the oldest query on it is answered rightly   96..111  the outcome of dials from now on
 *     112..127   a turn                                       128..255  a message made of the following bytes, see say()
 */
#include <errno.h>
#include "base/errors.h"
#include "dns/codes.h"
#include "dns/message.h"
#include "tests/unit/fake_net.h"
#include "upstream/group.h"
#include "fuzz.h"

enum { PLACES = 16 };

struct place {
    struct attempt attempt;
    struct key key;
    unsigned sent, ended;
};

static struct place places[PLACES];
static struct group *group;

static void done(struct attempt *attempt, int status, struct answer *answer)
{
    struct place *place = container_of(attempt, struct place, attempt);
    MUST(!attempt_live(attempt) && place->ended < place->sent);
    place->ended++;
    MUST((status == 0) == (answer != NULL) && status <= 0);
    MUST(!answer || message_answers((struct bytes){answer->wire, answer->len}, &place->key));
}

static void ask(struct place *place)
{
    unsigned number = (unsigned)(place - places);
    if (attempt_live(&place->attempt))
        return;
    place->key = (struct key){.type = TYPE_A, .class = CLASS_IN, .name_len = 8};
    memcpy(place->key.name, "\2na\3tst", 8);
    place->key.name[2] = (uint8_t)('a' + number);
    place->attempt.key = &place->key;
    place->attempt.done = done;
    place->attempt.without_edns = number == 3;
    place->sent = place->ended + 1;
    attempt_send(group, &place->attempt);
}

static struct fake_conn *latest(void)
{
    return fake_dials() ? fake_conn(fake_dials() - 1) : NULL;
}

static void reply(struct fake_conn *conn)
{
    struct fake_frame *frame = fake_take(conn);
    if (frame)
        fake_reply(conn, frame, NULL);
    free(frame);
}

/* A message: kind (1: with the id of the oldest query, 2: with its Question section, 4: a response), flags, three counts, number of
 * bytes, the bytes. */
static void say(struct fake_conn *conn, struct cursor *cursor)
{
    static uint8_t message[MESSAGE_HEADER + 512 + 255];
    uint8_t how = cursor_u8(cursor);
    struct fake_frame *frame = how & 3 ? fake_take(conn) : NULL;
    size_t len = MESSAGE_HEADER;
    memset(message, 0, MESSAGE_HEADER);
    write_u16(message + MESSAGE_FLAGS, (uint16_t)(cursor_u16(cursor) | (how & 4 ? FLAG_QR : 0)));
    for (unsigned at = 6; at < MESSAGE_HEADER; at += 2)
        message[at + 1] = cursor_u8(cursor);
    if (frame && how & 1)
        memcpy(message, frame->data, 2);
    if (frame && how & 2) {
        size_t name = name_len((struct bytes){frame->data + MESSAGE_HEADER, frame->len - MESSAGE_HEADER});
        memcpy(message + len, frame->data + MESSAGE_HEADER, name + 4);
        message[5] = 1;
        len += name + 4;
    }
    struct bytes rest = {NULL, cursor_u8(cursor)};
    rest.data = cursor_take(cursor, rest.len);
    if (rest.data)
        memcpy(message + len, rest.data, rest.len);
    len += rest.data ? rest.len : 0;
    fake_deliver(conn, message, how & 8 ? len % MESSAGE_HEADER : len);
    free(frame);
}

static void act(uint8_t what, struct cursor *cursor)
{
    static const unsigned spans[] = {1, 50, 400, 5000};
    struct fake_conn *conn = latest();
    if (what < 32)
        ask(&places[what % PLACES]);
    else if (what < 48)
        attempt_cancel(&places[what % PLACES].attempt);
    else if (what < 64)
        fake_pass(spans[what % 4]);
    else if (what < 80 && conn)
        fake_kill(conn, what % 2 ? ERROR_CLOSED : -ECONNRESET);
    else if (what >= 80 && what < 96 && conn)
        reply(conn);
    else if (what >= 96 && what < 112)
        fake.dial[1 + what % 2] = what % 3 == 0 ? FAKE_ACCEPTS : what % 3 == 1 ? FAKE_HANGS : FAKE_REFUSES;
    else if (what >= 112 && what < 128)
        fake_turn();
    else if (what >= 128 && conn)
        say(conn, cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor cursor = cursor_over((struct bytes){data, size > 400 ? 400 : size});
    fake_begin();
    struct config *config = fake_config(1 + (size && data[0] % 2), 1);
    group = fake_group(config);
    memset(places, 0, sizeof places);
    while (!cursor.failed && cursor_left(&cursor) > 0)
        act(cursor_u8(&cursor), &cursor);
    fake_turn();
    for (unsigned i = 0; i < PLACES; i++) {
        MUST(attempt_live(&places[i].attempt) || places[i].ended == places[i].sent ||
             places[i].ended + 1 == places[i].sent);
        attempt_cancel(&places[i].attempt);
    }
    fake_group_end(group);
    fake_end();
    return 0;
}
