/* presets.c - the recipes: flags that were found to work, each with what it reached. */
#include "cli.h"

/* README.md has the figures and the commands that repeat them. */
static const cli_preset presets[] = {
    {"demo", "reverse of 3 to 10 letters in well under a minute: what `make demo` runs",
     "--task reverse --task-min 3 --task-max 10 --d-model 64 --heads 2 --layers 1 --ffn 256 --batch 64 --steps 2400 "
     "--lr 0.003 --threads 1 --eval-every 600"},
    {"g2p", "letters to phones: give --pairs and --dev",
     "--src-tokens chars --tgt-tokens words --d-model 256 --heads 4 --layers 3 --ffn 1024 --dropout 0.2 --batch 128 "
     "--label-smoothing 0.1 --lr 0.001 --average 0.999 --epochs 60 --eval-every 315 --eval-sources 1000 --best-by wer"},
    {"addition", "sums of numbers of up to 5 digits",
     "--task addition --d-model 128 --heads 4 --layers 3 --positions rotary --batch 256 --steps 6000 --warmup 1000 "
     "--lr 0.001"},
    {"text", "a language model of characters: give --text",
     "--tgt-tokens chars --d-model 128 --heads 4 --layers 4 --context 64 --batch 12 --dropout 0.1 --steps 3000 --lr "
     "0.001"},
};

const cli_preset *cli_presets(int *count)
{
    *count = (int)(sizeof presets / sizeof *presets);
    return presets;
}

const char *cli_preset_name(int i)
{
    return i < (int)(sizeof presets / sizeof *presets) ? presets[i].name : NULL;
}
