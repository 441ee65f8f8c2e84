/* playground.h - a model in training, and the masks that it trains under, as a page in a
 * browser shows and changes them.
 *
 * The page asks, by a verb and a text, and gets an answer, which is JSON or a fragment of
 * HTML whose pictures are those of the reports. playground.c has the table of verbs;
 * exports.c hands questions and answers over to WebAssembly's host. Everything here runs
 * natively too: so the tests do, and so equal settings can be compared byte by byte.
 *
 * It reads and writes files in the working folder: the model that is taken along, and the
 * lines that a person has typed. In a page these are in memory.
 *
 * Threads: one at a time.
 */
#ifndef PLAYGROUND_H
#define PLAYGROUND_H

#include "autograd.h"

typedef struct playground playground;

/* A playground without a model, to be freed by the caller; NULL if out of memory. */
playground *playground_new(void);
/* Frees it; NULL is allowed. */
void playground_free(playground *p);

/* Does what the verb says with the text. The answer, or the sentence that says what is
 * wrong, is playground_answer(p) until the next call. After an error the playground is as
 * it was before. */
ag_status playground_ask(playground *p, const char *verb, const char *text) AG_CHECKED;
const char *playground_answer(const playground *p);

#endif
