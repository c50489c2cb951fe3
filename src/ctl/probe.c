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

enum { AGAIN_MS = 1000 };

struct probe_query {
    struct key key;
    uint16_t id;
    uint8_t wire[2 + EDIT_QUESTION_MAX]; /* TCP's length in front */
    size_t len;                          /* without that */
    uint64_t deadline_ms;
};

static int make_question(struct probe_query *out, const char *name, uint16_t type)
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

static unsigned count_records(const struct answer *answer, const struct answer_scratch *scratch, uint16_t type)
{
    unsigned count = 0;
    for (unsigned i = 0; i < answer->ttl_count && answer->ttl_offsets[i] < scratch->section_end[1]; i++)
        count += read_u16(answer->wire + answer->ttl_offsets[i] - 4) == type;
    return count;
}

static int read_answer(struct probe_answer *out, const struct probe_query *question, uint8_t *wire, size_t len)
{
    static struct answer_scratch scratch;
    struct answer_transport transport;
    struct answer answer;
    if (len < MESSAGE_HEADER || read_u16(wire) != question->id)
        return ERROR_MALFORMED;
    int status = message_walk_answer(wire, len, &scratch, &answer, &transport);
    if (status < 0)
        return status;
    if (!message_answers((struct bytes){answer.wire, answer.len}, &question->key))
        return ERROR_MALFORMED;
    out->rcode = answer.rcode;
    out->records = count_records(&answer, &scratch, question->key.type);
    return 0;
}

/* Waits for an event, at most until the deadline or `most_ms`. */
static int wait_for(int fd, short events, const struct probe_query *question, uint64_t most_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    uint64_t now = clock_ms(), left = question->deadline_ms > now ? question->deadline_ms - now : 0;
    int ready = poll(&poll_fd, 1, (int)(left < most_ms ? left : most_ms));
    return ready < 0 ? -errno : ready == 0 ? -ETIMEDOUT : 0;
}

/* What does not belong to the question is passed over. */
static int ask_udp(struct probe_answer *out, const struct probe_query *question, int fd)
{
    static uint8_t wire[MESSAGE_MAX];
    while (clock_ms() < question->deadline_ms) {
        if (send(fd, question->wire + 2, question->len, MSG_NOSIGNAL) < 0)
            return -errno;
        uint64_t again_ms = clock_ms() + AGAIN_MS, now;
        while ((now = clock_ms()) < again_ms && wait_for(fd, POLLIN, question, again_ms - now) == 0) {
            ssize_t len = recv(fd, wire, sizeof wire, MSG_DONTWAIT);
            if (len < 0 && errno != EAGAIN)
                return -errno;
            if (len > 0 && read_answer(out, question, wire, (size_t)len) == 0)
                return 0;
        }
    }
    return -ETIMEDOUT;
}

static int receive(const struct probe_query *question, int fd, uint8_t *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        int status = wait_for(fd, POLLIN, question, INT32_MAX);
        ssize_t more = status < 0 ? 0 : recv(fd, out + at, len - at, MSG_DONTWAIT);
        if (status < 0)
            return status;
        if (more <= 0)
            return more < 0 ? -errno : ERROR_CLOSED;
        at += (size_t)more;
    }
    return 0;
}

static int ask_tcp(struct probe_answer *out, const struct probe_query *question, int fd)
{
    static uint8_t wire[2 + MESSAGE_MAX];
    int error = 0;
    socklen_t error_len = sizeof error;
    int status = wait_for(fd, POLLOUT, question, INT32_MAX);
    if (status < 0)
        return status;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0 || error)
        return -(error ? error : errno);
    if (send(fd, question->wire, 2 + question->len, MSG_NOSIGNAL) < 0)
        return -errno;
    status = receive(question, fd, wire, 2);
    if (status == 0)
        status = receive(question, fd, wire + 2, read_u16(wire));
    return status < 0 ? status : read_answer(out, question, wire + 2, read_u16(wire));
}

int probe_ask(struct probe_answer *out, const struct addr *server, const char *name, uint16_t type, bool tcp,
              unsigned patience_ms)
{
    struct probe_query question = {.deadline_ms = clock_ms() + patience_ms};
    struct probe_answer answer = {.rcode = 0};
    uint64_t start_ms = clock_ms();
    int status = make_question(&question, name, type);
    if (status < 0)
        return status;
    int fd = socket(server->sa.sa_family, (tcp ? SOCK_STREAM | SOCK_NONBLOCK : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, &server->sa, addr_len(server)) < 0 && errno != EINPROGRESS)
        status = -errno;
    else
        status = tcp ? ask_tcp(&answer, &question, fd) : ask_udp(&answer, &question, fd);
    close(fd);
    answer.ms = (unsigned)(clock_ms() - start_ms);
    if (status == 0)
        *out = answer;
    return status;
}

bool probe_is_good(const struct probe_answer *answer)
{
    return answer->rcode == RCODE_NOERROR || answer->rcode == RCODE_NXDOMAIN;
}
