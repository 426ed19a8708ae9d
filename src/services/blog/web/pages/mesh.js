/* mesh: the page of the mesh. What it keeps is bounded, however much flows by. */
import {announce, el, setText, themeButton} from "./dom.js";
import {Graph} from "./graph.js";
import {Causes} from "./causes.js";

const ROWS = 9;
const RATES = 120; /* of 500 ms each */
const RATE_MS = 500;
const SMOOTH_MS = 2000;
const AGAIN_MS = 1000;
const SLIGHT = 1000; /* events of lag: no reason for colour */

const by = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");
const graph = new Graph(by("graph"), by("graph-words"), by("graph-empty"));
const causes = new Causes(by("causes"), by("tree"), by("causes-title"));

function trouble(text) {
    setText(by("trouble"), text);
    by("trouble").hidden = !text;
}

/* ---- rate */

const counts = []; /* [time, events] of the last seconds */
const rates = new Array(RATES).fill(0);
let open = 0;

function rate(now) {
    while (counts.length && counts[0][0] < now - SMOOTH_MS) counts.shift();
    return counts.reduce((sum, [, events]) => sum + events, 0) / (SMOOTH_MS / 1000);
}

function short(value) {
    if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
    if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
    return value >= 10 || value === 0 ? number(Math.round(value)) : value.toFixed(1);
}

setInterval(() => {
    const now = rate(performance.now());
    rates.push(now);
    if (rates.length > RATES) rates.shift();
    setText(by("rate"), open ? short(now) : "–");
    const most = Math.max(1, ...rates);
    const line = rates.map((value, at) => `${(120 - (rates.length - 1 - at) * 120 / (RATES - 1)).toFixed(1)} ${(34 - 32 * value / most).toFixed(1)}`);
    by("spark").firstElementChild.setAttribute("d", line.length > 1 ? "M" + line.join("L") : "");
}, RATE_MS);

/* ---- services */

const rows = new Map();
const told = new Map();

function row(service) {
    const cells = ["how", "position n", "lag n", "outbox n", "dead n", "filters"].map((name) => el("td", {class: name}));
    cells[0].append(el("span", {class: "state"}));
    const node = el("tr", {"data-name": service.name}, el("th", {scope: "row"}, service.name), cells);
    return {node, state: cells[0].firstChild, cells};
}

function mark(cell, base, value, grave) {
    setText(cell, number(value));
    const name = value && grave ? `${base} ${grave}` : base;
    if (cell.className !== name) cell.className = name;
}

function fillRow({node, state, cells}, service) {
    const silent = service.state === "silent";
    setText(state, silent ? `silent ${Math.round(service.silentMs / 1000)} s` : service.state);
    state.className = `state ${service.state.split(" ")[0]}`;
    node.dataset.state = service.state;
    setText(cells[1], number(service.position));
    /* A service in good health reports a little late. */
    const grave = silent ? "bad" : service.state === "live" && service.lag < SLIGHT ? "" : "warn";
    mark(cells[2], "lag n", service.lag, grave);
    mark(cells[3], "outbox n", service.outbox, "warn");
    mark(cells[4], "dead n", service.parked, "bad");
    setText(cells[5], (service.filters || []).filter((filter) => filter !== "weft.none").join(", ") || "nothing");
}

/* Whoever cannot see the table hears of what is grave. */
function tellChange(service) {
    const before = told.get(service.name);
    told.set(service.name, service.state);
    if (!before || before === service.state) return;
    if (service.state === "silent") announce(`${service.name} is silent`);
    else if (before === "silent") announce(`${service.name} is back`);
}

function tile(id, text, grave) {
    setText(by(id), text);
    by(id).className = grave || "";
}

function showServices(state) {
    const services = [...state.services].sort((a, b) => (a.name < b.name ? -1 : 1));
    const names = new Set(services.map((service) => service.name));
    for (const [name, known] of rows) {
        if (names.has(name)) continue;
        known.node.remove();
        rows.delete(name);
        told.delete(name);
    }
    services.forEach((service, at) => {
        if (!rows.has(service.name)) rows.set(service.name, row(service));
        const known = rows.get(service.name);
        fillRow(known, service);
        tellChange(service);
        const place = by("services").children[at] || null;
        if (place !== known.node) by("services").insertBefore(known.node, place);
    });
    const sum = (name) => services.reduce((total, service) => total + service[name], 0);
    const alive = services.filter((service) => service.state !== "silent").length;
    const lag = Math.max(0, ...services.map((service) => service.lag));
    tile("head", number(state.head));
    tile("alive", `${alive} of ${services.length}`, alive < services.length ? "bad" : "");
    tile("lag", number(lag), lag >= SLIGHT ? "warn" : "");
    tile("outbox", number(sum("outbox")), sum("outbox") ? "warn" : "");
    tile("dead", number(sum("parked")), sum("parked") ? "bad" : "");
    by("unshown").hidden = state.total <= services.length;
    setText(by("unshown"), `and ${state.total - services.length} more: weft services lists all`);
    graph.setServices(services);
}

function upTime(startedUs) {
    const minutes = Math.max(0, Math.round((Date.now() - startedUs / 1000) / 60000));
    if (minutes < 60) return `${minutes} min`;
    return minutes < 2880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
}

function showState(state) {
    if (state.bus === "away") {
        setText(by("bus"), "the bus is away");
        trouble("The bus does not answer. Services go on with what they have, and send what they have to tell when it is back.");
        return;
    }
    setText(by("bus"), `${state.software}, up for ${upTime(state.started)}, ${state.accepting ? "accepting events" : "accepting no events"}`);
    trouble(state.accepting ? "" : `The bus accepts no events: ${state.reason}`);
    showServices(state);
}

/* ---- events */

const last = [];
const items = [];
let paused = false, held = false;

function item() {
    const parts = ["at", "type", "when", "where"].map((name) => el("span", {class: name}));
    const button = el("button", {type: "button"}, parts);
    const node = el("li", {}, button);
    const made = {node, button, parts, event: null};
    button.onclick = () => {
        for (const other of items) other.button.removeAttribute("aria-current");
        button.setAttribute("aria-current", "true");
        causes.show(made.event);
    };
    return made;
}

function showEvents() {
    if (paused || held) return;
    const shown = last.slice(-ROWS).reverse();
    while (items.length < shown.length) {
        items.push(item());
        by("events").append(items.at(-1).node);
    }
    by("events-empty").hidden = shown.length > 0;
    items.forEach((made, at) => {
        const event = shown[at];
        made.node.hidden = !event;
        if (!event) return;
        made.event = event;
        const [position, type, when, where] = made.parts;
        setText(position, `#${event.position}`);
        setText(type, event.type);
        setText(when, new Date(event.stored / 1000).toLocaleTimeString("en", {hour12: false}));
        setText(where, `${event.source}${event.subject ? " · " + event.subject : ""}${event.cause ? " · because of #" + event.cause : ""}`);
        if (causes.position === event.position) made.button.setAttribute("aria-current", "true");
        else made.button.removeAttribute("aria-current");
    });
}

function hold(on) {
    held = on;
    by("held").hidden = !on;
    showEvents();
}

const list = by("events");
list.onpointerenter = () => hold(true);
list.onpointerleave = () => hold(list.contains(document.activeElement) && document.activeElement.matches(":focus-visible"));
list.addEventListener("focusin", () => hold(true));
list.addEventListener("focusout", (event) => {
    if (!list.contains(event.relatedTarget) && !list.matches(":hover")) hold(false);
});

by("pause").onclick = () => {
    paused = !paused;
    by("pause").setAttribute("aria-pressed", String(paused));
    setText(by("pause"), paused ? "Go on" : "Pause");
    showEvents();
};

function keep(events) {
    last.push(...events);
    if (last.length > ROWS) last.splice(0, last.length - ROWS);
    showEvents();
}

/* ---- the stream */

function listen() {
    const source = new EventSource("/api/mesh/stream");
    const on = (name, fn) => source.addEventListener(name, (event) => fn(JSON.parse(event.data)));
    const link = (state, text) => {
        by("link").dataset.state = state;
        setText(by("link"), text);
    };
    source.onopen = () => {
        open = performance.now();
        link("live", "Live");
        trouble("");
    };
    source.onerror = () => {
        source.close();
        open = 0;
        link("away", "Reconnecting");
        trouble("The page has lost its connection, and tries again.");
        setTimeout(listen, AGAIN_MS);
    };
    on("known", (known) => {
        graph.know(known.pairs);
        last.length = 0;
        keep(known.last);
    });
    on("state", showState);
    on("flow", (flow) => {
        /* What lay in the log before the page was there is no rate of now. */
        if (performance.now() - open > 1000) counts.push([performance.now(), flow.events]);
        graph.show(flow);
        keep(flow.last);
    });
}

themeButton();
listen();
performance.mark("interactive");
