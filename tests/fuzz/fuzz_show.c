/* SPDX-License-Identifier: MIT */
/* dotstubctl reads from an untrusted socket: the head of an HTTP response, and arbitrary JSON. The first byte chooses the table to print.
 * The output has no control characters that a terminal would interpret. */
#include "ctl/client.h"
#include "ctl/command.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "fuzz.h"

static int (*const tables[])(const json_t *, FILE *) = {show_status, show_stats,  show_config, show_cache,
                                                        show_flush,  show_log,    show_drain,  show_explain,
                                                        show_trace,  show_servers};

static void check_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        MUST(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
}

static void check_table(int (*show)(const json_t *, FILE *), const char *body)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    MUST(out);
    int status = table_show(body, out, show);
    MUST(fclose(out) == 0);
    MUST(status <= EXIT_DOWN);
    check_text(text, len);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char sentence[512];
    const char *body;
    unsigned status;
    if (size < 1)
        return 0;
    char *text = malloc(size);
    MUST(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    body = text;
    if (client_read_head(text, &status, &body) == 0)
        MUST(status >= 100 && status <= 599 && body > text && body <= text + size - 1);
    check_table(tables[data[0] % (sizeof tables / sizeof *tables)], body);
    const char *said = show_error(body, sentence, sizeof sentence);
    check_text(said, strlen(said));
    free(text);
    return 0;
}
