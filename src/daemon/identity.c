/* SPDX-License-Identifier: MIT */
/* Invariant: the workers get one identity at a time; a change that is seen meanwhile is looked at when the last worker
 * has replied. */
#include "identity.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

enum { TOGETHER_MS = 2000 /* a key that does not belong to the certificate may be replaced as well by then */ };

static bool identity_is_wanted(const struct config *config)
{
    return config->listen_tls_count + config->listen_https_count > 0;
}

int identity_load(struct tls_identity **out, const struct config *config, FILE *errors)
{
    *out = NULL;
    if (!identity_is_wanted(config))
        return 0;
    const struct tls_identity_options options = {
        .certificates = config->tls_server.certificates,
        .keys = config->tls_server.keys,
        .count = config->tls_server.certificate_count,
        .client_ca = config->tls_server.client_ca,
        .ticket_file = config->tls_server.ticket_key_file,
        .min_version = config->tls.min_version,
    };
    if (options.count > 0)
        return tls_identity_new(out, &options, errors);
    fputs(
        "listen-tls, listen-https: they need a certificate; name PEM files in tls-server.certificate and tls-server.key\n",
        errors);
    return -EINVAL;
}

/* --- the files --- */

static void each_file(const struct identity_watch *watch, void (*each)(void *context, const char *path), void *context)
{
    const struct config *config = watch->config;
    for (size_t i = 0; i < config->tls_server.certificate_count; i++)
        each(context, config->tls_server.certificates[i]);
    for (size_t i = 0; i < config->tls_server.key_count; i++)
        each(context, config->tls_server.keys[i]);
    if (config->tls_server.client_ca)
        each(context, config->tls_server.client_ca);
    if (config->tls_server.ticket_key_file)
        each(context, config->tls_server.ticket_key_file);
}

static void add_state(void *context, const char *path)
{
    uint64_t *state = context;
    *state = file_state(path, *state);
}

/* Changes whenever one of the files is replaced or written to. */
static uint64_t state_of_files(const struct identity_watch *watch)
{
    uint64_t state = 0;
    each_file(watch, add_state, &state);
    return state;
}

/* --- the workers --- */

static void look(struct identity_watch *watch);

static void worker_replied(struct mailbox_item *item, void *reader)
{
    struct identity_watch *watch = container_of(item, struct identity_change, worker.reply)->watch;
    (void)reader;
    if (--watch->outstanding > 0)
        return;
    log_info("daemon", "loaded the changed certificates of listen-tls and listen-https");
    if (watch->again)
        look(watch);
}

static void give_to_workers(struct identity_watch *watch, struct tls_identity *identity)
{
    watch->outstanding = watch->worker_count;
    for (unsigned i = 0; i < watch->worker_count; i++) {
        watch->changes[i] =
            (struct identity_change){.worker = {.identity = tls_identity_ref(identity)}, .watch = watch};
        watch->changes[i].worker.reply.open = worker_replied;
        worker_identify(watch->workers[i], &watch->changes[i].worker);
    }
    tls_identity_unref(identity);
}

/* Certificate and key are replaced one after the other, so a mistake is told only if it lasts. */
static void tell_mistakes(struct identity_watch *watch, const char *mistakes)
{
    if (!watch->retried) {
        watch->retried = true;
        watching_again(&watch->watching, TOGETHER_MS);
        return;
    }
    watch->retried = false;
    watch->seen = state_of_files(watch);
    log_warning("daemon", "%.*s; the previous certificates stay in use", (int)strcspn(mistakes, "\n"), mistakes);
}

static void look(struct identity_watch *watch)
{
    struct tls_identity *identity = NULL;
    char *mistakes = NULL;
    size_t len;
    watch->again = watch->outstanding > 0;
    uint64_t state = state_of_files(watch);
    if (watch->again || state == watch->seen)
        return;
    FILE *errors = open_memstream(&mistakes, &len);
    int status = errors ? identity_load(&identity, watch->config, errors) : -ENOMEM;
    if (errors)
        fclose(errors);
    if (status < 0) {
        tell_mistakes(watch, mistakes && *mistakes ? mistakes : "cannot load the certificates: out of memory");
    } else {
        watch->seen = state;
        watch->retried = false;
        give_to_workers(watch, identity);
    }
    free(mistakes);
}

static void watch_file(void *context, const char *path)
{
    watching_add(context, path);
}

static void watch_files(struct identity_watch *watch)
{
    watching_begin(&watch->watching);
    if (identity_is_wanted(watch->config))
        each_file(watch, watch_file, &watch->watching);
}

static void files_changed(struct watching *watching)
{
    struct identity_watch *watch = container_of(watching, struct identity_watch, watching);
    watch_files(watch);
    look(watch);
}

/* --- the watch --- */

void identity_configure(struct identity_watch *watch, const struct config *config)
{
    watch->config = config;
    watch_files(watch);
    if (!identity_is_wanted(config))
        return;
    watch->seen = watch->loaded ? state_of_files(watch) : 0;
    watch->loaded = true; /* a reload is in force only with certificates that can be used */
}

int identity_watch_start(struct identity_watch *watch, struct loop *loop, const struct config *config,
                         struct worker **workers, bool loaded)
{
    *watch = (struct identity_watch){.workers = workers, .worker_count = config->workers, .loaded = loaded};
    watching_init(&watch->watching, loop, "certificates", files_changed);
    watch->changes = mem_zalloc(config->workers, sizeof *watch->changes);
    if (!watch->changes)
        return -ENOMEM;
    identity_configure(watch, config);
    return 0;
}

void identity_watch_close(struct identity_watch *watch)
{
    if (!watch->workers)
        return;
    watching_close(&watch->watching);
}

void identity_watch_fini(struct identity_watch *watch)
{
    mem_free(watch->changes);
}
