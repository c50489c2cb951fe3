/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "base/mem.h"
#include "clients.h"
#include "listen/listeners.h"
#include "listener.h"
#include "resolve/resolver.h"

const struct listener_kind *const listener_kinds[] = {&listener_kind_udp,   &listener_kind_tcp,  &listener_kind_tls,
                                                      &listener_kind_https, &listener_kind_http, NULL};

struct listener_addresses listener_addresses_plain(const struct config *config)
{
    return (struct listener_addresses){config->listen, config->listen_count, config->listen_is_default};
}

bool listener_wants_interface(const struct config *config)
{
    for (size_t i = 0; i < config->view_count; i++)
        if (config->views[i].interface)
            return true;
    return false;
}

int listeners_new(struct listeners **out, struct resolver *resolver, unsigned client_limit)
{
    struct listeners *listeners = mem_zalloc(1, sizeof *listeners);
    if (!listeners)
        return -ENOMEM;
    listeners->resolver = resolver;
    list_init(&listeners->all);
    int status = clients_new(&listeners->clients, listeners, client_limit);
    if (status < 0) {
        mem_free(listeners);
        return status;
    }
    tls_handshakes_init(&listeners->tls, resolver->loop);
    *out = listeners;
    return 0;
}

int listeners_open(struct listeners *listeners, const struct listener_spec *spec, int fd)
{
    struct listener *listener;
    int status = spec->kind->open(&listener, listeners, fd, &spec->addr);
    if (status < 0)
        return status;
    listener->kind = spec->kind;
    listener->addr = spec->addr;
    list_push_back(&listeners->all, &listener->link);
    return 0;
}

void listeners_identify(struct listeners *listeners, struct tls_identity *identity)
{
    tls_handshakes_use(&listeners->tls, identity);
}

void listeners_configure(struct listeners *listeners, unsigned client_limit)
{
    clients_configure(listeners->clients, client_limit);
    list_for_each(link, &listeners->all) {
        struct listener *listener = container_of(link, struct listener, link);
        if (listener->kind->configure)
            listener->kind->configure(listener);
    }
}

void listeners_serve(const struct listeners *listeners)
{
    list_for_each(link, &listeners->all) {
        struct listener *listener = container_of(link, struct listener, link);
        if (listener->kind->serve)
            listener->kind->serve(listener);
    }
}

/* Queries that came from it would be answered through its memory. */
void listeners_close_one(struct listeners *listeners, const struct listener_spec *spec)
{
    list_for_each(link, &listeners->all) {
        struct listener *listener = container_of(link, struct listener, link);
        if (listener->kind != spec->kind || !addr_equal(&listener->addr, &spec->addr))
            continue;
        list_remove(&listener->link);
        listener->kind->stop(listener);
        resolver_drop_queries(listeners->resolver, listener);
        listener->kind->close(listener);
        return;
    }
}

void listeners_stop(struct listeners *listeners)
{
    list_for_each(link, &listeners->all) {
        struct listener *listener = container_of(link, struct listener, link);
        listener->kind->stop(listener);
    }
}

void listeners_drain(struct listeners *listeners)
{
    list_for_each(link, &listeners->all) {
        struct listener *listener = container_of(link, struct listener, link);
        if (listener->kind->drain)
            listener->kind->drain(listener);
    }
}

void listeners_close(struct listeners *listeners)
{
    struct list_link *link;
    while ((link = list_pop(&listeners->all))) {
        struct listener *listener = container_of(link, struct listener, link);
        listener->kind->close(listener);
    }
    tls_handshakes_close(&listeners->tls);
}

unsigned listeners_clients(const struct listeners *listeners)
{
    return clients_count(listeners->clients);
}

void listeners_free(struct listeners *listeners)
{
    if (!listeners)
        return;
    tls_handshakes_use(&listeners->tls, NULL);
    clients_free(listeners->clients);
    mem_free(listeners);
}
