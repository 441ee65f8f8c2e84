/* claims.c - what was expected of the experiments, and whether it came true, judged by
 * the numbers alone.
 *
 * That a model cannot do what its mask forbids holds for every model, well or badly
 * trained: only chance may exceed the bound, by laboratory_stray. That a model learns
 * what its mask allows is no theorem: there a margin is chosen, and stated in the
 * sentence.
 */
#include "findings.h"

#include <math.h>
#include <stdarg.h>

#define RIGHT     0.99 /* an accuracy that counts as right */
#define LAG       0.05 /* an accuracy may be this far below what is possible, */
#define ORDER_LAG 0.02 /* and without positions this far */

enum { CLAIM_TEXT = sizeof((laboratory_claim *)0)->expected };

AG_PRINTF(2, 3) static void say(char *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ag_text_print_list(text, CLAIM_TEXT, format, arguments);
    va_end(arguments);
}

static laboratory_claim *add_claim(laboratory_findings *findings, laboratory_section section, bool holds)
{
    laboratory_claim *claim = &findings->claims[findings->claim_count++];
    claim->section = section;
    claim->task = LABORATORY_TASKS;
    claim->holds = holds;
    return claim;
}

/* The largest value so far, and the measurement that it belongs to. */
typedef struct extreme {
    double value, measured, allowed;
    int task, setting;
    int64_t at; /* a position, or in the grid the mask of the evaluation */
} extreme;

static void keep_larger(extreme *kept, double value, double measured, double allowed, int task, int setting, int64_t at)
{
    if (value > kept->value)
        *kept = (extreme){value, measured, allowed, task, setting, at};
}

/* Writes the accuracies of positions [begin, end): "0.126 0.121". */
static void print_accuracies(char *text, const double *values, int64_t begin, int64_t end)
{
    size_t length = 0;
    text[0] = '\0';
    for (int64_t i = begin; i < end && length < CLAIM_TEXT; i++)
        length += (size_t)ag_text_print(text + length, CLAIM_TEXT - length, "%s%.3f", i > begin ? " " : "", values[i]);
}

/* How far a mean over the positions may be from its expectation: at most the mean of the
 * deviations. */
static double mean_stray(const double *allowed, int64_t length)
{
    double sum = 0;
    for (int64_t i = 0; i < length; i++)
        sum += laboratory_stray(allowed[i]);
    return sum / (double)length;
}

/* ---- Taggers ----------------------------------------------------------------------- */

/* At each position, unless the answer there is certain; without positions in the mean,
 * since guesses may favour some positions at the cost of others. */
static void claim_nowhere_better(laboratory_findings *findings)
{
    const int64_t length = findings->options.length;
    extreme worst = {.value = -INFINITY};
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        for (int setting = 0; setting < LABORATORY_MASKS; setting++)
            for (int64_t i = 0; i < length; i++) {
                const double measured = findings->accuracy[task][setting][i],
                             allowed = findings->allowed[task][setting][i];
                if (allowed < 1)
                    keep_larger(&worst, measured - allowed - laboratory_stray(allowed), measured, allowed, task,
                                setting, i);
            }
        const double *allowed = findings->allowed[task][LABORATORY_ORDERLESS];
        const double mean = laboratory_mean(findings->accuracy[task][LABORATORY_ORDERLESS], length),
                     mean_allowed = laboratory_mean(allowed, length);
        if (mean_allowed < 1)
            keep_larger(&worst, mean - mean_allowed - mean_stray(allowed, length), mean, mean_allowed, task,
                        LABORATORY_ORDERLESS, 0);
    }
    laboratory_claim *claim = add_claim(findings, LABORATORY_TAGGERS, worst.value <= 0);
    say(claim->expected, "nowhere is a model right more often than what it sees allows, chance aside");
    say(claim->measured, "%.3f where %.3f is possible comes nearest to too much (%s, %s, position %lld)",
        worst.measured, worst.allowed, laboratory_task_names[worst.task], laboratory_setting_names[worst.setting],
        (long long)worst.at);
}

/* A task that needs one letter is done correctly wherever that letter is visible. */
static void claim_right(laboratory_findings *findings, int task)
{
    extreme lowest = {.value = -INFINITY};
    for (int setting = 0; setting < LABORATORY_MASKS; setting++)
        for (int64_t i = 0; i < findings->options.length; i++)
            if (findings->allowed[task][setting][i] >= 1)
                keep_larger(&lowest, -findings->accuracy[task][setting][i], findings->accuracy[task][setting][i], 1,
                            task, setting, i);
    laboratory_claim *claim = add_claim(findings, LABORATORY_TAGGERS, lowest.measured >= RIGHT);
    claim->task = (laboratory_task)task;
    say(claim->expected, "%s: right (%.2f or more) wherever the letter that is asked for is within reach",
        laboratory_task_names[task], RIGHT);
    say(claim->measured, "lowest %.3f (%s, position %lld)", lowest.measured, laboratory_setting_names[lowest.setting],
        (long long)lowest.at);
}

/* The same tasks at the positions where that letter is hidden. */
static void claim_chance(laboratory_findings *findings)
{
    const double chance = 1 / (double)findings->options.letters;
    double low = 1, high = 0;
    int64_t count = 0;
    for (int task = 0; task < LABORATORY_SORT; task++)
        for (int setting = 0; setting < LABORATORY_MASKS; setting++)
            for (int64_t i = 0; i < findings->options.length; i++)
                if (findings->allowed[task][setting][i] < 1) {
                    low = fmin(low, findings->accuracy[task][setting][i]);
                    high = fmax(high, findings->accuracy[task][setting][i]);
                    count++;
                }
    const double stray = laboratory_stray(chance);
    laboratory_claim *claim =
        add_claim(findings, LABORATORY_TAGGERS, count && low >= chance - stray && high <= chance + stray);
    say(claim->expected, "where that letter is out of reach, accuracy is chance: %.3f, give or take %.3f", chance,
        stray);
    say(claim->measured, "%.3f to %.3f at %lld positions", low, high, (long long)count);
}

/* Whether positions [begin, end) are right; and whether they are at chance. */
static bool all_right(const double *accuracy, int64_t begin, int64_t end)
{
    bool good = true;
    for (int64_t i = begin; i < end; i++)
        good = good && accuracy[i] >= RIGHT;
    return good;
}

static bool all_chance(const laboratory_findings *findings, const double *accuracy, int64_t begin, int64_t end)
{
    const double chance = 1 / (double)findings->options.letters;
    bool good = true;
    for (int64_t i = begin; i < end; i++)
        good = good && fabs(accuracy[i] - chance) <= laboratory_stray(chance);
    return good;
}

static void claim_causal_reverse(laboratory_findings *findings)
{
    const int64_t length = findings->options.length, half = length / 2;
    const double *accuracy = findings->accuracy[LABORATORY_REVERSE][LABORATORY_CAUSAL];
    char first[CLAIM_TEXT], second[CLAIM_TEXT];
    print_accuracies(first, accuracy, 0, half);
    print_accuracies(second, accuracy, half, length);
    laboratory_claim *claim = add_claim(findings, LABORATORY_TAGGERS,
                                        all_chance(findings, accuracy, 0, half) && all_right(accuracy, half, length));
    claim->task = LABORATORY_REVERSE;
    say(claim->expected, "reverse under a causal mask: chance on the first half, right on the second");
    say(claim->measured, "%.100s | %.100s", first, second);
}

static void claim_sides(laboratory_findings *findings)
{
    const int64_t length = findings->options.length;
    const double *left = findings->accuracy[LABORATORY_SHIFT_LEFT][LABORATORY_CAUSAL],
                 *right = findings->accuracy[LABORATORY_SHIFT_RIGHT][LABORATORY_CAUSAL];
    laboratory_claim *claim = add_claim(findings, LABORATORY_TAGGERS,
                                        all_chance(findings, left, 0, length - 1) && all_right(right, 0, length));
    claim->task = LABORATORY_SHIFT_RIGHT;
    say(claim->expected, "a causal mask costs nothing on shift right, which needs the left side, and all on shift left "
                         "but for its last position");
    say(claim->measured, "shift right %.3f, shift left %.3f in the mean", laboratory_mean(right, length),
        laboratory_mean(left, length - 1));
}

static void claim_sort(laboratory_findings *findings)
{
    extreme worst = {.value = -INFINITY};
    for (int setting = 0; setting < LABORATORY_MASKS; setting++)
        for (int64_t i = 0; i < findings->options.length; i++) {
            const double measured = findings->accuracy[LABORATORY_SORT][setting][i],
                         allowed = findings->allowed[LABORATORY_SORT][setting][i];
            keep_larger(&worst, allowed - measured, measured, allowed, LABORATORY_SORT, setting, i);
        }
    laboratory_claim *claim = add_claim(findings, LABORATORY_TAGGERS, worst.value <= LAG);
    claim->task = LABORATORY_SORT;
    say(claim->expected, "sort: within %.2f of the best possible guess at every position, whatever the mask hides",
        LAG);
    say(claim->measured, "furthest from it %.3f where %.3f is possible (%s, position %lld)", worst.measured,
        worst.allowed, laboratory_setting_names[worst.setting], (long long)worst.at);
}

static void claim_orderless(laboratory_findings *findings)
{
    const int64_t length = findings->options.length;
    extreme worst = {.value = -INFINITY};
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        const double measured = laboratory_mean(findings->accuracy[task][LABORATORY_ORDERLESS], length),
                     allowed = laboratory_mean(findings->allowed[task][LABORATORY_ORDERLESS], length);
        keep_larger(&worst, allowed - measured, measured, allowed, task, LABORATORY_ORDERLESS, 0);
    }
    laboratory_claim *claim = add_claim(findings, LABORATORY_TAGGERS, worst.value <= ORDER_LAG);
    say(claim->expected,
        "without positions: in the mean within %.2f of the best guess from the letter here and the set of letters",
        ORDER_LAG);
    say(claim->measured, "furthest from it %.3f where %.3f is possible (%s)", worst.measured, worst.allowed,
        laboratory_task_names[worst.task]);
}

/* ---- The grid ---------------------------------------------------------------------- */

static void claim_grid_bound(laboratory_findings *findings)
{
    extreme worst = {.value = -INFINITY};
    for (int task = 0; task < LABORATORY_TASKS; task++)
        for (int setting = 0; setting < LABORATORY_SETTINGS; setting++)
            for (int mask = 0; mask < LABORATORY_MASKS; mask++) {
                const double measured = findings->grid[task][setting][mask];
                const double *by_position = laboratory_grid_allowed(findings, task, setting, mask);
                const double allowed = laboratory_mean(by_position, findings->options.length);
                if (allowed < 1)
                    keep_larger(&worst, measured - allowed - mean_stray(by_position, findings->options.length),
                                measured, allowed, task, setting, mask);
            }
    laboratory_claim *claim = add_claim(findings, LABORATORY_GRID, worst.value <= 0);
    say(claim->expected,
        "whatever a model was trained with, it is never better than the mask of the evaluation allows");
    say(claim->measured, "%.3f where %.3f is possible comes nearest to too much (%s, trained %s, evaluated %s)",
        worst.measured, worst.allowed, laboratory_task_names[worst.task], laboratory_setting_names[worst.setting],
        laboratory_setting_names[worst.at]);
}

static void claim_grid_diagonal(laboratory_findings *findings)
{
    double least = INFINITY;
    int trained = 0, evaluated = 0;
    for (int mask = 0; mask < LABORATORY_MASKS; mask++)
        for (int setting = 0; setting < LABORATORY_SETTINGS; setting++) {
            const double lead =
                findings->grid[LABORATORY_SORT][mask][mask] - findings->grid[LABORATORY_SORT][setting][mask];
            if (setting != mask && lead < least) {
                least = lead;
                trained = setting;
                evaluated = mask;
            }
        }
    laboratory_claim *claim = add_claim(findings, LABORATORY_GRID, least > 0);
    say(claim->expected, "sort: under each mask the model that was trained with it is the best");
    say(claim->measured, "smallest lead %.3f: under %s, before the one trained with %s", least,
        laboratory_setting_names[evaluated], laboratory_setting_names[trained]);
}

/* How far a model trained with the full mask falls below what the mask of the evaluation
 * allows, at most. */
static double most_lost(const laboratory_findings *findings, laboratory_task task)
{
    double most = 0;
    for (int mask = 0; mask < LABORATORY_MASKS; mask++)
        most = fmax(most, laboratory_mean(findings->allowed[task][mask], findings->options.length) -
                              findings->grid[task][LABORATORY_FULL][mask]);
    return most;
}

/* A task that looks at one position does not miss the others. A task that needs all
 * positions was never trained to guess the hidden ones. */
static void claim_grid_closed(laboratory_findings *findings)
{
    const double left = most_lost(findings, LABORATORY_SHIFT_LEFT), right = most_lost(findings, LABORATORY_SHIFT_RIGHT),
                 reverse = most_lost(findings, LABORATORY_REVERSE), sort = most_lost(findings, LABORATORY_SORT);
    laboratory_claim *claim =
        add_claim(findings, LABORATORY_GRID, fmax(left, fmax(right, reverse)) <= LAG && sort > LAG);
    say(claim->expected,
        "trained with the full mask, shifts and reverse lose under the others only what these hide, "
        "give or take %.2f; sort loses more",
        LAG);
    say(claim->measured, "beyond that are lost at most: %.3f and %.3f by the shifts, %.3f by reverse, %.3f by sort",
        left, right, reverse, sort);
}

/* A model does not look where it never could in training: opening the mask gains it
 * little. */
static void claim_grid_opened(laboratory_findings *findings)
{
    static const laboratory_task tasks[] = {LABORATORY_SHIFT_LEFT, LABORATORY_REVERSE};
    double measured[2], middle[2];
    for (int i = 0; i < 2; i++) {
        measured[i] = findings->grid[tasks[i]][LABORATORY_CAUSAL][LABORATORY_FULL];
        middle[i] =
            0.5 + 0.5 * laboratory_mean(findings->allowed[tasks[i]][LABORATORY_CAUSAL], findings->options.length);
    }
    laboratory_claim *claim = add_claim(findings, LABORATORY_GRID, measured[0] < middle[0] && measured[1] < middle[1]);
    say(claim->expected, "what a causal mask hid is not found when it is taken away after training: shift left and "
                         "reverse gain less than half of what it cost them");
    say(claim->measured, "shift left %.3f, half would be %.3f; reverse %.3f, half would be %.3f", measured[0],
        middle[0], measured[1], middle[1]);
}

/* ---- The rest ---------------------------------------------------------------------- */

/* Luck with a fair coin changes the loss by less than 5 %, as long as the model's odds
 * are within 2 to 3. */
static void claim_leak(laboratory_findings *findings)
{
    const laboratory_decoding *correct = &findings->correct, *leaking = &findings->leaking;
    const double floor = findings->loss_floor, last = leaking->curve[LABORATORY_POINTS - 1];
    laboratory_claim *claim = add_claim(findings, LABORATORY_LEAK, last < floor / 2);
    say(claim->expected, "the leaking decoder's training loss falls below what is possible without a leak");
    say(claim->measured, "%.4f, and %.4f is the least without", last, floor);
    claim = add_claim(findings, LABORATORY_LEAK, correct->loss >= 0.95 * floor && correct->loss <= 1.5 * floor);
    say(claim->expected, "the correct decoder's loss comes near to that, within half of it, but not below");
    say(claim->measured, "%.4f on unseen examples", correct->loss);
    claim = add_claim(findings, LABORATORY_LEAK, correct->exact >= 0.95);
    say(claim->expected, "decoding freely, the correct one is right (0.95 or more of the sequences)");
    say(claim->measured, "%.4f", correct->exact);
    claim = add_claim(findings, LABORATORY_LEAK, leaking->accuracy >= RIGHT && leaking->exact <= 0.05);
    say(claim->expected,
        "decoding freely, the leaking one fails (0.05 or less), though teacher forcing finds it right");
    say(claim->measured, "%.4f of the sequences; teacher-forced %.4f of the tokens", leaking->exact, leaking->accuracy);
}

static void claim_order(laboratory_findings *findings)
{
    double share = 0, factor = INFINITY, difference = 0, positions = INFINITY;
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        const laboratory_permuted *found = &findings->permuted[task];
        share = fmax(share, found->difference / found->bound);
        difference = fmax(difference, found->difference);
        factor = fmin(factor, found->positions / found->bound);
        positions = fmin(positions, found->positions);
    }
    laboratory_claim *claim = add_claim(findings, LABORATORY_ORDER, share <= 1);
    say(claim->expected, "without positions the permuted input gives the permuted output, up to summation order");
    say(claim->measured, "largest difference %.2g; at most %.2g of what summation order is granted", difference, share);
    claim = add_claim(findings, LABORATORY_ORDER, factor >= 1000);
    say(claim->expected, "with positions it does not: differences are a thousand times larger at least");
    say(claim->measured, "%.3g at least, %.2g times what summation order is granted", positions, factor);
}

static void claim_padding(laboratory_findings *findings)
{
    int64_t changed = 0, compared = 0, open = 0;
    for (int task = 0; task < LABORATORY_TASKS; task++) {
        changed += findings->padded[task].changed[true];
        open += findings->padded[task].changed[false];
        compared += findings->padded[task].compared;
    }
    const double *accuracy = findings->padded[LABORATORY_SORT].accuracy[false];
    laboratory_claim *claim = add_claim(findings, LABORATORY_PADDING, changed == 0);
    say(claim->expected, "with the padding mask, padding changes no bit of any output");
    say(claim->measured, "%lld of %lld logits differ", (long long)changed, (long long)compared);
    claim = add_claim(findings, LABORATORY_PADDING, (double)open >= RIGHT * (double)compared);
    say(claim->expected, "without it nearly all outputs change (%.2f or more)", RIGHT);
    say(claim->measured, "%lld of %lld logits differ", (long long)open, (long long)compared);
    claim = add_claim(findings, LABORATORY_PADDING, accuracy[0] - accuracy[LABORATORY_PADDINGS - 1] >= 0.1);
    say(claim->expected, "and accuracy falls: sort, with %lld marks of padding, by 0.1 or more",
        (long long)laboratory_paddings[LABORATORY_PADDINGS - 1]);
    say(claim->measured, "from %.3f to %.3f", accuracy[0], accuracy[LABORATORY_PADDINGS - 1]);
}

void laboratory_claim_all(laboratory_findings *findings)
{
    findings->claim_count = 0;
    claim_nowhere_better(findings);
    for (int task = 0; task < LABORATORY_SORT; task++)
        claim_right(findings, task);
    claim_chance(findings);
    claim_causal_reverse(findings);
    claim_sides(findings);
    claim_sort(findings);
    claim_orderless(findings);
    claim_grid_bound(findings);
    claim_grid_diagonal(findings);
    claim_grid_closed(findings);
    claim_grid_opened(findings);
    claim_leak(findings);
    claim_order(findings);
    claim_padding(findings);
}
