/* clip.c - the gradients' global norm, and the factor that clips it. */
#include "train.h"

double train_gradient_norm(const nn_params *params, int threads)
{
    return ag_vector_norm(params->grad, params->size, threads);
}

double train_clip_scale(double norm, double max_norm)
{
    return max_norm > 0 && norm > max_norm ? max_norm / norm : 1;
}
