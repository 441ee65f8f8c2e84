/* heat.c - heat maps as pictures: everything around the cells. */
#include "heat.h"

/* The hatching. Areas of many cells are scaled, so they need a second one, scaled
 * back. */
static void put_patterns(pen *p, const heat_layout *l)
{
    static const char lines[] = " width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><path class=\"hatch\" "
                                "d=\"M-1 1L1-1M0 6L6 0M5 7L7 5\"/></pattern>\n";
    pen_put(p, "<defs>\n<pattern id=\"%s-hatch\"%s", svg_prefix(l->id), lines);
    if (!l->detailed) {
        pen_put(p, "<pattern id=\"%s-scaled\" patternTransform=\"", svg_prefix(l->id));
        pen_put_fixed_all(p, "scale(@ @)", 6, (double[]){1 / l->cell_width, 1 / l->cell_height});
        pen_put(p, "\"%s", lines);
    }
    pen_put(p, "</defs>\n");
}

/* ---- Labels ------------------------------------------------------------------------ */

static void put_row_labels(pen *p, const heat_layout *l)
{
    char number[HEAT_NUMBER_SIZE];
    for (int64_t i = 0; i < l->grid.rows; i += l->row_stride)
        svg_text(p, heat_row_is_padding(&l->grid, i) ? "label padded right" : "label right", l->left - 7,
                 l->top + ((double)i + 0.5) * l->cell_height + l->label_size * 0.35,
                 heat_row_label(&l->grid, i, number), HEAT_LABEL_COLUMNS,
                 l->label_size < 12 ? " font-size=\"10\"" : "");
}

static void put_column_label(pen *p, const heat_layout *l, int64_t j)
{
    char number[HEAT_NUMBER_SIZE];
    double x = l->left + ((double)j + 0.5) * l->cell_width, y = l->top - 7;
    bool padded = heat_column_is_padding(&l->grid, j), level = l->turn == TURN_NONE;
    const char *style = padded ? (level ? "label padded middle" : "label padded") : level ? "label middle" : "label";
    pen more = {0};
    pen_put(&more, "%s", l->label_size < 12 ? " font-size=\"10\"" : "");
    if (!level) {
        x += l->label_size * (l->turn == TURN_UPWARD ? 0.35 : 0.2);
        pen_put_fixed_all(&more, " transform=\"rotate(@ @ @)\"", 2,
                          (double[]){l->turn == TURN_UPWARD ? -90 : -45, x, y});
    }
    svg_text(p, style, x, y, heat_column_label(&l->grid, j, number), HEAT_LABEL_COLUMNS, pen_text(&more));
    pen_discard(p, &more);
}

/* The name of an axis with an arrow along its labels, in the corner between both axes. */
static void put_axis_name(pen *p, const heat_layout *l, const char *name, const char *arrow, double y)
{
    pen text = {0};
    if (!label_has_text(name))
        return;
    pen_put_label(&text, name, HEAT_LABEL_COLUMNS, false);
    pen_put(&text, " %s", arrow);
    svg_text(p, "minor right", l->left - 7, y, text.text, 0, "");
    pen_discard(p, &text);
}

static void put_axis_names(pen *p, const heat_layout *l)
{
    const study_heat *heat = l->grid.heat;
    put_axis_name(p, l, heat->column_axis, "\xE2\x86\x92", l->top - (label_has_text(heat->row_axis) ? 23 : 7));
    put_axis_name(p, l, heat->row_axis, "\xE2\x86\x93", l->top - 7);
}

/* The line between both sides and, above the labels of each side, its name over a line as
 * long as the side. */
static void put_sides(pen *p, const heat_layout *l)
{
    const double top = l->sides_top;
    const double ends[] = {l->left, l->left + (double)l->split * l->cell_width, l->right};
    if (!l->split)
        return;
    for (int side = 0; side < 2; side++) {
        svg_text(p, "minor middle", (ends[side] + ends[side + 1]) / 2, top + 11, l->grid.heat->sides[side],
                 HEAT_LABEL_COLUMNS, "");
        pen_put_fixed_all(p, "<path class=\"axis\" d=\"M@ @H@\"/>\n", 2,
                          (double[]){ends[side] + 2, top + 16.5, ends[side + 1] - 3});
    }
    pen_put_fixed_all(p, "<path class=\"divider\" d=\"M@ @V@\"/>\n", 2,
                      (double[]){ends[1] - 0.5, l->turn == TURN_SLANTED ? l->top - 4 : top + 16, l->bottom + 4});
}

/* ---- Above and below --------------------------------------------------------------- */

static void put_head(pen *p, const study_heat *heat)
{
    double y = HEAT_MARGIN;
    if (label_has_text(heat->title)) {
        svg_text(p, "title", HEAT_MARGIN, y + 13, heat->title, HEAT_TITLE_COLUMNS, "");
        y += 22;
    }
    if (label_has_text(heat->group))
        svg_text(p, "minor", HEAT_MARGIN, y + 12, heat->group, HEAT_TEXT_COLUMNS, "");
}

/* The colours from 0 to high. */
static void put_ramp(pen *p, const heat_layout *l, double x, double y)
{
    pen high = {0};
    svg_text(p, "minor", x, y + 11, "0", 0, "");
    x += 12;
    pen_put(p, "<g shape-rendering=\"crispEdges\">\n");
    for (int level = 0; level < STYLE_LEVELS; level++) {
        pen_put(p, "<rect class=\"heat-%d\"", level);
        svg_put_place(p, x + level * HEAT_RAMP_STEP, y, HEAT_RAMP_STEP, 14);
        pen_put(p, "/>\n");
    }
    pen_put(p, "</g>\n");
    pen_put_number(&high, l->grid.high, 3);
    svg_text(p, "minor", x + STYLE_LEVELS * HEAT_RAMP_STEP + 6, y + 11, high.text, 0, "");
    pen_discard(p, &high);
}

static void put_legend(pen *p, const heat_layout *l, double top)
{
    if (!l->empty && !l->grid.heat->kinds)
        put_ramp(p, l, HEAT_MARGIN, top);
    for (int i = 0; i < l->swatch_count; i++) {
        double x = l->swatch_x[i], y = top + l->swatch_y[i];
        heat_open_cell(p, l, l->swatches[i], x + 1, y + 1, 12, 12);
        pen_put(p, "/>\n");
        svg_text(p, "minor", x + 20, y + 11, heat_swatch_words(l->grid.heat, l->swatches[i]), 0, "");
    }
}

static void put_foot(pen *p, const heat_layout *l)
{
    const study_heat *heat = l->grid.heat;
    double y = l->bottom + 8;
    if (label_has_text(heat->note)) {
        svg_text(p, "minor", HEAT_MARGIN, y + 13, heat->note, HEAT_TEXT_COLUMNS, "");
        y += 20;
    }
    if (heat_grid_is_blocked(&l->grid)) {
        pen_put_fixed_all(p, "<text class=\"minor\" x=\"@\" y=\"@\">", 2, (double[]){HEAT_MARGIN, y + 13});
        pen_put(p, "%lld x %lld cells; each that is drawn is the largest of %lld x %lld</text>\n",
                (long long)heat->rows, (long long)heat->columns, (long long)l->grid.row_block,
                (long long)l->grid.column_block);
        y += 20;
    }
    put_legend(p, l, y + 8);
}

void svg_heat_rows(pen *p, const study_heat *heat, const char *id, svg_shape *shape)
{
    const heat_layout l = heat_layout_make(heat, id);
    const double width = l.empty ? 0 : l.left - 3, height = l.bottom + 2;
    *shape = (svg_shape){.width = l.width, .rows_width = width, .rows_height = height};
    if (l.empty)
        return;
    pen_put_fixed_all(p,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"study-picture rows\" aria-hidden=\"true\" "
                      "viewBox=\"0 0 @ @\">\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n",
                      0, (double[]){width, height});
    put_row_labels(p, &l);
    put_axis_names(p, &l);
    pen_put(p, "</svg>\n");
}

/* ---- In words ---------------------------------------------------------------------- */

/* Says where the largest value of a row is. */
static void describe_row(pen *p, const heat_grid *grid, int64_t i)
{
    char number[HEAT_NUMBER_SIZE];
    int64_t best = -1;
    double largest = 0;
    for (int64_t j = 0; j < grid->columns; j++) {
        heat_cell cell = heat_grid_cell(grid, i, j);
        if (cell.look == LOOK_VALUE && cell.value > largest) {
            largest = cell.value;
            best = j;
        }
    }
    if (best < 0)
        return;
    const char *side = heat_side(grid->heat, best * grid->column_block);
    pen_put(p, " ");
    pen_put_label(p, heat_row_label(grid, i, number), HEAT_LABEL_COLUMNS, false);
    pen_put(p, " -> %s%s", side ? side : "", side ? " " : "");
    pen_put_label(p, heat_column_label(grid, best, number), HEAT_LABEL_COLUMNS, false);
    pen_put(p, " ");
    pen_put_number(p, largest, 3);
    pen_put(p, ";");
}

static void describe_map(pen *p, const heat_layout *l)
{
    const study_heat *heat = l->grid.heat;
    pen_put(p, "Heat map of %lld rows", (long long)heat->rows);
    if (label_has_text(heat->row_axis))
        pen_put(p, " (%s)", heat->row_axis);
    pen_put(p, " by %lld columns", (long long)heat->columns);
    if (label_has_text(heat->column_axis))
        pen_put(p, " (%s)", heat->column_axis);
    pen_put(p, ".");
    for (int look = LOOK_MASKED; look < LOOKS; look++) {
        if (l->grid.looks[look] == 0)
            continue;
        pen_put(p, " Cells that are %s: ", heat_look_words(heat, (heat_look)look));
        if (heat_grid_is_blocked(&l->grid))
            pen_put(p, "some.");
        else
            pen_put(p, "%lld.", (long long)l->grid.looks[look]);
    }
    if (!l->detailed || l->grid.looks[LOOK_VALUE] == 0 || heat->kinds)
        return;
    pen_put(p, " Largest of each row:");
    for (int64_t i = 0; i < heat->rows; i++)
        describe_row(p, &l->grid, i);
}

static void open_picture(pen *p, const heat_layout *l)
{
    const study_heat *heat = l->grid.heat;
    pen description = {0}, name = {0};
    describe_map(&description, l);
    pen_put(&name, "%s%s%s", label_has_text(heat->group) ? heat->group : "", label_has_text(heat->group) ? ", " : "",
            heat->title);
    svg_open(p, l->id, l->width, l->height, name.text, &description);
    pen_discard(p, &description);
    pen_discard(p, &name);
}

svg_size svg_heat_size(const study_heat *heat)
{
    const heat_layout l = heat_layout_make(heat, NULL);
    return (svg_size){l.width, l.height};
}

void svg_heat(pen *p, const study_heat *heat, const char *id)
{
    heat_layout l = heat_layout_make(heat, id);
    open_picture(p, &l);
    put_patterns(p, &l);
    if (!id)
        put_head(p, heat);
    if (l.empty) {
        svg_text(p, "minor", HEAT_MARGIN, l.top + 11, "no cells", 0, "");
    } else {
        heat_put_cells(p, &l);
        put_row_labels(p, &l);
        for (int64_t j = 0; j < l.grid.columns; j += l.column_stride)
            put_column_label(p, &l, j);
        put_axis_names(p, &l);
        put_sides(p, &l);
    }
    put_foot(p, &l);
    pen_put(p, "</svg>\n");
}
