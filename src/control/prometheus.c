/* SPDX-License-Identifier: MIT */
#include "prometheus.h"
#include <inttypes.h>

void prometheus_family(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Escapes backslash, quote and newline: upstream names are free text. */
static void write_label(FILE *out, const char *name, const char *text)
{
    fprintf(out, "%s=\"", name);
    for (; *text; text++) {
        if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

/* `le`: the value of an additional label "le"; NULL: none. */
static void write_labels(FILE *out, const char *const *labels, const char *le)
{
    const char *before = "{";
    for (; labels && *labels; labels += 2, before = ",") {
        fputs(before, out);
        write_label(out, labels[0], labels[1]);
    }
    if (le) {
        fputs(before, out);
        write_label(out, "le", le);
        before = ",";
    }
    fputs(*before == ',' ? "} " : " ", out);
}

static void write_seconds(FILE *out, uint64_t us)
{
    fprintf(out, "%" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
}

void prometheus_sample(FILE *out, const char *name, const char *const *labels, uint64_t value)
{
    fputs(name, out);
    write_labels(out, labels, NULL);
    fprintf(out, "%" PRIu64 "\n", value);
}

void prometheus_seconds(FILE *out, const char *name, const char *const *labels, uint64_t microseconds)
{
    fputs(name, out);
    write_labels(out, labels, NULL);
    write_seconds(out, microseconds);
}

void prometheus_histogram(FILE *out, const char *name, const char *const *labels, const struct histogram *histogram,
                          unsigned unit_us)
{
    uint64_t count = 0;
    char le[32];
    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        count += histogram->bucket[i];
        if (i < HISTOGRAM_BOUNDS)
            snprintf(le, sizeof le, "%g", (double)histogram_bounds[i] * unit_us / 1e6);
        else
            snprintf(le, sizeof le, "+Inf");
        fprintf(out, "%s_bucket", name);
        write_labels(out, labels, le);
        fprintf(out, "%" PRIu64 "\n", count);
    }
    fprintf(out, "%s_sum", name);
    write_labels(out, labels, NULL);
    write_seconds(out, histogram->sum * unit_us);
    fprintf(out, "%s_count", name);
    write_labels(out, labels, NULL);
    fprintf(out, "%" PRIu64 "\n", count);
}

void prometheus_gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
    prometheus_family(out, name, "gauge", help);
    prometheus_sample(out, name, NULL, value);
}

void prometheus_counter(FILE *out, const char *name, const char *help, uint64_t value)
{
    prometheus_family(out, name, "counter", help);
    prometheus_sample(out, name, NULL, value);
}
