/* gradcheck_ops.c - see gradcheck_ops.h. */
#include "gradcheck_ops.h"

#include "help.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- As a line ------------------------------------------------------------------- */

static void print_json(const ag_op *op, const study_op_checks *found)
{
    char text[2048];
    const ag_gradcheck_report *r = &found->elements;
    const ag_taylor_report *t = &found->taylor;
    data_json_object object = data_json_object_start(text, sizeof text, " ");
    data_json_put_text(&object, "operation", op->name);
    data_json_put_bool(&object, "passed", found->passed);
    data_json_put_integer(&object, "checked", r->checked);
    data_json_put_integer(&object, "failed", r->failed);
    data_json_put_integer(&object, "kinks", r->kinks);
    data_json_put_integer(&object, "unclear", r->unclear);
    data_json_put_number(&object, "worst_error", r->worst_error, 6);
    data_json_put_text(&object, "input", r->input_name ? r->input_name : "");
    data_json_put_integer(&object, "index", r->index);
    data_json_put_integer(&object, "output", r->output);
    data_json_put_integer(&object, "draw", r->draw);
    data_json_put_number(&object, "analytic", r->analytic, 17);
    data_json_put_number(&object, "numeric", r->numeric, 17);
    data_json_put_number(&object, "step", r->step, 6);
    data_json_put_number(&object, "numeric_error", r->numeric_error, 6);
    data_json_put_number(&object, "above_noise", r->above_noise, 6);
    data_json_put_text(&object, "mistake", ag_mistake_name(r->mistake));
    data_json_put_text(&object, "diagnosis", r->diagnosis);
    data_json_put_integer(&object, "dot_checked", found->dot.checked);
    data_json_put_number(&object, "dot_error", found->dot.error, 6);
    data_json_put_number(&object, "dot_bound", found->dot.bound, 6);
    data_json_put_number(&object, "order", t->order, 6);
    data_json_put_number(&object, "central_order", t->central_order, 6);
    data_json_put_integer(&object, "directions_right", t->right);
    data_json_put_integer(&object, "directions_wrong", t->wrong);
    data_json_put_integer(&object, "directions_undecided", t->undecided);
    data_json_object_end(&object);
    puts(text);
}

static void print_head(void)
{
    printf("%-16s %8s %6s  %11s  %9s  %5s\n", "operation", "elements", "kinks", "worst error", "dot test", "order");
}

/* "2.00", or "-" where there is no number. */
static void print_cell(int width, const char *format, double value, bool known)
{
    char number[32] = "-";
    if (known)
        ag_text_print(number, sizeof number, format, value);
    printf("  %*s", width, number);
}

static void print_row(const ag_op *op, const study_op_checks *found)
{
    const ag_gradcheck_report *r = &found->elements;
    printf("%-16s %8lld %6lld", op->name, (long long)r->checked, (long long)r->kinks);
    print_cell(11, "%.2e", r->worst_error, true);
    print_cell(9, "%.1e", found->dot.error, study_op_checks_have_dot(found));
    print_cell(5, "%.2f", found->taylor.order, !isnan(found->taylor.order));
    printf("   %s\n", found->passed ? "ok" : "FAILED");
    if (r->unclear)
        printf("    for %lld %s the difference is too inexact to tell\n", (long long)r->unclear,
               ag_plural(r->unclear, "element", "elements"));
    if (!r->passed)
        printf("    %lld of %lld elements fail; the worst: %s\n", (long long)r->failed, (long long)r->checked,
               r->message);
    if (r->mistake)
        printf("    kind of mistake: %s: %s\n", ag_mistake_name(r->mistake), r->diagnosis);
    if (!found->dot.passed && study_op_checks_have_dot(found))
        printf("    dot test: %s\n", found->dot.message);
    if (!found->taylor.passed)
        printf("    Taylor's test: %s\n", found->taylor.message);
}

static void print_legend(void)
{
    cli_print_prose(stdout, "\nworst error: of an element, against differences. dot test: backward against forward "
                            "mode, relative. order: to which power of the step what is left after the linear part "
                            "shrinks; 2 if the gradient is right, 1 if not, - if rounding is all that is left, as of "
                            "linear functions.");
#ifndef TAPEFORMER_DOUBLE
    cli_print_prose(stdout, "\nIn single precision the numeric side itself is this rough; the proof is "
                            "`tapeformer64 gradcheck` (make PRECISION=double), where every element must agree "
                            "within 1e-9.");
#endif
}

static int check_all(const operations_flags *f)
{
    int count, failed = 0;
    const ag_op *const *ops = ag_ops(&count);
    if (!f->json)
        print_head();
    for (int i = 0; i < count; i++) {
        study_op_checks found;
        ag_error error = {0};
        if (f->operation && strcmp(f->operation, ops[i]->name))
            continue;
        if (study_op_checks_find(ops[i], f->draws, &f->options, &found, &error) != AG_OK)
            return cli_report("gradcheck", &error);
        if (f->json)
            print_json(ops[i], &found);
        else
            print_row(ops[i], &found);
        failed += !found.passed;
        fflush(stdout);
    }
    if (failed)
        return cli_fail("gradcheck", CLI_FAILED, "%d %s failed", failed, ag_plural(failed, "operation", "operations"));
    if (!f->json)
        print_legend();
    return CLI_DONE;
}

/* ---- As a report ----------------------------------------------------------------- */

static int write_report(const operations_flags *f, const ag_op *op, study_document *document)
{
    ag_error error = {0};
    study_op_checks found;
    study_add_text(document, "%s", op->formula);
    ag_status status = study_op_checks_find(op, f->draws, &f->options, &found, &error);
    if (status == AG_OK)
        status = study_op_checks_write(&found, op, f->draws, &f->options, document, &error);
    if (status != AG_OK)
        return cli_report("gradcheck", &error);
    const int code = cli_show_document("gradcheck", document, &f->output);
    return code != CLI_DONE || found.passed ? code : cli_fail("gradcheck", CLI_FAILED, "%s failed", op->name);
}

static int report_operation(const operations_flags *f, const ag_op *op)
{
    char title[96];
    snprintf(title, sizeof title, "Gradient check of %.60s", op->name);
    study_document *document = study_document_new(title);
    const int code = write_report(f, op, document);
    study_document_free(document);
    return code;
}

const char *cli_operation_name(int i)
{
    int count;
    const ag_op *const *ops = ag_ops(&count);
    return i < count ? ops[i]->name : NULL;
}

int cli_check_operations(const operations_flags *f)
{
    int count, i = 0;
    const ag_op *const *ops = ag_ops(&count);
    if (!f->output.report && !f->output.pictures)
        return check_all(f);
    while (strcmp(ops[i]->name, f->operation) != 0)
        i++;
    return report_operation(f, ops[i]);
}
