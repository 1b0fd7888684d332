/* Time that passes for a USB host controller and its driver, in the driver's
 * tests. Included by a test once, behind its model (model.now_us, run_frame())
 * and usb_host_pc.h. */
#ifndef TESTS_UNIT_USB_RUN_H
#define TESTS_UNIT_USB_RUN_H

static void run_ms(unsigned ms)
{
    for (; ms > 0; ms--) {
        run_frame();
        (void)poll(&pci);
        model.now_us += 1000;
        (void)timer_run();
    }
}

#endif
