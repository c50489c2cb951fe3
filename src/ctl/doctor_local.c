/* SPDX-License-Identifier: MIT */
/* Checks of this machine. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/errors.h"
#include "client.h"
#include "dns/codes.h"
#include <config.h>
#include "doctor.h"
#include "locate.h"
#include "net/socket.h"
#include "plan.h"
#include "probe.h"

enum { PATIENCE_MS = 1500, YEARS_S = 20 * 365 * 86400 };

/* --- the daemon --- */

/* With --quick REFUSED is enough: access.allow need not include this machine. */
static bool is_answer(const struct doctor *doctor, const struct probe_response *response)
{
    bool quick = doctor->options->given & OWN(OWN_QUICK);
    return response->rcode == RCODE_NOERROR || (quick && response->rcode == RCODE_REFUSED);
}

/* Queries a name that dotstub answers itself. */
static bool check_transport(struct doctor *doctor, const char *check, bool tcp)
{
    struct probe_response response;
    char address[ADDR_TEXT];
    int status = probe_send(&response, &doctor->server, "localhost", TYPE_A, tcp, PATIENCE_MS);
    addr_format(&doctor->server, true, address);
    if (status == 0 && is_answer(doctor, &response)) {
        doctor_say(doctor, check, NULL, "dotstub answers at %s over %s (%u ms)", address, tcp ? "TCP" : "UDP",
                   response.ms);
        return true;
    }
    doctor_say(doctor, check, "start it (systemctl start dotstub) and look at its log (journalctl -u dotstub)",
               "dotstub does not answer at %s over %s (%s)", address, tcp ? "TCP" : "UDP",
               status < 0 ? error_text(status) : "unexpected response");
    return false;
}

void doctor_check_daemon(struct doctor *doctor)
{
    doctor->answers = check_transport(doctor, "daemon", false);
}

void doctor_check_tcp(struct doctor *doctor)
{
    (void)check_transport(doctor, "tcp", true);
}

void doctor_check_health(struct doctor *doctor)
{
    struct addr addr = doctor->config->metrics_listen;
    struct client_reply reply;
    if (!doctor->config->has_metrics)
        return;
    addr = locate_asked(&addr);
    int status = client_ask_addr(&reply, &addr, "GET", "/healthz");
    if (status < 0)
        doctor_say(doctor, "health", "look at the daemon's log", "/healthz: %s", error_text(status));
    else
        doctor_say(doctor, "health", reply.status == 200 ? NULL : "restart dotstub and look at its log",
                   "/healthz: %u %.*s", reply.status, (int)strcspn(reply.body, "\n"), reply.body);
    if (status == 0)
        free(reply.body);
}

void doctor_check_port(struct doctor *doctor)
{
    char holder[128], address[ADDR_TEXT];
    socket_port_holder(&doctor->server, holder, sizeof holder);
    addr_format(&doctor->server, true, address);
    if (!*holder && !doctor->answers)
        return; /* the daemon check has reported this */
    if (!*holder)
        doctor_say(doctor, "port", NULL, "%s: run as root to see which process holds it", address);
    else if (strstr(holder, "dotstub") || doctor->answers)
        doctor_say(doctor, "port", NULL, "%s belongs to %s", address, holder);
    else
        doctor_say(
            doctor, "port",
            "stop that process, change its address (dnsmasq: bind-interfaces and listen-address), or set listen in dotstub.yaml",
            "%s belongs to %s", address, holder);
}

/* --- the daemon's own status --- */

static json_t *ask_control(const char *path, const char *target)
{
    struct client_reply reply;
    if (client_ask(&reply, path, "GET", target) < 0)
        return NULL;
    json_t *root = reply.status == 200 ? json_loads(reply.body, 0, NULL) : NULL;
    free(reply.body);
    return root;
}

static void check_throttling(struct doctor *doctor)
{
    json_t *counters = json_object_get(doctor->stats, "counters");
    json_int_t throttled = json_integer_value(json_object_get(counters, "upstream_throttled"));
    if (throttled > 0)
        doctor_say(doctor, "throttling", "set max-qps of that upstream, or add upstreams",
                   "upstreams refused queries under load %" JSON_INTEGER_FORMAT " times", throttled);
    else
        doctor_say(doctor, "throttling", NULL, "no upstream refused queries under load");
}

void doctor_check_control(struct doctor *doctor)
{
    char path[4096];
    size_t i;
    json_t *sentence;
    if (locate_socket(doctor->options, path) != EXIT_OK)
        return;
    doctor->status = ask_control(path, "/status");
    doctor->stats = ask_control(path, "/stats");
    if (!json_is_object(doctor->status) || !json_is_object(doctor->stats)) {
        doctor_say(doctor, "control", "run as root; is dotstub running?", "%s: no reply from the daemon", path);
        return;
    }
    json_array_foreach(json_object_get(doctor->status, "degraded"), i, sentence)
        doctor_say(doctor, "control", "run dotstubctl status", "degraded: %s", json_string_value(sentence));
    if (json_array_size(json_object_get(doctor->status, "degraded")) == 0)
        doctor_say(doctor, "control", NULL, "dotstub %s reports the state %s",
                   json_string_value(json_object_get(doctor->status, "version")),
                   json_string_value(json_object_get(doctor->status, "state")));
    check_throttling(doctor);
}

/* --- resolv.conf --- */

static bool is_ours(const struct doctor *doctor, const struct addr *server)
{
    for (size_t i = 0; i < doctor->config->listen_count; i++) {
        struct addr listening = locate_asked(&doctor->config->listen[i]);
        if (addr_equal(&listening, server))
            return true;
    }
    return false;
}

static void check_servers_of(struct doctor *doctor, const struct resolv *resolv)
{
    char address[ADDR_TEXT];
    unsigned others = 0;
    if (resolv->server_count == 0)
        doctor_say(doctor, "resolv", "run dotstubctl system enable", RESOLV_CONF " has no nameserver");
    else if (!is_ours(doctor, &resolv->servers[0]))
        doctor_say(doctor, "resolv", "run dotstubctl system enable", "programs use %s, not dotstub",
                   addr_format(&resolv->servers[0], false, address));
    else
        doctor_say(doctor, "resolv", NULL, "programs use dotstub at %s",
                   addr_format(&resolv->servers[0], false, address));
    for (unsigned i = 1; i < resolv->server_count; i++)
        others += !is_ours(doctor, &resolv->servers[i]);
    if (others && is_ours(doctor, &resolv->servers[0]))
        doctor_say(doctor, "resolv", "remove them: run dotstubctl system enable",
                   "%u other nameservers get cleartext queries when dotstub is slow", others);
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
    if (state == CHANGE_INTERRUPTED)
        doctor_say(doctor, "resolv", "run dotstubctl system disable", "system enable or disable was interrupted");
    if (state == CHANGE_ON && strcmp(name, "resolved") == 0 && !is_ours(doctor, &resolv.servers[0]))
        doctor_say(doctor, "resolv", NULL, "programs use systemd-resolved, which forwards to dotstub");
    else
        check_servers_of(doctor, &resolv);
    resolv_free(&resolv);
}

/* --- cleartext DNS to other hosts --- */

/* True if the row's remote end is port 53 of another host. Addresses are hexadecimal, each word in host byte order. */
static bool is_outside(const char *row, unsigned *uid)
{
    char hex[33];
    unsigned port;
    if (sscanf(row, " %*u: %*s %32[0-9A-Fa-f]:%4x %*s %*s %*s %*s %u", hex, &port, uid) != 3 || port != 53)
        return false;
    unsigned first = 0, last = 0;
    size_t len = strlen(hex);
    if ((len != 8 && len != 32) || sscanf(hex + len - 8, "%8x", &last) != 1 || sscanf(hex, "%8x", &first) != 1)
        return false;
    if (len == 8 || strncmp(hex + 16, "0000FFFF", 8) == 0)
        return (ntohl(last) >> 24) != 127;
    return !(first == 0 && ntohl(last) == 1);
}

static unsigned count_outside(const char *path, unsigned *uid)
{
    char row[512];
    unsigned count = 0;
    FILE *table = fopen(path, "re");
    while (table && fgets(row, sizeof row, table))
        count += is_outside(row, uid);
    if (table)
        fclose(table);
    return count;
}

void doctor_check_leaks(struct doctor *doctor)
{
    static const char *const tables[] = {"/proc/net/udp", "/proc/net/udp6", "/proc/net/tcp", "/proc/net/tcp6"};
    unsigned count = 0, uid = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        count += count_outside(tables[i], &uid);
    if (count > 0)
        doctor_say(
            doctor, "leaks",
            "run `ss -apn dport = 53` as root to see the process; a firewall can block port 53 except on loopback",
            "%u sockets are connected to port 53 of other hosts, one of user id %u", count, uid);
    else
        doctor_say(doctor, "leaks", NULL, "no socket is connected to port 53 of another host");
}

/* Reports the time that certificates are verified with. */
void doctor_check_clock(struct doctor *doctor)
{
    int64_t now_s = clock_wall_s();
    char used[32];
    time_t used_s = now_s < BUILD_DATE_S ? BUILD_DATE_S : now_s;
    struct tm utc;
    strftime(used, sizeof used, "%Y-%m-%d %H:%M UTC", gmtime_r(&used_s, &utc));
    if (now_s < BUILD_DATE_S)
        doctor_say(
            doctor, "clock", "set the clock; until then certificates that are not valid yet are accepted",
            "the clock is earlier than the date of this build: certificates are verified with %s, or the time of the last "
            "verified session",
            used);
    else if (now_s > BUILD_DATE_S + YEARS_S)
        doctor_say(doctor, "clock", "set the clock; otherwise valid certificates look expired",
                   "the clock is far ahead: certificates are verified with %s", used);
    else
        doctor_say(doctor, "clock", NULL, "certificates are verified with the clock, %s", used);
}
