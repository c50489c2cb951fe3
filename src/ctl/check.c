/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/errors.h"
#include "command.h"

/* Prefers the program beside dotstubctl, as in a build directory, to the installed one. */
static const char *find_daemon(char beside[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", beside, PATH_MAX - 1);
    beside[len > 0 ? len : 0] = '\0';
    char *name = strrchr(beside, '/');
    if (!name || name + sizeof "/dotstub" > beside + PATH_MAX)
        return SBINDIR "/dotstub";
    memcpy(name, "/dotstub", sizeof "/dotstub");
    return access(beside, X_OK) == 0 ? beside : SBINDIR "/dotstub";
}

int check_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    char beside[PATH_MAX];
    const char *daemon = find_daemon(beside), *config = count > 0 ? arguments[0] : options->config;
    (void)command;
    if (config)
        execl(daemon, daemon, "--check", "-c", config, (char *)NULL);
    else
        execl(daemon, daemon, "--check", (char *)NULL);
    fprintf(stderr, "dotstubctl: cannot run %s: %s\n", daemon, error_text(-errno));
    return EXIT_OTHER;
}
