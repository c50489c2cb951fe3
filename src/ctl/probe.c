/* SPDX-License-Identifier: MIT */
#include "probe.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "dns/codes.h"
#include "dns/edit.h"
#include "dns/message.h"

enum { RETRY_MS = 1000 };

struct probe_query {
    struct key key;
    uint16_t id;
    uint8_t wire[2 + EDIT_QUESTION_MAX]; /* preceded by TCP's length field */
    size_t len;                          /* without the length field */
    uint64_t deadline_ms;
};

static int make_query(struct probe_query *out, const char *name, uint16_t type)
{
    int len = name_from_text(out->key.name, name);
    if (len < 0 || getrandom(&out->id, sizeof out->id, 0) != sizeof out->id)
        return len < 0 ? len : -EAGAIN;
    out->key.name_len = (uint8_t)len;
    out->key.type = type;
    out->key.class = CLASS_IN;
    out->len = edit_question(out->wire + 2, &out->key, &(struct edit_ask){.edns = true});
    edit_set_id(out->wire + 2, out->id);
    write_u16(out->wire, (uint16_t)out->len);
    return 0;
}

/* Type and class precede the TTL; the length of the data and the data follow it. */
static void read_records(struct probe_response *out, const struct answer *answer, const struct answer_scratch *scratch,
                         uint16_t type)
{
    out->records = out->address = 0;
    for (unsigned i = 0; i < answer->ttl_count && answer->ttl_offsets[i] < scratch->section_end[1]; i++) {
        const uint8_t *ttl = answer->wire + answer->ttl_offsets[i];
        if (read_u16(ttl - 4) != type)
            continue;
        if (out->records++ == 0 && type == TYPE_A)
            out->address = read_u32(ttl + 6);
    }
}

static int read_response(struct probe_response *out, const struct probe_query *query, uint8_t *wire, size_t len)
{
    static struct answer_scratch scratch;
    struct answer_transport transport;
    struct answer answer;
    if (len < MESSAGE_HEADER || read_u16(wire) != query->id)
        return ERROR_MALFORMED;
    int status = message_walk_answer(wire, len, &scratch, &answer, &transport);
    if (status < 0)
        return status;
    if (!message_answers((struct bytes){answer.wire, answer.len}, &query->key))
        return ERROR_MALFORMED;
    out->rcode = answer.rcode;
    read_records(out, &answer, &scratch, query->key.type);
    return 0;
}

/* Waits for an event, until the deadline but at most `most_ms`. */
static int wait_for(int fd, short events, const struct probe_query *query, uint64_t most_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    uint64_t now = clock_ms(), left = query->deadline_ms > now ? query->deadline_ms - now : 0;
    int ready = poll(&poll_fd, 1, (int)(left < most_ms ? left : most_ms));
    return ready < 0 ? -errno : ready == 0 ? -ETIMEDOUT : 0;
}

/* Skips messages that do not match the query. */
static int query_udp(struct probe_response *out, const struct probe_query *query, int fd)
{
    static uint8_t wire[MESSAGE_MAX];
    while (clock_ms() < query->deadline_ms) {
        if (send(fd, query->wire + 2, query->len, MSG_NOSIGNAL) < 0)
            return -errno;
        uint64_t retry_ms = clock_ms() + RETRY_MS, now;
        while ((now = clock_ms()) < retry_ms && wait_for(fd, POLLIN, query, retry_ms - now) == 0) {
            ssize_t len = recv(fd, wire, sizeof wire, MSG_DONTWAIT);
            if (len < 0 && errno != EAGAIN)
                return -errno;
            if (len > 0 && read_response(out, query, wire, (size_t)len) == 0)
                return 0;
        }
    }
    return -ETIMEDOUT;
}

static int receive(const struct probe_query *query, int fd, uint8_t *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        int status = wait_for(fd, POLLIN, query, INT32_MAX);
        ssize_t more = status < 0 ? 0 : recv(fd, out + at, len - at, MSG_DONTWAIT);
        if (status < 0)
            return status;
        if (more <= 0)
            return more < 0 ? -errno : ERROR_CLOSED;
        at += (size_t)more;
    }
    return 0;
}

static int query_tcp(struct probe_response *out, const struct probe_query *query, int fd)
{
    static uint8_t wire[2 + MESSAGE_MAX];
    int error = 0;
    socklen_t error_len = sizeof error;
    int status = wait_for(fd, POLLOUT, query, INT32_MAX);
    if (status < 0)
        return status;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0 || error)
        return -(error ? error : errno);
    if (send(fd, query->wire, 2 + query->len, MSG_NOSIGNAL) < 0)
        return -errno;
    status = receive(query, fd, wire, 2);
    if (status == 0)
        status = receive(query, fd, wire + 2, read_u16(wire));
    return status < 0 ? status : read_response(out, query, wire + 2, read_u16(wire));
}

int probe_send(struct probe_response *out, const struct addr *server, const char *name, uint16_t type, bool tcp,
               unsigned timeout_ms)
{
    struct probe_query query = {.deadline_ms = clock_ms() + timeout_ms};
    struct probe_response response = {.rcode = 0};
    uint64_t start_ms = clock_ms();
    struct addr to;
    int status = addr_resolve(&to, server);
    if (status == 0)
        status = make_query(&query, name, type);
    if (status < 0)
        return status;
    int fd = socket(server->sa.sa_family, (tcp ? SOCK_STREAM | SOCK_NONBLOCK : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, &to.sa, addr_len(&to)) < 0 && errno != EINPROGRESS)
        status = -errno;
    else
        status = tcp ? query_tcp(&response, &query, fd) : query_udp(&response, &query, fd);
    close(fd);
    response.ms = (unsigned)(clock_ms() - start_ms);
    if (status == 0)
        *out = response;
    return status;
}

bool probe_is_good(const struct probe_response *response)
{
    return response->rcode == RCODE_NOERROR || response->rcode == RCODE_NXDOMAIN;
}
