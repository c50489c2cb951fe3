/* SPDX-License-Identifier: MIT */
/* dotstub: the command line.
 *
 * In order: standard descriptors, command line, configuration, certificates; then the daemon serves (daemon.c).
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include <config.h>
#include "config/json.h"
#include "daemon.h"
#include "exits.h"
#include "identity.h"
#include "logging.h"
#include "net/notify.h"
#include "privileges.h"
#include "steps.h"
#include "tapping.h"
#include "trusts.h"
#include "upstream/spread.h"

struct command_line {
    const char *file, *user;
    pid_t take_over;
    bool check, print_config, print_default, schema;
};

extern char **environ;

/* --- command line --- */

static void print_usage(FILE *out)
{
    fputs(
        "usage: dotstub [-c FILE] [--user NAME] [--take-over PID | --check | --print-config | --print-default-config]\n"
        "       dotstub --version | --help\n"
        "\n"
        "A DNS stub resolver: answers clients over UDP and TCP, caches, and forwards over DNS-over-TLS.\n"
        "It runs in the foreground and logs on standard error.\n"
        "\n"
        "  -c, --config FILE        read FILE instead of " SYSCONFDIR "/dotstub/dotstub.yaml\n"
        "      --user NAME          when started as root, run as NAME (default: " PRIVILEGES_DEFAULT_USER ")\n"
        "      --take-over PID      take over sockets and cache of a running dotstub, which then stops\n"
        "      --check              read the configuration, report all mistakes, exit\n"
        "      --print-config       print the configuration in force and where each value came from\n"
        "      --print-default-config  print the annotated default configuration file\n"
        "      --schema             print a JSON schema of the configuration file, for editors\n"
        "      --version            print the version\n"
        "  -h, --help               print this\n",
        out);
}

/* Returns 0 if the text is not a process id. */
static pid_t read_process(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    return *end == '\0' && number > 1 && number <= INT_MAX ? (pid_t)number : 0;
}

/* Returns an exit status, or -1 to continue. */
static int read_command(struct command_line *command, int argc, char **argv)
{
    enum {
        OPTION_USER = 256,
        OPTION_TAKE_OVER,
        OPTION_CHECK,
        OPTION_PRINT,
        OPTION_PRINT_DEFAULT,
        OPTION_SCHEMA,
        OPTION_VERSION
    };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"user", required_argument, NULL, OPTION_USER},
        {"take-over", required_argument, NULL, OPTION_TAKE_OVER},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"print-config", no_argument, NULL, OPTION_PRINT},
        {"print-default-config", no_argument, NULL, OPTION_PRINT_DEFAULT},
        {"schema", no_argument, NULL, OPTION_SCHEMA},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            command->file = optarg;
            break;
        case OPTION_USER:
            command->user = optarg;
            break;
        case OPTION_TAKE_OVER:
            if ((command->take_over = read_process(optarg)) > 0)
                break;
            fprintf(stderr, "dotstub: --take-over needs a process id, not '%s'\n", optarg);
            return EXIT_USAGE;
        case OPTION_CHECK:
            command->check = true;
            break;
        case OPTION_PRINT:
            command->print_config = true;
            break;
        case OPTION_PRINT_DEFAULT:
            command->print_default = true;
            break;
        case OPTION_SCHEMA:
            command->schema = true;
            break;
        case OPTION_VERSION:
            puts("dotstub " PACKAGE_VERSION);
            return EXIT_OK;
        case 'h':
            print_usage(stdout);
            return EXIT_OK;
        default:
            print_usage(stderr);
            return EXIT_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "dotstub: unexpected argument '%s'\n", argv[optind]);
    print_usage(stderr);
    return EXIT_USAGE;
}

/* --- the check --- */

static int read_again(const struct command_line *command, FILE *errors)
{
    struct config *config = NULL;
    struct tls_trust **trusts = NULL;
    struct tls_identity *identity = NULL;
    struct store_setup *store = NULL;
    int status = config_load(&config, command->file, environ, errors);
    if (status < 0)
        return status;
    status = trusts_load(&trusts, config, false, errors);
    if (status == 0)
        trusts_free(trusts, config->upstream_count);
    if (status == 0)
        status = identity_load(&identity, config, errors);
    tls_identity_unref(identity);
    if (status == 0)
        status = store_setup_new(&store, config, errors);
    store_setup_unref(store);
    config_unref(config);
    return status;
}

/* Root can read all files. The daemon reads them again as its user, at a reload, and the service starts as that user. */
static void warn_of_unreadable(const struct command_line *command)
{
    char *mistakes = NULL;
    size_t len;
    FILE *errors = open_memstream(&mistakes, &len);
    if (!errors)
        return;
    privileges_lower(command->user);
    int status = read_again(command, errors);
    privileges_return();
    if (fclose(errors) == 0 && status < 0)
        fprintf(stderr, "warning: for user %s, as which the daemon reloads: %.*s\n",
                command->user ? command->user : PRIVILEGES_DEFAULT_USER, (int)strcspn(mistakes, "\n"), mistakes);
    free(mistakes);
}

/* Releases the trusts first: a file that did not change is not loaded twice. */
static int tell_good(const struct command_line *command, struct daemon_setup *setup)
{
    for (size_t i = 0; i < setup->config->notice_count; i++)
        fprintf(stderr, "warning: %s\n", setup->config->notices[i]);
    trusts_free(setup->trusts, setup->config->upstream_count);
    tls_identity_unref(setup->identity);
    store_setup_unref(setup->store);
    warn_of_unreadable(command);
    puts("dotstub: the configuration is good");
    return EXIT_OK;
}

/* Opens standard descriptors that were closed, so that no socket gets their numbers and receives log lines. */
static void fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* Closes other descriptors left open by the starting process, which an attacker could otherwise use. */
static void close_other_descriptors(void)
{
    int count = notify_sockets();
    close_from(NOTIFY_FIRST_SOCKET + (count > 0 ? count : 0));
}

int main(int argc, char **argv)
{
    struct command_line command = {.file = NULL};
    fill_standard_descriptors();
    close_other_descriptors();
    signal(SIGPIPE, SIG_IGN);
    mem_begin_start();
    /* libuv 1.45 to 1.48 would open an io_uring, with a kernel thread that polls, outside of the sandbox. */
    setenv("UV_USE_IO_URING", "0", 1);
    int status = read_command(&command, argc, argv);
    if (status >= 0)
        return status;
    if (command.schema)
        return config_print_schema(stdout) == 0 ? EXIT_OK : EXIT_OTHER;
    if (command.print_default)
        return config_print_annotated(stdout) == 0 ? EXIT_OK : EXIT_OTHER;
    static struct daemon_setup setup; /* static, so that leak checkers still reach its memory after an early exit */
    setup = (struct daemon_setup){.file = command.file, .user = command.user, .take_over = command.take_over};
    if (config_load(&setup.config, command.file, environ, stderr) < 0)
        return EXIT_CONFIGURATION;
    logging_open(setup.config);
    if (command.print_config)
        return config_print(setup.config, stdout) == 0 ? EXIT_OK : EXIT_OTHER;
    if (hash_init() < 0) {
        log_error("daemon", "the system provides no random numbers");
        return EXIT_OTHER;
    }
    spread_init("/etc/machine-id");
    /* A start waits for missing certificates; a process that replaces another one would lose them. */
    const bool strict = command.check || command.take_over;
    if (!tapping_can(setup.config) && command.check)
        return EXIT_CONFIGURATION;
    privileges_raise();
    if (privileges_check_marks(setup.config, stderr) < 0)
        return EXIT_CONFIGURATION;
    if (trusts_load(&setup.trusts, setup.config, !strict, stderr) < 0)
        return EXIT_CONFIGURATION;
    privileges_lower(command.user);
    int stepped = step_set_new(&setup.steps, daemon_steps, setup.config, stderr);
    privileges_return();
    if (stepped < 0)
        return EXIT_CONFIGURATION;
    int identified = identity_load(&setup.identity, setup.config, stderr);
    if (identified < 0 && strict)
        return EXIT_CONFIGURATION;
    if (store_setup_new(&setup.store, setup.config, stderr) < 0)
        return EXIT_CONFIGURATION;
    if (identified < 0)
        log_warning("daemon",
                    "clients of listen-tls and listen-https are disconnected until the certificates can be used");
    if (command.check)
        return tell_good(&command, &setup);
    logging_notices(setup.config);
    if (privileges_check(command.user) < 0)
        return EXIT_PRIVILEGES;
    return daemon_serve(&setup);
}
