/* tokens.c - see tokens.h. */
#include "tokens.h"

#include "flags.h"

#include <stdlib.h>
#include <string.h>

int32_t *cli_tokens(const char *command, const char *flag, const data_vocab *vocab, const char *text, bool bos,
                    int64_t *count)
{
    size_t size = strlen(text), good = data_utf8_check(text, size);
    int64_t unknown = 0;
    if (good < size) {
        cli_fail(command, CLI_FAILED, "--%s: byte %zu is not UTF-8", flag, good + 1);
        return NULL;
    }
    *count = data_vocab_encode(vocab, text, size, NULL, 0, NULL);
    int32_t *tokens = malloc((size_t)(*count + 2) * sizeof *tokens);
    if (!tokens) {
        cli_fail(command, CLI_FAILED, "out of memory");
        return NULL;
    }
    tokens[0] = DATA_BOS;
    data_vocab_encode(vocab, text, size, tokens + bos, *count, &unknown);
    if (unknown) {
        cli_fail(command, CLI_FAILED, "--%s: %lld of %lld tokens are not in the model's vocabulary", flag,
                 (long long)unknown, (long long)*count);
        free(tokens);
        return NULL;
    }
    return tokens;
}

char *cli_text(const data_vocab *vocab, const int32_t *tokens, int64_t count)
{
    size_t size = data_vocab_decode(vocab, tokens, count, NULL, 0) + 1;
    char *text = malloc(size);
    if (text)
        data_vocab_decode(vocab, tokens, count, text, size);
    return text;
}
