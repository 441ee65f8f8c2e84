/* answer.c - how a verb answers, and what it says where it cannot: see session.h. */
#include "session.h"

#include <stdlib.h>

ag_status playground_answer_text(playground *p, char *text)
{
    if (!text)
        return ag_error_set(&p->error, AG_NO_MEMORY, "no memory for an answer");
    free(p->answer);
    p->answer = text;
    return AG_OK;
}

ag_status playground_answer_document(playground *p, study_document *document, int64_t first)
{
    char *text = study_document_fragment(document, first, &p->error);
    study_document_free(document);
    return text ? playground_answer_text(p, text) : p->error.status;
}

data_json_object playground_json_start(playground *p, ag_status *status)
{
    *status = playground_answer_text(p, malloc(PLAYGROUND_JSON));
    return data_json_object_start(p->answer, *status == AG_OK ? PLAYGROUND_JSON : 0, "");
}

ag_status playground_json_end(playground *p, data_json_object *json)
{
    return data_json_object_end(json) ? AG_OK : ag_error_set(&p->error, AG_BAD_VALUE, "the answer is too long");
}

ag_status playground_needs_run(playground *p)
{
    return p->run ? AG_OK : ag_error_set(&p->error, AG_BAD_VALUE, "there is no model yet");
}

ag_status playground_tape_failed(playground *p)
{
    const ag_error *problem = ag_tape_error(p->tape);
    return ag_error_set(&p->error, problem->status, "%s", problem->message);
}
