/* SPDX-License-Identifier: MIT */
/* Invariants: settings of one section stand together; every default is accepted by its own line (a test reads
 * them all). A new setting is a member of struct config and a line here. */
#include "config/options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "config/config.h"

#define MEMBER(type, member)   .at = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define IN(member)             MEMBER(config, member)
#define OF(member)             MEMBER(config_upstream, member)
#define IN_LIST(member, count) IN(member), .beside = offsetof(struct config, count)
#define OF_LIST(member, count) OF(member), .beside = offsetof(struct config_upstream, count)

#define MS                  1u
#define SECOND              UINT64_C(1000)
#define HOUR                (3600 * SECOND)
#define DAY                 (24 * HOUR)
#define MIB                 (UINT64_C(1) << 20)
#define LONGEST_PATH        4095
#define LONGEST_SOCKET_PATH 107 /* sun_path with its NUL */
#define LONGEST_NAME        253

static const struct choice roles[] = {{"primary", ROLE_PRIMARY}, {"backup", ROLE_BACKUP}, {0}};
static const struct choice ecs_ways[] = {{"off", ECS_OFF}, {"default", ECS_DEFAULT}, {0}};
static const struct choice denials[] = {{"refuse", DENY_REFUSE}, {"drop", DENY_DROP}, {0}};
static const struct choice versions[] = {{"1.2", 12}, {"1.3", 13}, {0}};
static const struct choice levels[] = {{"error", LOG_LEVEL_ERROR},
                                       {"warning", LOG_LEVEL_WARNING},
                                       {"info", LOG_LEVEL_INFO},
                                       {"debug", LOG_LEVEL_DEBUG},
                                       {0}};
static const struct choice formats[] = {{"text", LOG_FORMAT_TEXT}, {"json", LOG_FORMAT_JSON}, {0}};
static const struct choice outputs[] = {{"stderr", OUTPUT_STDERR}, {"stdout", OUTPUT_STDOUT}, {0}};

const struct option options[] = {
    {.key = "listen",
     .type = OPTION_ADDRESSES,
     IN_LIST(listen, listen_count),
     .max = 64,
     .port = 53,
     .at_start = true,
     .unset = "127.0.0.1,::1",
     .help = "Addresses for questions over UDP and TCP, ADDR or ADDR@PORT; port 53 unless named. By "
             "default a missing address family is one line of information; an address named here must "
             "come up, or it is an error. Beyond loopback access.allow must be named too."},
    {.key = "workers",
     .type = OPTION_INTEGER,
     IN(workers),
     .min = 1,
     .max = 64,
     .word = "auto",
     .at_start = true,
     .unset = "1",
     .help = "Threads, 1 to 64. One core answers over 200,000 hits a second; at low rates several "
             "workers would each keep sessions that grow cold. auto: processors by affinity and cgroup "
             "quota, 16 at most, for machines whose job this is."},
    {.key = "upstreams",
     .type = OPTION_UPSTREAMS,
     IN_LIST(upstreams, upstream_count),
     .max = 64,
     .unset = "dns.google",
     .help = "Who is asked, over DNS-over-TLS. Upstreams named in a file take the place of this default."},

    {.key = "tls.ca-file",
     .type = OPTION_TEXT,
     IN(tls.ca_file),
     .max = LONGEST_PATH,
     .unset = "system",
     .help = "Who may vouch for certificates: the system's store, or a PEM file."},
    {.key = "tls.min-version",
     .type = OPTION_CHOICE,
     IN(tls.min_version),
     .choices = versions,
     .unset = "1.2",
     .help = "Lowest version of TLS: 1.2 or 1.3."},
    {.key = "tls.sessions",
     .type = OPTION_INTEGER,
     IN(tls.sessions),
     .min = 1,
     .max = 64,
     .unset = "2",
     .help = "Persistent sessions per server and worker, at most; a second one only under pressure."},
    {.key = "tls.idle",
     .type = OPTION_DURATION,
     IN(tls.idle_ms),
     .grain = MS,
     .min = 100,
     .max = DAY,
     .unset = "30s",
     .help = "A session is closed by us after this time without a question; the server's own limit wins "
             "when it is shorter."},

    {.key = "cache.size",
     .type = OPTION_SIZE,
     IN(cache.size),
     .min = MIB,
     .max = MIB << 20,
     .at_start = true,
     .unset = "64MiB",
     .help = "Memory for answers. Lowered to a quarter of the memory that the machine or the cgroup "
             "allows, if that is less."},
    {.key = "cache.min-ttl",
     .type = OPTION_DURATION,
     IN(cache.min_ttl),
     .grain = SECOND,
     .max = DAY,
     .unset = "0s",
     .help = "Shorter lives of answers are raised to this; not those of 0, nor of answers that say "
             "\"no such name\" or \"no such record\"."},
    {.key = "cache.max-ttl",
     .type = OPTION_DURATION,
     IN(cache.max_ttl),
     .grain = SECOND,
     .max = 30 * DAY,
     .unset = "1d",
     .help = "Longer lives of answers are lowered to this."},
    {.key = "cache.negative-max-ttl",
     .type = OPTION_DURATION,
     IN(cache.negative_max_ttl),
     .grain = SECOND,
     .max = 7 * DAY,
     .unset = "1h",
     .help = "The same for \"no such name\" and \"no such record\"."},
    {.key = "cache.prefetch",
     .type = OPTION_BOOLEAN,
     IN(cache.prefetch),
     .unset = "yes",
     .help = "Ask again for names in use shortly before their answers expire."},
    {.key = "cache.serve-stale",
     .type = OPTION_DURATION,
     IN(cache.serve_stale),
     .grain = SECOND,
     .max = 30 * DAY,
     .unset = "1d",
     .help = "When no server answers, give answers that expired up to this long ago (RFC 8767); 0 turns it off."},
    {.key = "cache.stale-answer-after",
     .type = OPTION_DURATION,
     IN(cache.stale_answer_after_ms),
     .grain = MS,
     .max = 30 * SECOND,
     .unset = "1800ms",
     .help = "A client waits this long for a fresh answer before it gets a stale one."},
    {.key = "cache.save",
     .type = OPTION_BOOLEAN,
     IN(cache.save),
     .at_start = true,
     .unset = "no",
     .help = "Keep the cache over a restart, in cache.save-file: written at the stop and every five minutes."},
    {.key = "cache.save-file",
     .type = OPTION_PATH,
     IN(cache.save_file),
     .max = LONGEST_PATH,
     .at_start = true,
     .unset = "/var/lib/dotstub/cache",
     .help = "The file for it."},

    {.key = "limits.answer-by",
     .type = OPTION_DURATION,
     IN(limits.answer_by_ms),
     .grain = MS,
     .min = 100,
     .max = 30 * SECOND,
     .unset = "3500ms",
     .help = "Every accepted question is answered by then: fresh, stale, or SERVFAIL with an extended error."},
    {.key = "limits.queries-in-flight",
     .type = OPTION_INTEGER,
     IN(limits.queries_in_flight),
     .min = 1,
     .max = 1000000,
     .unset = "10000",
     .help = "Questions that wait for an answer at once, per worker."},
    {.key = "limits.tcp-clients",
     .type = OPTION_INTEGER,
     IN(limits.tcp_clients),
     .min = 1,
     .max = 100000,
     .unset = "1000",
     .help = "TCP connections of clients, per worker."},
    {.key = "limits.tcp-idle",
     .type = OPTION_DURATION,
     IN(limits.tcp_idle_ms),
     .grain = MS,
     .min = 100,
     .max = HOUR,
     .unset = "10s",
     .help = "A client's TCP connection is closed after this time without a question."},
    {.key = "limits.udp-size",
     .type = OPTION_INTEGER,
     IN(limits.udp_size),
     .min = 512,
     .max = 4096,
     .unset = "1232",
     .help = "Largest UDP answer in bytes, 512 to 4096."},

    {.key = "access.allow",
     .type = OPTION_PREFIXES,
     IN_LIST(access.allow, access.allow_count),
     .max = 4096,
     .unset = "127.0.0.0/8,::1",
     .help = "Networks whose questions are answered. Required when listening beyond loopback. "
             "IPv4-mapped addresses match as IPv4."},
    {.key = "access.deny",
     .type = OPTION_CHOICE,
     IN(access.deny),
     .choices = denials,
     .unset = "refuse",
     .help = "What others get: refuse (REFUSED) or drop (nothing)."},

    {.key = "identity.version",
     .type = OPTION_TEXT,
     IN(identity.version),
     .max = 255,
     .word = "off",
     .unset = "off",
     .help = "The answer to version.bind and version.server in class CH; off: REFUSED."},
    {.key = "identity.hostname",
     .type = OPTION_TEXT,
     IN(identity.hostname),
     .max = 255,
     .word = "off",
     .unset = "off",
     .help = "The answer to hostname.bind and id.server in class CH; off: REFUSED."},

    {.key = "health.name",
     .type = OPTION_HOST,
     IN(health_name),
     .max = LONGEST_NAME,
     .word = "off",
     .unset = "off",
     .help = "A name for health checks over DNS, answered here: A 127.0.0.1, AAAA ::1, nothing for other types; "
             "REFUSED while draining. off: none."},
    {.key = "drain.time",
     .type = OPTION_DURATION,
     IN(drain_ms),
     .grain = MS,
     .max = HOUR,
     .unset = "0s",
     .help = "On SIGTERM questions are answered for so long before the end, while /readyz and health.name tell load "
             "balancers to go elsewhere; 0s: none of that."},

    {.key = "control.socket",
     .type = OPTION_PATH,
     IN(control_socket),
     .max = LONGEST_SOCKET_PATH,
     .word = "off",
     .at_start = true,
     .unset = "/run/dotstub/control.sock",
     .help = "Unix socket for dotstubctl; off: none."},

    {.key = "metrics.listen",
     .type = OPTION_ADDRESS,
     IN_LIST(metrics_listen, has_metrics),
     .port = PORT_WANTED,
     .word = "off",
     .at_start = true,
     .unset = "off",
     .help = "ADDR@PORT for /metrics, /healthz, /readyz and, at /, a status page; read-only; off: none."},
    {.key = "metrics.names",
     .type = OPTION_BOOLEAN,
     IN(metrics_names),
     .unset = "no",
     .help = "Let the status page there show the names of slow and failed questions to who has the token."},
    {.key = "metrics.token-file",
     .type = OPTION_PATH,
     IN(metrics_token_file),
     .max = LONGEST_PATH,
     .word = "off",
     .at_start = true,
     .unset = "off",
     .help = "A file whose first line is that token, 16 to 256 characters; read at start, before root is given up."},

    {.key = "dnstap.socket",
     .type = OPTION_PATH,
     IN(dnstap_socket),
     .max = LONGEST_SOCKET_PATH,
     .word = "off",
     .unset = "off",
     .at_start = true,
     .help =
         "A unix socket on which a program takes copies of questions and answers (dnstap), those of clients and those of "
         "upstreams; off: none. For builds with --enable-dnstap."},

    {.key = "log.level",
     .type = OPTION_CHOICE,
     IN(log_level),
     .choices = levels,
     .unset = "info",
     .help = "error, warning, info or debug."},
    {.key = "log.modules",
     .type = OPTION_LEVELS,
     IN_LIST(log_modules, log_module_count),
     .max = 64,
     .unset = "",
     .help =
         "Modules with a level of their own, MODULE=LEVEL, as in tls=debug; the modules are named in dotstub.yaml(5)."},
    {.key = "log.format",
     .type = OPTION_CHOICE,
     IN(log_format),
     .choices = formats,
     .at_start = true,
     .unset = "text",
     .help = "text, or json: one object a line."},
    {.key = "log.output",
     .type = OPTION_CHOICE,
     IN(log_output),
     .choices = outputs,
     .at_start = true,
     .unset = "stderr",
     .help = "stderr or stdout."},
    {.key = "log.queries",
     .type = OPTION_BOOLEAN,
     IN(log_queries),
     .unset = "no",
     .help = "One line for each question that is answered: who asked, what, how it was answered and after how long."},
    {.key = "log.queries-sample",
     .type = OPTION_INTEGER,
     IN(log_queries_sample),
     .min = 1,
     .max = 1000000,
     .unset = "1",
     .help = "With log.queries: a line for one question in so many."},
    {.key = "log.slow",
     .type = OPTION_DURATION,
     IN(log_slow_ms),
     .grain = MS,
     .min = 1,
     .max = 30 * SECOND,
     .unset = "500ms",
     .help =
         "Where the time of a question went that waited longer than this is kept for dotstubctl explain; so it is of one that failed."},
};
const size_t option_count = sizeof(options) / sizeof(*options);

const struct option upstream_options[] = {
    {.key = "name",
     .type = OPTION_NAME,
     OF(name),
     .max = LONGEST_NAME,
     .help = "A word for log lines; drop-ins go by it."},
    {.key = "tls-name",
     .type = OPTION_HOST,
     OF(tls_name),
     .max = LONGEST_NAME,
     .word = "",
     .unset = "",
     .help = "The name that the certificate must be for. Required unless there are pins: \"any "
             "certificate will do\" does not exist."},
    {.key = "addresses",
     .type = OPTION_ADDRESSES,
     OF_LIST(addresses, address_count),
     .max = 32,
     .port = PORT_LATER,
     .help = "ADDR or ADDR@PORT. Required."},
    {.key = "port",
     .type = OPTION_INTEGER,
     OF(port),
     .min = 1,
     .max = 65535,
     .unset = "853",
     .help = "The port of addresses that name none."},
    {.key = "pins",
     .type = OPTION_PINS,
     OF_LIST(pins, pin_count),
     .max = 16,
     .unset = "",
     .help = "sha256/BASE64 of the server's key. With tls-name both must hold. Pins alone: the key must "
             "match; chain, name and dates are not looked at."},
    {.key = "role",
     .type = OPTION_CHOICE,
     OF(role),
     .choices = roles,
     .unset = "primary",
     .help = "primary or backup: used while no primary answers."},
    {.key = "ecs",
     .type = OPTION_CHOICE,
     OF(ecs),
     .choices = ecs_ways,
     .unset = "off",
     .help = "off: sends 0.0.0.0/0 (RFC 7871), so that the upstream adds no client subnet. default: sends none."},
    {.key = "max-qps",
     .type = OPTION_INTEGER,
     OF(max_qps),
     .max = 1000000,
     .unset = "0",
     .help = "Questions a second; 0: no limit. The built-in google has 1000: it throttles a client above that."},
    {.key = "ca-file",
     .type = OPTION_TEXT,
     OF(ca_file),
     .max = LONGEST_PATH,
     .word = "",
     .unset = "",
     .help = "As tls.ca-file, for this upstream alone."},
    {.key = "min-version",
     .type = OPTION_CHOICE,
     OF(min_version),
     .choices = versions,
     .word = "",
     .unset = "",
     .help = "As tls.min-version, for this upstream alone."},
    {.key = "source",
     .type = OPTION_ADDRESS,
     OF_LIST(source, has_source),
     .port = PORT_REFUSED,
     .word = "",
     .unset = "",
     .help = "Address to connect from."},
};
const size_t upstream_option_count = sizeof(upstream_options) / sizeof(*upstream_options);

const struct builtin builtin_upstream[] = {
    {"name", "google"},
    {"tls-name", "dns.google"},
    {"addresses", "8.8.8.8,8.8.4.4,2001:4860:4860::8888,2001:4860:4860::8844"},
    {"max-qps", "1000"},
};
const size_t builtin_upstream_count = sizeof(builtin_upstream) / sizeof(*builtin_upstream);

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
