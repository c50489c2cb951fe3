/* SPDX-License-Identifier: MIT */
#include "descriptors.h"
#include <sys/resource.h>
#include "base/log.h"
#include "control/control.h"
#include "net/datagrams.h"

enum { SESSIONS_AT_ONCE = 12, OWN = 16, OWN_OF_WORKER = 8, LEAST_CLIENTS = 4 };
/* Plain servers in use at a time: their sockets close when they are idle. Each has a handle for all sockets, and a TCP
 * connection. */
enum { PLAIN_AT_ONCE = 4, OWN_OF_PLAIN = 2 };

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

/* Sockets of one worker to plain servers, over UDP. With fewer descriptors it uses fewer. */
static size_t count_datagrams(const struct config *config)
{
    size_t servers = 0;
    for (size_t i = 0; i < config->forward_count; i++)
        servers += config->forward[i].tcp_only ? 0 : config->forward[i].to_count;
    if (servers > PLAIN_AT_ONCE)
        servers = PLAIN_AT_ONCE;
    return servers * (DATAGRAMS_SOCKETS + OWN_OF_PLAIN);
}

unsigned descriptors_for_clients(const struct config *config, size_t listeners)
{
    unsigned long limit = raise_limit();
    unsigned long of_worker =
        OWN_OF_WORKER + 2 * listeners + count_sessions(config) +
        count_datagrams(config); /* each listening socket is open twice, the copy for the next process */
    unsigned long reserve = OWN + control_descriptors(config) + config->workers * of_worker;
    unsigned long left = limit > reserve ? (limit - reserve) / config->workers : 0;
    if (left < LEAST_CLIENTS) {
        log_warning(
            "daemon",
            "the limit of open files is %lu, and %u worker%s may need %lu: sessions, TCP clients and the control "
            "socket may fail; raise it (ulimit -n, LimitNOFILE=)%s",
            limit, config->workers, config->workers == 1 ? "" : "s", reserve + LEAST_CLIENTS * config->workers,
            config->workers == 1 ? "" : ", or lower `workers`");
        return config->limits.tcp_clients < LEAST_CLIENTS ? config->limits.tcp_clients : LEAST_CLIENTS;
    }
    if (left >= config->limits.tcp_clients)
        return config->limits.tcp_clients;
    log_warning(
        "daemon",
        "at most %lu TCP clients per worker: the limit of open files is %lu; raise it (ulimit -n, LimitNOFILE=)", left,
        limit);
    return (unsigned)left;
}
