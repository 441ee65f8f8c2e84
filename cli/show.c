/* show.c - see show.h. */
#include "show.h"

#include <string.h>

void cli_show(FILE *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t code;
        char shown[5];
        int taken = ag_text_show_next(text, left, &code);
        ag_utf8_print(code, shown);
        fputs(shown, out);
        text += taken;
        left -= (size_t)taken;
    }
}

void cli_put_field(FILE *out, const char *text, size_t size, bool any_bytes)
{
    for (const char *end = text + size; text < end;) {
        const int length = *text ? ag_utf8_length(text, (size_t)(end - text)) : 1;
        if (!*text || *text == '\t' || *text == '\n' || *text == '\r')
            fprintf(out, "\\%02x", (unsigned)*text);
        else if (length > 0 || any_bytes)
            fwrite(text, 1, length > 0 ? (size_t)length : 1, out);
        else
            fputs("\xEF\xBF\xBD", out);
        text += length > 0 ? length : 1;
    }
}
