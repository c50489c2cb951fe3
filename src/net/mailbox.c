/* SPDX-License-Identifier: MIT */
/* The only way to another thread: a locked list and a wake-up.
 *
 * Invariants:
 * - `items` is used only under the lock, `opening` only on the loop's thread. The loop's thread sets `closing`
 *   under the lock, and so may read it without the lock; after the lock is destroyed only `closing` is read.
 * - The lock is never held while an item is opened: a poster waits for a few instructions at most.
 * - A wake-up is sent under the lock and only while `closing` is not set, so never to a closed handle.
 * - Items are opened from the front of `opening`, and new ones are fetched only when it is empty: items are opened
 *   in the order of posting, even if one of them closes the mailbox.
 */
#include "net/mailbox.h"

static void mailbox_open(struct mailbox *mailbox)
{
    struct list_link *link;
    while ((link = list_pop(&mailbox->opening))) {
        struct mailbox_item *item = container_of(link, struct mailbox_item, link);
        item->open(item, mailbox->reader);
    }
}

/* Fetches the posted items; false: none. */
static bool mailbox_fetch(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    list_move_all(&mailbox->items, &mailbox->opening);
    pthread_mutex_unlock(&mailbox->lock);
    return !list_empty(&mailbox->opening);
}

/* One batch a turn, so that a busy poster cannot block the loop. */
static void mailbox_on_wakeup(uv_async_t *async)
{
    struct mailbox *mailbox = async->data;
    if (mailbox_fetch(mailbox))
        mailbox_open(mailbox);
}

int mailbox_init(struct mailbox *mailbox, struct loop *loop, void *reader)
{
    *mailbox = (struct mailbox){.reader = reader};
    list_init(&mailbox->items);
    list_init(&mailbox->opening);
    int status = -pthread_mutex_init(&mailbox->lock, NULL);
    if (status < 0)
        return status;
    status = uv_async_init(&loop->uv, &mailbox->async, mailbox_on_wakeup);
    if (status < 0)
        goto fail;
    mailbox->async.data = mailbox;
    return 0;
fail:
    pthread_mutex_destroy(&mailbox->lock);
    return status;
}

void mailbox_post(struct mailbox *mailbox, struct mailbox_item *item)
{
    pthread_mutex_lock(&mailbox->lock);
    list_push_back(&mailbox->items, &item->link);
    if (!mailbox->closing)
        uv_async_send(&mailbox->async);
    pthread_mutex_unlock(&mailbox->lock);
}

static void mailbox_open_all(struct mailbox *mailbox)
{
    do {
        mailbox_open(mailbox);
    } while (mailbox_fetch(mailbox));
}

static void mailbox_on_closed(uv_handle_t *handle)
{
    struct mailbox *mailbox = handle->data;
    mailbox_open_all(mailbox);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_close(struct mailbox *mailbox)
{
    if (mailbox->closing)
        return;
    pthread_mutex_lock(&mailbox->lock);
    mailbox->closing = true;
    pthread_mutex_unlock(&mailbox->lock);
    mailbox_open_all(mailbox);
    uv_close((uv_handle_t *)&mailbox->async, mailbox_on_closed);
}
