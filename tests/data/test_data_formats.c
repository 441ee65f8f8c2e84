/* test_data_formats.c - files of pairs in other formats than lines `source TAB target`:
 * what is read, from which line, and how what does not fit is refused. */
#include "check_util.h"

#include "data.h"

#include <stdio.h>
#include <string.h>

static char *folder;

static void set_up_folder(void)
{
    folder = test_folder_new();
}

static void remove_folder(void)
{
    test_folder_remove(folder);
}

/* A file in a format; in the content, \v stands for a zero byte, and \f is where the file
 * of targets begins. `pairs`: the line, source and target of each pair, or a part of the
 * sentence. */
typedef struct format_case {
    data_format format;
    const char *content, *pairs;
} format_case;

static char *with_zeros(const char *content, size_t size)
{
    char *copy = malloc(size + 1);
    ck_assert_ptr_nonnull(copy);
    for (size_t i = 0; i < size; i++)
        copy[i] = content[i] == '\v' ? '\0' : content[i];
    return copy;
}

/* `failing`: the allocation that fails, from 1; 0: none. */
static data_set *open_failing(const format_case *c, data_set_options options, int failing, ag_error *error)
{
    const char *end = strchr(c->content, '\f');
    const size_t size = end ? (size_t)(end - c->content) : strlen(c->content);
    char *content = with_zeros(c->content, size), *path = test_file_write(folder, "pairs", content, size);
    char *targets = end ? test_file_write(folder, "targets", end + 1, strlen(end + 1)) : NULL;
    options.format = c->format;
    options.format.targets = targets;
    test_fail_allocation(failing);
    data_set *set = data_set_pairs(path, &options, error);
    test_fail_allocation(0);
    free(targets); /* the set has copies of the format's texts */
    free(path);
    free(content);
    return set;
}

static data_set *open_case(const format_case *c, data_set_options options, ag_error *error)
{
    return open_failing(c, options, 0, error);
}

static void expect_pairs(data_set *set, const char *pairs, size_t number)
{
    char found[1024] = "";
    for (int64_t i = 0; i < data_set_count(set); i++) {
        const char *source, *target;
        data_set_example(set, i, &source, &target);
        snprintf(found + strlen(found), sizeof found - strlen(found), "%lld %s>%s\n", (long long)data_set_line(set, i),
                 source, target);
    }
    ck_assert_msg(!strcmp(found, pairs), "case %zu:\n%s", number, found);
}

static void check_read(const format_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ag_error error = {0};
        data_set *set = open_case(&cases[i], (data_set_options){0}, &error);
        ck_assert_msg(set != NULL, "case %zu: %s", i, error.message);
        expect_pairs(set, cases[i].pairs, i);
        data_set_free(set);
    }
}

/* `pairs` of each case is a part of the sentence. */
static void check_refused(const format_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ag_error error = {0};
        data_set *set = open_case(&cases[i], (data_set_options){0}, &error);
        ck_assert_msg(set == NULL, "case %zu was accepted", i);
        ck_assert_msg(strstr(error.message, cases[i].pairs) != NULL, "case %zu: %s", i, error.message);
    }
}
#define READ(cases)    check_read((cases), sizeof(cases) / sizeof *(cases))
#define REFUSED(cases) check_refused((cases), sizeof(cases) / sizeof *(cases))

/* ---- Columns ----------------------------------------------------------------------- */

#define COLUMNS(list)                                                                                                  \
    {                                                                                                                  \
        .kind = DATA_COLUMNS, .columns = (list)                                                                        \
    }
#define BOM "\xEF\xBB\xBF"

START_TEST(columns_are_read)
{
    static const format_case cases[] = {
        {COLUMNS("1,2"), "a\tb\nc\td\n", "1 a>b\n2 c>d\n"},
        {COLUMNS("2,1"), "a\tb\nc\td", "1 b>a\n2 d>c\n"},
        {COLUMNS("1,3"), "a,x,b,y\nc,x,d\n", "1 a>b\n2 c>d\n"},
        {COLUMNS("1,1"), "a,b\n", "1 a>a\n"},
        {COLUMNS("1,3"), BOM "a;x;b\r\nc;x;d\r\n", "1 a>b\n2 c>d\n"},
        {COLUMNS("1,3"), BOM "a;x;b\r\nc;x;d\r", "1 a>b\n2 c>d\n"},
        {COLUMNS("en,de"), "id,de,en\r\n1,Hund,dog\r\n2,Katze,cat\r\n", "2 dog>Hund\n3 cat>Katze\n"},
        {COLUMNS("en, de"), BOM "\"en\"\tid\t de \ndog\t7\tHund\n", "2 dog>Hund\n"},
        {COLUMNS("en,3"), "en;id;\ndog;7;Hund\n", "2 dog>Hund\n"},
        /* Quotes: separators, quotes and ends of lines within a field. */
        {COLUMNS("1,2"), "\"a,b\",\"c\"\n\"d \"\"e\"\"\",f\n", "1 a,b>c\n2 d \"e\">f\n"},
        {COLUMNS("1,2"), "\"a\r\nb\",c\n\nd,\"e\n\n\tf\"\ng,h\n", "1 a b>c\n4 d>e   f\n7 g>h\n"},
        {COLUMNS("1,3"), "a,\"x\n\"\"\ny\",b\nc,,d\n", "1 a>b\n4 c>d\n"},
        {COLUMNS("1,2"), "\"\"\"\",\"a\"", "1 \">a\n"},
        {COLUMNS("1,2"), "5\" disk,b\"\n", "1 5\" disk>b\"\n"},
        {COLUMNS("1,2"), "\"a\tb\"\tc\n", "1 a b>c\n"},
        {{.kind = DATA_COLUMNS, .columns = "1,2", .no_quotes = true}, "\"a\tb\n\"c\td\"\n", "1 \"a>b\n2 \"c>d\"\n"},
        /* The separator that is given, where two would do; a TAB needs no flag. */
        {{.kind = DATA_COLUMNS, .columns = "1,2", .separator = DATA_SEPARATOR_COMMA}, "a;b,c;d\n", "1 a;b>c;d\n"},
        {{.kind = DATA_COLUMNS, .columns = "1,2", .separator = DATA_SEPARATOR_SEMICOLON}, "a;b,c;d\n", "1 a>b,c\n"},
        {COLUMNS("1,2"), "a;b,c\td;e,f\n", "1 a;b,c>d;e,f\n"},
        {COLUMNS("1,3"), "a;b,c;d\n", "1 a>d\n"},
        {COLUMNS("x,y"), "y;x;z,z\na;b;c,d\n", "2 b>a\n"},
        /* Empty lines, and empty columns that nobody wants. */
        {COLUMNS("1,2"), "\r\n\na\tb\n \n\n", "3 a>b\n"},
        {COLUMNS("1,2"), "a,b,\n\nc,d,,", "1 a>b\n3 c>d\n"},
    };
    READ(cases);
}
END_TEST

START_TEST(columns_are_refused)
{
    static const format_case cases[] = {
        {COLUMNS("1"), "a\tb\n", "--columns 1: two columns are needed"},
        {COLUMNS("0,1"), "a\tb\n", "--columns 0,1: the first column has the number 1"},
        {COLUMNS("1,,2"), "a\tb\n", "--columns 1,,2: number or name 2 is empty"},
        {COLUMNS(""), "a\tb\n", "number or name 1 is empty"},
        {COLUMNS("en,de"), "en,de,en\na,b,c\n", ":1: two columns are named 'en': rename one of them"},
        {COLUMNS("word,word"), "word,word\na,b\n", ":1: two columns are named 'word'"},
        {COLUMNS("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"), "a\tb\n", "more than 16 columns"},
        {{.kind = DATA_COLUMNS}, "a\tb\n", "which columns are the source and the target?"},
        {{.kind = (data_format_kind)9}, "a\tb\n", "there is no format 9"},
        {{.kind = DATA_COLUMNS, .columns = "1,2", .separator = (data_separator)4}, "a\tb\n", "no separator 4"},
        {COLUMNS("1,3"), "a\tb\n", "pairs:1: the row has 2 columns with TABs between, and --columns 1,3 needs more"},
        {COLUMNS("1,99999999999999999999"), "a,b\n", "pairs:1: the row has 2 columns with commas between"},
        {COLUMNS("1,2"), "a\n", "pairs:1: the row has 1 column with TABs between"},
        {COLUMNS("1,2"), "\n\na b\n", "pairs:3: the row has 1 column"},
        {{.kind = DATA_COLUMNS, .columns = "1,2", .separator = DATA_SEPARATOR_COMMA},
         "a\tb\n",
         "pairs:1: the row has 1 column with commas between"},
        {COLUMNS("1,2"), "a;b,c\n", "pairs:1: between the columns may be commas or semicolons: --separator comma or"},
        {COLUMNS("1,2"), "a\tb\nc\n", "pairs:2: column 2 is missing: the row has 1 column with TABs between"},
        {COLUMNS("x,y"), "x,y\na,b\n\"c\nd\"\n", "pairs:3: column 2 (y) is missing"},
        {COLUMNS("x,z"), "x,y\na,b\n", "pairs:1: no column is named 'z'; with commas between, they are: x, y"},
        {COLUMNS("1,2"), "a\tb\n\t\n", "pairs:2: column 1, the source, is empty"},
        {COLUMNS("1,2"), "a\tb\nc\t \n", "pairs:2: column 2, the target, is empty"},
        {COLUMNS("y,x"), "x,y\n\"\",b\n", "pairs:2: column 1 (x), the target, is empty"},
        {COLUMNS("1,2"), "", "pairs: the file is empty"},
        {COLUMNS("1,2"), "\n\n", "pairs: the file has no pairs"},
        {COLUMNS("x,y"), "x,y\n", "pairs: the file has no pairs"},
        /* Quotes. */
        {COLUMNS("1,2"), "a,b\n\"c,d\ne,f\n",
         "pairs:2: column 1: the quote that opens here is never closed (--no-quotes"},
        {COLUMNS("1,2"), "a,\"b", "pairs:1: column 2: the quote that opens here is never closed"},
        {COLUMNS("1,2"), "a,\"", "pairs:1: column 2: the quote that opens here is never closed"},
        {COLUMNS("1,2"), "a\t\"b\nc\t\"d\n", "pairs:2: column 2 goes on after its closing quote (--no-quotes"},
        {COLUMNS("1,2"), "a,b\nc,\"d\" \n", "pairs:2: column 2 goes on after its closing quote"},
        {COLUMNS("1,2"), "a,b\nc,\"d\"\re,f\n", "pairs:2: column 2 goes on after its closing quote"},
        /* Bytes. */
        {COLUMNS("1,2"), "a,b\rc,d\r", "pairs:1: column 2 has a carriage return (if lines end with CR alone: tr"},
        {COLUMNS("1,2"), "a,b\nc\rd,e\n", "pairs:2: column 1 has a carriage return"},
        {COLUMNS("1,2"), "a,b\nc,\v\n", "pairs:2: byte 3 of the line is zero"},
        {COLUMNS("1,2"), "a,b\nc,d,\xFF\n", "pairs:2: byte 5 of the line is not well-formed UTF-8"},
    };
    REFUSED(cases);
}
END_TEST

/* ---- Tags -------------------------------------------------------------------------- */

START_TEST(tags_are_read)
{
    static const format_case cases[] = {
        {COLUMNS("1,2,3"), "walk\twalked\tV;PST\nV\tPST\t\n", "1 V\tPST\twalk>walked\n2 V>PST\n"},
        {COLUMNS("lemma,form,lang,feats"), "lemma,form,feats,lang\nsee,saw,\"V; past tense |;A\"\"B\",en\n",
         "2 en\tV\tpast tense\tA\"B\tsee>saw\n"},
        {COLUMNS("1,2,3"), "a,b,\"x\ny\"\n", "1 x y\ta>b\n"},
    };
    READ(cases);
}
END_TEST

/* A tag is a token of its own, whatever letters the source has, and comes back from the
 * text of the vocabulary. */
START_TEST(a_tag_is_no_letter)
{
    static const data_token_kind kinds[] = {DATA_CHARS, DATA_WORDS, DATA_JAMO};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const data_token_kind kind = kinds[k];
        const format_case c = {COLUMNS("1,2,3"), "VP\tx\tV;P\nV\ty\t\nP V\tx\tP\n", NULL};
        const data_set_options options = {.source_kind = kind};
        ag_error error = {0};
        data_set *set = open_case(&c, options, &error);
        ck_assert_msg(set != NULL, "%s", error.message);
        const data_vocab *vocab = data_set_source_vocab(set);
        char *text = data_vocab_write(vocab, &error);
        ck_assert_str_eq(text, kind == DATA_WORDS  ? "words 5 V\\09 P\\09 VP V P"
                               : kind == DATA_JAMO ? "jamo 5 V\\09 P\\09 V P \\20"
                                                   : "chars 5 V\\09 P\\09 V P \\20");
        data_vocab *again = data_vocab_read(text, &error), *copy = data_vocab_copy(vocab, &error);
        const data_vocab *const all[] = {vocab, again, copy};
        for (int i = 0; i < 3; i++) {
            int32_t ids[8], expected[] = {5, 4, 0};
            char decoded[32];
            ck_assert(data_vocab_has_tags(all[i]));
            ck_assert_int_eq(data_vocab_encode(all[i], "P\tV\tV", 5, ids, 8, NULL), 3);
            expected[2] = data_vocab_find(all[i], "V", 1);
            ck_assert_mem_eq(ids, expected, sizeof expected);
            ck_assert(expected[2] != 4 && expected[2] != DATA_UNK);
            data_vocab_decode(all[i], ids, 3, decoded, sizeof decoded);
            ck_assert_str_eq(decoded, "P\tV\tV");
        }
        expect_pairs(set, "1 V\tP\tVP>x\n2 V>y\n3 P\tP V>x\n", (size_t)kind);
        free(text);
        data_vocab_free(again);
        data_vocab_free(copy);
        data_set_free(set);
    }
}
END_TEST

START_TEST(tags_that_do_not_fit)
{
    const format_case c = {COLUMNS("1,2,3"), "a\tb\tV\n", NULL};
    data_vocab *vocab = data_vocab_new(DATA_CHARS, NULL), *merges = data_vocab_new(DATA_BPE, NULL);
    ag_error error = {0};
    ck_assert_ptr_null(open_case(&c, (data_set_options){.source_vocab = vocab}, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "the sources' vocabulary has no tags: --columns 1,2,3"));
    error = (ag_error){0};
    ck_assert_ptr_null(open_case(&c, (data_set_options){.tagging = true}, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "an encoder, which labels each token, cannot read them"));
    static const char *const no_tags[] = {"\t", "a\tb\t", "a\nb\t", "a\r\t", "\xFF\t"};
    for (size_t i = 0; i < sizeof no_tags / sizeof *no_tags; i++)
        if (i > 0)
            ck_assert_int_eq(data_vocab_add(vocab, no_tags[i], strlen(no_tags[i])), DATA_NONE);
        else
            ck_assert(!data_token_is_tag(no_tags[i], 1));
    ck_assert(!data_vocab_has_tags(vocab));
    ck_assert_int_eq(data_vocab_encode(vocab, "a\tb", 3, NULL, 0, NULL), 3); /* a TAB is a character here */
    data_vocab_mark_tags(merges);
    ck_assert(!data_vocab_has_tags(merges));
    data_vocab_free(vocab);
    data_vocab_free(merges);
}
END_TEST

/* ---- Two files --------------------------------------------------------------------- */

#define PARALLEL                                                                                                       \
    {                                                                                                                  \
        .kind = DATA_PARALLEL                                                                                          \
    }

START_TEST(two_files_are_read)
{
    static const format_case cases[] = {
        {PARALLEL,
         "a\nb c\n"
         "\f"
         "x\ny z\n",
         "1 a>x\n2 b c>y z\n"},
        {PARALLEL,
         BOM "a\r\nb"
             "\f" BOM "x\ny\r",
         "1 a>x\n2 b>y\n"},
        {PARALLEL,
         "a\n \nb\tc"
         "\f"
         "x\n\ny\tz\n",
         "1 a>x\n3 b c>y z\n"},
    };
    READ(cases);
}
END_TEST

START_TEST(two_files_are_refused)
{
    static const format_case cases[] = {
        {PARALLEL,
         "a\nb\n"
         "\f"
         "x\n",
         "pairs has 2 lines and "},
        {PARALLEL,
         "a\nb\n"
         "\f"
         "x\n",
         "targets 1: line by line they belong together"},
        {PARALLEL,
         "a\n"
         "\f"
         "",
         "targets 0: line by line"},
        {PARALLEL,
         "a\n\n"
         "\f"
         "x\ny\n",
         "pairs:2: the line is empty, and that of "},
        {PARALLEL,
         "a\nb\n"
         "\f"
         "x\n \n",
         "targets:2: the line is empty, and that of "},
        {PARALLEL,
         "a\nb\n"
         "\f"
         "x\n\xFF\n",
         "targets:2: byte 1 of the line is not well-formed UTF-8"},
        {PARALLEL, "a\n", "pairs: which file has the targets?"},
        {PARALLEL,
         "\n\n"
         "\f"
         "\n\n",
         "pairs: the file has no pairs"},
    };
    REFUSED(cases);
}
END_TEST

/* ---- Sentences --------------------------------------------------------------------- */

#define CONLLU(name)                                                                                                   \
    {                                                                                                                  \
        .kind = DATA_CONLLU, .field = (name)                                                                           \
    }
#define REST "\t_\t_\t_\t_\n"

static const char two_sentences[] = "# sent_id = 1\n"
                                    "1\tDogs\tdog\tNOUN\tNNS\tNumber=Plur\t2\tnsubj\t2:nsubj\t_\n"
                                    "2-3\tdon't\t_\t_\t_\t_" REST "2\tdo\tdo\tAUX\tVBP\t_\t0\troot\t_\tSpaceAfter=No\n"
                                    "3\tn't\tnot\tPART\tRB\t_" REST "3.1\tbark\tbark\tVERB\tVB\t_" REST "\n\r\n"
                                    "# text = New York\r\n"
                                    "1\tNew York\tNew\xC2\xA0York\tPROPN\t_\t_\t_\t_\t_\t_\r\n";

START_TEST(conllu_is_read)
{
    const format_case cases[] = {
        {CONLLU(DATA_UPOS), two_sentences, "2 Dogs do n't>NOUN AUX PART\n10 New_York>PROPN\n"},
        {CONLLU(DATA_XPOS), two_sentences, "2 Dogs do n't>NNS VBP RB\n10 New_York>_\n"},
        {CONLLU(DATA_LEMMA), two_sentences, "2 Dogs do n't>dog do not\n10 New_York>New_York\n"},
        {CONLLU(DATA_FEATS), two_sentences, "2 Dogs do n't>Number=Plur _ _\n10 New_York>_\n"},
        {CONLLU(DATA_DEPREL), two_sentences, "2 Dogs do n't>nsubj root _\n10 New_York>_\n"},
        {CONLLU(DATA_MISC), two_sentences, "2 Dogs do n't>_ SpaceAfter=No _\n10 New_York>_\n"},
        {CONLLU(DATA_UPOS), BOM "1\t#\t#\tSYM\t_\t_" REST, "1 #>SYM\n"},
        {CONLLU(DATA_UPOS), "0.1\tx\tx\tX\t_\t_" REST "1\ta\ta\tDET\t_\t_" REST " \n", "2 a>DET\n"},
    };
    READ(cases);
}
END_TEST

START_TEST(conllu_is_refused)
{
    static const format_case cases[] = {
        {CONLLU(DATA_UPOS), "dog\tNOUN\n",
         "pairs:1: 2 columns where CoNLL-U has 10 with TABs between (lines of a word and"},
        {CONLLU(DATA_UPOS), "1 a a DET _ _ _ _ _ _\n", "pairs:1: 1 column where CoNLL-U has 10"},
        {CONLLU(DATA_UPOS), "# x\n1\ta\ta\tDET\n", "pairs:2: 4 columns where CoNLL-U has 10"},
        {CONLLU(DATA_UPOS), "1\ta\ta\tDET\t_\t_\t_" REST, "pairs:1: 11 columns where CoNLL-U has 10"},
        {CONLLU(DATA_UPOS), "1\ta\ta\tDET\t_\t_" REST "1\tb\tb\tX\t_\t_" REST,
         "pairs:2: column 1 (ID) is '1' where word 2 of the sentence is expected"},
        {CONLLU(DATA_UPOS), "2\ta\ta\tDET\t_\t_" REST, "column 1 (ID) is '2' where word 1"},
        {CONLLU(DATA_UPOS), "x\ta\ta\tDET\t_\t_" REST, "column 1 (ID) is 'x' where"},
        {CONLLU(DATA_UPOS), "1x\ta\ta\tDET\t_\t_" REST, "column 1 (ID) is '1x' where"},
        {CONLLU(DATA_UPOS), "1-\ta\ta\tDET\t_\t_" REST, "column 1 (ID) is '1-' where"},
        {CONLLU(DATA_UPOS), "1\t\ta\tDET\t_\t_" REST, "pairs:1: column 2 (form) is empty; CoNLL-U has _ there"},
        {CONLLU(DATA_XPOS), "1\ta\ta\tDET\t\t_" REST, "pairs:1: column 5 (xpos) is empty"},
        {CONLLU(DATA_XPOS), "1\ta\ta\tDET\t_\t_" REST, "pairs: the field xpos is _ in all words"},
        {CONLLU(DATA_UPOS), "# nothing\n\n", "pairs: the file has no pairs"},
        {CONLLU((data_conllu_field)6), "1\ta\ta\tDET\t_\t_" REST, "there is no field 6 of CoNLL-U"},
    };
    REFUSED(cases);
}
END_TEST

#define BLOCKS                                                                                                         \
    {                                                                                                                  \
        .kind = DATA_BLOCKS                                                                                            \
    }

START_TEST(blocks_are_read)
{
    static const format_case cases[] = {
        {BLOCKS, "EU\tB-ORG\nrejects\tO\n\nPeter\tB-PER", "1 EU rejects>B-ORG O\n4 Peter>B-PER\n"},
        {BLOCKS, "-DOCSTART- O\n\n\nEU  B-ORG \r\n# O\r\n \r\nx y\r\n", "4 EU #>B-ORG O\n7 x>y\n"},
        {BLOCKS, BOM "New York\tB LOC\n", "1 New_York>B_LOC\n"},
    };
    READ(cases);
}
END_TEST

START_TEST(blocks_are_refused)
{
    static const format_case cases[] = {
        {BLOCKS, "EU NNP B-ORG\n", "pairs:1: 3 columns where a word and its tag are expected (cut -f N,M"},
        {BLOCKS, "EU\tO\nx\n", "pairs:2: 1 column where a word and its tag are expected"},
        {BLOCKS, "1\ta\ta\tDET\t_\t_" REST,
         "pairs:1: 10 columns where a word and its tag are expected (CoNLL-U: --conllu"},
        {BLOCKS, "EU\t\n", "pairs:1: column 2 (the tag) is empty"},
        {BLOCKS, "EU\tO\n\tO\n", "pairs:2: column 1 (the word) is empty"},
        {BLOCKS, "-DOCSTART- O\n\n", "pairs: the file has no pairs"},
        {BLOCKS, "a\xFF b\n", "pairs:1: byte 2 of the line is not well-formed UTF-8"},
    };
    REFUSED(cases);
}
END_TEST

/* A sentence of a set for tagging has as many tags as words. */
START_TEST(a_tagger_reads_sentences)
{
    const format_case c = {CONLLU(DATA_UPOS), two_sentences, NULL};
    ag_error error = {0};
    data_set *set = open_case(
        &c, (data_set_options){.tagging = true, .source_kind = DATA_WORDS, .target_kind = DATA_WORDS}, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    ck_assert_int_eq(data_set_max_source(set), 3);
    ck_assert_int_eq(data_set_max_target(set), 3);
    data_set_free(set);
}
END_TEST

/* ---- Parts, input, memory ---------------------------------------------------------- */

/* Both parts come from one reading of each file, and say the lines of the file. */
START_TEST(a_part_is_held_out_of_any_format)
{
    char rows[4096] = "id,form,lemma\n", sources[8192] = "", targets[4096] = "";
    for (int i = 0; i < 100; i++) {
        sprintf(rows + strlen(rows), "%d,f%d,l%d\n", i, i, i);
        sprintf(sources + strlen(sources), "l%d\n", i);
        sprintf(targets + strlen(targets), "f%d\n", i);
    }
    snprintf(sources + strlen(sources), sizeof sources - strlen(sources), "\f%s", targets);
    const format_case cases[] = {{COLUMNS("lemma,form"), rows, NULL}, {PARALLEL, sources, NULL}};
    for (int c = 0; c < 2; c++) {
        ag_error error = {0};
        data_set *set = open_case(&cases[c], (data_set_options){.part = DATA_TRAIN, .held_out = 0.3}, &error);
        ck_assert_msg(set != NULL, "%s", error.message);
        char *path = test_path(folder, "pairs");
        ck_assert_int_eq(remove(path), 0); /* nothing reads the path again */
        free(path);
        data_set *dev = data_set_held_out(set, &error);
        ck_assert_msg(dev != NULL, "%s", error.message);
        ck_assert_int_eq(data_set_count(set) + data_set_count(dev), 100);
        for (int64_t i = 0; i < data_set_count(dev); i++) {
            const char *source, *target;
            data_set_example(dev, i, &source, &target);
            ck_assert_str_eq(source + 1, target + 1);
            ck_assert_int_eq(data_set_line(dev, i), atoi(source + 1) + (c == 0 ? 2 : 1));
        }
        data_set_free(set);
        data_set_free(dev);
    }
}
END_TEST

/* "-" is the standard input: a pipe, or a file from where it stands. */
START_TEST(standard_input_is_read)
{
    const char content[] = "not read\na,b\nc,d\n";
    const data_set_options options = {.format = COLUMNS("1,2"), .part = DATA_TRAIN, .held_out = 0.5};
    ag_error error = {0};
    for (int pipe = 0; pipe < 2; pipe++) {
        char *path = pipe ? test_pipe_new(folder, content + 9, strlen(content + 9), 0)
                          : test_file_write(folder, "input", content, strlen(content));
        ck_assert_ptr_nonnull(freopen(path, "r", stdin));
        setvbuf(stdin, NULL, _IONBF, 0);
        for (int c = 0; c != '\n' && !pipe;)
            c = getchar();
        data_set *set = data_set_pairs("-", &options, &error);
        ck_assert_msg(set != NULL, "%s", error.message);
        data_set *dev = data_set_held_out(set, &error);
        ck_assert_msg(dev != NULL, "%s", error.message);
        ck_assert_int_eq(data_set_count(set) + data_set_count(dev), 2);
        data_set_free(set);
        data_set_free(dev);
        free(path);
    }
    ck_assert_ptr_null(data_set_pairs("-", &options, &error)); /* it is read to its end */
    ck_assert_str_eq(error.message, "stdin: the file is empty");
}
END_TEST

/* Whichever allocation fails: an error, and nothing is leaked (make asan). */
START_TEST(memory_may_run_out)
{
    const format_case cases[] = {
        {COLUMNS("x,y,z"), "x,y,z\n\"a\nb\",c,V;W\nd,e,\n", "2 V\tW\ta b>c\n4 d>e\n"},
        {PARALLEL,
         "a\nb\n"
         "\f"
         "x\ny\n",
         "1 a>x\n2 b>y\n"},
        {CONLLU(DATA_UPOS), two_sentences, "2 Dogs do n't>NOUN AUX PART\n10 New_York>PROPN\n"},
        {BLOCKS, "a b\n\nc d\n", "1 a>b\n3 c>d\n"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        data_set *set = NULL;
        int failures = 1;
        for (; !set; failures++) {
            ag_error error = {0};
            set = open_failing(&cases[c], (data_set_options){0}, failures, &error);
            ck_assert(set || error.status == AG_NO_MEMORY);
        }
        ck_assert_int_gt(failures, 8);
        expect_pairs(set, cases[c].pairs, c);
        data_set_free(set);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("data_formats");
    TCase *c = tcase_create("formats");
    tcase_add_checked_fixture(c, set_up_folder, remove_folder);
    tcase_add_test(c, columns_are_read);
    tcase_add_test(c, columns_are_refused);
    tcase_add_test(c, tags_are_read);
    tcase_add_test(c, a_tag_is_no_letter);
    tcase_add_test(c, tags_that_do_not_fit);
    tcase_add_test(c, two_files_are_read);
    tcase_add_test(c, two_files_are_refused);
    tcase_add_test(c, conllu_is_read);
    tcase_add_test(c, conllu_is_refused);
    tcase_add_test(c, blocks_are_read);
    tcase_add_test(c, blocks_are_refused);
    tcase_add_test(c, a_tagger_reads_sentences);
    tcase_add_test(c, a_part_is_held_out_of_any_format);
    tcase_add_test(c, standard_input_is_read);
    tcase_add_test(c, memory_may_run_out);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
