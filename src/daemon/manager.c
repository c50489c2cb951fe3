/* SPDX-License-Identifier: MIT */
#include "manager.h"
#include "base/errors.h"
#include "base/log.h"
#include "net/notify.h"

void manager_tell(const char *assignments)
{
    int status = notify_send(assignments);
    if (status < 0)
        log_warning("daemon", "cannot notify the service manager (NOTIFY_SOCKET): %s", error_text(status));
}
