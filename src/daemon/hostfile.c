/* SPDX-License-Identifier: MIT */
/* The file: a line with its name and version; for each host a line with the upstream, the host and its addresses,
 * separated by spaces; a digest of everything before. The file is read whole, so its size is bounded. */
#include "hostfile.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/errors.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "wholefile.h"

#define TITLE     "dotstub hosts 1\n"
#define TITLE_LEN (sizeof(TITLE) - 1)

enum { FILE_MAX = 256 * 1024 };

/* --- reading --- */

static void read_line(char *line, struct host_state *states, size_t count)
{
    char *rest = NULL;
    const char *upstream = strtok_r(line, " ", &rest), *host = strtok_r(NULL, " ", &rest), *text;
    size_t i = 0;
    while (upstream && host && i < count &&
           (strcmp(states[i].upstream, upstream) != 0 || strcmp(states[i].host, host) != 0))
        i++;
    while (host && i < count && (text = strtok_r(NULL, " ", &rest))) {
        struct addr addr;
        if (addr_parse(&addr, text, 0) == 0 && addr_port(&addr) == 0)
            host_restore(&states[i], &addr);
    }
}

static int take_lines(const struct buffer *all, struct host_state *states, size_t count)
{
    char *text = (char *)all->data, *rest = NULL;
    if (!wholefile_check(text, all->len, TITLE))
        return ERROR_MALFORMED;
    for (char *line = strtok_r(text + TITLE_LEN, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        read_line(line, states, count);
    return 0;
}

void hostfile_read(const char *path, struct host_state *states, size_t count)
{
    struct buffer all = {NULL, 0, 0, 0};
    int status = file_read_private(&all, path, FILE_MAX);
    if (status == 0)
        status = take_lines(&all, states, count);
    if (status < 0 && status != -ENOENT)
        log_warning("upstream", "ignoring %s: %s", path, error_text(status));
    buffer_free(&all);
}

/* --- writing --- */

static void print_host(FILE *out, const struct host_state *state)
{
    struct addr addresses[CONFIG_HOST_ADDRESSES];
    char text[ADDR_TEXT];
    size_t count = host_addresses(state, addresses);
    if (count == 0)
        return;
    fprintf(out, "%s %s", state->upstream, state->host);
    for (size_t i = 0; i < count; i++)
        fprintf(out, " %s", addr_format(&addresses[i], false, text));
    fputc('\n', out);
}

void hostfile_write(const char *path, const struct host_state *states, size_t count)
{
    uint8_t digest[DIGEST_LEN];
    char *all = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&all, &len);
    int status = out ? 0 : -ENOMEM;
    if (out) {
        fputs(TITLE, out);
        for (size_t i = 0; i < count; i++)
            print_host(out, &states[i]);
        if (fflush(out) == 0) {
            digest_bytes(digest, all, len);
            fwrite(digest, 1, sizeof digest, out);
        }
        bool written = !ferror(out);
        status = fclose(out) == 0 && written ? file_replace(path, all, len, 0600, false) : -ENOMEM;
    }
    if (status < 0)
        log_warning("upstream", "cannot save the addresses of upstreams in %s: %s", path, error_text(status));
    free(all);
}
