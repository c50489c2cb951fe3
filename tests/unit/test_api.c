/* SPDX-License-Identifier: MIT */
/* control/api: paths, verbs, arguments and the contents of replies. The test replaces http_reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include "base/errors.h"
#include "base/mem.h"
#include "control/api.h"
#include "control/explain.h"
#include "control/json.h"
#include "dns/codes.h"
#include "tests/unit/answers.h"
#include "tests/unit/fake_workers.h"
#include "resolve/querylog.h"

static struct view view;
static struct http_request request;
static struct {
    unsigned count, status;
    char type[64], allow[32], body[65536];
} reply;

void __wrap_http_reply(struct http_request *to, unsigned status, const char *type, char *body, const char *allow);
void __wrap_http_reply(struct http_request *to, unsigned status, const char *type, char *body, const char *allow)
{
    assert_ptr_equal(to, &request);
    reply.count++;
    reply.status = body ? status : HTTP_INTERNAL_ERROR;
    snprintf(reply.type, sizeof reply.type, "%s", type);
    snprintf(reply.allow, sizeof reply.allow, "%s", allow ? allow : "");
    snprintf(reply.body, sizeof reply.body, "%s", body ? body : "");
    free(body);
}

void __wrap_http_reply_page(struct http_request *to, const unsigned char *page, size_t len, const char *policy);
void __wrap_http_reply_page(struct http_request *to, const unsigned char *page, size_t len, const char *policy)
{
    assert_int_equal(page[len], '\0');
    __wrap_http_reply(to, HTTP_OK, policy, strdup((const char *)page), NULL);
}

static int setup(void **state)
{
    (void)state;
    hash_init_fixed((const uint8_t *)"0123456789abcdef");
    struct control_setup control = fake_begin();
    view = (struct view){.config = &fake.config,
                         .routes = &fake.routes,
                         .cache = cache_new(0),
                         .ops = &fake_ops,
                         .context = &fake,
                         .listening = fake.addrs,
                         .listening_count = 1,
                         .started_ms = clock_ms() - 5000,
                         .started_wall_s = 1699999995,
                         .readiness = READY_YES};
    log_set_level(LOG_LEVEL_ERROR);
    tracer_init(&view.tracer, &control);
    return view.cache ? gather_init(&view.gather, &control) : -1;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned w = 0; w < WORKERS; w++)
        if (fake.item[w])
            fake_open(w);
    gather_close(&view.gather);
    gather_fini(&view.gather);
    tracer_close(&view.tracer);
    tracer_fini(&view.tracer);
    cache_free(view.cache);
    fake_end();
    return 0;
}

/* Sends a request and opens the workers' items; `arguments` alternates names and values and ends with NULL. */
static void ask(void (*api)(struct view *, struct http_request *), enum http_verb verb, const char *path,
                const char *const *arguments)
{
    memset(&reply, 0, sizeof reply);
    request = (struct http_request){.verb = verb, .path = path};
    for (; arguments && *arguments; arguments += 2, request.argument_count++) {
        request.argument[request.argument_count].name = arguments[0];
        request.argument[request.argument_count].value = arguments[1];
    }
    api(&view, &request);
    for (unsigned w = 0; w < WORKERS; w++)
        if (fake.item[w])
            fake_open(w);
    assert_int_equal(reply.count, 1);
}
#define ARGUMENTS(...)                                                                                                 \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }

static void get(const char *path)
{
    ask(api_control, HTTP_GET, path, NULL);
}

static void assert_says(const char *text)
{
    if (!strstr(reply.body, text))
        fail_msg("no %s in:\n%s", text, reply.body);
}

/* --- explain --- */

static struct record recorded[WORKERS][3];

static struct record record_of(uint32_t id, enum record_kind kind, const char *name, uint64_t ended_ms)
{
    struct record record = {.id = id,
                            .kind = kind,
                            .ended_ms = ended_ms,
                            .total_ms = 312,
                            .ede_code = EDE_NONE,
                            .key.type = TYPE_A,
                            .session = RECORD_OPENED,
                            .queries = 1,
                            .tries = 1,
                            .asked.upstream = "first",
                            .dialed.upstream = "first"};
    record.key.name_len = (uint8_t)name_from_text(record.key.name, name);
    record.phase_ms[PHASE_HANDSHAKE] = 300;
    record.phase_ms[PHASE_ANSWER] = 12;
    record.asked.addr = record.dialed.addr = fake.addrs[0];
    record.asked.transport = record.dialed.transport = "dot";
    return record;
}

static void record_some(void)
{
    uint64_t now_ms = clock_ms();
    recorded[0][0] = record_of(0xabc, RECORD_SLOW, "a.example", now_ms - 5000);
    recorded[0][1] = record_of(0xabd, RECORD_FAILED, "b.example", now_ms - 1000);
    recorded[0][1].rcode = RCODE_SERVFAIL;
    recorded[0][1].ede_code = EDE_NETWORK_ERROR;
    strcpy(recorded[0][1].ede_text, "first: Connection refused [000abd]");
    recorded[1][0] = record_of(0xabe, RECORD_SLOW, "c.example", now_ms - 3000);
    fake.report[0].records = recorded[0];
    fake.report[0].record_count = 2;
    fake.report[1].records = recorded[1];
    fake.report[1].record_count = 1;
}

static unsigned count_of(const char *text)
{
    unsigned count = 0;
    for (const char *at = reply.body; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static void explain_lists_newest_first(void **state)
{
    (void)state;
    record_some();
    get("/explain");
    assert_int_equal(count_of("\"id\""), 3);
    const char *b = strstr(reply.body, "b.example."), *c = strstr(reply.body, "c.example."),
               *a = strstr(reply.body, "a.example.");
    assert_true(b && c && a && b < c && c < a);
}

static void explain_selects_by_kind_name_and_id(void **state)
{
    (void)state;
    record_some();
    ask(api_control, HTTP_GET, "/explain", ARGUMENTS("which", "last-slow"));
    assert_int_equal(count_of("\"id\""), 1);
    assert_says("\"c.example.\"");
    assert_says("\"300 of 312 ms: the TLS handshake with first 192.0.2.1@853\"");
    assert_says("\"longest\": \"handshake\"");
    assert_says("\"session\": \"opened\"");
    ask(api_control, HTTP_GET, "/explain", ARGUMENTS("which", "last-failed"));
    assert_says("\"000abd\"");
    assert_says("\"code\": 23");
    assert_says("\"ended_s_ago\": 1");
    ask(api_control, HTTP_GET, "/explain", ARGUMENTS("name", "A.example"));
    assert_int_equal(count_of("\"id\""), 1);
    assert_says("\"000abc\"");
    ask(api_control, HTTP_GET, "/explain", ARGUMENTS("id", "000ABE"));
    assert_int_equal(count_of("\"id\""), 1);
    assert_says("\"c.example.\"");
    ask(api_control, HTTP_GET, "/explain", ARGUMENTS("id", "123456"));
    assert_says("\"records\": []");
}

static void explain_is_limited(void **state)
{
    (void)state;
    static const struct record *many[EXPLAIN_MOST + 44];
    struct explain_wanted wanted = {.last = false};
    struct record record = record_of(0xabc, RECORD_SLOW, "a.example", clock_ms());
    struct gather_sum sum = {.records = many, .record_count = EXPLAIN_MOST + 44};
    for (size_t i = 0; i < sum.record_count; i++)
        many[i] = &record;
    char *text = explain_text(&sum, &wanted);
    unsigned count = 0;
    assert_non_null(text);
    for (const char *at = text; (at = strstr(at, "\"id\"")); at++)
        count++;
    assert_int_equal(count, EXPLAIN_MOST);
    free(text);
}

static void explain_refuses_invalid_arguments(void **state)
{
    (void)state;
    static const char *const wrong[][4] = {{"which", "last"},
                                           {"name", ""},
                                           {"name", "a..b"},
                                           {"id", ""},
                                           {"id", "xyz"},
                                           {"id", "1234567"},
                                           {"which", "last-slow", "id", "1"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ask(api_control, HTTP_GET, "/explain", ARGUMENTS(wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3]));
        assert_int_equal(reply.status, HTTP_BAD_REQUEST);
    }
}

static void metrics_listen_has_no_names(void **state)
{
    (void)state;
    record_some();
    ask(api_metrics, HTTP_GET, "/explain", NULL);
    assert_int_equal(reply.status, HTTP_NOT_FOUND);
    ask(api_metrics, HTTP_GET, "/metrics", NULL);
    assert_null(strstr(reply.body, "example"));
}

static void status_json_shows_names_with_the_token_only(void **state)
{
    (void)state;
    static const char secret[] = "0123456789abcdef";
    record_some();
    ask(api_metrics, HTTP_GET, "/status.json", ARGUMENTS("token", secret));
    assert_says("\"names\": \"hidden\"");
    assert_null(strstr(reply.body, "example"));
    assert_null(strstr(reply.body, "Connection refused")); /* error texts may contain names */
    fake.config.metrics_names = view.token.set = true;
    digest_bytes(view.token.digest, secret, strlen(secret));
    ask(api_metrics, HTTP_GET, "/status.json", NULL);
    assert_says("\"names\": \"token\"");
    assert_null(strstr(reply.body, "example"));
    ask(api_metrics, HTTP_GET, "/status.json", ARGUMENTS("token", "0123456789abcdeg"));
    assert_int_equal(reply.status, HTTP_FORBIDDEN);
    assert_null(strstr(reply.body, "example"));
    ask(api_metrics, HTTP_GET, "/status.json", ARGUMENTS("token", secret));
    assert_says("\"a.example.\"");
    assert_says("Connection refused");
    fake.config.metrics_names = false; /* as after a reload */
    ask(api_metrics, HTTP_GET, "/status.json", ARGUMENTS("token", secret));
    assert_null(strstr(reply.body, "example"));
}

static void the_page_has_a_content_security_policy(void **state)
{
    (void)state;
    ask(api_metrics, HTTP_GET, "/", NULL);
    assert_int_equal(reply.status, HTTP_OK);
    assert_non_null(strstr(reply.body, "<!doctype html>"));
    assert_int_equal(strncmp(reply.type, "default-src 'none'; script-src 'sha256-", 39), 0);
    get("/");
    assert_int_equal(reply.status, HTTP_OK);
}

static void other_web_pages_are_refused(void **state)
{
    (void)state;
    static const char *const hosts[] = {
        "x", "dotstub", "localhost:8080", "127.0.0.1", "evil.example", "evil.example:8080", "localhost.evil"};
    for (unsigned i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        reply.count = 0;
        request = (struct http_request){.verb = HTTP_GET, .path = "/stats", .host = hosts[i]};
        api_control(&view, &request);
        assert_int_equal(reply.status, i < 4 ? HTTP_OK : HTTP_FORBIDDEN);
    }
    request = (struct http_request){
        .verb = HTTP_POST, .path = "/flush", .host = "localhost:8080", .origin = "http://localhost:8080"};
    api_control(&view, &request);
    assert_int_equal(reply.status, HTTP_FORBIDDEN);
    assert_int_equal(fake_flushes, 0);
}

static void status_sums_worker_reports(void **state)
{
    (void)state;
    fake.report[0].waiting = 2;
    fake.servers[1][0] = (struct server_report){
        .upstream = "first",
        .addr = fake.addrs[0],
        .state = SERVER_OPEN,
        .open = 1,
        .in_flight = 3,
        .latency_us = 12500,
        .opened = 4,
        .resumed = 3,
        .opened_ms = clock_ms() - 2000,
        .has_tls = true,
        .tls = {.version = "TLS1.3", .cipher = "some cipher", .certificate.name = "not \xff utf-8", .resumed = true}};
    get("/status");
    assert_int_equal(reply.status, HTTP_OK);
    assert_string_equal(reply.type, "application/json");
    static const char *const said[] = {"\"state\": \"ok\"",
                                       "\"queries_waiting\": 2",
                                       "\"uptime_s\": 5",
                                       "\"workers\": 2",
                                       "192.0.2.1@853",
                                       "\"state\": \"open\"",
                                       "\"in_flight\": 3",
                                       "\"latency_ms\": 12.5",
                                       "\"version\": \"TLS1.3\"",
                                       "some cipher",
                                       "not ? utf-8",
                                       "\"opened_s_ago\": 2",
                                       "\"sessions_resumed\": 3",
                                       "\"last_error\": null",
                                       "\"entries\": 0"};
    for (unsigned i = 0; i < sizeof said / sizeof *said; i++)
        assert_says(said[i]);
    fake.servers[1][0].latency_us = 16411; /* not representable as a double */
    get("/status");
    assert_says("\"latency_ms\": 16.411,");
}

/* A server of the store may refuse a connection with any bytes. */
static void the_refusal_of_a_store_is_shown(void **state)
{
    (void)state;
    struct store_server_report store = {
        .name = "store", .role = "server", .serves = true, .state = "down", .error = "WRONGPASS \xff"};
    char name[] = "store", *server = name;
    fake.config.store.servers = &server;
    fake.config.store.server_count = 1; /* as after a reload */
    gather_configure(&view.gather, &fake.routes);
    fake.report[1].stores = &store;
    fake.report[1].store_count = 1;
    get("/status");
    assert_says("\"last_error\": \"WRONGPASS ?\"");
}

static void the_state_has_a_reason_everywhere(void **state)
{
    (void)state;
    for (unsigned w = 0; w < WORKERS; w++) {
        fake.servers[w][2].state = SERVER_FAILING;
        fake.servers[w][2].last_error = -ECONNREFUSED;
        fake.servers[w][2].failed_ms = clock_ms() - 3000;
    }
    get("/status");
    assert_says("\"state\": \"reduced\"");
    assert_says("upstream second is unreachable: 192.0.2.3@853: Connection refused");
    assert_says("\"last_error_s_ago\": 3");
    ask(api_metrics, HTTP_GET, "/readyz", NULL);
    assert_int_equal(reply.status, HTTP_OK);
    assert_says("ready\nstate: reduced for 0 s\nupstream second is unreachable");
    ask(api_metrics, HTTP_GET, "/metrics", NULL);
    assert_says("\ndotstub_state{state=\"ok\"} 0\ndotstub_state{state=\"reduced\"} 1\n");
    assert_says("\ndotstub_unusable_upstreams 1\n");
    ask(api_metrics, HTTP_GET, "/status.json", NULL);
    assert_says("\"state\": \"reduced\"");
    for (unsigned w = 0; w < WORKERS; w++)
        for (unsigned i = 0; i < 3; i++)
            fake.servers[w][i].state = SERVER_FAILING;
    get("/status");
    assert_says("\"state\": \"down\"");
}

static void a_worker_that_does_not_reply(void **state)
{
    (void)state;
    memset(&reply, 0, sizeof reply);
    request = (struct http_request){.verb = HTTP_GET, .path = "/status"};
    api_control(&view, &request);
    assert_int_equal(reply.count, 0);
    fake_pass(GATHER_PATIENCE_MS + 20);
    assert_int_equal(reply.count, 1);
    assert_int_equal(reply.status, HTTP_UNAVAILABLE);
    assert_says("a worker does not respond");
}

static void counters_are_summed(void **state)
{
    (void)state;
    counter_add(&fake.counters[0], COUNTER_cache_hits, 5);
    counter_add(&fake.counters[1], COUNTER_cache_hits, 6);
    get("/stats");
    assert_says("\"cache_hits\": 11");
    assert_says("\"memory_failed\": 0");
    get("/metrics");
    assert_string_equal(reply.type, "text/plain; version=0.0.4; charset=utf-8");
    assert_says("# TYPE dotstub_cache_hits_total counter\ndotstub_cache_hits_total 11\n");
    assert_says("process_start_time_seconds 1699999995\n");
    assert_says("dotstub_sessions_open{upstream=\"first\",address=\"192.0.2.2@853\"} 0\n");
}

static void labels_are_escaped(void **state)
{
    (void)state;
    strcpy(fake.servers[0][0].upstream, "a\"b\\c\nd");
    get("/metrics");
    assert_says("upstream=\"a\\\"b\\\\c\\nd\"");
}

static struct sample sample;

static void store_sample(void)
{
    assert_int_equal(
        cache_put(view.cache, &sample.key, key_hash(&sample.key), &sample.answer, clock_ms(), cache_epoch(view.cache)),
        0);
}

static void store(unsigned number)
{
    sample_key(&sample, number);
    sample_answer(&sample, 2, 7, 300);
    store_sample();
}

static void cache_lists_the_entries_of_a_name(void **state)
{
    (void)state;
    store(1);
    fake_pass(10000);
    ask(api_control, HTTP_GET, "/cache", ARGUMENTS("name", "N0000001.example", "type", "a"));
    assert_int_equal(reply.status, HTTP_OK);
    assert_says("\"name\": \"n0000001.example.\"");
    assert_says("\"rcode\": \"NOERROR\"");
    assert_says("\"ttl\": 290");
    assert_says("\"original_ttl\": 300");
    assert_says("\"expired_s_ago\": null");
    assert_null(strstr(reply.body, "\"ttl\": 100"));
    sample.key.group = 7; /* a group in force; group 3 is not */
    sample.answer.ttl = 100;
    store_sample();
    sample.key.group = 3;
    sample.answer.ttl = 200;
    store_sample();
    ask(api_control, HTTP_GET, "/cache", ARGUMENTS("name", "n0000001.example", "type", "A"));
    assert_says("\"ttl\": 290");
    assert_says("\"ttl\": 100");
    assert_null(strstr(reply.body, "\"ttl\": 200"));
    fake_pass(300000);
    ask(api_control, HTTP_GET, "/cache", ARGUMENTS("name", "n0000001.example."));
    assert_says("\"expired_s_ago\": 10");
    ask(api_control, HTTP_GET, "/cache", ARGUMENTS("name", "n0000001.example.", "type", "TXT"));
    assert_says("\"entries\": []");
}

static void routes_are_listed(void **state)
{
    char corp[] = "Corp.example", reverse[] = "10.in-addr.arpa.", quad9[] = "quad9", zone[] = "lab.example",
         wg0[] = "wg0";
    char *zones[] = {corp, reverse}, *names[] = {quad9}, *lab[] = {zone};
    uint8_t salt[ROUTE_SALT] = {1};
    struct addr server = fake.addrs[0];
    struct config_route routes[] = {
        {.zones = lab, .zone_count = 1, .upstreams = names, .upstream_count = 1},
        {.zones = zones,
         .zone_count = 2,
         .to = &server,
         .to_count = 1,
         .plain = true,
         .interface = wg0,
         .salt = salt,
         .until_ms = clock_ms() + 59500},
    };
    (void)state;
    struct config with = fake.config, *before = view.routes->config;
    with.forward = routes;
    with.forward_count = 2;
    fake.routes.config = &with;
    get("/forward");
    fake.routes.config = before;
    assert_int_equal(reply.status, HTTP_OK);
    assert_says("\"lab.example.\"");
    assert_says("\"quad9\"");
    assert_says("\"from\": \"configuration\"");
    assert_says("\"left_s\": null");
    assert_says("\"corp.example.\"");
    assert_says("\"interface\": \"wg0\"");
    assert_says("\"from\": \"run time\"");
    assert_says("\"left_s\": 60");
}

static void routes_are_added_and_removed(void **state)
{
    (void)state;
    fake_forwarded = (struct forward_result){.zones = "a.example\n", .replaced = "", .flushed = 3, .saved = true};
    ask(api_control, HTTP_POST, "/forward/add",
        ARGUMENTS("zones", "a.example", "servers", "10.0.0.53", "plain", "yes", "for", "1h", "interface", ""));
    assert_true(fake_wanted.verb == FORWARD_ADD && fake_wanted.plain && !fake_wanted.replace && !fake_wanted.interface);
    assert_string_equal(fake_wanted_texts[0], "a.example");
    assert_string_equal(fake_wanted_texts[1], "10.0.0.53");
    assert_string_equal(fake_wanted_texts[3], "1h");
    assert_says("\"added\": [\n  \"a.example.\"");
    assert_says("\"flushed\": 3");
    assert_says("\"saved\": true");
    ask(api_control, HTTP_POST, "/forward/remove", ARGUMENTS("zones", "a.example", "interface", "wg0"));
    assert_true(fake_wanted.verb == FORWARD_REMOVE);
    assert_string_equal(fake_wanted_texts[2], "wg0");
    assert_says("\"removed\": [\n  \"a.example.\"");
}

static void a_refused_route_is_explained(void **state)
{
    static const struct {
        struct forward_result result;
        unsigned status;
        const char *says;
    } cases[] = {
        {{.status = ERROR_CONFIG, .mistakes = "forward: one\nforward: two\n"}, HTTP_BAD_REQUEST, "\"forward: two\""},
        {{.status = -EBUSY}, HTTP_UNAVAILABLE, "an upgrade is under way"},
        {{.status = ERROR_STOPPING}, HTTP_UNAVAILABLE, "stopping"},
        {{.status = -ENOMEM}, HTTP_INTERNAL_ERROR, "memory"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_forwarded = cases[i].result;
        ask(api_control, HTTP_POST, "/forward/add", ARGUMENTS("zones", "a.example", "servers", "10.0.0.53"));
        assert_int_equal(reply.status, cases[i].status);
        assert_says(cases[i].says);
    }
    fake_wanted.verb = FORWARD_REMOVE;
    ask(api_control, HTTP_POST, "/forward/add", ARGUMENTS("zones", "a.example", "servers", "10.0.0.53", "plain", "1"));
    assert_int_equal(reply.status, HTTP_BAD_REQUEST);
    assert_says("must be yes or no");
    assert_int_equal(fake_wanted.verb, FORWARD_REMOVE); /* the daemon was not asked */
}

static void reload_replies_with_the_result(void **state)
{
    (void)state;
    fake_result = (struct reload_result){.status = 0, .postponed = "workers\nlisten\n"};
    ask(api_control, HTTP_POST, "/reload", NULL);
    assert_says("\"reloaded\": true");
    assert_says("\"workers\",");
    fake_result = (struct reload_result){.status = -1, .mistakes = "f:1:1: wrong\n  \xff\xfe\n"};
    ask(api_control, HTTP_POST, "/reload", NULL);
    assert_says("f:1:1: wrong");
    assert_says("  ??");
    assert_says("stays in force");
}

static void flush_of_a_name_a_suffix_and_everything(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        store(i);
    ask(api_control, HTTP_POST, "/flush", ARGUMENTS("name", "n0000003.EXAMPLE"));
    assert_says("\"flushed\": 1");
    ask(api_control, HTTP_POST, "/flush", ARGUMENTS("suffix", "example."));
    assert_says("\"flushed\": 9");
    store(1);
    ask(api_control, HTTP_POST, "/flush", NULL);
    assert_says("\"flushed\": 1");
    ask(api_control, HTTP_POST, "/flush", NULL);
    assert_says("\"flushed\": 0");
    assert_int_equal(fake_flushes, 4); /* once for each flush */
}

static void log_levels_can_be_set(void **state)
{
    (void)state;
    ask(api_control, HTTP_POST, "/log", ARGUMENTS("level", "debug"));
    assert_int_equal(reply.status, HTTP_OK);
    assert_int_equal(log_level(), LOG_LEVEL_DEBUG);
    ask(api_control, HTTP_POST, "/log", ARGUMENTS("level", "loud"));
    assert_int_equal(reply.status, HTTP_BAD_REQUEST);
    assert_int_equal(log_level(), LOG_LEVEL_DEBUG);
    ask(api_control, HTTP_POST, "/log", NULL);
    assert_int_equal(reply.status, HTTP_BAD_REQUEST);
    ask(api_control, HTTP_POST, "/log", ARGUMENTS("level", "error", "module", "upstream"));
    assert_int_equal(reply.status, HTTP_OK);
    assert_says("\"upstream\": \"error\"");
    ask(api_control, HTTP_POST, "/log", ARGUMENTS("level", "info", "module", "upstraem"));
    assert_int_equal(reply.status, HTTP_BAD_REQUEST);
    assert_says("unknown module; the modules are cache, config");
    assert_int_equal(log_level(), LOG_LEVEL_DEBUG);
    assert_int_equal(log_module_level(log_find_module("upstream")), LOG_LEVEL_ERROR);
}

static void the_query_log_can_be_set(void **state)
{
    (void)state;
    static const char *const wrong[][7] = {{"queries", "1"},
                                           {"queries", ""},
                                           {"sample", "5"},
                                           {"queries", "no", "sample", "5"},
                                           {"queries", "yes", "sample", "0"},
                                           {"queries", "yes", "sample", "05"},
                                           {"queries", "yes", "sample", "1000001"},
                                           {"queries", "yes", "sample", "99999999999999999999"},
                                           {"queries", "yes", "level", "loud"},
                                           {"queries", "yes", "module", "tls"}};
    ask(api_control, HTTP_POST, "/log", ARGUMENTS("queries", "yes", "sample", "1000000"));
    assert_int_equal(reply.status, HTTP_OK);
    assert_says("\"queries_one_in\": 1000000");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ask(api_control, HTTP_POST, "/log", wrong[i]);
        assert_int_equal(reply.status, HTTP_BAD_REQUEST);
    }
    assert_int_equal(querylog_sample(), 1000000);
    fake.config.log_queries_sample = 7;
    ask(api_control, HTTP_POST, "/log", ARGUMENTS("queries", "yes"));
    assert_int_equal(querylog_sample(), 7);
    ask(api_control, HTTP_POST, "/log", ARGUMENTS("queries", "no"));
    assert_int_equal(querylog_sample(), 0);
}

static void wrong_arguments_change_nothing(void **state)
{
    (void)state;
    static const char *const wrong[][5] = {{"nmae", "n0000001.example"},
                                           {"name", ""},
                                           {"name", NULL},
                                           {"suffix", ""},
                                           {"name", "a..b"},
                                           {"name", "a", "suffix", "b"},
                                           {"name", "n0000001.example", "name", "n0000001.example"},
                                           {"name", "n0000001.example", "force", "1"}};
    store(1);
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ask(api_control, HTTP_POST, "/flush", wrong[i]);
        assert_int_equal(reply.status, HTTP_BAD_REQUEST);
        assert_says("\"error\": ");
    }
    request.argument_count = HTTP_ARGUMENTS + 1;
    ask(api_control, HTTP_GET, "/cache", NULL);
    assert_int_equal(reply.status, HTTP_BAD_REQUEST);
    ask(api_control, HTTP_GET, "/cache", ARGUMENTS("name", "a", "type", "NONSENSE"));
    assert_int_equal(reply.status, HTTP_BAD_REQUEST);
    ask(api_control, HTTP_POST, "/flush", NULL);
    assert_says("\"flushed\": 1");
}

static void errors_list_the_allowed_verbs_and_paths(void **state)
{
    (void)state;
    get("/flush");
    assert_int_equal(reply.status, HTTP_WRONG_VERB);
    assert_string_equal(reply.allow, "POST");
    ask(api_control, HTTP_POST, "/status", NULL);
    assert_string_equal(reply.allow, "GET, HEAD");
    ask(api_control, HTTP_OTHER_VERB, "/log", NULL);
    assert_int_equal(reply.status, HTTP_WRONG_VERB);
    get("/nothing");
    assert_int_equal(reply.status, HTTP_NOT_FOUND);
    assert_says("\"/flush\"");
    ask(api_metrics, HTTP_POST, "/flush", NULL);
    assert_int_equal(reply.status, HTTP_NOT_FOUND);
    assert_says("\"/readyz\"");
}

static void not_ready_before_the_start_and_while_stopping(void **state)
{
    (void)state;
    ask(api_metrics, HTTP_GET, "/readyz", NULL);
    assert_int_equal(reply.status, HTTP_OK);
    assert_string_equal(reply.body, "ready\nstate: ok for 0 s\n");
    view.readiness = READY_NOT_YET;
    ask(api_metrics, HTTP_GET, "/readyz", NULL);
    assert_int_equal(reply.status, HTTP_UNAVAILABLE);
    view.readiness = READY_STOPPING;
    gather_close(&view.gather);
    ask(api_metrics, HTTP_GET, "/readyz", NULL);
    assert_int_equal(reply.status, HTTP_UNAVAILABLE);
    assert_string_equal(reply.body, "stopping\n");
    ask(api_metrics, HTTP_GET, "/healthz", NULL);
    assert_int_equal(reply.status, HTTP_OK);
    get("/status");
    assert_int_equal(reply.status, HTTP_UNAVAILABLE);
}

static void only_our_names_are_accepted_as_host(void **state)
{
    (void)state;
    static const char *const ours[] = {
        NULL, "127.0.0.1", "127.0.0.1:9153", "[::1]:9153", "[fe80::1]", "localhost:1", "LOCALHOST", "box", "Box:9153"};
    static const char *const others[] = {
        "", "evil.example", "127.0.0.1.evil.example:9153", "box.evil.example", "localhost.evil", "[evil]:1", "::1"};
    for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_true(api_host_is_ours(ours[i], "box"));
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(api_host_is_ours(others[i], "box"));
    assert_false(api_host_is_ours("", ""));
}

static void out_of_memory_is_an_error_reply(void **state)
{
    (void)state;
    mem_fail_at(1);
    get("/status");
    assert_int_equal(reply.status, HTTP_INTERNAL_ERROR);
    mem_fail_at(0);
}

/* In UTF-8 a C1 control character is two bytes: JSON allows them unescaped, but terminals interpret them. */
static void controls_of_a_terminal_are_escaped(void **state)
{
    (void)state;
    json_t *root = json_object();
    put_text(root, "a", "x\xc2\x9by\x1b");
    char *text = print(root);
    assert_string_equal(text, "{\n \"a\": \"x\\u009By\\u001B\"\n}\n");
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_of_a_terminal_are_escaped),
        TEST(explain_lists_newest_first),
        TEST(explain_selects_by_kind_name_and_id),
        TEST(explain_is_limited),
        TEST(explain_refuses_invalid_arguments),
        TEST(metrics_listen_has_no_names),
        TEST(status_json_shows_names_with_the_token_only),
        TEST(the_page_has_a_content_security_policy),
        TEST(other_web_pages_are_refused),
        TEST(status_sums_worker_reports),
        TEST(the_refusal_of_a_store_is_shown),
        TEST(the_state_has_a_reason_everywhere),
        TEST(a_worker_that_does_not_reply),
        TEST(counters_are_summed),
        TEST(labels_are_escaped),
        TEST(cache_lists_the_entries_of_a_name),
        TEST(reload_replies_with_the_result),
        TEST(routes_are_listed),
        TEST(routes_are_added_and_removed),
        TEST(a_refused_route_is_explained),
        TEST(flush_of_a_name_a_suffix_and_everything),
        TEST(log_levels_can_be_set),
        TEST(the_query_log_can_be_set),
        TEST(wrong_arguments_change_nothing),
        TEST(errors_list_the_allowed_verbs_and_paths),
        TEST(not_ready_before_the_start_and_while_stopping),
        TEST(only_our_names_are_accepted_as_host),
        TEST(out_of_memory_is_an_error_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
