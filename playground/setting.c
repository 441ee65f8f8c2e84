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

/* What a setting begins with: small enough to learn within a minute. */
static const char usual[] = "layers=1&heads=4&d-model=64&steps=2000&batch=32&lr=0.003";
static const char usual_task[] = "task=reverse&task-min=3&task-max=8";

/* Before the name of a card. */
static const char *const phase_names[PLAYGROUND_PHASES] = {"", "eval-"};

static bool is_mask(const char *name, int phase, int card)
{
    const size_t length = strlen(phase_names[phase]);
    return !strncmp(name, phase_names[phase], length) && !strcmp(name + length, playground_card_names[card]);
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
static ag_status read_value(playground_setting *setting, const char *name, const char *value, ag_error *error)
{
    for (int i = 0; i < OPTIONS; i++)
        if (!strcmp(options[i].name, name))
            return read_option(setting, i, value, error);
    for (int phase = 0; phase < PLAYGROUND_PHASES; phase++)
        for (int card = 0; card < PLAYGROUND_CARDS; card++)
            if (is_mask(name, phase, card)) {
                setting->set_apart[card] = setting->set_apart[card] || phase == PLAYGROUND_EVALUATION;
                return playground_mask_read(&setting->masks[phase][card], name, value, error);
            }
    if (!strcmp(name, "lines")) {
        setting->lines = value;
        return AG_OK;
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
        char *end;
        const long byte = strtol(digits, &end, 16);
        if (end != digits + 2 || digits[0] == '-' || digits[0] == '+' || byte == 0)
            return ag_error_set(error, AG_BAD_VALUE, "%%%s in a setting is no byte: %% itself is written %%25", digits);
        *to = (char)byte;
        from += 3;
    }
    *to = 0;
    return AG_OK;
}

/* Reads the values of a text, which it cuts into names and values. */
static ag_status read_values(playground_setting *setting, char *text, ag_error *error)
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
            status = read_value(setting, name, value ? value : "", error);
        if (status != AG_OK)
            return status;
    }
    return AG_OK;
}

/* Reads the defaults, then the text. setting->text holds the three one after the other. */
static ag_status read_all(playground_setting *setting, const char *text, ag_error *error)
{
    const size_t size = strlen(text) + 1;
    setting->text = malloc(sizeof usual + sizeof usual_task + size);
    if (!setting->text)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for a setting");
    char *task = setting->text + sizeof usual, *own = task + sizeof usual_task;
    memcpy(setting->text, usual, sizeof usual);
    memcpy(task, usual_task, sizeof usual_task);
    memcpy(own, text, size);
    ag_status status = read_values(setting, setting->text, error);
    if (status == AG_OK)
        status = read_values(setting, own, error);
    if (status == AG_OK && !setting->recipe.run.task && !setting->lines)
        status = read_values(setting, task, error);
    return status;
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
    return AG_OK;
}

ag_status playground_setting_read(playground_setting *setting, const char *text, ag_error *error)
{
    *setting = (playground_setting){.recipe = train_recipe_new()};
    setting->recipe.run.out = NULL;
    setting->recipe.run.threads = 1;
    setting->masks[PLAYGROUND_TRAINING][PLAYGROUND_TARGET].pattern = PLAYGROUND_CAUSAL;
    ag_status status = read_all(setting, text, error);
    for (int card = 0; card < PLAYGROUND_CARDS; card++)
        if (!setting->set_apart[card])
            setting->masks[PLAYGROUND_EVALUATION][card] = setting->masks[PLAYGROUND_TRAINING][card];
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
} text_room;

static void put(text_room *room, const char *name, const char *value)
{
    const bool fits = room->used < room->size;
    room->used += (size_t)snprintf(fits ? room->text + room->used : NULL, fits ? room->size - room->used : 0,
                                   "%s%s%s%s", room->used ? "&" : "", name, *value ? "=" : "", value);
}

size_t playground_setting_print(const playground_setting *setting, char *text, size_t size)
{
    text_room room = {text, size, 0};
    train_recipe recipe = setting->recipe;
    for (int i = 0; i < OPTIONS; i++) {
        const train_field *field = find_option(options[i].name);
        const void *object = train_recipe_owner(&recipe, field);
        const double number = field->type == TRAIN_TEXT ? 1 : train_field_number(field, object);
        char value[64] = "";
        if (field->none && number == -1)
            put(&room, field->name, "0");
        else if (is_switch(field) ? number != 0 : field->names || number >= fmax(options[i].low, field->low)) {
            if (!is_switch(field))
                train_field_print(field, object, value, sizeof value);
            if (is_switch(field) || *value)
                put(&room, field->name, value);
        }
    }
    for (int phase = 0; phase < PLAYGROUND_PHASES; phase++)
        for (int card = 0; card < PLAYGROUND_CARDS; card++) {
            if (phase == PLAYGROUND_EVALUATION && !setting->set_apart[card])
                continue;
            char name[32], value[PLAYGROUND_MASK_TEXT];
            snprintf(name, sizeof name, "%s%s", phase_names[phase], playground_card_names[card]);
            playground_mask_print(&setting->masks[phase][card], value);
            put(&room, name, value);
        }
    return room.used;
}
