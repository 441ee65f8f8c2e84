/* flag.c - the value of one flag: see flags.h. */
#include "flags.h"

#include <stdio.h>

void cli_flag_drop(cli_flag *flag)
{
    flag->given = false;
    if (flag->field->type == TRAIN_TEXT)
        train_field_set_text(flag->field, flag->object, NULL);
    else
        train_field_set_number(flag->field, flag->object, 0);
}

bool cli_flag_has_value(const cli_flag *flag)
{
    const train_field *field = flag->field;
    const double number = train_field_number(field, flag->object);
    if (!field->value)
        return field->type == TRAIN_BOOL ? number != 0 : number == field->sets;
    return field->none || field->type == TRAIN_TEXT ? number != 0 : number >= field->low;
}

void cli_flag_value(const cli_flag *flag, char *text, size_t size)
{
    const train_field *field = flag->field;
    if (!field->value)
        *text = 0;
    else if (field->none && train_field_number(field, flag->object) == -1)
        snprintf(text, size, "0");
    else
        train_field_print(field, flag->object, text, size);
}
