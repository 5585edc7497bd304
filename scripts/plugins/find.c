/* Find bytes in memory. Payload: address, size (multiples of 4), size of the pattern (at most 16),
   the pattern and a mask of it, 16 bytes each, check.

   The value is the address where the pattern begins, or 1, which is none. */
#include "plugin.h"

int handler(uint32_t command, const uint32_t *data, uint32_t size, struct response *response)
{
    if (!is_whole(command, data, 12))
        return BAD_CHECKSUM;
    const volatile uint32_t *memory = (const volatile uint32_t *)data[0];
    uint32_t end = data[1], length = data[2];
    const uint8_t *pattern = (const uint8_t *)(data + 3), *mask = pattern + 16;
    uint32_t word = 0;

    response->value = 1;
    for (uint32_t at = 0; at + length <= end; at++) {
        if (at % 4 == 0)
            word = memory[at / 4];
        if (((word >> at % 4 * 8) ^ pattern[0]) & mask[0])
            continue;
        uint32_t i = 1;
        while (i < length
               && !(((memory[(at + i) / 4] >> (at + i) % 4 * 8) ^ pattern[i]) & mask[i]))
            i++;
        if (i >= length) {
            response->value = data[0] + at;
            break;
        }
    }
    return 0;
}
