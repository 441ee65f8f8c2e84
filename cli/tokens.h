/* tokens.h - turns text from the command line into tokens, and tokens into text. */
#ifndef CLI_TOKENS_H
#define CLI_TOKENS_H

#include "data.h"

/* The text of an argument as if it were read from a file: without a byte order mark, and
 * without the CR of a last line end. The shell's $(head -1 FILE) leaves both. */
const char *cli_argument(const char *text, size_t *size);

/* The tokens of the value of --FLAG. With `bos`, the vocabulary's begin mark precedes
 * them if it has one. The array has room for one more token after *count of them. The
 * caller frees the array; NULL after a report on bad UTF-8 or unknown tokens. */
int32_t *cli_tokens(const char *command, const char *flag, const data_vocab *vocab, const char *text, bool bos,
                    int64_t *count);

/* The first token that is no mark, -1 if there is none. */
int32_t cli_first_token(const data_vocab *vocab);

/* The text of tokens, zero-terminated, which the caller frees; NULL: out of memory. *size
 * is its length: of byte pairs, a text may have zero bytes, too. */
char *cli_text(const data_vocab *vocab, const int32_t *tokens, int64_t count, size_t *size);

#endif
