/* SPDX-License-Identifier: MIT */
/* Invariant: the journal names all steps before the first one is taken. Undo goes through them from last to first,
 * including steps that were not taken: if PATH.before-dotstub does not exist, PATH was not changed.
 *
 *   plan NAME         first line
 *   directory PATH    the directory was created
 *   create PATH       the file did not exist
 *   replace PATH      the previous file is PATH.before-dotstub
 *   confirmed         all steps were taken and work
 */
#include "change.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/file.h"

enum { STEPS_MAX = 4 * CHANGES_MAX };

struct journal_step {
    char verb[16], path[PATH_MAX];
};

struct journal {
    char name[CHANGE_NAME];
    struct journal_step step[STEPS_MAX];
    unsigned count;
    bool confirmed;
};

static void complain(const char *what, const char *path, int error)
{
    const char *remedy = "";
    if (error == -EXDEV || error == -EBUSY)
        remedy =
            ": it is a mount point, as in a container; set the nameserver when creating the container (podman run --dns 127.0.0.1)";
    else if (error == -EROFS)
        remedy = "; make it writable, or change it when building the image";
    else if (error == -EPERM)
        remedy = "; if lsattr shows that it is immutable, run `chattr -i` on it";
    fprintf(stderr, "dotstubctl: cannot %s %s: %s%s\n", what, path, error_text(error), remedy);
}

static bool path_in(char out[PATH_MAX], const char *root, const char *path, const char *suffix)
{
    return snprintf(out, PATH_MAX, "%s%s%s", root, path, suffix) < PATH_MAX;
}

static bool is_there(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0;
}

/* --- the journal --- */

static bool read_line(struct journal *out, char *line)
{
    char *path = strchr(line, ' ');
    line[strcspn(line, "\n")] = '\0';
    if (line[0] == '#')
        return true;
    if (strcmp(line, "confirmed") == 0)
        return out->confirmed = true;
    if (!path)
        return false;
    *path++ = '\0';
    if (strcmp(line, "plan") == 0) {
        snprintf(out->name, sizeof out->name, "%s", path);
        return true;
    }
    if (out->count == STEPS_MAX || path[0] != '/' || strlen(path) >= PATH_MAX)
        return false;
    struct journal_step *step = &out->step[out->count++];
    snprintf(step->verb, sizeof step->verb, "%.15s", line);
    snprintf(step->path, sizeof step->path, "%s", path);
    return true;
}

/* 0; -ENOENT: no journal, nothing was changed; -EINVAL: not our journal. */
static int read_journal(struct journal *out, const char *root)
{
    char path[PATH_MAX], line[PATH_MAX + 32];
    bool good = true;
    *out = (struct journal){.count = 0};
    if (!path_in(path, root, CHANGE_JOURNAL, ""))
        return -ENAMETOOLONG;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while (good && fgets(line, sizeof line, file))
        good = read_line(out, line);
    fclose(file);
    return good ? 0 : -EINVAL;
}

static void print_journal(const struct journal *journal, FILE *out)
{
    fputs("# Written by `dotstubctl system enable`; `dotstubctl system disable` needs it.\n", out);
    fprintf(out, "plan %s\n", journal->name);
    for (unsigned i = 0; i < journal->count; i++)
        fprintf(out, "%s %s\n", journal->step[i].verb, journal->step[i].path);
    if (journal->confirmed)
        fputs("confirmed\n", out);
}

static int write_journal(const struct journal *journal, const char *root)
{
    char path[PATH_MAX], *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return -ENOMEM;
    print_journal(journal, out);
    int status = fclose(out) != 0 ? -ENOMEM : path_in(path, root, CHANGE_JOURNAL, "") ? 0 : -ENAMETOOLONG;
    if (status == 0)
        status = file_replace(path, text, strlen(text), 0644, true);
    if (status < 0)
        complain("write", CHANGE_JOURNAL, status);
    free(text);
    return status;
}

enum change_state change_state(const char *root, char name[CHANGE_NAME])
{
    struct journal journal;
    int status = read_journal(&journal, root);
    snprintf(name, CHANGE_NAME, "%s", journal.name);
    return status == -ENOENT ? CHANGE_OFF : status == 0 && journal.confirmed ? CHANGE_ON : CHANGE_INTERRUPTED;
}

bool change_names(const char *root, const char *end)
{
    struct journal journal;
    size_t len = strlen(end);
    if (read_journal(&journal, root) < 0)
        return false;
    for (unsigned i = 0; i < journal.count; i++) {
        size_t path_len = strlen(journal.step[i].path);
        if (path_len >= len && strcmp(journal.step[i].path + path_len - len, end) == 0)
            return true;
    }
    return false;
}

int change_confirm(const char *root)
{
    struct journal journal;
    int status = read_journal(&journal, root);
    if (status < 0)
        complain("read", CHANGE_JOURNAL, status);
    journal.confirmed = true;
    return status < 0 ? status : write_journal(&journal, root);
}

int change_lock(const char *root)
{
    char path[PATH_MAX];
    if (!path_in(path, root, CHANGE_DIRECTORY, ""))
        return -ENAMETOOLONG;
    (void)mkdir(path, 0755);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0; /* the descriptor holds the lock until exit */
    int status = -errno;
    if (status == -EWOULDBLOCK)
        fputs("dotstubctl: another `dotstubctl system` is running\n", stderr);
    else
        complain("open", path, status);
    return status;
}

/* --- planning --- */

static void add_step(struct journal *journal, const char *verb, const char *path, size_t path_len)
{
    if (journal->count == STEPS_MAX)
        return;
    struct journal_step *step = &journal->step[journal->count++];
    snprintf(step->verb, sizeof step->verb, "%s", verb);
    snprintf(step->path, sizeof step->path, "%.*s", (int)path_len, path);
}

static bool has_step(const struct journal *journal, const char *verb, const char *path, size_t len)
{
    for (unsigned i = 0; i < journal->count; i++)
        if (strcmp(journal->step[i].verb, verb) == 0 && strlen(journal->step[i].path) == len &&
            memcmp(journal->step[i].path, path, len) == 0)
            return true;
    return false;
}

/* Adds a step for each missing parent directory, outermost first. */
static void add_directories(struct journal *journal, const char *root, const char *path)
{
    char parent[PATH_MAX];
    for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
        size_t len = (size_t)(end - path);
        snprintf(parent, sizeof parent, "%s%.*s", root, (int)len, path);
        if (!is_there(parent) && !has_step(journal, "directory", path, len))
            add_step(journal, "directory", path, len);
    }
}

static void plan_steps(struct journal *journal, const struct changes *changes)
{
    char path[PATH_MAX];
    *journal = (struct journal){.count = 0};
    snprintf(journal->name, sizeof journal->name, "%s", changes->name);
    for (unsigned i = 0; i < changes->count; i++) {
        const char *wanted = changes->item[i].path;
        add_directories(journal, changes->root, wanted);
        (void)path_in(path, changes->root, wanted, "");
        add_step(journal, is_there(path) ? "replace" : "create", wanted, strlen(wanted));
    }
}

/* --- applying --- */

static int make_directories(const struct journal *journal, const char *root)
{
    char path[PATH_MAX];
    for (unsigned i = 0; i < journal->count; i++) {
        if (strcmp(journal->step[i].verb, "directory") != 0)
            continue;
        (void)path_in(path, root, journal->step[i].path, "");
        if (mkdir(path, 0755) < 0) {
            int error = -errno;
            complain("make", path, error);
            return error;
        }
    }
    return 0;
}

static int put_link(const char *path, const char *target)
{
    char draft[PATH_MAX];
    if (snprintf(draft, sizeof draft, "%s.new", path) >= PATH_MAX)
        return -ENAMETOOLONG;
    unlink(draft);
    if (symlink(target, draft) < 0)
        return -errno;
    if (rename(draft, path) == 0)
        return 0;
    int error = -errno;
    unlink(draft);
    return error;
}

static int link_before(const char *root, const char *wanted)
{
    char path[PATH_MAX], before[PATH_MAX];
    if (!path_in(path, root, wanted, "") || !path_in(before, root, wanted, CHANGE_BEFORE))
        return -ENAMETOOLONG;
    if (!is_there(path) || linkat(AT_FDCWD, path, AT_FDCWD, before, 0) == 0)
        return 0;
    int error = -errno;
    complain("back up", path, error);
    return error;
}

static int make_change(const char *root, const struct change *change)
{
    char path[PATH_MAX];
    if (!path_in(path, root, change->path, ""))
        return -ENAMETOOLONG;
    int status = link_before(root, change->path);
    if (status < 0)
        return status;
    status = change->is_link ? put_link(path, change->text)
                             : file_replace(path, change->text, strlen(change->text), 0644, true);
    if (status < 0)
        complain("write", path, status);
    return status;
}

int change_apply(const struct changes *changes)
{
    struct journal journal;
    plan_steps(&journal, changes);
    int status = write_journal(&journal, changes->root);
    if (status == 0)
        status = make_directories(&journal, changes->root);
    for (unsigned i = 0; i < changes->count && status == 0; i++)
        status = make_change(changes->root, &changes->item[i]);
    return status;
}

/* --- undoing --- */

/* rename() between two links to one file does nothing and leaves both, hence the unlink(). */
static int put_back(const char *path, const char *before)
{
    if (!is_there(before))
        return 0;
    if (rename(before, path) < 0)
        return -errno;
    return unlink(before) == 0 || errno == ENOENT ? 0 : -errno;
}

static int undo_step(const struct journal_step *step, const char *root)
{
    char path[PATH_MAX], before[PATH_MAX], draft[PATH_MAX];
    int status = 0;
    if (!path_in(path, root, step->path, "") || !path_in(before, root, step->path, CHANGE_BEFORE) ||
        !path_in(draft, root, step->path, ".new"))
        return -ENAMETOOLONG;
    if (step->verb[0] != 'd')
        unlink(draft); /* left by an interrupted write */
    if (strcmp(step->verb, "replace") == 0)
        status = put_back(path, before);
    else if (strcmp(step->verb, "create") == 0)
        status = unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
    else if (rmdir(path) < 0 && errno != ENOENT && errno != ENOTEMPTY) /* others may have added files */
        status = -errno;
    if (status < 0)
        complain("undo the change of", path, status);
    return status;
}

int change_undo(const char *root)
{
    struct journal journal;
    char path[PATH_MAX];
    int status = read_journal(&journal, root), worst = 0;
    if (status == -ENOENT)
        return 0;
    if (status < 0) {
        complain("read", CHANGE_JOURNAL, status);
        return status;
    }
    for (unsigned i = journal.count; i-- > 0;)
        if ((status = undo_step(&journal.step[i], root)) < 0)
            worst = status;
    if (worst == 0 && path_in(path, root, CHANGE_JOURNAL, ""))
        worst = unlink(path) == 0 ? 0 : -errno;
    return worst;
}

/* --- explaining --- */

static void print_text(const struct change *change, FILE *out)
{
    if (change->is_link) {
        fprintf(out, "    -> %s\n", change->text);
        return;
    }
    fputs("    ", out);
    for (const char *at = change->text; *at; at++) /* the file may have texts of a network */
        if (*at == '\n')
            fputs(at[1] ? "\n    " : "", out);
        else
            fputc((*at >= ' ' && *at <= '~') || *at == '\t' ? *at : '?', out);
    fputc('\n', out);
}

void change_explain(const struct changes *changes, FILE *out)
{
    struct journal journal;
    unsigned change = 0;
    plan_steps(&journal, changes);
    for (unsigned i = 0; i < journal.count; i++) {
        const struct journal_step *step = &journal.step[i];
        bool replaces = strcmp(step->verb, "replace") == 0;
        fprintf(out, "would %s %s%s%s%s\n", step->verb[0] == 'd' ? "make the directory" : step->verb, changes->root,
                step->path, replaces ? ", and keep the old one as *" CHANGE_BEFORE : "",
                step->verb[0] == 'd' ? "" : ":");
        if (step->verb[0] != 'd')
            print_text(&changes->item[change++], out);
    }
}

void change_explain_undo(const char *root, FILE *out)
{
    struct journal journal;
    if (read_journal(&journal, root) < 0)
        return;
    for (unsigned i = journal.count; i-- > 0;) {
        const char *verb = journal.step[i].verb;
        fprintf(out, "would %s %s%s\n",
                *verb == 'r'   ? "put back"
                : *verb == 'c' ? "remove"
                               : "remove the directory",
                root, journal.step[i].path);
    }
}

void change_free(struct changes *changes)
{
    for (unsigned i = 0; i < changes->count; i++)
        free(changes->item[i].text);
    changes->count = 0;
}
