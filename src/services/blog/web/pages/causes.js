/* causes: for one event, what led to it and what followed, as a tree; beside each what its readers have
 * made of it. */
import {el, setText} from "./dom.js";
import {request} from "./api.js";

/* A reader that has done nothing about an event yet, and why that may be. */
function waitingFor({service, silent, handled, parked}) {
    if (handled) return null;
    if (silent) return `${service} is silent`;
    return parked ? `${service} has set events aside` : `${service} has not come to it yet`;
}

function after(ms) {
    if (ms < 1) return "at once";
    return ms < 1000 ? `after ${Math.round(ms)} ms` : `after ${(ms / 1000).toFixed(1)} s`;
}

export class Causes {
    constructor(section, tree, title) {
        Object.assign(this, {section, tree, title, position: 0});
    }

    async show(event) {
        this.position = event.position;
        this.section.hidden = false;
        setText(this.title, `What led to #${event.position}, and what followed`);
        this.tree.replaceChildren(el("p", {class: "note"}, "Asking the bus …"));
        let shown;
        try {
            const response = await request("GET", `/api/mesh/causes/${event.position}`);
            shown = this.#tree(await response.json());
        } catch (error) {
            shown = [el("p", {class: "note"}, `The tree cannot be shown. ${error.message}`)];
        }
        if (this.position !== event.position) return; /* another one has been chosen meanwhile */
        this.tree.replaceChildren(...shown);
        this.section.scrollIntoView({block: "nearest"});
    }

    #tree({events, complete}) {
        const nodes = new Map();
        for (const event of events) nodes.set(event.position, {event, effects: []});
        const roots = [];
        for (const node of nodes.values()) {
            const cause = nodes.get(node.event.cause);
            (cause ? cause.effects : roots).push(node);
        }
        return [
            el("ul", {class: "tree"}, roots.map((root) => this.#node(root, null))),
            complete ? null : el("p", {class: "note"}, "There is more: weft explain shows all of it."),
        ].filter(Boolean);
    }

    #node({event, effects}, cause) {
        const where = [event.source, event.subject, cause && after((event.stored - cause.stored) / 1000)];
        const waits = event.handlers.map(waitingFor).filter(Boolean);
        return el("li", {class: event.position === this.position ? "chosen" : null},
            el("div", {class: "node"},
                el("div", {}, el("span", {class: "type"}, event.type), ` #${event.position}`),
                el("div", {class: "where"}, where.filter(Boolean).join(" · ")),
                waits.map((text) => el("div", {class: "waits"}, text))),
            effects.length ? el("ul", {class: "tree"}, effects.map((effect) => this.#node(effect, event))) : null);
    }
}
