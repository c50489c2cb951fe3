/* SPDX-License-Identifier: MIT */
#include "identity.h"
#include <errno.h>

int identity_load(struct tls_identity **out, const struct config *config, FILE *errors)
{
    *out = NULL;
    if (config->listen_tls_count == 0)
        return 0;
    const struct tls_identity_options options = {
        .certificates = config->tls_server.certificates,
        .keys = config->tls_server.keys,
        .count = config->tls_server.certificate_count,
        .client_ca = config->tls_server.client_ca,
        .ticket_file = config->tls_server.ticket_key_file,
        .min_version = config->tls.min_version,
    };
    if (options.count > 0)
        return tls_identity_new(out, &options, errors);
    fputs("listen-tls: it needs a certificate; name PEM files in tls-server.certificate and tls-server.key\n", errors);
    return -EINVAL;
}
