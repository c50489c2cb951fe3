/* SPDX-License-Identifier: MIT */
/* Settings that take effect only at a restart.
 *
 * Invariant: texts and lists taken from the start's snapshot are in its arena, so the new snapshot holds a
 * reference to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "config/member.h"
#include "config/options.h"
#include "config/snapshot.h"

static char *member_text(const struct config *config, const struct option *option)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    member_print(out, config, option);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* 1 if the values differ, 0 if they do not, or -ENOMEM. */
static int differ(const struct config *a, const struct config *b, const struct option *option)
{
    char *text_a = member_text(a, option), *text_b = member_text(b, option);
    int status = text_a && text_b ? strcmp(text_a, text_b) != 0 : -ENOMEM;
    free(text_a);
    free(text_b);
    return status;
}

static void copy_member(struct config *to, const struct config *from, const struct option *option)
{
    size_t beside = option_is_list(option) ? sizeof(size_t) : option->type == OPTION_ADDRESS ? sizeof(bool) : 0;
    memcpy((char *)to + option->at, (const char *)from + option->at, option->size);
    memcpy((char *)to + option->beside, (const char *)from + option->beside, beside);
}

int config_keep_restart_only(struct config *config, struct config *started,
                             void (*tell)(void *context, const char *key), void *context)
{
    struct snapshot *snapshot = container_of(config, struct snapshot, config);
    int status = 0;
    for (size_t i = 0; status == 0 && i < option_count; i++) {
        if (!options[i].restart_only || (status = differ(config, started, &options[i])) <= 0)
            continue;
        copy_member(config, started, &options[i]);
        status = snapshot_remark(snapshot, options[i].key, "whose value takes effect at the next start");
        if (status == 0)
            tell(context, options[i].key);
    }
    config->listen_is_default = started->listen_is_default;
    config->control_socket_is_default = started->control_socket_is_default;
    snapshot->started = config_ref(started);
    return status;
}
