/* SPDX-License-Identifier: MIT */
/* Checks of this machine. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "client.h"
#include "dns/codes.h"
#include <config.h>
#include "doctor.h"
#include "locate.h"
#include "net/socket.h"
#include "presence.h"

enum { PATIENCE_MS = 1500, YEARS_S = 20 * 365 * 86400 };

/* --- the daemon --- */

/* Queries a name that the daemon answers locally, to any client that it answers at all. */
static void check_access(struct doctor *doctor)
{
    struct probe_response response;
    int status = probe_send(&response, &doctor->server, "localhost", TYPE_A, false, PATIENCE_MS);
    doctor->refuses = status == -ETIMEDOUT || (status == 0 && response.rcode == RCODE_REFUSED);
}

static void tell_other(struct doctor *doctor, const char *check, const char *address)
{
    char holder[128];
    socket_port_holder(&doctor->server, holder, sizeof holder);
    doctor_say(
        doctor, check,
        "stop that program (and keep it from starting), or give dotstub another address with `listen`; then start "
        "dotstub",
        "not dotstub but %s answers at %s", *holder ? holder : "another program", address);
}

/* Queries a name that only dotstub resolves. */
static bool check_transport(struct doctor *doctor, const char *check, bool tcp)
{
    struct probe_response response;
    char address[ADDR_TEXT];
    int status = presence_check(&response, &doctor->server, tcp, PATIENCE_MS);
    addr_format(&doctor->server, true, address);
    if (status == 0)
        doctor_say(doctor, check, NULL, "dotstub answers at %s over %s (%u ms)", address, tcp ? "TCP" : "UDP",
                   response.ms);
    else if (status == PRESENCE_OTHER)
        tell_other(doctor, check, address);
    else if (config_proxy_requires(doctor->config, &doctor->server))
        doctor_note(doctor, check, "leave a listener out of proxy-protocol.listen, for this machine",
                    "every listener requires PROXY headers, so dotstub was not asked over %s", tcp ? "TCP" : "UDP");
    else
        doctor_say(doctor, check, "start it (systemctl start dotstub) and look at its log (journalctl -u dotstub)",
                   "dotstub does not answer at %s over %s (%s)", address, tcp ? "TCP" : "UDP", error_text(status));
    return status == 0;
}

void doctor_check_daemon(struct doctor *doctor)
{
    doctor->answers = check_transport(doctor, "daemon", false);
    if (doctor->answers)
        check_access(doctor);
    if (doctor->refuses && !(doctor->options->given & OWN(OWN_QUICK)))
        doctor_note(doctor, "access",
                    "if programs on this machine use dotstub, add 127.0.0.0/8 and ::1 to access.allow",
                    "dotstub refuses queries of this machine: access.allow does not contain its addresses");
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

/* The port belongs to a socket unit, or systemd stores the socket over a restart. */
static bool systemd_holds_it_for_dotstub(void)
{
    static const char *const files[] = {"/etc/systemd/system/sockets.target.wants/dotstub.socket",
                                        "/run/systemd/system/sockets.target.wants/dotstub.socket",
                                        "/lib/systemd/system/sockets.target.wants/dotstub.socket"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (access(files[i], F_OK) == 0)
            return true;
    return false;
}

void doctor_check_port(struct doctor *doctor)
{
    char holder[128], address[ADDR_TEXT];
    socket_port_holder(&doctor->server, holder, sizeof holder);
    addr_format(&doctor->server, true, address);
    bool of_systemd = strcmp(holder, "pid 1 (systemd)") == 0;
    if (!*holder && !doctor->answers)
        return; /* the daemon check has reported this */
    if (!*holder)
        doctor_say(doctor, "port", NULL, "%s: run as root to see which process holds it", address);
    else if (of_systemd && (doctor->answers || systemd_holds_it_for_dotstub()))
        doctor_say(doctor, "port", NULL, "%s belongs to systemd, which passes it to dotstub", address);
    else if (doctor->answers || strstr(holder, "(dotstub)"))
        doctor_say(doctor, "port", NULL, "%s belongs to %s", address, holder);
    else
        doctor_say(
            doctor, "port",
            of_systemd
                ? "see which unit it is for: systemctl list-sockets"
                : "stop that process, change its address (dnsmasq: bind-interfaces and listen-address), or set listen "
                  "in dotstub.yaml",
            "%s belongs to %s", address, holder);
}

/* --- the daemon's own status --- */

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
    size_t i;
    json_t *sentence, *sentences = json_object_get(doctor->status, "why");
    if (!doctor->socket) {
        doctor_note(doctor, "control", "set control.socket, so that this report contains the daemon's status",
                    "control.socket is off in the configuration");
        return;
    }
    if (!json_is_object(doctor->status) || !json_is_object(doctor->stats)) {
        doctor_say(doctor, "control",
                   doctor->silent == -EAGAIN ? "look at the daemon's log, and restart it"
                                             : "run as root; is dotstub running?",
                   "%s: no reply from the daemon: %s", doctor->socket,
                   error_text(!doctor->silent             ? -EPROTO
                              : doctor->silent == -EAGAIN ? -ETIMEDOUT
                                                          : doctor->silent));
        return;
    }
    json_array_foreach(sentences, i, sentence)
        doctor_say(doctor, "control", "run dotstubctl status", "%s", json_string_value(sentence));
    if (json_array_size(sentences) == 0)
        doctor_say(doctor, "control", NULL, "dotstub %s reports the state %s",
                   json_string_value(json_object_get(doctor->status, "version")),
                   json_string_value(json_object_get(doctor->status, "state")));
    check_throttling(doctor);
}

/* Names them all in one finding. */
static void note_postponed(struct doctor *doctor, const json_t *keys)
{
    char names[200] = "";
    size_t i, len = 0;
    json_t *line;
    json_array_foreach(keys, i, line)
    {
        const char *key = json_string_value(line);
        size_t part = key ? strcspn(key, ":") : 0;
        if (len + part + 3 > sizeof names)
            break;
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%.*s", len ? ", " : "", (int)part, key);
    }
    if (i > 0)
        doctor_note(doctor, "reload", "restart dotstub when that suits you; a restart loses no query",
                    "changed and not in force before the next start: %s%s", names,
                    i < json_array_size(keys) ? " and others" : "");
}

void doctor_check_reload(struct doctor *doctor)
{
    json_t *reloads = json_object_get(doctor->status, "configuration");
    const char *last = json_string_value(json_object_get(reloads, "last_reload"));
    const char *mistake = json_string_value(json_array_get(json_object_get(reloads, "mistakes"), 0));
    if (last && strcmp(last, "failed") == 0)
        doctor_say(doctor, "reload", "correct what dotstubctl status shows, and run dotstubctl reload",
                   "the last reload failed, so the configuration before it is in force: %s",
                   mistake ? mistake : "no reason is known");
    note_postponed(doctor, json_object_get(reloads, "at_next_start"));
}

void doctor_check_lists(struct doctor *doctor)
{
    size_t i;
    json_t *list;
    json_array_foreach(json_object_get(doctor->lists, "lists"), i, list)
    {
        const char *error = json_string_value(json_object_get(list, "error"));
        if (error)
            doctor_say(doctor, "block",
                       "correct the file, or run dotstubctl block update if the list has a url; dotstub reads it again "
                       "by itself",
                       "%s%s", error,
                       json_is_null(json_object_get(list, "read_s_ago")) ? "; it blocks nothing"
                                                                         : "; what was read before is in use");
    }
}

/* --- cleartext DNS to other hosts --- */

/* True if the row's remote end is port 53 of another host. Addresses are hexadecimal, each word in host byte order. */
static bool is_outside(const char *row, unsigned *uid, unsigned long *inode)
{
    char hex[33];
    unsigned port;
    if (sscanf(row, " %*u: %*s %32[0-9A-Fa-f]:%4x %*s %*s %*s %*s %u %*s %lu", hex, &port, uid, inode) != 4 ||
        port != 53)
        return false;
    unsigned first = 0, last = 0;
    size_t len = strlen(hex);
    if ((len != 8 && len != 32) || sscanf(hex + len - 8, "%8x", &last) != 1 || sscanf(hex, "%8x", &first) != 1)
        return false;
    if (len == 8 || strncmp(hex + 16, "0000FFFF", 8) == 0)
        return (ntohl(last) >> 24) != 127;
    return !(first == 0 && ntohl(last) == 1);
}

/* True if dotstub has this socket: it sends queries in cleartext only to the servers of routes with `plain: yes`. */
static bool is_ours(const struct doctor *doctor, unsigned long inode)
{
    char path[64], link[64], wanted[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%" JSON_INTEGER_FORMAT "/fd",
             json_integer_value(json_object_get(doctor->status, "pid")));
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
        ssize_t len = readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1);
        link[len > 0 ? len : 0] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    if (directory)
        closedir(directory);
    return found;
}

static unsigned count_outside(const struct doctor *doctor, const char *path, unsigned *uid)
{
    char row[512];
    unsigned count = 0, row_uid;
    unsigned long inode;
    FILE *table = fopen(path, "re");
    while (table && fgets(row, sizeof row, table)) {
        if (!is_outside(row, &row_uid, &inode) || is_ours(doctor, inode))
            continue;
        *uid = row_uid;
        count++;
    }
    if (table)
        fclose(table);
    return count;
}

void doctor_check_leaks(struct doctor *doctor)
{
    static const char *const tables[] = {"/proc/net/udp", "/proc/net/udp6", "/proc/net/tcp", "/proc/net/tcp6"};
    unsigned count = 0, uid = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        count += count_outside(doctor, tables[i], &uid);
    if (count > 0)
        doctor_say(
            doctor, "leaks",
            "run `ss -apn dport = 53` as root to see the process; a firewall can block port 53 except on loopback",
            "%u sockets are connected to port 53 of other hosts, one of user id %u", count, uid);
    else
        doctor_say(doctor, "leaks", NULL, "no socket of another program is connected to port 53 of another host");
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
