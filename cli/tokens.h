/* tokens.h - text from the command line as tokens, and tokens as text. */
#ifndef CLI_TOKENS_H
#define CLI_TOKENS_H

#include "data.h"

/* The text of an argument as a file with that text has it: without a byte order mark, and
 * without the CR of the last line's end, both of which $(head -1 FILE) of a shell
 * leaves. */
const char *cli_argument(const char *text, size_t *size);

/* The tokens of the value of --FLAG, in an array with room for one more before them where `bos` (it is set) and one
 * behind; *count is that of the text's own. To be freed; NULL after saying what is wrong: bad UTF-8, unknown tokens. */
int32_t *cli_tokens(const char *command, const char *flag, const data_vocab *vocab, const char *text, bool bos,
                    int64_t *count);

/* Tokens as text, to be freed; NULL when memory is out. */
char *cli_text(const data_vocab *vocab, const int32_t *tokens, int64_t count);

#endif
