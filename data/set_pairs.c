/* set_pairs.c - a data set from a file of lines `source TAB target`.
 *
 * The file is mapped. Opening reads all lines and keeps, for each example of the part,
 * where it begins and how many tokens it has: 12 bytes. Texts and tokens are cut from the
 * map whenever a batch needs them.
 */
#include "set.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = UINT16_MAX };

typedef struct pair_set {
    data_set base;
    uint64_t *offsets;                       /* [count]: where example i begins in the
                                              * map */
    uint16_t *source_tokens, *target_tokens; /* [count], without end marks */
    size_t known_at;                         /* pair_line's last answer: line known_line */
    int64_t known_line;                      /* begins at this offset; line 0: none yet */
    bool learning;                           /* merges, without which no token is counted */
} pair_set;

typedef struct pair {
    data_view source, target;
} pair;

/* ---- Lines ---- */

/* The next line of the map, without its end; moves *at past it. False after the last
 * line. */
static bool next_line(const data_map *map, size_t *at, data_view *line)
{
    return data_line_next((const char *)map->bytes, map->size, at, &line->text, &line->size);
}

/* Cuts a line at its first TAB. False if it has none. */
static bool cut_line(data_view line, pair *cut)
{
    const char *tab = memchr(line.text, '\t', line.size);
    if (!tab)
        return false;
    cut->source = (data_view){line.text, (size_t)(tab - line.text)};
    cut->target = (data_view){tab + 1, line.size - cut->source.size - 1};
    return true;
}

/* The texts of example i, whose line was checked when the file was opened. */
static pair pair_at(const pair_set *set, int64_t i)
{
    size_t at = (size_t)set->offsets[i];
    data_view line = {"", 0};
    pair found = {{"", 0}, {"", 0}};
    next_line(&set->base.map, &at, &line);
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

/* Counts on from the last answer, or from the beginning of the file. */
static int64_t pair_line(data_set *base, int64_t i)
{
    pair_set *set = (pair_set *)base;
    data_view line;
    if (set->known_line == 0 || set->known_at > set->offsets[i]) {
        set->known_at = data_text_start((const char *)base->map.bytes, base->map.size);
        set->known_line = 1;
    }
    for (; set->known_at < set->offsets[i]; set->known_line++)
        next_line(&base->map, &set->known_at, &line);
    return set->known_line;
}

static void pair_free(data_set *base)
{
    pair_set *set = (pair_set *)base;
    free(set->offsets);
    free(set->source_tokens);
    free(set->target_tokens);
}

/* ---- Reading the lines ---- */

/* The file and line of an error. */
typedef struct line_place {
    const char *name;
    long long line;
} line_place;

static bool is_empty(data_view text)
{
    return data_text_empty(text.text, text.size);
}

static const char remedy_of_carriage_returns[] = "if lines end with CR alone: tr '\\r' '\\n'";

/* How to turn a file with such a line into pairs: a guess from the line. */
static const char *remedy_of_no_tab(data_view line)
{
    if (memchr(line.text, '\r', line.size))
        return remedy_of_carriage_returns;
    if (line.size > 0 && *line.text == '{')
        return "if this is JSON with these names: jq -r '[.source, .target] | @tsv'";
    if (line.size > 0 && *line.text == '"')
        return "if this is CSV with quotes: csvformat -T, of csvkit";
    if (memchr(line.text, ';', line.size))
        return "if the columns are separated by semicolons: tr ';' '\\t'";
    if (memchr(line.text, ',', line.size))
        return "if the columns are separated by commas: tr , '\\t'";
    return "if sources and targets are in two files: paste SOURCES TARGETS";
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
    if (memchr(cut->target.text, '\t', cut->target.size))
        return ag_error_set(error, AG_BAD_FILE,
                            "%s:%lld: more than one TAB (expected: source, TAB, target; %s)", at.name, at.line,
                            memchr(line.text, '\r', line.size) ? remedy_of_carriage_returns
                                                               : "cut -f 1,2 keeps the first two columns");
    return AG_OK;
}

/* Whether the pair is one that the set leaves out, with an empty side or a long one, and
 * counts it. */
static bool leave_out(data_set *set, const pair *cut, int64_t source, int64_t target, long long line)
{
    const int64_t end_mark = set->options.tagging ? 0 : 1, given = set->options.max_tokens;
    const int64_t limit = given > 0 && given - end_mark < MOST_TOKENS ? given - end_mark : MOST_TOKENS;
    const bool empty = is_empty(cut->source) || is_empty(cut->target), longer = source > limit || target > limit;
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

/* Checks a line and appends it to the examples. */
static ag_status add_line(pair_set *set, data_view line, line_place at, ag_error *error)
{
    data_set *base = &set->base;
    pair cut = {{"", 0}, {"", 0}};
    if (check_text(base, line, &cut, at, error) != AG_OK)
        return AG_BAD_FILE;
    int64_t source = count_tokens(set, base->source_vocab, cut.source);
    int64_t target = count_tokens(set, base->target_vocab, cut.target);
    if (source < 0 || target < 0)
        return ag_error_set(error, AG_NO_MEMORY, "%s:%lld: no memory for its tokens", at.name, at.line);
    if (leave_out(base, &cut, source, target, at.line))
        return AG_OK;
    if (is_empty(cut.source) || is_empty(cut.target))
        return ag_error_set(error, AG_BAD_FILE, "%s:%lld: the %s is empty", at.name, at.line,
                            is_empty(cut.source) ? "source" : "target");
    if (check_count(base, "source", source, at, error) != AG_OK ||
        check_count(base, "target", target, at, error) != AG_OK)
        return AG_BAD_FILE;
    if (base->options.tagging && source != target)
        return ag_error_set(error, AG_BAD_FILE,
                            "%s:%lld: the source has %lld %s and the target %lld, but tagging needs equally many (an "
                            "encoder-decoder does not)",
                            at.name, at.line, (long long)source, ag_plural(source, "token", "tokens"),
                            (long long)target);
    set->offsets[base->count] = (uint64_t)((const unsigned char *)line.text - set->base.map.bytes);
    set->source_tokens[base->count] = (uint16_t)source;
    set->target_tokens[base->count] = (uint16_t)target;
    base->count++;
    return AG_OK;
}

static size_t count_lines(const data_map *map)
{
    size_t lines = 1, at = 0;
    data_view line;
    while (next_line(map, &at, &line))
        lines++;
    return lines;
}

static ag_status read_lines(pair_set *set, ag_error *error)
{
    const data_map *map = &set->base.map;
    size_t lines = count_lines(map), start = data_text_start((const char *)map->bytes, map->size);
    if (lines > UINT32_MAX)
        return ag_error_set(error, AG_BAD_FILE, "%s: more than %lld lines", set->base.name, (long long)UINT32_MAX);
    set->offsets = calloc(lines, sizeof *set->offsets);
    set->source_tokens = calloc(lines, sizeof *set->source_tokens);
    set->target_tokens = calloc(lines, sizeof *set->target_tokens);
    if (!set->offsets || !set->source_tokens || !set->target_tokens)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory for an index of %zu %s", set->base.name, lines,
                            ag_plural((int64_t)lines, "line", "lines"));

    line_place at = {set->base.name, 1};
    bool begins = true; /* a block */
    for (data_view line; next_line(map, &start, &line); at.line++) {
        const bool skipped = is_empty(line) && !memchr(line.text, '\t', line.size);
        set->base.blocks += begins && !skipped;
        begins = skipped;
        ag_status status = skipped ? AG_OK : add_line(set, line, at, error);
        if (status != AG_OK)
            return status;
    }
    if (set->base.count == 0)
        return ag_error_set(error, AG_BAD_FILE, "%s: the file %s", set->base.name,
                            map->size == 0              ? "is empty"
                            : set->base.left_out.line ? "has no pair whose sides are neither empty nor too long"
                                                        : "has no pairs, only empty lines");
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

/* Reads the file a first time to learn the merges of the sides that need some. Which
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
    pair_free(base);
    set->offsets = NULL;
    set->source_tokens = set->target_tokens = NULL;
    set->learning = false;
    base->options.max_held_out = max_held_out;
    base->count = 0;
    base->left_out = (data_left_out){0};
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

static ag_status read_pairs(data_set *base, const data_vocab *source, const data_vocab *target, ag_error *error)
{
    pair_set *set = (pair_set *)base;
    base->source_vocab = data_set_vocab(source, base->options.source_kind, error);
    base->target_vocab = data_set_vocab(target, base->options.target_kind, error);
    if (!base->source_vocab || !base->target_vocab)
        return AG_NO_MEMORY;
    const bool source_bpe = data_vocab_kind(base->source_vocab) == DATA_BPE,
               target_bpe = data_vocab_kind(base->target_vocab) == DATA_BPE;
    ag_status status = check_tagging(base, source_bpe || target_bpe, error);
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

static const data_set_kind pair_kind = {
    .texts = pair_texts, .tokens = pair_tokens, .read = read_pairs, .free_own = pair_free, .line = pair_line,
    .size = sizeof(pair_set)};

data_set *data_set_pairs(const char *path, const data_set_options *options, ag_error *error)
{
    return data_set_open(&pair_kind, path, NULL, options, error);
}
