/* xml_util.c - a strict reader of XML: well-formed or not. */
#include "xml_util.h"

#include "data.h"

#include <string.h>

enum { DEPTH = 16, ATTRIBUTES = 24, IDS = 256, NAME = 64 };

typedef struct xml {
    const char *text, *at, *fault;
    char open[DEPTH][NAME];
    int depth;
    char ids[IDS][NAME];
    int id_count;
} xml;

static bool fail(xml *x, const char *fault)
{
    if (!x->fault)
        x->fault = fault;
    return false;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == ':' || c == '.';
}

static bool read_name(xml *x, char name[NAME])
{
    size_t length = 0;
    if (!is_name(*x->at) || (*x->at >= '0' && *x->at <= '9') || *x->at == '-' || *x->at == '.')
        return fail(x, "a name was expected");
    while (is_name(x->at[length]))
        length++;
    if (length >= NAME)
        return fail(x, "a name is too long");
    memcpy(name, x->at, length);
    name[length] = 0;
    x->at += length;
    return true;
}

static void skip_space(xml *x)
{
    while (*x->at == ' ' || *x->at == '\n' || *x->at == '\t')
        x->at++;
}

/* One character of text: an entity, or a Char of XML. */
static bool read_character(xml *x)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    const unsigned char *byte = (const unsigned char *)x->at;
    if (strncmp(x->at, "]]>", 3) == 0)
        return fail(x, "there is ]]> in a text");
    for (size_t i = 0; *byte == '&' && i < sizeof entities / sizeof *entities; i++)
        if (strncmp(x->at, entities[i], strlen(entities[i])) == 0) {
            x->at += strlen(entities[i]);
            return true;
        }
    if (*byte == '&')
        return fail(x, "an entity is not known");
    int length = ag_utf8_length(x->at, strnlen(x->at, 4));
    if (length == 0)
        return fail(x, "a character is no UTF-8");
    if (*byte < 0x20 && *byte != '\n' && *byte != '\t')
        return fail(x, "there is a control character");
    if (length == 3 && byte[0] == 0xEF && byte[1] == 0xBF && byte[2] >= 0xBE)
        return fail(x, "a character is none of XML");
    x->at += length;
    return true;
}

static bool read_attribute(xml *x, char names[ATTRIBUTES][NAME], int count)
{
    char *name = names[count];
    if (!read_name(x, name))
        return false;
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return fail(x, "an attribute comes twice");
    if (x->at[0] != '=' || x->at[1] != '"')
        return fail(x, "an attribute has no quoted value");
    const char *value = x->at += 2;
    while (*x->at && *x->at != '"') {
        if (*x->at == '<')
            return fail(x, "there is < in a value");
        if (!read_character(x))
            return false;
    }
    if (!*x->at)
        return fail(x, "a value does not end");
    if (!strcmp(name, "id")) {
        size_t length = (size_t)(x->at - value);
        if (x->id_count == IDS || length == 0 || length >= NAME)
            return fail(x, "an id is no id");
        memcpy(x->ids[x->id_count], value, length);
        x->ids[x->id_count][length] = 0;
        for (int i = 0; i < x->id_count; i++)
            if (!strcmp(x->ids[i], x->ids[x->id_count]))
                return fail(x, "an id comes twice");
        x->id_count++;
    }
    x->at++;
    return true;
}

static bool read_tag(xml *x)
{
    char names[ATTRIBUTES][NAME], name[NAME];
    int count = 0;
    x->at++;
    if (*x->at == '/') {
        x->at++;
        if (!read_name(x, name))
            return false;
        if (*x->at++ != '>' || x->depth == 0 || strcmp(x->open[--x->depth], name) != 0)
            return fail(x, "an end tag does not fit");
        return true;
    }
    if (!read_name(x, name))
        return false;
    for (;;) {
        const char *before = x->at;
        skip_space(x);
        if (*x->at == '>' || *x->at == '/')
            break;
        if (x->at == before || count == ATTRIBUTES)
            return fail(x, "an attribute was expected");
        if (!read_attribute(x, names, count++))
            return false;
    }
    bool empty = *x->at == '/';
    x->at += empty;
    if (*x->at++ != '>')
        return fail(x, "a tag does not end");
    if (empty)
        return true;
    if (x->depth == DEPTH)
        return fail(x, "elements are too deep");
    strcpy(x->open[x->depth++], name);
    return true;
}

/* Every url(#name) names an id. */
static bool check_references(xml *x)
{
    for (const char *at = x->text; (at = strstr(at, "url(#")) != NULL; at++) {
        bool known = false;
        for (int i = 0; i < x->id_count; i++)
            known |= strncmp(at + 5, x->ids[i], strlen(x->ids[i])) == 0 && at[5 + strlen(x->ids[i])] == ')';
        if (!known) {
            x->at = at;
            return fail(x, "there is no such id");
        }
    }
    return true;
}

const char *test_xml_fault(const char *text, size_t *at)
{
    static xml x; /* too large for a stack */
    memset(&x, 0, sizeof x);
    x.text = x.at = text;
    bool good = *text == '<' || fail(&x, "an element was expected");
    do
        good = good && (*x.at == '<' ? read_tag(&x) : *x.at ? read_character(&x) : fail(&x, "the text ends early"));
    while (good && x.depth > 0);
    skip_space(&x);
    if (good && *x.at)
        good = fail(&x, "there is more behind the element");
    if (good)
        check_references(&x);
    *at = (size_t)(x.at - text);
    return x.fault;
}
