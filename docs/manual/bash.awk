# bash.awk - bash completion from `tapeformer --describe`.

BEGIN {
    print "# bash completion for tapeformer, made from what the command says of itself."
    print "_tapeformer()\n{"
    print "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]:-}"
    print "    local flags= words="
}

$1 == "group" { groups = groups " " $2 }

$1 == "command" {
    count = split($2, words, " ")
    if (count == 2) {
        if (!(words[1] in kinds))
            nested = nested " " words[1]
        kinds[words[1]] = kinds[words[1]] " " words[2]
    }
    order[++commands] = $2
    words_are_files[$2] = $5 != ""
}

$1 == "flag" {
    flags[$2] = flags[$2] " --" $3
    if ($6 != "")
        values[$2] = values[$2] "        --" $3 ") COMPREPLY=($(compgen -W \"" $6 "\" -- \"$word\")); return ;;\n"
    else if ($4 == "FILE" || $4 == "DIR" || $4 == "MODEL" || $4 == "FILE FILE")
        files[$2] = files[$2] (files[$2] == "" ? "" : " | ") "--" $3
    else if ($4 != "")
        free[$2] = free[$2] (free[$2] == "" ? "" : " | ") "--" $3
}

END {
    print "    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"" substr(groups, 2) " help --help --version\" -- \"$word\"))\n        return\n    fi"
    n = split(substr(nested, 2), outer, " ")
    for (i = 1; i <= n; i++) {
        print "    if [ \"$command\" = " outer[i] " ]; then"
        print "        if [ \"$COMP_CWORD\" = 2 ]; then\n            COMPREPLY=($(compgen -W \"" substr(kinds[outer[i]], 2) " --help\" -- \"$word\"))\n            return\n        fi"
        print "        command=\"$command ${COMP_WORDS[2]}\"\n    fi"
    }
    print "    case $command in"
    for (i = 1; i <= commands; i++) {
        name = order[i]
        print "    \"" name "\")\n        case $before in"
        printf "%s", values[name]
        if (files[name] != "")
            print "        " files[name] ") COMPREPLY=($(compgen -f -- \"$word\")); return ;;"
        if (free[name] != "")
            print "        " free[name] ") return ;;"
        print "        esac\n        flags=\"" substr(flags[name], 2) " --help\""
        if (words_are_files[name])
            print "        words=files"
        print "        ;;"
    }
    print "    esac"
    print "    COMPREPLY=($(compgen -W \"$flags\" -- \"$word\"))"
    print "    if [ \"$words\" = files ] && [ \"${word#-}\" = \"$word\" ]; then"
    print "        COMPREPLY=($(compgen -f -- \"$word\"))\n    fi\n}"
    print "complete -o filenames -F _tapeformer tapeformer tapeformer64"
}
