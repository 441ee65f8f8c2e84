/* edited_copy.h - copies of .safetensors files that are well-formed, and yet differ: for
 * the tests of their readers. */
#ifndef TESTS_EDITED_COPY_H
#define TESTS_EDITED_COPY_H

#include <stdbool.h>

/* How a copy differs from its file. */
typedef struct edit {
    const char *key, *value;   /* other metadata; value NULL: none */
    const char *drop;          /* a tensor is left out */
    const char *rename, *name; /* a tensor gets another name, by default "extra" */
    const char *flatten;       /* a tensor gets the shape [size] */
    const char *scramble;      /* a tensor's first byte is another one */
    const char *whole;         /* a tensor becomes I32 */
    const char *dtype;         /* all tensors but GPT-2's buffers get this one: F64, F32, F16 or BF16 */
    const char *cut;           /* all names lose this beginning */
    bool no_buffers;           /* GPT-2's are left out */
} edit;

/* Copies the tensors, and the metadata of these keys (up to NULL; NULL: none). */
void test_copy_edited(const char *from, const char *to, const char *const *keys, edit change);

#endif
