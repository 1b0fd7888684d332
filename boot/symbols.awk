# Makes the table of function names from `nm -n`: the low halves of addresses,
# sorted, and the names in the same order.
BEGIN {
    print "section .symbols progbits alloc noexec nowrite align=8"
    print "global symbol_count, symbol_table, symbol_names"
    print "symbol_table:"
    count = 0
}
$2 ~ /^[tT]$/ && length($1) == 16 && $3 !~ /^(stub_|image_)/ {
    offset = substr($1, 9)
    if (offset == last)
        next
    last = offset
    printf "dd 0x%s\n", offset
    name[count++] = $3
}
END {
    print "symbol_names:"
    for (i = 0; i < count; i++)
        printf "db '%s', 0\n", name[i]
    print "align 8, db 0"
    printf "symbol_count: dq %d\n", count
    print "section .note.GNU-stack noalloc noexec nowrite progbits"
}
