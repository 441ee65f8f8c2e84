/* test_cli_import.c - tapeformer import and export as a user meets them. */
#include "cli_util.h"
#include "nn_util.h"
#include "saved.h"

#include <stdio.h>
#include <string.h>

#define GPT2 "tests/reference/gpt2.safetensors"

START_TEST(test_help_and_usage)
{
    cli_expect("$T import --help", 0, "Usage: tapeformer import");
    cli_expect("$T export --help", 0, "Usage: tapeformer export");
    cli_expect_sentence("$T import --out $DIR/x", 2, "which weights?");
    cli_expect("$T import a b --out $DIR/x", 2, "what is 'b'?");
    cli_expect_sentence("$T import " GPT2, 2, "where to?");
    cli_expect_sentence("$T export --out $DIR/x", 2, "which model?");
    cli_expect_sentence("$T export --model $DIR", 2, "where to?");
    cli_expect_sentence("$T import " GPT2 " --layout gpt --out $DIR/x", 2, "did you mean gpt2?");
    cli_expect_sentence("$T import " GPT2 " --layout gpt2 --heads 3 --activation relu --out $DIR/x", 2,
                        "--activation: the layout gpt2 leaves only --heads and --dropout open");
    cli_expect_sentence("$T import " GPT2 " --config $DIR/run --heads 2 --out $DIR/x", 2,
                        "--config and --heads exclude each other");
}
END_TEST

/* Out and in again: the same file, byte for byte, where the configuration and the labels
 * come from the model; the same weights where they come from flags and the vocabularies'
 * own files. */
START_TEST(test_out_and_in_again)
{
    cli_train_tiny();
    cli_expect("$T export --model $DIR/run --out $DIR/w.safetensors --src-vocab $DIR/s.txt --tgt-vocab $DIR/t.txt", 0,
               "");
    cli_expect("$T import $DIR/w.safetensors --config $DIR/run --out $DIR/again", 0, "saved: ");
    cli_expect("cmp $DIR/run/model.safetensors $DIR/again/model.safetensors && echo same", 0, "same");
    cli_expect("$T import $DIR/run/model.safetensors --out $DIR/copy && "
               "cmp $DIR/run/model.safetensors $DIR/copy/model.safetensors && echo same",
               0, "same");
    cli_expect(
        "heads=$($T info $DIR/run | sed -n 's/^heads *//p');"
        "$T import $DIR/w.safetensors --heads $heads --src-vocab $DIR/s.txt --tgt-vocab $DIR/t.txt --out $DIR/flags",
        0, "saved: ");
    cli_expect("$T export --model $DIR/flags --out $DIR/w2.safetensors --tgt-vocab $DIR/t2.txt;"
               "cmp $DIR/w.safetensors $DIR/w2.safetensors && cmp $DIR/t.txt $DIR/t2.txt && echo same",
               0, "same");
    cli_expect("for d in run flags; do printf 'abc\\nzz\\n' | $T predict --model $DIR/$d > $DIR/$d.out; done;"
               "cmp $DIR/run.out $DIR/flags.out && echo same",
               0, "same");
    cli_expect_sentence("$T import $DIR/w.safetensors --config $DIR/run --out $DIR/again", 1, "already holds a model");
    cli_expect_sentence("$T import $DIR/w.safetensors --out $DIR/x", 1, "its metadata describes no model");
    cli_expect_sentence("$T export --model $DIR/run --layout gpt2 --out $DIR/x", 1, "it is only for decoders");
    cli_expect_sentence("$T export --model $DIR/run --out $DIR/none/x", 1, "cannot write");
    cli_expect("test ! -e $DIR/x && echo none", 0, "none");
}
END_TEST

START_TEST(test_gpt2)
{
    cli_expect("$T import " GPT2 " --layout gpt2 --heads 3 --out $DIR/gpt2", 0, "model: decoder, width 12, 3 heads");
    cli_expect("$T info $DIR/gpt2", 0, "embedding scale  1\n");
    ck_assert_ptr_nonnull(strstr(cli_output, "target           11 tokens (words)"));
    cli_expect("$T generate --model $DIR/gpt2 --prompt '4 5' --length 3 --greedy | wc -w", 0, "5");
    cli_expect("$T export --model $DIR/gpt2 --layout gpt2 --out $DIR/out.safetensors;"
               "$T import $DIR/out.safetensors --layout gpt2 --config $DIR/gpt2 --out $DIR/again && "
               "cmp $DIR/gpt2/model.safetensors $DIR/again/model.safetensors && echo same",
               0, "same");
    cli_expect_sentence("$T import " GPT2 " --layout gpt2 --out $DIR/x", 1, "the number of attention heads must be given");
    cli_expect_sentence("$T import " GPT2 " --layout gpt2 --heads 5 --out $DIR/x", 1, "heads 5 does not divide");
    cli_expect_sentence("$T import " GPT2 " --heads 3 --model decoder --out $DIR/x", 1,
                        "the tensor tgt_embedding.weight is missing");
    cli_expect_sentence("$T export --model $DIR/gpt2 --src-vocab $DIR/x --out $DIR/y", 2, "has no sources");
    cli_write("vocab.txt", "a\nb\nc\n");
    cli_expect_sentence("$T import " GPT2 " --layout gpt2 --heads 3 --src-vocab $DIR/vocab.txt --out $DIR/x", 2,
                        "tapeformer import: --src-vocab: a language model has no sources");
    cli_expect_sentence(
        "$T import $DIR/out.safetensors --layout gpt2 --config $DIR/gpt2 --src-tokens words --out $DIR/x", 2,
        "tapeformer import: --src-tokens goes with --src-vocab, whose tokens it describes");
    cli_expect("test ! -e $DIR/x && echo none", 0, "none");
    cli_expect_sentence("$T import " GPT2 " --layout gpt2 --heads 3 --tgt-vocab $DIR/vocab.txt --out $DIR/x", 1,
                        "has 7 tokens");
    cli_write("vocab.txt", "a\nb\ncc\n");
    cli_expect_sentence("$T import " GPT2 " --layout gpt2 --heads 3 --tgt-vocab $DIR/vocab.txt --out $DIR/x", 1,
                        "vocab.txt:3: this is not one character");
    cli_write("vocab.txt", "a\nb\nc\nd\n \n\\0a\nz\n");
    cli_expect("$T import " GPT2 " --layout gpt2 --heads 3 --tgt-vocab $DIR/vocab.txt --out $DIR/letters", 0, "saved");
    cli_expect("$T generate --model $DIR/letters --prompt 'a b' --length 3 --greedy | head -c 3", 0, "a b");
}
END_TEST

/* Final norms, prefixes, folders and indices, and what info says of all files. */
START_TEST(test_forms_of_weights)
{
    cli_expect("$T train --task copy --task-max 4 --steps 1 " CLI_TINY
               " --post-norm --final-norm --no-norm-bias --no-output-bias --out $DIR/run && $T info $DIR/run",
               0, "norm             layer, post, final norms, eps 1e-05\n");
    ck_assert_ptr_nonnull(strstr(cli_output, "\nwithout bias     norms, output\n"));
    ck_assert_ptr_nonnull(strstr(cli_output, "  encoder.norm.weight                              "));
    ck_assert_ptr_null(strstr(cli_output, "encoder.norm.bias"));
    cli_expect("$T export --model $DIR/run --out $DIR/w.safetensors && $T info $DIR/w.safetensors", 0,
               "format           pt\n");
    ck_assert_ptr_nonnull(strstr(cli_output, "  encoder.norm.weight                              F"));
    cli_expect("$T info tests/reference/gpt2.safetensors", 0,
               "  transformer.h.0.ln_1.weight                      F32  [12]\n");
    cli_expect("$T info $DIR/run/checkpoint.safetensors", 0, "\nwithout bias     norms, output\n");
    cli_expect_sentence("$T import $DIR/w.safetensors --heads 2 --final-norm --no-final-norm --out $DIR/x", 2,
                        "--final-norm and --no-final-norm exclude each other");
    cli_expect_sentence("$T train --task copy --final-norm --no-final-norm --out $DIR/x", 2, "exclude each other");
    cli_expect_sentence("$T train --task copy --from $DIR/run --no-final-norm --out $DIR/x", 2,
                        "--no-final-norm is not set in the model");
    cli_expect("$T train --task copy --task-max 4 --steps 1 --from $DIR/run --final-norm --out $DIR/on && "
               "$T train --resume $DIR/on --final-norm --steps 1",
               0, "");
    cli_expect_sentence("$T import $DIR/w.safetensors --heads 2 --post-norm --final-norm --no-norm-bias "
                        "--no-output-bias --strip net. --out $DIR/x",
                        1, "no tensor's name begins with 'net.'");
    cli_expect("head -c 300 $DIR/w.safetensors > $DIR/cut; $T info $DIR/cut", 1, "cut short");
    cli_expect("$T info $DIR", 1, "tapeformer info: ");

    /* a folder with an index and one shard */
    cli_expect("mkdir $DIR/shards && mv $DIR/w.safetensors $DIR/shards/a.safetensors", 0, "");
    cli_write("shards/model.safetensors.index.json",
              "{\"metadata\":{},\"weight_map\":{\"encoder.norm.weight\":\"a.safetensors\"}}");
    cli_expect("$T info $DIR/shards", 0, "  encoder.norm.weight ");
    cli_expect("for f in shards shards/model.safetensors.index.json; do rm -rf $DIR/again;"
               "$T import $DIR/$f --config $DIR/run --out $DIR/again && "
               "cmp $DIR/run/model.safetensors $DIR/again/model.safetensors && echo same; done",
               0, "same\n");
}
END_TEST

/* The run of cli_train_tiny as a file of a model that holds query, key and value
 * apart. */
static void write_in_parts(const char *name)
{
    static const char *const parts[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
    char path[512], part[256];
    ag_error error = {0};
    train_saved saved;
    snprintf(path, sizeof path, "%s/run", cli_folder);
    ck_assert_msg(train_saved_load(&saved, path, &error) == AG_OK, "%s", error.message);
    const nn_params *params = &saved.model->params;
    const train_labels labels = {saved.source_vocab, saved.target_vocab, saved.task, ""};
    data_writer *writer = data_writer_new(&error);
    ck_assert_int_eq(
        train_description_write(writer, TRAIN_FORMAT_MODEL, &saved.model->config, &labels, &error), AG_OK);
    for (int i = 0; i < params->count; i++) {
        const nn_param *item = &params->items[i];
        const char *packed = strstr(item->name, "in_proj_weight");
        const ag_shape shape = packed ? AG_SHAPE(item->shape.dim[0] / 3, item->shape.dim[1]) : item->shape;
        for (int k = 0; k < (packed ? 3 : 1); k++) {
            snprintf(part, sizeof part, "%.*s%s", (int)(packed ? packed - item->name : 255), item->name,
                     packed ? parts[k] : "");
            ck_assert_int_eq(data_writer_add_real(writer, part, shape,
                                                  params->value + item->offset + k * item->size / 3, &error),
                             AG_OK);
        }
    }
    snprintf(path, sizeof path, "%s/%s", cli_folder, name);
    ck_assert_int_eq(data_writer_save(writer, path, &error), AG_OK);
    data_writer_free(writer);
    train_saved_clear(&saved);
}

/* info lists the parameters of a model's file, whatever tensors hold them. */
START_TEST(test_info_of_a_model_in_parts)
{
    cli_train_tiny();
    write_in_parts("parts.safetensors");
    cli_expect("$T info $DIR/run | sed 's/ F[0-9]* / /' | tr -s ' ' > $DIR/whole; $T info $DIR/parts.safetensors | "
               "sed 's/ F[0-9]* / /' | tr -s ' ' | diff $DIR/whole - && echo same",
               0, "same");
}
END_TEST

/* The flags of train that came with this: they reach the model and what is saved of
 * it. */
START_TEST(test_flags_of_train)
{
    cli_expect("$T train --task copy --task-max 4 --steps 1 " CLI_TINY
               " --embedding-scale 2 --norm-eps 0.5 --out $DIR/run && $T info $DIR/run",
               0, "embedding scale  2\n");
    ck_assert_ptr_nonnull(strstr(cli_output, "eps 0.5"));
    cli_expect("$T train --task copy --embedding-scale 0 --out $DIR/x", 2, "--embedding-scale 0: expected");
}
END_TEST

/* $DIR/encoder.json and $DIR/vocab.bpe: the 256 bytes, whose first ids are those of the
 * visible characters of ASCII, as in GPT-2's file, two merges, and the end of texts. */
static void write_tokens_of_gpt2(void)
{
    static const char *const more[] = {"th", u8"\u0120th", "<|endoftext|>"};
    char json[1 << 13];
    int length = snprintf(json, sizeof json, "{");
    for (uint32_t code = 0x21, id = 0; code < 0x144; code++) {
        char form[5];
        if ((code >= 0x7F && code <= 0xA0) || code == 0xAD)
            continue;
        form[ag_utf8_print(code, form)] = '\0';
        length += snprintf(json + length, sizeof json - (size_t)length, "\"%s%s\": %u, ",
                           code == '"' || code == '\\' ? "\\" : "", form, id++);
    }
    for (int i = 0; i < 3; i++)
        length += snprintf(json + length, sizeof json - (size_t)length, "\"%s\": %d%s", more[i], 258 - i,
                           i < 2 ? ", " : "}\n");
    cli_write("encoder.json", json);
    cli_write("vocab.bpe", u8"#version: 0.2\nt h\n\u0120 th\n");
}

/* $DIR/gpt2.safetensors: a model of 259 tokens. After any token, `likely` is by far the
 * most probable one: the output has the embeddings' weights, and the last norm's bias
 * points to that of `likely`. */
static void write_gpt2(int32_t likely)
{
    nn_model *model = test_model((nn_model_config){.kind = NN_DECODER,
                                                   .target_vocab = 259,
                                                   .max_length = 64,
                                                   .positions = NN_LEARNED,
                                                   .activation = AG_GELU_TANH,
                                                   .tied_output = true,
                                                   .embedding_scale = 1,
                                                   .padding_id = -1},
                                 3);
    const nn_params *params = &model->params;
    const nn_param *table = &params->items[nn_params_find(params, "tgt_embedding.weight")],
                   *bias = &params->items[nn_params_find(params, "decoder.norm.bias")];
    const int width = (int)bias->size;
    for (int e = 0; e < width; e++) {
        params->value[table->offset + (int64_t)likely * width + e] = 3;
        params->value[bias->offset + e] = 20;
    }
    char *path = test_path(cli_folder, "gpt2.safetensors");
    ck_assert_int_eq(train_export(model, TRAIN_LAYOUT_GPT2, path, NULL), AG_OK);
    free(path);
    nn_model_free(model);
}

/* The tokens 0 to 3 are prompted and generated, a text ends with the end mark, and the
 * imported model goes through export and import. */
START_TEST(test_gpt2_takes_and_gives_text)
{
    const char *import = "$T import $DIR/gpt2.safetensors --layout gpt2 --heads 2 --overwrite --out $DIR/gpt2 "
                         "--bpe $DIR/encoder.json $DIR/vocab.bpe 2>&1";
    write_tokens_of_gpt2();
    write_gpt2(3); /* '$' */
    cli_expect(import, 0, "model: decoder");
    ck_assert_ptr_null(strstr(cli_output, "note:"));
    cli_expect("$T info $DIR/gpt2", 0, "259 tokens (byte pairs");
    cli_expect("$T generate --model $DIR/gpt2 --greedy --length 4 --prompt '!\"#$ the'", 0, "!\"#$ the$$$$\n");
    cli_expect("$T generate --model $DIR/gpt2 --greedy --length 3 | od -c", 0, "0000000   $   $   $  \\n\n");
    cli_expect("$T study attention --model $DIR/gpt2 --target 'a the'", 0, "the");
    cli_expect("$T study leaks --model $DIR/gpt2", 0, "No leak.");
    cli_expect_sentence("$T export --model $DIR/gpt2 --out $DIR/w --tgt-vocab $DIR/v", 1, "encoder.json and vocab.bpe");
    cli_expect("$T import $DIR/gpt2/model.safetensors --out $DIR/again && "
               "cmp $DIR/gpt2/model.safetensors $DIR/again/model.safetensors && echo same",
               0, "same");
    write_gpt2(256); /* the end */
    cli_expect(import, 0, "model: decoder");
    cli_expect("$T generate --model $DIR/gpt2 --greedy --prompt 'a' --length 9 | od -c", 0, "0000000   a  \\n\n");
}
END_TEST

START_TEST(test_files_of_gpt2)
{
    write_tokens_of_gpt2();
    write_gpt2(3);
    cli_expect(u8"printf 'a the' | $T tokens encode - --bpe $DIR/encoder.json $DIR/vocab.bpe", 0, u8"a \u0120th e");
    cli_expect("printf 'a the$' | $T tokens encode - --ids --bpe $DIR/encoder.json $DIR/vocab.bpe > $DIR/ids;"
               "cat $DIR/ids; $T tokens decode $DIR/ids --ids --bpe $DIR/encoder.json $DIR/vocab.bpe",
               0, "64 257 68 3\na the$");
    cli_expect_sentence("$T tokens count - --bpe $DIR/encoder.json", 2, "--bpe needs two values: --bpe FILE FILE");
    cli_expect_sentence("$T tokens count - --bpe a b --vocab c", 2, "--bpe goes with");
    cli_expect_sentence("$T tokens count - --bpe $DIR/vocab.bpe $DIR/encoder.json", 1,
                        "give encoder.json (or vocab.json) first");
    cli_expect_sentence("$T import $DIR/gpt2.safetensors --heads 2 --bpe a b --out $DIR/x", 2,
                        "--bpe goes with --layout gpt2");
    cli_expect_sentence("$T import $DIR/gpt2.safetensors --layout gpt2 --heads 2 --bpe a b --tgt-vocab c --out $DIR/x", 2,
                        "--bpe goes without --tgt-vocab and --config");
    cli_expect_sentence("$T import " GPT2 " --layout gpt2 --heads 3 --bpe $DIR/encoder.json $DIR/vocab.bpe --out $DIR/x",
                        1, "the target vocabulary has 259 tokens, of which 1 is for padding and other marks");
    cli_expect("$T import " GPT2 " --layout gpt2 --heads 3 --out $DIR/x", 0,
               "note: the model's tokens are their numbers, 0, 1, ..; --bpe encoder.json vocab.bpe gives it the text");
    cli_expect("$T generate --model $DIR/x --greedy --prompt '0 3' --length 1 | wc -w", 0, "3");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli/import");
    TCase *c = tcase_create("import");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_help_and_usage);
    tcase_add_test(c, test_out_and_in_again);
    tcase_add_test(c, test_gpt2);
    tcase_add_test(c, test_gpt2_takes_and_gives_text);
    tcase_add_test(c, test_files_of_gpt2);
    tcase_add_test(c, test_forms_of_weights);
    tcase_add_test(c, test_info_of_a_model_in_parts);
    tcase_add_test(c, test_flags_of_train);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
