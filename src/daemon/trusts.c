/* SPDX-License-Identifier: MIT */
#include "trusts.h"
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"

/* Writes the remedy: the file in the configuration or the system's certificate store could not be loaded. */
static void explain_trust(FILE *errors, const struct config *config, size_t index, const char *file, int status)
{
    const struct config_upstream *upstream = &config->upstreams[index];
    const char *origin = upstream->ca_file ? config_item_origin(config, "upstreams", index, "ca-file")
                                           : config_origin(config, "tls.ca-file");
    if (strcmp(file, "system") == 0)
        fprintf(errors,
                "upstream %s: cannot load the system's certificates: %s; install ca-certificates or set tls.ca-file\n",
                upstream->name, error_text(status));
    else
        fprintf(
            errors,
            "%s: upstream %s: cannot load the certificates in ca-file %s: %s; name a file in PEM that can be read\n",
            origin, upstream->name, file, error_text(status));
}

static void explain_certificate(FILE *errors, const struct config *config, size_t index, int error)
{
    const struct config_upstream *upstream = &config->upstreams[index];
    const char *origin = config_item_origin(config, "upstreams", index, "client-certificate");
    if (error == -EKEYREJECTED)
        fprintf(
            errors,
            "%s: upstream %s: client-key %s is not the key of client-certificate %s; name the key that belongs to it\n",
            origin, upstream->name, upstream->client_key, upstream->client_certificate);
    else
        fprintf(
            errors,
            "%s: upstream %s: cannot load client-certificate %s with client-key %s: %s; name PEM files that can be read, "
            "the key without a password\n",
            origin, upstream->name, upstream->client_certificate, upstream->client_key,
            error == -EINVAL ? "one is not in PEM, or the chain is out of order" : error_text(error));
}

/* The CA file is missing at the start, which must not end it: cached and local data is served until then. */
static void warn_of_waiting(const struct config_upstream *upstream, const char *file, int status)
{
    log_warning("daemon", "upstream %s cannot be used until the CA certificates can be loaded from %s: %s",
                upstream->name, strcmp(file, "system") == 0 ? "the system's store" : file, error_text(status));
}

static int load_trust(struct tls_trust **out, const struct config *config, size_t index, bool wait, FILE *errors)
{
    _Static_assert(sizeof(struct config_pin) == sizeof(struct tls_pin), "both are one SHA-256");
    const struct config_upstream *upstream = &config->upstreams[index];
    int certificate_error = 0;
    struct tls_trust_options options = {
        .ca_file = upstream->ca_file ? upstream->ca_file : config->tls.ca_file,
        .tls_name = upstream->tls_name,
        .pins = (const struct tls_pin *)upstream->pins,
        .pin_count = (unsigned)upstream->pin_count,
        .min_version = upstream->min_version ? upstream->min_version : config->tls.min_version,
        .certificate = upstream->client_certificate,
        .key = upstream->client_key,
        .certificate_error = &certificate_error,
        .ca_may_be_missing = wait,
    };
    int status = tls_trust_new(out, &options);
    if (status == ERROR_TLS_NO_CERTIFICATE)
        explain_certificate(errors, config, index, certificate_error);
    else if (status < 0)
        explain_trust(errors, config, index, options.ca_file, status);
    else if (tls_trust_is_waiting(*out))
        warn_of_waiting(upstream, options.ca_file, tls_trust_is_waiting(*out));
    if (status == 0 && certificate_error < 0)
        log_warning("daemon",
                    "upstream %s cannot be used until its client-certificate %s can be loaded with its key: %s",
                    upstream->name, upstream->client_certificate, error_text(certificate_error));
    return status;
}

int trusts_load(struct tls_trust ***out, const struct config *config, bool wait, FILE *errors)
{
    struct tls_trust **trusts = mem_zalloc(config->upstream_count, sizeof(struct tls_trust *));
    int status = trusts ? 0 : -ENOMEM;
    for (size_t i = 0; status == 0 && i < config->upstream_count; i++)
        status = load_trust(&trusts[i], config, i, wait, errors);
    if (status == 0)
        *out = trusts;
    else
        trusts_free(trusts, config->upstream_count);
    return status;
}

void trusts_free(struct tls_trust **trusts, size_t count)
{
    for (size_t i = 0; trusts && i < count; i++)
        tls_trust_unref(trusts[i]);
    mem_free(trusts);
}
