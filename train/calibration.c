/* calibration.c - whether the probabilities of answers are the shares of right ones, and
 * the temperature that makes the loss lowest.
 */
#include "calibration.h"
#include "scalar.h"

/* ---- Bins -------------------------------------------------------------------------- */

void train_calibration_add(train_calibration *calibration, double probability, bool right)
{
    const double place = probability * TRAIN_CALIBRATION_BINS;
    int bin = (int)place;
    bin -= bin > 0 && place == bin; /* the upper end of a bin belongs to it */
    bin = bin < TRAIN_CALIBRATION_BINS ? bin : TRAIN_CALIBRATION_BINS - 1;
    calibration->bins[bin].count++;
    calibration->bins[bin].confidence += probability;
    calibration->bins[bin].accuracy += right;
    calibration->count++;
}

void train_calibration_end(train_calibration *calibration)
{
    calibration->error = 0;
    for (int i = 0; i < TRAIN_CALIBRATION_BINS; i++) {
        train_calibration_bin *bin = &calibration->bins[i];
        if (bin->count == 0)
            continue;
        bin->confidence /= (double)bin->count;
        bin->accuracy /= (double)bin->count;
        const double off = bin->accuracy - bin->confidence;
        calibration->error += (off < 0 ? -off : off) * (double)bin->count / (double)calibration->count;
    }
}

/* ---- The temperature --------------------------------------------------------------- */

/* The inverse temperature of slope number i: powers of two from 1/8 to 8. */
static double inverse_of(double i)
{
    return scalar_pow(2, (i - TRAIN_TEMPERATURES / 2) / TRAIN_TEMPERATURES_PER_OCTAVE);
}

/* With b = 1 / T, the loss of a token is log sum_c e^(b z_c) - b z_target. It is convex
 * in b, and its slope is the mean of z under softmax(b z), less z_target. */
void train_temperature_add(train_temperature_sums *sums, const ag_real *logits, int64_t classes, int32_t target)
{
    double most = (double)logits[0];
    for (int64_t c = 1; c < classes; c++)
        most = (double)logits[c] > most ? (double)logits[c] : most;
    for (int i = 0; i < TRAIN_TEMPERATURES; i++) {
        const double inverse = inverse_of(i);
        double weights = 0, mean = 0;
        for (int64_t c = 0; c < classes; c++) {
            const double z = (double)logits[c] - most, weight = scalar_exp(inverse * z);
            weights += weight;
            mean += weight * z;
        }
        sums->slopes[i] += mean / weights - ((double)logits[target] - most);
    }
}

double train_temperature_find(const train_temperature_sums *sums, bool *at_end)
{
    const double *slopes = sums->slopes;
    int i = 0;
    *at_end = slopes[0] > 0 || slopes[TRAIN_TEMPERATURES - 1] < 0;
    if (slopes[0] >= 0)
        return 1 / inverse_of(0);
    while (i + 1 < TRAIN_TEMPERATURES && slopes[i + 1] < 0)
        i++;
    if (i + 1 == TRAIN_TEMPERATURES)
        return 1 / inverse_of(i);
    return 1 / inverse_of(i - slopes[i] / (slopes[i + 1] - slopes[i]));
}
