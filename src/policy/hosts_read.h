/* SPDX-License-Identifier: MIT */
/* Reads hosts files, directories of such files, and lease files of DHCP servers into a table of hosts.
 *
 * Does:    skips bad lines, counts them and remembers the first ones with file and line.
 * Owns:    the table and the texts of the remembered lines, until hosts_reading_fini.
 * Threads: any.
 */
#ifndef DOTSTUB_POLICY_HOSTS_READ_H
#define DOTSTUB_POLICY_HOSTS_READ_H

#include "hosts_table.h"

#define HOSTS_WARNINGS   10      /* bad lines that are named */
#define HOSTS_LEASES_MAX 1000000 /* lines of a lease file */
#define HOSTS_DIR_MAX    1000    /* files of a directory */
#define HOSTS_NOWHERE    0       /* a line number: of no line */

struct hosts_reading {
    struct hosts_table table;
    size_t bad;
    char *warning[HOSTS_WARNINGS]; /* owned */
    bool incomplete;               /* a file exists and could not be read */
    uint32_t defined;              /* names below this offset are not of leases; 0: no leases were read yet */
};

/* 0 or -ENOMEM, as all functions below. */
int hosts_reading_init(struct hosts_reading *reading) MUST_CHECK;
void hosts_reading_fini(struct hosts_reading *reading);

/* "ADDRESS NAME..." in each line. A missing file is empty. */
int hosts_read_path(struct hosts_reading *reading, const char *path) MUST_CHECK;
/* Leases of dnsmasq, or of Kea's memfile backend, with the files of its cleanup: names at or below `domain`. Of the
 * lines of an address the last one counts; those that expired before `now` are left out. Names that the table has
 * already keep their addresses. Call it after hosts_read_path. */
int hosts_read_leases(struct hosts_reading *reading, const char *path, const char *domain, int64_t now) MUST_CHECK;
/* The files that hosts_read_leases reads for this path. */
void hosts_lease_files(const char *path, void (*tell)(void *context, const char *path), void *context);

/* Adds an address and its reverse. `name` is in lower case. */
int hosts_reading_add(struct hosts_reading *reading, const uint8_t *name, size_t len,
                      const struct hosts_address *address, bool reverse) MUST_CHECK;

/* For the files of this interface: counts a bad line. */
void hosts_reading_warn(struct hosts_reading *reading, const char *path, size_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* An error of lines_open or of reading; a missing file is none. */
void hosts_reading_fail(struct hosts_reading *reading, const char *path, int status);
bool hosts_address_parse(struct hosts_address *out, const char *text);

#endif
