/* SPDX-License-Identifier: MIT */
#include "fake_nodes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/mem.h"

enum { NODES = 256 };

struct fake_command fake_sent[FAKE_COMMANDS];
unsigned fake_sent_count;
bool fake_nodes_full, fake_nodes_down, fake_nodes_manual;
char fake_refusal[128];
static unsigned seen;
static struct node *nodes[NODES];

void fake_nodes_reset(void)
{
    for (unsigned i = 0; i < fake_sent_count; i++)
        free(fake_sent[i].command);
    fake_sent_count = seen = 0;
    fake_nodes_full = fake_nodes_down = fake_nodes_manual = false;
    fake_refusal[0] = '\0';
}

void fake_nodes_forget_answered(void)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < fake_sent_count; i++)
        if (fake_sent[i].command && !fake_sent[i].answered && fake_sent[i].command->done)
            fake_sent[kept++] = fake_sent[i];
        else
            free(fake_sent[i].command);
    fake_sent_count = kept;
    seen = 0;
}

/* --- node.h --- */

struct node *node_new(struct node_owner *owner, const struct store_setup *setup, const struct store_server *server,
                      const struct node_role *role)
{
    struct node *node = calloc(1, sizeof *node);
    unsigned i = 0;
    assert_non_null(node);
    while (i < NODES && nodes[i])
        i++;
    assert_in_range(i, 0, NODES - 1);
    nodes[i] = node;
    *node = (struct node){.owner = owner, .setup = setup, .server = server, .role = role};
    node->state = fake_nodes_manual ? NODE_DOWN : NODE_READY;
    return node;
}

static void end_commands(struct node *node, bool tell)
{
    for (unsigned i = 0; i < fake_sent_count; i++) {
        struct store_command *command = fake_sent[i].command;
        if (!command || command->node != node || fake_sent[i].answered)
            continue;
        fake_sent[i].answered = true;
        if (tell && command->done)
            command->done(command, NULL);
    }
}

static void forget(struct node *node)
{
    for (unsigned i = 0; i < NODES; i++)
        if (nodes[i] == node)
            nodes[i] = NULL;
    free(node);
}

void node_leave(struct node *node)
{
    end_commands(node, false);
    forget(node);
}

void node_retire(struct node *node)
{
    node->state = NODE_CLOSING;
    end_commands(node, true);
    forget(node);
}

void node_wake(struct node *node)
{
    if (!node || node->held)
        return;
    if (!fake_nodes_manual)
        node->state = fake_nodes_down ? NODE_DOWN : NODE_READY;
    else if (node->state == NODE_DOWN && loop_now(node->owner->loop) >= node->retry_ms)
        node->state = NODE_CONNECTING;
}

void node_moved(struct node *node)
{
    node->held = false;
    node->state = NODE_DOWN;
    node->retry_ms = 0;
    end_commands(node, true);
}

uint64_t node_owes(const struct node *node, uint64_t now_ms)
{
    (void)node;
    (void)now_ms;
    return 0;
}

static struct store_command *give(struct node *node, const struct bytes *arguments, unsigned count)
{
    struct fake_command *one = &fake_sent[fake_sent_count];
    assert_in_range(fake_sent_count, 0, FAKE_COMMANDS - 1);
    memset(one, 0, sizeof *one);
    one->command = calloc(1, sizeof *one->command);
    assert_non_null(one->command);
    one->command->node = one->node = node;
    one->count = count;
    for (unsigned i = 0; i < count; i++) {
        assert_in_range(arguments[i].len, 0, FAKE_ARGUMENT - 1);
        one->len[i] = arguments[i].len;
        if (arguments[i].len > 0)
            memcpy(one->argument[i], arguments[i].data, arguments[i].len);
    }
    fake_sent_count++;
    return one->command;
}

struct store_command *node_command_when(struct node *node, const struct bytes *arguments, unsigned count,
                                        enum node_when when)
{
    (void)when;
    return fake_nodes_full || !node_is_ready(node) ? NULL : give(node, arguments, count);
}

bool node_redirect(struct store_command *request, struct node *to, bool asking)
{
    unsigned i = 0;
    if (!node_is_ready(to) || request->redirects == NODE_REDIRECTS)
        return false;
    while (fake_sent[i].command != request)
        i++;
    if (asking)
        assert_non_null(node_command(to, (struct bytes[]){{(const uint8_t *)"ASKING", 6}}, 1));
    fake_sent[fake_sent_count] = fake_sent[i];
    fake_sent[i].command = NULL;
    fake_sent[fake_sent_count].node = request->node = to;
    fake_sent[fake_sent_count].answered = false;
    fake_sent_count++;
    request->redirects++;
    return true;
}

uint64_t node_check(struct node *node, uint64_t now_ms)
{
    (void)node;
    (void)now_ms;
    return LOOP_NEVER;
}

void nodes_flush(struct node_owner *owner)
{
    (void)owner;
}

int node_greet(struct node *node, const struct bytes *arguments, unsigned count,
               void (*done)(struct store_command *request, const struct resp_reply *reply), unsigned which)
{
    struct store_command *command = give(node, arguments, count);
    command->done = done;
    command->which = (uint8_t)which;
    node->greeting++;
    return 0;
}

void node_greeted(struct node *node)
{
    if (--node->greeting > 0)
        return;
    node->state = NODE_READY;
    if (node->role->ready)
        node->role->ready(node);
}

void node_fail(struct node *node, const struct resp_reply *error)
{
    const struct resp_item *item = &error->items[0];
    size_t len = item->len < sizeof fake_refusal ? item->len : sizeof fake_refusal - 1;
    memcpy(fake_refusal, resp_text(error, item), len);
    fake_refusal[len] = '\0';
    node->state = NODE_CLOSING;
}

void node_refuse(struct node *node, const char *why)
{
    if (why != fake_refusal)
        snprintf(fake_refusal, sizeof fake_refusal, "%s", why);
    node->state = NODE_CLOSING;
}

/* --- connections --- */

struct node *fake_node(unsigned n)
{
    for (unsigned i = 0; i < NODES; i++)
        if (nodes[i] && n-- == 0)
            return nodes[i];
    return NULL;
}

struct node *fake_node_at(const char *text)
{
    for (unsigned i = 0; i < NODES; i++)
        if (nodes[i] && nodes[i]->role->label && strcmp(nodes[i]->server->text, text) == 0)
            return nodes[i];
    return NULL;
}

void fake_node_connect(struct node *node)
{
    assert_non_null(node);
    assert_int_equal(node->state, NODE_CONNECTING);
    node->state = NODE_GREETING;
    node->greeting = 1;
    if (node->role->greet)
        assert_int_equal(node->role->greet(node), 0);
    node_greeted(node);
}

void fake_node_lose(struct node *node)
{
    node->state = NODE_DOWN;
    node->retry_ms = loop_now(node->owner->loop) + 100;
    end_commands(node, true);
    if (node->role->lost)
        node->role->lost(node);
}

/* --- commands --- */

static void pass_over(void)
{
    while (seen < fake_sent_count && (fake_sent[seen].argument[0][0] == 'Z' || fake_sent[seen].argument[0][0] == 'P'))
        seen++;
}

struct fake_command *fake_next(const char *verb)
{
    pass_over();
    assert_in_range(seen, 0, fake_sent_count - 1);
    assert_int_equal(fake_sent[seen].len[0], strlen(verb));
    assert_memory_equal(fake_sent[seen].argument[0], verb, strlen(verb));
    return &fake_sent[seen++];
}

bool fake_nothing_more(void)
{
    pass_over();
    return seen == fake_sent_count;
}

bool fake_has(const struct fake_command *command, unsigned argument, const char *text)
{
    return argument < command->count && command->len[argument] == strlen(text) &&
           memcmp(command->argument[argument], text, strlen(text)) == 0;
}

/* --- replies --- */

void fake_reply_items(struct fake_command *to, struct resp_item *items, uint32_t count, uint8_t *text)
{
    struct resp_reply reply = {.items = items, .count = count, .text = text};
    struct store_command *command = to->command;
    if (to->answered)
        return;
    to->answered = true;
    if (items && items[0].type == RESP_ERROR && to->node->role->refused &&
        to->node->role->refused(to->node, command, &reply))
        return;
    if (command->done)
        command->done(command, items ? &reply : NULL);
}

void fake_reply_type(struct fake_command *to, enum resp_type type)
{
    uint8_t text[4] = "";
    fake_reply_items(to, &(struct resp_item){.type = type, .after = 1}, 1, text);
}

void fake_reply_text(struct fake_command *to, const void *data, size_t len)
{
    uint8_t text[FAKE_ARGUMENT];
    memcpy(text, data, len);
    fake_reply_items(to, &(struct resp_item){.type = RESP_TEXT, .after = 1, .len = len}, 1, text);
}

static struct resp *read_reply(const char *text, struct resp_reply *reply)
{
    struct resp *resp = resp_new();
    assert_non_null(resp);
    assert_int_equal(resp_feed(resp, (struct bytes){(const uint8_t *)text, strlen(text)}), 0);
    assert_int_equal(resp_next(resp, reply), 1);
    return resp;
}

void fake_reply(struct fake_command *to, const char *text)
{
    struct resp_reply reply;
    struct resp *resp = read_reply(text, &reply);
    fake_reply_items(to, reply.items, reply.count, reply.text);
    resp_free(resp);
}

void fake_push(struct node *node, const char *text)
{
    struct resp_reply reply;
    struct resp *resp = read_reply(text, &reply);
    assert_true(node->role->pushed(node, &reply));
    resp_free(resp);
}
