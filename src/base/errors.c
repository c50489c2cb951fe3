/* SPDX-License-Identifier: MIT */
/* Invariant: every text is a constant in the C locale, so any thread may read it. */
#include "base/errors.h"

#include <config.h>
#include <errno.h>
#include <string.h>

/* glibc's strerror translates and formats; the strerror of other C libraries returns constants. */
#ifndef HAVE_STRERRORDESC_NP
#define strerrordesc_np strerror
#endif

enum { TEXT_MOST = 48, ERRNO_LOWEST = -1999 };

static const char *system_text(int error)
{
    const char *text = error <= 0 && error >= ERRNO_LOWEST ? strerrordesc_np(-error) : NULL;
    return text && strlen(text) <= TEXT_MOST ? text : "unknown error";
}

const char *error_text(int error)
{
    switch (error) {
#define ERRORS_CASE(name, number, text)                                                                                \
    case name:                                                                                                         \
        return text;
        ERRORS(ERRORS_CASE)
#undef ERRORS_CASE
    case -ENODEV: /* of a socket that is bound to an interface */
        return "the interface does not exist";
    default:
        return system_text(error);
    }
}
