/* examples.c - the examples of a run: those of a task, or a person's own lines.
 *
 * A language model has one sequence for each example, "abc" U+2192 "cba", and learns to
 * go on after the arrow. For it the pairs are written to a file once more, each with the
 * whole sequence as its target.
 */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEV_EXAMPLES = 100,
    TASK_TOKENS = 40,
    LINE_TOKENS = 32 /* of a source or target at most: memory grows with them */
};

/* Errors name the first: "lines:3: no TAB ..". */
#define LINES_FILE         "lines"
#define TRAINING_SEQUENCES "training.sequences"
#define DEV_SEQUENCES      "dev.sequences"

/* ---- Pairs ------------------------------------------------------------------------- */

/* Creates a file. One of its name goes first, and is not overwritten: the sets of the run
 * that there is read from it, and if the new run is refused, they go on doing so. */
static FILE *new_file(const char *path)
{
    remove(path);
    return fopen(path, "wb");
}

static ag_status write_lines(const char *lines, ag_error *error)
{
    FILE *file = new_file(LINES_FILE);
    const bool written = file && fputs(lines, file) >= 0 && fputc('\n', file) >= 0;
    if ((file && fclose(file)) || !written)
        return ag_error_set(error, AG_IO, "the lines cannot be kept: there is no room");
    return AG_OK;
}

/* One line is to learn from, and another to measure on. */
static ag_status check_lines(const data_set_options *options, ag_error *error)
{
    data_set_options all = *options;
    all.part = DATA_ALL;
    data_set *set = data_set_pairs(LINES_FILE, &all, error);
    const int64_t sources = set ? data_set_source_count(set) : 0;
    data_set_free(set);
    if (!set)
        return error->status;
    if (sources < 0)
        return ag_error_set(error, AG_NO_MEMORY, LINES_FILE ": no memory for their sources");
    return sources > 1 ? AG_OK
                       : ag_error_set(error, AG_BAD_VALUE,
                                      LINES_FILE ": at least two different sources are needed: one is learnt from, "
                                                 "the other measured on");
}

static ag_status open_pairs(playground_run *run, const train_saved *saved, ag_error *error)
{
    const train_recipe *recipe = &run->setting.recipe;
    data_set_options options = train_recipe_data(recipe, saved, DATA_TRAIN);
    const data_task *task = recipe->run.task ? data_task_find(recipe->run.task) : NULL;
    options.tagging = recipe->model.kind == NN_ENCODER;
    const int most = task ? TASK_TOKENS : LINE_TOKENS;
    if (!options.max_tokens || options.max_tokens > most)
        options.max_tokens = most;
    if (!task && (write_lines(run->setting.lines, error) != AG_OK || check_lines(&options, error) != AG_OK))
        return error->status;
    run->training = task ? data_set_task(task, &options, error) : data_set_pairs(LINES_FILE, &options, error);
    if (!run->training)
        return error->status;
    options.part = DATA_DEV;
    options.count = DEV_EXAMPLES;
    run->dev = task ? data_set_task(task, &options, error) : data_set_held_out(run->training, error);
    return run->dev ? AG_OK : error->status;
}

/* ---- Sequences --------------------------------------------------------------------- */

static ag_status write_sequences(data_set *pairs, bool words, const char *path, ag_error *error)
{
    const char *source, *target, *gap = words ? " " : "";
    FILE *file = new_file(path);
    bool written = file != NULL;
    for (int64_t i = 0; written && i < data_set_count(pairs); i++) {
        data_set_example(pairs, i, &source, &target);
        written = fprintf(file, "%s\t%s%s" PLAYGROUND_ARROW "%s%s\n", source, source, gap, gap, target) > 0;
    }
    if ((file && fclose(file)) || !written)
        return ag_error_set(error, AG_IO, "the sequences cannot be kept: there is no room");
    return AG_OK;
}

/* Replaces the set by one of sequences. */
static ag_status make_sequences(data_set **set, const data_set_options *options, const char *path, ag_error *error)
{
    ag_status status = write_sequences(*set, options->target_kind == DATA_WORDS, path, error);
    data_set *sequences = status == AG_OK ? data_set_pairs(path, options, error) : NULL;
    if (!sequences)
        return error->status;
    data_set_free(*set);
    *set = sequences;
    return AG_OK;
}

ag_status playground_open_examples(playground_run *run, const train_saved *saved, ag_error *error)
{
    const train_recipe *recipe = &run->setting.recipe;
    const bool sequences = recipe->model.kind == NN_DECODER;
    ag_status status = open_pairs(run, sequences ? &(train_saved){0} : saved, error);
    if (status != AG_OK || !sequences)
        return status;
    data_set_options options = train_recipe_data(recipe, saved, DATA_ALL);
    status = make_sequences(&run->training, &options, TRAINING_SEQUENCES, error);
    options.source_vocab = data_set_source_vocab(run->training);
    options.target_vocab = data_set_target_vocab(run->training);
    return status == AG_OK ? make_sequences(&run->dev, &options, DEV_SEQUENCES, error) : status;
}
