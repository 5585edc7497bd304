/* Up to 16 words of memory in the reply itself. Payload: address, count (16 at most).

   The value is the address plus all words: it shows a bit that flips in the request or in the
   reply, and whose reply it is. So there is no check in the payload. */
#include "plugin.h"

int handler(uint32_t command, const uint32_t *data, uint32_t size, struct response *response)
{
    if (data[1] > 16)
        return BAD_SIZE;
    const volatile uint32_t *from = (const volatile uint32_t *)data[0];
    uint32_t *to = (uint32_t *)response->data, total = data[0];

    response->size = 4 * data[1];
    for (uint32_t left = data[1]; left; left--) {
        uint32_t word = *from++;
        total += word;
        *to++ = word;
    }
    response->value = total;
    return 0;
}
