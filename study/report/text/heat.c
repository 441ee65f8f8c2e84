/* heat.c - heat maps drawn with characters. They are drawn line by line, because several
 * can be side by side.
 *
 * A map that is too wide gets narrow cells, with its column labels written downwards; if
 * it is still too wide, it is cut into several views, one below the other.
 */
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum {
    DRAWN = 80, /* rows and columns; larger maps are drawn in blocks */
    LABEL_COLUMNS = 16,
    DOWNWARD_LINES = 12, /* of labels that are written downwards */
    ABREAST = 8,         /* maps side by side, at most */
    GAP = 4,
    DIVIDER = 2, /* columns of the line between both sides */
    KEY_GAP = 3,
    WIDE_KEY = 40
};

/* The columns [first, end) of a map, which are drawn at once. */
typedef struct heat_view {
    heat_grid grid;
    const text_style *style;
    int64_t first, end;
    pen title, corner, note; /* title and note split into lines */
    int label;               /* columns where labels are cut */
    int left, cell;          /* columns of the row labels, and of a cell */
    int downward;            /* lines of column labels written downwards; 0: in one line */
    int title_lines, note_lines;
    int64_t line_count;
    int width;
} heat_view;

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* ---- Layout ------------------------------------------------------------------------ */

/* Splits a text, whose lines each end with a line feed, into strings that follow each
 * other. Returns how many. *widest grows to the width of the widest. */
static int split_lines(char *text, int *widest)
{
    int lines = 0;
    for (char *end; text && (end = strchr(text, '\n')); text = end + 1, lines++) {
        *end = 0;
        *widest = larger(*widest, label_width(text, 0));
    }
    return lines;
}

/* "decoder looks at itself, layer 0, head 0 (0 to 3.4)" */
static void put_title(pen *p, const heat_view *v)
{
    const study_heat *heat = v->grid.heat;
    const bool both = label_has_text(heat->group) && label_has_text(heat->title);
    pen title = {0};
    pen_put(&title, "%s%s%s", label_has_text(heat->group) ? heat->group : "", both ? ", " : "", heat->title);
    if (v->grid.high != 1 && !heat->kinds) {
        pen_put(&title, " (0 to ");
        pen_put_number(&title, v->grid.high, 3);
        pen_put(&title, ")");
    }
    if (heat_grid_is_blocked(&v->grid))
        pen_put(&title, " (the largest of each %lld x %lld)", (long long)v->grid.row_block,
                (long long)v->grid.column_block);
    if (v->first > 0 || v->end < v->grid.columns)
        pen_put(&title, " (columns %lld to %lld of %lld)", (long long)v->first + 1, (long long)v->end,
                (long long)v->grid.columns);
    terminal_put_paragraph(p, pen_text(&title), v->style->width);
    pen_discard(p, &title);
}

/* "query\key", above the row labels and before the column labels. */
static void put_corner(pen *p, const heat_view *v)
{
    const study_heat *heat = v->grid.heat;
    if (!label_has_text(heat->row_axis) && !label_has_text(heat->column_axis))
        return;
    pen_put_label(p, heat->row_axis, v->label, false);
    pen_put(p, "\\");
    pen_put_label(p, heat->column_axis, v->label, false);
}

/* How many characters a label takes when written downwards: `most` at most. */
static int count_glyphs(const char *label, int most)
{
    pen scrap = {.failed = true}; /* (writes nothing) */
    int count = 0;
    while (count < most && pen_put_glyph(&scrap, label, count) > 0)
        count++;
    return count;
}

static int most_glyphs(const heat_grid *grid)
{
    char number[HEAT_NUMBER_SIZE];
    int most = 1;
    for (int64_t j = 0; j < grid->columns; j++)
        most = larger(most, count_glyphs(heat_column_label(grid, j, number), DOWNWARD_LINES));
    return most;
}

/* Whether the line between both sides is in this view. */
static bool is_divided(const heat_view *v)
{
    const int64_t split = heat_grid_split(&v->grid);
    return split > v->first && split < v->end;
}

/* Chooses the width of cells, the form of column labels, and how many columns fit. */
static void lay_out_columns(heat_view *v)
{
    const int64_t columns = v->grid.columns;
    const int room = v->style->width - v->left - 1 - (is_divided(v) ? DIVIDER : 0),
              widest = heat_column_labels_width(&v->grid, v->label);
    v->cell = larger(widest + 1, 2);
    if (v->cell > 2 && v->cell * columns > room) {
        v->downward = most_glyphs(&v->grid);
        v->cell = 2;
    }
    if (v->cell * columns > room)
        v->cell = 1;
    if (v->end - v->first > room / v->cell)
        v->end = v->first + room / v->cell;
}

static int map_width(const heat_view *v)
{
    return v->left + 1 + v->cell * (int)(v->end - v->first) + (is_divided(v) ? DIVIDER : 0);
}

static heat_view view_make(pen *p, const study_heat *heat, int64_t first, const text_style *style)
{
    heat_view v = {.grid = heat_grid_make(heat, DRAWN, DRAWN), .style = style, .first = first};
    v.end = v.grid.columns;
    v.label = style->width / 5 < LABEL_COLUMNS ? style->width / 5 : LABEL_COLUMNS;
    put_corner(&v.corner, &v);
    v.left = larger(heat_row_labels_width(&v.grid, v.label), label_width(v.corner.text, 0));
    lay_out_columns(&v);
    put_title(&v.title, &v);
    if (label_has_text(heat->note) && v.end == v.grid.columns)
        terminal_put_paragraph(&v.note, heat->note, style->width);
    p->failed |= v.title.failed || v.corner.failed || v.note.failed;
    v.width = map_width(&v);
    v.title_lines = split_lines(v.title.text, &v.width);
    v.note_lines = split_lines(v.note.text, &v.width);
    v.line_count = v.title_lines + (heat_grid_split(&v.grid) > 0) + larger(v.downward, 1) + v.grid.rows + v.note_lines;
    return v;
}

static void view_clear(heat_view *v)
{
    free(v->title.text);
    free(v->corner.text);
    free(v->note.text);
}

/* ---- Lines ------------------------------------------------------------------------- */

/* Writes line number `line` of a text that is split into lines. Returns its width. */
static int put_text_line(pen *p, const char *text, int line)
{
    while (line-- > 0)
        text += strlen(text) + 1;
    pen_put(p, "%s", text);
    return label_width(text, 0);
}

/* The line between both sides, if it is before this column. */
static void put_divider(pen *p, const heat_view *v, int64_t column)
{
    if (is_divided(v) && column == heat_grid_split(&v->grid))
        pen_put(p, " |");
}

static void put_label(pen *p, const heat_view *v, const char *label, int width, bool padded)
{
    terminal_repeat(p, ' ', width - label_width(label, v->label));
    terminal_letters(p, TERMINAL_FAINT, padded && v->style->color);
    pen_put_label(p, label, v->label, false);
    terminal_letters(p, TERMINAL_NORMAL, padded && v->style->color);
}

/* The name of each side above its columns. */
static void put_sides(pen *p, const heat_view *v)
{
    const int64_t split = heat_grid_split(&v->grid), ends[] = {v->first, is_divided(v) ? split : v->end, v->end};
    terminal_repeat(p, ' ', v->left);
    for (int side = 0; side < 2 && ends[side] < ends[side + 1]; side++) {
        const int room = v->cell * (int)(ends[side + 1] - ends[side]);
        const char *name = v->grid.heat->sides[ends[side] >= split];
        put_divider(p, v, ends[side]);
        pen_put(p, " ");
        pen_put_label(p, name, room, false);
        terminal_repeat(p, ' ', room - label_width(name, room) - (side > 0));
    }
}

/* A column label, or, if labels are written downwards, its character in line `line`: such
 * labels end at the map. */
static void put_column_label(pen *p, const heat_view *v, int64_t j, int line)
{
    char number[HEAT_NUMBER_SIZE];
    const char *label = heat_column_label(&v->grid, j, number);
    const bool padded = heat_column_is_padding(&v->grid, j);
    if (v->downward == 0) {
        put_label(p, v, label, v->cell, padded);
        return;
    }
    pen glyph = {0};
    const int width = pen_put_glyph(&glyph, label, line - v->downward + count_glyphs(label, v->downward));
    terminal_repeat(p, ' ', v->cell - width);
    terminal_letters(p, TERMINAL_FAINT, padded && v->style->color);
    pen_put(p, "%s", width > v->cell ? "?" : width ? pen_text(&glyph) : "");
    terminal_letters(p, TERMINAL_NORMAL, padded && v->style->color);
    pen_discard(p, &glyph);
}

static void put_column_labels(pen *p, const heat_view *v, int line)
{
    const bool last = line == larger(v->downward, 1) - 1;
    const char *corner = last ? pen_text(&v->corner) : "";
    terminal_repeat(p, ' ', v->left - label_width(corner, 0));
    pen_put(p, "%s ", corner);
    for (int64_t j = v->first; j < v->end; j++) {
        put_divider(p, v, j);
        put_column_label(p, v, j, line);
    }
}

static void put_map_row(pen *p, const heat_view *v, int64_t row)
{
    char number[HEAT_NUMBER_SIZE];
    put_label(p, v, heat_row_label(&v->grid, row, number), v->left, heat_row_is_padding(&v->grid, row));
    pen_put(p, " ");
    for (int64_t j = v->first; j < v->end; j++) {
        put_divider(p, v, j);
        text_put_cell(p, &v->grid, heat_grid_cell(&v->grid, row, j), v->cell, v->style->color);
    }
}

/* Writes one line of a view. Returns its width. */
static int put_view_line(pen *p, const heat_view *v, int64_t line)
{
    const int sides = heat_grid_split(&v->grid) > 0, labels = larger(v->downward, 1);
    if (line < v->title_lines) {
        terminal_letters(p, TERMINAL_BOLD, v->style->color);
        int width = put_text_line(p, v->title.text, (int)line);
        terminal_letters(p, TERMINAL_NORMAL, v->style->color);
        return width;
    }
    line -= v->title_lines;
    if (line >= sides + labels + v->grid.rows)
        return put_text_line(p, v->note.text, (int)(line - sides - labels - v->grid.rows));
    if (line < sides)
        put_sides(p, v);
    else if (line < sides + labels)
        put_column_labels(p, v, (int)line - sides);
    else
        put_map_row(p, v, line - sides - labels);
    return map_width(v);
}

static void put_abreast(pen *p, const heat_view *views, int count)
{
    int64_t lines = 0;
    for (int k = 0; k < count; k++)
        lines = views[k].line_count > lines ? views[k].line_count : lines;
    for (int64_t line = 0; line < lines && !p->failed; line++) {
        int pending = 0; /* spaces before the next view */
        for (int k = 0; k < count; k++) {
            int width = 0;
            if (line < views[k].line_count) {
                terminal_repeat(p, ' ', pending);
                pending = 0;
                width = put_view_line(p, &views[k], line);
            }
            pending += views[k].width - width + GAP;
        }
        pen_put(p, "\n");
    }
}

/* ---- All maps of a part ------------------------------------------------------------ */

/* Explains the characters, once for all maps of a part. */
typedef struct heat_key {
    bool sizes, beyond_one; /* a map has sizes; one of these has another high than 1 */
    int count;
    struct {
        const study_heat *heat;
        heat_cell cell;
    } swatches[2 * HEAT_SWATCHES];
} heat_key;

/* Adds what a map needs explained, unless the key has an entry of that name. */
static void add_to_key(heat_key *key, const heat_grid *grid)
{
    heat_cell swatches[HEAT_SWATCHES];
    const int count = heat_swatches(grid, swatches), most = sizeof key->swatches / sizeof *key->swatches;
    key->sizes |= !grid->heat->kinds;
    key->beyond_one |= !grid->heat->kinds && grid->high != 1;
    for (int i = 0; i < count; i++) {
        const char *words = heat_swatch_words(grid->heat, swatches[i]);
        bool known = key->count == most;
        for (int k = 0; k < key->count && !known; k++)
            known = !strcmp(words, heat_swatch_words(key->swatches[k].heat, key->swatches[k].cell));
        if (known)
            continue;
        key->swatches[key->count].heat = grid->heat;
        key->swatches[key->count++].cell = swatches[i];
    }
}

static void put_key(pen *p, const heat_key *key, const text_style *style)
{
    /* columns of a shade */
    const int wide = style->color && style->width >= WIDE_KEY ? 2 : 1;
    int column = 0;
    for (int i = key->sizes ? -1 : 0; i < key->count; i++) {
        const heat_grid grid = {.heat = i < 0 ? NULL : key->swatches[i].heat};
        const char *words = i >= 0            ? heat_swatch_words(grid.heat, key->swatches[i].cell)
                            : key->beyond_one ? "high"
                                              : "1";
        const int width = (i >= 0 ? wide : 2 + wide * TEXT_SHADES) + 1 + label_width(words, style->width - 2);
        terminal_next_entry(p, &column, KEY_GAP, width, style->width);
        if (i < 0)
            text_put_ramp(p, wide, style->color);
        else
            text_put_cell(p, &grid, key->swatches[i].cell, wide, style->color);
        pen_put(p, " ");
        pen_put_label(p, words, style->width - 2, false);
    }
    pen_put(p, "\n");
}

/* Makes the views that fit side by side, from column `first` of map number `at` on.
 * Returns how many. */
static int lay_out_abreast(pen *p, const document_part *part, const text_style *style, int64_t at, int64_t first,
                           heat_view views[ABREAST])
{
    int count = 0, width = 0;
    for (; count < ABREAST && at < part->heat_count; at++, first = 0) {
        heat_view *view = &views[count];
        *view = view_make(p, &part->heats[at], first, style);
        if (count > 0 && (!part->side_by_side || width + GAP + view->width > style->width)) {
            view_clear(view);
            break;
        }
        width += view->width + (count ? GAP : 0);
        count++;
        if (view->end < view->grid.columns)
            break;
    }
    return count;
}

void text_put_heats(pen *p, const document_part *part, const text_style *style)
{
    heat_view views[ABREAST];
    heat_key key = {.sizes = part->heat_count == 0};
    for (int64_t at = 0, first = 0; at < part->heat_count && !p->failed;) {
        const int count = lay_out_abreast(p, part, style, at, first, views);
        put_abreast(p, views, count);
        pen_put(p, "\n");
        for (int k = 0; k < count; k++) {
            const heat_view *view = &views[k];
            add_to_key(&key, &view->grid);
            first = view->end < view->grid.columns ? view->end : 0;
            at += first == 0;
            view_clear(&views[k]);
        }
    }
    put_key(p, &key, style);
}
