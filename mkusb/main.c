/* mkusb: makes, reads and keeps Barepost sticks. This file: from the command
 * line to the mode that does the work. */
#include "core/version.h"
#include "mailstore/store.h"
#include "mkusb/host_services.h"
#include "mkusb/list.h"
#include "mkusb/make_stick.h"
#include "mkusb/options.h"
#include "mkusb/read_stick.h"
#include "mkusb/say.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "ao" in the folder of this program. */
static char *default_ao(void)
{
    char *path = realpath("/proc/self/exe", NULL);
    char *slash = path == NULL ? NULL : strrchr(path, '/');
    char *ao = NULL;

    if (slash == NULL ||
        asprintf(&ao, "%.*s/ao", (int)(slash - path), path) < 0)
        ao = NULL;
    free(path);
    return ao;
}

static enum err run_with_ao(const struct options *options,
                            enum err (*work)(const struct options *,
                                             const char *))
{
    char *beside = options->ao_file == NULL ? default_ao() : NULL;
    const char *ao = options->ao_file == NULL ? beside : options->ao_file;
    enum err err =
        ao == NULL ? say_refused("out of memory") : work(options, ao);

    free(beside);
    return err;
}

static enum err run(const struct options *options)
{
    switch (options->mode) {
    case MODE_CREATE:
        return run_with_ao(options, make_stick);
    case MODE_UPDATE:
        return run_with_ao(options, update_stick);
    case MODE_INSPECT:
        return inspect_stick(options);
    case MODE_CHECK:
        return check_stick(options);
    case MODE_LIST:
        return list_sticks();
    case MODE_VERSION:
        printf("mkusb %s, build %s, store version %d\n", VERSION_NUMBER,
               version_build(), STORE_VERSION);
        return OK;
    case MODE_NONE:
    case MODE_HELP:
        options_print_help();
        return OK;
    }
    return ERR_INVALID;
}

/* Ends as a shell user expects when the reader of our output goes away. */
static bool output_is_written(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

int main(int argc, char *argv[])
{
    static struct options options;
    enum err err = options_parse(&options, argc, argv);

    if (err == ERR_INVALID)
        return 2;
    if (err == OK)
        err = host_services_init();
    if (err == OK)
        err = run(&options);
    say_step_end();
    if (err == OK && !output_is_written())
        err = say_refused("the output cannot be written");
    return err == OK ? 0 : 1;
}
