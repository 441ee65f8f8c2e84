/* fields.h - members of structs that have a text: in metadata, on the command line, in help.
 *
 * A train_field describes one member: its name, its type, the values that it may have and
 * what they mean. The options of a training are one table of them (options.h), and
 * everything that reads, checks, writes or prints options walks that table.
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

/* The type of a variable or member, so that no row can state another one. */
#define TRAIN_FIELD_TYPE(member)                                                                                       \
    _Generic((member), int64_t: TRAIN_INT64, uint64_t: TRAIN_UINT64, double: TRAIN_DOUBLE, bool: TRAIN_BOOL,          \
             const char *: TRAIN_TEXT, default: TRAIN_INT)

/* The struct that a member belongs to: see train_recipe in options.h. */
typedef enum train_owner { TRAIN_RECIPE = 0, TRAIN_DATA, TRAIN_MODEL, TRAIN_RUN } train_owner;

struct train_recipe;

typedef struct train_field {
    /* The command's side. */
    const char *name;  /* the flag: "d-model" for --d-model; NULL: no flag sets this member */
    const char *value; /* what help calls the flag's value: "N"; NULL: the flag is a switch */
    const char *help;
    /* The member. */
    train_field_type type;
    train_owner owner;
    size_t offset;
    const char *member; /* the name in C */
    const char *key;    /* of the metadata: "model.d_model"; NULL: not saved */
    const char *absent; /* the value in files of versions that did not write the key; NULL: the key must be there */
    /* The values. */
    const char *(*names)(int i); /* the words for an enum's values, or the texts allowed; NULL after the last */
    int first;                   /* the value of an enum that has the name 0 */
    double low, high;            /* numbers: the range, ends included; low not below high: no upper limit */
    double usual;                /* numbers: the default; 0 where it depends on other options, or is 0 */
    const char *otherwise;       /* the default in words, where `usual` is not all of it */
    int sets;                    /* a switch for an enum: the value that it sets */
    bool none;                   /* the member is -1 where the value 0 ("none") was given, since 0 means the default */
    bool slips; /* the range only catches slips of the keyboard: the library takes any positive number */
    /* Runs. */
    bool local;            /* belongs to one call of the command, and is no part of the run that a resume repeats */
    bool changeable;       /* a resumed run may have another value than the one that it began with */
    bool describes;        /* describes the model, though its owner is not the model's configuration */
    const char *joined_by; /* a file: the program that makes one file of several, for a user who gives two */
    /* Where this does not hold, the flag would have no effect: the command refuses it with
     * the sentence `goes`, which follows the flag's name. */
    bool (*needs)(const struct train_recipe *recipe);
    const char *goes;
    /* tapeformer info: values with the same title share a line. `words` holds a word for
     * each value of a bool or enum ("" is not printed), or what precedes a number. */
    const char *info;
    const char *words[3];
} train_field;

/* A row's owner, type and offset. */
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

/* ---- Values --------------------------------------------------------------------------------- */

/* `object` is the struct that has the member. */

/* The value of a number or a switch. */
double train_field_number(const train_field *field, const void *object);
void train_field_set_number(const train_field *field, void *object, double value);
/* The value of a TRAIN_TEXT. */
const char *train_field_text(const train_field *field, const void *object);
void train_field_set_text(const train_field *field, void *object, const char *text);
/* Writes the value as text that reads back to the same value. */
void train_field_print(const train_field *field, const void *object, char *text, size_t size);
bool train_field_same(const train_field *field, const void *a, const void *b);
void train_field_copy(const train_field *field, void *to, const void *from);

/* ---- Metadata ------------------------------------------------------------------------------- */

/* The i-th member of a struct that is saved; NULL after the last. */
typedef const train_field *(*train_fields)(int i);

/* Adds each member of `object` to the writer's metadata. */
ag_status train_fields_write(train_fields fields, const void *object, data_writer *writer, ag_error *error) AG_CHECKED;
/* Reads each member from the file's metadata. A key that is missing, or has another kind of value, is an error that
 * names it. */
ag_status train_fields_read(train_fields fields, void *object, const data_safetensors *file, const char *path,
                            ag_error *error) AG_CHECKED;
/* Gives each member of `object` that is zero the value that it has in `from`. */
void train_fields_take(train_fields fields, void *object, const void *from);
/* Whether the file has the values of `object`, changeable ones aside; the error names the first that differs. */
ag_status train_fields_agree(train_fields fields, const void *object, const data_safetensors *file, const char *path,
                             ag_error *error) AG_CHECKED;

#endif
