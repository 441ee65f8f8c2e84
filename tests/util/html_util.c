/* html_util.c - is a text the HTML that reports are written in? */
#include "html_util.h"

#include "check_util.h"

#include <stdio.h>
#include <string.h>

/* A reader of what html_util.h describes. */
typedef struct markup {
    const char *html, *at;
    char open[64][32];
    int depth;
    char ids[4096][48];
    int id_count;
} markup;

static void wrong(const markup *m, const char *what)
{
    ck_abort_msg("byte %td: %s: %.80s", m->at - m->html, what, m->at);
}

static bool begins(const markup *m, const char *text)
{
    return !strncmp(m->at, text, strlen(text));
}

/* Text up to `end`, which stays. */
static void read_text(markup *m, char end)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (; *m->at && *m->at != end; m->at++) {
        bool known = *m->at != '&';
        for (int i = 0; i < 5; i++)
            known = known || begins(m, entities[i]);
        if (!known || *m->at == '<')
            wrong(m, "a mark that is not escaped");
    }
    if (!*m->at && end == '"')
        wrong(m, "a value without an end");
}

static void read_name(markup *m, char name[32])
{
    size_t length = strspn(m->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:");
    if (length == 0 || length > 31)
        wrong(m, "a name was expected");
    snprintf(name, 32, "%.*s", (int)length, m->at);
    m->at += length;
}

static void note_attribute(markup *m, const char *name, const char *value, int length)
{
    if (!strcmp(name, "id")) {
        for (int i = 0; i < m->id_count; i++)
            if (strlen(m->ids[i]) == (size_t)length && !strncmp(m->ids[i], value, (size_t)length))
                wrong(m, "an id comes twice");
        ck_assert_int_lt(m->id_count, 4096);
        snprintf(m->ids[m->id_count++], sizeof m->ids[0], "%.*s", length, value);
    }
    ck_assert_msg(strncmp(name, "on", 2) != 0, "a handler in the markup: %s", name);
    static const char *const fetching[] = {"src", "srcset", "action", "data", "poster", "background", "xlink:href"};
    for (int i = 0; i < 7; i++)
        ck_assert_msg(strcmp(name, fetching[i]) != 0, "an attribute that fetches: %s", name);
    ck_assert_msg(strcmp(name, "href") != 0 || *value == '#', "a link to the outside: %.*s", length, value);
}

static void read_attributes(markup *m)
{
    char names[16][32];
    int count = 0;
    while (*m->at == ' ') {
        m->at++;
        ck_assert_int_lt(count, 16);
        read_name(m, names[count]);
        for (int i = 0; i < count; i++)
            if (!strcmp(names[i], names[count]))
                wrong(m, "an attribute comes twice");
        if (!begins(m, "=\""))
            wrong(m, "a quoted value was expected");
        const char *value = m->at += 2;
        read_text(m, '"');
        note_attribute(m, names[count++], value, (int)(m->at - value));
        m->at++;
    }
}

/* Behind '<'. */
static void read_tag(markup *m)
{
    char name[32];
    bool closing = *m->at == '/';
    m->at += closing;
    read_name(m, name);
    if (closing) {
        if (m->depth == 0 || strcmp(m->open[m->depth - 1], name) != 0)
            wrong(m, "an element is closed that is not the last one open");
        m->depth--;
    } else {
        read_attributes(m);
        bool empty = !strcmp(name, "meta");
        if (*m->at == '/') { /* only in SVG */
            bool inside = false;
            for (int i = 0; i < m->depth; i++)
                inside = inside || !strcmp(m->open[i], "svg");
            if (!inside)
                wrong(m, "an element of HTML that ends itself");
            empty = true;
            m->at++;
        }
        ck_assert_int_lt(m->depth, 64);
        if (!empty)
            strcpy(m->open[m->depth++], name);
    }
    if (*m->at++ != '>')
        wrong(m, "'>' was expected");
    if (!closing && (!strcmp(name, "script") || !strcmp(name, "style"))) {
        char end[40];
        snprintf(end, sizeof end, "</%s>", name);
        m->at = strstr(m->at, end);
        ck_assert_ptr_nonnull(m->at);
    }
}

/* Every `before`ID`after` names an id that is there. */
static void check_references(const markup *m, const char *before, char after)
{
    for (const char *at = m->html; (at = strstr(at, before));) {
        at += strlen(before);
        size_t length = (size_t)(strchr(at, after) - at);
        bool found = false;
        for (int i = 0; i < m->id_count; i++)
            found = found || (strlen(m->ids[i]) == length && !strncmp(m->ids[i], at, length));
        ck_assert_msg(found, "there is no id %.*s", (int)length, at);
    }
}

void test_check_html(const char *html)
{
    static markup m;
    m = (markup){.html = html, .at = html};
    ck_assert(begins(&m, "<!DOCTYPE html>\n"));
    m.at += strlen("<!DOCTYPE html>");
    while (*m.at) {
        read_text(&m, '<');
        if (*m.at == '<' && m.at++)
            read_tag(&m);
    }
    ck_assert_msg(m.depth == 0, "%s is not closed", m.open[m.depth ? m.depth - 1 : 0]);
    check_references(&m, "url(#", ')');
    check_references(&m, "href=\"#", '"');
    check_references(&m, "aria-describedby=\"", '"');
}
