/* pictures.c - saves the pictures of a document, each as an SVG file. */
#include "svg.h"

#include "../document.h"

#include "files.h"

#include <stdlib.h>

enum { NAME_WORDS = 60 };

/* Adds the letters, digits, '.' and '_' of a text to the name that begins at `start`,
 * with '-' for everything between them: a valid file name on every system. */
static void put_name(pen *p, size_t start, const char *text)
{
    bool gap = p->length > start;
    const size_t most = p->length + NAME_WORDS + gap;
    for (; *text && p->length < most; text++) {
        char byte = *text;
        bool word = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                    byte == '_' || byte == '.';
        if (word)
            pen_put(p, "%s%c", gap ? "-" : "", byte);
        gap = !word && (gap || p->length > start);
    }
}

typedef struct picture_saver {
    const char *folder;
    int count; /* of pictures */
    pen picture, path;
} picture_saver;

static void put_path(picture_saver *saver, const char *group, const char *title)
{
    pen *p = &saver->path;
    pen_put(p, "%s/%02d-", saver->folder, ++saver->count);
    const size_t start = p->length;
    put_name(p, start, group ? group : "");
    put_name(p, start, title);
    pen_put(p, "%s.svg", p->length == start ? "picture" : "");
}

/* Writes the picture to its file, and empties both pens. `group` may be NULL. */
static ag_status save_picture(picture_saver *saver, const char *group, const char *title, ag_error *error)
{
    put_path(saver, group, title);
    ag_status status = saver->path.failed ? ag_error_set(error, AG_NO_MEMORY, "out of memory for a picture")
                                          : pen_save(&saver->picture, saver->path.text, "a picture", error);
    saver->picture.length = saver->path.length = 0;
    return status;
}

static ag_status save_part(picture_saver *saver, const document_part *part, ag_error *error)
{
    ag_status status = AG_OK;
    for (int64_t i = 0; part->kind == PART_HEATS && i < part->heat_count && status == AG_OK; i++) {
        svg_heat(&saver->picture, &part->heats[i], NULL);
        status = save_picture(saver, part->heats[i].group, part->heats[i].title, error);
    }
    if (part->kind == PART_CHART) {
        svg_chart(&saver->picture, &part->chart, NULL);
        status = save_picture(saver, NULL, part->chart.title, error);
    }
    if (part->kind == PART_GRAPH) {
        svg_graph(&saver->picture, &part->graph, NULL);
        status = save_picture(saver, NULL, part->graph.title, error);
    }
    return status;
}

ag_status study_document_save_pictures(const study_document *document, const char *folder, ag_error *error)
{
    picture_saver saver = {.folder = folder};
    ag_status status = document_check(document, error);
    if (status == AG_OK)
        status = data_folder_make(folder, error);
    for (const document_part *part = status == AG_OK ? document->first : NULL; part && status == AG_OK;
         part = part->next)
        status = save_part(&saver, part, error);
    free(saver.picture.text);
    free(saver.path.text);
    return status;
}
