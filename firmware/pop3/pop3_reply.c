/* Every fixed reply of the POP3 server: see pop3_reply.h. */
#include "pop3/pop3_reply.h"
#include "core/check.h"

static const char *const replies[POP3_REPLIES] = {
    [POP3_OK] = "+OK\r\n",
    [POP3_NAME_OK] = "+OK send PASS\r\n",
    [POP3_MECHANISMS] = "+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n",
    [POP3_UTF8_ON] = "+OK UTF8 enabled\r\n",
    [POP3_BYE] = "+OK goodbye\r\n",
    [POP3_DELETED] = "+OK marked\r\n",
    [POP3_UNKNOWN] = "-ERR unknown command\r\n",
    [POP3_CONTROL] = "-ERR control character in command\r\n",
    [POP3_LINE_TOO_LONG] = "-ERR line too long\r\n",
    [POP3_ARGUMENT] = "-ERR argument missing or wrong\r\n",
    [POP3_NO_ARGUMENT] = "-ERR no argument allowed\r\n",
    [POP3_STATE] = "-ERR not in this state\r\n",
    [POP3_NO_MESSAGE] = "-ERR no such message\r\n",
    [POP3_IS_DELETED] = "-ERR message is marked as deleted\r\n",
    [POP3_AUTH] = "-ERR [AUTH] wrong name or password\r\n",
    [POP3_AUTH_LAST] = "-ERR [AUTH] too many wrong passwords\r\n",
    [POP3_AUTH_CLEAR] = "-ERR no passwords without encryption here\r\n",
    [POP3_AUTH_MECHANISM] = "-ERR no such mechanism\r\n",
    [POP3_AUTH_ENDED] = "-ERR authentication cancelled\r\n",
    [POP3_AUTH_BASE64] = "-ERR not a response in base64\r\n",
    [POP3_IN_USE] = "-ERR [IN-USE] maildrop is open in another session\r\n",
    [POP3_TEMPORARY] = "-ERR [SYS/TEMP] mail store not available\r\n",
    [POP3_DAMAGED] = "-ERR [SYS/PERM] message cannot be read\r\n",
    [POP3_BUSY] = "-ERR [SYS/TEMP] too many sessions, try again later\r\n",
    [POP3_TOO_MANY_SESSIONS] =
        "-ERR [SYS/TEMP] too many connections from your address\r\n",
    [POP3_TIMED_OUT] = "-ERR nothing heard for too long\r\n",
    [POP3_TOO_MANY_ERRORS] = "-ERR too many errors\r\n",
    [POP3_NOT_DELETED] = "-ERR [SYS/TEMP] marked messages not removed\r\n",
    [POP3_STOPPING] = "-ERR [SYS/TEMP] shutting down\r\n",
};

const char *pop3_reply_text(enum pop3_reply reply)
{
    ASSERT(reply < POP3_REPLIES);
    return replies[reply];
}
