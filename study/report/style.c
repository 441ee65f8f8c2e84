/* style.c - see style.h. */
#include "style.h"

#include <math.h>
#include <string.h>

/* The colours of heat maps from 0 to high: one hue of blue at even steps of lightness (in
 * OKLCH), interpolated linearly. On a dark background, larger values are lighter. */
enum { ANCHORS = 9 };
static const unsigned heat_anchors[2][ANCHORS] = {
    {0xF3F7FC, 0xCADDF1, 0xA3C2E6, 0x7CA6DC, 0x568BD1, 0x336EC2, 0x1F54A4, 0x133C82, 0x09255D},
    {0x181D26, 0x23334C, 0x2B4B74, 0x32659C, 0x3681C3, 0x4A9EE0, 0x6CBCF6, 0xA3D7FA, 0xDAF1FE},
};

/* Colours of lines that can be told apart with any common kind of colour blindness (after
 * Okabe and Ito), each with a contrast of at least 3:1 to its background. Dashes say the
 * same without colour. */
static const unsigned line_colours[2][STYLE_LINES] = {
    {0x0072B2, 0xD55E00, 0x00805E, 0xB5478C, 0x8A6D00, 0x4D4D4D, 0x6B4FBB, 0x2F8FCC},
    {0x56B4E9, 0xF0904A, 0x3CC99B, 0xE58BC0, 0xF0D264, 0xC9D1D9, 0xB9A3F5, 0x9DC8FF},
};

static const struct {
    const char *name;
    unsigned light, dark;
} named_colours[] = {
    {"paper", 0xFFFFFF, 0x0D1117}, {"ink", 0x1F2328, 0xE6EDF3},     {"soft", 0x59636E, 0x9198A1},
    {"faint", 0xDDE1E6, 0x2A313A}, {"padding", 0xCDD2D8, 0x3D444D}, {"padded", 0x6A727C, 0x7D8590},
    {"hatch", 0x8B949E, 0x7D8590}, {"alarm", 0xCF222E, 0xFF7B72},   {"good", 0x1A7F37, 0x3FB950},
};
enum { NAMED_COLOURS = sizeof named_colours / sizeof *named_colours };

static unsigned heat_colour(int level, bool dark)
{
    int at = level * (ANCHORS - 1), anchor = at / (STYLE_LEVELS - 1), rest = at % (STYLE_LEVELS - 1);
    const unsigned *anchors = heat_anchors[dark];
    unsigned colour = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        int from = (int)(anchors[anchor] >> shift & 0xFF),
            to = rest ? (int)(anchors[anchor + 1] >> shift & 0xFF) : from;
        colour |= (unsigned)(from + (to - from) * rest / (STYLE_LEVELS - 1)) << shift;
    }
    return colour;
}

/* The relative luminance of WCAG 2: 0 black, 1 white. */
static double luminance(unsigned colour)
{
    static const double weights[] = {0.0722, 0.7152, 0.2126};
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double part = (colour >> 8 * i & 0xFF) / 255.0;
        sum += weights[i] * (part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4));
    }
    return sum;
}

/* Black or white, whichever is more legible on the colour: at least 4.5:1 on any. */
static unsigned text_colour(unsigned ground)
{
    double light = luminance(ground) + 0.05;
    return 1.05 / light > light / 0.05 ? 0xFFFFFF : 0x000000;
}

void style_put_colours(pen *p, bool dark)
{
    for (int i = 0; i < NAMED_COLOURS; i++)
        pen_put(p, "--%s:#%06X;", named_colours[i].name, dark ? named_colours[i].dark : named_colours[i].light);
    for (int i = 0; i < STYLE_LEVELS; i++)
        pen_put(p, "--heat-%d:#%06X;--on-%d:#%06X;", i, heat_colour(i, dark), i, text_colour(heat_colour(i, dark)));
    for (int i = 0; i < STYLE_LINES; i++)
        pen_put(p, "--line-%d:#%06X;", i, line_colours[dark][i]);
}

/* Writes "fill:#1F2328;fill:var(--ink);". Programs that do not know custom properties
 * skip the second declaration and draw in light colours. */
static void put_colour(pen *p, const char *property, const char *name)
{
    for (int i = 0; i < NAMED_COLOURS; i++)
        if (!strcmp(named_colours[i].name, name))
            pen_put(p, "%s:#%06X;", property, named_colours[i].light);
    pen_put(p, "%s:var(--%s);", property, name);
}

static const struct {
    const char *selector, *property, *colour, *rest;
} rules[] = {
    {".paper", "fill", "paper", ""},
    {".title", "fill", "ink", "font-size:15px;font-weight:600"},
    {".minor", "fill", "soft", ""},
    {".label", "fill", "ink", "font-family:" STYLE_MONOSPACE},
    {".padded", "fill", "padded", ""},
    {".numbers", NULL, NULL, "font-size:10.5px;text-anchor:middle"},
    {".right", NULL, NULL, "text-anchor:end"},
    {".middle", NULL, NULL, "text-anchor:middle"},
    {".frame", "stroke", "faint", "fill:none"},
    {".grid", "stroke", "faint", "fill:none"},
    {".axis", "stroke", "soft", "fill:none"},
    {".divider", "stroke", "ink", "fill:none;stroke-width:2"},
    {".hatch", "stroke", "hatch", "fill:none;stroke-width:1.3"},
    {".padding", "fill", "padding", ""},
    {".leak", "stroke", "alarm", "stroke-width:2"},
    {".on-leak", "fill", "ink", "font-weight:600"},
    {".leak-area", "fill", "alarm", ""},
    {".strange", "stroke", "alarm", "fill:none;stroke-width:1.5;stroke-dasharray:3 2"},
    {".strange-area", "fill", "ink", ""},
    {".strong", NULL, NULL, "font-weight:600"},
    {".box", "fill", "paper", "stroke-width:1.5"},
    {".halo", "stroke", "paper", "stroke-width:5px;stroke-linejoin:round;paint-order:stroke"},
    {".line", NULL, NULL, "fill:none;stroke-width:1.75;stroke-linejoin:round;stroke-linecap:butt"},
};

void style_put_rules(pen *p)
{
    pen_put(p, ".study-picture{font-family:" STYLE_SANS ";font-size:12px;");
    put_colour(p, "fill", "ink");
    pen_put(p, "}\n");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        pen_put(p, ".study-picture %s{", rules[i].selector);
        if (rules[i].colour)
            put_colour(p, rules[i].property, rules[i].colour);
        pen_put(p, "%s}\n", rules[i].rest);
    }
    for (int i = 0; i < STYLE_LEVELS; i++)
        pen_put(p,
                ".study-picture .heat-%d{fill:#%06X;fill:var(--heat-%d)}\n"
                ".study-picture .on-%d{fill:#%06X;fill:var(--on-%d)}\n",
                i, heat_colour(i, false), i, i, text_colour(heat_colour(i, false)), i);
    for (int i = 0; i < STYLE_LINES; i++)
        pen_put(p, ".study-picture .line-%d{stroke:#%06X;stroke:var(--line-%d)}\n", i, line_colours[0][i], i);
    for (int i = 0; i < STYLE_LINES; i++)
        pen_put(p, ".study-picture .dot-%d{fill:#%06X;fill:var(--line-%d)}\n", i, line_colours[0][i], i);
}
