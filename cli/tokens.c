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
    bos = bos && data_vocab_marks(vocab)[DATA_BOS] != DATA_NONE;
    int32_t *tokens = data_vocab_known(vocab, text, size, bos, count, &error);
    if (!tokens)
        cli_fail(command, CLI_FAILED, "--%s: %s", flag, error.message);
    if (tokens && bos) {
        tokens[0] = data_vocab_marks(vocab)[DATA_BOS];
        ++*count;
    }
    return tokens;
}

int32_t cli_first_token(const data_vocab *vocab)
{
    int32_t id = 0;
    while (id < data_vocab_size(vocab) && data_vocab_is_mark(vocab, id))
        id++;
    return id < data_vocab_size(vocab) ? id : DATA_NONE;
}

char *cli_text(const data_vocab *vocab, const int32_t *tokens, int64_t count, size_t *size)
{
    *size = data_vocab_decode(vocab, tokens, count, NULL, 0);
    char *text = malloc(*size + 1);
    if (text)
        data_vocab_decode(vocab, tokens, count, text, *size + 1);
    return text;
}
