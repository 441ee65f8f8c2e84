# checks.sh - what the test scripts share (`. tests/util/checks.sh`, in the project's
# folder): a folder of their own, which goes with them, checks that are counted, and the
# closing line.
folder=$(mktemp -d "${TMPDIR:-/tmp}/tapeformer-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
checks=0 failures=0 skipped=0

# check TITLE COMMAND...: the command must succeed. Its output is in $folder/output, and
# is shown if it fails.
check() {
    what=$1
    shift
    checks=$((checks + 1))
    "$@" >"$folder/output" 2>"$folder/errors" && return
    failures=$((failures + 1))
    echo "FAILED: $what"
    cat "$folder/output" "$folder/errors"
}

# skip TITLE: says and counts what cannot be checked here.
skip() {
    skipped=$((skipped + 1))
    echo "skipped: $1"
}

same() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }

# need_python MODULE: sets `python` to the first that has it (PYTHON=... names one). If
# there is none, the script ends here.
need_python() {
    for python in ${PYTHON:-python3 /usr/bin/python3}; do
        "$python" -c "import $1" 2>/dev/null && return
    done
    echo "Skipped: no Python with $1 is here (PYTHON=... names one). Checks: 0"
    exit 0
}

# The last thing that a script does.
finish() {
    echo "$((100 * (checks - failures) / checks))%: Checks: $checks, Failures: $failures, Errors: 0$([ $skipped = 0 ] || echo ", Skipped: $skipped")"
    [ "$failures" = 0 ]
}
