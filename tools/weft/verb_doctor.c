/* weft doctor: is this a place where a mesh keeps its promises? */
#include "weft_findings.h"

#include "weft_out.h"
#include "weft_stop.h"

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_args_t args;
    weft_err_t rc = weft_args_parse(&args, verb, argc, argv, NULL, 0);
    if (rc != WEFT_OK) return rc;
    if (!weft_stop_take()) return weft_say(verb, WEFT_E_IO, "cannot take signals");
    weft_findings_t findings = {.json = args.json};
    weft_doctor_host(&findings);
    for (size_t i = 0; i < args.words_count && !weft_stop_wanted(); i++)
        weft_doctor_disk(&findings, args.words[i]);
    if (!weft_stop_wanted()) weft_doctor_mesh(&findings, &args);
    return weft_stop_wanted() ? WEFT_E_INTERRUPTED : WEFT_OK;
}

const weft_verb_t weft_verb_doctor = {
    .name = "doctor",
    .words = "[DIR...]",
    .words_most = 64,
    .help = "look at disks, clock, limits, versions and ports; exit 0, 3 (warning) or 4 (critical)",
    .more =
        "DIR is where a store or a database lies, or will lie: its file system, how long a sync takes\n"
        "and whether that can be true, and its free room. The databases of services that run on this\n"
        "machine are looked at, too: one for each file system that no DIR lies on. Each finding that is\n"
        "not ok says what to do. A disk that claims to have written what it has not cannot be found out\n"
        "without pulling the plug.\n",
    .run = s_run,
    .online = true,
};
