/* recipe.c - the model and the examples of a recipe: see options.h. */
#include "options.h"

const char *train_files_path(const train_files *files, data_format *format, const char **flag)
{
    const struct {
        const char *path, *flag;
        data_format_kind kind;
    } rows[] = {{files->pairs, "pairs", format->columns ? DATA_COLUMNS : DATA_PAIRS},
                {files->source, "source", DATA_PARALLEL},
                {files->conllu, "conllu", DATA_CONLLU},
                {files->blocks, "blocks", DATA_BLOCKS}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].path) {
            format->kind = rows[i].kind;
            if (flag)
                *flag = rows[i].flag;
            return rows[i].path;
        }
    return NULL;
}

int train_files_count(const train_files *files)
{
    return (files->pairs != NULL) + (files->source != NULL) + (files->conllu != NULL) + (files->blocks != NULL);
}

bool train_files_tagged(const train_files *files)
{
    return files->conllu || files->blocks;
}

nn_model_config train_recipe_config(const train_recipe *recipe)
{
    nn_model_config config = recipe->model;
    config.encoder_layers = config.encoder_layers ? config.encoder_layers : recipe->layers;
    config.decoder_layers = config.decoder_layers ? config.decoder_layers : recipe->layers;
    config.padding_id = DATA_PAD;
    return config;
}

nn_position_kind train_recipe_positions(const train_recipe *recipe)
{
    const nn_model_config *model = &recipe->model;
    const bool even = model->d_model / model->heads % 2 == 0;
    return even && recipe->text ? NN_ROTARY : NN_SINUSOIDAL;
}

/* The tokens in a window of a language model. */
static int64_t context_of(const train_recipe *recipe)
{
    const int64_t longest = recipe->model.max_length;
    const bool shorter = longest && longest < TRAIN_DEFAULT_CONTEXT;
    const int64_t otherwise = recipe->from || shorter ? longest : TRAIN_DEFAULT_CONTEXT;
    return recipe->data.context ? recipe->data.context : otherwise;
}

/* The default of --max-length: room for inputs longer than the longest of the data. */
static int64_t default_max_length(const data_set *training, const data_set *dev)
{
    const data_set *sets[] = {training, dev};
    int64_t longest = 0;
    for (int i = 0; i < 2; i++) {
        int64_t source = data_set_max_source(sets[i]), target = data_set_max_target(sets[i]);
        longest = source > longest ? source : longest;
        longest = target > longest ? target : longest;
    }
    return longest < 32 ? 64 : 2 * longest;
}

nn_model_config train_recipe_model(const train_recipe *recipe, const data_set *training, const data_set *dev)
{
    const data_vocab *source = data_set_source_vocab(training), *target = data_set_target_vocab(training);
    nn_model_config config = train_recipe_config(recipe);
    config.source_vocab = source ? data_vocab_size(source) : 0;
    config.target_vocab = data_vocab_size(target);
    if (!config.max_length)
        config.max_length = (int)(recipe->text ? context_of(recipe) : default_max_length(training, dev));
    return config;
}

data_token_kind train_recipe_kind(const train_recipe *recipe, data_token_kind kind)
{
    return recipe->decompose == TRAIN_DECOMPOSE_HANGUL && kind == DATA_CHARS ? DATA_JAMO : kind;
}

/* Takes the kind of one vocabulary. A vocabulary of words says nothing about
 * --decompose. */
static void take_kind(train_recipe *recipe, data_token_kind *kind, const data_vocab *vocab)
{
    const data_token_kind own = data_vocab_kind(vocab);
    *kind = own == DATA_JAMO ? DATA_CHARS : own;
    if (own != DATA_WORDS)
        recipe->decompose = own == DATA_JAMO ? TRAIN_DECOMPOSE_HANGUL : TRAIN_DECOMPOSE_NONE;
}

void train_recipe_take_tokens(train_recipe *recipe, const data_vocab *source, const data_vocab *target)
{
    if (source)
        take_kind(recipe, &recipe->data.source_kind, source);
    take_kind(recipe, &recipe->data.target_kind, target);
}

data_set_options train_recipe_data(const train_recipe *recipe, const train_saved *base, data_part part)
{
    data_set_options options = recipe->data;
    options.part = part;
    options.source_kind = train_recipe_kind(recipe, options.source_kind);
    options.target_kind = train_recipe_kind(recipe, options.target_kind);
    options.seed = recipe->run.seed;
    options.max_tokens = recipe->model.max_length;
    options.source_vocab = base->source_vocab;
    options.target_vocab = base->target_vocab;
    options.context = context_of(recipe);
    options.tagging = recipe->model.kind == NN_ENCODER;
    return options;
}
