/* SPDX-License-Identifier: MIT */
#include "sandbox.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/https.h"
#include "landlock.h"
#include "syscalls.h"

#define DEFAULT_FILE SYSCONFDIR "/dotstub/dotstub.yaml"

struct sandbox_path {
    char *path; /* without symbolic links */
    unsigned access;
};

/* Needed by libraries, whatever is configured. "/" is listed by libuv when there are no descriptors left. */
static const struct {
    const char *path;
    unsigned access;
} always[] = {
    {"/", LANDLOCK_LIST},
    {"/proc", LANDLOCK_READ},
    {"/sys/fs/cgroup", LANDLOCK_READ}, /* limits of memory and processors */
    {"/dev/null", LANDLOCK_READ | LANDLOCK_SAVE},
    {"/dev/random", LANDLOCK_READ},
    {"/dev/urandom", LANDLOCK_READ},
    {"/etc/localtime", LANDLOCK_READ}, /* glibc, though times are in UTC */
    {"/etc/gnutls", LANDLOCK_READ},    /* GnuTLS reads its priorities again when they change */
    {"/etc/crypto-policies", LANDLOCK_READ},
    {"/usr/share/crypto-policies", LANDLOCK_READ},
    /* the system's CA certificates */
    {"/etc/ca-certificates", LANDLOCK_READ},
    {"/etc/pkcs11", LANDLOCK_READ},
    {"/etc/pki", LANDLOCK_READ},
    {"/etc/ssl", LANDLOCK_READ},
    {"/usr/local/share/ca-certificates", LANDLOCK_READ},
    {"/usr/share/ca-certificates", LANDLOCK_READ},
    {"/usr/share/p11-kit", LANDLOCK_READ},
    {"/usr/share/pki", LANDLOCK_READ},
    {"/var/lib/ca-certificates", LANDLOCK_READ},
};

static const uint16_t usual_ports[] = {53, 443, 853};

/* --- what is allowed --- */

static bool is_below(const char *path, const char *directory)
{
    size_t len = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
    return strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool allows_path(const struct sandbox *sandbox, const char *path, unsigned access)
{
    size_t i = 0;
    while (i < sandbox->path_count && (!is_below(path, sandbox->paths[i].path) || access & ~sandbox->paths[i].access))
        i++;
    return i < sandbox->path_count;
}

static bool allows_port(const struct sandbox *sandbox, uint16_t port)
{
    size_t i = 0;
    while (i < sandbox->port_count && sandbox->ports[i] != port)
        i++;
    return i < sandbox->port_count;
}

/* The directory of `path` without symbolic links. False: there is none. */
static bool directory_of(char out[PATH_MAX], const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) + 1 : 2;
    return snprintf(parent, sizeof parent, "%.*s", len, slash ? path : "./") < PATH_MAX && realpath(parent, out);
}

/* The nearest directory above a missing one, which may be made later; not "/". */
static bool existing_parent(char out[PATH_MAX], const char *path)
{
    char parent[PATH_MAX];
    bool found = false;
    if (snprintf(parent, sizeof parent, "%s", path) >= PATH_MAX)
        return false;
    for (char *slash; !found && (slash = strrchr(parent, '/')) && slash > parent;) {
        *slash = '\0';
        found = realpath(parent, out) != NULL;
    }
    return found && strcmp(out, "/") != 0;
}

static unsigned access_for(enum config_file use)
{
    static const unsigned accesses[] = {[FILE_READ] = LANDLOCK_READ,
                                        [FILE_TREE] = LANDLOCK_READ | LANDLOCK_LIST,
                                        [FILE_SAVED] = LANDLOCK_READ | LANDLOCK_SAVE,
                                        [FILE_SOCKET] = LANDLOCK_SOCKETS};
    return use == FILE_PEER ? 0 : accesses[use];
}

/* Without privileges to make it; a symbolic link to it may point to another directory. */
static bool is_read_only(enum config_file use)
{
    return use == FILE_READ || use == FILE_TREE;
}

/* --- entering --- */

struct building {
    struct sandbox *sandbox;
    unsigned version;
    int ruleset, status;
};

static void allow_path(struct building *building, const char *path, unsigned access)
{
    struct sandbox *sandbox = building->sandbox;
    char resolved[PATH_MAX];
    if (building->status < 0 || !realpath(path, resolved))
        return;
    int status = landlock_allow_path(building->ruleset, building->version, resolved, access);
    if (status < 0)
        return; /* a directory that we may not enter */
    struct sandbox_path *paths = mem_resize(sandbox->paths, (sandbox->path_count + 1) * sizeof *paths);
    char *copy = paths ? mem_strdup(resolved) : NULL;
    if (paths)
        sandbox->paths = paths;
    if (copy)
        paths[sandbox->path_count++] = (struct sandbox_path){copy, access};
    else
        building->status = -ENOMEM;
}

/* The directory of the file, and that of the file which a symbolic link means. */
static void allow_file(void *context, const char *key, const char *path, enum config_file use)
{
    struct building *building = context;
    char directory[PATH_MAX], file[PATH_MAX];
    (void)key;
    if (use == FILE_PEER)
        return;
    if (directory_of(directory, path) || (!is_read_only(use) && existing_parent(directory, path)))
        allow_path(building, directory, access_for(use));
    if (is_read_only(use) && realpath(path, file) && directory_of(directory, file))
        allow_path(building, directory, access_for(use));
}

static void allow_port(struct building *building, uint16_t port)
{
    struct sandbox *sandbox = building->sandbox;
    if (building->status < 0 || allows_port(sandbox, port))
        return;
    uint16_t *ports = mem_resize(sandbox->ports, (sandbox->port_count + 1) * sizeof *ports);
    building->status = ports ? landlock_allow_port(building->ruleset, port) : -ENOMEM;
    if (!ports)
        return;
    sandbox->ports = ports;
    ports[sandbox->port_count++] = port;
}

/* The ports of an upstream with a host, and of the servers that look the host up. */
static void allow_host(struct building *building, const struct config_upstream *upstream)
{
    if (!upstream->host)
        return;
    allow_port(building, upstream->port);
    for (size_t i = 0; i < upstream->bootstrap_to_count; i++)
        allow_port(building, addr_port(&upstream->bootstrap_to[i]));
}

static void allow_https(struct building *building, const struct config_upstream *upstream)
{
    struct https_url url;
    if (upstream->transport == TRANSPORT_DOT)
        return;
    config_https_url(upstream, &url);
    allow_port(building, url.port);
}

static void allow_routes(struct building *building, const struct config_route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < routes[i].to_count; j++)
            allow_port(building, addr_port(&routes[i].to[j]));
}

/* Calls `each` for all ports of servers that Sentinels or a cluster may name. */
static void each_node_port(const struct config *config, void (*each)(void *context, uint16_t port), void *context)
{
    uint16_t low, high;
    for (size_t i = 0; (config->store.sentinel || config->store.cluster) && i < config->store.node_port_count; i++)
        if (config_store_ports(config->store.node_ports[i], &low, &high) == 0)
            for (uint32_t port = low; port <= high; port++)
                each(context, (uint16_t)port);
}

static void allow_node_port(void *context, uint16_t port)
{
    allow_port(context, port);
}

static void allow_store(struct building *building, const struct config *config)
{
    struct config_store_server server;
    for (size_t i = 0; i < config->store.server_count; i++)
        if (config_store_server(&server, config->store.servers[i]) == 0 && server.at != STORE_AT_PATH)
            allow_port(building, server.port);
    each_node_port(config, allow_node_port, building);
}

static bool has_store_socket(const struct config *config)
{
    struct config_store_server server;
    for (size_t i = 0; i < config->store.server_count; i++)
        if (config_store_server(&server, config->store.servers[i]) == 0 && server.at == STORE_AT_PATH)
            return true;
    return false;
}

static void allow_all(struct building *building, const struct config *config, const struct sandbox_setup *setup)
{
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        allow_path(building, always[i].path, always[i].access);
    allow_file(building, NULL, setup->file ? setup->file : DEFAULT_FILE, FILE_READ);
    if (setup->handover >= 0 && building->status == 0)
        building->status = landlock_allow_fd(building->ruleset, building->version, setup->handover, LANDLOCK_SOCKETS);
    config_each_file(config, allow_file, building);
    if (!building->sandbox->report.tcp_ports)
        return;
    for (size_t i = 0; i < sizeof usual_ports / sizeof *usual_ports; i++)
        allow_port(building, usual_ports[i]);
    for (size_t i = 0; i < config->upstream_count; i++)
        for (size_t j = 0; j < config->upstreams[i].address_count; j++)
            allow_port(building, addr_port(&config->upstreams[i].addresses[j]));
    for (size_t i = 0; i < config->upstream_count; i++)
        allow_https(building, &config->upstreams[i]);
    for (size_t i = 0; i < config->upstream_count; i++)
        allow_host(building, &config->upstreams[i]);
    allow_store(building, config);
    allow_routes(building, config->forward, config->forward_count);
    for (size_t i = 0; i < config->view_count; i++)
        allow_routes(building, config->views[i].forward, config->views[i].forward_count);
}

/* 0 or a negative error. */
static int restrict_files(struct sandbox *sandbox, const struct config *config, const struct sandbox_setup *setup)
{
    struct building building = {.sandbox = sandbox, .version = landlock_version()};
    if (building.version == 0)
        return -ENOSYS;
    building.ruleset = landlock_begin(building.version);
    if (building.ruleset < 0)
        return building.ruleset;
    sandbox->report.tcp_ports = landlock_has_ports(building.version);
    allow_all(&building, config, setup);
    if (building.status == 0)
        building.status = landlock_enter(building.ruleset);
    close(building.ruleset);
    sandbox->report.files = building.status == 0;
    sandbox->report.tcp_ports &= building.status == 0;
    sandbox->report.landlock = building.status == 0 ? building.version : 0;
    return building.status;
}

static int restrict_calls(struct sandbox *sandbox, const struct config *config)
{
    if (!syscalls_can_restrict())
        return -ENOTSUP;
    bool unix_streams = config->dnstap_socket || sandbox->new_socket || has_store_socket(config);
    int status = syscalls_restrict(config->sandbox == SANDBOX_KILL, unix_streams);
    sandbox->report.system_calls = status == 0;
    sandbox->no_unix_streams = status == 0 && !unix_streams;
    return status;
}

int sandbox_enter(struct sandbox *sandbox, const struct config *config, const struct sandbox_setup *setup)
{
    sandbox->new_socket = setup->new_socket;
    if (config->sandbox == SANDBOX_OFF) {
        log_info("daemon", "sandbox: off");
        return 0;
    }
    int status = restrict_files(sandbox, config, setup);
    if (status == -ENOMEM)
        return -ENOMEM;
    if (!sandbox->report.files)
        log_warning("daemon", "sandbox: files and TCP ports are not restricted: %s; this needs Landlock (Linux 5.13)",
                    error_text(status));
    return 0;
}

int sandbox_complete(struct sandbox *sandbox, const struct config *config)
{
    const struct sandbox_report *report = &sandbox->report;
    if (config->sandbox == SANDBOX_OFF)
        return 0;
    int status = restrict_calls(sandbox, config);
    if (status == -ENOMEM)
        return -ENOMEM;
    if (!report->system_calls)
        log_warning("daemon", "sandbox: system calls are not restricted: %s", error_text(status));
    if (report->files)
        log_info("daemon", "sandbox: %sfiles%s are restricted", report->system_calls ? "system calls, " : "",
                 report->tcp_ports ? " and TCP ports" : " (TCP ports not: they need Linux 6.7)");
    return 0;
}

/* --- reload --- */

struct checking {
    const struct sandbox *sandbox;
    FILE *errors;
    int status;
    bool at_run_time; /* the ports of a restart are those of the configuration */
};

static void check_directory(struct checking *checking, const char *key, const char *path, const char *directory,
                            unsigned access)
{
    if (allows_path(checking->sandbox, directory, access))
        return;
    fprintf(checking->errors, "%s: %s is outside the directories that the sandbox allows: restart needed\n", key, path);
    checking->status = ERROR_CONFIG;
}

/* A missing file or directory is reported when it is opened. */
static void check_file(void *context, const char *key, const char *path, enum config_file use)
{
    struct checking *checking = context;
    char directory[PATH_MAX], file[PATH_MAX];
    int before = checking->status;
    if (use == FILE_PEER)
        return;
    if (directory_of(directory, path))
        check_directory(checking, key, path, directory, access_for(use));
    if (checking->status == before && is_read_only(use) && realpath(path, file) && directory_of(directory, file))
        check_directory(checking, key, path, directory, access_for(use));
}

int sandbox_check_file(const struct sandbox *sandbox, const char *file, FILE *errors)
{
    struct checking checking = {sandbox, errors, 0, false};
    if (sandbox->report.files && access(file ? file : DEFAULT_FILE, F_OK) == 0)
        check_file(&checking, "the configuration file", file ? file : DEFAULT_FILE, FILE_READ);
    return checking.status;
}

static void check_port(struct checking *checking, const char *what, const char *name, uint16_t port)
{
    if (allows_port(checking->sandbox, port))
        return;
    fprintf(checking->errors, "%s%s%s: port %u is not among those that the sandbox allows: %s\n", what,
            name[0] ? " " : "", name, port,
            checking->at_run_time ? "write the route into `forward` in dotstub.yaml, and restart" : "restart needed");
    checking->status = ERROR_CONFIG;
}

static void check_ports(struct checking *checking, const char *what, const char *name, const struct addr *addresses,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_port(checking, what, name, addr_port(&addresses[i]));
}

static void check_routes(struct checking *checking, const struct config_route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_ports(checking, "the route of", routes[i].zones[0], routes[i].to, routes[i].to_count);
}

static void check_node_port(void *context, uint16_t port)
{
    struct checking *checking = context;
    if (checking->status == 0) /* one of a range is enough */
        check_port(checking, "store.node-ports", "", port);
}

static void check_store(struct checking *checking, const struct config *config)
{
    struct config_store_server server;
    for (size_t i = 0; i < config->store.server_count; i++) {
        const char *text = config->store.servers[i];
        if (config_store_server(&server, text) < 0)
            continue;
        if (server.at != STORE_AT_PATH && checking->sandbox->report.tcp_ports) {
            check_port(checking, "store", text, server.port);
        } else if (server.at == STORE_AT_PATH && checking->sandbox->no_unix_streams) {
            fprintf(checking->errors, "store %s: unix sockets are not among what the sandbox allows: restart needed\n",
                    text);
            checking->status = ERROR_CONFIG;
        }
    }
    if (checking->sandbox->report.tcp_ports)
        each_node_port(config, check_node_port, checking);
}

static void check_upstream(struct checking *checking, const struct config_upstream *upstream)
{
    struct https_url url;
    check_ports(checking, "upstream", upstream->name, upstream->addresses, upstream->address_count);
    check_ports(checking, "the bootstrap of", upstream->name, upstream->bootstrap_to, upstream->bootstrap_to_count);
    if (upstream->host)
        check_port(checking, "upstream", upstream->name, upstream->port);
    if (upstream->transport == TRANSPORT_DOT)
        return;
    config_https_url(upstream, &url);
    check_port(checking, "upstream", upstream->name, url.port);
}

int sandbox_check(const struct sandbox *sandbox, const struct config *config, FILE *errors)
{
    struct checking checking = {sandbox, errors, 0, false};
    if (sandbox->report.files)
        config_each_file(config, check_file, &checking);
    for (size_t i = 0; sandbox->report.tcp_ports && i < config->upstream_count; i++)
        check_upstream(&checking, &config->upstreams[i]);
    check_store(&checking, config);
    if (sandbox->report.tcp_ports)
        check_routes(&checking, config->forward, config->forward_count);
    for (size_t i = 0; sandbox->report.tcp_ports && i < config->view_count; i++)
        check_routes(&checking, config->views[i].forward, config->views[i].forward_count);
    return checking.status;
}

int sandbox_check_route(const struct sandbox *sandbox, const struct config_route *route, FILE *errors)
{
    struct checking checking = {sandbox, errors, 0, true};
    if (sandbox->report.tcp_ports)
        check_routes(&checking, route, 1);
    return checking.status;
}

void sandbox_fini(struct sandbox *sandbox)
{
    for (size_t i = 0; i < sandbox->path_count; i++)
        mem_free(sandbox->paths[i].path);
    mem_free(sandbox->paths);
    mem_free(sandbox->ports);
}
