#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/errors.h"
#include "command.h"

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

int check_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    char daemon[PATH_MAX] = "dotstub";
    const char *config = count > 0 ? arguments[0] : options->config;
    (void)command;
    if (find_daemon(daemon) && config)
        execl(daemon, daemon, "--check", "-c", config, (char *)NULL);
    else if (*daemon == '/')
        execl(daemon, daemon, "--check", (char *)NULL);
    fprintf(stderr, "dotstubctl: cannot run %s: %s\n", daemon, error_text(-errno));
    return EXIT_OTHER;
}
