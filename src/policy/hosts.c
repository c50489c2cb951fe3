/* SPDX-License-Identifier: MIT */
/* Names of hosts files, of leases of DHCP servers, and of hosts.entries.
 *
 * Types other than the addresses of such a name have no data, except DS, which belongs to the zone above. The TTL is 0, so
 * that no cache between dotstub and the client hides a change. Loopback addresses, as Debian's 127.0.1.1 for the
 * machine's own name, are for clients on this machine: to others they would mean themselves.
 */
#include "hosts.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "hosts_read.h"
#include "local.h"
#include "policy/steps.h"

#define TTL 0

struct hosts {
    uint64_t shapes;
    const struct hosts_table *table; /* NULL only while the step is left out */
};

/* --- preparing --- */

static int read_entries(struct hosts_reading *reading, const struct config *config)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < config->hosts.entry_count; i++) {
        const struct config_host *entry = &config->hosts.entries[i];
        uint8_t name[NAME_MAX_WIRE];
        int len = name_from_text(name, entry->name);
        for (size_t a = 0; len > 0 && status == 0 && a < entry->address_count; a++) {
            const struct addr *addr = &entry->addresses[a];
            bool v4 = addr->sa.sa_family == AF_INET;
            struct hosts_address address = {.len = v4 ? 4 : 16};
            memcpy(address.bytes, v4 ? (const void *)&addr->in.sin_addr : (const void *)&addr->in6.sin6_addr,
                   address.len);
            status = hosts_reading_add(reading, name, (size_t)len, &address, true);
        }
    }
    return status;
}

static int read_all(struct hosts_reading *reading, const struct config *config)
{
    int64_t now = time(NULL);
    int status = read_entries(reading, config);
    for (size_t i = 0; status == 0 && i < config->hosts.file_count; i++)
        status = hosts_read_path(reading, config->hosts.files[i]);
    for (size_t i = 0; status == 0 && i < config->hosts.lease_count; i++)
        status = hosts_read_leases(reading, config->hosts.leases[i].file, config->hosts.leases[i].domain, now);
    return status < 0 ? status : hosts_table_finish(&reading->table);
}

/* Files that are read often say the same each time. */
static void tell_bad_lines(const struct hosts_reading *reading)
{
    static _Atomic size_t told_bad;
    static _Atomic uint64_t told;
    uint64_t state = 0;
    for (unsigned i = 0; i < HOSTS_WARNINGS && reading->warning[i]; i++)
        state ^= hash_bytes(reading->warning[i], strlen(reading->warning[i])) + i;
    bool known = atomic_exchange(&told, state) == state;
    known &= atomic_exchange(&told_bad, reading->bad) == reading->bad;
    if (known)
        return;
    for (unsigned i = 0; i < HOSTS_WARNINGS && reading->warning[i]; i++)
        log_warning("config", "hosts: %s", reading->warning[i]);
    if (reading->bad > HOSTS_WARNINGS)
        log_warning("config", "hosts: %zu more lines like these are ignored", reading->bad - HOSTS_WARNINGS);
}

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    struct hosts_reading reading;
    if (config->hosts.file_count + config->hosts.lease_count + config->hosts.entry_count == 0)
        return 0;
    int status = hosts_reading_init(&reading);
    if (status < 0)
        return status;
    struct hosts_table *table = mem_alloc(sizeof *table);
    status = table ? read_all(&reading, config) : -ENOMEM;
    tell_bad_lines(&reading);
    if (status == 0) {
        *table = reading.table;
        reading.table = (struct hosts_table){.block = NULL};
        *snapshot = table;
    } else {
        mem_free(table);
    }
    bool incomplete = reading.incomplete;
    hosts_reading_fini(&reading);
    if (status < 0 || !incomplete)
        return status;
    fputs("hosts: not all files could be read\n", errors);
    return STEP_INCOMPLETE;
}

static void release(void *snapshot)
{
    hosts_table_fini(snapshot);
    mem_free(snapshot);
}

static void files(const struct config *config, void (*tell)(void *context, const char *path), void *context)
{
    for (size_t i = 0; i < config->hosts.file_count; i++)
        tell(context, config->hosts.files[i]);
    for (size_t i = 0; i < config->hosts.lease_count; i++)
        hosts_lease_files(config->hosts.leases[i].file, tell, context);
}

static bool wanted(const void *snapshot)
{
    const struct hosts_table *table = snapshot;
    return table && table->names.count > 0;
}

/* --- answers --- */

static bool is_loopback(const struct hosts_address *address)
{
    static const uint8_t v6[16] = {[15] = 1};
    return address->len == 4 ? address->bytes[0] == 127 : memcmp(address->bytes, v6, sizeof v6) == 0;
}

static bool is_for(const struct query *query, const struct hosts_address *address)
{
    return (address->expires == 0 || (int64_t)address->expires > time(NULL)) &&
           (!is_loopback(address) || addr_is_loopback(&query->origin.client));
}

static bool has_name(const struct hosts_table *table, const struct query *query, const uint8_t *name, size_t len)
{
    struct hosts_address address;
    for (uint32_t at = hosts_table_find(table, name, len); at != 0;) {
        at = hosts_table_next(table, at, &address);
        if (is_for(query, &address))
            return true;
    }
    return false;
}

static void add_addresses(const struct hosts_table *table, const struct query *query, const uint8_t *name, size_t len,
                          uint16_t type, struct build *build, const uint8_t *owner)
{
    struct hosts_address address;
    for (uint32_t at = hosts_table_find(table, name, len); at != 0;) {
        at = hosts_table_next(table, at, &address);
        uint16_t of = address.len == 4 ? TYPE_A : TYPE_AAAA;
        if ((type == of || type == TYPE_ANY) && is_for(query, &address))
            build_record(build, BUILD_ANSWER, owner, of, TTL, address.bytes, address.len);
    }
}

static const struct hosts_table *table_of(const struct query *query)
{
    const struct hosts *hosts = resolver_step_state(query->resolver, &step_hosts);
    return hosts ? hosts->table : NULL;
}

bool hosts_has(const struct query *query, const uint8_t *name, size_t len)
{
    const struct hosts_table *table = table_of(query);
    return table && has_name(table, query, name, len);
}

void hosts_add(const struct query *query, const uint8_t *name, size_t len, uint16_t type, struct build *build,
               const uint8_t *owner)
{
    const struct hosts_table *table = table_of(query);
    if (table)
        add_addresses(table, query, name, len, type, build, owner);
}

/* The name of the address that the query asks for; NULL: none. */
static const uint8_t *reverse_of(const struct hosts_table *table, const struct query *query)
{
    struct hosts_address address;
    if (!hosts_reverse_address(&address, query->key.name, query->key.name_len))
        return NULL;
    const uint8_t *name = hosts_table_name(table, &address);
    return name && is_for(query, &address) ? name : NULL;
}

static enum verdict answer(struct query *query, const struct hosts_table *table, const uint8_t *reverse)
{
    const struct key *key = &query->key;
    struct build build;
    build_begin(&build, query->resolver->big, RESOLVER_BIG, key);
    if (!reverse)
        add_addresses(table, query, key->name, key->name_len, key->type, &build, NULL);
    else if (key->type == TYPE_PTR || key->type == TYPE_ANY)
        build_record(&build, BUILD_ANSWER, NULL, TYPE_PTR, TTL, reverse,
                     name_len((struct bytes){reverse, NAME_MAX_WIRE}));
    if (build.count[BUILD_ANSWER] == 0)
        build_soa(&build, BUILD_AUTHORITY, key->name, TTL);
    counter_add(query->resolver->counters, COUNTER_hosts_answered, 1);
    return local_send(query, build_end(&build, RCODE_NOERROR));
}

/* --- the step --- */

static void configure(void *state, const void *snapshot)
{
    struct hosts *hosts = state;
    hosts->table = snapshot;
    hosts->shapes = hosts->table ? hosts->table->shapes : 0;
}

static __attribute__((noinline)) enum verdict look(struct query *query, const struct hosts_table *table)
{
    const struct key *key = &query->key;
    if (!hosts_table_may_hold(table, key->name, key->name_len))
        return NEXT;
    if (key->class != CLASS_IN || key->type == TYPE_DS)
        return NEXT;
    if (has_name(table, query, key->name, key->name_len))
        return answer(query, table, NULL);
    const uint8_t *reverse = reverse_of(table, query);
    return reverse ? answer(query, table, reverse) : NEXT;
}

static enum verdict run(struct query *query, void *state)
{
    const struct hosts *hosts = state;
    if (!(hosts->shapes >> hosts_shape(query->key.name, query->key.name_len) & 1))
        return NEXT;
    return look(query, hosts->table);
}

const struct step step_hosts = {
    .name = "hosts",
    .prepare = prepare,
    .release = release,
    .files = files,
    .wanted = wanted,
    .state_size = sizeof(struct hosts),
    .configure = configure,
    .run = run,
};
