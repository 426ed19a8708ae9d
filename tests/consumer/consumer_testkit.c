/* A user's test on the installed kit: a bus of its own, one event, gone again. */
#include <stdio.h>
#include <weft_testkit.h>

int main(void) {
    weft_testkit_t *kit = NULL;
    weft_position_t position = {0};
    weft_err_t rc = weft_testkit_new(&kit);
    if (rc == WEFT_OK)
        rc = weft_testkit_publish(kit, "post.created", "post/1", "{\"id\":\"1\"}", &position);
    printf("%s at position %llu\n", weft_err_text(rc), (unsigned long long) position.value);
    weft_testkit_destroy(&kit);
    return rc == WEFT_OK && position.value == 1 ? 0 : 1;
}
