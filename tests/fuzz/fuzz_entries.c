/* fuzz_entries: what a subscriber holds, against a plain array. Positions of the entries come with
 * their content, so that a mixed-up entry shows. */
#include "fuzz.h"

#include "weft_entries.h"

#include <stdlib.h>

#define ENTRIES_MAX 64u

typedef struct {
    uint64_t positions[ENTRIES_MAX];
    size_t count;
    bool sorted;
} s_model_t;

static void s_event(weft_buf_t *w, uint64_t position, size_t padding) {
    static const uint8_t origin[16], zeros[256];
    uint8_t data[260];
    data[0] = 0xc5; /* bin 16 */
    data[1] = (uint8_t) (padding >> 8);
    data[2] = (uint8_t) padding;
    memcpy(data + 3, zeros, padding);
    weft_wire_event_t event = {.origin = origin,
                               .source_seq = position,
                               .source = "s",
                               .source_size = 1,
                               .subject = position % 2 ? "odd" : NULL,
                               .subject_size = position % 2 ? 3 : 0,
                               .data = data,
                               .data_size = padding + 3};
    weft_buf_clear(w);
    weft_wire_event_put(w, &event);
}

static void s_add(weft_entries_t *entries, s_model_t *model, weft_buf_t *w, uint64_t position,
                  size_t padding) {
    static weft_sub_type_t type = {.name = (char *) (uintptr_t) "a.b", .size = 3};
    weft_entry_t entry = {.stamp = {.position = position}, .type = &type};
    if (model->count == ENTRIES_MAX) return;
    s_event(w, position, padding);
    weft_mp_t r = weft_mp_reader(w->data, w->size);
    weft_wire_event_t event;
    WEFT_ASSERT(weft_wire_event_take(&r, &event) == WEFT_OK);
    WEFT_ASSERT(weft_entries_add(entries, &entry, &event));
    model->positions[model->count++] = position;
    model->sorted = false;
}

static int s_compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x < y ? -1 : x > y;
}

static void s_sort(weft_entries_t *entries, s_model_t *model) {
    weft_entries_sort(entries);
    qsort(model->positions, model->count, sizeof *model->positions, s_compare);
    model->sorted = true;
}

static void s_drop(weft_entries_t *entries, s_model_t *model, uint64_t position) {
    size_t kept = 0;
    if (!model->sorted) s_sort(entries, model);
    weft_entries_drop(entries, position);
    for (size_t i = 0; i < model->count; i++)
        if (model->positions[i] > position) model->positions[kept++] = model->positions[i];
    model->count = kept;
}

static void s_check(weft_entries_t *entries, const s_model_t *model) {
    const weft_event_t *events = weft_entries_events(entries);
    WEFT_ASSERT(events && entries->count == model->count);
    for (size_t i = 0; i < model->count; i++) {
        uint64_t position = model->positions[i];
        WEFT_ASSERT(events[i].position.value == position && events[i].sequence.value == position);
        WEFT_ASSERT(strcmp(events[i].type, "a.b") == 0 && strcmp(events[i].source, "s") == 0);
        WEFT_ASSERT(strcmp(events[i].subject, position % 2 ? "odd" : "") == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_t in = fuzz_input(data, size);
    weft_entries_t entries = {0};
    s_model_t model = {.sorted = true};
    weft_buf_t w;
    size_t cut_count = 0, cut_bytes = 0; /* a place to go back to */
    weft_buf_init(&w);
    while (fuzz_left(&in)) {
        uint8_t op = fuzz_byte(&in);
        switch (op % 6) {
        case 0:
        case 1: s_add(&entries, &model, &w, 1 + op / 6, fuzz_byte(&in)); break;
        case 2:
            s_sort(&entries, &model);
            cut_count = cut_bytes = 0;
            break;
        case 3:
            s_drop(&entries, &model, op / 6);
            cut_count = cut_bytes = 0;
            break;
        case 4:
            cut_count = entries.count;
            cut_bytes = entries.bytes.size;
            break;
        default:
            if (cut_count == 0) break;
            weft_entries_cut(&entries, cut_count, cut_bytes);
            model.count = cut_count;
            break;
        }
        if (op & 0x80) s_check(&entries, &model);
    }
    s_check(&entries, &model);
    weft_entries_free(&entries);
    weft_buf_free(&w);
    return 0;
}
