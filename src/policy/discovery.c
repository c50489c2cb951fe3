/* SPDX-License-Identifier: MIT */
/* Discovery of the encrypted listeners (RFC 9462): SVCB records of _dns.resolver.arpa.
 *
 * The snapshot has the name of the resolver and its services; addresses are hints: those that the configuration names,
 * else the address that the query was sent to. Other types and names in resolver.arpa are answered by the step of
 * special-use names. Without listen-tls and listen-https, without a name, and with a route for resolver.arpa the step
 * answers nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "dns/build.h"
#include "dns/codes.h"
#include "dns/svcb.h"
#include "local.h"
#include "net/tls_make.h"
#include "policy/steps.h"

enum { TTL = 300, SERVICES = 2, RDATA = 1024 };

static const uint8_t asked[] = "\4_dns\10resolver\4arpa";

struct service {
    struct svcb_service service;
    struct addr hints[2 * SVCB_HINTS];
    size_t hint_count;
    bool anywhere; /* a wildcard or an interface: the address that was asked is a hint */
};

struct discovery {
    uint8_t name[NAME_MAX_WIRE];
    size_t name_len;
    char path[256];
    struct service services[SERVICES];
    unsigned count;
};

/* --- the snapshot --- */

static void add_service(struct discovery *discovery, const char *alpn, const char *path, const struct addr *listen,
                        size_t count)
{
    struct service *service = &discovery->services[discovery->count];
    if (count == 0)
        return;
    discovery->count++;
    service->service = (struct svcb_service){alpn, addr_port(&listen[0]), path};
    for (size_t i = 0; i < count; i++) {
        if (addr_port(&listen[i]) != service->service.port)
            continue; /* a record has one port */
        if (addr_is_interface(&listen[i]) || addr_is_wildcard(&listen[i]))
            service->anywhere = true;
        else if (!addr_is_loopback(&listen[i]) && !addr_interface(&listen[i]) && service->hint_count < 2 * SVCB_HINTS)
            service->hints[service->hint_count++] = listen[i];
    }
}

/* The name in the configuration, else that of the certificate; false: there is none. */
static bool find_name(struct discovery *discovery, const struct config *config)
{
    struct tls_chain_facts facts = {.name = ""};
    const char *name = config->discovery_name;
    if (strcmp(name, "auto") == 0) {
        if (config->tls_server.certificate_count == 0 || tls_chain_read(&facts, config->tls_server.certificates[0]) < 0)
            return false;
        mem_free(facts.authority);
        name = facts.name;
    }
    int len = name[0] ? name_from_text(discovery->name, name) : -EINVAL;
    discovery->name_len = len > 0 ? (size_t)len : 0;
    return len > 1;
}

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    (void)errors;
    if (!config->discovery_name || config->listen_tls_count + config->listen_https_count == 0)
        return 0;
    struct discovery *discovery = mem_zalloc(1, sizeof *discovery);
    if (!discovery)
        return -ENOMEM;
    if (!find_name(discovery, config)) {
        mem_free(discovery);
        return 0;
    }
    snprintf(discovery->path, sizeof discovery->path, "%s", config->https_path);
    add_service(discovery, "dot", NULL, config->listen_tls, config->listen_tls_count);
    add_service(discovery, "h2", discovery->path, config->listen_https, config->listen_https_count);
    *snapshot = discovery;
    return 0;
}

static void files(const struct config *config, void (*tell)(void *context, const char *path), void *context)
{
    if (config->discovery_name && strcmp(config->discovery_name, "auto") == 0 &&
        config->tls_server.certificate_count > 0)
        tell(context, config->tls_server.certificates[0]);
}

/* --- the walk --- */

struct state {
    const struct discovery *discovery;
};

static void configure(void *state, const void *snapshot)
{
    ((struct state *)state)->discovery = snapshot;
}

static void put_service(struct build *build, const struct discovery *discovery, const struct service *service,
                        unsigned priority, const struct origin *origin)
{
    uint8_t rdata[RDATA];
    struct writer writer = writer_over(rdata, sizeof rdata);
    bool has_local = service->anywhere && service->hint_count == 0 && origin->local.sa.sa_family != AF_UNSPEC;
    writer_u16(&writer, (uint16_t)priority);
    writer_bytes(&writer, discovery->name, discovery->name_len);
    svcb_params(&writer, &service->service, has_local ? &origin->local : service->hints,
                has_local ? 1 : service->hint_count);
    if (!writer.failed)
        build_record(build, BUILD_ANSWER, NULL, TYPE_SVCB, TTL, rdata, writer_len(&writer));
}

static enum verdict run(struct query *query, void *state)
{
    const struct discovery *discovery = ((struct state *)state)->discovery;
    struct build build;
    if (query->key.name_len != sizeof asked || memcmp(query->key.name, asked, sizeof asked) != 0 ||
        query->key.type != TYPE_SVCB || query->key.class != CLASS_IN || query_has_route(query))
        return NEXT;
    build_begin(&build, query->resolver->big, RESOLVER_BIG, &query->key);
    for (unsigned i = 0; i < discovery->count; i++)
        put_service(&build, discovery, &discovery->services[i], i + 1, &query->origin);
    counter_add(query->resolver->counters, COUNTER_discovery_responses, 1);
    return local_send(query, build_end(&build, RCODE_NOERROR));
}

const struct step step_discovery = {
    .name = "discovery",
    .prepare = prepare,
    .release = mem_free,
    .files = files,
    .state_size = sizeof(struct state),
    .configure = configure,
    .run = run,
};
