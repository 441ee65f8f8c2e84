# fish.awk - fish completion from `tapeformer --describe`.

# The help of a flag and its default.
function described(help, otherwise) {
    return otherwise == "" ? help : help (help == "" ? "" : " ") "[" otherwise "]"
}

function quoted(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/'/, "\\'", text)
    return "'" text "'"
}

# When the words so far name this command.
function seen(name,    words) {
    if (split(name, words, " ") == 2)
        return quoted("__fish_seen_subcommand_from " words[1] "; and __fish_seen_subcommand_from " words[2])
    return quoted("__fish_seen_subcommand_from " name)
}

function row(line) { print "complete -c tapeformer " line }

BEGIN {
    print "# fish completion for tapeformer, made from what the command says of itself."
    print "complete -c tapeformer64 -w tapeformer"
}

$1 == "group" { row("-f -n __fish_use_subcommand -a " $2 " -d " quoted($3)) }

$1 == "command" && split($2, words, " ") == 2 {
    row("-f -n " seen(words[1]) " -a " words[2] " -d " quoted($3))
}

$1 == "flag" {
    value = $6 != "" ? " -x -a " quoted($6) : $4 == "FILE" || $4 == "DIR" || $4 == "MODEL" || $4 == "FILE FILE" ? " -r -F" : $4 != "" ? " -x" : ""
    row("-n " seen($2) " -l " $3 value " -d " quoted(described($5, $7)))
}
