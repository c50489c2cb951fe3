/* SPDX-License-Identifier: MIT */
#include "blockfetch.h"
#include <config.h>

#ifdef HAVE_CURL

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/errors.h"
#include "client.h"

enum { CONNECT_S = 20, SLOW_BYTES = 100, SLOW_S = 30, HOST_TEXT = 256, ADDRESSES_TEXT = 1700, RESOLVE_TEXT = 2048 };

/* --- names --- */

/* Appends the addresses among a reply's records. */
static void add_addresses(char out[ADDRESSES_TEXT], const char *body)
{
    json_t *root = json_loads(body, 0, NULL), *record;
    size_t i;
    json_array_foreach(json_object_get(root, "records"), i, record)
    {
        const char *type = json_string_value(json_object_get(record, "type"));
        const char *data = json_string_value(json_object_get(record, "data"));
        uint8_t bytes[16];
        size_t len = strlen(out);
        bool is_v4 = type && data && strcmp(type, "A") == 0 && inet_pton(AF_INET, data, bytes) == 1;
        bool is_v6 = type && data && strcmp(type, "AAAA") == 0 && inet_pton(AF_INET6, data, bytes) == 1;
        if ((is_v4 || is_v6) && len + strlen(data) + 4 < ADDRESSES_TEXT)
            snprintf(out + len, ADDRESSES_TEXT - len, "%s%s%s%s", strchr(out, '#') ? "," : "#", is_v6 ? "[" : "", data,
                     is_v6 ? "]" : "");
    }
    json_decref(root);
}

/* "HOST:PORT:ADDRESS,ADDRESS", for CURLOPT_RESOLVE. False: the daemon has no address. */
static bool resolve(struct fetch *fetch, const char *host, const char *port, char out[RESOLVE_TEXT])
{
    static const char *const types[] = {"A", "AAAA"};
    char addresses[ADDRESSES_TEXT] = "", target[1024];
    for (size_t i = 0; i < 2; i++) {
        struct client_reply reply;
        snprintf(target, sizeof target, "/trace");
        if (!client_add_argument(target, sizeof target, "name", host) ||
            !client_add_argument(target, sizeof target, "type", types[i]))
            return false;
        int status = client_ask(&reply, fetch->socket_path, "POST", target);
        if (status < 0) {
            snprintf(fetch->error, sizeof fetch->error, "cannot resolve %.100s: the daemon does not answer: %s", host,
                     error_text(status));
            return false;
        }
        if (reply.status == 200)
            add_addresses(addresses, reply.body);
        free(reply.body);
    }
    if (!addresses[0])
        snprintf(fetch->error, sizeof fetch->error, "dotstub found no address of %.100s; see dotstubctl trace", host);
    else
        snprintf(out, RESOLVE_TEXT, "%.255s:%.5s:%s", host, port, addresses + 1);
    return addresses[0] != '\0';
}

/* --- the transfer --- */

static size_t write_body(char *data, size_t size, size_t count, void *context)
{
    struct fetch *fetch = context;
    size_t len = size * count;
    if (len > fetch->max_bytes - fetch->bytes) {
        fetch->written_error = -EFBIG;
        return 0;
    }
    fetch->bytes += len;
    size_t written = fwrite(data, 1, len, fetch->out);
    if (written < len)
        fetch->written_error = -errno;
    return written;
}

/* Keeps the value of a header of this name. */
static void keep_header(char out[FETCH_MARK], const char *line, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    if (len <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
        return;
    line += name_len + 1;
    len -= name_len + 1;
    while (len > 0 && *line == ' ')
        line++, len--;
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
        len--;
    bool fits = len < FETCH_MARK;
    for (size_t i = 0; i < len; i++)
        fits = fits && line[i] >= ' ' && line[i] < 0x7F;
    snprintf(out, FETCH_MARK, "%.*s", fits ? (int)len : 0, line);
}

struct headers {
    char etag[FETCH_MARK], modified[FETCH_MARK];
};

static size_t read_header(char *line, size_t size, size_t count, void *context)
{
    struct headers *headers = context;
    keep_header(headers->etag, line, size * count, "ETag");
    keep_header(headers->modified, line, size * count, "Last-Modified");
    return size * count;
}

static struct curl_slist *conditions(const struct fetch *fetch)
{
    char text[FETCH_MARK + 32];
    struct curl_slist *list = NULL;
    if (fetch->etag[0]) {
        snprintf(text, sizeof text, "If-None-Match: %s", fetch->etag);
        list = curl_slist_append(list, text);
    }
    if (fetch->modified[0]) {
        snprintf(text, sizeof text, "If-Modified-Since: %s", fetch->modified);
        list = curl_slist_append(list, text);
    }
    return list;
}

/* Host and port of a URL with https. */
static bool split_url(const char *url, char host[HOST_TEXT], char port[8])
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *name = NULL, *number = NULL;
    bool good = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && strcmp(scheme, "https") == 0 &&
                curl_url_get(parts, CURLUPART_HOST, &name, 0) == CURLUE_OK && strlen(name) < HOST_TEXT &&
                curl_url_get(parts, CURLUPART_PORT, &number, CURLU_DEFAULT_PORT) == CURLUE_OK && strlen(number) < 8;
    if (good) {
        snprintf(host, HOST_TEXT, "%s", name);
        snprintf(port, 8, "%s", number);
    }
    curl_free(scheme);
    curl_free(name);
    curl_free(number);
    curl_url_cleanup(parts);
    return good;
}

static bool is_address(const char *host)
{
    uint8_t bytes[16];
    return host[0] == '[' || inet_pton(AF_INET, host, bytes) == 1;
}

static void set_options(CURL *curl, struct fetch *fetch, const char *url, struct headers *headers)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* a proxy would resolve the name elsewhere */
    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)FETCH_TIME_S);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SLOW_S);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, ""); /* what libcurl can decode; max_bytes counts decoded bytes */
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "dotstub/" PACKAGE_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, write_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, read_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, headers);
    if (fetch->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, fetch->ca_file);
}

static void say_why(struct fetch *fetch, CURLcode code, const char *detail, long status)
{
    if (fetch->written_error == -EFBIG)
        snprintf(fetch->error, sizeof fetch->error, "it has more than %zu bytes (block.max-size)", fetch->max_bytes);
    else if (fetch->written_error)
        snprintf(fetch->error, sizeof fetch->error, "cannot write: %s", error_text(fetch->written_error));
    else if (code != CURLE_OK)
        snprintf(fetch->error, sizeof fetch->error, "%.250s", detail[0] ? detail : curl_easy_strerror(code));
    else
        snprintf(fetch->error, sizeof fetch->error, "the server answered with status %ld", status);
}

/* One request. *next is the target of a redirect, allocated by malloc, or NULL. */
static enum fetch_result request(struct fetch *fetch, CURL *curl, const char *url, char **next)
{
    char host[HOST_TEXT], port[8], pairs[RESOLVE_TEXT], detail[CURL_ERROR_SIZE] = "", *redirect = NULL;
    struct headers headers = {.etag = ""};
    long status = 0;
    *next = NULL;
    if (!split_url(url, host, port)) {
        snprintf(fetch->error, sizeof fetch->error, "%.200s is not a URL with https://", url);
        return FETCH_FAILED;
    }
    if (!is_address(host) && !resolve(fetch, host, port, pairs))
        return FETCH_FAILED;
    struct curl_slist *asked = conditions(fetch), *names = is_address(host) ? NULL : curl_slist_append(NULL, pairs);
    set_options(curl, fetch, url, &headers);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, asked);
    curl_easy_setopt(curl, CURLOPT_RESOLVE, names);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &redirect);
    if (code == CURLE_OK && redirect)
        *next = strdup(redirect);
    curl_slist_free_all(asked);
    curl_slist_free_all(names);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    if (code == CURLE_OK && status == 304 && (fetch->etag[0] || fetch->modified[0]))
        return FETCH_SAME;
    if (code != CURLE_OK || status != 200) {
        say_why(fetch, code, detail, status);
        return FETCH_FAILED;
    }
    memcpy(fetch->etag, headers.etag, sizeof fetch->etag);
    memcpy(fetch->modified, headers.modified, sizeof fetch->modified);
    return FETCH_NEW;
}

enum fetch_result fetch_run(struct fetch *fetch)
{
    char *url = strdup(fetch->url), *next = NULL;
    CURL *curl = url && curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? curl_easy_init() : NULL;
    enum fetch_result result = FETCH_FAILED;
    snprintf(fetch->error, sizeof fetch->error, "out of memory");
    fetch->bytes = 0;
    fetch->written_error = 0;
    for (unsigned redirects = 0; curl && url; redirects++) {
        result = request(fetch, curl, url, &next);
        free(url);
        url = next;
        if (!url)
            break;
        if (redirects == FETCH_REDIRECTS) {
            snprintf(fetch->error, sizeof fetch->error, "more than %d redirects", FETCH_REDIRECTS);
            break;
        }
        rewind(fetch->out); /* the body of the redirect */
        fetch->bytes = 0;
        if (ftruncate(fileno(fetch->out), 0) < 0)
            break;
    }
    free(url);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return result;
}

#else

enum fetch_result fetch_run(struct fetch *fetch)
{
    snprintf(fetch->error, sizeof fetch->error, "this dotstubctl was built without libcurl; fetch the list otherwise");
    return FETCH_FAILED;
}

#endif
