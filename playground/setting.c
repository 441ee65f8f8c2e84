/* setting.c - see setting.h. */
#include "setting.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The names --------------------------------------------------------------------- */

/* The options of a training that the page has, with the range of a number here. */
static const struct {
    const char *name;
    double low, high;
} options[] = {
    {"model", 0, 0},      {"task", 0, 0},      {"task-min", 1, 12}, {"task-max", 1, 12}, {"src-tokens", 0, 0},
    {"tgt-tokens", 0, 0}, {"d-model", 4, 128}, {"heads", 1, 8},     {"layers", 1, 4},    {"positions", 0, 0},
    {"post-norm", 0, 0},  {"dropout", 0, 0.9}, {"steps", 1, 20000}, {"batch", 1, 64},    {"lr", 1e-5, 1},
    {"warmup", 0, 20000}, {"seed", 0, 1e9},
};
enum { OPTIONS = sizeof options / sizeof *options };

/* The values that a setting begins with: a model that learns within a minute. */
static const char usual[] = "layers=1&heads=4&d-model=64&steps=2000&batch=32&lr=0.003";
static const char usual_task[] = "reverse";

/* Before the name of a card. */
static const char *const phase_names[PLAYGROUND_PHASES] = {"", "eval-"};

static bool is_mask(const char *name, int phase, int card)
{
    const size_t length = strlen(phase_names[phase]);
    return !strncmp(name, phase_names[phase], length) && !strcmp(name + length, playground_card_names[card]);
}

const char *playground_phase_name(int phase)
{
    static const char *const names[PLAYGROUND_PHASES] = {"training", "evaluation"};
    return phase >= 0 && phase < PLAYGROUND_PHASES ? names[phase] : NULL;
}

static const train_field *find_option(const char *name)
{
    const train_field *field;
    for (int i = 0; (field = train_option(i)); i++)
        if (field->name && !strcmp(field->name, name))
            return field;
    return NULL;
}

static bool is_switch(const train_field *field)
{
    return !field->value;
}

/* ---- Reading ----------------------------------------------------------------------- */

static ag_status read_option(playground_setting *setting, int i, const char *value, ag_error *error)
{
    const train_field *field = find_option(options[i].name);
    train_field own = *field; /* with the page's range */
    void *object = train_recipe_owner(&setting->recipe, field);
    char expected[256];
    if (options[i].high > 0) {
        own.low = options[i].low;
        own.high = options[i].high;
    }
    if (is_switch(field)) {
        train_field_set_number(field, object, true);
        return *value ? ag_error_set(error, AG_BAD_VALUE, "%s=%.60s: %s stands alone", field->name, value, field->name)
                      : AG_OK;
    }
    if (train_field_read(&own, object, value, expected, sizeof expected))
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE, "%s=%.60s: expected %s", field->name, value, expected);
}

/* Reads one value. */
static ag_status read_value(void *context, const char *name, const char *value, ag_error *error)
{
    playground_setting *setting = context;
    for (int i = 0; i < OPTIONS; i++)
        if (!strcmp(options[i].name, name))
            return read_option(setting, i, value, error);
    for (int phase = 0; phase < PLAYGROUND_PHASES; phase++)
        for (int card = 0; card < PLAYGROUND_CARDS; card++)
            if (is_mask(name, phase, card)) {
                setting->set_apart[card] = setting->set_apart[card] || phase == PLAYGROUND_EVALUATION;
                return playground_mask_read(&setting->masks[phase][card], name, value, error);
            }
    if (!strcmp(name, "fault"))
        return playground_fault_read(&setting->fault, value, error);
    if (!strcmp(name, "lines")) {
        setting->lines = value;
        return AG_OK;
    }
    if (!strcmp(name, "lesson")) {
        setting->lesson = value[0] && !value[1] ? value[0] - '0' : 0;
        return setting->lesson >= 1 && setting->lesson <= PLAYGROUND_LESSONS
                   ? AG_OK
                   : ag_error_set(error, AG_BAD_VALUE, "lesson=%.60s: expected a number from 1 to %d", value,
                                  PLAYGROUND_LESSONS);
    }
    return ag_error_set(error, AG_BAD_VALUE, "a setting has no '%.40s'", name);
}

/* Replaces each %XX by its byte, in place. */
static ag_status decode(char *text, ag_error *error)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        char digits[3] = "";
        if (*from != '%') {
            *to = *from++;
            continue;
        }
        strncat(digits, from + 1, 2);
        const long byte = strtol(digits, NULL, 16);
        if (strspn(digits, "0123456789ABCDEFabcdef") != 2 || byte == 0)
            return ag_error_set(error, AG_BAD_VALUE, "%%%s in a setting is no byte: %% itself is written %%25", digits);
        *to = (char)byte;
        from += 3;
    }
    *to = 0;
    return AG_OK;
}

ag_status playground_values_read(char *text, playground_on_value *on_value, void *context, ag_error *error)
{
    char *next = text;
    while (next && *next) {
        char *name = next, *value;
        next = strchr(name, '&');
        if (next)
            *next++ = 0;
        value = strchr(name, '=');
        if (value)
            *value++ = 0;
        ag_status status = value ? decode(value, error) : AG_OK;
        if (status == AG_OK)
            status = on_value(context, name, value ? value : "", error);
        if (status != AG_OK)
            return status;
    }
    return AG_OK;
}

/* Begins with the command's defaults, and room for a text of `size` bytes. */
static ag_status start(playground_setting *setting, size_t size, ag_error *error)
{
    *setting = (playground_setting){.recipe = train_recipe_new(), .text = malloc(size)};
    if (!setting->text)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for a setting");
    setting->recipe.run.out = NULL;
    setting->recipe.run.threads = 1;
    setting->masks[PLAYGROUND_TRAINING][PLAYGROUND_TARGET].pattern = PLAYGROUND_CAUSAL;
    return AG_OK;
}

/* Masks of the evaluation that were not given are those of the training. */
static void share_masks(playground_setting *setting)
{
    for (int card = 0; card < PLAYGROUND_CARDS; card++)
        if (!setting->set_apart[card])
            setting->masks[PLAYGROUND_EVALUATION][card] = setting->masks[PLAYGROUND_TRAINING][card];
}

/* The page's lengths of a task, where the setting does not say them: words of 3 to 8 letters,
 * other examples of up to 8, or of the task's own usual lengths. */
static void take_lengths(train_recipe *recipe, const data_task *task)
{
    data_set_options *data = &recipe->data;
    const int longest = task->default_max < 8 ? task->default_max : 8, shortest = task->same_length ? 3 : 1;
    if (!data->max_length)
        data->max_length = data->min_length > longest ? data->min_length : longest;
    if (!data->min_length)
        data->min_length = data->max_length < shortest ? data->max_length : shortest;
}

/* Reads the page's defaults, then the text. setting->text holds one after the other. */
static ag_status read_all(playground_setting *setting, const char *text, ag_error *error)
{
    const size_t size = strlen(text) + 1;
    train_recipe *recipe = &setting->recipe;
    ag_status status = start(setting, sizeof usual + size, error);
    if (status != AG_OK)
        return status;
    char *own = memcpy(setting->text + sizeof usual, text, size);
    status = playground_values_read(memcpy(setting->text, usual, sizeof usual), read_value, setting, error);
    if (status == AG_OK)
        status = playground_values_read(own, read_value, setting, error);
    if (!recipe->run.task && !setting->lines)
        recipe->run.task = usual_task;
    if (status == AG_OK && recipe->run.task)
        take_lengths(recipe, data_task_find(recipe->run.task));
    return status;
}

/* The largest batch of such a model: what a step keeps grows with rows, layers and width, and
 * a page has 256 MB (tests/project/test_page trains the largest). */
static int64_t largest_batch(const train_recipe *recipe)
{
    enum { ROWS_OF_LARGEST = 32, LARGEST = 4 * 128 };
    const int64_t size = (int64_t)recipe->layers * recipe->model.d_model;
    return ROWS_OF_LARGEST * LARGEST / (size > 0 ? size : 1);
}

static ag_status check(playground_setting *setting, ag_error *error)
{
    const train_recipe *recipe = &setting->recipe;
    const data_task *task = recipe->run.task ? data_task_find(recipe->run.task) : NULL;
    if (task && setting->lines)
        return ag_error_set(error, AG_BAD_VALUE, "a setting has a task, or lines of its own, not both");
    if (task && recipe->model.kind == NN_ENCODER && !task->same_length)
        return ag_error_set(error, AG_BAD_VALUE,
                            "an encoder labels each token, and in the task %s source and target differ in length",
                            task->name);
    if (recipe->model.d_model % recipe->model.heads)
        return ag_error_set(error, AG_BAD_VALUE, "%d heads do not divide the width %d", recipe->model.heads,
                            recipe->model.d_model);
    if (recipe->run.batch > largest_batch(recipe))
        return ag_error_set(
            error, AG_BAD_VALUE, "batch=%lld: a page has memory for batches of %lld with %d layers of width %d",
            (long long)recipe->run.batch, (long long)largest_batch(recipe), recipe->layers, recipe->model.d_model);
    return AG_OK;
}

ag_status playground_setting_read(playground_setting *setting, const char *text, ag_error *error)
{
    ag_status status = read_all(setting, text, error);
    share_masks(setting);
    if (status == AG_OK)
        status = check(setting, error);
    if (status != AG_OK)
        playground_setting_clear(setting);
    return status;
}

void playground_setting_clear(playground_setting *setting)
{
    free(setting->text);
    *setting = (playground_setting){0};
}

/* ---- Writing ----------------------------------------------------------------------- */

typedef struct text_room {
    char *text;
    size_t size, used;
    const char *first, *next, *between; /* before the first name, each other name, a value */
} text_room;

static void put(text_room *room, const char *name, const char *value)
{
    const bool fits = room->used < room->size;
    room->used +=
        (size_t)snprintf(fits ? room->text + room->used : NULL, fits ? room->size - room->used : 0, "%s%s%s%s",
                         room->used ? room->next : room->first, name, *value ? room->between : "", value);
}

/* The text of option i; false where it has the default that the command chooses. */
static bool option_text(const playground_setting *setting, int i, char *value, size_t size)
{
    train_recipe recipe = setting->recipe;
    const train_field *field = find_option(options[i].name);
    const void *object = train_recipe_owner(&recipe, field);
    const double number = field->type == TRAIN_TEXT ? 1 : train_field_number(field, object);
    snprintf(value, size, "%s", field->none && number == -1 ? "0" : "");
    if (is_switch(field) || *value)
        return number != 0;
    if (!field->names && (number < fmax(options[i].low, field->low) || (field->none && number == 0)))
        return false;
    train_field_print(field, object, value, size);
    return *value;
}

/* Puts the masks: all, or those of the training that are not the usual ones. Masks of the
 * evaluation are put where they are set apart. */
static void put_masks(text_room *room, const playground_setting *setting, bool all)
{
    const playground_mask plain[PLAYGROUND_CARDS] = {[PLAYGROUND_TARGET].pattern = PLAYGROUND_CAUSAL};
    for (int phase = 0; phase < PLAYGROUND_PHASES; phase++)
        for (int card = 0; card < PLAYGROUND_CARDS; card++) {
            char name[32], value[PLAYGROUND_MASK_TEXT], expected[PLAYGROUND_MASK_TEXT];
            snprintf(name, sizeof name, "%s%s", phase_names[phase], playground_card_names[card]);
            playground_mask_print(&setting->masks[phase][card], value);
            playground_mask_print(&plain[card], expected);
            if (phase == PLAYGROUND_EVALUATION ? setting->set_apart[card] : all || strcmp(value, expected))
                put(room, name, value);
        }
}

bool playground_setting_has_usual_masks(const playground_setting *setting)
{
    text_room none = {NULL, 0, 0, "", "", ""};
    put_masks(&none, setting, false);
    return none.used == 0;
}

size_t playground_setting_print(const playground_setting *setting, char *text, size_t size)
{
    text_room room = {text, size, 0, "", "&", "="};
    char value[64];
    for (int i = 0; i < OPTIONS; i++)
        if (option_text(setting, i, value, sizeof value))
            put(&room, options[i].name, value);
    put_masks(&room, setting, true);
    if (setting->fault)
        put(&room, "fault", playground_fault_name(setting->fault));
    if (setting->lesson)
        put(&room, "lesson", (char[]){(char)('0' + setting->lesson), 0});
    return room.used;
}

/* ---- The flags of the command ------------------------------------------------------ */

/* The index in `options`; -1 where the page does not have it. */
static int page_option(const train_field *field)
{
    for (int i = 0; field->name && i < OPTIONS; i++)
        if (!strcmp(options[i].name, field->name))
            return i;
    return -1;
}

size_t playground_setting_flags(const playground_setting *setting, const char *gap, char *text, size_t size)
{
    char next[8], value[64], other[64];
    const playground_setting defaults = {.recipe = train_recipe_new()};
    const train_field *field;
    snprintf(next, sizeof next, "%s--", gap);
    text_room room = {text, size, 0, "--", next, gap};
    for (int row = 0; (field = train_option(row)); row++) {
        const int i = page_option(field);
        if (i >= 0 && option_text(setting, i, value, sizeof value) &&
            (!option_text(&defaults, i, other, sizeof other) || strcmp(value, other)))
            put(&room, field->name, value);
    }
    put_masks(&room, setting, false);
    return room.used;
}

/* Takes the flags of the page's among `arguments` ("--seed\n7\n--post-norm"), which it
 * cuts into pieces. One that the page refuses is left out. */
static void take_flags(playground_setting *setting, char *arguments)
{
    for (char *name = strstr(arguments, "--"), *next; name; name = next) {
        ag_error refused = {0};
        playground_setting trial = *setting;
        next = strstr(name, "\n--");
        if (next)
            *next++ = 0;
        char *value = strchr(name, '\n');
        if (value)
            *value++ = 0;
        if (read_value(&trial, name + strlen("--"), value ? value : "", &refused) == AG_OK)
            *setting = trial;
    }
}

ag_status playground_setting_take(playground_setting *setting, const train_saved *saved, const char *lines,
                                  ag_error *error)
{
    const size_t arguments = strlen(saved->arguments) + 1;
    const nn_model_config *config = &saved->model->config;
    const data_task *task = data_task_find(saved->task);
    ag_status status = start(setting, arguments + strlen(lines) + 1, error);
    if (status != AG_OK)
        return status;
    take_flags(setting, memcpy(setting->text, saved->arguments, arguments));
    share_masks(setting);
    train_recipe *recipe = &setting->recipe;
    recipe->model = *config;
    recipe->layers = config->encoder_layers > config->decoder_layers ? config->encoder_layers : config->decoder_layers;
    train_recipe_take_tokens(recipe, saved->source_vocab ? saved->source_vocab : saved->target_vocab,
                             saved->target_vocab);
    recipe->run.task = task ? task->name : NULL;
    setting->lines = task ? NULL : strcpy(setting->text + arguments, lines);
    if (!task || (recipe->data.max_length && recipe->data.min_length > recipe->data.max_length))
        recipe->data.min_length = recipe->data.max_length = 0;
    return AG_OK;
}

ag_status playground_setting_fit(playground_setting *setting, ag_error *error)
{
    for (int i = 0; i < OPTIONS; i++) {
        const train_field *field = find_option(options[i].name);
        void *object = train_recipe_owner(&setting->recipe, field);
        if (options[i].high == 0 || train_field_number(field, object) <= options[i].high)
            continue;
        if (field->owner == TRAIN_MODEL || field->describes)
            return ag_error_set(error, AG_BAD_VALUE, "%s=%g is too much for a page, which takes up to %g", field->name,
                                train_field_number(field, object), options[i].high);
        train_field_set_number(field, object, options[i].high);
    }
    train_options *run = &setting->recipe.run;
    const int64_t most = largest_batch(&setting->recipe);
    run->batch = run->batch < most ? run->batch : most;
    return AG_OK;
}
