/* SPDX-License-Identifier: MIT */
/* pin HOST: prints the pin of a server's key after verifying its certificate, for the option `pins`. */
#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/errors.h"
#include "command.h"
#include "dial.h"
#include "table.h"

enum { PORT_DOT = 853, HOST_ADDRESSES = 16 };

extern char **environ;

/* The server: an upstream of the configuration, a preset, or defined by the arguments. */
struct target {
    struct config *config;                 /* for the CA file */
    struct config *presets;                /* NULL: HOST is not a preset */
    struct config_upstream upstream;       /* borrows from these and from the arguments */
    struct addr addresses[HOST_ADDRESSES]; /* of the arguments */
};

static const struct config_upstream *find_upstream(const struct config *config, const char *host)
{
    for (size_t i = 0; config && i < config->upstream_count; i++) {
        const struct config_upstream *upstream = &config->upstreams[i];
        if (strcasecmp(upstream->name, host) == 0 || (upstream->tls_name && strcasecmp(upstream->tls_name, host) == 0))
            return upstream;
    }
    return NULL;
}

static bool is_plain_word(const char *text)
{
    return *text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == strlen(text);
}

/* A configuration file that the command line names must have no mistakes. */
static int load_configs(struct target *target, const struct options *options, const char *host)
{
    char text[320];
    FILE *nowhere = fopen("/dev/null", "w");
    if (!nowhere)
        return EXIT_OTHER;
    int status = config_load(&target->config, options->config, environ, options->config ? stderr : nowhere);
    if (status < 0 && !options->config)
        status = config_load_text(&target->config, "the defaults", "", nowhere);
    snprintf(text, sizeof text, "upstreams: [%s]", host);
    if (status == 0 && config_load_text(&target->presets, "", text, nowhere) < 0)
        target->presets = NULL;
    fclose(nowhere);
    return status < 0 ? EXIT_CONFIGURATION : EXIT_OK;
}

/* Looks up the addresses with this machine's resolver. */
static int resolve(struct target *target, const char *host)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int status = getaddrinfo(host, NULL, &hints, &found);
    if (status != 0) {
        fprintf(stderr, "dotstubctl: %s: %s; give its address as a second argument\n", host, gai_strerror(status));
        return EXIT_OTHER;
    }
    size_t count = 0;
    for (const struct addrinfo *at = found; at && count < HOST_ADDRESSES; at = at->ai_next)
        if (addr_from_sockaddr(&target->addresses[count], at->ai_addr) == 0)
            addr_set_port(&target->addresses[count++], PORT_DOT);
    freeaddrinfo(found);
    target->upstream.address_count = count;
    return EXIT_OK;
}

static int find_target(struct target *target, const struct options *options, char **arguments, int count)
{
    const char *host = arguments[0];
    if (!is_plain_word(host)) {
        fprintf(stderr, "dotstubctl: '%.80s' is not a host name; the address is a second argument\n", host);
        return EXIT_USAGE;
    }
    int status = load_configs(target, options, host);
    if (status != EXIT_OK)
        return status;
    const struct config_upstream *known = find_upstream(target->config, host);
    if (!known && target->presets)
        known = &target->presets->upstreams[0];
    if (known)
        target->upstream = *known;
    else
        target->upstream = (struct config_upstream){.name = arguments[0], .tls_name = arguments[0]};
    /* Pins of the configuration are ignored, because they may be about to be replaced. */
    target->upstream.pins = NULL;
    target->upstream.pin_count = 0;
    if (!target->upstream.tls_name)
        target->upstream.tls_name = arguments[0];
    if (count == 1 && known)
        return EXIT_OK;
    target->upstream.addresses = target->addresses;
    target->upstream.address_count = 1;
    if (count == 1)
        return resolve(target, host);
    if (addr_parse(&target->addresses[0], arguments[1], PORT_DOT) == 0)
        return EXIT_OK;
    fprintf(stderr, "dotstubctl: '%.80s' is not an address; write ADDR or ADDR@PORT\n", arguments[1]);
    return EXIT_USAGE;
}

static json_t *describe(const struct handshake *dial)
{
    char address[ADDR_TEXT];
    return json_pack(
        "{s:s, s:s, s:s?, s:s?, s:s?, s:s?}", "name", dial->upstream->tls_name, "address",
        addr_format(dial->addr, true, address), "pin", dial->result == 0 ? dial->facts.certificate.pin : NULL,
        "certificate", dial->result == 0 ? dial->facts.certificate.name : NULL, "version",
        dial->result == 0 ? dial->facts.version : NULL, "error", dial->result == 0 ? NULL : error_text(dial->result));
}

/* Addresses without a route are ignored if another one was verified. */
static int tell(const struct options *options, const struct dials *dials)
{
    json_t *servers = json_array();
    char address[ADDR_TEXT];
    bool any = false, all = true;
    for (size_t i = 0; i < dials->count; i++) {
        const struct handshake *dial = &dials->dial[i];
        any = any || dial->result == 0;
        all = all && (dial->result == 0 || dial_is_unreachable(dial));
        (void)json_array_append_new(servers, describe(dial));
        addr_format(dial->addr, true, address);
        if (options->json)
            continue;
        if (dial->result == 0)
            printf("%s  %s at %s, certificate %s\n", dial->facts.certificate.pin, dial->upstream->tls_name, address,
                   dial->facts.certificate.name);
        else
            fprintf(stderr, "dotstubctl: %s at %s: %s\n", dial->upstream->tls_name, address, error_text(dial->result));
    }
    if (options->json && table_print_json(json_pack("{s:O}", "servers", servers), stdout, TABLE_INDENT) < 0)
        all = false;
    json_decref(servers);
    return any && all ? EXIT_OK : EXIT_OTHER;
}

static int dial_all(const struct options *options, const struct target *target)
{
    struct tls_trust *trust = NULL;
    struct dials dials;
    int status = dials_trust(&trust, target->config, &target->upstream);
    if (status == ERROR_TLS_NO_CERTIFICATE) {
        fprintf(stderr, "dotstubctl: %s: %s\n", target->upstream.client_certificate, error_text(status));
        return EXIT_OTHER;
    }
    if (status < 0) {
        fprintf(stderr, "dotstubctl: cannot load CAs from %s: %s\n", dials_ca_file(target->config, &target->upstream),
                error_text(status));
        return EXIT_OTHER;
    }
    int result = EXIT_OTHER;
    if (dials_init(&dials, target->upstream.address_count) == 0) {
        for (size_t i = 0; i < target->upstream.address_count; i++)
            dials_start(&dials, &target->upstream, &target->upstream.addresses[i], trust);
        dials_run(&dials);
        result = tell(options, &dials);
        dials_fini(&dials);
    }
    tls_trust_unref(trust);
    return result;
}

int pin_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    struct target target = {.config = NULL};
    (void)command;
    int status = find_target(&target, options, arguments, count);
    if (status == EXIT_OK)
        status = dial_all(options, &target);
    config_unref(target.config);
    config_unref(target.presets);
    return status;
}
