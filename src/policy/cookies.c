/* SPDX-License-Identifier: MIT */
/* DNS cookies (RFC 7873) in the interoperable form of RFC 9018: a client that returns our cookie has received a
 * response of ours, so its address is not forged.
 *
 * A server cookie is version 1, three reserved bytes, the time, and SipHash-2-4 over the client's cookie, these and
 * the client's address. There is no state per client. The secrets come from a file that several servers share, or
 * are derived from the process's key, a new one each day; the previous one is still accepted, because cookies are
 * valid for an hour.
 *
 * A client without a valid server cookie is served nevertheless and gets one (RFC 7873 section 5.2.3); steps that
 * demand proof of the address send it BADCOOKIE.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "local.h"
#include "policy/steps.h"

enum {
    CLIENT_COOKIE = 8,
    SERVER_COOKIE_MIN = 8, /* of any implementation */
    SERVER_COOKIE_MAX = 32,
    SERVER_COOKIE = EDIT_COOKIE - CLIENT_COOKIE, /* ours */
    HASHED = 8,                                  /* bytes of our cookie before the hash */
    TIME_AT = 4,
    SECRET = crypto_shorthash_KEYBYTES,
    SECRETS_MAX = 4,
    SECRET_LINE = 256,
    /* RFC 9018 section 4.3, in seconds */
    VALID_S = 3600,
    AHEAD_S = 300,
    RENEW_S = 1800,
};

/* The first secret makes cookies, all are accepted. */
struct secrets {
    unsigned count;
    uint8_t secret[SECRETS_MAX][SECRET];
};

/* The snapshot: the secrets of the file; count 0: no file, secrets are derived. */
struct cookie_rules {
    struct secrets secrets;
};

struct cookies {
    struct loop *loop;
    const struct cookie_rules *rules; /* NULL only while the step is left out */
    uint64_t day;                     /* the day of `derived` */
    struct secrets derived;
};

/* --- secrets --- */

/* Reads a line of the file without its end; 0 if it has a secret or is empty. */
static int take_secret(struct secrets *secrets, char *line)
{
    size_t len = strcspn(line, "\r\n"), bytes;
    const char *end;
    line[len] = '\0';
    if (len == 0 || line[0] == '#')
        return 0;
    if (secrets->count == SECRETS_MAX)
        return -E2BIG;
    if (sodium_hex2bin(secrets->secret[secrets->count], SECRET, line, len, NULL, &bytes, &end) != 0 ||
        bytes != SECRET || *end)
        return -EINVAL;
    secrets->count++;
    return 0;
}

static int read_secrets(struct secrets *secrets, const char *path)
{
    char line[SECRET_LINE];
    int status = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while (status == 0 && fgets(line, sizeof line, file))
        status = take_secret(secrets, line);
    if (status == 0 && ferror(file))
        status = -EIO;
    fclose(file);
    sodium_memzero(line, sizeof line);
    return status == 0 && secrets->count == 0 ? -EINVAL : status;
}

static void explain(FILE *errors, const struct config *config, int status)
{
    const char *path = config->cookie_secret_file;
    if (status == -EINVAL || status == -E2BIG)
        fprintf(errors, "cookie-secret-file: %s must have 1 to %d lines of %d hexadecimal digits\n", path, SECRETS_MAX,
                2 * SECRET);
    else
        fprintf(errors, "cookie-secret-file: cannot read %s: %s; make it readable for the daemon's user\n", path,
                error_text(status));
}

/* Half a secret; SipHash is a pseudo-random function, so the process's key stays unknown. */
static uint64_t derive(uint64_t day, unsigned half)
{
    struct {
        char label[16];
        uint64_t day, half;
    } input = {"server cookie", day, half};
    return hash_bytes(&input, sizeof input);
}

static void derive_secrets(struct secrets *secrets, uint64_t day)
{
    secrets->count = 2;
    for (unsigned i = 0; i < secrets->count; i++) {
        uint64_t halves[2] = {derive(day - i, 0), derive(day - i, 1)};
        memcpy(secrets->secret[i], halves, SECRET);
    }
}

static const struct secrets *secrets_now(struct cookies *cookies)
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    uint64_t day = loop_now(cookies->loop) / DAY_MS;
    if (cookies->rules->secrets.count > 0)
        return &cookies->rules->secrets;
    if (cookies->derived.count == 0 || cookies->day != day) {
        cookies->day = day;
        derive_secrets(&cookies->derived, day);
    }
    return &cookies->derived;
}

/* --- the configuration --- */

static int prepare(const struct config *config, void **snapshot, FILE *errors)
{
    if (!config->cookies || !local_serves_beyond_loopback(config))
        return 0;
    struct cookie_rules *rules = mem_zalloc(1, sizeof *rules);
    if (!rules)
        return -ENOMEM;
    int status = config->cookie_secret_file ? read_secrets(&rules->secrets, config->cookie_secret_file) : 0;
    if (status < 0) {
        explain(errors, config, status);
        mem_free(rules);
        return status;
    }
    *snapshot = rules;
    return 0;
}

static int init(struct resolver *resolver, void *state)
{
    struct cookies *cookies = state;
    cookies->loop = resolver->loop;
    return 0;
}

static void configure(void *state, const void *snapshot)
{
    struct cookies *cookies = state;
    cookies->rules = snapshot;
}

/* --- cookies --- */

/* The hash of the client's cookie and the part of ours before the hash, which are contiguous, and of the address. */
static void hash_cookie(uint8_t hash[crypto_shorthash_BYTES], const uint8_t *cookie, const struct addr *client,
                        const uint8_t *secret)
{
    uint8_t input[CLIENT_COOKIE + HASHED + 16];
    size_t len = CLIENT_COOKIE + HASHED;
    memcpy(input, cookie, len);
    if (client->sa.sa_family == AF_INET) {
        memcpy(input + len, &client->in.sin_addr, 4);
        len += 4;
    } else {
        memcpy(input + len, &client->in6.sin6_addr, 16);
        len += 16;
    }
    crypto_shorthash(hash, input, len, secret);
}

static void make_cookie(uint8_t cookie[EDIT_COOKIE], const struct addr *client, uint32_t now_s, const uint8_t *secret)
{
    uint8_t *ours = cookie + CLIENT_COOKIE;
    write_u32(ours, 0x01000000);
    write_u32(ours + TIME_AT, now_s);
    hash_cookie(ours + HASHED, cookie, client, secret);
}

/* The age of a cookie in seconds: serial arithmetic (RFC 1982), because the time has 32 bits. */
static int32_t cookie_age(const uint8_t *cookie, uint32_t now_s)
{
    return (int32_t)(now_s - read_u32(cookie + CLIENT_COOKIE + TIME_AT));
}

/* The index of the secret that made the cookie; -1: none, or the cookie has expired. */
static int find_secret(const uint8_t *cookie, const struct addr *client, uint32_t now_s, const struct secrets *secrets)
{
    uint8_t hash[crypto_shorthash_BYTES];
    int32_t age = cookie_age(cookie, now_s);
    if (cookie[CLIENT_COOKIE] != 1 || age > VALID_S || age < -AHEAD_S)
        return -1;
    for (unsigned i = 0; i < secrets->count; i++) {
        hash_cookie(hash, cookie, client, secrets->secret[i]);
        if (sodium_memcmp(hash, cookie + CLIENT_COOKIE + HASHED, sizeof hash) == 0)
            return (int)i;
    }
    return -1;
}

/* --- the walk --- */

static void count_cookie(const struct query *query, size_t len)
{
    if (len > CLIENT_COOKIE)
        counter_add(query->resolver->counters, query->address_proven ? COUNTER_cookies_valid : COUNTER_cookies_invalid,
                    1);
}

static void read_cookie(struct query *query, struct cookies *cookies, struct bytes cookie)
{
    const struct secrets *secrets = secrets_now(cookies);
    const struct addr *client = &query->origin.client;
    uint32_t now_s = (uint32_t)clock_wall_s();
    int made_by = cookie.len == EDIT_COOKIE ? find_secret(cookie.data, client, now_s, secrets) : -1;
    query->address_proven = made_by >= 0;
    query->has_cookie = true;
    if (made_by == 0 && cookie_age(cookie.data, now_s) <= RENEW_S) {
        memcpy(query->cookie, cookie.data, EDIT_COOKIE);
    } else {
        memcpy(query->cookie, cookie.data, CLIENT_COOKIE);
        make_cookie(query->cookie, client, now_s, secrets->secret[0]);
    }
    count_cookie(query, cookie.len);
}

static bool len_is_good(size_t len)
{
    return len == CLIENT_COOKIE ||
           (len >= CLIENT_COOKIE + SERVER_COOKIE_MIN && len <= CLIENT_COOKIE + SERVER_COOKIE_MAX);
}

static __attribute__((noinline)) enum verdict take_cookie(struct query *query, struct cookies *cookies)
{
    struct bytes cookie = message_request_cookie(query->wire, &query->request);
    if (addr_is_loopback(&query->origin.client) || !query_client_allowed(query)) /* the next step refuses others */
        return NEXT;
    if (!len_is_good(cookie.len)) /* RFC 7873 section 5.2.2 */
        return query_error(query, RCODE_FORMERR, EDE_NONE, NULL);
    read_cookie(query, cookies, cookie);
    if (query->request.has_question)
        return NEXT;
    bool good = query->address_proven || cookie.len == CLIENT_COOKIE;
    return query_error(query, good ? RCODE_NOERROR : RCODE_BADCOOKIE, EDE_NONE, NULL);
}

static enum verdict run(struct query *query, void *state)
{
    return query->request.options & REQUEST_COOKIE ? take_cookie(query, state) : NEXT;
}

const struct step step_cookies = {
    .name = "cookies",
    .prepare = prepare,
    .release = mem_free,
    .state_size = sizeof(struct cookies),
    .init = init,
    .configure = configure,
    .run = run,
};
