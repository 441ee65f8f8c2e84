/* data.h - vocabularies, synthetic tasks, data sets from pair and text files, and
 * batches. Includes files.h: .safetensors, .npy, JSON, and files that appear whole or not
 * at all.
 *
 * A data_set is a source of examples: a file, or a task that code generates. A data_batch
 * is a block of examples padded to one length. Which examples batch n holds depends only
 * on the set, its seed and n, so a stopped training run goes on exactly by asking for the
 * next n: a set has no other state.
 *
 * Threads: one thread at a time may use a set, since a set keeps the texts of the example
 * that it returned last. Two sets may share a file, and one may be held out of the other.
 * Any number of threads may read a vocabulary, an open file or a batch while none changes
 * or frees it.
 *
 * Memory: files are mapped, not copied; a set keeps a few bytes per line besides. Copied
 * are a text with Korean syllables that DATA_JAMO decomposes, at up to three times its
 * size, and the pairs of a file in another format than lines `source TAB target`.
 */
#ifndef DATA_DATA_H
#define DATA_DATA_H

#include "autograd.h"
#include "files.h"

AG_HEADER_BEGIN

/* ---- Text -------------------------------------------------------------------------- */

/* Bytes that a reason of data_text_check takes. */
#define DATA_TEXT_REASON 160
/* The offset of the first byte that may not stand in a text: a zero byte, or one that is
 * not well-formed UTF-8; `size` if there is none. `reason` (may be NULL) gets what is
 * wrong and what may help, guessed from the text: "is not well-formed UTF-8 (if the text
 * is Latin-1: iconv -f LATIN1 -t UTF-8)". */
size_t data_text_check(const char *text, size_t size, char reason[DATA_TEXT_REASON]);

/* The offset at which the text of a file begins: 3 after a byte order mark, else 0. */
size_t data_text_start(const char *text, size_t size);
/* Sets *line and *line_size to the next line of text[*at..size), without its end, and
 * moves *at past it. A line ends with LF or CRLF, the last line also with CR or with the
 * text. Returns false at the end of the text. */
bool data_line_next(const char *text, size_t size, size_t *at, const char **line, size_t *line_size);
/* Whether a text holds nothing but white space (Unicode's White_Space), so that it counts
 * as an empty line, source or target. */
bool data_text_empty(const char *text, size_t size);

/* ---- Vocabularies ------------------------------------------------------------------ */

/* The marks: tokens that stand for no text. DATA_PAD fills up rows, DATA_BOS and DATA_EOS
 * begin and end a sequence, DATA_UNK stands for tokens that a vocabulary does not have.
 * Each vocabulary has its own ids for them (data_vocab_marks). In those of data_vocab_new,
 * the marks come first, so DATA_EOS is also the id of their end mark. */
enum { DATA_PAD = 0, DATA_BOS = 1, DATA_EOS = 2, DATA_UNK = 3, DATA_SPECIALS = 4 };
/* Instead of an id: there is none; there is no memory for it. */
enum { DATA_NONE = -1, DATA_NO_MEMORY = -2 };

/* How text is cut into tokens: one per Unicode code point; one per word between white
 * space; or DATA_JAMO, one per code point after each precomposed Korean syllable, U+AC00
 * to U+D7A3, was replaced by the two or three conjoining jamo that it consists of
 * (Unicode Standard, section 3.12, by arithmetic alone). On a text without such syllables
 * DATA_JAMO is DATA_CHARS.
 *
 * data_vocab_decode composes them again: a leading consonant and a vowel, and the
 * trailing consonant that follows, make one syllable, and all else stays as it is. So
 * jamo that stand decomposed in a file (normalisation form NFD) are the same tokens as
 * those of a syllable, and come out composed (NFC). Compatibility jamo, U+3131 to U+318E,
 * are characters like any other.
 *
 * DATA_BPE cuts into parts of words, by byte pair encoding (Sennrich, Haddow and Birch
 * 2016; on bytes, Radford et al. 2019). Its tokens are the 256 bytes and what merges of
 * two tokens make; where a text is cut depends on the merges. Every text has tokens, so
 * none is unknown, and data_vocab_decode gives back each of its bytes. A text is first
 * cut into words, over whose borders nothing is merged: letters, numbers or other
 * characters with at most one space before them; English contractions ('s); white
 * space. */
typedef enum data_token_kind { DATA_CHARS = 0, DATA_WORDS, DATA_BPE, DATA_JAMO } data_token_kind;
/* "chars", "words", "bpe" and "jamo", as they stand in vocabularies; NULL for any other
 * number. */
const char *data_token_kind_name(int kind);

/* A two-way map between tokens and ids. */
typedef struct data_vocab data_vocab;

/* A vocabulary of the four marks, with DATA_BPE also of the 256 bytes in their order, or a
 * copy of another; the caller frees it. NULL when memory is out. */
data_vocab *data_vocab_new(data_token_kind kind, ag_error *error);
/* A vocabulary whose ids are given: token i is tokens[i], of `count`, and marks[m] the id
 * of mark m, DATA_NONE if it has no such mark. Tokens of DATA_BPE are in their visible
 * form, and each byte must be one. No token can be added later; merges can, whose tokens
 * are there. AG_BAD_VALUE names the first token that is wrong or comes twice. */
data_vocab *data_vocab_list(data_token_kind kind, const char *const *tokens, int32_t count,
                            const int32_t marks[DATA_SPECIALS], ag_error *error);
data_vocab *data_vocab_copy(const data_vocab *vocab, ag_error *error);
/* Frees the vocabulary. NULL is allowed. */
void data_vocab_free(data_vocab *vocab);
/* How the vocabulary's texts are cut into tokens. */
data_token_kind data_vocab_kind(const data_vocab *vocab);
/* The number of tokens, the marks included: ids are 0 .. size - 1. */
int32_t data_vocab_size(const data_vocab *vocab);
/* The ids of the marks, [DATA_SPECIALS], by DATA_PAD .. DATA_UNK; DATA_NONE: there is no
 * such mark. The vocabulary owns them. Where DATA_BOS and DATA_EOS are one id, that mark
 * stands between the texts from which a language model learned, as GPT-2's
 * <|endoftext|>: the model can begin after it, and makes it at the end of a text.
 * Otherwise a language model's texts have no marks. */
const int32_t *data_vocab_marks(const data_vocab *vocab);
/* Whether the id is that of a mark. */
bool data_vocab_is_mark(const data_vocab *vocab, int32_t id);
/* The id of a token of `size` bytes. For a new token, data_vocab_add adds it
 * (DATA_NO_MEMORY; DATA_NONE for bytes that are not exactly one token, and always with
 * DATA_BPE, whose tokens come from merges), and data_vocab_find returns DATA_NONE. Neither
 * finds the marks: "<pad>" in a text is a word like any other. */
int32_t data_vocab_add(data_vocab *vocab, const char *token, size_t size) AG_CHECKED;
int32_t data_vocab_find(const data_vocab *vocab, const char *token, size_t size);
/* The text of a token, valid until a token is added; "<pad>", "<bos>", "<eos>", "<unk>"
 * for the marks of data_vocab_new, "" for an id out of range. A token of DATA_BPE may be any bytes, and
 * has its visible form here, UTF-8 without white space: a byte that is a visible
 * character of Latin-1 is that character, and the other bytes are, in their order, the
 * characters from U+0100 on. So a space is U+0120, and " the" is that and "the". */
const char *data_vocab_token(const data_vocab *vocab, int32_t id);

/* The number of merges of a vocabulary, 0 unless it is of DATA_BPE. data_vocab_merge sets
 * the ids that merge i joins, DATA_NONE for an i out of range. */
int32_t data_vocab_merges(const data_vocab *vocab);
void data_vocab_merge(const data_vocab *vocab, int32_t i, int32_t *left, int32_t *right);
/* Adds a merge, after those that are there, and returns the id of the token that it
 * makes: the next one, unless there is a token of the same bytes. DATA_NO_MEMORY;
 * DATA_NONE if an id is no token of bytes, or the two are merged already, or the
 * vocabulary is of data_vocab_list and does not have the token. */
int32_t data_vocab_add_merge(data_vocab *vocab, int32_t left, int32_t right) AG_CHECKED;
/* The vocabulary as one line of text, and back, as it is stored in a checkpoint's
 * metadata. The caller frees the text, and the vocabulary. NULL with the error:
 * AG_BAD_FILE if the text is not that of a vocabulary, AG_NO_MEMORY. */
char *data_vocab_write(const data_vocab *vocab, ag_error *error);
data_vocab *data_vocab_read(const char *text, ag_error *error);
/* Reads a file of one token per line, in the order of ids. A backslash with two
 * hexadecimal digits is the byte of that code (\20 a space, \0a a line feed, \5c a
 * backslash). The four marks may come first. A file of DATA_BPE has one merge per
 * line, in the order in which they were learned, as the visible forms of two tokens with
 * a space between them; a first line that begins with "#version" is skipped. The caller
 * frees the vocabulary; NULL with the error, which names the file and the line. */
data_vocab *data_vocab_read_file(data_token_kind kind, const char *path, ag_error *error);
/* Reads GPT-2's two files, or another program's of the same form: `encoder` leads from
 * tokens to ids (encoder.json, vocab.json), `merges` has the merges (vocab.bpe,
 * merges.txt). The vocabulary is of DATA_BPE, made by data_vocab_list, and its only mark
 * is <|endoftext|>, as bos and eos, if it is there. Other tokens that are neither a byte
 * nor made by a merge must be in brackets, such as <mask>: no text has them. The caller
 * frees the vocabulary; NULL with the error, which names the file: AG_BAD_FILE if an id
 * is missing or comes twice, or the files do not belong together; AG_IO, AG_NO_MEMORY. */
data_vocab *data_vocab_read_encoder(const char *encoder, const char *merges, ag_error *error);
/* Writes a file that data_vocab_read_file reads: the marks first, so that line i + 1 is
 * token i; or "#version: 0.2" and the merges, as other programs name and read them
 * (merges.txt). AG_BAD_VALUE for a vocabulary of data_vocab_list, whose ids such a file
 * does not have. */
ag_status data_vocab_write_file(const data_vocab *vocab, const char *path, ag_error *error) AG_CHECKED;

/* Sets *token and *token_size to the next token of text[*at..size), which is well-formed
 * UTF-8, and moves *at past it. Returns false at the end. Skips white space (Unicode's)
 * between words; CRLF is one character, LF. The jamo of a syllable are no part of the
 * text: *token then points to a constant, and *at to a byte within the syllable while
 * jamo of it are left. Not for DATA_BPE, whose cuts depend on a vocabulary's merges. */
bool data_token_next(data_token_kind kind, const char *text, size_t size, size_t *at, const char **token,
                     size_t *token_size);
/* Tags: tokens of their own in front of a source, such as the V and PST of "V TAB PST TAB
 * walk". In the text each ends with a TAB, which is a part of the token, so no letter or
 * word of a source is ever taken for a tag. Only a vocabulary that was marked, or that has
 * a tag ("V\t" was added), reads them; another reads a TAB as a character. Not for
 * DATA_BPE: such a vocabulary stays without them. */
void data_vocab_mark_tags(data_vocab *vocab);
bool data_vocab_has_tags(const data_vocab *vocab);
bool data_token_is_tag(const char *token, size_t size);
/* As data_token_next, with the vocabulary's kind of tokens, and its tags. */
bool data_vocab_next(const data_vocab *vocab, const char *text, size_t size, size_t *at, const char **token,
                     size_t *token_size);
/* Text to ids: writes the first `capacity` ids and returns how many the text has.
 * *unknown (may be NULL) counts the tokens that are not in the vocabulary, whose id is
 * that of DATA_UNK, and DATA_NONE if there is no such mark. With DATA_BPE,
 * the text may be any bytes, and -1 says that there was no memory for a word of more than
 * 256 bytes. */
int64_t data_vocab_encode(const data_vocab *vocab, const char *text, size_t size, int32_t *ids, int64_t capacity,
                          int64_t *unknown);
/* How many tokens a text has, as data_vocab_encode returns it. With other kinds than
 * DATA_BPE, it does not depend on which tokens the vocabulary has. */
int64_t data_vocab_count(const data_vocab *vocab, const char *text, size_t size);
/* data_text_check of a text that the vocabulary shall encode. With DATA_BPE, bytes that
 * are no UTF-8 may stand in it, too, unless it has a zero byte: then it is no text. */
size_t data_vocab_check(const data_vocab *vocab, const char *text, size_t size, char reason[DATA_TEXT_REASON]);
/* How many of ids [count] are the vocabulary's mark for unknown tokens; 0 if `vocab` or
 * `ids` is NULL. */
int64_t data_vocab_count_unknown(const data_vocab *vocab, const int32_t *ids, int64_t count);
/* The ids of a text whose tokens must all be known, such as one that a person types, to
 * be freed by the caller. The array has room for `before` ids before them, and for one
 * after them, which are not set; *count is the number of the text's own. NULL with the
 * error: AG_BAD_VALUE says which byte cannot be read (data_vocab_check), or how many
 * tokens are unknown and which is the first; AG_NO_MEMORY. */
int32_t *data_vocab_known(const data_vocab *vocab, const char *text, size_t size, int64_t before, int64_t *count,
                          ag_error *error);
/* Ids to text, up to the first end mark. Leaves out DATA_NONE, pad and bos, writes
 * "<unk>" for an id out of range, and joins words with one space. Like snprintf, it
 * returns the length of the whole text and writes at most `size` bytes, the final zero
 * included. */
size_t data_vocab_decode(const data_vocab *vocab, const int32_t *ids, int64_t count, char *text, size_t size);
/* For text that is written while its tokens still come: the number, 0 to 2, of the last
 * of ids [count] that may form a syllable with the id to come, so their text is not
 * final. */
int64_t data_vocab_open(const data_vocab *vocab, const int32_t *ids, int64_t count);

/* How many lines are kept of each unknown token. */
enum { DATA_UNKNOWN_PLACES = 3 };

/* A token that is not in a vocabulary: how often texts have it, and where first. */
typedef struct data_unknown_token {
    const char *token; /* set by data_unknown_sort */
    int64_t count;
    struct {
        const char *file; /* the caller's */
        int64_t line;
    } places[DATA_UNKNOWN_PLACES]; /* [place_count], no line twice */
    int place_count;
    bool more; /* further lines have it */
} data_unknown_token;

/* The unknown tokens of texts. A zeroed struct is empty. */
typedef struct data_unknown {
    int64_t tokens;            /* of the texts, unknown ones or not */
    int64_t unknown, lines;    /* the unknown ones, and the lines that have any */
    int64_t texts, untagged;   /* all texts, and those without tags though `vocab` has some */
    data_unknown_token *items; /* [count] in order of appearance, then of data_unknown_sort */
    int64_t count;             /* at most 100000: later ones count in `unknown` alone */
    data_vocab *names;         /* private */
    size_t capacity;           /* private */
} data_unknown;

/* Adds the tokens of one line of text that `vocab` does not have, all calls with
 * vocabularies of one kind. `file` must outlive the struct; line 0: not a line of a file.
 * AG_NO_MEMORY leaves the struct as it was, or with some of the line's tokens. */
ag_status data_unknown_add(data_unknown *unknown, const data_vocab *vocab, const char *text, size_t size,
                           const char *file, int64_t line, ag_error *error) AG_CHECKED;
/* Sorts the items, the most frequent first, of equals the one that came first. Nothing
 * can be added after that. */
void data_unknown_sort(data_unknown *unknown);
/* Frees what the struct holds and leaves it zeroed. */
void data_unknown_clear(data_unknown *unknown);

/* Learns a vocabulary of DATA_BPE from texts. It keeps a copy of each distinct word. */
typedef struct data_learner data_learner;
/* How many merges data_learner_vocab learns by default. */
enum { DATA_DEFAULT_MERGES = 2000 };
/* A learner of no text yet; the caller frees it. NULL when memory is out. */
data_learner *data_learner_new(ag_error *error);
/* Frees the learner. NULL is allowed. */
void data_learner_free(data_learner *learner);
/* Counts the words of a text, any bytes, which are not needed after the call.
 * AG_NO_MEMORY leaves some of the words counted. */
ag_status data_learner_add(data_learner *learner, const char *text, size_t size, ag_error *error) AG_CHECKED;
/* The vocabulary of the first `merges` merges (0: DATA_DEFAULT_MERGES): again and again,
 * the two tokens that are neighbours most often become one, within the words of all
 * texts. Of equally frequent pairs, that with the smaller bytes comes first: those of the
 * first token are compared, then those of the second. Pairs that occur only once are not
 * merged, so there may be fewer merges. The caller frees the vocabulary; NULL when memory
 * is out. */
data_vocab *data_learner_vocab(const data_learner *learner, int64_t merges, ag_error *error);

/* ---- Synthetic tasks --------------------------------------------------------------- */

/* A task generates source and target texts from random numbers: equal states of `rng` and
 * equal lengths give equal texts. */
typedef struct data_task {
    const char *name;             /* "reverse" */
    const char *help;             /* one line: "abc -> cba: the letters from the last to the first" */
    int default_min, default_max; /* lengths, in letters or digits; 1 for dates */
    int longest;                  /* the greatest max_length */
    bool same_length;             /* target token t belongs to source token t: a tagger
                                   * can learn it */
    /* Writes zero-terminated texts of less than DATA_TASK_TEXT bytes. */
    void (*make)(ag_rng *rng, int min_length, int max_length, char *source, char *target);
    /* The most tokens in a source and in a target, without end marks. */
    void (*most_tokens)(int max_length, int64_t *source, int64_t *target);
    data_token_kind source_kind, target_kind; /* characters or words, on each side */
    /* Texts that hold every token that the task can make: the vocabularies, in order. */
    const char *source_symbols, *target_symbols;
} data_task;

/* Bytes for a text of a task, its final zero included. */
#define DATA_TASK_TEXT 1024

/* All tasks, [*count]: copy, reverse, sort, shift, addition, numbers (to English words),
 * and dates (many written forms to ISO 8601). */
const data_task *const *data_tasks(int *count);
/* The task of that name; NULL if there is none. */
const data_task *data_task_find(const char *name);

/* ---- Formats of files of pairs ----------------------------------------------------- */

/* DATA_PAIRS     lines `source TAB target`
 * DATA_COLUMNS   rows of columns: CSV by RFC 4180, with commas or semicolons, and TSV
 * DATA_PARALLEL  two files: line i of one is the source, line i of the other the target
 * DATA_CONLLU    CoNLL-U (universaldependencies.org/format.html): a sentence's words, one
 *                field of each word
 * DATA_BLOCKS    lines `word TAB tag`, or with spaces between; an empty line ends a
 *                sentence */
typedef enum data_format_kind {
    DATA_PAIRS = 0,
    DATA_COLUMNS,
    DATA_PARALLEL,
    DATA_CONLLU,
    DATA_BLOCKS
} data_format_kind;

/* DATA_SEPARATOR_FOUND: the one by which the first line has the columns; an error that
 * names two, if it has them by commas as well as by semicolons. */
typedef enum data_separator {
    DATA_SEPARATOR_FOUND = 0,
    DATA_SEPARATOR_TAB,
    DATA_SEPARATOR_COMMA,
    DATA_SEPARATOR_SEMICOLON
} data_separator;
/* "found", "tab", "comma", "semicolon"; NULL for any other number. */
const char *data_separator_name(int separator);

/* The field of a word that a tagger learns. */
typedef enum data_conllu_field {
    DATA_UPOS = 0,
    DATA_XPOS,
    DATA_LEMMA,
    DATA_FEATS,
    DATA_DEPREL,
    DATA_MISC
} data_conllu_field;
/* "upos", "xpos", ..; NULL for any other number. */
const char *data_conllu_field_name(int field);

/* How a file of pairs is read. Zeroed: DATA_PAIRS. */
typedef struct data_format {
    data_format_kind kind;

    /* DATA_COLUMNS: which columns hold the source, the target and, if there are more,
     * tags, with commas between them: "1,3" or "lemma,form,features,language". A number
     * counts from 1. A name is looked up in the first line; a file has a header exactly
     * if a name is given. Further columns are ignored.
     *
     * Tags are cut at `;` and `|`, and each becomes a token of its own before the
     * source: see data_vocab_mark_tags.
     *
     * A field that begins with a quote ends with one, and two quotes in it are one; it
     * may hold separators and ends of lines. An end of a line or a TAB within a field is
     * read as a space, since sources and answers are lines. */
    const char *columns;
    data_separator separator;
    bool no_quotes; /* a quote is a character like any other */

    const char *targets; /* DATA_PARALLEL: the path of the file of targets */

    /* DATA_CONLLU: comments, multiword tokens (3-4) and empty nodes (5.1) are skipped:
     * the words are those with a whole number. White space in a word becomes `_`. */
    data_conllu_field field;
} data_format;

/* ---- Sets of examples -------------------------------------------------------------- */

/* The part of a source that a set holds. A hash of the source text decides whether an
 * example is held out, so no source text is in both DATA_TRAIN and DATA_DEV. */
typedef enum data_part { DATA_ALL = 0, DATA_TRAIN, DATA_DEV } data_part;

/* Options of data_set_task, data_set_pairs and data_set_text. Zero means the default. */
typedef struct data_set_options {
    data_part part;             /* of files it depends on `seed`; of tasks only on the
                                 * text, the same for all seeds */
    double held_out;            /* DATA_DEV's share of the examples; 0: 0.05 */
    int64_t max_held_out;       /* files: the most sources in DATA_DEV; 0: 2000 */
    uint64_t seed;              /* of a task's examples, of the held-out part of a file,
                                 * and of the order of batches */
    int min_length, max_length; /* tasks; 0: the task's default */
    int64_t count;              /* tasks: the examples of an epoch; 0: 10000 */
    int64_t max_tokens;         /* longer sources or targets (with their end mark) are an
                                 * error that names the line; 0: no limit */
    int64_t context;            /* text sets: the tokens of a window; 0: 128 */
    bool tagging;               /* source and target of an example must have equally many
                                 * tokens; no end marks */
    /* Files: the kinds of tokens, used if no vocabulary is given. */
    data_token_kind source_kind, target_kind;
    /* Files, DATA_BPE: the merges that each vocabulary learns from the examples of the
     * part (data_learner_vocab); 0: DATA_DEFAULT_MERGES; -1: none, tokens are bytes. With
     * leave_out, they learn from none of the whole share `held_out`, even where
     * max_held_out lets the part have more of it. */
    int64_t merges;
    /* Copied; NULL: made from the examples, in order of appearance. */
    const data_vocab *source_vocab, *target_vocab;
    /* A vocabulary of words that is made has only those that the set has at least so
     * often; 0: 1. The others become DATA_UNK, whose embedding is then trained. */
    int64_t min_count;
    bool leave_out; /* files of pairs: a pair with an empty side, or with a longer one than
                     * max_tokens allows, is left out, and no error (data_set_left_out) */
    data_format format; /* data_set_pairs; its texts are copied */
} data_set_options;

/* A source of examples, from a file or generated by a task. */
typedef struct data_set data_set;

/* Examples of a task: an endless stream cut into epochs of `count`. DATA_TRAIN and
 * DATA_DEV never share a source. Sources of less than 4 bytes are never held out: they
 * are so few that a model must see each of them to learn it. `options` may be NULL. The
 * caller frees the set; NULL with the error. */
data_set *data_set_task(const data_task *task, const data_set_options *options, ag_error *error);
/* A file of pairs: by default lines `source TAB target`; options->format has other
 * formats. The text is UTF-8, its lines end with LF or CRLF. Empty lines and a byte order
 * mark are skipped. A source may come several times with different targets. DATA_DEV and
 * DATA_TRAIN have at least one source each.
 *
 * AG_BAD_FILE names file and line, of formats with columns also the column: no TAB or
 * more than one, bad UTF-8, a zero byte, an empty source or target (only white space),
 * more than 65535 tokens; or an empty file.
 * (A side of DATA_BPE of a DATA_PAIRS file need not be UTF-8.)
 *
 * `path` "-" is the standard input, from where it stands. The file must not be truncated
 * while the set lives. A pipe is copied to a temporary file in the folder that TMPDIR
 * names. A file of another format than DATA_PAIRS is held in memory as such lines.
 * `options` may be NULL. The caller frees the set; NULL with the error. */
data_set *data_set_pairs(const char *path, const data_set_options *options, ag_error *error);
/* A text file for language models, cut into windows of `context` tokens; DATA_DEV is the
 * last `held_out` of the file. With words as tokens, white space is lost. With DATA_BPE,
 * the set keeps the ids of its part, 4 bytes per token, and the text need not be UTF-8.
 *
 * data_set_batch moves all windows of an epoch by the same random distance of up to half
 * a context, so that other tokens stand at their borders in each epoch. data_set_range
 * does not move them: every token except the first is a target exactly once.
 *
 * `options` may be NULL. The caller frees the set; NULL with the error. */
data_set *data_set_text(const char *path, const data_set_options *options, ag_error *error);
/* The DATA_DEV part of the file whose DATA_TRAIN part `set` is, with the same options and
 * vocabularies. It shares the open file: a pipe can be read only once, and another file
 * may have the path by now. The caller frees the new set, which may outlive `set`; NULL
 * with the error. */
data_set *data_set_held_out(const data_set *set, ag_error *error);
/* Frees the set and all that it has handed out. NULL is allowed. */
void data_set_free(data_set *set);

/* The number of examples in an epoch. */
int64_t data_set_count(const data_set *set);
/* The path of the set's file (of two parallel files that of the sources), "stdin" for the
 * standard input, or "task" and the task's name. The set owns it. */
const char *data_set_name(const data_set *set);
/* The vocabularies, which the set owns; a text set has no source vocabulary: NULL. */
const data_vocab *data_set_source_vocab(const data_set *set);
const data_vocab *data_set_target_vocab(const data_set *set);
/* The most tokens in a source and in a target of the set, end marks included; 0 for the
 * source of a text set. */
int64_t data_set_max_source(const data_set *set);
int64_t data_set_max_target(const data_set *set);
/* The texts of example i as zero-terminated copies that the set owns, valid until the
 * next call; NULL for an i out of range. A task has every i >= 0. A text set has no
 * source, and its target is the window. */
void data_set_example(data_set *set, int64_t i, const char **source, const char **target);

/* The pairs of a file that leave_out has left out, of all its parts. */
typedef struct data_left_out {
    int64_t empty, longer; /* with an empty side; others with a side that is too long */
    int64_t line;          /* of the first of both; 0: there are none */
} data_left_out;
/* How many pairs of the set's file are left out; all zero for other sets. */
data_left_out data_set_left_out(const data_set *set);

/* The number of the line of example i in its pair file, from 1; 0 for a set without such
 * lines (tasks, texts). Quick for examples in increasing order. */
int64_t data_set_line(data_set *set, int64_t i);

/* A hash of the set: equal for equal sets, and different if an example, their order or
 * their number differs. A resumed run recognises its sets by it. Reads all examples of an
 * epoch. */
uint64_t data_set_fingerprint(data_set *set);

/* For evaluation: the set (of a task: its first epoch) as distinct sources in order of
 * appearance, each with all its targets. The number of distinct sources; 0 for a text
 * set, -1 when memory is out. */
int64_t data_set_source_count(data_set *set) AG_CHECKED;
/* The number of targets of distinct source s (0 if there is no such source), and the
 * index of its example number r for data_set_example (-1 if there is none). */
int64_t data_set_target_count(data_set *set, int64_t s);
int64_t data_set_target_index(data_set *set, int64_t s, int64_t r);

/* ---- Reports ----------------------------------------------------------------------- */

/* Lengths of texts count apart up to this one, and all longer ones as if they had it. */
enum { DATA_MOST_LENGTH = 65535 };

/* One side of a set's examples. Tokens count without end marks. */
typedef struct data_side_report {
    int64_t tokens, unknown;               /* of all texts; those that the vocabulary does not have */
    int64_t median, longest;               /* tokens of a text: at least half of the texts have at
                                            * most `median` */
    int64_t longest_example, longest_line; /* the first of the longest; its data_set_line */
} data_side_report;

/* A set (of a task: its first epoch). */
typedef struct data_report {
    int64_t examples;
    data_side_report source, target; /* `source` is zeroed for a text set, and so are the following */
    int64_t sources;                 /* distinct ones */
    int64_t ambiguous;               /* those that have several distinct targets */
    int64_t repeated;                /* examples whose source and target came before */
    /* Examples of dev that are in the set, too, and those whose source is, with this
     * target or another. */
    int64_t shared, shared_sources;
} data_report;

/* Reads all examples of the set, and of `dev` (NULL: there is none), to fill the report.
 * Texts are compared byte by byte, as 64-bit hashes. Takes 16 bytes per example while it
 * runs. AG_NO_MEMORY. */
ag_status data_set_report(data_set *set, data_set *dev, data_report *report, ag_error *error) AG_CHECKED;
/* Adds the tokens of all examples that the set's own vocabularies do not have: those of a
 * dev set that is read in the vocabularies of a training set. `source` stays as it is for
 * a text set. The set must outlive both. AG_NO_MEMORY. */
ag_status data_set_unknown(data_set *set, data_unknown *source, data_unknown *target, ag_error *error) AG_CHECKED;

/* Signs that a file of pairs is something else than what it is read as. */
typedef enum data_sign_kind {
    DATA_SIGN_LETTERS = 0,  /* letters that are here one character, there a letter and a
                             * mark (NFC and NFD); `text` is the one that is most often */
    DATA_SIGN_SYLLABLES,    /* the same of Korean syllables and their jamo, unless a side
                             * is of DATA_JAMO */
    DATA_SIGN_SOURCE_WORDS, /* a side of characters consists of few words with spaces */
    DATA_SIGN_TARGET_WORDS, /* between: phones, say; `count` is the number of words */
    DATA_SIGN_HEADER,       /* DATA_PAIRS, DATA_COLUMNS: the first pair is names of columns,
                             * and no other has one of the two; `text` is both, with a comma
                             * between */
    DATA_SIGN_QUOTES,       /* DATA_PAIRS: texts are within quotes as CSV has them: all of a
                             * side, or with doubled quotes within */
    DATA_SIGN_BLOCKS,       /* one word and one of few tags in each pair, in `count` blocks
                             * with empty lines between */
    DATA_SIGN_RETURNS,      /* texts hold carriage returns */
    DATA_SIGNS
} data_sign_kind;

/* Whether a sign is there, and where first. */
typedef struct data_sign {
    int64_t count;    /* 0: the sign is not there */
    const char *file; /* the set's name for it; NULL: not in a place */
    int64_t line;     /* the first such line, 0: none */
    char text[112];
} data_sign;

/* Looks for all signs in a set, in sources after their tags, and in its `dev`, which is
 * held out of the same file or has one of its own, of which only letters count. Sets
 * without lines (tasks, texts) have no signs. The sets must outlive the signs. Takes 3 MB
 * while it runs. AG_NO_MEMORY. */
ag_status data_set_signs(data_set *set, data_set *dev, data_sign signs[DATA_SIGNS], ag_error *error) AG_CHECKED;

/* ---- Batches ----------------------------------------------------------------------- */

/* Examples as token ids, in rows that are padded to the longest of the batch: target_out
 * with DATA_NONE, so that a loss can ignore these targets; source and target_in with the
 * vocabulary's pad or, if it has none, with id 0, which no model reads there, since the
 * lengths say where a row ends.
 *
 *   pairs, tasks   source: the source and an end mark; target_in: bos and the target;
 *                  target_out: the target and an end mark
 *   tagging        source and target_out without end marks; target_in NULL
 *   text           target_in: a window; target_out: the window one token later;
 *                  source NULL
 *
 * The batch owns the arrays; the next data_set_batch reuses them. */
typedef struct data_batch {
    int64_t rows, source_length, target_length;
    int32_t *source;                 /* [rows, source_length] */
    int32_t *source_lengths;         /* [rows] */
    int32_t *target_in, *target_out; /* [rows, target_length] */
    int32_t *target_lengths;         /* [rows] */
    int64_t *examples;               /* [rows]: the indices of the examples */
    int64_t tokens;                  /* target tokens without padding */
    void *storage;                   /* private */
    size_t storage_size;
} data_batch;

/* Frees what the batch holds and leaves it zeroed, which is an empty batch. */
void data_batch_clear(data_batch *batch);

/* The number of batches in an epoch, of `rows` examples each (one may be smaller). */
int64_t data_set_batches(const data_set *set, int64_t rows);
/* Batch n = epoch * data_set_batches + index: examples of similar length, in an order
 * that is shuffled again for each epoch by (seed, epoch). A pure function of the set,
 * rows and n. */
ag_status data_set_batch(data_set *set, int64_t rows, uint64_t n, data_batch *batch, ag_error *error) AG_CHECKED;
/* Examples first <= i < first + rows in the set's own order, for evaluation. All must
 * exist (a task has every i >= 0). */
ag_status data_set_range(data_set *set, int64_t first, int64_t rows, data_batch *batch, ag_error *error) AG_CHECKED;
/* A batch from `rows` source texts alone, for prediction: the arrays of targets are NULL.
 * Unknown tokens become the mark for them; *unknown (may be NULL) counts them.
 * AG_BAD_VALUE if an end mark is needed and the vocabulary has none. A text without
 * tokens is a row of its end mark alone, which no training set has (data_text_empty). */
ag_status data_batch_sources(const data_vocab *vocab, const char *const *texts, int64_t rows, bool tagging,
                             data_batch *batch, int64_t *unknown, ag_error *error) AG_CHECKED;

AG_HEADER_END
#endif
