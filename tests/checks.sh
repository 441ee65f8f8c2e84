# checks.sh - what the test scripts share (`. tests/checks.sh`, in the project's folder): a folder of their own, which goes
# with them, checks that are counted, and the closing line.
folder=$(mktemp -d "${TMPDIR:-/tmp}/tapeformer-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
checks=0 failures=0

# check WHAT COMMAND...: the command must succeed. What it printed is in $folder/output, and shown where it does not.
check() {
    what=$1
    shift
    checks=$((checks + 1))
    "$@" >"$folder/output" 2>"$folder/errors" && return
    failures=$((failures + 1))
    echo "FAILED: $what"
    cat "$folder/output" "$folder/errors"
}

same() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }

# The last thing that a script does.
finish() {
    echo "$((100 * (checks - failures) / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
    [ "$failures" = 0 ]
}
