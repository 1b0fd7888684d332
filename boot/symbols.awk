# Makes the table of function names from `nm -n`: sorted offsets from the start
# of the image, and where in the text of names each name starts.
BEGIN {
    print "section .symbols progbits alloc noexec nowrite align=8"
    print "global symbol_count, symbol_table, symbol_names"
    print "symbol_table:"
    bytes = 0
    count = 0
}
$2 ~ /^[tT]$/ && length($1) == 16 && $3 !~ /^(stub_|image_)/ {
    offset = substr($1, 9)
    if (offset == last)
        next
    last = offset
    printf "dd 0x%s, %d\n", offset, bytes
    name[count++] = $3
    bytes += length($3) + 1
}
END {
    print "symbol_names:"
    for (i = 0; i < count; i++)
        printf "db '%s', 0\n", name[i]
    print "align 8, db 0"
    printf "symbol_count: dq %d\n", count
    print "section .note.GNU-stack noalloc noexec nowrite progbits"
}
