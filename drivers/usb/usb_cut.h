/* How a host controller cuts a transfer that is longer than it takes at once:
 * a piece lies within some pages, and only the last one ends with less than a
 * whole packet. */
#ifndef DRIVERS_USB_USB_CUT_H
#define DRIVERS_USB_USB_CUT_H

#include <stdint.h>

struct usb_cut {
    uint32_t page;   /* bytes */
    uint32_t pages;  /* of a piece, at most */
    uint32_t packet; /* bytes; 1: a piece may end anywhere */
};

/* usb_piece - bytes of the piece that begins at the address, of those left. */
static inline uint32_t usb_piece(const struct usb_cut *cut, uint64_t address,
                                 uint32_t left)
{
    uint32_t room = cut->pages * cut->page - (uint32_t)(address % cut->page);

    return left <= room ? left : room - room % cut->packet;
}

/* usb_pieces - how many there are; one for no bytes. */
static inline unsigned usb_pieces(const struct usb_cut *cut, uint64_t address,
                                  uint32_t bytes)
{
    unsigned count = 0;

    do {
        uint32_t piece = usb_piece(cut, address, bytes);

        address += piece;
        bytes -= piece;
        count++;
    } while (bytes > 0);
    return count;
}

#endif
