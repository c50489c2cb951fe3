/* SPDX-License-Identifier: MIT */
/* Invariants: settings of one section are adjacent; every default is accepted by its own line (a test reads
 * them all). A new setting is a member of struct config and a line here. */
#include "config/options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "config/options_private.h"

const struct choice option_policies[] = {
    {"failover", POLICY_FAILOVER}, {"fastest", POLICY_FASTEST}, {"spread", POLICY_SPREAD}, {0}};
static const struct choice cuts[] = {
    {"secure", NXDOMAIN_CUT_SECURE}, {"yes", NXDOMAIN_CUT_YES}, {"no", NXDOMAIN_CUT_NO}, {0}};
static const struct choice dnssec_modes[] = {
    {"upstream", DNSSEC_MODE_UPSTREAM}, {"validate", DNSSEC_MODE_VALIDATE}, {"off", DNSSEC_MODE_OFF}, {0}};
static const struct choice reads[] = {{"master", READ_FROM_MASTER}, {"nearest", READ_FROM_NEAREST}, {0}};
static const struct choice tracks[] = {{"auto", TRACK_AUTO}, {"yes", TRACK_YES}, {"no", TRACK_NO}, {0}};
static const struct choice denials[] = {{"refuse", DENY_REFUSE}, {"drop", DENY_DROP}, {0}};
static const struct choice rebind_ways[] = {{"auto", REBIND_AUTO}, {"yes", REBIND_YES}, {"no", REBIND_NO}, {0}};
static const struct choice single_labels[] = {
    {"forward", SINGLE_LABEL_FORWARD}, {"refuse", SINGLE_LABEL_REFUSE}, {"search", SINGLE_LABEL_SEARCH}, {0}};
const struct choice option_versions[] = {{"1.2", 12}, {"1.3", 13}, {0}};
static const struct choice levels[] = {{"error", LOG_LEVEL_ERROR},
                                       {"warning", LOG_LEVEL_WARNING},
                                       {"info", LOG_LEVEL_INFO},
                                       {"debug", LOG_LEVEL_DEBUG},
                                       {0}};
static const struct choice sandboxes[] = {{"on", SANDBOX_ON}, {"off", SANDBOX_OFF}, {"kill", SANDBOX_KILL}, {0}};
static const struct choice formats[] = {{"text", LOG_FORMAT_TEXT}, {"json", LOG_FORMAT_JSON}, {0}};
static const struct choice outputs[] = {{"stderr", OUTPUT_STDERR}, {"stdout", OUTPUT_STDOUT}, {0}};

const struct option options[] = {
    {.key = "listen",
     .type = OPTION_ADDRESSES,
     IN_LIST(listen, listen_count),
     .max = 64,
     .interfaces = true,
     .port = 53,
     .restart_only = true,
     .unset = "127.0.0.1,::1",
     .help =
         "Addresses for client queries over UDP and TCP, ADDR or ADDR@PORT; port 53 unless given. %eth0 or %eth0@PORT "
         "stands for all addresses of that interface, as they come and go. A link-local address names its interface, "
         "fe80::1%eth0. An address or interface that is missing is waited for; a port in use by another program ends "
         "the start. Addresses beyond loopback require access.allow."},
    {.key = "listen-except",
     .type = OPTION_INTERFACES,
     IN_LIST(listen_except, listen_except_count),
     .max = 64,
     .restart_only = true,
     .unset = "",
     .help =
         "Interfaces on whose addresses 0.0.0.0, :: and %eth0 in listen do not listen. The wildcards then stand for "
         "the addresses of all other interfaces, as they come and go."},
    {.key = "listen-tls",
     .type = OPTION_ADDRESSES,
     IN_LIST(listen_tls, listen_tls_count),
     .max = 64,
     .interfaces = true,
     .port = 853,
     .restart_only = true,
     .unset = "",
     .help = "Addresses for client queries over TLS (DoT), in the form of listen; port 853 unless given. It needs "
             "tls-server.certificate and tls-server.key."},
    {.key = "listen-https",
     .type = OPTION_ADDRESSES,
     IN_LIST(listen_https, listen_https_count),
     .max = 64,
     .interfaces = true,
     .port = 443,
     .restart_only = true,
     .unset = "",
     .help = "Addresses for client queries over HTTPS (DoH, HTTP/2), in the form of listen; port 443 unless given. It "
             "needs tls-server.certificate and tls-server.key."},
    {.key = "listen-http",
     .type = OPTION_ADDRESSES,
     IN_LIST(listen_http, listen_http_count),
     .max = 64,
     .interfaces = true,
     .port = 8053,
     .restart_only = true,
     .unset = "",
     .help =
         "Addresses for queries over HTTP/2 without TLS from a reverse proxy that ends the TLS of its clients, in the "
         "form of listen; port 8053 unless given. Only http-proxies may connect."},
    {.key = "http-proxies",
     .type = OPTION_PREFIXES,
     IN_LIST(http_proxies, http_proxy_count),
     .max = 256,
     .unset = "127.0.0.0/8,::1",
     .help =
         "The reverse proxies that may connect to listen-http; other connections are reset. For access.allow, limits "
         "and views each of them is one client."},
    {.key = "https-path",
     .type = OPTION_TEXT,
     IN(https_path),
     .max = 255,
     .unset = "/dns-query",
     .help =
         "The path of listen-https and listen-http, as in https://dns.example/dns-query. Requests for other paths get "
         "404."},
    {.key = "workers",
     .type = OPTION_INTEGER,
     IN(workers),
     .min = 1,
     .max = 64,
     .word = "auto",
     .restart_only = true,
     .unset = "1",
     .help = "Worker threads, 1 to 64. One core answers over 200,000 cache hits a second. Each worker has its own "
             "sessions, so several workers open more of them; idle ones close. auto: the number of processors by "
             "affinity and cgroup quota, at most 16, for machines that only run dotstub."},
    {.key = "upstreams",
     .type = OPTION_ITEMS,
     .items = &upstream_items,
     IN_LIST(upstreams, upstream_count),
     .max = 64,
     .unset = "google",
     .help =
         "The upstreams that queries are sent to, over DNS-over-TLS. A list in a file replaces this default. An item is "
         "the name of a preset, as in [quad9, cloudflare], or has the keys below. dotstub.yaml(5) lists the presets."},
    {.key = "upstream-policy",
     .type = OPTION_CHOICE,
     IN(upstream_policy),
     .choices = option_policies,
     .unset = "failover",
     .help =
         "How queries are divided among primary upstreams. failover: one server gets them until it fails or is found to be "
         "slower than another; the first in the list to begin with. fastest: the servers' response times are "
         "measured and the fastest one gets them. spread: each name belongs to one upstream, chosen by a keyed hash, "
         "so that no operator sees all names; while that upstream fails the others get them."},

    {.key = "groups",
     .type = OPTION_ITEMS,
     .items = &group_items,
     IN_LIST(groups, group_count),
     .max = 100,
     .unset = "",
     .help = "Groups of upstreams, for routes."},
    {.key = "forward",
     .type = OPTION_ITEMS,
     .items = &route_items,
     IN_LIST(forward, forward_count),
     .max = 500,
     .unset = "",
     .help = "Routes: names that are served by other upstreams than the rest. They take precedence over special-use "
             "names (home.arpa, internal, private reverse zones)."},
    {.key = "views",
     .type = OPTION_ITEMS,
     .items = &view_items,
     IN_LIST(views, view_count),
     .max = CONFIG_VIEWS_MAX,
     .unset = "",
     .help = "Clients that get other routes and upstreams than the rest, by their network or by the interface on which "
             "their queries come in."},

    {.key = "records",
     .type = OPTION_TEXTS,
     IN_LIST(records, record_count),
     .max = 10000,
     .unset = "",
     .help = "Records that are answered here, in zone-file syntax, as in - www.lab.example. 300 IN A 192.0.2.80; "
             "$TTL and $ORIGIN hold for those behind them, also in drop-ins. With zones, each must be in one of them."},
    {.key = "zones",
     .type = OPTION_ITEMS,
     .items = &zone_items,
     IN_LIST(zones, zone_count),
     .max = 1000,
     .unset = "",
     .help = "Zones that are served here, before routes and special-use names."},

    {.key = "hosts.files",
     .type = OPTION_PATHS,
     IN_LIST(hosts.files, hosts.file_count),
     .max = 64,
     .use = FILE_TREE,
     .unset = "/etc/hosts",
     .help =
         "Files in the format of /etc/hosts, or directories of such files, whose names are answered here. They are read "
         "again within a second after a change. A list in a file replaces this default; [] is none."},
    {.key = "hosts.leases",
     .type = OPTION_ITEMS,
     .items = &lease_items,
     IN_LIST(hosts.leases, hosts.lease_count),
     .max = 64,
     .unset = "",
     .help = "Lease files of DHCP servers, whose clients get names in a domain."},
    {.key = "hosts.entries",
     .type = OPTION_ITEMS,
     .items = &host_items,
     IN_LIST(hosts.entries, hosts.entry_count),
     .max = 10000,
     .unset = "",
     .help = "Names with their addresses, in addition to those of the files."},

    {.key = "tls.ca-file",
     .type = OPTION_TEXT,
     IN(tls.ca_file),
     .max = LONGEST_PATH,
     .unset = "system",
     .help = "The certification authorities that upstream certificates may chain to: system (the system's "
             "store), or a PEM file."},
    {.key = "tls.min-version",
     .type = OPTION_CHOICE,
     IN(tls.min_version),
     .choices = option_versions,
     .unset = "1.2",
     .help = "The lowest TLS version: 1.2 or 1.3."},
    {.key = "tls.sessions",
     .type = OPTION_INTEGER,
     IN(tls.sessions),
     .min = 1,
     .max = 64,
     .unset = "2",
     .help = "The most persistent sessions per server and worker. A second session is opened only under load."},
    {.key = "tls.idle",
     .type = OPTION_DURATION,
     IN(tls.idle_ms),
     .grain = MS,
     .min = 100,
     .max = DAY,
     .unset = "30s",
     .help = "dotstub closes a session after this time without a query. A shorter limit of the server takes "
             "precedence."},
    {.key = "tls.unanswered",
     .type = OPTION_SIZE,
     IN(tls.unanswered),
     .min = 128 * KIB,
     .max = 64 * MIB,
     .unset = "256KiB",
     .help = "dotstub closes a session on which the server has sent this many bytes without answering a query."},

    {.key = "tls-server.certificate",
     .type = OPTION_PATHS,
     IN_LIST(tls_server.certificates, tls_server.certificate_count),
     .max = 64,
     .unset = "",
     .help =
         "PEM files for listen-tls and listen-https, each with a certificate and the chain up to the root's. Of several certificates "
         "clients get the one for the name that they ask for, else the first. The files are read at the start, "
         "when they change and at each reload, by the daemon's user; connections stay."},
    {.key = "tls-server.key",
     .type = OPTION_PATHS,
     IN_LIST(tls_server.keys, tls_server.key_count),
     .max = 64,
     .unset = "",
     .help = "The PEM files with the keys of tls-server.certificate, in the same order, without a password."},
    {.key = "tls-server.client-ca",
     .type = OPTION_PATH,
     IN(tls_server.client_ca),
     .max = LONGEST_PATH,
     .word = "off",
     .unset = "off",
     .help =
         "A PEM file with certification authorities: clients of listen-tls and listen-https then need a certificate of one of them. "
         "off: no certificate."},
    {.key = "tls-server.ticket-key-file",
     .type = OPTION_PATH,
     IN(tls_server.ticket_key_file),
     .max = LONGEST_PATH,
     .word = "off",
     .unset = "off",
     .help = "A file with at least 32 random bytes that servers of a fleet share, so that clients resume a session "
             "with any of them. The key for tickets is derived from it and changes each day. off: a key of this "
             "process."},

    {.key = "discovery.name",
     .type = OPTION_HOST,
     IN(discovery_name),
     .max = LONGEST_NAME,
     .word = "off",
     .unset = "auto",
     .help = "The name under which listen-tls and listen-https are announced to clients that ask for encrypted "
             "resolvers (DDR, _dns.resolver.arpa). auto: the first name in tls-server.certificate. off: they are not "
             "announced."},

    {.key = "proxy-protocol.from",
     .type = OPTION_PREFIXES,
     IN_LIST(proxy_protocol.from, proxy_protocol.from_count),
     .max = 4096,
     .unset = "",
     .help =
         "Balancers that name their clients with the PROXY protocol, version 2. With one of them, listeners require "
         "that header before each connection and in each datagram, and take queries from nobody else. Access, "
         "limits, views and logs then apply to the client that it names. Empty: no header is accepted."},
    {.key = "proxy-protocol.listen",
     .type = OPTION_ADDRESSES,
     IN_LIST(proxy_protocol.listen, proxy_protocol.listen_count),
     .max = 64,
     .restart_only = true,
     .unset = "",
     .help = "The addresses of listeners that require the header, ADDR or ADDR@PORT; without a port, all listeners at "
             "the address; 0.0.0.0 and :: stand for those of their family. Empty: all listeners."},
    {.key = "proxy-protocol.private",
     .type = OPTION_PREFIXES,
     IN_LIST(proxy_protocol.private, proxy_protocol.private_count),
     .max = 64,
     .restart_only = true,
     .unset = "",
     .help = "Networks of addresses in listen that only your own machines can send to. The source address of a "
             "datagram can be forged, and with it the client in its header, so over UDP headers are accepted at these "
             "addresses and on loopback only."},

    {.key = "cache.size",
     .type = OPTION_SIZE,
     IN(cache.size),
     .min = MIB,
     .max = MIB << 20,
     .restart_only = true,
     .unset = "64MiB",
     .help = "Memory for the cache. At most a quarter of the memory of the machine or its cgroup is used."},
    {.key = "cache.min-ttl",
     .type = OPTION_DURATION,
     IN(cache.min_ttl),
     .grain = SECOND,
     .max = DAY,
     .unset = "0s",
     .help = "Positive responses with a shorter TTL are cached for this long. TTL 0 and negative responses are "
             "not raised."},
    {.key = "cache.max-ttl",
     .type = OPTION_DURATION,
     IN(cache.max_ttl),
     .grain = SECOND,
     .max = 30 * DAY,
     .unset = "1d",
     .help = "Responses with a longer TTL are cached for this long."},
    {.key = "cache.negative-max-ttl",
     .type = OPTION_DURATION,
     IN(cache.negative_max_ttl),
     .grain = SECOND,
     .max = 7 * DAY,
     .unset = "1h",
     .help = "Negative responses (NXDOMAIN and NODATA) with a longer TTL are cached for this long."},
    {.key = "cache.prefetch",
     .type = OPTION_BOOLEAN,
     IN(cache.prefetch),
     .unset = "yes",
     .help = "Refresh entries in use shortly before they expire."},
    {.key = "cache.rotate",
     .type = OPTION_BOOLEAN,
     IN(cache.rotate),
     .unset = "yes",
     .help =
         "Change the order of the A, AAAA and MX records of a name from response to response, so that clients that take "
         "the first one are spread over all."},
    {.key = "cache.nxdomain-cut",
     .type = OPTION_CHOICE,
     IN(cache.nxdomain_cut),
     .choices = cuts,
     .unset = "secure",
     .help = "Answer NXDOMAIN for names below a cached name that does not exist (RFC 8020). secure: if the upstream "
             "validated the NXDOMAIN response (AD). yes: always. no: never."},
    {.key = "cache.serve-stale",
     .type = OPTION_DURATION,
     IN(cache.serve_stale),
     .grain = SECOND,
     .max = 30 * DAY,
     .unset = "1d",
     .help = "When no server answers, serve responses that expired up to this long ago (RFC 8767). 0 turns it "
             "off."},
    {.key = "cache.stale-answer-after",
     .type = OPTION_DURATION,
     IN(cache.stale_answer_after_ms),
     .grain = MS,
     .max = 30 * SECOND,
     .unset = "1800ms",
     .help = "A client waits this long for a fresh response before it gets a stale one."},
    {.key = "cache.save",
     .type = OPTION_BOOLEAN,
     IN(cache.save),
     .restart_only = true,
     .unset = "no",
     .help = "Save the cache to cache.save-file when dotstub stops and every five minutes, and load it at the start."},
    {.key = "cache.save-file",
     .type = OPTION_PATH,
     IN(cache.save_file),
     .max = LONGEST_PATH,
     .use = FILE_SAVED,
     .restart_only = true,
     .unset = "/var/lib/dotstub/cache",
     .help = "The file of cache.save."},

    {.key = "dnssec.mode",
     .type = OPTION_CHOICE,
     IN(dnssec.mode),
     .choices = dnssec_modes,
     .unset = "upstream",
     .help =
         "upstream: the AD bit of responses is that of the upstream. validate: dotstub validates all responses itself, "
         "and answers SERVFAIL if one is bogus. off: no response has the AD bit. \"dnssec: validate\" is short for it."},
    {.key = "dnssec.trust-anchors",
     .type = OPTION_PATH,
     IN(dnssec.trust_anchors),
     .max = LONGEST_PATH,
     .unset = "/usr/share/dns/root.key",
     .help = "A file with DS or DNSKEY records of the zones where validation begins. The root's anchors are built in; "
             "those in this file replace them, but those in the default file, which may be missing, are added."},
    {.key = "dnssec.track-root",
     .type = OPTION_CHOICE,
     IN(dnssec.track),
     .choices = tracks,
     .unset = "auto",
     .help =
         "With validate: follow changes of the root's keys (RFC 5011), with the state beside cache.save-file. auto: "
         "unless dnssec.trust-anchors names a file of your own. yes: those in that file are followed, too."},
    {.key = "dnssec.aggressive",
     .type = OPTION_BOOLEAN,
     IN(dnssec.aggressive),
     .unset = "yes",
     .help = "With validate: names that a cached proof denies are answered without asking an upstream (RFC 8198)."},
    {.key = "dnssec.report-errors",
     .type = OPTION_BOOLEAN,
     IN(dnssec.report_errors),
     .unset = "no",
     .help =
         "With validate: report bogus data to the operator of its zone, if the response names an agent for reports "
         "(RFC 9567). The report is a query for a name below the agent's, which holds the name and type that a client "
         "queried."},
    {.key = "dnssec.negative",
     .type = OPTION_TEXTS,
     IN_LIST(dnssec.negative, dnssec.negative_count),
     .max = 1000,
     .unset = "",
     .help = "Names that are not validated, nor those below them (negative trust anchors, RFC 7646): NAME, or \"NAME "
             "until 2026-12-31\" or \"NAME until 2026-12-31T12:00Z\", in UTC. dotstubctl dnssec negative adds some at "
             "run time."},
    {.key = "store.servers",
     .type = OPTION_TEXTS,
     IN_LIST(store.servers, store.server_count),
     .max = 16,
     .unset = "",
     .help =
         "Servers of Redis or Valkey that the replicas of a fleet share as a second-level cache: HOST@PORT, "
         "ADDR@PORT, or the path of a unix socket; port 6379 unless given. Each entry is on one of them. Connections "
         "beyond loopback use TLS. The store is asked between a cache miss and the upstream, and never waited for "
         "longer than store.patience."},
    {.key = "store.sentinel",
     .type = OPTION_NAME,
     IN(store.sentinel),
     .max = 64,
     .word = "off",
     .unset = "off",
     .help =
         "The name of a master at Sentinels: the servers of store.servers are then Sentinels (mostly at port 26379, which "
         "has to be written), and the store is the master that they tell, followed when another server takes over. "
         "off: the servers are the store."},
    {.key = "store.sentinel-user",
     .type = OPTION_NAME,
     IN(store.sentinel_user),
     .max = 64,
     .word = "default",
     .unset = "default",
     .help = "The user of the Sentinels. default: their default user."},
    {.key = "store.sentinel-password-file",
     .type = OPTION_PATH,
     IN(store.sentinel_password_file),
     .max = LONGEST_PATH,
     .word = "off",
     .unset = "off",
     .help = "The file whose first line is the password for the Sentinels, which do not get store.password-file. off: "
             "none."},
    {.key = "store.cluster",
     .type = OPTION_BOOLEAN,
     IN(store.cluster),
     .unset = "no",
     .help =
         "The servers of store.servers belong to a cluster: some of its nodes are enough, the others are found. Its "
         "slots are followed when they move, and when another server takes over."},
    {.key = "store.read-from",
     .type = OPTION_CHOICE,
     IN(store.read_from),
     .choices = reads,
     .unset = "master",
     .help =
         "Which server of a cluster, or of those that Sentinels name, is asked for a value: the master, or with nearest that "
         "master or one of its replicas, by the lowest measured response time. A value that was just stored may be missing "
         "on a replica."},
    {.key = "store.node-ports",
     .type = OPTION_TEXTS,
     IN_LIST(store.node_ports, store.node_port_count),
     .max = 32,
     .unset = "6379",
     .help =
         "The ports, PORT or PORT-PORT, at which servers that Sentinels or a cluster name are connected, beside the ports of "
         "store.servers. Servers at other ports are refused and counted (store_nodes_refused)."},
    {.key = "store.patience",
     .type = OPTION_DURATION,
     IN(store.patience_ms),
     .min = MS,
     .max = SECOND,
     .grain = MS,
     .word = "auto",
     .unset = "auto",
     .help = "If the store takes longer to answer, the upstream is asked as well. auto: a quarter of the median "
             "response time of the upstream, at least 2ms and at most 20ms."},
    {.key = "store.fleet-key-file",
     .type = OPTION_PATH,
     IN(store.fleet_key_file),
     .max = LONGEST_PATH,
     .word = "off",
     .unset = "off",
     .help = "The file with the key of the fleet: 32 random bytes in base64, as openssl rand -base64 32 makes them. "
             "Names are hashed and values sealed with it, so the store learns neither. A second line may have "
             "another key that is only read with, for a change of keys. Required with store.servers. It is read at the "
             "start and at each reload."},
    {.key = "store.user",
     .type = OPTION_NAME,
     IN(store.user),
     .max = 64,
     .word = "default",
     .unset = "default",
     .help = "The user of the store's servers. default: their default user."},
    {.key = "store.password-file",
     .type = OPTION_PATH,
     IN(store.password_file),
     .max = LONGEST_PATH,
     .word = "off",
     .unset = "off",
     .help = "The file whose first line is the password for the store's servers. off: none."},
    {.key = "store.ca-file",
     .type = OPTION_PATH,
     IN(store.ca_file),
     .max = LONGEST_PATH,
     .word = "default",
     .unset = "default",
     .help = "A PEM file with the certification authorities of the store's servers. default: as tls.ca-file."},
    {.key = "store.tls-name",
     .type = OPTION_HOST,
     IN(store.tls_name),
     .max = LONGEST_NAME,
     .word = "default",
     .unset = "default",
     .help = "The name that certificates of the store's servers must have. default: the name or address in "
             "store.servers."},
    {.key = "store.write-queue",
     .type = OPTION_SIZE,
     IN(store.write_queue),
     .min = 16 * KIB,
     .max = 64 * MIB,
     .unset = "1MiB",
     .help = "Values that a connection to the store has not taken yet, in bytes. Further ones are dropped and counted "
             "(store_puts_dropped); they cost no answer."},
    {.key = "store.warm-names",
     .type = OPTION_INTEGER,
     IN(store.warm_names),
     .max = 5000,
     .unset = "1000",
     .help =
         "After the start the most popular names of the fleet are taken from the store, at most this number for each "
         "set of upstreams. 0 turns that off."},

    {.key = "limits.answer-by",
     .type = OPTION_DURATION,
     IN(limits.answer_by_ms),
     .grain = MS,
     .min = 100,
     .max = 30 * SECOND,
     .unset = "3500ms",
     .help = "Every accepted query is answered within this time: with a fresh response, a stale one, or SERVFAIL "
             "with an extended error."},
    {.key = "limits.queries-in-flight",
     .type = OPTION_INTEGER,
     IN(limits.queries_in_flight),
     .min = 1,
     .max = 1000000,
     .unset = "10000",
     .help = "The most queries that wait for a response at once, per worker."},
    {.key = "limits.tcp-clients",
     .type = OPTION_INTEGER,
     IN(limits.tcp_clients),
     .min = 1,
     .max = 100000,
     .unset = "1000",
     .help = "The most TCP connections of clients, per worker."},
    {.key = "limits.tcp-output",
     .type = OPTION_SIZE,
     IN(limits.tcp_output),
     .min = 256 * KIB,
     .max = MIB << 10,
     .unset = "4MiB",
     .help = "The most memory for responses that TCP clients have not read yet, per worker. A client network (an IPv4 "
             "address, an IPv6 /56) may hold a quarter. Beyond that its queries wait until it reads; a client that "
             "reads nothing for 5 seconds is disconnected."},
    {.key = "limits.tcp-idle",
     .type = OPTION_DURATION,
     IN(limits.tcp_idle_ms),
     .grain = MS,
     .min = 100,
     .max = HOUR,
     .unset = "10s",
     .help = "A client's TCP connection is closed after this time without a complete query."},
    {.key = "limits.udp-size",
     .type = OPTION_INTEGER,
     IN(limits.udp_size),
     .min = 512,
     .max = 4096,
     .unset = "1232",
     .help = "The largest UDP response in bytes, 512 to 4096."},
    {.key = "limits.udp-waiting",
     .type = OPTION_INTEGER,
     IN(limits.udp_waiting),
     .min = 1,
     .max = 1000000,
     .unset = "100",
     .help = "While more UDP queries than this of one client network beyond loopback wait for a response, responses "
             "later than 2 seconds, and those that would exceed three times the bytes received, are sent with TC: "
             "the client retries over TCP."},
    {.key = "limits.added-routes",
     .type = OPTION_INTEGER,
     IN(limits.added_routes),
     .max = 400,
     .unset = "100",
     .help = "The most routes that dotstubctl forward adds, 0 to 400."},

    {.key = "portal.names",
     .type = OPTION_NAMES,
     IN_LIST(portal.names, portal.name_count),
     .max = 32,
     .unset =
         "captive.apple.com,connectivity-check.ubuntu.com,connectivitycheck.android.com,connectivitycheck.gstatic.com,"
         "detectportal.firefox.com,fedoraproject.org,network-test.debian.org,networkcheck.kde.org,neverssl.com,"
         "nmcheck.gnome.org,www.msftconnecttest.com",
     .help =
         "The names that dotstubctl portal open sends without encryption to the resolver of a captive portal, for a "
         "few minutes: those by which programs find such a portal. Names below them are not sent. A list in a file "
         "replaces this default."},

    {.key = "access.allow",
     .type = OPTION_PREFIXES,
     IN_LIST(access.allow, access.allow_count),
     .max = 4096,
     .unset = "127.0.0.0/8,::1",
     .help = "Networks whose queries are answered. Required when listening beyond loopback. IPv4-mapped "
             "addresses match as IPv4."},
    {.key = "access.deny-clients",
     .type = OPTION_PREFIXES,
     IN_LIST(access.deny_clients, access.deny_count),
     .max = 4096,
     .unset = "",
     .help = "Clients and networks within access.allow whose queries are refused nevertheless (access.deny)."},
    {.key = "access.deny",
     .type = OPTION_CHOICE,
     IN(access.deny),
     .choices = denials,
     .unset = "refuse",
     .help = "The response to other clients: refuse (REFUSED) or drop (none)."},

    {.key = "identity.version",
     .type = OPTION_TEXT,
     IN(identity.version),
     .max = 255,
     .word = "off",
     .unset = "off",
     .help = "The response to version.bind and version.server in class CH. off: REFUSED."},
    {.key = "identity.hostname",
     .type = OPTION_TEXT,
     IN(identity.hostname),
     .max = 255,
     .word = "off",
     .unset = "off",
     .help = "The response to hostname.bind and id.server in class CH, and to the NSID option of allowed clients. off: "
             "REFUSED, and no NSID."},

    {.key = "cookies",
     .type = OPTION_BOOLEAN,
     IN(cookies),
     .unset = "yes",
     .help =
         "Send server cookies (RFC 7873) to clients beyond loopback. A client that returns one does not use a forged "
         "source address: rate-limit.responses does not apply to it, and it gets responses to ANY over UDP."},
    {.key = "cookie-secret-file",
     .type = OPTION_PATH,
     IN(cookie_secret_file),
     .max = LONGEST_PATH,
     .word = "off",
     .unset = "off",
     .help =
         "A file with the cookie secrets, for servers that share an address (anycast): one per line, 32 hexadecimal "
         "digits. New cookies are made with the first one; cookies made with any of them are accepted. It is read at "
         "the start and at each reload, by the daemon's user. off: secrets of this process, a new one each day."},
    {.key = "rate-limit.responses",
     .type = OPTION_INTEGER,
     IN(rate_limit_responses),
     .max = 1000000,
     .unset = "0",
     .help = "The most responses a second over UDP to one network (/24, /56) beyond loopback, per worker. Above it "
             "clients get TC, and retry over TCP, or BADCOOKIE, and retry with the cookie; queries with a valid cookie "
             "are not limited. 0: no limit."},
    {.key = "rebind-protection",
     .type = OPTION_CHOICE,
     IN(rebind_protection),
     .choices = rebind_ways,
     .unset = "auto",
     .help =
         "Answer NODATA instead of private addresses in responses of upstreams, so that a web page cannot reach "
         "devices of the local network through its own domain. auto: for clients beyond loopback; yes: for all; no."},
    {.key = "rebind-allow",
     .type = OPTION_NAMES,
     IN_LIST(rebind_allow, rebind_allow_count),
     .max = 4096,
     .unset = "",
     .help = "Names at and below which private addresses are served, as in [corp.example]."},

    {.key = "block.lists",
     .type = OPTION_ITEMS,
     .items = &block_items,
     IN_LIST(block.lists, block.list_count),
     .max = 64,
     .unset = "",
     .help =
         "Lists of names that are blocked. The first list with a rule for a name decides, and in it the rule for the "
         "longest name. Names are also blocked behind a CNAME. Changed files are loaded at once."},
    {.key = "block.answer",
     .type = OPTION_TEXTS,
     IN_LIST(block.answer, block.answer_count),
     .max = 16,
     .unset = "nxdomain",
     .help =
         "The response to queries for blocked names: nxdomain; nodata; zero: the addresses 0.0.0.0 and ::; or a list "
         "of addresses."},
    {.key = "block.exceptions",
     .type = OPTION_NAMES,
     IN_LIST(block.exceptions, block.exception_count),
     .max = 10000,
     .unset = "",
     .help = "Names that are not blocked, nor those below them, whatever the lists say."},
    {.key = "block.ttl",
     .type = OPTION_DURATION,
     IN(block.ttl),
     .grain = SECOND,
     .max = DAY,
     .unset = "10s",
     .help = "The TTL of responses for blocked names; an unblocked name is available after this time."},
    {.key = "block.max-names",
     .type = OPTION_INTEGER,
     IN(block.max_names),
     .min = 1,
     .max = 100000000,
     .unset = "10000000",
     .help =
         "A list with more names than this is refused. A name takes about 12 bytes of memory, and 40 while the list "
         "is loaded."},
    {.key = "block.directory",
     .type = OPTION_PATH,
     IN(block.directory),
     .max = LONGEST_PATH,
     .use = FILE_TREE,
     .unset = "/var/lib/dotstub/block",
     .help = "Where dotstubctl block update puts the lists that it fetches."},
    {.key = "block.ca-file",
     .type = OPTION_TEXT,
     IN(block.ca_file),
     .max = LONGEST_PATH,
     .unset = "system",
     .help = "The certification authorities of servers with lists: system, or a PEM file."},
    {.key = "block.max-size",
     .type = OPTION_SIZE,
     IN(block.max_size),
     .min = KIB,
     .max = MIB << 12,
     .unset = "256MiB",
     .help = "A list that is longer than this is not fetched."},

    {.key = "single-label",
     .type = OPTION_CHOICE,
     IN(single_label),
     .choices = single_labels,
     .unset = "forward",
     .help = "Names of one label, as printer: forward queries for their addresses and services (A, AAAA, HTTPS, SVCB) "
             "to the upstreams, refuse them, or look for them in the domains of search."},

    {.key = "search",
     .type = OPTION_NAMES,
     IN_LIST(search, search_count),
     .max = 16,
     .unset = "",
     .help = "The domains of single-label: search, in the order in which they are tried."},
    {.key = "filter-aaaa",
     .type = OPTION_BOOLEAN,
     IN(filter_aaaa),
     .unset = "no",
     .help =
         "Leave IPv6 addresses (AAAA records) out of responses of upstreams, for networks whose IPv6 does not work."},
    {.key = "filter-aaaa-clients",
     .type = OPTION_PREFIXES,
     IN_LIST(filter_aaaa_clients, filter_aaaa_client_count),
     .max = 64,
     .unset = "",
     .help = "The clients that filter-aaaa is for. []: all."},
    {.key = "dns64.prefix",
     .type = OPTION_TEXT,
     IN(dns64_prefix),
     .max = 64,
     .word = "off",
     .unset = "off",
     .help =
         "Give clients of networks that have only IPv6 and a NAT64 gateway an address with this prefix for names that "
         "have only IPv4 addresses, such as 64:ff9b::/96. discover: the prefix is that of ipv4only.arpa."},
    {.key = "sort-addresses",
     .type = OPTION_PREFIXES,
     IN_LIST(sort_addresses, sort_address_count),
     .max = 64,
     .unset = "",
     .help = "Networks of addresses that come first in responses, in this order."},
    {.key = "special.proof",
     .type = OPTION_BOOLEAN,
     IN(special_proof),
     .unset = "yes",
     .help =
         "Give validating clients the root's proof that test, local, internal, alt, onion and invalid do not exist. The "
         "upstream is queried for the DS of the top-level name, never for the name itself."},
    {.key = "health.name",
     .type = OPTION_HOST,
     IN(health_name),
     .max = LONGEST_NAME,
     .word = "off",
     .unset = "off",
     .help = "A name for health checks over DNS. dotstub answers it itself: A 127.0.0.1, AAAA ::1, NODATA for "
             "other types, REFUSED while it drains. off: none."},
    {.key = "drain.time",
     .type = OPTION_DURATION,
     IN(drain_ms),
     .grain = MS,
     .max = HOUR,
     .unset = "0s",
     .help = "On SIGTERM dotstub goes on answering for this long, while /readyz and health.name tell load "
             "balancers to use other servers. 0s: it stops at once."},

    {.key = "control.socket",
     .type = OPTION_PATH,
     IN(control_socket),
     .max = LONGEST_SOCKET_PATH,
     .use = FILE_SOCKET,
     .word = "off",
     .restart_only = true,
     .unset = "/run/dotstub/control.sock",
     .help = "The unix socket of dotstubctl. off: none."},

    {.key = "metrics.listen",
     .type = OPTION_ADDRESS,
     IN_LIST(metrics_listen, has_metrics),
     .port = PORT_WANTED,
     .word = "off",
     .restart_only = true,
     .unset = "off",
     .help = "ADDR@PORT for /metrics, /healthz, /readyz and the status page at /. Read-only. off: none."},
    {.key = "metrics.clients",
     .type = OPTION_INTEGER,
     IN(metrics_clients),
     .min = 2,
     .max = 1000,
     .restart_only = true,
     .unset = "64",
     .help = "The most connections to metrics.listen. One more disconnects the oldest one of the client network with "
             "the most."},
    {.key = "metrics.hosts",
     .type = OPTION_HOSTS,
     IN_LIST(metrics_hosts, metrics_host_count),
     .max = 64,
     .unset = "",
     .help = "Host names, besides localhost and this machine's own, under which browsers may open the status page of "
             "metrics.listen. /metrics, /healthz and /readyz answer under any name."},
    {.key = "metrics.names",
     .type = OPTION_BOOLEAN,
     IN(metrics_names),
     .unset = "no",
     .help = "Show the names of slow and failed queries on the status page of metrics.listen to clients that "
             "send the token."},
    {.key = "metrics.token-file",
     .type = OPTION_PATH,
     IN(metrics_token_file),
     .max = LONGEST_PATH,
     .word = "off",
     .restart_only = true,
     .unset = "off",
     .help = "The file whose first line is the token of metrics.names, 16 to 256 characters. It is read at the "
             "start, before root privileges are dropped."},

    {.key = "dnstap.socket",
     .type = OPTION_PATH,
     IN(dnstap_socket),
     .max = LONGEST_SOCKET_PATH,
     .use = FILE_PEER,
     .word = "off",
     .unset = "off",
     .restart_only = true,
     .help = "A unix socket of a program that takes copies of client and upstream messages (dnstap). off: none. "
             "For builds with --enable-dnstap."},

    {.key = "sandbox",
     .type = OPTION_CHOICE,
     IN(sandbox),
     .choices = sandboxes,
     .restart_only = true,
     .unset = "on",
     .help = "Once it runs, dotstub gives up system calls, files and TCP ports that it does not need (seccomp, and "
             "Landlock where the kernel has it). A reload that needs more says that a restart is needed. kill: a "
             "forbidden system call ends the process."},

    {.key = "log.level",
     .type = OPTION_CHOICE,
     IN(log_level),
     .choices = levels,
     .unset = "info",
     .help = "The log level: error, warning, info or debug."},
    {.key = "log.modules",
     .type = OPTION_LEVELS,
     IN_LIST(log_modules, log_module_count),
     .max = 64,
     .unset = "",
     .help = "Log levels of single modules, MODULE=LEVEL, such as tls=debug. dotstub.yaml(5) lists the modules."},
    {.key = "log.format",
     .type = OPTION_CHOICE,
     IN(log_format),
     .choices = formats,
     .restart_only = true,
     .unset = "text",
     .help = "text, or json: one object a line."},
    {.key = "log.output",
     .type = OPTION_CHOICE,
     IN(log_output),
     .choices = outputs,
     .restart_only = true,
     .unset = "stderr",
     .help = "Where the log goes: stderr or stdout."},
    {.key = "log.queries",
     .type = OPTION_BOOLEAN,
     IN(log_queries),
     .unset = "no",
     .help = "Log one line per answered query: the client, the query, the kind of response, and the time it "
             "took."},
    {.key = "log.queries-sample",
     .type = OPTION_INTEGER,
     IN(log_queries_sample),
     .min = 1,
     .max = 1000000,
     .unset = "1",
     .help = "With log.queries, log one of this many queries."},
    {.key = "log.slow",
     .type = OPTION_DURATION,
     IN(log_slow_ms),
     .grain = MS,
     .min = 1,
     .max = 30 * SECOND,
     .unset = "500ms",
     .help = "For each query that waited longer than this, and for each failed one, dotstub records where the time "
             "went; dotstubctl explain shows it."},
};
const size_t option_count = sizeof(options) / sizeof(*options);

size_t option_index(const struct option *table, size_t count, const char *key)
{
    size_t i = 0;
    while (i < count && strcmp(table[i].key, key) != 0)
        i++;
    return i;
}

const char *option_variable(const struct option *option, char out[OPTION_VARIABLE_TEXT])
{
    snprintf(out, OPTION_VARIABLE_TEXT, "DOTSTUB_%s", option->key);
    for (char *at = out; *at; at++)
        *at = *at == '.' || *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    return out;
}

size_t option_by_variable(const char *variable)
{
    char name[OPTION_VARIABLE_TEXT];
    size_t i = 0;
    while (i < option_count && strcmp(option_variable(&options[i], name), variable) != 0)
        i++;
    return i;
}

size_t option_section(const struct option *option)
{
    const char *dot = strchr(option->key, '.');
    return dot ? (size_t)(dot - option->key) : 0;
}

bool option_begins_section(const struct option *table, const struct option *option)
{
    size_t len = option_section(option);
    return len > 0 &&
           (option == table || option_section(option - 1) != len || strncmp(option[-1].key, option->key, len) != 0);
}

const char *option_leaf(const struct option *option)
{
    size_t section = option_section(option);
    return section ? option->key + section + 1 : option->key;
}

const char *option_noun(const struct option_items *of)
{
    return strchr(of->one, ' ') + 1;
}
