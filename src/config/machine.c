/* SPDX-License-Identifier: MIT */
/* Invariants: a limit only lowers the result; whatever /proc and /sys contain, at least one processor is left. */
#include "config/machine.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/io.h"

#define TEXT_MAX  65536
#define PATH_TEXT 4352

/* Reads the start of a file as a string; "" if it cannot be read. */
static void read_text(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : read_to_end(fd, out, cap - 1);
    out[len > 0 ? len : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

static bool is_path(int written)
{
    return written > 0 && written < PATH_TEXT;
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

/* Finds the mount point of the tree, and the mounted part of the tree (the fourth field of proc(5), mountinfo). */
static bool find_mount(const struct tree *tree, const char *root, char *text, char mount[PATH_TEXT],
                       char mounted[PATH_TEXT])
{
    char path[PATH_TEXT], *rest = NULL;
    if (!is_path(snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root)))
        return false;
    read_text(path, text, TEXT_MAX);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (is_mount_of(tree, line) && sscanf(line, "%*s %*s %*s %4000s %4000s", mounted, mount) == 2)
            return true;
    }
    return false;
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

/* Finds this process's directory in the tree; `mount` is the root of the tree. */
static bool find_group(const struct tree *tree, const char *root, char *text, char mount[PATH_TEXT],
                       char group[PATH_TEXT])
{
    char path[PATH_TEXT], mounted[PATH_TEXT], *rest = NULL;
    const char *own = NULL;
    if (!find_mount(tree, root, text, path, mounted) || !is_path(snprintf(mount, PATH_TEXT, "%s%s", root, path)) ||
        !is_path(snprintf(path, sizeof(path), "%s/proc/self/cgroup", root)))
        return false;
    read_text(path, text, TEXT_MAX);
    for (char *line = strtok_r(text, "\n", &rest); line && !own; line = strtok_r(NULL, "\n", &rest))
        own = path_of_line(tree, line);
    if (!own)
        return false;

    size_t hidden = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);
    bool below = strncmp(own, mounted, hidden) == 0 && (own[hidden] == '/' || own[hidden] == '\0');
    return is_path(snprintf(group, PATH_TEXT, "%s%s", mount, below ? own + hidden : ""));
}

/* Reads a file of a directory; "" if it cannot be read. */
static void read_limit(const char *directory, const char *name, char text[128])
{
    char path[PATH_TEXT];
    text[0] = '\0';
    if (is_path(snprintf(path, sizeof(path), "%s/%s", directory, name)))
        read_text(path, text, 128);
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

/* A limit of a directory holds for those below it. */
static void read_tree(struct machine *machine, const struct tree *tree, const char *root)
{
    char text[TEXT_MAX], mount[PATH_TEXT], group[PATH_TEXT];
    if (!find_group(tree, root, text, mount, group))
        return;
    size_t top = strlen(mount);
    while (strlen(group) >= top) {
        tree->read_limits(machine, group);
        char *slash = strrchr(group, '/');
        if (!slash || slash == group)
            return;
        *slash = '\0';
    }
}

static unsigned processors_by_affinity(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* there are more processors than a cpu_set_t can hold */
    return online > 0 ? (unsigned)online : 1;
}

void machine_read(struct machine *out, const char *root)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    struct machine machine = {.processors = processors_by_affinity(), .memory = UINT64_MAX};
    if (pages > 0 && page > 0)
        machine.memory = (uint64_t)pages * (uint64_t)page;
    for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++)
        read_tree(&machine, &trees[i], root);
    *out = machine;
}
