/* SPDX-License-Identifier: MIT */
/* The configuration in force: an immutable snapshot in native units.
 *
 * Does:    reads defaults, file, drop-ins and environment, in this order (later sources override earlier ones), by
 *          the one table of options; reports all mistakes at once.
 * Owns:    everything it points to; reference-counted: config_ref, config_unref.
 * Threads: built on the main thread, then read from any.
 */
#ifndef DOTSTUB_CONFIG_CONFIG_H
#define DOTSTUB_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdio.h>
#include "base/addr.h"
#include "base/hash.h"
#include "base/log.h"
#include "dns/localdata.h"

struct config_pin {
    uint8_t sha256[32];
};

struct config_log_level {
    uint8_t module, level; /* of base/log */
};

enum config_role { ROLE_PRIMARY, ROLE_BACKUP, ROLE_ROUTED /* only for groups and routes that name it */ };
enum config_read { READ_FROM_MASTER, READ_FROM_NEAREST };
enum config_cut { NXDOMAIN_CUT_NO, NXDOMAIN_CUT_SECURE, NXDOMAIN_CUT_YES };
enum config_policy { POLICY_FAILOVER, POLICY_FASTEST, POLICY_SPREAD };
/* The validator: the upstream, whose AD bit is passed on; dotstub itself; none. */
enum config_dnssec { DNSSEC_MODE_UPSTREAM, DNSSEC_MODE_VALIDATE, DNSSEC_MODE_OFF };
enum config_track { TRACK_AUTO, TRACK_YES, TRACK_NO };
enum config_transport { TRANSPORT_DOT, TRANSPORT_HTTPS, TRANSPORT_AUTO };
enum config_ecs { ECS_OFF, ECS_DEFAULT };
enum config_output { OUTPUT_STDERR, OUTPUT_STDOUT };
enum config_sandbox { SANDBOX_OFF, SANDBOX_ON, SANDBOX_KILL };
enum config_deny { DENY_REFUSE, DENY_DROP };
enum config_block_format { BLOCK_DOMAINS, BLOCK_HOSTS, BLOCK_ADBLOCK, BLOCK_RPZ };
enum config_block_reason { BLOCK_BLOCKED, BLOCK_CENSORED, BLOCK_FILTERED }; /* the extended error (RFC 8914) */
enum config_single_label { SINGLE_LABEL_FORWARD, SINGLE_LABEL_REFUSE, SINGLE_LABEL_SEARCH };
enum config_rebind { REBIND_AUTO, REBIND_YES, REBIND_NO }; /* AUTO: for clients beyond loopback */

struct config_upstream {
    char *name;
    char *tls_name;         /* NULL: the pins alone authenticate the server */
    struct addr *addresses; /* including ports */
    size_t address_count;
    uint16_t port;
    struct config_pin *pins;
    size_t pin_count;
    enum config_role role;
    enum config_ecs ecs;
    uint32_t max_qps;                      /* 0: no limit */
    char *ca_file;                         /* NULL: tls.ca-file applies */
    unsigned min_version;                  /* 12 or 13: TLS 1.2, TLS 1.3; 0: tls.min-version applies */
    char *client_certificate, *client_key; /* NULL: none; both or neither */
    bool has_source;
    struct addr source;
    enum config_transport transport;
    char *https;                   /* the URL for DNS over HTTPS; NULL: see config/https.h */
    struct config_pin *https_pins; /* none: `pins` apply */
    size_t https_pin_count;
    char *interface; /* NULL: any */
    uint32_t fwmark; /* SO_MARK of its packets; 0: none */
    /* The host whose addresses are looked up; NULL: `addresses` are the upstream's. */
    char *host;
    char **bootstrap; /* names of upstreams, or addresses, that look them up */
    size_t bootstrap_count;
    struct addr *bootstrap_to; /* the addresses; NULL: names */
    size_t bootstrap_to_count;
    /* Of a plain route: the only names that may go to it, without encryption. None: DNS over TLS. */
    char **plain_zones;
    size_t plain_zone_count;
    bool plain_exact; /* names below plain_zones may not go to it either */
    bool tcp_only;    /* of a plain route: not over UDP */
    bool portal;      /* its answers are not cached, and each lookup is logged */
};

/* The most addresses of an upstream with a host that are used: of each family, in all. */
#define CONFIG_HOST_EACH      8
#define CONFIG_HOST_ADDRESSES (2 * CONFIG_HOST_EACH)
/* The name of the team that looks up the host of an upstream begins with this; the rest is the upstream's name. */
#define TEAM_BOOTSTRAP "bootstrap:"
/* The name of the team of the portal window. */
#define TEAM_PORTAL "portal:"

/* A named set of upstreams with a policy of its own. */
struct config_group {
    char *name;
    char **upstreams; /* names */
    size_t upstream_count;
    enum config_policy policy;
};

/* Names at and below `zones` are served by `upstreams`, or by the group. */
struct config_route {
    char **zones;
    size_t zone_count;
    char **upstreams; /* names */
    size_t upstream_count;
    char *group;     /* NULL: none */
    struct addr *to; /* plain servers */
    size_t to_count;
    bool plain;
    bool tcp_only;   /* `to` is asked over TCP, not over UDP */
    bool has_source; /* of queries to `to` */
    struct addr source;
    char *interface; /* of `to`; NULL: any */
    bool is_private; /* the zones do not exist in the public DNS */
    /* Of a route that was added at run time (config/added.h): */
    uint8_t *salt;     /* ROUTE_SALT bytes; NULL: the route is of the configuration */
    uint64_t until_ms; /* clock_ms; 0: it has no end */
    bool portal;       /* the window for a captive portal: exactly these names, and their answers are not cached */
};
#define ROUTE_SALT 16

/* Names that are blocked. Either `file` or `url` is set. */
struct config_block_list {
    char *name; /* NULL: made of the file's name or the URL (config_block_name) */
    char *file; /* or a directory */
    char *url;
    enum config_block_format format;
    enum config_block_reason reason;
    bool is_default; /* it applies to clients of no view, and of views that do not name lists */
    char **answer;   /* "nxdomain", "nodata", "zero", or addresses; none: block.answer applies */
    size_t answer_count;
};

/* Clients that get other routes: those of networks, or those whose queries come in on an interface. */
struct config_view {
    char *name; /* NULL: `label` has its first network or its interface in place of it */
    struct prefix *clients;
    size_t client_count;
    char *interface;  /* NULL: by network */
    char **upstreams; /* names: serve names without a route; none: as for other clients */
    size_t upstream_count;
    char *group; /* NULL: none */
    struct config_route *forward;
    size_t forward_count;
    bool inherit;       /* the routes of `forward` apply, too, except for zones with a route here */
    char **block_lists; /* names; "all" alone: those of other clients */
    size_t block_list_count;
    /* Set when the snapshot is made: "view:" and the name; places in config->teams. */
    const char *label;
    size_t root_team;
    size_t *route_teams; /* for each route */
};

/* The most views, so that a set of them is a number of 64 bits together with that of all other clients. */
#define CONFIG_VIEWS_MAX 63

/* Leases of a DHCP server, and the domain of their names. */
struct config_leases {
    char *file, *domain;
};

struct config_zone {
    char *name;
    enum local_zone type;
};

struct config_host {
    char *name;
    struct addr *addresses;
    size_t address_count;
};

/* The upstreams that serve names together: all names without a route, a group, or a route's own upstreams. */
#define TEAM_PLAIN SIZE_MAX
struct config_team {
    const char *name;
    enum config_policy policy;
    struct config_upstream *members; /* copies, in the order of config->upstreams */
    size_t *places;                  /* of the members in config->upstreams; TEAM_PLAIN: a plain route's own */
    size_t count;
    const uint8_t *salt; /* of the route that the team is for; NULL: none */
};

struct config {
    unsigned refs; /* the first member: a copy begins behind it */

    /* Sentences about facts that the operator may not expect, although nothing is wrong: files that are not read,
     * clients that cannot reach a listener. */
    const char **notices;
    size_t notice_count;

    struct addr *listen;
    size_t listen_count;
    char **listen_except; /* names of interfaces */
    size_t listen_except_count;
    struct addr *listen_tls;
    size_t listen_tls_count;
    struct addr *listen_https, *listen_http;
    size_t listen_https_count, listen_http_count;
    char *https_path;
    struct prefix *http_proxies; /* the only clients of listen_http */
    size_t http_proxy_count;
    bool listen_is_default; /* a family that the machine lacks is then no error */
    unsigned workers;       /* "auto" already resolved */

    struct config_upstream *upstreams;
    size_t upstream_count;
    enum config_policy upstream_policy;

    struct config_group *groups;
    size_t group_count;
    struct config_route *forward;
    size_t forward_count;
    /* Routes that are not in force, because their interface is missing or down (config/added.h). */
    struct config_route *waiting;
    size_t waiting_count;
    /* NULL without routes: then all upstreams serve all names. The first team serves names without a route. */
    struct config_team *teams;
    size_t team_count;
    size_t *route_teams; /* for each route */

    struct config_view *views;
    size_t view_count;
    char **records; /* in zone-file syntax */
    size_t record_count;
    struct config_zone *zones; /* local ones */
    size_t zone_count;

    struct {
        char **files; /* or directories */
        size_t file_count;
        struct config_leases *leases;
        size_t lease_count;
        struct config_host *entries;
        size_t entry_count;
    } hosts;

    struct {
        char *ca_file; /* "system" or a path */
        unsigned min_version;
        unsigned sessions;
        uint64_t idle_ms;
        uint64_t unanswered; /* bytes */
    } tls;

    struct { /* of listen_tls and listen_https */
        char **certificates, **keys;
        size_t certificate_count, key_count; /* equal */
        char *client_ca;                     /* NULL: clients need no certificate */
        char *ticket_key_file;               /* NULL: a key of this process */
    } tls_server;

    char *discovery_name; /* NULL: off; "auto": that of the first certificate */

    struct {                 /* PROXY protocol, version 2 */
        struct prefix *from; /* balancers; none: off */
        size_t from_count;
        struct addr *listen; /* the listeners that require the header, see config_proxy_means; none: all */
        size_t listen_count;
        struct prefix *private; /* only the operator's machines can send to these addresses */
        size_t private_count;
    } proxy_protocol;

    struct {
        uint64_t size;                               /* bytes, already limited to what the machine allows */
        uint32_t min_ttl, max_ttl, negative_max_ttl; /* seconds */
        bool prefetch;
        bool rotate;
        enum config_cut nxdomain_cut;
        uint32_t serve_stale; /* seconds; 0: off */
        uint64_t stale_answer_after_ms;
        bool save;
        char *save_file;
    } cache;

    struct {            /* the second-level cache */
        char **servers; /* see config_store_server; none: off */
        size_t server_count;
        char *sentinel; /* the master that the servers, Sentinels, tell; NULL: they are the store themselves */
        bool cluster;   /* the servers belong to a cluster, which is followed */
        enum config_read read_from; /* of a cluster */
        char **node_ports;          /* of servers that others name; see config_store_ports */
        size_t node_port_count;
        char *sentinel_user;          /* NULL: the default user of the Sentinels */
        char *sentinel_password_file; /* NULL: none */
        uint64_t patience_ms;         /* 0: from the upstream's response times */
        char *fleet_key_file;         /* NULL: none */
        char *user;                   /* NULL: the default user of the servers */
        char *password_file;          /* NULL: none */
        char *ca_file;                /* NULL: tls.ca-file applies */
        char *tls_name;               /* NULL: the name or address in `servers` */
        uint64_t write_queue;         /* bytes of each connection */
        uint32_t warm_names;          /* popular names to fetch after the start; 0: none */
    } store;

    struct {
        enum config_dnssec mode;
        char *trust_anchors;     /* a file */
        enum config_track track; /* changes of the root's anchors (RFC 5011) */
        char **negative;         /* names that are not validated, nor those below them; see config_negative */
        size_t negative_count;
        bool aggressive;    /* use of cached proofs (RFC 8198) */
        bool report_errors; /* to the agents of zones (RFC 9567) */
    } dnssec;

    struct {
        uint64_t answer_by_ms;
        unsigned queries_in_flight;
        unsigned tcp_clients;
        uint64_t tcp_output; /* bytes */
        uint64_t tcp_idle_ms;
        unsigned udp_size;
        unsigned udp_waiting;
        unsigned added_routes; /* at run time */
    } limits;

    struct {
        struct prefix *allow;
        size_t allow_count;
        struct prefix *deny_clients; /* clients within the allowed networks that are not allowed */
        size_t deny_count;
        enum config_deny deny;
    } access;

    bool cookies;                  /* for clients beyond loopback */
    char *cookie_secret_file;      /* NULL: the secrets are derived from the process's key */
    unsigned rate_limit_responses; /* a second to one network, for clients beyond loopback; 0: no limit */
    enum config_rebind rebind_protection;
    char **rebind_allow; /* names at and below which private addresses are served */
    size_t rebind_allow_count;

    struct {            /* responses in class CHAOS (identity.*); NULL: REFUSED */
        char *version;  /* version.bind and version.server */
        char *hostname; /* hostname.bind, id.server, and NSID */
    } identity;

    struct {
        struct config_block_list *lists;
        size_t list_count;
        char **answer; /* as of a list */
        size_t answer_count;
        char **exceptions; /* names that are not blocked, nor those below them */
        size_t exception_count;
        uint32_t ttl;       /* seconds */
        uint32_t max_names; /* of one list */
        /* Of lists from a URL: */
        char *directory;
        char *ca_file;     /* "system" or a path */
        uint64_t max_size; /* bytes */
    } block;

    enum config_single_label single_label;
    char **search; /* domains, for SINGLE_LABEL_SEARCH */
    size_t search_count;
    bool filter_aaaa;
    struct prefix *filter_aaaa_clients; /* none: all clients */
    size_t filter_aaaa_client_count;
    char *dns64_prefix; /* NULL: off; "discover", or a prefix that nat64_prefix_is_valid accepts */
    struct prefix *sort_addresses;
    size_t sort_address_count;
    bool special_proof; /* special top-level names have the root's proof */

    struct {
        char **names; /* that the portal window is for */
        size_t name_count;
    } portal;

    char *health_name; /* NULL: off */
    uint64_t drain_ms; /* on SIGTERM */

    char *control_socket;           /* NULL: off */
    bool control_socket_is_default; /* failing to open it is then no error */
    bool has_metrics;
    struct addr metrics_listen;
    unsigned metrics_clients;
    char **metrics_hosts; /* names under which the status page may be opened */
    size_t metrics_host_count;
    bool metrics_names;       /* names of queries are shown to clients with the token */
    char *metrics_token_file; /* NULL: off */

    char *dnstap_socket; /* NULL: off */

    enum config_sandbox sandbox;

    enum log_level log_level;
    struct config_log_level *log_modules;
    size_t log_module_count;
    enum log_format log_format;
    enum config_output log_output;
    bool log_queries;
    unsigned log_queries_sample; /* logs one query in this number */
    uint64_t log_slow_ms;        /* the flight recorder records queries that wait longer */
};

/* Reads all sources. `path` NULL: SYSCONFDIR/dotstub/dotstub.yaml if it exists, else the defaults; a given path
 * must exist. The environment is `environ_list` (NULL-terminated "NAME=value"). All mistakes are written to
 * `errors`, each with file:line:column, the source line, a caret and a suggestion if there is one. 0 with *out set
 * to a snapshot with one reference, ERROR_CONFIG, or -ENOMEM. */
int config_load(struct config **out, const char *path, char *const *environ_list, FILE *errors) MUST_CHECK;
/* Reads one text in place of files and environment; messages show `name` as the file. */
int config_load_text(struct config **out, const char *name, const char *text, FILE *errors) MUST_CHECK;
struct config *config_ref(struct config *config);
void config_unref(struct config *config);

/* A digest of every setting that can change the responses of a group of these upstreams (definition.c); the same
 * in every process. 0 or -ENOMEM. */
int config_define_group(const struct config *config, const struct config_upstream *upstreams, size_t count,
                        uint8_t out[DIGEST_LEN]) MUST_CHECK;

/* A text of dnssec.negative. The length of the name, with *until_s in seconds since 1970 (0: no end), or -EINVAL. */
int config_negative(const char *text, uint8_t name[NAME_MAX_WIRE], int64_t *until_s) MUST_CHECK;

/* A server of the store: HOST@PORT, ADDR@PORT, or the path of a unix socket. */
struct config_store_server {
    enum { STORE_AT_ADDRESS, STORE_AT_HOST, STORE_AT_PATH } at;
    struct addr addr; /* STORE_AT_ADDRESS */
    uint16_t port;
    char name[256]; /* the host, the address without port, or the path */
};
#define CONFIG_STORE_PORT 6379
/* 0 or -EINVAL. */
int config_store_server(struct config_store_server *out, const char *text) MUST_CHECK;
/* Reads an item of store.node-ports, PORT or PORT-PORT. 0 or -EINVAL. */
int config_store_ports(const char *text, uint16_t *low, uint16_t *high) MUST_CHECK;
/* True if the connection needs TLS: the server is neither a unix socket nor a loopback address. */
static inline bool config_store_needs_tls(const struct config_store_server *server)
{
    return server->at == STORE_AT_HOST || (server->at == STORE_AT_ADDRESS && !addr_is_loopback(&server->addr));
}

/* The name of a block list, and the file of one with a URL: DIRECTORY/NAME. The name of a list without one is the last
 * part of its file or URL; other bytes than letters, digits, ".", "-" and "_" become "_". */
#define CONFIG_BLOCK_NAME 64
const char *config_block_name(const struct config_block_list *list, char out[CONFIG_BLOCK_NAME]);
/* True if dotstub itself takes queries at this address and port now. */
bool config_is_own(const struct config *config, const struct addr *addr);

/* True if `wanted`, of proxy-protocol.listen, stands for the listener at this address: without a port, for all listeners
 * at the address; a wildcard, for those of its family. */
bool config_proxy_means(const struct addr *wanted, const struct addr *listener);
/* True if the listener at this address requires a header. */
bool config_proxy_requires(const struct config *config, const struct addr *listener);
/* True if the source of a datagram to this address cannot be forged from elsewhere: it is on loopback, or the operator
 * says so. Never true for a wildcard. */
bool config_proxy_is_private(const struct config *config, const struct addr *listener);

/* The origin of a value in a snapshot of config_load: "default", "file:line", or a variable. */
const char *config_origin(const struct config *config, const char *key);
const char *config_item_origin(const struct config *config, const char *list, size_t item, const char *key);

/* Gives a new snapshot, not yet in use, the restart-only settings of `started`, the snapshot that the daemon
 * started with. Calls `tell` with the key of each setting that differs, and notes in its origin that the new value
 * applies from the next start. 0, or -ENOMEM: the snapshot must not be used. */
int config_keep_restart_only(struct config *config, struct config *started,
                             void (*tell)(void *context, const char *key), void *context) MUST_CHECK;

/* The use that the daemon makes of a file. */
enum config_file {
    FILE_READ,
    FILE_TREE, /* a file, or a directory whose files are read */
    FILE_SAVED,
    FILE_SOCKET,
    FILE_PEER /* a socket of another program */
};
/* Calls `tell` for every file that a setting names, except the word "system" of CA files. */
void config_each_file(const struct config *config,
                      void (*tell)(void *context, const char *key, const char *path, enum config_file use),
                      void *context);

/* Prints every setting of a snapshot of config_load as YAML that config_load can read back, each with its origin
 * in a comment. 0 or -EIO. */
int config_print(const struct config *config, FILE *out) MUST_CHECK;
/* Prints the annotated default file; conf/dotstub.yaml is its output. */
int config_print_annotated(FILE *out) MUST_CHECK;

#endif
