/* SPDX-License-Identifier: MIT */
#include "tapping.h"
#include <unistd.h>
#include <config.h>
#include "base/errors.h"
#include "base/log.h"
#include "net/tap.h"

bool tapping_can(const struct config *config)
{
    if (!config->dnstap_socket || TAP_IS_BUILT)
        return true;
    log_warning(
        "config",
        "dnstap.socket is set, but this dotstub was built without dnstap: build it with ./configure --enable-dnstap, or "
        "remove the setting");
    return false;
}

#ifdef ENABLE_DNSTAP
static struct tap *tap;

void tapping_open(const struct config *config, struct worker *const *workers)
{
    char machine[256] = "";
    if (!config->dnstap_socket)
        return;
    (void)gethostname(machine, sizeof machine - 1);
    int status = tap_open(&tap, config->dnstap_socket, config->workers, machine, "dotstub " PACKAGE_VERSION);
    for (unsigned i = 0; status == 0 && i < config->workers; i++)
        worker_tap(workers[i], tap, i);
    if (status < 0)
        log_warning("daemon", "cannot open dnstap.socket: %s", error_text(status));
}

void tapping_close(void)
{
    tap_close(tap);
}
#else
void tapping_open(const struct config *config, struct worker *const *workers)
{
    (void)config;
    (void)workers;
}

void tapping_close(void)
{
}
#endif
