/* info.c - tapeformer info: what is in a saved model, or in any .safetensors file. */
#include "cli.h"

#include "../train/options.h"

#include <stdio.h>
#include <string.h>

static void print_vocab(const char *title, const data_vocab *vocab)
{
    static const char *const kinds[] = {
        [DATA_CHARS] = "characters", [DATA_WORDS] = "words", [DATA_BPE] = "byte pairs",
        [DATA_JAMO] = "characters, hangul decomposed"};
    if (!vocab)
        return;
    printf("%-16s %d %s (%s", title, data_vocab_size(vocab), ag_plural(data_vocab_size(vocab), "token", "tokens"),
           kinds[data_vocab_kind(vocab)]);
    if (data_vocab_kind(vocab) == DATA_BPE)
        printf(", %d %s", data_vocab_merges(vocab), ag_plural(data_vocab_merges(vocab), "merge", "merges"));
    puts(data_vocab_has_tags(vocab) ? ", with tags before them)" : ")");
}

/* Writes the value as info shows it; "" where it shows nothing. */
static void show_value(const train_field *field, const nn_model_config *config, char *text, size_t size)
{
    const double number = train_field_number(field, config);
    *text = 0;
    if (number < field->low) /* the layers of a stack that the model does not have */
        return;
    if (field->absent && !strcmp(field->absent, "0") && number == 0) /* no cross window */
        return;
    if (field->type == TRAIN_DOUBLE)
        snprintf(text, size, "%s%g", field->words[0] ? field->words[0] : "", number);
    else if (field->words[0])
        snprintf(text, size, "%s", field->words[(int)number]);
    else
        train_field_print(field, config, text, size);
}

/* Prints a line with all values that share the title of field number `first`, unless an
 * earlier field has the title: then the line is printed already. */
static void print_line(int first, const nn_model_config *config)
{
    const char *title = train_model_field(first)->info;
    const train_field *field;
    bool begun = false;
    for (int i = 0; (field = train_model_field(i)); i++) {
        char text[64] = "";
        if (field->info && !strcmp(field->info, title)) {
            if (i < first) /* the line is printed */
                return;
            show_value(field, config, text, sizeof text);
        }
        if (*text)
            printf(begun ? ", %s" : "%-16s %s", begun ? text : title, text);
        begun = begun || *text;
    }
    if (begun)
        putchar('\n');
}

static void print_config(const train_saved *saved)
{
    const nn_model_config *config = &saved->model->config;
    const train_field *field;
    printf("%-16s %s\n", "kind", train_model_kind_name((int)config->kind));
    if (saved->task && *saved->task)
        printf("%-16s %s\n", "task", CLI_SHOWN(saved->task));
    print_vocab("source", saved->source_vocab);
    print_vocab("target", saved->target_vocab);
    for (int i = 0; (field = train_model_field(i)); i++)
        if (field->info)
            print_line(i, config);
}

/* ---- Tensors ----------------------------------------------------------------------- */

/* Prints a parameter. It may have no tensor of its own: the file may hold it in parts, or
 * under another name. */
static void print_parameter(const nn_param *parameter, const data_tensor *tensor)
{
    char shape[AG_SHAPE_TEXT];
    printf("  %-48s %-4s %s\n", parameter->name, tensor ? tensor->dtype : "", ag_shape_print(parameter->shape, shape));
}

static void print_tensor(const data_tensor *tensor)
{
    printf("  %-48s %-4s [", CLI_SHOWN(tensor->name), tensor->dtype);
    for (int axis = 0; axis < tensor->rank; axis++)
        printf(axis ? ",%llu" : "%llu", (unsigned long long)tensor->shape[axis]);
    puts("]");
}

static void print_model(const train_saved *saved, const data_safetensors *file)
{
    const nn_params *params = &saved->model->params;
    print_config(saved);
    printf("\n%d %s, %lld %s:\n", params->count, ag_plural(params->count, "parameter", "parameters"),
           (long long)params->size, ag_plural(params->size, "number", "numbers"));
    for (int i = 0; i < params->count; i++)
        print_parameter(&params->items[i], data_safetensors_find(file, params->items[i].name));
}

static void print_file(const data_safetensors *file)
{
    const int64_t count = data_safetensors_count(file);
    const char *format = data_safetensors_metadata(file, "format");
    unsigned long long bytes = 0;
    for (int64_t i = 0; i < count; i++)
        bytes += data_safetensors_at(file, i)->size;
    if (format)
        printf("%-16s %s\n\n", "format", CLI_SHOWN(format));
    printf("%lld %s, %llu %s:\n", (long long)count, ag_plural(count, "tensor", "tensors"), bytes,
           ag_plural((int64_t)bytes, "byte", "bytes"));
    for (int64_t i = 0; i < count; i++)
        print_tensor(data_safetensors_at(file, i));
}

static int print_contents(const char *path, const data_safetensors *file)
{
    const char *format = data_safetensors_metadata(file, "format");
    train_saved saved = {0};
    ag_error error = {0};
    if (!format || (strcmp(format, TRAIN_FORMAT_MODEL) != 0 && strcmp(format, TRAIN_FORMAT_CHECKPOINT) != 0)) {
        print_file(file);
        return CLI_DONE;
    }
    if (train_saved_from(&saved, file, path, &error) != AG_OK)
        return cli_report("info", &error);
    print_model(&saved, file);
    train_saved_clear(&saved);
    return CLI_DONE;
}

int cli_info(int count, const char *const *arguments)
{
    const char *path = NULL;
    cli_command command = {
        .name = "info",
        .summary = "show a saved model, or the tensors of any .safetensors file",
        .usage = "MODEL",
        .max_words = 1,
        .words = &path,
        .details = "MODEL is the folder of a training run, a .safetensors file, or the index.json of a sharded model.",
    };
    ag_error error = {0};
    int code = cli_flags_read(&command, count, arguments);
    if (code != CLI_DONE)
        return code;
    if (!path)
        return cli_fail("info", CLI_USAGE, "which model? Give the folder of a run or a .safetensors file");
    data_safetensors *file = train_weights_open(path, &error);
    if (!file)
        return cli_report("info", &error);
    code = print_contents(path, file);
    data_safetensors_close(file);
    return code;
}
