/* SPDX-License-Identifier: MIT */
#include "tapping.h"
#include <unistd.h>
#include <config.h>
#include "base/log.h"
#include "net/tap.h"

bool tapping_can(const struct config *config)
{
    if (!config->dnstap_socket || TAP_IS_BUILT)
        return true;
    log_error(
        "config",
        "dnstap.socket is set, but this dotstub was built without dnstap: build it with ./configure --enable-dnstap, or "
        "remove the setting");
    return false;
}

#ifdef ENABLE_DNSTAP
static struct tap *tap;

int tapping_open(const struct config *config, struct worker *const *workers)
{
    char machine[256] = "";
    if (!config->dnstap_socket)
        return 0;
    (void)gethostname(machine, sizeof machine - 1);
    int status = tap_open(&tap, config->dnstap_socket, config->workers, machine, "dotstub " PACKAGE_VERSION);
    for (unsigned i = 0; status == 0 && i < config->workers; i++)
        worker_tap(workers[i], tap, i);
    return status;
}

void tapping_close(void)
{
    tap_close(tap);
}
#else
int tapping_open(const struct config *config, struct worker *const *workers)
{
    (void)config;
    (void)workers;
    return 0;
}

void tapping_close(void)
{
}
#endif
