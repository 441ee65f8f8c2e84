/* presets.c - the recipes: flags that were found to work, each with what it reached. */
#include "cli.h"

static const cli_preset presets[] = {
    {"demo", "reverse of up to 10 letters in half a minute: what `make demo` runs",
     "--task reverse --task-min 3 --task-max 10 --d-model 64 --heads 2 --layers 1 --ffn 256 --dropout 0 --positions sinusoidal "
     "--batch 64 --steps 1500 --lr 0.003 --eval-every 500"},
    {"g2p", "grapheme-to-phoneme pairs (give --pairs, --dev): letters to phones",
     "--src-tokens chars --tgt-tokens words --d-model 256 --heads 4 --layers 3 --ffn 1024 --dropout 0.2 --batch 128 "
     "--label-smoothing 0.1 --lr 0.001 --average 0.999 --epochs 60"},
};

const cli_preset *cli_presets(int *count)
{
    *count = (int)(sizeof presets / sizeof *presets);
    return presets;
}
