/* dotstubctl: a table of subcommands, each one request to the running daemon's control socket.
 *
 * Only `check` asks no daemon: it runs dotstub --check, the program that lies beside this one, so that both always agree.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/errors.h"
#include "client.h"
#include "config/config.h"
#include <config.h>
#include "show.h"

/* Exit statuses, as in dotstubctl(8). */
enum {
    EXIT_OK = 0,
    EXIT_OTHER = 1,
    EXIT_DEGRADED = 2,
    EXIT_USAGE = EX_USAGE,             /* 64 */
    EXIT_NO_DAEMON = EX_UNAVAILABLE,   /* 69 */
    EXIT_PROTOCOL = EX_PROTOCOL,       /* 76 */
    EXIT_NO_PERMISSION = EX_NOPERM,    /* 77 */
    EXIT_CONFIGURATION = EX_CONFIG,    /* 78 */
};

#define DEFAULT_SOCKET "/run/dotstub/control.sock"

struct options {
    const char *socket, *config;
    bool json;
    const char *suffix; /* flush --suffix */
};

struct command {
    const char *name, *arguments, *help;
    unsigned least, most; /* arguments */
    const char *verb, *path;
    const char *names[2]; /* what the arguments are called in the request; NULL: see explain_name */
    int (*show)(const char *json, FILE *out);
};

static const struct command commands[] = {
    {"status", "", "how the daemon, its upstreams and its cache are; exit status 2: degraded", 0, 0, "GET", "/status", {NULL},
     show_status},
    {"stats", "", "all counters since the start", 0, 0, "GET", "/stats", {NULL}, show_stats},
    {"flush", "[NAME | --suffix NAME]", "forget everything, or a name, or all names below one", 0, 1, "POST", "/flush", {"name"},
     show_flush},
    {"cache", "NAME [TYPE]", "what the cache keeps for a name (type A unless given)", 1, 2, "GET", "/cache", {"name", "type"},
     show_cache},
    {"explain", "[last-slow | last-failed | NAME | ID]", "where the time of slow and failed questions went", 0, 1, "GET", "/explain",
     {NULL}, show_explain},
    {"trace", "NAME [TYPE]", "ask now and show each step (type A unless given)", 1, 2, "POST", "/trace", {"name", "type"}, show_trace},
    {"config", "", "the settings in force and where each came from", 0, 0, "GET", "/config", {NULL}, show_config},
    {"log", "LEVEL [MODULE]", "set the log's level, or one module's: error, warning, info or debug", 1, 2, "POST", "/log",
     {"level", "module"}, show_log},
    {"drain", "[SECONDS]", "fail health checks for so long (drain.time unless given), then stop", 0, 1, "POST", "/drain", {"seconds"},
     show_drain},
    {"check", "[FILE]", "look for mistakes in a configuration; asks no daemon", 0, 1, NULL, NULL, {NULL}, NULL},
};
#define COMMANDS (sizeof commands / sizeof *commands)

extern char **environ;

/* --- command line --- */

static void print_usage(FILE *out)
{
    fputs("usage: dotstubctl [--socket PATH] [-c FILE] [--json] COMMAND [ARGUMENT...]\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s%-37s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    fputs("\n"
          "  -s, --socket PATH  the daemon's control socket (default: what the configuration says)\n"
          "  -c, --config FILE  read control.socket from FILE instead of " SYSCONFDIR "/dotstub/dotstub.yaml\n"
          "  -j, --json         print what the daemon says, as JSON\n"
          "      --version      print the version\n"
          "  -h, --help         print this\n",
          out);
}

/* Gives an exit status to leave with at once, or -1 to go on with the arguments from optind. */
static int read_options(struct options *out, int argc, char **argv)
{
    enum { OPTION_SUFFIX = 256, OPTION_VERSION };
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},       {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},               {"suffix", required_argument, NULL, OPTION_SUFFIX},
        {"version", no_argument, NULL, OPTION_VERSION}, {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "s:c:jh", options, NULL)) != -1) {
        switch (option) {
        case 's':
            out->socket = optarg;
            break;
        case 'c':
            out->config = optarg;
            break;
        case 'j':
            out->json = true;
            break;
        case OPTION_SUFFIX:
            out->suffix = optarg;
            break;
        case OPTION_VERSION:
            puts("dotstubctl " PACKAGE_VERSION);
            return EXIT_OK;
        case 'h':
            print_usage(stdout);
            return EXIT_OK;
        default:
            print_usage(stderr);
            return EXIT_USAGE;
        }
    }
    return -1;
}

/* NULL after a line that says what is wrong. */
static const struct command *find_command(const struct options *options, int count, char **arguments)
{
    size_t i = 0;
    while (count > 0 && i < COMMANDS && strcmp(commands[i].name, arguments[0]) != 0)
        i++;
    const struct command *command = count > 0 && i < COMMANDS ? &commands[i] : NULL;
    if (!command) {
        fprintf(stderr, count > 0 ? "dotstubctl: there is no command '%s'\n" : "dotstubctl: a command is missing\n", arguments[0]);
        print_usage(stderr);
        return NULL;
    }
    unsigned given = (unsigned)count - 1;
    bool is_flush = strcmp(command->name, "flush") == 0;
    if (given >= command->least && given <= command->most && (!options->suffix || (is_flush && given == 0)))
        return command;
    fprintf(stderr, "usage: dotstubctl %s %s\n", command->name, command->arguments);
    return NULL;
}

/* --- where the daemon is --- */

/* What was said on the command line, else what the configuration says, as far as it can be read. 0 or an exit status. */
static int find_socket(const struct options *options, char out[PATH_MAX])
{
    struct config *config = NULL;
    const char *path = options->socket ? options->socket : DEFAULT_SOCKET;
    FILE *errors = options->config ? stderr : fopen("/dev/null", "w");
    bool off = false;
    int status = 0;
    if (!options->socket && errors)
        status = config_load(&config, options->config, environ, errors);
    if (config) {
        off = !config->control_socket;
        path = config->control_socket;
    }
    if (!off)
        snprintf(out, PATH_MAX, "%s", path);
    config_unref(config);
    if (errors && errors != stderr)
        fclose(errors);
    if (off)
        fputs("dotstubctl: control.socket is off in the configuration\n", stderr);
    if (status < 0 && options->config)
        return EXIT_CONFIGURATION;
    return off ? EXIT_NO_DAEMON : EXIT_OK;
}

static int explain(const char *path, int error)
{
    const char *remedy = "";
    int status = EXIT_NO_DAEMON;
    if (error == -ENOENT || error == -ECONNREFUSED)
        remedy = "; is dotstub running?";
    else if (error == -EACCES || error == -EPERM)
        remedy = "; ask as root, as the daemon's user or as a member of its group";
    if (error == -EACCES || error == -EPERM)
        status = EXIT_NO_PERMISSION;
    if (error == -EPROTO)
        status = EXIT_PROTOCOL;
    fprintf(stderr, "dotstubctl: %s: %s%s\n", path, error == -EAGAIN ? "no answer in time" : error_text(error), remedy);
    return status;
}

/* --- a request --- */

static int print_reply(const struct options *options, const struct command *command, const struct client_reply *reply)
{
    char sentence[512];
    if (reply->status != 200) {
        fprintf(stderr, "dotstubctl: %s\n", show_error(reply->body, sentence, sizeof sentence));
        return reply->status == 403 ? EXIT_NO_PERMISSION : EXIT_OTHER;
    }
    FILE *nowhere = options->json ? fopen("/dev/null", "w") : NULL; /* the exit status is the same */
    int status = command->show(reply->body, options->json ? nowhere : stdout);
    if (nowhere)
        fclose(nowhere);
    if (options->json)
        fputs(reply->body, stdout);
    if (status < 0) {
        fputs("dotstubctl: the answer is not understood\n", stderr);
        return EXIT_PROTOCOL;
    }
    return status ? EXIT_DEGRADED : EXIT_OK;
}

/* "3fa2c1" is an id; with a dot behind it, it is a name. */
static const char *explain_name(const char *argument)
{
    if (strcmp(argument, "last-slow") == 0 || strcmp(argument, "last-failed") == 0)
        return "which";
    return strlen(argument) == 6 && strspn(argument, "0123456789abcdef") == 6 ? "id" : "name";
}

static int ask(const struct options *options, const struct command *command, char **arguments, int count)
{
    char target[2048], path[PATH_MAX];
    struct client_reply reply;
    bool fits = true;
    snprintf(target, sizeof target, "%s", command->path);
    for (int i = 0; i < count; i++)
        fits = fits && client_add_argument(target, sizeof target, command->names[i] ? command->names[i] : explain_name(arguments[i]),
                                           arguments[i]);
    if (options->suffix)
        fits = fits && client_add_argument(target, sizeof target, "suffix", options->suffix);
    if (!fits) {
        fputs("dotstubctl: an argument is too long\n", stderr);
        return EXIT_USAGE;
    }
    int status = find_socket(options, path);
    if (status != EXIT_OK)
        return status;
    status = client_ask(&reply, path, command->verb, target);
    if (status < 0)
        return explain(path, status);
    status = print_reply(options, command, &reply);
    free(reply.body);
    return fflush(stdout) == 0 ? status : EXIT_OTHER;
}

/* --- check --- */

/* "/usr/sbin/dotstub" of "/usr/sbin/dotstubctl". */
static bool find_daemon(char out[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (len < 0)
        return false;
    out[len] = '\0';
    char *name = strrchr(out, '/');
    if (!name || name + sizeof "/dotstub" > out + PATH_MAX)
        return false;
    memcpy(name, "/dotstub", sizeof "/dotstub");
    return true;
}

static int check(const struct options *options, const char *file)
{
    char daemon[PATH_MAX] = "dotstub";
    const char *config = file ? file : options->config;
    if (find_daemon(daemon) && config)
        execl(daemon, daemon, "--check", "-c", config, (char *)NULL);
    else if (*daemon == '/')
        execl(daemon, daemon, "--check", (char *)NULL);
    fprintf(stderr, "dotstubctl: cannot run %s: %s\n", daemon, error_text(-errno));
    return EXIT_OTHER;
}

int main(int argc, char **argv)
{
    struct options options = {.socket = NULL};
    int status = read_options(&options, argc, argv);
    if (status >= 0)
        return status;
    const struct command *command = find_command(&options, argc - optind, argv + optind);
    if (!command)
        return EXIT_USAGE;
    if (!command->path)
        return check(&options, argv[optind + 1]);
    return ask(&options, command, argv + optind + 1, argc - optind - 1);
}
