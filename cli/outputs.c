/* outputs.c - see outputs.h. */
#include "outputs.h"

#include "models.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Paths ------------------------------------------------------------------------- */

/* Whether both paths lead to one file or folder. */
static bool same_file(const char *a, const char *b)
{
    struct stat left, right;
    return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/* Whether the path leads to an input: that file itself, or one in the folder of a run. */
static bool is_read(const char *path, const char *input)
{
    static const char *const names[] = {TRAIN_MODEL_FILE, TRAIN_LAST_FILE, TRAIN_CHECKPOINT_FILE, TRAIN_LOG_FILE};
    bool same = same_file(path, input);
    for (size_t i = 0; i < sizeof names / sizeof *names && !same; i++) {
        char *file = data_path_join(input, names[i], NULL);
        same = file && same_file(path, file);
        free(file);
    }
    return same;
}

/* Whether the input, a folder or a file in one, is in the folder `out`, of which a run
 * would replace the .safetensors files and the log. */
static bool lies_in(const char *out, const char *input)
{
    const char *slash = strrchr(input, '/');
    if (data_path_is_folder(input))
        return same_file(input, out);
    char *folder = slash ? strndup(input, (size_t)(slash - input) + 1) : strdup(".");
    const bool inside = folder && same_file(folder, out);
    free(folder);
    return inside && (strstr(slash ? slash : input, ".safetensors") || is_read(input, out));
}

/* ---- Inputs ------------------------------------------------------------------------ */

static bool is_written(const cli_flag *flag)
{
    return flag->field->written && train_field_text(flag->field, flag->object);
}

/* Whether the flag, which is not written, names what the command reads. */
static bool names_input(const cli_flag *flag)
{
    const train_field *field = flag->field;
    return field->type == TRAIN_TEXT && !field->written && field->value && train_field_text(field, flag->object) &&
           (!strcmp(field->value, "FILE") || !strcmp(field->value, "DIR") || !strcmp(field->value, "MODEL"));
}

/* Refuses to write over an input. */
static int check_input(const cli_command *command, const cli_flag *output, const char *input)
{
    const char *path = train_field_text(output->field, output->object);
    if (output->field->written == TRAIN_WRITES_FILE && is_read(path, input))
        return cli_fail(command->name, CLI_USAGE, "%s is what %s is read from: write another file", path, input);
    if (output->field->written == TRAIN_WRITES_RUN && lies_in(path, input))
        return cli_fail(command->name, CLI_USAGE,
                        "%s is read from %s, whose run would be replaced: write to another folder", input, path);
    return CLI_DONE;
}

/* check_input of each model of a list. */
static int check_models(const cli_command *command, const cli_flag *output, const char *list)
{
    cli_models models;
    int code = cli_models_name(&models, command->name, list);
    for (int i = 0; i < models.count && code == CLI_DONE; i++)
        code = check_input(command, output, models.paths[i]);
    cli_models_clear(&models);
    return code;
}

/* Compares an output with all that the command reads. A run may take the place of the
 * model that it begins with, which is in memory before. */
static int check_inputs(const cli_command *command, const cli_flag *output)
{
    const bool run = output->field->written == TRAIN_WRITES_RUN;
    int code = CLI_DONE;
    for (int i = command->verbs; i < command->word_count && code == CLI_DONE; i++)
        code = check_input(command, output, command->words[i]);
    for (int i = 0; i < command->flag_count && code == CLI_DONE; i++) {
        const cli_flag *flag = &command->flags[i];
        if (!names_input(flag) || (run && strcmp(flag->field->value, "FILE") != 0))
            continue;
        const char *text = train_field_text(flag->field, flag->object), *joined_by = flag->field->joined_by;
        code = joined_by && !strcmp(joined_by, CLI_LIST) ? check_models(command, output, text)
                                                         : check_input(command, output, text);
    }
    return code;
}

/* ---- Outputs ----------------------------------------------------------------------- */

/* Refuses a second output in one file. */
static int check_others(const cli_command *command, int output)
{
    const cli_flag *flags = command->flags;
    const char *path = train_field_text(flags[output].field, flags[output].object);
    for (int i = 0; i < output; i++) {
        const char *other = is_written(&flags[i]) ? train_field_text(flags[i].field, flags[i].object) : NULL;
        if (other && (!strcmp(path, other) || same_file(path, other)))
            return cli_fail(command->name, CLI_USAGE, "%s cannot hold two outputs: write another file", path);
    }
    return CLI_DONE;
}

/* Whether the path can be written. A folder that is not there can be made where a file
 * could be. train_folder_check looks at the folders of runs. */
static ag_status check_path(const cli_flag *output, ag_error *error)
{
    struct stat info;
    const char *path = train_field_text(output->field, output->object);
    if (output->field->written == TRAIN_WRITES_RUN)
        return AG_OK;
    const bool folder = output->field->written == TRAIN_WRITES_FOLDER && stat(path, &info) == 0;
    return folder ? data_folder_check(path, error) : data_output_check(path, error);
}

int cli_check_outputs(const cli_command *command)
{
    ag_error error = {0};
    int code = CLI_DONE;
    for (int i = 0; i < command->flag_count && code == CLI_DONE; i++) {
        const cli_flag *output = &command->flags[i];
        if (!is_written(output))
            continue;
        code = check_inputs(command, output);
        if (code == CLI_DONE)
            code = check_others(command, i);
        if (code == CLI_DONE && check_path(output, &error) != AG_OK)
            code = cli_report(command->name, &error);
    }
    return code;
}
