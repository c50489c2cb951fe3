/* SPDX-License-Identifier: MIT */
/* From texts and variables to a snapshot, and reports of mistakes. */
#include "loading.h"

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
    assert_int_equal(c->limits.answer_by_ms, 3500);
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
    assert_false(c->has_metrics || c->metrics_names);
    assert_null(c->metrics_token_file);
    assert_int_equal(c->log_level, LOG_LEVEL_INFO);
    assert_int_equal(c->log_module_count, 0);
    assert_int_equal(c->log_format, LOG_FORMAT_TEXT);
    assert_int_equal(c->log_output, OUTPUT_STDERR);
    assert_false(c->log_queries);
    assert_int_equal(c->log_queries_sample, 1);
    assert_int_equal(c->log_slow_ms, 500);
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
    assert_true(c->metrics_names);
    assert_string_equal(c->metrics_token_file, "/etc/dotstub/token");
    assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
    assert_true(c->log_queries);
    end(&r);
}

static void defences_are_read(void **state)
{
    (void)state;
    struct result r = loaded("access: {allow: [192.0.2.0/24], deny-clients: [192.0.2.7, 192.0.2.128/25]}\n"
                             "cookies: no\ncookie-secret-file: /s\nrate-limit: {responses: 50}\n"
                             "rebind-protection: yes\nrebind-allow: [Corp.example, _x.lan., lan]\n");
    const struct config *c = r.config;
    assert_int_equal(c->access.deny_count, 2);
    assert_int_equal(c->access.deny_clients[0].bits, 128);
    assert_false(c->cookies);
    assert_string_equal(c->cookie_secret_file, "/s");
    assert_int_equal(c->rate_limit_responses, 50);
    assert_int_equal(c->rebind_protection, REBIND_YES);
    assert_int_equal(c->rebind_allow_count, 3);
    assert_string_equal(c->rebind_allow[0], "Corp.example");
    assert_string_equal(c->rebind_allow[2], "lan");
    end(&r);
    r = loaded("");
    assert_int_equal(r.config->rebind_protection, REBIND_AUTO);
    assert_true(r.config->cookies);
    assert_null(r.config->cookie_secret_file);
    assert_int_equal(r.config->access.deny_count + r.config->rate_limit_responses + r.config->rebind_allow_count, 0);
    end(&r);
}

/* Programs that write YAML make booleans of them. */
static void words_for_yes_and_no_are_choices(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum config_rebind way;
    } words[] = {{"rebind-protection: off\n", REBIND_NO},   {"rebind-protection: \"no\"\n", REBIND_NO},
                 {"rebind-protection: false\n", REBIND_NO}, {"rebind-protection: On\n", REBIND_YES},
                 {"rebind-protection: true\n", REBIND_YES}, {"rebind-protection: auto\n", REBIND_AUTO}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct result r = loaded(words[i].text);
        assert_int_equal(r.config->rebind_protection, words[i].way);
        end(&r);
    }
    refused("rebind-protection: maybe\n", "f:1:20: rebind-protection: \"maybe\" is not auto, yes or no\n"
                                          "rebind-protection: maybe\n                   ^\n");
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

static void mistakes_in_routes_are_reported(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"forward: [{upstreams: [quad9]}]", "f:1:11: forward: this route has no zones; write zones: and a list"},
        {"forward: [{zones: [a.example]}]", "f:1:11: forward: this route leads nowhere"},
        {"forward: [{zones: [a.example], upstreams: [no]}]",
         "f:1:44: forward: \"no\" is neither in upstreams nor a preset"},
        {"forward: [{zones: [a.example], group: work}]", "f:1:39: forward: there is no group \"work\""},
        {"forward: [{zones: [a.example, A.Example.], upstreams: [quad9]}]",
         "f:1:31: forward: the zone A.Example. has two"},
        {"forward: [{zones: [.], upstreams: [quad9]}]", "f:1:20: forward: a route for all names"},
        {"forward: [{zones: [a.example], to: [10.0.0.1]}]",
         "f:1:36: forward: queries to these servers are not encrypted"},
        {"forward: [{zones: [a.example], plain: yes, upstreams: [quad9]}]",
         "f:1:39: forward: plain: yes is for the servers"},
        {"forward: [{zones: [a.example], tcp-only: yes, upstreams: [quad9]}]",
         "f:1:42: forward: tcp-only is for the servers of to"},
        {"forward: [{zones: [a.example], source: 10.0.0.9, upstreams: [quad9]}]",
         "f:1:40: forward: source is for the servers of to"},
        {"forward: [{zones: [a.example], source: '::1', plain: yes, to: [10.0.0.1]}]",
         "f:1:40: source: no address of to can be reached from an IPv6 address"},
        {"forward: [{zones: [a.example], plain: yes, to: [127.0.0.1]}]",
         "f:1:49: to: 127.0.0.1@53 is an address of dotstub"},
        {"forward: [{zones: [a.example], plain: yes, to: [10.0.0.1], upstreams: [quad9]}]",
         "has two of upstreams, group"},
        {"groups: [{name: root, upstreams: [quad9]}]", "f:1:10: groups: root is the group of names without a route"},
        {"groups: [{name: a}]", "f:1:10: groups: a has no upstreams"},
        {"upstreams: [{name: google, role: routed}]", "no upstream is left"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct result r = load(cases[i].text);
        assert_int_equal(r.error, ERROR_CONFIG);
        if (!strstr(r.said, cases[i].wanted))
            fail_msg("%s: %s", cases[i].text, r.said);
        end(&r);
    }
}

static void mistakes_in_views_are_reported(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"views: [{name: a}]", "f:1:9: views: this view is for no client; write clients:"},
        {"views: [{clients: [10.0.0.0/8], interface: eth1}]",
         "f:1:44: views: this view has both clients and interface"},
        {"views: [{clients: [10.0.0.1/8]}]", "f:1:20: clients: "},
        {"views: [{clients: [10.0.0.0/8, 10.0.0.0/8]}]", "f:1:32: views: this network is in two places; remove one"},
        {"views: [{clients: [10.0.0.0/8]}, {clients: [10.0.0.0/9, 10.0.0.0/8]}]", "f:1:57: views: this network"},
        {"views: [{interface: eth1}, {interface: eth1}]", "f:1:40: views: another view has this interface"},
        {"views: [{name: a, interface: eth1}, {name: a, interface: eth2}]",
         "f:1:44: views: another view has this name"},
        {"views: [{interface: eth1, group: no}]", "f:1:34: views: there is no group \"no\"; define it in groups"},
        {"views: [{interface: eth1, upstreams: [no]}]", "f:1:39: views: \"no\" is neither in upstreams nor a preset"},
        {"groups: [{name: a, upstreams: [quad9]}]\nviews: [{interface: eth1, upstreams: [quad9], group: a}]",
         "f:2:54: views: this view has both upstreams and group"},
        {"views: [{interface: eth1, forward: [{zones: [a.example], upstreams: [no]}]}]", "f:1:70: forward: \"no\""},
        {"views: [{interface: eth1, forward: [{zones: [a.example], group: no}]}]",
         "f:1:65: forward: there is no group"},
        {"views: [{interface: eth1, forward: [{zones: [a.example], to: [10.0.0.1]}]}]",
         "f:1:62: forward: queries to these"},
        {"views: [{interface: eth1, forward: [{zones: [a.example, A.example], upstreams: [quad9]}]}]",
         "f:1:57: forward: the zone A.example has two routes"},
        {"views: [{interface: eth1, forward: [{upstreams: [quad9]}]}]", "f:1:37: forward: this route has no zones"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct result r = load(cases[i].text);
        assert_int_equal(r.error, ERROR_CONFIG);
        if (!strstr(r.said, cases[i].wanted))
            fail_msg("%s: %s", cases[i].text, r.said);
        end(&r);
    }
}

static void views_have_teams(void **state)
{
    (void)state;
    struct result r = loaded("groups: [{name: work, upstreams: [quad9]}]\n"
                             "forward: [{zones: [a.example], group: work}]\n"
                             "views: [{clients: [10.0.0.0/8, \"2001:db8::/32\"], group: work},\n"
                             "  {interface: eth1, upstreams: [cloudflare], forward: [{zones: [a.example, b.example], "
                             "upstreams: [quad9]}]}, {name: x, interface: eth2}]\n");
    const struct config *c = r.config;
    assert_int_equal(c->team_count, 4);
    assert_string_equal(c->views[0].label, "view:10.0.0.0/8");
    assert_int_equal(c->views[0].root_team, c->route_teams[0]);
    assert_true(c->views[0].inherit);
    assert_string_equal(c->views[1].label, "view:%eth1");
    assert_int_equal(c->views[1].root_team, 2);
    assert_string_equal(c->teams[2].name, "view:%eth1");
    assert_string_equal(c->teams[2].members[0].name, "cloudflare");
    assert_int_equal(c->views[1].route_teams[0], 3);
    assert_string_equal(c->teams[3].name, "view:%eth1:a.example");
    assert_string_equal(c->views[2].label, "view:x");
    assert_int_equal(c->views[2].root_team, 0);
    end(&r);
}

/* A plain server gets only names of its zones, so a group with other zones must not be taken for it. */
static void plain_servers_are_identified_by_their_zones_and_interface(void **state)
{
    (void)state;
    struct result r =
        loaded("forward:\n"
               "  - {zones: [a.example, b.example], to: [10.0.0.1], plain: yes}\n"
               "  - {zones: [c.example], to: [10.0.0.1], plain: yes}\n"
               "  - {zones: [d.example], to: [10.0.0.1], plain: yes, interface: wg0}\n"
               "views:\n"
               "  - {interface: x, forward: [{zones: [b.example, a.example], to: [10.0.0.1], plain: yes}]}\n"
               "  - {interface: y, forward: [{zones: [d.example], to: [10.0.0.1], plain: yes}]}\n");
    uint8_t digests[6][DIGEST_LEN];
    assert_int_equal(r.config->team_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(
            config_define_group(r.config, r.config->teams[i].members, r.config->teams[i].count, digests[i]), 0);
    assert_memory_equal(digests[1], digests[4], DIGEST_LEN); /* the order of the zones does not count */
    assert_memory_not_equal(digests[1], digests[2], DIGEST_LEN);
    assert_memory_not_equal(digests[2], digests[3], DIGEST_LEN);
    assert_memory_not_equal(digests[3], digests[5], DIGEST_LEN);
    end(&r);
}

#define HIDDEN "upstreams: [google, {name: a, host: a.example"

static void mistakes_in_hosts_are_reported(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {HIDDEN "}]", "f:1:37: host: nothing looks up the address of a; write bootstrap:"},
        {HIDDEN ", bootstrap: [a]}]", "f:1:60: bootstrap: a cannot look up its own address; name another"},
        {HIDDEN ", bootstrap: [b]}, {name: b, host: b.example, bootstrap: [a]}]",
         "f:1:60: bootstrap: b needs a for its own address, so neither would ever be found; name an upstream"},
        {HIDDEN ", bootstrap: [google, b]}, {name: b, host: b.example, bootstrap: [c]}, "
                "{name: c, host: c.example, bootstrap: [a]}]",
         "f:1:68: bootstrap: b needs a for"},
        {HIDDEN ", bootstrap: [nobody]}]", "f:1:60: bootstrap: \"nobody\" is neither in upstreams nor a preset"},
        {HIDDEN ", bootstrap: [quad9, 192.0.2.53]}]", "bootstrap: it has names of upstreams and addresses"},
        {HIDDEN ", bootstrap: [quad9], addresses: [192.0.2.1]}]", "f:1:37: host: a has addresses as well"},
        {HIDDEN ", bootstrap: [quad9], tls-name: b.example}]", "tls-name: the certificate of a must be for its host"},
        {HIDDEN ", bootstrap: [127.0.0.1]}]", "f:1:60: bootstrap: 127.0.0.1@53 is an address of dotstub itself"},
        {"upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1], bootstrap: [quad9]}]",
         "bootstrap: a has no host to look up"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct result r = load(cases[i].text);
        assert_int_equal(r.error, ERROR_CONFIG);
        if (!strstr(r.said, cases[i].wanted))
            fail_msg("%s: %s", cases[i].text, r.said);
        end(&r);
    }
}

static void a_host_has_a_team_that_looks_it_up(void **state)
{
    (void)state;
    struct result r =
        loaded(HIDDEN ", bootstrap: [quad9, cloudflare], tls-name: A.example}, {name: b, host: b.example, "
                      "port: 8853, bootstrap: [192.0.2.53, \"2001:db8::53@5353\"], role: backup}]\n");
    const struct config *c = r.config;
    assert_int_equal(c->upstream_count, 5); /* both presets were added */
    assert_string_equal(c->upstreams[1].tls_name, "a.example");
    assert_int_equal(c->upstreams[1].address_count, 0);
    assert_int_equal(c->team_count, 3);
    assert_int_equal(c->teams[0].count, 3); /* without the presets */
    assert_string_equal(c->teams[1].name, "bootstrap:a");
    assert_int_equal(c->teams[1].count, 2);
    assert_string_equal(c->teams[1].members[0].name, "quad9");
    assert_string_equal(c->teams[2].name, "bootstrap:b");
    const struct config_upstream *plain = &c->teams[2].members[0];
    assert_int_equal(plain->address_count, 2);
    assert_int_equal(addr_port(&plain->addresses[0]), 53);
    assert_int_equal(addr_port(&plain->addresses[1]), 5353);
    assert_true(plain->plain_exact);
    assert_string_equal(plain->plain_zones[0], "b.example");
    end(&r);
}

static void the_identity_of_a_host_is_its_name(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "upstreams: [{name: a, host: a.example, bootstrap: [quad9]}]\n",
        "upstreams: [{name: b, host: a.example, bootstrap: [192.0.2.1]}]\n",
        "upstreams: [{name: a, host: b.example, bootstrap: [quad9]}]\n",
        "upstreams: [{name: a, host: a.example, bootstrap: [quad9], port: 8853}]\n",
        "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1]}]\n",
    };
    uint8_t digests[sizeof texts / sizeof *texts][DIGEST_LEN];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct result r = loaded(texts[i]);
        assert_int_equal(config_define_group(r.config, r.config->upstreams, 1, digests[i]), 0);
        end(&r);
        for (size_t j = 0; j < i; j++)
            assert_int_equal(memcmp(digests[i], digests[j], DIGEST_LEN) == 0, i == 1);
    }
}

static void own_addresses_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"access: {allow: [10.0.0.0/8]}\nlisten: [0.0.0.0]\n"
         "forward: [{zones: [a.example], plain: yes, to: [127.0.0.5]}]",
         "f:3:49: to: 127.0.0.5@53 is an address of dotstub itself, so queries would come back; name another server"},
        {"access: {allow: [10.0.0.0/8]}\nlisten: [\"%lo@53\"]\n"
         "forward: [{zones: [a.example], plain: yes, to: [127.0.0.1]}]",
         "f:3:49: to: 127.0.0.1@53 is an address of dotstub itself"},
        {"listen-tls: [127.0.0.1]\ntls-server: {certificate: [/a], key: [/b]}\n"
         "upstreams: [{name: a, tls-name: b, addresses: [127.0.0.1]}]",
         "f:3:48: addresses: 127.0.0.1@853 is an address of dotstub itself"},
        {"listen: [127.0.0.1]\nviews: [{clients: [127.0.0.0/8], forward: [\n"
         "  {zones: [a.example], plain: yes, to: [127.0.0.1]}]}]",
         "f:3:41: to: 127.0.0.1@53 is an address of dotstub itself"},
        {NULL, NULL},
    };
    for (size_t i = 0; cases[i].text; i++) {
        struct result r = load(cases[i].text);
        assert_int_equal(r.error, ERROR_CONFIG);
        if (!strstr(r.said, cases[i].wanted))
            fail_msg("%s: %s", cases[i].text, r.said);
        end(&r);
    }
    static const char *const good[] = {
        "forward: [{zones: [a.example], plain: yes, to: [127.0.0.1@5300]}]\n",
        "access: {allow: [10.0.0.0/8]}\nlisten: [0.0.0.0]\n"
        "forward: [{zones: [a.example], plain: yes, to: [192.0.2.1, \"::1\"]}]\n",
        "access: {allow: [10.0.0.0/8]}\nlisten: [\"%lo\"]\nlisten-except: [lo]\n"
        "forward: [{zones: [a.example], plain: yes, to: [127.0.0.1]}]\n",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct result r = loaded(good[i]);
        struct addr own;
        assert_int_equal(addr_parse(&own, "127.0.0.1@53", 0), 0);
        assert_int_equal(config_is_own(r.config, &own), i < 2);
        end(&r);
    }
}

static void teams_have_the_upstreams_that_were_named(void **state)
{
    (void)state;
    struct result r =
        loaded("upstreams: [google, {name: corp, tls-name: a.example, addresses: [192.0.2.1], role: routed}]\n"
               "groups: [{name: work, upstreams: [quad9, corp], policy: fastest}]\n"
               "forward: [{zones: [a.example], group: work}, {zones: [b.example], group: work},\n"
               "  {zones: [c.example], plain: yes, to: [10.0.0.1, \"10.0.0.2@5353\"]}]\n");
    const struct config *c = r.config;
    assert_int_equal(c->upstream_count, 3); /* quad9 was added */
    assert_int_equal(c->upstreams[2].role, ROLE_ROUTED);
    assert_int_equal(c->team_count, 3);
    assert_string_equal(c->teams[0].name, "root");
    assert_int_equal(c->teams[0].count, 1);
    assert_string_equal(c->teams[0].members[0].name, "google");
    assert_int_equal(c->teams[1].count, 2);
    assert_int_equal(c->teams[1].policy, POLICY_FASTEST);
    assert_int_equal(c->route_teams[0], 1);
    assert_int_equal(c->route_teams[1], 1);
    assert_int_equal(c->route_teams[2], 2);
    assert_int_equal(c->teams[2].members[0].plain_zone_count, 1);
    assert_int_equal(addr_port(&c->teams[2].members[0].addresses[0]), 53);
    assert_int_equal(addr_port(&c->teams[2].members[0].addresses[1]), 5353);
    for (size_t i = 0; i < c->upstream_count; i++)
        assert_int_equal(c->upstreams[i].plain_zone_count, 0);
    end(&r);
}

static void an_unknown_key_is_refused_with_place_caret_and_suggestion(void **state)
{
    (void)state;
    refused("lisetn: [127.0.0.1]\n",
            "f:1:1: unknown key \"lisetn\"; did you mean \"listen\"?\nlisetn: [127.0.0.1]\n^\n");
    refused("cache:\n  sise: 1MiB\n",
            "f:2:3: unknown key \"sise\" in cache; did you mean \"size\"?\n  sise: 1MiB\n  ^\n");
    refused("chache: {}\n", "f:1:1: unknown key \"chache\"; did you mean \"cache\"?\nchache: {}\n^\n");
    refused("udp-size: 512\n",
            "f:1:1: unknown key \"udp-size\"; did you mean \"limits: {udp-size: ...}\"?\nudp-size: 512\n^\n");
    refused("cache.size: 1MiB\n",
            "f:1:1: unknown key \"cache.size\"; did you mean \"cache: {size: ...}\"?\ncache.size: 1MiB\n^\n");
    refused("resolve: x\n", "f:1:1: unknown key \"resolve\"\nresolve: x\n^\n");
    refused("upstreams:\n- {name: a, tls_name: b, tls-name: b, addresses: [192.0.2.1]}\n",
            "f:2:13: unknown key \"tls_name\" in an upstream; did you mean \"tls-name\"?\n"
            "- {name: a, tls_name: b, tls-name: b, addresses: [192.0.2.1]}\n            ^\n");
}

static void wrong_types_are_refused(void **state)
{
    (void)state;
    refused("workers: [1]\n", "f:1:10: workers: expected a single value\nworkers: [1]\n         ^\n");
    refused("workers: {a: 1}\n", "f:1:10: workers: expected a single value\nworkers: {a: 1}\n         ^\n");
    refused("workers:\n", "f:1:1: workers: expected a value here\nworkers:\n^\n");
    refused("listen: 127.0.0.1\n", "f:1:9: listen: expected a list, as in [a, b]\nlisten: 127.0.0.1\n        ^\n");
    refused("listen: [[127.0.0.1]]\n",
            "f:1:10: listen: this item is not a single value\nlisten: [[127.0.0.1]]\n         ^\n");
    refused("listen: [::]\n", "f:1:11: listen: this item has a \": \" in it; put an IPv6 address in "
                              "quotes\nlisten: [::]\n          ^\n");
    refused("cache: 64MiB\n", "f:1:8: cache: expected settings, one per line and indented\ncache: 64MiB\n       ^\n");
    refused("upstreams: google\n", "f:1:12: upstreams: expected a list of upstreams, as in [google] or - name: "
                                   "google\nupstreams: google\n           ^\n");
    refused("upstreams: [[google]]\n",
            "f:1:13: upstreams: an upstream is the name of a preset, as in - google, or a mapping, as in - name: "
            "google\nupstreams: [[google]]\n            ^\n");
    refused("just words\n", "f:1:1: expected settings, as in workers: 1\njust words\n^\n");
    refused("- a\n", "f:1:1: expected settings, as in workers: 1\n- a\n^\n");
}

static void bad_values_are_refused_with_their_place(void **state)
{
    (void)state;
    refused("limits:\n  udp-size: 99999\n",
            "f:2:13: limits.udp-size: \"99999\" is out of range; use 512 to 4096\n  udp-size: 99999\n            ^\n");
    refused("log: {level: warn}\n",
            "f:1:14: log.level: \"warn\" is not error, warning, info or debug; did you mean \"warning\"?\n"
            "log: {level: warn}\n             ^\n");
    refused("rebind-allow: [\"*.corp.example\"]\n",
            "f:1:16: rebind-allow: \"*.corp.example\" is not a domain name in ASCII letters, digits, hyphens, "
            "underscores and dots, as in corp.example\nrebind-allow: [\"*.corp.example\"]\n               ^\n");
    refused("rebind-allow: [a..b]\n",
            "f:1:16: rebind-allow: \"a..b\" is not a domain name in ASCII letters, digits, hyphens, underscores and "
            "dots, as in corp.example\nrebind-allow: [a..b]\n               ^\n");
}

static void all_mistakes_are_reported_at_once(void **state)
{
    (void)state;
    struct result r =
        load_on(&large, "workers: 0\ncache: {size: 1, sise: 2}\nlisten: [0.0.0.0]\nupstreams: [{name: a}]\n",
                VARIABLES("DOTSTUB_X=1"));
    assert_int_equal(r.error, ERROR_CONFIG);
    static const char *const parts[] = {"f:1:10: workers",
                                        "f:2:15: cache.size",
                                        "f:2:18: unknown key",
                                        "DOTSTUB_X=1",
                                        "f:3:10: listen",
                                        "a has no addresses",
                                        "a has neither tls-name nor pins"};
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
    /* 151 items, then workers; a refused list causes no second report */
    struct result r = load(text);
    assert_int_equal(r.error, ERROR_CONFIG);
    assert_non_null(strstr(r.said, "\nand 52 more mistakes\n"));
    unsigned shown = 0;
    for (const char *at = r.said; (at = strstr(at, "f:1:")); at++)
        shown++;
    assert_int_equal(shown, 100);
    end(&r);
}

static void a_file_that_is_not_text_is_refused(void **state)
{
    (void)state;
    refused("workers: 1\n# caf\351\n", "f:2:6: a byte that is not UTF-8 text\n# caf\n     ^\n");
    refused("a: \033[2J\n", "f:1:4: a control character, which is not allowed here\na: \n   ^\n");
}

/* -- Checks of the whole -- */

static void an_upstream_needs_a_name_or_a_pin_for_its_certificate(void **state)
{
    (void)state;
    refused("upstreams:\n  - name: a\n    addresses: [192.0.2.1]\n",
            "f:2:5: upstreams: a has neither tls-name nor pins, so any certificate would be accepted; set one of them\n"
            "  - name: a\n    ^\n");
    refused(
        "upstreams: [{name: a, tls-name: \"\", addresses: [192.0.2.1]}]\n",
        "f:1:33: upstreams: a has neither tls-name nor pins, so any certificate would be accepted; set one of them\n"
        "upstreams: [{name: a, tls-name: \"\", addresses: [192.0.2.1]}]\n                                "
        "^\n");
}

static void an_upstream_needs_an_address(void **state)
{
    (void)state;
    refused("upstreams: [{name: a, tls-name: b}]\n",
            "f:1:13: upstreams: a has no addresses; write addresses: and a list, or host: and a name\n"
            "upstreams: [{name: a, tls-name: b}]\n            ^\n");
    refused("upstreams: [{name: a, tls-name: b, addresses: []}]\n",
            "f:1:47: upstreams: a has no addresses; write addresses: and a list, or host: and a name\n"
            "upstreams: [{name: a, tls-name: b, addresses: []}]\n                                            "
            "  ^\n");
    refused("upstreams: [{name: a, tls-name: b, addresses: [0.0.0.0]}]\n",
            "f:1:48: addresses: this is not the address of a server\n"
            "upstreams: [{name: a, tls-name: b, addresses: [0.0.0.0]}]\n"
            "                                               ^\n");
}

static void a_source_can_reach_some_address(void **state)
{
    (void)state;
    refused("upstreams: [{name: a, tls-name: b, addresses: [192.0.2.1], source: '::1'}]\n",
            "f:1:68: source: no address of a can be reached from an IPv6 address\n"
            "upstreams: [{name: a, tls-name: b, addresses: [192.0.2.1], source: '::1'}]\n"
            "                                                                   ^\n");
    struct result r =
        loaded("upstreams: [{name: a, tls-name: b, addresses: [192.0.2.1, '2001:db8::1'], source: '::1'}]\n");
    const struct config *c = r.config;
    assert_true(c->upstreams[0].has_source);
    assert_string_equal(config_item_origin(c, "upstreams", 0, "source"), "f:1");
    assert_string_equal(config_item_origin(c, "upstreams", 0, "ca-file"), "default");
    assert_string_equal(config_origin(c, "tls.ca-file"), "default");
    end(&r);
}

static void a_refused_value_is_not_called_missing_too(void **state)
{
    (void)state;
    refused("upstreams: [{name: a, tls-name: b, addresses: [x]}]\n",
            "f:1:48: addresses: \"x\" is not an address; write ADDR or ADDR@PORT, as in 192.0.2.1 or "
            "\"2001:db8::1\"\n"
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
            "f:1:12: upstreams: no upstream is left, so no query could be resolved\nupstreams: []\n           ^\n");
    refused("listen: []\n",
            "f:1:9: listen: no address is left, so no client could send a query\nlisten: []\n        ^\n");
}

static void duplicates_are_refused(void **state)
{
    (void)state;
    refused("listen: [127.0.0.1, 127.0.0.1@53]\n", "f:1:21: listen: 127.0.0.1@53 is listed twice\nlisten: "
                                                   "[127.0.0.1, 127.0.0.1@53]\n                    ^\n");
    refused("upstreams: [{name: a, tls-name: b, addresses: [192.0.2.1@8853, 192.0.2.1], port: 8853}]\n",
            "f:1:64: addresses: 192.0.2.1@8853 is listed twice\n"
            "upstreams: [{name: a, tls-name: b, addresses: [192.0.2.1@8853, 192.0.2.1], port: 8853}]\n"
            "                                                               ^\n");
    refused("upstreams:\n- {name: a, tls-name: b, addresses: [192.0.2.1]}\n- {name: a, tls-name: b, "
            "addresses: [192.0.2.2]}\n",
            "f:3:10: upstreams: duplicate name \"a\"; first in line 2\n"
            "- {name: a, tls-name: b, addresses: [192.0.2.2]}\n         ^\n");
    refused("workers: 1\nworkers: 1\n", "f:2:1: duplicate key \"workers\"; first in line 1\nworkers: 1\n^\n");
}

static void an_ipv4_address_has_one_form(void **state)
{
    (void)state;
    refused("listen: [\"::ffff:127.0.0.1@5300\"]\n",
            "f:1:10: listen: \"::ffff:127.0.0.1@5300\" is an IPv4 address in the form of IPv6; write 127.0.0.1@5300\n"
            "listen: [\"::ffff:127.0.0.1@5300\"]\n         ^\n");
    refused("upstreams: [{name: a, tls-name: b, addresses: [\"::ffff:c000:201\"]}]\n",
            "f:1:48: addresses: \"::ffff:c000:201\" is an IPv4 address in the form of IPv6; write 192.0.2.1\n"
            "upstreams: [{name: a, tls-name: b, addresses: [\"::ffff:c000:201\"]}]\n"
            "                                               ^\n");
}

static void listening_beyond_loopback_needs_access_allow(void **state)
{
    (void)state;
    static const char *const beyond[] = {"0.0.0.0", "\"::\"", "192.0.2.1", "\"2001:db8::1\""};
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

static void interfaces_are_names(void **state)
{
    (void)state;
    struct result r = loaded("listen: [\"%lan0\", \"fe80::1%lan1\", \"%lan2@5353\"]\nlisten-except: [docker0, br-1]\n"
                             "access: {allow: [10.0.0.0/8]}\n");
    same_addr(&r.config->listen[0], "%lan0@53");
    same_addr(&r.config->listen[1], "fe80::1%lan1@53");
    same_addr(&r.config->listen[2], "%lan2@5353");
    assert_int_equal(r.config->listen_except_count, 2);
    assert_string_equal(r.config->listen_except[1], "br-1");
    end(&r);
    refused("listen: [\"fe80::1\"]\n",
            "f:1:10: listen: \"fe80::1\" is a link-local address; name its interface as well, "
            "as in \"fe80::1%eth0\"\nlisten: [\"fe80::1\"]\n         ^\n");
    static const char *const wrong[] = {
        "upstreams: [{name: a, tls-name: b.example, addresses: [\"fe80::1\"]}]\n",
        "upstreams: [{name: a, tls-name: b.example, addresses: [\"%lan0\"]}]\n",
        "upstreams: [{name: a, tls-name: b.example, addresses: [\"fe80::1%lan0\"], source: \"fe80::2\"}]\n",
        "metrics: {listen: \"fe80::1@9153\"}\n",
        "metrics: {listen: \"%lan0@9153\"}\n",
        "listen-except: [\"a/b\"]\n",
        "listen: [\"%lan0\"]\n", /* access.allow is missing */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        r = load(wrong[i]);
        assert_int_equal(r.error, ERROR_CONFIG);
        end(&r);
    }
}

static void an_ipv6_wildcard_alone_is_noticed_where_ipv4_clients_are_allowed(void **state)
{
    (void)state;
    struct result r = loaded("listen: [\"::\"]\naccess: {allow: [192.168.0.0/16, \"::1\"]}\n");
    assert_int_equal(r.config->notice_count, 1);
    assert_non_null(strstr(r.config->notices[0], "IPv6 queries only"));
    end(&r);
    static const char *const fine[] = {
        "listen: [\"::\", 0.0.0.0]\naccess: {allow: [192.168.0.0/16]}\n",
        "listen: [\"::\", 192.0.2.1]\naccess: {allow: [192.168.0.0/16]}\n",
        "listen: [\"::\"]\naccess: {allow: [\"2001:db8::/32\"]}\n",
        "listen: [0.0.0.0]\naccess: {allow: [\"::1\", 10.0.0.0/8]}\n",
        "listen: [\"2001:db8::1\"]\naccess: {allow: [10.0.0.0/8]}\n",
        "",
    };
    for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
        r = loaded(fine[i]);
        assert_int_equal(r.config->notice_count, 0);
        end(&r);
    }
}

static void ttl_bounds_must_not_cross(void **state)
{
    (void)state;
    refused("cache: {min-ttl: 2h, max-ttl: 1h}\n", "f:1:18: cache.min-ttl is above cache.max-ttl\ncache: "
                                                   "{min-ttl: 2h, max-ttl: 1h}\n                 ^\n");
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
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "- {name: n%d, tls-name: b, addresses: [192.0.2.1]}\n", i);
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
                                  VARIABLES("PATH=/bin", "DOTSTUB_CACHE_SIZE=16MiB",
                                            "DOTSTUB_LISTEN=0.0.0.0, ::", "DOTSTUB_ACCESS_ALLOW=127.0.0.0/8,::1",
                                            "DOTSTUB_TLS_MIN_VERSION=1.3", "DOTSTUB_TEST_ANYTHING=1", "DOTSTUB"));
    assert_int_equal(r.config->cache.size, 16 << 20);
    assert_int_equal(r.config->listen_count, 2);
    assert_false(r.config->listen_is_default);
    same_addr(&r.config->listen[0], "0.0.0.0@53");
    same_addr(&r.config->listen[1], "::@53");
    assert_int_equal(r.config->access.allow_count, 2);
    assert_int_equal(r.config->tls.min_version, 13);
    end(&r);
}

static void expect_upstream(const struct config_upstream *upstream, const char *name, const char *tls_name,
                            size_t addresses)
{
    assert_string_equal(upstream->name, name);
    assert_string_equal(upstream->tls_name, tls_name);
    assert_int_equal(upstream->address_count, addresses);
}

static void presets_are_upstreams_by_name(void **state)
{
    (void)state;
    struct result r = loaded("upstreams: [quad9, google, {name: a, tls-name: b, addresses: [192.0.2.1]}, mullvad]\n");
    assert_int_equal(r.config->upstream_count, 4);
    expect_upstream(&r.config->upstreams[0], "quad9", "dns.quad9.net", 4);
    expect_upstream(&r.config->upstreams[1], "google", "dns.google", 4);
    expect_upstream(&r.config->upstreams[2], "a", "b", 1);
    expect_upstream(&r.config->upstreams[3], "mullvad", "dns.mullvad.net", 2);
    assert_int_equal(r.config->upstreams[0].max_qps, 0);
    assert_int_equal(r.config->upstreams[1].max_qps, 1000);
    assert_string_equal(config_item_origin(r.config, "upstreams", 0, "tls-name"), "f:1");
    assert_string_equal(config_item_origin(r.config, "upstreams", 0, "role"), "default");
    end(&r);
    r = loaded_with("upstreams: [quad9]\n", VARIABLES("DOTSTUB_UPSTREAMS=cloudflare, dns.example=192.0.2.1"));
    assert_int_equal(r.config->upstream_count, 2);
    expect_upstream(&r.config->upstreams[0], "cloudflare", "one.one.one.one", 4);
    end(&r);
    refused(
        "upstreams: [qaud9]\n",
        "f:1:13: upstreams: \"qaud9\" is not a preset; did you mean \"quad9\"?\nupstreams: [qaud9]\n            ^\n");
    refused("upstreams: [quad9, quad9]\n",
            "f:1:20: upstreams: duplicate name \"quad9\"\nupstreams: [quad9, quad9]\n                   ^\n");
    refused("upstreams: ['tls://1.1.1.1']\n", "f:1:13: upstreams: \"tls://1.1.1.1\" is not a preset; write cloudflare\n"
                                              "upstreams: ['tls://1.1.1.1']\n            ^\n");
    refused(
        "upstreams: [192.0.2.1@853#dns.example]\n",
        "f:1:13: upstreams: \"192.0.2.1@853#dns.example\" is not a preset; write {name: dns.example, tls-name: dns.example, "
        "addresses: [192.0.2.1@853]}\nupstreams: [192.0.2.1@853#dns.example]\n            ^\n");
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

/* In a cluster with services called dotstub and dotstub-metrics. */
static void service_links_of_kubernetes_are_no_settings(void **state)
{
    (void)state;
    struct result r = loaded_with(
        "", VARIABLES("DOTSTUB_SERVICE_HOST=10.96.0.10", "DOTSTUB_SERVICE_PORT=53", "DOTSTUB_SERVICE_PORT_DNS_TCP=53",
                      "DOTSTUB_PORT=udp://10.96.0.10:53", "DOTSTUB_PORT_53_UDP=udp://10.96.0.10:53",
                      "DOTSTUB_PORT_53_UDP_PROTO=udp", "DOTSTUB_PORT_53_UDP_PORT=53",
                      "DOTSTUB_PORT_53_UDP_ADDR=10.96.0.10", "DOTSTUB_METRICS_SERVICE_HOST=10.96.0.11",
                      "DOTSTUB_METRICS_PORT=tcp://10.96.0.11:9353", "DOTSTUB_METRICS_PORT_9353_TCP_ADDR=10.96.0.11"));
    end(&r);
    refused_with("", VARIABLES("DOTSTUB_PORT=5353"),
                 "environment: unknown variable; did you mean \"DOTSTUB_PORTAL_NAMES\"?\nDOTSTUB_PORT=5353\n^\n");
}

static void mistakes_in_the_environment_show_the_variable(void **state)
{
    (void)state;
    refused_with("", VARIABLES("DOTSTUB_CACHE_SIZE=64MB"),
                 "environment: cache.size: \"64MB\" is not a size; write 64MiB\n"
                 "DOTSTUB_CACHE_SIZE=64MB\n                   ^\n");
    refused_with("", VARIABLES("DOTSTUB_CACHESIZE=64MiB"),
                 "environment: unknown variable; did you mean \"DOTSTUB_CACHE_SIZE\"?\n"
                 "DOTSTUB_CACHESIZE=64MiB\n^\n");
    refused_with("", VARIABLES("DOTSTUB_LISTEN=127.0.0.1,x"),
                 "environment: listen: \"x\" is not an address; write ADDR or ADDR@PORT, as in 192.0.2.1 or "
                 "\"2001:db8::1\"\n"
                 "DOTSTUB_LISTEN=127.0.0.1,x\n                         ^\n");
    refused_with("", VARIABLES("DOTSTUB_LISTEN=0.0.0.0"),
                 "environment: listen: 0.0.0.0 can be reached from other machines; list the allowed clients "
                 "in access.allow\n"
                 "DOTSTUB_LISTEN=0.0.0.0\n               ^\n");
    refused_with("", VARIABLES("DOTSTUB_UPSTREAMS=a.example=192.0.2.1,foo"),
                 "environment: upstreams: \"foo\" is neither a preset, see dotstub.yaml(5), nor NAME=ADDR+ADDR\n"
                 "DOTSTUB_UPSTREAMS=a.example=192.0.2.1,foo\n                                      ^\n");
    refused_with("", VARIABLES("DOTSTUB_UPSTREAMS=a.example=192.0.2.1+y"),
                 "environment: addresses: \"y\" is not an address; write ADDR or ADDR@PORT, as in 192.0.2.1 "
                 "or \"2001:db8::1\"\n"
                 "DOTSTUB_UPSTREAMS=a.example=192.0.2.1+y\n                                      ^\n");
    refused_with("", VARIABLES("DOTSTUB_UPSTREAMS=a.example=192.0.2.1,a.example=192.0.2.2"),
                 "environment: upstreams: duplicate name \"a.example\"\n"
                 "DOTSTUB_UPSTREAMS=a.example=192.0.2.1,a.example=192.0.2.2\n                                "
                 "      ^\n");
    refused_with("", VARIABLES("DOTSTUB_LOG_LEVEL=a\033[2J"),
                 "environment: a control character, which is not allowed here\nDOTSTUB_LOG_LEVEL=a\n           "
                 "        ^\n");
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

static void define(uint8_t out[DIGEST_LEN], const char *text)
{
    struct result result = load(text);
    assert_int_equal(result.error, 0);
    assert_int_equal(config_define_group(result.config, result.config->upstreams, result.config->upstream_count, out),
                     0);
    end(&result);
}

static void assert_one_definition(const char *text, const char *other)
{
    uint8_t first[DIGEST_LEN], second[DIGEST_LEN];
    define(first, text);
    define(second, other);
    assert_memory_equal(first, second, DIGEST_LEN);
}

static void the_order_of_a_definition_does_not_count(void **state)
{
    (void)state;
    assert_one_definition("upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1, 2001:db8::1]},"
                          " {name: b, tls-name: b.example, addresses: [192.0.2.3]}]",
                          "upstreams: [{name: b, tls-name: b.example, addresses: [192.0.2.3]},"
                          " {name: a, tls-name: a.example, addresses: [2001:db8::1, 192.0.2.1]}]");
    assert_one_definition(
        "upstreams: [{name: a, addresses: [192.0.2.1], pins:"
        " [sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, sha256/BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=]}]",
        "upstreams: [{name: a, addresses: [192.0.2.1], pins:"
        " [sha256/BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=, sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}]");
}

static void unused_settings_are_not_part_of_a_definition(void **state)
{
    (void)state;
    assert_one_definition(
        "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1]}]",
        "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1], source: 192.0.2.9, min-version: '1.3'}]");
    assert_one_definition(
        "upstreams: [{name: a, addresses: [192.0.2.1], pins: [sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}]",
        "upstreams: [{name: a, addresses: [192.0.2.1], pins: [sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}]\n"
        "tls: {ca-file: /ca}");
}

static void upstreams_are_identified_by_their_definition(void **state)
{
    static const char base[] = "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1, 192.0.2.2]}]";
    static const char *const same[] = {
        "upstreams: [{name: b, tls-name: a.example, addresses: [192.0.2.1@853, 192.0.2.2], max-qps: 5, role: backup}]\ncache: {size: 8MiB}",
        "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1, 192.0.2.2]}]\ntls: {min-version: '1.3'}"};
    static const char *const different[] = {
        "",
        "upstreams: [{name: a, tls-name: b.example, addresses: [192.0.2.1, 192.0.2.2]}]",
        "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1]}]",
        "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1, 192.0.2.2@854]}]",
        "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1, 192.0.2.2], ecs: default}]",
        "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1, 192.0.2.2], ca-file: /ca}]",
        "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1, 192.0.2.2]}]\ntls: {ca-file: /ca}",
        "upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1]}, {name: b, tls-name: a.example, addresses: [192.0.2.2]}]",
        ("upstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1, 192.0.2.2],"
         " pins: [sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}]")};
    uint8_t first[DIGEST_LEN], second[DIGEST_LEN];
    (void)state;
    define(first, base);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        define(second, same[i]);
        assert_memory_equal(first, second, DIGEST_LEN);
    }
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        define(second, different[i]);
        assert_memory_not_equal(first, second, DIGEST_LEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(sections_may_be_empty),
        cmocka_unit_test(every_setting_is_read),
        cmocka_unit_test(defences_are_read),
        cmocka_unit_test(words_for_yes_and_no_are_choices),
        cmocka_unit_test(references_are_counted),
        cmocka_unit_test(mistakes_in_routes_are_reported),
        cmocka_unit_test(mistakes_in_views_are_reported),
        cmocka_unit_test(views_have_teams),
        cmocka_unit_test(plain_servers_are_identified_by_their_zones_and_interface),
        cmocka_unit_test(teams_have_the_upstreams_that_were_named),
        cmocka_unit_test(mistakes_in_hosts_are_reported),
        cmocka_unit_test(a_host_has_a_team_that_looks_it_up),
        cmocka_unit_test(the_identity_of_a_host_is_its_name),
        cmocka_unit_test(own_addresses_are_refused),
        cmocka_unit_test(an_unknown_key_is_refused_with_place_caret_and_suggestion),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(bad_values_are_refused_with_their_place),
        cmocka_unit_test(all_mistakes_are_reported_at_once),
        cmocka_unit_test(masses_of_mistakes_are_counted_only),
        cmocka_unit_test(a_file_that_is_not_text_is_refused),
        cmocka_unit_test(an_upstream_needs_a_name_or_a_pin_for_its_certificate),
        cmocka_unit_test(an_upstream_needs_an_address),
        cmocka_unit_test(a_source_can_reach_some_address),
        cmocka_unit_test(a_refused_value_is_not_called_missing_too),
        cmocka_unit_test(an_upstream_needs_a_name),
        cmocka_unit_test(some_upstream_and_some_listener_must_be_left),
        cmocka_unit_test(duplicates_are_refused),
        cmocka_unit_test(an_ipv4_address_has_one_form),
        cmocka_unit_test(listening_beyond_loopback_needs_access_allow),
        cmocka_unit_test(interfaces_are_names),
        cmocka_unit_test(an_ipv6_wildcard_alone_is_noticed_where_ipv4_clients_are_allowed),
        cmocka_unit_test(ttl_bounds_must_not_cross),
        cmocka_unit_test(lists_have_a_limit),
        cmocka_unit_test(each_scalar_and_list_can_be_set_by_environment),
        cmocka_unit_test(presets_are_upstreams_by_name),
        cmocka_unit_test(upstreams_by_environment_replace_all),
        cmocka_unit_test(service_links_of_kubernetes_are_no_settings),
        cmocka_unit_test(mistakes_in_the_environment_show_the_variable),
        cmocka_unit_test(an_empty_variable_empties_a_list_and_is_no_scalar),
        cmocka_unit_test(upstreams_are_identified_by_their_definition),
        cmocka_unit_test(the_order_of_a_definition_does_not_count),
        cmocka_unit_test(unused_settings_are_not_part_of_a_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
