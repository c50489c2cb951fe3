/* SPDX-License-Identifier: MIT */
#include "locate.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/errors.h"

#define DEFAULT_SOCKET "/run/dotstub/control.sock"

extern char **environ;

/* `off`: control.socket is off. 0, or the error of a configuration that the command line names and that has
 * mistakes. */
static int find_socket(const struct options *options, char out[PATH_MAX], bool *off, FILE *errors)
{
    struct config *config = NULL;
    const char *path = options->socket ? options->socket : DEFAULT_SOCKET;
    int status = options->socket || !errors ? 0 : config_load(&config, options->config, environ, errors);
    *off = config && !config->control_socket;
    if (config && !*off)
        path = config->control_socket;
    snprintf(out, PATH_MAX, "%s", path);
    config_unref(config);
    return options->config ? status : 0;
}

static int find_socket_quietly(const struct options *options, char out[PATH_MAX], bool *off)
{
    FILE *nowhere = fopen("/dev/null", "w");
    int status = find_socket(options, out, off, nowhere);
    if (nowhere)
        fclose(nowhere);
    return status;
}

bool locate_socket_quietly(const struct options *options, char out[PATH_MAX])
{
    bool off;
    (void)find_socket_quietly(options, out, &off);
    return !off;
}

int locate_socket(const struct options *options, char out[PATH_MAX])
{
    bool off;
    int status = options->config ? find_socket(options, out, &off, stderr) : find_socket_quietly(options, out, &off);
    if (status < 0)
        return EXIT_CONFIGURATION;
    if (off)
        fputs("dotstubctl: control.socket is off in the configuration\n", stderr);
    return off ? EXIT_NO_DAEMON : EXIT_OK;
}

const char *locate_daemon(char beside[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", beside, PATH_MAX - 1);
    beside[len > 0 ? len : 0] = '\0';
    char *name = strrchr(beside, '/');
    if (!name || name + sizeof "/dotstub" > beside + PATH_MAX)
        return SBINDIR "/dotstub";
    memcpy(name, "/dotstub", sizeof "/dotstub");
    return access(beside, X_OK) == 0 ? beside : SBINDIR "/dotstub";
}

int locate_explain(const char *path, int error)
{
    const char *remedy = "";
    int status = EXIT_NO_DAEMON;
    if (error == -ENOENT || error == -ECONNREFUSED)
        remedy = "; is dotstub running?";
    else if (error == -EACCES || error == -EPERM)
        remedy = "; run as root, as the daemon's user or as a member of its group";
    if (error == -EACCES || error == -EPERM)
        status = EXIT_NO_PERMISSION;
    if (error == -EPROTO)
        status = EXIT_PROTOCOL;
    fprintf(stderr, "dotstubctl: %s: %s%s\n", path, error == -EAGAIN ? "timed out" : error_text(error), remedy);
    return status;
}

/* --- the daemon's address --- */

struct addr locate_asked(const struct addr *listening)
{
    struct addr asked = *listening;
    if (addr_is_wildcard(listening) && listening->sa.sa_family == AF_INET)
        asked.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (addr_is_wildcard(listening))
        asked.in6.sin6_addr = in6addr_loopback;
    return asked;
}

/* A listener that requires PROXY headers answers only balancers. */
static unsigned preference(const struct config *config, const struct addr *addr)
{
    return !config_proxy_requires(config, addr) * 8 + (addr_port(addr) == 53) * 4 + addr_is_loopback(addr) * 2 +
           (addr->sa.sa_family == AF_INET);
}

struct addr locate_listener(const struct config *config)
{
    struct addr best = locate_asked(&config->listen[0]);
    for (size_t i = 1; i < config->listen_count; i++) {
        struct addr other = locate_asked(&config->listen[i]);
        if (preference(config, &other) > preference(config, &best))
            best = other;
    }
    return best;
}

int locate_config(const struct options *options, struct config **out)
{
    return config_load(out, options->config, environ, stderr) < 0 ? EXIT_CONFIGURATION : EXIT_OK;
}
