/* SPDX-License-Identifier: MIT */
/* Bytes as a configuration file: config_load accepts it, or refuses it with a printable reason, in a short time. A loaded
 * configuration is the same after it was printed and read again. */
#include "config/load.h"

#include "base/errors.h"
#include "config/text.h"
#include "fuzz.h"

static const struct machine machine = {.processors = 2, .memory = UINT64_C(1) << 40};

static char *printed(const struct config *config, size_t *len)
{
    char *text;
    FILE *out = open_memstream(&text, len);
    MUST(out);
    MUST(config_print(config, out) == 0);
    fclose(out);
    return text;
}

/* Values only: the comments name the source of each value. */
static void drop_comments(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        if (strncmp(from, " # ", 3) == 0)
            from += strcspn(from, "\n");
        else
            *to++ = *from++;
    }
    *to = '\0';
}

static void check_round_trip(const struct config *config)
{
    struct config *again;
    size_t len, len_again;
    char *text = printed(config, &len);
    MUST(load_text(&again, "printed", text, len, NULL, &machine, stderr) == 0);
    char *text_again = printed(again, &len_again);
    drop_comments(text);
    drop_comments(text_again);
    MUST(strcmp(text, text_again) == 0);
    config_unref(again);
    free(text);
    free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    char *said;
    size_t said_len, at;
    FILE *errors = open_memstream(&said, &said_len);
    MUST(errors);
    int error = load_text(&config, "fuzz", (const char *)data, size, NULL, &machine, errors);
    fclose(errors);

    MUST(error == 0 || error == ERROR_CONFIG);
    MUST((said_len == 0) == (error == 0));
    MUST(text_check(said, said_len, true, &at) == TEXT_CLEAN);
    if (!error)
        check_round_trip(config);
    config_unref(config);
    free(said);
    return 0;
}
