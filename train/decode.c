/* decode.c - evaluates a model's own outputs for the distinct sources of a set.
 *
 * Sources of similar length are decoded together, and judged in the order of the set.
 * Tokens are compared by id; a target token that is not in the vocabulary is DATA_NONE,
 * which no output can be. Tokens that are copied from sources are added to the vocabulary
 * before anything is compared. Byte pairs cut one text in several ways, so their texts
 * are compared, character by character.
 */
#include "decode.h"
#include "calibration.h"
#include "copies.h"
#include "text_scores.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)NN_PAD == DATA_PAD && (int)NN_BOS == DATA_BOS && (int)NN_EOS == DATA_EOS && (int)NN_UNK == DATA_UNK,
               "generation takes the marks as vocabularies give them");

/* A distinct source: its text and the output for it, both owned by the decoding. */
typedef struct source_item {
    char *text;
    int64_t index;   /* of the distinct source in the set */
    int64_t length;  /* tokens of the text */
    int32_t *output; /* [output_length] */
    int64_t output_length;
    double probability;
} source_item;

/* The rows that go through the model together. */
typedef struct decoded_rows {
    const char **texts; /* [rows] */
    uint64_t *streams;  /* [rows]: each source has its own random stream, in any batch */
    data_batch batch;
} decoded_rows;

typedef struct decoding {
    const nn_ensemble *ensemble;
    ag_tape *tape;
    data_set *set;
    const train_evaluation *evaluation;
    source_item *items;   /* [count] in the order of the set */
    source_item **sorted; /* [count] by length */
    int64_t count;
    data_vocab *copies;      /* the target tokens, and those copied; NULL: nothing is copied */
    const data_vocab *vocab; /* of outputs and targets: copies, or the set's */
    ag_error *error;
} decoding;

/* The verdict on one output. */
typedef struct judgement {
    int64_t edits, length; /* edits to the nearest target, 0 if it is correct; its length */
    int64_t nearest;       /* which of the source's targets */
} judgement;

static ag_status no_memory(ag_error *error)
{
    return ag_error_set(error, AG_NO_MEMORY, "no memory to decode the set's sources");
}

ag_status train_evaluation_stopped(const train_evaluation *evaluation, ag_error *error)
{
    if (evaluation->stop && *evaluation->stop)
        return ag_error_set(error, AG_INTERRUPTED, "the evaluation was stopped");
    return AG_OK;
}

/* ---- Sources ----------------------------------------------------------------------- */

static int by_length(const void *a, const void *b)
{
    const source_item *x = *(source_item *const *)a, *y = *(source_item *const *)b;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static ag_status collect_sources(decoding *d)
{
    const data_vocab *vocab = data_set_source_vocab(d->set);
    int64_t all = data_set_source_count(d->set), most = d->evaluation->max_sources;
    if (all < 0)
        return no_memory(d->error);
    int64_t count = most && most < all ? most : all;
    d->items = calloc((size_t)count + 1, sizeof *d->items);
    d->sorted = calloc((size_t)count + 1, sizeof *d->sorted);
    if (!d->items || !d->sorted)
        return no_memory(d->error);
    for (; d->count < count; d->count++) {
        source_item *item = &d->items[d->count];
        const char *source = NULL, *target = NULL;
        data_set_example(d->set, data_set_target_index(d->set, d->count, 0), &source, &target);
        size_t size = source ? strlen(source) : 0;
        item->text = malloc(size + 1);
        if (!item->text)
            return no_memory(d->error);
        memcpy(item->text, source ? source : "", size + 1);
        item->index = d->count;
        item->length = data_vocab_encode(vocab, item->text, size, NULL, 0, NULL);
        d->sorted[d->count] = item;
    }
    if (count > 1)
        qsort(d->sorted, (size_t)count, sizeof *d->sorted, by_length);
    return AG_OK;
}

static ag_status keep_output(decoding *d, source_item *item, const int32_t *tokens, int64_t length)
{
    item->output = malloc((size_t)(length ? length : 1) * sizeof *item->output);
    if (!item->output)
        return no_memory(d->error);
    if (length)
        memcpy(item->output, tokens, (size_t)length * sizeof *tokens);
    item->output_length = length;
    return AG_OK;
}

/* ---- Outputs ----------------------------------------------------------------------- */

static int64_t longest_output(const decoding *d)
{
    const int64_t longest = data_set_max_target(d->set), usual = nn_ensemble_max_length(d->ensemble);
    return longest > usual ? longest : usual;
}

/* Replaces each <unk> of the answers, if there is one. */
static ag_status copy_unknown(decoding *d, const nn_input *input, const nn_generation_options *options,
                              const char *const *texts, nn_generated *answers)
{
    nn_alignment alignment = {0};
    if (!train_has_unknown(d->copies, answers))
        return AG_OK;
    ag_status status = nn_ensemble_align(d->ensemble, d->tape, input, options, answers, d->evaluation->copy_layer,
                                         &alignment, d->error);
    if (status == AG_OK)
        status = train_copy_unknown(d->copies, data_set_source_vocab(d->set), &alignment, texts, answers, d->error);
    nn_alignment_clear(&alignment);
    return status;
}

static ag_status answer_rows(decoding *d, const nn_input *input, const decoded_rows *at_once, source_item **items)
{
    nn_generated generated = {0};
    nn_generation_options options = d->evaluation->generation;
    if (options.max_length == 0) /* outputs may become as long as the longest target */
        options.max_length = longest_output(d);
    options.marks = data_vocab_marks(data_set_target_vocab(d->set));
    options.makes_unknown = d->copies != NULL;
    options.streams = at_once->streams;
    ag_status status = nn_ensemble_generate(d->ensemble, d->tape, input, &options, &generated, d->error);
    if (status == AG_OK && d->copies)
        status = copy_unknown(d, input, &options, at_once->texts, &generated);
    for (int64_t row = 0; status == AG_OK && row < input->rows; row++) {
        const nn_hypothesis *hypothesis = &generated.hypotheses[row * generated.best];
        status = keep_output(d, items[row], hypothesis->tokens, hypothesis->length);
        items[row]->probability = hypothesis->probability;
    }
    nn_generated_clear(&generated);
    return status;
}

/* Decodes the sorted sources begin <= i < begin + rows. */
static ag_status decode_rows(decoding *d, int64_t begin, int64_t rows, decoded_rows *at_once)
{
    bool tags = d->ensemble->models[0]->config.kind == NN_ENCODER;
    source_item **items = d->sorted + begin;
    data_batch *batch = &at_once->batch;
    for (int64_t row = 0; row < rows; row++) {
        at_once->texts[row] = items[row]->text;
        at_once->streams[row] = (uint64_t)items[row]->index;
    }
    ag_status status =
        data_batch_sources(data_set_source_vocab(d->set), at_once->texts, rows, tags, batch, NULL, d->error);
    if (status != AG_OK)
        return status;
    nn_input input = {.rows = rows,
                      .source = batch->source,
                      .source_lengths = batch->source_lengths,
                      .source_length = batch->source_length};
    return answer_rows(d, &input, at_once, items);
}

static ag_status decode_all(decoding *d)
{
    int64_t most = d->evaluation->batch < d->count ? d->evaluation->batch : d->count;
    decoded_rows at_once = {.texts = malloc((size_t)(most + 1) * sizeof *at_once.texts),
                            .streams = malloc((size_t)(most + 1) * sizeof *at_once.streams)};
    ag_status status = at_once.texts && at_once.streams ? AG_OK : no_memory(d->error);
    for (int64_t begin = 0; begin < d->count && status == AG_OK; begin += most) {
        int64_t rows = d->count - begin < most ? d->count - begin : most;
        status = train_evaluation_stopped(d->evaluation, d->error);
        if (status == AG_OK)
            status = decode_rows(d, begin, rows, &at_once);
    }
    data_batch_clear(&at_once.batch);
    free(at_once.texts);
    free(at_once.streams);
    return status;
}

/* ---- Verdicts ---------------------------------------------------------------------- */

data_token_kind train_counted_kind(const data_vocab *vocab, bool decodes)
{
    const data_token_kind kind = data_vocab_kind(vocab);
    return decodes && kind == DATA_BPE ? DATA_CHARS : kind;
}

/* A number for a character of at most 4 bytes, another for each. */
static int32_t character_id(const char *character, size_t size)
{
    uint32_t code = 0;
    for (size_t i = 0; i < size; i++)
        code = code << 8 | (unsigned char)character[i];
    return (int32_t)(code & INT32_MAX);
}

/* The ids of a text, of byte pairs those of its characters; DATA_NONE for tokens that are
 * not in the vocabulary. The caller frees them; NULL when memory is out. */
static int32_t *ids_of_text(const data_vocab *vocab, const char *text, size_t size, int64_t *length)
{
    const bool characters = data_vocab_kind(vocab) == DATA_BPE;
    size_t at = 0, token_size = 0;
    const char *token = NULL;
    int32_t *ids = malloc((size + 1) * sizeof *ids); /* a token has at least one byte */
    *length = 0;
    while (ids && data_token_next(train_counted_kind(vocab, true), text, size, &at, &token, &token_size))
        ids[(*length)++] = characters ? character_id(token, token_size) : data_vocab_find(vocab, token, token_size);
    return ids;
}

static int32_t *target_ids(const data_vocab *vocab, const char *text, int64_t *length)
{
    return ids_of_text(vocab, text, strlen(text), length);
}

/* The text of an output, which the caller frees; NULL when memory is out. */
static char *output_text(const decoding *d, const source_item *item)
{
    size_t size = data_vocab_decode(d->vocab, item->output, item->output_length, NULL, 0) + 1;
    char *text = malloc(size);
    if (text)
        data_vocab_decode(d->vocab, item->output, item->output_length, text, size);
    return text;
}

/* The ids of an output in the form of target_ids, to compare both; the caller frees
 * them. */
static int32_t *output_ids(const decoding *d, const source_item *item, int64_t *length)
{
    const data_vocab *vocab = d->vocab;
    const bool cut_again = data_vocab_kind(vocab) == DATA_BPE;
    char *text = cut_again ? output_text(d, item) : NULL;
    int32_t *ids = NULL;
    *length = item->output_length;
    if (text)
        ids = ids_of_text(vocab, text, data_vocab_decode(vocab, item->output, item->output_length, NULL, 0), length);
    if (!cut_again && (ids = malloc((size_t)(*length + 1) * sizeof *ids)))
        memcpy(ids, item->output, (size_t)*length * sizeof *ids);
    free(text);
    return ids;
}

/* Compares an output with the nearest of its source's targets: that with the fewest
 * edits, of equals the first. */
static ag_status judge(const decoding *d, const source_item *item, judgement *verdict)
{
    int64_t output_length = 0;
    int32_t *output = output_ids(d, item, &output_length);
    ag_status status = output ? AG_OK : no_memory(d->error);
    verdict->edits = -1;
    for (int64_t r = 0; r < data_set_target_count(d->set, item->index) && status == AG_OK; r++) {
        const char *source = NULL, *target = NULL;
        data_set_example(d->set, data_set_target_index(d->set, item->index, r), &source, &target);
        int64_t length = 0;
        int32_t *ids = target_ids(d->vocab, target ? target : "", &length);
        int64_t edits = ids ? train_edit_distance(output, output_length, ids, length) : -1;
        free(ids);
        if (edits < 0)
            status = no_memory(d->error);
        else if (verdict->edits < 0 || edits < verdict->edits) {
            verdict->edits = edits;
            verdict->length = length;
            verdict->nearest = r;
        }
    }
    free(output);
    return status;
}

/* Hands an output to the caller. */
static ag_status show_output(const decoding *d, const source_item *item, const judgement *verdict)
{
    const char *source = NULL, *target = NULL;
    char *output = output_text(d, item);
    if (!output)
        return no_memory(d->error);
    data_set_example(d->set, data_set_target_index(d->set, item->index, verdict->nearest), &source, &target);
    d->evaluation->on_output(d->evaluation->context, item->text, output, target ? target : "", verdict->edits == 0);
    free(output);
    return AG_OK;
}

/* Scores an output by all targets of its source. */
static ag_status score_output(const decoding *d, const source_item *item, train_text_scores *scores)
{
    const int64_t count = data_set_target_count(d->set, item->index);
    char *output = output_text(d, item), **targets = calloc((size_t)count + 1, sizeof *targets);
    ag_status status = output && targets ? AG_OK : no_memory(d->error);
    for (int64_t r = 0; r < count && status == AG_OK; r++) {
        const char *source = NULL, *target = NULL;
        data_set_example(d->set, data_set_target_index(d->set, item->index, r), &source, &target);
        const size_t size = strlen(target ? target : "") + 1;
        targets[r] = malloc(size);
        if (targets[r])
            memcpy(targets[r], target ? target : "", size);
        else
            status = no_memory(d->error);
    }
    if (status == AG_OK)
        status = train_text_scores_add(scores, output, (const char *const *)targets, count, d->error);
    for (int64_t r = 0; targets && r < count; r++)
        free(targets[r]);
    free(targets);
    free(output);
    return status;
}

/* Counts the tags of an output against those of its nearest target. */
static ag_status count_tags(const decoding *d, const source_item *item, const judgement *verdict)
{
    const char *source = NULL, *target = NULL;
    int64_t length = 0;
    data_set_example(d->set, data_set_target_index(d->set, item->index, verdict->nearest), &source, &target);
    int32_t *ids = target_ids(d->vocab, target ? target : "", &length);
    if (!ids)
        return no_memory(d->error);
    if (length == item->output_length) /* a set of tags has equally many tokens on both sides */
        train_tags_add(d->evaluation->tags, item->output, ids, length);
    free(ids);
    return AG_OK;
}

static ag_status judge_all(const decoding *d, train_metrics *metrics)
{
    const bool tagger = d->ensemble->models[0]->config.kind == NN_ENCODER;
    train_text_scores scores = {.output_words = 0};
    train_tags *tags = tagger ? d->evaluation->tags : NULL;
    int64_t correct = 0, edits = 0, tokens = 0;
    train_outcomes *outcomes = d->evaluation->outcomes;
    ag_status status = outcomes ? train_outcomes_reserve(outcomes, d->count, d->error) : AG_OK;
    metrics->scored = d->evaluation->scores && !tagger;
    if (status == AG_OK && tags)
        status = train_tags_begin(tags, data_set_target_vocab(d->set), d->error);
    for (int64_t i = 0; i < d->count && status == AG_OK; i++) {
        judgement verdict = {0};
        status = judge(d, &d->items[i], &verdict);
        if (status == AG_OK && d->evaluation->on_output)
            status = show_output(d, &d->items[i], &verdict);
        if (status == AG_OK && metrics->scored)
            status = score_output(d, &d->items[i], &scores);
        if (status == AG_OK && tags)
            status = count_tags(d, &d->items[i], &verdict);
        if (status == AG_OK && outcomes)
            outcomes->items[outcomes->count++] = (train_outcome){(double)verdict.edits, (double)verdict.length};
        if (d->evaluation->calibration)
            train_calibration_add(d->evaluation->calibration, d->items[i].probability, verdict.edits == 0);
        correct += verdict.edits == 0;
        edits += verdict.edits;
        tokens += verdict.length;
    }
    if (status != AG_OK)
        return status;
    metrics->decoded = true;
    metrics->sources = d->count;
    metrics->exact_match = (double)correct / (double)(d->count ? d->count : 1);
    metrics->wer = 1 - metrics->exact_match;
    metrics->per = (double)edits / (double)(tokens ? tokens : 1);
    metrics->chrf = train_chrf(&scores);
    metrics->bleu = train_bleu(&scores);
    if (d->evaluation->calibration)
        train_calibration_end(d->evaluation->calibration);
    if (tags)
        train_tags_end(tags);
    return AG_OK;
}

ag_status train_decode(const nn_ensemble *ensemble, ag_tape *tape, data_set *set, const train_evaluation *evaluation,
                       train_metrics *metrics, ag_error *error)
{
    decoding d = {.ensemble = ensemble, .tape = tape, .set = set, .evaluation = evaluation, .error = error};
    ag_status status = AG_OK;
    if (evaluation->copy_unknown) {
        ag_error own = {0}; /* the caller's may be NULL */
        d.copies = train_copies_new(ensemble, data_set_source_vocab(set), data_set_target_vocab(set), &own);
        if (!d.copies)
            return ag_error_set(error, own.status, "%s", own.message);
    }
    d.vocab = d.copies ? d.copies : data_set_target_vocab(set);
    status = collect_sources(&d);
    if (status == AG_OK)
        status = decode_all(&d);
    if (status == AG_OK)
        status = judge_all(&d, metrics);
    for (int64_t i = 0; i < d.count; i++) {
        free(d.items[i].text);
        free(d.items[i].output);
    }
    free(d.sorted);
    free(d.items);
    data_vocab_free(d.copies);
    return status;
}
