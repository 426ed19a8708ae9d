/* graph: the picture of who tells whom. Boxes stand in columns, from those that begin to those that
 * only listen; dots run along the arrows as events come, few of them however many events there are. */
import {svg, setText} from "./dom.js";

const BOX = {width: 176, height: 50};
const GAP = {x: 190, y: 90};
const ARC = 56; /* by which an arrow past other boxes keeps away from them */
const SLIGHT = 1000; /* events of lag that are not worth a word */
const DOTS_MOST = 80;
const DOT_MS = 900;
const STEP_MS = 160;    /* between events that are shown one after the other */
const ONE_BY_ONE = 12;  /* so many at once are shown in their order */
const LABELS_MOST = 3;
const POINTS = 40;
const HOT_MS = 1200;

/* As in docs/protocol.md: "*" is one segment, ">" one or more, both at the end alone. */
export function matches(filter, type) {
    if (filter === ">" || filter === type) return true;
    if (filter.endsWith(">")) return type.startsWith(filter.slice(0, -1)) && type.length >= filter.length;
    if (!filter.endsWith("*")) return false;
    const stem = filter.slice(0, -1);
    return type.startsWith(stem) && type.length > stem.length && !type.slice(stem.length).includes(".");
}

/* Columns: as far right as the longest way to a box, arrows back left out. */
export function columns(names, edges) {
    const out = new Map(names.map((name) => [name, []]));
    const into = new Map(names.map((name) => [name, 0]));
    for (const {from, to} of edges) {
        if (from === to) continue;
        out.get(from).push(to);
        into.set(to, into.get(to) + 1);
    }
    const order = [...names].sort((a, b) => into.get(a) - into.get(b) || (a < b ? -1 : 1));
    const state = new Map(), sorted = [], back = new Set();
    const visit = (name) => {
        state.set(name, "open");
        for (const next of out.get(name)) {
            if (state.get(next) === "open") back.add(`${name}\n${next}`);
            else if (!state.has(next)) visit(next);
        }
        state.set(name, "done");
        sorted.unshift(name);
    };
    for (const name of order) if (!state.has(name)) visit(name);
    const column = new Map(names.map((name) => [name, 0]));
    for (const name of sorted)
        for (const next of out.get(name))
            if (!back.has(`${name}\n${next}`)) column.set(next, Math.max(column.get(next), column.get(name) + 1));
    return column;
}

export class Graph {
    constructor(root, words, empty) {
        this.root = root;
        this.words = words;
        this.empty = empty;
        this.services = new Map(); /* name → as told */
        this.pairs = new Map();    /* "source\ntype" → [source, type] */
        this.targets = new Map();  /* "source\ntype" → edges */
        this.edges = new Map();
        this.dots = [];
        this.drawn = "";
        this.still = matchMedia("(prefers-reduced-motion: reduce)");
    }

    setServices(services) {
        this.services = new Map(services.map((service) => [service.name, service]));
        this.#draw();
        for (const [name, box] of this.boxes || []) this.#dress(name, box);
    }

    know(pairs) {
        for (const [source, type] of pairs) this.pairs.set(`${source}\n${type}`, [source, type]);
        this.#draw();
    }

    /* flow: {events, pairs, last}, as the server tells it. */
    show(flow) {
        this.know(flow.pairs);
        const now = performance.now();
        if (flow.events <= ONE_BY_ONE) {
            flow.last.forEach((event, at) => this.#pulse(`${event.source}\n${event.type}`, 1, now + at * STEP_MS));
        } else {
            for (const [source, type, count] of flow.pairs) this.#pulse(`${source}\n${type}`, count, now);
        }
        if (!this.running && this.dots.length) this.#run();
    }

    #pulse(key, count, begin) {
        for (const edge of this.targets.get(key) || []) {
            edge.hot = begin + HOT_MS;
            edge.path.classList.add("hot");
            clearTimeout(edge.cool);
            edge.cool = setTimeout(() => edge.path.classList.remove("hot"), begin - performance.now() + HOT_MS);
            if (this.still.matches || document.hidden) continue;
            const dots = Math.min(count, 3);
            for (let i = 0; i < dots && this.dots.length < DOTS_MOST; i++) {
                const dot = svg("circle", {class: "pulse", r: 4.5, cx: -99, cy: -99});
                this.layer.append(dot);
                this.dots.push({dot, edge, begin: begin + i * (250 / dots)});
            }
        }
    }

    #run() {
        this.running = true;
        const step = (now) => {
            this.dots = this.dots.filter(({dot, edge, begin}) => {
                const part = (now - begin) / DOT_MS;
                if (part >= 1 || !edge.path.isConnected) {
                    dot.remove();
                    return false;
                }
                if (part >= 0) {
                    const eased = part < .5 ? 2 * part * part : 1 - (2 - 2 * part) ** 2 / 2;
                    const point = edge.points[Math.round(eased * (POINTS - 1))];
                    dot.setAttribute("cx", point.x);
                    dot.setAttribute("cy", point.y);
                }
                return true;
            });
            if (this.dots.length) requestAnimationFrame(step);
            else this.running = false;
        };
        requestAnimationFrame(step);
    }

    /* ---- drawing, when boxes or arrows have changed */

    #edges() {
        const edges = new Map();
        this.targets.clear();
        for (const [key, [from, type]] of this.pairs) {
            const targets = [];
            for (const {name: to, filters} of this.services.values()) {
                if (!(filters || []).some((filter) => matches(filter, type))) continue;
                const edge = edges.get(`${from}\n${to}`) || {from, to, types: []};
                edge.types.push(type);
                edges.set(`${from}\n${to}`, edge);
                targets.push(edge);
            }
            this.targets.set(key, targets);
        }
        return edges;
    }

    #draw() {
        const edges = this.#edges();
        const names = [...new Set([...edges.values()].flatMap(({from, to}) => [from, to]))].sort();
        const drawn = JSON.stringify([names, [...edges.values()].map(({from, to, types}) => [from, to, types])]);
        if (drawn === this.drawn) {
            this.#keepDrawn(edges);
            return;
        }
        this.drawn = drawn;
        this.edges = edges;
        this.empty.hidden = edges.size > 0;
        this.root.style.display = edges.size ? "" : "none";
        setText(this.words, [...edges.values()].map(({from, to, types}) => `${from} tells ${to}: ${types.join(", ")}.`).join(" "));
        if (!edges.size) return;
        const place = this.#places(names, [...edges.values()]);
        const arrow = svg("marker", {id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse"},
            svg("path", {d: "M0 0L8 4L0 8z"}));
        const under = svg("g"), labels = svg("g");
        this.layer = svg("g");
        this.dots = [];
        this.boxes = new Map(names.map((name) => [name, this.#box(name, place.get(name))]));
        this.root.replaceChildren(svg("defs", {}, arrow), under, labels, this.layer, ...this.boxes.values());
        for (const edge of edges.values()) this.#edge(edge, place, under, labels);
        for (const [name, box] of this.boxes) this.#dress(name, box);
        const {x, y, width, height} = this.root.getBBox();
        this.root.setAttribute("viewBox", `${x - 4} ${y - 4} ${width + 8} ${height + 8}`);
    }

    /* The picture stays: the arrows there are take the places of those just made. */
    #keepDrawn(edges) {
        for (const [key, targets] of this.targets)
            this.targets.set(key, targets.map(({from, to}) => this.edges.get(`${from}\n${to}`)));
        edges.clear();
    }

    #places(names, edges) {
        const column = columns(names, edges);
        const stacks = [];
        for (const name of names) (stacks[column.get(name)] ||= []).push(name);
        const tallest = Math.max(1, ...stacks.map((stack) => stack.length));
        const place = new Map();
        stacks.forEach((stack, x) => {
            /* Boxes next to those that tell them. */
            const above = (name) => {
                const rows = edges.filter(({to}) => to === name).map(({from}) => place.get(from)?.y ?? 0);
                return rows.reduce((sum, y) => sum + y, 0) / (rows.length || 1);
            };
            stack.sort((a, b) => above(a) - above(b) || (a < b ? -1 : 1));
            stack.forEach((name, row) => {
                const y = (row + (tallest - stack.length) / 2) * (BOX.height + GAP.y);
                place.set(name, {x: x * (BOX.width + GAP.x), y, column: x});
            });
        });
        return place;
    }

    #box(name, {x, y}) {
        return svg("g", {transform: `translate(${x} ${y})`, "data-name": name},
            svg("rect", {class: "box", width: BOX.width, height: BOX.height, rx: 12}),
            svg("circle", {class: "dot", cx: 16, cy: 18, r: 4.5}),
            svg("text", {class: "name", x: 28, y: 22}, name.length > 18 ? name.slice(0, 17) + "…" : name),
            svg("text", {class: "says", x: 28, y: 38}));
    }

    #dress(name, box) {
        const service = this.services.get(name);
        const state = service ? service.state.split(" ")[0] : "outside";
        if (box.getAttribute("class") !== state) box.setAttribute("class", state);
        let says = "not a service";
        if (service) {
            const late = service.lag && (service.state !== "live" || service.lag >= SLIGHT);
            says = late ? `${service.state}, ${service.lag.toLocaleString("en")} behind` : service.state;
        }
        setText(box.querySelector(".says"), says);
    }

    /* Straight on to the next column; past the boxes of other columns, and back, in an arc. */
    #edge(edge, place, under, labels) {
        const from = place.get(edge.from), to = place.get(edge.to);
        const ahead = to.column - from.column;
        let d, x, y;
        if (ahead === 1) {
            const x1 = from.x + BOX.width, y1 = from.y + BOX.height / 2, x2 = to.x - 2, y2 = to.y + BOX.height / 2;
            const bend = (x2 - x1) / 2;
            d = `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
            x = (x1 + x2) / 2;
            y = (y1 + y2) / 2;
        } else {
            /* Ahead it goes on the side of its aim, back on that of its start: there it crosses least. */
            const below = ahead > 0 ? to.y >= from.y : from.y > to.y;
            const passed = [...place.values()].filter(({column}) =>
                column >= Math.min(from.column, to.column) && column <= Math.max(from.column, to.column));
            const edgeY = below ? BOX.height : 0, sign = below ? 1 : -1;
            const ys = passed.map((box) => box.y + edgeY);
            const far = (below ? Math.max(...ys) : Math.min(...ys)) + sign * ARC;
            const x1 = from.x + BOX.width * (ahead > 0 ? .7 : .35), x2 = to.x + BOX.width * (ahead > 0 ? .3 : .65);
            const y1 = from.y + edgeY, y2 = to.y + edgeY + sign * 2;
            d = `M${x1} ${y1}C${x1} ${far} ${x2} ${far} ${x2} ${y2}`;
            x = (x1 + x2) / 2;
            y = (y1 + y2 + 6 * far) / 8;
        }
        edge.path = svg("path", {class: "edge", d, "marker-end": "url(#arrow)"});
        under.append(edge.path);
        const length = edge.path.getTotalLength();
        edge.points = Array.from({length: POINTS}, (_, i) => {
            const point = edge.path.getPointAtLength(length * i / (POINTS - 1));
            return {x: point.x, y: point.y};
        });
        const shown = edge.types.slice(0, LABELS_MOST);
        if (edge.types.length > LABELS_MOST) shown[LABELS_MOST - 1] = `${edge.types.length - LABELS_MOST + 1} more`;
        const label = svg("text", {class: "label"});
        shown.forEach((type, i) => label.append(svg("tspan", {x, y: y + (i - (shown.length - 1) / 2) * 14 + 4}, type)));
        label.append(svg("title", {}, edge.types.join(", ")));
        labels.append(label);
    }
}
