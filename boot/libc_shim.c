/* What the selected members of musl expect from the rest of it. There is one
 * thread, no locale and no file: locks always succeed, streams are only the
 * memory ones of snprintf(). errno exists for the library's members; own code
 * never reads it. */
#include <stddef.h>

int *__errno_location(void);
int *___errno_location(void);
int __lockfile(void *stream);
void __unlockfile(void *stream);
char *strerror(int number);
int wctomb(char *to, wchar_t character);

extern const char __utc[];
extern volatile int __stdio_exit_needed;

const char __utc[] = "UTC";
volatile int __stdio_exit_needed;

static struct libc_shim_state {
    int error;
} state;

int *__errno_location(void)
{
    return &state.error;
}

int *___errno_location(void)
{
    return &state.error;
}

int __lockfile(void *stream)
{
    (void)stream;
    return 0;
}

void __unlockfile(void *stream)
{
    (void)stream;
}

char *strerror(int number)
{
    static char text[] = "library error";

    (void)number;
    return text;
}

/* Of wide characters only those of ASCII can be written; -1 is an error in
 * every locale. */
int wctomb(char *to, wchar_t character)
{
    if (to == NULL)
        return 0;
    if (character < 0 || character > 0x7f)
        return -1;
    *to = (char)character;
    return 1;
}
