/* SPDX-License-Identifier: MIT */
/* The certificate of a verified peer, described for reports and the log. */
#ifndef DOTSTUB_NET_CERTIFICATE_H
#define DOTSTUB_NET_CERTIFICATE_H

#include <stdint.h>

struct tls_certificate {
    char name[256];    /* its first DNS name */
    char pin[56];      /* of its key, in the form of the option: sha256/BASE64 */
    int64_t expires_s; /* wall clock */
};

#endif
