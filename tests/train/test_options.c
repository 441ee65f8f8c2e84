/* test_options.c - the table of options: every member of the structs of options has a row,
 * no two rows collide, and a run takes the table's defaults. Reads headers, so it runs in
 * the project's folder. (test_once.c sees that nothing is written a second time.) */
#include "options.h"

#include "cli/train_flags.h"
#include "train/run.h"
#include "train_fixture.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static char *source_text(const char *folder, const char *name)
{
    size_t size;
    return test_file_read(folder, name, &size);
}

/* ---- Rows -------------------------------------------------------------------------- */

START_TEST(rows_are_complete)
{
    const train_field *row;
    int count = 0;
    for (; (row = train_option(count)); count++) {
        const char *name = row->name ? row->name : row->member;
        ck_assert_msg(!row->name || row->help, "%s has no help", name);
        ck_assert_msg(row->name || (!row->value && !row->otherwise && !row->needs), "%s has no flag", name);
        ck_assert_msg(!row->needs == !row->goes, "%s needs something, and no sentence says so", name);
        ck_assert_msg(row->low <= row->high || row->high == 0, "%s has an empty range", name);
        if (row->usual != 0 && !row->names)
            ck_assert_msg(row->usual >= row->low && (row->usual <= row->high || row->low >= row->high),
                          "the default of %s is out of its range", name);
        if (!row->value && row->name)
            ck_assert_msg(row->type == TRAIN_BOOL || row->sets != 0, "--%s sets nothing", name);
    }
    ck_assert_int_gt(count, 60);
    ck_assert_int_le(count, TRAIN_FLAGS_MOST);
}
END_TEST

/* Two rows may set one member only where one of them is a switch for one of its values. */
START_TEST(rows_are_unique)
{
    const train_field *a, *b;
    for (int i = 0; (a = train_option(i)); i++)
        for (int j = 0; j < i && (b = train_option(j)); j++) {
            ck_assert_msg(!a->name || !b->name || strcmp(a->name, b->name), "two flags --%s", a->name);
            ck_assert_msg(!a->key || !b->key || strcmp(a->key, b->key), "two keys %s", a->key);
            const bool same = a->owner == b->owner && a->offset == b->offset;
            ck_assert_msg(!same || a->sets || b->sets, "two rows for %s", a->member);
        }
}
END_TEST

static bool has_row(train_owner owner, const char *prefix, const char *member)
{
    char name[128];
    const train_field *row;
    snprintf(name, sizeof name, "%s%s", prefix, member);
    for (int i = 0; (row = train_option(i)); i++)
        if (row->owner == owner && !strcmp(row->member, name))
            return true;
    return false;
}

/* Removes comments from C. */
static void strip_comments(char *text)
{
    for (char *begin = strstr(text, "/*"), *end; begin; begin = strstr(begin, "/*")) {
        end = strstr(begin, "*/");
        ck_assert_ptr_nonnull(end);
        memset(begin, ' ', (size_t)(end + 2 - begin));
    }
}

/* The member that a declarator such as " *const name" or " (*name)(int)" declares. */
static char *declared_name(char *declarator)
{
    char *star = strstr(declarator, "(*");
    char *name = star ? star + 2 : declarator + strlen(declarator);
    if (star) {
        name[strcspn(name, ")")] = '\0';
        return name;
    }
    while (name > declarator && !isalnum((unsigned char)name[-1]) && name[-1] != '_')
        *--name = '\0';
    while (name > declarator && (isalnum((unsigned char)name[-1]) || name[-1] == '_'))
        name--;
    return name;
}

/* Every member of the struct in the header has a row, or is one of `others`; returns how
 * many have one. */
static int check_members(train_owner owner, const char *prefix, const char *folder, const char *header,
                         const char *name, const char *others)
{
    char begin[128], end[128];
    char *text = source_text(folder, header);
    int found = 0;
    strip_comments(text);
    snprintf(begin, sizeof begin, "typedef struct %s {", name);
    snprintf(end, sizeof end, "} %s;", name);
    char *at = strstr(text, begin);
    ck_assert_msg(at && strstr(at, end), "no struct %s in %s", name, header);
    at += strlen(begin);
    *strstr(at, end) = '\0';
    for (char *declaration = strtok(at, ";"); declaration; declaration = strtok(NULL, ";")) {
        if (!strpbrk(declaration, "abcdefghijklmnopqrstuvwxyz"))
            continue;
        const bool function = strchr(declaration, '(') != NULL;
        for (char *comma; declaration; declaration = comma) {
            comma = function ? NULL : strchr(declaration, ',');
            if (comma)
                *comma++ = '\0';
            const char *member = declared_name(declaration);
            char spaced[128];
            snprintf(spaced, sizeof spaced, " %s ", member);
            const bool row = has_row(owner, prefix, member);
            ck_assert_msg(row || strstr(others, spaced), "%s.%s has no row in the table of options", name, member);
            ck_assert_msg(!row || !strstr(others, spaced), "%s.%s has a row", name, member);
            found += row;
        }
    }
    free(text);
    return found;
}

/* What no option says: what the run is made of, what the command computes. */
START_TEST(every_member_has_a_row)
{
    ck_assert_int_ge(check_members(TRAIN_MODEL, "", "nn", "nn.h", "nn_model_config", ""), 22);
    ck_assert_int_ge(check_members(TRAIN_RUN, "optimizer.", "train", "optimizer.h", "train_optimizer_config", ""), 7);
    ck_assert_int_gt(
        check_members(TRAIN_RUN, "", "train", "train.h", "train_options",
                      " optimizer resume source_vocab target_vocab arguments stop on_progress on_input exchange context "),
        20);
    check_members(TRAIN_DATA, "", "data", "data.h", "data_set_options",
                  " part max_held_out seed max_tokens tagging source_vocab target_vocab leave_out format ");
    check_members(TRAIN_DATA, "format.", "data", "data.h", "data_format", " kind ");
    check_members(TRAIN_RECIPE, "", "train", "options.h", "train_recipe", " files data model run ");
    check_members(TRAIN_RECIPE, "files.", "train", "options.h", "train_files", "");
}
END_TEST

/* ---- Defaults ---------------------------------------------------------------------- */

/* A run whose caller gives nothing takes the numbers of the table. */
START_TEST(a_run_takes_the_defaults)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    train_options given = {.stop_at = 1, .threads = 1, .out = f.out}, taken;
    const train_field *row;
    int checked = 0;
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &given, NULL, NULL), AG_INTERRUPTED);
    ck_assert_int_eq(train_checkpoint_options(&taken, f.out, NULL), AG_OK);
    for (int i = 0; (row = train_run_field(i)); i++)
        if (row->usual != 0 && row->type != TRAIN_UINT64) { /* the seed's is the command's */
            ck_assert_msg(train_field_number(row, &taken) == row->usual, "%s", row->member);
            checked++;
        }
    ck_assert_int_ge(checked, 7);
    train_fixture_clear(&f);
}
END_TEST

/* A flag's 0 never becomes another number: where a run replaces 0 by a default, the flag
 * either refuses 0 or stores it as -1, which the run takes for "none". Returns how many
 * rows have such a default. */
static int check_zeros(const data_set *training, train_optimizer_kind kind, train_schedule_kind schedule)
{
    const train_options nothing = {.steps = 1000, .optimizer.kind = kind, .schedule = schedule};
    train_options complete;
    const train_field *row;
    int defaults = 0;
    ck_assert_int_eq(train_options_complete(&complete, &nothing, NULL, 0, training, NULL), AG_OK);
    for (int i = 0; (row = train_option(i)); i++) {
        if (row->owner != TRAIN_RUN || !row->name || !row->value || row->names || row->type == TRAIN_TEXT ||
            train_field_number(row, &nothing) != 0 || train_field_number(row, &complete) <= 0)
            continue;
        train_options given = nothing, taken;
        char expected[256];
        defaults++;
        if (row->type == TRAIN_UINT64 || !train_field_read(row, &given, "0", expected, sizeof expected))
            continue;
        ck_assert_int_eq(train_options_complete(&taken, &given, NULL, 0, training, NULL), AG_OK);
        ck_assert_msg(train_field_number(row, &taken) <= 0, "--%s 0 is taken for %g", row->name,
                      train_field_number(row, &taken));
    }
    return defaults;
}

START_TEST(zero_is_not_misread)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    for (int kind = TRAIN_ADAMW; kind <= TRAIN_MUON; kind++)
        for (int schedule = TRAIN_COSINE; schedule <= TRAIN_WSD; schedule++)
            ck_assert_int_ge(check_zeros(f.training, (train_optimizer_kind)kind, (train_schedule_kind)schedule), 8);
    train_fixture_clear(&f);
}
END_TEST

/* Muon without momentum is another run than Muon, and its resume goes on without. */
START_TEST(muon_without_momentum)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
    train_options given = {.optimizer = {.kind = TRAIN_MUON, .momentum = -1}, .stop_at = 3, .threads = 1, .out = f.out};
    train_options taken;
    ag_error error = {0};
    for (int resume = 0; resume < 2; resume++) {
        given.resume = resume;
        ck_assert_int_eq(train_run(f.model, f.training, f.dev, &given, NULL, &error), AG_INTERRUPTED);
        ck_assert_int_eq(train_checkpoint_options(&taken, f.out, NULL), AG_OK);
        ck_assert_double_eq(taken.optimizer.momentum, 0);
        given.optimizer.momentum = 0; /* in a resume: what the run has had */
        given.stop_at = 5;
    }
    ag_real *without = ag_numbers_new(f.model->params.size);
    memcpy(without, f.model->params.value, (size_t)f.model->params.size * sizeof *without);
    train_fixture_redraw(&f, 7);
    given = (train_options){.optimizer.kind = TRAIN_MUON, .stop_at = 5, .threads = 1, .out = f.out, .overwrite = true};
    ck_assert_int_eq(train_run(f.model, f.training, f.dev, &given, NULL, NULL), AG_INTERRUPTED);
    ck_assert(memcmp(without, f.model->params.value, (size_t)f.model->params.size * sizeof *without) != 0);
    ck_assert_int_eq(train_checkpoint_options(&taken, f.out, NULL), AG_OK);
    ck_assert_double_eq(taken.optimizer.momentum, TRAIN_DEFAULT_MOMENTUM_MUON);
    free(without);
    train_fixture_clear(&f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/options");
    TCase *c = tcase_create("table");
    tcase_add_test(c, rows_are_complete);
    tcase_add_test(c, rows_are_unique);
    tcase_add_test(c, every_member_has_a_row);
    tcase_add_test(c, a_run_takes_the_defaults);
    tcase_add_test(c, zero_is_not_misread);
    tcase_add_test(c, muon_without_momentum);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
