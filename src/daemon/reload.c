/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - Until reload_commit nothing has changed, and each allocation is freed by the function that made it; from there
 *   on nothing can fail.
 * - `changes` stay in place until the reply of the last worker; so there is one reload at a time.
 * - The old configuration is freed with its last reference: the main thread drops its own at once, a worker when
 *   it has switched, a plan after the last response to an attempt made under it. The old steps are freed on the main
 *   thread, because freeing a large list takes time.
 */
#include "reload.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "identity.h"
#include "logging.h"
#include "privileges.h"
#include "steps.h"
#include "trusts.h"

extern char **environ;

struct reload_change {
    struct worker_change worker;
    struct reload *reload;
};

/* --- the result --- */

static void each_line(const char *lines, void (*each)(const char *line, size_t len))
{
    for (const char *end; *lines; lines = *end ? end + 1 : end) {
        end = lines + strcspn(lines, "\n");
        each(lines, (size_t)(end - lines));
    }
}

static void log_mistake(const char *line, size_t len)
{
    log_error("config", "%.*s", (int)len, line);
}

static void log_postponed(const char *key, size_t len)
{
    log_warning("config", "%.*s: takes effect at the next start", (int)len, key);
}

static void log_result(const struct reload *reload, const struct reload_result *result)
{
    if (result->status < 0) {
        each_line(result->mistakes, log_mistake);
        log_error("daemon", "cannot use the new configuration; the previous one stays in force");
        return;
    }
    size_t upstreams = (*reload->setup.config)->upstream_count;
    logging_notices(*reload->setup.config);
    each_line(result->postponed, log_postponed);
    log_info("daemon", "reloaded: %zu upstream%s", upstreams, upstreams == 1 ? "" : "s");
}

static void tell_waiting(struct list *waiting, const struct reload_result *result)
{
    struct list_link *link;
    while ((link = list_pop(waiting))) {
        struct reload_wait *wait = container_of(link, struct reload_wait, link);
        wait->done(wait, result);
    }
}

/* The service manager compares the times of RELOADING and READY (sd_notify(3)). */
static void tell_begin(struct reload *reload)
{
    char assignments[80];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    snprintf(assignments, sizeof assignments, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, us);
    reload->setup.tell(assignments);
}

static void reload_run(struct reload *reload);

static void reload_end(struct reload *reload, const struct reload_result *result)
{
    log_result(reload, result);
    control_reloaded(reload->setup.control, result);
    tell_waiting(&reload->waiting, result);
    reload->setup.tell("READY=1");
    if (reload->again && !reload->stopped)
        reload_run(reload);
}

/* --- the workers --- */

static void one_done(struct reload *reload)
{
    if (--reload->outstanding > 0)
        return;
    mem_free(reload->changes);
    reload->changes = NULL;
    step_set_unref(reload->steps);
    reload->steps = NULL;
    char *postponed = reload->postponed;
    reload->postponed = NULL;
    reload_end(reload, &(struct reload_result){.status = 0, .postponed = postponed});
    free(postponed);
}

/* Runs on the main thread when a worker has switched. */
static void change_reply(struct mailbox_item *item, void *reader)
{
    (void)reader;
    one_done(container_of(item, struct reload_change, worker.reply)->reload);
}

static void routes_done(void *context)
{
    one_done(context);
}

/* 0 or -ENOMEM. */
static int changes_new(struct reload_change **out, struct reload *reload, struct config *config, struct step_set *steps,
                       struct tls_identity *identity, struct store_setup *store)
{
    unsigned count = reload->setup.count, limit = reload->setup.client_limit(config);
    struct reload_change *changes = mem_zalloc(count, sizeof *changes);
    if (!changes)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        changes[i] = (struct reload_change){
            .worker = {.config = config_ref(config),
                       .steps = step_set_ref(steps),
                       .identity = tls_identity_ref(identity),
                       .store = store_setup_ref(store),
                       .client_limit = limit},
            .reload = reload,
        };
        changes[i].worker.reply.open = change_reply;
    }
    *out = changes;
    return 0;
}

/* --- reading --- */

static void note_postponed(void *context, const char *key)
{
    fprintf(context, "%s\n", key);
}

/* *postponed is allocated by malloc. */
static int keep_restart_only(struct reload *reload, struct config *config, char **postponed)
{
    size_t len;
    FILE *out = open_memstream(postponed, &len);
    if (!out)
        return -ENOMEM;
    int status = config_keep_restart_only(config, reload->started, note_postponed, out);
    return fclose(out) == 0 ? status : -ENOMEM;
}

/* Does everything that can fail. 0, or negative with the mistakes in `errors` and *config NULL. */
static int reload_prepare(struct reload *reload, struct config **config, FILE *errors)
{
    struct tls_trust **trusts = NULL;
    struct step_set *steps = NULL;
    struct tls_identity *identity = NULL;
    struct store_setup *store = NULL;
    int status = sandbox_check_file(reload->setup.sandbox, reload->setup.file, errors);
    if (status < 0)
        goto fail;
    status = config_load(config, reload->setup.file, environ, errors);
    if (status < 0)
        goto fail;
    status = keep_restart_only(reload, *config, &reload->postponed);
    if (status < 0)
        goto fail;
    status = sandbox_check(reload->setup.sandbox, *config, errors);
    if (status < 0)
        goto fail;
    status = privileges_check_marks(*config, errors);
    if (status < 0)
        goto fail;
    status = trusts_load(&trusts, *config, false, errors);
    if (status < 0)
        goto fail;
    status = routing_prepare(&reload->routes, reload->setup.routing, *config, trusts);
    trusts_free(trusts, (*config)->upstream_count);
    if (status < 0)
        goto fail;
    status = step_set_new(&steps, daemon_steps, *config, errors);
    if (status < 0)
        goto fail;
    status = identity_load(&identity, *config, errors);
    if (status == 0)
        status = store_setup_new(&store, *config, errors);
    if (status == 0)
        status = changes_new(&reload->changes, reload, *config, steps, identity, store);
    tls_identity_unref(identity);
    store_setup_unref(store);
    if (status == 0) {
        reload->steps = steps;
        return 0;
    }
    step_set_unref(steps);
fail:
    if (status == -ENOMEM)
        fputs("out of memory\n", errors);
    routing_drop(reload->routes);
    reload->routes = NULL;
    config_unref(*config);
    *config = NULL;
    return status;
}

/* Cannot fail. */
static void reload_commit(struct reload *reload, struct config *config)
{
    struct config *before = *reload->setup.config;
    struct routing *routing = reload->setup.routing;
    reload->outstanding = reload->setup.count + 1;
    for (unsigned i = 0; i < reload->setup.count; i++)
        worker_configure(reload->setup.workers[i], &reload->changes[i].worker);
    routing_commit(routing, reload->routes, routes_done, reload);
    reload->routes = NULL;
    *reload->setup.config = config;
    struct step_set *steps = reload->steps;
    reload->steps = *reload->setup.steps;
    *reload->setup.steps = steps;
    control_configure(reload->setup.control, config, routing->routes);
    logging_change(config, before);
    reload->setup.changed(config, routing->routes);
    config_unref(before);
}

static void reload_fail(struct reload *reload, int status, const char *mistakes)
{
    free(reload->postponed);
    reload->postponed = NULL;
    reload_end(reload, &(struct reload_result){.status = status, .mistakes = mistakes});
}

static void reload_run(struct reload *reload)
{
    struct config *config = NULL;
    char *mistakes = NULL;
    size_t len;
    reload->again = false;
    list_move_all(&reload->next, &reload->waiting);
    tell_begin(reload);
    FILE *errors = open_memstream(&mistakes, &len);
    int status = errors ? reload_prepare(reload, &config, errors) : -ENOMEM;
    if (errors)
        fclose(errors);
    if (status == 0)
        reload_commit(reload, config);
    else
        reload_fail(reload, status, mistakes ? mistakes : "out of memory\n");
    free(mistakes);
}

void reload_ask(struct reload *reload, struct reload_wait *wait)
{
    if (wait)
        list_push_back(&reload->next, &wait->link);
    if (reload->stopped)
        tell_waiting(&reload->next, &(struct reload_result){.status = ERROR_STOPPING, .mistakes = "stopping\n"});
    else if (reload->changes)
        reload->again = true;
    else
        reload_run(reload);
}

/* --- start and end --- */

void reload_init(struct reload *reload, const struct reload_setup *setup)
{
    *reload = (struct reload){.setup = *setup, .started = config_ref(*setup->config)};
    list_init(&reload->waiting);
    list_init(&reload->next);
}

void reload_stop(struct reload *reload)
{
    reload->stopped = true;
    tell_waiting(&reload->next, &(struct reload_result){.status = ERROR_STOPPING, .mistakes = "stopping\n"});
}

void reload_fini(struct reload *reload)
{
    free(reload->postponed);
    config_unref(reload->started);
}
