/* dotstub: command line, start, signals, stop.
 *
 * The order of the start: standard descriptors, command line, configuration, trust, sockets, privileges, workers. What can fail
 * because of the operator fails before the first answer is given, with its own exit status.
 *
 * The main thread's loop runs signals and the control side until the last worker has said that it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include <config.h>
#include "control/control.h"
#include "net/loop.h"
#include "net/notify.h"
#include "net/verifytime.h"
#include "privileges.h"
#include "sockets.h"
#include "watchdog.h"
#include "worker.h"

/* Exit statuses, as in dotstub(8): sysexits.h numbers. */
enum {
    EXIT_OK = 0,
    EXIT_OTHER = 1,
    EXIT_USAGE = EX_USAGE,        /* 64 */
    EXIT_PORT = EX_OSERR,         /* 71 */
    EXIT_PRIVILEGES = EX_NOPERM,  /* 77 */
    EXIT_CONFIGURATION = EX_CONFIG, /* 78 */
};

enum {
    FIRST_SAVE_MS = 10 * 60 * 1000,
    SAVE_EVERY_MS = 60 * 60 * 1000,
};

struct command {
    const char *file, *user;
    bool check, print_config, print_default;
};

struct daemon {
    struct config *config;
    struct cache *cache;
    struct tls_trust **trusts;
    struct worker **workers;
    struct sockets sockets;
    struct loop loop;
    struct mailbox mailbox;
    struct letter *ended;   /* one for each worker */
    unsigned running;       /* workers whose end was not told yet */
    bool stopping;
    struct control *control;
    uv_signal_t on_term, on_int, on_hup;
    uv_timer_t save;
    struct watchdog watchdog;
    char verified_file[PATH_MAX]; /* keeps the time of the last verified handshake; "": nowhere */
};

/* Static, so that what a failed start leaves behind is still reachable. */
static struct daemon self;
extern char **environ;

/* --- command line --- */

static void print_usage(FILE *out)
{
    fputs("usage: dotstub [-c FILE] [--user NAME] [--check | --print-config | --print-default-config]\n"
          "       dotstub --version | --help\n"
          "\n"
          "A stub resolver: answers DNS over UDP and TCP from its cache, asks over DNS-over-TLS.\n"
          "It runs in the foreground and logs on standard error.\n"
          "\n"
          "  -c, --config FILE        read FILE instead of " SYSCONFDIR "/dotstub/dotstub.yaml\n"
          "      --user NAME          when started as root, run as NAME (default: " PRIVILEGES_DEFAULT_USER ")\n"
          "      --check              read the configuration, report all mistakes, exit\n"
          "      --print-config       print the configuration in force and where each value came from\n"
          "      --print-default-config  print the annotated default configuration file\n"
          "      --version            print the version\n"
          "  -h, --help               print this\n",
          out);
}

/* Gives an exit status to leave with at once, or -1 to go on. */
static int read_command(struct command *command, int argc, char **argv)
{
    enum { OPTION_USER = 256, OPTION_CHECK, OPTION_PRINT, OPTION_PRINT_DEFAULT, OPTION_VERSION };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"user", required_argument, NULL, OPTION_USER},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"print-config", no_argument, NULL, OPTION_PRINT},
        {"print-default-config", no_argument, NULL, OPTION_PRINT_DEFAULT},
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
        case OPTION_CHECK:
            command->check = true;
            break;
        case OPTION_PRINT:
            command->print_config = true;
            break;
        case OPTION_PRINT_DEFAULT:
            command->print_default = true;
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

/* A socket must never become a standard descriptor that was closed: log lines would go to it. */
static void fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* --- what workers share --- */

/* The operator named the file, or the system has no store. */
static void explain_trust(const struct config *config, size_t index, const char *file, int status)
{
    const struct config_upstream *upstream = &config->upstreams[index];
    const char *origin =
        upstream->ca_file ? config_upstream_origin(config, index, "ca-file") : config_origin(config, "tls.ca-file");
    if (strcmp(file, "system") == 0)
        log_error("daemon", "upstream %s: cannot load the system's certificates: %s; install ca-certificates or set tls.ca-file",
                  upstream->name, error_text(status));
    else
        log_error("daemon", "%s: upstream %s: cannot load the certificates in ca-file %s: %s; name a file in PEM that can be read",
                  origin, upstream->name, file, error_text(status));
}

static int load_trust(struct tls_trust **out, const struct config *config, size_t index)
{
    _Static_assert(sizeof(struct config_pin) == sizeof(struct tls_pin), "both are one SHA-256");
    const struct config_upstream *upstream = &config->upstreams[index];
    struct tls_trust_options options = {
        .ca_file = upstream->ca_file ? upstream->ca_file : config->tls.ca_file,
        .tls_name = upstream->tls_name,
        .pins = (const struct tls_pin *)upstream->pins,
        .pin_count = (unsigned)upstream->pin_count,
        .min_version = upstream->min_version ? upstream->min_version : config->tls.min_version,
    };
    int status = tls_trust_new(out, &options);
    if (status < 0)
        explain_trust(config, index, options.ca_file, status);
    return status;
}

static int load_trusts(void)
{
    self.trusts = mem_zalloc(self.config->upstream_count, sizeof(struct tls_trust *));
    int status = self.trusts ? 0 : -ENOMEM;
    for (size_t i = 0; status == 0 && i < self.config->upstream_count; i++)
        status = load_trust(&self.trusts[i], self.config, i);
    return status;
}

/* As many descriptors as we may have; each worker's TCP clients get what listeners and upstream sessions leave. */
static unsigned tcp_limit(void)
{
    const struct config *config = self.config;
    struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    size_t servers = 0;
    for (size_t i = 0; i < config->upstream_count; i++)
        servers += config->upstreams[i].address_count;
    if (servers * config->tls.sessions > 12)
        servers = 12 / config->tls.sessions + 1; /* more are not open at once */
    unsigned long reserve = 16 + control_descriptors(config) + config->workers * (8 + 2 * self.sockets.per_worker + servers * config->tls.sessions);
    unsigned long left = limit.rlim_cur > reserve ? (limit.rlim_cur - reserve) / config->workers : 0;
    if (left < 4)
        left = 4;
    if (left >= config->limits.tcp_clients)
        return config->limits.tcp_clients;
    log_warning("daemon", "at most %lu TCP clients per worker: the limit of open files is %lu; raise it (ulimit -n, LimitNOFILE=)",
                left, (unsigned long)limit.rlim_cur);
    return (unsigned)left;
}

static int make_workers(void)
{
    const struct config *config = self.config;
    unsigned limit = tcp_limit();
    self.workers = mem_zalloc(config->workers, sizeof(struct worker *));
    self.ended = mem_zalloc(config->workers, sizeof(struct letter));
    self.cache = cache_new(config->cache.size);
    int status = self.workers && self.ended && self.cache ? 0 : -ENOMEM;
    for (unsigned i = 0; status == 0 && i < config->workers; i++)
        status = worker_new(&self.workers[i], self.config, self.cache, self.trusts,
                            &self.sockets.pairs[i * self.sockets.per_worker], self.sockets.per_worker, limit);
    return status;
}

/* --- the control side --- */

static const struct counters *counters_of(void *context, unsigned worker)
{
    (void)context;
    return worker_counters(self.workers[worker]);
}

static void post_to(void *context, unsigned worker, struct letter *letter)
{
    (void)context;
    worker_post(self.workers[worker], letter);
}

static const struct control_ops control_ops = {counters_of, post_to, worker_report};

/* After make_workers; may be the first to want the user. 0 or an exit status. */
static int open_control(const struct command *command)
{
    struct control_setup setup = {
        .loop = &self.loop, .mailbox = &self.mailbox, .config = self.config, .cache = self.cache, .ops = &control_ops};
    struct addr *listening = mem_zalloc(self.sockets.per_worker, sizeof *listening);
    int status = listening ? privileges_identity(command->user, &setup.uid, &setup.gid) : -ENOMEM;
    for (size_t i = 0; listening && i < self.sockets.per_worker; i++)
        listening[i] = self.sockets.pairs[i].addr;
    setup.listening = listening;
    setup.listening_count = self.sockets.per_worker;
    if (status == 0)
        status = control_open(&self.control, &setup);
    mem_free(listening);
    if (status == 0)
        return EXIT_OK;
    return status == -EACCES || status == -EPERM ? EXIT_PRIVILEGES : EXIT_PORT;
}

/* --- the time of the last verified handshake, for a machine that starts without a clock --- */

/* Beside the cache's file; where that folder is not, nothing is kept. */
static void find_verified_file(void)
{
    const char *cache_file = self.config->cache.save_file;
    const char *slash = cache_file ? strrchr(cache_file, '/') : NULL;
    if (!slash || slash - cache_file > (long)sizeof self.verified_file - 16)
        return;
    int folder = (int)(slash - cache_file);
    snprintf(self.verified_file, sizeof self.verified_file, "%.*s/", folder, cache_file);
    if (access(self.verified_file, W_OK | X_OK) < 0)
        self.verified_file[0] = '\0';
    else
        snprintf(self.verified_file, sizeof self.verified_file, "%.*s/last-verified", folder, cache_file);
}

static void save_verified(uv_timer_t *timer)
{
    (void)timer;
    if (self.verified_file[0])
        verifytime_save(self.verified_file);
}

/* --- the service manager --- */

static void tell_manager(const char *assignments)
{
    int status = notify_send(assignments);
    if (status < 0)
        log_warning("daemon", "the service manager (NOTIFY_SOCKET) cannot be told: %s", error_text(status));
}

/* --- the end of the workers --- */

static void worker_ended(struct letter *letter, void *reader)
{
    (void)letter;
    (void)reader;
    if (--self.running == 0)
        loop_stop(&self.loop);
}

/* The loop goes on, so that it can be asked how things stand, until they have ended. */
static void stop_workers(void)
{
    if (self.stopping)
        return;
    self.stopping = true;
    watchdog_stop(&self.watchdog);
    control_stopping(self.control);
    for (unsigned i = 0; i < self.running; i++)
        worker_stop(self.workers[i]);
}

/* --- signals --- */

static void stop_asked(uv_signal_t *signal, int number)
{
    (void)signal;
    log_info("daemon", "stopping on signal %d", number);
    tell_manager("STOPPING=1");
    stop_workers();
}

static void reload_asked(uv_signal_t *signal, int number)
{
    (void)signal;
    (void)number;
    log_warning("daemon", "SIGHUP: the configuration is not read again while running; restart to change it");
}

static int watch_signals(void)
{
    int status = loop_init(&self.loop);
    if (status == 0)
        status = mailbox_init(&self.mailbox, &self.loop, NULL);
    if (status == 0)
        status = uv_signal_init(&self.loop.uv, &self.on_term);
    if (status == 0)
        status = uv_signal_init(&self.loop.uv, &self.on_int);
    if (status == 0)
        status = uv_signal_init(&self.loop.uv, &self.on_hup);
    if (status == 0)
        status = uv_signal_start(&self.on_term, stop_asked, SIGTERM);
    if (status == 0)
        status = uv_signal_start(&self.on_int, stop_asked, SIGINT);
    if (status == 0)
        status = uv_signal_start(&self.on_hup, reload_asked, SIGHUP);
    if (status == 0)
        status = uv_timer_init(&self.loop.uv, &self.save);
    if (status == 0)
        status = watchdog_init(&self.watchdog, &self.loop);
    return status;
}

static void unwatch_signals(void)
{
    mailbox_close(&self.mailbox);
    uv_close((uv_handle_t *)&self.on_term, NULL);
    uv_close((uv_handle_t *)&self.on_int, NULL);
    uv_close((uv_handle_t *)&self.on_hup, NULL);
    uv_close((uv_handle_t *)&self.save, NULL);
    watchdog_close(&self.watchdog);
    loop_drain(&self.loop, 100);
    loop_fini(&self.loop);
}

/* --- running --- */

static void announce(void)
{
    char text[ADDR_TEXT];
    for (size_t i = 0; i < self.sockets.per_worker; i++)
        log_info("daemon", "listening on %s, UDP and TCP", addr_format(&self.sockets.pairs[i].addr, true, text));
    log_info("daemon", "ready: version %s, %u worker%s, %zu upstream%s", PACKAGE_VERSION, self.config->workers,
             self.config->workers == 1 ? "" : "s", self.config->upstream_count, self.config->upstream_count == 1 ? "" : "s");
}

static int run_workers(void)
{
    int status = 0;
    while (status == 0 && self.running < self.config->workers) {
        struct letter *ended = &self.ended[self.running];
        ended->open = worker_ended;
        if ((status = worker_start(self.workers[self.running], &self.mailbox, ended)) == 0)
            self.running++;
    }
    unsigned started = self.running;
    if (status == 0) {
        control_started(self.control);
        announce();
        tell_manager("READY=1");
        watchdog_start(&self.watchdog, self.workers, started);
    } else {
        stop_workers();
    }
    if (started > 0)
        loop_run(&self.loop);
    for (unsigned i = 0; i < started; i++)
        worker_join(self.workers[i]);
    return status;
}

static void clean_up(void)
{
    for (unsigned i = 0; i < self.config->workers; i++)
        worker_free(self.workers[i]);
    mem_free(self.workers);
    mem_free(self.ended);
    control_free(self.control);
    cache_free(self.cache);
    for (size_t i = 0; i < self.config->upstream_count; i++)
        tls_trust_unref(self.trusts[i]);
    mem_free(self.trusts);
    sockets_close(&self.sockets);
    config_unref(self.config);
}

/* Everything from the bound sockets to the end. */
static int serve(const struct command *command)
{
    int status = sockets_open(&self.sockets, self.config);
    if (status < 0)
        return status == -EACCES || status == -EPERM ? EXIT_PRIVILEGES : EXIT_PORT;
    if (watch_signals() < 0)
        return EXIT_OTHER;
    status = make_workers();
    if (status < 0) {
        log_error("daemon", "cannot start: %s", error_text(status));
        return status == -EADDRINUSE ? EXIT_PORT : EXIT_OTHER;
    }
    status = open_control(command);
    if (status != EXIT_OK)
        return status;
    if (privileges_drop(command->user) < 0) {
        control_stopping(self.control);
        control_close(self.control); /* its file goes */
        return EXIT_PRIVILEGES;
    }
    find_verified_file();
    if (self.verified_file[0]) {
        verifytime_load(self.verified_file);
        uv_timer_start(&self.save, save_verified, FIRST_SAVE_MS, SAVE_EVERY_MS);
    }
    status = run_workers();
    save_verified(&self.save);
    control_close(self.control);
    unwatch_signals();
    clean_up();
    return status == 0 ? EXIT_OK : EXIT_OTHER;
}

int main(int argc, char **argv)
{
    struct command command = {.file = NULL};
    fill_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    int status = read_command(&command, argc, argv);
    if (status >= 0)
        return status;
    if (command.print_default)
        return config_print_annotated(stdout) == 0 ? EXIT_OK : EXIT_OTHER;
    if (config_load(&self.config, command.file, environ, stderr) < 0)
        return EXIT_CONFIGURATION;
    log_set_level(self.config->log_level);
    if (command.print_config)
        return config_print(self.config, stdout) == 0 ? EXIT_OK : EXIT_OTHER;
    if (hash_init() < 0) {
        log_error("daemon", "the system gives no random numbers");
        return EXIT_OTHER;
    }
    if (load_trusts() < 0)
        return EXIT_CONFIGURATION;
    if (command.check) {
        puts("dotstub: the configuration is good");
        return EXIT_OK;
    }
    if (privileges_check(command.user) < 0)
        return EXIT_PRIVILEGES;
    return serve(&command);
}
