/* Clock, random numbers, links, the trace, and memory that lives as long as a seed. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_LAST 60
#define CHUNK (1u << 20)

sim_world_t w;

static void *s_must(void *memory) {
    if (memory) return memory;
    fprintf(stderr, "sim: out of memory\n");
    exit(2);
}

/* ---- random numbers: splitmix64 */

uint64_t sim_random(void) {
    uint64_t z = (w.random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t sim_below(uint64_t limit) {
    return limit ? sim_random() % limit : 0;
}

bool sim_chance(unsigned permille) {
    return !w.healed && permille && sim_below(1000) < permille;
}

/* ---- memory: chunks that the next seed uses again */

typedef struct s_chunk {
    struct s_chunk *next;
    size_t size, used;
    _Alignas(16) uint8_t bytes[];
} s_chunk_t;

static s_chunk_t *s_chunks, *s_spare;

void *sim_alloc(size_t size) {
    size = (size + 15) & ~(size_t) 15;
    if (!s_chunks || s_chunks->used + size > s_chunks->size) {
        s_chunk_t *chunk = size <= CHUNK ? s_spare : NULL;
        if (chunk) {
            s_spare = chunk->next;
        } else {
            size_t room = size > CHUNK ? size : CHUNK;
            chunk = s_must(malloc(sizeof *chunk + room));
            chunk->size = room;
        }
        chunk->used = 0;
        chunk->next = s_chunks;
        s_chunks = chunk;
    }
    void *memory = s_chunks->bytes + s_chunks->used;
    s_chunks->used += size;
    return memset(memory, 0, size);
}

void sim_free_all(void) {
    while (s_chunks) {
        s_chunk_t *next = s_chunks->next;
        if (s_chunks->size == CHUNK) {
            s_chunks->next = s_spare;
            s_spare = s_chunks;
        } else {
            free(s_chunks);
        }
        s_chunks = next;
    }
}

/* ---- map: keys are hashes already; 0 is no key */

static size_t s_find(const sim_map_t *map, uint64_t key) {
    size_t at = (size_t) key & (map->capacity - 1);
    while (map->values[at] && map->keys[at] != key) at = (at + 1) & (map->capacity - 1);
    return at;
}

void *sim_map_get(const sim_map_t *map, uint64_t key) {
    return map->capacity ? map->values[s_find(map, key)] : NULL;
}

void sim_map_put(sim_map_t *map, uint64_t key, void *value) {
    if ((map->count + 1) * 2 > map->capacity) {
        sim_map_t old = *map;
        map->capacity = old.capacity ? old.capacity * 2 : 4096;
        map->keys = s_must(calloc(map->capacity, sizeof *map->keys));
        map->values = s_must(calloc(map->capacity, sizeof *map->values));
        for (size_t i = 0; i < old.capacity; i++) {
            if (!old.values[i]) continue;
            size_t at = s_find(map, old.keys[i]);
            map->keys[at] = old.keys[i];
            map->values[at] = old.values[i];
        }
        free(old.keys);
        free(old.values);
    }
    size_t at = s_find(map, key);
    map->count += !map->values[at];
    map->keys[at] = key;
    map->values[at] = value;
}

void sim_map_clear(sim_map_t *map) {
    free(map->keys);
    free(map->values);
    *map = (sim_map_t){0};
}

/* ---- frames */

sim_frame_t *sim_frame(const void *topic, size_t topic_size, const weft_buf_t *body,
                       const weft_buf_t *page) {
    size_t page_size = page ? page->size : 0;
    sim_frame_t *frame = s_must(malloc(sizeof *frame + topic_size + body->size + page_size + 1));
    *frame = (sim_frame_t){.refs = 1,
                           .topic_size = topic_size,
                           .body_size = body->size,
                           .page_size = page_size,
                           .topic = (uint8_t *) (frame + 1)};
    frame->body = frame->topic + topic_size;
    frame->page = frame->body + body->size;
    memcpy(frame->topic, topic, topic_size);
    if (body->size) memcpy(frame->body, body->data, body->size);
    if (page_size) memcpy(frame->page, page->data, page_size);
    return frame;
}

sim_frame_t *sim_hold(sim_frame_t *frame) {
    frame->refs++;
    return frame;
}

void sim_release(sim_frame_t *frame) {
    if (frame && --frame->refs == 0) free(frame);
}

void sim_queue_put(sim_queue_t *queue, sim_frame_t *frame) {
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity ? queue->capacity * 2 : 16;
        sim_frame_t **items = s_must(malloc(capacity * sizeof *items));
        for (size_t i = 0; i < queue->count; i++)
            items[i] = queue->items[(queue->first + i) % queue->capacity];
        free(queue->items);
        queue->items = items;
        queue->first = 0;
        queue->capacity = capacity;
    }
    queue->items[(queue->first + queue->count++) % queue->capacity] = frame;
}

sim_frame_t *sim_queue_take(sim_queue_t *queue) {
    if (!queue->count) return NULL;
    sim_frame_t *frame = queue->items[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
    return frame;
}

void sim_queue_clear(sim_queue_t *queue) {
    while (queue->count) sim_release(sim_queue_take(queue));
    free(queue->items);
    *queue = (sim_queue_t){0};
}

/* ---- the heap of what comes next, by (time, serial) */

static bool s_before(const sim_item_t *a, const sim_item_t *b) {
    return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

static void s_push(const sim_item_t *item) {
    if (w.heap_count == w.heap_capacity) {
        w.heap_capacity = w.heap_capacity ? w.heap_capacity * 2 : 1024;
        w.heap = s_must(realloc(w.heap, w.heap_capacity * sizeof *w.heap));
    }
    size_t at = w.heap_count++;
    while (at && s_before(item, &w.heap[(at - 1) / 2])) {
        w.heap[at] = w.heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    w.heap[at] = *item;
}

bool sim_pop(sim_item_t *item) {
    if (!w.heap_count) return false;
    *item = w.heap[0];
    sim_item_t last = w.heap[--w.heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= w.heap_count) break;
        if (child + 1 < w.heap_count && s_before(&w.heap[child + 1], &w.heap[child])) child++;
        if (!s_before(&w.heap[child], &last)) break;
        w.heap[at] = w.heap[child];
        at = child;
    }
    w.heap[at] = last;
    return true;
}

void sim_at(int64_t at, sim_kind_t kind, unsigned node, sim_channel_t channel, uint64_t epoch) {
    sim_item_t item = {.at = at,
                       .serial = ++w.serial,
                       .kind = kind,
                       .node = node,
                       .channel = channel,
                       .epoch = epoch};
    s_push(&item);
}

void sim_requeue(const sim_item_t *item, int64_t at) {
    sim_item_t again = *item;
    again.at = at;
    again.serial = ++w.serial;
    s_push(&again);
}

/* ---- links: in order within a channel of a node, unless this seed reorders */

static void s_transmit(sim_node_t *node, bool to_bus, sim_channel_t channel, sim_frame_t *frame) {
    unsigned spread = w.healed ? 3 : w.profile.delay_ms;
    int64_t at = w.now + 1 + (int64_t) sim_below(sim_below(8) ? spread / 8 + 1 : spread + 1);
    int64_t *last = &node->last_at[to_bus][channel];
    if (at < *last) {
        if (sim_chance(w.profile.reorder))
            SAW(reordered);
        else
            at = *last;
    }
    if (at > *last) *last = at;
    sim_item_t item = {.at = at,
                       .serial = ++w.serial,
                       .kind = to_bus ? SIM_TO_BUS : SIM_TO_NODE,
                       .node = node->index,
                       .channel = channel,
                       .epoch = node->epoch[to_bus],
                       .frame = frame};
    if (channel == SIM_INGEST) node->ingest_waiting++;
    s_push(&item);
}

void sim_post(sim_node_t *node, bool to_bus, sim_channel_t channel, sim_frame_t *frame) {
    bool control = channel == SIM_PUB || channel == SIM_SUB;
    if (node->cut || sim_chance(control ? w.profile.control_drop : w.profile.drop)) {
        if (control)
            SAW(request_lost);
        else
            SAW(dropped);
        sim_release(frame);
        return;
    }
    if (sim_chance(w.profile.doubled)) {
        if (control)
            SAW(request_doubled);
        else
            SAW(doubled);
        s_transmit(node, to_bus, channel, sim_hold(frame));
    }
    s_transmit(node, to_bus, channel, frame);
}

/* ---- the trace */

typedef struct {
    int64_t at;
    uint64_t step, a, b;
    const char *what;
    unsigned node;
} s_line_t;

static s_line_t s_lines[TRACE_LAST];
static uint64_t s_lines_count;
static bool s_print;

void sim_trace_all(bool on) {
    s_print = on;
}

static void s_print_line(FILE *to, const s_line_t *line) {
    char who[16] = "bus";
    if (line->node < SIM_NODES_MAX) snprintf(who, sizeof who, "n%u", line->node);
    fprintf(to, "%8lld ms %6llu %-4s %-18s %llu %llu\n", (long long) line->at,
            (unsigned long long) line->step, who, line->what, (unsigned long long) line->a,
            (unsigned long long) line->b);
}

static void s_mix(uint64_t value) {
    w.hash = (w.hash ^ value) * 0x100000001b3u;
    w.hash ^= w.hash >> 29;
}

void sim_trace(const char *what, unsigned node, uint64_t a, uint64_t b) {
    s_line_t *line = &s_lines[s_lines_count++ % TRACE_LAST];
    *line = (s_line_t){.at = w.now, .step = w.steps, .a = a, .b = b, .what = what, .node = node};
    s_mix((uint64_t) w.now);
    for (const char *c = what; *c; c++) w.hash = (w.hash ^ (uint8_t) *c) * 0x100000001b3u;
    s_mix(node);
    s_mix(a);
    s_mix(b);
    if (s_print) s_print_line(stdout, line);
}

void sim_print_last(void) {
    uint64_t count = s_lines_count < TRACE_LAST ? s_lines_count : TRACE_LAST;
    fflush(stdout);
    fprintf(stderr, "  last steps (time, step, who, what, values):\n");
    for (uint64_t i = s_lines_count - count; i < s_lines_count; i++) {
        fputs("  ", stderr);
        s_print_line(stderr, &s_lines[i % TRACE_LAST]);
    }
}

void sim_fail(const char *rule, const char *file, int line, const char *format, ...) {
    va_list args;
    fflush(stdout);
    fprintf(stderr, "FAIL rule %s  seed=%llu step=%llu t=%lld ms  %s:%d\n  ", rule,
            (unsigned long long) w.seed, (unsigned long long) w.steps, (long long) w.now, file,
            line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort(); /* main prints the last steps and the command */
}
