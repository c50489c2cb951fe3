/* SPDX-License-Identifier: MIT */
/* A snapshot as text, the annotated file and the manual. */
#include <jansson.h>
#include "loading.h"
#include "base/errors.h"
#include "config/json.h"

/* -- Printing -- */

static void printed_settings_are_read_back(void **state)
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

static void every_printed_value_has_its_source(void **state)
{
    (void)state;
    put("dotstub.yaml", "listen: [127.0.0.1]\nworkers: auto\nupstreams:\n- name: a\n  tls-name: a.example\n  "
                        "addresses: [192.0.2.1]\n");
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

static void note_key(void *context, const char *key)
{
    char *keys = context;
    strcat(strcat(keys, key), " ");
}

static void restart_only_settings_keep_the_values_of_the_start(void **state)
{
    char keys[256] = "";
    struct result started = loaded("cache: {size: 4MiB}\ncontrol: {socket: /a}\n"), read = loaded(full);
    (void)state;
    assert_int_equal(config_keep_restart_only(read.config, started.config, note_key, keys), 0);
    end(&started); /* the other one has it still */
    assert_string_equal(
        keys, "listen workers cache.size cache.save cache.save-file control.socket metrics.listen metrics.token-file ");
    assert_int_equal(read.config->workers, 1);
    assert_int_equal(read.config->cache.size, 4 << 20);
    assert_int_equal(read.config->listen_count, 2);
    assert_true(read.config->listen_is_default);
    assert_string_equal(read.config->control_socket, "/a");
    assert_false(read.config->has_metrics);
    assert_int_equal(read.config->limits.udp_size, 4096); /* as read */
    assert_string_equal(config_origin(read.config, "workers"), "f:2, whose value takes effect at the next start");
    end(&read);
}

static void unchanged_settings_are_not_reported(void **state)
{
    char keys[256] = "";
    struct result started = loaded(full), read = loaded(full);
    (void)state;
    assert_int_equal(config_keep_restart_only(read.config, started.config, note_key, keys), 0);
    assert_string_equal(keys, "");
    assert_string_equal(config_origin(read.config, "workers"), "f:2");
    end(&read);
    end(&started);
}

/* -- JSON -- */

static const json_t *setting_of(const json_t *settings, const char *key)
{
    size_t i;
    json_t *setting;
    json_array_foreach(settings, i, setting) if (strcmp(json_string_value(json_object_get(setting, "setting")), key) ==
                                                 0) return setting;
    fail_msg("no setting %s", key);
    return NULL;
}

static void expect_json(const json_t *settings, const char *key, const char *json)
{
    char *text = json_dumps(json_object_get(setting_of(settings, key), "value"), JSON_ENCODE_ANY);
    assert_string_equal(text, json);
    free(text);
}

/* Lists whose items have a name, or only a number. */
static const char routed[] = "groups: [{name: work.example, upstreams: [quad9, google], policy: spread}, {name: b, "
                             "upstreams: [google]}]\n"
                             "forward: [{zones: [a.example], group: work.example}, {zones: [b.example, home.arpa], "
                             "upstreams: [cloudflare], private: yes}]\n"
                             "views: [{name: kids, clients: [10.0.0.0/8, \"2001:db8::/32\"], upstreams: [quad9]},\n"
                             "  {interface: eth1, inherit: no, forward: [{zones: [c.example], group: b}]}]\n";

static void routes_are_printed_and_read_back(void **state)
{
    (void)state;
    struct result first = loaded(routed), second;
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(config_print(first.config, out), 0);
    fclose(out);
    second = loaded(text);
    same_config(first.config, second.config);
    assert_int_equal(second.config->team_count, 5);
    assert_string_equal(config_item_origin(first.config, "forward", 1, "private"), "f:2");
    assert_string_equal(config_item_origin(first.config, "forward", 0, "private"), "default");
    json_t *settings = config_to_json(first.config);
    expect_json(settings, "forward.2.zones", "[\"b.example\", \"home.arpa\"]");
    expect_json(settings, "groups.work.example.policy", "\"spread\"");
    expect_json(settings, "views.1.clients", "[\"10.0.0.0/8\", \"2001:db8::/32\"]");
    expect_json(settings, "views.2.forward.1.group", "\"b\"");
    json_decref(settings);
    free(text);
    end(&first);
    end(&second);
}

static size_t count_lists_of_items(void)
{
    size_t count = 0;
    for (size_t i = 0; i < option_count; i++)
        count += options[i].type == OPTION_ITEMS;
    return count;
}

static void settings_have_the_types_of_json(void **state)
{
    (void)state;
    struct result r = loaded("cache: {size: 8MiB}\nlog: {modules: [tls=debug]}\nidentity: {hostname: 'a \"b\"'}\n"
                             "upstreams: [{name: a.example, addresses: [192.0.2.1], pins:"
                             " [sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]}]\n");
    json_t *settings = config_to_json(r.config);
    assert_int_equal(json_array_size(settings), option_count - count_lists_of_items() + upstream_option_count);
    expect_json(settings, "cache.size", "\"8MiB\"");
    expect_json(settings, "cache.prefetch", "true");
    expect_json(settings, "workers", "1");
    expect_json(settings, "listen", "[\"127.0.0.1@53\", \"::1@53\"]");
    expect_json(settings, "log.modules", "[\"tls=debug\"]");
    expect_json(settings, "identity.hostname", "\"a \\\"b\\\"\"");
    expect_json(settings, "tls.min-version", "\"1.2\"");
    expect_json(settings, "upstreams.a.example.port", "853");
    expect_json(settings, "upstreams.a.example.tls-name", "\"\"");
    expect_json(settings, "upstreams.a.example.pins", "[\"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]");
    assert_string_equal(json_string_value(json_object_get(setting_of(settings, "workers"), "origin")), "default");
    assert_string_equal(json_string_value(json_object_get(setting_of(settings, "cache.size"), "origin")), "f:1");
    json_decref(settings);
    end(&r);
}

static void settings_are_read_back_from_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", full, "upstreams: [quad9, {name: a, tls-name: b.example, addresses: [192.0.2.1]}]", routed};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct result first = loaded(texts[i]);
        json_t *settings = config_to_json(first.config);
        struct config *second = NULL;
        assert_int_equal(config_from_json(&second, settings, "daemon", stderr), 0);
        same_config(first.config, second);
        config_unref(second);
        json_decref(settings);
        end(&first);
    }
    json_t *unknown = json_pack("[{s:s, s:i}]", "setting", "no.such", "value", 1);
    struct config *none = NULL;
    FILE *nowhere = fopen("/dev/null", "w");
    assert_int_equal(config_from_json(&none, unknown, "daemon", nowhere), ERROR_CONFIG);
    fclose(nowhere);
    json_decref(unknown);
}

static void the_default_socket_is_known(void **state)
{
    (void)state;
    struct result r = loaded("");
    assert_true(r.config->control_socket_is_default);
    end(&r);
    r = loaded("control: {socket: /run/dotstub/control.sock}\n");
    assert_false(r.config->control_socket_is_default);
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

/* After a change of the table run "tests/unit/test_config_print annotated > conf/dotstub.yaml". */
static void the_annotated_file_is_up_to_date(void **state)
{
    (void)state;
    char *text = annotated(), *committed = read_whole(TEST_DATA "/../conf/dotstub.yaml");
    assert_string_equal(text, committed);
    free(text);
    free(committed);
}

static void the_annotated_file_sets_only_defaults(void **state)
{
    (void)state;
    char *text = annotated();
    struct result defaults = loaded(""), as_it_is = loaded(text);
    same_config(as_it_is.config, defaults.config);
    assert_true(as_it_is.config->listen_is_default);

    /* Without the "#" before its settings the file sets the defaults. */
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

/* The manual has an item for the setting, which names its default. */
static void described(const char *manual, const struct option *option)
{
    char item[128], wanted[2048];
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
    const struct option_items *const lists[] = {&group_items, &route_items, &block_items};
    static const char *const sections[] = {"\n.Sh GROUPS\n", "\n.Sh ROUTES\n", "\n.Sh BLOCK LISTS\n"};
    for (size_t list = 0; list < sizeof lists / sizeof *lists; list++)
        for (size_t i = 0; i < lists[list]->count; i++)
            described(strstr(manual, sections[list]), &lists[list]->table[i]);
    for (size_t i = 0; i < preset_count; i++) {
        char item[64];
        snprintf(item, sizeof item, "\n.Cm %s\n", presets[i].name);
        char other[64];
        snprintf(other, sizeof other, "\n.Cm %s ", presets[i].name);
        if (!strstr(manual, item) && !strstr(manual, other))
            fail_msg("dotstub.yaml(5) does not mention the preset %s", presets[i].name);
    }
    free(manual);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    struct result r = loaded("");
    FILE *full_disk = fopen("/dev/full", "w");
    assert_non_null(full_disk);
    assert_int_equal(config_print(r.config, full_disk), -EIO);
    fclose(full_disk);
    end(&r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printed_settings_are_read_back),
        cmocka_unit_test_setup_teardown(every_printed_value_has_its_source, make_directory, remove_directory),
        cmocka_unit_test(restart_only_settings_keep_the_values_of_the_start),
        cmocka_unit_test(unchanged_settings_are_not_reported),
        cmocka_unit_test(routes_are_printed_and_read_back),
        cmocka_unit_test(settings_have_the_types_of_json),
        cmocka_unit_test(settings_are_read_back_from_json),
        cmocka_unit_test(the_default_socket_is_known),
        cmocka_unit_test(the_annotated_file_is_up_to_date),
        cmocka_unit_test(the_annotated_file_sets_only_defaults),
        cmocka_unit_test(the_manual_mentions_every_setting_and_its_default),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    if (argc > 1 && strcmp(argv[1], "annotated") == 0)
        return config_print_annotated(stdout) != 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
