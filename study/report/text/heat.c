/* heat.c - heat maps drawn with characters. They are drawn line by line, because several
 * can be side by side.
 *
 * A map that is too wide gets narrow cells, with its column labels written downwards; if
 * it is still too wide, it is cut into several views, one below the other.
 */
#include "text.h"

#include "../heat_grid.h"
#include "terminal.h"

#include <math.h>
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

static const char shades[] = " .:-=+*%#";
enum { SHADES = sizeof shades - 1 };
static const char marks[LOOKS] = {[LOOK_MASKED] = 'x', [LOOK_PADDING] = '_', [LOOK_LEAK] = '!', [LOOK_STRANGE] = '?'};

/* Of the 256 colours of terminals, from white to a blue that is visible on black too.
 * Looks that are not values have a background and a text colour of their own. */
static const int grounds[SHADES] = {231, 189, 153, 111, 75, 69, 32, 26, 25};
static const char *const look_colours[LOOKS] = {[LOOK_MASKED] = "38;5;240;48;5;254",
                                                [LOOK_PADDING] = "38;5;238;48;5;249",
                                                [LOOK_LEAK] = "1;38;5;231;48;5;160",
                                                [LOOK_STRANGE] = "1;38;5;231;48;5;160"};

/* The columns [first, end) of a map, which are drawn at once. */
typedef struct heat_view {
    heat_grid grid;
    const text_style *style;
    int64_t first, end;
    pen title, corner, note; /* title and note in lines */
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

/* ---- Layout --------------------------------------------------------------------------------- */

/* How many lines a text has. *widest grows to the width of the widest. */
static int count_lines(pen *p, const char *text, int *widest)
{
    int lines = 0;
    for (size_t size; text && *text; text += size + (text[size] == '\n'), lines++) {
        pen line = {0};
        size = strcspn(text, "\n");
        pen_put_bytes(&line, text, size);
        *widest = larger(*widest, label_width(line.text, 0));
        pen_discard(p, &line);
    }
    return lines;
}

/* "decoder looks at itself, layer 0, head 0 (0 to 3.4)" */
static void put_title(pen *p, const heat_view *t)
{
    const study_heat *heat = t->grid.heat;
    const bool both = label_has_text(heat->group) && label_has_text(heat->title);
    pen title = {0};
    pen_put(&title, "%s%s%s", label_has_text(heat->group) ? heat->group : "", both ? ", " : "", heat->title);
    if (t->grid.high != 1 && !heat->kinds) {
        pen_put(&title, " (0 to ");
        pen_put_number(&title, t->grid.high, 3);
        pen_put(&title, ")");
    }
    if (heat_grid_is_blocked(&t->grid))
        pen_put(&title, " (the largest of each %lld x %lld)", (long long)t->grid.row_block,
                (long long)t->grid.column_block);
    if (t->first > 0 || t->end < t->grid.columns)
        pen_put(&title, " (columns %lld to %lld of %lld)", (long long)t->first + 1, (long long)t->end,
                (long long)t->grid.columns);
    terminal_put_paragraph(p, pen_text(&title), t->style->width);
    pen_discard(p, &title);
}

/* "query\key", above the row labels and before the column labels. */
static void put_corner(pen *p, const heat_view *t)
{
    const study_heat *heat = t->grid.heat;
    if (!label_has_text(heat->row_axis) && !label_has_text(heat->column_axis))
        return;
    pen_put_label(p, heat->row_axis, t->label, false);
    pen_put(p, "\\");
    pen_put_label(p, heat->column_axis, t->label, false);
}

/* The most characters that a column label takes when written downwards. */
static int most_glyphs(const heat_grid *grid)
{
    char number[HEAT_NUMBER_SIZE];
    int most = 1;
    pen scrap = {.failed = true}; /* (writes nothing) */
    for (int64_t j = 0; j < grid->columns; j++) {
        int count = 0;
        while (count < DOWNWARD_LINES && pen_put_glyph(&scrap, heat_column_label(grid, j, number), count) > 0)
            count++;
        most = larger(most, count);
    }
    return most;
}

/* Whether the line between both sides is in this view. */
static bool is_divided(const heat_view *t)
{
    const int64_t split = heat_grid_split(&t->grid);
    return split > t->first && split < t->end;
}

/* Chooses the width of cells, the form of column labels, and how many columns fit. */
static void lay_out_columns(heat_view *t)
{
    const int64_t columns = t->grid.columns;
    const int room = t->style->width - t->left - 1 - (is_divided(t) ? DIVIDER : 0),
              widest = heat_column_labels_width(&t->grid, t->label);
    t->cell = larger(widest + 1, 2);
    if (t->cell > 2 && t->cell * columns > room) {
        t->downward = most_glyphs(&t->grid);
        t->cell = 2;
    }
    if (t->cell * columns > room)
        t->cell = 1;
    if (t->end - t->first > room / t->cell)
        t->end = t->first + room / t->cell;
}

static int map_width(const heat_view *t)
{
    return t->left + 1 + t->cell * (int)(t->end - t->first) + (is_divided(t) ? DIVIDER : 0);
}

static heat_view view_make(pen *p, const study_heat *heat, int64_t first, const text_style *style)
{
    heat_view t = {.grid = heat_grid_make(heat, DRAWN, DRAWN), .style = style, .first = first};
    t.end = t.grid.columns;
    t.label = style->width / 5 < LABEL_COLUMNS ? style->width / 5 : LABEL_COLUMNS;
    put_corner(&t.corner, &t);
    t.left = larger(heat_row_labels_width(&t.grid, t.label), label_width(t.corner.text, 0));
    lay_out_columns(&t);
    put_title(&t.title, &t);
    if (label_has_text(heat->note) && t.end == t.grid.columns)
        terminal_put_paragraph(&t.note, heat->note, style->width);
    p->failed |= t.title.failed || t.corner.failed || t.note.failed;
    t.width = map_width(&t);
    t.title_lines = count_lines(p, t.title.text, &t.width);
    t.note_lines = count_lines(p, t.note.text, &t.width);
    t.line_count = t.title_lines + (heat_grid_split(&t.grid) > 0) + larger(t.downward, 1) + t.grid.rows + t.note_lines;
    return t;
}

static void view_clear(heat_view *t)
{
    free(t->title.text);
    free(t->corner.text);
    free(t->note.text);
}

/* ---- Lines ---------------------------------------------------------------------------------- */

/* Writes line number `line` of a text. Returns its width. */
static int put_text_line(pen *p, const char *text, int line)
{
    pen own = {0};
    while (line-- > 0)
        text = strchr(text, '\n') + 1;
    pen_put_bytes(&own, text, strcspn(text, "\n"));
    pen_put_bytes(p, text, strcspn(text, "\n"));
    int width = label_width(own.text, 0);
    pen_discard(p, &own);
    return width;
}

/* The line between both sides, if it is before this column. */
static void put_divider(pen *p, const heat_view *t, int64_t column)
{
    if (is_divided(t) && column == heat_grid_split(&t->grid))
        pen_put(p, " |");
}

static void put_label(pen *p, const heat_view *t, const char *label, int width, bool padded)
{
    terminal_repeat(p, ' ', width - label_width(label, t->label));
    if (padded)
        terminal_faint(p, t->style->color);
    pen_put_label(p, label, t->label, false);
    if (padded)
        terminal_normal(p, t->style->color);
}

/* The name of each side above its columns. */
static void put_sides(pen *p, const heat_view *t)
{
    const int64_t split = heat_grid_split(&t->grid), ends[] = {t->first, is_divided(t) ? split : t->end, t->end};
    terminal_repeat(p, ' ', t->left);
    for (int side = 0; side < 2 && ends[side] < ends[side + 1]; side++) {
        const int room = t->cell * (int)(ends[side + 1] - ends[side]);
        const char *name = t->grid.heat->sides[ends[side] >= split];
        put_divider(p, t, ends[side]);
        pen_put(p, " ");
        pen_put_label(p, name, room, false);
        terminal_repeat(p, ' ', room - label_width(name, room) - (side > 0));
    }
}

/* A column label, or, if labels are written downwards, its character in line `line`: such
 * labels end at the map. */
static void put_column_label(pen *p, const heat_view *t, int64_t j, int line)
{
    char number[HEAT_NUMBER_SIZE];
    const char *label = heat_column_label(&t->grid, j, number);
    const bool padded = heat_column_is_padding(&t->grid, j);
    if (t->downward == 0) {
        put_label(p, t, label, t->cell, padded);
        return;
    }
    pen glyph = {0}, scrap = {.failed = true};
    int count = 0, width;
    while (count < t->downward && pen_put_glyph(&scrap, label, count) > 0)
        count++;
    width = pen_put_glyph(&glyph, label, line - t->downward + count);
    terminal_repeat(p, ' ', t->cell - width);
    if (padded)
        terminal_faint(p, t->style->color);
    pen_put(p, "%s", width > t->cell ? "?" : width ? pen_text(&glyph) : "");
    if (padded)
        terminal_normal(p, t->style->color);
    pen_discard(p, &glyph);
}

static void put_column_labels(pen *p, const heat_view *t, int line)
{
    const bool last = line == larger(t->downward, 1) - 1;
    const char *corner = last ? pen_text(&t->corner) : "";
    terminal_repeat(p, ' ', t->left - label_width(corner, 0));
    pen_put(p, "%s ", corner);
    for (int64_t j = t->first; j < t->end; j++) {
        put_divider(p, t, j);
        put_column_label(p, t, j, line);
    }
}

/* 0 to SHADES - 1; kinds are evenly spaced. */
static int shade_of(const heat_grid *grid, double value)
{
    const study_heat *heat = grid->heat;
    const double share = heat->kinds ? value / (double)(heat->kind_count - 1) : heat_grid_share(grid, value);
    return (int)lround(fmin(fmax(share, 0), 1) * (SHADES - 1));
}

static void put_map_cell(pen *p, const heat_grid *grid, heat_cell cell, int width, bool color)
{
    const int shade = cell.look == LOOK_VALUE ? shade_of(grid, cell.value) : 0;
    if (!color) {
        terminal_repeat(p, ' ', width - 1);
        terminal_repeat(p, cell.look == LOOK_VALUE ? shades[shade] : marks[cell.look], 1);
        return;
    }
    if (cell.look == LOOK_VALUE)
        pen_put(p, "\033[48;5;%dm", grounds[shade]);
    else
        pen_put(p, "\033[%sm", look_colours[cell.look]);
    terminal_repeat(p, cell.look == LOOK_VALUE ? ' ' : cell.look == LOOK_MASKED ? '/' : marks[cell.look], width);
    terminal_normal(p, true);
}

static void put_map_row(pen *p, const heat_view *t, int64_t row)
{
    char number[HEAT_NUMBER_SIZE];
    put_label(p, t, heat_row_label(&t->grid, row, number), t->left, heat_row_is_padding(&t->grid, row));
    pen_put(p, " ");
    for (int64_t j = t->first; j < t->end; j++) {
        put_divider(p, t, j);
        put_map_cell(p, &t->grid, heat_grid_cell(&t->grid, row, j), t->cell, t->style->color);
    }
}

/* Writes one line of a view. Returns its width. */
static int put_view_line(pen *p, const heat_view *t, int64_t line)
{
    const int sides = heat_grid_split(&t->grid) > 0, labels = larger(t->downward, 1);
    if (line < t->title_lines) {
        terminal_bold(p, t->style->color);
        int width = put_text_line(p, t->title.text, (int)line);
        terminal_normal(p, t->style->color);
        return width;
    }
    line -= t->title_lines;
    if (line >= sides + labels + t->grid.rows)
        return put_text_line(p, t->note.text, (int)(line - sides - labels - t->grid.rows));
    if (line < sides)
        put_sides(p, t);
    else if (line < sides + labels)
        put_column_labels(p, t, (int)line - sides);
    else
        put_map_row(p, t, line - sides - labels);
    return map_width(t);
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

/* ---- All maps of a part --------------------------------------------------------------------- */

/* "0 .:-=+*%#" */
static void put_ramp(pen *p, int wide, bool color)
{
    pen_put(p, "0 ");
    for (int shade = 0; shade < SHADES; shade++)
        if (color)
            pen_put(p, "\033[48;5;%dm%*s", grounds[shade], wide, "");
        else
            pen_put(p, "%c", shades[shade]);
    terminal_normal(p, color);
}

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
        const int width = (i >= 0 ? wide : 2 + wide * SHADES) + 1 + label_width(words, style->width - 2);
        terminal_next_entry(p, &column, KEY_GAP, width, style->width);
        if (i < 0)
            put_ramp(p, wide, style->color);
        else
            put_map_cell(p, &grid, key->swatches[i].cell, wide, style->color);
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
