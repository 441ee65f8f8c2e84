/* coefficients.h - the numbers in the formulas of vector_math.h, lowest power first.
 *
 * Each set minimises the largest relative error over an interval. Polynomials come from
 * Remez's exchange (for CDF_NEAR one coefficient was rounded after the other, and the
 * rest fitted again), fractions from linear least squares with Lawson's weights, all
 * computed in 40 digits or more. Numerator and denominator of a fraction share a free
 * factor; of many, the one was chosen with which rounding does least harm. The functions,
 * their intervals, and the error of each set as rounded here, in double and in float:
 *
 *   EXP_TAIL   (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2            2^-56.3 2^-27.9 of e^r
 *   TANH_NEAR  (tanh(x) / x - 1) / x^2 by x^2 for |x| < 0.55      2^-59.6 2^-27.7 of tanh
 *   LOG_TAIL   (2 artanh(s) - 2 s) / s^3 by s^2 for |s| < 0.1716  2^-58.9 2^-30.0 of 2 s
 *   ERF_NEAR   erf(x) / x - 1 by x^2 for |x| < 0.5                2^-56.0 2^-28.3 of erf
 *   CDF_NEAR   (Phi(x) - 1/2) / x by x^2 for |x| < 0.7            2^-58.4 2^-28.5 of Phi
 *   TAIL       Phi(-t) e^(t^2/2) for 0.7 <= t <= TAIL_LIMIT       2^-53.5 2^-26.8
 *              is MAIN / (sqrt(2 pi) t MAIN + REST)
 *   SLOPE      (Phi(-t) e^(t^2/2) - t / sqrt(2 pi)) / (ZERO - t)  2^-53.8 2^-24.1
 *              for t <= TAIL_LIMIT is 1 / sqrt(2 pi) + ABOVE / BELOW */
#ifndef AUTOGRAD_KERNELS_COEFFICIENTS_H
#define AUTOGRAD_KERNELS_COEFFICIENTS_H

#include "real.h"

#ifdef TAPEFORMER_DOUBLE

static const ag_real EXP_TAIL[] = {0.5000000000000011,    0.16666666666666413,   0.041666666666530155,
                                   0.008333333333494399,  0.0013888888943631072, 0.00019841269506688846,
                                   2.480149309783995e-05, 2.755758629090287e-06, 2.7630248792163524e-07,
                                   2.500008441566848e-08};
static const ag_real TANH_NEAR[] = {-0.333333333333333,     0.1333333333332662,     -0.05396825396376038,
                                    0.021869488385850008,   -0.008863232601358961,  0.0035920920297117733,
                                    -0.0014555428416113709, 0.0005884444707256878,  -0.000233381528596779,
                                    8.331639728121593e-05,  -1.9494657387749797e-05};
static const ag_real LOG_TAIL[] = {0.6666666666666734,  0.39999999999414565, 0.285714287424297,  0.22222198567513188,
                                   0.18183564681108957, 0.15314040098248968, 0.14796066786559328};
static const ag_real ERF_NEAR[] = {0.12837916709551256,    -0.37612638903183465,    0.11283791670924816,
                                   -0.026866170632716322,  0.005223977370332408,    -0.0008548297524748163,
                                   0.00012053324323886661, -1.4845583855143466e-05, 1.4723215353508247e-06};
static const ag_real CDF_NEAR[] = {0.39894228040143265,   -0.06649038006690226,   0.009973557009935703,
                                   -0.001187328214021825, 0.00011543467595561759, -9.44460096809437e-06,
                                   6.658095526087276e-07, -4.094968522306572e-08, 2.0070631059135986e-09};
static const ag_real TAIL_MAIN[] = {0.8998508945375777,     1.5744447139550892,   1.3600766218895024,
                                    0.7527173773408831,     0.2934128620148214,   0.08392458098136685,
                                    0.017842787067436867,   0.002793197109275367, 0.00031020045840151044,
                                    2.2332246013484458e-05, 8.10466372689377e-07};
static const ag_real TAIL_REST[] = {
    1.7997017890651867,  2.329252004371391,    1.5319307133413183,    0.6536511071968173,    0.19692452980674632,
    0.04319043441977913, 0.006889549599113167, 0.0007734941635008094, 5.597863929869387e-05, 2.0315379253934445e-06};
static const ag_real SLOPE_ABOVE[] = {
    0.20879777346267372,  0.3383057668190734,    0.2652753690694939,     0.13024874878096415,    0.043851015677387147,
    0.010474675582766728, 0.0017764731955029539, 0.00020696371434350384, 1.5126987723509494e-05, 5.344613022122994e-07};
static const ag_real SLOPE_BELOW[] = {0.7845537517371617,    1.7919424808292774,   1.8986000352291474,
                                      1.2316226180644223,    0.5431549283072858,   0.17069568573975794,
                                      0.038863758641200646,  0.006360489488641336, 0.0007206013889341565,
                                      5.146715055784737e-05, 1.782004409227479e-06};

/* Where gelu's slope is 0, with its sign turned: in two parts. */
#define SLOPE_ZERO      0.7517915246935645
#define SLOPE_ZERO_REST (-1.4956759177009883e-17)

#else

static const ag_real EXP_TAIL[] = {0.49999994f, 0.166665211f, 0.041668389f, 0.00836871658f, 0.00138146267f};
static const ag_real TANH_NEAR[] = {-0.333333164f, 0.13332586f, -0.0538523085f, 0.0210716743f, -0.00627423171f};
static const ag_real LOG_TAIL[] = {0.666667759f, 0.399775386f, 0.298718244f};
static const ag_real ERF_NEAR[] = {0.128379166f, -0.376126081f, 0.112828225f, -0.0267571844f, 0.00471799029f};
static const ag_real CDF_NEAR[] = {0.398942292f, -0.0664905682f, 0.00997415837f, -0.0011859216f, 0.00010698702f};
static const ag_real TAIL_MAIN[] = {0.866166651f, 0.872127295f, 0.410795182f, 0.104699209f, 0.0133551583f};
static const ag_real TAIL_REST[] = {1.73225749f, 0.955725789f, 0.262833327f, 0.0334672406f};
static const ag_real SLOPE_ABOVE[] = {0.239854783f, 0.184567586f, 0.0602227822f, 0.00806767121f};
static const ag_real SLOPE_BELOW[] = {0.901250005f, 1.29173112f, 0.753337085f, 0.216282606f, 0.0269011222f};

#define SLOPE_ZERO      0.751791537f
#define SLOPE_ZERO_REST (-1.21144495e-8f)

#endif

#endif
