/* SPDX-License-Identifier: MIT */
/* The only way to another thread: a locked list and a wake-up.
 *
 * Does:    any thread posts items; the loop's thread opens each exactly once, in the order of posting.
 * Owns:    nothing; an item belongs to its sender until posted, then to its `open`.
 * Threads: mailbox_post from any; the rest on the loop's thread.
 */
#ifndef DOTSTUB_NET_MAILBOX_H
#define DOTSTUB_NET_MAILBOX_H

#include <pthread.h>
#include <uv.h>
#include "net/loop.h"

struct mailbox_item {
    struct list_link link;
    void (*open)(struct mailbox_item *item, void *reader);
};

struct mailbox {
    uv_async_t async;
    pthread_mutex_t lock;
    struct list items; /* posted and not yet fetched; protected by the lock, as is `closing` */
    bool closing;
    struct list opening; /* fetched, being opened on the loop's thread */
    void *reader;
};

int mailbox_init(struct mailbox *mailbox, struct loop *loop, void *reader) MUST_CHECK;
/* Must not be called once the handle has been closed (see loop_drain). */
void mailbox_post(struct mailbox *mailbox, struct mailbox_item *item);
/* Opens the remaining items, then closes the handle; items posted meanwhile are opened in its close callback. An
 * item may call it; further calls do nothing. */
void mailbox_close(struct mailbox *mailbox);

#endif
