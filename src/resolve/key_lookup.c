/* SPDX-License-Identifier: MIT */
#include "resolve/key_lookup.h"

#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "lookup.h"
#include "resolve/resolver.h"

static void end(struct key_lookup *lookup, int status)
{
    lookup->status = status;
    lookup->done(lookup);
}

static int take(struct key_lookup *lookup, const struct answer *answer)
{
    if (answer->rcode != RCODE_NOERROR || answer->len > KEY_LOOKUP_MAX)
        return ERROR_UPSTREAM_ANSWER;
    lookup->message = mem_alloc(answer->len);
    if (!lookup->message)
        return -ENOMEM;
    memcpy(lookup->message, answer->wire, answer->len);
    lookup->len = answer->len;
    return 0;
}

static void answered(struct waiter *waiter, const struct answer *answer)
{
    struct key_lookup *lookup = container_of(waiter, struct key_lookup, waiter);
    char text[EDE_TEXT + 1];
    int code;
    end(lookup, answer ? take(lookup, answer) : lookup_explain(waiter->lookup, false, &code, text));
}

void key_lookup_begin(struct key_lookup *lookup, struct resolver *resolver)
{
    struct key key = {.type = TYPE_DNSKEY, .class = CLASS_IN, .flags = KEY_DO | KEY_CD, .name_len = 1};
    const struct groups *groups = resolver->groups;
    struct group *group = resolver->stopping ? NULL : groups_find(groups, groups_route(groups, 0, &key));
    if (!group) {
        end(lookup, ERROR_NO_SERVER);
        return;
    }
    key.group = group_id(group);
    lookup->waiter.done = answered;
    if (!lookup_join(resolver, group, &key, key_hash(&key), &lookup->waiter, NULL))
        end(lookup, ERROR_LIMIT);
}
