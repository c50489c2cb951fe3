/* SPDX-License-Identifier: MIT */
/* Addresses and names as published by the operators. Each offers public DNS over TLS on port 853. */
#include <string.h>
#include "config/options.h"

const struct preset presets[] = {
    {"google", "dns.google", "8.8.8.8,8.8.4.4,2001:4860:4860::8888,2001:4860:4860::8844", "1000", "auto",
     "https://dns.google/dns-query"},
    {"google-dns64", "dns64.dns.google", "2001:4860:4860::6464,2001:4860:4860::64", "1000", NULL, NULL},
    {"cloudflare", "one.one.one.one", "1.1.1.1,1.0.0.1,2606:4700:4700::1111,2606:4700:4700::1001", NULL, NULL, NULL},
    {"cloudflare-security", "security.cloudflare-dns.com", "1.1.1.2,1.0.0.2,2606:4700:4700::1112,2606:4700:4700::1002",
     NULL, NULL, NULL},
    {"cloudflare-family", "family.cloudflare-dns.com", "1.1.1.3,1.0.0.3,2606:4700:4700::1113,2606:4700:4700::1003",
     NULL, NULL, NULL},
    {"quad9", "dns.quad9.net", "9.9.9.9,149.112.112.112,2620:fe::fe,2620:fe::9", NULL, NULL, NULL},
    {"quad9-unfiltered", "dns10.quad9.net", "9.9.9.10,149.112.112.10,2620:fe::10,2620:fe::fe:10", NULL, NULL, NULL},
    {"quad9-ecs", "dns11.quad9.net", "9.9.9.11,149.112.112.11,2620:fe::11,2620:fe::fe:11", NULL, NULL, NULL},
    {"adguard", "dns.adguard-dns.com", "94.140.14.14,94.140.15.15,2a10:50c0::ad1:ff,2a10:50c0::ad2:ff", NULL, NULL,
     NULL},
    {"adguard-family", "family.adguard-dns.com", "94.140.14.15,94.140.15.16,2a10:50c0::bad1:ff,2a10:50c0::bad2:ff",
     NULL, NULL, NULL},
    {"adguard-unfiltered", "unfiltered.adguard-dns.com", "94.140.14.140,94.140.14.141,2a10:50c0::1:ff,2a10:50c0::2:ff",
     NULL, NULL, NULL},
    {"dns4eu", "unfiltered.joindns4.eu", "86.54.11.100,86.54.11.200,2a13:1001::86:54:11:100,2a13:1001::86:54:11:200",
     NULL, NULL, NULL},
    {"dns4eu-protective", "protective.joindns4.eu",
     "86.54.11.1,86.54.11.201,2a13:1001::86:54:11:1,2a13:1001::86:54:11:201", NULL, NULL, NULL},
    {"mullvad", "dns.mullvad.net", "194.242.2.2,2a07:e340::2", NULL, NULL, NULL},
    {"mullvad-adblock", "adblock.dns.mullvad.net", "194.242.2.3,2a07:e340::3", NULL, NULL, NULL},
    {"opendns", "dns.opendns.com", "208.67.222.222,208.67.220.220,2620:119:35::35,2620:119:53::53", NULL, NULL, NULL},
    {"wikimedia", "wikimedia-dns.org", "185.71.138.138,2001:67c:930::1", NULL, NULL, NULL},
};
const size_t preset_count = sizeof presets / sizeof *presets;

const struct preset *preset_find(const char *name)
{
    for (size_t i = 0; i < preset_count; i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}

const char *preset_text(const struct preset *preset, const char *key)
{
    return strcmp(key, "name") == 0        ? preset->name
           : strcmp(key, "tls-name") == 0  ? preset->tls_name
           : strcmp(key, "addresses") == 0 ? preset->addresses
           : strcmp(key, "max-qps") == 0   ? preset->max_qps
           : strcmp(key, "transport") == 0 ? preset->transport
           : strcmp(key, "https") == 0     ? preset->https
                                           : NULL;
}
