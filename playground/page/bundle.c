/* bundle.c - makes the page: bundle TEMPLATE NAME=FILE... > PAGE
 *
 * In the template, @NAME@ becomes the file's text, @NAME:base64@ its bytes as base64,
 * @STYLE@ the style sheet of the reports, and @NAME:hash@ the SHA-256 of a line feed and
 * the file's text, as a security policy names an inline script. */
#include "../../data/files/sha256.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct text {
    char *bytes; /* [size], and a zero */
    size_t size;
} text;

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "bundle: %s: %s\n", name, what);
    exit(1);
}

static text read_file(const char *path)
{
    text t = {NULL, 0};
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) || (t.size = (size_t)ftell(file)) == (size_t)-1)
        fail("cannot be read", path);
    rewind(file);
    t.bytes = calloc(t.size + 1, 1);
    if (!t.bytes || fread(t.bytes, 1, t.size, file) != t.size)
        fail("cannot be read", path);
    fclose(file);
    return t;
}

static void put_base64(const void *bytes, size_t size)
{
    char *encoded = malloc(DATA_BASE64(size));
    if (!encoded)
        fail("no memory", "base64");
    data_base64(bytes, size, encoded);
    fputs(encoded, stdout);
    free(encoded);
}

/* Writes the hash of a line feed and the file's text: the template has
 * <script>\n@NAME@</script>, and a browser hashes all that stands between the tags. */
static void put_hash(const text *file)
{
    unsigned char digest[DATA_SHA256];
    char *script = malloc(file->size + 1);
    if (!script)
        fail("no memory", "hash");
    script[0] = '\n';
    memcpy(script + 1, file->bytes, file->size);
    data_sha256(script, file->size + 1, digest);
    put_base64(digest, sizeof digest);
    free(script);
}

static void put_style(void)
{
    char *style = study_fragment_style(NULL);
    if (!style)
        fail("no memory", "STYLE");
    fputs(style, stdout);
    free(style);
}

/* Writes what stands for the name [length] in the template. */
static void put_named(const char *name, size_t length, int count, char **arguments)
{
    const char *form = memchr(name, ':', length);
    const size_t own = form ? (size_t)(form - name) : length;
    if (length == strlen("STYLE") && !strncmp(name, "STYLE", length)) {
        put_style();
        return;
    }
    for (int i = 2; i < count; i++) {
        if (strncmp(arguments[i], name, own) || arguments[i][own] != '=')
            continue;
        const text file = read_file(arguments[i] + own + 1);
        if (!form)
            fwrite(file.bytes, 1, file.size, stdout);
        else if (!strncmp(form, ":base64@", 8))
            put_base64(file.bytes, file.size);
        else
            put_hash(&file);
        free(file.bytes);
        return;
    }
    fail("no file of this name", name);
}

int main(int count, char **arguments)
{
    if (count < 2)
        fail("usage: bundle TEMPLATE NAME=FILE... > PAGE", "");
    const text page = read_file(arguments[1]);
    const char *at = page.bytes;
    for (const char *mark; (mark = strchr(at, '@'));) {
        const size_t length = strspn(mark + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ:basehx64");
        fwrite(at, 1, (size_t)(mark - at), stdout);
        at = mark + 1;
        if (length && at[length] == '@') {
            put_named(at, length, count, arguments);
            at += length + 1;
        } else
            putchar('@');
    }
    fputs(at, stdout);
    free(page.bytes);
    return fflush(stdout) || ferror(stdout);
}
