# man.awk - tapeformer(1) from `tapeformer --describe`.

# Text that roff must not take for its own: backslashes, hyphens of flags, dots and quotes at the beginning of a line.
function plain(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    if (text ~ /^[.']/)
        text = "\\&" text
    return text
}

BEGIN {
    print ".\\\" Made from what the command says of itself."
    print ".TH TAPEFORMER 1 \"\" \"tapeformer " version "\" \"User Commands\""
    print ".SH NAME\ntapeformer \\- train small transformers on a CPU, check gradients, show what models look at"
    print ".SH SYNOPSIS\n.B tapeformer\n.I command\n[\\fIflags\\fR]"
    print ".SH DESCRIPTION\ntapeformer trains sequence\\-to\\-sequence models, taggers and language models, measures and uses"
    print "them, proves its gradients numerically, and shows what masks let a model see."
    print ".PP\nFlags are given as \\fB\\-\\-name value\\fR or \\fB\\-\\-name=value\\fR; the last one counts. Square brackets in their"
    print "descriptions hold the default.\n.SH COMMANDS"
}

$1 == "command" {
    print ".SS tapeformer " plain($2) "\n" plain(toupper(substr($3, 1, 1)) substr($3, 2)) ".\n.PP\n.B tapeformer " plain($2)
    print plain($4)
}

$1 == "flag" {
    value = $4 == "" ? "" : " \\fI" plain($4) "\\fR"
    help = $5
    if ($6 != "") {
        choices = $6
        gsub(/ /, ", ", choices)
        help = help (help == "" ? "" : ": ") choices
    }
    if ($7 != "")
        help = help (help == "" ? "" : " ") "[" $7 "]"
    print ".TP\n\\fB\\-\\-" plain($3) "\\fR" value "\n" plain(help == "" ? "\\&" : help)
}

$1 == "detail" {
    if (before != "detail")
        print ".PP"
    if ($3 == "")
        print ".PP"
    else if ($3 ~ /^ /)
        print ".br\n" plain($3)
    else
        print plain($3)
}

{ before = $1 }

END {
    print ".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\nthe work failed\n.TP\n2\nwrong usage\n.TP\n130\ninterrupted: state is saved"
    print ".SH ENVIRONMENT\n.TP\n.B TAPEFORMER_LEVEL\nplain, generic, neon, avx2 or avx512: the kernels to compute with, instead of the best for this processor; plain is the slow, readable reference"
    print ".TP\n.B TMPDIR\nthe folder for the copy of a pipe that is given where a file is read, instead of /tmp"
    print ".TP\n.B COLUMNS\nthe width of help and of reports in the terminal, instead of the terminal's own"
    print ".TP\n.B NO_COLOR\nif it is not empty, no colour where \\-\\-color says nothing"
    print ".SH EXAMPLES\n.nf\ntapeformer train \\-\\-pairs pairs.tsv \\-\\-out run\ntapeformer predict \\-\\-model run sources > outputs"
    print "tapeformer study attention \\-\\-model run \\-\\-source \"tapeformer\" \\-\\-out report.html\n.fi"
    print ".SH SEE ALSO\n.BR tapeformer (3)"
}
