/* pictures.c - saves the pictures of a document, each as an SVG file. */
#include "svg.h"

#include "../document.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { NAME_WORDS = 60 };

/* Writes the letters, digits, '.' and '_' of a title, with '-' for everything between
 * them: a valid file name on every system. */
static void put_name(pen *p, const char *text)
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
    put_name(p, group ? group : "");
    if (p->length > start)
        pen_put(p, "-");
    size_t middle = p->length;
    put_name(p, title);
    if (p->length == start)
        pen_put(p, "picture");
    else if (p->length == middle)
        p->text[--p->length] = 0; /* no '-' at the end */
    pen_put(p, ".svg");
}

/* Writes the picture to its file, and empties both pens. */
static ag_status save_picture(pen *p, pen *path, ag_error *error)
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
        status = save_picture(&saving->picture, &saving->path, error);
    }
    if (part->kind == PART_CHART) {
        svg_chart(&saving->picture, &part->chart, NULL);
        put_path(&saving->path, saving->folder, ++saving->count, NULL, part->chart.title);
        status = save_picture(&saving->picture, &saving->path, error);
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
