/* subwords.c - tapeformer tokens: learns the tokens of byte pair encoding, and cuts texts
 * into them. */
#include "cli.h"
#include "likeness.h"
#include "outputs.h"

#include "../data/files/mapped_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct subword_flags {
    const char *words[2]; /* the verb, the file */
    const char *vocab, *out;
    const char *encoder, *encoder_merges;
    int64_t merges;
    bool ids;
} subword_flags;

/* A file's bytes, and the vocabulary with which they are read. */
typedef struct subword_input {
    data_map map;
    data_vocab *vocab;
} subword_input;

static const char *text_of(const subword_input *in)
{
    return (const char *)in->map.bytes;
}

/* ---- The verbs --------------------------------------------------------------------- */

static int learn_tokens(const subword_flags *f, subword_input *in)
{
    ag_error error = {0};
    data_learner *learner = data_learner_new(&error);
    if (learner && data_learner_add(learner, text_of(in), in->map.size, &error) == AG_OK)
        in->vocab = data_learner_vocab(learner, f->merges, &error);
    data_learner_free(learner);
    if (!in->vocab || data_vocab_write_file(in->vocab, f->out, &error) != AG_OK)
        return cli_report("tokens", &error);
    const int32_t merges = data_vocab_merges(in->vocab), size = data_vocab_size(in->vocab);
    fprintf(stderr, "%d %s, %d tokens with the bytes and the marks%s\nsaved: %s\n", merges,
            ag_plural(merges, "merge", "merges"), size,
            merges < f->merges ? ": no other pair of tokens comes twice" : "", CLI_SHOWN(f->out));
    return CLI_DONE;
}

/* The ids of the whole text, which the caller frees; NULL after a report. */
static int32_t *encode_text(const subword_input *in, int64_t *count)
{
    int32_t *ids = NULL;
    *count = data_vocab_encode(in->vocab, text_of(in), in->map.size, NULL, 0, NULL);
    if (*count >= 0)
        ids = malloc(((size_t)*count + 1) * sizeof *ids);
    if (ids)
        *count = data_vocab_encode(in->vocab, text_of(in), in->map.size, ids, *count, NULL);
    if (ids && *count >= 0)
        return ids;
    free(ids);
    cli_fail("tokens", CLI_FAILED, "out of memory");
    return NULL;
}

/* Whether the token's last byte is a line feed: a line of output ends after it. */
static bool ends_line(const data_vocab *vocab, int32_t id)
{
    char text[512];
    const size_t size = data_vocab_decode(vocab, &id, 1, text, sizeof text);
    return size > 0 && size < sizeof text && text[size - 1] == '\n';
}

static int encode_tokens(const subword_flags *f, const subword_input *in)
{
    int64_t count;
    int32_t *ids = encode_text(in, &count);
    if (!ids)
        return CLI_FAILED;
    for (int64_t i = 0; i < count; i++) {
        const char *end = i + 1 == count || ends_line(in->vocab, ids[i]) ? "\n" : " ";
        if (f->ids)
            printf("%" PRId32 "%s", ids[i], end);
        else
            printf("%s%s", data_vocab_token(in->vocab, ids[i]), end);
    }
    free(ids);
    return CLI_DONE;
}

/* The id that a word of a file of tokens stands for; -1 if it stands for none. */
static int32_t id_of_word(const subword_flags *f, const data_vocab *vocab, const char *word, size_t size)
{
    int64_t id = -1;
    if (!f->ids) {
        id = data_vocab_find(vocab, word, size);
        return id == DATA_NONE ? -1 : (int32_t)id;
    }
    for (size_t i = 0; i < size; i++) {
        if (word[i] < '0' || word[i] > '9' || id > INT32_MAX)
            return -1;
        id = (id < 0 ? 0 : id) * 10 + (word[i] - '0');
    }
    return id < data_vocab_size(vocab) ? (int32_t)id : -1;
}

static int decode_tokens(const subword_flags *f, const subword_input *in)
{
    const char *word;
    size_t at = 0, size, room = 0;
    char *bytes = NULL;
    int code = CLI_DONE;
    for (int64_t number = 1; data_token_next(DATA_WORDS, text_of(in), in->map.size, &at, &word, &size); number++) {
        const int32_t id = id_of_word(f, in->vocab, word, size);
        if (id < 0) {
            char shown[96], text[64];
            snprintf(text, sizeof text, "%.*s", size < sizeof text ? (int)size : (int)sizeof text - 1, word);
            code = cli_fail("tokens", CLI_FAILED, "%s: word %lld, '%s', is no %s of this vocabulary",
                            CLI_SHOWN(f->words[1]), (long long)number, ag_text_show(text, shown, sizeof shown),
                            f->ids ? "id" : "token");
            break;
        }
        const size_t length = data_vocab_decode(in->vocab, &id, 1, bytes, room);
        if (length >= room) {
            free(bytes);
            room = 2 * length + 64;
            if (!(bytes = malloc(room)))
                return cli_fail("tokens", CLI_FAILED, "out of memory");
            data_vocab_decode(in->vocab, &id, 1, bytes, room);
        }
        fwrite(bytes, 1, length, stdout);
    }
    free(bytes);
    return code;
}

static int count_tokens(const subword_flags *f, const subword_input *in)
{
    const char *word;
    size_t at = 0, size;
    int64_t words = 0;
    const int64_t tokens = data_vocab_encode(in->vocab, text_of(in), in->map.size, NULL, 0, NULL);
    (void)f;
    if (tokens < 0)
        return cli_fail("tokens", CLI_FAILED, "out of memory");
    while (data_token_next(DATA_WORDS, text_of(in), in->map.size, &at, &word, &size))
        words++;
    printf("bytes            %zu\nwords            %lld\ntokens           %lld\n", in->map.size, (long long)words,
           (long long)tokens);
    if (words > 0)
        printf("tokens per word  %.3f\nbytes per token  %.3f\n", (double)tokens / (double)words,
               (double)in->map.size / (double)tokens);
    return CLI_DONE;
}

/* ---- The command ------------------------------------------------------------------- */

typedef enum subword_verb { LEARN, ENCODE, DECODE, COUNT, VERBS } subword_verb;
static const char *const verbs[VERBS] = {"learn", "encode", "decode", "count"};

/* The verb of that name; VERBS after a report. */
static subword_verb find_verb(const char *name)
{
    int i = 0;
    cli_likeness like = cli_likeness_of(name ? name : "");
    while (i < VERBS && (!name || strcmp(name, verbs[i]) != 0))
        cli_likeness_try(&like, verbs[i++]);
    if (i == VERBS && name)
        cli_fail("tokens", CLI_USAGE, "'%s' is none of learn, encode, decode, count%s", CLI_SHOWN(name),
                 cli_did_you_mean(&like, ""));
    else if (i == VERBS)
        cli_fail("tokens", CLI_USAGE, "do what? Give one of learn, encode, decode, count, and a file");
    return (subword_verb)i;
}

static int check_flags(const cli_command *command, const subword_flags *f, subword_verb verb)
{
    const bool learns = verb == LEARN, lists = verb == ENCODE || verb == DECODE;
    static const char *const of_learning[] = {"merges", "out"};
    for (size_t i = 0; i < sizeof of_learning / sizeof *of_learning; i++)
        if (!cli_flags_effective(command, &(cli_need){of_learning[i], learns, "goes with learn"}, 1))
            return CLI_USAGE;
    const cli_need needs[] = {{"vocab", !learns, "goes with encode, decode and count: learn makes a vocabulary"},
                              {"bpe", !learns && !f->vocab, "goes with encode, decode and count, and without --vocab"},
                              {"ids", lists, "goes with encode and decode"}};
    if (!cli_flags_effective(command, needs, sizeof needs / sizeof *needs))
        return CLI_USAGE;
    if (command->word_count < 2)
        return cli_fail("tokens", CLI_USAGE, "%s which file? (- is standard input)", verbs[verb]);
    if (learns && !f->out)
        return cli_fail("tokens", CLI_USAGE, "where to? Give --out FILE");
    if (!learns && !f->vocab && !f->encoder)
        return cli_fail("tokens", CLI_USAGE,
                        "with which vocabulary? Give --vocab FILE, as `tapeformer tokens learn` "
                        "writes it, or --bpe and GPT-2's two files");
    return cli_check_outputs(command);
}

static int run_verb(const subword_flags *f, subword_verb verb)
{
    static int (*const others[VERBS])(const subword_flags *, const subword_input *) = {
        [ENCODE] = encode_tokens, [DECODE] = decode_tokens, [COUNT] = count_tokens};
    ag_error error = {0};
    subword_input in = {0};
    int code = CLI_DONE;
    if (verb != LEARN) {
        in.vocab = f->encoder ? data_vocab_read_encoder(f->encoder, f->encoder_merges, &error)
                              : data_vocab_read_file(DATA_BPE, f->vocab, &error);
        if (!in.vocab)
            return cli_report("tokens", &error);
    }
    if (data_map_open(&in.map, strcmp(f->words[1], "-") != 0 ? f->words[1] : "/dev/stdin", &error) != AG_OK)
        code = cli_report("tokens", &error);
    else
        code = verb == LEARN ? learn_tokens(f, &in) : others[verb](f, &in);
    data_map_close(&in.map);
    data_vocab_free(in.vocab);
    return code;
}

int cli_subwords(int count, const char *const *arguments)
{
    subword_flags f = {.merges = DATA_DEFAULT_MERGES};
    cli_flag table[] = {
        CLI_FLAG(f.merges, "merges", "N", "the most merges to learn", .low = 1, .high = 1000000),
        CLI_FLAG(f.out, "out", "FILE", "write the learned merges to this file, one per line",
                 .written = TRAIN_WRITES_FILE),
        CLI_FLAG(f.vocab, "vocab", "FILE", "read the merges from this file, one per line"),
        CLI_BPE(f.encoder, f.encoder_merges),
        CLI_FLAG(f.ids, "ids", NULL, "write and read tokens as numbers"),
    };
    cli_command command = {
        .name = "tokens",
        .summary = "learn parts of words as tokens, and cut texts into them",
        .usage = "learn FILE --out VOCAB | encode|decode|count FILE --vocab VOCAB|--bpe ENCODER VOCAB [flags]",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .max_words = 2,
        .verbs = 1,
        .words = f.words,
        .details =
            "learn makes a vocabulary by byte pair encoding: the two tokens that are neighbours most often become one, "
            "again and again. encode writes the tokens of FILE with a space between them, and ends a line after each "
            "that ends in a line feed; decode writes the bytes of such tokens, exactly those that were encoded; count "
            "says how many tokens a word has. FILE may hold any bytes; - is standard input.",
    };
    int code = cli_flags_read(&command, count, arguments);
    if (code != CLI_DONE)
        return code;
    const subword_verb verb = find_verb(command.word_count ? f.words[0] : NULL);
    if (verb == VERBS)
        return CLI_USAGE;
    code = check_flags(&command, &f, verb);
    return code == CLI_DONE ? run_verb(&f, verb) : code;
}
