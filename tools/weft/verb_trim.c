/* weft trim: have the bus forget old events, and wait until it has. */
#include "weft_verb.h"

#include "weft_online.h"
#include "weft_keep.h"
#include "weft_limits.h"
#include "weft_options.h"
#include "weft_os.h"
#include "weft_out.h"
#include "weft_stop.h"

#include <poll.h>
#include <string.h>

#define LOOK_MS 50
#define STUCK_MS 30000

typedef struct {
    const weft_args_t *args;
    weft_ask_t *ask;
    int timeout_ms;
} weft_trim_run_t;

static void s_print_json(const weft_trimmed_t *plan, bool dry_run) {
    json_t *object = json_object();
    json_object_set_new(object, "dryRun", json_boolean(dry_run));
    json_object_set_new(object, "first", json_integer((json_int_t) plan->first));
    json_object_set_new(object, "to", json_integer((json_int_t) plan->to));
    json_object_set_new(object, "wanted", json_integer((json_int_t) plan->wanted));
    json_object_set_new(object, "head", json_integer((json_int_t) plan->head));
    json_object_set_new(object, "bytes", json_integer((json_int_t) plan->bytes));
    json_object_set_new(object, "holder",
                        plan->holder.size ? json_stringn(plan->holder.data, plan->holder.size)
                                          : json_null());
    json_object_set_new(object, "holderResume",
                        plan->holder.size ? json_integer((json_int_t) plan->holder_resume)
                                          : json_null());
    weft_out_json(object);
}

static void s_print(const weft_trimmed_t *plan, bool dry_run) {
    unsigned long long count = plan->to - plan->first;
    if (!count)
        weft_out("nothing to forget: the log keeps events %llu to %llu\n",
                 (unsigned long long) plan->first + 1, (unsigned long long) plan->head);
    else
        weft_out("%s events %llu to %llu (%llu events, about %.1f MB); %llu are kept\n",
                 dry_run ? "would forget" : "forgot", (unsigned long long) plan->first + 1,
                 (unsigned long long) plan->to, count, (double) plan->bytes / 1e6,
                 (unsigned long long) (plan->head - plan->to));
    if (!plan->holder.size) return;
    if (plan->to < plan->wanted)
        weft_out(
            "service %.*s needs the events after %llu: --force forgets them nevertheless, and the "
            "service will be refused with GONE\n",
            (int) plan->holder.size, plan->holder.data, (unsigned long long) plan->holder_resume);
    else
        weft_out("service %.*s needs the events after %llu: it will be refused with GONE\n",
                 (int) plan->holder.size, plan->holder.data,
                 (unsigned long long) plan->holder_resume);
}

/* Until the bus says that the log begins there. */
static weft_err_t s_wait(const weft_trim_run_t *run, uint64_t to) {
    uint64_t first = 0;
    int64_t moved_ms = weft_os_monotonic_ms();
    for (;;) {
        weft_welcome_t welcome;
        weft_err_t rc = weft_ask_welcome(run->ask, run->timeout_ms, &welcome);
        if (rc != WEFT_OK) return weft_say(run->args->verb, rc, "%s", weft_ask_reason(run->ask));
        if (welcome.first >= to) return WEFT_OK;
        int64_t now_ms = weft_os_monotonic_ms();
        if (welcome.first > first) moved_ms = now_ms;
        first = welcome.first;
        if (now_ms - moved_ms > STUCK_MS)
            return weft_say(run->args->verb, WEFT_E_TIMEOUT,
                            "the bus makes no progress at %llu: is its disk full? See what it says",
                            (unsigned long long) first);
        struct pollfd stop = {.fd = weft_stop_fd(), .events = POLLIN};
        poll(&stop, 1, LOOK_MS);
        if (weft_stop_wanted())
            return weft_say(run->args->verb, WEFT_E_INTERRUPTED,
                            "interrupted; the bus goes on up to %llu", (unsigned long long) to);
    }
}

static weft_err_t s_trim(const weft_trim_run_t *run, const weft_trim_t *trim) {
    weft_trimmed_t plan;
    char holder[WEFT_TEXT_BYTES_MAX];
    weft_err_t rc = weft_ask_trim(run->ask, run->timeout_ms, trim, &plan);
    if (rc != WEFT_OK) return weft_say(run->args->verb, rc, "%s", weft_ask_reason(run->ask));
    if (plan.holder.size) memcpy(holder, plan.holder.data, plan.holder.size);
    plan.holder.data = holder; /* the next reply takes the place of this one */
    if (!trim->dry_run && plan.to > plan.first) rc = s_wait(run, plan.to);
    if (rc != WEFT_OK) return rc;
    if (run->args->json)
        s_print_json(&plan, trim->dry_run);
    else
        s_print(&plan, trim->dry_run);
    return WEFT_OK;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    const char *timeout, *keep_text, *to_text, *reason;
    int64_t timeout_ms;
    weft_keep_t keep = {0};
    weft_trim_t trim = {0};
    const weft_verb_option_t options[] = {
        {"keep", "AGE|SIZE", "keep so much: 30d, 20GB, or 30d,20GB", NULL, &keep_text, NULL},
        {"to", "POSITION", "forget the events up to there", NULL, &to_text, NULL},
        {"dry-run", NULL, "only say what would happen", NULL, NULL, &trim.dry_run},
        {"force", NULL, "also what a service has yet to apply", NULL, NULL, &trim.force},
        {"timeout", "SECONDS", "how long to wait for an answer", "3", &timeout, NULL},
    };
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, options,
                                    sizeof options / sizeof *options);
    if (rc != WEFT_OK) return rc;
    if (!weft_args_seconds(timeout, &timeout_ms))
        return weft_say_usage(verb, "--timeout '%s' is no number of seconds", timeout);
    if (keep_text && to_text) return weft_say_usage(verb, "--keep or --to, not both");
    if (keep_text && weft_keep_parse(&keep, keep_text, &reason) != WEFT_OK)
        return weft_say_usage(verb, "--keep '%s': %s", keep_text, reason);
    if (to_text && !weft_options_number(to_text, 1, INT64_MAX, &trim.to))
        return weft_say_usage(verb, "--to '%s' is no position", to_text);
    trim.age_us = keep.age_us;
    trim.bytes = keep.bytes;
    if (!weft_stop_take()) return weft_say(verb, WEFT_E_IO, "cannot take signals");
    weft_ask_t ask;
    rc = weft_ask_begin(&ask, &args);
    if (rc != WEFT_OK) return rc;
    weft_trim_run_t run = {.args = &args, .ask = &ask, .timeout_ms = (int) timeout_ms};
    rc = s_trim(&run, &trim);
    weft_ask_close(&ask);
    return rc;
}

const weft_verb_t weft_verb_trim = {
    .name = "trim",
    .words = "",
    .help = "have the bus forget old events",
    .more =
        "Without --keep and --to, the bounds are those of the bus' own --keep. What a service that\n"
        "reported lately has yet to apply stays, unless --force. Returns when it is done.\n",
    .run = s_run,
};
