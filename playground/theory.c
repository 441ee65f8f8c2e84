/* theory.c - see theory.h.
 *
 * A place t of the target sees a view: some of the model's input tokens, by the declared
 * masks of all layers. Lengths whose views have the same tokens, but for which letter
 * stands where, are a class: the model cannot tell them apart, or only by letters that
 * are equal. If the same letters are equal at all lengths of a class, these tell nothing
 * either. So the bound of each class is known, and that of the task is their mean.
 */
#include "theory.h"
#include "../study/reach.h"
#include "../study/theory.h"

#include <math.h>
#include <string.h>

enum {
    LETTERS = 26,
    LENGTHS = THEORY_LENGTH + 1,        /* 0 to THEORY_LENGTH */
    SOURCE_SLOTS = LENGTHS,             /* input tokens: of the source, which come first, */
    SLOTS = SOURCE_SLOTS + 2 * LENGTHS, /* and of the target */
    PLACES = 2 * LENGTHS,
    MOST_KNOWN = 8 /* seen letters that one answer may be: there are 4140 ways in which 8 are equal */
};

/* ---- Tokens ------------------------------------------------------------------------ */

/* A token by what it stands for: letter j of the source is j. */
enum { SORTED = 32 /* + k: the letter k in the order of the alphabet */, LETTER_A = 64, BEGIN, END, ARROW };

typedef enum task_kind { COPY, REVERSE, SHIFT, SORT, TASKS } task_kind;
static const char *const task_names[TASKS] = {"copy", "reverse", "shift", "sort"};

typedef struct world {
    const playground_theory_subject *subject;
    nn_model_kind kind;
    task_kind task;
    double weight[LENGTHS]; /* how many examples have the length */
    int64_t longest;
} world;

static bool is_letter(int token)
{
    return token <= LETTER_A;
}

/* Letter k of the answer to a source of n letters. */
static int answer_letter(const world *w, int64_t n, int64_t k)
{
    switch (w->task) {
    case REVERSE:
        return (int)(n - 1 - k);
    case SHIFT:
        return k ? (int)k - 1 : LETTER_A;
    case SORT:
        return SORTED + (int)k;
    default:
        return (int)k;
    }
}

/* How many places of the target there are. */
static int64_t places_of(const world *w, int64_t n)
{
    return w->kind == NN_ENCODER ? n : w->kind == NN_ENCODER_DECODER ? n + 1 : 2 * n + 2;
}

/* The places before the answer: the source and the arrow of a language model. */
static int64_t prompt_of(const world *w, int64_t n)
{
    return w->kind == NN_DECODER ? n + 1 : 0;
}

/* The right answer at place t. */
static int target_token(const world *w, int64_t n, int64_t t)
{
    const int64_t prompt = prompt_of(w, n);
    if (t < prompt)
        return t < n ? (int)t : ARROW;
    return t - prompt < n ? answer_letter(w, n, t - prompt) : END;
}

static int input_token(const world *w, int64_t n, study_side side, int64_t position)
{
    if (side == SIDE_SOURCE)
        return position < n ? (int)position : END;
    return position ? target_token(w, n, position - 1) : BEGIN;
}

/* ---- Views ------------------------------------------------------------------------- */

/* The slots that a place sees, as bits, and the token in each. */
typedef struct view {
    uint64_t slots;
    int token[SLOTS];
} view;

/* The first slot of the view that has the token; -1: none. */
static int slot_of(const view *v, int token)
{
    for (int slot = 0; slot < SLOTS; slot++)
        if (v->slots >> slot & 1 && v->token[slot] == token)
            return slot;
    return -1;
}

/* The letters of the source that the view has, as bits. */
static uint64_t letters_of(const view *v)
{
    uint64_t letters = 0;
    for (int slot = 0; slot < SLOTS; slot++)
        if (v->slots >> slot & 1 && v->token[slot] < SORTED)
            letters |= (uint64_t)1 << v->token[slot];
    return letters;
}

static int64_t count_bits(uint64_t bits)
{
    int64_t count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

/* Whether the tokens are of the same kinds, so that only letters could tell the views
 * apart. */
static bool same_kinds(const view *a, const view *b)
{
    for (int slot = 0; slot < SLOTS && a->slots == b->slots; slot++)
        if (a->slots >> slot & 1 && a->token[slot] != b->token[slot] &&
            !(is_letter(a->token[slot]) && is_letter(b->token[slot])))
            return false;
    return a->slots == b->slots;
}

/* Whether, in views of the same kinds, the same letters are equal and the same are
 * given: then letters tell nothing. */
static bool same_letters(const view *a, const view *b)
{
    for (int slot = 0; slot < SLOTS; slot++)
        if (a->slots >> slot & 1 && ((a->token[slot] == LETTER_A) != (b->token[slot] == LETTER_A) ||
                                     slot_of(a, a->token[slot]) != slot_of(b, b->token[slot])))
            return false;
    return true;
}

/* The reach of a row with n letters, of whose target `target` tokens are there. */
static ag_status find_reach(const world *w, int64_t n, int64_t target, ag_tape *tape, reach *found, ag_error *error)
{
    static const int32_t tokens[1]; /* no one reads them */
    nn_input input = {.rows = 1};
    ag_tape_rewind(tape);
    if (w->kind != NN_DECODER) {
        input.source = tokens;
        input.source_length = w->kind == NN_ENCODER ? n : n + 1;
    }
    if (w->kind != NN_ENCODER) {
        input.target = tokens;
        input.target_length = target;
    }
    playground_masks_apply(w->subject->masks, tape, &input);
    if (w->subject->looks_back && input.target)
        input.decoder_mask = ag_mask_and(tape, input.decoder_mask, ag_mask_causal(tape, 0));
    if (ag_tape_error(tape)->status != AG_OK)
        return ag_error_set(error, ag_tape_error(tape)->status, "%s", ag_tape_error(tape)->message);
    const study_subject subject = {.model = w->subject->model,
                                   .input = &input,
                                   .encoder_mask = input.encoder_mask,
                                   .decoder_mask = input.decoder_mask,
                                   .cross_mask = input.cross_mask};
    return reach_init(found, &subject, error);
}

static void fill_view(const world *w, int64_t n, const reach *r, int64_t t, view *v)
{
    *v = (view){0};
    for (int64_t j = 0; j < r->inputs; j++) {
        int64_t position;
        const study_side side = reach_side(r, j, &position);
        const int64_t slot = side == SIDE_SOURCE ? position : SOURCE_SLOTS + position;
        if (reach_allows(r, REACH_MODEL, r->output, t, j)) {
            v->slots |= (uint64_t)1 << slot;
            v->token[slot] = input_token(w, n, side, position);
        }
    }
}

/* ---- One place and one class of lengths -------------------------------------------- */

typedef struct judgement {
    playground_standing standing;
    theory_bound bound;
    const char *unknown;
} judgement;

/* The views of a place by length, and a class: the lengths that it cannot tell apart. */
typedef struct place {
    int64_t t;
    view views[LENGTHS];
    bool there[LENGTHS]; /* rows of this length have this place */
    int64_t members[LENGTHS], member_count;
} place;

static judgement not_derived(const char *why)
{
    return (judgement){.standing = PLAYGROUND_UNDERIVED, .unknown = why};
}

static const char tells_length[] = "it has not been derived what equal letters tell of the length of a source whose "
                                   "end is not in sight",
                  tells_order[] = "it has not been derived what a part of the letters and of the sorted letters tell "
                                  "of the next";

/* Whether one slot, or one token that is always the same, is the answer at all lengths. */
static bool is_sure(const world *w, const place *p)
{
    uint64_t slots = ((uint64_t)1 << SLOTS) - 1;
    bool given = true;
    const int first = target_token(w, p->members[0], p->t);
    for (int64_t i = 0; i < p->member_count; i++) {
        const view *v = &p->views[p->members[i]];
        const int token = target_token(w, p->members[i], p->t);
        given = given && token == first && token >= LETTER_A;
        for (int slot = 0; slot < SLOTS; slot++)
            if (!(v->slots >> slot & 1) || v->token[slot] != token)
                slots &= ~((uint64_t)1 << slot);
    }
    return given || slots;
}

static double class_weight(const world *w, const place *p)
{
    double sum = 0;
    for (int64_t i = 0; i < p->member_count; i++)
        sum += w->weight[p->members[i]];
    return sum;
}

static judgement judge_sorted(const world *w, const place *p)
{
    theory_sorted_case cases[LENGTHS];
    const int64_t n = p->members[0], known = count_bits(letters_of(&p->views[n]));
    const int rank = target_token(w, n, p->t) - SORTED;
    if (p->member_count == 1 && known == n)
        return (judgement){PLAYGROUND_SURE, {1, 0}, NULL};
    for (int64_t i = 0; i < p->member_count; i++) {
        const int64_t length = p->members[i];
        const view *v = &p->views[length];
        if (target_token(w, length, p->t) != SORTED + rank)
            return not_derived(tells_order);
        for (int slot = 0; slot < SLOTS; slot++)
            if (v->slots >> slot & 1 && v->token[slot] >= SORTED && v->token[slot] < LETTER_A)
                return not_derived(tells_order);
        cases[i] = (theory_sorted_case){w->weight[length] / class_weight(w, p), length - known};
    }
    return (judgement){PLAYGROUND_SORTED, theory_best_sorted(rank, known, cases, p->member_count, LETTERS), NULL};
}

static judgement judge_letter(const world *w, const place *p)
{
    theory_case cases[LENGTHS];
    int64_t hidden = 0;
    uint64_t known = 0;
    for (int64_t i = 0; i < p->member_count; i++) {
        const int64_t length = p->members[i];
        const int token = target_token(w, length, p->t),
                  slot = token == LETTER_A ? SLOTS : slot_of(&p->views[length], token);
        theory_case *one = &cases[i];
        *one = (theory_case){.probability = w->weight[length] / class_weight(w, p)};
        if (token > LETTER_A) {
            one->answer = THEORY_MARK;
            one->which = token;
        } else if (slot >= 0) {
            one->answer = THEORY_KNOWN;
            one->which = slot;
            known |= (uint64_t)1 << slot;
        } else {
            one->answer = THEORY_HIDDEN;
            hidden++;
        }
    }
    if (count_bits(known) > MOST_KNOWN)
        return not_derived(tells_length);
    return (judgement){hidden == p->member_count ? PLAYGROUND_HIDDEN : PLAYGROUND_LENGTH,
                       theory_best(cases, p->member_count, LETTERS), NULL};
}

static judgement judge_class(const world *w, const place *p)
{
    const view *first = &p->views[p->members[0]];
    bool orders = false;
    if (is_sure(w, p))
        return (judgement){PLAYGROUND_SURE, {1, 0}, NULL};
    for (int64_t i = 0; i < p->member_count; i++) {
        const int token = target_token(w, p->members[i], p->t);
        orders = orders || (token >= SORTED && token < LETTER_A);
        if (!same_letters(first, &p->views[p->members[i]]))
            return not_derived(tells_length);
    }
    for (int slot = 0; slot < SLOTS; slot++)
        orders = orders || (first->slots >> slot & 1 && first->token[slot] >= SORTED && first->token[slot] < LETTER_A);
    return orders ? judge_sorted(w, p) : judge_letter(w, p);
}

/* ---- Whole answers ----------------------------------------------------------------- */

/* The places of the answer whose letter is hidden, by length: which letter each needs, and
 * which it sees. */
typedef struct guesses {
    bool derived; /* so far */
    uint64_t sees[LENGTHS][PLACES];
    int needs[LENGTHS][PLACES];
    int64_t count[LENGTHS];
} guesses;

static void note_guess(const world *w, const place *p, const judgement *found, guesses *g)
{
    for (int64_t i = 0; i < p->member_count; i++) {
        const int64_t n = p->members[i];
        if (p->t < prompt_of(w, n) || found->standing == PLAYGROUND_SURE)
            continue;
        g->derived = g->derived && found->standing == PLAYGROUND_HIDDEN;
        g->sees[n][g->count[n]] = letters_of(&p->views[n]);
        g->needs[n][g->count[n]++] = target_token(w, n, p->t);
    }
}

/* The probability that all guesses are right; NaN if it is not known. A guess whose letter
 * no other sees is right once in LETTERS times, whatever the others are, and is set aside.
 * Where each sees what the other needs, they can be right together more often: two that
 * guess that both letters are equal. */
static double all_right(guesses *g, int64_t n)
{
    double right = 1;
    for (int64_t at = 0; at < g->count[n];) {
        bool seen = false;
        for (int64_t other = 0; other < g->count[n]; other++)
            seen = seen || g->sees[n][other] >> g->needs[n][at] & 1;
        if (seen) {
            at++;
            continue;
        }
        right /= LETTERS;
        const int64_t last = --g->count[n];
        g->sees[n][at] = g->sees[n][last];
        g->needs[n][at] = g->needs[n][last];
        at = 0;
    }
    return g->count[n] ? NAN : right;
}

/* ---- All places -------------------------------------------------------------------- */

/* The sums over all places, to which each place adds. */
typedef struct sums {
    double tokens, loss, accuracy;
    guesses alone;
    playground_theory *theory;
} sums;

static void note_place(const world *w, const place *p, const judgement *found, sums *s)
{
    playground_theory *theory = s->theory;
    const double weight = class_weight(w, p);
    s->tokens += weight;
    s->loss += weight * found->bound.loss;
    s->accuracy += weight * found->bound.accuracy;
    if (found->unknown)
        theory->unknown = found->unknown;
    if (p->members[p->member_count - 1] != w->longest || found->standing == PLAYGROUND_SURE)
        return;
    if (!theory->unsure++) {
        const int token = target_token(w, w->longest, p->t);
        theory->first = p->t;
        theory->standing = found->standing;
        theory->knows = count_bits(letters_of(&p->views[w->longest]));
        theory->needs = token < SORTED ? token : -1;
    }
}

/* Takes the lengths that place p cannot tell from n into its class. */
static void find_class(place *p, int64_t n, bool *done)
{
    p->member_count = 0;
    for (int64_t m = n; m < LENGTHS; m++)
        if (p->there[m] && !done[m] && same_kinds(&p->views[n], &p->views[m])) {
            p->members[p->member_count++] = m;
            done[m] = true;
        }
}

static void judge_place(const world *w, place *p, bool forced, bool alone, sums *s)
{
    bool done[LENGTHS] = {false};
    for (int64_t n = 0; n < LENGTHS; n++) {
        if (!p->there[n] || done[n])
            continue;
        find_class(p, n, done);
        const judgement found = judge_class(w, p);
        if (forced)
            note_place(w, p, &found, s);
        if (alone)
            note_guess(w, p, &found, &s->alone);
    }
}

/* Goes through all places: `forced` with the right answer so far to read, `alone` as if
 * only what is before the place were there, or both, where these are the same. */
static ag_status go_through(const world *w, ag_tape *tape, bool forced, bool alone, sums *s, ag_error *error)
{
    ag_status status = AG_OK;
    place p;
    for (p.t = 0; p.t < places_of(w, w->longest) && status == AG_OK; p.t++) {
        for (int64_t n = 0; n < LENGTHS && status == AG_OK; n++) {
            reach r;
            p.there[n] = w->weight[n] > 0 && p.t < places_of(w, n);
            if (!p.there[n])
                continue;
            status = find_reach(w, n, forced ? places_of(w, n) : p.t + 1, tape, &r, error);
            if (status == AG_OK) {
                fill_view(w, n, &r, p.t, &p.views[n]);
                reach_clear(&r);
            }
        }
        if (status == AG_OK)
            judge_place(w, &p, forced, alone, s);
    }
    return status;
}

/* ---- All of it --------------------------------------------------------------------- */

static bool has_letters(const data_vocab *vocab)
{
    bool has = true;
    for (char letter = 'a'; letter <= 'z'; letter++)
        has = has && data_vocab_find(vocab, &letter, 1) != DATA_NONE;
    return has;
}

/* How many examples have each length. False if one is too long. */
static bool count_lengths(world *w)
{
    data_set *set = w->subject->set;
    for (int64_t i = 0; i < data_set_count(set); i++) {
        const char *source, *target;
        data_set_example(set, i, &source, &target);
        const size_t n = strlen(source);
        if (n >= LENGTHS)
            return false;
        w->weight[n]++;
        w->longest = (int64_t)n > w->longest ? (int64_t)n : w->longest;
    }
    return true;
}

static bool has_padding(const world *w)
{
    int64_t lengths = 0;
    bool seen = false;
    for (int64_t n = 0; n < LENGTHS; n++)
        lengths += w->weight[n] > 0;
    for (int card = 0; card < PLAYGROUND_CARDS; card++) {
        const bool used = card == PLAYGROUND_SOURCE   ? w->kind != NN_DECODER
                          : card == PLAYGROUND_TARGET ? w->kind != NN_ENCODER
                                                      : w->kind == NN_ENCODER_DECODER;
        seen = seen || (used && w->subject->masks[card].sees_padding);
    }
    return seen && lengths > 1;
}

/* Reads the world; returns why theory does not speak of it, or NULL. */
static const char *read_world(const playground_theory_subject *subject, world *w)
{
    const char *name = subject->recipe->run.task;
    *w = (world){.subject = subject, .kind = subject->model->config.kind};
    if (!name)
        return "no rule of own lines is known";
    while (w->task < TASKS && strcmp(task_names[w->task], name) != 0)
        w->task++;
    if (w->task == TASKS)
        return "it has not been derived for this task";
    if (subject->model->config.positions == NN_NO_POSITIONS)
        return "a model without positions knows less than its masks let through, and how much less has not been "
               "derived";
    if (!has_letters(data_set_target_vocab(subject->set)) ||
        (w->kind != NN_DECODER && !has_letters(data_set_source_vocab(subject->set))))
        return "the model's tokens are not the letters of the task";
    if (subject->come_again)
        return "the sequences of a language model come again, and may be learned by heart";
    if (!count_lengths(w))
        return "it has not been derived for so long examples";
    if (has_padding(w))
        return "it has not been derived what padding that is seen tells of the length";
    return NULL;
}

static bool sees_later(const world *w)
{
    bool later = false;
    const int64_t places = places_of(w, w->longest);
    for (int64_t i = 0; i < places && w->kind != NN_ENCODER && !w->subject->looks_back; i++)
        for (int64_t j = i + 1; j < places; j++)
            later = later || playground_mask_allows(&w->subject->masks[PLAYGROUND_TARGET], i, j);
    return later;
}

static double exact_of(const world *w, guesses *g)
{
    double right = 0, rows = 0;
    for (int64_t n = 0; n < LENGTHS && g->derived; n++)
        if (w->weight[n] > 0) {
            right += w->weight[n] * all_right(g, n);
            rows += w->weight[n];
        }
    return g->derived ? right / rows : NAN;
}

ag_status playground_theory_find(const playground_theory_subject *subject, ag_tape *tape, playground_theory *theory,
                                 ag_error *error)
{
    world w;
    sums s = {.alone.derived = true, .theory = theory};
    *theory = (playground_theory){.loss = NAN, .accuracy = NAN, .exact = NAN};
    theory->unknown = read_world(subject, &w);
    if (theory->unknown)
        return AG_OK;
    theory->leaks = sees_later(&w);
    theory->letters = w.longest;
    theory->places = places_of(&w, w.longest);
    ag_status status = go_through(&w, tape, true, !theory->leaks, &s, error);
    if (status == AG_OK && theory->leaks)
        status = go_through(&w, tape, false, true, &s, error);
    if (status != AG_OK)
        return status;
    theory->exact = exact_of(&w, &s.alone);
    if (!theory->unknown) {
        theory->loss = s.loss / s.tokens;
        theory->accuracy = s.accuracy / s.tokens;
    }
    return AG_OK;
}
