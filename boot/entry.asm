; From the boot loader to the first C line.
;
; A multiboot1 loader (syslinux mboot.c32, qemu -kernel) enters at start32 in
; 32-bit protected mode, paging off: the processor is checked and long mode is
; switched on. The UEFI loader (boot/uefi) enters at start64 in long mode, with
; the image wherever it found room. Both go on with provisional tables (first
; 4 GiB at 0 and at DIRECT, the image's GiB at IMAGE), and boot_start() is
; called at its high address. The final tables are made in boot/paging.c;
; nothing of the provisional ones is left mapped afterwards.
;
; Layout: virtual IMAGE + 0x100000; physical 0x100000, or as boot/handoff.h
; says. Nothing from start64 on knows a physical address but image_physical.
;
; Every vector has a stub; each enters boot_vector(struct vector_frame *) on a
; stack of its own (IST). Own code never uses vector registers outside the
; libraries, and vectors are taken only in hlt or for faults that do not
; return, so those registers are not saved.

IMAGE equ 0xffffffff80000000
%define PHYSICAL(x) ((x) - IMAGE)

MAGIC         equ 0x1BADB002
FLAGS         equ 0x00010003    ; page-aligned modules, memory map, addresses
HANDOFF_MAGIC equ 0x50425545    ; as in boot/handoff.h
MAIN_BYTES    equ 128 * 1024
VECTOR_BYTES  equ 16 * 1024
GUARD_BYTES   equ 4096
STACKS        equ 5             ; IST stacks: IST1 .. IST5

extern boot_start, boot_vector
extern image_start, image_data_end, image_end

section .multiboot progbits alloc exec nowrite align=4
header:
        dd MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd PHYSICAL(header), PHYSICAL(image_start), PHYSICAL(image_data_end)
        dd PHYSICAL(image_end), PHYSICAL(start32)
        dd 0, 0, 0, 0           ; no video mode asked for
        dd HANDOFF_MAGIC        ; as in boot/handoff.h
        dd PHYSICAL(start64) - 0x100000
        dd PHYSICAL(image_end) - 0x100000

section .text
bits 32
global start32
start32:
        cli
        cld
        mov esp, PHYSICAL(main_stack_top)
        push eax                ; magic
        push ebx                ; information
        mov eax, 0x80000000
        cpuid
        cmp eax, 0x80000001
        jb .too_old
        mov eax, 0x80000001
        cpuid
        bt edx, 29              ; long mode
        jc make_tables
.too_old:
        mov esi, PHYSICAL(too_old_text)
        mov edi, 0xb8000
        mov ah, 0x4f
.next:  lodsb
        test al, al
        jz .stop
        stosw
        jmp .next
.stop:  hlt
        jmp .stop

make_tables:
        mov eax, PHYSICAL(boot_directories) + 3
        mov ebx, PHYSICAL(boot_pointers)
        mov ecx, 4
.directory:
        mov [ebx], eax
        add eax, 4096
        add ebx, 8
        dec ecx
        jnz .directory
        mov eax, 0x83           ; present, writable, 2 MiB
        mov ebx, PHYSICAL(boot_directories)
        mov ecx, 2048
.page:  mov [ebx], eax
        add eax, 0x200000
        add ebx, 8
        dec ecx
        jnz .page
        mov dword [PHYSICAL(boot_root)], PHYSICAL(boot_pointers) + 3
        mov dword [PHYSICAL(boot_root) + 256 * 8], PHYSICAL(boot_pointers) + 3
        mov dword [PHYSICAL(boot_root) + 511 * 8], \
                PHYSICAL(boot_image_pointers) + 3
        mov dword [PHYSICAL(boot_image_pointers) + 510 * 8], \
                PHYSICAL(boot_directories) + 3

        pop esi                 ; information
        pop edi                 ; magic
        mov eax, cr4
        or eax, 0x620           ; PAE, OSFXSR, OSXMMEXCPT
        mov cr4, eax
        mov eax, PHYSICAL(boot_root)
        mov cr3, eax
        mov ecx, 0xc0000080     ; EFER
        rdmsr
        or eax, 0x100           ; LME
        wrmsr
        mov eax, cr0
        and eax, 0x9fffffff     ; CD, NW off: caches on
        and eax, ~0x0c          ; EM, TS off
        or eax, 0x80010023      ; PG, WP, NE, MP, PE
        mov cr0, eax
        lgdt [PHYSICAL(gdt_pointer32)]
        jmp 0x08:PHYSICAL(to_high)

bits 64
to_high:
        mov edi, edi
        mov esi, esi
        mov ebx, PHYSICAL(image_start)
        jmp enter_high

; rdi: struct handoff. Interrupts are off, everything below 4 GiB is mapped at
; its physical address, and so is this code.
start64:
        cld
        mov esi, edi
        mov edi, HANDOFF_MAGIC
        lea rbx, [rel header]   ; where the image lies
        lea rax, [rel boot_directories]
        lea rdx, [rel boot_pointers]
        or rax, 3
        mov ecx, 4
.directory:
        mov [rdx], rax
        add rax, 4096
        add rdx, 8
        dec ecx
        jnz .directory
        lea rdx, [rel boot_directories]
        mov eax, 0x83
        mov ecx, 2048
        call fill_directory
        lea rdx, [rel boot_image_directory]
        lea rax, [rbx - 0x100000 + 0x83]
        mov ecx, 512
        call fill_directory
        lea rdx, [rel boot_root]
        lea rax, [rel boot_pointers + 3]
        mov [rdx], rax
        mov [rdx + 256 * 8], rax
        lea rax, [rel boot_image_pointers + 3]
        mov [rdx + 511 * 8], rax
        lea rcx, [rel boot_image_directory + 3]
        mov [rax - 3 + 510 * 8], rcx
        mov eax, 0x620          ; PAE, OSFXSR, OSXMMEXCPT and nothing else
        mov cr4, rax
        mov cr3, rdx
        mov rax, cr0
        and eax, 0x9fffffff     ; CD, NW off: caches on
        and eax, ~0x0c          ; EM, TS off
        or eax, 0x80010023      ; PG, WP, NE, MP, PE
        mov cr0, rax

; rbx: physical address of the image; edi, esi: arguments of boot_start().
enter_high:
        mov rax, qword high
        jmp rax
high:
        lgdt [rel gdt_pointer]
        lea rsp, [rel main_stack_top]
        push qword 0x08
        lea rax, [rel .segment]
        push rax
        retfq
.segment:
        mov eax, 0x10
        mov ds, eax
        mov es, eax
        mov ss, eax
        xor eax, eax
        mov fs, eax
        mov gs, eax
        mov [rel image_physical], rbx
        fninit
        push qword 0x1f80       ; all SSE exceptions masked, round to nearest
        ldmxcsr [rsp]
        add rsp, 8
        xor ebp, ebp            ; ends the chain of frames
        call boot_start
.stop:  cli
        hlt
        jmp .stop

; ecx pages of 2 MiB from rax on, which has the rights in it, into rdx.
fill_directory:
        mov [rdx], rax
        add rax, 0x200000
        add rdx, 8
        dec ecx
        jnz fill_directory
        ret

; ---- Vectors -----------------------------------------------------------------

%macro STUB 1
align 8
stub_%1:
%if %1 != 8 && (%1 < 10 || %1 > 14) && %1 != 17 && %1 != 21 && %1 != 29 \
        && %1 != 30
        push qword 0            ; where the processor pushes no error code
%endif
        push qword %1
        jmp near vector_common
%endmacro

%assign vector 0
%rep 256
STUB vector
%assign vector vector + 1
%endrep

vector_common:
        push rax
        push rbx
        push rcx
        push rdx
        push rsi
        push rdi
        push rbp
        push r8
        push r9
        push r10
        push r11
        push r12
        push r13
        push r14
        push r15
        cld
        mov rdi, rsp
        call boot_vector
        pop r15
        pop r14
        pop r13
        pop r12
        pop r11
        pop r10
        pop r9
        pop r8
        pop rbp
        pop rdi
        pop rsi
        pop rdx
        pop rcx
        pop rbx
        pop rax
        add rsp, 16
        iretq

section .rodata
global vector_stubs
align 8
vector_stubs:
%assign vector 0
%rep 256
        dq stub_ %+ vector
%assign vector vector + 1
%endrep

; The unmapped pages, for boot/paging.c: count, then addresses.
global guard_pages
guard_pages:
        dq STACKS + 1
        dq main_guard
%assign stack 0
%rep STACKS
        dq vector_stacks + stack * (GUARD_BYTES + VECTOR_BYTES)
%assign stack stack + 1
%endrep

; What IST1 .. IST5 start from.
global vector_stack_tops
vector_stack_tops:
%assign stack 1
%rep STACKS
        dq vector_stacks + stack * (GUARD_BYTES + VECTOR_BYTES)
%assign stack stack + 1
%endrep

too_old_text: db "Barepost needs a 64-bit processor.", 0
gdt_pointer32:
        dw gdt_end - gdt - 1
        dd PHYSICAL(gdt)
gdt_pointer:
        dw gdt_end - gdt - 1
        dq gdt

section .data
global gdt
align 8
gdt:    dq 0
        dq 0x00af9b000000ffff   ; 0x08: code, 64 bits
        dq 0x00cf93000000ffff   ; 0x10: data
        dq 0, 0                 ; 0x18: task state, filled in by C
gdt_end:
global image_physical
image_physical: dq 0

section .bss nobits alloc write align=4096
boot_root:           resb 4096
boot_pointers:       resb 4096
boot_image_pointers: resb 4096
boot_image_directory: resb 4096
boot_directories:    resb 4 * 4096
main_guard:          resb GUARD_BYTES
                     resb MAIN_BYTES
main_stack_top:
vector_stacks:       resb STACKS * (GUARD_BYTES + VECTOR_BYTES)

section .note.GNU-stack noalloc noexec nowrite progbits
