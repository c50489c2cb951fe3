/* SPDX-License-Identifier: MIT */
/* profile: what devices need to use listen-tls and listen-https: a profile for Apple's, steps for Android and Windows, and
 * the values of DHCP options (DNR, RFC 9463). Names and addresses come from the configuration and the certificate. */
#include <arpa/inet.h>
#include <string.h>
#include "base/errors.h"
#include "base/hash.h"
#include "base/mem.h"
#include "command.h"
#include "config/config.h"
#include "dns/name.h"
#include "dns/svcb.h"
#include "locate.h"
#include "net/tls_make.h"

enum { SERVICES = 2, ADDRESSES = 16, WIRE = 2048, UUID_TEXT = 37 };

struct resolver_facts {
    const char *name;
    const char *path; /* of DNS over HTTPS */
    struct addr addresses[ADDRESSES];
    size_t address_count;
    uint16_t tls_port, https_port; /* 0: not served */
    struct tls_chain_facts chain;
};

/* --- the facts --- */

static void add_addresses(struct resolver_facts *facts, const struct addr *list, size_t count)
{
    for (size_t i = 0; i < count && facts->address_count < ADDRESSES; i++) {
        bool known = false;
        struct addr addr = list[i];
        if (addr_is_interface(&addr) || addr_is_wildcard(&addr) || addr_is_loopback(&addr) || addr_interface(&addr))
            continue;
        addr_set_port(&addr, 0);
        for (size_t j = 0; j < facts->address_count; j++)
            known = known || addr_equal(&facts->addresses[j], &addr);
        if (!known)
            facts->addresses[facts->address_count++] = addr;
    }
}

/* 0, or an exit status after printing what is missing. */
static int find_facts(struct resolver_facts *facts, const struct config *config)
{
    const char *missing = NULL;
    *facts = (struct resolver_facts){.path = config->https_path};
    if (config->listen_tls_count > 0)
        facts->tls_port = addr_port(&config->listen_tls[0]);
    if (config->listen_https_count > 0)
        facts->https_port = addr_port(&config->listen_https[0]);
    if (!facts->tls_port && !facts->https_port)
        missing = "neither listen-tls nor listen-https is set; see dotstubctl certificate";
    else if (tls_chain_read(&facts->chain, config->tls_server.certificates[0]) < 0)
        missing = "the certificate of tls-server.certificate cannot be read";
    else if (config->discovery_name && strcmp(config->discovery_name, "auto") != 0)
        facts->name = config->discovery_name;
    else if (facts->chain.name[0])
        facts->name = facts->chain.name;
    else
        missing = "the certificate names no host; set discovery.name";
    if (missing) {
        fprintf(stderr, "dotstubctl: %s\n", missing);
        return EXIT_CONFIGURATION;
    }
    add_addresses(facts, facts->chain.addresses, facts->chain.address_count);
    add_addresses(facts, config->listen_tls, config->listen_tls_count);
    add_addresses(facts, config->listen_https, config->listen_https_count);
    return EXIT_OK;
}

static void print_addresses(const struct resolver_facts *facts, const char *before, const char *after)
{
    char text[ADDR_TEXT];
    for (size_t i = 0; i < facts->address_count; i++)
        printf("%s%s%s", before, addr_format(&facts->addresses[i], false, text), after);
}

/* --- Apple --- */

/* The same for the same resolver and purpose, so that a new profile replaces the old one (RFC 9562, version 8). */
static const char *uuid(const struct resolver_facts *facts, const char *purpose, char out[UUID_TEXT])
{
    uint8_t digest[DIGEST_LEN];
    char all[512];
    int len = snprintf(all, sizeof all, "dotstub %s %s", purpose, facts->name);
    digest_bytes(digest, all, (size_t)len);
    digest[6] = (digest[6] & 0x0f) | 0x80;
    digest[8] = (digest[8] & 0x3f) | 0x80;
    for (unsigned i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        at += (unsigned)snprintf(out + at, UUID_TEXT - at, "%02X", digest[i]);
    }
    return out;
}

static void print_payload(const struct resolver_facts *facts, const char *type, const char *purpose)
{
    char id[UUID_TEXT];
    printf("      <key>PayloadType</key><string>%s</string>\n"
           "      <key>PayloadVersion</key><integer>1</integer>\n"
           "      <key>PayloadIdentifier</key><string>dotstub.%s.%s</string>\n"
           "      <key>PayloadUUID</key><string>%s</string>\n"
           "      <key>PayloadDisplayName</key><string>%s</string>\n",
           type, facts->name, purpose, uuid(facts, purpose, id), facts->name);
}

/* The lines between BEGIN and END are base64 already. */
static void print_authority(const struct resolver_facts *facts)
{
    const char *begin = strstr(facts->chain.authority, "-----BEGIN CERTIFICATE-----"), *end;
    if (!begin || !(begin = strchr(begin, '\n')) || !(end = strstr(begin, "-----END")))
        return;
    printf("    <dict>\n");
    print_payload(facts, "com.apple.security.root", "authority");
    printf("      <key>PayloadContent</key>\n      <data>%.*s</data>\n    </dict>\n", (int)(end - begin), begin);
}

static int print_apple(const struct resolver_facts *facts)
{
    char id[UUID_TEXT];
    printf(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
        "<plist version=\"1.0\">\n<dict>\n  <key>PayloadContent</key>\n  <array>\n");
    if (facts->chain.authority)
        print_authority(facts);
    printf("    <dict>\n");
    print_payload(facts, "com.apple.dnsSettings.managed", "settings");
    printf("      <key>DNSSettings</key>\n      <dict>\n"
           "        <key>DNSProtocol</key><string>%s</string>\n",
           facts->tls_port ? "TLS" : "HTTPS");
    if (facts->tls_port)
        printf("        <key>ServerName</key><string>%s</string>\n", facts->name);
    else
        printf("        <key>ServerURL</key><string>https://%s%s</string>\n", facts->name, facts->path);
    if (facts->address_count > 0) {
        printf("        <key>ServerAddresses</key>\n        <array>\n");
        print_addresses(facts, "          <string>", "</string>\n");
        printf("        </array>\n");
    }
    printf("      </dict>\n    </dict>\n  </array>\n"
           "  <key>PayloadDisplayName</key><string>Encrypted DNS by %s</string>\n"
           "  <key>PayloadDescription</key><string>Sends DNS queries to %s, encrypted.</string>\n"
           "  <key>PayloadIdentifier</key><string>dotstub.%s</string>\n"
           "  <key>PayloadType</key><string>Configuration</string>\n"
           "  <key>PayloadUUID</key><string>%s</string>\n"
           "  <key>PayloadVersion</key><integer>1</integer>\n</dict>\n</plist>\n",
           facts->name, facts->name, facts->name, uuid(facts, "profile", id));
    if (facts->tls_port && facts->tls_port != 853)
        fprintf(stderr, "dotstubctl: Apple's devices use port 853 only, not %u\n", facts->tls_port);
    return EXIT_OK;
}

/* --- Android, Windows --- */

static int print_android(const struct resolver_facts *facts)
{
    if (!facts->tls_port || facts->tls_port != 853)
        printf("Android's Private DNS needs listen-tls on port 853.\n\n");
    if (facts->chain.authority)
        printf(
            "The certificate is not of a public authority. Private DNS does not trust authorities that users install, so\n"
            "with a host name it fails; \"Automatic\" uses TLS without checking the certificate. Use a public certificate:\n"
            "dotstubctl certificate --public NAME.\n\n");
    printf("Settings > Network & Internet > Private DNS > Private DNS provider hostname:\n\n    %s\n\n"
           "The name must resolve to dotstub's address in the network that the device is in.\n",
           facts->name);
    return EXIT_OK;
}

static int print_windows(const struct resolver_facts *facts)
{
    char text[ADDR_TEXT];
    if (facts->chain.authority)
        printf("rem 1. Install the authority, ca.crt, as Administrator:\ncertutil -addstore Root ca.crt\n");
    if (facts->https_port)
        printf("rem DNS over HTTPS (Windows 11 and Server 2022), for each address:\n");
    for (size_t i = 0; i < facts->address_count && facts->https_port; i++)
        printf("netsh dns add encryption server=%s dohtemplate=https://%s%s autoupgrade=yes udpfallback=no\n",
               addr_format(&facts->addresses[i], false, text), facts->name, facts->path);
    if (facts->tls_port)
        printf("rem DNS over TLS (Windows 11, 24H2 or newer), for each address:\nnetsh dns add global dot=yes\n");
    for (size_t i = 0; i < facts->address_count && facts->tls_port; i++)
        printf("netsh dns add encryption server=%s dothost=%s:%u autoupgrade=yes udpfallback=no\n",
               addr_format(&facts->addresses[i], false, text), facts->name, facts->tls_port);
    if (facts->address_count == 0)
        printf("rem No address is known: name it in the certificate, or in listen-tls or listen-https.\n");
    printf("rem Then set these addresses as the DNS servers of the network adapter.\n");
    return EXIT_OK;
}

/* --- DHCP --- */

/* ADN and addresses of one family. */
static void put_addresses(struct writer *writer, const struct resolver_facts *facts, sa_family_t family)
{
    for (size_t i = 0; i < facts->address_count; i++) {
        const struct addr *addr = &facts->addresses[i];
        if (addr->sa.sa_family != family)
            continue;
        if (family == AF_INET)
            writer_bytes(writer, &addr->in.sin_addr, 4);
        else
            writer_bytes(writer, &addr->in6.sin6_addr, 16);
    }
}

static size_t count_family(const struct resolver_facts *facts, sa_family_t family)
{
    size_t found = 0;
    for (size_t i = 0; i < facts->address_count; i++)
        found += facts->addresses[i].sa.sa_family == family;
    return found;
}

/* One instance: RFC 9463 section 5.1 (DHCPv4) or 4.1 (DHCPv6). */
static void put_instance(struct writer *writer, const struct resolver_facts *facts, const struct svcb_service *service,
                         unsigned priority, sa_family_t family)
{
    uint8_t name[NAME_MAX_WIRE];
    size_t len = (size_t)name_from_text(name, facts->name), size = family == AF_INET ? 4 : 16;
    size_t addresses = count_family(facts, family) * size;
    uint8_t *length = family == AF_INET ? writer_take(writer, 2) : NULL;
    const uint8_t *start = writer->at;
    writer_u16(writer, (uint16_t)priority);
    if (family == AF_INET)
        writer_u8(writer, (uint8_t)len);
    else
        writer_u16(writer, (uint16_t)len);
    writer_bytes(writer, name, len);
    if (family == AF_INET)
        writer_u8(writer, (uint8_t)addresses);
    else
        writer_u16(writer, (uint16_t)addresses);
    put_addresses(writer, facts, family);
    svcb_params(writer, service, NULL, 0);
    if (length && !writer->failed)
        write_u16(length, (uint16_t)(writer->at - start));
}

static void print_hex(const uint8_t *data, size_t len, const char *between)
{
    for (size_t i = 0; i < len; i++)
        printf("%s%02x", i ? between : "", data[i]);
}

/* An option for dnsmasq and for Kea. `before` precedes its number in dnsmasq's line. */
static void print_option(const char *what, const char *before, int code, const uint8_t *data, size_t len)
{
    char hex[2 * SERVICES * WIRE + 1] = "";
    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, sizeof hex - 2 * i, "%02x", data[i]);
    printf("# %s option %d\n# dnsmasq:\ndhcp-option=%s%d,", what, code, before, code);
    print_hex(data, len, ":");
    printf("\n# Kea, in option-data:\n");
    json_t *option = json_pack("{s:i,s:b,s:s}", "code", code, "csv-format", 0, "data", hex);
    json_dumpf(option, stdout, 0);
    json_decref(option);
    putchar('\n');
}

static int print_dnr(const struct resolver_facts *facts)
{
    struct svcb_service services[SERVICES];
    unsigned count = 0;
    uint8_t v4[WIRE], v6[SERVICES][WIRE];
    size_t v6_len[SERVICES];
    if (facts->tls_port)
        services[count++] = (struct svcb_service){"dot", facts->tls_port, NULL};
    if (facts->https_port)
        services[count++] = (struct svcb_service){"h2", facts->https_port, facts->path};
    struct writer writer = writer_over(v4, sizeof v4);
    for (unsigned i = 0; i < count; i++)
        put_instance(&writer, facts, &services[i], i + 1, AF_INET);
    size_t v4_len = writer.failed ? 0 : writer_len(&writer);
    for (unsigned i = 0; i < count; i++) {
        writer = writer_over(v6[i], sizeof v6[i]);
        put_instance(&writer, facts, &services[i], i + 1, AF_INET6);
        v6_len[i] = writer.failed ? 0 : writer_len(&writer);
    }
    if (count_family(facts, AF_INET) > 0 && v4_len > 0)
        print_option("DHCPv4", "", 162, v4, v4_len);
    for (unsigned i = 0; i < count && count_family(facts, AF_INET6) > 0; i++)
        print_option("DHCPv6", "option6:", 144, v6[i], v6_len[i]);
    if (facts->address_count == 0) {
        fputs("dotstubctl: no address is known: name it in the certificate, or in listen-tls or listen-https\n",
              stderr);
        return EXIT_CONFIGURATION;
    }
    return EXIT_OK;
}

/* --- the command --- */

int profile_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    static int (*const prints[])(const struct resolver_facts *facts) = {print_apple, print_android, print_windows,
                                                                        print_dnr};
    struct config *config;
    struct resolver_facts facts;
    (void)count;
    int status = locate_config(options, &config);
    if (status != EXIT_OK)
        return status;
    status = find_facts(&facts, config);
    for (unsigned i = 0; status == EXIT_OK && command->words[i]; i++)
        if (strcmp(command->words[i], arguments[0]) == 0) {
            status = prints[i](&facts);
            break;
        }
    mem_free(facts.chain.authority);
    config_unref(config);
    return status;
}
