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

/* Finds the mount point of the cgroup v2 tree, and the mounted part of the tree (the fourth field of proc(5),
 * mountinfo). */
static bool find_mount(const char *root, char *text, char mount[PATH_TEXT], char mounted[PATH_TEXT])
{
    char path[PATH_TEXT], *rest = NULL;
    if (!is_path(snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root)))
        return false;
    read_text(path, text, TEXT_MAX);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %4000s %4000s", mounted, mount) == 2)
            return true;
    }
    return false;
}

/* Finds this process's directory in the cgroup v2 tree; `mount` is the root of the tree. */
static bool find_group(const char *root, char *text, char mount[PATH_TEXT], char group[PATH_TEXT])
{
    char path[PATH_TEXT], mounted[PATH_TEXT], relative[PATH_TEXT], *rest = NULL;
    if (!find_mount(root, text, path, mounted) || !is_path(snprintf(mount, PATH_TEXT, "%s%s", root, path)) ||
        !is_path(snprintf(path, sizeof(path), "%s/proc/self/cgroup", root)))
        return false;
    read_text(path, text, TEXT_MAX);
    char *line = strtok_r(text, "\n", &rest);
    while (line && strncmp(line, "0::", 3) != 0)
        line = strtok_r(NULL, "\n", &rest);
    if (!line)
        return false;

    size_t hidden = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);
    bool below = strncmp(line + 3, mounted, hidden) == 0;
    int written = snprintf(relative, sizeof(relative), "%s", below ? line + 3 + hidden : "");
    return written >= 0 && written < PATH_TEXT && is_path(snprintf(group, PATH_TEXT, "%s%s", mount, relative));
}

/* cpu.max is "max 100000" or "150000 100000": microseconds of quota in each period. */
static void lower_processors(struct machine *machine, const char *text)
{
    unsigned long long quota, period;
    if (sscanf(text, "%llu %llu", &quota, &period) != 2 || period == 0)
        return;
    unsigned long long processors = quota / period + (quota % period != 0);
    if (processors < machine->processors)
        machine->processors = processors > 0 ? (unsigned)processors : 1;
}

/* memory.max is "max" or a number of bytes. */
static void lower_memory(struct machine *machine, const char *text)
{
    unsigned long long bytes;
    if (sscanf(text, "%llu", &bytes) == 1 && bytes < machine->memory)
        machine->memory = bytes;
}

static void read_limits(struct machine *machine, const char *directory)
{
    char path[PATH_TEXT], text[128];
    if (is_path(snprintf(path, sizeof(path), "%s/cpu.max", directory))) {
        read_text(path, text, sizeof(text));
        lower_processors(machine, text);
    }
    if (is_path(snprintf(path, sizeof(path), "%s/memory.max", directory))) {
        read_text(path, text, sizeof(text));
        lower_memory(machine, text);
    }
}

static void read_cgroup(struct machine *machine, const char *root)
{
    char text[TEXT_MAX], mount[PATH_TEXT], group[PATH_TEXT];
    if (!find_group(root, text, mount, group))
        return;
    size_t top = strlen(mount);
    while (strlen(group) >= top) {
        read_limits(machine, group);
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
    read_cgroup(&machine, root);
    *out = machine;
}
