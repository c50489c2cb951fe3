/* SPDX-License-Identifier: MIT */
/* Parses as glibc does: a keyword at the start of a line, then blanks, then words; # or ; begins a comment line. */
#include "resolv.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/io.h"

#define BLANKS " \t\r"

enum { TEXT_MAX = 65536 };

/* --- reading --- */

/* Returns the text after the keyword, or NULL if the line has another keyword. */
static const char *after_keyword(const char *line, const char *keyword)
{
    size_t len = strlen(keyword);
    if (strncmp(line, keyword, len) != 0 || !line[len] || !strchr(BLANKS, line[len]))
        return NULL;
    return line + len + strspn(line + len, BLANKS);
}

/* Appends the words of the line; leaves out words that do not fit. */
static void add_words(char out[RESOLV_WORDS], const char *line)
{
    size_t at = strlen(out), len;
    for (; *line && *line != '\n'; line += len + strspn(line + len, BLANKS)) {
        len = strcspn(line, BLANKS "\n");
        if (len > 0 && at + len + 2 <= RESOLV_WORDS)
            at += (size_t)snprintf(out + at, RESOLV_WORDS - at, "%s%.*s", at ? " " : "", (int)len, line);
    }
}

static void add_server(struct resolv *out, const char *line)
{
    char text[ADDR_TEXT];
    size_t len = strcspn(line, BLANKS "\n");
    if (out->server_count == RESOLV_SERVERS || len >= sizeof text || memchr(line, '@', len))
        return;
    snprintf(text, sizeof text, "%.*s", (int)len, line);
    if (addr_parse(&out->servers[out->server_count], text, 53) == 0)
        out->server_count++;
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

static void read_lines(struct resolv *out)
{
    const char *words;
    for (const char *line = out->text; *line; line = next_line(line)) {
        if ((words = after_keyword(line, "nameserver")))
            add_server(out, words);
        else if ((words = after_keyword(line, "options")))
            add_words(out->options, words);
        else if ((words = after_keyword(line, "search")) || (words = after_keyword(line, "domain"))) {
            out->searches[0] = '\0';
            add_words(out->searches, words);
        }
    }
}

/* `fd` -1: no file, treated as empty. */
static int read_text(struct resolv *out, int fd)
{
    out->text = calloc(1, TEXT_MAX + 1);
    if (!out->text)
        return -ENOMEM;
    ssize_t len = fd < 0 ? 0 : read_to_end(fd, out->text, TEXT_MAX);
    return len < 0 ? (int)len : len == TEXT_MAX ? -EFBIG : 0;
}

int resolv_read(struct resolv *out, const char *root)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s" RESOLV_CONF, root);
    return resolv_read_file(out, path);
}

int resolv_read_file(struct resolv *out, const char *path)
{
    *out = (struct resolv){.text = NULL};
    if (readlink(path, out->target, sizeof out->target - 1) < 0)
        out->target[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return -errno;
    int status = read_text(out, fd);
    if (fd >= 0)
        close(fd);
    if (status == 0)
        read_lines(out);
    else
        resolv_free(out);
    return status;
}

void resolv_free(struct resolv *resolv)
{
    free(resolv->text);
    resolv->text = NULL;
}

bool resolv_has_option(const struct resolv *resolv, const char *option)
{
    size_t len = strlen(option);
    const char *at = resolv->options;
    for (; *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (strncmp(at, option, len) == 0 && (at[len] == ' ' || !at[len]))
            return true;
    return false;
}

/* glibc uses the last one, at most 30 s. */
unsigned resolv_timeout_ms(const struct resolv *resolv)
{
    unsigned seconds = 5, given;
    for (const char *at = resolv->options; *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (sscanf(at, "timeout:%4u", &given) == 1)
            seconds = given > 30 ? 30 : given;
    return seconds * 1000;
}

/* --- writing --- */

char *resolv_with_server(const struct resolv *resolv, const struct addr *server, bool trust_ad)
{
    char *text = NULL, address[ADDR_TEXT];
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    fputs("# Written by `dotstubctl system enable`; `dotstubctl system disable` restores the original file.\n", out);
    fprintf(out, "nameserver %s\n", addr_format(server, false, address));
    for (const char *line = resolv->text; *line; line = next_line(line))
        if (!after_keyword(line, "nameserver"))
            fprintf(out, "%.*s\n", (int)strcspn(line, "\n"), line);
    if (trust_ad && !resolv_has_option(resolv, "trust-ad"))
        fputs("options trust-ad\n", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
