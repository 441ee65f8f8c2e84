/* test_playground_masks.c - the masks of the playground's cards: their text, their cells
 * and words, and what they allow on a tape. */
#include "ask.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Texts of masks; the own ones are smaller than the sizes below, and larger. */
static const char *const texts[] = {"all",           "causal",       "leak",           "window:0",  "window:2",
                                    "window:32",     "prefix:0",     "prefix:3",       "prefix:32", "own:1x1:0",
                                    "own:4x5:8CEF0", "own:2x7:A814", "own:9x3:FEDCBA8"};
enum { TEXTS = sizeof texts / sizeof *texts };

static playground_mask mask_of(const char *text)
{
    playground_mask mask;
    ag_error error = {0};
    ck_assert_msg(playground_mask_read(&mask, "target", text, &error) == AG_OK, "%s", error.message);
    return mask;
}

/* ---- What a mask allows ------------------------------------------------------------ */

/* What the names mean, written down once more. */
static bool means(int pattern, int64_t i, int64_t j)
{
    switch (pattern) {
    case 0:
        return true;
    case 1:
    case 6:
        return i >= j;
    case 2:
        return i + 1 >= j;
    case 3:
        return i == j;
    case 4:
        return i - 2 <= j && j <= i + 2;
    case 5:
        return i - 32 <= j && j <= i + 32;
    case 7:
        return j < 3 || j <= i;
    case 8:
        return j < 32 || j <= i;
    case 9:
        return false;
    default: {
        static const char *const cells[][4] = {{"#...#", "#..##", "#.###", "#...."}, {"#.#.#..", "....#.#"}};
        const int64_t last = pattern == 10 ? 3 : 1, right = pattern == 10 ? 4 : 6;
        return cells[pattern - 10][i < last ? i : last][j < right ? j : right] == '#';
    }
    }
}

START_TEST(patterns_mean_what_their_names_say)
{
    for (int pattern = 0; pattern < 12; pattern++) {
        const playground_mask mask = mask_of(texts[pattern]);
        for (int64_t i = 0; i < 40; i++)
            for (int64_t j = 0; j < 40; j++)
                ck_assert_msg(playground_mask_allows(&mask, i, j) == means(pattern, i, j), "%s at %d, %d",
                              texts[pattern], (int)i, (int)j);
    }
}
END_TEST

/* The masks that the batch of `input` gets allow what the cards do, and no padding but
 * where they see it. */
static void compare(ag_tape *tape, const char *text, bool padding, int64_t sources, int64_t targets)
{
    const int32_t tokens[2 * 64] = {0}, source_lengths[] = {(int32_t)sources, (int32_t)(sources + 1) / 2},
                             target_lengths[] = {(int32_t)(targets + 1) / 2, (int32_t)targets};
    playground_mask mask = mask_of(text);
    mask.sees_padding = padding;
    const playground_mask masks[] = {mask, mask, mask};
    nn_input input = {.rows = 2,
                      .source = tokens,
                      .source_lengths = source_lengths,
                      .source_length = sources,
                      .target = tokens,
                      .target_lengths = target_lengths,
                      .target_length = targets};
    playground_masks_apply(masks, tape, &input);
    const ag_mask *const made[] = {input.encoder_mask, input.decoder_mask, input.cross_mask};
    for (int card = 0; card < PLAYGROUND_CARDS; card++) {
        const int64_t queries = card == PLAYGROUND_SOURCE ? sources : targets;
        const int64_t keys = card == PLAYGROUND_TARGET ? targets : sources;
        const int32_t *lengths = card == PLAYGROUND_TARGET ? target_lengths : source_lengths;
        ck_assert_msg(made[card] != NULL, "%s: %s", text, ag_tape_error(tape)->message);
        for (int64_t at = 0; at < 2 * queries * keys; at++) {
            const int64_t b = at / (queries * keys), i = at / keys % queries, j = at % keys;
            ck_assert_msg(ag_mask_allows(made[card], b, 0, i, j) ==
                              (playground_mask_allows(&mask, i, j) && (padding || j < lengths[b])),
                          "%s, card %d, %dx%d: row %d, %d, %d", text, card, (int)queries, (int)keys, (int)b, (int)i,
                          (int)j);
        }
    }
}

START_TEST(a_tape_has_the_masks_of_the_cards)
{
    static const int64_t sizes[][2] = {{1, 1}, {2, 5}, {5, 2}, {9, 9}, {33, 40}};
    ag_tape *tape = ag_tape_new(NULL);
    for (int text = 0; text < TEXTS; text++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            compare(tape, texts[text], false, sizes[i][0], sizes[i][1]);
            compare(tape, texts[text], true, sizes[i][0], sizes[i][1]);
            ag_tape_rewind(tape);
        }
    ag_tape_free(tape);
}
END_TEST

/* A model without sources gets no masks for them. */
START_TEST(only_the_masks_of_what_there_is)
{
    const int32_t tokens[8] = {0};
    const playground_mask masks[PLAYGROUND_CARDS] = {0};
    ag_tape *tape = ag_tape_new(NULL);
    nn_input input = {.rows = 2, .target = tokens, .target_length = 4};
    playground_masks_apply(masks, tape, &input);
    ck_assert(!input.encoder_mask && input.decoder_mask && !input.cross_mask);
    input = (nn_input){.rows = 2, .source = tokens, .source_length = 4};
    playground_masks_apply(masks, tape, &input);
    ck_assert(input.encoder_mask && !input.decoder_mask && !input.cross_mask);
    ag_tape_free(tape);
}
END_TEST

/* ---- Text -------------------------------------------------------------------------- */

START_TEST(a_mask_reads_back)
{
    for (int i = 0; i < TEXTS; i++)
        for (int padding = 0; padding < 2; padding++) {
            char text[64], printed[PLAYGROUND_MASK_TEXT];
            snprintf(text, sizeof text, "%s%s", texts[i], padding ? ",padding" : "");
            const playground_mask mask = mask_of(text);
            ck_assert_int_eq(mask.sees_padding, padding);
            playground_mask_print(&mask, printed);
            ck_assert_str_eq(printed, text);
        }
    const playground_mask lower = mask_of("own:4x5:8cef0"), upper = mask_of("own:4x5:8CEF0");
    ck_assert(!memcmp(&lower, &upper, sizeof lower));
}
END_TEST

START_TEST(what_is_no_mask)
{
    static const char *const wrong[] = {"",
                                        "al",
                                        "ALL",
                                        "all ",
                                        "all:1",
                                        "all,",
                                        "all,padding,padding",
                                        "all,pad",
                                        "causal:0",
                                        "window",
                                        "window:",
                                        "window:x",
                                        "window:-1",
                                        "window:33",
                                        "window:1,",
                                        "prefix:1 ",
                                        "prefix:99999999999999999999",
                                        "own",
                                        "own:",
                                        "own:4x5",
                                        "own:4x5:",
                                        "own:4x5:8CE",
                                        "own:4x5:8CEF00",
                                        "own:4x5:8CEG0",
                                        "own:0x5:0",
                                        "own:5x0:0",
                                        "own:33x1:000000000",
                                        "own:1x33:000000000",
                                        "own:4:5:8CEF0",
                                        "own:x5:8CEF0",
                                        ",padding",
                                        "own:2x2:F,padding2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        playground_mask mask = mask_of("window:7");
        ag_error error = {0};
        ck_assert_msg(playground_mask_read(&mask, "eval-cross", wrong[i], &error) == AG_BAD_VALUE, "'%s'", wrong[i]);
        ck_assert_msg(strstr(error.message, "eval-cross=") && strstr(error.message, "expected all, causal"), "%s",
                      error.message);
        ck_assert_int_eq(mask.number, 7); /* it is as it was */
    }
}
END_TEST

/* ---- Cards ------------------------------------------------------------------------- */

static void shows(playground *p, const char *text, const char *member)
{
    ask(p, "mask", text);
    ck_assert_msg(strstr(playground_answer(p), member), "%s: %s in %s", text, member, playground_answer(p));
}

START_TEST(a_card_has_the_cells_of_its_mask)
{
    static const char *const cards[] = {"source", "target", "cross"};
    static const int sizes[][2] = {{1, 1}, {3, 5}, {5, 3}, {9, 9}, {32, 32}, {40, 33}};
    playground *p = playground_new();
    for (int at = 0; at < TEXTS * 3 * 6; at++) {
        const char *text = texts[at / 18], *name = cards[at / 6 % 3];
        const playground_mask mask = mask_of(text);
        const int *size = sizes[at % 6], rows = size[0] < 32 ? size[0] : 32, columns = size[1] < 32 ? size[1] : 32;
        char asked[128], cells[1100] = "\"cells\":\"";
        snprintf(asked, sizeof asked, "%s %dx%d %s", name, size[0], size[1], text);
        for (int i = 0; i < rows * columns; i++) {
            const bool later = *name == 't' && i % columns > i / columns;
            const bool seen = playground_mask_allows(&mask, i / columns, i % columns);
            strcat(cells, !seen ? "." : later ? "!" : "#");
        }
        strcat(cells, "\"");
        shows(p, asked, cells);
    }
    shows(
        p, "target 3x3 window:1,padding",
        "{\"mask\":\"window:1,padding\",\"pattern\":\"window\",\"number\":1,\"padding\":true,\"rows\":3,\"columns\":3,"
        "\"cells\":\"#!.##!.##\"");
    playground_free(p);
}
END_TEST

START_TEST(painted_cells_are_the_mask)
{
    playground *p = playground_new();
    for (int text = 0; text < TEXTS; text++) {
        const playground_mask mask = mask_of(texts[text]);
        char cells[128] = "7x11 ";
        for (int i = 0; i < 77; i++)
            strcat(cells, !playground_mask_allows(&mask, i / 11, i % 11) ? "." : i % 2 ? "#" : "!");
        ask(p, "paint", cells);
        char own[64];
        ck_assert_int_eq(sscanf(playground_answer(p), "{\"mask\":\"%60[^\"]\"}", own), 1);
        const playground_mask painted = mask_of(own);
        ck_assert_int_eq(painted.pattern, PLAYGROUND_OWN);
        for (int i = 0; i < 77; i++)
            ck_assert_int_eq(playground_mask_allows(&painted, i / 11, i % 11),
                             playground_mask_allows(&mask, i / 11, i % 11));
    }
    playground_free(p);
}
END_TEST

START_TEST(a_card_says_what_its_mask_means)
{
    playground *p = playground_new();
    shows(p, "source 4x4 all", "\"meaning\":\"Each position sees all positions.\",\"leak\":\"\",\"notes\":\"\"}");
    shows(p, "target 4x4 causal",
          "\"meaning\":\"Each position sees itself and those before it.\",\"leak\":\"\",\"notes\":\"\"}");
    shows(p, "target 4x4 window:2,padding",
          "sees itself and up to 2 positions on either side. Padding is seen as tokens are.\"");
    shows(p, "source 4x4 window:0", "\"meaning\":\"Each position sees itself alone.\"");
    shows(p, "cross 4x4 window:0", "sees the source position of its own number.\"");
    shows(p, "cross 4x4 prefix:3", "up to its own number and the first 3.\"");
    shows(p, "cross 4x4 leak", "\"leak\":\"\"");
    shows(p, "source 4x4 leak", "\"leak\":\"\"");
    /* The token that a position is to predict is named before one beyond it. */
    shows(p, "target 4x4 leak", "\"leak\":\"A leak: position 0 sees position 1, the token that it is to predict.");
    shows(p, "target 4x4 prefix:0", "\"leak\":\"\"");
    shows(p, "target 4x4 prefix:3", "position 0 sees position 1, the token that it is");
    shows(p, "target 4x4 own:4x4:A8CF", "position 0 sees position 2, beyond the token that it is to predict.");
    shows(p, "target 4x4 own:4x4:AACF", "position 1 sees position 2, the token that it is");
    shows(p, "target 4x4 own:4x4:A9DF", "position 2 sees position 3, the token that it is");
    /* Queries without keys. */
    shows(p, "target 4x4 own:4x4:8C0F", "\"notes\":\"Position 2 sees nothing: the output of attention there is 0.\"");
    shows(p, "cross 3x9 own:1x1:0", "\"notes\":\"Positions 0, 1, 2 see nothing:");
    /* More positions than a card has room for. */
    shows(p, "source 32x32 all", "\"notes\":\"\"");
    shows(p, "source 33x33 all", "\"notes\":\"The card shows the first 32 positions;");
    shows(p, "cross 40x40 own:1x1:0", "30, 31 see nothing: the output of attention there is 0. The card shows");
    playground_free(p);
}
END_TEST

START_TEST(what_no_card_shows)
{
    playground *p = playground_new();
    refused(p, "mask", "", "expected source, target or cross");
    refused(p, "mask", "sideways 4x4 all", "expected source, target or cross");
    refused(p, "mask", "sour 4x4 all", "expected source, target or cross");
    refused(p, "mask", "target 4 all", "ROWSxCOLUMNS");
    refused(p, "mask", "target 0x4 all", "ROWSxCOLUMNS");
    refused(p, "mask", "target 4x-4 all", "ROWSxCOLUMNS");
    refused(p, "mask", "target 4x4 sideways", "target=sideways: expected all, causal");
    refused(p, "mask", "target 4x4 ", "target=: expected all, causal");
    refused(p, "paint", "", "expected ROWSxCOLUMNS");
    refused(p, "paint", "2x2 ...", "expected ROWSxCOLUMNS");
    refused(p, "paint", "2x2 .....", "expected ROWSxCOLUMNS");
    refused(p, "paint", "2x2 ....,padding", "expected ROWSxCOLUMNS");
    refused(p, "paint", "2x2 ..?.", "expected ROWSxCOLUMNS");
    refused(p, "paint", "1x33 .................................", "at most 32 each");
    playground_free(p);
}
END_TEST

/* ---- In a run ---------------------------------------------------------------------- */

static const char run[] = "task=copy&task-min=2&task-max=4&layers=1&heads=2&d-model=16&batch=8&seed=3";

/* Attention that sees nothing has output 0: neither training nor an evaluation breaks. */
START_TEST(who_sees_nothing_breaks_nothing)
{
    static const char *const masks[] = {"model=encoder-decoder&source=own:1x1:0&target=own:1x1:0&cross=own:1x1:0",
                                        "model=encoder-decoder&source=own:2x2:2&target=own:3x3:040,padding",
                                        "model=encoder&source=own:1x1:0", "model=decoder&target=own:2x1:4"};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        char setting[512];
        snprintf(setting, sizeof setting, "%s&%s", run, masks[i]);
        playground *p = begin(setting);
        ask(p, "step", "20");
        ck_assert_msg(isfinite(p->run->loss) && isfinite(p->run->norm), "%s: %s", setting, playground_answer(p));
        ask(p, "evaluate", "");
        ck_assert_msg(isfinite(p->run->result.loss), "%s: %s", setting, playground_answer(p));
        for (int64_t k = 0; k < p->run->model->params.size; k++)
            ck_assert(isfinite((double)p->run->model->params.value[k]));
        playground_free(p);
    }
}
END_TEST

static void change_to(playground *p, const char *masks)
{
    char setting[512];
    snprintf(setting, sizeof setting, "%s&%s", run, masks);
    ask(p, "change", setting);
}

static bool said(playground *p, const char *part)
{
    return strstr(playground_answer(p), part) != NULL;
}

/* The evaluation follows the training until it has a mask of its own, and the setting says
 * which of the two. */
START_TEST(masks_of_the_evaluation_are_set_apart)
{
    playground *p = begin(run);
    playground_mask(*masks)[PLAYGROUND_CARDS] = p->run->setting.masks;
    ck_assert(said(p, "target=causal") && !said(p, "eval-"));
    change_to(p, "target=leak&source=window:1");
    ck_assert(said(p, "target=leak") && !said(p, "eval-"));
    ck_assert_int_eq(masks[PLAYGROUND_EVALUATION][PLAYGROUND_TARGET].pattern, PLAYGROUND_LEAK);
    change_to(p, "target=leak&eval-target=leak&eval-cross=causal");
    ck_assert(said(p, "eval-target=leak&eval-cross=causal") && !said(p, "eval-source"));
    change_to(p, "target=causal&eval-target=leak");
    ck_assert_int_eq(masks[PLAYGROUND_TRAINING][PLAYGROUND_TARGET].pattern, PLAYGROUND_CAUSAL);
    ck_assert_int_eq(masks[PLAYGROUND_EVALUATION][PLAYGROUND_TARGET].pattern, PLAYGROUND_LEAK);
    ck_assert_int_eq(masks[PLAYGROUND_EVALUATION][PLAYGROUND_CROSS].pattern, PLAYGROUND_ALL);
    change_to(p, "");
    ck_assert(!said(p, "eval-"));
    playground_free(p);
}
END_TEST

/* A mask that changes while the model trains takes part from the next step on. */
START_TEST(a_change_takes_part_in_the_next_step)
{
    playground *p = begin(run), *q = begin(run);
    ask(p, "step", "5");
    ask(q, "step", "5");
    change_to(q, "target=leak");
    ask(p, "step", "1");
    ask(q, "step", "1");
    ck_assert_double_ne(p->run->loss, q->run->loss);
    change_to(p, "target=leak");
    ck_assert_int_eq(p->run->step, 6);
    playground_free(p);
    playground_free(q);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("playground masks");
    TCase *t = tcase_create("masks");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, enter_folder, leave_folder);
    tcase_add_test(t, patterns_mean_what_their_names_say);
    tcase_add_test(t, a_tape_has_the_masks_of_the_cards);
    tcase_add_test(t, only_the_masks_of_what_there_is);
    tcase_add_test(t, a_mask_reads_back);
    tcase_add_test(t, what_is_no_mask);
    tcase_add_test(t, a_card_has_the_cells_of_its_mask);
    tcase_add_test(t, painted_cells_are_the_mask);
    tcase_add_test(t, a_card_says_what_its_mask_means);
    tcase_add_test(t, what_no_card_shows);
    tcase_add_test(t, who_sees_nothing_breaks_nothing);
    tcase_add_test(t, masks_of_the_evaluation_are_set_apart);
    tcase_add_test(t, a_change_takes_part_in_the_next_step);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
