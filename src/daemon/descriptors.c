/* SPDX-License-Identifier: MIT */
#include "descriptors.h"
#include <sys/resource.h>
#include "base/log.h"
#include "control/control.h"

enum { SESSIONS_AT_ONCE = 12, OWN = 16, OWN_OF_WORKER = 8, LEAST_CLIENTS = 4 };

static unsigned long raise_limit(void)
{
    struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur;
}

/* Sessions of one worker: the most that are open at once. */
static size_t count_sessions(const struct config *config)
{
    size_t servers = 0;
    for (size_t i = 0; i < config->upstream_count; i++)
        servers += config->upstreams[i].host ? CONFIG_HOST_ADDRESSES : config->upstreams[i].address_count;
    for (size_t t = 1; t < config->team_count; t++)
        for (size_t i = 0; i < config->teams[t].count; i++)
            servers +=
                config->teams[t].members[i].host ? CONFIG_HOST_ADDRESSES : config->teams[t].members[i].address_count;
    if (servers * config->tls.sessions > SESSIONS_AT_ONCE)
        servers = SESSIONS_AT_ONCE / config->tls.sessions + 1;
    return servers * config->tls.sessions;
}

unsigned descriptors_for_clients(const struct config *config, size_t listeners)
{
    unsigned long limit = raise_limit();
    unsigned long of_worker =
        OWN_OF_WORKER + 2 * listeners +
        count_sessions(config); /* each listening socket is open twice, the copy for the next process */
    unsigned long reserve = OWN + control_descriptors(config) + config->workers * of_worker;
    unsigned long left = limit > reserve ? (limit - reserve) / config->workers : 0;
    if (left < LEAST_CLIENTS)
        left = LEAST_CLIENTS;
    if (left >= config->limits.tcp_clients)
        return config->limits.tcp_clients;
    log_warning(
        "daemon",
        "at most %lu TCP clients per worker: the limit of open files is %lu; raise it (ulimit -n, LimitNOFILE=)", left,
        limit);
    return (unsigned)left;
}
