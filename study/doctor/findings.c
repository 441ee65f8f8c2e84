/* findings.c - the list of findings, and lists of names in their sentences. */
#include "doctor.h"

#include <string.h>

void checkup_find(checkup *c, study_finding_kind kind, const char *advice, const char *format, ...)
{
    study_health *health = c->health;
    if (health->finding_count == STUDY_FINDINGS)
        return;
    study_finding *finding = &health->findings[health->finding_count++];
    char found[AG_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    ag_text_print_list(found, sizeof found, format, arguments);
    va_end(arguments);
    finding->kind = kind;
    ag_text_show(found, finding->found, sizeof finding->found);
    ag_text_show(advice, finding->advice, sizeof finding->advice);
    health->faults += kind == STUDY_FAULT;
    health->observations += kind == STUDY_OBSERVATION;
}

void checkup_list_add(checkup_list *list, const char *name)
{
    const size_t used = strlen(list->text);
    if (++list->count <= LIST_NAMES)
        ag_text_print(list->text + used, sizeof list->text - used, "%s%.*s", used ? ", " : "", LIST_NAME, name);
}

const char *checkup_list_end(checkup_list *list)
{
    const size_t used = strlen(list->text);
    if (list->count > LIST_NAMES)
        ag_text_print(list->text + used, sizeof list->text - used, " and %lld more",
                      (long long)(list->count - LIST_NAMES));
    return list->text;
}
