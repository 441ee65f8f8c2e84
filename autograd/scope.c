/* scope.c - scopes: the names by which errors, traces and profiles tell operations apart
 * (ag_tape_enter). */
#include "tape.h"

#include <stdio.h>
#include <string.h>

void ag_tape_enter(ag_tape *tape, const char *name)
{
    const char *outer = tape->scope ? tape->scope->text : "";
    size_t outer_length = strlen(outer), length = strlen(name);
    ag_scope *scope = ag_tape_alloc(tape, sizeof *scope);
    char *text = ag_tape_alloc(tape, outer_length + length + 2);
    if (!scope || !text)
        return;
    snprintf(text, outer_length + length + 2, "%s%s%s", outer, outer_length ? "." : "", name);
    *scope = (ag_scope){.text = text, .outer = tape->scope};
    tape->scope = scope;
}

void ag_tape_leave(ag_tape *tape)
{
    if (tape->scope)
        tape->scope = tape->scope->outer;
}
