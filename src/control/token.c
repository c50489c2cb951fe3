/* SPDX-License-Identifier: MIT */
/* Compares digests in constant time, so that the time reveals nothing about the token. */
#include "token.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static bool is_visible(const char *text)
{
    while (*text > ' ' && *text <= '~')
        text++;
    return !*text;
}

static int token_take(struct token *out, char *line)
{
    size_t len = strlen(line);
    while (len > 0 && strchr(" \t\r\n", line[len - 1]))
        line[--len] = '\0';
    if (len < TOKEN_MIN || len > TOKEN_MAX || !is_visible(line))
        return -EINVAL;
    digest_bytes(out->digest, line, len);
    out->set = true;
    return 0;
}

int token_read(struct token *out, const char *path)
{
    char line[TOKEN_MAX + 3] = ""; /* a newline, a NUL, and one more to detect a token that is too long */
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    bool failed = !fgets(line, sizeof line, file) && ferror(file);
    int status = failed ? -errno : token_take(out, line);
    fclose(file);
    sodium_memzero(line, sizeof line);
    return status;
}

bool token_fits(const struct token *token, const char *given)
{
    uint8_t digest[DIGEST_LEN];
    if (!token->set || !given)
        return false;
    digest_bytes(digest, given, strlen(given));
    return sodium_memcmp(digest, token->digest, sizeof digest) == 0;
}
