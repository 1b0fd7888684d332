; The AO's image, as it lies in memory, within the loader. PAYLOAD: its file.
section .rodata align=16
global ao_start, ao_end
ao_start:
        incbin PAYLOAD
ao_end:

section .note.GNU-stack noalloc noexec nowrite progbits
