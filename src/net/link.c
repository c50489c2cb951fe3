/* SPDX-License-Identifier: MIT */
/* The machine's network: notices changes, and looks up routes.
 *
 * Invariants:
 * - The arrival of a netlink message is the event; its content is not read. So nothing is lost if the kernel drops
 *   one (ENOBUFS).
 * - From the first event of a burst until LINK_SETTLE_MS later the handle does not poll: a burst of any size wakes
 *   the loop twice. The handle polls again before `changed` runs, so a change during that call begins the next
 *   burst.
 * - The kernel looks up a route for packets with the source address, interface and mark of a session, so routing
 *   rules and tables apply as they do to the packets.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/log.h"
#include "net/link.h"

/* --- changes --- */

/* Groups without an old RTMGRP_ name. Link events are needed because IPv4 routes disappear with their link without
 * a message. */
#define GROUP_IPV6_RULE (1u << (RTNLGRP_IPV6_RULE - 1))
#define GROUPS                                                                                                         \
    (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE | RTMGRP_IPV6_IFADDR |                    \
     RTMGRP_IPV6_ROUTE | GROUP_IPV6_RULE)

/* The most messages discarded at a time; the next burst discards the others. */
#define DRAIN_MOST 2000

static void link_on_event(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    (void)status; /* an overflow of the buffer is an event as well */
    (void)events;
    uv_poll_stop(poll);
    timeout_start(&link->settling, &link->settle);
}

static void throw_away_messages(int fd)
{
    char first;
    for (unsigned i = 0; i < DRAIN_MOST; i++) {
        if (recv(fd, &first, sizeof(first), MSG_DONTWAIT) < 0 && errno != ENOBUFS && errno != EINTR)
            return;
    }
}

static void link_on_settled(struct timeout *timeout)
{
    struct link *link = container_of(timeout, struct link, settle);
    throw_away_messages(link->fd);
    uv_poll_start(&link->poll, UV_READABLE, link_on_event);
    link->changed(link);
}

static int netlink_socket(uint32_t groups)
{
    struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

void link_open(struct link *link, struct loop *loop, void (*changed)(struct link *))
{
    *link = (struct link){.fd = netlink_socket(GROUPS), .changed = changed};
    int status = link->fd;
    if (status < 0)
        goto fail;
    status = uv_poll_init(&loop->uv, &link->poll, link->fd);
    if (status < 0)
        goto fail;
    link->poll.data = link;
    timeouts_init(&link->settling, loop, LINK_SETTLE_MS, link_on_settled);
    uv_poll_start(&link->poll, UV_READABLE, link_on_event);
    return;
fail:
    log_debug("link", "cannot monitor network changes: %s", error_text(status));
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

void link_close(struct link *link)
{
    if (link->fd < 0)
        return;
    timeouts_fini(&link->settling);
    uv_close((uv_handle_t *)&link->poll, NULL); /* the descriptor may be closed now */
    close(link->fd);
    link->fd = -1;
}

/* --- routes --- */

struct route_request {
    struct nlmsghdr head;
    struct rtmsg route;
    uint8_t attributes[64]; /* a destination, a source, an interface, a mark */
};

struct reply {
    union {
        struct nlmsghdr head;
        uint8_t bytes[2048];
    };
    size_t len;
};

static void question_add(struct route_request *question, unsigned short type, const void *data, size_t len)
{
    struct rtattr *attribute = (void *)((char *)question + NLMSG_ALIGN(question->head.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(len);
    memcpy(RTA_DATA(attribute), data, len);
    question->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(question->head.nlmsg_len) + RTA_SPACE(len));
}

static void question_add_addr(struct route_request *question, unsigned short type, const struct addr *addr)
{
    if (addr->sa.sa_family == AF_INET)
        question_add(question, type, &addr->in.sin_addr, sizeof(addr->in.sin_addr));
    else
        question_add(question, type, &addr->in6.sin6_addr, sizeof(addr->in6.sin6_addr));
}

/* `interface`: its index, 0 for any. For IPv6 the kernel ignores the interface of a lookup that has a source. */
static void question_make(struct route_request *question, const struct addr *from, const struct addr *to,
                          unsigned interface, uint32_t mark)
{
    unsigned char bits = to->sa.sa_family == AF_INET ? 32 : 128;
    *question = (struct route_request){
        .head = {.nlmsg_len = NLMSG_LENGTH(sizeof(question->route)),
                 .nlmsg_type = RTM_GETROUTE,
                 .nlmsg_flags = NLM_F_REQUEST},
        .route = {.rtm_family = (unsigned char)to->sa.sa_family, .rtm_dst_len = bits},
    };
    question_add_addr(question, RTA_DST, to);
    if (from && !(interface && to->sa.sa_family == AF_INET6)) {
        question->route.rtm_src_len = bits;
        question_add_addr(question, RTA_SRC, from);
    }
    if (!interface && to->sa.sa_family == AF_INET6)
        interface = to->in6.sin6_scope_id;
    if (interface)
        question_add(question, RTA_OIF, &interface, sizeof(interface));
    if (mark)
        question_add(question, RTA_MARK, &mark, sizeof(mark));
}

/* Sends a request; the reply is available at once. 0 or a negative errno. */
static int exchange(const struct route_request *question, struct reply *reply)
{
    ssize_t len = -1;
    int fd = netlink_socket(0);
    if (fd < 0)
        return fd;
    if (send(fd, question, question->head.nlmsg_len, 0) >= 0)
        len = recv(fd, reply->bytes, sizeof(reply->bytes), 0);
    int status = len < 0 ? -errno : 0;
    close(fd);
    if (status == 0)
        reply->len = (size_t)len;
    return status;
}

static void copy_gateway(struct link_route *route, const struct rtattr *attribute)
{
    size_t len = RTA_PAYLOAD(attribute);
    memcpy(route->gateway, RTA_DATA(attribute), len < sizeof(route->gateway) ? len : sizeof(route->gateway));
}

/* The caller has checked that the message is within the reply. An IPv4 peer behind an IPv6 gateway has RTA_VIA. */
static void read_way(struct link_route *route, struct nlmsghdr *head)
{
    struct rtmsg *message = NLMSG_DATA(head);
    size_t left = RTM_PAYLOAD(head);
    *route = (struct link_route){.reach = LINK_WAY};
    for (struct rtattr *at = RTM_RTA(message); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
        if (at->rta_type == RTA_OIF && RTA_PAYLOAD(at) == sizeof(route->interface))
            memcpy(&route->interface, RTA_DATA(at), sizeof(route->interface));
        else if (at->rta_type == RTA_GATEWAY || at->rta_type == RTA_VIA)
            copy_gateway(route, at);
    }
}

/* True if the kernel's error means that there is no route; other errors mean that the lookup failed. */
static bool is_verdict(int error)
{
    return error != -ENOMEM && error != -ENOBUFS && error != -EPERM && error != -EOPNOTSUPP;
}

/* `type` (RTN_UNICAST, RTN_LOCAL, ...) is set for LINK_WAY only. */
static void look_up(struct link_route *out, unsigned char *type, const struct link_flow *flow)
{
    struct route_request question;
    struct reply reply;
    struct addr peer;
    unsigned interface = flow->interface ? if_nametoindex(flow->interface) : 0;
    *out = (struct link_route){.reach = LINK_NO_WAY};
    if (addr_resolve(&peer, flow->peer) < 0 || (flow->interface && !interface))
        return;
    question_make(&question, flow->local, &peer, interface, flow->mark);
    *out = (struct link_route){.reach = LINK_UNKNOWN};
    if (exchange(&question, &reply) < 0)
        return;
    struct nlmsghdr *head = &reply.head;
    if (!NLMSG_OK(head, reply.len))
        return;
    if (head->nlmsg_type == NLMSG_ERROR && head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
        if (is_verdict(((struct nlmsgerr *)NLMSG_DATA(head))->error))
            out->reach = LINK_NO_WAY;
    } else if (head->nlmsg_type == RTM_NEWROUTE && head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg))) {
        *type = ((struct rtmsg *)NLMSG_DATA(head))->rtm_type;
        read_way(out, head);
    }
}

/* Looks into the local table, because for IPv6 a lookup from an address that is gone still succeeds. */
static enum link_reach look_for_own(const struct addr *local, const char *interface)
{
    struct link_route route;
    unsigned char type = RTN_UNSPEC;
    look_up(&route, &type, &(struct link_flow){.peer = local, .interface = interface});
    if (route.reach == LINK_WAY && type != RTN_LOCAL)
        return LINK_NO_WAY;
    return route.reach;
}

void link_find_route(struct link_route *out, const struct link_flow *flow)
{
    unsigned char type;
    enum link_reach own = flow->local ? look_for_own(flow->local, NULL) : LINK_WAY;
    if (own == LINK_NO_WAY && flow->interface) /* a VRF has a local table of its own */
        own = look_for_own(flow->local, flow->interface);
    if (own == LINK_WAY)
        look_up(out, &type, flow);
    else
        *out = (struct link_route){.reach = own};
}

bool link_route_changed(const struct link_route *before, const struct link_route *now)
{
    if (now->reach == LINK_UNKNOWN || (before->reach == LINK_UNKNOWN && now->reach == LINK_WAY))
        return false;
    return before->reach != now->reach || before->interface != now->interface ||
           memcmp(before->gateway, now->gateway, sizeof(now->gateway)) != 0;
}
