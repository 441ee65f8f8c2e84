/* test_study_colours.c - the contrast of what is read, by WCAG 2: text 4.5 : 1, lines 3 :
 * 1, light and dark. */
#include "check_util.h"
#include "document_util.h"

#include "study/report/style.h"

#include <math.h>
#include <string.h>

/* The declarations of a theme. */
static char *declarations(bool dark)
{
    pen p = {0};
    style_put_colours(&p, dark);
    ck_assert(!p.failed);
    return p.text;
}

static unsigned colour_of(const char *theme, const char *name)
{
    pen mark = {0};
    pen_put(&mark, "--%s:#", name);
    const char *at = strstr(theme, mark.text);
    ck_assert_msg(at != NULL, "there is no colour %s", name);
    unsigned colour = (unsigned)strtoul(at + mark.length, NULL, 16);
    free(mark.text);
    return colour;
}

static double luminance(unsigned colour)
{
    double part[3];
    for (int i = 0; i < 3; i++) {
        double share = (colour >> (16 - 8 * i) & 0xFF) / 255.0;
        part[i] = share <= 0.03928 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4);
    }
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
}

static double contrast(unsigned a, unsigned b)
{
    double light = fmax(luminance(a), luminance(b)), dark = fmin(luminance(a), luminance(b));
    return (light + 0.05) / (dark + 0.05);
}

START_TEST(contrasts_are_those_of_the_standard)
{
    ck_assert_double_eq_tol(contrast(0xFFFFFF, 0x000000), 21, 1e-9);
    ck_assert_double_eq_tol(contrast(0x777777, 0xFFFFFF), 4.48, 0.005); /* the textbook's grey that just fails */
    ck_assert_double_eq_tol(contrast(0xFFFFFF, 0x767676), 4.54, 0.005); /* and the one that just holds */
}
END_TEST

/* A value for each colour of the scale: the number written into its cell is read, in both
 * themes. */
START_TEST(numbers_are_read_on_every_cell)
{
    ag_real values[STYLE_LEVELS];
    for (int i = 0; i < STYLE_LEVELS; i++)
        values[i] = i ? (ag_real)((i - 0.75) / (STYLE_LEVELS - 2)) : 0;
    study_heat heat = {.title = "t", .rows = 1, .columns = 0, .values = values};
    char *themes[] = {declarations(false), declarations(true)};
    int seen = 0;
    for (int first = 0; first < STYLE_LEVELS; first += 11) { /* maps that are small enough for numbers */
        heat.values = values + first;
        heat.columns = 11;
        char *picture = test_picture(&heat, "m");
        const char *cell = picture, *text = strstr(picture, "<g class=\"numbers\"");
        for (int j = 0; j < 11; j++) {
            cell = strstr(cell + 1, "<rect class=\"cell heat-");
            text = strstr(text + 1, "<text class=\"on-");
            ck_assert(cell && text);
            for (int dark = 0; dark < 2; dark++) {
                pen ground = {0}, letters = {0};
                cell = strstr(cell, "heat-");
                text = strstr(text, "on-");
                pen_put_bytes(&ground, cell, strcspn(cell, "\""));
                pen_put_bytes(&letters, text, strcspn(text, "\""));
                double found = contrast(colour_of(themes[dark], ground.text), colour_of(themes[dark], letters.text));
                ck_assert_msg(found >= 4.5, "%s on %s, dark %d: %.2f : 1", letters.text, ground.text, dark, found);
                ck_assert_int_eq(atoi(ground.text + strlen("heat-")), first + j); /* none is left out */
                free(ground.text);
                free(letters.text);
            }
            seen++;
        }
        free(picture);
    }
    ck_assert_int_eq(seen, STYLE_LEVELS);
    free(themes[0]);
    free(themes[1]);
}
END_TEST

/* All other colours that letters have, and those of lines. */
START_TEST(letters_and_lines_are_seen)
{
    static const char *const letters[] = {"ink", "soft", "padded", "alarm", "good", "line-0"}, *const lines[] = {
                                                                                                   "line-1", "line-2",
                                                                                                   "line-3", "line-4",
                                                                                                   "line-5", "line-6",
                                                                                                   "line-7", "hatch"};
    for (int dark = 0; dark < 2; dark++) {
        char *theme = declarations(dark);
        unsigned paper = colour_of(theme, "paper");
        for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
            ck_assert_msg(contrast(colour_of(theme, letters[i]), paper) >= 4.5, "%s, dark %d", letters[i], dark);
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
            ck_assert_msg(contrast(colour_of(theme, lines[i]), paper) >= 3, "%s, dark %d", lines[i], dark);
        free(theme);
    }
}
END_TEST

static Suite *colours_suite(void)
{
    Suite *suite = suite_create("study colours");
    TCase *colours = tcase_create("colours");
    tcase_add_test(colours, contrasts_are_those_of_the_standard);
    tcase_add_test(colours, numbers_are_read_on_every_cell);
    tcase_add_test(colours, letters_and_lines_are_seen);
    suite_add_tcase(suite, colours);
    return suite;
}

TEST_MAIN(colours_suite)
