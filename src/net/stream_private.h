/* SPDX-License-Identifier: MIT */
/* What the files of net/stream share among themselves. */
#ifndef DOTSTUB_NET_STREAM_PRIVATE_H
#define DOTSTUB_NET_STREAM_PRIVATE_H

#include <stdbool.h>

struct buffer;
struct stream;

/* stream.c: it cannot go on. */
void stream_fail(struct stream *stream, int reason);
/* stream.c: goes on with the handshake; with its end the stream is open and `ready` was called. */
void stream_shake_hands(struct stream *stream);
/* stream.c: stream_turn_end runs before the loop sleeps. */
void stream_work_at_turn_end(struct stream *stream);
/* stream.c: gives back the block of an emptied buffer if it is a large one. */
void stream_trim(struct buffer *buffer);

/* stream_read.c */
void stream_start_reading(struct stream *stream);
/* stream_read.c: delivers what a pause kept and reads on, if not paused again. */
void stream_go_on_reading(struct stream *stream);

#endif
