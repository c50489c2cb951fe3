/* SPDX-License-Identifier: MIT */
/* Resolvers and pages in lease files, which hold what the network sent. */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ctl/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char root[] = "/tmp/dotstub-lease-XXXXXX";

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/dotstub-lease-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *at = full + sizeof root; (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(full, 0700);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void has(const char *interface, const char *servers, const char *url)
{
    struct network_lease lease;
    char all[256] = "", text[ADDR_TEXT];
    assert_int_equal(lease_read(&lease, interface, root), *servers != '\0');
    for (unsigned i = 0; i < lease.server_count; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? " " : "",
                 addr_format(&lease.servers[i], true, text));
    assert_string_equal(all, servers);
    assert_string_equal(lease.url, url);
}

static void nothing_is_found_without_files(void **state)
{
    (void)state;
    has("lo", "", "");
    has(NULL, "", "");
    has("../../etc", "", "");
}

static void networkd_has_a_file_for_each_interface(void **state)
{
    char path[64];
    (void)state;
    snprintf(path, sizeof path, "/run/systemd/netif/leases/%u", if_nametoindex("lo"));
    put(path, "# private\nADDRESS=10.0.0.9\nDNS=10.0.0.1 10.0.0.2 fe80::1 127.0.0.1 nonsense 10.0.0.3 10.0.0.4\n"
              "CAPTIVE_PORTAL=https://portal.example/api\n");
    has("lo", "10.0.0.1@53 10.0.0.2@53 10.0.0.3@53", "https://portal.example/api");
    put("/proc/net/route", "Iface\tDestination\tGateway\neth9\t0000000A\t00000000\nlo\t00000000\t0100000A\n");
    has(NULL, "10.0.0.1@53 10.0.0.2@53 10.0.0.3@53", "https://portal.example/api");
    put(path, "DNS=10.0.0.1\nCAPTIVE_PORTAL=https://a.example/\033[2J\n");
    has("lo", "10.0.0.1@53", "");
    put(path, "DNS=10.0.0.1\nCAPTIVE_PORTAL=javascript:x\n");
    has("lo", "10.0.0.1@53", "");
}

static void the_latest_lease_of_the_interface_counts(void **state)
{
    (void)state;
    put("/var/lib/dhcp/dhclient.leases",
        "lease {\n  interface \"wlan9\";\n  option domain-name-servers 10.0.0.1,10.0.0.2;\n}\n"
        "lease {\n  interface \"wlan9\";\n  option domain-name-servers 10.0.0.3;\n"
        "  option unknown-114 \"http://portal.example/\";\n}\n"
        "lease {\n  interface \"eth9\";\n  option domain-name-servers 10.0.0.4;\n}\n"
        "lease {\n  interface \"wlan9\";\n");
    has("wlan9", "10.0.0.3@53", "http://portal.example/");
    has("eth9", "10.0.0.4@53", "");
    has("eth8", "", "");
}

static void the_resolvers_of_networkmanager_come_last(void **state)
{
    (void)state;
    put("/run/NetworkManager/resolv.conf", "nameserver 127.0.0.1\nnameserver 10.0.0.7\n");
    has(NULL, "10.0.0.7@53", "");
    has("eth9", "", "");
    put("/run/NetworkManager/no-stub-resolv.conf", "# Generated\nsearch a.example\nnameserver 10.0.0.8\n");
    has(NULL, "10.0.0.8@53", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_found_without_files, setup, teardown),
        cmocka_unit_test_setup_teardown(networkd_has_a_file_for_each_interface, setup, teardown),
        cmocka_unit_test_setup_teardown(the_latest_lease_of_the_interface_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(the_resolvers_of_networkmanager_come_last, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
