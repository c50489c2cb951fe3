/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked list: the link is a member of the object, so insertion and removal never allocate.
 *
 * Does:    FIFO and LIFO order, removal from the middle in O(1).
 * Owns:    nothing; a linked object must be removed before it is freed.
 * Threads: none.
 */
#ifndef DOTSTUB_BASE_LIST_H
#define DOTSTUB_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* A link outside any list has next == NULL, as zeroed memory has. */
struct list_link {
    struct list_link *next, *prev;
};

struct list {
    struct list_link head;
};

static inline void list_init(struct list *list)
{
    list->head.next = list->head.prev = &list->head;
}

static inline bool list_empty(const struct list *list)
{
    return list->head.next == &list->head;
}

static inline bool list_linked(const struct list_link *link)
{
    return link->next != NULL;
}

static inline void list_insert_after(struct list_link *where, struct list_link *link)
{
    link->prev = where;
    link->next = where->next;
    where->next->prev = link;
    where->next = link;
}

static inline void list_push_back(struct list *list, struct list_link *link)
{
    list_insert_after(list->head.prev, link);
}

static inline void list_push_front(struct list *list, struct list_link *link)
{
    list_insert_after(&list->head, link);
}

/* Does nothing if the link is in no list. */
static inline void list_remove(struct list_link *link)
{
    if (!link->next)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link->prev = NULL;
}

/* The first link, or NULL. */
static inline struct list_link *list_first(const struct list *list)
{
    return list->head.next == &list->head ? NULL : list->head.next;
}

/* The link after `link`, or NULL at the end. */
static inline struct list_link *list_next(const struct list *list, const struct list_link *link)
{
    return link->next == &list->head ? NULL : link->next;
}

/* The link before `link`, or NULL at the start. */
static inline struct list_link *list_previous(const struct list *list, const struct list_link *link)
{
    return link->prev == &list->head ? NULL : link->prev;
}

/* Visits each link in order. The body may not remove `link`. */
#define list_for_each(link, list) for (struct list_link *link = list_first(list); link; link = list_next(list, link))

/* Removes the first link and returns it, or NULL. */
static inline struct list_link *list_pop(struct list *list)
{
    struct list_link *link = list_first(list);
    if (link)
        list_remove(link);
    return link;
}

/* Moves all links of `from` to the (empty, initialised) `to`. */
void list_move_all(struct list *from, struct list *to);

#endif
