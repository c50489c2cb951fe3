/* SPDX-License-Identifier: MIT */
/* The only way to another thread: a locked list and a wake-up.
 *
 * Does:    an item posted from any thread is opened on the loop's thread, in the order of posting; none is lost and
 *          none opened twice.
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
    struct list items; /* posted and not yet fetched; with `closing`, under the lock */
    bool closing;
    struct list opening; /* fetched, being opened on the loop's thread */
    void *reader;
};

int mailbox_init(struct mailbox *mailbox, struct loop *loop, void *reader) MUST_CHECK;
/* No item may be posted once the handle has been closed (loop_drain says so). */
void mailbox_post(struct mailbox *mailbox, struct mailbox_item *item);
/* Opens the items still inside, then closes the handle; those posted meanwhile are opened in its close callback. May
 * be called by an item; calling it again does nothing. */
void mailbox_close(struct mailbox *mailbox);

#endif
