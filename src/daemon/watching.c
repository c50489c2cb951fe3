/* SPDX-License-Identifier: MIT */
/* Invariant: watches follow inodes, so the owner makes them anew after each change; changes of the
 * files between two looks are then never missed, because it makes them before it looks. */
#include "watching.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"

enum { LINKS_MAX = 40 /* as the kernel follows */ };

struct watched_path {
    struct list_link link;
    uv_fs_event_t event;
    struct watching *watching;
    char path[];
};

/* --- watches --- */

static void path_changed(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct watching *watching = container_of(event, struct watched_path, event)->watching;
    (void)name;
    (void)events;
    (void)status;
    if (!uv_is_active((const uv_handle_t *)&watching->timer))
        watching_again(watching, watching->wait_ms);
}

static void path_closed(uv_handle_t *handle)
{
    mem_free(container_of((uv_fs_event_t *)handle, struct watched_path, event));
}

static bool is_watched(const struct watching *watching, const char *path)
{
    list_for_each(link, &watching->paths)
        if (strcmp(container_of(link, struct watched_path, link)->path, path) == 0)
            return true;
    return false;
}

static void tell_failure(struct watching *watching, const char *path, int status)
{
    if (!watching->told)
        log_warning("daemon", "cannot watch %s for changed %s: %s; run dotstubctl reload after a change", path,
                    watching->what, uv_strerror(status));
    watching->told = true;
}

/* `alone` false: the directory of the path is watched as well, so a failure does not matter. */
static void watch_one(struct watching *watching, const char *path, bool alone)
{
    if (is_watched(watching, path))
        return;
    size_t size = strlen(path) + 1;
    struct watched_path *one = mem_zalloc(1, sizeof *one + size);
    if (!one) {
        tell_failure(watching, path, UV_ENOMEM);
        return;
    }
    memcpy(one->path, path, size);
    one->watching = watching;
    list_push_back(&watching->paths, &one->link);
    (void)uv_fs_event_init(watching->timer.loop, &one->event); /* cannot fail */
    int status = uv_fs_event_start(&one->event, path_changed, path, 0);
    if (status < 0 && status != UV_ENOENT && alone)
        tell_failure(watching, path, status);
}

/* --- paths --- */

/* A path on the way to its file: `done` has no symbolic links, `rest` is still to be followed. */
struct path_walk {
    char done[PATH_MAX], rest[2 * PATH_MAX];
    unsigned links;
};

/* Splits the first component from `rest`. NULL: none is left. */
static const char *next_component(struct path_walk *walk, char component[NAME_MAX + 1])
{
    char *at = walk->rest + strspn(walk->rest, "/");
    size_t len = strcspn(at, "/");
    if (len == 0 || len > NAME_MAX)
        return NULL;
    memcpy(component, at, len);
    component[len] = '\0';
    memmove(walk->rest, at + len, strlen(at + len) + 1);
    return component;
}

/* Continues with the target of a link. False: too long, or too many. */
static bool follow(struct path_walk *walk, const char *target)
{
    char rest[sizeof walk->rest];
    if (++walk->links > LINKS_MAX || snprintf(rest, sizeof rest, "%s/%s", target, walk->rest) >= (int)sizeof rest)
        return false;
    memcpy(walk->rest, rest, strlen(rest) + 1);
    if (*target == '/')
        strcpy(walk->done, "/");
    return true;
}

/* Watches the directory `done` if the next component may change. False: the walk ends. */
static bool watch_step(struct watching *watching, struct path_walk *walk)
{
    char component[NAME_MAX + 1], path[PATH_MAX], target[PATH_MAX];
    struct stat stat;
    if (!next_component(walk, component))
        return false;
    const char *slash = strcmp(walk->done, "/") == 0 ? "" : "/";
    if (snprintf(path, sizeof path, "%s%s%s", walk->done, slash, component) >= (int)sizeof path)
        return false;
    bool exists = lstat(path, &stat) == 0, is_last = walk->rest[strspn(walk->rest, "/")] == '\0';
    if (exists && S_ISLNK(stat.st_mode)) {
        ssize_t len = readlink(path, target, sizeof target - 1);
        watch_one(watching, walk->done, true);
        target[len > 0 ? len : 0] = '\0';
        return len > 0 && follow(walk, target);
    }
    if (!exists || is_last)
        watch_one(watching, walk->done, true);
    if (exists && is_last) /* files may have other names, as those that container runtimes mount */
        watch_one(watching, path, S_ISDIR(stat.st_mode));
    memcpy(walk->done, path, strlen(path) + 1);
    return exists && !is_last;
}

void watching_add(struct watching *watching, const char *path)
{
    struct path_walk walk = {.links = 0};
    strcpy(walk.done, *path == '/' ? "/" : ".");
    if (snprintf(walk.rest, sizeof walk.rest, "%s", path) >= (int)sizeof walk.rest)
        return;
    while (watch_step(watching, &walk))
        ;
}

/* --- the watch --- */

static void waited(uv_timer_t *timer)
{
    struct watching *watching = container_of(timer, struct watching, timer);
    watching->changed(watching);
}

void watching_init(struct watching *watching, struct loop *loop, const char *what,
                   void (*changed)(struct watching *watching))
{
    *watching = (struct watching){.what = what, .changed = changed, .wait_ms = WATCHING_WAIT_MS};
    list_init(&watching->paths);
    (void)uv_timer_init(&loop->uv, &watching->timer); /* cannot fail */
}

void watching_begin(struct watching *watching)
{
    struct list_link *link;
    uv_timer_stop(&watching->timer);
    while ((link = list_pop(&watching->paths)))
        uv_close((uv_handle_t *)&container_of(link, struct watched_path, link)->event, path_closed);
}

void watching_again(struct watching *watching, uint64_t ms)
{
    uv_timer_start(&watching->timer, waited, ms, 0);
}

void watching_close(struct watching *watching)
{
    watching_begin(watching);
    uv_close((uv_handle_t *)&watching->timer, NULL);
}
