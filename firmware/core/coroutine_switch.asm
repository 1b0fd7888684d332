; The switch of stacks under core/coroutine.c.
;
; void coroutine_switch(void **save_stack_pointer, void *load_stack_pointer)
;
; Saves what the System V ABI says a call preserves (rbx, rbp, r12 to r15, the
; control bits of MXCSR and the x87 control word) on the present stack, and goes
; on where the other stack was left. No vector register is preserved across
; calls, so none is saved.
bits 64
default rel
section .text
global coroutine_switch
coroutine_switch:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        sub     rsp, 8
        stmxcsr [rsp]
        fnstcw  [rsp + 4]
        mov     [rdi], rsp
        mov     rsp, rsi
        ldmxcsr [rsp]
        fldcw   [rsp + 4]
        add     rsp, 8
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret

; The first return of a new coroutine leads here: a frame with a zero return
; address, so that a backtrace ends.
global coroutine_start
extern coroutine_main
coroutine_start:
        xor     ebp, ebp
        push    rbp
        jmp     coroutine_main

section .note.GNU-stack noalloc noexec nowrite progbits
