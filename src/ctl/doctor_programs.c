/* SPDX-License-Identifier: MIT */
/* Checks of name resolution by this machine's programs: resolv.conf and its timeout, other files, and a lookup with
 * getaddrinfo. */
#include <string.h>
#include "base/errors.h"
#include "bypass.h"
#include "change.h"
#include "doctor.h"
#include "locate.h"
#include "presence.h"
#include "resolv.h"

enum { PROGRAMS_MS = 3000, OURS_MAX = 64 };

/* --- resolv.conf --- */

static void check_nameservers(struct doctor *doctor, const struct resolv *resolv)
{
    char address[ADDR_TEXT];
    unsigned others = 0;
    if (resolv->server_count == 0)
        doctor_say(doctor, "resolv", "run dotstubctl system enable", RESOLV_CONF " has no nameserver");
    else if (!doctor_is_ours(doctor, &resolv->servers[0]))
        doctor_say(doctor, "resolv", "run dotstubctl system enable", "programs use %s, not dotstub",
                   addr_format(&resolv->servers[0], false, address));
    else if (doctor->refuses)
        doctor_say(doctor, "resolv", "add 127.0.0.0/8 and ::1 to access.allow",
                   RESOLV_CONF " names dotstub at %s, which refuses the queries of this machine",
                   addr_format(&resolv->servers[0], false, address));
    else if (!doctor->answers)
        doctor_say(doctor, "resolv", "see the line about the daemon above",
                   "programs use %s, where dotstub does not answer", addr_format(&resolv->servers[0], false, address));
    else
        doctor_say(doctor, "resolv", NULL, "programs use dotstub at %s",
                   addr_format(&resolv->servers[0], false, address));
    for (unsigned i = 1; i < resolv->server_count; i++)
        others += !doctor_is_ours(doctor, &resolv->servers[i]);
    if (others && doctor_is_ours(doctor, &resolv->servers[0]))
        doctor_say(doctor, "resolv", "remove them: run dotstubctl system enable",
                   "%u other nameservers get cleartext queries when dotstub is slow", others);
}

/* A client that gives up before limits.answer-by gets a timeout instead of the reason, and queries the next
 * nameserver. */
static void check_patience(struct doctor *doctor, const char *client, unsigned timeout_ms)
{
    unsigned long answer_by_ms = (unsigned long)doctor->config->limits.answer_by_ms;
    unsigned long stale_ms = (unsigned long)doctor->config->cache.stale_answer_after_ms;
    if (doctor->config->cache.serve_stale > 0 && timeout_ms <= stale_ms)
        doctor_say(doctor, "timeout", "set limits.answer-by and cache.stale-answer-after below that time, or raise it",
                   "%s for %u ms; stale answers come after %lu ms (cache.stale-answer-after), errors after %lu ms "
                   "(limits.answer-by)",
                   client, timeout_ms, stale_ms, answer_by_ms);
    else if (timeout_ms <= answer_by_ms)
        doctor_say(doctor, "timeout", "set limits.answer-by below that time, or raise it",
                   "%s for %u ms; dotstub reports a failure after %lu ms (limits.answer-by)", client, timeout_ms,
                   answer_by_ms);
    else
        doctor_say(doctor, "timeout", NULL, "%s for %u ms; dotstub answers within %lu ms (limits.answer-by)", client,
                   timeout_ms, answer_by_ms);
}

void doctor_check_resolv(struct doctor *doctor)
{
    struct resolv resolv;
    char name[CHANGE_NAME];
    int status = resolv_read(&resolv, "");
    if (status < 0) {
        doctor_say(doctor, "resolv", "repair the file", RESOLV_CONF " cannot be read: %s", error_text(status));
        return;
    }
    enum change_state state = change_state("", name);
    bool ours = resolv.server_count > 0 && doctor_is_ours(doctor, &resolv.servers[0]);
    if (state == CHANGE_INTERRUPTED)
        doctor_say(doctor, "resolv", "run dotstubctl system disable", "system enable or disable was interrupted");
    if (state == CHANGE_ON && strcmp(name, "resolved") == 0 && !ours)
        doctor_say(doctor, "resolv", NULL, "programs use systemd-resolved, which forwards to dotstub");
    else
        check_nameservers(doctor, &resolv);
    if (resolv.server_count > 0)
        check_patience(doctor, "programs wait for a response (the option timeout of " RESOLV_CONF ")",
                       resolv_timeout_ms(&resolv));
    if (bypass_has_docker(""))
        check_patience(doctor, "Docker's DNS server waits for a response", BYPASS_DOCKER_MS);
    resolv_free(&resolv);
}

/* --- queries that bypass dotstub --- */

static void tell_bypass(void *context, const struct bypass *bypass)
{
    if (bypass->leaks)
        doctor_say(context, bypass->check, bypass->remedy, "%s", bypass->says);
    else
        doctor_note(context, bypass->check, bypass->remedy, "%s", bypass->says);
}

/* The addresses that dotstub listens on, in the form of resolv.conf. */
static unsigned our_servers(const struct doctor *doctor, struct addr out[OURS_MAX])
{
    unsigned count = 0;
    for (size_t i = 0; i < doctor->config->listen_count && count < OURS_MAX; i++) {
        out[count] = locate_asked(&doctor->config->listen[i]);
        count += addr_port(&out[count]) == 53;
    }
    return count;
}

void doctor_check_programs(struct doctor *doctor)
{
    struct addr servers[OURS_MAX];
    struct resolv resolv;
    char name[CHANGE_NAME];
    int status = doctor->answers && !doctor->refuses ? presence_check_programs(PROGRAMS_MS) : 0;
    if (status != 0)
        doctor_say(doctor, "programs", "the lines above and below name the reason; dotstubctl system enable sets it up",
                   "a lookup with getaddrinfo, as most programs do, does not reach dotstub: %s",
                   presence_error(status));
    else if (doctor->answers && !doctor->refuses)
        doctor_say(doctor, "programs", NULL, "a lookup with getaddrinfo, as most programs do, reaches dotstub");
    if (resolv_read(&resolv, "") < 0)
        return;
    const struct bypass_view view = {.root = "",
                                     .resolv = &resolv,
                                     .servers = servers,
                                     .server_count = our_servers(doctor, servers),
                                     .by_resolved =
                                         change_state("", name) == CHANGE_ON && strcmp(name, "resolved") == 0,
                                     .trust_ad = resolv_has_option(&resolv, "trust-ad")};
    bypass_each(&view, tell_bypass, doctor);
    resolv_free(&resolv);
}
