# composed_table.awk - makes data/composed_table.h from UnicodeData.txt of the Unicode
# Character Database (https://www.unicode.org/Public/15.0.0/ucd/; Debian's package
# unicode-data has it):
#
#     awk -f data/composed_table.awk /usr/share/unicode/UnicodeData.txt > data/composed_table.h
#
# Field 6 there is a character's decomposition: two code points in hexadecimal, unless it
# is another kind of mapping, which begins with <. Taken are those whose second is a
# combining mark, U+0300 .. U+036F, U+3099 or U+309A, and whose first is none.

function number(hexadecimal,    value, i) {
    value = 0
    for (i = 1; i <= length(hexadecimal); i++)
        value = 16 * value + index("0123456789ABCDEF", substr(hexadecimal, i, 1)) - 1
    return value
}

function is_mark(code) {
    return (code >= 768 && code < 880) || code == 12441 || code == 12442
}

BEGIN {
    FS = ";"
    print "/* composed_table.h - letters that Unicode 15.0.0 has in one character, and also as a letter"
    print " * and a combining mark. Internal to data/, and made by data/composed_table.awk: do not edit"
    print " * it.\n *"
    print " * The first character, the mark, and the composed one, sorted by the first and the mark. */"
    print "#ifndef DATA_COMPOSED_TABLE_H\n#define DATA_COMPOSED_TABLE_H\n\n#include <stdint.h>\n"
    print "/* clang-format off */"
    printf "static const uint16_t composed_letters[][3] = {"
}

length($1) == 4 && $6 ~ /^[0-9A-F]* [0-9A-F]*$/ && $1 != "2ADC" {
    split($6, parts, " ")
    first = number(parts[1])
    mark = number(parts[2])
    if (!is_mark(mark) || is_mark(first))
        next
    for (i = count++; i > 0 && keys[i - 1] > 65536 * first + mark; i--) {
        keys[i] = keys[i - 1]
        rows[i] = rows[i - 1]
    }
    keys[i] = 65536 * first + mark
    rows[i] = "{" first ", " mark ", " number($1) "},"
}

END {
    for (i = 0; i < count; i++)
        printf "%s%s", i % 5 ? " " : "\n    ", rows[i]
    print "\n};\n/* clang-format on */\n\n#endif"
}
