/* SPDX-License-Identifier: MIT */
/* Hosts files, and lease files, whose host names are what DHCP clients say: each name of the table is valid and found, and a lease
 * never defines a name outside its domain. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../src/policy/hosts_read.h"
#include "fuzz.h"

static const uint8_t lan[] = "\3lan";

static void check_addresses(const struct hosts_table *table, uint32_t at)
{
    struct hosts_address address, again;
    uint8_t name[NAME_MAX_WIRE];
    unsigned count = 0;
    while (at != 0) {
        at = hosts_table_next(table, at, &address);
        MUST(address.len == 4 || address.len == 16);
        size_t len = hosts_reverse_name(name, &address);
        MUST(name_len((struct bytes){name, sizeof name}) == len);
        MUST(hosts_reverse_address(&again, name, len));
        MUST(again.len == address.len && memcmp(again.bytes, address.bytes, again.len) == 0);
        const uint8_t *owner = hosts_table_name(table, &again);
        MUST(!owner || hosts_table_may_hold(table, name, len));
        MUST(++count <= HOSTS_ADDRESSES_MAX);
    }
    MUST(count > 0);
}

static void check_table(const struct hosts_reading *reading, bool only_lan)
{
    const struct hosts_table *table = &reading->table;
    size_t count = 0;
    for (size_t i = 0; i <= table->names.mask; i++) {
        uint8_t name[NAME_MAX_WIRE] = {0};
        uint32_t at = table->names.slots[i].at;
        if (at == 0)
            continue;
        count++;
        MUST(at + 4 < table->used);
        size_t len = name_len((struct bytes){table->block + at + 4, table->used - at - 4});
        MUST(len > 1);
        memcpy(name, table->block + at + 4, len);
        MUST(hosts_table_may_hold(table, name, len));
        MUST(hosts_table_find(table, name, len) != 0);
        MUST(!only_lan || (len > sizeof lan && name_is_under(name, len, lan, sizeof lan)));
        check_addresses(table, hosts_table_find(table, name, len));
    }
    MUST(count == table->names.count);
}

static void check(const char *path, bool leases)
{
    struct hosts_reading reading;
    MUST(hosts_reading_init(&reading) == 0);
    MUST((leases ? hosts_read_leases(&reading, path, "lan", 1000000) : hosts_read_path(&reading, path)) == 0);
    MUST(!reading.incomplete);
    MUST(hosts_table_finish(&reading.table) == 0);
    check_table(&reading, leases);
    hosts_reading_fini(&reading);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("hosts", MFD_CLOEXEC);
    MUST(fd >= 0);
    MUST(write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    check(path, false);
    check(path, true);
    close(fd);
    return 0;
}
