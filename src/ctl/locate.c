#include "locate.h"
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "config/config.h"

#define DEFAULT_SOCKET "/run/dotstub/control.sock"

extern char **environ;

int locate_socket(const struct options *options, char out[PATH_MAX])
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

int locate_explain(const char *path, int error)
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
