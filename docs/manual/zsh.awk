# zsh.awk - zsh completion from `tapeformer --describe`.

# Text inside single quotes, in the brackets of an _arguments specification.
function quoted(text) {
    gsub(/'/, "'\\''", text)
    gsub(/\[/, "(", text)
    gsub(/\]/, ")", text)
    gsub(/:/, "\\:", text)
    return text
}

# The help of a flag and its default.
function described(help, otherwise) {
    return otherwise == "" ? help : help (help == "" ? "" : " ") "[" otherwise "]"
}

function add(name, line) { body[name] = body[name] line }

$1 == "group" { groups[++group_count] = $2; summaries[$2] = $3 }

$1 == "command" {
    if (split($2, words, " ") == 2) {
        kinds[words[1]] = kinds[words[1]] "\n            '" words[2] ":" quoted($3) "'"
        inner[words[1]] = inner[words[1]] "\n        " words[2] ") _tapeformer_" words[1] "_" words[2] " ;;"
    }
    order[++commands] = $2
}

$1 == "flag" {
    action = ""
    if ($6 != "")
        action = ":" $4 ":(" $6 ")"
    else if ($4 == "FILE FILE")
        action = ":FILE:_files:FILE:_files"
    else if ($4 == "FILE" || $4 == "DIR" || $4 == "MODEL")
        action = ":" $4 ":_files"
    else if ($4 != "")
        action = ":" $4 ":"
    add($2, " \\\n        '--" $3 "[" quoted(described($5, $7)) "]" action "'")
}

END {
    print "#compdef tapeformer tapeformer64\n# Made from what the command says of itself."
    for (i = 1; i <= commands; i++) {
        name = order[i]
        gsub(/ /, "_", name)
        print "\n_tapeformer_" name "()\n{\n    _arguments" body[order[i]] " \\\n        '--help[list the flags]' '*:FILE:_files'\n}"
    }
    for (i = 1; i <= group_count; i++)
        if (groups[i] in kinds) {
            print "\n_tapeformer_" groups[i] "()\n{\n    local -a kinds\n    if (( CURRENT == 2 )); then\n        kinds=(" kinds[groups[i]] "\n        )"
            print "        _describe kind kinds\n        return\n    fi\n    local kind=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $kind in" inner[groups[i]] "\n    esac\n}"
        }
    print "\n_tapeformer()\n{\n    local -a commands\n    if (( CURRENT == 2 )); then\n        commands=("
    for (i = 1; i <= group_count; i++)
        print "            '" groups[i] ":" quoted(summaries[groups[i]]) "'"
    print "        )\n        _describe command commands\n        return\n    fi\n    local command=$words[2]\n    shift words\n    (( CURRENT-- ))"
    print "    (( $+functions[_tapeformer_$command] )) && _tapeformer_$command\n}\n\n_tapeformer \"$@\""
}
