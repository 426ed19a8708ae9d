/* composer: a form of one field that loses nothing. What could not be sent stays in it, also over a
 * reload, with the reason beside it; it is sent again by itself under the same Idempotency-Key, so
 * an attempt whose answer was lost is not made twice. */
import {announce, el, remember, remembered, setText} from "./dom.js";
import {newKey} from "./api.js";

const AGAIN_FIRST_MS = 2000;
const AGAIN_MOST_MS = 15000;

let count = 0;

/* name     keeps the draft under it; null keeps none.
 * send     async (text, key): throws an ApiError.
 * done     called after a success.
 * cancel   with it there is a button to leave.
 * Returns the form; form.field is its field. */
export function composer({name, label, placeholder, button, most, lines, value = "", send, done, cancel}) {
    const id = `field-${++count}`;
    const kept = (name && remembered(name)) || {};
    const state = {key: kept.key || newKey(), wait: AGAIN_FIRST_MS, timer: 0, busy: false};

    const field = lines ? el("textarea", {id, rows: lines, maxlength: most, placeholder})
        : el("input", {id, type: "text", maxlength: most, placeholder, autocomplete: "off"});
    field.value = kept.text || value;
    const reason = el("span");
    const now = el("button", {type: "button", class: "plain", onclick: () => attempt()}, "Try now");
    const failure = el("p", {class: "failure", id: `${id}-failure`, role: "alert", hidden: true}, reason, " ", now);
    const go = el("button", {type: "submit", class: "primary"}, button);
    const leave = cancel && el("button", {type: "button", class: "plain", onclick: cancel}, "Cancel");
    const form = el("form", {class: "composer", novalidate: true},
        el("label", {for: id}, label), field, failure, el("div", {class: "row end"}, leave, go));
    form.field = field;

    function keep(waiting) {
        if (!name) return;
        remember(name, field.value.trim() ? {text: field.value, key: state.key, waiting} : null);
    }

    function calm() {
        clearTimeout(state.timer);
        failure.hidden = true;
        field.removeAttribute("aria-invalid");
        field.removeAttribute("aria-describedby");
    }

    function fail(error) {
        const text = error.again
            ? `Not sent yet. ${error.message} Your text is kept here and sent as soon as that works.`
            : `Not sent. ${error.message}`;
        setText(reason, text);
        now.hidden = !error.again;
        failure.hidden = false;
        field.setAttribute("aria-describedby", failure.id);
        if (!error.again) field.setAttribute("aria-invalid", "true");
        keep(error.again);
        if (!error.again) return;
        state.timer = setTimeout(attempt, state.wait);
        state.wait = Math.min(state.wait * 2, AGAIN_MOST_MS);
    }

    /* While it is under way the words stay as they are: no others can be lost with it, or go out under its key. */
    async function attempt() {
        if (state.busy) return;
        clearTimeout(state.timer);
        if (!form.isConnected && state.begun) return; /* its post is gone */
        state.begun = true;
        state.busy = true;
        go.disabled = field.readOnly = true;
        keep(true);
        try {
            await send(field.value.trim(), state.key);
            calm();
            field.value = "";
            state.key = newKey();
            state.wait = AGAIN_FIRST_MS;
            keep(false);
            done?.();
        } catch (error) {
            fail(error);
        } finally {
            state.busy = false;
            go.disabled = field.readOnly = false;
        }
    }

    form.onsubmit = (event) => {
        event.preventDefault();
        state.wait = AGAIN_FIRST_MS;
        if (field.value.trim()) attempt();
        else {
            fail({message: `${label} is empty: write something first.`, again: false});
            field.focus();
        }
    };
    /* Other words are another request: they get a key of their own and are sent when asked for. */
    field.oninput = () => {
        calm();
        state.key = newKey();
        keep(false);
    };
    field.onkeydown = (event) => {
        if (event.key === "Escape" && cancel) cancel();
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    };
    if (kept.waiting) {
        announce("A text that was not sent is sent again.");
        state.timer = setTimeout(attempt, 0);
    }
    return form;
}
