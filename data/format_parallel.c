/* format_parallel.c - pairs from two files: line i of one is the source, line i of the
 * other the target. */
#include "format.h"

static bool next_line(data_view text, size_t *at, data_view *line)
{
    return data_line_next(text.text, text.size, at, &line->text, &line->size);
}

static int64_t count_lines(data_view text)
{
    int64_t lines = 0;
    data_view line;
    for (size_t at = 0; next_line(text, &at, &line);)
        lines++;
    return lines;
}

static ag_status add_pair(const data_format_input *input, data_view source, data_view target, int64_t number)
{
    const bool no_source = data_view_empty(source), no_target = data_view_empty(target);
    data_lines *lines = input->lines;
    if (no_source && no_target)
        return AG_OK;
    if ((no_source || no_target) && !input->keeps_empty)
        return ag_error_set(input->error, AG_BAD_FILE, "%s:%lld: the line is empty, and that of %s is not",
                            no_source ? input->name : input->format->targets, (long long)number,
                            no_source ? input->format->targets : input->name);
    const bool done = data_lines_begin(lines, number) && data_lines_put_cell(lines, source, false) &&
                      data_lines_put(lines, "\t", 1) && data_lines_put_cell(lines, target, false) &&
                      data_lines_end(lines);
    return done ? AG_OK : data_lines_no_memory(input);
}

ag_status data_parallel_read(const data_format_input *input)
{
    const int64_t sources = count_lines(input->text), targets = count_lines(input->targets);
    size_t at = 0, other = 0;
    data_view source, target;
    ag_status status = AG_OK;
    if (sources != targets)
        return ag_error_set(input->error, AG_BAD_FILE,
                            "%s has %lld %s and %s %lld: line by line they belong together, so both need equally many",
                            input->name, (long long)sources, ag_plural(sources, "line", "lines"),
                            input->format->targets, (long long)targets);
    for (int64_t number = 1; status == AG_OK && next_line(input->text, &at, &source); number++) {
        next_line(input->targets, &other, &target);
        status = add_pair(input, source, target, number);
    }
    return status;
}
