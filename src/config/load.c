/* SPDX-License-Identifier: MIT */
/* Invariants: a snapshot is returned only if there was no mistake. All other memory used while reading is in one
 * arena, which is freed before config_load returns. */
#include "config/load.h"

#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "config/environment.h"
#include "config/file.h"
#include "config/reader.h"
#include "config/validate.h"
#include "config/yaml.h"

#define DEFAULT_PATH SYSCONFDIR "/dotstub/dotstub.yaml"

struct loading {
    struct arena arena;
    struct report report;
    struct draft draft;
};

static int begin(struct loading *loading, FILE *errors)
{
    *loading = (struct loading){.report.out = errors};
    return draft_init(&loading->draft, &loading->arena, &loading->report);
}

/* `source` is NULL if it could not be read, which has been reported. */
static int apply_source(struct loading *loading, const struct source *source, unsigned mistakes_before)
{
    struct yaml_node *root = NULL;
    int error = source ? yaml_parse(&root, &loading->arena, &loading->report, source) : 0;
    if (!root && loading->report.mistakes > mistakes_before)
        loading->draft.partial = true;
    return error ? error : reader_apply(&loading->draft, root);
}

static int apply_file(struct loading *loading, const char *path, bool may_be_absent)
{
    const struct source *source;
    unsigned mistakes = loading->report.mistakes;
    int error = file_read(&source, &loading->arena, &loading->report, path, may_be_absent);
    return error ? error : apply_source(loading, source, mistakes);
}

static int apply_files(struct loading *loading, const char *path)
{
    struct file_list dropins, unread;
    const char *main_path = path ? path : DEFAULT_PATH;
    int error = apply_file(loading, main_path, !path);
    if (!error)
        error = file_dropins(&dropins, &unread, &loading->arena, &loading->report, main_path);
    for (size_t i = 0; !error && i < dropins.count; i++)
        error = apply_file(loading, dropins.paths[i], false);
    for (size_t i = 0; !error && i < unread.count; i++)
        error = draft_notice(&loading->draft, "%s is not read: only %s and conf.d/*.yaml beside it are",
                             unread.paths[i], main_path);
    return error;
}

static int make_snapshot(struct config **out, const struct draft *draft, const struct machine *machine)
{
    struct snapshot *snapshot = mem_zalloc(1, sizeof(*snapshot));
    if (!snapshot)
        return -ENOMEM;
    snapshot->config.refs = 1;
    int error = validate_fill(snapshot, draft, machine);
    if (error)
        config_unref(&snapshot->config);
    else
        *out = &snapshot->config;
    return error;
}

/* Reads the environment, checks, and makes the snapshot. Frees the arena also after an earlier error. */
static int finish(struct config **out, struct loading *loading, int error, char *const *variables,
                  const struct machine *machine)
{
    struct report *report = &loading->report;
    if (error)
        goto end;
    error = environment_apply(&loading->draft, variables);
    if (error)
        goto end;
    error = validate_check(&loading->draft);
    if (error)
        goto end;
    error = validate_notice(&loading->draft);
    if (error)
        goto end;
    error = report->mistakes == 0 ? make_snapshot(out, &loading->draft, machine) : ERROR_CONFIG;
end:
    report_end(report);
    arena_free(&loading->arena);
    return error;
}

int config_load(struct config **out, const char *path, char *const *environ_list, FILE *errors)
{
    struct loading loading;
    struct machine machine;
    int error = begin(&loading, errors);
    if (!error)
        error = machine_read(&machine, "");
    if (!error)
        error = apply_files(&loading, path);
    return finish(out, &loading, error, environ_list, &machine);
}

int load_text(struct config **out, const char *name, const char *text, size_t len, char *const *variables,
              const struct machine *machine, FILE *errors)
{
    struct loading loading;
    struct source source = {.name = name, .text = text, .len = len};
    int error = begin(&loading, errors);
    if (!error)
        error = apply_source(&loading, file_is_text(&loading.report, &source) ? &source : NULL, 0);
    return finish(out, &loading, error, variables, machine);
}

int config_load_text(struct config **out, const char *name, const char *text, FILE *errors)
{
    struct machine machine;
    int error = machine_read(&machine, "");
    if (error)
        return error;
    return load_text(out, name, text, strlen(text), NULL, &machine, errors);
}
