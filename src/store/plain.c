/* SPDX-License-Identifier: MIT */
/* Servers that do not know of each other: each has a share of the entries, by their names. */
#include <errno.h>
#include "fleet.h"
#include "topology.h"

static int begin(struct store *store, const struct store_setup *setup)
{
    for (size_t i = 0; i < setup->server_count; i++)
        if (!topology_add(store, setup, &setup->servers[i], &fleet_data_role,
                          store->leads ? &fleet_channel_role : NULL))
            return -ENOMEM;
    return 0;
}

static struct store_place *place_of(struct store *store, const uint8_t name[SEAL_NAME])
{
    return &store->places[store_setup_choose(store->setup, name)];
}

const struct topology topology_plain = {.begin = begin, .place_of = place_of, .serves = "server"};
