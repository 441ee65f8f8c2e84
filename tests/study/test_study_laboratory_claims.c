/* test_study_laboratory_claims.c - each claim of the laboratory is true of what an ideal
 * laboratory would find, and false where that is spoiled; and the document says which it
 * is. */
#include "check_util.h"
#include "study/laboratory/laboratory.h"
#include "study/laboratory/theory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LENGTH = 6, LETTERS = 8 };

static laboratory_findings found;

/* ---- Results of ideal models ------------------------------------------------------- */

static void find_reach(laboratory_mask mask, int64_t i, int64_t j)
{
    const int64_t apart = i < j ? j - i : i - j;
    const bool of_block[] = {true, j <= i, apart <= 1, j < 4 || j <= i},
               of_all[] = {true, j <= i, apart <= 2, j < 4 || j <= i};
    found.block_reach[mask][i * LENGTH + j] = of_block[mask];
    found.reach[mask][i * LENGTH + j] = of_all[mask];
}

/* A model trained with the full mask does all that another mask allows, except sort; the
 * others do badly under masks that they were not trained with. */
static void find_task(laboratory_task task)
{
    for (int mask = 0; mask < LABORATORY_MASKS; mask++)
        laboratory_allowed(task, LENGTH, LETTERS, found.reach[mask], found.allowed[task][mask]);
    laboratory_allowed_orderless(task, LENGTH, LETTERS, found.allowed[task][LABORATORY_ORDERLESS]);
    memcpy(found.accuracy[task], found.allowed[task], sizeof found.accuracy[task]);
    for (int setting = 0; setting < LABORATORY_SETTINGS; setting++)
        for (int mask = 0; mask < LABORATORY_MASKS; mask++) {
            const bool good = setting == mask || (setting == LABORATORY_FULL && task != LABORATORY_SORT);
            found.grid[task][setting][mask] = (good ? 1 : 0.3) * laboratory_mean(found.allowed[task][mask], LENGTH);
        }
    found.permuted[task] = (laboratory_permuted){.largest = 10, .difference = 1e-6, .bound = 1e-5, .positions = 5};
    found.padded[task] = (laboratory_padded){.accuracy = {{1, 0.9, 0.8, 0.7, 0.6}, {1, 1, 1, 1, 1}},
                                             .difference = {7, 0},
                                             .changed = {1000, 0},
                                             .compared = 1000};
}

static void find_ideal(void)
{
    found = (laboratory_findings){.options = {.length = LENGTH, .letters = LETTERS, .steps = 400}};
    for (int mask = 0; mask < LABORATORY_MASKS; mask++)
        for (int64_t cell = 0; cell < LENGTH * LENGTH; cell++)
            find_reach((laboratory_mask)mask, cell / LENGTH, cell % LENGTH);
    for (int task = 0; task < LABORATORY_TASKS; task++)
        find_task((laboratory_task)task);
    found.loss_floor = log(2) / (LENGTH + 2);
    found.correct = (laboratory_decoding){.loss = found.loss_floor,
                                          .accuracy = 0.93,
                                          .causal_loss = found.loss_floor,
                                          .causal_accuracy = 0.93,
                                          .exact = 1};
    found.leaking = (laboratory_decoding){.loss = 1e-3, .accuracy = 1, .causal_loss = 7, .causal_accuracy = 0.3};
    for (int i = 0; i < LABORATORY_POINTS; i++) {
        found.correct.curve[i] = 2 - i * 0.04;
        found.leaking.curve[i] = 0.041 - i * 1e-3;
    }
    laboratory_claim_all(&found);
}

START_TEST(every_claim_is_true_of_the_ideal)
{
    ck_assert_int_eq(found.claim_count, 23);
    for (int i = 0; i < found.claim_count; i++)
        ck_assert_msg(found.claims[i].holds, "%s: %s", found.claims[i].expected, found.claims[i].measured);
}
END_TEST

/* ---- Claims can fail --------------------------------------------------------------- */

/* Spoils the findings, so that the claim whose sentence holds `words` is false. */
typedef struct spoiled {
    const char *words;
    void (*spoil)(laboratory_findings *f);
} spoiled;

static void spoil_limit(laboratory_findings *f)
{
    f->accuracy[LABORATORY_SORT][LABORATORY_PREFIX][1] = f->allowed[LABORATORY_SORT][LABORATORY_PREFIX][1] + 0.06;
}
static void spoil_orderless_limit(laboratory_findings *f)
{
    for (int i = 0; i < LENGTH; i++)
        f->accuracy[LABORATORY_REVERSE][LABORATORY_ORDERLESS][i] = 0.5;
}
static void spoil_copy(laboratory_findings *f)
{
    f->accuracy[LABORATORY_COPY][LABORATORY_WINDOW][2] = 0.98;
}
static void spoil_shift_left(laboratory_findings *f)
{
    f->accuracy[LABORATORY_SHIFT_LEFT][LABORATORY_FULL][0] = 0.98;
}
static void spoil_shift_right(laboratory_findings *f)
{
    f->accuracy[LABORATORY_SHIFT_RIGHT][LABORATORY_CAUSAL][5] = 0.98;
}
static void spoil_reverse(laboratory_findings *f)
{
    f->accuracy[LABORATORY_REVERSE][LABORATORY_CAUSAL][LENGTH - 1] = 0.98;
}
static void spoil_chance(laboratory_findings *f)
{
    f->accuracy[LABORATORY_REVERSE][LABORATORY_CAUSAL][0] = 0.2;
}
static void spoil_chance_below(laboratory_findings *f)
{
    f->accuracy[LABORATORY_SHIFT_LEFT][LABORATORY_CAUSAL][0] = 0.05;
}
static void spoil_sort(laboratory_findings *f)
{
    f->accuracy[LABORATORY_SORT][LABORATORY_CAUSAL][3] -= 0.1;
}
static void spoil_orderless(laboratory_findings *f)
{
    for (int i = 0; i < LENGTH; i++)
        f->accuracy[LABORATORY_SORT][LABORATORY_ORDERLESS][i] -= 0.03;
}
static void spoil_grid_limit(laboratory_findings *f)
{
    f->grid[LABORATORY_REVERSE][LABORATORY_ORDERLESS][LABORATORY_WINDOW] = 0.5;
}
static void spoil_grid_diagonal(laboratory_findings *f)
{
    f->grid[LABORATORY_SORT][LABORATORY_FULL][LABORATORY_PREFIX] =
        f->grid[LABORATORY_SORT][LABORATORY_PREFIX][LABORATORY_PREFIX];
}
static void spoil_grid_closed(laboratory_findings *f)
{
    f->grid[LABORATORY_REVERSE][LABORATORY_FULL][LABORATORY_WINDOW] -= 0.06;
}
static void spoil_grid_opened(laboratory_findings *f)
{
    f->grid[LABORATORY_SHIFT_LEFT][LABORATORY_CAUSAL][LABORATORY_FULL] = 0.7;
}
static void spoil_leaking_loss(laboratory_findings *f)
{
    f->leaking.curve[LABORATORY_POINTS - 1] = f->loss_floor;
}
static void spoil_correct_loss(laboratory_findings *f)
{
    f->correct.loss = 0.9 * f->loss_floor;
}
static void spoil_correct_decoding(laboratory_findings *f)
{
    f->correct.exact = 0.9;
}
static void spoil_leaking_decoding(laboratory_findings *f)
{
    f->leaking.exact = 0.1;
}
static void spoil_order(laboratory_findings *f)
{
    f->permuted[LABORATORY_SORT].difference = 2 * f->permuted[LABORATORY_SORT].bound;
}
static void spoil_positions(laboratory_findings *f)
{
    f->permuted[LABORATORY_COPY].positions = 500 * f->permuted[LABORATORY_COPY].bound;
}
static void spoil_padding_bits(laboratory_findings *f)
{
    f->padded[LABORATORY_COPY].changed[true] = 1;
}
static void spoil_padding_off(laboratory_findings *f)
{
    f->padded[LABORATORY_REVERSE].changed[false] = 0;
}
static void spoil_padding_accuracy(laboratory_findings *f)
{
    f->padded[LABORATORY_SORT].accuracy[false][LABORATORY_PADDINGS - 1] = 0.95;
}

static const spoiled all_spoiled[] = {
    {"nowhere is a model right more often", spoil_limit},
    {"nowhere is a model right more often", spoil_orderless_limit},
    {"copy: right", spoil_copy},
    {"shift left: right", spoil_shift_left},
    {"shift right: right", spoil_shift_right},
    {"reverse: right", spoil_reverse},
    {"accuracy is chance", spoil_chance},
    {"accuracy is chance", spoil_chance_below},
    {"reverse under a causal mask", spoil_chance},
    {"reverse under a causal mask", spoil_reverse},
    {"costs nothing on shift right", spoil_chance_below},
    {"costs nothing on shift right", spoil_shift_right},
    {"sort: within", spoil_sort},
    {"without positions: in the mean", spoil_orderless},
    {"never better than the mask of the evaluation", spoil_grid_limit},
    {"sort: under each mask", spoil_grid_diagonal},
    {"trained with the full mask", spoil_grid_closed},
    {"what a causal mask hid", spoil_grid_opened},
    {"the leaking decoder's training loss", spoil_leaking_loss},
    {"the correct decoder's loss", spoil_correct_loss},
    {"the correct one is right", spoil_correct_decoding},
    {"the leaking one fails", spoil_leaking_decoding},
    {"the permuted input gives the permuted output", spoil_order},
    {"with positions it does not", spoil_positions},
    {"padding changes no bit", spoil_padding_bits},
    {"without it nearly all outputs change", spoil_padding_off},
    {"and accuracy falls", spoil_padding_accuracy},
};
enum { SPOILED = sizeof all_spoiled / sizeof *all_spoiled };

static const laboratory_claim *claim_with(const laboratory_findings *f, const char *words)
{
    const laboratory_claim *claim = NULL;
    for (int i = 0; i < f->claim_count; i++)
        if (strstr(f->claims[i].expected, words)) {
            ck_assert_msg(!claim, "two claims say '%s'", words);
            claim = &f->claims[i];
        }
    ck_assert_msg(claim != NULL, "no claim says '%s'", words);
    return claim;
}

START_TEST(every_claim_can_fail)
{
    static laboratory_findings own;
    bool tried[LABORATORY_CLAIMS] = {false};
    for (int i = 0; i < SPOILED; i++) {
        own = found;
        all_spoiled[i].spoil(&own);
        laboratory_claim_all(&own);
        ck_assert_int_eq(own.claim_count, found.claim_count);
        const laboratory_claim *claim = claim_with(&own, all_spoiled[i].words);
        ck_assert_msg(!claim->holds, "%s: %s (number %d)", claim->expected, claim->measured, i);
        tried[claim - own.claims] = true;
    }
    for (int i = 0; i < found.claim_count; i++)
        ck_assert_msg(tried[i], "nothing spoils: %s", found.claims[i].expected);
}
END_TEST

/* ---- The document ------------------------------------------------------------------ */

static char *text_of(const laboratory_findings *f)
{
    ag_error error = {0};
    study_document *document = study_document_new("laboratory");
    laboratory_write(f, document);
    char *text = study_document_text(document, &(study_text_options){.width = 200}, &error);
    ck_assert_msg(text != NULL, "%s", error.message);
    study_document_free(document);
    return text;
}

/* The text has these words, whatever white space is between them. */
static bool has_words(const char *text, const char *words)
{
    char *flat = malloc(strlen(text) + 1);
    size_t length = 0;
    ck_assert_ptr_nonnull(flat);
    for (const char *at = text; *at; at++)
        if (*at != ' ' && *at != '\n')
            flat[length++] = *at;
        else if (length && flat[length - 1] != ' ')
            flat[length++] = ' ';
    flat[length] = '\0';
    const bool there = strstr(flat, words) != NULL;
    free(flat);
    return there;
}

START_TEST(the_document_tells_what_came_true)
{
    char words[512];
    char *text = text_of(&found);
    ck_assert(has_words(text, "Of 23 expectations 23 came true."));
    ck_assert(!has_words(text, "Did NOT"));
    for (int i = 0; i < found.claim_count; i++) {
        snprintf(words, sizeof words, "Came true: %s. Measured: %s.", found.claims[i].expected,
                 found.claims[i].measured);
        ck_assert_msg(has_words(text, words), "missing: %s", words);
    }
    snprintf(words, sizeof words, "causal, measured %.3f %.3f %.3f %.3f",
             found.accuracy[LABORATORY_REVERSE][LABORATORY_CAUSAL][0],
             found.accuracy[LABORATORY_REVERSE][LABORATORY_CAUSAL][1],
             found.accuracy[LABORATORY_REVERSE][LABORATORY_CAUSAL][2],
             found.accuracy[LABORATORY_REVERSE][LABORATORY_CAUSAL][3]);
    ck_assert_msg(has_words(text, words), "missing: %s", words);
    free(text);
}
END_TEST

START_TEST(the_document_tells_what_did_not)
{
    static laboratory_findings own;
    own = found;
    spoil_chance(&own); /* which is above the limit, too */
    laboratory_claim_all(&own);
    char *text = text_of(&own);
    ck_assert(has_words(text, "Of 23 expectations 20 came true."));
    ck_assert(has_words(text, "Did NOT come true: reverse under a causal mask: chance on the first half, right on the "
                              "second. Measured: 0.200"));
    free(text);
}
END_TEST

/* The largest tables have room, and pictures of them are drawn. */
START_TEST(the_longest_sequences_fit)
{
    static laboratory_findings own;
    own = found;
    own.options.length = LABORATORY_LENGTH;
    own.options.letters = LABORATORY_LETTERS;
    laboratory_claim_all(&own);
    char *text = text_of(&own);
    ck_assert(has_words(text, "12 13 14 15 mean"));
    free(text);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("study_laboratory_claims");
    TCase *tcase = tcase_create("claims");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, find_ideal, NULL);
    tcase_add_test(tcase, every_claim_is_true_of_the_ideal);
    tcase_add_test(tcase, every_claim_can_fail);
    tcase_add_test(tcase, the_document_tells_what_came_true);
    tcase_add_test(tcase, the_document_tells_what_did_not);
    tcase_add_test(tcase, the_longest_sequences_fit);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
