/* SPDX-License-Identifier: MIT */
/* Replaces each function of OpenSSL for the statically linked ldns (configure.ac). Only its DNSSEC functions would
 * call one; tests/lint/without-openssl proves that dotstub cannot reach them. */
#include <stdlib.h>

void without_openssl(void);

/* Only the linker's command line and script refer to this function. */
__attribute__((used)) void without_openssl(void)
{
    abort();
}
