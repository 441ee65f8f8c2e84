/* session.h - the state of a playground, for its files. */
#ifndef PLAYGROUND_SESSION_H
#define PLAYGROUND_SESSION_H

#include "playground.h"
#include "setting.h"
#include "study.h"
#include "theory.h"

/* ---- Curves ------------------------------------------------------------------------ */

/* A quantity over the steps, and its best possible value under the masks of that step; NaN
 * where none is known. It has at most CURVE_POINTS points: when they are full, every
 * second one goes, and from then on only every second value is kept. */
enum { CURVE_POINTS = 512 };
typedef struct playground_curve {
    double x[CURVE_POINTS], y[CURVE_POINTS], best[CURVE_POINTS];
    int64_t count, stride, skipped;
} playground_curve;
void playground_curve_add(playground_curve *curve, double x, double y, double best);

/* ---- The playground ---------------------------------------------------------------- */

/* The figures of the last evaluation. */
typedef struct playground_result {
    double loss, token_accuracy; /* on unseen examples under teacher forcing */
    double exact;                /* share of the answers, written token by token, without an error */
    int64_t step;
} playground_result;

/* A model in training and its examples. */
typedef struct playground_run {
    playground_setting setting;
    nn_model *model;
    data_set *training, *dev; /* a language model's sources are part of its targets */
    train_loop *loop;
    bool loaded;                  /* the model came from a file */
    bool studied;                 /* a loaded model without examples of its own: there is no loop, and the
                                   * sets only show its vocabularies */
    playground_planting planting; /* of the step that is being made */
    int64_t step;
    double loss, rate, norm; /* of the last step */
    playground_result result;
    playground_theories theories;
    playground_curve training_loss, dev_loss, honest_loss, exact, accuracy; /* by step */
} playground_run;

struct playground {
    playground_run *run; /* NULL: none yet */
    ag_tape *tape;       /* for everything but training; it keeps no gradients */
    ag_error error;
    char *answer; /* NULL: the error's message */
};

/* What a training step of the run, the context, does to its input: the masks and the fault
 * (train_on_input). */
void playground_mask_training(void *context, nn_pass *pass, nn_input *input);

/* An empty run; NULL with the playground's error. The tape's memory, which can be as much as
 * a run's, is given back: the playground's run stays until the new one is made. */
playground_run *playground_run_new(playground *p);
/* Frees the run; NULL is allowed. */
void playground_run_free(playground_run *run);
/* Replaces the playground's run by one whose model and sets were `made`, and answers with
 * its description. After an error, or if `made` is one, the run is freed and the
 * playground's stays. */
ag_status playground_take_run(playground *p, playground_run *run, ag_status made) AG_CHECKED;
/* AG_BAD_VALUE before there is a run. */
ag_status playground_needs_run(playground *p) AG_CHECKED;

/* Finds what theory says of the run under these masks. */
ag_status playground_theories_find(playground *p, const playground_run *run, const playground_setting *setting,
                                   playground_theories *theories) AG_CHECKED;

/* ---- Examples (examples.c) --------------------------------------------------------- */

/* The token between source and target in the rows of a language model: U+2192. */
#define PLAYGROUND_ARROW "\xE2\x86\x92"

/* Makes run->training and run->dev from the setting, and from `saved`'s vocabularies where
 * they are not NULL. */
ag_status playground_open_examples(playground_run *run, const train_saved *saved, ag_error *error) AG_CHECKED;

/* ---- Answers of the model, token by token (write.c) -------------------------------- */

/* Sequences that a model goes on with. */
typedef struct playground_rows {
    int64_t rows, most; /* of tokens in a row */
    int32_t *tokens;    /* [rows, most]: what the decoder reads */
    int32_t *lengths;   /* [rows] */
    bool *ended;        /* [rows]: the end mark came */
    ag_real *memory;    /* of the encoder, from the first token on; NULL: none yet */
} playground_rows;

/* `count` empty rows, which playground_rows_clear frees. AG_NO_MEMORY. */
ag_status playground_rows_init(playground_rows *rows, int64_t count, int64_t most, ag_error *error) AG_CHECKED;
void playground_rows_clear(playground_rows *rows);

/* The logits after each token of an input under the masks of the evaluation; both live on
 * p->tape, which is rewound before. The input's target becomes the rows, as long as the
 * longest; NULL: a tagger, which has none. */
ag_status playground_logits(playground *p, nn_input *input, playground_rows *rows, const ag_tensor **logits) AG_CHECKED;
/* The most probable token but for those `before` [count]; -1: no other. Of the marks only
 * the end can be written. */
int32_t playground_most_probable(const ag_real *logits, int64_t classes, const int32_t *before, int count);
/* Writes the most probable next token of each row that has not ended, under the masks of
 * the evaluation. `source` has the sources of the rows (zeros: none). */
ag_status playground_write_token(playground *p, const nn_input *source, playground_rows *rows) AG_CHECKED;
enum { PLAYGROUND_ROWS = 25 /* of an evaluation at once: memory grows with them */ };
/* The share of `count` unseen examples that the model answers without an error. */
ag_status playground_exact(playground *p, int64_t count, double *exact) AG_CHECKED;

/* ---- Answers of the playground ----------------------------------------------------- */

/* The number of each view's first picture. All are in one page, where pictures are named by
 * their numbers, so a view has at most as many as there are up to the next. */
enum {
    PICTURES_OF_CHARTS = 1000,
    PICTURES_OF_ATTENTION = 2000,
    PICTURES_OF_INFLUENCE = 3000,
    PICTURES_OF_NEXT = 4000,
    PICTURES_OF_GRADCHECK = 5000,
    PICTURES_OF_CURVE = 5500,
    PICTURES_OF_TAPE = 6000,
    PICTURES_OF_WEIGHTS = 7000
};

/* The document as a fragment of the page, whose pictures are numbered from `first`; frees
 * the document. */
ag_status playground_answer_document(playground *p, study_document *document, int64_t first) AG_CHECKED;
/* The text, which must have been allocated; NULL: out of memory. */
ag_status playground_answer_text(playground *p, char *text) AG_CHECKED;

/* An object of JSON that becomes the answer: it begins, the caller puts its members in if
 * *status is AG_OK, and it ends. */
enum { PLAYGROUND_JSON = 1 << 14 /* bytes, at most */ };
data_json_object playground_json_start(playground *p, ag_status *status);
ag_status playground_json_end(playground *p, data_json_object *json) AG_CHECKED;

/* The tape's error as the playground's. */
ag_status playground_tape_failed(playground *p) AG_CHECKED;

/* The verbs (see playground.c for what each does). */
ag_status playground_begin(playground *p, const char *text) AG_CHECKED;
ag_status playground_change(playground *p, const char *text) AG_CHECKED;
ag_status playground_step(playground *p, const char *text) AG_CHECKED;
ag_status playground_evaluate(playground *p, const char *text) AG_CHECKED;
ag_status playground_show_mask(playground *p, const char *text) AG_CHECKED;
ag_status playground_paint(playground *p, const char *text) AG_CHECKED;
ag_status playground_charts(playground *p, const char *text) AG_CHECKED;
ag_status playground_weights(playground *p, const char *text) AG_CHECKED;
ag_status playground_gradcheck(playground *p, const char *text) AG_CHECKED;
ag_status playground_operations(playground *p, const char *text) AG_CHECKED;
ag_status playground_error_curve(playground *p, const char *text) AG_CHECKED;
ag_status playground_tape(playground *p, const char *text) AG_CHECKED;
ag_status playground_save(playground *p, const char *text) AG_CHECKED;
ag_status playground_load(playground *p, const char *text) AG_CHECKED;
ag_status playground_digest(playground *p, const char *text) AG_CHECKED;
ag_status playground_unseen(playground *p, const char *text) AG_CHECKED;
ag_status playground_attention(playground *p, const char *text) AG_CHECKED;
ag_status playground_influence(playground *p, const char *text) AG_CHECKED;
ag_status playground_leaks(playground *p, const char *text) AG_CHECKED;
ag_status playground_looks(playground *p, const char *text) AG_CHECKED;
ag_status playground_next(playground *p, const char *text) AG_CHECKED;

#endif
