/* SPDX-License-Identifier: MIT */
/* The configuration as JSON, and its JSON schema.
 *
 * Owns:    Nothing; the caller gets a new reference.
 * Threads: Any.
 */
#ifndef DOTSTUB_CONFIG_JSON_H
#define DOTSTUB_CONFIG_JSON_H

#include "config/config.h"

struct json_t; /* of jansson */

/* Every setting of a snapshot of config_load, in the order of config_print: an array of {"setting", "value",
 * "origin"}. Switches are booleans, whole numbers are numbers, lists are arrays; durations, sizes, addresses and
 * texts are strings that the reader accepts. NULL: out of memory. */
struct json_t *config_to_json(const struct config *config);
/* Makes a snapshot from such an array, received from a daemon with the same options; the origins are `name`. 0,
 * ERROR_CONFIG or -ENOMEM. */
int config_from_json(struct config **out, const struct json_t *settings, const char *name, FILE *errors) MUST_CHECK;
/* Prints a JSON schema (draft 2020-12) of dotstub.yaml, made from the option table. 0 or a negative error. */
int config_print_schema(FILE *out) MUST_CHECK;

#endif
