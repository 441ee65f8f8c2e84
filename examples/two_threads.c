/* two_threads.c - two threads of one program train one model together, and get the bytes
 * that one thread gets.
 *
 * Each computes one part of each batch; train_options.exchange, a function of the program,
 * adds up their gradients. With threads it needs a lock and two loops. Between machines it
 * would send the gradients through a network (docs/scale.md). */
#include <tapeformer/train.h>

#include <pthread.h>
#include <string.h>

enum { PARTS = 2, STEPS = 200 };

/* Where the threads meet. */
typedef struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int waiting, rounds;
    bool broken; /* a thread has failed: the other must not wait for it */
    ag_real *gradients[PARTS];
    double *sums[PARTS];
} meeting;

typedef struct worker {
    meeting *meeting; /* NULL: this worker computes all parts */
    int part;         /* from 1 */
    nn_model *model;
    data_set *training;
    ag_status status;
    ag_error error;
} worker;

/* Gives both threads the sums of what they have brought, added in the order of the parts. */
static void add_up(meeting *m, int64_t count, int64_t sum_count)
{
    for (int64_t i = 0; i < count; i++)
        m->gradients[0][i] = m->gradients[1][i] = m->gradients[0][i] + m->gradients[1][i];
    for (int64_t i = 0; i < sum_count; i++)
        m->sums[0][i] = m->sums[1][i] = m->sums[0][i] + m->sums[1][i];
}

/* Who comes last adds up; who comes first waits for that. */
static ag_status exchange(void *context, ag_real *gradients, int64_t count, double *sums, int64_t sum_count)
{
    const worker *w = context;
    meeting *m = w->meeting;
    pthread_mutex_lock(&m->lock);
    m->gradients[w->part - 1] = gradients;
    m->sums[w->part - 1] = sums;
    const int round = m->rounds;
    if (++m->waiting == PARTS) {
        add_up(m, count, sum_count);
        m->waiting = 0;
        m->rounds++;
        pthread_cond_broadcast(&m->changed);
    }
    while (m->rounds == round && !m->broken)
        pthread_cond_wait(&m->changed, &m->lock);
    const bool done = m->rounds != round;
    pthread_mutex_unlock(&m->lock);
    return done ? AG_OK : AG_IO;
}

static void show_progress(void *context, const train_progress *progress)
{
    (void)context;
    if (progress->step % 100 == 0)
        printf("step %lld of %lld: loss %.4f\n", (long long)progress->step, (long long)progress->steps, progress->loss);
}

static void *train(void *context)
{
    worker *w = context;
    const train_options options = {.steps = STEPS,
                                   .accumulate = PARTS,
                                   .part = w->part,
                                   .exchange = w->meeting ? exchange : NULL,
                                   .context = w,
                                   .threads = 1,
                                   .on_progress = w->part == 1 ? show_progress : NULL};
    w->status = train_run(w->model, w->training, NULL, &options, NULL, &w->error);
    if (w->meeting) {
        pthread_mutex_lock(&w->meeting->lock);
        w->meeting->broken = w->meeting->broken || w->status != AG_OK;
        pthread_cond_broadcast(&w->meeting->changed);
        pthread_mutex_unlock(&w->meeting->lock);
    }
    return NULL;
}

/* Both threads draw the same examples and the same first parameters. */
static bool prepare(worker *w)
{
    const data_set_options examples = {.part = DATA_TRAIN, .min_length = 3, .max_length = 8};
    w->training = data_set_task(data_task_find("reverse"), &examples, &w->error);
    if (!w->training)
        return false;
    const nn_model_config config = {.source_vocab = data_vocab_size(data_set_source_vocab(w->training)),
                                    .target_vocab = data_vocab_size(data_set_target_vocab(w->training)),
                                    .d_model = 32,
                                    .encoder_layers = 1,
                                    .decoder_layers = 1,
                                    .dropout = 0.1};
    w->model = nn_model_new(&config, 1, &w->error);
    return w->model != NULL;
}

/* Trains in two threads, and then the third worker alone. */
static void train_both_ways(worker *workers)
{
    pthread_t second;
    if (pthread_create(&second, NULL, train, &workers[1]) != 0) {
        workers[0].status = AG_NO_MEMORY;
        return;
    }
    train(&workers[0]);
    pthread_join(second, NULL);
    train(&workers[PARTS]);
}

static void compare(const worker *a, const worker *b, const char *what)
{
    const nn_params *x = &a->model->params, *y = &b->model->params;
    const bool same = memcmp(x->value, y->value, (size_t)x->size * sizeof *x->value) == 0;
    printf("%s: %lld parameters, %s\n", what, (long long)x->size, same ? "the same bytes" : "OTHER BYTES");
}

int main(void)
{
    meeting m = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    worker workers[PARTS + 1] = {{.meeting = &m, .part = 1}, {.meeting = &m, .part = 2}};
    bool done = prepare(&workers[0]) && prepare(&workers[1]) && prepare(&workers[PARTS]);
    if (done)
        train_both_ways(workers);
    for (int i = 0; i <= PARTS; i++) {
        done = done && workers[i].status == AG_OK;
        if (*workers[i].error.message)
            puts(workers[i].error.message);
    }
    if (done) {
        compare(&workers[0], &workers[1], "thread 1 and thread 2");
        compare(&workers[0], &workers[PARTS], "two threads and one that accumulates 2 parts");
    }
    for (int i = 0; i <= PARTS; i++) {
        nn_model_free(workers[i].model);
        data_set_free(workers[i].training);
    }
    return done ? 0 : 1;
}
