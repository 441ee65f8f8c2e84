/* tokens.c - see tokens.h. */
#include "tokens.h"

#include "flags.h"

#include <stdlib.h>
#include <string.h>

const char *cli_argument(const char *text, size_t *size)
{
    const size_t all = strlen(text), start = data_text_start(text, all);
    *size = all - start;
    *size -= *size > 0 && text[all - 1] == '\r';
    return text + start;
}

int32_t *cli_tokens(const char *command, const char *flag, const data_vocab *vocab, const char *text, bool bos,
                    int64_t *count)
{
    ag_error error = {0};
    size_t size;
    text = cli_argument(text, &size);
    int32_t *tokens = data_vocab_known(vocab, text, size, bos, count, &error);
    if (tokens && bos)
        tokens[0] = DATA_BOS;
    if (!tokens)
        cli_fail(command, CLI_FAILED, "--%s: %s", flag, error.message);
    return tokens;
}

char *cli_text(const data_vocab *vocab, const int32_t *tokens, int64_t count, size_t *size)
{
    *size = data_vocab_decode(vocab, tokens, count, NULL, 0);
    char *text = malloc(*size + 1);
    if (text)
        data_vocab_decode(vocab, tokens, count, text, *size + 1);
    return text;
}
