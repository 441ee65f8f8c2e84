/* playground.c - what a page can ask for: see playground.h. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *verb;
    ag_status (*act)(playground *p, const char *text);
} verbs[] = {
    /* SETTING: a new model and run. -> {"setting", "command", "parameters", ..} */
    {"begin", playground_begin},
    /* SETTING: its masks and its fault for the run as it is. */
    {"change", playground_change},
    /* COUNT: so many updates. -> {"step", "loss", "rate", "norm", "evaluate": whether it is time for that, "last"} */
    {"step", playground_step},
    /* -> {"step", "loss", "accuracy", "exact"} on unseen examples */
    {"evaluate", playground_evaluate},
    /* CARD ROWSxCOLUMNS MASK: source, target or cross, queries and keys. -> {"mask", "pattern", "cells", ..} */
    {"mask", playground_show_mask},
    /* ROWSxCOLUMNS CELLS: a . or # for each. -> {"mask"} with these cells */
    {"paint", playground_paint},
    /* -> the curves of the run, a fragment of HTML */
    {"charts", playground_charts},
    /* VECTORS, lines "token numbers": their scores and weights, a fragment of HTML. */
    {"weights", playground_weights},
    /* -> what the gradient checks say of the model as it stands, a fragment of HTML */
    {"gradcheck", playground_gradcheck},
    /* -> the operations that "curve" knows, as <option>s of HTML */
    {"operations", playground_operations},
    /* OPERATION: the error of a central difference over its step, a fragment of HTML. */
    {"curve", playground_error_curve},
    /* EXPRESSION, line feed, VALUES, line feed, STEPS: the tape of an expression after so many
     * steps of its passes (0: all). -> a fragment of HTML that begins "Step 3 of 7" */
    {"tape", playground_tape},
    /* Writes the model to a file. -> {"path", "sha256" of the file, "parameters_sha256"} */
    {"save", playground_save},
    /* NAME and, after a line feed, LINES: the model of a file becomes the run's. It is
     * trained on the task that the file names, or on the lines. -> as "begin" */
    {"load", playground_load},
    /* -> {"step", "parameters_sha256", "command" that computes the same natively, or ""} */
    {"digest", playground_digest},
    /* NUMBER: an unseen example -> {"source", "target"} */
    {"unseen", playground_unseen},
    /* EXAMPLE (typed.h): a fragment with the attention that it names */
    {"attention", playground_attention},
    /* EXAMPLE: a fragment with the influence of each input on each output */
    {"influence", playground_influence},
    /* EXAMPLE: a sentence that says whether a mask leaks, and where */
    {"leaks", playground_leaks},
    /* EXAMPLE: -> {"looks": that "next" has at the model's answer} */
    {"looks", playground_looks},
    /* EXAMPLE: a fragment with the token after the first `tokens` of the answer */
    {"next", playground_next},
};

/* Whatever memory was for: a person can do this about it. */
#define NO_MEMORY "no memory is left for this: take a smaller model, a smaller batch or shorter lines"

playground *playground_new(void)
{
    playground *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    if (!p->tape) {
        free(p);
        return NULL;
    }
    return p;
}

void playground_free(playground *p)
{
    if (!p)
        return;
    playground_run_free(p->run);
    ag_tape_free(p->tape);
    free(p->answer);
    free(p);
}

ag_status playground_ask(playground *p, const char *verb, const char *text)
{
    p->error = (ag_error){0};
    free(p->answer);
    p->answer = NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(verbs[i].verb, verb)) {
            const ag_status status = verbs[i].act(p, text);
            ag_tape_rewind(p->tape);
            if (status != AG_NO_MEMORY)
                return status;
            p->error = (ag_error){0};
            return ag_error_set(&p->error, status, NO_MEMORY);
        }
    return ag_error_set(&p->error, AG_BAD_VALUE, "the playground cannot '%.40s'", verb);
}

const char *playground_answer(const playground *p)
{
    return p->answer && p->error.status == AG_OK ? p->answer : p->error.message;
}
