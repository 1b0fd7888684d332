/* Where the AO begins. */
#ifndef MAIN_H
#define MAIN_H

/* ao_main - called by boot/, resp. by the simulated PC, when the machine seam
 * works. Never returns. */
_Noreturn void ao_main(void);

#endif
