/* SPDX-License-Identifier: MIT */
/* Finds the configuration in force: the daemon's own, by its control socket, since it may have been started with
 * another file or environment than dotstubctl, or have rejected a reload. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "client.h"
#include "config/json.h"
#include "doctor.h"
#include "locate.h"

extern char **environ;

/* Asks the daemon, unless an earlier request got no reply: each waits CLIENT_PATIENCE_S. */
static json_t *ask_control(struct doctor *doctor, const char *target)
{
    struct client_reply reply;
    if (!doctor->socket || doctor->silent)
        return NULL;
    doctor->silent = client_ask(&reply, doctor->socket, "GET", target);
    if (doctor->silent)
        return NULL;
    json_t *root = reply.status == 200 ? json_loads(reply.body, 0, NULL) : NULL;
    free(reply.body);
    return root;
}

/* NULL: no daemon, or one with options that this program does not know. */
static struct config *config_of_daemon(struct doctor *doctor, FILE *nowhere)
{
    json_t *reply = ask_control(doctor, "/config");
    struct config *config = NULL;
    if (reply && config_from_json(&config, json_object_get(reply, "settings"), "the daemon", nowhere) < 0)
        config = NULL;
    json_decref(reply);
    return config;
}

/* Adds a finding with the first of the mistakes. */
static void tell_mistakes(struct doctor *doctor, const char *mistakes)
{
    doctor_say(doctor, "config",
               doctor->config ? "run dotstubctl check; a restart of dotstub would fail"
                              : "run dotstubctl check; dotstub does not start with it",
               "the configuration has mistakes: %.*s", (int)strcspn(mistakes, "\n"), mistakes);
}

/* The configuration of the files and the environment; NULL after telling its mistakes. */
static struct config *config_of_files(struct doctor *doctor)
{
    struct config *config = NULL;
    char *mistakes = NULL;
    size_t len;
    FILE *errors = open_memstream(&mistakes, &len);
    if (!errors)
        return NULL;
    int status = config_load(&config, doctor->options->config, environ, errors);
    if (fclose(errors) == 0 && status < 0)
        tell_mistakes(doctor, mistakes);
    free(mistakes);
    return status < 0 ? NULL : config;
}

bool doctor_is_ours(const struct doctor *doctor, const struct addr *server)
{
    for (size_t i = 0; i < doctor->config->listen_count; i++) {
        struct addr listening = locate_asked(&doctor->config->listen[i]);
        if (addr_equal(&listening, server))
            return true;
    }
    return false;
}

int doctor_read_config(struct doctor *doctor)
{
    FILE *nowhere = fopen("/dev/null", "w");
    if (!nowhere)
        return -errno;
    doctor->config = config_of_daemon(doctor, nowhere);
    doctor->status = ask_control(doctor, "/status");
    doctor->stats = ask_control(doctor, "/stats");
    doctor->lists = ask_control(doctor, "/block");
    bool other_file = doctor->config && doctor->options->socket && !doctor->options->config;
    struct config *files = other_file ? NULL : config_of_files(doctor); /* with -s alone the daemon's file is unknown */
    if (!doctor->config)
        doctor->config = files;
    else
        config_unref(files);
    int status = doctor->config ? 0 : config_load_text(&doctor->config, "the defaults", "", nowhere);
    fclose(nowhere);
    if (status == 0)
        doctor->server = locate_listener(doctor->config);
    return status;
}
