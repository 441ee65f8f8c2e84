/* masks.h - the three attentions of a model and the masks that a person gives them. */
#ifndef PLAYGROUND_MASKS_H
#define PLAYGROUND_MASKS_H

#include "nn.h"

/* Which attention: of the source to itself, of the target to itself, of the target to the
 * source. */
typedef enum playground_card {
    PLAYGROUND_SOURCE,
    PLAYGROUND_TARGET,
    PLAYGROUND_CROSS,
    PLAYGROUND_CARDS
} playground_card;

/* Which keys j a query i sees. */
typedef enum playground_pattern {
    PLAYGROUND_ALL,
    PLAYGROUND_CAUSAL, /* j <= i */
    PLAYGROUND_LEAK,   /* j <= i + 1: a decoder sees the token that it is to predict */
    PLAYGROUND_WINDOW, /* |i - j| <= number */
    PLAYGROUND_PREFIX, /* j <= i or j < number */
    PLAYGROUND_OWN,    /* cells */
    PLAYGROUND_PATTERNS
} playground_pattern;

/* Their names in a setting: "source" and so on, "all" and so on. */
extern const char *const playground_card_names[PLAYGROUND_CARDS];
extern const char *const playground_pattern_names[PLAYGROUND_PATTERNS];

enum { PLAYGROUND_SIDE = 32 /* rows and columns of cells, at most */ };

typedef struct playground_mask {
    playground_pattern pattern;
    int number;        /* of a window or a prefix */
    int rows, columns; /* of the cells; beyond them the last row and column go on */
    unsigned char cells[PLAYGROUND_SIDE * PLAYGROUND_SIDE]; /* [rows, columns], 1: seen */
    bool sees_padding; /* keys beyond the length of their side are seen as others are */
} playground_mask;

/* Reads a mask from its text, and writes it:
 *
 *     all   causal   leak   window:2   prefix:3   own:4x5:8CEF0
 *
 * each with ",padding" after it if it sees padding. The cells of an own mask are
 * hexadecimal, row after row, the first cell in the highest bit of the first digit.
 * AG_BAD_VALUE says what the text of `name` could be. */
ag_status playground_mask_read(playground_mask *mask, const char *name, const char *text, ag_error *error) AG_CHECKED;
enum { PLAYGROUND_MASK_TEXT = PLAYGROUND_SIDE * PLAYGROUND_SIDE / 4 + 32 };
void playground_mask_print(const playground_mask *mask, char text[PLAYGROUND_MASK_TEXT]);

/* Whether query i sees key j, were there no padding. */
bool playground_mask_allows(const playground_mask *mask, int64_t i, int64_t j);

/* Puts the masks [PLAYGROUND_CARDS] on the tape and into the input. */
void playground_masks_apply(const playground_mask *masks, ag_tape *tape, nn_input *input);

#endif
