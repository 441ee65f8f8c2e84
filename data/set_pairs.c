/* set_pairs.c - a data set from a file of pairs.
 *
 * A file of lines `source TAB target` is mapped; another format is read into such lines
 * in memory (format.h). Opening reads all lines and keeps, for each example of the part,
 * where it begins and how many tokens it has: 12 bytes. Texts and tokens are cut from the
 * lines whenever a batch needs them.
 */
#include "format.h"
#include "set.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = UINT16_MAX };

typedef struct pair_set {
    data_set base;
    data_lines lines;                        /* of a file in another format, else empty */
    data_view text;                          /* of the lines: in the map or in `lines` */
    uint64_t *offsets;                       /* [count]: where example i begins in the text */
    uint16_t *source_tokens, *target_tokens; /* [count], without end marks */
    size_t known_at;                         /* pair_line's last answer: line known_line */
    int64_t known_line;                      /* begins at this offset; line 0: none yet */
    bool learning;                           /* merges, without which no token is counted */
} pair_set;

typedef struct pair {
    data_view source, target;
} pair;

/* ---- Lines ---- */

/* The next line of the text, without its end; moves *at past it. False after the last
 * line. */
static bool next_pair_line(const pair_set *set, size_t *at, data_view *line)
{
    return data_line_next(set->text.text, set->text.size, at, &line->text, &line->size);
}

/* Cuts a line at its last TAB: those before it end tags. False if it has none. */
static bool cut_line(data_view line, pair *cut)
{
    size_t end = line.size;
    while (end > 0 && line.text[end - 1] != '\t')
        end--;
    if (end == 0)
        return false;
    cut->source = (data_view){line.text, end - 1};
    cut->target = (data_view){line.text + end, line.size - end};
    return true;
}

/* The texts of example i, whose line was checked when the file was opened. */
static pair pair_at(const pair_set *set, int64_t i)
{
    size_t at = (size_t)set->offsets[i];
    data_view line = {"", 0};
    pair found = {{"", 0}, {"", 0}};
    next_pair_line(set, &at, &line);
    cut_line(line, &found);
    return found;
}

/* ---- The kind ---- */

static void pair_texts(data_set *base, int64_t i, int64_t shift, data_view *source, data_view *target)
{
    (void)shift;
    pair found = pair_at((pair_set *)base, i);
    *source = found.source;
    *target = found.target;
}

static int64_t pair_tokens(data_set *base, int64_t i)
{
    const pair_set *set = (pair_set *)base;
    return (int64_t)set->source_tokens[i] + set->target_tokens[i];
}

/* The line of the file in which line `number` of the text began. */
static int64_t file_line(const pair_set *set, int64_t number)
{
    return set->lines.count > 0 ? set->lines.numbers[number - 1] : number;
}

/* Where the first line of the text begins. */
static size_t text_start(const pair_set *set)
{
    return set->lines.count > 0 ? 0 : data_text_start(set->text.text, set->text.size);
}

/* Counts on from the last answer, or from the beginning of the text. */
static int64_t pair_line(data_set *base, int64_t i)
{
    pair_set *set = (pair_set *)base;
    data_view line;
    if (set->known_line == 0 || set->known_at > set->offsets[i]) {
        set->known_at = text_start(set);
        set->known_line = 1;
    }
    for (; set->known_at < set->offsets[i]; set->known_line++)
        next_pair_line(set, &set->known_at, &line);
    return file_line(set, set->known_line);
}

/* Frees the places and lengths of the examples. */
static void drop_index(pair_set *set)
{
    free(set->offsets);
    free(set->source_tokens);
    free(set->target_tokens);
    set->offsets = NULL;
    set->source_tokens = set->target_tokens = NULL;
}

static void pair_free(data_set *base)
{
    pair_set *set = (pair_set *)base;
    data_lines_clear(&set->lines);
    drop_index(set);
}

/* ---- Reading the lines ---- */

/* The file and line of an error. */
typedef struct line_place {
    const char *name;
    long long line;
} line_place;

static const char remedy_of_carriage_returns[] = "if lines end with CR alone: tr '\\r' '\\n'";

/* How to turn a file with such a line into pairs: a guess from the line. */
static const char *remedy_of_no_tab(data_view line)
{
    if (memchr(line.text, '\r', line.size))
        return remedy_of_carriage_returns;
    if (line.size > 0 && *line.text == '{')
        return "if this is JSON with these names: jq -r '[.source, .target] | @tsv'";
    if (line.size > 0 && *line.text == '#')
        return "if this is CoNLL-U: --conllu FILE --field upos";
    if (memchr(line.text, ';', line.size) || memchr(line.text, ',', line.size))
        return "if this is CSV, with commas or semicolons: --columns 1,2";
    return "if sources and targets are in two files: --source FILE --target FILE";
}

/* The same for a line with several TABs. */
static const char *remedy_of_tabs(data_view line)
{
    int tabs = 0;
    for (data_view column; data_view_cut(&line, '\t', &column);)
        tabs++;
    return tabs == 9 ? "if this is CoNLL-U: --conllu FILE --field upos" : "--columns 1,2 reads the first two columns";
}

/* Whether the vocabularies can encode a line that has bytes which are not UTF-8. */
static bool takes_bytes(const data_set *set, data_view line)
{
    pair cut;
    return cut_line(line, &cut) &&
           data_vocab_check(set->source_vocab, cut.source.text, cut.source.size, NULL) == cut.source.size &&
           data_vocab_check(set->target_vocab, cut.target.text, cut.target.size, NULL) == cut.target.size;
}

static ag_status check_text(const data_set *set, data_view line, pair *cut, line_place at, ag_error *error)
{
    char reason[DATA_TEXT_REASON];
    size_t bad = data_text_check(line.text, line.size, reason);
    if (bad < line.size && !takes_bytes(set, line))
        return ag_error_set(error, AG_BAD_FILE, "%s:%lld: byte %zu of the line %s", at.name, at.line, bad + 1, reason);
    if (!cut_line(line, cut))
        return ag_error_set(error, AG_BAD_FILE, "%s:%lld: no TAB between source and target (%s)", at.name, at.line,
                            remedy_of_no_tab(line));
    if (memchr(cut->source.text, '\t', cut->source.size))
        return ag_error_set(error, AG_BAD_FILE, "%s:%lld: more than one TAB (expected: source, TAB, target; %s)",
                            at.name, at.line,
                            memchr(line.text, '\r', line.size) ? remedy_of_carriage_returns : remedy_of_tabs(line));
    return AG_OK;
}

/* Whether the pair is one that the set leaves out, with an empty side or a long one, and
 * counts it. */
static bool leave_out(data_set *set, const pair *cut, int64_t source, int64_t target, long long line)
{
    const int64_t end_mark = set->options.tagging ? 0 : 1, given = set->options.max_tokens;
    const int64_t limit = given > 0 && given - end_mark < MOST_TOKENS ? given - end_mark : MOST_TOKENS;
    const bool empty = data_view_empty(data_view_after_tags(cut->source)) || data_view_empty(cut->target);
    const bool longer = source > limit || target > limit;
    if (!set->options.leave_out || (!empty && !longer))
        return false;
    set->left_out.empty += empty;
    set->left_out.longer += !empty;
    if (!set->left_out.line)
        set->left_out.line = line;
    return true;
}

static ag_status check_count(const data_set *set, const char *side, int64_t tokens, line_place at, ag_error *error)
{
    int64_t end_mark = set->options.tagging ? 0 : 1, limit = set->options.max_tokens;
    if (tokens > MOST_TOKENS)
        return ag_error_set(error, AG_BAD_FILE, "%s:%lld: the %s has %lld %s, more than the limit of %d", at.name,
                            at.line, side, (long long)tokens, ag_plural(tokens, "token", "tokens"), (int)MOST_TOKENS);
    if (limit > 0 && tokens + end_mark > limit)
        return ag_error_set(error, AG_BAD_FILE, "%s:%lld: the %s has %lld %s%s, more than the limit of %lld", at.name,
                            at.line, side, (long long)tokens + end_mark,
                            ag_plural(tokens + end_mark, "token", "tokens"), end_mark ? " with its end mark" : "",
                            (long long)limit);
    return AG_OK;
}

static int64_t count_tokens(const pair_set *set, const data_vocab *vocab, data_view text)
{
    return set->learning ? 0 : data_vocab_count(vocab, text.text, text.size);
}

/* Checks a line and appends it to the examples. (The text of another format was checked
 * when it was read.) */
static ag_status add_line(pair_set *set, data_view line, line_place at, ag_error *error)
{
    data_set *base = &set->base;
    pair cut = {{"", 0}, {"", 0}};
    if (set->lines.count > 0)
        cut_line(line, &cut);
    else if (check_text(base, line, &cut, at, error) != AG_OK)
        return AG_BAD_FILE;
    int64_t source = count_tokens(set, base->source_vocab, cut.source);
    int64_t target = count_tokens(set, base->target_vocab, cut.target);
    if (source < 0 || target < 0)
        return ag_error_set(error, AG_NO_MEMORY, "%s:%lld: no memory for its tokens", at.name, at.line);
    if (leave_out(base, &cut, source, target, at.line))
        return AG_OK;
    const bool no_source = data_view_empty(data_view_after_tags(cut.source));
    if (no_source || data_view_empty(cut.target))
        return ag_error_set(error, AG_BAD_FILE, "%s:%lld: the %s is empty", at.name, at.line,
                            no_source ? "source" : "target");
    if (check_count(base, "source", source, at, error) != AG_OK ||
        check_count(base, "target", target, at, error) != AG_OK)
        return AG_BAD_FILE;
    if (base->options.tagging && source != target)
        return ag_error_set(error, AG_BAD_FILE,
                            "%s:%lld: the source has %lld %s and the target %lld, but tagging needs equally many (an "
                            "encoder-decoder does not)",
                            at.name, at.line, (long long)source, ag_plural(source, "token", "tokens"),
                            (long long)target);
    set->offsets[base->count] = (uint64_t)(line.text - set->text.text);
    set->source_tokens[base->count] = (uint16_t)source;
    set->target_tokens[base->count] = (uint16_t)target;
    base->count++;
    return AG_OK;
}

static size_t count_lines(const pair_set *set)
{
    size_t lines = 1, at = 0;
    data_view line;
    while (next_pair_line(set, &at, &line))
        lines++;
    return lines;
}

/* Makes the file, in whatever format it is, the set's text. */
static ag_status read_format(pair_set *set, ag_error *error)
{
    const data_set *base = &set->base;
    const data_view file = {(const char *)base->map.bytes, base->map.size};
    data_format_input input = {.format = &base->options.format,
                               .name = base->name,
                               .text = file,
                               .keeps_empty = base->options.leave_out,
                               .lines = &set->lines,
                               .error = error};
    if (base->targets_map.size > 0)
        input.targets = (data_view){(const char *)base->targets_map.bytes, base->targets_map.size};
    set->text = file;
    if (base->options.format.kind == DATA_PAIRS)
        return AG_OK;
    ag_status status = data_lines_read(&input);
    set->text = (data_view){set->lines.size ? set->lines.text : "", set->lines.size};
    return status;
}

static ag_status read_lines(pair_set *set, ag_error *error)
{
    ag_status status = AG_OK;
    size_t lines = count_lines(set), start = text_start(set);
    set->base.count = set->base.blocks = 0;
    set->base.left_out = (data_left_out){0};
    if (lines > UINT32_MAX)
        return ag_error_set(error, AG_BAD_FILE, "%s: more than %lld lines", set->base.name, (long long)UINT32_MAX);
    set->offsets = calloc(lines, sizeof *set->offsets);
    set->source_tokens = calloc(lines, sizeof *set->source_tokens);
    set->target_tokens = calloc(lines, sizeof *set->target_tokens);
    if (!set->offsets || !set->source_tokens || !set->target_tokens)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory for an index of %zu %s", set->base.name, lines,
                            ag_plural((int64_t)lines, "line", "lines"));

    line_place at = {set->base.name, 0};
    bool begins = true; /* a block */
    data_view line;
    for (int64_t number = 1; next_pair_line(set, &start, &line); number++) {
        const bool skipped = data_view_empty(line) && !memchr(line.text, '\t', line.size);
        set->base.blocks += begins && !skipped;
        begins = skipped;
        at.line = file_line(set, number);
        status = skipped ? AG_OK : add_line(set, line, at, error);
        if (status != AG_OK)
            return status;
    }
    if (set->base.count == 0)
        return ag_error_set(error, AG_BAD_FILE, "%s: the file %s", set->base.name,
                            set->base.map.size == 0   ? "is empty"
                            : set->base.left_out.line ? "has no pair whose sides are neither empty nor too long"
                            : set->base.options.format.kind == DATA_PAIRS ? "has no pairs, only empty lines"
                                                                          : "has no pairs");
    return AG_OK;
}

/* ---- The held-out part ----
 *
 * A source is held out if its hash is below a limit. The limit is that of the share,
 * lowered until at most max_held_out sources are below it, but above the smallest hash
 * and at most the greatest, so that neither part is empty. */

static uint64_t source_hash(const pair_set *set, int64_t i)
{
    data_view source = pair_at(set, i).source;
    return data_hash(source.text, source.size, ag_seed_for(set->base.options.seed, AG_FOR_SPLIT));
}

static int compare_hashes(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Lowers the limit until at most max_held_out distinct ones of the `count` hashes are
 * below it. */
static uint64_t lower_limit(uint64_t *hashes, size_t count, uint64_t limit, int64_t max_held_out)
{
    int64_t distinct = 0;
    qsort(hashes, count, sizeof *hashes, compare_hashes);
    for (size_t i = 0; i < count; i++)
        if ((i == 0 || hashes[i] != hashes[i - 1]) && distinct++ == max_held_out)
            return hashes[i];
    return limit;
}

static ag_status choose_limit(const pair_set *set, uint64_t *limit, ag_error *error)
{
    const data_set *base = &set->base;
    uint64_t smallest = UINT64_MAX, greatest = 0;
    size_t below = 0, at = 0;
    *limit = data_share_limit(base->options.held_out);
    for (int64_t i = 0; i < base->count; i++) {
        uint64_t hash = source_hash(set, i);
        smallest = hash < smallest ? hash : smallest;
        greatest = hash > greatest ? hash : greatest;
        below += hash < *limit;
    }
    if (smallest == greatest && base->left_out.line)
        return ag_error_set(error, AG_BAD_FILE,
                            "%s:%lld: pairs are left out from here on, with an empty side or a long one, and all others "
                            "have the same source, so none can be held out (give a dev file)",
                            base->name, (long long)base->left_out.line);
    if (smallest == greatest)
        return ag_error_set(error, AG_BAD_FILE,
                            "%s: all its pairs have the same source, so none can be held out (give a dev file)",
                            base->name);

    uint64_t *hashes = malloc((below + 1) * sizeof *hashes);
    if (!hashes)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory to choose what is held out", base->name);
    for (int64_t i = 0; i < base->count; i++) {
        uint64_t hash = source_hash(set, i);
        if (hash < *limit)
            hashes[at++] = hash;
    }
    *limit = lower_limit(hashes, below, *limit, base->options.max_held_out);
    free(hashes);
    if (*limit <= smallest)
        *limit = smallest + 1;
    if (*limit > greatest)
        *limit = greatest;
    return AG_OK;
}

/* Keeps only the examples of the set's part, in order. */
static ag_status choose_part(pair_set *set, ag_error *error)
{
    data_set *base = &set->base;
    uint64_t limit;
    if (base->options.part == DATA_ALL)
        return AG_OK;
    ag_status status = choose_limit(set, &limit, error);
    if (status != AG_OK)
        return status;
    int64_t kept = 0;
    for (int64_t i = 0; i < base->count; i++) {
        if ((source_hash(set, i) < limit) != (base->options.part == DATA_DEV))
            continue;
        set->offsets[kept] = set->offsets[i];
        set->source_tokens[kept] = set->source_tokens[i];
        set->target_tokens[kept] = set->target_tokens[i];
        kept++;
    }
    base->count = kept;
    return AG_OK;
}

/* ---- Opening ---- */

/* Frees what follows the first `size` bytes, if possible. (Systems differ in realloc to
 * size 0.) */
static void *shrink(void *array, size_t size)
{
    void *smaller = size > 0 ? realloc(array, size) : NULL;
    if (smaller)
        return smaller;
    return array;
}

/* Finds the longest texts of the part, and frees the memory of lines outside of it. */
static void measure_pairs(pair_set *set)
{
    data_set *base = &set->base;
    size_t count = (size_t)base->count;
    set->offsets = shrink(set->offsets, count * sizeof *set->offsets);
    set->source_tokens = shrink(set->source_tokens, count * sizeof *set->source_tokens);
    set->target_tokens = shrink(set->target_tokens, count * sizeof *set->target_tokens);
    for (size_t i = 0; i < count; i++) {
        pair texts = pair_at(set, (int64_t)i);
        if (set->source_tokens[i] > base->max_source)
            base->max_source = set->source_tokens[i];
        if (set->target_tokens[i] > base->max_target)
            base->max_target = set->target_tokens[i];
        if (texts.source.size > base->source_bytes)
            base->source_bytes = texts.source.size;
        if (texts.target.size > base->target_bytes)
            base->target_bytes = texts.target.size;
    }
    if (!base->options.tagging) {
        base->max_source++;
        base->max_target++;
    }
}

/* Fills the vocabularies that are new. */
static ag_status fill_vocabs(pair_set *set, bool source, bool target, ag_error *error)
{
    data_set *base = &set->base;
    const int64_t merges = base->options.merges;
    data_vocab_maker sources, targets;
    ag_status status = data_vocab_maker_begin(&sources, source ? &base->source_vocab : NULL, merges, error);
    const ag_status other = data_vocab_maker_begin(&targets, target ? &base->target_vocab : NULL, merges, error);
    status = status == AG_OK ? other : status;
    for (int64_t i = 0; (source || target) && i < base->count && status == AG_OK; i++) {
        pair texts = pair_at(set, i);
        status = data_vocab_maker_add(&sources, texts.source, error);
        if (status == AG_OK)
            status = data_vocab_maker_add(&targets, texts.target, error);
    }
    status = data_vocab_maker_end(&sources, status, error);
    return data_vocab_maker_end(&targets, status, error);
}

/* Reads the lines a first time to learn the merges of the sides that need some. Which
 * pairs are too long is not known before that: to learn from no pair that is held out
 * once they are left out, it holds out the whole share. */
static ag_status learn_merges(pair_set *set, bool source, bool target, ag_error *error)
{
    data_set *base = &set->base;
    const int64_t max_held_out = base->options.max_held_out;
    if ((!source && !target) || base->options.merges < 0)
        return AG_OK;
    set->learning = true;
    if (base->options.leave_out)
        base->options.max_held_out = INT64_MAX;
    ag_status status = read_lines(set, error);
    if (status == AG_OK)
        status = choose_part(set, error);
    if (status == AG_OK)
        status = fill_vocabs(set, source, target, error);
    drop_index(set);
    set->learning = false;
    base->options.max_held_out = max_held_out;
    return status;
}

/* Refuses to tag parts of words: sources and targets have other numbers of them. */
static ag_status check_tagging(const data_set *base, bool byte_pairs, ag_error *error)
{
    if (!base->options.tagging || !byte_pairs)
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE, "%s: tagging needs whole words or characters as tokens, not byte pairs",
                        base->name);
}

/* Takes the words that one side has less than min_count times out of its vocabulary. */
static ag_status drop_rare(pair_set *set, bool source, ag_error *error)
{
    const data_set *base = &set->base;
    data_vocab **vocab = source ? &set->base.source_vocab : &set->base.target_vocab;
    if (base->options.min_count <= 1 || data_vocab_kind(*vocab) != DATA_WORDS)
        return AG_OK;
    int64_t *counts = calloc((size_t)data_vocab_size(*vocab), sizeof *counts);
    if (!counts)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory to count words", base->name);
    for (int64_t i = 0; i < base->count; i++) {
        const pair texts = pair_at(set, i);
        data_vocab_count_text(*vocab, source ? texts.source : texts.target, counts);
    }
    ag_status status = data_vocab_keep(vocab, counts, base->options.min_count, error);
    free(counts);
    return status;
}

/* Lets the sources have tags. `given`: the vocabulary was. */
static ag_status take_tags(data_set *base, bool given, ag_error *error)
{
    if (base->options.tagging)
        return ag_error_set(error, AG_BAD_VALUE,
                            "%s: tags before the source have no counterpart in the target, so an encoder, which labels "
                            "each token, cannot read them (an encoder-decoder can)",
                            base->name);
    if (!given)
        data_vocab_mark_tags(base->source_vocab);
    if (data_vocab_has_tags(base->source_vocab))
        return AG_OK;
    if (data_vocab_kind(base->source_vocab) == DATA_BPE)
        return ag_error_set(error, AG_BAD_VALUE,
                            "%s: tags go with sources of characters or words (--src-tokens chars), not of byte pairs",
                            base->name);
    return ag_error_set(error, AG_BAD_VALUE,
                        "%s: the sources' vocabulary has no tags: --columns %s names too many "
                        "columns for it",
                        base->name, base->options.format.columns);
}

static ag_status read_pairs(data_set *base, const data_vocab *source, const data_vocab *target, ag_error *error)
{
    pair_set *set = (pair_set *)base;
    base->source_vocab = data_set_vocab(source, base->options.source_kind, error);
    base->target_vocab = data_set_vocab(target, base->options.target_kind, error);
    if (!base->source_vocab || !base->target_vocab)
        return AG_NO_MEMORY;
    ag_status status = read_format(set, error);
    if (status == AG_OK && data_format_has_tags(&base->options.format))
        status = take_tags(base, source != NULL, error);
    const bool source_bpe = data_vocab_kind(base->source_vocab) == DATA_BPE,
               target_bpe = data_vocab_kind(base->target_vocab) == DATA_BPE;
    if (status == AG_OK)
        status = check_tagging(base, source_bpe || target_bpe, error);
    if (status == AG_OK)
        status = learn_merges(set, !source && source_bpe, !target && target_bpe, error);
    if (status == AG_OK)
        status = read_lines(set, error);
    if (status == AG_OK)
        status = choose_part(set, error);
    if (status == AG_OK) {
        measure_pairs(set);
        status = fill_vocabs(set, !source && !source_bpe, !target && !target_bpe, error);
        if (status == AG_OK && !source)
            status = drop_rare(set, true, error);
        if (status == AG_OK && !target)
            status = drop_rare(set, false, error);
    }
    return status == AG_OK ? data_set_finish(base, error) : status;
}

static const data_set_kind pair_kind = {.texts = pair_texts,
                                        .tokens = pair_tokens,
                                        .read = read_pairs,
                                        .free_own = pair_free,
                                        .line = pair_line,
                                        .size = sizeof(pair_set)};

data_set *data_set_pairs(const char *path, const data_set_options *options, ag_error *error)
{
    return data_set_open(&pair_kind, path, NULL, options, error);
}
