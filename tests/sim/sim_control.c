/* The control socket of the bus, in its dullest form: each place is checked against the rows
 * themselves, each page is cut out of them. */
#include "sim.h"

#include <string.h>

static void s_reply(sim_node_t *node, sim_channel_t channel, weft_command_t command,
                    const weft_buf_t *body, const weft_buf_t *page) {
    const char *name = weft_command_name(command);
    sim_post(node, false, channel, sim_frame(name, strlen(name), body, page));
}

static void s_refuse(sim_node_t *node, sim_channel_t channel, uint64_t id, weft_err_t code) {
    weft_error_t error = {.id = id,
                          .code = (uint64_t) code,
                          .text = weft_text(weft_err_text(code)),
                          .version = WEFT_PROTOCOL_VERSION};
    weft_buf_t body = {0};
    weft_error_encode(&body, &error);
    s_reply(node, channel, WEFT_COMMAND_ERROR, &body, NULL);
    weft_buf_free(&body);
    sim_trace("refuse", node->index, id, (uint64_t) code);
}

/* C1 */
static weft_err_t s_check_place(const weft_place_t *place) {
    const sim_disk_t *disk = &w.bus.disk;
    uint64_t position = place->at.position.value;
    if (place->kind == WEFT_PLACE_NONE) return WEFT_OK;
    if (position == 0) return disk->first ? WEFT_E_GONE : WEFT_OK;
    RULE("C1", place->kind == WEFT_PLACE_CHECKED, "a reader names position %llu without its chain",
         (unsigned long long) position);
    if (memcmp(&place->at.log, &disk->log, sizeof disk->log) != 0) return WEFT_E_OTHER_LOG;
    if (position > disk->count) return WEFT_E_LOG_BEHIND;
    if (position < disk->first) return WEFT_E_GONE;
    return disk->rows[position - 1]->chain == place->at.chain ? WEFT_OK : WEFT_E_FORKED;
}

static void s_hello(sim_node_t *node, sim_channel_t channel, const sim_frame_t *frame) {
    static const weft_uuid_t none;
    weft_hello_t hello;
    weft_buf_t body = {0}, limits = {0}, state = {0};
    const sim_disk_t *disk = &w.bus.disk;
    weft_err_t rc = weft_hello_decode(frame->body, frame->body_size, &hello);
    RULE("C1", rc == WEFT_OK, "HELLO does not decode: %s", weft_err_name(rc));
    rc = s_check_place(&hello.position);
    if (rc != WEFT_OK) {
        s_refuse(node, channel, hello.id, rc);
        return;
    }
    weft_limits_encode(&limits);
    weft_welcome_t welcome = {
        .id = hello.id,
        .version = WEFT_PROTOCOL_VERSION,
        .boot = w.bus.boot,
        .log = disk->log,
        .first = disk->first,
        .first_chain = disk->first ? disk->rows[disk->first - 1]->chain : 0,
        .head = disk->count,
        .chain = disk->count ? disk->rows[disk->count - 1]->chain : 0,
        .at = w.now * 1000,
        .fanout = weft_text("ipc:///sim.fan"),
        .ingest = weft_text("ipc:///sim.in"),
        .software = weft_text("sim"),
        .accepting = w.bus.trouble == WEFT_OK,
        .reason = weft_text(w.bus.trouble == WEFT_OK ? "" : "disk"),
        .limits = {.data = limits.data, .size = limits.size},
    };
    if (memcmp(&hello.origin, &none, sizeof none) != 0) {
        unsigned index = (unsigned) hello.origin.bytes[15] << 8 | hello.origin.bytes[14];
        const sim_origin_t *known = &disk->origins[index];
        weft_origin_state_t origin = {
            .last = known->last, .chain = known->chain, .position = known->position};
        weft_origin_state_encode(&state, &origin);
        welcome.origin = (weft_bytes_t){.data = state.data, .size = state.size};
    }
    weft_welcome_encode(&body, &welcome);
    s_reply(node, channel, WEFT_COMMAND_WELCOME, &body, NULL);
    weft_buf_free(&body);
    weft_buf_free(&limits);
    weft_buf_free(&state);
}

/* C2 */
static void s_cut_page(const sim_node_t *node, const weft_fetch_t *fetch, weft_page_t *page,
                       weft_buf_t *events) {
    const sim_disk_t *disk = &w.bus.disk;
    uint64_t rows = w.healed ? 100000 : w.profile.page_rows;
    uint64_t from = fetch->position.at.position.value;
    *page = (weft_page_t){.id = fetch->id,
                          .boot = w.bus.boot,
                          .log = disk->log,
                          .from = from,
                          .next = from,
                          .head = disk->count};
    for (; page->next < disk->count && rows; rows--) {
        const sim_row_t *row = disk->rows[page->next];
        const sim_type_t *type = &w.types[row->event->type];
        if (type->matches[node->set]) {
            size_t more = row->event->size + WEFT_STAMP_BYTES_MAX + type->size + 3;
            if (page->count == fetch->max_events) break;
            if (page->count && events->size + more > fetch->max_bytes) break;
            weft_stamp_t stamp = {row->position, row->stored_us, row->chain};
            weft_mp_put_str(events, type->name, type->size);
            weft_stamp_write(weft_buf_reserve(events, WEFT_STAMP_BYTES_MAX), &stamp);
            events->size += WEFT_STAMP_BYTES_MAX;
            weft_buf_append(events, row->event->bytes, row->event->size);
            page->count++;
            page->sum += row->checksum;
        }
        page->next++;
    }
    page->chain = page->next ? disk->rows[page->next - 1]->chain : 0;
    if (page->next < page->head) SAW(page_more);
    if (!page->count && page->next > from) SAW(page_empty);
}

static void s_check_filters(const sim_node_t *node, const weft_fetch_t *fetch) {
    weft_text_t items[WEFT_FILTERS_MAX];
    weft_filters_t filters = {.items = items};
    weft_err_t rc = weft_filters_decode(fetch->filters, &filters);
    RULE("F4", rc == WEFT_OK, "filters do not decode: %s", weft_err_name(rc));
    for (size_t i = 0; i < filters.count; i++) {
        const char *wanted = sim_filters[node->set][i];
        RULE("F4",
             wanted && strlen(wanted) == items[i].size &&
                 memcmp(wanted, items[i].data, items[i].size) == 0,
             "FETCH names other filters than the node has");
    }
}

static void s_fetch(sim_node_t *node, sim_channel_t channel, const sim_frame_t *frame) {
    weft_fetch_t fetch;
    weft_page_t page;
    weft_buf_t body = {0}, events = {0};
    weft_err_t rc = weft_fetch_decode(frame->body, frame->body_size, &fetch);
    RULE("C2", rc == WEFT_OK, "FETCH does not decode: %s", weft_err_name(rc));
    s_check_filters(node, &fetch);
    rc = s_check_place(&fetch.position);
    if (rc != WEFT_OK) {
        s_refuse(node, channel, fetch.id, rc);
        return;
    }
    s_cut_page(node, &fetch, &page, &events);
    weft_page_encode(&body, &page);
    s_reply(node, channel, WEFT_COMMAND_PAGE, &body, &events);
    weft_buf_free(&body);
    weft_buf_free(&events);
}

void sim_control(sim_node_t *node, sim_channel_t channel, const sim_frame_t *frame) {
    weft_command_t command = weft_command_parse(frame->topic, frame->topic_size);
    sim_trace(command == WEFT_COMMAND_HELLO ? "hello" : "fetch", node->index, channel,
              frame->body_size);
    if (command == WEFT_COMMAND_HELLO)
        s_hello(node, channel, frame);
    else
        s_fetch(node, channel, frame);
}
