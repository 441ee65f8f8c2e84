/* test_playground_theory.c - what the page says is possible under masks agrees with going
 * through all sequences, and no model that is trained does better. */
#include "ask.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- All sequences ----------------------------------------------------------------- */

enum { LETTERS = 26, MOST = 3, SEQUENCES = 26 * 26 * 26, SIDE = 2 * MOST + 2, SLOTS = 2 * SIDE };
enum { VIEWS = 3 * SEQUENCES };

static const char *const kinds[] = {"encoder", "encoder-decoder", "decoder"};
static const nn_model_kind kind_of[] = {NN_ENCODER, NN_ENCODER_DECODER, NN_DECODER};
static const char *const tasks[] = {"copy", "reverse", "shift", "sort"};

/* A model's reading of one source: what each side of it reads, and its right answers. */
typedef struct reading {
    char source[SIDE + 1], target[SIDE + 1], answers[SIDE + 1];
    int source_length, target_length; /* 0: the model has no such side */
} reading;

static void answer(const char *task, int n, const char *source, char *target)
{
    memcpy(target, source, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        if (!strcmp(task, "reverse"))
            target[i] = source[n - 1 - i];
        else if (!strcmp(task, "shift"))
            target[i] = i ? source[i - 1] : 'a';
    for (int i = 0; i < n && !strcmp(task, "sort"); i++)
        for (int j = 0; j + 1 < n; j++)
            if (target[j] > target[j + 1]) {
                const char larger = target[j];
                target[j] = target[j + 1];
                target[j + 1] = larger;
            }
}

/* Marks are '^' to begin, '>' for the arrow, '$' at the end. */
static reading read_as(nn_model_kind kind, const char *task, int n, const char *source)
{
    reading r = {.source_length = 0};
    char target[MOST + 1];
    answer(task, n, source, target);
    if (kind == NN_DECODER)
        snprintf(r.answers, sizeof r.answers, "%s>%s$", source, target);
    else
        snprintf(r.answers, sizeof r.answers, "%s%s", target, kind == NN_ENCODER ? "" : "$");
    if (kind != NN_DECODER)
        r.source_length = snprintf(r.source, sizeof r.source, "%s%s", source, kind == NN_ENCODER ? "" : "$");
    if (kind != NN_ENCODER)
        r.target_length = snprintf(r.target, sizeof r.target, "^%.*s", (int)strlen(r.answers) - 1, r.answers);
    return r;
}

/* Which slots each place of a side knows, a layer at a time. */
typedef struct knowledge {
    bool known[SIDE][SLOTS];
} knowledge;

static void look(const playground_mask *mask, int queries, int keys, const knowledge *from, knowledge *to)
{
    for (int i = 0; i < queries; i++)
        for (int j = 0; j < keys; j++)
            for (int slot = 0; slot < SLOTS && playground_mask_allows(mask, i, j); slot++)
                to->known[i][slot] = to->known[i][slot] || from->known[j][slot];
}

static knowledge know(nn_model_kind kind, const playground_mask *masks, int layers, const reading *r)
{
    knowledge source = {0}, target = {0};
    for (int i = 0; i < SIDE; i++)
        source.known[i][i] = target.known[i][SIDE + i] = true;
    for (int layer = 0; layer < layers; layer++) {
        const knowledge before = source;
        look(&masks[PLAYGROUND_SOURCE], r->source_length, r->source_length, &before, &source);
    }
    for (int layer = 0; layer < layers; layer++) {
        const knowledge before = target;
        look(&masks[PLAYGROUND_TARGET], r->target_length, r->target_length, &before, &target);
        look(&masks[PLAYGROUND_CROSS], r->target_length, r->source_length, &source, &target);
    }
    return kind == NN_ENCODER ? source : target;
}

/* A view of one place, and the answer there. */
typedef struct seen {
    char slots[SLOTS], answer;
    double weight;
} seen;
static seen views[VIEWS];

static int compare_views(const void *a, const void *b)
{
    return memcmp(a, b, SLOTS + 1);
}

/* Adds the best answer to each of `count` views: how often it is right, and the entropy. */
static void add_views(int count, double *right, double *loss)
{
    qsort(views, (size_t)count, sizeof *views, compare_views);
    for (int begin = 0, end; begin < count; begin = end) {
        double all = 0, best = 0, parts = 0;
        for (end = begin; end < count && !memcmp(views[end].slots, views[begin].slots, SLOTS);) {
            const seen *first = &views[end];
            double same = 0;
            for (; end < count && !compare_views(&views[end], first); end++)
                same += views[end].weight;
            all += same;
            best = fmax(best, same);
            parts -= same * log(same);
        }
        *right += best;
        *loss += parts + all * log(all);
    }
}

/* The sequences of n letters, by number. */
static void make_source(int n, int number, char *source)
{
    for (int i = 0; i < n; i++, number /= LETTERS)
        source[i] = (char)('a' + number % LETTERS);
    source[n] = 0;
}

static void bound_by_counting(nn_model_kind kind, const char *task, const playground_mask *masks, int layers,
                              const double *share, double *accuracy, double *loss)
{
    double places = 0;
    *accuracy = *loss = 0;
    for (int t = 0; t < SIDE; t++) {
        int count = 0;
        for (int n = 1; n <= MOST; n++) {
            const int all = (int)(pow(LETTERS, n) + 0.5);
            char source[MOST + 1];
            make_source(n, 0, source);
            reading r = read_as(kind, task, n, source);
            const knowledge known = know(kind, masks, layers, &r);
            for (int number = 0; number < all && share[n] > 0 && r.answers[0] && t < (int)strlen(r.answers); number++) {
                seen *view = &views[count++];
                make_source(n, number, source);
                r = read_as(kind, task, n, source);
                *view = (seen){.answer = r.answers[t], .weight = share[n] / all};
                for (int slot = 0; slot < SLOTS; slot++) {
                    const char token = slot < SIDE ? r.source[slot] : r.target[slot - SIDE];
                    view->slots[slot] = known.known[t][slot] ? token : 0;
                }
                places += view->weight;
            }
        }
        add_views(count, accuracy, loss);
    }
    *accuracy /= places;
    *loss /= places;
}

/* A mask of a random kind. */
static playground_mask draw_mask(ag_rng *rng)
{
    playground_mask mask = {.pattern = (playground_pattern)ag_rng_below(rng, PLAYGROUND_OWN + 1)};
    mask.number = (int)ag_rng_below(rng, 4);
    mask.rows = 1 + (int)ag_rng_below(rng, SIDE);
    mask.columns = 1 + (int)ag_rng_below(rng, SIDE);
    const uint64_t openness = 1 + ag_rng_below(rng, 3);
    for (int cell = 0; cell < mask.rows * mask.columns; cell++)
        mask.cells[cell] = ag_rng_below(rng, 4) < openness;
    return mask;
}

/* Compares under random masks; returns 1 if there is a bound to compare. */
static int compare_once(ag_rng *rng, int kind, const char *task)
{
    playground_mask masks[PLAYGROUND_CARDS];
    double share[MOST + 1] = {0}, accuracy, loss;
    ag_error error = {0};
    playground_theory theory;
    data_set_options options = {.max_length = 1 + (int)ag_rng_below(rng, MOST), .count = 40};
    options.min_length = 1 + (int)ag_rng_below(rng, (uint64_t)options.max_length);
    options.tagging = kind_of[kind] == NN_ENCODER;
    data_set *set = data_set_task(data_task_find(task), &options, &error);
    nn_model model = {.config = {.kind = kind_of[kind], .heads = 2}};
    model.config.encoder_layers = model.config.decoder_layers = 1 + (int)ag_rng_below(rng, 3);
    train_recipe recipe = {.run.task = task};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    for (int card = 0; card < PLAYGROUND_CARDS; card++)
        masks[card] = draw_mask(rng);
    for (int64_t i = 0; i < options.count; i++) {
        const char *source, *target;
        data_set_example(set, i, &source, &target);
        share[strlen(source)]++;
    }
    const playground_theory_subject subject = {.model = &model, .recipe = &recipe, .set = set, .masks = masks};
    ck_assert_msg(playground_theory_find(&subject, tape, &theory, &error) == AG_OK, "%s", error.message);
    if (!theory.unknown) {
        bound_by_counting(kind_of[kind], task, masks, model.config.encoder_layers, share, &accuracy, &loss);
        ck_assert_msg(fabs(theory.accuracy - accuracy) < 1e-9 && fabs(theory.loss - loss) < 1e-9,
                      "%s, %s of %d to %d letters: %g and %g, counted %g and %g", kinds[kind], task, options.min_length,
                      options.max_length, theory.accuracy, theory.loss, accuracy, loss);
    }
    ag_tape_free(tape);
    data_set_free(set);
    return !theory.unknown;
}

START_TEST(the_bounds_agree_with_counting)
{
    ag_rng rng = ag_rng_make(11, 0);
    int known = 0, all = 0;
    for (int trial = 0; trial < 12; trial++)
        for (int kind = 0; kind < 3; kind++)
            for (int task = 0; task < 4; task++, all++)
                known += compare_once(&rng, kind, tasks[task]);
    ck_assert_msg(2 * known > all, "only %d of %d were derived", known, all);
}
END_TEST

/* ---- Settings of the page ---------------------------------------------------------- */

/* What a setting's theory of unseen examples should be; a negative number: nothing. */
typedef struct expectation {
    const char *setting;
    double accuracy, loss, exact;
} expectation;

static void check_number(const char *setting, const char *what, double found, double expected)
{
    ck_assert_msg(expected < 0 ? isnan(found) : fabs(found - expected) < 1e-12, "%s: %s %g, not %g", setting, what,
                  found, expected);
}

START_TEST(what_is_known_of_a_setting)
{
    const double hidden = log(26), chance = 1.0 / 26;
    const expectation all[] = {
        /* All is in sight. */
        {"model=encoder-decoder&task=reverse&task-min=3&task-max=8", 1, 0, 1},
        {"model=encoder-decoder&task=sort&task-min=3&task-max=8", 1, 0, 1},
        {"model=encoder&task=sort&task-min=3&task-max=8", 1, 0, 1},
        /* The first half needs the second, which a causal mask hides. */
        {"model=encoder&task=reverse&task-min=4&task-max=4&source=causal", (2 + 2 * chance) / 4, hidden / 2,
         chance * chance},
        /* A window of one over two layers sees two letters to each side: 2 of 6 answers. */
        {"model=encoder&task=reverse&task-min=6&task-max=6&source=window:1&layers=2", (2 + 4 * chance) / 6,
         4 * hidden / 6, -1},
        /* Each of two places sees what the other needs: both are right once in 26 times. */
        {"model=encoder&task=reverse&task-min=4&task-max=4&source=own:4x4:8421", chance, hidden, -1},
        /* Not a word of the source: the next letters are hidden until the end. */
        {"model=encoder-decoder&task=copy&task-min=4&task-max=4&cross=own:1x1:0", (1 + 4 * chance) / 5, 4 * hidden / 5,
         pow(chance, 4)},
        {"model=encoder-decoder&task=shift&task-min=4&task-max=4&cross=own:1x1:0", (2 + 3 * chance) / 5, 3 * hidden / 5,
         pow(chance, 3)},
        /* With a leak the answer is read; written alone, it is not there. */
        {"model=encoder-decoder&task=copy&task-min=4&task-max=4&cross=own:1x1:0&target=leak", 1, 0, pow(chance, 4)},
        {"model=encoder-decoder&task=copy&task-min=4&task-max=4&cross=own:1x1:0&target=all&eval-target=causal",
         (1 + 4 * chance) / 5, 4 * hidden / 5, pow(chance, 4)},
        /* The letters of the source follow no rule; the answer follows from them. */
        {"model=decoder&task=reverse&task-min=4&task-max=4", (6 + 4 * chance) / 10, 4 * hidden / 10, 1},
        /* Nothing is claimed. */
        {"model=encoder-decoder&task=reverse&task-min=4&task-max=8&source=causal&cross=causal", -1, -1, -1},
        {"model=encoder-decoder&task=sort&task-min=4&task-max=8&source=causal&cross=causal", -1, -1, -1},
        {"model=encoder-decoder&task=reverse&positions=none", -1, -1, -1},
        {"model=encoder&task=copy&task-min=4&task-max=5&source=all,padding", -1, -1, -1},
        {"model=encoder-decoder&task=addition&task-min=1&task-max=2", -1, -1, -1},
        {"model=encoder-decoder&task=dates", -1, -1, -1},
        {"model=decoder&task=copy&task-min=4&task-max=4&tgt-tokens=words", -1, -1, -1},
        {"model=encoder-decoder&lines=ab%09ba%0Acd%09dc%0Aef%09fe%0Agh%09hg", -1, -1, -1},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        playground *p = begin(all[i].setting);
        const playground_theory *theory = &p->run->theories.unseen;
        check_number(all[i].setting, "accuracy", theory->accuracy, all[i].accuracy);
        check_number(all[i].setting, "loss", theory->loss, all[i].loss);
        check_number(all[i].setting, "exact", theory->exact, all[i].exact);
        ck_assert(!theory->unknown == (all[i].loss >= 0));
        playground_free(p);
    }
}
END_TEST

/* Of sequences that come again a model can learn more than theory allows. */
START_TEST(a_language_models_training_is_not_bound)
{
    playground *p = begin("model=decoder&task=copy&task-min=4&task-max=4");
    ck_assert(isnan(p->run->theories.training.loss) && p->run->theories.training.unknown);
    ck_assert_double_gt(p->run->theories.unseen.loss, 1);
    playground_free(p);
}
END_TEST

/* ---- Trained models ---------------------------------------------------------------- */

/* How far a share of `count` may be above its probability: five standard deviations. */
static double stray(double p, double count)
{
    return 5 * sqrt(p * (1 - p) / count);
}

/* After training no model is better than theory says. Luck with hidden letters: whatever
 * probabilities a model gives, the sum of its losses is below that of the best model by x
 * with a probability of at most exp(-x) (Markov's inequality: the mean of the product of
 * q/p is 1), and exp(-15) is that of five standard deviations. That holds where the best
 * model's own loss is the same for all examples: hidden letters, and lengths that are
 * known. near: how far the loss is from the least, at most. */
static void check_trained(const char *setting, const char *steps, double near)
{
    enum { ROWS = 200, ROWS_ALONE = 100 };
    playground *p = begin(setting);
    const playground_theory *theory = &p->run->theories.unseen;
    const playground_result *result = &p->run->result;
    ask(p, "step", steps);
    ask(p, "evaluate", "");
    const double tokens = (double)(ROWS * theory->places);
    ck_assert_msg(result->loss >= theory->loss - 15 / tokens, "%s: loss %g, least %g", setting, result->loss,
                  theory->loss);
    ck_assert_msg(result->loss <= theory->loss + near, "%s: loss %g, least %g", setting, result->loss, theory->loss);
    ck_assert_msg(result->token_accuracy <= theory->accuracy + stray(theory->accuracy, tokens),
                  "%s: accuracy %g, most %g", setting, result->token_accuracy, theory->accuracy);
    ck_assert_msg(result->token_accuracy >= theory->accuracy - stray(theory->accuracy, tokens) - near / 2,
                  "%s: accuracy %g, most %g", setting, result->token_accuracy, theory->accuracy);
    if (!isnan(theory->exact))
        ck_assert_msg(result->exact <= theory->exact + stray(theory->exact, ROWS_ALONE), "%s: exact %g, most %g",
                      setting, result->exact, theory->exact);
    playground_free(p);
}

START_TEST(trained_models_come_near_and_no_nearer)
{
    check_trained("model=encoder&task=reverse&task-min=4&task-max=4&source=causal&layers=1&heads=2&d-model=32&batch=32&"
                  "lr=0.01&steps=400&seed=3",
                  "400", 0.05);
    check_trained("model=encoder-decoder&task=copy&task-min=4&task-max=4&cross=own:1x1:0&layers=1&heads=2&d-model=16&"
                  "batch=16&lr=0.01&steps=150&seed=3",
                  "150", 0.05);
    check_trained("model=decoder&task=copy&task-min=4&task-max=4&layers=2&heads=2&d-model=32&batch=32&lr=0.01&"
                  "steps=500&seed=3",
                  "500", 0.05);
}
END_TEST

/* With a leak a language model's loss falls below what is possible without one. */
START_TEST(a_leak_falls_below_the_line_without_it)
{
    playground *p = begin("model=decoder&task=copy&task-min=4&task-max=4&target=leak&layers=1&heads=2&d-model=32&"
                          "batch=32&lr=0.01&steps=300&seed=3");
    const playground_theories *theories = &p->run->theories;
    ck_assert(theories->unseen.leaks && !theories->honest.leaks);
    ask(p, "step", "300");
    ask(p, "evaluate", "");
    ck_assert_double_lt(p->run->result.loss, theories->honest.loss / 2);
    ask(p, "charts", "");
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "least possible without a leak"));
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "a leak. When the"));
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "Without the leak the least loss on unseen examples is 1.3032"));
    playground_free(p);
}
END_TEST

/* ---- On the page ------------------------------------------------------------------- */

static bool says(playground *p, const char *text)
{
    ask(p, "charts", "");
    return strstr(playground_answer(p), text) != NULL;
}

START_TEST(the_charts_say_what_theory_says)
{
    static const char setting[] = "model=encoder&task=reverse&task-min=4&task-max=4&layers=1&heads=2&d-model=16";
    char masked[256];
    playground *p = begin(setting);
    ck_assert(says(p, "each position can know its answer: the least loss is 0."));
    ask(p, "step", "3");
    ask(p, "evaluate", "");
    ck_assert(says(p, "least possible"));
    snprintf(masked, sizeof masked, "%s&source=causal", setting);
    ask(p, "change", masked);
    ck_assert(says(p,
                   "Under these masks, where the source has 4 letters, position 0 needs letter 3 and cannot know it, "
                   "so one guess in 26 is right (counted from 0). Of 4 answers 2 are not certain. So over many "
                   "examples the loss is at least 1.6290 nats per token, and at most 51.9 % of the tokens are right."));
    ck_assert(says(p, "Written alone, at most 0.148 % of the whole answers can be right."));
    ask(p, "step", "2");
    const playground_curve *curve = &p->run->training_loss;
    ck_assert_int_eq(curve->count, 5);
    ck_assert_double_eq(curve->best[2], 0);
    ck_assert_double_gt(curve->best[3], 1.6); /* each step has the line of its own masks */
    snprintf(masked, sizeof masked, "%s&source=causal&eval-source=all", setting);
    ask(p, "change", masked);
    ck_assert(says(p, "In training, where") && says(p, "On unseen examples, each position"));
    playground_free(p);
    p = begin("model=decoder&task=copy&task-min=2&task-max=4");
    ck_assert(says(p, "In training, no least loss is known: the sequences of a language model come again"));
    ck_assert(says(p, "must predict the next letter of the source, which follows no rule"));
    playground_free(p);
    p = begin("model=encoder&task=sort&task-min=4&task-max=4&source=causal");
    ck_assert(says(p, "knows 1 of the 4 letters that are sorted"));
    ck_assert(says(p, "What share of whole answers can be right, written alone, is not known here."));
    playground_free(p);
    p = begin("model=encoder&task=reverse&task-min=1&task-max=6&source=causal");
    ck_assert(says(p, "position 0 cannot know how long the source is (counted from 0). Of 6 answers 5 are"));
    playground_free(p);
    p = begin("model=encoder&task=reverse&task-min=4&task-max=6&source=causal");
    ck_assert(says(p, "in training, where the lengths differ"));
    playground_free(p);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("playground_theory");
    TCase *t = tcase_create("theory");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, enter_folder, leave_folder);
    tcase_add_test(t, the_bounds_agree_with_counting);
    tcase_add_test(t, what_is_known_of_a_setting);
    tcase_add_test(t, a_language_models_training_is_not_bound);
    tcase_add_test(t, trained_models_come_near_and_no_nearer);
    tcase_add_test(t, a_leak_falls_below_the_line_without_it);
    tcase_add_test(t, the_charts_say_what_theory_says);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
