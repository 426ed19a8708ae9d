/* dom: elements made by hand. Whatever comes from users goes in as text and never as HTML; the
 * content security policy forbids the ways to do it otherwise. */

/* el("p", {class: "note", onclick: fn, disabled: true}, "text", element, null): an element. A value
 * that is true sets a bare attribute; false, null and undefined set none. */
export function el(tag, props, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props || {})) {
        if (value === false || value === null || value === undefined) continue;
        if (typeof value === "function") node[name] = value;
        else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return node;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, props, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(props || {})) node.setAttribute(name, value);
    node.append(...children);
    return node;
}

/* Change a text only where it differs: what is unchanged is not laid out anew, nor read out again. */
export function setText(node, text) {
    if (node.textContent !== String(text)) node.textContent = text;
}

/* Nothing moves or is made anew between the press of a button and its release: a click that begins on one
 * element and ends on another is none, and whoever clicked would not know. So what comes from outside goes
 * through here: fn is called at once, or as soon as no pointer is down, in order. */
const PRESS_MOST_MS = 10000; /* a release that nobody tells of must not stop the page */
const waiting = [];
let pressed = 0;

export function whenReleased(fn) {
    if (pressed) waiting.push(fn);
    else fn();
}

function release() {
    clearTimeout(pressed);
    pressed = 0;
    for (const fn of waiting.splice(0)) fn();
}

addEventListener("pointerdown", () => {
    clearTimeout(pressed);
    pressed = setTimeout(release, PRESS_MOST_MS);
}, true);
/* The click comes after them, in the same task. */
for (const type of ["pointerup", "pointercancel"]) addEventListener(type, () => setTimeout(release, 0), true);

/* Tell whoever cannot see the page. */
export function announce(text) {
    const region = document.getElementById("announcer");
    if (region) region.textContent = text;
}

/* Ask before something is lost. Resolves to true or false. */
export function confirmed(question, action) {
    return new Promise((resolve) => {
        const cancel = el("button", {type: "submit", value: "no", class: "plain", autofocus: true}, "Cancel");
        const go = el("button", {type: "submit", value: "yes", class: "danger"}, action);
        const form = el("form", {method: "dialog"}, el("p", {id: "question"}, question),
            el("div", {class: "row end"}, cancel, go));
        const dialog = el("dialog", {"aria-labelledby": "question"}, form);
        dialog.onclose = () => {
            dialog.remove();
            resolve(dialog.returnValue === "yes");
        };
        document.body.append(dialog);
        dialog.showModal();
    });
}

/* The button in the head of the page: as the system says, light, dark. */
export function themeButton() {
    const names = {auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark"};
    const order = Object.keys(names);
    const button = document.getElementById("theme");
    let at = order.indexOf(remembered("theme")) < 0 ? "auto" : remembered("theme");
    const show = () => {
        if (at === "auto") delete document.documentElement.dataset.theme;
        else document.documentElement.dataset.theme = at;
        button.setAttribute("aria-label", names[at]);
        button.title = names[at];
    };
    button.onclick = () => {
        at = order[(order.indexOf(at) + 1) % order.length];
        remember("theme", at);
        show();
        announce(names[at]);
    };
    show();
}

/* What this browser keeps; nothing where it forbids that. */
export function remembered(name) {
    try {
        return JSON.parse(localStorage.getItem("weft." + name));
    } catch {
        return null;
    }
}

/* value  null forgets. */
export function remember(name, value) {
    try {
        if (value === null) localStorage.removeItem("weft." + name);
        else localStorage.setItem("weft." + name, JSON.stringify(value));
    } catch {
        /* Full or forbidden: the page works on without. */
    }
}
