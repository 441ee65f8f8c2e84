/* cli_util.c - the command as a user meets it, for its tests. */
#include "cli_util.h"

#include "train.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char *cli_folder;
char cli_output[1 << 18];

void cli_set_up(void)
{
    ck_assert_msg(getenv("TAPEFORMER") != NULL, "TAPEFORMER must name the command (make does that)");
    cli_folder = test_folder_new();
    ck_assert_int_eq(setenv("DIR", cli_folder, 1), 0);
}

void cli_tear_down(void)
{
    test_folder_remove(cli_folder);
}

int cli_run(const char *command)
{
    char line[4096];
    snprintf(line, sizeof line, "T=$TAPEFORMER; { %s; } 2>&1", command);
    FILE *pipe = popen(line, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t length = fread(cli_output, 1, sizeof cli_output - 1, pipe);
    cli_output[length] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void cli_expect(const char *command, int code, const char *saying)
{
    int got = cli_run(command);
    ck_assert_msg(got == code, "%s\nexit %d, expected %d:\n%s", command, got, code, cli_output);
    ck_assert_msg(strstr(cli_output, saying) != NULL, "%s\ndoes not say \"%s\" but:\n%s", command, saying, cli_output);
}

void cli_expect_sentence(const char *command, int code, const char *saying)
{
    cli_expect(command, code, saying);
    const char *end = strchr(cli_output, '\n');
    ck_assert_msg(!strncmp(cli_output, "tapeformer ", 11) && end && !end[1], "%s\nsays more than a sentence:\n%s",
                  command, cli_output);
}

void cli_train_tiny(void)
{
    int code = cli_run("$T train --task copy --task-max 4 --steps 20 --eval-every 10 " CLI_TINY " --out $DIR/run");
    ck_assert_msg(code == 0, "training failed: %s", cli_output);
}

void cli_train_three(void)
{
    cli_train_tiny();
    cli_expect("$T train --task copy --model encoder --task-max 4 --steps 5 " CLI_TINY " --out $DIR/tags", 0, "");
    cli_expect("for i in 1 2 3 4 5 6 7 8 9; do echo 'the cat sat on the mat. the dog sat on the log.'; done > "
               "$DIR/text; $T train --text $DIR/text --context 16 --steps 5 " CLI_TINY " --out $DIR/lm",
               0, "");
}

void cli_spoil(const char *name, const char *parameter, ag_real value)
{
    char path[512];
    train_saved saved = {0};
    snprintf(path, sizeof path, "%s/run", cli_folder);
    ck_assert_int_eq(train_saved_load(&saved, path, NULL), AG_OK);
    const nn_params *params = &saved.model->params;
    const nn_param *item = &params->items[nn_params_find(params, parameter)];
    for (int64_t i = 0; i < item->size; i++)
        params->value[item->offset + i] = value;
    snprintf(path, sizeof path, "%s/%s", cli_folder, name);
    ck_assert_int_eq(train_saved_save(&saved, path, false, NULL), AG_OK);
    train_saved_clear(&saved);
}

void cli_write(const char *name, const char *text)
{
    free(test_file_write(cli_folder, name, text, strlen(text)));
}
