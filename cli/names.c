/* names.c - the library's enumerations as words, in their order. */
#include "cli.h"

const char *const cli_token_names[] = {"chars", "words", NULL};
const char *const cli_model_names[] = {"encoder-decoder", "encoder", "decoder", NULL};
const char *const cli_activation_names[] = {"relu", "gelu", "gelu-tanh", "silu", "gated-silu", NULL};
const char *const cli_norm_names[] = {"layer", "rms", NULL};
const char *const cli_position_names[] = {"sinusoidal", "learned", "rotary", "none", NULL};
const char *const cli_matmul_names[] = {"float", "bf16", NULL};
const char *const cli_optimizer_names[] = {"adamw", "adam", "sgd", NULL};
const char *const cli_schedule_names[] = {"cosine", "constant", "inverse-sqrt", "noam", NULL};
const char *const cli_best_names[] = {"exact", "loss", "wer", NULL};
const char *const cli_layout_names[] = {"pytorch", "gpt2", NULL};

const char *cli_task_name(int i)
{
    int count;
    const data_task *const *tasks = data_tasks(&count);
    return i < count ? tasks[i]->name : NULL;
}
