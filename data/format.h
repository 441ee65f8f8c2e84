/* format.h - files of pairs in any format, read as lines `source TAB target`. Internal to
 * data/.
 *
 * Each format has a reader, which turns the whole file into such lines in memory and
 * notes where in the file each of them began. A tag stands before its source and ends
 * with a TAB, so the last TAB of a line is the one before the target. DATA_PAIRS has no
 * reader: such a file is used as it is.
 */
#ifndef DATA_FORMAT_H
#define DATA_FORMAT_H

#include "data.h"
#include "set.h"

/* The lines that a reader makes. */
typedef struct data_lines {
    char *text; /* [size], each line ended by LF */
    size_t size, capacity;
    uint32_t *numbers; /* [count]: the line of the file, from 1, in which line i begins */
    size_t count, number_capacity;
} data_lines;

/* A file that is read. */
typedef struct data_format_input {
    const data_format *format;
    const char *name;  /* of the file, for errors */
    data_view text;    /* of the file, from its start to its end */
    data_view targets; /* DATA_PARALLEL: of the file of targets */
    bool keeps_empty;  /* pairs with an empty side become lines, and are no error */
    data_lines *lines;
    ag_error *error;
} data_format_input;

/* Reads the file into input->lines, which is empty; the caller clears it, also after an
 * error: AG_BAD_FILE with file, line and, where there are columns, column; AG_BAD_VALUE
 * for a format that is none; AG_NO_MEMORY. */
ag_status data_lines_read(const data_format_input *input) AG_CHECKED;
void data_lines_clear(data_lines *lines);

/* Whether sources of this format have tags in front of them. */
bool data_format_has_tags(const data_format *format);

/* ---- For readers ------------------------------------------------------------------- */

ag_status data_columns_read(const data_format_input *input) AG_CHECKED;
ag_status data_conllu_read(const data_format_input *input) AG_CHECKED;
ag_status data_blocks_read(const data_format_input *input) AG_CHECKED;
ag_status data_parallel_read(const data_format_input *input) AG_CHECKED;

/* Begins and ends a line. data_lines_begin fails, as the other functions here do, only
 * when memory is out, or the file has more than 2^32 - 1 lines. */
bool data_lines_begin(data_lines *lines, int64_t number) AG_CHECKED;
bool data_lines_end(data_lines *lines) AG_CHECKED;
/* Appends bytes. */
bool data_lines_put(data_lines *lines, const char *text, size_t size) AG_CHECKED;
/* Appends a text in which each TAB and each end of a line is one space. `quoted`: two
 * quotes are one. */
bool data_lines_put_cell(data_lines *lines, data_view text, bool quoted) AG_CHECKED;
/* Appends a word: its white space becomes `_`, so it stays one token between spaces. */
bool data_lines_put_word(data_lines *lines, data_view text) AG_CHECKED;

/* Sets AG_NO_MEMORY. */
ag_status data_lines_no_memory(const data_format_input *input) AG_CHECKED;
/* Cuts text at the first `mark` into *first and the rest, which stays in *rest; without
 * one, all of it is *first, and *rest is empty. Returns whether there was one. */
bool data_view_cut(data_view *rest, char mark, data_view *first);
bool data_view_empty(data_view text);
/* The part of a source that follows its tags, each of which ends with a TAB. */
data_view data_view_after_tags(data_view source);

#endif
