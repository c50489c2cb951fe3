/* SPDX-License-Identifier: MIT */
#include "fake_datagrams.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include "base/hash.h"

unsigned fake_descriptors;
static struct list sets;

static struct fake_udp *udp_of(const struct datagrams *datagrams)
{
    list_for_each(link, &sets) {
        struct fake_udp *udp = container_of(link, struct fake_udp, link);
        if (udp->datagrams == datagrams)
            return udp;
    }
    assert(!"sockets that were never opened, or are gone");
    return NULL;
}

static enum fake_dial dial_of(const struct addr *to)
{
    return fake.dial[ntohl(to->in.sin_addr.s_addr) & 0xf];
}

static unsigned open_sockets(void)
{
    unsigned count = 0;
    list_for_each(link, &sets) {
        const struct fake_udp *udp = container_of(link, struct fake_udp, link);
        count += udp->datagrams ? udp->datagrams->open : 0;
    }
    return count;
}

int datagrams_open(struct datagrams *datagrams, struct loop *loop, const struct datagrams_ops *ops,
                   const struct addr *to, const struct addr *source, const char *interface, uint32_t mark)
{
    (void)source, (void)interface, (void)mark;
    if (dial_of(to) == FAKE_FAILS_AT_ONCE)
        return -ENETUNREACH;
    *datagrams = (struct datagrams){.loop = loop, .ops = ops, .to = *to};
    for (unsigned i = 0; i < DATAGRAMS_SOCKETS; i++)
        datagrams->sockets[i] = -1;
    struct fake_udp *udp = calloc(1, sizeof *udp);
    assert(udp);
    udp->datagrams = datagrams;
    udp->to = *to;
    list_init(&udp->sent);
    list_push_back(&sets, &udp->link);
    int status = datagrams_open_socket(datagrams, random_below(DATAGRAMS_SOCKETS));
    if (status < 0)
        udp->datagrams = NULL;
    return status;
}

int datagrams_open_socket(struct datagrams *datagrams, unsigned socket)
{
    struct fake_udp *udp = udp_of(datagrams);
    if (fake_descriptors && open_sockets() >= fake_descriptors)
        return -EMFILE;
    datagrams_close_socket(datagrams, socket);
    datagrams->sockets[socket] = 1000 + (int)socket;
    datagrams->open++;
    udp->ports[socket] = (uint16_t)(1024 + random_below(64000));
    udp->ports_drawn++;
    return 0;
}

void datagrams_close_socket(struct datagrams *datagrams, unsigned socket)
{
    datagrams->open -= datagrams->sockets[socket] >= 0;
    datagrams->sockets[socket] = -1;
}

int datagrams_send(struct datagrams *datagrams, unsigned socket, const uint8_t *message, size_t len)
{
    struct fake_udp *udp = udp_of(datagrams);
    assert(datagrams_is_open(datagrams, socket));
    struct fake_datagram *datagram = calloc(1, sizeof *datagram);
    struct fake_frame *frame = malloc(sizeof *frame + len);
    assert(datagram && frame);
    *frame = (struct fake_frame){.len = len};
    memcpy(frame->data, message, len);
    *datagram =
        (struct fake_datagram){.socket = socket, .port = udp->ports[socket], .sent_ms = fake_now(), .frame = frame};
    list_push_back(&udp->sent, &datagram->link);
    udp->written++;
    if (dial_of(&udp->to) == FAKE_REFUSES) {
        udp->refused++;
        udp->refused_socket = socket;
    }
    return 0;
}

int datagrams_local(const struct datagrams *datagrams, unsigned socket, struct addr *out)
{
    (void)datagrams, (void)socket, (void)out;
    return -ENOTCONN;
}

void datagrams_close(struct datagrams *datagrams)
{
    datagrams->closing = true;
    for (unsigned i = 0; i < DATAGRAMS_SOCKETS; i++)
        datagrams_close_socket(datagrams, i);
}

struct fake_udp *fake_udp(unsigned n)
{
    struct list_link *link = list_first(&sets);
    while (link && n-- > 0)
        link = list_next(&sets, link);
    return link ? container_of(link, struct fake_udp, link) : NULL;
}

struct fake_datagram *fake_udp_take(struct fake_udp *udp)
{
    struct list_link *link = list_pop(&udp->sent);
    return link ? container_of(link, struct fake_datagram, link) : NULL;
}

void fake_datagram_free(struct fake_datagram *datagram)
{
    if (datagram)
        free(datagram->frame);
    free(datagram);
}

void fake_udp_deliver(struct fake_udp *udp, unsigned socket, const void *message, size_t len)
{
    if (!udp->datagrams || !datagrams_is_open(udp->datagrams, socket))
        return;
    uint8_t *copy = malloc(len ? len : 1);
    assert(copy);
    memcpy(copy, message, len);
    udp->datagrams->ops->received(udp->datagrams, socket, copy, len);
    free(copy);
}

void fake_udp_reply(struct fake_udp *udp, const struct fake_datagram *query, const struct fake_answer *answer)
{
    uint8_t message[2048];
    const struct fake_answer usual = FAKE_ANSWER;
    fake_udp_deliver(udp, query->socket, message, fake_build(message, query->frame, answer ? answer : &usual));
}

/* --- for fake_net --- */

void fake_datagrams_begin(void)
{
    list_init(&sets);
    fake_descriptors = 0;
}

bool fake_datagrams_step(void)
{
    bool any = false;
    list_for_each(link, &sets) {
        struct fake_udp *udp = container_of(link, struct fake_udp, link);
        struct datagrams *datagrams = udp->datagrams;
        if (!datagrams)
            continue;
        if (datagrams->closing) {
            udp->datagrams = NULL;
            datagrams->ops->closed(datagrams);
            any = true;
        } else if (udp->refused > 0) {
            udp->refused = 0;
            datagrams->ops->failed(datagrams, udp->refused_socket, -ECONNREFUSED);
            any = true;
        }
    }
    return any;
}

void fake_datagrams_end(void)
{
    struct list_link *link;
    while ((link = list_pop(&sets))) {
        struct fake_udp *udp = container_of(link, struct fake_udp, link);
        struct fake_datagram *datagram;
        assert(!udp->datagrams);
        while ((datagram = fake_udp_take(udp)))
            fake_datagram_free(datagram);
        free(udp);
    }
}
