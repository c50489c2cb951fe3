/* SPDX-License-Identifier: MIT */
/* The state table of an ask, for ask.c and for the test that walks it. */
#ifndef DOTSTUB_UPSTREAM_ASK_ROWS_H
#define DOTSTUB_UPSTREAM_ASK_ROWS_H

#include "upstream/attempt.h"

enum ask_state {
    ASK_IDLE,    /* not begun, or over */
    ASK_ONE,     /* one attempt is live */
    ASK_TWO,     /* two are: the later one is the hedge */
    ASK_SUSPECT, /* none is: an isolated one lost its session, and it is not known yet whether the query was the reason */
    ASK_SUSPECT_ONE, /* the same, and another one is live */
    ASK_STATES,
};

/* The events: the outcome of an attempt, or one of the following. */
enum ask_event {
    EVENT_START = OUTCOMES,
    EVENT_LOOK,   /* the timeout `look` has passed */
    EVENT_SILENT, /* the session of a live attempt is silent or suspect */
    EVENT_JOIN,
    EVENT_CANCEL,
};

enum ask_action {
    ACTION_RETRY,           /* once more, if attempts are left */
    ACTION_RESEND,          /* the same, because a session ended */
    ACTION_RESEND_BESIDE,   /* the same, unless the attempt beside it may still be answered in time */
    ACTION_RETRY_BESIDE,    /* the same, because a session was silent */
    ACTION_RETRY_ONCE,      /* once more, if no response was of no use before */
    ACTION_RETRY_ELSEWHERE, /* the same, if there is another upstream */
    ACTION_RETRY_PAID,      /* the same, out of the hedge budget */
    ACTION_RESEND_CLEARED,  /* once more, if other sessions ended as well: the query is not the reason */
    ACTION_HEDGE,           /* a second attempt beside the one that is late, if the server or the budget calls for it */
    ACTION_RESCUE,          /* the same beside one on a silent session, whatever the budget */
    ACTION_HEDGE_AGAIN, /* a third one in the place of the first, if the server dropped both, or both sessions are silent */
    ACTION_HEDGE_ANEW, /* another one for a client that joined, if those before it have been under way for long enough */
    ACTIONS_THAT_MAY,  /* as ask_may says; all others always may: */
    ACTION_SEND = ACTIONS_THAT_MAY, /* the first attempt */
    ACTION_SUSPECT,                 /* wait until it is known whether other sessions ended as well */
    ACTION_LOOK,                    /* look again later */
    ACTION_AWAIT,                   /* the same, unless a look is to come */
    ACTION_STAY,                    /* nothing: another attempt or a verdict is waited for */
    ACTION_DELIVER,                 /* the end, with this response */
    ACTION_FAIL,                    /* the end, for the latest reason */
    ACTION_END,                     /* the end, without a word */
};

/* In this state, when this happens: the first row whose action may be taken holds. */
struct ask_row {
    uint8_t state, event, action, next;
};
extern const struct ask_row ask_rows[];
extern const unsigned ask_row_count;

#endif
