/* SPDX-License-Identifier: MIT */
/* Invariants: a struct addr is AF_INET or AF_INET6, and every unused byte of its sockaddr is zero, so the kernel
 * can take it as it is, unless its zone is a name. A struct prefix has no bit set behind its length. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* A zone that is a name: this bit and the number of the name. The kernel's indices are below. */
#define ZONE_NAMED UINT32_C(0x80000000)

/* Accepts decimal digits only, without leading zeros. */
static int parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;
    if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
        return -EINVAL;
    for (; *text != '\0'; ++text) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max)
            return -EINVAL;
    }
    if (value < min)
        return -EINVAL;
    *out = (uint32_t)value;
    return 0;
}

static int copy_text(char out[ADDR_TEXT], const char *text, size_t len)
{
    if (len >= ADDR_TEXT)
        return -EINVAL;
    memcpy(out, text, len);
    out[len] = '\0';
    return 0;
}

/* --- names of interfaces --- */

/* Names are only added, so an index stays valid, and readers need no lock. */
static struct {
    pthread_mutex_t lock;
    char names[ADDR_ZONES][IF_NAMESIZE];
    _Atomic unsigned count;
} zones = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* As the kernel accepts names (dev_valid_name). */
bool addr_is_interface_name(const char *text)
{
    const size_t len = strlen(text);
    bool fine = len > 0 && len < IF_NAMESIZE && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
    for (size_t i = 0; fine && i < len; i++)
        fine = text[i] > ' ' && text[i] < 0x7f && !strchr("/:%@", text[i]);
    return fine;
}

static int zone_number(const char *name, uint32_t *out)
{
    pthread_mutex_lock(&zones.lock);
    unsigned count = zones.count, i = 0;
    while (i < count && strcmp(zones.names[i], name) != 0)
        i++;
    const bool found = i < ADDR_ZONES;
    if (found && i == count) {
        memcpy(zones.names[i], name, strlen(name) + 1);
        zones.count = count + 1;
    }
    pthread_mutex_unlock(&zones.lock);
    if (!found)
        return -EINVAL;
    *out = ZONE_NAMED | i;
    return 0;
}

static bool zone_is_named(uint32_t zone)
{
    return zone & ZONE_NAMED && (zone & ~ZONE_NAMED) < zones.count;
}

const char *addr_interface(const struct addr *addr)
{
    const uint32_t zone = addr->sa.sa_family == AF_INET6 ? addr->in6.sin6_scope_id : 0;
    return zone_is_named(zone) ? zones.names[zone & ~ZONE_NAMED] : NULL;
}

int addr_resolve(struct addr *out, const struct addr *addr)
{
    const char *name = addr_interface(addr);
    const unsigned index = name ? if_nametoindex(name) : 0;
    if (name && !index)
        return -ENODEV;
    *out = *addr;
    if (name)
        out->in6.sin6_scope_id = index;
    return 0;
}

/* RFC 4007: a zone is a name or a number; the kernel uses it for these scopes only. */
static int parse_zone(struct sockaddr_in6 *in6, const char *zone)
{
    const struct in6_addr *ip = &in6->sin6_addr;
    uint32_t number;
    if (!IN6_IS_ADDR_LINKLOCAL(ip) && !IN6_IS_ADDR_MC_LINKLOCAL(ip) && !IN6_IS_ADDR_MC_NODELOCAL(ip))
        return -EINVAL;
    if (parse_number(zone, 1, ZONE_NAMED - 1, &number) < 0 &&
        (strspn(zone, "0123456789") == strlen(zone) || !addr_is_interface_name(zone) || zone_number(zone, &number) < 0))
        return -EINVAL;
    in6->sin6_scope_id = number;
    return 0;
}

/* --- addresses --- */

/* Parses ADDR or ADDR%zone; cuts `host` at the zone. */
static int parse_host(struct addr *addr, char *host)
{
    memset(addr, 0, sizeof(*addr));
    char *zone = strchr(host, '%');
    if (zone)
        *zone++ = '\0';
    if (inet_pton(AF_INET, host, &addr->in.sin_addr) == 1) {
        addr->sa.sa_family = AF_INET;
        return zone ? -EINVAL : 0;
    }
    if (inet_pton(AF_INET6, host, &addr->in6.sin6_addr) != 1)
        return -EINVAL;
    addr->sa.sa_family = AF_INET6;
    return zone ? parse_zone(&addr->in6, zone) : 0;
}

int addr_parse(struct addr *out, const char *text, uint16_t default_port)
{
    struct addr addr;
    char host[ADDR_TEXT];
    uint32_t port = default_port;
    const char *at = strrchr(text, '@');
    if (at && parse_number(at + 1, 1, UINT16_MAX, &port) < 0)
        return -EINVAL;
    if (copy_text(host, text, at ? (size_t)(at - text) : strlen(text)) < 0 || parse_host(&addr, host) < 0)
        return -EINVAL;
    addr_set_port(&addr, (uint16_t)port);
    *out = addr;
    return 0;
}

int addr_parse_interface(struct addr *out, const char *text, uint16_t default_port)
{
    struct addr addr = {.in6 = {.sin6_family = AF_INET6}};
    char name[ADDR_TEXT];
    uint32_t port = default_port, zone;
    const char *at = strrchr(text, '@');
    if (text[0] != '%' || (at && parse_number(at + 1, 1, UINT16_MAX, &port) < 0) ||
        copy_text(name, text + 1, at ? (size_t)(at - text) - 1 : strlen(text + 1)) < 0 ||
        !addr_is_interface_name(name) || zone_number(name, &zone) < 0)
        return -EINVAL;
    addr.in6.sin6_scope_id = zone;
    addr_set_port(&addr, (uint16_t)port);
    *out = addr;
    return 0;
}

bool addr_is_interface(const struct addr *addr)
{
    return addr_interface(addr) && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

bool addr_lacks_zone(const struct addr *addr)
{
    return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr) && !addr->in6.sin6_scope_id;
}

/* The latest names of the kernel's indices, for addresses whose interface is gone: a new interface gets a new index. */
static struct {
    pthread_mutex_t lock;
    struct {
        uint32_t index;
        char name[IF_NAMESIZE];
    } list[ADDR_ZONES];
    unsigned next; /* the oldest one, which is replaced next */
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Remembers `name` for the index, or if it is empty, writes the name that was remembered. */
static void know_name(uint32_t index, char name[IF_NAMESIZE])
{
    pthread_mutex_lock(&known.lock);
    unsigned i = 0;
    while (i < ADDR_ZONES && known.list[i].index != index)
        i++;
    if (*name && i == ADDR_ZONES) {
        i = known.next;
        known.next = (known.next + 1) % ADDR_ZONES;
    }
    if (*name) {
        known.list[i].index = index;
        memcpy(known.list[i].name, name, IF_NAMESIZE);
    } else if (i < ADDR_ZONES) {
        memcpy(name, known.list[i].name, IF_NAMESIZE);
    }
    pthread_mutex_unlock(&known.lock);
}

static void format_zone(uint32_t index, char *out, size_t cap)
{
    char name[IF_NAMESIZE] = "";
    if (zone_is_named(index)) {
        snprintf(out, cap, "%%%s", zones.names[index & ~ZONE_NAMED]);
        return;
    }
    if (!if_indextoname(index, name))
        *name = '\0';
    know_name(index, name);
    if (*name)
        snprintf(out, cap, "%%%s", name);
    else
        snprintf(out, cap, "%%%u", (unsigned)index);
}

const char *addr_format(const struct addr *addr, bool with_port, char out[ADDR_TEXT])
{
    if (addr->sa.sa_family == AF_INET)
        inet_ntop(AF_INET, &addr->in.sin_addr, out, ADDR_TEXT);
    else if (addr_is_interface(addr))
        out[0] = '\0';
    else
        inet_ntop(AF_INET6, &addr->in6.sin6_addr, out, ADDR_TEXT);
    size_t len = strlen(out);
    if (addr->sa.sa_family == AF_INET6 && addr->in6.sin6_scope_id != 0)
        format_zone(addr->in6.sin6_scope_id, out + len, ADDR_TEXT - len);
    len = strlen(out);
    if (with_port)
        snprintf(out + len, ADDR_TEXT - len, "@%u", (unsigned)addr_port(addr));
    return out;
}

int addr_from_sockaddr(struct addr *out, const struct sockaddr *from)
{
    struct addr addr;
    memset(&addr, 0, sizeof(addr));
    if (from->sa_family == AF_INET) {
        memcpy(&addr.in, from, sizeof(addr.in));
        memset(addr.in.sin_zero, 0, sizeof(addr.in.sin_zero));
    } else if (from->sa_family == AF_INET6) {
        memcpy(&addr.in6, from, sizeof(addr.in6));
        addr.in6.sin6_flowinfo = 0;
    } else {
        return -EAFNOSUPPORT;
    }
    *out = addr;
    return 0;
}

void addr_set_port(struct addr *addr, uint16_t port)
{
    if (addr->sa.sa_family == AF_INET)
        addr->in.sin_port = htons(port);
    else
        addr->in6.sin6_port = htons(port);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family || addr_port(a) != addr_port(b))
        return false;
    if (a->sa.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) && a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

/* The two halves of an address as IPv6; IPv4 in its mapped form (RFC 4291 section 2.5.5.2). */
struct halves {
    uint64_t high, low;
};

static struct halves halves_of_bytes(const uint8_t bytes[16])
{
    uint64_t halves[2];
    memcpy(halves, bytes, 16);
    return (struct halves){be64toh(halves[0]), be64toh(halves[1])};
}

static void write_halves(uint8_t out[16], struct halves halves)
{
    uint64_t bytes[2] = {htobe64(halves.high), htobe64(halves.low)};
    memcpy(out, bytes, 16);
}

static struct halves halves_of(const struct addr *addr)
{
    if (addr->sa.sa_family == AF_INET)
        return (struct halves){0, ADDR_MAPPED | ntohl(addr->in.sin_addr.s_addr)};
    return halves_of_bytes(addr->in6.sin6_addr.s6_addr);
}

static bool is_ipv4(struct halves halves)
{
    return halves.high == 0 && halves.low >> 32 == ADDR_MAPPED >> 32;
}

bool addr_unmap(struct addr *addr)
{
    struct addr plain = {.in = {.sin_family = AF_INET}};
    struct halves halves = halves_of(addr);
    if (addr->sa.sa_family != AF_INET6 || !is_ipv4(halves))
        return false;
    plain.in.sin_addr.s_addr = htonl((uint32_t)halves.low);
    addr_set_port(&plain, addr_port(addr));
    *addr = plain;
    return true;
}

bool addr_is_loopback(const struct addr *addr)
{
    struct halves halves = halves_of(addr);
    return is_ipv4(halves) ? (halves.low >> 24 & 0xff) == 127 : halves.high == 0 && halves.low == 1;
}

bool addr_is_wildcard(const struct addr *addr)
{
    if (addr_is_interface(addr))
        return false;
    struct halves halves = halves_of(addr);
    return is_ipv4(halves) ? (uint32_t)halves.low == 0 : halves.high == 0 && halves.low == 0;
}

static uint64_t upper_bits(unsigned count)
{
    return count ? UINT64_MAX << (64 - count) : 0;
}

/* The bits that a prefix of this length covers. */
static struct halves mask_of(unsigned bits)
{
    unsigned high = bits < 64 ? bits : 64;
    return (struct halves){upper_bits(high), upper_bits(bits - high)};
}

int prefix_parse(struct prefix *out, const char *text)
{
    struct addr addr;
    struct prefix prefix;
    char host[ADDR_TEXT];
    const char *slash = strchr(text, '/');
    if (strchr(text, '%'))
        return -EINVAL;
    if (copy_text(host, text, slash ? (size_t)(slash - text) : strlen(text)) < 0 || parse_host(&addr, host) < 0)
        return -EINVAL;
    const unsigned skipped = addr.sa.sa_family == AF_INET ? ADDR_MAPPED_BITS : 0;
    uint32_t bits = 128 - skipped;
    if (slash && parse_number(slash + 1, 0, bits, &bits) < 0)
        return -EINVAL;
    struct halves halves = halves_of(&addr), mask = mask_of(bits + skipped);
    if ((halves.high & ~mask.high) || (halves.low & ~mask.low))
        return -EINVAL;
    write_halves(prefix.bytes, halves);
    prefix.bits = (uint8_t)(bits + skipped);
    *out = prefix;
    return 0;
}

const char *prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    bool is_ipv4 = prefix->bits >= ADDR_MAPPED_BITS && memcmp(prefix->bytes, mapped, sizeof mapped) == 0;
    inet_ntop(is_ipv4 ? AF_INET : AF_INET6, prefix->bytes + (is_ipv4 ? 12 : 0), text, sizeof text);
    snprintf(out, PREFIX_TEXT, "%s/%d", text, prefix->bits - (is_ipv4 ? ADDR_MAPPED_BITS : 0));
    return out;
}

bool prefix_is_loopback(const struct prefix *prefix)
{
    struct halves halves = halves_of_bytes(prefix->bytes);
    if (is_ipv4(halves))
        return prefix->bits >= ADDR_MAPPED_BITS + 8 && (halves.low >> 24 & 0xff) == 127;
    return prefix->bits == 128 && halves.high == 0 && halves.low == 1;
}
