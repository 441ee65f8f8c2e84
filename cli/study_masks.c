/* study_masks.c - tapeformer study masks: the laboratory, with its progress on stderr. */
#include "study_report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct masks_flags {
    study_output output;
    int64_t length, letters, steps, seed, threads;
} masks_flags;

/* On a terminal a line that is written over; else a line for each training. */
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

static int study(const masks_flags *f)
{
    ag_error error = {0};
    masks_progress progress = {.terminal = isatty(STDERR_FILENO)};
    study_document *document = study_document_new("The laboratory of masks");
    const study_laboratory_options options = {.length = f->length,
                                              .letters = f->letters,
                                              .steps = f->steps,
                                              .seed = (uint64_t)f->seed,
                                              .threads = (int)f->threads,
                                              .on_progress = show_progress,
                                              .context = &progress};
    const ag_status status =
        document ? study_laboratory(&options, document, &error) : ag_error_set(&error, AG_NO_MEMORY, "out of memory");
    if (progress.terminal && progress.what[0])
        fputs("\r\033[K", stderr);
    const int code = status == AG_OK ? cli_study_show(document, &f->output) : cli_report("study masks", &error);
    study_document_free(document);
    return code;
}

int cli_study_masks(int count, const char *const *arguments)
{
    masks_flags f = {.length = 8, .letters = 8, .steps = 400, .seed = 1};
    cli_flag table[] = {
        CLI_FLAG(f.length, "length", "N", "of the sequences, 4 to 16", .low = 4, .high = 16),
        CLI_FLAG(f.letters, "letters", "N", "of the alphabet, 2 to 10", .low = 2, .high = 10),
        CLI_FLAG(f.steps, "steps", "N", "of each of the 27 trainings", .low = 40, .high = 1e6),
        CLI_FLAG(f.seed, "seed", "N", "of all that is drawn"),
        CLI_THREADS(f.threads),
        STUDY_OUTPUT_FLAGS(f.output),
    };
    cli_command command = {
        .name = "study masks",
        .summary = "the laboratory: what models can and cannot learn under each mask",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "[--out report.html] [flags]",
        .details = "Trains 25 small taggers and two encoder-decoders, one of which leaks, and shows what they learned "
                   "beside what\ntheir masks allow. Takes a minute or two.",
    };
    cli_read read = cli_flags_read(&command, count, arguments);
    if (read != CLI_READ_OK)
        return cli_read_code(read);
    const int code = cli_study_check("study masks", &f.output, NULL);
    if (code != CLI_DONE)
        return code;
    cli_outlive_readers();
    return study(&f);
}
