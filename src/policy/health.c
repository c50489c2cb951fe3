/* SPDX-License-Identifier: MIT */
/* A name for health checks over DNS.
 *
 * The worker answers by itself, so that a check tests this process and not the upstreams: with a loopback address,
 * or with no data.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "local.h"
#include "policy/steps.h"

/* The snapshot: health.name in lower case. */
struct health_name {
    uint8_t len;
    uint8_t wire[NAME_MAX_WIRE];
};

struct health {
    const struct health_name *name; /* NULL only while the step is not active */
    bool draining;
};

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    (void)errors;
    if (!config->health_name)
        return 0;
    struct health_name *name = mem_alloc(sizeof *name);
    if (!name)
        return -ENOMEM;
    int len = name_from_text(name->wire, config->health_name);
    assert(len > 0); /* the option takes host names only */
    name->len = (uint8_t)len;
    *snapshot = name;
    return 0;
}

static void configure(void *state, const void *snapshot)
{
    struct health *health = state;
    health->name = snapshot;
}

void health_drain(struct resolver *resolver)
{
    struct health *health = resolver_step_state(resolver, &step_health);
    health->draining = true;
}

static enum verdict answer(struct query *query)
{
    struct record_text record = {.type = query->key.type == TYPE_A ? "A" : "AAAA"};
    record.rdata = query->key.type == TYPE_A ? "127.0.0.1" : "::1";
    return local_answer(query, RCODE_NOERROR, &record, query->key.type == TYPE_A || query->key.type == TYPE_AAAA, NULL,
                        0);
}

static enum verdict run(struct query *query, void *state)
{
    const struct health *health = state;
    const struct health_name *name = health->name;
    if (query->key.name_len != name->len || memcmp(query->key.name, name->wire, name->len) != 0)
        return NEXT;
    return health->draining ? query_error(query, RCODE_REFUSED, EDE_OTHER, "draining") : answer(query);
}

const struct step step_health = {
    .name = "health",
    .prepare = prepare,
    .release = mem_free,
    .state_size = sizeof(struct health),
    .configure = configure,
    .run = run,
};
