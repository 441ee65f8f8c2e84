/* product.c - the speed of a 64 x 64 x 64 product on one thread, for builds that cannot
 * start processes, as the bench does: WebAssembly, and the native build beside it. */
#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SIZE = 64, NUMBERS = SIZE * SIZE, CALLS = 100, SAMPLES = 200 };

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The least time of a call, in seconds, among samples. */
static double least_time(const product_task *task, void *workspace)
{
    double least = 1e9;
    for (int sample = 0; sample < SAMPLES; sample++) {
        const double begin = seconds_now();
        for (int call = 0; call < CALLS; call++)
            kernel_product_run(kernels()->product, task, 1, NUMBERS, NUMBERS, NUMBERS, 1, workspace);
        const double time = (seconds_now() - begin) / CALLS;
        if (time < least)
            least = time;
    }
    return least;
}

int main(void)
{
    /* As a linear layer needs them: rows by W^T, slopes by W, slopes^T by rows. */
    static const struct form {
        const char *name;
        int64_t a_row, a_column, b_row, b_column;
    } forms[] = {{"forward", SIZE, 1, 1, SIZE}, {"input", SIZE, 1, SIZE, 1}, {"weight", 1, SIZE, SIZE, 1}};
    ag_real *numbers = aligned_alloc(64, 3 * NUMBERS * sizeof *numbers);
    void *workspace = aligned_alloc(64, (kernel_product_workspace(kernels()->product, 1) + 63) / 64 * 64);
    if (!numbers || !workspace)
        return 1;
    for (int i = 0; i < 3 * NUMBERS; i++)
        numbers[i] = (ag_real)(i % 7 - 3);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const product_task task = {
            .m = SIZE,
            .n = SIZE,
            .k = SIZE,
            .a = numbers,
            .a_row = forms[i].a_row,
            .a_column = forms[i].a_column,
            .b = numbers + NUMBERS,
            .b_row = forms[i].b_row,
            .b_column = forms[i].b_column,
            .c = numbers + 2 * NUMBERS,
            .c_row = SIZE,
        };
        printf("%s %.2f\n", forms[i].name, 2e-9 * NUMBERS * SIZE / least_time(&task, workspace));
    }
    free(numbers);
    free(workspace);
    return 0;
}
