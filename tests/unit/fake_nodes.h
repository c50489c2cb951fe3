/* SPDX-License-Identifier: MIT */
/* Connections of a store without sockets (store/node.h): the test sees each command, gives the replies, and lets connections
 * succeed and fail. Link it instead of node.c. */
#ifndef DOTSTUB_TESTS_FAKE_NODES_H
#define DOTSTUB_TESTS_FAKE_NODES_H

#include "store/inside.h"

enum { FAKE_COMMANDS = 512, FAKE_ARGUMENT = 2048, FAKE_ARGUMENTS = 8 };

struct fake_command {
    struct store_command *command;
    struct node *node;
    bool answered;
    unsigned count;
    size_t len[FAKE_ARGUMENTS];
    uint8_t argument[FAKE_ARGUMENTS][FAKE_ARGUMENT];
};

/* All commands so far. */
extern struct fake_command fake_sent[FAKE_COMMANDS];
extern unsigned fake_sent_count;
/* Commands are refused; new nodes, and nodes that are woken, are down; they connect when the test says so. */
extern bool fake_nodes_full, fake_nodes_down, fake_nodes_manual;
/* The latest reason of node_refuse and node_fail. */
extern char fake_refusal[128];

void fake_nodes_reset(void);
/* Makes room: commands that were answered are forgotten. */
void fake_nodes_forget_answered(void);
/* The n-th node that was made, of those that exist, or NULL. */
struct node *fake_node(unsigned n);
/* The node whose server has this text, which is not a channel, or NULL. */
struct node *fake_node_at(const char *text);
void fake_node_connect(struct node *node);
void fake_node_lose(struct node *node);

/* The next command that the test has not seen yet, which must be this one; votes and polls of flushes are passed over. */
struct fake_command *fake_next(const char *verb);
bool fake_nothing_more(void);
/* True if the argument is this text. */
bool fake_has(const struct fake_command *command, unsigned argument, const char *text);

/* Replies; `items` NULL: the connection is lost. */
void fake_reply_items(struct fake_command *to, struct resp_item *items, uint32_t count, uint8_t *text);
void fake_reply_type(struct fake_command *to, enum resp_type type);
void fake_reply_text(struct fake_command *to, const void *data, size_t len);
/* A reply in the protocol, read by resp.c: "*2\r\n...". */
void fake_reply(struct fake_command *to, const char *resp);
/* A message that nobody asked for. */
void fake_push(struct node *node, const char *resp);

#endif
