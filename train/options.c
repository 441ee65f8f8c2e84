/* options.c - the table of options: see options.h.
 *
 * The order of the rows is that of the command's help, and of the flags in a checkpoint's
 * metadata "arguments". Metadata itself is sorted by its keys.
 */
#include "options.h"

#include <math.h>
#include <string.h>

/* ---- Names of the values of enums -------------------------------------------------- */

TRAIN_NAMES(train_model_kind_name, "encoder-decoder", "encoder", "decoder")
TRAIN_NAMES(train_layout_name, "pytorch", "gpt2")
static TRAIN_NAMES(decompose_name, "none", "hangul")
static TRAIN_NAMES(activation_name, "relu", "gelu", "gelu-tanh", "silu", "gated-silu")
static TRAIN_NAMES(norm_name, "layer", "rms")
static TRAIN_NAMES(final_norm_name, "usual", "yes", "no")
static TRAIN_NAMES(positions_name, "sinusoidal", "learned", "rotary", "alibi", "relative", "none")
static TRAIN_NAMES(matmul_name, "float", "bf16")
static TRAIN_NAMES(optimizer_name, "adamw", "adam", "sgd", "muon")
static TRAIN_NAMES(schedule_name, "cosine", "constant", "inverse-sqrt", "noam", "linear", "wsd")
static TRAIN_NAMES(best_by_name, "exact", "loss", "wer")

/* Jamo are what --decompose makes of characters. */
static const char *token_kind_name(int i)
{
    return i == DATA_JAMO ? NULL : data_token_kind_name(i);
}

const char *train_task_name(int i)
{
    int count;
    const data_task *const *tasks = data_tasks(&count);
    return i < count ? tasks[i]->name : NULL;
}

static const char *preset_name(int i)
{
    const train_preset *preset = train_preset_at(i);
    return preset ? preset->name : NULL;
}

/* ---- Where an option has an effect ------------------------------------------------- */

#define CONDITION(name, holds)                                                                                         \
    static bool name(const train_recipe *recipe)                                                                       \
    {                                                                                                                  \
        return holds;                                                                                                  \
    }

CONDITION(has_task, recipe->run.task != NULL)
CONDITION(has_pairs, train_files_count(&recipe->files) > 0)
CONDITION(has_lines, recipe->files.pairs != NULL)
CONDITION(has_columns, recipe->files.pairs && recipe->data.format.columns)
CONDITION(has_sources, recipe->files.source != NULL)
CONDITION(has_targets, recipe->data.format.targets != NULL)
CONDITION(has_two_devs, recipe->files.source && recipe->dev)
CONDITION(has_conllu, recipe->files.conllu != NULL)
CONDITION(has_text, recipe->text != NULL)
CONDITION(has_no_dev, recipe->dev == NULL)
CONDITION(has_no_base, recipe->from == NULL)
CONDITION(source_tokens_count, has_pairs(recipe) || recipe->data.source_kind == DATA_CHARS)
CONDITION(target_tokens_count, !recipe->run.task || recipe->data.target_kind == DATA_CHARS)
CONDITION(learns_merges, !recipe->from && ((has_pairs(recipe) && recipe->data.source_kind == DATA_BPE) ||
                                           (!recipe->run.task && recipe->data.target_kind == DATA_BPE)))
CONDITION(has_characters, recipe->decompose == TRAIN_DECOMPOSE_NONE ||
                              (!recipe->run.task && ((has_pairs(recipe) && recipe->data.source_kind == DATA_CHARS) ||
                                                     recipe->data.target_kind == DATA_CHARS)))
CONDITION(makes_words, !recipe->from && !recipe->run.task &&
                           ((has_pairs(recipe) && recipe->data.source_kind == DATA_WORDS) ||
                            recipe->data.target_kind == DATA_WORDS))
CONDITION(has_cross_attention, recipe->model.kind == NN_ENCODER_DECODER && !recipe->text)
CONDITION(can_cross_positions, has_cross_attention(recipe) && (recipe->model.positions == NN_ROTARY ||
                                                               recipe->model.positions == NN_ALIBI ||
                                                               recipe->model.positions == NN_RELATIVE))
CONDITION(has_layer_norm, recipe->model.norm == NN_LAYER_NORM)
CONDITION(has_end, train_schedule_has_end(recipe->run.schedule))
CONDITION(has_decay, recipe->run.schedule == TRAIN_WSD)
CONDITION(is_adam, recipe->run.optimizer.kind != TRAIN_SGD)
CONDITION(is_sgd, recipe->run.optimizer.kind == TRAIN_SGD)
CONDITION(is_muon, recipe->run.optimizer.kind == TRAIN_MUON)
CONDITION(takes_momentum, is_sgd(recipe) || is_muon(recipe))
CONDITION(has_momentum, is_sgd(recipe) && recipe->run.optimizer.momentum > 0)
CONDITION(best_is_known, recipe->run.best_by == TRAIN_BEST_LOSS || !(recipe->text || recipe->model.kind == NN_DECODER))

/* ---- The table --------------------------------------------------------------------- */

#define BELOW_ONE 0x1.fffffffffffffp-1 /* the double before 1 */

/* Numbers of the library's in help texts. */
#define NUMERAL(number)   NUMERAL_(number)
#define NUMERAL_(number)  #number
#define RATE              NUMERAL(TRAIN_DEFAULT_RATE)
#define RATE_SGD          NUMERAL(TRAIN_DEFAULT_RATE_SGD)
#define RATE_NOAM         NUMERAL(TRAIN_DEFAULT_RATE_NOAM)
#define RATE_MUON         NUMERAL(TRAIN_DEFAULT_RATE_MUON)
#define RATE_MUON_NOAM    NUMERAL(TRAIN_DEFAULT_RATE_MUON_NOAM)
#define MOMENTUM_MUON     NUMERAL(TRAIN_DEFAULT_MOMENTUM_MUON)
#define WARMUP            NUMERAL(TRAIN_DEFAULT_WARMUP_PART)
#define WARMUP_NOAM       NUMERAL(TRAIN_DEFAULT_WARMUP_PART_NOAM)
#define WARMUP_MOST       NUMERAL(TRAIN_DEFAULT_WARMUP_MOST)
#define PASSES            NUMERAL(TRAIN_DEFAULT_PASSES)
#define STEPS_LEAST       NUMERAL(TRAIN_DEFAULT_STEPS_LEAST)
#define STEPS_MOST        NUMERAL(TRAIN_DEFAULT_STEPS_MOST)

#define RECIPE(member)    TRAIN_MEMBER(TRAIN_RECIPE, train_recipe, member)
#define DATA(member)      TRAIN_MEMBER(TRAIN_DATA, data_set_options, member)
#define MODEL(member)     TRAIN_MEMBER(TRAIN_MODEL, nn_model_config, member), .key = "model." #member
#define RUN(member)       TRAIN_MEMBER(TRAIN_RUN, train_options, member) /* not saved */
#define SAVED(member)     RUN(member), .key = "run." #member
#define OPTIMIZER(member) RUN(optimizer.member), .key = "run." #member
#define FINAL_NORM(value) TRAIN_MEMBER(TRAIN_MODEL, nn_model_config, final_norm), .sets = (value)

static const train_field options[] = {
    /* Data. */
    {"task", "NAME", "train on a synthetic task", RUN(task), .names = train_task_name},
    {"pairs", "FILE", "train on a file of lines `source TAB target`; -: standard input", RECIPE(files.pairs),
     .joined_by = "paste", .changeable = true},
    {"columns", "LIST",
     "the file has columns, CSV or TSV: the numbers or names of the source's, the target's and, if there are any, the "
     "tags'; a name means that the first line has the names",
     DATA(format.columns), .changeable = true, .needs = has_lines, .goes = "goes with --pairs"},
    {"separator", "NAME", "stands between the columns", DATA(format.separator), .names = data_separator_name,
     .otherwise = "the one by which the first line has them",
     .changeable = true, .needs = has_columns, .goes = "goes with --columns"},
    {"no-quotes", NULL, "in columns a quote is a character like any other", DATA(format.no_quotes), .changeable = true,
     .needs = has_columns, .goes = "goes with --columns"},
    {"source", "FILE", "train on the lines of two files, the sources here", RECIPE(files.source), .joined_by = "cat",
     .changeable = true, .needs = has_targets, .goes = "goes with --target FILE, which has the target of each line"},
    {"target", "FILE", "the targets of --source, line by line", DATA(format.targets), .joined_by = "cat",
     .changeable = true, .needs = has_sources, .goes = "goes with --source FILE, which has the source of each line"},
    {"conllu", "FILE", "train a tagger on the words of a CoNLL-U file", RECIPE(files.conllu), .joined_by = "cat",
     .changeable = true},
    {"field", "NAME", "what the tagger learns of each word", DATA(format.field), .names = data_conllu_field_name,
     .otherwise = "upos, the universal part of speech",
     .changeable = true, .needs = has_conllu, .goes = "goes with --conllu"},
    {"blocks", "FILE", "train a tagger on lines `word TAB tag` or `word tag`, with an empty line after each sentence",
     RECIPE(files.blocks), .joined_by = "cat", .changeable = true},
    {"dev", "FILE", "another file, in the same format; the model that does best on its pairs is kept", RECIPE(dev),
     .joined_by = "paste", .otherwise = "a part of the file, held out", .changeable = true, .needs = has_pairs,
     .goes = "goes with --pairs, or another file of pairs"},
    {"dev-target", "FILE", "the targets of --dev, line by line", RECIPE(dev_target), .joined_by = "cat",
     .otherwise = "", .changeable = true, .needs = has_two_devs, .goes = "goes with --source and --dev"},
    {"text", "FILE", "train a language model on a text", RECIPE(text), .joined_by = "cat", .changeable = true},
    {"from", "DIR", "begin with a trained or imported model: its parameters, sizes and vocabularies", RECIPE(from)},
    {"preset", "NAME", "take a preset's flags; flags of your own override them", RECIPE(preset), .names = preset_name,
     .local = true},
    {"list-presets", NULL, "print the presets and their flags", RECIPE(list_presets), .local = true},
    {"src-tokens", "KIND", "what the sources are split into", DATA(source_kind), .names = token_kind_name,
     .otherwise = "chars; of tagged words: words", .needs = source_tokens_count, .goes = "goes with --pairs"},
    {"tgt-tokens", "KIND", "what the targets, or the text, are split into", DATA(target_kind), .names = token_kind_name,
     .otherwise = "chars; of tagged words: words", .needs = target_tokens_count,
     .goes = "needs --pairs or --text: tasks define their tokens"},
    {"min-count", "N",
     "read words that the training data have less than N times as <unk>, so that it is trained, too", DATA(min_count),
     .low = 1, .usual = 1, .needs = makes_words,
     .goes = "needs a new vocabulary of words: --src-tokens words or --tgt-tokens words, and no --from"},
    {"merges", "N", "merges that a vocabulary of kind bpe learns from the training data; 0: each byte is a token",
     DATA(merges), .none = true, .usual = DATA_DEFAULT_MERGES, .low = 0, .high = 1e6, .needs = learns_merges,
     .goes = "goes with --src-tokens bpe or --tgt-tokens bpe and a new model: that of --from has its merges"},
    {"decompose", "SCRIPT",
     "split characters into the letters that they consist of: hangul, Korean syllables; outputs are composed again",
     RECIPE(decompose), .names = decompose_name, .needs = has_characters,
     .goes = "needs a file whose sources or targets are split into chars: words stay whole, and tasks have their own "
             "tokens"},
    {"held-out", "SHARE", "share of the data that is held out to choose the best model on", DATA(held_out),
     .low = 0.0001, .high = 0.9, .usual = 0.05, .needs = has_no_dev,
     .goes = "goes without --dev: either holds the data to choose the best model on"},
    {"context", "N", "tokens that a language model sees at once", DATA(context), .low = 1,
     .otherwise = NUMERAL(TRAIN_DEFAULT_CONTEXT) ", --max-length at most; --from: its longest", .needs = has_text,
     .goes = "goes with --text"},
    {"task-min", "N", "length of the task's shortest examples", DATA(min_length), .low = 1, .high = 100,
     .otherwise = "the task's own", .needs = has_task, .goes = "goes with --task"},
    {"task-max", "N", "length of the task's longest examples", DATA(max_length), .low = 1, .high = 100,
     .otherwise = "the task's own", .needs = has_task, .goes = "goes with --task"},
    {"task-count", "N", "examples of the task per epoch", DATA(count), .low = 1, .usual = 10000, .needs = has_task,
     .goes = "goes with --task"},

    /* The model. */
    {"model", "KIND", "kind of model", MODEL(kind), .names = train_model_kind_name,
     .otherwise = "encoder-decoder; --text: decoder; tagged words: encoder"},
    {NULL, NULL, NULL, MODEL(source_vocab)},
    {NULL, NULL, NULL, MODEL(target_vocab)},
    {"d-model", "N", "width of the model", MODEL(d_model), .low = 1, .high = 65536, .usual = 128, .info = "d_model"},
    {"heads", "N", "attention heads; their number must divide the width", MODEL(heads), .low = 1, .high = 65536,
     .usual = 4, .info = "heads"},
    {"layers", "N", "blocks in the encoder, and in the decoder", RECIPE(layers), .low = 1, .high = 1000, .usual = 2,
     .describes = true},
    {"encoder-layers", "N", "blocks in the encoder", MODEL(encoder_layers), .low = 1, .high = 1000,
     .otherwise = "--layers", .info = "encoder layers"},
    {"decoder-layers", "N", "blocks in the decoder", MODEL(decoder_layers), .low = 1, .high = 1000,
     .otherwise = "--layers", .info = "decoder layers"},
    {"ffn", "N", "inner width of the feed-forward layers", MODEL(ffn), .low = 1, .high = 1048576,
     .otherwise = "4 times --d-model", .info = "feed-forward"},
    {"max-length", "N", "longest sequence that the model takes, in tokens", MODEL(max_length), .low = 1, .high = 1e6,
     .otherwise = "twice the longest in the data, at least 64; --text: --context", .info = "longest"},
    {"activation", "NAME", "activation of the feed-forward layers", MODEL(activation), .names = activation_name,
     .first = AG_RELU, .usual = AG_RELU, .info = "feed-forward"},
    {"norm", "NAME", "kind of normalisation", MODEL(norm), .names = norm_name, .info = "norm"},
    {"post-norm", NULL, "normalise after each residual sum (post-norm), not before each sublayer (pre-norm)",
     MODEL(post_norm), .info = "norm", .words = {"pre", "post"}},
    {NULL, NULL, NULL, MODEL(final_norm), .names = final_norm_name, .absent = "usual", .info = "norm",
     .words = {"", "final norms", "no final norms"}},
    {"norm-eps", "X", "added to the variance in norms", MODEL(norm_eps), .low = 1e-30, .high = 1, .otherwise = "1e-05",
     .info = "norm", .words = {"eps "}},
    {"embedding-scale", "X", "factor that multiplies the embeddings", MODEL(embedding_scale), .low = 1e-6, .high = 1e6,
     .otherwise = "the square root of --d-model", .info = "embedding scale"},
    {"positions", "NAME", "how positions are encoded", MODEL(positions), .names = positions_name,
     .otherwise = "sinusoidal; --text, if its heads have an even width: rotary; --from: its own", .info = "positions"},
    {"cross-positions", NULL,
     "positions also act within cross-attention, by the distance from target to source: for outputs that follow their "
     "inputs step by step",
     MODEL(cross_positions), .absent = "false", .info = "positions", .words = {"", "also in cross-attention"},
     .needs = can_cross_positions,
     .goes = "needs an encoder-decoder and --positions rotary, alibi or relative: the other kinds do not act within "
             "attention"},
    {"cross-window", "N",
     "in cross-attention, see only N places of the source on each side of the target's own place; 0: all",
     MODEL(cross_window), .high = 1e6, .absent = "0", .info = "cross window", .needs = has_cross_attention,
     .goes = "needs an encoder-decoder: the other models have no cross-attention"},
    {"final-norm", NULL, "end each stack with a norm, also with --post-norm (as nn.Transformer does)",
     FINAL_NORM(NN_FINAL_NORM_YES), .otherwise = "with pre-norm only"},
    {"no-final-norm", NULL, "end no stack with a norm, not even with pre-norm", FINAL_NORM(NN_FINAL_NORM_NO)},
    {"no-bias", NULL, "no biases in the linear layers of the blocks", MODEL(no_bias), .info = "without bias",
     .words = {"", "blocks"}},
    {"no-norm-bias", NULL, "no biases in layer norms", MODEL(no_norm_bias), .absent = "false", .info = "without bias",
     .words = {"", "norms"}, .needs = has_layer_norm, .goes = "needs --norm layer: RMS norm has no bias"},
    {"no-output-bias", NULL, "no bias in the output projection", MODEL(no_output_bias), .absent = "false",
     .info = "without bias", .words = {"", "output"}},
    {"tied", NULL, "use the target embedding as the output projection, too", MODEL(tied_output), .info = "tied output",
     .words = {"no", "yes"}},
    {"dropout", "P", "probability that dropout zeroes a number", MODEL(dropout), .low = 0, .high = 0.99,
     .otherwise = NUMERAL(TRAIN_DEFAULT_DROPOUT) "; --task, whose examples never repeat: 0; --from: its own",
     .info = "dropout"},
    {NULL, NULL, NULL, MODEL(padding_id)},

    {"zero-residual", NULL,
     "begin with zeros as the output projections of all sublayers: each block begins as the identity",
     RECIPE(zero_residual), .needs = has_no_base, .goes = "needs a new model: that of --from has its values"},

    /* How an update changes the parameters. */
    {"matmul", "NUMBERS",
     "what training's matrix products multiply; bf16 is faster and less accurate, on processors that have it",
     SAVED(matmul), .names = matmul_name},
    {"optimizer", "NAME", "how gradients change the parameters", RUN(optimizer.kind), .key = "run.optimizer",
     .names = optimizer_name},
    {"lr", "RATE", "highest learning rate; with noam the factor", SAVED(rate), .low = 1e-12, .high = 1e3,
     .most = HUGE_VAL, .otherwise = RATE "; sgd: " RATE_SGD "; noam: " RATE_NOAM},
    {"muon-lr", "RATE", "highest learning rate of the matrices in the blocks, which muon updates; --lr is that of the rest",
     SAVED(muon_rate), .low = 1e-12, .high = 1e3, .most = HUGE_VAL, .absent = "0",
     .otherwise = RATE_MUON "; noam: " RATE_MUON_NOAM, .needs = is_muon, .goes = "goes with --optimizer muon"},
    {"schedule", "NAME", "how the learning rate changes", SAVED(schedule), .names = schedule_name},
    {"warmup", "N", "steps of linear warm-up", SAVED(warmup), .none = true,
     .otherwise = "1/" WARMUP " of the steps; noam: 1/" WARMUP_NOAM "; at most " WARMUP_MOST},
    {"floor", "SHARE", "where a cosine, linear or wsd schedule ends, as a share of the rate", SAVED(floor), .high = 1,
     .none = true, .otherwise = NUMERAL(TRAIN_DEFAULT_FLOOR) "; linear and wsd: 0", .needs = has_end,
     .goes = "goes with --schedule cosine, linear or wsd"},
    {"decay", "SHARE", "share of the steps, the last ones, in which the rate of wsd falls", SAVED(decay), .low = 0.0001,
     .high = 1, .absent = NUMERAL(TRAIN_DEFAULT_DECAY), .usual = TRAIN_DEFAULT_DECAY, .needs = has_decay,
     .goes = "goes with --schedule wsd"},
    {"weight-decay", "X", "weight decay; not of biases and norms", OPTIMIZER(weight_decay), .none = true,
     .otherwise = NUMERAL(TRAIN_DEFAULT_WEIGHT_DECAY) "; adam and sgd: 0"},
    {"beta1", "X", "decay of Adam's mean of the gradients", OPTIMIZER(beta1), .low = 1e-6, .high = 0.999999,
     .most = BELOW_ONE, .usual = TRAIN_DEFAULT_BETA1, .needs = is_adam,
     .goes = "goes with --optimizer adamw, adam or muon"},
    {"beta2", "X", "decay of Adam's mean of their squares", OPTIMIZER(beta2), .low = 1e-6, .high = 0.999999,
     .most = BELOW_ONE, .usual = TRAIN_DEFAULT_BETA2, .needs = is_adam,
     .goes = "goes with --optimizer adamw, adam or muon"},
    {NULL, NULL, NULL, OPTIMIZER(epsilon)},
    {"momentum", "X", "momentum of sgd and muon; 0: none", OPTIMIZER(momentum), .high = 0.999999, .most = BELOW_ONE,
     .none = true, .otherwise = "0; muon: " MOMENTUM_MUON, .needs = takes_momentum,
     .goes = "goes with --optimizer sgd or muon (Adam has --beta1)"},
    {"nesterov", NULL, "Nesterov's form of the momentum", OPTIMIZER(nesterov), .needs = has_momentum,
     .goes = "goes with --optimizer sgd and a --momentum (0.9, say)"},
    {"clip", "NORM", "largest norm of all gradients together; 0: no limit", SAVED(clip), .usual = TRAIN_DEFAULT_CLIP,
     .none = true},
    {"label-smoothing", "X", "share of a target's probability that is spread over all tokens", SAVED(label_smoothing),
     .high = 0.999, .most = 1},
    {"average", "DECAY", "evaluate and save a moving average of the weights over about 1 / (1 - DECAY) steps; 0: none",
     SAVED(average), .high = 0.999999, .most = BELOW_ONE},

    /* How far a run goes, and what it leaves. */
    {"batch", "N", "examples per step", SAVED(batch), .low = 1, .high = 1e6, .most = 1e15,
     .usual = TRAIN_DEFAULT_BATCH},
    {"accumulate", "N", "split each batch into N parts that go through the model one after the other, to save memory",
     SAVED(accumulate), .low = 1, .high = 1e6, .most = 1e15, .usual = 1},
    {NULL, NULL, NULL, RUN(part), .low = 1},
    {"steps", "N", "number of updates", SAVED(steps), .low = 1, .changeable = true,
     .otherwise = PASSES " passes over the data, but " STEPS_LEAST " to " STEPS_MOST " steps"},
    {"epochs", "N", "instead of --steps: passes over the data", RUN(epochs), .low = 1, .otherwise = "",
     .changeable = true},
    {"eval-every", "N", "steps between evaluations on dev; there is always one after the last step",
     SAVED(evaluate_every), .low = 1, .otherwise = "1/" NUMERAL(TRAIN_DEFAULT_EVALUATIONS) " of the steps",
     .changeable = true},
    {"eval-sources", "N", "sources of dev to decode in each evaluation", SAVED(evaluate_sources), .low = 1,
     .usual = TRAIN_DEFAULT_EVALUATE_SOURCES},
    {"best-by", "WHAT",
     "how evaluations on dev are compared: by exact matches (by the loss, where the matches differ by no more than "
     "chance explains); by the loss alone; by the word error rate (by the loss, where it is equal)",
     SAVED(best_by), .names = best_by_name, .absent = "wer", .otherwise = "exact; --text: loss", .needs = best_is_known,
     .goes = "can only be loss with --text: a language model has no outputs that are right or wrong"},
    {"patience", "N", "stop after N evaluations without a better one; 0: never", RUN(patience), .changeable = true},
    {"save-every", "N", "steps between checkpoints", RUN(save_every), .low = 1, .otherwise = "as --eval-every",
     .changeable = true},
    {"keep", "N",
     "keep the models of the last N checkpoints, as model-NNNNNN.safetensors for `tapeformer average`; 0: none",
     RUN(keep), .changeable = true},
    {NULL, NULL, NULL, RUN(report_every), .low = 1, .usual = 1},
    {"seed", "N", "seed of the parameters, the order of the data and dropout", SAVED(seed), .usual = 1},
    {"threads", "N", "threads to compute with", RUN(threads), .low = 1, .high = 1024, .most = 4096,
     .otherwise = "one per processor", .local = true},
    {"out", "DIR", "folder for the model, the checkpoint and the log", RUN(out), .local = true,
     .written = TRAIN_WRITES_RUN},
    {"overwrite", NULL, "replace the run or the model in that folder", RUN(overwrite), .local = true},
    {"resume", "DIR", "continue the run in DIR with its own flags; " TRAIN_CHANGEABLE " may be given again",
     RECIPE(resume), .local = true},
    {"stop-at", "N", "stop after update N, to be resumed later", RUN(stop_at), .low = 1, .otherwise = "",
     .local = true},
    {"dry-run", NULL, "say what was read and which run would begin, and end: nothing is trained or written",
     RECIPE(dry_run), .local = true},
    {"quiet", NULL, "print no progress, and not what was read", RECIPE(quiet), .local = true},
};
enum { OPTIONS = (int)(sizeof options / sizeof *options) };

const train_field *train_option(int i)
{
    return i < OPTIONS ? &options[i] : NULL;
}

/* The i-th saved row of an owner. */
static const train_field *saved_field(train_owner owner, int i)
{
    for (const train_field *row = options; row < options + OPTIONS; row++)
        if (row->owner == owner && row->key && i-- == 0)
            return row;
    return NULL;
}

const train_field *train_model_field(int i)
{
    return saved_field(TRAIN_MODEL, i);
}

const train_field *train_run_field(int i)
{
    return saved_field(TRAIN_RUN, i);
}

/* ---- Recipes ----------------------------------------------------------------------- */

void *train_recipe_owner(train_recipe *recipe, const train_field *field)
{
    void *const owners[] = {[TRAIN_RECIPE] = recipe,
                            [TRAIN_DATA] = &recipe->data,
                            [TRAIN_MODEL] = &recipe->model,
                            [TRAIN_RUN] = &recipe->run};
    return owners[field->owner];
}

train_recipe train_recipe_new(void)
{
    train_recipe recipe = {.run.out = "run"};
    for (const train_field *row = options; row < options + OPTIONS; row++)
        if (row->usual != 0)
            train_field_set_number(row, train_recipe_owner(&recipe, row), row->usual);
    return recipe;
}

/* ---- Presets ----------------------------------------------------------------------- */

/* README.md has figures of demo, g2p and text, and the commands that repeat them. */
static const train_preset presets[] = {
    {"demo",
     "reverse of 3 to 10 letters in well under a minute: what `make demo` runs",
     {"--task=reverse", "--task-min=3", "--task-max=10", "--d-model=64", "--heads=2", "--layers=1", "--ffn=256",
      "--batch=64", "--steps=2400", "--lr=0.003", "--threads=1", "--eval-every=600"}},
    {"g2p",
     "letters to phones: give --pairs and --dev",
     {"--src-tokens=chars", "--tgt-tokens=words", "--decompose=hangul", "--d-model=128", "--heads=4",
      "--encoder-layers=4", "--decoder-layers=1", "--positions=rotary", "--cross-positions", "--dropout=0.1",
      "--batch=32", "--label-smoothing=0.1", "--lr=0.0015", "--schedule=wsd", "--decay=0.5", "--average=0.99",
      "--eval-sources=1000", "--best-by=wer"}},
    {"addition",
     "sums of numbers of up to 5 digits",
     {"--task=addition", "--d-model=128", "--heads=4", "--layers=3", "--positions=rotary", "--batch=256",
      "--steps=6000", "--warmup=1000", "--lr=0.001"}},
    {"text",
     "a language model of characters: give --text",
     {"--tgt-tokens=chars", "--d-model=128", "--heads=4", "--layers=4", "--context=64", "--batch=12",
      "--positions=rotary", "--dropout=0.1", "--optimizer=muon", "--zero-residual", "--lr=0.003", "--beta2=0.99",
      "--schedule=wsd", "--steps=3000"}},
};

const train_preset *train_preset_at(int i)
{
    return i < (int)(sizeof presets / sizeof *presets) ? &presets[i] : NULL;
}
