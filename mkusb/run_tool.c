/* Starts mtools and syslinux by fork and exec, never through a shell.
 *
 * The child's stdout and stderr go into unnamed files, its stdin comes from
 * one, so that no pipe can fill up. The child sees a small fixed environment:
 * the user's own mtools configuration must not change what is written. */
#include "mkusb/run_tool.h"
#include "mkusb/say.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FALLBACK_PATH                                                          \
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* exec failed; no program that we call ends with this. */
#define EXIT_NOT_STARTED 127

struct tool_files {
    int input, output, errors;
};

static const char *package_of(const char *name)
{
    return strcmp(name, "syslinux") == 0 ? "syslinux" : "mtools";
}

static enum err say_missing(const char *name)
{
    return say_refused("the program %s is needed and was not found: install "
                       "the Debian package %s",
                       name, package_of(name));
}

/* PATH of the user with the folders of system programs added. */
static char *search_path(void)
{
    const char *path = getenv("PATH");
    char *text = NULL;

    if (path == NULL || path[0] == '\0')
        return strdup(FALLBACK_PATH);
    if (asprintf(&text, "%s:/usr/sbin:/sbin", path) < 0)
        return NULL;
    return text;
}

static bool is_program(const char *folder, size_t len, const char *name)
{
    char *path = NULL;
    bool found;

    if (asprintf(&path, "%.*s/%s", (int)len, folder, name) < 0)
        return false;
    found = access(path, X_OK) == 0;
    free(path);
    return found;
}

enum err run_tool_present(const char *name)
{
    char *path = search_path();
    const char *folder = path;
    bool found = false;

    while (folder != NULL && !found) {
        size_t len = strcspn(folder, ":");

        found = len > 0 && is_program(folder, len, name);
        folder = folder[len] == ':' ? folder + len + 1 : NULL;
    }
    free(path);
    return found ? OK : say_missing(name);
}

static void set_environment(void)
{
    char *path = search_path();

    clearenv();
    setenv("PATH", path == NULL ? FALLBACK_PATH : path, 1);
    setenv("LC_ALL", "C", 1);
    setenv("MTOOLSRC", "/dev/null", 1);
    setenv("MTOOLS_SKIP_CHECK", "1", 1);
}

_Noreturn static void run_child(const char *const argv[],
                                const struct tool_files *files)
{
    char **arguments;

    if (dup2(files->input, STDIN_FILENO) < 0 ||
        dup2(files->output, STDOUT_FILENO) < 0 ||
        dup2(files->errors, STDERR_FILENO) < 0)
        _exit(EXIT_NOT_STARTED);
    set_environment();
    /* execvp() does not write to the strings; its type is older than const. */
    memcpy(&arguments, &argv, sizeof(arguments));
    execvp(arguments[0], arguments);
    _exit(EXIT_NOT_STARTED);
}

static void close_files(struct tool_files *files)
{
    close(files->input);
    close(files->output);
    close(files->errors);
}

static bool open_files(struct tool_files *files, const char *input)
{
    size_t len = input == NULL ? 0 : strlen(input);

    files->input = memfd_create("input", MFD_CLOEXEC);
    files->output = memfd_create("output", MFD_CLOEXEC);
    files->errors = memfd_create("errors", MFD_CLOEXEC);
    if (files->input >= 0 && files->output >= 0 && files->errors >= 0 &&
        (len == 0 || pwrite(files->input, input, len, 0) == (ssize_t)len))
        return true;
    close_files(files);
    return false;
}

static void read_back(int fd, char *text, size_t bytes)
{
    ssize_t got = pread(fd, text, bytes - 1, 0);

    text[got < 0 ? 0 : got] = '\0';
}

/* Returns the exit status, or -1 when the program ended otherwise. */
static int start_and_wait(const char *const argv[],
                          const struct tool_files *files)
{
    int status = 0;
    pid_t child = fork();

    if (child < 0)
        return -1;
    if (child == 0)
        run_child(argv, files);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static enum err say_failed(const char *name, int status,
                           const struct tool_files *files)
{
    char text[512];

    read_back(files->errors, text, sizeof(text));
    if (text[0] == '\0')
        read_back(files->output, text, sizeof(text));
    text[strcspn(text, "\n")] = '\0';
    if (status < 0)
        return say_refused("%s was ended by a signal: %s", name, text);
    return say_refused("%s failed with exit status %d: %s", name, status,
                       text[0] == '\0' ? "it printed nothing" : text);
}

enum err run_tool(const char *const argv[], const char *input, char *output,
                  size_t output_bytes)
{
    struct tool_files files;
    enum err err = OK;
    int status;

    if (!open_files(&files, input))
        return say_refused("cannot start %s: %s", argv[0], strerror(errno));
    status = start_and_wait(argv, &files);
    if (status == EXIT_NOT_STARTED)
        err = say_missing(argv[0]);
    else if (status != 0)
        err = say_failed(argv[0], status, &files);
    else if (output != NULL)
        read_back(files.output, output, output_bytes);
    close_files(&files);
    return err;
}

enum err run_tool_quiet(const char *const argv[])
{
    struct tool_files files;
    int status;

    if (!open_files(&files, NULL))
        return ERR_NOT_FOUND;
    status = start_and_wait(argv, &files);
    close_files(&files);
    return status == 0 ? OK : ERR_NOT_FOUND;
}
