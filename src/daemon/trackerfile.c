/* SPDX-License-Identifier: MIT */
/* The file: a line with its name and version; for each sighting a line with its wall-clock time in seconds and its message in
 * base64; a digest of everything before. The file is read whole, so its size is bounded. */
#include "trackerfile.h"
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "net/verifytime.h"
#include "resolve/tracked.h"
#include "saved_state.h"
#include "wholefile.h"

#define NAME      "trust-anchors"
#define TITLE     "dotstub trust-anchors 1\n"
#define TITLE_LEN (sizeof(TITLE) - 1)
#define BASE64(n) (((n) + 2) / 3 * 4 + 1)

enum {
    SIGHTINGS = TRACKING_EVIDENCE + TRACKING_REVOCATIONS,
    FILE_MAX = SIGHTINGS * (BASE64(SIGHTING_BYTES) + 32) + 64
};

/* --- writing --- */

static void write_line(void *context, const struct sighting *sighting)
{
    static char text[BASE64(SIGHTING_BYTES)];
    sodium_bin2base64(text, sizeof text, sighting->saved.data, sighting->saved.len, sodium_base64_VARIANT_ORIGINAL);
    fprintf(context, "%" PRId64 " %s\n", sighting->at_s, text);
}

static int write_file(const char *path)
{
    uint8_t digest[DIGEST_LEN];
    char *all = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&all, &len);
    if (!out)
        return -ENOMEM;
    fputs(TITLE, out);
    unsigned count = tracked_each_evidence(write_line, out);
    if (fflush(out) == 0) {
        digest_bytes(digest, all, len);
        fwrite(digest, 1, sizeof digest, out);
    }
    bool written = !ferror(out);
    int status = fclose(out) == 0 && written ? 0 : -ENOMEM;
    if (status == 0 && count > 0)
        status = file_replace(path, all, len, 0600, true);
    else if (status == 0 && unlink(path) < 0 && errno != ENOENT)
        status = -errno;
    free(all);
    return status;
}

bool trackerfile_write(const struct config *config)
{
    char path[PATH_MAX];
    if (!saved_state_path(path, config, NAME)) {
        log_warning("resolve",
                    "cannot save the trust anchors beside %s: the directory is not writable; a restart begins "
                    "with the built-in ones",
                    config->cache.save_file ? config->cache.save_file : "cache.save-file");
        return false;
    }
    int status = write_file(path);
    if (status < 0)
        log_warning("resolve", "cannot save the trust anchors in %s: %s", path, error_text(status));
    return status == 0;
}

/* --- reading --- */

static int read_line(const char *line, struct sighting **out)
{
    static uint8_t message[SIGHTING_BYTES];
    int64_t at_s;
    int at = 0;
    size_t len;
    if (sscanf(line, "%12" SCNd64 " %n", &at_s, &at) != 1 || at == 0 || at_s <= 0 || at_s > UINT32_MAX)
        return ERROR_MALFORMED;
    if (sodium_base642bin(message, sizeof message, line + at, strlen(line + at), NULL, &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) < 0)
        return ERROR_MALFORMED;
    return sighting_new(out, (struct bytes){message, len}, at_s);
}

/* Reads all lines before the first sighting counts. 0 or negative. */
static int read_lines(char *text, struct sighting *list[SIGHTINGS], unsigned *count)
{
    char *rest = NULL;
    int status = 0;
    for (char *line = strtok_r(text, "\n", &rest); line && status == 0; line = strtok_r(NULL, "\n", &rest)) {
        status = *count < SIGHTINGS ? read_line(line, &list[*count]) : ERROR_MALFORMED;
        *count += status == 0;
    }
    return status;
}

/* A time that has not come yet would end a hold-down too early. */
static bool is_from_the_future(const struct sighting *sighting)
{
    enum { SLACK_S = 86400 };
    return !verifytime_may_be_behind() && sighting->at_s > clock_wall_s() + SLACK_S;
}

/* *ignored: sightings that no anchor vouches for, such as those of another configuration. */
static int take_lines(char *text, unsigned *ignored)
{
    static struct tracking_change changes[TRACKING_KEYS];
    struct sighting *list[SIGHTINGS];
    unsigned count = 0, unused;
    int status = read_lines(text, list, &count);
    for (unsigned i = 0; i < count; i++) {
        bool usable = status == 0 && !is_from_the_future(list[i]);
        if (usable)
            *ignored += tracked_see(list[i], changes, &unused) != TRACKING_CHANGED;
        else
            sighting_free(list[i]);
        *ignored += status == 0 && !usable;
    }
    return status;
}

void trackerfile_read(const struct config *config)
{
    char path[PATH_MAX];
    unsigned ignored = 0;
    if (!saved_state_path(path, config, NAME))
        return;
    struct buffer all = {NULL, 0, 0, 0};
    int status = file_read_private(&all, path, FILE_MAX);
    if (status == 0)
        status = wholefile_check((char *)all.data, all.len, TITLE) ? take_lines((char *)all.data + TITLE_LEN, &ignored)
                                                                   : ERROR_MALFORMED;
    buffer_free(&all);
    if (status < 0 && status != -ENOENT)
        log_warning("resolve", "ignoring %s, so the built-in trust anchors apply: %s", path,
                    status == ERROR_MALFORMED ? "damaged, or of another version" : error_text(status));
    if (status == 0 && !tracked_has_anchor()) {
        tracked_forget();
        log_warning("resolve", "ignoring %s, so the built-in trust anchors apply: it would leave none", path);
        return;
    }
    if (ignored > 0)
        log_warning("resolve", "ignoring %u entries of %s: no trust anchor has signed them, or their time has not come",
                    ignored, path);
}
