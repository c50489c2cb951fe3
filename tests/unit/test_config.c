/* The whole way from texts, files and variables to a snapshot, and back. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/mem.h"
#include "config/load.h"
#include "config/options.h"

#define VARIABLES(...) (char *const *)(const char *const[]){__VA_ARGS__, NULL}

static const struct machine large = {.processors = 4, .memory = UINT64_C(64) << 30};

/* What a reading gave: a snapshot or mistakes. */
struct result {
    struct config *config;
    int error;
    char *said;
    size_t said_len;
};

static struct result load_on(const struct machine *machine, const char *text, char *const *variables)
{
    struct result result = {0};
    FILE *errors = open_memstream(&result.said, &result.said_len);
    result.error = load_text(&result.config, "f", text, strlen(text), variables, machine, errors);
    fclose(errors);
    return result;
}

static struct result load(const char *text)
{
    return load_on(&large, text, NULL);
}

static void end(struct result *result)
{
    config_unref(result->config);
    free(result->said);
}

static struct result loaded_with(const char *text, char *const *variables)
{
    struct result result = load_on(&large, text, variables);
    if (result.error)
        fail_msg("%s", result.said);
    assert_string_equal(result.said, "");
    return result;
}

static struct result loaded(const char *text)
{
    return loaded_with(text, NULL);
}

static void check_refusal(struct result *result, const char *said)
{
    assert_null(result->config);
    assert_int_equal(result->error, ERROR_CONFIG);
    assert_string_equal(result->said, said);
    end(result);
}

/* The text is refused with exactly this report. */
static void refused(const char *text, const char *said)
{
    struct result result = load(text);
    check_refusal(&result, said);
}

static void refused_with(const char *text, char *const *variables, const char *said)
{
    struct result result = load_on(&large, text, variables);
    check_refusal(&result, said);
}

static void same_addr(const struct addr *addr, const char *text)
{
    char formatted[ADDR_TEXT];
    assert_string_equal(addr_format(addr, true, formatted), text);
}

/* What the snapshot prints, without the comments. */
static char *printed(const struct config *config)
{
    char *text;
    size_t len, to = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(config_print(config, out), 0);
    fclose(out);
    for (size_t from = 0; from < len;) {
        if (text[from] == ' ' && text[from + 1] == '#')
            from += strcspn(text + from, "\n");
        else
            text[to++] = text[from++];
    }
    text[to] = '\0';
    return text;
}

static void same_config(const struct config *a, const struct config *b)
{
    char *text_a = printed(a), *text_b = printed(b);
    assert_string_equal(text_a, text_b);
    free(text_a);
    free(text_b);
}

/* -- Defaults -- */

static void an_empty_file_gives_the_defaults(void **state)
{
    (void)state;
    struct result r = loaded("");
    const struct config *c = r.config;
    assert_int_equal(c->refs, 1);
    assert_int_equal(c->listen_count, 2);
    same_addr(&c->listen[0], "127.0.0.1@53");
    same_addr(&c->listen[1], "::1@53");
    assert_true(c->listen_is_default);
    assert_int_equal(c->workers, 1);

    assert_int_equal(c->upstream_count, 1);
    const struct config_upstream *google = &c->upstreams[0];
    assert_string_equal(google->name, "google");
    assert_string_equal(google->tls_name, "dns.google");
    assert_int_equal(google->address_count, 4);
    same_addr(&google->addresses[0], "8.8.8.8@853");
    same_addr(&google->addresses[1], "8.8.4.4@853");
    same_addr(&google->addresses[2], "2001:4860:4860::8888@853");
    same_addr(&google->addresses[3], "2001:4860:4860::8844@853");
    assert_int_equal(google->port, 853);
    assert_int_equal(google->pin_count, 0);
    assert_int_equal(google->role, ROLE_PRIMARY);
    assert_int_equal(google->ecs, ECS_OFF);
    assert_int_equal(google->max_qps, 1000);
    assert_null(google->ca_file);
    assert_int_equal(google->min_version, 0);
    assert_false(google->has_source);

    assert_string_equal(c->tls.ca_file, "system");
    assert_int_equal(c->tls.min_version, 12);
    assert_int_equal(c->tls.sessions, 2);
    assert_int_equal(c->tls.idle_ms, 30000);
    assert_int_equal(c->cache.size, 64 << 20);
    assert_int_equal(c->cache.min_ttl, 0);
    assert_int_equal(c->cache.max_ttl, 86400);
    assert_int_equal(c->cache.negative_max_ttl, 3600);
    assert_true(c->cache.prefetch);
    assert_int_equal(c->cache.serve_stale, 86400);
    assert_int_equal(c->cache.stale_answer_after_ms, 1800);
    assert_false(c->cache.save);
    assert_string_equal(c->cache.save_file, "/var/lib/dotstub/cache");
    assert_int_equal(c->limits.answer_by_ms, 4000);
    assert_int_equal(c->limits.queries_in_flight, 10000);
    assert_int_equal(c->limits.tcp_clients, 1000);
    assert_int_equal(c->limits.tcp_idle_ms, 10000);
    assert_int_equal(c->limits.udp_size, 1232);
    struct addr mapped;
    assert_int_equal(addr_parse(&mapped, "::ffff:127.0.0.1", 53), 0);
    assert_int_equal(c->access.allow_count, 2);
    assert_true(prefix_holds(&c->access.allow[0], &mapped));
    assert_true(prefix_holds(&c->access.allow[1], &c->listen[1]));
    assert_int_equal(c->access.deny, DENY_REFUSE);
    assert_null(c->identity.version);
    assert_null(c->identity.hostname);
    assert_string_equal(c->control_socket, "/run/dotstub/control.sock");
    assert_false(c->has_metrics);
    assert_int_equal(c->log_level, LOG_LEVEL_INFO);
    assert_false(c->log_queries);
    end(&r);
}

static void sections_may_be_empty(void **state)
{
    (void)state;
    struct result r = loaded("cache:\ntls: {}\nlog: ~\n"), defaults = loaded("");
    same_config(r.config, defaults.config);
    end(&r);
    end(&defaults);
}

/* -- A full file -- */

static const char full[] = "listen: [127.0.0.1@5300, \"::@5301\"]\n"
                           "workers: 3\n"
                           "upstreams:\n"
                           "  - name: one\n"
                           "    tls-name: one.example.\n"
                           "    addresses: [192.0.2.1, \"2001:db8::1@8853\"]\n"
                           "    port: 8530\n"
                           "    pins: [\"sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=\"]\n"
                           "    role: backup\n"
                           "    ecs: default\n"
                           "    max-qps: 77\n"
                           "    ca-file: /x/ca.pem\n"
                           "    min-version: \"1.3\"\n"
                           "    source: 192.0.2.7\n"
                           "  - {name: two, addresses: [192.0.2.2], pins: [sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=]}\n"
                           "tls: {ca-file: ca.pem, min-version: 1.3, sessions: 4, idle: 500ms}\n"
                           "cache: {size: 8MiB, min-ttl: 5s, max-ttl: 1h, negative-max-ttl: 0, prefetch: off, serve-stale: 0,\n"
                           "        stale-answer-after: 1s, save: true, save-file: \"/a \\\"b\\\\\"}\n"
                           "limits: {answer-by: 3s, queries-in-flight: 5, tcp-clients: 6, tcp-idle: 7s, udp-size: 4096}\n"
                           "access: {allow: [10.0.0.0/8, \"2001:db8::/32\", 192.0.2.1], deny: drop}\n"
                           "identity: {version: \"dotstub \\\"x\\\" #1\", hostname: ns1.example}\n"
                           "control: {socket: off}\n"
                           "metrics: {listen: 127.0.0.1@9153}\n"
                           "log: {level: debug, queries: yes}\n";

static void every_setting_is_read(void **state)
{
    (void)state;
    struct result r = loaded(full);
    const struct config *c = r.config;
    same_addr(&c->listen[0], "127.0.0.1@5300");
    same_addr(&c->listen[1], "::@5301");
    assert_false(c->listen_is_default);
    assert_int_equal(c->workers, 3);
    assert_int_equal(c->upstream_count, 2);

    const struct config_upstream *one = &c->upstreams[0], *two = &c->upstreams[1];
    assert_string_equal(one->name, "one");
    assert_string_equal(one->tls_name, "one.example");
    same_addr(&one->addresses[0], "192.0.2.1@8530");
    same_addr(&one->addresses[1], "2001:db8::1@8853");
    assert_int_equal(one->pin_count, 1);
    assert_int_equal(one->pins[0].sha256[31], 0xff);
    assert_int_equal(one->role, ROLE_BACKUP);
    assert_int_equal(one->ecs, ECS_DEFAULT);
    assert_int_equal(one->max_qps, 77);
    assert_string_equal(one->ca_file, "/x/ca.pem");
    assert_int_equal(one->min_version, 13);
    assert_true(one->has_source);
    assert_string_equal(two->name, "two");
    assert_null(two->tls_name);
    assert_int_equal(two->max_qps, 0);
    same_addr(&two->addresses[0], "192.0.2.2@853");

    assert_string_equal(c->tls.ca_file, "ca.pem");
    assert_int_equal(c->tls.min_version, 13);
    assert_int_equal(c->tls.sessions, 4);
    assert_int_equal(c->tls.idle_ms, 500);
    assert_int_equal(c->cache.size, 8 << 20);
    assert_int_equal(c->cache.min_ttl, 5);
    assert_int_equal(c->cache.max_ttl, 3600);
    assert_int_equal(c->cache.negative_max_ttl, 0);
    assert_false(c->cache.prefetch);
    assert_int_equal(c->cache.serve_stale, 0);
    assert_int_equal(c->cache.stale_answer_after_ms, 1000);
    assert_true(c->cache.save);
    assert_string_equal(c->cache.save_file, "/a \"b\\");
    assert_int_equal(c->limits.answer_by_ms, 3000);
    assert_int_equal(c->limits.queries_in_flight, 5);
    assert_int_equal(c->limits.tcp_clients, 6);
    assert_int_equal(c->limits.tcp_idle_ms, 7000);
    assert_int_equal(c->limits.udp_size, 4096);
    assert_int_equal(c->access.allow_count, 3);
    assert_int_equal(c->access.deny, DENY_DROP);
    assert_string_equal(c->identity.version, "dotstub \"x\" #1");
    assert_string_equal(c->identity.hostname, "ns1.example");
    assert_null(c->control_socket);
    assert_true(c->has_metrics);
    same_addr(&c->metrics_listen, "127.0.0.1@9153");
    assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
    assert_true(c->log_queries);
    end(&r);
}

static void references_are_counted(void **state)
{
    (void)state;
    struct result r = loaded(full);
    assert_ptr_equal(config_ref(r.config), r.config);
    config_unref(r.config);
    assert_int_equal(r.config->refs, 1);
    end(&r);
    config_unref(NULL);
}

/* -- Mistakes -- */

static void an_unknown_key_is_refused_with_place_caret_and_suggestion(void **state)
{
    (void)state;
    refused("lisetn: [127.0.0.1]\n",
            "f:1:1: unknown key \"lisetn\"; did you mean \"listen\"?\nlisetn: [127.0.0.1]\n^\n");
    refused("cache:\n  sise: 1MiB\n", "f:2:3: unknown key \"sise\" in cache; did you mean \"size\"?\n  sise: 1MiB\n  ^\n");
    refused("chache: {}\n", "f:1:1: unknown key \"chache\"; did you mean \"cache\"?\nchache: {}\n^\n");
    refused("udp-size: 512\n", "f:1:1: unknown key \"udp-size\"; did you mean \"limits: {udp-size: ...}\"?\nudp-size: 512\n^\n");
    refused("cache.size: 1MiB\n", "f:1:1: unknown key \"cache.size\"; did you mean \"cache: {size: ...}\"?\ncache.size: 1MiB\n^\n");
    refused("forward: x\n", "f:1:1: unknown key \"forward\"\nforward: x\n^\n");
    refused("upstreams:\n- {name: a, tls_name: b, tls-name: b, addresses: [192.0.2.1]}\n",
            "f:2:13: unknown key \"tls_name\" in an upstream; did you mean \"tls-name\"?\n"
            "- {name: a, tls_name: b, tls-name: b, addresses: [192.0.2.1]}\n            ^\n");
}

static void wrong_types_are_refused(void **state)
{
    (void)state;
    refused("workers: [1]\n", "f:1:10: workers: a single value is wanted here\nworkers: [1]\n         ^\n");
    refused("workers: {a: 1}\n", "f:1:10: workers: a single value is wanted here\nworkers: {a: 1}\n         ^\n");
    refused("workers:\n", "f:1:1: workers: a value is missing here\nworkers:\n^\n");
    refused("listen: 127.0.0.1\n", "f:1:9: listen: a list is wanted here, as in [a, b]\nlisten: 127.0.0.1\n        ^\n");
    refused("listen: [[127.0.0.1]]\n", "f:1:10: listen: this item is not a single value\nlisten: [[127.0.0.1]]\n         ^\n");
    refused("listen: [::]\n",
            "f:1:11: listen: this item has a \": \" in it; put an IPv6 address in quotes\nlisten: [::]\n          ^\n");
    refused("cache: 64MiB\n",
            "f:1:8: cache: settings are wanted here, one a line and indented\ncache: 64MiB\n       ^\n");
    refused("upstreams: google\n",
            "f:1:12: upstreams: a list of upstreams is wanted here, as in - name: google\nupstreams: google\n           ^\n");
    refused("upstreams: [google]\n",
            "f:1:13: upstreams: an upstream is a mapping, as in - name: google\nupstreams: [google]\n            ^\n");
    refused("just words\n", "f:1:1: settings are wanted here, as in workers: 1\njust words\n^\n");
    refused("- a\n", "f:1:1: settings are wanted here, as in workers: 1\n- a\n^\n");
}

static void bad_values_are_refused_where_they_stand(void **state)
{
    (void)state;
    refused("limits:\n  udp-size: 99999\n",
            "f:2:13: limits.udp-size: \"99999\" is out of range; it goes from 512 to 4096\n  udp-size: 99999\n            ^\n");
    refused("log: {level: warn}\n",
            "f:1:14: log.level: \"warn\" is not error, warning, info or debug; did you mean \"warning\"?\n"
            "log: {level: warn}\n             ^\n");
}

static void all_mistakes_are_told_in_one_go(void **state)
{
    (void)state;
    struct result r = load_on(&large, "workers: 0\ncache: {size: 1, sise: 2}\nlisten: [0.0.0.0]\nupstreams: [{name: a}]\n",
                              VARIABLES("DOTSTUB_X=1"));
    assert_int_equal(r.error, ERROR_CONFIG);
    static const char *const parts[] = {"f:1:10: workers", "f:2:15: cache.size", "f:2:18: unknown key", "DOTSTUB_X=1",
                                        "f:3:10: listen", "a has no address", "a has neither tls-name nor pins"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        assert_non_null(strstr(r.said, parts[i]));
    end(&r);
}

static void masses_of_mistakes_are_counted_only(void **state)
{
    (void)state;
    char text[8000] = "listen: [";
    for (int i = 0; i < 150; i++)
        strcat(text, "x, ");
    strcat(text, "x]\nworkers: 0\n");
    /* 151 items, then workers; nothing more is said of a list that is broken */
    struct result r = load(text);
    assert_int_equal(r.error, ERROR_CONFIG);
    assert_non_null(strstr(r.said, "\nand 52 more mistakes\n"));
    end(&r);
}

static void a_file_that_is_not_text_is_refused(void **state)
{
    (void)state;
    refused("workers: 1\n# caf\351\n", "f:2:6: a byte that is not UTF-8 text\n# caf\n     ^\n");
    refused("a: \033[2J\n", "f:1:4: a control character, which has no place here\na: \n   ^\n");
}

/* -- Checks of the whole -- */

static void an_upstream_needs_a_name_or_a_pin_for_its_certificate(void **state)
{
    (void)state;
    refused("upstreams:\n  - name: a\n    addresses: [192.0.2.1]\n",
            "f:2:5: upstreams: a has neither tls-name nor pins, so any certificate would do; name one of them\n"
            "  - name: a\n    ^\n");
    refused("upstreams: [{name: a, tls-name: \"\", addresses: [192.0.2.1]}]\n",
            "f:1:33: upstreams: a has neither tls-name nor pins, so any certificate would do; name one of them\n"
            "upstreams: [{name: a, tls-name: \"\", addresses: [192.0.2.1]}]\n                                ^\n");
}

static void an_upstream_needs_an_address(void **state)
{
    (void)state;
    refused("upstreams: [{name: a, tls-name: b}]\n",
            "f:1:13: upstreams: a has no address; write addresses: and a list\n"
            "upstreams: [{name: a, tls-name: b}]\n            ^\n");
    refused("upstreams: [{name: a, tls-name: b, addresses: []}]\n",
            "f:1:47: upstreams: a has no address; write addresses: and a list\n"
            "upstreams: [{name: a, tls-name: b, addresses: []}]\n                                              ^\n");
    refused("upstreams: [{name: a, tls-name: b, addresses: [0.0.0.0]}]\n",
            "f:1:48: addresses: this is no server's address\n"
            "upstreams: [{name: a, tls-name: b, addresses: [0.0.0.0]}]\n"
            "                                               ^\n");
}

static void a_refused_value_is_not_called_missing_too(void **state)
{
    (void)state;
    refused("upstreams: [{name: a, tls-name: b, addresses: [x]}]\n",
            "f:1:48: addresses: \"x\" is not an address; write ADDR or ADDR@PORT, as in 192.0.2.1 or \"2001:db8::1\"\n"
            "upstreams: [{name: a, tls-name: b, addresses: [x]}]\n"
            "                                               ^\n");
}

static void an_upstream_needs_a_name(void **state)
{
    (void)state;
    refused("upstreams: [{tls-name: b, addresses: [192.0.2.1]}]\n",
            "f:1:13: upstreams: this upstream has no name; write name: and a word for it\n"
            "upstreams: [{tls-name: b, addresses: [192.0.2.1]}]\n            ^\n");
}

static void some_upstream_and_some_listener_must_be_left(void **state)
{
    (void)state;
    refused("upstreams: []\n",
            "f:1:12: upstreams: no upstream is left, so nobody could be asked\nupstreams: []\n           ^\n");
    refused("listen: []\n", "f:1:9: listen: no address is left, so nobody could ask\nlisten: []\n        ^\n");
}

static void nothing_may_stand_twice(void **state)
{
    (void)state;
    refused("listen: [127.0.0.1, 127.0.0.1@53]\n",
            "f:1:21: listen: 127.0.0.1@53 stands here twice\nlisten: [127.0.0.1, 127.0.0.1@53]\n                    ^\n");
    refused("upstreams: [{name: a, tls-name: b, addresses: [192.0.2.1@8853, 192.0.2.1], port: 8853}]\n",
            "f:1:64: addresses: 192.0.2.1@8853 stands here twice\n"
            "upstreams: [{name: a, tls-name: b, addresses: [192.0.2.1@8853, 192.0.2.1], port: 8853}]\n"
            "                                                               ^\n");
    refused("upstreams:\n- {name: a, tls-name: b, addresses: [192.0.2.1]}\n- {name: a, tls-name: b, addresses: [192.0.2.2]}\n",
            "f:3:10: upstreams: the name \"a\" stands here twice; first in line 2\n"
            "- {name: a, tls-name: b, addresses: [192.0.2.2]}\n         ^\n");
    refused("workers: 1\nworkers: 1\n", "f:2:1: the key \"workers\" stands here twice; first in line 1\nworkers: 1\n^\n");
}

static void listening_beyond_loopback_needs_access_allow(void **state)
{
    (void)state;
    static const char *const beyond[] = {"0.0.0.0", "\"::\"", "192.0.2.1", "\"2001:db8::1\"", "\"::ffff:192.0.2.1\""};
    for (size_t i = 0; i < sizeof(beyond) / sizeof(*beyond); i++) {
        char text[200];
        snprintf(text, sizeof(text), "listen: [127.0.0.1, %s]\n", beyond[i]);
        struct result r = load(text);
        assert_int_equal(r.error, ERROR_CONFIG);
        assert_true(strncmp(r.said, "f:1:21: listen: ", 16) == 0);
        assert_non_null(strstr(r.said, "access.allow"));
        end(&r);

        snprintf(text, sizeof(text), "listen: [127.0.0.1, %s]\naccess: {allow: []}\n", beyond[i]);
        r = loaded(text);
        assert_int_equal(r.config->access.allow_count, 0);
        end(&r);
    }
    struct result r = loaded("listen: [127.0.0.2, \"::1\"]\n");
    end(&r);
}

static void ttl_bounds_must_not_cross(void **state)
{
    (void)state;
    refused("cache: {min-ttl: 2h, max-ttl: 1h}\n",
            "f:1:18: cache.min-ttl is above cache.max-ttl\ncache: {min-ttl: 2h, max-ttl: 1h}\n                 ^\n");
}

static void lists_have_a_limit(void **state)
{
    (void)state;
    char text[8000] = "listen: [";
    for (int i = 0; i < 65; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "127.0.0.%d, ", i + 1);
    strcat(text, "]\n");
    struct result r = load(text);
    assert_int_equal(r.error, ERROR_CONFIG);
    assert_non_null(strstr(r.said, "listen: too many items"));
    end(&r);

    strcpy(text, "upstreams:\n");
    for (int i = 0; i < 65; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "- {name: n%d, tls-name: b, addresses: [192.0.2.1]}\n", i);
    r = load(text);
    assert_int_equal(r.error, ERROR_CONFIG);
    assert_non_null(strstr(r.said, "f:66:3: upstreams: too many upstreams"));
    end(&r);
}

/* -- Environment -- */

static void each_scalar_and_list_can_be_set_by_environment(void **state)
{
    (void)state;
    struct result r = loaded_with("cache: {size: 8MiB}\nlisten: [127.0.0.3]\n",
                                  VARIABLES("PATH=/bin", "DOTSTUB_CACHE_SIZE=16MiB", "DOTSTUB_LISTEN=0.0.0.0, ::",
                                             "DOTSTUB_ACCESS_ALLOW=127.0.0.0/8,::1", "DOTSTUB_TLS_MIN_VERSION=1.3",
                                             "DOTSTUB_TEST_ANYTHING=1", "DOTSTUB"));
    assert_int_equal(r.config->cache.size, 16 << 20);
    assert_int_equal(r.config->listen_count, 2);
    assert_false(r.config->listen_is_default);
    same_addr(&r.config->listen[0], "0.0.0.0@53");
    same_addr(&r.config->listen[1], "::@53");
    assert_int_equal(r.config->access.allow_count, 2);
    assert_int_equal(r.config->tls.min_version, 13);
    end(&r);
}

static void upstreams_by_environment_replace_all(void **state)
{
    (void)state;
    struct result r = loaded_with("upstreams: [{name: a, tls-name: b, addresses: [192.0.2.1]}]\n",
                                  VARIABLES("DOTSTUB_UPSTREAMS=dns.google=8.8.8.8+8.8.4.4@8853,dns.quad9.net=9.9.9.9"));
    assert_int_equal(r.config->upstream_count, 2);
    const struct config_upstream *google = &r.config->upstreams[0], *quad9 = &r.config->upstreams[1];
    assert_string_equal(google->name, "dns.google");
    assert_string_equal(google->tls_name, "dns.google");
    assert_int_equal(google->address_count, 2);
    same_addr(&google->addresses[0], "8.8.8.8@853");
    same_addr(&google->addresses[1], "8.8.4.4@8853");
    assert_int_equal(google->max_qps, 0);
    assert_string_equal(quad9->tls_name, "dns.quad9.net");
    assert_int_equal(quad9->address_count, 1);
    end(&r);
}

static void mistakes_in_the_environment_show_the_variable(void **state)
{
    (void)state;
    refused_with("", VARIABLES("DOTSTUB_CACHE_SIZE=64MB"),
                 "environment: cache.size: \"64MB\" is not a size; write a number and its unit, as in 512KiB, 64MiB or 1GiB\n"
                 "DOTSTUB_CACHE_SIZE=64MB\n                   ^\n");
    refused_with("", VARIABLES("DOTSTUB_CACHESIZE=64MiB"),
                 "environment: no setting is called like this variable; did you mean \"DOTSTUB_CACHE_SIZE\"?\n"
                 "DOTSTUB_CACHESIZE=64MiB\n^\n");
    refused_with("", VARIABLES("DOTSTUB_LISTEN=127.0.0.1,x"),
                 "environment: listen: \"x\" is not an address; write ADDR or ADDR@PORT, as in 192.0.2.1 or \"2001:db8::1\"\n"
                 "DOTSTUB_LISTEN=127.0.0.1,x\n                         ^\n");
    refused_with("", VARIABLES("DOTSTUB_LISTEN=0.0.0.0"),
                 "environment: listen: 0.0.0.0 can be reached from other machines; name those that may ask in access.allow\n"
                 "DOTSTUB_LISTEN=0.0.0.0\n               ^\n");
    refused_with("", VARIABLES("DOTSTUB_UPSTREAMS=a.example=192.0.2.1,foo"),
                 "environment: upstreams: \"foo\" is not NAME=ADDR+ADDR\n"
                 "DOTSTUB_UPSTREAMS=a.example=192.0.2.1,foo\n                                      ^\n");
    refused_with("", VARIABLES("DOTSTUB_UPSTREAMS=a.example=192.0.2.1+y"),
                 "environment: addresses: \"y\" is not an address; write ADDR or ADDR@PORT, as in 192.0.2.1 or \"2001:db8::1\"\n"
                 "DOTSTUB_UPSTREAMS=a.example=192.0.2.1+y\n                                      ^\n");
    refused_with("", VARIABLES("DOTSTUB_UPSTREAMS=a.example=192.0.2.1,a.example=192.0.2.2"),
                 "environment: upstreams: the name \"a.example\" stands here twice\n"
                 "DOTSTUB_UPSTREAMS=a.example=192.0.2.1,a.example=192.0.2.2\n                                      ^\n");
    refused_with("", VARIABLES("DOTSTUB_LOG_LEVEL=a\033[2J"),
                 "environment: a control character, which has no place here\nDOTSTUB_LOG_LEVEL=a\n                   ^\n");
}

static void an_empty_variable_empties_a_list_and_is_no_scalar(void **state)
{
    (void)state;
    struct result r = loaded_with("", VARIABLES("DOTSTUB_ACCESS_ALLOW="));
    assert_int_equal(r.config->access.allow_count, 0);
    end(&r);
    r = load_on(&large, "", VARIABLES("DOTSTUB_WORKERS="));
    assert_int_equal(r.error, ERROR_CONFIG);
    end(&r);
}

/* -- The machine -- */

static void workers_auto_takes_the_processors_16_at_most(void **state)
{
    (void)state;
    struct machine machine = large;
    struct result r = load_on(&machine, "workers: auto\n", NULL);
    assert_int_equal(r.config->workers, 4);
    end(&r);
    machine.processors = 96;
    r = load_on(&machine, "workers: auto\n", NULL);
    assert_int_equal(r.config->workers, 16);
    end(&r);
}

static void the_cache_takes_a_quarter_of_the_memory_at_most(void **state)
{
    (void)state;
    struct machine machine = {.processors = 1, .memory = 128 << 20};
    struct result r = load_on(&machine, "log: {level: error}\n", NULL);
    assert_int_equal(r.config->cache.size, 32 << 20);
    end(&r);
    r = load_on(&machine, "log: {level: error}\ncache: {size: 16MiB}\n", NULL);
    assert_int_equal(r.config->cache.size, 16 << 20);
    end(&r);
    machine.memory = 1000;
    r = load_on(&machine, "log: {level: error}\n", NULL);
    assert_int_equal(r.config->cache.size, 1 << 20);
    end(&r);
}

static char directory[64];

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

/* Writes a file below the test's directory; missing directories of its path are made. */
static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s", path_of(name));
    for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test_config.XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static void remove_below(const char *path)
{
    DIR *listing = opendir(path);
    struct dirent *entry;
    while (listing && (entry = readdir(listing))) {
        char below[512];
        snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && unlink(below) != 0)
            remove_below(below);
    }
    if (listing)
        closedir(listing);
    rmdir(path);
}

static int remove_directory(void **state)
{
    (void)state;
    remove_below(directory);
    return 0;
}

static void cgroup_limits_count_up_the_tree(void **state)
{
    (void)state;
    put("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n41 31 0:41 / /sys/fs/cgroup/u rw - cgroup2 cgroup2 rw\n");
    put("proc/self/cgroup", "4:memory:/x\n0::/a/b\n");
    put("sys/fs/cgroup/u/a/b/memory.max", "max\n");
    put("sys/fs/cgroup/u/a/b/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/u/a/memory.max", "104857600\n");
    put("sys/fs/cgroup/u/memory.max", "209715200\n");
    struct machine machine;
    machine_read(&machine, directory);
    assert_int_equal(machine.memory, 100 << 20);
    unsigned all = machine.processors;
    assert_true(all >= 1);

    put("sys/fs/cgroup/u/a/cpu.max", "50000 100000\n"); /* half a processor is one worker */
    machine_read(&machine, directory);
    assert_int_equal(machine.processors, 1);
    put("sys/fs/cgroup/u/a/cpu.max", "150000 100000\n");
    machine_read(&machine, directory);
    assert_int_equal(machine.processors, all < 2 ? all : 2);
}

static void a_cgroup_that_is_the_root_of_its_mount_is_found(void **state)
{
    (void)state;
    put("proc/self/mountinfo", "41 31 0:41 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("proc/self/cgroup", "0::/docker/x\n");
    put("sys/fs/cgroup/memory.max", "1048576\n");
    struct machine machine;
    machine_read(&machine, directory);
    assert_int_equal(machine.memory, 1 << 20);
}

static void without_cgroups_the_machine_is_the_limit(void **state)
{
    (void)state;
    struct machine machine;
    machine_read(&machine, directory);
    assert_true(machine.memory > 1 << 20);
    assert_true(machine.processors >= 1);
    put("proc/self/mountinfo", "rubbish\n - cgroup2 \n41 31 0:41 / - cgroup2 x\n");
    put("proc/self/cgroup", "rubbish\n");
    machine_read(&machine, directory);
    assert_true(machine.memory > 1 << 20);
}

/* -- Files -- */

static struct result load_file(const char *path)
{
    struct result result = {0};
    FILE *errors = open_memstream(&result.said, &result.said_len);
    result.error = config_load(&result.config, path, NULL, errors);
    fclose(errors);
    return result;
}

static void file_refused(const char *sentence)
{
    char path[256], said[400];
    snprintf(path, sizeof(path), "%s", path_of("dotstub.yaml"));
    snprintf(said, sizeof(said), "%s%s\n", path, sentence);
    struct result r = load_file(path);
    assert_string_equal(r.said, said);
    assert_int_equal(r.error, ERROR_CONFIG);
    end(&r);
}

static void drop_ins_add_to_the_file_in_the_order_of_their_names(void **state)
{
    (void)state;
    put("dotstub.yaml", "listen: [127.0.0.1]\nworkers: 2\nupstreams:\n"
                        "- {name: a, tls-name: a.example, addresses: [192.0.2.1], max-qps: 5}\n");
    put("conf.d/20-b.yaml", "workers: 4\nupstreams:\n"
                            "- {name: a, addresses: [192.0.2.3], max-qps: 6, port: 8853}\n");
    put("conf.d/10-a.yaml", "workers: 3\nlisten: [127.0.0.2]\nupstreams:\n"
                            "- {name: b, tls-name: b.example, addresses: [192.0.2.2]}\n");
    put("conf.d/30-c.yaml.off", "workers: 9\n");
    put("conf.d/.hidden.yaml", "workers: 9\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_string_equal(r.said, "");
    assert_int_equal(r.config->workers, 4);
    assert_int_equal(r.config->listen_count, 2);
    same_addr(&r.config->listen[0], "127.0.0.1@53");
    same_addr(&r.config->listen[1], "127.0.0.2@53");
    assert_int_equal(r.config->upstream_count, 2);
    const struct config_upstream *a = &r.config->upstreams[0], *b = &r.config->upstreams[1];
    assert_string_equal(a->name, "a");
    assert_string_equal(a->tls_name, "a.example");
    assert_int_equal(a->max_qps, 6);
    assert_int_equal(a->address_count, 2);
    same_addr(&a->addresses[0], "192.0.2.1@8853");
    same_addr(&a->addresses[1], "192.0.2.3@8853");
    assert_string_equal(b->name, "b");
    end(&r);
}

static void a_list_in_a_drop_in_replaces_the_default(void **state)
{
    (void)state;
    put("dotstub.yaml", "workers: 2\n");
    put("conf.d/a.yaml", "listen: [127.0.0.2]\nupstreams: [{name: google, tls-name: x.example, addresses: [192.0.2.1]}]\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_string_equal(r.said, "");
    assert_int_equal(r.config->listen_count, 1);
    assert_int_equal(r.config->upstream_count, 1);
    assert_int_equal(r.config->upstreams[0].address_count, 1);
    assert_int_equal(r.config->upstreams[0].max_qps, 0);
    end(&r);
}

static void an_empty_list_in_a_drop_in_resets(void **state)
{
    (void)state;
    put("dotstub.yaml", "listen: [127.0.0.1]\nupstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1]}]\n");
    put("conf.d/a.yaml", "listen: []\nupstreams: []\n");
    put("conf.d/b.yaml", "listen: [127.0.0.2]\nupstreams: [{name: b, tls-name: b.example, addresses: [192.0.2.2]}]\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_string_equal(r.said, "");
    assert_int_equal(r.config->listen_count, 1);
    same_addr(&r.config->listen[0], "127.0.0.2@53");
    assert_int_equal(r.config->upstream_count, 1);
    assert_string_equal(r.config->upstreams[0].name, "b");
    end(&r);
}

static void a_mistake_in_a_drop_in_names_it(void **state)
{
    (void)state;
    char said[400];
    put("dotstub.yaml", "");
    put("conf.d/a.yaml", "workers: x\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    snprintf(said, sizeof(said), "%s:1:10: workers: \"x\" is not a whole number or auto\nworkers: x\n         ^\n",
             path_of("conf.d/a.yaml"));
    assert_int_equal(r.error, ERROR_CONFIG);
    assert_string_equal(r.said, said);
    end(&r);
}

static void nothing_is_said_to_be_missing_while_a_file_cannot_be_read(void **state)
{
    (void)state;
    put("dotstub.yaml", "listen: [0.0.0.0]\n");
    put("conf.d/a.yaml", "access: {allow: [10.0.0.0/8]\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_int_equal(r.error, ERROR_CONFIG);
    assert_non_null(strstr(r.said, "conf.d/a.yaml:2:1: "));
    assert_null(strstr(r.said, "access.allow"));
    end(&r);
}

static void files_that_cannot_be_one_are_refused(void **state)
{
    (void)state;
    file_refused(": cannot be read: No such file or directory");
    mkdir(path_of("dotstub.yaml"), 0700);
    file_refused(": is a directory; a file is wanted here");
    rmdir(path_of("dotstub.yaml"));
    assert_int_equal(mkfifo(path_of("dotstub.yaml"), 0600), 0);
    file_refused(": is not a regular file");
    unlink(path_of("dotstub.yaml"));

    char *large_text = malloc(1024 * 1024 + 2);
    assert_non_null(large_text);
    memset(large_text, '#', 1024 * 1024 + 1);
    large_text[1024 * 1024 + 1] = '\0';
    put("dotstub.yaml", large_text);
    file_refused(": is larger than 1 MiB");
    large_text[1024 * 1024] = '\0';
    put("dotstub.yaml", large_text);
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_int_equal(r.error, 0);
    end(&r);
    free(large_text);

    assert_int_equal(symlink("/dev/zero", path_of("zero")), 0);
    r = load_file(path_of("zero"));
    assert_int_equal(r.error, ERROR_CONFIG);
    end(&r);
    r = load_file("/dev/null");
    assert_int_equal(r.error, 0);
    end(&r);
}

static void a_directory_full_of_drop_ins_is_refused(void **state)
{
    (void)state;
    put("dotstub.yaml", "");
    for (int i = 0; i < 257; i++) {
        char name[32];
        snprintf(name, sizeof(name), "conf.d/%d.yaml", i);
        put(name, "");
    }
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_int_equal(r.error, ERROR_CONFIG);
    assert_non_null(strstr(r.said, "conf.d: holds more than 256 drop-ins"));
    end(&r);
}

/* -- Printing -- */

static void what_is_printed_is_read_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"", full};
    for (size_t i = 0; i < 2; i++) {
        struct result first = loaded(texts[i]);
        char *text;
        size_t len;
        FILE *out = open_memstream(&text, &len);
        assert_int_equal(config_print(first.config, out), 0);
        fclose(out);
        struct result second = loaded(text);
        same_config(first.config, second.config);
        free(text);
        end(&first);
        end(&second);
    }
}

static void every_printed_value_says_where_it_came_from(void **state)
{
    (void)state;
    put("dotstub.yaml", "listen: [127.0.0.1]\nworkers: auto\nupstreams:\n- name: a\n  tls-name: a.example\n  addresses: [192.0.2.1]\n");
    put("conf.d/a.yaml", "\nlisten: [127.0.0.2]\nupstreams: [{name: a, port: 8853}]\n");
    struct result r = {0};
    FILE *errors = open_memstream(&r.said, &r.said_len);
    char main_path[256], dropin[256], *text, line[800];
    size_t len;
    snprintf(main_path, sizeof(main_path), "%s", path_of("dotstub.yaml"));
    snprintf(dropin, sizeof(dropin), "%s", path_of("conf.d/a.yaml"));
    assert_int_equal(config_load(&r.config, main_path, VARIABLES("DOTSTUB_LOG_QUERIES=yes"), errors), 0);
    fclose(errors);
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(config_print(r.config, out), 0);
    fclose(out);

    snprintf(line, sizeof(line), "listen: [\"127.0.0.1@53\", \"127.0.0.2@53\"] # %s:1, %s:2\n", main_path, dropin);
    assert_non_null(strstr(text, line));
    snprintf(line, sizeof(line), "    port: 8853 # %s:3\n", dropin);
    assert_non_null(strstr(text, line));
    snprintf(line, sizeof(line), "    tls-name: a.example # %s:5\n", main_path);
    assert_non_null(strstr(text, line));
    snprintf(line, sizeof(line), " # %s:2, auto\n", main_path);
    assert_non_null(strstr(text, line));
    assert_non_null(strstr(text, "  queries: yes # DOTSTUB_LOG_QUERIES\n"));
    assert_non_null(strstr(text, "  udp-size: 1232 # default\n"));
    free(text);
    end(&r);
}

static char *read_whole(const char *path)
{
    char *text = malloc(200000);
    FILE *file = fopen(path, "r");
    if (!text || !file)
        fail_msg("cannot read %s", path);
    text[fread(text, 1, 199999, file)] = '\0';
    fclose(file);
    return text;
}

static char *annotated(void)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(config_print_annotated(out), 0);
    fclose(out);
    return text;
}

/* Run "tests/unit/test_config annotated > conf/dotstub.yaml" after a change of the table. */
static void the_annotated_file_is_up_to_date(void **state)
{
    (void)state;
    char *text = annotated(), *committed = read_whole(TEST_DATA "/../conf/dotstub.yaml");
    assert_string_equal(text, committed);
    free(text);
    free(committed);
}

static void the_annotated_file_says_nothing_but_the_defaults(void **state)
{
    (void)state;
    char *text = annotated();
    struct result defaults = loaded(""), as_it_is = loaded(text);
    same_config(as_it_is.config, defaults.config);
    assert_true(as_it_is.config->listen_is_default);

    /* Without the "#" before its settings it says the defaults itself. */
    size_t to = 0;
    for (size_t from = 0; text[from]; from++)
        if (text[from] != '#' || (from > 0 && text[from - 1] != '\n') || text[from + 1] == '\n' ||
            (text[from + 1] == ' ' && text[from + 2] != ' '))
            text[to++] = text[from];
    text[to] = '\0';
    struct result uncommented = loaded(text);
    same_config(uncommented.config, defaults.config);
    assert_false(uncommented.config->listen_is_default);
    end(&defaults);
    end(&as_it_is);
    end(&uncommented);
    free(text);
}

/* The manual has an item for the setting, and the default in it. */
static void described(const char *manual, const struct option *option)
{
    char item[128], wanted[128];
    snprintf(item, sizeof(item), "\n.It Cm %s : ", option->key);
    const char *start = strstr(manual, item);
    if (!start)
        fail_msg("dotstub.yaml(5) does not mention %s", option->key);
    if (!option->unset)
        return;
    size_t to = (size_t)snprintf(wanted, sizeof(wanted), "\nDefault: ");
    for (const char *at = option->unset; *at; at++)
        to += (size_t)snprintf(wanted + to, sizeof(wanted) - to, *at == ',' ? ", " : "%c", *at);
    snprintf(wanted + to, sizeof(wanted) - to, *option->unset ? "\n" : "none\n");
    if (option->type == OPTION_UPSTREAMS)
        strcpy(wanted, "\nDefault: google,");
    const char *found = strstr(start, wanted), *next = strstr(start + 1, "\n.It");
    if (!found || (next && found > next))
        fail_msg("dotstub.yaml(5) has another default for %s than %s", option->key, option->unset);
}

static void the_manual_mentions_every_setting_and_its_default(void **state)
{
    (void)state;
    char *manual = read_whole(TEST_DATA "/../docs/man/dotstub.yaml.5");
    for (size_t i = 0; i < option_count; i++)
        described(manual, &options[i]);
    for (size_t i = 0; i < upstream_option_count; i++)
        described(manual, &upstream_options[i]);
    free(manual);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    struct result r = loaded("");
    FILE *full_disk = fopen("/dev/full", "w");
    assert_non_null(full_disk);
    assert_int_equal(config_print(r.config, full_disk), -EIO);
    fclose(full_disk);
    end(&r);
}

/* -- Memory -- */

static void survive_each_failure(const char *path, char *const *variables)
{
    char *said;
    size_t len;
    for (unsigned long n = 1;; n++) {
        struct config *config = NULL;
        FILE *errors = open_memstream(&said, &len);
        mem_fail_at(n);
        int error = config_load(&config, path, variables, errors);
        bool failed = mem_asked() >= n;
        mem_fail_at(0);
        fclose(errors);
        free(said);
        if (failed)
            assert_int_equal(error, -ENOMEM);
        assert_true(!!config == !error);
        config_unref(config);
        if (!failed)
            break;
    }
}

static void each_failed_allocation_is_survived(void **state)
{
    (void)state;
    char path[256];
    put("dotstub.yaml", full);
    put("conf.d/a.yaml", "upstreams: [{name: one, addresses: [192.0.2.9]}]\nworkers: auto\n");
    snprintf(path, sizeof(path), "%s", path_of("dotstub.yaml"));
    survive_each_failure(path, VARIABLES("DOTSTUB_LISTEN=127.0.0.1,::1", "DOTSTUB_UPSTREAMS=a=192.0.2.1"));
    put("conf.d/b.yaml", "x: &a [*b, !t 1, \n");
    survive_each_failure(path, VARIABLES("DOTSTUB_X=1"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(sections_may_be_empty),
        cmocka_unit_test(every_setting_is_read),
        cmocka_unit_test(references_are_counted),
        cmocka_unit_test(an_unknown_key_is_refused_with_place_caret_and_suggestion),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(bad_values_are_refused_where_they_stand),
        cmocka_unit_test(all_mistakes_are_told_in_one_go),
        cmocka_unit_test(masses_of_mistakes_are_counted_only),
        cmocka_unit_test(a_file_that_is_not_text_is_refused),
        cmocka_unit_test(an_upstream_needs_a_name_or_a_pin_for_its_certificate),
        cmocka_unit_test(an_upstream_needs_an_address),
        cmocka_unit_test(a_refused_value_is_not_called_missing_too),
        cmocka_unit_test(an_upstream_needs_a_name),
        cmocka_unit_test(some_upstream_and_some_listener_must_be_left),
        cmocka_unit_test(nothing_may_stand_twice),
        cmocka_unit_test(listening_beyond_loopback_needs_access_allow),
        cmocka_unit_test(ttl_bounds_must_not_cross),
        cmocka_unit_test(lists_have_a_limit),
        cmocka_unit_test(each_scalar_and_list_can_be_set_by_environment),
        cmocka_unit_test(upstreams_by_environment_replace_all),
        cmocka_unit_test(mistakes_in_the_environment_show_the_variable),
        cmocka_unit_test(an_empty_variable_empties_a_list_and_is_no_scalar),
        cmocka_unit_test(workers_auto_takes_the_processors_16_at_most),
        cmocka_unit_test(the_cache_takes_a_quarter_of_the_memory_at_most),
        cmocka_unit_test_setup_teardown(cgroup_limits_count_up_the_tree, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_cgroup_that_is_the_root_of_its_mount_is_found, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(without_cgroups_the_machine_is_the_limit, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(drop_ins_add_to_the_file_in_the_order_of_their_names, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(a_list_in_a_drop_in_replaces_the_default, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(an_empty_list_in_a_drop_in_resets, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_mistake_in_a_drop_in_names_it, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(nothing_is_said_to_be_missing_while_a_file_cannot_be_read, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_one_are_refused, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_directory_full_of_drop_ins_is_refused, make_directory, remove_directory),
        cmocka_unit_test(what_is_printed_is_read_back),
        cmocka_unit_test_setup_teardown(every_printed_value_says_where_it_came_from, make_directory, remove_directory),
        cmocka_unit_test(the_annotated_file_is_up_to_date),
        cmocka_unit_test(the_annotated_file_says_nothing_but_the_defaults),
        cmocka_unit_test(the_manual_mentions_every_setting_and_its_default),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test_setup_teardown(each_failed_allocation_is_survived, make_directory, remove_directory),
    };
    if (argc > 1 && strcmp(argv[1], "annotated") == 0)
        return config_print_annotated(stdout) != 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
