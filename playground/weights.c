/* weights.c - from scores to weights, with and without a mask, of vectors that a person
 * types.
 *
 * Every token is its own query, key and value: what a layer multiplies them by first is
 * left out, so that all numbers can be followed on paper. */
#include "session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT = 2000,  /* bytes of a question, at most */
    TOKENS = 16,  /* of all sequences together */
    NUMBERS = 8,  /* of a vector */
    SEQUENCES = 4 /* of a batch */
};

typedef struct question {
    char text[TEXT];
    const char *tokens[TOKENS];
    ag_real numbers[TOKENS * NUMBERS];    /* [count, width] */
    int count, width;                     /* of tokens, and of numbers of each */
    int heads, sequences, places;         /* places = count / sequences */
    double scale;                         /* of the scores; 0: 1 / sqrt(width / heads) */
    bool causal;                          /* a query sees the keys up to its own place */
    int seen[TOKENS], lengths[SEQUENCES]; /* the keys that a mask lets through; of the sequences */
    int seen_count, lengths_count;        /* 0: not given */
} question;

/* ---- Reading ----------------------------------------------------------------------- */

/* A number of `low` to `high`; -1: the word is none, or there is no word. */
static double read_number(const char *word, double low, double high)
{
    const char *end = "?";
    const double number = word ? ag_number_read(word, &end) : -1;
    return !*end && number >= low && number <= high ? number : -1;
}

/* Whether nothing of a line is left. (After its last word some C libraries' strtok_r
 * leaves NULL.) */
static bool at_end(const char *rest)
{
    return !rest || !rest[strspn(rest, " \t\r")];
}

/* Reads whole numbers [most] up to `high` from the rest of a line. -1: there is something
 * else. */
static int read_counts(char **rest, int *counts, int most, int high)
{
    int count = 0;
    for (char *word; (word = strtok_r(NULL, " \t\r", rest)); count++) {
        const double number = read_number(word, 0, high);
        if (count == most || number != (int)number || number < 0)
            return -1;
        counts[count] = (int)number;
    }
    return count ? count : -1;
}

static ag_status read_option(playground *p, question *q, const char *name, char **rest)
{
    if (!strcmp(name, "heads"))
        return read_counts(rest, &q->heads, 1, NUMBERS) == 1 && q->heads
                   ? AG_OK
                   : ag_error_set(&p->error, AG_BAD_VALUE, "heads = a number from 1 to %d", NUMBERS);
    if (!strcmp(name, "scale")) {
        q->scale = read_number(strtok_r(NULL, " \t\r", rest), 1e-6, 100);
        return q->scale > 0 && at_end(*rest)
                   ? AG_OK
                   : ag_error_set(&p->error, AG_BAD_VALUE, "scale = a number above 0, 100 at most");
    }
    if (!strcmp(name, "lengths"))
        return (q->lengths_count = read_counts(rest, q->lengths, SEQUENCES, TOKENS)) > 0
                   ? AG_OK
                   : ag_error_set(&p->error, AG_BAD_VALUE, "lengths = one to %d lengths of sequences", SEQUENCES);
    if (strcmp(name, "mask") != 0)
        return ag_error_set(&p->error, AG_BAD_VALUE, "'%.20s =' is none of heads, scale, mask and lengths", name);
    const char *word = *rest ? *rest + strspn(*rest, " \t") : "";
    if (!strncmp(word, "causal", strlen("causal")) && at_end(word + strlen("causal"))) {
        q->causal = true;
        return AG_OK;
    }
    return (q->seen_count = read_counts(rest, q->seen, TOKENS, 1)) > 0
               ? AG_OK
               : ag_error_set(&p->error, AG_BAD_VALUE, "mask = causal, or 1 or 0 for each key");
}

static ag_status read_vector(playground *p, question *q, const char *token, const char *first, char **rest)
{
    int width = 0;
    if (q->count == TOKENS)
        return ag_error_set(&p->error, AG_BAD_VALUE, "more than %d tokens", TOKENS);
    for (const char *word = first; word; word = strtok_r(NULL, " \t\r", rest)) {
        const double number = read_number(word, 0, 9);
        if (width == NUMBERS || number < 0)
            return ag_error_set(&p->error, AG_BAD_VALUE, "%.20s: expected up to %d numbers from 0 to 9", token,
                                NUMBERS);
        q->numbers[q->count * NUMBERS + width++] = (ag_real)number;
    }
    if (width == 0)
        return ag_error_set(&p->error, AG_BAD_VALUE, "%.20s: expected numbers after it", token);
    if (q->count && width != q->width)
        return ag_error_set(&p->error, AG_BAD_VALUE, "%.20s: expected as many numbers as the first token has", token);
    q->width = width;
    q->tokens[q->count++] = token;
    return AG_OK;
}

static ag_status check(playground *p, question *q)
{
    q->heads = q->heads ? q->heads : 1;
    q->sequences = q->lengths_count ? q->lengths_count : 1;
    q->places = q->count / q->sequences;
    if (q->count == 0)
        return ag_error_set(&p->error, AG_BAD_VALUE, "expected a token and its numbers in each line");
    if (q->width % q->heads)
        return ag_error_set(&p->error, AG_BAD_VALUE, "%d heads do not divide %d numbers", q->heads, q->width);
    if (q->count % q->sequences)
        return ag_error_set(&p->error, AG_BAD_VALUE, "%d tokens are not %d sequences that take the same room", q->count,
                            q->sequences);
    for (int i = 0; i < q->lengths_count; i++)
        if (q->lengths[i] > q->places)
            return ag_error_set(&p->error, AG_BAD_VALUE, "a sequence has %d %s: no length can be %d", q->places,
                                ag_plural(q->places, "place", "places"), q->lengths[i]);
    if (q->seen_count && q->seen_count != q->places)
        return ag_error_set(&p->error, AG_BAD_VALUE, "the mask has %d numbers, for %d keys", q->seen_count, q->places);
    return AG_OK;
}

static ag_status read_question(playground *p, question *q, const char *text)
{
    char *lines, *rest;
    ag_status status = AG_OK;
    if (strlen(text) >= TEXT)
        return ag_error_set(&p->error, AG_BAD_VALUE, "more than %d letters", TEXT - 1);
    strcpy(q->text, text);
    for (char *line = strtok_r(q->text, "\n", &lines); line && status == AG_OK; line = strtok_r(NULL, "\n", &lines)) {
        const char *name = strtok_r(line, " \t\r", &rest);
        const char *next = name ? strtok_r(NULL, " \t\r", &rest) : NULL;
        if (next && !strcmp(next, "="))
            status = read_option(p, q, name, &rest);
        else if (name)
            status = read_vector(p, q, name, next, &rest);
    }
    return status == AG_OK ? check(p, q) : status;
}

/* ---- Computing --------------------------------------------------------------------- */

/* The vectors [sequences, heads, places, width / heads]. */
static ag_tensor *vectors_of(const question *q, ag_tape *tape)
{
    ag_real parts[TOKENS * NUMBERS];
    const int width = q->width / q->heads;
    for (int i = 0; i < q->count * q->width; i++) {
        const int at = i / width, token = at / q->heads, head = at % q->heads;
        const int row = (token / q->places * q->heads + head) * q->places + token % q->places;
        parts[row * width + i % width] = q->numbers[token * NUMBERS + head * width + i % width];
    }
    return ag_constant(tape, AG_SHAPE(q->sequences, q->heads, q->places, width), parts);
}

/* The mask of the question; NULL: it has none. */
static ag_mask *mask_of(const question *q, ag_tape *tape)
{
    ag_mask *mask = q->causal ? ag_mask_causal(tape, 0) : NULL;
    if (q->seen_count) {
        unsigned char allow[TOKENS * TOKENS];
        for (int i = 0; i < q->places * q->places; i++)
            allow[i] = (unsigned char)q->seen[i % q->places];
        ag_mask *seen = ag_mask_explicit(tape, 1, 1, q->places, q->places, allow);
        mask = mask ? ag_mask_and(tape, mask, seen) : seen;
    }
    if (q->lengths_count) {
        int32_t lengths[SEQUENCES];
        for (int i = 0; i < q->sequences; i++)
            lengths[i] = q->lengths[i];
        ag_mask *held = ag_mask_key_lengths(tape, q->sequences, lengths);
        mask = mask ? ag_mask_and(tape, mask, held) : held;
    }
    return mask;
}

/* ---- Drawing ----------------------------------------------------------------------- */

/* Adds the maps of head h of sequence b. after: NULL without a mask. */
static void draw_head(const question *q, const ag_mask *mask, const ag_tensor *const *maps, double high, int b, int h,
                      study_document *document)
{
    unsigned char cells[TOKENS * TOKENS];
    char sequence[32] = "", head[32] = "", group[sizeof sequence + sizeof head + 2], scaled[64];
    const int places = q->places, first = (b * q->heads + h) * places * places;
    for (int i = 0; i < places * places; i++)
        cells[i] = q->lengths_count && i % places >= q->lengths[b]               ? STUDY_PADDING
                   : mask && !ag_mask_allows(mask, b, h, i / places, i % places) ? STUDY_MASKED
                                                                                 : STUDY_SEEN;
    if (q->sequences > 1)
        snprintf(sequence, sizeof sequence, "sequence %d", b);
    if (q->heads > 1)
        snprintf(head, sizeof head, "head %d", h);
    snprintf(group, sizeof group, "%s%s%s", sequence, *sequence && *head ? ", " : "", head);
    ag_text_print(scaled, sizeof scaled, "query times key, times %.3g", q->scale);
    const char *const names[] = {"scores", mask ? "weights without a mask" : "weights", "weights"};
    const char *const notes[] = {scaled, "the softmax of each row", "the softmax of what each row sees"};
    study_heat heats[3];
    for (int i = 0; i < 3; i++)
        heats[i] = (study_heat){.group = *group ? group : NULL,
                                .title = names[i],
                                .note = notes[i],
                                .rows = places,
                                .columns = places,
                                .values = maps[i]->data + first,
                                .high = i == 0 ? high : 1,
                                .cells = i == 2 ? cells : NULL,
                                .row_axis = "query",
                                .column_axis = "key",
                                .row_labels = q->tokens + b * places,
                                .column_labels = q->tokens + b * places};
    study_add_heats(document, heats, mask ? 3 : 2, true);
}

ag_status playground_weights(playground *p, const char *text)
{
    question q = {0};
    ag_status status = read_question(p, &q, text);
    if (status != AG_OK)
        return status;
    q.scale = q.scale > 0 ? q.scale : 1 / sqrt((double)q.width / q.heads);
    ag_tensor *x = vectors_of(&q, p->tape);
    const ag_mask *mask = mask_of(&q, p->tape);
    ag_tensor *scores = ag_scale(ag_matmul(x, x, false, true), q.scale);
    const ag_tensor *maps[] = {scores, ag_softmax(scores, -1),
                               mask ? ag_masked_softmax(scores, mask) : ag_softmax(scores, -1)};
    if (!maps[1] || !maps[2])
        return playground_tape_failed(p);
    double high = 0;
    for (int i = 0; i < q.sequences * q.heads * q.places * q.places; i++)
        high = fmax(high, (double)scores->data[i]);
    study_document *document = study_document_new("Weights");
    for (int i = 0; i < q.sequences * q.heads; i++)
        draw_head(&q, mask, maps, high, i / q.heads, i % q.heads, document);
    return playground_answer_document(p, document, PICTURES_OF_WEIGHTS);
}
