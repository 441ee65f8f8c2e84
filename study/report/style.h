/* style.h - the colours of pictures and pages, light and dark. */
#ifndef STUDY_STYLE_H
#define STUDY_STYLE_H

#include "pen.h"

enum { STYLE_LEVELS = 33, STYLE_LINES = 8 }; /* colours of heat maps from 0 to high; of lines */
#define STYLE_SANS      "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
#define STYLE_MONOSPACE "ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"

/* Writes the colours as CSS custom properties, to stand between braces, on one line:
 *
 *     --paper --ink (text) --soft (minor text) --faint (grid) --padding
 *     --padded (labels of padding) --hatch --alarm --good
 *     --heat-0 .. --heat-32 (0 to high), --on-0 .. --on-32 (text on these)
 *     --line-0 .. --line-7
 *
 * A page declares them at :root, light and, under its own condition, dark; it may use
 * them itself. */
void style_put_colours(pen *p, bool dark);
/* Writes the rules by which pictures use them, once per page. Every selector begins with
 * ".study-picture". */
void style_put_rules(pen *p);

#endif
