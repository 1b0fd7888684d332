/* Serving mail as a whole: begins when it is wanted and the store is open, ends
 * in order for restart and power off. */
#ifndef SERVICE_H
#define SERVICE_H

#include "core/err.h"
#include <stdbool.h>

/* service_init - makes network, store task and servers, sized by the memory
 * that is left. Returns OK or ERR_MEMORY. */
enum err service_init(void) MUST_CHECK;

/* service_want - serve as soon as it is possible. */
void service_want(void);
bool service_running(void);

/* service_settings_changed - takes the network settings of the store anew. */
void service_settings_changed(void);

/* service_restart, service_power_off - end all sessions, close the store, then
 * do it. They return at once; it happens within seconds. */
void service_restart(void);
void service_power_off(void);

/* service_run - MT, each turn. */
void service_run(void);

#endif
