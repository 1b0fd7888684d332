/* boot/string.asm: every length, place and alignment against what C says, at
 * the edge of a page behind which there is nothing. */
#include "tests/unit/check.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE      4096
#define LENGTHS   200
#define ALIGNMENT 17

void *ao_memchr(const void *bytes, int c, size_t n);
int ao_memcmp(const void *a, const void *b, size_t n);
void *ao_memcpy(void *to, const void *from, size_t n);

/* The last bytes of a page; the next one cannot be touched. */
static uint8_t *edge(void)
{
    uint8_t *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED || mprotect(pages + PAGE, PAGE, PROT_NONE) != 0)
        return NULL;
    return pages + PAGE;
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

static void test_memchr(uint8_t *end)
{
    unsigned wrong = 0;

    memset(end - PAGE, 'x', PAGE);
    for (size_t len = 0; len < LENGTHS; len++)
        for (size_t behind = 0; behind < ALIGNMENT; behind++) {
            uint8_t *at = end - behind - len;

            for (size_t place = 0; place < len; place++) {
                at[place] = 0xfe;
                wrong += ao_memchr(at, 0xfe, len) != at + place;
                wrong += ao_memchr(at, 0xfe, place) != NULL;
                /* Beyond what there is, and round the end of all memory. */
                wrong += ao_memchr(at, -2, SIZE_MAX) != at + place;
                at[place] = 'x';
            }
            at[-1] = 0xfe;
            wrong += ao_memchr(at, 0xfe, len) != NULL;
            at[-1] = 'x';
        }
    CHECK(wrong == 0);
}

static void test_first_of_several(uint8_t *end)
{
    uint8_t *at = end - 64;
    unsigned wrong = 0;

    memset(at, '.', 64);
    for (size_t skip = 0; skip < 64; skip++)
        wrong += ao_memchr(at + skip, '.', 64 - skip) != at + skip;
    CHECK(wrong == 0);
}

static void test_memcmp(uint8_t *end, uint8_t *other_end)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    unsigned wrong = 0;

    memset(end - PAGE, 'm', PAGE);
    memset(other_end - PAGE, 'm', PAGE);
    for (size_t len = 0; len < LENGTHS; len++) {
        uint8_t *a = end - len, *b = other_end - len;

        wrong += ao_memcmp(a, b, len) != 0;
        for (size_t place = 0; place < len; place++)
            for (size_t i = 0; i < sizeof(values); i++) {
                a[place] = values[i];
                /* What comes later does not count. */
                if (place + 1 < len)
                    b[len - 1] = (uint8_t)('m' - values[i] % 2);
                wrong += sign(ao_memcmp(a, b, len)) !=
                         sign((int)values[i] - (int)'m');
                wrong += ao_memcmp(a, b, place) != 0;
                b[len - 1] = a[place] = 'm';
            }
    }
    CHECK(wrong == 0);
}

static void test_memcpy(uint8_t *end, uint8_t *other_end)
{
    unsigned wrong = 0;

    for (size_t i = 1; i <= PAGE; i++)
        end[-(ptrdiff_t)i] = (uint8_t)(i * 7 + i / 256);
    for (size_t len = 0; len < LENGTHS; len++)
        for (size_t behind = 0; behind < ALIGNMENT; behind++) {
            uint8_t *to = other_end - len, *from = end - len - behind;

            memset(other_end - 2 * LENGTHS, 0xa5, 2 * LENGTHS);
            wrong += ao_memcpy(to, from, len) != to;
            for (size_t i = 0; i < len; i++)
                wrong += to[i] != from[i];
            wrong += to[-1] != 0xa5;
            /* And to a place with something behind it. */
            memset(to, 0xa5, len);
            to -= behind;
            (void)ao_memcpy(to, end - len, len);
            for (size_t i = 0; i < len; i++)
                wrong += to[i] != (end - len)[i];
            for (size_t i = 0; i < behind; i++)
                wrong += to[len + i] != 0xa5;
        }
    /* Forward within itself, as memmove() uses it. */
    for (size_t len = 0; len < LENGTHS; len++)
        for (size_t by = 1; by < ALIGNMENT; by++) {
            uint8_t *to = other_end - len - by;

            for (size_t i = 0; i < len + by; i++)
                to[i] = (uint8_t)i;
            (void)ao_memcpy(to, to + by, len);
            for (size_t i = 0; i < len; i++)
                wrong += to[i] != (uint8_t)(i + by);
        }
    (void)ao_memcpy(other_end - PAGE, end - PAGE, PAGE);
    for (size_t i = 1; i <= PAGE; i++)
        wrong += end[-(ptrdiff_t)i] != other_end[-(ptrdiff_t)i];
    CHECK(wrong == 0);
}

int main(void)
{
    uint8_t *end = edge(), *other_end = edge();

    CHECK(end != NULL && other_end != NULL);
    if (end == NULL || other_end == NULL)
        return check_report();
    test_memchr(end);
    test_first_of_several(end);
    test_memcmp(end, other_end);
    test_memcpy(end, other_end);
    return check_report();
}
