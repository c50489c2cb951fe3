/* SPDX-License-Identifier: MIT */
/* Shared by the tests of the configuration: loads a text, or files in a temporary directory, and compares the
 * result. */
#ifndef DOTSTUB_TESTS_LOADING_H
#define DOTSTUB_TESTS_LOADING_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/mem.h"
#include "config/load.h"
#include "config/options.h"

#define VARIABLES(...)                                                                                                 \
    (char *const *)(const char *const[])                                                                               \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }

static const struct machine large = {.processors = 4, .memory = UINT64_C(64) << 30};

/* The result of a load: a snapshot or mistakes. */
struct result {
    struct config *config;
    int error;
    char *said;
    size_t said_len;
};

static inline struct result load_on(const struct machine *machine, const char *text, char *const *variables)
{
    struct result result = {0};
    FILE *errors = open_memstream(&result.said, &result.said_len);
    result.error = load_text(&result.config, "f", text, strlen(text), variables, machine, errors);
    fclose(errors);
    return result;
}

static inline struct result load(const char *text)
{
    return load_on(&large, text, NULL);
}

static inline void end(struct result *result)
{
    config_unref(result->config);
    free(result->said);
}

static inline struct result loaded_with(const char *text, char *const *variables)
{
    struct result result = load_on(&large, text, variables);
    if (result.error)
        fail_msg("%s", result.said);
    assert_string_equal(result.said, "");
    return result;
}

static inline struct result loaded(const char *text)
{
    return loaded_with(text, NULL);
}

static inline void check_refusal(struct result *result, const char *said)
{
    assert_null(result->config);
    assert_int_equal(result->error, ERROR_CONFIG);
    assert_string_equal(result->said, said);
    end(result);
}

/* The text is refused with exactly this report. */
static inline void refused(const char *text, const char *said)
{
    struct result result = load(text);
    check_refusal(&result, said);
}

static inline void refused_with(const char *text, char *const *variables, const char *said)
{
    struct result result = load_on(&large, text, variables);
    check_refusal(&result, said);
}

static inline void same_addr(const struct addr *addr, const char *text)
{
    char formatted[ADDR_TEXT];
    assert_string_equal(addr_format(addr, true, formatted), text);
}

/* Prints the snapshot without the comments. */
static inline char *printed(const struct config *config)
{
    char *text;
    size_t len, to = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(config_print(config, out), 0);
    fclose(out);
    for (size_t from = 0; from < len;) {
        if (text[from] == ' ' && text[from + 1] == '#')
            from += strcspn(text + from, "\n");
        else
            text[to++] = text[from++];
    }
    text[to] = '\0';
    return text;
}

static inline void same_config(const struct config *a, const struct config *b)
{
    char *text_a = printed(a), *text_b = printed(b);
    assert_string_equal(text_a, text_b);
    free(text_a);
    free(text_b);
}

/* Every setting, with a value that is not its default. */
static const char full[] __attribute__((unused)) =
    "listen: [127.0.0.1@5300, \"::@5301\"]\n"
    "workers: 3\n"
    "upstreams:\n"
    "  - name: one\n"
    "    tls-name: one.example.\n"
    "    addresses: [192.0.2.1, \"2001:db8::1@8853\"]\n"
    "    port: 8530\n"
    "    pins: [\"sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=\"]\n"
    "    role: backup\n"
    "    ecs: default\n"
    "    max-qps: 77\n"
    "    ca-file: /x/ca.pem\n"
    "    min-version: \"1.3\"\n"
    "    source: 192.0.2.7\n"
    "  - {name: two, addresses: [192.0.2.2], pins: [sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=]}\n"
    "tls: {ca-file: ca.pem, min-version: 1.3, sessions: 4, idle: 500ms}\n"
    "cache: {size: 8MiB, min-ttl: 5s, max-ttl: 1h, negative-max-ttl: 0, prefetch: off, serve-stale: 0,\n"
    "        stale-answer-after: 1s, save: true, save-file: \"/a \\\"b\\\\\"}\n"
    "limits: {answer-by: 3s, queries-in-flight: 5, tcp-clients: 6, tcp-idle: 7s, udp-size: 4096}\n"
    "access: {allow: [10.0.0.0/8, \"2001:db8::/32\", 192.0.2.1], deny: drop}\n"
    "identity: {version: \"dotstub \\\"x\\\" #1\", hostname: ns1.example}\n"
    "health: {name: health.example}\n"
    "drain: {time: 9s}\n"
    "control: {socket: off}\n"
    "metrics: {listen: 127.0.0.1@9153, names: yes, token-file: /etc/dotstub/token}\n"
    "log: {level: debug, queries: yes}\n";

/* -- A directory for one test -- */

static char directory[64] __attribute__((unused));

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

/* Writes a file below the test's directory and creates missing directories. */
static inline void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s", path_of(name));
    for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test_config.XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static inline int remove_directory(void **state)
{
    (void)state;
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline struct result load_file(const char *path)
{
    struct result result = {0};
    FILE *errors = open_memstream(&result.said, &result.said_len);
    result.error = config_load(&result.config, path, NULL, errors);
    fclose(errors);
    return result;
}

#endif
