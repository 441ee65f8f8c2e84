/* masks.c - see masks.h. */
#include "masks.h"

const char *const laboratory_setting_names[LABORATORY_SETTINGS] = {"full", "causal", "window", "prefix",
                                                                   "no positions"};

const ag_mask *laboratory_mask_make(ag_tape *tape, laboratory_mask mask, int64_t length)
{
    switch (mask) {
    case LABORATORY_CAUSAL:
        return ag_mask_causal(tape, 0);
    case LABORATORY_WINDOW:
        return ag_mask_window(tape, 1, 1);
    case LABORATORY_PREFIX:
        return ag_mask_or(tape, ag_mask_prefix(tape, 3 * length / 4), ag_mask_causal(tape, 0));
    default:
        return ag_mask_all(tape);
    }
}
