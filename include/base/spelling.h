/* SPDX-License-Identifier: MIT */
/* Finds the word that was probably meant.
 *
 * Owns:    nothing.
 * Threads: any.
 */
#ifndef DOTSTUB_BASE_SPELLING_H
#define DOTSTUB_BASE_SPELLING_H

/* The number of edits (a character inserted, deleted or replaced, two swapped, or the end left out) that turn
 * `text` into `word`, or UINT_MAX if there are too many for a typing mistake. */
unsigned spelling_distance(const char *text, const char *word);

#endif
