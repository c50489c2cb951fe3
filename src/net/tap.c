/* SPDX-License-Identifier: MIT */
/* Invariant: a worker encodes a message in its own memory and puts it into its own queue.
 *
 * Protocol Buffers need no library here: a message is a sequence of fields, each a tag (number and kind) followed
 * by a number, by four bytes, or by a length and that number of bytes.
 */
#include "net/tap.h"
#include <errno.h>
#include <fstrm.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include "base/mem.h"

enum {
    QUEUE_LENGTH = 1024,
    REOPEN_S = 1,
    CLOSE_S = 1,
    TEXT_MOST = 255,
    HEAD_MOST = 2 * TEXT_MOST + 160, /* bytes of everything but the DNS message */
};

struct tap_queue {
    struct tap *tap;
    struct fstrm_iothr_queue *queue;
    struct counters *counters;
};

struct tap {
    struct fstrm_iothr *thread;
    char identity[TEXT_MOST + 1], version[TEXT_MOST + 1];
    struct tap_queue queues[];
};

/* --- protocol buffers --- */

enum wire_kind { WIRE_NUMBER = 0, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static uint8_t *put_varint(uint8_t *at, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *at++ = (uint8_t)(number | 0x80);
    *at++ = (uint8_t)number;
    return at;
}

static uint8_t *put_number(uint8_t *at, unsigned field, uint64_t number)
{
    return put_varint(put_varint(at, field << 3 | WIRE_NUMBER), number);
}

static uint8_t *put_fixed32(uint8_t *at, unsigned field, uint32_t number)
{
    at = put_varint(at, field << 3 | WIRE_FIXED32);
    for (int i = 0; i < 4; i++)
        *at++ = (uint8_t)(number >> 8 * i);
    return at;
}

static uint8_t *put_bytes(uint8_t *at, unsigned field, const void *bytes, size_t len)
{
    at = put_varint(put_varint(at, field << 3 | WIRE_BYTES), len);
    memcpy(at, bytes, len);
    return at + len;
}

/* --- dnstap.proto --- */

enum { DNSTAP_IDENTITY = 1, DNSTAP_VERSION = 2, DNSTAP_MESSAGE = 14, DNSTAP_TYPE = 15, DNSTAP_TYPE_MESSAGE = 1 };
enum {
    MESSAGE_TYPE = 1,
    MESSAGE_FAMILY = 2, /* 1: IPv4, 2: IPv6 */
    MESSAGE_PROTOCOL = 3,
    MESSAGE_QUERY_ADDRESS = 4,
    MESSAGE_RESPONSE_ADDRESS = 5,
    MESSAGE_QUERY_PORT = 6,
    MESSAGE_RESPONSE_PORT = 7,
    MESSAGE_QUERY_TIME = 8, /* seconds; the next two fields are nanoseconds and the DNS message */
    MESSAGE_RESPONSE_TIME = 12,
};

static uint8_t *put_addr(uint8_t *at, const struct addr *addr, unsigned address_field, unsigned port_field)
{
    if (!addr || (addr->sa.sa_family != AF_INET && addr->sa.sa_family != AF_INET6))
        return at;
    if (addr->sa.sa_family == AF_INET)
        at = put_bytes(at, address_field, &addr->in.sin_addr, 4);
    else
        at = put_bytes(at, address_field, &addr->in6.sin6_addr, 16);
    return addr_port(addr) ? put_number(at, port_field, addr_port(addr)) : at;
}

static uint8_t *put_message(uint8_t *at, const struct tap_event *event)
{
    const struct addr *known = event->kind >= TAP_FORWARDER_QUERY ? event->answerer : event->asker;
    bool response = event->kind == TAP_CLIENT_RESPONSE || event->kind == TAP_FORWARDER_RESPONSE;
    unsigned time_field = response ? MESSAGE_RESPONSE_TIME : MESSAGE_QUERY_TIME;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at = put_number(at, MESSAGE_TYPE, event->kind);
    at = put_number(at, MESSAGE_FAMILY, known->sa.sa_family == AF_INET ? 1 : 2);
    at = put_number(at, MESSAGE_PROTOCOL, event->transport);
    at = put_addr(at, event->asker, MESSAGE_QUERY_ADDRESS, MESSAGE_QUERY_PORT);
    at = put_addr(at, event->answerer, MESSAGE_RESPONSE_ADDRESS, MESSAGE_RESPONSE_PORT);
    at = put_number(at, time_field, (uint64_t)now.tv_sec);
    at = put_fixed32(at, time_field + 1, (uint32_t)now.tv_nsec);
    return put_bytes(at, time_field + 2, event->message.data, event->message.len);
}

/* `inner` is room for the embedded message. */
static size_t put_dnstap(uint8_t *out, uint8_t *inner, const struct tap *tap, const struct tap_event *event)
{
    uint8_t *at = put_bytes(out, DNSTAP_IDENTITY, tap->identity, strlen(tap->identity));
    at = put_bytes(at, DNSTAP_VERSION, tap->version, strlen(tap->version));
    at = put_bytes(at, DNSTAP_MESSAGE, inner, (size_t)(put_message(inner, event) - inner));
    return (size_t)(put_number(at, DNSTAP_TYPE, DNSTAP_TYPE_MESSAGE) - out);
}

/* --- a message --- */

/* Called by the library's thread, too. */
static void frame_free(void *frame, void *context)
{
    (void)context;
    mem_free(frame);
}

void tap_message(struct tap_queue *queue, const struct tap_event *event)
{
    if (!queue)
        return;
    size_t most = HEAD_MOST + event->message.len;
    uint8_t *frame = mem_alloc(2 * most);
    size_t len = frame ? put_dnstap(frame, frame + most, queue->tap, event) : 0;
    if (frame &&
        fstrm_iothr_submit(queue->tap->thread, queue->queue, frame, len, frame_free, NULL) == fstrm_res_success) {
        counter_add(queue->counters, COUNTER_dnstap_queued, 1);
        return;
    }
    mem_free(frame);
    counter_add(queue->counters, COUNTER_dnstap_lost, 1);
}

struct tap_queue *tap_queue(struct tap *tap, unsigned number, struct counters *counters)
{
    tap->queues[number].counters = counters;
    return &tap->queues[number];
}

/* --- start and stop --- */

static struct fstrm_writer *make_writer(const char *path)
{
    static const char content[] = "protobuf:dnstap.Dnstap";
    struct fstrm_unix_writer_options *where = fstrm_unix_writer_options_init();
    struct fstrm_writer_options *how = fstrm_writer_options_init();
    fstrm_unix_writer_options_set_socket_path(where, path);
    fstrm_writer_options_add_content_type(how, content, strlen(content));
    struct fstrm_writer *writer = fstrm_unix_writer_init(where, how);
    fstrm_writer_options_destroy(&how);
    fstrm_unix_writer_options_destroy(&where);
    return writer;
}

/* Blocks signals in the library's thread, because the main thread handles them. */
static struct fstrm_iothr *make_thread(struct fstrm_writer **writer, unsigned queues)
{
    struct fstrm_iothr_options *options = fstrm_iothr_options_init();
    sigset_t all, before;
    fstrm_iothr_options_set_num_input_queues(options, queues);
    fstrm_iothr_options_set_input_queue_size(options, QUEUE_LENGTH);
    fstrm_iothr_options_set_queue_notify_threshold(options, 1);
    fstrm_iothr_options_set_reopen_interval(options, REOPEN_S);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct fstrm_iothr *thread = fstrm_iothr_init(options, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    fstrm_iothr_options_destroy(&options);
    return thread;
}

int tap_open(struct tap **out, const char *path, unsigned queues, const char *identity, const char *version)
{
    struct tap *tap = mem_zalloc(1, sizeof *tap + queues * sizeof *tap->queues);
    if (!tap)
        return -ENOMEM;
    struct fstrm_writer *writer = make_writer(path);
    if (!writer)
        goto fail;
    tap->thread = make_thread(&writer, queues); /* owns the writer, unless it fails */
    if (!tap->thread)
        goto fail_writer;
    memcpy(tap->identity, identity, strnlen(identity, TEXT_MOST));
    memcpy(tap->version, version, strnlen(version, TEXT_MOST));
    for (unsigned i = 0; i < queues; i++)
        tap->queues[i] = (struct tap_queue){.tap = tap, .queue = fstrm_iothr_get_input_queue(tap->thread)};
    *out = tap;
    return 0;
fail_writer:
    if (writer)
        fstrm_writer_destroy(&writer);
fail:
    mem_free(tap);
    return -ENOMEM;
}

static void *destroy(void *context)
{
    struct tap *tap = context;
    fstrm_iothr_destroy(&tap->thread);
    return NULL;
}

/* If the listening program has stopped reading, the library would block: its thread is then abandoned until the
 * process ends. */
void tap_close(struct tap *tap)
{
    pthread_t closer;
    struct timespec until;
    if (!tap || pthread_create(&closer, NULL, destroy, tap) != 0)
        return;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_S;
    if (pthread_timedjoin_np(closer, NULL, &until) == 0)
        mem_free(tap);
}
