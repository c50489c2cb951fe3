/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/io.h"
#include "base/mem.h"

enum { FILE_MOST = 4096, PASSWORD_MOST = 512 };

/* --- files --- */

static int read_small(const char *path, uint8_t out[FILE_MOST], size_t *len, const char *key, FILE *errors)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t got = fd < 0 ? -errno : read_to_end(fd, out, FILE_MOST);
    if (fd >= 0)
        close(fd);
    if (got < 0)
        fprintf(errors, "%s: cannot read %s: %s; it must be readable for the user of dotstub\n", key, path,
                error_text((int)got));
    else
        *len = (size_t)got;
    return got < 0 ? (int)got : 0;
}

static int read_fleet_keys(struct store_setup *setup, const struct config *config, FILE *errors)
{
    uint8_t text[FILE_MOST];
    const char *path = config->store.fleet_key_file, *why = "cannot be used";
    size_t len = 0;
    if (!path) {
        fputs("store.fleet-key-file: the store needs a fleet key; name a file with one\n", errors);
        return -EINVAL;
    }
    int status = read_small(path, text, &len, "store.fleet-key-file", errors);
    if (status < 0)
        return status;
    status = seal_keys_parse(&setup->keys, (struct bytes){text, len}, &why);
    if (status < 0)
        fprintf(errors, "store.fleet-key-file: %s %s\n", path, why);
    explicit_bzero(text, sizeof text);
    return status;
}

static int read_password(struct store_login *login, const char *user, const char *path, const char *key, FILE *errors)
{
    uint8_t text[FILE_MOST];
    size_t len = 0;
    if (user)
        snprintf(login->user, sizeof login->user, "%s", user);
    if (!path)
        return 0;
    int status = read_small(path, text, &len, key, errors);
    if (status < 0)
        return status;
    const uint8_t *end = memchr(text, '\n', len);
    len = end ? (size_t)(end - text) : len;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (len == 0 || len > PASSWORD_MOST) {
        fprintf(errors, "%s: the first line of %s must have 1 to %d bytes\n", key, path, PASSWORD_MOST);
        return -EINVAL;
    }
    status = buffer_append(&login->password, text, len);
    explicit_bzero(text, sizeof text);
    return status;
}

/* --- servers --- */

static const char *name_for(const struct store_setup *setup, const char *name)
{
    return setup->tls_name[0] ? setup->tls_name : name;
}

static const char *ca_file_of(const struct config *config)
{
    return config->store.ca_file ? config->store.ca_file : config->tls.ca_file;
}

static int load_trust(struct tls_trust **out, const struct store_setup *setup, const struct config *config,
                      const char *name, FILE *errors)
{
    const struct tls_trust_options options = {
        .ca_file = ca_file_of(config),
        .tls_name = name_for(setup, name),
        .min_version = config->tls.min_version,
        .ca_may_be_missing = true,
    };
    int status = tls_trust_new(out, &options);
    if (status < 0)
        fprintf(errors, "store.servers: cannot use TLS with the certificates of %s: %s; see store.ca-file\n",
                options.ca_file, error_text(status));
    return status;
}

static uint64_t id_of(const char *text)
{
    uint8_t digest[DIGEST_LEN];
    digest_bytes(digest, text, strlen(text));
    return (uint64_t)read_u32(digest) << 32 | read_u32(digest + 4);
}

static int add_server(struct store_setup *setup, const struct config *config, const char *text, FILE *errors)
{
    struct store_server *server = &setup->servers[setup->server_count];
    int status = config_store_server(&server->where, text);
    if (status < 0) {
        fprintf(errors, "store.servers: %s is not a server\n", text);
        return status;
    }
    snprintf(server->text, sizeof server->text, "%s", text);
    server->id = id_of(server->text);
    setup->server_count++;
    return config_store_needs_tls(&server->where)
               ? load_trust(&server->trust, setup, config, server->where.name, errors)
               : 0;
}

void store_server_clear(struct store_server *server)
{
    tls_trust_unref(server->trust);
    server->trust = NULL;
}

static bool allows_port(const struct store_setup *setup, uint64_t port)
{
    for (unsigned i = 0; i < setup->port_ranges; i++)
        if (port >= setup->ports[i].low && port <= setup->ports[i].high)
            return true;
    for (size_t i = 0; i < setup->server_count; i++)
        if (setup->servers[i].where.at != STORE_AT_PATH && setup->servers[i].where.port == port)
            return true;
    return false;
}

/* Not "%": names of interfaces stay in memory. Not "/": the path of a socket. */
static bool is_host_text(const char *host, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!(host[i] >= '0' && host[i] <= '9') && !((host[i] | 0x20) >= 'a' && (host[i] | 0x20) <= 'z') &&
            host[i] != '.' && host[i] != ':' && host[i] != '-')
            return false;
    return len > 0 && len < sizeof((struct config_store_server *)0)->name;
}

bool store_host_needs_tls(const char *host, size_t len)
{
    struct config_store_server server;
    char text[sizeof server.name + 2];
    snprintf(text, sizeof text, "%.*s@1", (int)len, host);
    return is_host_text(host, len) && config_store_server(&server, text) == 0 && config_store_needs_tls(&server);
}

/* A valid certificate for a name that only the teller chose proves nothing if anyone can get one. */
static bool is_vouched_for(const struct store_setup *setup, const struct store_server *server)
{
    bool vouched = !setup->anyone_certified || setup->tls_name[0] || !config_store_needs_tls(&server->where);
    for (size_t i = 0; !vouched && i < setup->server_count; i++)
        vouched = setup->servers[i].where.at == server->where.at &&
                  strcasecmp(setup->servers[i].where.name, server->where.name) == 0;
    return vouched;
}

const char *store_learn(struct store_server *out, const struct store_setup *setup, const struct store_server *teller,
                        const char *host, size_t len, uint64_t port)
{
    struct store_server server = {.trust = NULL};
    if (!is_host_text(host, len) || port == 0 || port > UINT16_MAX)
        return "it is neither an address nor a name with a port";
    if (!allows_port(setup, port))
        return "its port is not in store.node-ports";
    snprintf(server.text, sizeof server.text, "%.*s@%u", (int)len, host, (unsigned)port);
    if (config_store_server(&server.where, server.text) < 0)
        return "it is neither an address nor a name with a port";
    /* Of another machine's word for a server on this one: the password would go to any of its processes. */
    if (!config_store_needs_tls(&server.where) && config_store_needs_tls(&teller->where))
        return "it is on loopback, which only a server on this machine may name";
    if (!is_vouched_for(setup, &server))
        return "anyone can have its certificate; set store.ca-file or store.tls-name, or add it to store.servers";
    if (config_store_needs_tls(&server.where) &&
        tls_trust_with_name(&server.trust, setup->authorities, name_for(setup, server.where.name)) < 0)
        return "there is not enough memory for it";
    server.id = id_of(server.text);
    *out = server;
    return NULL;
}

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

size_t store_setup_choose(const struct store_setup *setup, const uint8_t name[SEAL_NAME])
{
    uint64_t part = (uint64_t)read_u32(name) << 32 | read_u32(name + 4), best = 0;
    size_t chosen = 0;
    for (size_t i = 0; setup->server_count > 1 && i < setup->server_count; i++) {
        uint64_t weight = mix(part ^ setup->servers[i].id);
        if (i == 0 || weight > best) {
            best = weight;
            chosen = i;
        }
    }
    return chosen;
}

/* --- the whole --- */

static int digest_login(struct buffer *all, const struct store_login *login)
{
    int status = buffer_append(all, login->user, sizeof login->user);
    if (status == 0)
        status = buffer_append(all, &login->password.len, sizeof login->password.len);
    return status == 0 && login->password.len > 0
               ? buffer_append(all, buffer_bytes(&login->password).data, login->password.len)
               : status;
}

static int digest_trust(struct buffer *all, const struct tls_trust *trust)
{
    uint8_t identity[DIGEST_LEN] = {0};
    if (trust)
        tls_trust_identity(trust, identity);
    return buffer_append(all, identity, sizeof identity);
}

static int digest_parts(struct buffer *all, const struct store_setup *setup)
{
    const uint64_t numbers[] = {setup->patience_ms, setup->write_queue, setup->warm_names,
                                setup->kind,        setup->nearest,     setup->anyone_certified};
    int status = buffer_append(all, &setup->keys, sizeof setup->keys);
    if (status == 0)
        status = buffer_append(all, numbers, sizeof numbers);
    if (status == 0)
        status = buffer_append(all, setup->sentinel, sizeof setup->sentinel);
    if (status == 0)
        status = buffer_append(all, setup->tls_name, sizeof setup->tls_name);
    if (status == 0)
        status = buffer_append(all, setup->ports, sizeof setup->ports);
    if (status == 0)
        status = digest_login(all, &setup->login);
    if (status == 0)
        status = digest_login(all, &setup->sentinel_login);
    if (status == 0)
        status = digest_trust(all, setup->authorities);
    for (size_t i = 0; status == 0 && i < setup->server_count; i++) {
        status = buffer_append(all, setup->servers[i].text, sizeof setup->servers[i].text);
        if (status == 0)
            status = digest_trust(all, setup->servers[i].trust);
    }
    return status;
}

static int digest_setup(struct store_setup *setup)
{
    struct buffer all = {NULL, 0, 0, 0};
    int status = digest_parts(&all, setup);
    if (status == 0)
        digest_bytes(setup->digest, buffer_bytes(&all).data, all.len);
    if (all.data)
        explicit_bzero(all.data, all.cap);
    buffer_free(&all);
    return status;
}

/* For servers that others name. */
static void note_terms(struct store_setup *setup, const struct config *config)
{
    if (config->store.tls_name)
        snprintf(setup->tls_name, sizeof setup->tls_name, "%s", config->store.tls_name);
    setup->anyone_certified = strcmp(ca_file_of(config), "system") == 0;
    if (config->store.sentinel) {
        setup->kind = STORE_SENTINEL;
        snprintf(setup->sentinel, sizeof setup->sentinel, "%s", config->store.sentinel);
    }
    if (config->store.cluster)
        setup->kind = STORE_CLUSTER;
    setup->nearest = setup->kind != STORE_PLAIN && config->store.read_from == READ_FROM_NEAREST;
    for (size_t i = 0; i < config->store.node_port_count && i < STORE_PORT_RANGES; i++)
        if (config_store_ports(config->store.node_ports[i], &setup->ports[i].low, &setup->ports[i].high) == 0)
            setup->port_ranges = (unsigned)i + 1;
}

static int read_files(struct store_setup *setup, const struct config *config, FILE *errors)
{
    int status = read_fleet_keys(setup, config, errors);
    if (status == 0)
        status = read_password(&setup->login, config->store.user, config->store.password_file, "store.password-file",
                               errors);
    if (status == 0)
        status = read_password(&setup->sentinel_login, config->store.sentinel_user,
                               config->store.sentinel_password_file, "store.sentinel-password-file", errors);
    return status;
}

int store_setup_new(struct store_setup **out, const struct config *config, FILE *errors)
{
    size_t count = config->store.server_count;
    *out = NULL;
    if (count == 0)
        return 0;
    struct store_setup *setup = mem_zalloc(1, sizeof *setup + count * sizeof setup->servers[0]);
    if (!setup)
        return -ENOMEM;
    atomic_init(&setup->refs, 1);
    setup->patience_ms = config->store.patience_ms;
    setup->write_queue = (size_t)config->store.write_queue;
    setup->warm_names = config->store.warm_names;
    note_terms(setup, config);
    int status = read_files(setup, config, errors);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = add_server(setup, config, config->store.servers[i], errors);
    if (status == 0 && setup->kind != STORE_PLAIN)
        status = load_trust(&setup->authorities, setup, config, "localhost", errors);
    if (status == 0)
        status = digest_setup(setup);
    if (status == 0)
        *out = setup;
    else
        store_setup_unref(setup);
    return status;
}

struct store_setup *store_setup_ref(struct store_setup *setup)
{
    if (setup)
        atomic_fetch_add_explicit(&setup->refs, 1, memory_order_relaxed);
    return setup;
}

static void login_wipe(struct store_login *login)
{
    if (login->password.data)
        explicit_bzero(login->password.data, login->password.cap);
    buffer_free(&login->password);
}

void store_setup_unref(struct store_setup *setup)
{
    if (!setup || atomic_fetch_sub_explicit(&setup->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < setup->server_count; i++)
        store_server_clear(&setup->servers[i]);
    tls_trust_unref(setup->authorities);
    seal_keys_wipe(&setup->keys);
    login_wipe(&setup->login);
    login_wipe(&setup->sentinel_login);
    mem_free(setup);
}

bool store_setup_same(const struct store_setup *a, const struct store_setup *b)
{
    return a == b || (a && b && memcmp(a->digest, b->digest, DIGEST_LEN) == 0);
}
