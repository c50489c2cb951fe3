/* SPDX-License-Identifier: MIT */
#include "upstream/tickets.h"
#include <string.h>
#include "group.h"

static void identify(const struct server *server, uint8_t out[DIGEST_LEN])
{
    char all[ADDR_TEXT + DIGEST_LEN] = "";
    addr_format(&server->addr, true, all);
    tls_trust_identity(server->trust, (uint8_t *)all + ADDR_TEXT);
    digest_bytes(out, all, sizeof all);
}

static void each_of_server(const struct server *server, void (*each)(void *context, const struct ticket *ticket),
                           void *context)
{
    struct ticket ticket;
    identify(server, ticket.server);
    for (unsigned i = 0; i < server->tickets.count; i++) {
        if (!server->tickets.item[i].tls13)
            continue;
        ticket.data = (struct bytes){server->tickets.item[i].data, server->tickets.item[i].len};
        ticket.expires_ms = server->tickets.item[i].expires_ms;
        each(context, &ticket);
    }
}

void group_each_ticket(const struct group *group, void (*each)(void *context, const struct ticket *ticket),
                       void *context)
{
    for (size_t i = 0; i < group->server_count; i++)
        each_of_server(group->servers[i], each, context);
}

void group_drop_tickets(struct group *group)
{
    for (size_t i = 0; i < group->server_count; i++)
        tls_tickets_clear(&group->servers[i]->tickets);
}

bool group_take_ticket(struct group *group, const struct ticket *ticket)
{
    uint8_t identity[DIGEST_LEN];
    for (size_t i = 0; i < group->server_count; i++) {
        struct server *server = group->servers[i];
        identify(server, identity);
        if (memcmp(identity, ticket->server, DIGEST_LEN) != 0)
            continue;
        tls_tickets_put(&server->tickets, ticket->data.data, ticket->data.len, ticket->expires_ms, true);
        return true;
    }
    return false;
}
