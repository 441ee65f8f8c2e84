/* svg.c - see svg.h: the elements that pictures share. */
#include "svg.h"

#include "../style.h"

const char *svg_prefix(const char *id)
{
    return id ? id : "picture";
}

/* Dark if the reader's system is, but never in print. */
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
    pen_put_fixed_all(p,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"study-picture\" width=\"@\" height=\"@\" "
                      "viewBox=\"0 0 @ @\" role=\"img\"",
                      0, (double[]){width, height, width, height});
    pen_put_between(p, " aria-label=\"", title, "\"");
    pen_put(p, " aria-describedby=\"%s-description\">\n", prefix);
    pen_put_between(p, "<title>", title, "</title>\n");
    pen_put(p, "<desc id=\"%s-description\">", prefix);
    pen_put_between(p, "", description->text, "</desc>\n");
    if (!id)
        put_style(p);
}

double svg_text_width(const char *text, int columns, double font_size)
{
    return 0.61 * font_size * label_width(text, columns);
}

void svg_text(pen *p, const char *style, double x, double y, const char *text, int columns, const char *more)
{
    pen_put(p, "<text class=\"%s\"", style);
    pen_put_fixed_all(p, " x=\"@\" y=\"@\"", 2, (double[]){x, y});
    pen_put(p, "%s>", more);
    if (label_is_cut(text, columns))
        pen_put_between(p, "<title>", text, "</title>");
    pen_put_label(p, text, columns, true);
    pen_put(p, "</text>\n");
}

void svg_put_place(pen *p, double x, double y, double width, double height)
{
    pen_put_fixed_all(p, " x=\"@\" y=\"@\" width=\"@\" height=\"@\"", 2, (double[]){x, y, width, height});
}
