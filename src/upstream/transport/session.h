/* SPDX-License-Identifier: MIT */
/* The common part of the sessions of all transports; for the files of transport/.
 *
 * Does:    keeps the state of a session, puts attempts on it, builds their queries, evaluates responses and the end.
 * Owns:    nothing; a transport allocates the session as the first member of its own struct.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_TRANSPORT_SESSION_H
#define DOTSTUB_UPSTREAM_TRANSPORT_SESSION_H

#include "dns/edit.h"
#include "net/stream.h"
#include "upstream/group.h"

/* A session over a stream: dot, tcp. */
struct stream_session {
    struct session session;
    struct stream stream;
};

static inline struct stream *session_stream(const struct session *session)
{
    return &container_of((struct session *)session, struct stream_session, session)->stream;
}

/* --- session.c --- */

/* A zeroed session, in no list and in no state yet. */
void session_init(struct session *session, struct server *server, unsigned offered);
/* The session counts as dialled from now on. */
void session_begin(struct session *session);
void session_set_state(struct session *session, enum session_state state);
/* The session takes attempts from now on. `proven`: the server has responded to something. */
void session_opened(struct session *session, bool proven);

/* The length of the query of a queued attempt, written with id 0; 0: its server must not get it, and the attempt has
 * ended. */
size_t session_build(struct session *session, struct attempt *attempt, uint8_t message[EDIT_QUESTION_MAX],
                     bool keepalive);
/* The query of a queued attempt was written. */
void session_note_sent(struct session *session, struct attempt *attempt);
/* A message of any kind was received. */
void session_note_heard(struct session *session);
/* Takes an attempt off the lists of its session; it is idle then. */
void session_detach(struct session *session, struct attempt *attempt);
/* After one or more attempts have left the session: a waiting one may take the place, or a retiring session ends. */
void session_relieved(struct session *session);
/* The server has responded to a query that was sent then. */
void session_note_response(struct session *session, uint64_t sent_ms);
/* Finishes an attempt, which was detached, with its response: the whole message, or an error that is only a header. */
void session_answer(struct session *session, struct attempt *attempt, uint8_t *message, size_t len, uint64_t sent_ms);
void session_bare_error(struct session *session, struct attempt *attempt, const uint8_t *message);
/* An error response may be a header without a Question section (RFC 1035 section 4.1.1 permits that for FORMERR). */
bool session_is_bare_error(const uint8_t *message, size_t len);

/* The session has ended: finishes its attempts and lets the pool continue. Does nothing to one that has. */
void session_end(struct session *session, int reason);
/* Its handles are closed: the session, which has ended, is in no list any more. Free it, then call session_gone. */
void session_leave(struct session *session);
void session_gone(struct group *group);

#ifdef ENABLE_DNSTAP
void session_tap(const struct session *session, enum tap_transport transport, enum tap_kind kind,
                 const uint8_t *message, size_t len);
#else
#define session_tap(session, transport, kind, message, len) ((void)0)
#endif

/* --- stream_session.c, session_watch.c: the functions of transports over streams --- */

/* Starts a dial over a stream of this form; 0, or negative if it was not started. `offered`: see struct session. */
int session_dial(struct server *server, const struct stream_form *form, unsigned offered) MUST_CHECK;
/* The same for a transport whose session has a struct stream_session as its first member, `size` bytes in all, and
 * callbacks of its own; `closed` calls session_closed, which frees it. */
int session_dial_as(struct server *server, const struct stream_form *form, unsigned offered,
                    const struct stream_ops *ops, size_t size) MUST_CHECK;
void session_drained(struct stream *stream);
void session_closed(struct stream *stream, int reason);
/* At the end of a flush: the next deadline of the session. */
void session_wake_after_flush(struct session *session);
/* The most queries written in one turn: takes about 5 ms; only the queries of a lost session are more. */
enum { WRITTEN_A_TURN = 1024 };
/* Takes an attempt off its session; if it was sent, its id becomes a tombstone. */
void session_forget(struct session *session, struct attempt *attempt);
/* Writes queued queries. */
void session_flush(struct session *session);
void session_close(struct session *session, int reason);
/* Closes a session that is idle, stalled or hanging. Returns the session's next deadline. */
uint64_t session_check(struct session *session, uint64_t now_ms);
/* As in struct transport. */
bool session_is_usable(const struct session *session);
uint64_t session_connected_ms(const struct session *session);
int session_local(const struct session *session, struct addr *out) MUST_CHECK;
bool session_is_acknowledged(const struct session *session);

#endif
