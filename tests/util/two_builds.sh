# two_builds.sh - what a build of the command prints and writes is what the native one
# does (`. tests/util/two_builds.sh`, after checks.sh). TAPEFORMER is the native command;
# OTHER is what runs the other build: "node wasm/run.mjs build/tapeformer.wasm", say.
[ -n "${OTHER:-}" ] || { echo "Skipped: no other build is here (make test-builds and make test-wasm make them). Checks: 0"; exit 0; }

native() { $TAPEFORMER "$@"; }
other() { $OTHER "$@"; }

# both NAME ARGUMENT...: the two print the same, and succeed; %, in the arguments, becomes the
# folder of each.
both() {
    name=$1
    shift
    for build in native other; do
        mkdir -p "$folder/$build"
        (
            for word; do
                shift
                set -- "$@" "$(printf '%s' "$word" | sed "s#%#$folder/$build#g")"
            done
            $build "$@"
        ) >"$folder/$build/$name.printed" 2>&1 || { cat "$folder/$build/$name.printed"; return 1; }
        sed "s#$folder/$build#%#g" "$folder/$build/$name.printed" >"$folder/$build.printed"
    done
    diff "$folder/native.printed" "$folder/other.printed"
}

# same_file NAME: in the folders of both.
same_file() { [ -s "$folder/native/$1" ] && cmp "$folder/native/$1" "$folder/other/$1"; }

# same_run NAME: the models and checkpoints are the same, and the logs but for times.
same_run() {
    for file in model last checkpoint; do
        same_file "$1/$file.safetensors" || return 1
    done
    for build in native other; do
        sed 's/"tokens_per_second":.*//' "$folder/$build/$1/log.jsonl" >"$folder/$build/$1.log"
    done
    same_file "$1.log"
}

# trains NAME ARGUMENT...: both train the same.
trains() {
    run=$1
    shift
    check "$run: training" both "$run" train "$@" --quiet --out "%/$run"
    check "$run: the same bytes" same_run "$run"
}

awk 'BEGIN { for (i = 0; i < 400; i++) { n = ""; for (j = i * 7919 % 3331 + 40; j > 0; j = int(j / 5)) n = n substr("abcde", j % 5 + 1, 1); print n } }' \
    >"$folder/words"
