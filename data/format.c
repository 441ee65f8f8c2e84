/* format.c - the table of the formats of files of pairs: see format.h. */
#include "format.h"
#include "text.h"

#include <string.h>

/* ---- The formats ------------------------------------------------------------------- */

static ag_status (*const readers[])(const data_format_input *input) = {
    [DATA_PAIRS] = NULL, /* such a file is used as it is */
    [DATA_COLUMNS] = data_columns_read,
    [DATA_PARALLEL] = data_parallel_read,
    [DATA_CONLLU] = data_conllu_read,
    [DATA_BLOCKS] = data_blocks_read,
};

static ag_status check_format(const data_format *format, ag_error *error)
{
    const int kind = (int)format->kind, field = (int)format->field, separator = (int)format->separator;
    if (kind < DATA_COLUMNS || kind > DATA_BLOCKS)
        return ag_error_set(error, AG_BAD_VALUE, "there is no format %d of pairs", kind);
    if (!data_conllu_field_name(field))
        return ag_error_set(error, AG_BAD_VALUE, "there is no field %d of CoNLL-U", field);
    if (!data_separator_name(separator))
        return ag_error_set(error, AG_BAD_VALUE, "there is no separator %d of columns", separator);
    if (format->kind == DATA_COLUMNS && !format->columns)
        return ag_error_set(error, AG_BAD_VALUE, "which columns are the source and the target?");
    return AG_OK;
}

ag_status data_lines_read(const data_format_input *input)
{
    data_format_input cut = *input;
    const data_view *const texts[] = {&input->text, &input->targets};
    const char *const names[] = {input->name, input->format->targets};
    ag_status status = check_format(input->format, input->error);
    for (int i = 0; i < 2 && status == AG_OK; i++)
        if (texts[i]->size > 0)
            status = data_text_refuse(names[i], texts[i]->text, texts[i]->size, input->error);
    if (status != AG_OK)
        return status;
    const size_t start = data_text_start(cut.text.text, cut.text.size),
                 other = data_text_start(cut.targets.text, cut.targets.size);
    cut.text = (data_view){cut.text.text + start, cut.text.size - start};
    cut.targets = (data_view){cut.targets.text + other, cut.targets.size - other};
    return readers[input->format->kind](&cut);
}

bool data_format_has_tags(const data_format *format)
{
    const char *comma = format->kind == DATA_COLUMNS && format->columns ? strchr(format->columns, ',') : NULL;
    return comma && strchr(comma + 1, ',');
}
