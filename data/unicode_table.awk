# unicode_table.awk - makes data/unicode_table.h from UnicodeData.txt of the Unicode
# Character Database (https://www.unicode.org/Public/15.0.0/ucd/; Debian's package
# unicode-data has it):
#
#     awk -f data/unicode_table.awk /usr/share/unicode/UnicodeData.txt > data/unicode_table.h
#
# Each line there is a code point in hexadecimal, its name and its general category,
# separated by semicolons. A long range is two lines, whose names end in First> and Last>.

function number(hexadecimal,    value, i) {
    value = 0
    for (i = 1; i <= length(hexadecimal); i++)
        value = 16 * value + index("0123456789ABCDEF", substr(hexadecimal, i, 1)) - 1
    return value
}

# From this code point on, characters have the class, until the next border.
function border(code, class) {
    if (class == last)
        return
    last = class
    printf "%s%d,", count % 12 ? " " : "\n    ", 4 * code + class
    count++
}

BEGIN {
    FS = ";"
    print "/* unicode_table.h - which characters are letters and numbers in Unicode 15.0.0. Internal"
    print " * to data/, and made by data/unicode_table.awk: do not edit it.\n *"
    print " * The borders between classes, in order: 4 * (the first code point) + (the class of the"
    print " * characters from there to the next border; data_character in words.h). */"
    print "#ifndef DATA_UNICODE_TABLE_H\n#define DATA_UNICODE_TABLE_H\n\n#include <stdint.h>\n"
    print "/* clang-format off */"
    printf "static const uint32_t unicode_borders[] = {"
    last = -1
    next_code = 0
    border(0, 0)
}

{
    code = number($1)
    class = $3 ~ /^L/ ? 1 : $3 ~ /^N/ ? 2 : 0
    if (code > next_code && $2 !~ /Last>$/)
        border(next_code, 0) # code points without a character
    border(code, class)
    next_code = code + 1
}

END {
    border(next_code, 0)
    print "\n};\n/* clang-format on */\n\n#endif"
}
