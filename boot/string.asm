; memchr, memcmp and memcpy of the C library: each byte of a message passes
; through them several times. By words and SSE2, which every x86-64 has; no
; interrupt is taken while they run (drivers/interrupt.c), so nobody else's
; vector registers can be lost.
;
; void *memchr(const void *bytes, int c, size_t n)
; int memcmp(const void *a, const void *b, size_t n)
; void *memcpy(void *to, const void *from, size_t n)
;
; As ISO C 7.24 says; without a frame of their own. PREFIX goes before the
; names, for a test beside the host's library.
bits 64
default rel
section .text

%ifdef PREFIX
%define NAME(name) PREFIX %+ name
%else
%define NAME(name) name
%endif

; ---- memchr ------------------------------------------------------------------

; By aligned blocks, which lie within a page each: what is before the first byte
; and behind the last one can be read, too, and is not looked at. `n` may reach
; beyond what there is, if c is found before (strnlen).
global NAME(memchr):function
NAME(memchr):
        test    rdx, rdx
        jz      .none
        movd    xmm0, esi
        punpcklbw xmm0, xmm0
        pshuflw xmm0, xmm0, 0
        punpcklqdq xmm0, xmm0
        mov     ecx, edi
        and     ecx, 15
        and     rdi, -16
        movdqa  xmm1, [rdi]
        pcmpeqb xmm1, xmm0
        pmovmskb eax, xmm1
        shr     eax, cl
        test    eax, eax
        jnz     .first
        add     rdx, rcx                ; counted from rdi on
        jnc     .block
        mov     rdx, -1                 ; there is no more than that
.block:
        sub     rdx, 16
        jbe     .none
        add     rdi, 16
        movdqa  xmm1, [rdi]
        pcmpeqb xmm1, xmm0
        pmovmskb eax, xmm1
        test    eax, eax
        jz      .block
        bsf     eax, eax
        cmp     rax, rdx
        jae     .none
        add     rax, rdi
        ret
.first:
        bsf     eax, eax
        cmp     rax, rdx
        jae     .none
        add     rax, rdi
        add     rax, rcx
        ret
.none:
        xor     eax, eax
        ret

; ---- memcmp ------------------------------------------------------------------

global NAME(memcmp):function
NAME(memcmp):
        cmp     rdx, 8
        jb      .few
        lea     rcx, [rdx - 8]          ; where the last word begins
        xor     edx, edx
.word:
        mov     rax, [rdi + rdx]
        mov     r8, [rsi + rdx]
        cmp     rax, r8
        jne     .differ
        add     rdx, 8
        cmp     rdx, rcx
        jb      .word
        ; It may overlap the one before, which is equal.
        mov     rax, [rdi + rcx]
        mov     r8, [rsi + rcx]
        cmp     rax, r8
        jne     .differ
        xor     eax, eax
        ret
; The first byte that differs decides: the highest one, turned round.
.differ:
        bswap   rax
        bswap   r8
        cmp     rax, r8
        sbb     eax, eax
        or      eax, 1
        ret
.few:
        xor     eax, eax
        test    edx, edx
        jz      .done
        xor     ecx, ecx
.byte:
        movzx   eax, byte [rdi + rcx]
        movzx   r8d, byte [rsi + rcx]
        sub     eax, r8d
        jnz     .done
        inc     ecx
        cmp     ecx, edx
        jb      .byte
.done:
        ret

; ---- memcpy ------------------------------------------------------------------

; Each block is read whole before one is written that lies lower: so it does for
; musl's memmove, too, when that goes forward.
global NAME(memcpy):function
global NAME(__memcpy_fwd):function hidden
NAME(memcpy):
NAME(__memcpy_fwd):
        mov     rax, rdi
        cmp     rdx, 16
        jb      .few
        ; The last block is read first and written last: it may overlap others.
        movdqu  xmm4, [rsi + rdx - 16]
        lea     r8, [rdi + rdx - 16]
        cmp     rdx, 80
        jb      .block
        lea     rcx, [r8 - 48]
.blocks:
        movdqu  xmm0, [rsi]
        movdqu  xmm1, [rsi + 16]
        movdqu  xmm2, [rsi + 32]
        movdqu  xmm3, [rsi + 48]
        movdqu  [rdi], xmm0
        movdqu  [rdi + 16], xmm1
        movdqu  [rdi + 32], xmm2
        movdqu  [rdi + 48], xmm3
        add     rsi, 64
        add     rdi, 64
        cmp     rdi, rcx
        jb      .blocks
        cmp     rdi, r8
        jae     .last
.block:
        movdqu  xmm0, [rsi]
        movdqu  [rdi], xmm0
        add     rsi, 16
        add     rdi, 16
        cmp     rdi, r8
        jb      .block
.last:
        movdqu  [r8], xmm4
        ret

; Each size by its first and its last word, which may overlap.
.few:
        cmp     edx, 8
        jb      .below_8
        mov     rcx, [rsi]
        mov     r8, [rsi + rdx - 8]
        mov     [rdi], rcx
        mov     [rdi + rdx - 8], r8
        ret
.below_8:
        cmp     edx, 4
        jb      .below_4
        mov     ecx, [rsi]
        mov     r8d, [rsi + rdx - 4]
        mov     [rdi], ecx
        mov     [rdi + rdx - 4], r8d
        ret
.below_4:
        cmp     edx, 1
        jb      .done
        movzx   ecx, byte [rsi]
        movzx   r8d, byte [rsi + rdx - 1]
        je      .one
        movzx   r9d, byte [rsi + 1]
        mov     [rdi + 1], r9b
.one:
        mov     [rdi], cl
        mov     [rdi + rdx - 1], r8b
.done:
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
