/* SPDX-License-Identifier: MIT */
#include "process.h"
#include <dirent.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <unistd.h>
#include "prometheus.h"

static void cpu(FILE *out)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return;
    uint64_t us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                  (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    prometheus_family(out, "process_cpu_seconds_total", "counter",
                      "user and system CPU time of all threads, in seconds");
    prometheus_seconds(out, "process_cpu_seconds_total", NULL, us);
}

static void memory(FILE *out)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), pages = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm)
        return;
    if (fscanf(statm, "%" SCNu64 " %" SCNu64, &pages, &resident) == 2) {
        prometheus_gauge(out, "process_virtual_memory_bytes", "size of the address space, in bytes", pages * page);
        prometheus_gauge(out, "process_resident_memory_bytes", "resident memory, in bytes", resident * page);
    }
    fclose(statm);
}

static void descriptors(FILE *out)
{
    struct rlimit limit;
    unsigned open = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder) {
        for (struct dirent *entry; (entry = readdir(folder));)
            open += entry->d_name[0] != '.';
        closedir(folder);
        prometheus_gauge(out, "process_open_fds", "open file descriptors",
                         open - 1); /* without that of the directory */
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        prometheus_gauge(out, "process_max_fds", "limit of open file descriptors", limit.rlim_cur);
}

void process_metrics(FILE *out, int64_t started_wall_s)
{
    prometheus_gauge(out, "process_start_time_seconds", "start time of the process, in seconds since 1970",
                     (uint64_t)started_wall_s);
    cpu(out);
    memory(out);
    descriptors(out);
}
