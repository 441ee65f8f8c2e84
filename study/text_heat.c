/* text_heat.c - heat maps in a terminal, line by line, so that several can stand side by side. */
#include "text.h"

#include <math.h>
#include <stdlib.h>

enum {
    DRAWN = 80, /* rows and columns; larger maps are drawn in blocks */
    LABEL_COLUMNS = 16,
    DOWNWARD_COLUMNS = 12, /* of labels that are written downward */
    ABREAST = 8,           /* maps side by side, at most */
    GAP = 4
};

static const char shades[] = " .:-=+*%#";
static const char marks[LOOKS] = {[LOOK_MASKED] = 'x', [LOOK_PADDING] = '_', [LOOK_LEAK] = '!', [LOOK_STRANGE] = '?'};

typedef struct heat_text {
    heat_grid grid;
    bool color;
    pen title, corner;
    int left, cell; /* columns of the labels of rows and of a cell */
    int downward;   /* lines of labels that are written downward; 0: they stand in one line */
    int64_t line_count;
    int width;
} heat_text;

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* ---- Layout --------------------------------------------------------------------------------- */

/* "decoder.layers.0.self_attn, head 0 (0 to 3.4)" */
static void put_title(pen *p, const heat_grid *grid)
{
    const study_heat *heat = grid->heat;
    bool both = svg_has_text(heat->group) && svg_has_text(heat->title);
    pen_put_label(p, heat->group, TEXT_WIDTH, false);
    pen_put(p, "%s", both ? ", " : "");
    pen_put_label(p, heat->title, TEXT_WIDTH, false);
    if (grid->high != 1) {
        pen_put(p, " (0 to ");
        pen_put_number(p, grid->high, 3);
        pen_put(p, ")");
    }
    if (grid->row_block > 1 || grid->column_block > 1)
        pen_put(p, " (the largest of each %lld x %lld)", (long long)grid->row_block, (long long)grid->column_block);
}

/* "query\key", over the labels of rows and before those of columns. */
static void put_corner(pen *p, const study_heat *heat)
{
    if (!svg_has_text(heat->row_axis) && !svg_has_text(heat->column_axis))
        return;
    pen_put_label(p, heat->row_axis, LABEL_COLUMNS, false);
    pen_put(p, "\\");
    pen_put_label(p, heat->column_axis, LABEL_COLUMNS, false);
}

static int most_glyphs(const heat_grid *grid)
{
    char number[HEAT_NUMBER_SIZE];
    int most = 1;
    pen scrap = {.failed = true}; /* takes nothing */
    for (int64_t j = 0; j < grid->columns; j++) {
        int count = 0;
        while (count < DOWNWARD_COLUMNS && pen_put_glyph(&scrap, heat_column_label(grid, j, number), count) > 0)
            count++;
        most = larger(most, count);
    }
    return most;
}

static void lay_out_columns(heat_text *t)
{
    int64_t columns = t->grid.columns;
    int room = TEXT_WIDTH - t->left - 1, widest = heat_column_labels_width(&t->grid, LABEL_COLUMNS);
    t->cell = larger(widest + 1, 2);
    if (t->cell == 2 || t->cell * columns <= room)
        return;
    t->downward = most_glyphs(&t->grid);
    t->cell = 2 * columns <= room ? 2 : 1;
}

static heat_text lay_out(pen *p, const study_heat *heat, bool color)
{
    heat_text t = {.grid = heat_grid_make(heat, DRAWN, DRAWN), .color = color};
    put_title(&t.title, &t.grid);
    put_corner(&t.corner, heat);
    p->failed |= t.title.failed || t.corner.failed;
    t.left = larger(heat_row_labels_width(&t.grid, LABEL_COLUMNS), label_width(t.corner.text, 0));
    lay_out_columns(&t);
    t.line_count = 1 + larger(t.downward, 1) + t.grid.rows + svg_has_text(heat->note);
    t.width = larger(label_width(t.title.text, 0), t.left + 1 + t.cell * (int)t.grid.columns);
    t.width = larger(t.width, label_width(heat->note, TEXT_WIDTH));
    return t;
}

static void clear(heat_text *t)
{
    free(t->title.text);
    free(t->corner.text);
}

/* ---- Lines ---------------------------------------------------------------------------------- */

static void put_label(pen *p, const char *label, int width, bool padded, bool color)
{
    text_repeat(p, ' ', width - label_width(label, LABEL_COLUMNS));
    if (padded)
        text_faint(p, color);
    pen_put_label(p, label, LABEL_COLUMNS, false);
    if (padded)
        text_usual(p, color);
}

/* The labels' characters number `line`, of labels that end at the map; or all of them. */
static void put_column_labels(pen *p, const heat_text *t, int line)
{
    char number[HEAT_NUMBER_SIZE];
    for (int64_t j = 0; j < t->grid.columns; j++) {
        const char *label = heat_column_label(&t->grid, j, number);
        bool padded = heat_column_is_padding(&t->grid, j);
        if (t->downward == 0) {
            put_label(p, label, t->cell, padded, t->color);
            continue;
        }
        pen glyph = {0}, scrap = {.failed = true};
        int count = 0, width;
        while (count < t->downward && pen_put_glyph(&scrap, label, count) > 0)
            count++;
        width = pen_put_glyph(&glyph, label, line - t->downward + count);
        text_repeat(p, ' ', t->cell - width);
        if (padded)
            text_faint(p, t->color);
        pen_put(p, "%s", width > t->cell ? "?" : width ? glyph.text : "");
        if (padded)
            text_usual(p, t->color);
        p->failed |= glyph.failed;
        free(glyph.text);
    }
}

/* One cell. With colour values are grey blocks, and the mask is hatched. */
static void put_cell(pen *p, const heat_text *t, heat_cell cell)
{
    double share = heat_grid_share(&t->grid, cell.value);
    if (cell.look == LOOK_VALUE && t->color) {
        pen_put(p, "\033[48;5;%dm%*s\033[0m", 232 + (int)lround(23 * share), t->cell, "");
        return;
    }
    char mark = cell.look == LOOK_VALUE ? shades[lround(share * (double)(sizeof shades - 2))] : marks[cell.look];
    if (!t->color) {
        text_repeat(p, ' ', t->cell - 1);
        text_repeat(p, mark, 1);
        return;
    }
    pen_put(p, "%s", cell.look == LOOK_LEAK || cell.look == LOOK_STRANGE ? "\033[1;31m" : "\033[2m");
    text_repeat(p, cell.look == LOOK_MASKED ? '/' : mark, t->cell);
    text_usual(p, true);
}

static void put_row(pen *p, const heat_text *t, int64_t row)
{
    char number[HEAT_NUMBER_SIZE];
    put_label(p, heat_row_label(&t->grid, row, number), t->left, heat_row_is_padding(&t->grid, row), t->color);
    pen_put(p, " ");
    for (int64_t j = 0; j < t->grid.columns; j++)
        put_cell(p, t, heat_grid_cell(&t->grid, row, j));
}

/* Returns the columns that the line takes. */
static int put_line(pen *p, const heat_text *t, int64_t line)
{
    int map_width = t->left + 1 + t->cell * (int)t->grid.columns;
    int64_t labels = larger(t->downward, 1);
    if (line == 0) {
        text_bold(p, t->color);
        pen_put(p, "%s", t->title.text ? t->title.text : "");
        text_usual(p, t->color);
        return label_width(t->title.text, 0);
    }
    line -= 1;
    if (line < labels) {
        const char *corner = line == labels - 1 && t->corner.text ? t->corner.text : "";
        text_repeat(p, ' ', t->left - label_width(corner, 0));
        pen_put(p, "%s ", corner);
        put_column_labels(p, t, (int)line);
        return map_width;
    }
    line -= labels;
    if (line < t->grid.rows) {
        put_row(p, t, line);
        return map_width;
    }
    pen_put_label(p, t->grid.heat->note, TEXT_WIDTH, false);
    return label_width(t->grid.heat->note, TEXT_WIDTH);
}

static void put_abreast(pen *p, const heat_text *texts, int count)
{
    int64_t lines = 0;
    for (int k = 0; k < count; k++)
        lines = texts[k].line_count > lines ? texts[k].line_count : lines;
    for (int64_t line = 0; line < lines; line++) {
        int pending = 0; /* spaces before the next map */
        for (int k = 0; k < count; k++) {
            int width = 0;
            if (line < texts[k].line_count) {
                text_repeat(p, ' ', pending);
                pending = 0;
                width = put_line(p, &texts[k], line);
            }
            pending += texts[k].width - width + GAP;
        }
        pen_put(p, "\n");
    }
}

/* ---- All maps of a part --------------------------------------------------------------------- */

/* What the characters mean; of the mask's only those that were drawn. */
static void put_key(pen *p, const int64_t looks[LOOKS], bool to_one, bool color)
{
    static const char *const words[LOOKS] = {"", "masked", "padding", "masked, yet not 0", "not finite"};
    int steps = (int)sizeof shades - 1;
    pen_put(p, "0 ");
    for (int i = 0; i < steps; i++) {
        if (color)
            pen_put(p, "\033[48;5;%dm  ", 232 + 23 * i / (steps - 1));
        else
            pen_put(p, "%c", shades[i]);
    }
    text_usual(p, color);
    pen_put(p, " %s", to_one ? "1" : "high");
    for (int look = LOOK_MASKED; look < LOOKS; look++)
        if (looks[look])
            pen_put(p, "   %c %s", look == LOOK_MASKED && color ? '/' : marks[look], words[look]);
    pen_put(p, "\n");
}

void text_put_heats(pen *p, const document_part *part, bool color)
{
    heat_text texts[ABREAST];
    int64_t looks[LOOKS] = {0};
    bool to_one = true;
    for (int64_t i = 0; i < part->heat_count;) {
        int count = 0, width = 0;
        for (; count < ABREAST && i + count < part->heat_count; count++) {
            texts[count] = lay_out(p, &part->heats[i + count], color);
            if (count > 0 && (!part->side_by_side || width + GAP + texts[count].width > TEXT_WIDTH)) {
                clear(&texts[count]);
                break;
            }
            width += texts[count].width + (count ? GAP : 0);
        }
        put_abreast(p, texts, count);
        pen_put(p, "\n");
        for (int k = 0; k < count; k++) {
            for (int look = 0; look < LOOKS; look++)
                looks[look] += texts[k].grid.looks[look];
            to_one &= texts[k].grid.high == 1;
            clear(&texts[k]);
        }
        i += count;
    }
    put_key(p, looks, to_one, color);
}
