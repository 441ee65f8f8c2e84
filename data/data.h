/* data.h - vocabularies, synthetic tasks, pair and text files, batches, .safetensors
 * files; writing a file safely, reading JSON.
 *
 * A data_set is a source of examples (a file, or a task made by code); a data_batch is a
 * padded block of them. Which examples batch n holds depends on the set, its seed and n
 * alone, so a training run continues exactly by going on with the next n: there is no
 * other state.
 *
 * Threads: a set is used by one thread at a time, since it keeps copies of the example
 * that it last made; two sets may share a file, and one may be held out of the other.
 * Vocabularies, mapped .safetensors and .npy files, and batches may be read by
 * any number of threads at once while none changes or frees them. Two threads may save to
 * one path: it then holds what the later one wrote, whole.
 *
 * Memory: files are mapped, not copied; a set keeps a few bytes per line beside the map.
 */
#ifndef DATA_DATA_H
#define DATA_DATA_H

#include "autograd.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

/* The offset of the first byte that is not well-formed UTF-8, or `size` where all is. */
size_t data_utf8_check(const char *text, size_t size);
/* The room for a reason of data_text_check, in bytes. */
#define DATA_TEXT_REASON 160
/* The offset of the first byte that a text may not hold - a zero byte, or what is not
 * well-formed UTF-8 - or `size`. If there is one, `reason` (may be NULL) gets what is
 * wrong with it and what helps, guessed from the text: "is not well-formed UTF-8 (if the
 * text is Latin-1: iconv -f LATIN1 -t UTF-8)". */
size_t data_text_check(const char *text, size_t size, char reason[DATA_TEXT_REASON]);

/* ---- Lines of text -------------------------------------------------------------------------- */

/* Where the text of a file begins: after its byte order mark, if it has one. */
size_t data_text_start(const char *text, size_t size);
/* Sets *line and *line_size to the next line of text[*at..size) and moves *at past it. A
 * line ends with LF or CRLF; the last one may end with CR, or with the text. False at the
 * end. */
bool data_line_next(const char *text, size_t size, size_t *at, const char **line, size_t *line_size);
/* Whether a text is empty, as a line, a source or a target: white space (Unicode's)
 * counts as nothing. */
bool data_text_empty(const char *text, size_t size);

/* ---- Vocabularies --------------------------------------------------------------------------- */

/* Every vocabulary begins with these four. */
enum { DATA_PAD = 0, DATA_BOS = 1, DATA_EOS = 2, DATA_UNK = 3, DATA_SPECIALS = 4 };

/* How text becomes tokens: by Unicode code point, or by white space. */
typedef enum data_token_kind { DATA_CHARS = 0, DATA_WORDS } data_token_kind;

/* A two-way map between tokens and ids. */
typedef struct data_vocab data_vocab;

/* A vocabulary of the four specials, or of what another has; the caller frees it. NULL when memory is out. */
data_vocab *data_vocab_new(data_token_kind kind, ag_error *error);
data_vocab *data_vocab_copy(const data_vocab *vocab, ag_error *error);
/* Frees the vocabulary. NULL is fine. */
void data_vocab_free(data_vocab *vocab);
/* What the tokens of a vocabulary are. */
data_token_kind data_vocab_kind(const data_vocab *vocab);
/* The number of tokens, the four specials included: ids are 0 .. size - 1. */
int32_t data_vocab_size(const data_vocab *vocab);
/* The id of a token of `size` bytes. data_vocab_add adds it where it is new (-1 when memory is out; DATA_UNK for bytes
 * that are not one token of text); data_vocab_find gives DATA_UNK then. The specials are found by id alone: "<pad>" in
 * a text is a word like any other. */
int32_t data_vocab_add(data_vocab *vocab, const char *token, size_t size) AG_CHECKED;
int32_t data_vocab_find(const data_vocab *vocab, const char *token, size_t size);
/* The text of a token, valid until the next data_vocab_add; "<pad>" "<bos>" "<eos>" "<unk>" for the specials. "" for an
 * id outside. */
const char *data_vocab_token(const data_vocab *vocab, int32_t id);
/* The vocabulary as one line of text, and back: for the metadata of a checkpoint. The caller frees the text, and the
 * vocabulary. NULL with the error: AG_BAD_FILE for a text that is none, AG_NO_MEMORY. */
char *data_vocab_write(const data_vocab *vocab, ag_error *error);
data_vocab *data_vocab_read(const char *text, ag_error *error);
/* A file with a line for each token, in the order of their ids: a backslash with two hexadecimal digits is the byte of
 * that code (\20 a space, \0a a line feed, \5c a backslash). The four specials may stand in front. The caller frees the
 * vocabulary; NULL with the error, which names the file and, where a line is wrong, its number. */
data_vocab *data_vocab_read_file(data_token_kind kind, const char *path, ag_error *error);
/* Writes the file that data_vocab_read_file reads, the specials in front, so that line i + 1 is token i. */
ag_status data_vocab_write_file(const data_vocab *vocab, const char *path, ag_error *error) AG_CHECKED;

/* The next token of text[*at..size): sets *token and *token_size, moves *at past it.
 * False at the end. White space (Unicode's) between words is skipped; of CRLF, the
 * character is LF. The text is well-formed UTF-8. */
bool data_token_next(data_token_kind kind, const char *text, size_t size, size_t *at, const char **token,
                     size_t *token_size);
/* Text to ids: writes at most `capacity` of them, returns how many there are in all. *unknown (may be NULL) counts
 * those that are not in the vocabulary. */
int64_t data_vocab_encode(const data_vocab *vocab, const char *text, size_t size, int32_t *ids, int64_t capacity,
                          int64_t *unknown);
/* Ids to text, up to the first DATA_EOS; pad and bos are left out, an id outside is "<unk>"; words are joined by one
 * space. Behaves as snprintf: returns the length needed, writes at most `size` bytes with a final zero. */
size_t data_vocab_decode(const data_vocab *vocab, const int32_t *ids, int64_t count, char *text, size_t size);

/* ---- Synthetic tasks ------------------------------------------------------------------------ */

/* A task makes the source and target text of example number n of a stream; equal arguments make equal text. */
typedef struct data_task {
    const char *name;             /* "reverse" */
    const char *help;             /* "abc -> cba" with one line of words */
    int default_min, default_max; /* lengths: symbols, or digits for addition and numbers; 1 for dates */
    int longest;                  /* max_length is at most this */
    bool same_length;             /* target token t belongs to source token t: a tagger can learn it */
    /* Writes zero-ended texts of less than DATA_TASK_TEXT bytes. */
    void (*make)(ag_rng *rng, int min_length, int max_length, char *source, char *target);
    /* The most tokens that a source and a target have, without end marks. */
    void (*most_tokens)(int max_length, int64_t *source, int64_t *target);
    data_token_kind source_kind, target_kind; /* what tokens are on each side */
    /* Texts that hold each token it can make: the vocabularies, in order. */
    const char *source_symbols, *target_symbols;
} data_task;

/* The room for a text of a task in bytes, its final zero included. */
#define DATA_TASK_TEXT 1024

/* All tasks, [*count]: copy, reverse, sort, shift, addition, numbers (to English words), dates (many forms to ISO
 * 8601). */
const data_task *const *data_tasks(int *count);
/* The task of that name; NULL where there is none. */
const data_task *data_task_find(const char *name);

/* ---- Sets of examples ----------------------------------------------------------------------- */

/* Which examples of a source: a held-out part is chosen by a hash of the source text, so no source text is ever on both
 * sides. */
typedef enum data_part { DATA_ALL = 0, DATA_TRAIN, DATA_DEV } data_part;

/* Options of data_set_task, data_set_pairs and data_set_text. Zero means the default. */
typedef struct data_set_options {
    data_part part;             /* of files chosen by `seed`; of tasks by the text alone, so that all seeds agree */
    double held_out;            /* the share of DATA_DEV; 0: 0.05 */
    int64_t max_held_out;       /* of files: DATA_DEV has at most this many sources; 0: 2000 */
    uint64_t seed;              /* of tasks, of the held-out part of files, and of the shuffling */
    int min_length, max_length; /* of tasks; 0: the task's default */
    int64_t count;              /* of tasks: how many examples make an epoch; 0: 10000 */
    int64_t max_tokens; /* more in a source or target (with the end mark) is an error with its line; 0: no limit */
    int64_t context;    /* of text sets: tokens in a window; 0: 128 */
    bool tagging;       /* source and target of a row must have equally many tokens; no end marks */
    /* Of files, where no vocabulary is given. */
    data_token_kind source_kind, target_kind;
    /* Copied; NULL: made from the examples, in order of appearance. */
    const data_vocab *source_vocab, *target_vocab;
} data_set_options;

/* A source of examples, from a file or made by code. */
typedef struct data_set data_set;

/* Examples of a task: an endless stream cut into epochs of `count`; DATA_TRAIN and DATA_DEV never share a source.
 * Sources of less than 4 bytes are never held out: there are so few of them that each is needed to learn from.
 * `options` may be NULL. The caller frees the set; NULL with the error. */
data_set *data_set_task(const data_task *task, const data_set_options *options, ag_error *error);
/* A pair file: lines `source TAB target` in UTF-8, ended by LF or CRLF; empty lines and a
 * byte order mark are skipped. A source may come several times with different targets.
 * Errors name file and line: no TAB, more than one TAB, bad UTF-8, a zero byte, an empty
 * source or target (white space counts as nothing), more than 65535 tokens, an empty
 * file. DATA_DEV has at least one source, and so has DATA_TRAIN. The file must not be cut
 * short while the set lives. A pipe is copied to a temporary file in the folder that
 * TMPDIR names. `options` may be NULL. The caller frees the set; NULL with the error. */
data_set *data_set_pairs(const char *path, const data_set_options *options, ag_error *error);
/* A text file for language models: windows of `context` tokens (DATA_DEV: the last `held_out` of the file). In words,
 * white space is lost. The windows of data_set_batch begin up to half a context earlier or later, anew in each epoch,
 * so that other tokens stand at their borders; data_set_range has each token but the first as a target exactly once.
 * `options` may be NULL. The caller frees the set; NULL with the error. */
data_set *data_set_text(const char *path, const data_set_options *options, ag_error *error);
/* The DATA_DEV part of the file of which `set` is the DATA_TRAIN part, with the same
 * options and vocabularies. It does not open the file again, since a pipe can be read
 * only once, and the path may lead to another file by now. The caller frees the new set,
 * which does not need `set`; NULL with the error. */
data_set *data_set_held_out(const data_set *set, ag_error *error);
/* Frees the set and what it has handed out. NULL is fine. */
void data_set_free(data_set *set);

/* The number of examples in an epoch. */
int64_t data_set_count(const data_set *set);
/* The vocabularies, which belong to the set; a text set has no source and NULL for it. */
const data_vocab *data_set_source_vocab(const data_set *set);
const data_vocab *data_set_target_vocab(const data_set *set);
/* The most tokens that a source and a target of the set have, end marks included; 0 where a text set has no source. */
int64_t data_set_max_source(const data_set *set);
int64_t data_set_max_target(const data_set *set);
/* The texts of example i, valid until the next call; zero-ended copies inside the set. NULL, NULL outside. A task has
 * every i >= 0; a text set has no source, and its target is the window. */
void data_set_example(data_set *set, int64_t i, const char **source, const char **target);

/* A number that is the same for equal sets, and another when an example, their order or their number changes: what a
 * resumed run knows its sets again by. Reads all examples of an epoch. */
uint64_t data_set_fingerprint(data_set *set);

/* For evaluation: the set (of a task: the first epoch) as distinct sources in order of appearance, each with all its
 * targets. -1 when memory is out; 0 for a text set. Outside: no targets, index -1. */
int64_t data_set_source_count(data_set *set) AG_CHECKED;
/* The number of targets of the s-th distinct source; the index of its r-th example (for data_set_example). */
int64_t data_set_target_count(data_set *set, int64_t s);
int64_t data_set_target_index(data_set *set, int64_t s, int64_t r);

/* ---- Batches -------------------------------------------------------------------------------- */

/* rows examples, padded with DATA_PAD to the longest. Sources end with DATA_EOS (not for tagging). target_in is
 * DATA_BOS and the target, target_out the target and DATA_EOS (tagging: target_out alone, target_in NULL; text: a
 * window and the window one later; source NULL). The arrays belong to the batch; the next data_set_batch reuses
 * them. */
typedef struct data_batch {
    int64_t rows, source_length, target_length;
    int32_t *source;                 /* [rows, source_length] */
    int32_t *source_lengths;         /* [rows] */
    int32_t *target_in, *target_out; /* [rows, target_length] */
    int32_t *target_lengths;         /* [rows] */
    int64_t *examples;               /* [rows]: which example */
    int64_t tokens;                  /* target tokens that count (not padding) */
    void *storage;                   /* private */
    size_t storage_size;
} data_batch;

/* Frees what the batch holds and leaves it zeroed, which is a fresh batch. */
void data_batch_clear(data_batch *batch);

/* The number of batches in an epoch, of `rows` examples each (one may be smaller). */
int64_t data_set_batches(const data_set *set, int64_t rows);
/* Batch n = epoch * data_set_batches + index: similar lengths together, in an order shuffled anew each epoch from
 * (seed, epoch). A pure function of the set, rows and n. */
ag_status data_set_batch(data_set *set, int64_t rows, uint64_t n, data_batch *batch, ag_error *error) AG_CHECKED;
/* Examples first <= i < first + rows in their own order: for evaluation. All must exist (a task has every i >= 0). */
ag_status data_set_range(data_set *set, int64_t first, int64_t rows, data_batch *batch, ag_error *error) AG_CHECKED;
/* A batch from source texts alone (no targets: those arrays are NULL), for prediction.
 * Unknown tokens become DATA_UNK and are counted. A text without tokens is a row of its
 * end mark; no training has sources that data_text_empty calls empty. */
ag_status data_batch_sources(const data_vocab *vocab, const char *const *texts, int64_t rows, bool tagging,
                             data_batch *batch, int64_t *unknown, ag_error *error) AG_CHECKED;

/* ---- .safetensors --------------------------------------------------------------------------- */

/* A tensor in a file: `shape` [rank], `data` of `size` bytes, little-endian, perhaps unaligned. */
typedef struct data_tensor {
    const char *name;
    const char *dtype; /* "F32" */
    int rank;
    const uint64_t *shape;
    const unsigned char *data;
    uint64_t size;
} data_tensor;

/* An open file: its tensors, by number and by name, and its metadata. */
typedef struct data_safetensors data_safetensors;

/* Maps and checks a file strictly by the format's rules: header length, UTF-8, JSON,
 * duplicate keys, offsets without holes or overlaps, sizes. Where the metadata holds
 * "checksum" (ours do) the content must agree with it. The index of a sharded model
 * (model.safetensors.index.json) opens as one file without metadata, which has the
 * tensors of all shards. Every refusal is one sentence with the file's name; NULL then.
 * The caller closes the file. */
data_safetensors *data_safetensors_open(const char *path, ag_error *error);
/* Frees the file and what it has handed out. NULL is fine. */
void data_safetensors_close(data_safetensors *file);
/* The number of tensors. */
int64_t data_safetensors_count(const data_safetensors *file);
/* A tensor by its number, in the order of the file, or by its name; NULL where there is
 * none. The file owns it. save_model of Python's safetensors leaves out a tensor that
 * shares its numbers with another one, and notes in the metadata which ("left out":
 * "kept"): its name then finds the one that was kept. */
const data_tensor *data_safetensors_at(const data_safetensors *file, int64_t i);
const data_tensor *data_safetensors_find(const data_safetensors *file, const char *name);
/* Takes `prefix` ("module.") away from the names that begin with it; NULL gives all names
 * back. AG_BAD_VALUE where none begins with it or two become the same; then all names are
 * given back. */
ag_status data_safetensors_strip(data_safetensors *file, const char *prefix, ag_error *error) AG_CHECKED;
/* The value of a key of the metadata; NULL where there is none. The file owns it. */
const char *data_safetensors_metadata(const data_safetensors *file, const char *key);

/* Converts to ag_real: F64 F32 F16 BF16 and the integers and BOOL. `count` must be the
 * tensor's number of elements, and is the size of `out`. AG_BAD_SHAPE for another count,
 * or where tensor->size does not fit it; AG_BAD_VALUE for another dtype, and for an F64
 * that is finite and beyond the range of `ag_real`. Infinity and NaN are read as they
 * are. */
ag_status data_tensor_read(const data_tensor *tensor, ag_real *out, int64_t count, ag_error *error) AG_CHECKED;
/* "F64" in the double library, "F32" in the other: the dtype of `ag_real`. */
extern const char *const data_real_dtype;

/* A file to be: tensors and metadata, noted one by one. */
typedef struct data_writer data_writer;
/* A writer that has noted nothing; the caller frees it. NULL when memory is out. */
data_writer *data_writer_new(ag_error *error);
/* Frees the writer. NULL is fine. */
void data_writer_free(data_writer *writer);
/* Notes a tensor: `shape` [rank], `data` in the byte order of this machine. Name and shape are copied; `data` is read
 * by data_writer_save, not before. Names are unique: data_writer_save refuses others. AG_BAD_VALUE or AG_BAD_SHAPE for
 * what the format cannot hold. */
ag_status data_writer_add(data_writer *writer, const char *name, const char *dtype, int rank, const uint64_t *shape,
                          const void *data, ag_error *error) AG_CHECKED;
/* The same for numbers of the library's own: values in this shape, of dtype data_real_dtype. */
ag_status data_writer_add_real(data_writer *writer, const char *name, ag_shape shape, const ag_real *values,
                               ag_error *error) AG_CHECKED;
/* Notes a key of the metadata and its value, both UTF-8, and copied. AG_BAD_VALUE for "checksum", which is ours. */
ag_status data_writer_metadata(data_writer *writer, const char *key, const char *value, ag_error *error) AG_CHECKED;
/* For files that other programs will change: leaves the checksum out. A program that keeps the metadata would keep it,
 * too, and its file would be called damaged. */
void data_writer_no_checksum(data_writer *writer);
/* Writes the file whole or not at all: a temporary file in the same folder, flushed to disk, renamed, the folder
 * flushed. The bytes depend on the content alone: metadata by key, tensors by descending alignment of dtype, then by
 * name; a checksum is added to the metadata. */
ag_status data_writer_save(data_writer *writer, const char *path, ag_error *error) AG_CHECKED;

/* ---- .npy ----------------------------------------------------------------------------------- */

/* The most axes that an array can have: as many as NumPy's. */
#define DATA_ARRAY_DIMS 64

/* Numbers in the order of their indices, the last axis the fastest. */
typedef struct data_array {
    int ndim;
    int64_t dim[DATA_ARRAY_DIMS]; /* [ndim] */
    int64_t size;                 /* the product of the axes; 1 where there are none */
    ag_real *values;                 /* [size] */
} data_array;

/* Frees the values and leaves the array zeroed, which is an empty one. */
void data_array_clear(data_array *array);

/* Reads the first array of a file that NumPy's save wrote (versions 1.0 to 3.0): numbers and truth values, of either
 * byte order, in C or Fortran order. AG_BAD_FILE for any other content: objects, records, complex numbers, texts, a
 * header that is wrong, numbers that are not all there; AG_IO where the file cannot be read, AG_NO_MEMORY. The error
 * names the file. The caller clears the array, which is empty after an error. */
ag_status data_npy_read(data_array *array, const char *path, ag_error *error) AG_CHECKED;
/* Writes the file whole or not at all: version 1.0, '<f4' ('<f8' in the double library), byte for byte as NumPy (1.24
 * and later) saves that array. */
ag_status data_npy_write(const data_array *array, const char *path, ag_error *error) AG_CHECKED;

/* ---- Files that appear whole or not at all --------------------------------------------------- */

/* The bytes go to a temporary file in the same folder, which replaces `path` at the end:
 * a crash at any instant leaves the old file or the new one. A file that is replaced
 * hands on its mode, and where the system allows that its owner and group; a new one has
 * the mode that the umask leaves. A symbolic link at `path` is replaced, too, and what it
 * leads to stays as it was; the new file has its mode. A temporary file that a killed
 * process left is removed when the same path is written again: its lock (flock) ended
 * with the process. Where a file system has no locks, it stays.
 *
 *     data_output *output;
 *     ag_status status = data_output_open(&output, path, error);
 *     if (status == AG_OK) {
 *         data_output_put(output, bytes, size);
 *         status = data_output_finish(output, error);
 *     }
 */
typedef struct data_output data_output;

/* Begins a file, which data_output_finish ends. AG_IO where the folder cannot be written to, or where `path` is there
 * (or leads to what is there) and is no regular file: a folder, a device, a pipe; AG_NO_MEMORY. There is nothing to end
 * then. */
ag_status data_output_open(data_output **output, const char *path, ag_error *error) AG_CHECKED;
/* Whether data_output_open would succeed, for programs that work for long before they
 * write. It makes the temporary file and removes it. AG_IO or AG_NO_MEMORY where it would
 * not. */
ag_status data_output_check(const char *path, ag_error *error) AG_CHECKED;
/* Appends bytes. A failure is remembered for data_output_finish; false from then on. */
bool data_output_put(data_output *output, const void *bytes, size_t size);
/* Writes over bytes that were put before, `at` bytes from the start. */
bool data_output_patch(data_output *output, uint64_t at, const void *bytes, size_t size);
/* Flushes the bytes to the disk and lets them be the file `path`; or, after any failure, removes what was written and
 * leaves `path` as it was (but where the folder alone could not be flushed: then `path` is the new file). Frees the
 * output in all cases. */
ag_status data_output_finish(data_output *output, ag_error *error) AG_CHECKED;

/* ---- JSON ----------------------------------------------------------------------------------- */

/* A strict reader of JSON text (RFC 8259) whose layout the caller knows. The caller walks the text with a cursor and
 * asks for what must come next, so there is no tree, no allocation and no recursion: nesting deeper than the caller
 * asks for is simply not what was expected. The pattern of use:
 *
 *     data_json json = data_json_start(text, size);
 *     size_t members = 0;
 *     data_json_enter(&json, '{');
 *     while (data_json_more(&json, '}', &members)) {
 *         data_json_key(&json, key);
 *         data_json_u64(&json, &value);
 *     }
 *     if (!data_json_finish(&json))
 *         puts(json.problem);
 *
 * The first problem stays, and every later call returns false and does nothing. */
typedef struct data_json {
    const char *text; /* [size], well-formed UTF-8: the caller has checked it */
    size_t size, at;
    const char *problem; /* what is wrong at byte `at`, such as "a string was expected"; NULL: nothing yet */
} data_json;

/* A cursor at the beginning of text [size], which must outlive it. */
data_json data_json_start(const char *text, size_t size);
/* Goes into an object ('{') or an array ('['). */
bool data_json_enter(data_json *json, char open);
/* Goes to the next member of an object (close '}') or of an array (']'): false after the last one, where the closing
 * mark is taken too, and on a problem. *count, which must start at 0, counts the members. */
bool data_json_more(data_json *json, char close, size_t *count);
/* A string, with its escapes undone: UTF-8 and a final zero in `out`, which needs as much room as the string takes in
 * the text, its quotes included. \u0000 is a problem: the result is a C string. */
bool data_json_string(data_json *json, char *out);
/* A string and the colon behind it. */
bool data_json_key(data_json *json, char *out);
/* A whole number from 0 to 2^64 - 1, without a sign, a fraction or an exponent. */
bool data_json_u64(data_json *json, uint64_t *value);
/* Any number, as the nearest double; one beyond the largest double is a problem. */
bool data_json_number(data_json *json, double *value);
/* Writes the shortest decimal text, of 15 to 17 digits, that reads back as the same number: `size` is 32 at least. */
void data_number_print(double value, char *text, size_t size);
/* The word true or the word false. */
bool data_json_bool(data_json *json, bool *value);
/* The word null. */
bool data_json_null(data_json *json);
/* Moves over white space and returns the character with which the next value begins; '\0' at the end. */
char data_json_peek(data_json *json);
/* True where there was no problem and nothing but white space is left. */
bool data_json_finish(data_json *json);

/* An object written member by member into a text, in one line; it is valid whatever is
 * put into it. The pattern of use:
 *
 *     char text[256];
 *     data_json_object object = data_json_object_start(text, sizeof text, "");
 *     data_json_put_integer(&object, "step", 7);
 *     data_json_put_number(&object, "loss", loss, 9);
 *     if (data_json_object_end(&object))
 *         puts(text);                                  // {"step":7,"loss":0.25}
 */
typedef struct data_json_object {
    char *text; /* [size], zero-ended */
    size_t size, length;
    const char *gap; /* what stands after a colon and a comma */
    int members;
    bool failed; /* it is longer than `size` */
} data_json_object;

/* An object without members, to be written into text [size]. */
data_json_object data_json_object_start(char *text, size_t size, const char *gap);
/* Appends a member. In a text, a byte that is no UTF-8 becomes U+FFFD. */
void data_json_put_text(data_json_object *object, const char *key, const char *value);
void data_json_put_bool(data_json_object *object, const char *key, bool value);
void data_json_put_integer(data_json_object *object, const char *key, int64_t value);
/* The same with this many significant digits, 1 to 17. JSON has no word for what is not
 * finite: then the value is null, and the member KEY_is says "NaN", "Infinity" or
 * "-Infinity". */
void data_json_put_number(data_json_object *object, const char *key, double value, int digits);
/* Ends the object. False where `size` was too small: the text is cut then. */
bool data_json_object_end(data_json_object *object);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
