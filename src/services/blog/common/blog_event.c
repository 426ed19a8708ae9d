/* blog_event: the events of the blog. Their data is a map, built and read as JSON. */
#include "blog_event.h"

#include <stdlib.h>
#include <string.h>

#define ID_BYTES_MAX 64u /* ours have 8; others may write to the log, too */

bool blog_id_ok(const char *id) {
    size_t size = strlen(id);
    return size && size <= ID_BYTES_MAX &&
           strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == size;
}

weft_err_t blog_emit(weft_tx_t *tx, const char *type, const char *post_id, json_t *data) {
    char subject[sizeof "post/" + ID_BYTES_MAX] = "post/";
    char *json = data ? json_dumps(data, JSON_COMPACT) : NULL;
    void *packed = NULL;
    size_t packed_size = 0;
    json_decref(data);
    if (!json) return WEFT_E_NOMEM;
    strncat(subject, post_id, ID_BYTES_MAX);
    weft_err_t rc = weft_json_to_msgpack(json, strlen(json), &packed, &packed_size, NULL, 0);
    if (rc == WEFT_OK) rc = weft_tx_emit(tx, type, subject, packed, packed_size);
    free(packed);
    free(json);
    return rc;
}

weft_err_t blog_emit_comment(weft_tx_t *tx, const char *type, const char *post_id, const char *id,
                             const char *content, const char *status) {
    return blog_emit(tx, type, post_id,
                     json_pack("{s:s,s:s,s:s,s:s}", "id", id, "postId", post_id, "content", content,
                               "status", status));
}

/* ---------------------------------------------------------------------------------------------- */

static weft_err_t s_load(blog_data_t *out, weft_tx_t *tx, const weft_event_t *event) {
    char reason[128] = "", *json = NULL;
    weft_err_t rc = weft_msgpack_to_json(event->data, event->data_size, &json, reason,
                                         sizeof reason);
    if (rc == WEFT_E_NOMEM) return rc;
    if (rc != WEFT_OK) {
        weft_tx_reason(tx, "data has no JSON form: %s", reason);
        return WEFT_E_BAD_EVENT;
    }
    out->json = json_loads(json, 0, NULL);
    free(json);
    if (json_is_object(out->json)) return WEFT_OK;
    weft_tx_reason(tx, "data is not a map of texts");
    return WEFT_E_BAD_EVENT;
}

/* The field, if wanted for this type; NULL and a reason if it is wanted and not there. */
static const char *s_text(const blog_data_t *data, weft_tx_t *tx, const char *field, bool wanted) {
    if (!wanted) return "";
    const char *text = json_string_value(json_object_get(data->json, field));
    if (!text) weft_tx_reason(tx, "%s is missing or not a text", field);
    return text;
}

static bool s_id_ok(weft_tx_t *tx, const char *id, const char *field) {
    if (blog_id_ok(id)) return true;
    weft_tx_reason(tx, "%s is not an id", field);
    return false;
}

static bool s_status_ok(weft_tx_t *tx, const char *status) {
    if (strcmp(status, BLOG_PENDING) == 0 || strcmp(status, BLOG_APPROVED) == 0 ||
        strcmp(status, BLOG_REJECTED) == 0)
        return true;
    weft_tx_reason(tx, "status is not pending, approved or rejected");
    return false;
}

weft_err_t blog_data_read(blog_data_t *out, weft_tx_t *tx, const weft_event_t *event) {
    *out = (blog_data_t){0};
    weft_err_t rc = s_load(out, tx, event);
    if (rc != WEFT_OK) return rc;
    bool comment = strncmp(event->type, "comment.", 8) == 0;
    bool deleted = strcmp(strchr(event->type, '.') + 1, "deleted") == 0;
    bool whole = comment && !deleted;
    if (!(out->id = s_text(out, tx, "id", true)) ||
        !(out->post_id = s_text(out, tx, "postId", comment)) ||
        !(out->title = s_text(out, tx, "title", !comment && !deleted)) ||
        !(out->content = s_text(out, tx, "content", whole)) ||
        !(out->status = s_text(out, tx, "status", whole)))
        return WEFT_E_BAD_EVENT;
    if (!s_id_ok(tx, out->id, "id") || (comment && !s_id_ok(tx, out->post_id, "postId")) ||
        (whole && !s_status_ok(tx, out->status)))
        return WEFT_E_BAD_EVENT;
    return WEFT_OK;
}

void blog_data_clear(blog_data_t *data) {
    json_decref(data->json);
    *data = (blog_data_t){0};
}
