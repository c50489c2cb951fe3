/* SPDX-License-Identifier: MIT */
/* Upstreams with a host: the daemon's status has their addresses. */
#include <string.h>
#include "doctor.h"
#include "table.h"

static const json_t *find_host(const struct doctor *doctor, const struct config_upstream *upstream)
{
    const json_t *hosts = json_object_get(doctor->status, "hosts");
    size_t i;
    json_t *host;
    json_array_foreach(hosts, i, host)
    {
        const char *name = json_string_value(json_object_get(host, "upstream"));
        if (name && strcmp(name, upstream->name) == 0)
            return host;
    }
    return NULL;
}

static void tell(struct doctor *doctor, const struct config_upstream *upstream, const json_t *host, size_t count)
{
    const json_t *error = json_object_get(host, "last_error");
    const char *remedy = count == 0 ? "check `bootstrap` of the upstream, and whether that server is reached" : NULL;
    char reason[TABLE_CELL];
    if (!doctor->status)
        doctor_note(doctor, "host", "start dotstub", "%s: only a running dotstub knows the addresses of %s",
                    upstream->name, upstream->host);
    else if (json_is_string(error))
        doctor_say(doctor, "host", remedy, "%s: cannot look up %s: %s; %s", upstream->name, upstream->host,
                   table_text(error, reason),
                   count > 0 ? "its latest addresses are in use" : "none of its addresses is known");
    else
        doctor_say(doctor, "host", remedy, "%s: %zu address%s of %s %s known", upstream->name, count,
                   count == 1 ? "" : "es", upstream->host, count == 1 ? "is" : "are");
}

size_t doctor_find_host(struct doctor *doctor, const struct config_upstream *upstream,
                        struct addr out[CONFIG_HOST_ADDRESSES])
{
    const json_t *host = find_host(doctor, upstream), *addresses = json_object_get(host, "addresses");
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(addresses) && count < CONFIG_HOST_ADDRESSES; i++) {
        const char *text = json_string_value(json_array_get(addresses, i));
        if (text && addr_parse(&out[count], text, upstream->port) == 0)
            count++;
    }
    tell(doctor, upstream, host, count);
    return count;
}
