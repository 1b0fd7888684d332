/* A program that looks like an AO as far as can be seen from outside: the marks
 * of an ELF file for x86-64 and a multiboot header with our own words behind
 * it (firmware/core/program.h). */
#ifndef TESTS_UNIT_SHAM_PROGRAM_H
#define TESTS_UNIT_SHAM_PROGRAM_H

#include "core/program.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SHAM_HEADER_AT 4096u

/* sham_marks - into a program of more than SHAM_HEADER_AT + 64 bytes. load_end,
 * bss_end: of the header; memory: what it says it takes. */
static inline void sham_marks(uint8_t *ao, uint32_t load_end, uint32_t bss_end,
                              uint32_t memory)
{
    const uint32_t header[] = {0x1badb002, 0x10003,  -(0x1badb002u + 0x10003u),
                               0x100000,   0x100000, load_end,
                               bss_end,    0x100200, 0,
                               0,          0,        0,
                               0x50425545, 0x300,    memory};

    memcpy(ao, "\177ELF\2\1", 6);
    memcpy(ao + 18, "\76\0", 2);
    memcpy(ao + SHAM_HEADER_AT, header, sizeof header);
}

/* sham_program - the n-th of so many bytes, all others its own, and its label.
 */
static inline void sham_program(unsigned n, uint8_t *ao, uint32_t bytes,
                                uint32_t store, struct program_label *label)
{
    struct sha256 sha;

    memset(label, 0, sizeof *label);
    label->bytes = label->unpacked_bytes = bytes;
    for (uint32_t i = 0; i < bytes; i++)
        ao[i] = (uint8_t)(n * 37 + i * 7 + i / 512);
    sham_marks(ao, 0x110000, 0x120000, 0x20000);
    label->store = store;
    snprintf(label->version, sizeof label->version, "number %u", n);
    sha256_begin(&sha);
    sha256_add(&sha, ao, bytes);
    sha256_end(&sha, label->sha256);
}

#endif
