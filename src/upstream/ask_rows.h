/* SPDX-License-Identifier: MIT */
/* The state table of an ask, for ask.c and for the test that walks it. */
#ifndef DOTSTUB_UPSTREAM_ASK_ROWS_H
#define DOTSTUB_UPSTREAM_ASK_ROWS_H

#include "upstream/attempt.h"

enum ask_state {
    ASK_IDLE, /* not begun, or over */
    ASK_ONE,  /* one attempt is live */
    ASK_TWO,  /* two attempts are live: the later one is the hedge */
    /* No attempt is live: an isolated one lost its session, and whether the query was the reason is not known yet. */
    ASK_SUSPECT,
    ASK_SUSPECT_ONE, /* the same, and another attempt is live */
    ASK_STATES,
};

/* Events: the outcome of an attempt, or one of these values. */
enum ask_event {
    EVENT_START = OUTCOMES,
    EVENT_LOOK,   /* the timeout `look` has passed */
    EVENT_SILENT, /* the session of a live attempt is silent or suspect */
    EVENT_JOIN,
    EVENT_CANCEL,
};

enum ask_action {
    ACTION_RETRY,           /* sends a retry, if attempts are left */
    ACTION_RESEND,          /* a retry, because a session ended */
    ACTION_RESEND_BESIDE,   /* the same, unless the other live attempt may still be answered in time */
    ACTION_RETRY_BESIDE,    /* a retry beside the other attempt, because a session was silent */
    ACTION_RETRY_ONCE,      /* a retry, if no earlier response was unusable */
    ACTION_RETRY_ELSEWHERE, /* a retry, if there is another upstream */
    ACTION_RETRY_PAID,      /* a retry within the hedge budget, if a server is left that has not failed */
    ACTION_RESEND_CLEARED,  /* a retry, if other sessions ended as well: the query is not the reason */
    ACTION_HEDGE,           /* a hedge beside a late attempt, if the server's state and the budget allow it */
    ACTION_RESCUE,          /* a hedge beside an attempt on a silent session, regardless of the budget */
    /* A hedge in place of the first attempt, if the server dropped both, or both sessions are silent. */
    ACTION_HEDGE_AGAIN,
    /* A hedge for a client that joined, if the earlier attempts have been outstanding for long enough. */
    ACTION_HEDGE_ANEW,
    ACTIONS_THAT_MAY,               /* ask_may decides about the actions above; those below are always allowed */
    ACTION_SEND = ACTIONS_THAT_MAY, /* the first attempt */
    ACTION_SUSPECT,                 /* wait until it is known whether other sessions ended as well */
    ACTION_LOOK,                    /* check again later */
    ACTION_AWAIT,                   /* the same, unless a check is scheduled */
    ACTION_STAY,                    /* does nothing: another attempt, or the decision about a suspect, is awaited */
    ACTION_DELIVER,                 /* ends the ask with this response */
    ACTION_FAIL,                    /* ends the ask with the latest error */
    ACTION_END,                     /* ends the ask without calling `done` */
};

/* The first row with this state and event whose action is allowed applies. */
struct ask_row {
    uint8_t state, event, action, next;
};
extern const struct ask_row ask_rows[];
extern const unsigned ask_row_count;

#endif
