/* What the compiler and core/ want of a C library. */
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    void *at = to;

    __asm__ volatile("rep movsb"
                     : "+D"(at), "+S"(from), "+c"(bytes)
                     :
                     : "memory");
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    void *at = to;

    __asm__ volatile("rep stosb"
                     : "+D"(at), "+c"(bytes)
                     : "a"(value)
                     : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    unsigned char *end = (unsigned char *)to + bytes;
    const unsigned char *last = (const unsigned char *)from + bytes;

    if (to <= from)
        return memcpy(to, from, bytes);
    while (end != to)
        *--end = *--last;
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const unsigned char *one = a, *other = b;

    for (size_t i = 0; i < bytes; i++) {
        if (one[i] != other[i])
            return one[i] - other[i];
    }
    return 0;
}
