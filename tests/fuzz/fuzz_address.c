/* libFuzzer: any bytes as what addresses are read from: paths and parameters of
 * MAIL and RCPT, From fields and other header lines, names of domains, aliases,
 * base64. What is taken must be well-formed, and mean nobody else. */
#include "protocol/base64.h"
#include "smtp/smtp_author.h"
#include "smtp/smtp_parameters.h"
#include "smtp/smtp_path.h"
#include "tests/unit/fake_directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void fuzz_path(const char *text, size_t len)
{
    const struct directory_expansion *expansion;
    struct smtp_path path;
    const char *at = text;

    if (smtp_path_parse(&at, text + len, &path) != OK)
        return;
    require(at > text && at <= text + len && at[-1] == '>');
    require(path.mailbox_len <= SMTP_PATH_MAX - 2);
    require(path.domain_len <= SMTP_DOMAIN_MAX);
    require(path.local_len <= SMTP_LOCAL_MAX);
    require(memchr(path.mailbox, '\n', path.mailbox_len) == NULL);
    require(memchr(path.mailbox, '\r', path.mailbox_len) == NULL);
    require(memchr(path.mailbox, '\0', path.mailbox_len) == NULL);
    require(user_text_valid(path.mailbox, path.mailbox_len));
    if (directory_expand(path.local, path.local_len, path.domain,
                         path.domain_len, &expansion) != OK)
        return;
    require(expansion->count > 0);
    /* Only these lead elsewhere. */
    for (unsigned i = 0; i < expansion->count; i++)
        require(expansion->targets[i].user != NULL ||
                strstr(expansion->targets[i].address, "@away.test") != NULL);
    (void)directory_may_send_as(1, path.local, path.local_len, path.domain,
                                path.domain_len);
}

static bool is_in(const char *part, size_t part_len, const char *text,
                  size_t len)
{
    return part_len == 0 || (part >= text && part + part_len <= text + len);
}

static void fuzz_parameters(const char *text, size_t len, bool for_mail)
{
    struct smtp_parameters parameters;

    if (smtp_parameters_parse(text, len, for_mail, &parameters) != OK)
        return;
    require(is_in(parameters.envid, parameters.envid_len, text, len));
    require(is_in(parameters.orcpt, parameters.orcpt_len, text, len));
    require(parameters.envid_len <= SMTP_ENVID_MAX);
    require(parameters.orcpt_len <= SMTP_ORCPT_MAX);
    require(user_text_valid(parameters.envid, parameters.envid_len));
    require(user_text_valid(parameters.orcpt, parameters.orcpt_len));
    require((parameters.notify & STORE_NOTIFY_NEVER) == 0 ||
            parameters.notify == STORE_NOTIFY_NEVER);
}

/* Lines as the session gives them: with their CRLF, cut at 1024 bytes. */
static void fuzz_header(const char *text, size_t len)
{
    static struct smtp_header header;

    smtp_header_init(&header);
    while (len > 0 && !header.over) {
        const char *newline = memchr(text, '\n', len);
        size_t line = newline != NULL ? (size_t)(newline - text) + 1 : len;
        bool complete = line <= 1024;

        if (!complete)
            line = 1024;
        (void)smtp_header_look(&header, text, line, complete);
        text += line;
        len -= line;
    }
    (void)smtp_header_from_allowed(&header, 1);
}

static void fuzz_names(const char *text, size_t len)
{
    char ascii[USER_DOMAIN_BYTES], again[USER_DOMAIN_BYTES];
    char *name = malloc(len + 1);

    memcpy(name, text, len);
    name[len] = '\0';
    if (user_domain_to_ascii(text, len, ascii) == OK) {
        require(strlen(ascii) < USER_DOMAIN_BYTES);
        require(smtp_domain_valid(ascii, strlen(ascii)));
        require(user_domain_to_ascii(ascii, strlen(ascii), again) == OK);
        require(strcmp(ascii, again) == 0);
    }
    if (user_alias_valid(name))
        require(user_text_valid(name, strlen(name)));
    if (user_address_valid(name))
        require(user_alias_valid(name));
    if (user_name_valid(name))
        require(user_alias_valid(name) && strchr(name, '@') == NULL);
    free(name);
}

static void fuzz_base64(const char *text, size_t len)
{
    char *bytes = malloc(len + 1);
    int got = base64_decode(text, len, bytes, len);
    char small[8];

    require(got < 0 || (size_t)got <= len / 4 * 3);
    require(base64_decode(text, len, small, sizeof(small)) <= 8);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;

    fake_fill_directory();
    if (size < 1)
        return 0;
    size--;
    switch (data[0] % 6) {
    case 0:
        fuzz_path(text, size);
        break;
    case 1:
    case 2:
        fuzz_parameters(text, size, data[0] % 6 == 1);
        break;
    case 3:
        fuzz_header(text, size);
        break;
    case 4:
        fuzz_names(text, size);
        break;
    default:
        fuzz_base64(text, size);
    }
    return 0;
}
