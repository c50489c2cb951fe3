/* SPDX-License-Identifier: MIT */
/* system status, enable, disable: make dotstub this machine's resolver.
 *
 * Invariant: after `enable` the machine either uses a dotstub that has answered, or is unchanged. Changes without a
 * confirmation in the journal are undone before anything else is done.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/errors.h"
#include "bypass.h"
#include "client.h"
#include "command.h"
#include "dns/codes.h"
#include "keep_local.h"
#include "locate.h"
#include "net/socket.h"
#include "plan.h"
#include "presence.h"
#include "table.h"

enum {
    PRESENT_MS = 1000,  /* timeout for a name that the daemon answers itself */
    FIRST_MS = 5000,    /* timeout for the first lookup upstream */
    PROGRAMS_MS = 3000, /* timeout for a lookup with getaddrinfo */
    ROUTER_MS = 1000,   /* timeout for a lookup at the router */
    RETRY_MS = 200,
};
#define FIRST_NAME "example.com"

extern char **environ;

struct system {
    const struct options *options;
    const char *root;
    struct config *config;    /* NULL for disable */
    char keep_path[PATH_MAX]; /* the file for the zones that the router keeps */
    struct keep_local keep;   /* zones that the router may keep */
    bool dry, json;
    struct resolv resolv;
    struct plan_wish wish;
    enum change_state state;
    char name[CHANGE_NAME];
};

/* --- running commands --- */

static int run_command(const char *const *words)
{
    char *arguments[PLAN_WORDS + 1] = {NULL};
    pid_t child;
    int status = 0;
    for (unsigned i = 0; i < PLAN_WORDS && words[i]; i++)
        arguments[i] = (char *)words[i];
    int error = posix_spawnp(&child, words[0], NULL, NULL, arguments, environ);
    if (error) {
        fprintf(stderr, "dotstubctl: cannot run %s: %s\n", words[0], error_text(-error));
        return -error;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    fprintf(stderr, "dotstubctl: `%s %s` failed\n", words[0], words[1] ? words[1] : "");
    return -ECHILD;
}

/* Runs all commands; returns 0 or the last failure. With --root no service runs, so it does nothing. */
static int run_commands(const struct system *system, const char *const (*commands)[PLAN_WORDS])
{
    int worst = 0, status;
    for (unsigned i = 0; i < PLAN_COMMANDS && commands[i][0] && !*system->root; i++) {
        status = run_command(commands[i]);
        worst = status < 0 ? status : worst;
    }
    return worst;
}

static void explain_commands(const struct system *system, const char *const (*commands)[PLAN_WORDS])
{
    for (unsigned i = 0; i < PLAN_COMMANDS && commands[i][0] && !*system->root; i++) {
        fputs("would run:", stdout);
        for (unsigned word = 0; word < PLAN_WORDS && commands[i][word]; word++)
            printf(" %s", commands[i][word]);
        fputc('\n', stdout);
    }
}

/* --- testing --- */

static int first_lookup(const struct addr *server, uint64_t deadline_ms)
{
    struct probe_response response = {.rcode = RCODE_SERVFAIL};
    int status = -ETIMEDOUT;
    for (uint64_t now; (now = clock_ms()) < deadline_ms; usleep(RETRY_MS * 1000)) {
        status = probe_send(&response, server, FIRST_NAME, TYPE_A, false, (unsigned)(deadline_ms - now));
        if (status == 0 && probe_is_good(&response))
            return 0;
    }
    char address[ADDR_TEXT];
    fprintf(stderr, "dotstubctl: %s did not resolve " FIRST_NAME " within 5 s (%s)\n",
            addr_format(server, true, address),
            status < 0 ? error_text(status) : "it returned an error; run dotstubctl status");
    return -ETIMEDOUT;
}

/* Repeats a lookup with getaddrinfo until it reaches dotstub: a restarted manager needs a moment. */
static int try_programs(uint64_t deadline_ms)
{
    int status;
    while ((status = presence_check_programs(PROGRAMS_MS)) != 0 && clock_ms() < deadline_ms)
        usleep(RETRY_MS * 1000);
    if (status != 0)
        fprintf(
            stderr,
            "dotstubctl: a lookup with getaddrinfo, as most programs do, did not reach dotstub: %s; `dotstubctl doctor` "
            "says which file is the reason\n",
            presence_error(status));
    return status > 0 ? -EHOSTUNREACH : status;
}

/* Queries dotstub, then the nameserver that programs use now, then does a lookup with getaddrinfo. */
static int try_system(const struct system *system)
{
    struct resolv now;
    uint64_t deadline_ms = clock_ms() + FIRST_MS;
    int status = first_lookup(&system->wish.server, deadline_ms);
    if (status < 0 || *system->root)
        return status;
    status = resolv_read(&now, "");
    if (status == 0 && now.server_count == 0)
        status = -ENOENT;
    if (status < 0)
        fputs("dotstubctl: " RESOLV_CONF " has no nameserver\n", stderr);
    else
        status = first_lookup(&now.servers[0], deadline_ms);
    resolv_free(&now);
    return status < 0 ? status : try_programs(deadline_ms);
}

static bool is_present(const struct addr *server)
{
    struct probe_response response;
    return presence_check(&response, server, false, PRESENT_MS) == 0;
}

/* EXIT_OK if dotstub answers, else an exit status after printing which program does. */
static int require_presence(const struct addr *server, const char *consequence)
{
    struct probe_response response;
    char address[ADDR_TEXT], holder[128];
    int status = presence_check(&response, server, false, PRESENT_MS);
    addr_format(server, true, address);
    if (status == 0)
        return EXIT_OK;
    socket_port_holder(server, holder, sizeof holder);
    if (status == PRESENCE_OTHER)
        fprintf(stderr, "dotstubctl: not dotstub but %s answers at %s: stop that program and start dotstub%s\n",
                *holder ? holder : "another program", address, consequence);
    else
        fprintf(stderr, "dotstubctl: dotstub does not answer at %s: start it first%s\n", address, consequence);
    return EXIT_NO_DAEMON;
}

/* --- other files --- */

static void print_bypass(void *context, const struct bypass *bypass)
{
    fprintf(context, "note: %s: %s\n", bypass->says, bypass->remedy);
}

static void add_bypass(void *context, const struct bypass *bypass)
{
    (void)json_array_append_new(context, json_pack("{s:s, s:b, s:s, s:s}", "check", bypass->check, "leaks",
                                                   bypass->leaks, "says", bypass->says, "remedy", bypass->remedy));
}

/* Reports what may bypass dotstub with this content of resolv.conf. */
static void tell_bypasses(const struct system *system, const struct resolv *resolv, const struct manager *manager,
                          void (*tell)(void *context, const struct bypass *bypass), void *context)
{
    struct addr server = system->wish.server;
    addr_set_port(&server, 53);
    const struct bypass_view view = {.root = system->root,
                                     .resolv = resolv,
                                     .servers = &server,
                                     .server_count = 1,
                                     .by_resolved = strcmp(manager->name, "resolved") == 0,
                                     .trust_ad = system->wish.trust_ad};
    bypass_each(&view, tell, context);
}

/* The same for the present or planned file after `enable`: it lists dotstub, and its comments stay. */
static void print_bypasses(const struct system *system, const struct manager *manager)
{
    struct resolv resolv = system->resolv;
    resolv.servers[0] = system->wish.server;
    addr_set_port(&resolv.servers[0], 53);
    resolv.server_count = 1;
    tell_bypasses(system, &resolv, manager, print_bypass, stdout);
}

/* --- zones that the router keeps --- */

/* The daemon reads the configuration again. 0, also if no daemon can be asked, or negative after printing why. */
static int reload_daemon(const struct system *system)
{
    char path[PATH_MAX];
    struct client_reply reply = {.body = NULL};
    if (*system->root || !locate_socket_quietly(system->options, path))
        return 0;
    int status = client_ask(&reply, path, "POST", "/reload");
    if (status < 0) {
        printf("note: the configuration takes effect when the daemon is reloaded: %s\n", error_text(status));
        return 0;
    }
    unsigned http = reply.status;
    free(reply.body);
    if (http == 200)
        return 0;
    fputs("dotstubctl: the daemon refused the configuration; `dotstubctl reload` prints why\n", stderr);
    return -EINVAL;
}

/* The drop-in beside the configuration file, below the root. False: the daemon of that root would not read it. */
static bool find_keep_path(struct system *system)
{
    const char *file = system->options->config ? system->options->config : SYSCONFDIR "/dotstub/dotstub.yaml";
    size_t root = strlen(system->root);
    char whole[PATH_MAX];
    if (!realpath(file, whole))
        snprintf(whole, sizeof whole, "%s", file);
    bool below = strncmp(whole, system->root, root) == 0 && whole[root] == '/';
    if (root > 0 && !below && system->options->config)
        return false;
    const char *inside = below ? whole + root : whole;
    const char *slash = strrchr(inside, '/');
    return slash && snprintf(system->keep_path, PATH_MAX, "%.*s/conf.d/" KEEP_LOCAL_FILE, (int)(slash - inside),
                             inside) < PATH_MAX;
}

/* With systemd-resolved, the file that lists the servers of the links. */
static void find_zones(struct system *system)
{
    char path[PATH_MAX];
    struct resolv links;
    const struct resolv *used = &system->resolv;
    snprintf(path, sizeof path, "%s/run/systemd/resolve/resolv.conf", system->root);
    bool of_links =
        used->server_count > 0 && addr_is_loopback(&used->servers[0]) && resolv_read_file(&links, path) == 0;
    keep_local_find(&system->keep, of_links ? &links : used, system->config);
    if (of_links)
        resolv_free(&links);
}

/* True if the router answers for the zone; below another root nobody can be asked. */
static bool is_answered(const struct system *system, const char *zone)
{
    struct probe_response response;
    return *system->root || (probe_send(&response, &system->keep.servers[0], zone, TYPE_SOA, false, ROUTER_MS) == 0 &&
                             probe_is_good(&response));
}

/* Y is the default for names that the public DNS does not have. */
static bool ask_to_keep(const struct keep_zone *zone, const char *server)
{
    char line[16];
    printf("%s was answered by %s; keep it? [%s] ", zone->name, server, zone->is_private ? "Y/n" : "y/N");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return false;
    return *line == 'y' || *line == 'Y' || (*line == '\n' && zone->is_private);
}

/* Decides which zones the router keeps: asks on a terminal; else, with --keep-local, all that the public DNS does not
 * have. */
static void choose_zones(struct system *system)
{
    bool all = system->options->given & OWN(OWN_KEEP_LOCAL);
    bool asks = !all && !system->dry && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    char address[ADDR_TEXT];
    find_zones(system);
    for (unsigned i = 0; i < system->keep.zone_count; i++) {
        struct keep_zone *zone = &system->keep.zones[i];
        addr_format(&system->keep.servers[0], false, address);
        if (!is_answered(system, zone->name))
            continue;
        zone->keep = asks ? ask_to_keep(zone, address) : all && zone->is_private;
        if (!asks && !zone->keep)
            printf("note: %s was answered by %s, and is now sent to the upstreams; %s\n", zone->name, address,
                   zone->is_private ? "--keep-local keeps it there" : "a route keeps it there, see routes.md");
    }
}

/* 0, or an exit status after printing why. */
static int plan_kept_zones(struct system *system)
{
    choose_zones(system);
    char *text = keep_local_text(&system->keep);
    if (!text)
        return EXIT_OK;
    system->wish.keep_text = text;
    system->wish.keep_path = system->keep_path;
    if (find_keep_path(system))
        return EXIT_OK;
    fprintf(stderr, "dotstubctl: %s is not below %s, so its daemon would not read a file for the zones of the router\n",
            system->options->config, system->root);
    return EXIT_OTHER;
}

/* --- undoing --- */

/* Undoes an enable, also an incomplete one. */
static int undo(const struct system *system)
{
    char name[CHANGE_NAME];
    bool kept = change_names(system->root, "/conf.d/" KEEP_LOCAL_FILE);
    (void)change_state(system->root, name);
    const struct manager *manager = plan_manager_named(name);
    if (manager)
        (void)run_commands(system, manager->undo_before);
    int status = change_undo(system->root);
    if (manager && run_commands(system, manager->undo_after) < 0 && status == 0)
        status = -ECHILD;
    if (kept)
        (void)reload_daemon(system);
    return status;
}

static int disable(const struct system *system)
{
    const struct manager *manager = plan_manager_named(system->name);
    if (system->state == CHANGE_OFF) {
        puts("off: nothing to undo");
        return EXIT_OK;
    }
    if (system->dry) {
        if (manager)
            explain_commands(system, manager->undo_before);
        change_explain_undo(system->root, stdout);
        if (manager)
            explain_commands(system, manager->undo_after);
        return EXIT_OK;
    }
    if (undo(system) < 0)
        return EXIT_OTHER;
    puts("off: the original files are restored");
    return EXIT_OK;
}

/* --- enabling --- */

/* Applies and tests the plan, then confirms it, or undoes it on any failure. */
static int carry_out(const struct system *system, const struct plan *plan)
{
    int status = change_apply(&plan->changes);
    if (status == 0)
        status = run_commands(system, plan->manager->apply);
    if (status == 0 && system->wish.keep_path)
        status = reload_daemon(system);
    if (status == 0)
        status = try_system(system);
    if (status == 0)
        status = change_confirm(system->root);
    if (status == 0)
        return EXIT_OK;
    status = undo(system);
    fputs(status == 0         ? "dotstubctl: all changes were undone\n"
          : status == -ECHILD ? "dotstubctl: all files were restored, but a command failed, see above\n"
                              : "dotstubctl: some changes could not be undone: run `dotstubctl system disable`\n",
          stderr);
    return EXIT_OTHER;
}

static int explain(const struct system *system, const struct plan *plan)
{
    char address[ADDR_TEXT];
    printf(*plan->manager->title == '/' ? "# the nameservers are in %s\n" : "# nameservers are managed by %s\n",
           plan->manager->title);
    change_explain(&plan->changes, stdout);
    explain_commands(system, plan->manager->apply);
    printf("would query %s for " FIRST_NAME ", and undo all changes unless it answers within 5 s\n",
           addr_format(&system->wish.server, true, address));
    if (!*system->root)
        puts("would look up a name with getaddrinfo, and undo all changes unless the query reaches dotstub");
    return EXIT_OK;
}

/* Undoes an interrupted call, then reads resolv.conf again. 0 or an exit status. */
static int recover(struct system *system)
{
    if (system->state != CHANGE_INTERRUPTED)
        return EXIT_OK;
    if (system->dry) {
        puts("would first undo an interrupted call:");
        return disable(system);
    }
    if (undo(system) < 0)
        return EXIT_OTHER;
    resolv_free(&system->resolv);
    return resolv_read(&system->resolv, system->root) < 0 ? EXIT_OTHER : EXIT_OK;
}

static bool first_is(const struct resolv *resolv, const struct addr *server)
{
    struct addr wanted = *server;
    addr_set_port(&wanted, 53);
    return resolv->server_count > 0 && addr_equal(&resolv->servers[0], &wanted);
}

/* True if, according to the files, programs use dotstub. */
static bool is_in_force(const struct system *system)
{
    bool by_resolved = strcmp(system->name, "resolved") == 0;
    return system->state == CHANGE_ON && (by_resolved || first_is(&system->resolv, &system->wish.server));
}

static int already_on(const struct system *system)
{
    if (is_in_force(system)) {
        int status = require_presence(&system->wish.server, "");
        if (status == EXIT_OK)
            puts("already on");
        return status;
    }
    fputs("dotstubctl: already on, but " RESOLV_CONF
          " was changed since: run `dotstubctl system disable`, then enable again\n",
          stderr);
    return EXIT_OTHER;
}

static int enable(struct system *system)
{
    struct plan plan;
    char address[ADDR_TEXT];
    addr_format(&system->wish.server, true, address);
    if (system->state == CHANGE_ON)
        return already_on(system);
    int status = recover(system);
    if (status != EXIT_OK)
        return status;
    const struct manager *manager = plan_find_manager(&system->resolv, system->root);
    if (!manager->any_port && addr_port(&system->wish.server) != 53) {
        fprintf(stderr, "dotstubctl: dotstub listens at %s, but %s supports only port 53\n", address, manager->title);
        return EXIT_OTHER;
    }
    status = system->dry ? EXIT_OK : require_presence(&system->wish.server, ". Nothing was changed");
    if (status != EXIT_OK)
        return status;
    status = plan_kept_zones(system);
    if (status != EXIT_OK)
        return status;
    if (plan_make(&plan, manager, &system->resolv, &system->wish) < 0)
        return EXIT_OTHER;
    status = system->dry ? explain(system, &plan) : carry_out(system, &plan);
    if (status == EXIT_OK && !system->dry)
        printf("on: programs use dotstub at %s through %s; `dotstubctl system disable` undoes this\n", address,
               manager->title);
    if (status == EXIT_OK)
        print_bypasses(system, manager);
    change_free(&plan.changes);
    return status;
}

/* --- status --- */

static json_t *addresses(const struct resolv *resolv)
{
    json_t *array = json_array();
    char address[ADDR_TEXT];
    for (unsigned i = 0; i < resolv->server_count; i++)
        (void)json_array_append_new(array, json_string(addr_format(&resolv->servers[i], false, address)));
    return array;
}

/* Null with --root, where no program runs. */
static json_t *programs_arrive(const struct system *system)
{
    return *system->root ? json_null() : json_boolean(presence_check_programs(PROGRAMS_MS) == 0);
}

static json_t *describe(const struct system *system)
{
    static const char *const states[] = {
        [CHANGE_OFF] = "off", [CHANGE_INTERRUPTED] = "interrupted", [CHANGE_ON] = "on"};
    const struct manager *manager = plan_manager_named(system->name);
    char address[ADDR_TEXT];
    json_t *notes = json_array();
    if (!manager)
        manager = plan_find_manager(&system->resolv, system->root);
    json_t *root = json_object();
    (void)json_object_set_new(root, "state", json_string(states[system->state]));
    (void)json_object_set_new(root, "in_force", json_boolean(is_in_force(system)));
    (void)json_object_set_new(root, "manager", json_string(manager->title));
    (void)json_object_set_new(root, "nameservers", addresses(&system->resolv));
    (void)json_object_set_new(root, "dotstub", json_string(addr_format(&system->wish.server, true, address)));
    (void)json_object_set_new(root, "responding", json_boolean(is_present(&system->wish.server)));
    (void)json_object_set_new(root, "programs_arrive", programs_arrive(system));
    tell_bypasses(system, &system->resolv, manager, add_bypass, notes);
    (void)json_object_set_new(root, "notes", notes);
    return root;
}

static void print_status(const json_t *root)
{
    char text[TABLE_CELL], remedy[TABLE_CELL];
    size_t i;
    json_t *server, *note;
    bool on = strcmp(table_field(root, "state", text), "on") == 0;
    printf("system    %s", text);
    if (strcmp(text, "interrupted") == 0)
        fputs(": enable or disable was interrupted; run it again", stdout);
    if (on && !json_is_true(json_object_get(root, "in_force")))
        fputs(", but " RESOLV_CONF " was changed since", stdout);
    printf("\nmanager   %s\nprograms use ", table_field(root, "manager", text));
    json_array_foreach(json_object_get(root, "nameservers"), i, server)
        printf("%s%s", i ? ", " : "", table_text(server, text));
    printf("\ndotstub   %s at %s\n", json_is_true(json_object_get(root, "responding")) ? "answers" : "does not answer",
           table_field(root, "dotstub", text));
    if (json_is_boolean(json_object_get(root, "programs_arrive")))
        printf("lookups   of programs %s dotstub\n",
               json_is_true(json_object_get(root, "programs_arrive")) ? "arrive at" : "do not arrive at");
    json_array_foreach(json_object_get(root, "notes"), i, note)
        printf("note: %s: %s\n", table_field(note, "says", text), table_field(note, "remedy", remedy));
}

static int status(const struct system *system)
{
    json_t *root = describe(system);
    bool good = json_is_true(json_object_get(root, "in_force")) && json_is_true(json_object_get(root, "responding")) &&
                !json_is_false(json_object_get(root, "programs_arrive"));
    if (!root)
        return EXIT_OTHER;
    if (!system->json)
        print_status(root);
    else if (table_print_json(json_incref(root), stdout, TABLE_INDENT) < 0)
        good = false;
    json_decref(root);
    return good ? EXIT_OK : EXIT_DEGRADED;
}

/* --- the command --- */

/* `disable` must work without a valid configuration. */
static int inspect(struct system *system, const struct options *options, bool disables)
{
    struct config *config = NULL;
    int status = disables ? EXIT_OK : locate_config(options, &config);
    if (status != EXIT_OK)
        return status;
    if (config)
        system->wish.server = locate_listener(config);
    system->config = config;
    status = resolv_read(&system->resolv, system->root);
    if (status < 0) {
        fprintf(stderr, "dotstubctl: cannot read %s" RESOLV_CONF ": %s\n", system->root, error_text(status));
        return EXIT_OTHER;
    }
    system->state = change_state(system->root, system->name);
    return EXIT_OK;
}

int system_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    struct system system = {.options = options,
                            .root = options->value[OWN_ROOT] ? options->value[OWN_ROOT] : "",
                            .dry = options->given & OWN(OWN_DRY_RUN),
                            .json = options->json};
    bool enables = strcmp(arguments[0], "enable") == 0, disables = strcmp(arguments[0], "disable") == 0;
    bool changes = (enables || disables) && !system.dry;
    system.wish = (struct plan_wish){.root = system.root, .trust_ad = options->given & OWN(OWN_TRUST_AD)};
    (void)count;
    if (!enables && !disables && strcmp(arguments[0], "status") != 0) {
        fprintf(stderr, "usage: dotstubctl %s %s\n", command->name, command->arguments);
        return EXIT_USAGE;
    }
    if (changes && geteuid() != 0) {
        fputs("dotstubctl: run as root to change the system; --dry-run shows the changes\n", stderr);
        return EXIT_NO_PERMISSION;
    }
    if (changes && change_lock(system.root) < 0)
        return EXIT_OTHER;
    int result = inspect(&system, options, disables);
    if (result == EXIT_OK)
        result = enables ? enable(&system) : disables ? disable(&system) : status(&system);
    resolv_free(&system.resolv);
    config_unref(system.config);
    free(system.wish.keep_text);
    return result;
}
