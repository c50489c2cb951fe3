/* SPDX-License-Identifier: MIT */
/* block list, block test: requests to the daemon. block update: fetches lists into block.directory, where the daemon
 * notices them.
 *
 * A list is replaced only by one that the daemon can use and that has at least half as many names. Beside the list NAME
 * are .NAME.mark, what the server said about its version, and .NAME.new while it is fetched. As root, the files get the
 * owner of the directory that holds block.directory (the daemon's user, if that is its state directory), or of
 * block.directory itself. Other users may still be able to write there, so no symbolic link is followed. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "blockfetch.h"
#include "command.h"
#include "config/config.h"
#include "locate.h"
#include "policy/blocking.h"
#include "show.h"
#include "table.h"

/* One list that is updated. */
struct update {
    const struct config *config;
    const struct config_block_list *list;
    const char *socket_path;
    char name[CONFIG_BLOCK_NAME], path[PATH_MAX], new_path[PATH_MAX], mark_path[PATH_MAX];
    size_t names;
    bool changed;
    char error[FETCH_ERROR + 100];
};

/* --- marks --- */

static FILE *open_mark(const struct update *update)
{
    int fd = access(update->path, F_OK) == 0
                 ? open(update->mark_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                 : -1;
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (fd >= 0 && !file)
        close(fd);
    return file;
}

/* Two lines: ETag, Last-Modified. They are of the list only as long as it is there. */
static void read_mark(const struct update *update, struct fetch *fetch)
{
    FILE *file = open_mark(update);
    char *const lines[] = {fetch->etag, fetch->modified};
    for (size_t i = 0; file && i < 2; i++) {
        if (!fgets(lines[i], FETCH_MARK, file))
            lines[i][0] = '\0';
        lines[i][strcspn(lines[i], "\n")] = '\0';
    }
    if (file)
        fclose(file);
}

/* Without a mark the next update fetches the whole list. */
static void write_mark(const struct update *update, const struct fetch *fetch)
{
    char text[2 * FETCH_MARK + 2];
    int len = snprintf(text, sizeof text, "%s\n%s\n", fetch->etag, fetch->modified);
    if (file_replace(update->mark_path, text, (size_t)len, 0644, false) < 0)
        (void)unlink(update->mark_path);
}

/* --- one list --- */

static int count_names(const struct update *update, const char *path, size_t *names, char *error, size_t cap)
{
    return block_count_names(update->name, path, update->list->format, update->config->block.max_names, names, error,
                             cap);
}

/* Compares the fetched list with the one that is there. */
static bool is_acceptable(struct update *update)
{
    char ignored[256];
    size_t before = 0;
    if (count_names(update, update->new_path, &update->names, update->error, sizeof update->error) < 0)
        return false;
    if (count_names(update, update->path, &before, ignored, sizeof ignored) < 0 || update->names >= before / 2)
        return true;
    snprintf(update->error, sizeof update->error,
             "block list %s: the fetched list has only %zu names instead of %zu; remove %.200s to accept that",
             update->name, update->names, before, update->path);
    return false;
}

static bool put_in_place(struct update *update, const struct fetch *fetch)
{
    if (!is_acceptable(update))
        return false;
    if (rename(update->new_path, update->path) < 0) {
        snprintf(update->error, sizeof update->error, "block list %s: cannot write %.200s: %s", update->name,
                 update->path, error_text(-errno));
        return false;
    }
    write_mark(update, fetch);
    update->changed = true;
    return true;
}

/* False, with a sentence in update->error. */
static bool update_list(struct update *update)
{
    const struct config *config = update->config;
    struct fetch fetch = {.url = update->list->url,
                          .socket_path = update->socket_path,
                          .ca_file = strcmp(config->block.ca_file, "system") == 0 ? NULL : config->block.ca_file,
                          .max_bytes = config->block.max_size};
    (void)unlink(update->new_path);
    fetch.out = fopen(update->new_path, "wxe");
    if (!fetch.out) {
        snprintf(update->error, sizeof update->error, "block list %s: cannot write %.200s: %s", update->name,
                 update->new_path, error_text(-errno));
        return false;
    }
    read_mark(update, &fetch);
    enum fetch_result result = fetch_run(&fetch);
    bool written = fchmod(fileno(fetch.out), 0644) == 0, good = result == FETCH_SAME;
    written &= fclose(fetch.out) == 0;
    if (result == FETCH_NEW && written)
        good = put_in_place(update, &fetch);
    else if (result != FETCH_SAME)
        snprintf(update->error, sizeof update->error, "block list %s: %s", update->name,
                 result == FETCH_NEW ? "cannot write" : fetch.error);
    (void)unlink(update->new_path);
    return good;
}

/* --- all lists --- */

/* The user who can replace the directory or what is in it; false: only root can. */
static bool find_owner(const char *directory, struct stat *out)
{
    char parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%s", directory);
    char *slash = strrchr(parent, '/');
    if (slash && slash > parent)
        *slash = '\0';
    return (stat(parent, out) == 0 && out->st_uid != 0) || (stat(directory, out) == 0 && out->st_uid != 0);
}

/* Makes the directory, and becomes its owner's process if this is root. */
static int enter_directory(const char *directory)
{
    struct stat owner;
    if (geteuid() == 0 && find_owner(directory, &owner) &&
        (setgroups(0, NULL) < 0 || setgid(owner.st_gid) < 0 || setuid(owner.st_uid) < 0))
        return -errno;
    if (mkdir(directory, 0755) < 0 && errno != EEXIST)
        return -errno;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : fd; /* locked until the process ends */
}

static bool has_url(const struct config *config)
{
    for (size_t i = 0; i < config->block.list_count; i++)
        if (config->block.lists[i].url)
            return true;
    return false;
}

static void print_update(const struct update *update, bool good, json_t *all, FILE *out)
{
    json_t *object = json_object();
    (void)json_object_set_new(object, "name", json_string(update->name));
    (void)json_object_set_new(object, "changed", json_boolean(update->changed));
    (void)json_object_set_new(object, "names", update->changed ? json_integer((json_int_t)update->names) : json_null());
    (void)json_object_set_new(object, "error", good ? json_null() : json_string(update->error));
    (void)json_array_append_new(all, object);
    if (!good)
        fprintf(stderr, "dotstubctl: %s; the previous one stays in use\n", update->error);
    else if (out && update->changed)
        fprintf(out, "%s: %zu names\n", update->name, update->names);
    else if (out)
        fprintf(out, "%s: not changed\n", update->name);
}

static int update_all(const struct options *options, const struct config *config, const char *socket_path)
{
    json_t *all = json_array();
    int status = EXIT_OK;
    for (size_t i = 0; i < config->block.list_count; i++) {
        struct update update = {.config = config, .list = &config->block.lists[i], .socket_path = socket_path};
        if (!update.list->url)
            continue;
        config_block_name(update.list, update.name);
        snprintf(update.path, sizeof update.path, "%.4000s/%s", config->block.directory, update.name);
        snprintf(update.new_path, sizeof update.new_path, "%.4000s/.%s.new", config->block.directory, update.name);
        snprintf(update.mark_path, sizeof update.mark_path, "%.4000s/.%s.mark", config->block.directory, update.name);
        bool good = update_list(&update);
        table_make_plain(update.error); /* it may quote the server or the list */
        print_update(&update, good, all, options->json ? NULL : stdout);
        status = good ? status : EXIT_OTHER;
    }
    if (json_array_size(all) == 0 && !options->json)
        puts("no list of block.lists has a url");
    if (options->json && table_print_json(json_pack("{s:O}", "lists", all), stdout, TABLE_INDENT) < 0)
        status = EXIT_OTHER;
    json_decref(all);
    return fflush(stdout) == 0 ? status : EXIT_OTHER;
}

static int update_run(const struct options *options)
{
    char socket_path[PATH_MAX];
    struct config *config;
    int status = locate_socket(options, socket_path);
    if (status == EXIT_OK)
        status = locate_config(options, &config);
    if (status != EXIT_OK)
        return status;
    log_set_level(LOG_LEVEL_ERROR); /* the daemon logs the lines that it cannot use */
    bool needs_directory = has_url(config);
    int directory = hash_init() < 0 ? -EIO : needs_directory ? enter_directory(config->block.directory) : 0;
    if (directory == -EWOULDBLOCK) {
        fputs("dotstubctl: another update is running\n", stderr);
        status = EXIT_OTHER;
    } else if (directory < 0) {
        fprintf(stderr, "dotstubctl: cannot use %s: %s\n", config->block.directory, error_text(directory));
        status = directory == -EACCES ? EXIT_NO_PERMISSION : EXIT_OTHER;
    } else {
        status = update_all(options, config, socket_path);
        if (needs_directory)
            close(directory);
    }
    config_unref(config);
    return status;
}

/* --- the command --- */

static const struct command list_command = {
    .name = "block", .verb = "GET", .path = "/block", .show = show_block_lists, .run = ask_run};
static const struct command test_command = {
    .name = "block", .verb = "GET", .path = "/block/test", .names = {"name"}, .show = show_block_test, .run = ask_run};

int block_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    bool is_test = strcmp(arguments[0], "test") == 0;
    if (count != (is_test ? 2 : 1)) {
        help_command(command, stderr);
        fprintf(stderr, "dotstubctl: %s\n", is_test ? "an argument is missing" : "too many arguments");
        return EXIT_USAGE;
    }
    if (strcmp(arguments[0], "update") == 0)
        return update_run(options);
    return ask_run(options, is_test ? &test_command : &list_command, arguments + 1, count - 1);
}
