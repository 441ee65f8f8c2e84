/* label.c - see label.h. */
#include "label.h"

#include <string.h>

enum { ELLIPSIS = 0x2026, OPEN_BOX = 0x2423 };

typedef struct code_range {
    uint32_t first, last;
} code_range;

static bool is_in(uint32_t code, const code_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* The most common blocks of characters that terminals draw over the letter before, and of
 * those that take two columns. */
static const code_range marks[] = {{0x300, 0x36F},   {0x483, 0x489},   {0x591, 0x5BD},   {0x610, 0x61A},
                                   {0x64B, 0x65F},   {0x93C, 0x93C},   {0x941, 0x948},   {0x94D, 0x94D},
                                   {0xE31, 0xE31},   {0xE34, 0xE3A},   {0xE47, 0xE4E},   {0x1AB0, 0x1AFF},
                                   {0x1DC0, 0x1DFF}, {0x200B, 0x200D}, {0x20D0, 0x20FF}, {0x302A, 0x302D},
                                   {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}};
static const code_range wide[] = {{0x1100, 0x115F},  {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xA960, 0xA97F},
                                  {0xAC00, 0xD7A3},  {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                                  {0xFFE0, 0xFFE6},  {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF},
                                  {0x20000, 0x3FFFD}};
/* Hebrew, Arabic, Syriac, Thaana, N'Ko and other scripts written from right to left, and
 * their presentation forms. */
static const code_range leftward[] = {
    {0x590, 0x8FF}, {0xFB1D, 0xFDFF}, {0xFE70, 0xFEFE}, {0x10800, 0x10FFF}, {0x1E800, 0x1EFFF}};

#define IS_IN(code, ranges) is_in(code, ranges, sizeof(ranges) / sizeof *(ranges))

static int width_of(uint32_t code)
{
    return code < marks[0].first ? 1 : IS_IN(code, marks) ? 0 : IS_IN(code, wide) ? 2 : 1;
}

/* Reads the characters of a label one by one, as they are shown. */
typedef struct label_reader {
    const char *text, *end;        /* what is still to be read */
    const char *inner, *inner_end; /* spaces outside of these become open boxes */
    uint32_t code;                 /* the character read last, and its width */
    int width;
} label_reader;

static label_reader read_start(const char *text)
{
    label_reader r = {.text = text ? text : ""};
    r.end = r.inner_end = r.text + strlen(r.text);
    r.inner = r.text + strspn(r.text, " ");
    while (r.inner_end > r.inner && r.inner_end[-1] == ' ')
        r.inner_end--;
    return r;
}

static bool read_next(label_reader *r)
{
    if (r->text == r->end)
        return false;
    int length = ag_text_show_next(r->text, (size_t)(r->end - r->text), &r->code);
    if (r->code == ' ' && (r->text < r->inner || r->text >= r->inner_end))
        r->code = OPEN_BOX;
    r->width = width_of(r->code);
    r->text += length;
    return true;
}

static void put_code(pen *p, uint32_t code, bool escaped)
{
    char text[5];
    int length = ag_utf8_print(code, text);
    if (escaped)
        pen_put_escaped(p, text);
    else
        pen_put_bytes(p, text, (size_t)length);
}

/* The width of the uncut label; stops counting above `most`. */
static int width_up_to(const char *text, int most)
{
    int width = 0;
    for (label_reader r = read_start(text); width <= most && read_next(&r);)
        width += r.width;
    return width;
}

bool label_has_text(const char *text)
{
    return text && *text;
}

bool label_is_cut(const char *text, int columns)
{
    return columns > 0 && width_up_to(text, columns) > columns;
}

int label_width(const char *text, int columns)
{
    int kept = 0;
    if (!label_is_cut(text, columns))
        return width_up_to(text, LABEL_WIDEST);
    for (label_reader r = read_start(text); read_next(&r) && kept + r.width < columns;)
        kept += r.width;
    return kept + 1;
}

bool label_is_isolated(const char *text)
{
    bool found = false;
    for (label_reader r = read_start(text); !found && read_next(&r);)
        found = IS_IN(r.code, leftward);
    return found;
}

static void put_shown(pen *p, const char *text, int columns, bool escaped)
{
    bool cut = label_is_cut(text, columns);
    int width = 0;
    for (label_reader r = read_start(text); read_next(&r) && (!cut || width + r.width < columns); width += r.width)
        put_code(p, r.code, escaped);
    if (cut)
        put_code(p, ELLIPSIS, false);
}

void pen_put_label(pen *p, const char *text, int columns, bool escaped)
{
    const bool isolated = label_is_isolated(text);
    pen_put(p, "%s", isolated ? LABEL_ISOLATE : "");
    put_shown(p, text, columns, escaped);
    pen_put(p, "%s", isolated ? LABEL_ISOLATED : "");
}

void pen_put_word(pen *p, const char *text)
{
    put_shown(p, text, 0, false);
}

int pen_put_fitting(pen *p, const char **text, int columns)
{
    int width = 0;
    label_reader r = read_start(*text);
    while (read_next(&r) && (width == 0 || width + r.width <= columns)) {
        put_code(p, r.code, false);
        width += r.width;
        *text = r.text;
    }
    return width;
}

int pen_put_glyph(pen *p, const char *text, int index)
{
    int at = -1, width = 0;
    for (label_reader r = read_start(text); read_next(&r) && at <= index;) {
        at += r.width > 0 || at < 0;
        if (at != index)
            continue;
        put_code(p, r.code, false);
        width += r.width;
    }
    return width;
}
