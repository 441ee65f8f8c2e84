/* calibration.c - the reliability curve of a model's answers. */
#include "study.h"

#include <math.h>
#include <stdio.h>

enum { BINS = TRAIN_CALIBRATION_BINS };

ag_status study_calibration_write(const train_calibration *calibration, study_document *document, ag_error *error)
{
    static const double ends[2] = {0, 1};
    double x[BINS], y[BINS];
    char text[BINS + 1][4][32];
    const char *cells[(BINS + 1) * 4] = {"probability", "mean probability", "right", "answers"};
    int64_t points = 0;
    for (int i = 0; i < BINS; i++) {
        const train_calibration_bin *bin = &calibration->bins[i];
        if (bin->count == 0)
            continue;
        x[points] = bin->confidence;
        y[points++] = bin->accuracy;
        ag_text_print(text[points][0], 32, "%.3f to %.3f", (double)i / BINS, (double)(i + 1) / BINS);
        ag_text_print(text[points][1], 32, "%.4f", bin->confidence);
        ag_text_print(text[points][2], 32, "%.4f", bin->accuracy);
        snprintf(text[points][3], 32, "%lld", (long long)bin->count);
        for (int c = 0; c < 4; c++)
            cells[4 * points + c] = text[points][c];
    }
    if (points == 0)
        return ag_error_set(error, AG_BAD_VALUE, "there are no answers to draw the calibration of");
    const study_line lines[] = {{.name = "answers", .count = points, .x = x, .y = y},
                                {.name = "calibrated", .count = 2, .x = ends, .y = ends, .companion = true}};
    const study_chart chart = {.title = "Calibration",
                               .x_axis = "probability of the answer",
                               .y_axis = "share of answers that are right",
                               .lines = lines,
                               .line_count = 2,
                               .low = 0,
                               .high = 1};
    study_add_text(document,
                   "Answers are gathered by the probability that the model gives them. The expected calibration error "
                   "is %.2f %%: the mean distance, over answers, between the share that is right and the mean "
                   "probability of a bin. Above the dashed line the model is too modest, below it too sure.",
                   100 * calibration->error);
    study_add_chart(document, &chart);
    study_add_table(document, NULL, points + 1, 4, cells);
    return AG_OK;
}
