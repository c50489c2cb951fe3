/* SPDX-License-Identifier: MIT */
/* The line of `status` about this machine: do its programs use dotstub? */
#include "base/errors.h"
#include "command.h"
#include "presence.h"
#include "resolv.h"

enum { PROGRAMS_MS = 1000 };

void status_programs(const json_t *root, FILE *out)
{
    struct resolv resolv;
    char address[ADDR_TEXT];
    (void)root;
    int status = presence_check_programs(PROGRAMS_MS);
    if (status == 0) {
        fputs("programs  of this machine use dotstub\n", out);
        return;
    }
    fputs("programs  of this machine do not use dotstub", out);
    if (resolv_read(&resolv, "") == 0) {
        if (resolv.server_count > 0)
            fprintf(out, ", " RESOLV_CONF " names %s", addr_format(&resolv.servers[0], false, address));
        resolv_free(&resolv);
    }
    fputs(": see dotstubctl system status\n", out);
}
