/* tokens.c - see tokens.h. */
#include "tokens.h"

#include "flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reports how many tokens are unknown, and the first of them. A control character is
 * shown as it is escaped in vocabulary files. */
static void report_unknown(const char *command, const char *flag, const data_vocab *vocab, const char *text,
                           size_t size, int64_t unknown, int64_t count)
{
    const char *token = "";
    size_t at = 0, length = 0;
    char code[8];
    while (data_token_next(data_vocab_kind(vocab), text, size, &at, &token, &length) &&
           data_vocab_find(vocab, token, length) != DATA_UNK)
        continue;
    if (length == 1 && ((unsigned char)*token < ' ' || *token == 0x7F)) {
        snprintf(code, sizeof code, "\\%02x", (unsigned char)*token);
        token = code;
        length = strlen(code);
    }
    cli_fail(command, CLI_FAILED, "--%s: %lld of %lld %s %s not in the model's vocabulary, the first of them '%.*s'",
             flag, (long long)unknown, (long long)count, ag_plural(count, "token", "tokens"),
             ag_plural(unknown, "is", "are"), (int)length, token);
}

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
    size_t size;
    text = cli_argument(text, &size);
    const size_t good = data_utf8_check(text, size);
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
        report_unknown(command, flag, vocab, text, size, unknown, *count);
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
