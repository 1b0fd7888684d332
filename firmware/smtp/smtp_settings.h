/* What the administrator may set for the SMTP server. All of it may be missing
 * in the store; what is there and cannot be understood counts as missing. */
#ifndef SMTP_SMTP_SETTINGS_H
#define SMTP_SMTP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#define SMTP_HOST_BYTES 256

struct smtp_settings {
    char host[SMTP_HOST_BYTES]; /* "hostname": greeting, 221, 421, Received */
    uint64_t message_max;       /* bytes of a message, as SIZE tells */
    uint64_t header_max;        /* bytes before its empty line */
    uint32_t line_max;          /* bytes of a line of it; 0: as long as it is */
    uint32_t recipients_max;    /* of one message, aliases expanded */
    uint32_t errors_max;        /* "smtp_errors_max": in one session */
    uint32_t commands_max;      /* "smtp_commands_max": without a message */
    bool auth_clear; /* passwords may come over an unencrypted connection */
    bool check_from; /* From: of submitted mail must be the user's own */
};

/* smtp_settings - as the store has them now. */
const struct smtp_settings *smtp_settings(void);

/* smtp_host - own name. */
const char *smtp_host(void);

#endif
