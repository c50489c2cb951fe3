/* SPDX-License-Identifier: MIT */
/* Maps of a cluster, and everything that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/errors.h"
#include "store/slotmap.h"

static struct slot_map map;

static int read_as(int (*read)(struct slot_map *, const struct resp_reply *), const char *text)
{
    struct resp *resp = resp_new();
    struct resp_reply reply;
    assert_non_null(resp);
    assert_int_equal(resp_feed(resp, (struct bytes){(const uint8_t *)text, strlen(text)}), 0);
    assert_int_equal(resp_next(resp, &reply), 1);
    int status = read(&map, &reply);
    resp_free(resp);
    return status;
}

static unsigned slot_of_text(const char *text)
{
    return slot_of((struct bytes){(const uint8_t *)text, strlen(text)});
}

static void slots_of_keys(void **state)
{
    (void)state;
    assert_int_equal(slot_of_text("123456789"), 0x31c3); /* the check value of CRC16/XMODEM */
    assert_int_equal(slot_of_text("foo"), 12182);
    assert_int_equal(slot_of_text("x{foo}y{bar}"), 12182);
    assert_int_equal(slot_of_text("{}foo"), slot_of_text("{}foo"));
    assert_int_not_equal(slot_of_text("{}foo"), 12182);
    assert_int_not_equal(slot_of_text("{foo"), 12182);
    assert_int_equal(slot_of_text(""), 0);
}

#define BULK(length, text)  "$" #length "\r\n" text "\r\n"
#define SHARD(slots, nodes) "*4\r\n" BULK(5, "slots") slots BULK(5, "nodes") nodes
#define NODE(port, endpoint, role, health)                                                                             \
    "*10\r\n" BULK(2, "id") BULK(1, "x") BULK(4, "port") ":" port "\r\n" BULK(8, "endpoint") endpoint BULK(4, "role")  \
        role BULK(6, "health") health
#define HOST   BULK(9, "127.0.0.1")
#define MASTER BULK(6, "master")
#define FINE   BULK(6, "online")

static void shards(void **state)
{
    (void)state;
    assert_int_equal(
        read_as(slot_map_shards,
                "*3\r\n" SHARD("*4\r\n:0\r\n:5\r\n:7\r\n:7\r\n",
                               "*2\r\n" NODE("7001", HOST, BULK(7, "replica"), FINE) NODE("7002", HOST, MASTER, FINE))
                    SHARD("*2\r\n:16383\r\n:16383\r\n", "*1\r\n" NODE("7003", "$-1\r\n", MASTER, FINE))
                        SHARD("*0\r\n", "*1\r\n" NODE("7004", BULK(0, ""), MASTER, FINE))),
        0);
    assert_int_equal(map.count, 3);
    assert_int_equal(map.replica_count, 1);
    assert_int_equal(map.replica[0].server.port, 7001);
    assert_int_equal(map.replica[0].master, 0);
    assert_string_equal(map.master[0].host, "127.0.0.1");
    assert_int_equal(map.master[0].port, 7002);
    assert_int_equal(map.master[0].tls_port, 0);
    assert_string_equal(map.master[1].host, "");
    assert_string_equal(map.master[2].host, "");
    assert_int_equal(map.owner[0], 0);
    assert_int_equal(map.owner[5], 0);
    assert_int_equal(map.owner[6], SLOT_NOBODY);
    assert_int_equal(map.owner[7], 0);
    assert_int_equal(map.owner[8], SLOT_NOBODY);
    assert_int_equal(map.owner[16383], 1);
}

static void a_shard_without_a_master_has_no_slots(void **state)
{
    (void)state;
    assert_int_equal(read_as(slot_map_shards, "*1\r\n" SHARD("*2\r\n:0\r\n:5\r\n",
                                                             "*1\r\n" NODE("7001", HOST, MASTER, BULK(4, "fail")))),
                     0);
    assert_int_equal(map.count, 0);
    assert_int_equal(map.owner[0], SLOT_NOBODY);
    assert_int_equal(read_as(slot_map_shards, "*1\r\n" SHARD("*2\r\n:0\r\n:5\r\n", "*0\r\n")), 0);
    assert_int_equal(
        read_as(slot_map_shards, "*1\r\n" SHARD("*2\r\n:0\r\n:5\r\n", "*1\r\n" NODE("0", HOST, MASTER, FINE))), 0);
    assert_int_equal(map.count, 0);
    assert_int_equal(read_as(slot_map_shards, "*0\r\n"), 0);
}

static void a_node_without_a_name_has_an_address(void **state)
{
    (void)state;
    assert_int_equal(
        read_as(slot_map_shards,
                "*1\r\n" SHARD("*2\r\n:0\r\n:5\r\n", "*1\r\n*10\r\n" BULK(8, "tls-port") ":7001\r\n" BULK(8, "endpoint")
                                                         BULK(1, "?") BULK(2, "ip") BULK(9, "192.0.2.1") BULK(4, "role")
                                                             MASTER BULK(3, "new") "*1\r\n*1\r\n:1\r\n")),
        0);
    assert_string_equal(map.master[0].host, "192.0.2.1");
    assert_int_equal(map.master[0].tls_port, 7001);
}

static void hostile_shards(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "+OK\r\n",
        "$2\r\nhi\r\n",
        ":1\r\n",
        "$-1\r\n",
        "*1\r\n*0\r\n",
        "*1\r\n:1\r\n",
        "*2\r\n" BULK(5, "slots") "*0\r\n",
        "*1\r\n*3\r\n" BULK(5, "slots") "*0\r\n" BULK(5, "nodes"),
        "*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n",
        "*1\r\n" SHARD("*1\r\n:0\r\n", "*1\r\n" NODE("7001", HOST, MASTER, FINE)),
        "*1\r\n" SHARD("*2\r\n:-1\r\n:5\r\n", "*1\r\n" NODE("7001", HOST, MASTER, FINE)),
        "*1\r\n" SHARD("*2\r\n:0\r\n:16384\r\n", "*1\r\n" NODE("7001", HOST, MASTER, FINE)),
        "*1\r\n" SHARD("*2\r\n:9223372036854775806\r\n:9223372036854775807\r\n",
                       "*1\r\n" NODE("7001", HOST, MASTER, FINE)),
        "*1\r\n" SHARD("*2\r\n:5\r\n:4\r\n", "*1\r\n" NODE("7001", HOST, MASTER, FINE)),
        "*1\r\n" SHARD("*2\r\n$1\r\n0\r\n$1\r\n5\r\n", "*1\r\n" NODE("7001", HOST, MASTER, FINE)),
        "*1\r\n" SHARD("*2\r\n*1\r\n:0\r\n:5\r\n", "*1\r\n" NODE("7001", HOST, MASTER, FINE)),
        "*1\r\n" SHARD("*4\r\n:0\r\n:5\r\n:5\r\n:6\r\n", "*1\r\n" NODE("7001", HOST, MASTER, FINE)), /* a slot twice */
        "*1\r\n" SHARD(":0\r\n", "*1\r\n" NODE("7001", HOST, MASTER, FINE)),
        "*1\r\n" SHARD("*2\r\n:0\r\n:5\r\n", ":0\r\n"),
    };
    for (unsigned i = 0; i < sizeof replies / sizeof *replies; i++)
        assert_int_equal(read_as(slot_map_shards, replies[i]), ERROR_MALFORMED);
}

static void too_many_masters(void **state)
{
    (void)state;
    static char text[65536];
    for (unsigned count = SLOT_MASTERS; count <= SLOT_MASTERS + 1; count++) {
        int len = snprintf(text, sizeof text, "*%u\r\n", count);
        for (unsigned i = 0; i < count; i++) {
            char node[400];
            snprintf(node, sizeof node, SHARD("*0\r\n", "*1\r\n" NODE("%u", HOST, MASTER, FINE)), 7000 + i);
            len += snprintf(text + len, sizeof text - (size_t)len, "%s", node);
        }
        assert_int_equal(read_as(slot_map_shards, text), count <= SLOT_MASTERS ? 0 : ERROR_MALFORMED);
    }
}

/* Further replicas are left out. */
static void too_many_replicas(void **state)
{
    (void)state;
    static char text[65536];
    int len =
        snprintf(text, sizeof text,
                 "*1\r\n*4\r\n" BULK(5, "slots") "*0\r\n" BULK(5, "nodes") "*%u\r\n" NODE("7000", HOST, MASTER, FINE),
                 SLOT_REPLICAS + 10);
    for (unsigned i = 1; i < SLOT_REPLICAS + 10; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, NODE("%u", HOST, BULK(7, "replica"), FINE), 7000 + i);
    assert_int_equal(read_as(slot_map_shards, text), 0);
    assert_int_equal(map.replica_count, SLOT_REPLICAS);
}

static void ranges(void **state)
{
    (void)state;
    assert_int_equal(read_as(slot_map_slots,
                             "*3\r\n*4\r\n:0\r\n:9\r\n*3\r\n" HOST
                             ":7001\r\n" BULK(1, "i") "*3\r\n" HOST ":7009\r\n" BULK(
                                 1, "j") "*3\r\n:10\r\n:20\r\n*2\r\n$-1\r\n:7002\r\n*3\r\n:30\r\n:30\r\n*3\r\n" HOST
                                         ":7001\r\n*0\r\n"),
                     0);
    assert_int_equal(map.count, 2);
    assert_int_equal(map.owner[9], 0);
    assert_int_equal(map.owner[10], 1);
    assert_int_equal(map.owner[30], 0);
    assert_int_equal(map.master[1].port, 7002);
    assert_string_equal(map.master[1].host, "");
    assert_int_equal(map.replica_count, 1);
    assert_int_equal(map.replica[0].server.port, 7009);
    static const char *const hostile[] = {
        "+OK\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*2\r\n:0\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n:2\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*0\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n" HOST,
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n" HOST "$4\r\n7001\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n" HOST ":70001\r\n",
        "*1\r\n*3\r\n:0\r\n:99999\r\n*2\r\n" HOST ":7001\r\n",
        "*1\r\n*3\r\n*1\r\n:0\r\n:1\r\n*2\r\n" HOST ":7001\r\n",
    };
    for (unsigned i = 0; i < sizeof hostile / sizeof *hostile; i++)
        assert_int_equal(read_as(slot_map_slots, hostile[i]), ERROR_MALFORMED);
}

static bool redirects(struct slot_redirect *out, const char *text)
{
    struct resp *resp = resp_new();
    struct resp_reply reply;
    assert_int_equal(resp_feed(resp, (struct bytes){(const uint8_t *)text, strlen(text)}), 0);
    assert_int_equal(resp_next(resp, &reply), 1);
    bool redirected = slot_redirect_read(out, &reply);
    resp_free(resp);
    return redirected;
}

static void redirections(void **state)
{
    (void)state;
    struct slot_redirect to;
    assert_true(redirects(&to, "-MOVED 3999 127.0.0.1:6381\r\n"));
    assert_false(to.ask);
    assert_int_equal(to.slot, 3999);
    assert_string_equal(to.to.host, "127.0.0.1");
    assert_int_equal(to.to.port, 6381);
    assert_true(redirects(&to, "-ASK 16383 2001:db8::1:7001\r\n"));
    assert_true(to.ask);
    assert_string_equal(to.to.host, "2001:db8::1");
    assert_true(redirects(&to, "-MOVED 0 :7001\r\n"));
    assert_string_equal(to.to.host, "");
    assert_true(redirects(&to, "-MOVED 0 ?:7001\r\n"));
    assert_string_equal(to.to.host, "");
    static const char *const others[] = {
        "-MOVED\r\n",
        "-MOVED \r\n",
        "-MOVED 1\r\n",
        "-MOVED 16384 a:1\r\n",
        "-MOVED 99999999999 a:1\r\n",
        "-MOVED -1 a:1\r\n",
        "-MOVED 1 a\r\n",
        "-MOVED 1 a:\r\n",
        "-MOVED 1 a:0\r\n",
        "-MOVED 1 a:65536\r\n",
        "-MOVED 1 a:1x\r\n",
        "-MOVED 1 a:700001\r\n",
        "+MOVED 1 a:1\r\n",
        "$11\r\nMOVED 1 a:1\r\n",
        "-ERR MOVED 1 a:1\r\n",
        "-moved 1 a:1\r\n",
        "-ASK 1:1\r\n",
        "*1\r\n-MOVED 1 a:1\r\n",
    };
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(redirects(&to, others[i]));
    static char text[400];
    int len = snprintf(text, sizeof text, "-MOVED 1 ");
    memset(text + len, 'a', 300);
    strcpy(text + len + 300, ":7001\r\n");
    assert_false(redirects(&to, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_of_keys),
        cmocka_unit_test(shards),
        cmocka_unit_test(a_shard_without_a_master_has_no_slots),
        cmocka_unit_test(a_node_without_a_name_has_an_address),
        cmocka_unit_test(hostile_shards),
        cmocka_unit_test(too_many_masters),
        cmocka_unit_test(too_many_replicas),
        cmocka_unit_test(ranges),
        cmocka_unit_test(redirections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
