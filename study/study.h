/* study.h - what models attend to, what they can see, and what masks do.
 *
 * A study computes numbers (study_attention, study_influence_find, study_leaks_find) or
 * adds its results to a document of report.h (study_laboratory, study_curves), which can
 * be shown as text in a terminal, as one HTML file, or as SVG pictures.
 *
 * Threads: a study only reads its model and input, so several studies may use one model
 * at once. study_laboratory trains models of its own.
 */
#ifndef STUDY_STUDY_H
#define STUDY_STUDY_H

#include "autograd.h"
#include "data.h"
#include "nn.h"
#include "report.h"
#include "train.h"

AG_HEADER_BEGIN

/* ---- Attention --------------------------------------------------------------------- */

/* The weights of one attention on one example. */
typedef struct study_map {
    char *name; /* "decoder.layers.0.multihead_attn" */
    int64_t heads, queries, keys;
    ag_real *weights; /* [heads, queries, keys] */
    /* [heads, queries, keys] of study_cell: padding if the query or the key is beyond the
     * length of its side; masked if the mask in force forbids the key. */
    unsigned char *cells;
    /* [heads] entropy -sum w log2 w in bits, the mean over the queries before the padding
     * that see any key; 0 if none does. One key alone: 0. n equal weights: log2 n. */
    double *entropy;
} study_map;

/* The weights of every attention of a model. */
typedef struct study_maps {
    study_map *items; /* [count], in the order in which the model computes them */
    int count;
    int64_t blind; /* queries without any key, counted for each head: ag_tape_blind_queries */
} study_maps;

/* Runs the model on one row of input without dropout and keeps the weights of every
 * attention, until study_maps_clear. AG_BAD_VALUE for more than one row, AG_NO_MEMORY, or
 * any error of nn_model_apply; then *maps is empty. */
ag_status study_attention(const nn_model *model, const nn_input *input, study_maps *maps, ag_error *error) AG_CHECKED;
/* Frees the maps and zeroes the struct. */
void study_maps_clear(study_maps *maps);

/* What looks at what. */
typedef enum study_attention_kind {
    STUDY_CROSS = 0, /* the decoder at the encoder */
    STUDY_ENCODER,   /* the encoder at itself */
    STUDY_DECODER,   /* the decoder at itself */
    STUDY_EVERY      /* in a choice: any of them */
} study_attention_kind;
/* "cross", "encoder", "decoder", "all"; NULL for any other number. */
const char *study_attention_kind_name(int kind);
/* Which of the first three a map is, by its name. */
study_attention_kind study_map_kind(const study_map *map);

/* The maps that are drawn. */
typedef struct study_maps_choice {
    study_attention_kind kind;
    int64_t layer, head; /* from 0; below 0: all */
    bool side_by_side;   /* as in study_add_heats */
} study_maps_choice;

/* The tokens of an example as text, those of its padding included. */
typedef struct study_labels {
    /* [source_length], [target_length]; NULL: the model has no such side */
    const char *const *source, *const *target;
} study_labels;

/* Adds a heat map for each head that is chosen, cross-attention first, then the
 * decoder's, then the encoder's, below a sentence that says how to read them, and one
 * that counts the blind queries. *count becomes the number of maps; none is no error.
 * AG_NO_MEMORY. */
ag_status study_maps_write(const study_maps *maps, const study_maps_choice *choice, const study_labels *labels,
                           study_document *document, int64_t *count, ag_error *error) AG_CHECKED;

/* ---- Calibration ----------------------------------------------------------------- */

/* Adds the reliability curve, accuracy over confidence (Guo et al. 2017, figure 1), and
 * the numbers of its bins. AG_BAD_VALUE if there are no answers. A document for which
 * there is no memory says so when it is saved. */
ag_status study_calibration_write(const train_calibration *calibration, study_document *document,
                                  ag_error *error) AG_CHECKED;

/* ---- Gradient checks ------------------------------------------------------------- */

/* What the gradient checks find of an operation on examples that its record draws. */
typedef struct study_op_checks {
    bool passed; /* all three; a dot test that says nothing does not count */
    ag_gradcheck_report elements;
    ag_dot_report dot;
    ag_taylor_report taylor;
} study_op_checks;

/* Runs ag_gradcheck_op, ag_dot_test_op and ag_taylor_test_op on `draws` examples. The
 * tolerance of `options` is that of the elements; the other two know their own. An error
 * is that of these functions. */
ag_status study_op_checks_find(const ag_op *op, int draws, const ag_gradcheck_options *options, study_op_checks *checks,
                               ag_error *error) AG_CHECKED;
/* Whether the dot test compared anything: it cannot without a tangent rule, nor where no
 * result moves. */
bool study_op_checks_have_dot(const study_op_checks *checks);
/* Adds the verdicts, and for each input the error of a central difference over its step
 * (ag_error_curve), beside the same for a gradient that is made 3 % too small. */
ag_status study_op_checks_write(const study_op_checks *checks, const ag_op *op, int draws,
                                const ag_gradcheck_options *options, study_document *document,
                                ag_error *error) AG_CHECKED;

/* ---- Influence and leaks ----------------------------------------------------------- */

/* The subject of a study: a model on one example, which may be padded beyond its
 * lengths. */
typedef struct study_subject {
    const nn_model *model; /* its parameters are constants here */
    const nn_input *input; /* one row */
    /* The computation, which returns logits [rows, length, V]; NULL: nn_model_apply. It
     * is called with the one row of `input` repeated, and with pass->params constant. If
     * it is built from single blocks, it must report them by pass->on_block. Tests plant
     * faults here, or by masks in `input`. */
    ag_tensor *(*apply)(void *context, const nn_model *model, const nn_pass *pass, const nn_input *input);
    void *context; /* of apply */
    /* The masks that the model claims to obey, as in nn_input; NULL: the model's own. The
     * lengths in `input` are part of the claim. */
    const ag_mask *encoder_mask, *decoder_mask, *cross_mask;
    int threads; /* 0: all */
} study_subject;

/* How strongly each output depends on each input:
 *
 *     values[i, j] = || d logits_i / d embedding_j ||  (Frobenius; a [V, D] Jacobian)
 *
 * where embedding_j, token and position together, is what enters the first block. Inputs
 * are the tokens of the source, followed by those of the target.
 *
 * Exact for vocabularies up to 256. For larger ones, estimated from 64 random projections
 * of the logits, with a standard error below 9 %; an exact 0 stays 0. The cost is outputs
 * times vocabulary (at most 64) backward passes on the example. */
typedef struct study_influence {
    int64_t outputs, inputs, source_length; /* inputs below source_length are the encoder's */
    ag_real *values;                        /* [outputs, inputs] */
    /* [outputs, inputs] of study_cell: seen if the declared masks of all layers together
     * let output i depend on input j; otherwise padding if j is after the last token,
     * else masked. (A padded position has an output, too. It depends on the position
     * itself and on whatever that may look at.) */
    unsigned char *cells;
} study_influence;
/* Finds the influence of each input on each output, to be freed by study_influence_clear.
 * AG_BAD_VALUE for more than one row, AG_NO_MEMORY, or any error of the computation. */
ag_status study_influence_find(const study_subject *subject, study_influence *influence, ag_error *error) AG_CHECKED;
/* Frees the influence and zeroes the struct. */
void study_influence_clear(study_influence *influence);
/* What the declared masks forbid. */
typedef struct study_forbidden {
    int64_t pairs, broken; /* of outputs and inputs; those whose influence is not 0 */
} study_forbidden;
/* Adds the influences, each row in parts of its largest, beside what the masks let
 * through, and a sentence that says whether the two agree. A forbidden influence that is
 * not 0 is drawn in the colour of a warning. AG_NO_MEMORY. */
ag_status study_influence_write(const study_influence *influence, const study_labels *labels, study_document *document,
                                study_forbidden *found, ag_error *error) AG_CHECKED;

/* A leak: an output depends on an input that the masks forbid, or does not depend on one
 * that they allow. */
typedef struct study_leak {
    /* The part of the model: "decoder.layers.1", one block by itself; "encoder.norm" or
     * "output", what follows the blocks of a stack, where a position may depend on itself
     * alone; "model", from the inputs of the first blocks to the logits. */
    const char *layer;
    const char *side; /* of j: "source" (in a decoder's block: the memory) or "target" */
    int64_t i, j;     /* positions of the output (query) and of the input */
    bool forbidden;   /* true: forbidden, but influence != 0. False: allowed, but influence == 0 */
    double influence; /* norm of the gradient; NaN counts as a leak */
} study_leak;
/* The leaks of a model. */
typedef struct study_leaks {
    study_leak *items; /* [count], ordered by layer, then i, then j with the source first */
    int64_t count;
    int64_t forbidden, allowed; /* number of pairs (i, j) that were examined */
    void *storage;              /* private */
} study_leaks;

/* Looks for leaks in every block by itself and in the whole model, by the gradient of a
 * random projection of output i with respect to input j, for each pair. Output i may
 * depend on input j if a mask allows it or, by the residual connection, if i = j.
 * Forbidden gradients must be exactly 0; allowed ones must have an element that is not 0.
 *
 * A sharp softmax can give a key a weight that rounds to 0, or is too small to matter. So
 * each pair is examined at two points: at the example, and with all positions set to the
 * values of the first, where all keys have about the same weight. A forbidden pair leaks
 * if its gradient is not 0 at either point; an allowed one is blind if it is 0 at both.
 *
 * Not detected, because not differentiated: anything that happens to tokens before the
 * first block, or through ag_detach. Nor whether a mask lets a position look at itself,
 * since the residual connection does so anyway.
 *
 * The leaks are freed by study_leaks_clear. AG_BAD_VALUE for more than one row, and for a
 * computation that does not report its blocks; AG_NO_MEMORY. */
ag_status study_leaks_find(const study_subject *subject, study_leaks *leaks, ag_error *error) AG_CHECKED;
/* Frees the list and zeroes the struct. */
void study_leaks_clear(study_leaks *leaks);

/* ---- The laboratory of masks ------------------------------------------------------- */

/* Options of study_laboratory. Zero means the default in brackets. */
typedef struct study_laboratory_options {
    int64_t length;  /* of the sequences, 4 to 16 [8] */
    int64_t letters; /* of the alphabet, 2 to 10 [8] */
    int64_t steps;   /* of each training, 40 to 10^6 [400] */
    uint64_t seed;   /* of parameters and examples */
    int threads;     /* [all] */
    /* Called after every step: what is being trained, and the steps done out of all;
     * NULL: not called. */
    void (*on_progress)(void *context, const char *what, int64_t done, int64_t all);
    void *context;                     /* of on_progress */
    const volatile sig_atomic_t *stop; /* not 0: the laboratory stops with AG_INTERRUPTED */
} study_laboratory_options;

/* Trains small models on sequences of letters, for tasks of which it is known what must
 * be seen, and adds to the document what they learned beside what their masks allow:
 *
 *     25 taggers, by position: five tasks (copy, shift left and right, reverse, sort)
 *         under the masks full, causal, window and prefix, and without positional code;
 *     each tagger evaluated under the other masks;
 *     a decoder that sees the token it is to predict, beside a correct one;
 *     permuted input, and padding with and without its mask.
 *
 * It states expectations and says of each whether it came true. The same options give the
 * same numbers at any number of threads. AG_BAD_VALUE for options out of range, and if
 * there are so few sequences that training would see an eighth of them; AG_NOT_FINITE if
 * a loss or gradient is; AG_NO_MEMORY. */
ag_status study_laboratory(const study_laboratory_options *options, study_document *document,
                           ag_error *error) AG_CHECKED;

/* ---- The doctor -------------------------------------------------------------------- */

/* A model, and the examples on which its gradients are examined. Zero means the
 * default. */
typedef struct study_patient {
    const nn_model *model; /* only read */
    data_set *set;         /* examples, with the model's vocabularies */
    int64_t examples;      /* of an epoch; 0: all */
    int64_t batch;         /* examples that go through the model at once; 0: 32, fewer of a
                            * large model */
    int64_t elements;      /* of each parameter, compared with differences; 0: none */
    uint64_t seed;         /* of the random directions and elements */
    int threads;           /* 0: all */
    /* The computation of logits, as in study_subject; NULL: nn_model_apply. Parameters
     * have gradients here. */
    ag_tensor *(*apply)(void *context, const nn_model *model, const nn_pass *pass, const nn_input *input);
    void *context; /* of apply */
} study_patient;

/* What a finding means: all is well; something that may be meant; an error. */
typedef enum study_finding_kind { STUDY_WELL = 0, STUDY_OBSERVATION, STUDY_FAULT } study_finding_kind;
/* One finding, and what to do about it ("" if all is well). */
typedef struct study_finding {
    study_finding_kind kind;
    char found[AG_MESSAGE_SIZE], advice[AG_MESSAGE_SIZE];
} study_finding;

/* The most findings of an examination, and the room for the name of a layer. */
enum { STUDY_FINDINGS = 48, STUDY_LAYER_NAME = 128 };
/* Blocks of a stack, its input and what follows it are reported if their values or
 * gradients differ by more than this factor. */
#define STUDY_LAYER_RATIO 1000
/* Matrices whose gradient, divided by the matrix's norm, is this many times as large or
 * as small as that of the model's middle matrix are reported. */
#define STUDY_PARAMETER_RATIO 1e6

/* The sizes of one layer: a block, or the parameters beside the blocks. */
typedef struct study_layer {
    char name[STUDY_LAYER_NAME]; /* "encoder.layers.0", "output" */
    int64_t parameters;          /* numbers */
    double weight;               /* Euclidean norm of its parameters */
    double weight_gradient;      /* of the gradient of a batch's mean loss by them: the root
                                  * mean square over the batches */
    double output;               /* root mean square of a number of the block's result; 0: no
                                  * block */
    double output_gradient;      /* of the gradient of a batch's summed loss by it */
} study_layer;

/* The result of an examination. */
typedef struct study_health {
    study_finding findings[STUDY_FINDINGS];
    int finding_count, faults, observations;
    study_layer *layers; /* [layer_count], in the order of the parameters */
    int layer_count;
    int64_t examples, tokens; /* that were looked at, and their targets */
    double loss;              /* mean per target in nats, without dropout and smoothing */
    int64_t blind;            /* queries without a key, counted for each head */
    ag_dot_report dot;        /* of all parameters, on two examples; zeros if a number was not
                               * finite */
    /* Of the first of these examples: a direction of each parameter, of a large model one
     * of all together. */
    ag_taylor_report taylor;
    /* Of single elements, on the examples of the dot test; zeros if none were
     * compared. */
    ag_gradcheck_report elements;
    /* The operation that is to blame for a wrong gradient, as in ag_gradcheck_location;
     * "" if none is. */
    char location[AG_LOCATION_TEXT];
} study_health;

/* Examines the gradients of a model on real examples. All batches go through the model
 * and back, without dropout; then the dot test and Taylor's test compare the gradients by
 * all parameters with forward mode and with the loss itself, with dropout, on the first
 * 32 tokens of one or two examples. Where the patient wants it and the dot test finds no
 * fault, so does a gradient check of some elements of each parameter (ag_gradcheck).
 *
 *   fault        a value or a gradient that is not finite, with the operation that made
 *                it first; a parameter, or the queries, keys or values in it, whose
 *                gradient is exactly 0 in all examples, and in the last batch also when
 *                all values of the model are 2^6 and 2^20 times smaller; a position that
 *                no loss reaches, unless its whole sequence is severed; padding that the
 *                loss depends on; a gradient that is wrong by one of the tests, with the
 *                operation that is to blame
 *   observation  tokens that are not in the model's vocabularies; one that no example
 *                has, so that its embedding is never reached; a gradient that rounds to 0
 *                and would not under smaller values (then positions without a loss are no
 *                fault either); unused learned positions; relu units that are 0 at every
 *                token; blocks whose values or gradients are STUDY_LAYER_RATIO times
 *                those of another place of the stack; matrices by STUDY_PARAMETER_RATIO;
 *                queries without a key; tests that could not tell
 *
 * The model does not change. The caller clears *health, which is empty after an error:
 * AG_BAD_VALUE if the set does not fit the model, AG_NO_MEMORY, or any error of the
 * computation. */
ag_status study_doctor(const study_patient *patient, study_health *health, ag_error *error) AG_CHECKED;
/* Adds the findings, faults first, with what to do, and the layers to a document.
 * AG_NO_MEMORY. */
ag_status study_health_write(const study_health *health, study_document *document, ag_error *error) AG_CHECKED;
/* Frees the layers and zeroes the struct. */
void study_health_clear(study_health *health);

/* ---- The tape ---------------------------------------------------------------------- */

/* The name by which a tensor is shown. */
typedef struct study_name {
    const ag_tensor *tensor;
    const char *name;
} study_name;

/* Options of study_tape. Zero means the default. */
typedef struct study_tape_options {
    const study_name *names; /* [name_count], of leaves */
    int name_count;
    const nn_params *params; /* names the leaves whose data is its values; NULL: none */
    double peak;             /* multiply-adds a second, for shares of it (ag_peak); 0: none */
    /* Shows what is known after this many steps of both passes, of 2 n + 1 for n
     * operations: first the forward of one after another; then the gradient of the result
     * by itself, 1; then the backward of one after another, the last first, whose
     * derivatives appear. A gradient is known when all uses of its value have had theirs.
     * [all] */
    int64_t steps;
} study_tape_options;

/* A tape of fewer nodes than these is drawn, too. */
enum { STUDY_TAPE_PICTURE = 60 };

/* Adds what is on a tape to the document. Of each operation, in the order of the tape and
 * grouped by scope:
 *
 *     its formula and shapes, the multiply-adds of its matrix products in both passes,
 *     the bytes that it keeps for the backward, the time of its forward and backward, the
 *     time of computing it again after ag_forget, its share of the time of all
 *     operations, the share of the machine's peak that its multiply-adds reach, and the
 *     norms of its result and of the gradient.
 *
 * Times and bytes need a tape that measures (ag_tape_options); gradients those that
 * ag_retain_grad keeps. The picture of a small tape, leaves at the top, has the value and
 * gradient of each node and, on each edge, the derivative of the operation by its input,
 * which ag_node_backward computes. The tape keeps its values and gradients; only an error
 * of such a backward stays on it. AG_BAD_VALUE for a tape without operations; the tape's
 * error, if it has one; AG_NO_MEMORY. `options` may be NULL. */
ag_status study_tape(const ag_tape *tape, const study_tape_options *options, study_document *document,
                     ag_error *error) AG_CHECKED;

/* Options of study_tape_step. Zero means the default. */
typedef struct study_step_options {
    int threads;          /* 0: all */
    bool plain_attention; /* attention by single operations, so that each has a row */
    const int32_t *marks; /* as in study_trace_options */
} study_step_options;

/* The same of one training step of a model: forward with dropout, the mean cross-entropy,
 * backward; not the update. The norms come from a first run that keeps all values and
 * gradients, times and bytes from the third, which recomputes what training recomputes.
 * targets [rows, length] are the right answers, DATA_NONE where there is none; NULL, for
 * one row, those of study_trace. The model does not change. AG_BAD_VALUE for several rows
 * without targets; any error of the computation. `options` may be NULL. */
ag_status study_tape_step(const nn_model *model, const nn_input *input, const int32_t *targets,
                          const study_step_options *options, study_document *document, ag_error *error) AG_CHECKED;

/* ---- Traces ------------------------------------------------------------------------ */

/* Options of study_trace. Zero means the default. */
typedef struct study_trace_options {
    int threads;          /* 0: all; the file does not depend on it */
    bool plain_attention; /* attention by single operations, so scores and weights are recorded */
    /* Those of the targets' vocabulary (data_vocab_marks), of which the loss uses the end
     * mark, if there is one. NULL: those of data_vocab_new. */
    const int32_t *marks;
} study_trace_options;

/* Runs the model on one row of input, then the backward pass from a loss, and writes
 * every result to a .safetensors file:
 *
 *     forward/00012.encoder.layers.0.self_attn.attention   result of the 13th operation
 *     gradient/00012.encoder.layers.0.self_attn.attention  gradient of the loss by it
 *     parameter/encoder.layers.0.linear1.weight            and by a parameter
 *
 * The loss is the mean cross-entropy: of each token of the target given those before it,
 * with the end mark last; for a tagger, of its own answers. Equal bytes mean equal
 * computations, for example between two builds or machines. The model's own gradients do
 * not change. Replaces `path` completely or not at all. AG_BAD_VALUE for more than one
 * row, AG_IO, AG_NO_MEMORY, or any error of the computation. */
ag_status study_trace(const nn_model *model, const nn_input *input, const study_trace_options *options,
                      const char *path, ag_error *error) AG_CHECKED;

/* Where two traces differ. */
typedef struct study_difference {
    bool found;
    int64_t compared;              /* tensors that agree before the first that does not */
    char message[AG_MESSAGE_SIZE]; /* if found: the tensor, the place in it, both values */
} study_difference;

/* Finds the first tensor, in the order of execution, in which two traces differ: in
 * shape; in an element,
 *
 *     |a - b| > tolerance max(1, |a|, |b|)
 *
 * where NaN agrees with NaN and an infinity only with itself; or, unless `common`, by
 * being in only one of the files. Element types may differ: F64 is compared as such,
 * whatever ag_real is, and integers exactly, but with fractions as the nearest double.
 * Any two .safetensors files that share names can be compared; AG_BAD_VALUE if they share
 * none; AG_IO or AG_BAD_FILE if one cannot be read. */
ag_status study_trace_compare(const char *a, const char *b, bool common, double tolerance, study_difference *difference,
                              ag_error *error) AG_CHECKED;

/* ---- Curves ------------------------------------------------------------------------ */

/* Adds charts of training logs by step: losses in training and on dev, error rates on
 * dev, the learning rate. paths [count] are log.jsonl files, or folders that hold one.
 * Each run has the same colour in all charts; the step whose model was kept is marked.
 * AG_BAD_VALUE without a path, AG_IO or AG_BAD_FILE if a log cannot be read,
 * AG_NO_MEMORY. */
ag_status study_curves(const char *const *paths, int count, study_document *document, ag_error *error) AG_CHECKED;

AG_HEADER_END
#endif
