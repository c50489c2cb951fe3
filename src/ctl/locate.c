#include "locate.h"
#include <string.h>
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
