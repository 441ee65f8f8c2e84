/* fields.h - structs as lines of text: a table says which members a struct has, and one loop writes, reads or compares
 * them.
 *
 * What a file must say of a model or a run (sizes, options, counters) is metadata: one readable "name" = "value" for
 * each member. The text of a value is canonical, so two values are equal where their texts are.
 */
#ifndef TRAIN_FIELDS_H
#define TRAIN_FIELDS_H

#include "data.h"

typedef enum train_field_type {
    TRAIN_FIELD_INTEGER, /* int, int32_t or int64_t, by `size` */
    TRAIN_FIELD_SEED,    /* uint64_t */
    TRAIN_FIELD_DOUBLE,  /* the shortest decimal text that reads back as the same number */
    TRAIN_FIELD_BOOL,    /* "true" or "false" */
    TRAIN_FIELD_CHOICE   /* an enum whose values count up from `first`: one of `choices` */
} train_field_type;

typedef struct train_field {
    const char *name; /* the metadata's key: "model.d_model" */
    train_field_type type;
    size_t offset, size;
    const char *const *choices; /* ended by NULL */
    const char *absent;         /* the value in files of versions that did not write it; NULL: it must be there */
    int first;                  /* the enum's value for the first of `choices` */
} train_field;

#define TRAIN_FIELD(name, type, owner, member)                                                                         \
    {                                                                                                                  \
        name, type, offsetof(owner, member), sizeof(((owner *)0)->member), NULL, NULL, 0                               \
    }
#define TRAIN_FIELD_OF(name, choices, owner, member, absent)                                                           \
    {                                                                                                                  \
        name, TRAIN_FIELD_CHOICE, offsetof(owner, member), sizeof(((owner *)0)->member), choices, absent, 0            \
    }

/* Adds each member of `object` to the writer's metadata. */
ag_status train_fields_write(const train_field *fields, int count, const void *object, data_writer *writer,
                             ag_error *error) AG_CHECKED;
/* Reads each member from the file's metadata; a key that is missing or has another kind of value is an error that names
 * it. */
ag_status train_fields_read(const train_field *fields, int count, void *object, const data_safetensors *file,
                            const char *path, ag_error *error) AG_CHECKED;
/* Gives each member of `object` that is zero the value that it has in `from`. */
void train_fields_take(const train_field *fields, int count, void *object, const void *from);
/* Whether the file says the same of each member as `object` does; the error names the first that differs. */
ag_status train_fields_agree(const train_field *fields, int count, const void *object, const data_safetensors *file,
                             const char *path, ag_error *error) AG_CHECKED;

#endif
