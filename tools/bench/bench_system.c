/* bench_system: see bench_system.h. */
#include "bench_system.h"

#include "bench_run.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_EACH 64 /* the clock is read once in so many events */

bool bench_system_there(const bench_system_t *self) {
    return self->start && (!self->program || bench_program_there(self->program));
}

bench_data_t bench_data(size_t size) {
    uint8_t *bytes = malloc(size + 5);
    if (!bytes) bench_fail("out of memory");
    size_t head = size < 256 ? 2 : size < 65536 ? 3 : 5;
    bytes[0] = (uint8_t) (head == 2 ? 0xc4 : head == 3 ? 0xc5 : 0xc6);
    for (size_t i = 1; i < head; i++) bytes[i] = (uint8_t) (size >> (8 * (head - 1 - i)));
    for (size_t i = 0; i < size; i++) bytes[head + i] = (uint8_t) (i * 131 + 7);
    return (bench_data_t){bytes, head + size};
}

const char *bench_subject(void) {
    return "order/0123456789/line/012345678";
}

size_t bench_event_size(const bench_load_t *load) {
    size_t data = load->data_size ? load->data_size : BENCH_DATA_BYTES;
    return BENCH_EVENT_BYTES - BENCH_DATA_BYTES + data;
}

bool bench_load_more(const bench_load_t *load, uint64_t sent, int64_t begin_ns) {
    if (load->count) return sent < load->count;
    if (sent % LOOK_EACH) return true;
    return bench_now_ns() - begin_ns < (int64_t) (load->seconds * 1e9);
}

bool bench_readers_ready(bench_board_t *board, const bench_slot_t *self) {
    for (const bench_slot_t *slot = board->slots; slot < self; slot++)
        if (!atomic_load(&slot->ready)) return false;
    return true;
}

bool bench_reader_done(bench_board_t *board, bench_slot_t *self) {
    uint64_t target = atomic_load(&board->target);
    return atomic_load(&board->stop) || (target && atomic_load(&self->count) >= target);
}
