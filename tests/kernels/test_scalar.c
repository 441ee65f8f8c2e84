/* test_scalar.c - log, exp, pow, sin and cos of doubles against the truth, and the same
 * bits in every build. */
#include "check_util.h"
#include "scalar.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef enum function { LOG, EXP, POW, SIN, COS, FUNCTIONS } function;
static const char *const names[] = {"log", "exp", "pow", "sin", "cos"};

static double evaluate(function f, double x, double y)
{
    double sine, cosine;
    scalar_sin_cos(x, &sine, &cosine);
    return f == LOG ? scalar_log(x) : f == EXP ? scalar_exp(x) : f == POW ? scalar_pow(x, y) : f == SIN ? sine : cosine;
}

/* From |y| to the next double. */
static double ulp_of(double y)
{
    int exponent;
    frexp(y, &exponent);
    return ldexp(1, y != 0 && exponent > -1021 ? exponent - 53 : -1074);
}

/* ---- Known values ------------------------------------------------------------------ */

/* f(x, y) is wanted + rest units in the last place of it; by mpmath with 4,000 bits. Arguments whose results are
 * hardest to round or to reduce, borders of the cases, and the largest and smallest numbers. */
static const struct {
    function f;
    double x, y, wanted, rest;
} known[] = {
    {LOG, 0x0.0000000000001p-1022, 0, -0x1.74385446d71c3p9, -0.389},
    {LOG, 0x0.8p-1022, 0, -0x1.628b76e3a7b61p9, 0.275},
    {LOG, 0x1p-1022, 0, -0x1.6232bdd7abcd2p9, -0.242},
    {LOG, 0x1.56e1fc2f8f359p-997, 0, -0x1.5963447f87fb5p9, -0.208},
    {LOG, 0x1p-1, 0, -0x1.62e42fefa39efp-1, -0.209},
    {LOG, 0x1.6a09e667f3bcdp-1, 0, -0x1.62e42fefa39eep-2, 0.023},
    {LOG, 0x1.6a09e667f3bccp-1, 0, -0x1.62e42fefa39f1p-2, 0.194},
    {LOG, 0x1.fae147ae147aep-1, 0, -0x1.495453e6fd4bcp-7, 0.250},
    {LOG, 0x1.fffffffffffffp-1, 0, -0x1p-53, -0.250},
    {LOG, 0x1.0000000000001p0, 0, 0x1.fffffffffffffp-53, 0.000},
    {LOG, 0x1.02p0, 0, 0x1.fe02a6b106789p-8, -0.015},
    {LOG, 0x1.04p0, 0, 0x1.fc0a8b0fc03e4p-7, -0.189},
    {LOG, 0x1.040000006df38p0, 0, 0x1.fc0a8b45e1795p-7, 0.039},
    {LOG, 0x1.8p0, 0, 0x1.9f323ecbf984cp-2, -0.052},
    {LOG, 2, 0, 0x1.62e42fefa39efp-1, 0.209},
    {LOG, 10, 0, 0x1.26bb1bbb55516p1, -0.489},
    {LOG, 0x1.043561a88293p68, 0, 0x1.7933d7e781273p5, 0.220},
    {LOG, 0x1.fffffffffffffp1023, 0, 0x1.62e42fefa39efp9, 0.208},
    {EXP, -0x1.7490a3d70a3d7p9, 0, 0x0.0000000000001p-1022, -0.498},
    {EXP, -0x1.744p9, 0, 0x0.0000000000001p-1022, -0.058},
    {EXP, -0x1.624p9, 0, 0x0.e6cf6d08897acp-1022, -0.313},
    {EXP, -0x1.6226666666666p9, 0, 0x1.19e98b83de7a3p-1022, 0.406},
    {EXP, -700, 0, 0x1.14f2b0fb9307fp-1010, 0.042},
    {EXP, -0x1.e4p4, 0, 0x1.4835bd010a41bp-44, 0.185},
    {EXP, -1, 0, 0x1.78b56362cef38p-2, -0.224},
    {EXP, -0x1.62e42fefa39fp-2, 0, 0x1.6a09e667f3bccp-1, 0.285},
    {EXP, -0x1.62e42fefa39eep-2, 0, 0x1.6a09e667f3bcdp-1, -0.008},
    {EXP, -0x1.b7cdfd9d7bdbbp-34, 0, 0x1.ffffffff2419p-1, 0.075},
    {EXP, 0x1.56e1fc2f8f359p-997, 0, 1, 0.000},
    {EXP, 0x1.cd2b297d889bcp-54, 0, 1, 0.450},
    {EXP, 0x1.62e42fefa39efp-2, 0, 0x1.6a09e667f3bccp0, 0.491},
    {EXP, 0x1.62e42fefa39fp-2, 0, 0x1.6a09e667f3bcdp0, -0.156},
    {EXP, 0x1p-1, 0, 0x1.a61298e1e069cp0, -0.213},
    {EXP, 1, 0, 0x1.5bf0a8b145769p1, 0.326},
    {EXP, 10, 0, 0x1.5829dcf95056p14, -0.379},
    {EXP, 0x1.62ccccccccccdp6, 0, 0x1.f4705bbffae5cp127, -0.068},
    {EXP, 709, 0, 0x1.d422d2be5dc9bp1022, -0.196},
    {EXP, 0x1.62e42fefa39efp9, 0, 0x1.fffffffffff2ap1023, 0.106},
    {POW, 0x1.ccccccccccccdp-1, 1, 0x1.ccccccccccccdp-1, 0.000},
    {POW, 0x1.ccccccccccccdp-1, 1000, 0x1.fee7413dac341p-153, 0.155},
    {POW, 0x1.f5c28f5c28f5cp-1, 3000, 0x1.79aa3908398e2p-88, -0.499},
    {POW, 0x1.ff7ced916872bp-1, 100000, 0x1.940747bb85395p-145, 0.446},
    {POW, 0x1.fff2e48e8a71ep-1, 0x1.ab3fp22, 0x1.0b6c002853ddap-1010, -0.345},
    {POW, 10000, -0x1p-6, 0x1.bb5fad00ab22cp-1, 0.051},
    {POW, 10000, -0x1.f8p-1, 0x1.e459c57e28a47p-14, -0.262},
    {POW, 500000, -0x1p-2, 0x1.3411901f5fa45p-5, 0.362},
    {POW, 2, 0x1p-1, 0x1.6a09e667f3bcdp0, -0.435},
    {POW, 2, -1074, 0x0.0000000000001p-1022, 0.000},
    {POW, 2, -0x1.0c6cccccccccdp10, 0x0.0000000000001p-1022, 0.231},
    {POW, 2, 0x1.fff3333333333p9, 0x1.ddb680117aa8ep1023, -0.397},
    {POW, 0x1.000000006df38p0, 0x1.d1a94a2p39, 0x1.349550eb7664cp144, 0.049},
    {POW, 0x1.fffffffffffffp-1, 0x1.4d1120d7b16p62, 0x1.f62d04dd3d7e1p-962, 0.458},
    {POW, 0x1.0000000000001p0, 0x1.4d1120d7b16p61, 0x1.0502174a9bef1p961, 0.197},
    {POW, 0x0.0000000000001p-1022, 0x1p-1, 0x1p-537, 0.000},
    {POW, 0x0.0000000000001p-1022, -0x1.ccccccccccccdp-1, 0x1.8406003b2aecdp966, 0.256},
    {POW, 0x1.e42d130773b76p1023, 0x1.fae147ae147aep-1, 0x1.9a33f52f64173p1013, 0.459},
    {POW, 10, 308, 0x1.1ccf385ebc8ap1023, -0.055},
    {POW, 10, -308, 0x0.730d67819e8d2p-1022, 0.184},
    {POW, 10, -320, 0x0.00000000007e8p-1022, 0.023},
    {POW, -3, 33, -0x1.3bfefa65abb83p52, 0.000},
    {POW, -3, 34, 0x1.d9fe779881944p53, 0.500},
    {POW, -0x1p-1, 1073, -0x0.0000000000002p-1022, 0.000},
    {POW, 7, 0x1.56e1fc2f8f359p-997, 1, 0.000},
    {POW, 0x1.8p0, 0x1.fffffffffffffp9, 0x1.0048c172546f5p599, -0.408},
    {POW, 0x1.8p0, -1800, 0x0.0000000218862p-1022, 0.006},
    {SIN, 0x1.12e0be826d695p-30, 0, 0x1.12e0be826d695p-30, -0.001},
    {SIN, 0x1.0624dd2f1a9fcp-10, 0, 0x1.0624da5218a62p-10, 0.026},
    {SIN, 0x1.921fb54442d18p-1, 0, 0x1.6a09e667f3bccp-1, 0.370},
    {SIN, 0x1.921fb54442d19p-1, 0, 0x1.6a09e667f3bcdp-1, 0.077},
    {SIN, 0x1.921fb54442d18p0, 0, 1, -0.000},
    {SIN, 0x1.921fb54442d18p1, 0, 0x1.1a62633145c07p-53, -0.121},
    {SIN, 0x1.2d97c7f3321d2p2, 0, -1, 0.000},
    {SIN, 0x1.921fb54442d18p2, 0, -0x1.1a62633145c07p-52, 0.121},
    {SIN, 100, 0, -0x1.03425b78c4db8p-1, -0.027},
    {SIN, 5000, 0, -0x1.f9d6bcb019088p-1, -0.326},
    {SIN, 0x1.fffffffffffffp19, 0, 0x1.526ccb2de52a8p-2, 0.041},
    {SIN, 0x1p20, 0, 0x1.526ccb2fc8656p-2, -0.298},
    {SIN, 0x1.3bd3c878f868p22, 0, 0x1.cf3373d106b18p-33, -0.058},
    {SIN, 0x1.dcd65p29, 0, 0x1.1778cae83c69bp-1, 0.056},
    {SIN, 0x1.c6bf52634p49, 0, 0x1.b76f88136cebap-1, -0.214},
    {SIN, 0x1.6ac5b262ca1ffp849, 0, 1, -0.000},
    {SIN, 0x1.6ac5b262ca1ffp849, 0, 1, -0.000},
    {SIN, 0x1.0f0cf064dd592p73, 0, -0x1.b453ab76bf397p-1, -0.061},
    {SIN, 0x1.7e43c8800759cp996, 0, -0x1.a2c16b010e385p-1, -0.431},
    {SIN, 0x1.fffffffffffffp1023, 0, 0x1.452fc98b34e97p-8, -0.289},
    {SIN, -7, 0, -0x1.50608c26d0a08p-1, -0.265},
    {SIN, -0x1.2a05f2p33, 0, 0x1.f334c7896a4e3p-2, 0.300},
    {COS, 0x1.12e0be826d695p-30, 0, 1, -0.002},
    {COS, 0x1.0624dd2f1a9fcp-10, 0, 0x1.ffffef390876cp-1, -0.071},
    {COS, 0x1.921fb54442d18p-1, 0, 0x1.6a09e667f3bcdp-1, -0.240},
    {COS, 0x1.921fb54442d19p-1, 0, 0x1.6a09e667f3bccp-1, 0.053},
    {COS, 0x1.921fb54442d18p0, 0, 0x1.1a62633145c07p-54, -0.121},
    {COS, 0x1.921fb54442d18p1, 0, -1, 0.000},
    {COS, 0x1.2d97c7f3321d2p2, 0, -0x1.a79394c9e8a0ap-53, -0.318},
    {COS, 0x1.921fb54442d18p2, 0, 1, -0.000},
    {COS, 100, 0, 0x1.b981dbf665fdfp-1, 0.390},
    {COS, 5000, 0, 0x1.3cc2ca122a80ap-3, 0.055},
    {COS, 0x1.fffffffffffffp19, 0, 0x1.e33ada9352c61p-1, 0.096},
    {COS, 0x1p20, 0, 0x1.e33ada92fe2aep-1, -0.079},
    {COS, 0x1.3bd3c878f868p22, 0, -1, 0.000},
    {COS, 0x1.dcd65p29, 0, 0x1.acff8c7364234p-1, -0.493},
    {COS, 0x1.c6bf52634p49, 0, -0x1.06c154609d33fp-1, 0.479},
    {COS, 0x1.6ac5b262ca1ffp849, 0, -0x1.14ae72e6ba22fp-61, 0.045},
    {COS, 0x1.6ac5b262ca1ffp849, 0, -0x1.14ae72e6ba22fp-61, 0.045},
    {COS, 0x1.0f0cf064dd592p73, 0, 0x1.0be2cef01c8f4p-1, -0.425},
    {COS, 0x1.7e43c8800759cp996, 0, -0x1.2699022adc4c1p-1, 0.241},
    {COS, 0x1.fffffffffffffp1023, 0, -0x1.fffe62ecfab75p-1, -0.234},
    {COS, -7, 0, 0x1.81ff79ed92017p-1, 0.336},
    {COS, -0x1.2a05f2p33, 0, 0x1.bf098901c931ap-1, -0.488},
};

START_TEST(known_values_are_met)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double got = evaluate(known[i].f, known[i].x, known[i].y);
        double error = (got - known[i].wanted) / ulp_of(known[i].wanted) - known[i].rest;
        ck_assert_msg(fabs(error) <= 0.8, "%s(%a, %a) is %a: %g ulp away", names[known[i].f], known[i].x, known[i].y,
                      got, error);
    }
}
END_TEST

/* ---- All over their ranges --------------------------------------------------------- */

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Of any size, positive and finite, subnormal numbers too. */
static double draw_size(ag_rng *rng)
{
    return from_bits(ag_rng_below(rng, (uint64_t)0x7ff << 52));
}

typedef struct arguments {
    double x, y;
} arguments;

/* The n-th draw takes one of the ways to draw in turn: over all sizes, and where the
 * function is used. */
static arguments draw_arguments(function f, int n, ag_rng *rng)
{
    const double sign = ag_rng_below(rng, 2) ? 1 : -1, size = draw_size(rng), share = ag_rng_uniform(rng);
    const double whole = (double)ag_rng_below(rng, 1000), turns = (double)ag_rng_below(rng, 1000000);
    const double between[] = {-746 + share * (746 + 710), 2 * share - 1, 3 * share, 0.96 + 0.08 * share};
    switch (f) {
    case LOG:
        return (arguments){n % 3 == 0 ? size : between[1 + n % 3], 0};
    case EXP:
        return (arguments){n % 3 == 2 ? sign * fmin(size, 300) : between[n % 3], 0};
    case POW:
        if (n % 3 == 0) /* the whole range of results */
            return (arguments){size, between[0] / scalar_log(size)};
        if (n % 3 == 1)
            return (arguments){0.5 + 0.5 * share, whole};
        return (arguments){-1 - whole, floor(100 * share)};
    default: {
        const double angles[] = {size, 7 * share, 2e6 * share, turns * 1.57079632679489661923};
        return (arguments){sign * angles[n % 4], 0};
    }
    }
}

#if LDBL_MANT_DIG >= 64
static long double wanted(function f, arguments a)
{
    long double x = (long double)a.x;
    return f == LOG   ? logl(x)
           : f == EXP ? expl(x)
           : f == POW ? powl(x, (long double)a.y)
           : f == SIN ? sinl(x)
                      : cosl(x);
}

/* The C library's long numbers have 11 bits more at least, and its long functions lose
 * one or two of these. */
START_TEST(all_are_within_four_fifths_of_an_ulp)
{
    static const double most[] = {0.502, 0.8, 0.8, 0.8, 0.8};
    const function f = (function)_i;
    ag_rng rng = ag_rng_make(1, (uint64_t)f);
    for (int n = 0; n < 400000; n++) {
        arguments a = draw_arguments(f, n, &rng);
        double got = evaluate(f, a.x, a.y);
        long double right = wanted(f, a);
        if (fabsl(right) > (long double)DBL_MAX && isinf(got))
            continue;
        double error = fabs((double)(((long double)got - right) / (long double)ulp_of((double)right)));
        ck_assert_msg(error <= most[f], "%s(%a, %a) is %a: %g ulp away", names[f], a.x, a.y, got, error);
    }
}
END_TEST
#endif

/* Whatever the C library, the compiler, its options, the processor and the precision of
 * tensors. */
START_TEST(the_bits_are_the_same_in_every_build)
{
    static const uint64_t digests[] = {UINT64_C(8320095198654294095), UINT64_C(5815776996916914636),
                                       UINT64_C(13887080049810230715), UINT64_C(5749471521795014228),
                                       UINT64_C(11558454167497872593)};
    const function f = (function)_i;
    ag_rng rng = ag_rng_make(2, (uint64_t)f);
    uint64_t digest = 0;
    for (int n = 0; n < 20000; n++) {
        arguments a = draw_arguments(f, n, &rng);
        double result = evaluate(f, a.x, a.y);
        uint64_t bits;
        memcpy(&bits, &result, sizeof bits);
        digest = ag_mix(digest ^ bits);
    }
    ck_assert_uint_eq(digest, digests[f]);
}
END_TEST

/* ---- Exact results and special values ---------------------------------------------- */

START_TEST(what_is_a_double_is_found_exactly)
{
    for (int base = 2; base < 200; base++) {
        double power = base;
        for (int n = 1; power <= 0x1p53; n++, power *= base) {
            ck_assert_msg(scalar_pow(base, n) == power, "%d^%d", base, n);
            ck_assert_msg(scalar_pow(-base, n) == (n % 2 ? -power : power), "-%d^%d", base, n);
        }
        ck_assert_double_eq(scalar_pow((double)base * base, 0.5), base);
        ck_assert_double_eq(scalar_pow(base, 1), base);
    }
    for (int n = -1074; n < 1024; n++)
        ck_assert_double_eq(scalar_pow(2, n), ldexp(1, n));
    ck_assert_double_eq(scalar_exp(0), 1);
    ck_assert_double_eq(scalar_log(1), 0);
    ck_assert_double_eq(scalar_cos(0), 1);
    ck_assert_double_eq(scalar_pow(0.5, -1074), INFINITY);
}
END_TEST

/* C11, Annex F.10. */
static const struct {
    function f;
    double x, y, wanted;
} special[] = {
    {LOG, 0, 0, -INFINITY},
    {LOG, -0.0, 0, -INFINITY},
    {LOG, 1, 0, 0},
    {LOG, -1, 0, NAN},
    {LOG, -INFINITY, 0, NAN},
    {LOG, -5e-324, 0, NAN},
    {LOG, INFINITY, 0, INFINITY},
    {LOG, NAN, 0, NAN},
    {EXP, 0, 0, 1},
    {EXP, -0.0, 0, 1},
    {EXP, INFINITY, 0, INFINITY},
    {EXP, -INFINITY, 0, 0},
    {EXP, 709.79, 0, INFINITY},
    {EXP, 1e308, 0, INFINITY},
    {EXP, -745.14, 0, 0},
    {EXP, -1e308, 0, 0},
    {EXP, 5e-324, 0, 1},
    {EXP, NAN, 0, NAN},
    {SIN, 0, 0, 0},
    {SIN, -0.0, 0, -0.0},
    {SIN, 5e-324, 0, 5e-324},
    {SIN, -1e-300, 0, -1e-300},
    {SIN, INFINITY, 0, NAN},
    {SIN, -INFINITY, 0, NAN},
    {SIN, NAN, 0, NAN},
    {COS, 0, 0, 1},
    {COS, -0.0, 0, 1},
    {COS, 5e-324, 0, 1},
    {COS, INFINITY, 0, NAN},
    {COS, -INFINITY, 0, NAN},
    {COS, NAN, 0, NAN},
    {POW, 0, -3, INFINITY},
    {POW, -0.0, -3, -INFINITY},
    {POW, 0, -2, INFINITY},
    {POW, -0.0, -2, INFINITY},
    {POW, -0.0, -2.5, INFINITY},
    {POW, 0, -INFINITY, INFINITY},
    {POW, -0.0, -INFINITY, INFINITY},
    {POW, 0, 3, 0},
    {POW, -0.0, 3, -0.0},
    {POW, -0.0, 2, 0},
    {POW, -0.0, 2.5, 0},
    {POW, 0, INFINITY, 0},
    {POW, -1, INFINITY, 1},
    {POW, -1, -INFINITY, 1},
    {POW, 1, NAN, 1},
    {POW, 1, INFINITY, 1},
    {POW, NAN, 0, 1},
    {POW, NAN, -0.0, 1},
    {POW, 0, 0, 1},
    {POW, INFINITY, 0, 1},
    {POW, -2, 0.5, NAN},
    {POW, -5e-324, 1e-300, NAN},
    {POW, -1, 1e300, 1},
    {POW, -2, 0x1p53, INFINITY},
    {POW, -2, 1025, -INFINITY},
    {POW, -2, -1075, -0.0},
    {POW, 0.5, -INFINITY, INFINITY},
    {POW, 2, -INFINITY, 0},
    {POW, 0.5, INFINITY, 0},
    {POW, -0.5, INFINITY, 0},
    {POW, 2, INFINITY, INFINITY},
    {POW, -2, INFINITY, INFINITY},
    {POW, -2, -INFINITY, 0},
    {POW, -INFINITY, -3, -0.0},
    {POW, -INFINITY, -2, 0},
    {POW, -INFINITY, -2.5, 0},
    {POW, -INFINITY, 3, -INFINITY},
    {POW, -INFINITY, 2, INFINITY},
    {POW, -INFINITY, 2.5, INFINITY},
    {POW, INFINITY, -2, 0},
    {POW, INFINITY, 2, INFINITY},
    {POW, NAN, 1, NAN},
    {POW, 2, NAN, NAN},
    {POW, NAN, NAN, NAN},
    {POW, 5e-324, 1e308, 0},
    {POW, 5e-324, -1e308, INFINITY},
    {POW, 1.5, 5e-324, 1},
    {POW, 1e308, 1e308, INFINITY},
    {POW, 1e308, -1e308, 0},
};

START_TEST(special_values_are_those_of_annex_f)
{
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        double got = evaluate(special[i].f, special[i].x, special[i].y), right = special[i].wanted;
        ck_assert_msg(isnan(right) ? isnan(got) : got == right && !signbit(got) == !signbit(right),
                      "%s(%g, %g) is %g, not %g", names[special[i].f], special[i].x, special[i].y, got, right);
    }
}
END_TEST

static Suite *scalar_suite(void)
{
    Suite *suite = suite_create("scalar");
    TCase *tests = tcase_create("truth");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, known_values_are_met);
#if LDBL_MANT_DIG >= 64
    tcase_add_loop_test(tests, all_are_within_four_fifths_of_an_ulp, 0, FUNCTIONS);
#endif
    tcase_add_loop_test(tests, the_bits_are_the_same_in_every_build, 0, FUNCTIONS);
    tcase_add_test(tests, what_is_a_double_is_found_exactly);
    tcase_add_test(tests, special_values_are_those_of_annex_f);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(scalar_suite)
