/* progress.c - see progress.h. Progress goes to stderr, so that stdout stays for
 * results. */
#include "progress.h"

#include "cli.h"

#include <stdio.h>
#include <unistd.h>

#define TERMINAL_SECONDS 0.1 /* between two updates of the live line */
#define PLAIN_SECONDS    5.0 /* between two plain lines */

cli_progress cli_progress_make(bool quiet)
{
    return (cli_progress){.terminal = isatty(STDERR_FILENO), .quiet = quiet, .last_shown = -PLAIN_SECONDS};
}

static void show_evaluation(cli_progress *state, const train_progress *progress)
{
    const train_metrics *dev = progress->dev;
    fprintf(stderr, "%sstep %lld  dev: loss %.4f  token accuracy %.2f %%", state->terminal ? "\r\033[K" : "",
            (long long)progress->step, dev->loss, 100 * dev->token_accuracy);
    if (dev->decoded)
        fprintf(stderr, "  exact match %.2f %%", 100 * dev->exact_match);
    else
        fprintf(stderr, "  perplexity %.3f", dev->perplexity);
    if (train_metrics_guess(dev))
        fprintf(stderr, "  (no better than guessing: %.4f)", dev->chance);
    fprintf(stderr, "%s\n", progress->best ? "  (best)" : "");
    state->live = false;
}

void cli_progress_show(void *context, const train_progress *progress)
{
    cli_progress *state = context;
    char line[256];
    cli_finish_when_interrupted(); /* a step is done: from now on a signal must not lose it */
    if (progress->warning) {
        cli_progress_end(state);
        state->live = false;
        cli_fail("train", CLI_DONE, "warning: %s; the run goes on", progress->warning);
        return;
    }
    if (state->quiet)
        return;
    if (progress->dev) {
        show_evaluation(state, progress);
        return;
    }
    bool last = progress->step == progress->steps;
    if (!last && progress->seconds - state->last_shown < (state->terminal ? TERMINAL_SECONDS : PLAIN_SECONDS))
        return;
    state->last_shown = progress->seconds;
    train_progress_line(progress, line, sizeof line);
    fprintf(stderr, state->terminal ? "\r\033[K%s" : "%s\n", line);
    fflush(stderr);
    state->live = state->terminal;
}

void cli_progress_lines(cli_progress *progress, int64_t done, double seconds, bool at_end)
{
    char line[128];
    if (progress->quiet || !progress->terminal || (!at_end && seconds - progress->last_shown < TERMINAL_SECONDS))
        return;
    progress->last_shown = seconds;
    fprintf(stderr, "\r\033[K%s", train_count_line(done, "lines", seconds, line, sizeof line));
    fflush(stderr);
    progress->live = true;
}

void cli_progress_end(const cli_progress *progress)
{
    if (progress->live)
        fputc('\n', stderr);
}
