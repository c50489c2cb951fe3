/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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

static int read_password(struct store_setup *setup, const struct config *config, FILE *errors)
{
    uint8_t text[FILE_MOST];
    size_t len = 0;
    if (config->store.user)
        snprintf(setup->user, sizeof setup->user, "%s", config->store.user);
    if (!config->store.password_file)
        return 0;
    int status = read_small(config->store.password_file, text, &len, "store.password-file", errors);
    if (status < 0)
        return status;
    const uint8_t *end = memchr(text, '\n', len);
    len = end ? (size_t)(end - text) : len;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (len == 0 || len > PASSWORD_MOST) {
        fprintf(errors, "store.password-file: the first line of %s must have 1 to %d bytes\n",
                config->store.password_file, PASSWORD_MOST);
        return -EINVAL;
    }
    status = buffer_append(&setup->password, text, len);
    explicit_bzero(text, sizeof text);
    return status;
}

/* --- servers --- */

static int load_trust(struct store_server *server, const struct config *config, FILE *errors)
{
    const char *ca_file = config->store.ca_file ? config->store.ca_file : config->tls.ca_file;
    const struct tls_trust_options options = {
        .ca_file = ca_file,
        .tls_name = config->store.tls_name ? config->store.tls_name : server->where.name,
        .min_version = config->tls.min_version,
        .ca_may_be_missing = true,
    };
    int status = tls_trust_new(&server->trust, &options);
    if (status < 0)
        fprintf(errors, "store.servers: cannot use TLS with the certificates of %s: %s; see store.ca-file\n", ca_file,
                error_text(status));
    return status;
}

static int add_server(struct store_setup *setup, const struct config *config, const char *text, FILE *errors)
{
    struct store_server *server = &setup->servers[setup->server_count];
    uint8_t digest[DIGEST_LEN];
    int status = config_store_server(&server->where, text);
    if (status < 0) {
        fprintf(errors, "store.servers: %s is not a server\n", text);
        return status;
    }
    snprintf(server->text, sizeof server->text, "%s", text);
    digest_bytes(digest, server->text, strlen(server->text));
    server->id = (uint64_t)read_u32(digest) << 32 | read_u32(digest + 4);
    setup->server_count++;
    return config_store_needs_tls(&server->where) ? load_trust(server, config, errors) : 0;
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

static int digest_setup(struct store_setup *setup)
{
    struct buffer all = {NULL, 0, 0, 0};
    const uint64_t numbers[] = {setup->patience_ms, setup->write_queue, setup->warm_names, setup->password.len};
    int status = buffer_append(&all, &setup->keys, sizeof setup->keys);
    if (status == 0)
        status = buffer_append(&all, numbers, sizeof numbers);
    if (status == 0)
        status = buffer_append(&all, setup->user, sizeof setup->user);
    if (status == 0 && setup->password.len > 0)
        status = buffer_append(&all, buffer_bytes(&setup->password).data, setup->password.len);
    for (size_t i = 0; status == 0 && i < setup->server_count; i++) {
        uint8_t trust[DIGEST_LEN] = {0};
        if (setup->servers[i].trust)
            tls_trust_identity(setup->servers[i].trust, trust);
        status = buffer_append(&all, setup->servers[i].text, sizeof setup->servers[i].text);
        if (status == 0)
            status = buffer_append(&all, trust, sizeof trust);
    }
    if (status == 0)
        digest_bytes(setup->digest, buffer_bytes(&all).data, all.len);
    if (all.data)
        explicit_bzero(all.data, all.cap);
    buffer_free(&all);
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
    int status = read_fleet_keys(setup, config, errors);
    if (status == 0)
        status = read_password(setup, config, errors);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = add_server(setup, config, config->store.servers[i], errors);
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

void store_setup_unref(struct store_setup *setup)
{
    if (!setup || atomic_fetch_sub_explicit(&setup->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < setup->server_count; i++)
        tls_trust_unref(setup->servers[i].trust);
    seal_keys_wipe(&setup->keys);
    if (setup->password.data)
        explicit_bzero(setup->password.data, setup->password.cap);
    buffer_free(&setup->password);
    mem_free(setup);
}

bool store_setup_same(const struct store_setup *a, const struct store_setup *b)
{
    return a == b || (a && b && memcmp(a->digest, b->digest, DIGEST_LEN) == 0);
}
