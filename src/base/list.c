/* SPDX-License-Identifier: MIT */
/* Invariant: the links of a list form a ring through its head, so neither end is a special case. */
#include "base/list.h"

void list_move_all(struct list *from, struct list *to)
{
    if (list_empty(from))
        return;
    to->head = from->head;
    to->head.next->prev = to->head.prev->next = &to->head;
    list_init(from);
}
