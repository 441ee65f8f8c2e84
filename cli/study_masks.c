/* study_masks.c - tapeformer study masks: the laboratory, with its progress on stderr. */
#include "study_report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct masks_flags {
    study_output output;
    int64_t length, letters, steps, seed, threads;
} masks_flags;

/* The progress: on a terminal one line that is overwritten, else a line for each
 * training. */
typedef struct masks_progress {
    bool terminal;
    char what[64];
    int percent;
} masks_progress;

static void show_progress(void *context, const char *what, int64_t done, int64_t all)
{
    masks_progress *progress = context;
    const int percent = (int)(100 * done / all);
    const bool changed = strcmp(progress->what, what) != 0;
    if (!changed && (!progress->terminal || percent == progress->percent))
        return;
    snprintf(progress->what, sizeof progress->what, "%s", what);
    progress->percent = percent;
    fprintf(stderr, progress->terminal ? "\r\033[K%3d %%  training: %s" : "%3d %%  training: %s\n", percent, what);
    fflush(stderr);
}

static int add_laboratory(void *context, const study_example *example, study_document *document)
{
    (void)example;
    const masks_flags *f = context;
    ag_error error = {0};
    masks_progress progress = {.terminal = isatty(STDERR_FILENO)};
    const study_laboratory_options options = {.length = f->length,
                                              .letters = f->letters,
                                              .steps = f->steps,
                                              .seed = (uint64_t)f->seed,
                                              .threads = (int)f->threads,
                                              .on_progress = show_progress,
                                              .context = &progress};
    cli_outlive_readers();
    const ag_status status = study_laboratory(&options, document, &error);
    if (progress.terminal && progress.what[0])
        fputs("\r\033[K", stderr);
    return status == AG_OK ? CLI_DONE : cli_report("study masks", &error);
}

static int run_masks(int count, const char *const *arguments)
{
    masks_flags f = {.length = 8, .letters = 8, .steps = 400, .seed = 1};
    const study_report report = {"The laboratory of masks", &f.output, NULL, add_laboratory, &f};
    cli_flag table[] = {
        CLI_FLAG(f.length, "length", "N", "length of the sequences, 4 to 16", .low = 4, .high = 16),
        CLI_FLAG(f.letters, "letters", "N", "letters of the alphabet, 2 to 10", .low = 2, .high = 10),
        CLI_FLAG(f.steps, "steps", "N", "steps of each of the 27 trainings", .low = 40, .high = 1e6),
        CLI_FLAG(f.seed, "seed", "N", "seed of the random numbers"),
        CLI_THREADS(f.threads),
        STUDY_OUTPUT_FLAGS(f.output),
    };
    cli_command command = {
        .name = "study masks",
        .summary = cli_study_masks.summary,
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "[--out report.html] [flags]",
        .details = "Trains 25 small taggers and two encoder-decoders, one of which leaks, and shows what they learned "
                   "beside what\ntheir masks allow. Takes about half a minute.",
    };
    return cli_study_report(&report, &command, count, arguments);
}

const study_kind cli_study_masks = {"masks", "the laboratory: what models can and cannot learn under each mask",
                                    run_masks};
