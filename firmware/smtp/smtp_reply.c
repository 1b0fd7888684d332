/* Every reply of the SMTP server: see smtp_reply.h. */
#include "smtp/smtp_reply.h"
#include "core/check.h"
#include <stdbool.h>

static const struct {
    uint16_t code;
    bool with_host;       /* the host's name goes first */
    const char *enhanced; /* RFC 3463 */
    const char *words;
} replies[SMTP_REPLIES] = {
    [SMTP_OK] = {250, false, "2.0.0", "Ok"},
    [SMTP_SENDER_OK] = {250, false, "2.1.0", "Sender ok"},
    [SMTP_RECIPIENT_OK] = {250, false, "2.1.5", "Recipient ok"},
    [SMTP_BYE] = {221, true, "2.0.0", "closing the connection"},
    [SMTP_VERIFY] = {252, false, "2.5.0", "Not verified; mail is tried"},
    [SMTP_HELP] =
        {214, false, "2.0.0",
         "HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY AUTH HELP"},
    [SMTP_AUTH_OK] = {235, false, "2.7.0", "Logged in"},
    [SMTP_START_MAIL] = {354, false, "", "Send the message, end with ."},
    [SMTP_TIMED_OUT] = {421, true, "4.4.2", "nothing heard for too long"},
    [SMTP_TOO_MANY_ERRORS] = {421, true, "4.7.0", "too many errors"},
    [SMTP_TOO_MANY_COMMANDS] = {421, true, "4.7.0",
                                "too many commands without a message"},
    [SMTP_BUSY] = {421, true, "4.3.2", "too many sessions, try again later"},
    [SMTP_TOO_MANY_SESSIONS] = {421, true, "4.7.0",
                                "too many connections from your address"},
    [SMTP_TOO_MANY_GUESSES] = {421, true, "4.7.0", "too many unknown users"},
    [SMTP_SENDING_LIMIT] = {450, false, "4.7.1",
                            "Your sending limit is reached, try again later"},
    [SMTP_STOPPING] = {421, true, "4.3.2", "shutting down, try again later"},
    [SMTP_STORE_GONE] = {451, false, "4.3.0",
                         "Mail store not available, try again later"},
    [SMTP_STORE_BUSY] = {451, false, "4.3.2",
                         "Mail store is busy, try again later"},
    [SMTP_STORE_FULL] = {452, false, "4.3.1", "Mail store is full"},
    [SMTP_QUOTA_FULL] = {452, false, "4.2.2", "Mailbox is full"},
    [SMTP_TOO_MANY_RECIPIENTS] = {452, false, "4.5.3", "Too many recipients"},
    [SMTP_AUTH_BUSY] = {454, false, "4.7.0",
                        "Cannot check this now, try again later"},
    [SMTP_LINE_TOO_LONG] = {500, false, "5.5.2", "Line too long"},
    [SMTP_UNKNOWN] = {500, false, "5.5.2", "Command not recognized"},
    [SMTP_CONTROL] = {500, false, "5.5.2", "Control character in command"},
    [SMTP_AUTH_TOO_LONG] = {500, false, "5.5.6", "Line too long"},
    [SMTP_SYNTAX] = {501, false, "5.5.2", "Syntax error"},
    [SMTP_NO_ARGUMENT] = {501, false, "5.5.4", "No argument allowed"},
    [SMTP_ARGUMENT] = {501, false, "5.5.4", "Argument missing or wrong"},
    [SMTP_BAD_PARAMETER] = {501, false, "5.5.4", "Bad parameter value"},
    [SMTP_BAD_SENDER] = {501, false, "5.1.7", "Bad sender address syntax"},
    [SMTP_BAD_RECIPIENT] = {501, false, "5.1.3",
                            "Bad recipient address syntax"},
    [SMTP_BAD_BASE64] = {501, false, "5.5.2", "Not in base64"},
    [SMTP_AUTH_CANCELLED] = {501, false, "5.7.0", "Cancelled"},
    [SMTP_NOT_IMPLEMENTED] = {502, false, "5.5.1", "Command not implemented"},
    [SMTP_SEQUENCE] = {503, false, "5.5.1", "Bad sequence of commands"},
    [SMTP_HELLO_FIRST] = {503, false, "5.5.1", "Send HELO or EHLO first"},
    [SMTP_CHUNKS_ONLY] = {503, false, "5.5.1",
                          "BINARYMIME needs BDAT, not DATA"},
    [SMTP_AUTH_MECHANISM] = {504, false, "5.5.4",
                             "Mechanism not known, use PLAIN or LOGIN"},
    [SMTP_AUTH_FIRST] = {530, false, "5.7.0", "Log in first"},
    [SMTP_AUTH_WRONG] = {535, false, "5.7.8", "Wrong name or password"},
    [SMTP_AUTH_CLEAR] = {538, false, "5.7.11",
                         "No passwords over an unencrypted connection"},
    [SMTP_NO_USER] = {550, false, "5.1.1", "No such user here"},
    [SMTP_DISABLED] = {550, false, "5.2.1", "Mailbox disabled"},
    [SMTP_NO_RELAY] = {550, false, "5.7.1", "Relaying denied"},
    [SMTP_CLOSED] = {550, false, "5.7.1",
                     "This domain takes mail of its own users only"},
    [SMTP_LISTED] = {550, true, "5.7.1",
                     "lists your address as one that sends unwanted mail"},
    [SMTP_EARLY] = {554, false, "5.5.0", "You talked before the greeting"},
    [SMTP_EXPANSION] = {550, false, "5.2.4", "This alias means too many"},
    [SMTP_NOT_YOURS] = {550, false, "5.7.1", "This is not your address"},
    [SMTP_BARE] = {550, false, "5.6.11", "Message has a bare CR or LF"},
    [SMTP_TOO_BIG] = {552, false, "5.3.4", "Message too big"},
    [SMTP_QUOTA_SMALL] = {552, false, "5.2.2",
                          "Mailbox has no room for so big a message"},
    [SMTP_HEADER_TOO_BIG] = {552, false, "5.3.4", "Header too big"},
    [SMTP_UTF8_ADDRESS] = {553, false, "5.6.7",
                           "Such an address needs SMTPUTF8"},
    [SMTP_LOOP] = {554, false, "5.4.6", "Too many Received lines: mail loop"},
    [SMTP_TEXT_LINE_TOO_LONG] = {554, false, "5.6.0",
                                 "Message has a line that is too long"},
    [SMTP_BINARY_ELSEWHERE] = {554, false, "5.6.3",
                               "BINARYMIME is taken for mailboxes here only"},
    [SMTP_NO_RECIPIENTS] = {554, false, "5.5.1", "No valid recipients"},
    [SMTP_PARAMETER_UNKNOWN] = {555, false, "5.5.4",
                                "Parameter not recognized"},
};

uint16_t smtp_reply_code(enum smtp_reply reply)
{
    ASSERT(reply < SMTP_REPLIES);
    return replies[reply].code;
}

void smtp_reply_format(struct text *text, enum smtp_reply reply,
                       const char *host)
{
    ASSERT(reply < SMTP_REPLIES);
    text_decimal(text, replies[reply].code);
    text_string(text, " ");
    text_string(text, replies[reply].enhanced);
    if (replies[reply].enhanced[0] != '\0')
        text_string(text, " ");
    if (replies[reply].with_host) {
        text_string(text, host);
        text_string(text, " ");
    }
    text_string(text, replies[reply].words);
    text_string(text, "\r\n");
}
