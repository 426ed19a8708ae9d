/* weft_top: see weft_top.h. Rates are differences between two states of the same boot of the bus. */
#include "weft_top.h"

#include "weft_os.h"
#include "weft_state.h"

#include <stdio.h>
#include <string.h>

double weft_top_rate(const json_t *object, const char *key) {
    const json_t *rate = json_object_get(object, key);
    return json_is_number(rate) ? json_number_value(rate) : -1;
}

weft_top_presence_t weft_top_presence(const json_t *service) {
    if (json_is_true(json_object_get(service, "silent"))) return WEFT_TOP_SILENT;
    bool reads = json_array_size(json_object_get(service, "filters")) > 0;
    return reads && !json_is_true(json_object_get(service, "live")) ? WEFT_TOP_CATCHES_UP
                                                                    : WEFT_TOP_LIVE;
}

const char *weft_top_presence_text(weft_top_presence_t presence) {
    static const char *const texts[] = {[WEFT_TOP_LIVE] = "live",
                                        [WEFT_TOP_CATCHES_UP] = "catching up",
                                        [WEFT_TOP_SILENT] = "silent"};
    return texts[presence];
}

static json_t *s_difference(long long now, long long before, double seconds) {
    return now >= before && seconds > 0 ? json_real((double) (now - before) / seconds)
                                        : json_null();
}

/* The same process of a service as before: its counters go on. */
static const json_t *s_same(const json_t *services, const json_t *service) {
    size_t i;
    const json_t *other;
    json_array_foreach(services, i, other) {
        if (strcmp(weft_json_text(other, "instance"), weft_json_text(service, "instance")) == 0)
            return other;
    }
    return NULL;
}

static long long s_applied(const json_t *service) {
    return weft_json_int(service, "appliedCatchUp") + weft_json_int(service, "appliedLive");
}

static void s_rate_service(json_t *service, const json_t *before, double seconds) {
    const json_t *same = s_same(json_object_get(before, "services"), service);
    json_object_set_new(service, "rate",
                        same ? s_difference(s_applied(service), s_applied(same), seconds)
                             : json_null());
}

static void s_keep_rate(weft_top_t *self, double rate) {
    if (self->rates_count == WEFT_TOP_RATES) {
        memmove(self->rates, self->rates + 1, (WEFT_TOP_RATES - 1) * sizeof *self->rates);
        self->rates_count--;
    }
    self->rates[self->rates_count++] = rate;
}

static void s_rate(weft_top_t *self, json_t *state, int64_t now_ms) {
    const json_t *before = self->state;
    double seconds = (double) (now_ms - self->at_ms) / 1e3;
    bool same = before &&
                strcmp(weft_json_text(state, "boot"), weft_json_text(before, "boot")) == 0;
    json_t *services = json_object_get(state, "services"), *service;
    size_t i;
    json_array_foreach(services, i, service) {
        s_rate_service(service, before, seconds);
    }
    if (!same) {
        self->rates_count = 0;
        return;
    }
    const json_t *counters = json_object_get(state, "counters");
    const json_t *counters_before = json_object_get(before, "counters");
    json_object_set_new(
        state, "rate",
        s_difference(weft_json_int(state, "head"), weft_json_int(before, "head"), seconds));
    json_object_set_new(state, "commitsRate",
                        s_difference(weft_json_int(counters, "commits"),
                                     weft_json_int(counters_before, "commits"), seconds));
    s_keep_rate(self, weft_top_rate(state, "rate"));
}

bool weft_top_sample(weft_top_t *self, weft_ask_t *ask, int timeout_ms, const char *bus) {
    json_t *state = NULL;
    self->error = weft_state_try(ask, timeout_ms, bus, &state);
    if (self->error != WEFT_OK) {
        snprintf(self->reason, sizeof self->reason, "%s", weft_ask_reason(ask));
        return false;
    }
    int64_t now_ms = weft_os_monotonic_ms();
    s_rate(self, state, now_ms);
    json_decref(self->state);
    self->state = state;
    self->at_ms = now_ms;
    return true;
}

void weft_top_free(weft_top_t *self) {
    json_decref(self->state);
    self->state = NULL;
}

static void s_copy(json_t *to, const json_t *from, const char *key) {
    json_t *value = json_object_get(from, key);
    json_object_set_new(to, key, value ? json_incref(value) : json_null());
}

json_t *weft_top_json(const weft_top_t *self) {
    static const char *const keys[] = {"at",          "head",      "first", "rate",
                                       "commitsRate", "accepting", "reason"};
    static const char *const service_keys[] = {
        "name", "position", "lag", "lagSeconds", "rate", "outbox", "parked", "skipped", "seenAgo"};
    json_t *object = json_object(), *services = json_array();
    const json_t *service;
    size_t i;
    for (i = 0; i < sizeof keys / sizeof *keys; i++) s_copy(object, self->state, keys[i]);
    s_copy(object, json_object_get(self->state, "counters"), "connections");
    json_array_foreach(json_object_get(self->state, "services"), i, service) {
        json_t *one = json_object();
        for (size_t key = 0; key < sizeof service_keys / sizeof *service_keys; key++)
            s_copy(one, service, service_keys[key]);
        json_object_set_new(one, "state",
                            json_string(weft_top_presence_text(weft_top_presence(service))));
        json_array_append_new(services, one);
    }
    json_object_set_new(object, "services", services);
    return object;
}
