/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>
#include "base/errors.h"
#include "command.h"
#include "locate.h"

int check_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    char beside[PATH_MAX];
    const char *daemon = locate_daemon(beside), *config = count > 0 ? arguments[0] : options->config;
    (void)command;
    if (config)
        execl(daemon, daemon, "--check", "-c", config, (char *)NULL);
    else
        execl(daemon, daemon, "--check", (char *)NULL);
    fprintf(stderr, "dotstubctl: cannot run %s: %s\n", daemon, error_text(-errno));
    return EXIT_OTHER;
}
