/* blog-moderation: judges each comment once, and again when its content has changed.
 *
 * It owns nothing but its place in the log: the verdict carries the content it is about, and the
 * comments service, which owns the outcome, takes it only for just that content. */
#include <stdlib.h>
#include <string.h>

#include <blog_app.h>
#include <blog_event.h>

#include "words.h"

static const char *s_words_text;

static weft_err_t s_judge(weft_tx_t *tx, const weft_event_t *event, void *arg) {
    const words_t *words = arg;
    blog_data_t data;
    weft_err_t rc = blog_data_read(&data, tx, event);
    if (rc == WEFT_OK && strcmp(data.status, BLOG_PENDING) == 0)
        rc = blog_emit_comment(tx, "comment.moderated", data.post_id, data.id, data.content,
                               words_found(words, data.content) ? BLOG_REJECTED : BLOG_APPROVED);
    blog_data_clear(&data);
    return rc;
}

/* An edited comment is pending again: that comes as comment.updated. */
static weft_err_t s_start(blog_app_t *app) {
    words_t *words = app->state;
    if (!words_parse(words, s_words_text)) {
        weft_diag(WEFT_DIAG_ERROR, "moderation.words", "most=%u", WORDS_MAX);
        return WEFT_E_USAGE;
    }
    weft_err_t rc = weft_service_on(app->service, "comment.created", s_judge, words);
    if (rc == WEFT_OK) rc = weft_service_on(app->service, "comment.updated", s_judge, words);
    return rc;
}

int main(int argc, char **argv) {
    static words_t words;
    static const weft_option_t options[] = {
        {"words", "WORD,WORD", "a comment with one of these is rejected", "orange", &s_words_text},
    };
    static const blog_config_t config = {
        .name = "blog-moderation",
        .listen = "127.0.0.1:4003",
        .options = options,
        .options_count = 1,
        .start = s_start,
        .state = &words,
    };
    int status = blog_main(&config, argc, argv);
    words_clear(&words);
    return status;
}
