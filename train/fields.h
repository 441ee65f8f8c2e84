/* fields.h - describes members of structs: name, type, range, default, help.
 *
 * The options of a training are one table of such descriptions (options.h). Everything
 * that reads, checks, saves or prints options loops over that table.
 */
#ifndef TRAIN_FIELDS_H
#define TRAIN_FIELDS_H

#include "data.h"

typedef enum train_field_type {
    TRAIN_INT, /* int, or an enum whose values are 0, 1, .. */
    TRAIN_INT64,
    TRAIN_UINT64, /* a seed or a fingerprint: 0 is a value like any other */
    TRAIN_DOUBLE,
    TRAIN_BOOL,
    TRAIN_TEXT /* const char *, NULL where nothing was given */
} train_field_type;

/* The type of a variable or member: derived, so that no description can state it
 * wrongly. */
#define TRAIN_FIELD_TYPE(member)                                                                                       \
    _Generic((member), int64_t: TRAIN_INT64, uint64_t: TRAIN_UINT64, double: TRAIN_DOUBLE, bool: TRAIN_BOOL,          \
             const char *: TRAIN_TEXT, default: TRAIN_INT)

/* Whether a text is the path of what the command writes, and of what kind that is. */
typedef enum train_written { TRAIN_READS = 0, TRAIN_WRITES_FILE, TRAIN_WRITES_FOLDER, TRAIN_WRITES_RUN } train_written;

/* The struct that a member belongs to: see train_recipe in options.h. */
typedef enum train_owner { TRAIN_RECIPE = 0, TRAIN_DATA, TRAIN_MODEL, TRAIN_RUN } train_owner;

struct train_recipe;

/* All that is known of one member. Unnamed parts are left zero. */
typedef struct train_field {
    /* The flag that sets the member: its name ("d-model" for --d-model; NULL: there is no
     * flag), what help calls its value ("N"; NULL: the flag is a switch), and its
     * help. */
    const char *name, *value, *help;

    /* The member: TRAIN_MEMBER fills these in. */
    train_field_type type;
    train_owner owner;
    size_t offset;
    const char *member; /* its name in C */

    const char *key;    /* in metadata: "model.d_model"; NULL: not saved */
    const char *absent; /* the value in files of versions without the key; NULL: an error */

    /* The words for an enum's values, of which the first is `first`, or the texts
     * allowed; NULL after the last. NULL: a number, or any text. */
    const char *(*names)(int i);
    int first;
    double low, high; /* the range of a number, ends included; low not below high: no end */
    double most; /* not 0: the library takes 0 to this, and the range only catches slips */
    /* Since 0 means the default, the value 0 ("none") is stored as -1. */
    bool none;
    double usual;          /* the default; 0 where it is 0, or depends on other options */
    const char *otherwise; /* the default in words, where a number does not say it all */
    int sets;              /* a switch for an enum: the value that it sets */

    bool local;      /* concerns one call of the command: a resume does not repeat it */
    bool changeable; /* a resumed run may change it */
    bool describes;  /* describes the model, though nn_model_config does not have it */
    /* A file: the program that joins two files, for a user who gives two; of a list "," */
    const char *joined_by;
    train_written written;
    /* Whether the option has an effect. Where it has none, the command refuses the flag
     * with the sentence `goes`, which follows the flag's name. NULL: always. */
    bool (*needs)(const struct train_recipe *recipe);
    const char *goes;

    /* The title in `tapeformer info`; values with the same title share a line. `words`:
     * a word for each value of a bool or enum ("" is not printed), or what precedes a
     * number. */
    const char *info;
    const char *words[3];
} train_field;

/* The members of a train_field that follow from the member's declaration. */
#define TRAIN_MEMBER(owner_, struct_, member_)                                                                         \
    .owner = (owner_), .offset = offsetof(struct_, member_), .member = #member_,                                       \
    .type = TRAIN_FIELD_TYPE(((struct_ *)0)->member_)

/* Defines a function for train_field.names. */
#define TRAIN_NAMES(function, ...)                                                                                     \
    const char *function(int i)                                                                                        \
    {                                                                                                                  \
        static const char *const names[] = {__VA_ARGS__};                                                              \
        return i >= 0 && i < (int)(sizeof names / sizeof *names) ? names[i] : NULL;                                    \
    }

/* ---- Values ------------------------------------------------------------------------ */

/* `object` is the struct that has the member. */

/* The value of a number or a switch. */
double train_field_number(const train_field *field, const void *object);
void train_field_set_number(const train_field *field, void *object, double value);
/* The value of a TRAIN_TEXT. */
const char *train_field_text(const train_field *field, const void *object);
void train_field_set_text(const train_field *field, void *object, const char *text);
/* The upper end of the range; of a count without one, TRAIN_MOST: a double holds every
 * whole number up to there, and sums of a few stay within int64_t. */
#define TRAIN_MOST 9e15
double train_field_high(const train_field *field);
/* Writes the value as text that reads back to the same value. */
void train_field_print(const train_field *field, const void *object, char *text, size_t size);
/* Reads the value of a field with `value` from a text, which must live as long as the
 * member points to it. Returns false if it is none, and says in expected [size] what it
 * could be: "a whole number from 1 to 100", "one of none, sinusoidal" (cut to `size`). */
bool train_field_read(const train_field *field, void *object, const char *text, char *expected, size_t size) AG_CHECKED;
bool train_field_same(const train_field *field, const void *a, const void *b);
void train_field_copy(const train_field *field, void *to, const void *from);

/* ---- Metadata ---------------------------------------------------------------------- */

/* The i-th member of a struct that is saved; NULL after the last. */
typedef const train_field *(*train_fields)(int i);

/* Adds each member of `object` to the writer's metadata. */
ag_status train_fields_write(train_fields fields, const void *object, data_writer *writer, ag_error *error) AG_CHECKED;
/* Reads each member from the file's metadata. A key that is missing, or has another kind
 * of value, is an error that names it. */
ag_status train_fields_read(train_fields fields, void *object, const data_safetensors *file, const char *path,
                            ag_error *error) AG_CHECKED;
/* Gives each member of `object` that is zero the value that it has in `from`. */
void train_fields_take(train_fields fields, void *object, const void *from);
/* Whether the file has the values of `object`, changeable ones aside; the error names the
 * first that differs. */
ag_status train_fields_agree(train_fields fields, const void *object, const data_safetensors *file, const char *path,
                             ag_error *error) AG_CHECKED;

#endif
