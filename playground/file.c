/* file.c - the model of a run as a file, and a model from a file as a run. */
#include "session.h"

#include "../data/files/sha256.h"
#include "../train/saved.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST_TEXT = 2 * DATA_SHA256 + 1 };

static void put_digest(data_json_object *json, const char *key, const void *bytes, size_t size)
{
    unsigned char digest[DATA_SHA256];
    char text[DIGEST_TEXT] = "";
    data_sha256(bytes, size, digest);
    for (int i = 0; i < DATA_SHA256; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    data_json_put_text(json, key, text);
}

static void put_parameters_digest(data_json_object *json, const nn_params *params)
{
    put_digest(json, "parameters_sha256", params->value, (size_t)params->size * sizeof *params->value);
}

/* ---- The digest -------------------------------------------------------------------- */

/* Whether the command trains such a model in the same way. */
static bool command_can(const playground_run *run)
{
    return run->setting.recipe.run.task && !run->setting.fault && !run->loaded &&
           run->model->config.kind != NN_DECODER && playground_setting_has_usual_masks(&run->setting);
}

ag_status playground_digest(playground *p, const char *text)
{
    char flags[PLAYGROUND_JSON / 2], command[PLAYGROUND_JSON / 2 + 32] = "";
    (void)text;
    ag_status status = playground_needs_run(p);
    if (status != AG_OK)
        return status;
    if (command_can(p->run) && p->run->step <= p->run->setting.recipe.run.steps) {
        playground_setting_flags(&p->run->setting, " ", flags, sizeof flags);
        snprintf(command, sizeof command, "tapeformer train %s --out run", flags);
    }
    data_json_object json = playground_json_start(p, &status);
    data_json_put_integer(&json, "step", p->run->step);
    put_parameters_digest(&json, &p->run->model->params);
    data_json_put_text(&json, "command", command);
    return status == AG_OK ? playground_json_end(p, &json) : status;
}

/* ---- Saving ------------------------------------------------------------------------ */

/* Adds the digest of the file's bytes. */
static ag_status put_file_digest(data_json_object *json, const char *path, ag_error *error)
{
    FILE *file = fopen(path, "rb");
    const bool measured = file && !fseek(file, 0, SEEK_END);
    const long size = measured ? ftell(file) : -1;
    char *bytes = size > 0 ? malloc((size_t)size) : NULL;
    const bool read = bytes && !fseek(file, 0, SEEK_SET) && fread(bytes, 1, (size_t)size, file) == (size_t)size;
    if (file)
        fclose(file);
    if (read)
        put_digest(json, "sha256", bytes, (size_t)size);
    free(bytes);
    if (size > 0 && !bytes)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory for its digest", path);
    return read ? AG_OK : ag_error_set(error, AG_IO, "%s: cannot be read back", path);
}

ag_status playground_save(playground *p, const char *text)
{
    char arguments[PLAYGROUND_JSON / 2];
    const playground_run *run = p->run;
    (void)text;
    ag_status status = playground_needs_run(p);
    if (status != AG_OK)
        return status;
    const char *task = run->setting.recipe.run.task;
    const train_labels labels = {
        .source_vocab = run->model->config.kind == NN_DECODER ? NULL : data_set_source_vocab(run->training),
        .target_vocab = data_set_target_vocab(run->training),
        .task = task ? task : "",
        .arguments = arguments};
    playground_setting_flags(&run->setting, "\n", arguments, sizeof arguments);
    status = train_model_save(run->model, run->model->params.value, &labels, TRAIN_MODEL_FILE, &p->error);
    if (status != AG_OK)
        return status;
    data_json_object json = playground_json_start(p, &status);
    data_json_put_text(&json, "path", TRAIN_MODEL_FILE);
    put_parameters_digest(&json, &run->model->params);
    if (status == AG_OK)
        status = put_file_digest(&json, TRAIN_MODEL_FILE, &p->error);
    return status == AG_OK ? playground_json_end(p, &json) : status;
}

/* ---- Loading ----------------------------------------------------------------------- */

/* Whether a token can stand in a line of pairs. */
static bool stands_in_line(const char *token)
{
    return !data_text_empty(token, strlen(token)) && !strpbrk(token, "\t\r\n");
}

/* Appends `count` tokens of the vocabulary, from the first-th on and around. */
static void write_tokens(FILE *lines, const data_vocab *vocab, int64_t first, int64_t count)
{
    const int64_t own = data_vocab_size(vocab) - DATA_SPECIALS;
    int64_t written = 0;
    for (int64_t i = first; written < count && i < first + own * count; i++) {
        const char *token = data_vocab_token(vocab, (int32_t)(DATA_SPECIALS + i % own));
        if (!stands_in_line(token))
            continue;
        fprintf(lines, "%s%s", written && data_vocab_kind(vocab) == DATA_WORDS ? " " : "", token);
        written++;
    }
}

/* Two lines of tokens that the model knows, to be shown and edited, not to be learnt. */
static char *made_lines(const train_saved *saved, ag_error *error)
{
    enum { LINES = 2, TOKENS = 4 };
    char *text = NULL;
    size_t size;
    const data_vocab *target = saved->target_vocab, *source = saved->source_vocab ? saved->source_vocab : target;
    FILE *lines = open_memstream(&text, &size);
    for (int line = 0; lines && line < LINES; line++) {
        write_tokens(lines, source, line, TOKENS + line);
        fputc('\t', lines);
        write_tokens(lines, target, line, TOKENS + line);
        fputc('\n', lines);
    }
    if (lines && !fclose(lines))
        return text;
    free(text);
    ag_error_set(error, AG_NO_MEMORY, "no memory for lines");
    return NULL;
}

/* A language model goes on after an arrow only if it knows the arrow. */
static bool can_learn_lines(const train_saved *saved)
{
    return saved->source_vocab ||
           data_vocab_find(saved->target_vocab, PLAYGROUND_ARROW, strlen(PLAYGROUND_ARROW)) != DATA_NONE;
}

/* The setting of the model and its examples: its task's, or the lines, or made ones. */
static ag_status take_examples(playground_run *run, const train_saved *saved, const char *lines, ag_error *error)
{
    const bool task = data_task_find(saved->task) != NULL;
    run->studied = !task && !(*lines && can_learn_lines(saved));
    char *made = run->studied ? made_lines(saved, error) : NULL;
    if (run->studied && !made)
        return error->status;
    ag_status status = playground_setting_take(&run->setting, saved, made ? made : lines, error);
    free(made);
    if (status == AG_OK)
        status = playground_setting_fit(&run->setting, error);
    return status == AG_OK ? playground_open_examples(run, saved, error) : status;
}

/* Whether the marks have the ids that they have in the vocabularies of examples; true of
 * NULL. */
static bool has_usual_marks(const data_vocab *vocab)
{
    bool usual = true;
    for (int mark = 0; vocab && mark < DATA_SPECIALS; mark++)
        usual &= data_vocab_marks(vocab)[mark] == mark;
    return usual;
}

static ag_status make_loaded(playground_run *run, const char *path, const char *lines, ag_error *error)
{
    enum { MOST_PARAMETERS = 4000000 };
    train_saved saved;
    ag_error problem = {0};
    ag_status status = train_saved_load(&saved, path, error);
    if (status != AG_OK)
        return status;
    run->loaded = true;
    if (saved.model->params.size > MOST_PARAMETERS)
        status =
            ag_error_set(&problem, AG_BAD_VALUE, "its %lld parameters are too many for a page, which takes up to %d",
                         (long long)saved.model->params.size, MOST_PARAMETERS);
    if (status == AG_OK && (!has_usual_marks(saved.source_vocab) || !has_usual_marks(saved.target_vocab)))
        status = ag_error_set(&problem, AG_BAD_VALUE,
                              "its vocabulary does not begin with <pad>, <bos>, <eos> and <unk>, which a page needs");
    if (status == AG_OK)
        status = take_examples(run, &saved, lines, &problem);
    if (status == AG_OK) {
        run->model = saved.model;
        saved.model = NULL;
    } else
        ag_error_set(error, status, "%.100s: %.300s", path, problem.message);
    train_saved_clear(&saved);
    return status;
}

ag_status playground_load(playground *p, const char *text)
{
    const size_t length = strcspn(text, "\n");
    char *path = calloc(length + 1, 1);
    if (!path)
        return ag_error_set(&p->error, AG_NO_MEMORY, "no memory for a name");
    playground_run *run = playground_run_new(p);
    if (!run) {
        free(path);
        return p->error.status;
    }
    memcpy(path, text, length);
    ag_status status =
        playground_take_run(p, run, make_loaded(run, path, text + length + (text[length] == '\n'), &p->error));
    free(path);
    return status;
}
