/* SPDX-License-Identifier: MIT */
/* ctl/keep_local: which zones a router may keep, and the file with their route. */
#include "ctl/keep_local.h"
#include "loading.h"

static struct keep_local keep;

static void find(const char *text, const char *config_text)
{
    char path[] = "/tmp/test_keep_local.XXXXXX";
    struct resolv resolv;
    struct result result = load(config_text);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(resolv_read_file(&resolv, path), 0);
    keep_local_find(&keep, &resolv, result.config);
    resolv_free(&resolv);
    unlink(path);
    end(&result);
}

static void assert_zones(const char *expected)
{
    char found[1000] = "";
    size_t len = 0;
    for (unsigned i = 0; i < keep.zone_count; i++)
        len += (size_t)snprintf(found + len, sizeof found - len, "%s%s%s", i ? " " : "", keep.zones[i].name,
                                keep.zones[i].is_private ? "" : "?");
    assert_string_equal(found, expected);
}

static void a_home_router(void **state)
{
    (void)state;
    find("search lan home.arpa\nnameserver 192.168.1.1\n", "");
    assert_zones("lan home.arpa 168.192.in-addr.arpa");
    find("domain Home.Lan.\nnameserver 10.0.0.1\nnameserver fd00::1\nnameserver 172.17.0.1\n", "");
    assert_zones("Home.Lan 10.in-addr.arpa d.f.ip6.arpa 17.172.in-addr.arpa");
    assert_int_equal(keep.server_count, 3);
    find("search fritz.box\nnameserver 192.168.178.1\n", "");
    assert_zones("fritz.box? 168.192.in-addr.arpa");
}

static void public_servers_keep_nothing(void **state)
{
    (void)state;
    find("search lan\nnameserver 192.0.2.1\nnameserver 127.0.0.53\nnameserver 2001:db8::1\nnameserver fe80::1\n", "");
    assert_zones("");
    find("search lan\nnameserver 192.0.2.1\nnameserver 192.168.1.1\n", "");
    assert_zones("lan 168.192.in-addr.arpa");
    assert_int_equal(keep.server_count, 1); /* the public one does not get these names */
}

static void names_of_all_are_left_out(void **state)
{
    (void)state;
    find(
        "search . com example arpa in-addr.arpa ip6.arpa 1.in-addr.arpa a..b.lan a\"b.lan a[.lan $(x).lan *.lan x\\y.lan "
        "lan LAN local\nnameserver 192.168.1.1\n",
        "");
    assert_zones("lan 168.192.in-addr.arpa");
}

static void zones_with_a_route_are_left_out(void **state)
{
    (void)state;
    find("search lan corp.example\nnameserver 192.168.1.1\n",
         "forward: [{zones: [LAN., 168.192.in-addr.arpa], to: [192.168.1.1], plain: yes}]\n");
    assert_zones("corp.example?");
}

static void the_number_is_bounded(void **state)
{
    (void)state;
    find(
        "search a.lan b.lan c.lan d.lan e.lan f.lan g.lan h.lan i.lan j.lan k.lan l.lan m.lan\nnameserver 192.168.1.1\n",
        "");
    assert_int_equal(keep.zone_count, KEEP_ZONES);
}

static void the_file_is_a_configuration(void **state)
{
    (void)state;
    find("search lan corp.example fritz.box\nnameserver 192.168.1.1\nnameserver fe80::1%lo\n", "");
    char *text = keep_local_text(&keep);
    assert_null(text); /* nothing was chosen */
    keep.zones[0].keep = keep.zones[1].keep = keep.zones[3].keep = true;
    text = keep_local_text(&keep);
    struct result result = load(text);
    if (!result.config)
        fail_msg("%s\n%s", text, result.said);
    assert_int_equal(result.config->forward_count, 2);
    const struct config_route *route = result.config->forward;
    assert_int_equal(route[0].zone_count, 2);
    assert_string_equal(route[0].zones[1], "168.192.in-addr.arpa");
    assert_true(route[0].is_private && route[0].plain);
    assert_int_equal(route[0].to_count, 2);
    assert_int_equal(route[1].zone_count, 1);
    assert_string_equal(route[1].zones[0], "corp.example");
    assert_false(route[1].is_private);
    end(&result);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_home_router),
        cmocka_unit_test(public_servers_keep_nothing),
        cmocka_unit_test(names_of_all_are_left_out),
        cmocka_unit_test(zones_with_a_route_are_left_out),
        cmocka_unit_test(the_number_is_bounded),
        cmocka_unit_test(the_file_is_a_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
