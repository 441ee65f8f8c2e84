/* test_study_laboratory.c - what theory allows agrees with going through all sequences;
 * and the whole laboratory, on a smaller size, finds what it says. */
#include "check_util.h"
#include "study/laboratory/laboratory.h"
#include "study/laboratory/theory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Tasks ------------------------------------------------------------------------- */

START_TEST(tasks_answer_at_each_position)
{
    static const char *const answers[LABORATORY_TASKS] = {"cabac", "abacc", "ccaba", "cabac", "aabcc"};
    static const char given[] = "cabac";
    int32_t x[5], y[5];
    for (int i = 0; i < 5; i++)
        x[i] = LABORATORY_FIRST_LETTER + given[i] - 'a';
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        laboratory_answer((laboratory_task)task, 5, x, y);
        for (int i = 0; i < 5; i++)
            ck_assert_int_eq(y[i], LABORATORY_FIRST_LETTER + answers[task][i] - 'a');
    }
    x[4] = LABORATORY_FIRST_LETTER + 1; /* "cabab", which is not the same backwards */
    laboratory_answer(LABORATORY_REVERSE, 5, x, y);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(y[i], LABORATORY_FIRST_LETTER + "babac"[i] - 'a');
}
END_TEST

START_TEST(examples_are_in_no_training_batch)
{
    study_laboratory_options options = {.length = 5, .letters = 8, .steps = 60, .seed = 3};
    static int32_t unseen[LABORATORY_EXAMPLES * 5], x[LABORATORY_ROWS * 5];
    static bool is_unseen[32768], is_trained[32768];
    ag_error error = {0};
    ck_assert_msg(laboratory_draw_unseen(&options, unseen, &error) == AG_OK, "%s", error.message);
    for (int step = 0; step <= options.steps; step++) {
        ag_rng rng = laboratory_stream(&options, step);
        const int32_t *rows = step ? x : unseen;
        const int count = step ? LABORATORY_ROWS : LABORATORY_EXAMPLES;
        laboratory_draw(&rng, &options, LABORATORY_ROWS, x);
        for (int row = 0; row < count; row++) {
            int number = 0;
            for (int i = 0; i < 5; i++) {
                ck_assert_int_ge(rows[row * 5 + i], LABORATORY_FIRST_LETTER);
                ck_assert_int_lt(rows[row * 5 + i], LABORATORY_FIRST_LETTER + 8);
                number = number * 8 + rows[row * 5 + i] - LABORATORY_FIRST_LETTER;
            }
            (step ? is_trained : is_unseen)[number] = true;
        }
    }
    int both = 0, trained = 0, other = 0;
    for (int number = 0; number < 32768; number++) {
        both += is_unseen[number] && is_trained[number];
        trained += is_trained[number];
        other += is_unseen[number];
    }
    ck_assert_int_eq(both, 0);
    ck_assert_int_gt(trained, 3400); /* 3840 drawn out of 32768 */
    ck_assert_int_gt(other, 1900);

    options.steps = 65;
    ck_assert_int_eq(laboratory_draw_unseen(&options, unseen, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "only 32768 sequences of 5 letters"), "%s", error.message);
}
END_TEST

/* ---- Theory ------------------------------------------------------------------------ */

enum { LONGEST = 5, MOST_LETTERS = 3, MOST_KEYS = 1024 }; /* (MOST_LETTERS + 1)^LONGEST */

/* A small world in which all sequences can be gone through. */
typedef struct world {
    laboratory_task task;
    int64_t length, letters;
    int32_t x[LONGEST], y[LONGEST];
} world;

static int64_t power(int64_t base, int64_t exponent)
{
    int64_t product = 1;
    while (exponent-- > 0)
        product *= base;
    return product;
}

/* Sequence `number` of letters^length, and its answers; letters from 0. */
static void make_sequence(world *w, int64_t number)
{
    for (int64_t i = 0; i < w->length; i++, number /= w->letters)
        w->x[i] = LABORATORY_FIRST_LETTER + (int32_t)(number % w->letters);
    laboratory_answer(w->task, w->length, w->x, w->y);
    for (int64_t i = 0; i < w->length; i++) {
        w->x[i] -= LABORATORY_FIRST_LETTER;
        w->y[i] -= LABORATORY_FIRST_LETTER;
    }
}

/* The accuracy at position i of the answer that is most often right, for each state of
 * what is visible. */
static double best_by_counting(world *w, int64_t i, const unsigned char *seen)
{
    static int64_t counts[MOST_KEYS][MOST_LETTERS];
    const int64_t all = power(w->letters, w->length);
    memset(counts, 0, sizeof counts);
    for (int64_t number = 0; number < all; number++) {
        int64_t key = 0;
        make_sequence(w, number);
        for (int64_t j = 0; j < w->length; j++)
            key = key * (w->letters + 1) + (seen[i * w->length + j] ? w->x[j] : w->letters);
        counts[key][w->y[i]]++;
    }
    int64_t right = 0;
    for (int64_t key = 0; key < MOST_KEYS; key++) {
        int64_t most = 0;
        for (int64_t letter = 0; letter < w->letters; letter++)
            most = counts[key][letter] > most ? counts[key][letter] : most;
        right += most;
    }
    return (double)right / (double)all;
}

START_TEST(theory_agrees_with_counting)
{
    static const int64_t sizes[][2] = {{4, 3}, {5, 2}, {4, 2}, {5, 3}};
    ag_rng rng = ag_rng_make(5, 0);
    for (int trial = 0; trial < 60; trial++) {
        world w = {.length = sizes[trial % 4][0], .letters = sizes[trial % 4][1]};
        unsigned char seen[LONGEST * LONGEST];
        double allowed[LONGEST];
        const uint64_t openness = ag_rng_below(&rng, 5); /* from blind to all-seeing */
        for (int64_t cell = 0; cell < w.length * w.length; cell++)
            seen[cell] = ag_rng_below(&rng, 4) < openness;
        for (int task = 0; task < LABORATORY_TASKS; task++) {
            w.task = (laboratory_task)task;
            laboratory_allowed(w.task, w.length, w.letters, seen, allowed);
            for (int64_t i = 0; i < w.length; i++)
                ck_assert_double_eq_tol(allowed[i], best_by_counting(&w, i, seen), 1e-12);
        }
    }
}
END_TEST

/* The same where only the letter here and the numbers of all letters are known. One
 * answer for each such state serves all positions; of equally good ones each is taken in
 * turn. right[state, answer, i] counts. */
static void orderless_by_counting(world *w, double *accuracy)
{
    static int64_t right[MOST_KEYS][MOST_LETTERS][LONGEST];
    const int64_t all = power(w->letters, w->length);
    memset(right, 0, sizeof right);
    for (int64_t number = 0; number < all; number++) {
        int64_t state = 0;
        make_sequence(w, number);
        for (int64_t letter = 0; letter + 1 < w->letters; letter++) {
            int64_t count = 0;
            for (int64_t j = 0; j < w->length; j++)
                count += w->x[j] == letter;
            state = state * (w->length + 1) + count;
        }
        for (int64_t i = 0; i < w->length; i++)
            right[state * w->letters + w->x[i]][w->y[i]][i]++;
    }
    memset(accuracy, 0, (size_t)w->length * sizeof *accuracy);
    for (int64_t key = 0; key < MOST_KEYS; key++) {
        int64_t totals[MOST_LETTERS] = {0}, best = 0, equal = 0;
        for (int64_t letter = 0; letter < w->letters; letter++) {
            for (int64_t i = 0; i < w->length; i++)
                totals[letter] += right[key][letter][i];
            best = totals[letter] > best ? totals[letter] : best;
        }
        for (int64_t letter = 0; letter < w->letters; letter++)
            equal += totals[letter] == best;
        for (int64_t letter = 0; letter < w->letters; letter++)
            for (int64_t i = 0; i < w->length && best && totals[letter] == best; i++)
                accuracy[i] += (double)right[key][letter][i] / (double)equal / (double)all;
    }
}

START_TEST(theory_without_order_agrees_with_counting)
{
    static const int64_t sizes[][2] = {{4, 3}, {5, 2}, {4, 2}, {5, 3}};
    for (int trial = 0; trial < 4; trial++)
        for (int task = 0; task < LABORATORY_TASKS; task++) {
            world w = {.task = (laboratory_task)task, .length = sizes[trial][0], .letters = sizes[trial][1]};
            double allowed[LONGEST], counted[LONGEST];
            laboratory_allowed_orderless(w.task, w.length, w.letters, allowed);
            orderless_by_counting(&w, counted);
            for (int64_t i = 0; i < w.length; i++)
                ck_assert_double_eq_tol(allowed[i], counted[i], 1e-12);
        }
}
END_TEST

/* ---- The laboratory on a smaller size ---------------------------------------------- */

enum { LENGTH = 6, LETTERS = 8, STEPS = 240 };
static const double CHANCE = 1.0 / LETTERS;

static laboratory_findings found;

/* The messages of the progress. */
typedef struct listener {
    int64_t calls, last, all;
    bool in_order;
    volatile sig_atomic_t stop;
    int64_t stop_at;
} listener;
static listener heard = {.in_order = true};

static void listen(void *context, const char *what, int64_t done, int64_t all)
{
    listener *l = context;
    l->in_order = l->in_order && what[0] && done == l->last + 1 && done <= all;
    l->calls++;
    l->last = done;
    l->all = all;
    l->stop = l->stop_at && done >= l->stop_at;
}

/* Once for all tests below. (One thread: threads do not live through the fork of a
 * test.) */
static void run_laboratory(void)
{
    const study_laboratory_options options = {.length = LENGTH,
                                              .letters = LETTERS,
                                              .steps = STEPS,
                                              .seed = 1,
                                              .threads = 1,
                                              .on_progress = listen,
                                              .context = &heard};
    ag_error error = {0};
    if (laboratory_run(&options, &found, &error) != AG_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
}

START_TEST(every_claim_comes_true)
{
    ck_assert_int_eq(found.claim_count, 23);
    for (int i = 0; i < found.claim_count; i++)
        ck_assert_msg(found.claims[i].holds, "%s: %s", found.claims[i].expected, found.claims[i].measured);
}
END_TEST

START_TEST(progress_counts_all_trainings)
{
    ck_assert(heard.in_order);
    ck_assert_int_eq(heard.all, 27 * STEPS);
    ck_assert_int_eq(heard.calls, heard.all);
}
END_TEST

START_TEST(masks_reach_through_two_layers)
{
    for (int64_t i = 0; i < LENGTH; i++)
        for (int64_t j = 0; j < LENGTH; j++) {
            const int64_t cell = i * LENGTH + j, apart = i < j ? j - i : i - j;
            ck_assert_int_eq(found.reach[LABORATORY_FULL][cell], 1);
            ck_assert_int_eq(found.reach[LABORATORY_CAUSAL][cell], j <= i);
            ck_assert_int_eq(found.block_reach[LABORATORY_WINDOW][cell], apart <= 1);
            ck_assert_int_eq(found.reach[LABORATORY_WINDOW][cell], apart <= 2);
            ck_assert_int_eq(found.reach[LABORATORY_PREFIX][cell], j < 4 || j <= i);
        }
}
END_TEST

/* Five deviations of a share of 2048 draws with probability p. */
static double stray(double p)
{
    return 5 * sqrt(p * (1 - p) / 2048);
}

static void check_chance(laboratory_task task, laboratory_mask mask, int64_t i)
{
    const double accuracy = found.accuracy[task][mask][i];
    ck_assert_msg(fabs(accuracy - CHANCE) <= stray(CHANCE), "%s, %s, position %d: %g", laboratory_task_names[task],
                  laboratory_setting_names[mask], (int)i, accuracy);
}

static void check_right(laboratory_task task, laboratory_mask mask, int64_t i)
{
    const double accuracy = found.accuracy[task][mask][i];
    ck_assert_msg(accuracy >= 0.99, "%s, %s, position %d: %g", laboratory_task_names[task],
                  laboratory_setting_names[mask], (int)i, accuracy);
}

/* Each position of the tasks that ask for one letter, from the masks' definitions. */
START_TEST(one_letter_is_right_or_chance)
{
    for (int mask = 0; mask < LABORATORY_MASKS; mask++)
        for (int64_t i = 0; i < LENGTH; i++) {
            const int64_t places[] = {i, i + 1 < LENGTH ? i + 1 : i, i > 0 ? i - 1 : 0, LENGTH - 1 - i};
            for (int task = 0; task < LABORATORY_SORT; task++) {
                const int64_t j = places[task];
                const bool visible[] = {true, j <= i, (i < j ? j - i : i - j) <= 2, j < 4 || j <= i};
                ck_assert_double_eq(found.allowed[task][mask][i], visible[mask] ? 1 : CHANCE);
                if (visible[mask])
                    check_right((laboratory_task)task, (laboratory_mask)mask, i);
                else
                    check_chance((laboratory_task)task, (laboratory_mask)mask, i);
            }
        }
}
END_TEST

START_TEST(a_causal_model_reverses_the_second_half)
{
    for (int64_t i = 0; i < LENGTH; i++)
        if (i < LENGTH / 2)
            check_chance(LABORATORY_REVERSE, LABORATORY_CAUSAL, i);
        else
            check_right(LABORATORY_REVERSE, LABORATORY_CAUSAL, i);
}
END_TEST

START_TEST(sort_is_near_to_what_is_possible)
{
    for (int mask = 0; mask < LABORATORY_MASKS; mask++)
        for (int64_t i = 0; i < LENGTH; i++) {
            const double allowed = found.allowed[LABORATORY_SORT][mask][i],
                         accuracy = found.accuracy[LABORATORY_SORT][mask][i];
            ck_assert_double_le(accuracy, allowed + stray(allowed));
            ck_assert_double_ge(accuracy, allowed - 0.05);
            ck_assert(mask != LABORATORY_FULL || allowed > 1 - 1e-12);
        }
    /* At the last position a causal mask hides nothing. */
    ck_assert_double_eq_tol(found.allowed[LABORATORY_SORT][LABORATORY_CAUSAL][LENGTH - 1], 1, 1e-12);
    /* At the first it shows one letter: the smallest of six is guessed from it. Were it
     * the smaller, it would be it. */
    ck_assert_double_lt(found.allowed[LABORATORY_SORT][LABORATORY_CAUSAL][0], 0.6);
}
END_TEST

START_TEST(without_positions_the_set_is_known)
{
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        const double *by_position = found.allowed[task][LABORATORY_ORDERLESS];
        const double allowed = laboratory_mean(by_position, LENGTH),
                     accuracy = laboratory_mean(found.accuracy[task][LABORATORY_ORDERLESS], LENGTH);
        double room = 0; /* the deviation of a mean is at most the mean of the deviations */
        for (int64_t i = 0; i < LENGTH; i++)
            room += stray(by_position[i]) / LENGTH;
        ck_assert_double_le(accuracy, allowed + room);
        ck_assert_double_ge(accuracy, allowed - 0.02);
        ck_assert(task == LABORATORY_COPY ? allowed > 1 - 1e-12 : allowed < 0.5);
    }
}
END_TEST

START_TEST(the_grid_is_bounded_by_the_evaluation)
{
    for (int task = 0; task < LABORATORY_TASKS; task++)
        for (int mask = 0; mask < LABORATORY_MASKS; mask++) {
            const double allowed = laboratory_mean(found.allowed[task][mask], LENGTH);
            double room = 0;
            for (int64_t i = 0; i < LENGTH; i++)
                room += stray(found.allowed[task][mask][i]) / LENGTH;
            for (int setting = 0; setting < LABORATORY_SETTINGS; setting++)
                ck_assert_double_le(found.grid[task][setting][mask], allowed + room);
            ck_assert_double_eq_tol(found.grid[task][mask][mask], laboratory_mean(found.accuracy[task][mask], LENGTH),
                                    1e-12);
            for (int setting = 0; setting < LABORATORY_SETTINGS; setting++)
                if (task == LABORATORY_SORT && setting != mask)
                    ck_assert_double_lt(found.grid[task][setting][mask], found.grid[task][mask][mask]);
        }
    for (int mask = 0; mask < LABORATORY_MASKS; mask++)
        for (int task = LABORATORY_SHIFT_LEFT; task < LABORATORY_SORT; task++)
            ck_assert_double_ge(found.grid[task][LABORATORY_FULL][mask],
                                laboratory_mean(found.allowed[task][mask], LENGTH) - 0.05);
    ck_assert_double_lt(found.grid[LABORATORY_SORT][LABORATORY_FULL][LABORATORY_WINDOW],
                        laboratory_mean(found.allowed[LABORATORY_SORT][LABORATORY_WINDOW], LENGTH) - 0.05);
    ck_assert_double_lt(found.grid[LABORATORY_SHIFT_LEFT][LABORATORY_CAUSAL][LABORATORY_FULL],
                        (1 + (5 * CHANCE + 1) / 6) / 2);
    ck_assert_double_lt(found.grid[LABORATORY_REVERSE][LABORATORY_CAUSAL][LABORATORY_FULL], (1 + (CHANCE + 1) / 2) / 2);
}
END_TEST

START_TEST(a_leaking_decoder_wins_and_fails)
{
    const double floor = log(2) / (LENGTH + 2);
    ck_assert_double_eq_tol(found.loss_floor, floor, 1e-15);
    ck_assert_double_lt(found.leaking.curve[LABORATORY_POINTS - 1], 0.1 * floor);
    ck_assert_double_lt(found.leaking.loss, 0.1 * floor);
    ck_assert_double_gt(found.leaking.accuracy, 0.999);
    ck_assert_double_gt(found.leaking.causal_loss, 1);
    ck_assert_double_lt(found.leaking.causal_accuracy, 0.5);
    ck_assert_double_le(found.leaking.exact, 0.01);

    ck_assert_double_ge(found.correct.loss, 0.95 * floor);
    ck_assert_double_le(found.correct.loss, 1.5 * floor);
    ck_assert_double_eq(found.correct.loss, found.correct.causal_loss); /* the same mask, the same coins */
    ck_assert_double_ge(found.correct.exact, 0.99);
    /* All tokens but the mark are certain, and the mark is right in half of the rows. */
    ck_assert_double_eq_tol(found.correct.accuracy, (LENGTH + 1.5) / (LENGTH + 2), 0.01 + stray(0.5) / (LENGTH + 2));
    for (int i = 0; i < LABORATORY_POINTS; i++)
        ck_assert(found.correct.curve[i] > 0 && found.correct.curve[i] < 4);
    ck_assert_double_gt(found.correct.curve[0], 2); /* it begins above the ln of the letters */
}
END_TEST

START_TEST(permuted_inputs_give_permuted_outputs)
{
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        const laboratory_permuted *p = &found.permuted[task];
        const double epsilon = PRECISION(2.220446049250313e-16, 1.1920928955078125e-07);
        ck_assert_double_gt(p->largest, 1);
        ck_assert_double_eq_tol(p->bound, 2 * 4 * (LENGTH - 1) * epsilon * p->largest, 1e-3 * p->bound);
        ck_assert_double_le(p->difference, p->bound);
        ck_assert_double_gt(p->difference, 0); /* or else it was not permuted */
        ck_assert_double_gt(p->positions, 0.1);
    }
}
END_TEST

START_TEST(padding_is_seen_without_its_mask_alone)
{
    const int64_t vocab = LABORATORY_FIRST_LETTER + LETTERS, rows = 512, paddings = LABORATORY_PADDINGS - 1;
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        const laboratory_padded *p = &found.padded[task];
        ck_assert_int_eq(p->compared, paddings * rows * LENGTH * vocab);
        ck_assert_int_eq(p->changed[true], 0);
        ck_assert_double_eq(p->difference[true], 0);
        ck_assert_int_gt(p->changed[false], p->compared * 99 / 100);
        ck_assert_double_gt(p->difference[false], 0.1);
        for (int at = 0; at < LABORATORY_PADDINGS; at++) {
            ck_assert_double_eq(p->accuracy[true][at], p->accuracy[true][0]);
            ck_assert_double_ge(p->accuracy[true][at], 0.99);
        }
        ck_assert_double_eq(p->accuracy[false][0], p->accuracy[true][0]);
    }
    ck_assert_double_lt(found.padded[LABORATORY_SORT].accuracy[false][LABORATORY_PADDINGS - 1], 0.8);
}
END_TEST

/* ---- Options ----------------------------------------------------------------------- */

static void expect_error(study_laboratory_options options, ag_status status, const char *words)
{
    ag_error error = {0};
    study_document *document = study_document_new("laboratory");
    ck_assert_int_eq(study_laboratory(&options, document, &error), status);
    ck_assert_int_eq(error.status, status);
    ck_assert_msg(strstr(error.message, words) != NULL, "%s", error.message);
    study_document_free(document);
}

START_TEST(mistakes_are_named)
{
    expect_error((study_laboratory_options){.length = 3}, AG_BAD_VALUE, "length is 3: it must be 4 to 16");
    expect_error((study_laboratory_options){.length = 17}, AG_BAD_VALUE, "length is 17");
    expect_error((study_laboratory_options){.letters = 1}, AG_BAD_VALUE, "letters is 1: it must be 2 to 10");
    expect_error((study_laboratory_options){.letters = 11}, AG_BAD_VALUE, "letters is 11");
    expect_error((study_laboratory_options){.steps = 39}, AG_BAD_VALUE, "steps is 39: it must be 40");
    expect_error((study_laboratory_options){.threads = -1}, AG_BAD_VALUE, "threads is -1");
    expect_error((study_laboratory_options){.length = 4}, AG_BAD_VALUE, "only 4096 sequences");
}
END_TEST

START_TEST(it_stops_when_asked)
{
    listener l = {.in_order = true, .stop_at = 30};
    expect_error((study_laboratory_options){.threads = 1, .on_progress = listen, .context = &l, .stop = &l.stop},
                 AG_INTERRUPTED, "stopped");
    ck_assert_int_eq(l.calls, 30);
}
END_TEST

START_TEST(threads_change_no_bit)
{
    static laboratory_findings results[2];
    static int32_t unseen[LABORATORY_EXAMPLES * LENGTH];
    const study_laboratory_options options = {.length = LENGTH, .letters = LETTERS, .steps = 40, .seed = 9};
    ag_error error = {0};
    ck_assert_int_eq(laboratory_draw_unseen(&options, unseen, &error), AG_OK);
    for (int i = 0; i < 2; i++) {
        laboratory lab = {.options = options, .findings = &results[i], .error = &error, .unseen = unseen};
        lab.tape = ag_tape_new(&(ag_tape_options){.threads = i ? 3 : 1});
        ck_assert_ptr_nonnull(lab.tape);
        ck_assert_msg(laboratory_find_leak(&lab) == AG_OK, "%s", error.message);
        ag_tape_free(lab.tape);
    }
    ck_assert_mem_eq(&results[0].correct, &results[1].correct, sizeof results[0].correct);
    ck_assert_mem_eq(&results[0].leaking, &results[1].leaking, sizeof results[0].leaking);
    ck_assert_double_gt(results[0].correct.loss, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("study_laboratory");
    TCase *theory = tcase_create("theory"), *whole = tcase_create("laboratory"), *options = tcase_create("options");
    tcase_set_timeout(theory, 60);
    tcase_add_test(theory, tasks_answer_at_each_position);
    tcase_add_test(theory, examples_are_in_no_training_batch);
    tcase_add_test(theory, theory_agrees_with_counting);
    tcase_add_test(theory, theory_without_order_agrees_with_counting);
    suite_add_tcase(s, theory);
    tcase_set_timeout(whole, 120);
    tcase_add_unchecked_fixture(whole, run_laboratory, NULL);
    tcase_add_test(whole, every_claim_comes_true);
    tcase_add_test(whole, progress_counts_all_trainings);
    tcase_add_test(whole, masks_reach_through_two_layers);
    tcase_add_test(whole, one_letter_is_right_or_chance);
    tcase_add_test(whole, a_causal_model_reverses_the_second_half);
    tcase_add_test(whole, sort_is_near_to_what_is_possible);
    tcase_add_test(whole, without_positions_the_set_is_known);
    tcase_add_test(whole, the_grid_is_bounded_by_the_evaluation);
    tcase_add_test(whole, a_leaking_decoder_wins_and_fails);
    tcase_add_test(whole, permuted_inputs_give_permuted_outputs);
    tcase_add_test(whole, padding_is_seen_without_its_mask_alone);
    suite_add_tcase(s, whole);
    tcase_set_timeout(options, 120);
    tcase_add_test(options, mistakes_are_named);
    tcase_add_test(options, it_stops_when_asked);
    tcase_add_test(options, threads_change_no_bit);
    suite_add_tcase(s, options);
    return s;
}

TEST_MAIN(suite)
