/* SPDX-License-Identifier: MIT */
/* dnssec: the trust anchors, as a step without a part in the walk; lookups use its state (validate.c). */
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/lines.h"
#include "base/mem.h"
#include "config/config.h"
#include "resolve/tracked.h"
#include "validator.h"

#define DEFAULT_FILE "/usr/share/dns/root.key"

/* Proofs take at most this part of the memory for the cache, over all workers; each worker has room for some. */
enum { DENIALS_SHARE = 32, DENIALS_LEAST = 256 * 1024 };

struct trust {
    struct anchors *configured; /* before tracking */
    struct anchors *anchors;
    size_t denials; /* bytes for proofs; 0: none are kept */
};

struct validator *validator_of(const struct resolver *resolver)
{
    return resolver_step_state(resolver, &step_validate);
}

/* --- preparing --- */

/* The whole text of a file. 0, -ENOMEM, or the negative errno. */
static int read_text(const char *path, struct buffer *out)
{
    struct lines lines;
    size_t len;
    char *text;
    int status = lines_open(&lines, path);
    if (status < 0)
        return status;
    while (status == 0 && (text = lines_next(&lines, &len)))
        if ((status = buffer_append(out, text, len)) == 0)
            status = buffer_append(out, "\n", 1);
    status = status < 0 ? status : lines.error;
    lines_close(&lines);
    return status < 0 ? status : buffer_append(out, "", 1);
}

static int read_file(struct anchors *anchors, const char *path, FILE *errors)
{
    struct buffer text = {NULL, 0, 0, 0};
    char why[ANCHORS_WHY] = "";
    int status = read_text(path, &text);
    if (status == -ENOENT && strcmp(path, DEFAULT_FILE) == 0) {
        buffer_free(&text);
        return 0;
    }
    if (status == 0)
        status = anchors_read(anchors, (const char *)buffer_bytes(&text).data, why);
    if (status < 0 && status != -ENOMEM)
        fprintf(errors, "dnssec.trust-anchors: %s: %s\n", path,
                status == -EINVAL  ? why
                : status == -E2BIG ? "there are too many trust anchors in it"
                                   : error_text(status));
    buffer_free(&text);
    return status;
}

/* Names whose time is over are left out. */
static int add_negative(struct anchors *anchors, const struct config *config)
{
    int status = 0;
    int64_t now_s = clock_wall_s(), until_s;
    for (size_t i = 0; status == 0 && i < config->dnssec.negative_count; i++) {
        uint8_t name[NAME_MAX_WIRE];
        int len = config_negative(config->dnssec.negative[i], name, &until_s);
        if (len > 0 && until_s == 0)
            status = anchors_add_negative(anchors, name, (size_t)len, 0);
        else if (len > 0 && until_s > now_s)
            status = anchors_add_negative(anchors, name, (size_t)len, clock_ms() + (uint64_t)(until_s - now_s) * 1000);
    }
    return status;
}

/* The anchors in the default file are added to those built in; another file may replace those of the root. */
static int read_anchors(struct anchors *anchors, const struct config *config, FILE *errors)
{
    const char *path = config->dnssec.trust_anchors;
    int status = 0;
    if (strcmp(path, DEFAULT_FILE) == 0)
        status = anchors_add_root(anchors);
    if (status == 0)
        status = read_file(anchors, path, errors);
    if (status == 0)
        status = anchors_add_root(anchors);
    return status < 0 ? status : add_negative(anchors, config);
}

bool tracked_is_wanted(const struct config *config)
{
    return config->dnssec.mode == DNSSEC_MODE_VALIDATE &&
           (config->dnssec.track == TRACK_YES ||
            (config->dnssec.track == TRACK_AUTO && strcmp(config->dnssec.trust_anchors, DEFAULT_FILE) == 0));
}

static struct trust *trust_of(const struct step_set *steps)
{
    for (unsigned i = 0; i < steps->count; i++)
        if (steps->order[i] == &step_validate)
            return steps->held[i]->data;
    return NULL;
}

struct anchors *tracked_configured(const struct step_set *steps)
{
    const struct trust *trust = trust_of(steps);
    return trust ? trust->configured : NULL;
}

void tracked_digest(const struct step_set *steps, uint8_t out[DIGEST_LEN])
{
    const struct trust *trust = trust_of(steps);
    memset(out, 0, DIGEST_LEN);
    if (trust)
        anchors_digest(trust->anchors, out);
}

/* The anchors in force: the configured ones, with those of the root as tracking has found them. */
static int choose_anchors(struct trust *trust, const struct config *config)
{
    if (!tracked_is_wanted(config)) {
        trust->anchors = anchors_ref(trust->configured);
        return 0;
    }
    int status = anchors_new(&trust->anchors);
    if (status == 0)
        status = anchors_copy_below_root(trust->anchors, trust->configured);
    return status < 0 ? status : tracked_add_anchors(trust->configured, trust->anchors);
}

static void release(void *snapshot)
{
    struct trust *trust = snapshot;
    if (trust) {
        anchors_unref(trust->configured);
        anchors_unref(trust->anchors);
    }
    mem_free(trust);
}

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    if (config->dnssec.mode != DNSSEC_MODE_VALIDATE)
        return 0;
    struct trust *trust = mem_zalloc(1, sizeof *trust);
    int status = trust ? anchors_new(&trust->configured) : -ENOMEM;
    if (status == 0)
        status = read_anchors(trust->configured, config, errors);
    if (status == 0)
        status = choose_anchors(trust, config);
    if (status < 0) {
        release(trust);
        return status;
    }
    size_t room = config->cache.size / DENIALS_SHARE / config->workers;
    if (config->dnssec.aggressive)
        trust->denials = room > DENIALS_LEAST ? room : DENIALS_LEAST;
    *snapshot = trust;
    return 0;
}

static void files(const struct config *config, void (*tell)(void *context, const char *path), void *context)
{
    if (config->dnssec.mode == DNSSEC_MODE_VALIDATE)
        tell(context, config->dnssec.trust_anchors);
}

/* --- the worker's state --- */

static int init(struct resolver *resolver, void *state)
{
    struct validator *validator = state;
    validator->resolver = resolver;
    validator->room = mem_alloc(MESSAGE_MAX);
    if (!validator->room)
        return -ENOMEM;
    timeouts_init(&validator->pauses, resolver->loop, 0, validate_resume);
    return 0;
}

static void configure(void *state, const void *snapshot)
{
    struct validator *validator = state;
    const struct trust *trust = snapshot;
    /* The verdicts of entries depend on the anchors. */
    if (trust && validator->anchors && !anchors_agree(trust->anchors, validator->anchors))
        cache_flush(validator->resolver->cache);
    validator->anchors = trust ? trust->anchors : NULL;
    /* Proofs that other anchors vouched for are dropped. Out of memory: none are kept. */
    denials_free(validator->denials);
    validator->denials = NULL;
    if (trust && !validator->verified)
        validator->verified = verified_new();
    if (!trust) {
        verified_free(validator->verified);
        validator->verified = NULL;
    }
    if (trust && trust->denials > 0)
        (void)(denials_new(&validator->denials, trust->denials) < 0);
}

static void fini(void *state)
{
    struct validator *validator = state;
    timeouts_fini(&validator->pauses);
    denials_free(validator->denials);
    verified_free(validator->verified);
    anchors_unref(validator->negatives);
    mem_free(validator->room);
}

const struct step step_validate = {
    .name = "validate",
    .prepare = prepare,
    .release = release,
    .files = files,
    .state_size = sizeof(struct validator),
    .init = init,
    .configure = configure,
    .fini = fini,
};
