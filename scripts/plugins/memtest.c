/* Test RAM; what was in it is lost. Payload: address, size (multiples of 4), test, check.

   Tests: march C- with a pattern and its complement, a walking one in each word, and a word at each
   power of two from the start, for address lines. The answer is 16 words: how many reads were
   wrong, all bits that were ever wrong, then the addresses and wrong bits of the first seven. */
#include "plugin.h"

enum { MARCH, WALK, LINES };

struct faults {
    uint32_t count, bits, places[14];
};

static inline __attribute__((always_inline)) void check(struct faults *faults,
                                                        const volatile uint32_t *at, uint32_t right)
{
    uint32_t wrong = *at ^ right;
    if (!wrong)
        return;
    if (faults->count < 7) {
        faults->places[2 * faults->count] = (uint32_t)at;
        faults->places[2 * faults->count + 1] = wrong;
    }
    faults->count++;
    faults->bits |= wrong;
}

int handler(uint32_t command, const uint32_t *data, uint32_t size, struct response *response)
{
    if (!is_whole(command, data, 4))
        return BAD_CHECKSUM;
    volatile uint32_t *memory = (volatile uint32_t *)data[0];
    uint32_t words = data[1] / 4, test = data[2];
    struct faults *faults = (struct faults *)response->data;

    response->size = sizeof *faults;
    if (test == MARCH) {
        /* up (w0); up (r0, w1); up (r1, w0); down (r0, w1); down (r1, w0); down (r0) */
        for (uint32_t step = 0; step < 6; step++) {
            uint32_t old = step & 1 ? 0 : 0xFFFFFFFF;
            for (uint32_t i = 0; i < words; i++) {
                volatile uint32_t *at = memory + (step < 3 ? i : words - 1 - i);
                if (step)
                    check(faults, at, old);
                if (step < 5)
                    *at = ~old;
            }
        }
    } else if (test == WALK) {
        for (uint32_t i = 0; i < words; i++)
            for (uint32_t bit = 1; bit; bit <<= 1) {
                memory[i] = bit;
                check(faults, memory + i, bit);
            }
    } else {
        /* A word at each power of two holds its own place; a bridged line shows another's. */
        memory[0] = 0xFFFFFFFF;
        for (uint32_t line = 1; line < words; line <<= 1)
            memory[line] = line;
        check(faults, memory, 0xFFFFFFFF);
        for (uint32_t line = 1; line < words; line <<= 1)
            check(faults, memory + line, line);
    }
    return 0;
}
