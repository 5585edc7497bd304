/* Plays the dispatcher of the stub for one handler: a program for qemu-xtensa (Debian's qemu-user).

   Standard input: opcode, size of the payload, the payload, then MEMORY bytes for the memory at
   MEMORY_AT. Standard output: the status, the response (76 bytes), each frame behind its size, the
   word -1, and the memory as it then is. HANDLER is the entry. The flash holds what offsets are
   multiplied by 2654435761. */
#include "plugin.h"

#define MEMORY 8192
#define FLASH 0x10000

static uint32_t memory[MEMORY / 4] __attribute__((section(".memory")));
static uint32_t payload[64];
static struct response response;

static int call_kernel(int number, int first, const void *second, int third)
{
    register int a2 __asm__("a2") = number;
    register int a6 __asm__("a6") = first;
    register const void *a3 __asm__("a3") = second;
    register int a4 __asm__("a4") = third;
    __asm__ volatile("syscall" : "+r"(a2) : "r"(a6), "r"(a3), "r"(a4) : "memory");
    return a2;
}

static void put(const void *data, int size)
{
    call_kernel(13, 1, data, size);
}

static void take(void *data, int size)
{
    while (size > 0) {
        int got = call_kernel(12, 0, data, size);
        data = (char *)data + got;
        size -= got;
    }
}

static bool send(const void *data, size_t size)
{
    put(&size, 4);
    put(data, size);
    return true;
}

int rom_read(uint32_t offset, uint32_t *buffer, int32_t size)
{
    if (offset + size > FLASH)
        return 1;
    for (int32_t i = 0; i < size / 4; i++)
        buffer[i] = (offset + 4 * i) * 2654435761u;
    return 0;
}

uint32_t weigh(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f, uint32_t g,
               uint32_t h)
{
    return a + 2 * b + 4 * c + 8 * d + 16 * e + 32 * f + 64 * g + 128 * h;
}

int handler(uint32_t, const uint32_t *, uint32_t, struct response *);

void harness(void)
{
    static int (*volatile entry)(uint32_t, const uint32_t *, uint32_t, struct response *) = handler;
    static const struct transport transport = {0, 0, send};
    uint32_t head[2], end = -1;
    int status;

    take(head, 8);
    take(payload, head[1]);
    take(memory, MEMORY);
    status = entry(head[0], payload, head[1], &response);
    put(&status, 4);
    put(&response, 76);
    if (status == 0 && response.after) {
        struct context context = {head[0], 0, head[1], 0, payload, &transport};
        response.after(&context);
    }
    put(&end, 4);
    put(memory, MEMORY);
    call_kernel(118, 0, 0, 0);
}

__asm__(".section .text.start, \"ax\"\n.literal_position\n.align 4\n.global _start\n_start:\n"
        "movi a0, 0\n"
        "movi a8, harness\n"
#ifdef __XTENSA_WINDOWED_ABI__
        ".byte 0xe0, 0x08, 0x00\n" /* callx8 a8 */
#else
        "callx0 a8\n"
#endif
);
