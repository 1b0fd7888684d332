/* Strangers: clients that nobody vouches for, before their first recipient is
 * answered. Whoever has not sent before is slowed (LIMIT_SLOW_STRANGERS_MS);
 * then, if there are any, DNS block lists are asked (RFC 5782).
 *
 * Settings: dnsbl - zones, with spaces between; dnsbl_action - "refuse" (also
 * when not set) or "mark". */
#ifndef LIMITS_JUDGE_H
#define LIMITS_JUDGE_H

#include "core/err.h"
#include "limits/limits.h"

#define LIMITS_ZONE_BYTES 128

struct limits_verdict {
    uint32_t delay_ms; /* to keep the reply back */
    bool listed;       /* on the block list `zone` */
    bool refuse;       /* ... and that is reason to refuse */
    uint8_t zone;      /* its place in the setting, from 1 */
    char name[LIMITS_ZONE_BYTES];
};

struct limits_judgement;

/* limits_judge_init - places for so many judgements at once; once. */
enum err limits_judge_init(unsigned places) MUST_CHECK;

/* limits_judge - starts judging. sender: the reverse-path, "" for the null one.
 * done is called later, never from inside this call, within some seconds
 * whatever happens. Returns NULL when there is nothing to judge, or no place
 * for it: then nothing is to be done. */
struct limits_judgement *
limits_judge(const struct limits_session *session, const char *sender,
             void (*done)(void *context, const struct limits_verdict *verdict),
             void *context);

/* limits_judge_forget - the asker goes away: done is not called any more. */
void limits_judge_forget(struct limits_judgement *judgement);

/* limits_zone - the name of a verdict's zone; "" when the setting does not have
 * it any more. name: LIMITS_ZONE_BYTES. Returns name. */
char *limits_zone(uint8_t zone, char *name);

/* limits_friend - a message of this client was taken: it is a stranger no
 * more. */
void limits_friend(const struct limits_session *session, const char *sender);

#endif
