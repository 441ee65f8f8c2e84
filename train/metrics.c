/* metrics.c - the edit distance (Levenshtein 1966) by Wagner and Fischer's table, of which one row at a time is kept.
 */
#include "train.h"

#include <stdlib.h>

static int64_t least(int64_t a, int64_t b, int64_t c)
{
    int64_t smaller = a < b ? a : b;
    return smaller < c ? smaller : c;
}

int64_t train_edit_distance(const int32_t *a, int64_t a_length, const int32_t *b, int64_t b_length)
{
    int64_t *row = malloc((size_t)(b_length + 1) * sizeof *row); /* row[j]: from a's first i tokens to b's first j */
    if (!row)
        return -1;
    for (int64_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (int64_t i = 1; i <= a_length; i++) {
        int64_t diagonal = i - 1; /* of the row before, at j - 1 */
        row[0] = i;
        for (int64_t j = 1; j <= b_length; j++) {
            int64_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    int64_t distance = row[b_length];
    free(row);
    return distance;
}
