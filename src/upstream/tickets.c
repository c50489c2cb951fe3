/* SPDX-License-Identifier: MIT */
#include "upstream/tickets.h"
#include "group.h"

void group_each_ticket(const struct group *group, void (*each)(void *context, const struct ticket *ticket),
                       void *context)
{
    for (size_t i = 0; i < group->server_count; i++)
        if (group->servers[i]->transport->each_ticket)
            group->servers[i]->transport->each_ticket(group->servers[i], each, context);
}

void group_drop_tickets(struct group *group)
{
    for (size_t i = 0; i < group->server_count; i++)
        if (group->servers[i]->transport->drop_tickets)
            group->servers[i]->transport->drop_tickets(group->servers[i]);
}

bool group_take_ticket(struct group *group, const struct ticket *ticket)
{
    for (size_t i = 0; i < group->server_count; i++) {
        struct server *server = group->servers[i];
        if (server->transport->take_ticket && server->transport->take_ticket(server, ticket))
            return true;
    }
    return false;
}
