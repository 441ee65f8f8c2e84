/* cards.c - what the page's cards show of a mask: its cells, and in words what it means. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A mask as a card draws it. */
typedef struct mask_card {
    playground_card card;
    playground_mask mask;
    int queries, keys; /* positions of the longest example */
    int rows, columns; /* those of them that the card has room for */
} mask_card;

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

/* ---- Cells ------------------------------------------------------------------------- */

static bool follows(const mask_card *card, int i, int j)
{
    return card->card == PLAYGROUND_TARGET && j > i;
}

/* '#' seen, '.' hidden, '!' seen although it is, or follows, what is to be predicted. */
static char mark_of(const mask_card *card, int i, int j)
{
    if (!playground_mask_allows(&card->mask, i, j))
        return '.';
    return follows(card, i, j) ? '!' : '#';
}

/* ---- Words ------------------------------------------------------------------------- */

/* For self-attention and for cross-attention: the sentence, or its parts before and after
 * the number. */
static const char *const sentences[][2][2] = {
    [PLAYGROUND_ALL] = {{"Each position sees all positions."}, {"Each target position sees all source positions."}},
    [PLAYGROUND_CAUSAL] = {{"Each position sees itself and those before it."},
                           {"Each target position sees the source positions up to its own number."}},
    [PLAYGROUND_LEAK] = {{"Each position sees itself, those before it and the next one."},
                         {"Each target position sees the source positions up to the one after its own number."}},
    [PLAYGROUND_WINDOW] = {{"Each position sees itself and up to ", " positions on either side."},
                           {"Each target position sees the source positions that are at most ",
                            " away from its own number."}},
    [PLAYGROUND_PREFIX] = {{"Each position sees itself, those before it and the first ", "."},
                           {"Each target position sees the source positions up to its own number and the first ", "."}},
    [PLAYGROUND_OWN] = {{"Each position sees those whose cells are filled in its row."},
                        {"Each target position sees the source positions whose cells are filled in its row."}},
};

enum { WORDS = 512 /* bytes of a text below */ };

/* Of a window of 0. */
static const char *const one_key[][2] = {{"Each position sees itself alone."},
                                         {"Each target position sees the source position of its own number."}};

static void write_meaning(const mask_card *card, char text[WORDS])
{
    const bool crosses = card->card == PLAYGROUND_CROSS;
    const bool one = card->mask.pattern == PLAYGROUND_WINDOW && card->mask.number == 0;
    const char *const *parts = one ? one_key[crosses] : sentences[card->mask.pattern][crosses];
    int used = snprintf(text, WORDS, "%s", parts[0]);
    if (parts[1])
        used += snprintf(text + used, (size_t)(WORDS - used), "%d%s", card->mask.number, parts[1]);
    snprintf(text + used, (size_t)(WORDS - used), "%s",
             card->mask.sees_padding ? " Padding is seen as tokens are." : "");
}

/* The first query that sees the token it is to predict; if none does, the first that sees
 * a later one. Writes nothing if no query sees what follows it. */
static void write_leak(const mask_card *card, char text[WORDS])
{
    int query = -1, key = -1;
    for (int i = 0; i < card->rows; i++)
        for (int j = i + 1; j < card->columns; j++)
            if (mark_of(card, i, j) == '!' && (query < 0 || (j == i + 1 && key != query + 1))) {
                query = i;
                key = j;
            }
    snprintf(text, WORDS, "%s", "");
    if (query >= 0)
        snprintf(text, WORDS,
                 "A leak: position %d sees position %d, %s. While the model writes, nothing stands there yet.", query,
                 key, key == query + 1 ? "the token that it is to predict" : "beyond the token that it is to predict");
}

static bool is_blind(const mask_card *card, int i)
{
    int j = 0;
    while (j < card->keys && !playground_mask_allows(&card->mask, i, j))
        j++;
    return j == card->keys;
}

/* Queries without keys, and what the card has no room for. */
static void write_notes(const mask_card *card, char text[WORDS])
{
    char blind[WORDS / 2] = "";
    int used = 0, count = 0;
    for (int i = 0; i < card->rows; i++)
        if (is_blind(card, i))
            used += snprintf(blind + used, sizeof blind - (size_t)used, "%s%d", count++ ? ", " : "", i);
    used = count ? snprintf(text, WORDS, "Position%s %s see%s nothing: the output of attention there is 0.",
                            count > 1 ? "s" : "", blind, count > 1 ? "" : "s")
                 : snprintf(text, WORDS, "%s", "");
    if (card->queries > card->rows || card->keys > card->columns)
        snprintf(text + used, (size_t)(WORDS - used),
                 "%sThe card shows the first %d positions; the last row and column of a mask of your own hold for all "
                 "that follow.",
                 used ? " " : "", PLAYGROUND_SIDE);
}

/* ---- The verbs --------------------------------------------------------------------- */

/* Reads "9x9 " and returns what follows; NULL if it is none. */
static const char *read_sizes(const char *text, int *rows, int *columns)
{
    int length = 0;
    if (sscanf(text, "%9dx%9d %n", rows, columns, &length) != 2 || *rows < 1 || *columns < 1 || !length)
        return NULL;
    return text + length;
}

static ag_status read_card(mask_card *card, const char *text, ag_error *error)
{
    const size_t length = strcspn(text, " ");
    int named = 0;
    while (named < PLAYGROUND_CARDS &&
           (strlen(playground_card_names[named]) != length || strncmp(playground_card_names[named], text, length) != 0))
        named++;
    const char *mask = named < PLAYGROUND_CARDS ? read_sizes(text + length, &card->queries, &card->keys) : NULL;
    if (!mask)
        return ag_error_set(error, AG_BAD_VALUE,
                            "mask %.60s: expected source, target or cross, ROWSxCOLUMNS and a mask", text);
    card->card = (playground_card)named;
    card->rows = at_most(card->queries, PLAYGROUND_SIDE);
    card->columns = at_most(card->keys, PLAYGROUND_SIDE);
    return playground_mask_read(&card->mask, playground_card_names[named], mask, error);
}

static void put_words(data_json_object *json, const char *key, const mask_card *card,
                      void (*write)(const mask_card *card, char text[WORDS]))
{
    char text[WORDS];
    write(card, text);
    data_json_put_text(json, key, text);
}

ag_status playground_show_mask(playground *p, const char *text)
{
    mask_card card;
    char mask[PLAYGROUND_MASK_TEXT], cells[PLAYGROUND_SIDE * PLAYGROUND_SIDE + 1];
    ag_status status = read_card(&card, text, &p->error);
    if (status != AG_OK)
        return status;
    for (int i = 0; i < card.rows * card.columns; i++)
        cells[i] = mark_of(&card, i / card.columns, i % card.columns);
    cells[card.rows * card.columns] = 0;
    playground_mask_print(&card.mask, mask);
    data_json_object json = playground_json_start(p, &status);
    data_json_put_text(&json, "mask", mask);
    data_json_put_text(&json, "pattern", playground_pattern_names[card.mask.pattern]);
    data_json_put_integer(&json, "number", card.mask.number);
    data_json_put_bool(&json, "padding", card.mask.sees_padding);
    data_json_put_integer(&json, "rows", card.rows);
    data_json_put_integer(&json, "columns", card.columns);
    data_json_put_text(&json, "cells", cells);
    put_words(&json, "meaning", &card, write_meaning);
    put_words(&json, "leak", &card, write_leak);
    put_words(&json, "notes", &card, write_notes);
    return status == AG_OK ? playground_json_end(p, &json) : status;
}

ag_status playground_paint(playground *p, const char *text)
{
    playground_mask mask = {.pattern = PLAYGROUND_OWN};
    char printed[PLAYGROUND_MASK_TEXT];
    const char *cells = read_sizes(text, &mask.rows, &mask.columns);
    const bool fits = cells && mask.rows <= PLAYGROUND_SIDE && mask.columns <= PLAYGROUND_SIDE;
    const size_t count = fits ? (size_t)(mask.rows * mask.columns) : 0;
    if (!fits || strspn(cells, ".#!") != count || cells[count])
        return ag_error_set(&p->error, AG_BAD_VALUE,
                            "paint %.60s: expected ROWSxCOLUMNS, at most %d each, and . or # for each cell", text,
                            PLAYGROUND_SIDE);
    for (size_t i = 0; i < count; i++)
        mask.cells[i] = cells[i] != '.';
    ag_status status;
    playground_mask_print(&mask, printed);
    data_json_object json = playground_json_start(p, &status);
    data_json_put_text(&json, "mask", printed);
    return status == AG_OK ? playground_json_end(p, &json) : status;
}
