/* post: a post with its comments, as it stands on the page. */
import {confirmed, el, remember, remembered, whenReleased} from "./dom.js";
import {composer} from "./composer.js";
import {request} from "./api.js";

const COMMENTS_FIRST = 5;
const MINE_MOST = 500;
const SLOW_MS = 4000;
export const TITLE_MOST = 200;
export const CONTENT_MOST = 10000;

/* Comments written in this browser: their author sees the words whatever has been judged. */
const mine = new Set(remembered("mine") || []);

function keepMine(id) {
    mine.add(id);
    remember("mine", [...mine].slice(-MINE_MOST));
}

/* The course's words for what is not shown. */
const HIDDEN = {pending: "This comment is awaiting moderation", rejected: "This comment has been rejected"};
const BADGE = {pending: "Awaiting moderation", rejected: "Rejected"};

export class PostCard {
    constructor(post, feed, failed) {
        this.feed = feed;
        this.failed = failed; /* (text): say what went wrong */
        this.all = false;
        this.waitingSince = new Map();
        this.title = el("h3", {id: `title-${post.id}`, tabindex: "-1"});
        this.note = el("span", {class: "note", hidden: true}, "Saved. On its way to all readers.");
        this.actions = el("div", {class: "actions"}, this.note,
            el("button", {type: "button", class: "quiet", onclick: () => this.#edit()}, "Edit"),
            el("button", {type: "button", class: "quiet", onclick: () => this.#delete()}, "Delete"));
        this.head = el("header", {}, this.title, this.actions);
        this.list = el("ul", {class: "comments"});
        this.rest = el("button", {type: "button", class: "plain", hidden: true, onclick: () => this.#showAll()});
        this.form = composer({
            name: `comment.${post.id}`, label: "Comment", placeholder: "Write a comment", button: "Comment",
            most: CONTENT_MOST, lines: 1, send: (text, key) => this.#comment(text, key),
        });
        this.node = el("article", {class: "card post", "aria-labelledby": `title-${post.id}`, "data-id": post.id},
            this.head, this.list, this.rest, this.form);
        this.items = new Map(); /* comment id → {node, shown} */
        this.update(post);
    }

    update(post) {
        this.post = post;
        if (this.title.textContent !== post.title) this.title.textContent = post.title;
        this.note.hidden = post.position !== 0;
        this.list.setAttribute("aria-label", `Comments on ${post.title}`);
        const hidden = this.all ? 0 : Math.max(0, post.comments.length - COMMENTS_FIRST);
        const shown = post.comments.slice(hidden);
        this.rest.hidden = !hidden;
        this.rest.textContent = `Show ${hidden} earlier ${hidden === 1 ? "comment" : "comments"}`;
        this.#sync(shown);
    }

    /* Rows that did not change stay as they are, with focus and what is being written in them. */
    #sync(comments) {
        const wanted = new Set(comments.map((comment) => comment.id));
        for (const [id, item] of this.items) {
            if (wanted.has(id)) continue;
            if (item.node.contains(document.activeElement)) this.form.field.focus();
            item.node.remove();
            this.items.delete(id);
        }
        let before = null;
        for (const comment of comments) {
            let item = this.items.get(comment.id);
            const shown = JSON.stringify([comment.content, comment.status, mine.has(comment.id), this.#slow(comment)]);
            if (!item || (item.shown !== shown && !item.editing)) item = this.#replace(comment, item, shown);
            const place = before ? before.nextSibling : this.list.firstChild;
            if (item.node !== place) this.list.insertBefore(item.node, place);
            before = item.node;
        }
    }

    #replace(comment, old, shown) {
        const focus = old?.node.contains(document.activeElement) && document.activeElement.dataset.action;
        const item = {node: this.#row(comment), shown, editing: false};
        old?.node.replaceWith(item.node);
        this.items.set(comment.id, item);
        if (focus) (item.node.querySelector(`[data-action="${focus}"]`) || this.form.field).focus();
        return item;
    }

    /* A verdict that does not come is told: it will, when moderation is back. */
    #slow(comment) {
        if (comment.status !== "pending") {
            this.waitingSince.delete(comment.id);
            return false;
        }
        const since = this.waitingSince.get(comment.id) || Date.now();
        if (!this.waitingSince.has(comment.id)) {
            this.waitingSince.set(comment.id, since);
            setTimeout(() => whenReleased(() => this.node.isConnected && this.update(this.post)), SLOW_MS + 50);
        }
        return Date.now() - since >= SLOW_MS;
    }

    #row(comment) {
        const open = comment.status === "approved" || mine.has(comment.id);
        const button = (text, name, fn) => el("button", {
            type: "button", class: "quiet", "data-action": name, onclick: fn,
            "aria-label": `${text} comment${open ? ": " + comment.content.slice(0, 40) : ""}`}, text);
        return el("li", {class: `comment ${comment.status}`, "data-id": comment.id, "data-status": comment.status},
            el("div", {class: "words"},
                el("p", {class: open ? "content" : "content hidden"}, open ? comment.content : HIDDEN[comment.status]),
                this.#slow(comment) ? el("p", {class: "note"},
                    "Moderation has not answered yet. This turns by itself as soon as it does.") : null),
            /* In the line of the buttons, so that nothing moves when it comes and goes. */
            el("div", {class: "actions"},
                open && BADGE[comment.status] ? el("span", {class: `badge ${comment.status}`}, BADGE[comment.status]) : null,
                open ? button("Edit", "edit", () => this.#editComment(comment)) : null,
                button("Delete", "delete", () => this.#deleteComment(comment))));
    }

    #showAll() {
        const first = this.list.firstChild;
        this.all = true;
        this.update(this.post);
        first?.previousSibling?.querySelector("button")?.focus();
    }

    /* ---- writes */

    get path() {
        return `/api/posts/${this.post.id}`;
    }

    async #comment(text, key) {
        const response = await request("POST", `${this.path}/comments`, {body: {content: text}, key});
        const id = (response.headers.get("Location") || "").split("/").pop();
        const comments = await response.json();
        const made = comments.find((comment) => comment.id === id) || comments.at(-1);
        keepMine(made.id);
        this.feed.addOwnComment(this.post.id, made);
    }

    #edit() {
        const leave = () => {
            form.replaceWith(this.head);
            this.actions.querySelector("button").focus();
        };
        const form = composer({
            name: null, label: "New title", button: "Save", most: TITLE_MOST, value: this.post.title, cancel: leave,
            done: leave,
            send: async (text) => {
                const before = this.post;
                await request("PUT", this.path, {body: {title: text}});
                this.feed.changeOwn(before, {title: text});
            },
        });
        this.head.replaceWith(form);
        form.field.select();
    }

    async #delete() {
        if (!await confirmed(`Delete “${this.post.title}” and its comments?`, "Delete")) return;
        try {
            await this.#gone("DELETE", this.path);
            const next = this.node.nextElementSibling || this.node.previousElementSibling;
            this.feed.remove(this.post.id);
            (next?.querySelector("h3") || document.getElementById("posts-title")).focus();
        } catch (error) {
            this.failed(`The post was not deleted. ${error.message}`);
        }
    }

    #editComment(comment) {
        const item = this.items.get(comment.id);
        const old = item.node.firstChild;
        const buttons = item.node.lastChild;
        const leave = () => {
            item.editing = false;
            item.shown = null; /* draw it as it is by now */
            form.replaceWith(old);
            buttons.hidden = false;
            this.update(this.post);
            this.items.get(comment.id)?.node.querySelector("[data-action=edit]")?.focus();
        };
        const form = composer({
            name: null, label: "Change the comment", button: "Save", most: CONTENT_MOST, lines: 2,
            value: comment.content, cancel: leave, done: leave,
            send: async (text) => {
                const before = this.feed.known(this.post.id, comment.id);
                const answer = await request("PUT", `${this.path}/comments/${comment.id}`, {body: {content: text}});
                const changed = await answer.json();
                keepMine(comment.id);
                this.feed.changeOwnComment(this.post.id, before, changed);
            },
        });
        item.editing = true;
        buttons.hidden = true;
        old.replaceWith(form);
        form.field.focus();
    }

    async #deleteComment(comment) {
        if (!await confirmed("Delete this comment?", "Delete")) return;
        try {
            await this.#gone("DELETE", `${this.path}/comments/${comment.id}`);
            this.feed.removeComment({id: comment.id, postId: this.post.id});
        } catch (error) {
            this.failed(`The comment was not deleted. ${error.message}`);
        }
    }

    /* What is gone already is what was wanted. */
    async #gone(method, path) {
        try {
            await request(method, path);
        } catch (error) {
            if (error.status !== 404) throw error;
        }
    }
}
