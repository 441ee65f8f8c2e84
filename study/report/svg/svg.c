/* svg.c - what all pictures share, and their files. */
#include "../draw.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- Elements ------------------------------------------------------------------------------- */

const char *svg_prefix(const char *id)
{
    return id ? id : "picture";
}

/* Dark where a screen's reader wants it, and never on paper. */
static void put_style(pen *p)
{
    pen_put(p, "<style>\nsvg{");
    style_put_colours(p, false);
    pen_put(p, "}\n@media screen and (prefers-color-scheme:dark){svg{");
    style_put_colours(p, true);
    pen_put(p, "}}\n");
    style_put_rules(p);
    pen_put(p, "</style>\n<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n");
}

void svg_open(pen *p, const char *id, double width, double height, const char *title, const pen *description)
{
    const char *prefix = svg_prefix(id);
    pen_put(p, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"study-picture\" width=\"");
    pen_put_fixed(p, width, 0);
    pen_put(p, "\" height=\"");
    pen_put_fixed(p, height, 0);
    pen_put(p, "\" viewBox=\"0 0 ");
    pen_put_fixed(p, width, 0);
    pen_put(p, " ");
    pen_put_fixed(p, height, 0);
    pen_put(p, "\" role=\"img\" aria-label=\"");
    pen_put_escaped(p, title);
    pen_put(p, "\" aria-describedby=\"%s-description\">\n<title>", prefix);
    pen_put_escaped(p, title);
    pen_put(p, "</title>\n<desc id=\"%s-description\">", prefix);
    pen_put_escaped(p, description->text);
    pen_put(p, "</desc>\n");
    p->failed |= description->failed;
    if (!id)
        put_style(p);
}

bool svg_has_text(const char *text)
{
    return text && *text;
}

double svg_text_width(const char *text, int columns, double font_size)
{
    return 0.61 * font_size * label_width(text, columns);
}

void svg_text(pen *p, const char *style, double x, double y, const char *text, int columns, const char *more)
{
    pen_put(p, "<text class=\"%s\" x=\"", style);
    pen_put_fixed(p, x, 2);
    pen_put(p, "\" y=\"");
    pen_put_fixed(p, y, 2);
    pen_put(p, "\"%s>", more);
    if (label_is_cut(text, columns)) {
        pen_put(p, "<title>");
        pen_put_escaped(p, text);
        pen_put(p, "</title>");
    }
    pen_put_label(p, text, columns, true);
    pen_put(p, "</text>\n");
}

/* ---- Files ---------------------------------------------------------------------------------- */

enum { NAME_WORDS = 60 };

/* Letters, digits, '.' and '_' of a title, '-' for all between: a name on every system. */
static void put_words(pen *p, const char *text)
{
    size_t start = p->length;
    bool gap = false;
    for (; *text && p->length - start < NAME_WORDS; text++) {
        char byte = *text;
        bool word = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                    byte == '_' || byte == '.';
        if (word)
            pen_put(p, "%s%c", gap ? "-" : "", byte);
        gap = !word && (gap || p->length > start);
    }
}

static void put_path(pen *p, const char *folder, int number, const char *group, const char *title)
{
    pen_put(p, "%s/%02d-", folder, number);
    size_t start = p->length;
    put_words(p, group ? group : "");
    if (p->length > start)
        pen_put(p, "-");
    size_t middle = p->length;
    put_words(p, title);
    if (p->length == start)
        pen_put(p, "picture");
    else if (p->length == middle)
        p->text[--p->length] = 0; /* no '-' at the end */
    pen_put(p, ".svg");
}

/* Writes what the pen holds, and empties the pen. */
static ag_status save(pen *p, pen *path, ag_error *error)
{
    ag_status status = path->failed ? ag_error_set(error, AG_NO_MEMORY, "out of memory for a picture")
                                    : pen_save(p, path->text, "a picture", error);
    p->length = path->length = 0;
    return status;
}

typedef struct picture_saving {
    const char *folder;
    int count;
    pen picture, path;
} picture_saving;

static ag_status save_part(picture_saving *saving, const document_part *part, ag_error *error)
{
    ag_status status = AG_OK;
    for (int64_t i = 0; part->kind == PART_HEATS && i < part->heat_count && status == AG_OK; i++) {
        svg_heat(&saving->picture, &part->heats[i], NULL);
        put_path(&saving->path, saving->folder, ++saving->count, part->heats[i].group, part->heats[i].title);
        status = save(&saving->picture, &saving->path, error);
    }
    if (part->kind == PART_CHART) {
        svg_chart(&saving->picture, &part->chart, NULL);
        put_path(&saving->path, saving->folder, ++saving->count, NULL, part->chart.title);
        status = save(&saving->picture, &saving->path, error);
    }
    return status;
}

ag_status study_document_save_pictures(const study_document *document, const char *folder, ag_error *error)
{
    picture_saving saving = {.folder = folder};
    ag_status status = document_check(document, error);
    if (status == AG_OK && mkdir(folder, 0777) != 0 && errno != EEXIST)
        status = ag_error_set(error, AG_IO, "%.200s: cannot make the folder: %s", folder, AG_REASON(errno));
    for (const document_part *part = status == AG_OK ? document->first : NULL; part && status == AG_OK;
         part = part->next)
        status = save_part(&saving, part, error);
    free(saving.picture.text);
    free(saving.path.text);
    return status;
}
