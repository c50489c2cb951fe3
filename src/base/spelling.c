/* SPDX-License-Identifier: MIT */
#include "base/spelling.h"
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define LONGEST_WORD 32

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Optimal string alignment distance; it needs three rows of the table. */
unsigned spelling_distance(const char *text, const char *word)
{
    size_t text_len = strnlen(text, LONGEST_WORD + 1), word_len = strnlen(word, LONGEST_WORD + 1);
    if (text_len > LONGEST_WORD || word_len > LONGEST_WORD || text_len == 0)
        return UINT_MAX;

    unsigned rows[3][LONGEST_WORD + 1];
    for (unsigned j = 0; j <= word_len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= text_len; i++) {
        unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *two_before = rows[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= word_len; j++) {
            now[j] = min3(before[j] + 1, now[j - 1] + 1, before[j - 1] + (text[i - 1] != word[j - 1]));
            bool swapped = i > 1 && j > 1 && text[i - 1] == word[j - 2] && text[i - 2] == word[j - 1];
            if (swapped && two_before[j - 2] + 1 < now[j])
                now[j] = two_before[j - 2] + 1;
        }
    }
    unsigned edits = rows[text_len % 3][word_len];
    if (text_len >= 3 && edits > 1 && text_len < word_len && memcmp(text, word, text_len) == 0)
        return 1;
    unsigned allowed = word_len < 4 ? 1 : word_len < 9 ? 2 : 3;
    return edits <= allowed && edits < word_len ? edits : UINT_MAX;
}
