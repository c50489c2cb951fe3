/* SPDX-License-Identifier: MIT */
/* Invariants: a limit only lowers the result; whatever /proc and /sys contain, at least one processor is left. */
#include "config/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/io.h"
#include "base/lines.h"

#define PATH_TEXT  4352
#define FIELD_TEXT 4001 /* of a line of mountinfo */
#define ROOT_MAX   (PATH_TEXT - FIELD_TEXT)

static bool is_path(int written)
{
    return written > 0 && written < PATH_TEXT;
}

/* A file of this process in /proc below the root. */
static int open_proc(struct lines *lines, const char *root, const char *name)
{
    char path[PATH_TEXT];
    if (strlen(root) > ROOT_MAX || !is_path(snprintf(path, sizeof path, "%s/proc/self/%s", root, name)))
        return -ENAMETOOLONG;
    return lines_open(lines, path);
}

/* A tree of cgroups, with the limits that its directories hold. `controller` NULL: the tree of version 2. The
 * controllers of version 1 have a tree each; on a hybrid machine both versions are mounted. */
struct tree {
    const char *controller;
    void (*read_limits)(struct machine *machine, const char *directory);
};

/* True if a list such as "cpu,cpuacct" has the word. */
static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
    return false;
}

/* The end of a line of mountinfo: " - TYPE SOURCE OPTIONS". */
static bool is_mount_of(const struct tree *tree, const char *line)
{
    char type[16], super_options[512];
    const char *end = strstr(line, " - ");
    if (!end || sscanf(end + 3, "%15s %*s %511s", type, super_options) != 2)
        return false;
    if (!tree->controller)
        return strcmp(type, "cgroup2") == 0;
    return strcmp(type, "cgroup") == 0 && has_word(super_options, tree->controller);
}

/* The path in a line "NUMBER:CONTROLLERS:PATH" of /proc/self/cgroup if it is of this tree, else NULL. */
static const char *path_of_line(const struct tree *tree, char *line)
{
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return NULL;
    *path++ = '\0';
    *controllers++ = '\0';
    bool found = tree->controller ? has_word(controllers, tree->controller) : !*controllers && strcmp(line, "0") == 0;
    return found ? path : NULL;
}

/* Finds this process's directory below a mount point of the tree where the directory `mounted` of the tree is; "" if it is not
 * there. 0 or -ENOMEM. */
static int find_group(const struct tree *tree, const char *root, const char *mount, const char *mounted,
                      char group[PATH_TEXT])
{
    struct lines lines;
    const char *own = NULL;
    char *line;
    size_t len;
    int status = open_proc(&lines, root, "cgroup");
    group[0] = '\0';
    if (status < 0)
        return status == -ENOMEM ? status : 0;
    while (!own && (line = lines_next(&lines, &len)))
        own = path_of_line(tree, line);
    size_t hidden = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);
    bool below = own && strncmp(own, mounted, hidden) == 0 && (own[hidden] == '/' || own[hidden] == '\0');
    if (!own || !is_path(snprintf(group, PATH_TEXT, "%s%s", mount, below ? own + hidden : "")))
        group[0] = '\0';
    lines_close(&lines);
    return 0;
}

/* Reads a file of a directory; "" if it cannot be read. */
static void read_limit(const char *directory, const char *name, char text[128])
{
    char path[PATH_TEXT];
    int fd = is_path(snprintf(path, sizeof(path), "%s/%s", directory, name)) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t len = fd < 0 ? 0 : read_to_end(fd, text, 127);
    text[len > 0 ? len : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

/* A quota of -1 or "max" is none; quota and period are in microseconds. */
static void lower_processors(struct machine *machine, long long quota, long long period)
{
    if (quota < 0 || period <= 0)
        return;
    unsigned long long processors = (unsigned long long)(quota / period) + (quota % period != 0);
    if (processors < machine->processors)
        machine->processors = processors > 0 ? (unsigned)processors : 1;
}

/* The text is "max" or a number of bytes. */
static void lower_memory(struct machine *machine, const char *text)
{
    unsigned long long bytes;
    if (sscanf(text, "%llu", &bytes) == 1 && bytes < machine->memory)
        machine->memory = bytes;
}

/* cpu.max is "max 100000" or "150000 100000". */
static void read_limits_2(struct machine *machine, const char *directory)
{
    char text[128];
    long long quota, period;
    read_limit(directory, "cpu.max", text);
    if (sscanf(text, "%lld %lld", &quota, &period) == 2)
        lower_processors(machine, quota, period);
    read_limit(directory, "memory.max", text);
    lower_memory(machine, text);
}

static void read_memory_1(struct machine *machine, const char *directory)
{
    char text[128];
    read_limit(directory, "memory.limit_in_bytes", text);
    lower_memory(machine, text);
}

static void read_processors_1(struct machine *machine, const char *directory)
{
    char text[128];
    long long quota, period;
    read_limit(directory, "cpu.cfs_quota_us", text);
    bool has_quota = sscanf(text, "%lld", &quota) == 1;
    read_limit(directory, "cpu.cfs_period_us", text);
    if (has_quota && sscanf(text, "%lld", &period) == 1)
        lower_processors(machine, quota, period);
}

static const struct tree trees[] = {{NULL, read_limits_2}, {"memory", read_memory_1}, {"cpu", read_processors_1}};

/* A limit of a directory holds for those below it. The line of mountinfo has the mounted directory of the tree and the mount
 * point as its fourth and fifth field. */
static int read_tree(struct machine *machine, const struct tree *tree, const char *root, const char *line)
{
    char mounted[FIELD_TEXT], mount[PATH_TEXT], group[PATH_TEXT];
    size_t top = strlen(root);
    memcpy(mount, root, top);
    if (sscanf(line, "%*s %*s %*s %4000s %4000s", mounted, mount + top) != 2)
        return 0;
    int status = find_group(tree, root, mount, mounted, group);
    top = strlen(mount);
    while (status == 0 && strlen(group) >= top) {
        tree->read_limits(machine, group);
        char *slash = strrchr(group, '/');
        if (!slash || slash == group)
            break;
        *slash = '\0';
    }
    return status;
}

/* Only the first mount point of each tree counts. */
static int read_trees(struct machine *machine, const char *root)
{
    struct lines lines;
    char *line;
    size_t len;
    bool seen[sizeof trees / sizeof *trees] = {false};
    int status = open_proc(&lines, root, "mountinfo");
    if (status < 0)
        return status == -ENOMEM ? status : 0;
    while (status == 0 && (line = lines_next(&lines, &len)))
        for (size_t i = 0; status == 0 && i < sizeof trees / sizeof *trees; i++) {
            if (seen[i] || !is_mount_of(&trees[i], line))
                continue;
            seen[i] = true;
            status = read_tree(machine, &trees[i], root, line);
        }
    lines_close(&lines);
    return status;
}

static unsigned processors_by_affinity(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* there are more processors than a cpu_set_t can hold */
    return online > 0 ? (unsigned)online : 1;
}

int machine_read(struct machine *out, const char *root)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    struct machine machine = {.processors = processors_by_affinity(), .memory = UINT64_MAX};
    if (pages > 0 && page > 0)
        machine.memory = (uint64_t)pages * (uint64_t)page;
    int status = read_trees(&machine, root);
    *out = machine;
    return status;
}
