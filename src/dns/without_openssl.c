/* SPDX-License-Identifier: MIT */
/* What ldns, linked statically, is given in place of each function of OpenSSL (configure.ac). Only its DNSSEC would call one;
 * tests/lint/without-openssl proves that nothing called here leads there. */
#include <stdlib.h>

void without_openssl(void);

/* Asked for by the linker's command line and script alone. */
__attribute__((used)) void without_openssl(void)
{
    abort();
}
