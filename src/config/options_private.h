/* SPDX-License-Identifier: MIT */
/* For the files with tables of options; include config/options.h first. */
#ifndef DOTSTUB_CONFIG_OPTIONS_PRIVATE_H
#define DOTSTUB_CONFIG_OPTIONS_PRIVATE_H

#include <stddef.h>
#include "config/config.h"

#define MEMBER(type, member)   .at = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define IN(member)             MEMBER(config, member)
#define OF(member)             MEMBER(config_upstream, member)
#define IN_LIST(member, count) IN(member), .beside = offsetof(struct config, count)
#define OF_LIST(member, count) OF(member), .beside = offsetof(struct config_upstream, count)

#define MS                  1u
#define SECOND              UINT64_C(1000)
#define HOUR                (3600 * SECOND)
#define DAY                 (24 * HOUR)
#define KIB                 (UINT64_C(1) << 10)
#define MIB                 (UINT64_C(1) << 20)
#define LONGEST_PATH        4095
#define LONGEST_SOCKET_PATH 107 /* sun_path with its NUL */
#define LONGEST_NAME        253

/* In options.c. */
extern const struct choice option_policies[], option_versions[];

#endif
