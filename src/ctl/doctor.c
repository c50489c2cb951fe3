/* SPDX-License-Identifier: MIT */
/* doctor: prints one line per finding, and the remedy below each problem. */
#include "doctor.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "locate.h"
#include "table.h"

enum { SENTENCE = 400 };

enum result { RESULT_OK, RESULT_NOTE, RESULT_PROBLEM };
static const char *const result_words[] = {[RESULT_OK] = "ok", [RESULT_NOTE] = "note", [RESULT_PROBLEM] = "problem"};

__attribute__((format(printf, 5, 0))) static void add_finding(struct doctor *doctor, const char *check,
                                                              enum result result, const char *remedy,
                                                              const char *format, va_list arguments)
{
    char says[SENTENCE];
    vsnprintf(says, sizeof says, format, arguments);
    table_make_plain(says);
    json_t *finding = json_pack("{s:s, s:b, s:s, s:s, s:s?}", "check", check, "ok", result != RESULT_PROBLEM, "result",
                                result_words[result], "says", says, "remedy", remedy);
    (void)json_array_append_new(doctor->findings, finding);
    doctor->problems += result == RESULT_PROBLEM;
}

void doctor_say(struct doctor *doctor, const char *check, const char *remedy, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_finding(doctor, check, remedy ? RESULT_PROBLEM : RESULT_OK, remedy, format, arguments);
    va_end(arguments);
}

void doctor_note(struct doctor *doctor, const char *check, const char *remedy, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_finding(doctor, check, RESULT_NOTE, remedy, format, arguments);
    va_end(arguments);
}

static void print_findings(const struct doctor *doctor)
{
    char result[TABLE_CELL], check[TABLE_CELL], says[TABLE_CELL], remedy[TABLE_CELL];
    size_t i;
    json_t *finding;
    json_array_foreach(doctor->findings, i, finding)
    {
        bool ok = json_is_true(json_object_get(finding, "ok"));
        const char *word = ok ? table_field(finding, "result", result) : "PROBLEM";
        printf("%s%-8s%s %-10s %s\n", table_color(stdout, word), word, table_plain(stdout),
               table_field(finding, "check", check), table_field(finding, "says", says));
        if (json_is_string(json_object_get(finding, "remedy")))
            printf("%19s-> %s\n", "", table_field(finding, "remedy", remedy));
    }
}

static int print_json(const struct doctor *doctor)
{
    json_t *root = json_pack("{s:s, s:O}", "state", doctor->problems ? "problems" : "ok", "checks", doctor->findings);
    return table_print_json(root, stdout, TABLE_INDENT);
}

static void make_checks(struct doctor *doctor, bool quick)
{
    static void (*const checks[])(struct doctor *) = {
        doctor_check_daemon, doctor_check_health,  doctor_check_tcp,     doctor_check_port,     doctor_check_control,
        doctor_check_reload, doctor_check_lists,   doctor_check_resolv,  doctor_check_programs, doctor_check_leaks,
        doctor_check_clock,  doctor_check_servers, doctor_check_families};
    enum { QUICK = 2 };
    for (size_t i = 0; i < (quick ? QUICK : sizeof checks / sizeof *checks); i++)
        checks[i](doctor);
}

/* 0 or a negative error. */
static int tell(const struct doctor *doctor)
{
    const char *bundle = doctor->options->value[OWN_BUNDLE];
    int status = 0;
    if (doctor->options->json)
        status = print_json(doctor);
    else
        print_findings(doctor);
    if (bundle && (status = doctor_write_bundle(doctor, bundle)) < 0)
        fprintf(stderr, "dotstubctl: cannot write %s: %s\n", bundle, error_text(status));
    return status;
}

int doctor_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    char path[PATH_MAX];
    struct doctor doctor = {.options = options, .findings = json_array()};
    (void)command;
    (void)arguments;
    (void)count;
    int status = EXIT_OTHER;
    doctor.socket = locate_socket_quietly(options, path) ? path : NULL;
    if (doctor_read_config(&doctor) < 0) {
        fputs("dotstubctl: out of memory\n", stderr);
        goto end;
    }
    make_checks(&doctor, options->given & OWN(OWN_QUICK));
    status = tell(&doctor) < 0 ? EXIT_OTHER : doctor.problems ? EXIT_DEGRADED : EXIT_OK;
end:
    json_decref(doctor.findings);
    json_decref(doctor.status);
    json_decref(doctor.stats);
    json_decref(doctor.lists);
    config_unref(doctor.config);
    return status;
}
