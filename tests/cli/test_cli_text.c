/* test_cli_text.c - the output of the command. For people it holds nothing that steers a
 * terminal or turns the direction of text, whatever files, tokens and arguments hold; for
 * programs it is JSON that parses, and lines with the right fields. */
#include "cli_util.h"
#include "train_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* An escape code, a bell, an override of direction; in a name, which need not be UTF-8, a
 * C1 control of Latin-1. */
#define RED_BELL_TURN "\x1b[31m\x07\xE2\x80\xAE"
#define HOSTILE_NAME  RED_BELL_TURN "\x9b" "1m\nx"

static void set_up(void)
{
    cli_set_up();
    setenv("H", HOSTILE_NAME, 1);
    setenv("U", RED_BELL_TURN, 1);
}

/* Fails where a text holds a control character but a line feed, what turns the direction
 * of text, or no UTF-8. */
static void check_clean(const char *text, const char *of)
{
    size_t left = strlen(text);
    ck_assert_msg(data_utf8_check(text, left) == left, "%s: not UTF-8:\n%s", of, text);
    for (const char *at = text; *at; at++)
        ck_assert_msg(*at == '\n' || ((unsigned char)*at >= ' ' && *at != 0x7F), "%s: control character %02x:\n%s",
                      of, (unsigned)*at, text);
    static const char *const turns[] = {"\xC2\x9B",     "\xE2\x80\x8E", "\xE2\x80\x8F", "\xE2\x80\xAA", "\xE2\x80\xAE",
                                        "\xE2\x81\xA6", "\xE2\x81\xA9", "\xEF\xBB\xBF", "\xE2\x80\xA8", "\xD8\x9C"};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
        ck_assert_msg(!strstr(text, turns[i]), "%s: the control %zu of direction:\n%s", of, i, text);
}

/* The command ends with this code, says this, and all that it says is clean. */
static void expect_clean(const char *command, int code, const char *saying)
{
    cli_expect(command, code, saying);
    check_clean(cli_output, command);
}

static void check_file(const char *name)
{
    size_t size;
    char *text = test_file_read(cli_folder, name, &size);
    check_clean(text, name);
    free(text);
}

/* ---- For people -------------------------------------------------------------------- */

START_TEST(arguments_are_shown)
{
    static const char *const commands[] = {
        "$T \"$H\"",
        "$T help \"$H\"",
        "$T eval \"$H\"",
        "$T eval \"--$H\"",
        "$T eval \"--$H=1\"",
        "$T eval --beam \"$H\" --model x",
        "$T eval --model \"$H\" --task copy",
        "$T eval --model x --task \"$H\"",
        "$T predict --model \"$H\"",
        "$T generate --model \"$H\"",
        "$T info \"$H\"",
        "$T info --model \"$H\"",
        "$T train --task \"$H\" --out $DIR/x",
        "$T train --pairs \"$H\" --out $DIR/x",
        "$T train --text \"$H\" --out $DIR/x",
        "$T train --preset \"$H\" --out $DIR/x",
        "$T train --optimizer \"$H\" --out $DIR/x",
        "$T train --resume \"$H\"",
        "$T train --from \"$H\" --task copy --out $DIR/x",
        "$T import \"$H\" --out $DIR/x",
        "$T export --model \"$H\" --out $DIR/x",
        "$T gradcheck --op \"$H\"",
        "$T trace --model \"$H\" --source a --out $DIR/x",
        "$T trace --compare \"$H\" \"$H\"",
        "$T study \"$H\"",
        "$T study attention --model \"$H\" --source a",
        "$T study curves \"$H\"",
        "$T study masks --task \"$H\"",
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        int code = cli_run(commands[i]);
        ck_assert_msg(code == 1 || code == 2, "%s: exit %d", commands[i], code);
        check_clean(cli_output, commands[i]);
        ck_assert_msg(strlen(cli_output) > 20, "%s says nothing", commands[i]);
    }
}
END_TEST

/* Names of files and folders, and tokens, in a run from its beginning to its reports. */
START_TEST(names_and_tokens_are_shown)
{
    cli_expect("for i in 1 2 3 4; do printf '%sa%s\\tb%sa\\n' $i \"$U\" \"$U\"; done > \"$DIR/$H\"", 0, "");
    expect_clean("cd $DIR && $T train --pairs \"$H\" --out \"run$H\" --d-model 8 --heads 2 --layers 1 --steps 3 "
                 "--dropout 0 --schedule constant",
                 0, "data         \xE2\x90\x9B[31m\xE2\x90\x87\xEF\xBF\xBD\xEF\xBF\xBD" "1m\xE2\x90\x8Ax,");
    expect_clean("cd $DIR && $T train --resume \"run$H\" --steps 4", 0, "saved: run\xE2\x90\x9B[31m");
    expect_clean("cd $DIR && $T train --from \"run$H\" --pairs \"$H\" --out \"on$H\" --steps 1", 0,
                 "those of run\xE2\x90\x9B[31m");
    expect_clean("cd $DIR && $T eval --model \"run$H\" --pairs \"$H\" --show 9", 0, "a\xE2\x90\x9B[31m\xE2\x90\x87");
    expect_clean("cd $DIR && $T study attention --model \"run$H\" --source \"1a$U\" --out \"$H.html\" "
                 "--pictures $DIR/p; cp \"$H.html\" report.html; cat p/*.svg > pictures",
                 0, "The report is in \xE2\x90\x9B[31m");
    check_file("report.html");
    check_file("pictures");
    expect_clean("cd $DIR && $T study influence --model \"run$H\" --source \"1a$U\"", 0, "");
    expect_clean("cd $DIR && $T study curves \"run$H\" --out curves.html", 0, "");
    check_file("curves.html");
    expect_clean("cd $DIR && $T trace --model \"run$H\" --source \"1a$U\" --out \"$H\".safetensors", 0,
                 "The trace is in ");
    expect_clean("cd $DIR && printf '%s\\n' \"?$U\" | $T predict --model \"run$H\" 2>&1 >/dev/null", 1, "");
    expect_clean("$T study attention --model \"$DIR/run$H\" --source \"?$U\"", 1, "vocabulary");
}
END_TEST

static void write_foreign(const char *name, const char *tensor, const char *format, const char *task)
{
    ag_real one = 1;
    char path[512];
    ag_error error = {0};
    data_writer *writer = data_writer_new(&error);
    ck_assert_ptr_nonnull(writer);
    ck_assert_int_eq(data_writer_add_real(writer, tensor, AG_SHAPE(1), &one, &error), AG_OK);
    ck_assert_int_eq(data_writer_metadata(writer, "format", format, &error), AG_OK);
    ck_assert_int_eq(data_writer_metadata(writer, "task", task, &error), AG_OK);
    snprintf(path, sizeof path, "%s/%s", cli_folder, name);
    ck_assert_int_eq(data_writer_save(writer, path, &error), AG_OK);
    data_writer_free(writer);
}

/* Loads the run of cli_train_tiny; the caller clears it. */
static train_saved load_run(void)
{
    char path[512];
    ag_error error = {0};
    train_saved saved = {0};
    snprintf(path, sizeof path, "%s/run", cli_folder);
    ck_assert_msg(train_saved_load(&saved, path, &error) == AG_OK, "%s", error.message);
    return saved;
}

static void save_as(const train_saved *saved, const char *name)
{
    char path[512];
    ag_error error = {0};
    snprintf(path, sizeof path, "%s/%s", cli_folder, name);
    ck_assert_msg(train_saved_save(saved, path, false, &error) == AG_OK, "%s", error.message);
}

START_TEST(files_from_elsewhere_are_shown)
{
    write_foreign("a.safetensors", RED_BELL_TURN "weight", RED_BELL_TURN "pt", "x");
    write_foreign("b.safetensors", "other" RED_BELL_TURN, "pt", "x");
    static const char *const commands[] = {
        "$T eval --model $DIR/a.safetensors --task copy",
        "$T predict --model $DIR/a.safetensors < /dev/null",
        "$T trace --compare $DIR/a.safetensors $DIR/b.safetensors",
        "$T trace --compare --common $DIR/a.safetensors $DIR/b.safetensors",
        "$T info $DIR/a.safetensors; false",
        "$T import $DIR/a.safetensors --out $DIR/x --model decoder --tgt-vocab $DIR/vocab",
    };
    cli_write("vocab", RED_BELL_TURN "\nb\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        int code = cli_run(commands[i]);
        ck_assert_msg(code == 1 || code == 2, "%s: exit %d\n%s", commands[i], code, cli_output);
        check_clean(cli_output, commands[i]);
    }
    cli_train_tiny();
    train_saved saved = load_run();
    free(saved.task);
    saved.task = malloc(sizeof RED_BELL_TURN);
    memcpy(saved.task, RED_BELL_TURN, sizeof RED_BELL_TURN);
    save_as(&saved, "hostile");
    train_saved_clear(&saved);
    expect_clean("$T info $DIR/hostile", 0, "\xE2\x90\x9B[31m\xE2\x90\x87");
}
END_TEST

/* ---- For programs ------------------------------------------------------------------ */

/* Fails unless every line of the text is one object of JSON with at least one member.
 * Returns the lines. */
static int check_json_lines(const char *text)
{
    int lines = 0;
    while (*text) {
        size_t size = strcspn(text, "\n"), members = 0;
        char word[1 << 12];
        double number;
        bool truth;
        data_json json = data_json_start(text, size);
        ck_assert_uint_eq(data_utf8_check(text, size), size);
        data_json_enter(&json, '{');
        while (data_json_more(&json, '}', &members) && data_json_key(&json, word)) {
            const char next = data_json_peek(&json);
            if (next == '"')
                data_json_string(&json, word);
            else if (next == 't' || next == 'f')
                data_json_bool(&json, &truth);
            else if (next == 'n')
                data_json_null(&json);
            else
                data_json_number(&json, &number);
        }
        ck_assert_msg(data_json_finish(&json) && members > 0, "%s at byte %zu of %.*s", json.problem, json.at,
                      (int)size, text);
        text += size;
        ck_assert_msg(*text == '\n', "the last line has no end: %s", text);
        text++;
        lines++;
    }
    return lines;
}

/* Makes the model in $DIR/run much too sure of itself, so that it loses `factor` times as
 * much, and saves it. */
static void exaggerate(double factor, const char *name)
{
    train_saved saved = load_run();
    nn_params *params = &saved.model->params;
    for (int64_t i = 0; i < params->size; i++)
        params->value[i] *= (ag_real)factor;
    save_as(&saved, name);
    train_saved_clear(&saved);
}

START_TEST(json_is_valid_in_every_state)
{
    cli_train_tiny();
    exaggerate(100, "sure");
    exaggerate(PRECISION(1e150, 1e20), "broken");
    cli_expect("$T eval --model $DIR/run --task copy --count 20 --json", 0, "\"loss\": ");
    ck_assert_int_eq(check_json_lines(cli_output), 1);
    cli_expect("$T eval --model $DIR/sure --task copy --count 20 --json", 0,
               "\"perplexity\": null, \"perplexity_is\": \"Infinity\", ");
    ck_assert_int_eq(check_json_lines(cli_output), 1);
    cli_expect("$T eval --model $DIR/broken --task copy --count 20 --json 2>/dev/null", 1, "");
    ck_assert_int_eq(check_json_lines(cli_output), 0);
    cli_expect("$T eval --model $DIR/run --task copy --count 20 --show 5 --json 2>$DIR/shown && wc -l < $DIR/shown >&2",
               0, "5");
    cli_expect("$T eval --model $DIR/run --task copy --count 20 --show 5 --json 2>/dev/null", 0, "\"loss\": ");
    ck_assert_int_eq(check_json_lines(cli_output), 1);
    cli_expect("cat $DIR/run/log.jsonl", 0, "\"dev_loss\":");
    ck_assert_int_gt(check_json_lines(cli_output), 20);
    cli_expect("$T gradcheck --draws 1 --json; true", 0, "\"operation\": \"softmax\"");
    ck_assert_int_gt(check_json_lines(cli_output), 30);
}
END_TEST

static int count(const char *text, char byte)
{
    int found = 0;
    for (; *text; text++)
        found += *text == byte;
    return found;
}

#define PREDICT "printf 'abcd\\nefgh\\nijkl\\nmnop\\nqrst\\nuvwx\\n' | $T predict --beam 4 --best 4 --scores --model "

/* The letter that stands most often in the text and is none of `but`. */
static char most_frequent(const char *text, const char *but)
{
    char best = 'a';
    for (char letter = 'a'; letter <= 'z'; letter++)
        if (!strchr(but, letter) && (strchr(but, best) || count(text, letter) > count(text, best)))
            best = letter;
    return best;
}

/* A token may be a tab or a line feed where a library made the vocabulary: here those
 * that the model likes best. */
START_TEST(fields_are_between_tabs)
{
    static const char marks[] = "\t\n\r";
    char letters[4] = "";
    cli_train_tiny();
    cli_expect(PREDICT "$DIR/run", 0, "");
    for (int i = 0; i < 3; i++)
        letters[i] = most_frequent(cli_output, letters);
    train_saved saved = load_run();
    data_vocab *vocab = data_vocab_new(DATA_CHARS, NULL);
    ck_assert_ptr_nonnull(vocab);
    for (int32_t id = DATA_SPECIALS; id < data_vocab_size(saved.target_vocab); id++) {
        const char *letter = data_vocab_token(saved.target_vocab, id), *found = strchr(letters, *letter);
        ck_assert_int_eq(data_vocab_add(vocab, found ? &marks[found - letters] : letter, 1), id);
    }
    data_vocab_free(saved.target_vocab);
    saved.target_vocab = vocab;
    save_as(&saved, "tabs");
    train_saved_clear(&saved);
    cli_expect(PREDICT "$DIR/tabs", 0, "\\09");
    ck_assert(strstr(cli_output, "\\0a") && strstr(cli_output, "\\0d"));
    ck_assert_int_eq(count(cli_output, '\n'), 6);
    ck_assert_int_eq(count(cli_output, '\t'), 6 * 7);
    ck_assert_int_eq(count(cli_output, '\r'), 0);
}
END_TEST

/* A line has the hypotheses that there are: an empty field is the output without a token,
 * which is one of them. */
START_TEST(hypotheses_that_are_not_there_have_no_fields)
{
    cli_expect("for i in 1 2 3 4 5 6; do printf 'a%s\tx\n' $i; done > $DIR/x; "
               "$T train --pairs $DIR/x --steps 3 " CLI_TINY " --out $DIR/few",
               0, "");
    for (int longest = 1; longest <= 2; longest++) { /* "" and x; "", x and xx */
        setenv("L", longest == 1 ? "1" : "2", 1);
        cli_expect("printf 'a1\n' | $T predict --model $DIR/few --best 9 --scores --max-length $L", 0, "\n");
        ck_assert_msg(!strstr(cli_output, "inf"), "%s", cli_output);
        ck_assert_int_eq(count(cli_output, '\t'), 2 * (longest + 1) - 1);
        cli_expect("printf 'a1\n' | $T predict --model $DIR/few --best 9 --max-length $L", 0, "\n");
        ck_assert_int_eq(count(cli_output, '\t'), longest);
    }
}
END_TEST

/* The carriage return that $(head -1 FILE) leaves of a file from Windows is no token of
 * an argument. */
START_TEST(arguments_have_no_line_ends)
{
    cli_expect("for i in 1 2 3 4 5 6; do printf 'a%s\tx\n' $i; done > $DIR/x; "
               "$T train --pairs $DIR/x --steps 3 " CLI_TINY " --out $DIR/few && "
               "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo abc; done > $DIR/y && "
               "$T train --text $DIR/y --context 8 --steps 2 " CLI_TINY " --out $DIR/lm",
               0, "");
    setenv("A", "\xEF\xBB\xBF" "a\r", 1);
    setenv("X", "\xEF\xBB\xBF" "x\r", 1);
    cli_expect("$T trace --model $DIR/few --source a --target x --out $DIR/1 && "
               "$T trace --model $DIR/few --source \"$A\" --target \"$X\" --out $DIR/2 && "
               "$T trace --compare $DIR/1 $DIR/2",
               0, "agree");
    cli_expect("$T study attention --model $DIR/few --source \"$A\"", 0, "looks at");
    cli_expect("$T study influence --model $DIR/few --source \"$A\"", 0, "depends on");
    cli_expect("$T study attention --model $DIR/lm --target \"$A\"", 0, "looks at");
    cli_expect("$T study attention --model $DIR/few --source \"$(printf '\\357\\273\\277\\r')\"", 2, "is empty");
    cli_expect("$T generate --model $DIR/lm --prompt a --length 9 --greedy > $DIR/1; "
               "$T generate --model $DIR/lm --prompt \"$A\" --length 9 --greedy | cmp - $DIR/1 && echo same",
               0, "same");
}
END_TEST

/* White space alone is as empty for a trained model as for its training; line ends and
 * marks are no tokens. */
START_TEST(empty_is_empty_everywhere)
{
    cli_expect("for i in 1 2 3 4 5 6; do printf 'a%s b\\tb %sa\\r\\n \\r\\n' $i $i; done > $DIR/crlf; "
               "$T train --pairs $DIR/crlf --steps 3 " CLI_TINY " --out $DIR/chars",
               0, "");
    cli_expect("$T train --pairs $DIR/crlf --steps 3 --src-tokens words --tgt-tokens words " CLI_TINY
               " --out $DIR/words",
               0, "");
    static const char *const models[] = {"chars", "words"};
    for (int i = 0; i < 2; i++) {
        setenv("M", models[i], 1);
        cli_expect("printf '\\357\\273\\277a1 b\\r\\n  \\n\\n\\302\\240\\r\\na1 b\\r' | $T predict --model $DIR/$M "
                   "> $DIR/answers; cat $DIR/answers | tr '\\n' '|'",
                   0, "||||");
        cli_expect("sed -n 1p $DIR/answers > $DIR/1; sed -n 5p $DIR/answers > $DIR/5; wc -l < $DIR/answers; "
                   "test -s $DIR/1 && cmp $DIR/1 $DIR/5 && echo same",
                   0, "same");
        cli_expect("$T trace --model $DIR/$M --source '  ' --out $DIR/trace", 2, "--source is empty");
        cli_expect("printf ' \\tb\\n' > $DIR/bad; $T eval --model $DIR/$M --pairs $DIR/bad", 1, "the source is empty");
    }
    cli_expect("for i in 1 2 3 4 5 6 7 8; do for j in 1 2 3 4; do printf 'the cat\\r\\nsat\\r\\n'; done; done > "
               "$DIR/text; "
               "$T train --text $DIR/text --context 8 --steps 2 " CLI_TINY " --out $DIR/lm && $T info $DIR/lm",
               0, "12 tokens"); /* t h e space c a s and the line feed; and four */
    cli_expect("$T train --text $DIR/text --tgt-tokens words --context 8 --steps 2 " CLI_TINY " --out $DIR/lmw; "
               "$T generate --model $DIR/lmw --length 1 --greedy | sed 's/^/begin/'",
               0, "begin");
    ck_assert(!strstr(cli_output, "begin "));
    cli_expect("$T generate --model $DIR/lmw --length 1 --greedy --prompt '  ' | sed 's/^  /begin/'", 0, "begin");
    ck_assert(!strstr(cli_output, "begin "));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_text");
    TCase *c = tcase_create("text");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, set_up, cli_tear_down);
    tcase_add_test(c, arguments_are_shown);
    tcase_add_test(c, names_and_tokens_are_shown);
    tcase_add_test(c, files_from_elsewhere_are_shown);
    tcase_add_test(c, json_is_valid_in_every_state);
    tcase_add_test(c, fields_are_between_tabs);
    tcase_add_test(c, hypotheses_that_are_not_there_have_no_fields);
    tcase_add_test(c, arguments_have_no_line_ends);
    tcase_add_test(c, empty_is_empty_everywhere);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
