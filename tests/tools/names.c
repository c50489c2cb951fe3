/* SPDX-License-Identifier: MIT */
#include "names.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

void draw_init(struct draw *draw, uint32_t distinct, double zipf, double *sums)
{
    double sum = 0;
    *draw = (struct draw){.distinct = distinct, .state = 88172645463325252U, .sums = zipf > 0 ? sums : NULL};
    for (uint32_t i = 0; draw->sums && i < distinct; i++)
        sums[i] = sum += pow(i + 1.0, -zipf);
}

/* Xorshift. */
double draw_share(struct draw *draw)
{
    draw->state ^= draw->state << 13;
    draw->state ^= draw->state >> 7;
    draw->state ^= draw->state << 17;
    return (double)(draw->state >> 11) / (double)(1ULL << 53);
}

uint32_t draw_next(struct draw *draw)
{
    uint32_t low = 0, high = draw->distinct - 1;
    if (!draw->sums)
        return draw->turn++ % draw->distinct;
    double drawn = draw_share(draw) * draw->sums[high];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (draw->sums[middle] < drawn)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t put_number(char *text, uint32_t number)
{
    char digits[10];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    for (size_t i = 0; i < count; i++)
        text[i] = digits[count - 1 - i];
    return count;
}

void name_put(char text[QUERY_NAME], const char *pattern, uint32_t number)
{
    for (; *pattern && !(pattern[0] == '%' && pattern[1] == 'u'); pattern++)
        *text++ = *pattern;
    if (*pattern) {
        text += put_number(text, number);
        pattern += 2;
    }
    memcpy(text, pattern, strlen(pattern) + 1);
}
