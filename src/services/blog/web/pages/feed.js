/* feed: the posts that this page knows, newest first, and the stream that keeps them right.
 *
 * A page of posts says which version of the view it shows; the stream goes on from there. Each of its
 * messages carries the version up to which all is told, so after a cut it goes on without gap. It tells
 * states and not steps: what is doubled or late changes nothing. */
import {request} from "./api.js";
import {whenReleased} from "./dom.js";

const PAGE = 20;
const AGAIN_FIRST_MS = 500;
const AGAIN_MOST_MS = 8000;
const HIDDEN_MS = 60000; /* a page that nobody sees gives its connection back */
const ROOM = 200;        /* posts beyond those that were asked for */

export class Feed {
    /* told: {post (post, isNew), gone (id), whole (), link (state, reason)}
     * link: "loading", "live" or "away". */
    constructor(told) {
        this.told = told;
        this.posts = new Map();
        this.order = []; /* ids, newest first */
        this.asked = 0;
        this.more = false;
        this.version = null;
        this.wait = AGAIN_FIRST_MS;
        this.loads = new Set(); /* for each page on its way what the stream has told since, [fn] */
        document.addEventListener("visibilitychange", () => this.#seen());
    }

    async start() {
        this.told.link("loading");
        try {
            await this.#load(null);
            this.told.whole();
            this.#listen();
        } catch (error) {
            this.told.link("away", error.message);
            this.#later(() => this.start());
        }
    }

    /* The next older page. Throws ApiError. */
    async older() {
        const known = this.order.filter((id) => this.posts.get(id).position);
        await this.#load(known.at(-1) || null);
        this.told.whole();
    }

    /* What this browser has just written and readers don't have yet. position 0: not in the view. */
    addOwn(post) {
        if (!this.posts.has(post.id)) this.#put({...post, position: 0, comments: []}, true);
    }

    addOwnComment(postId, comment) {
        const post = this.posts.get(postId);
        if (!post) return;
        const known = this.known(postId, comment.id);
        if (!known) post.comments.push({...comment, own: true});
        /* It may have been judged before its writer knew it as its own. */
        this.told.post(post, false, known && known.status !== comment.status ? known : null);
    }

    /* The stream may be faster than the answer to a write, and what it tells is later: the verdict on a
     * comment, say. So a writer takes what is known before it asks, and its change is made only where
     * the stream has told nothing since; else the stream tells of the change, too. */
    known(postId, commentId) {
        return this.posts.get(postId)?.comments.find((one) => one.id === commentId);
    }

    changeOwnComment(postId, before, changed) {
        const post = this.posts.get(postId);
        const at = post ? post.comments.indexOf(before) : -1;
        if (at < 0) return;
        post.comments[at] = {...before, ...changed};
        this.told.post(post, false);
    }

    changeOwn(before, changed) {
        if (this.posts.get(before.id) !== before) return;
        Object.assign(before, changed);
        this.told.post(before, false);
    }

    remove(id) {
        if (!this.posts.delete(id)) return;
        this.order.splice(this.order.indexOf(id), 1);
        this.told.gone(id);
    }

    async #load(after) {
        const since = [];
        this.loads.add(since);
        try {
            await this.#page(after);
        } finally {
            this.loads.delete(since);
            for (const tell of since) tell(); /* the page may be older */
        }
    }

    async #page(after) {
        const path = `/api/posts?order=newest&limit=${PAGE}` + (after ? `&after=${after}` : "");
        const response = await request("GET", path);
        const posts = await response.json();
        /* Only the first page sets the place: the stream tells all that follows it. */
        if (after === null) this.version = response.headers.get("Weft-View") || "0";
        this.more = /rel="next"/.test(response.headers.get("Link") || "");
        this.asked += posts.length;
        for (const post of posts) this.#put(post, false);
    }

    #put(post, isNew) {
        const known = this.posts.get(post.id);
        /* The stream tells of a post alone. Comments of ours on their way to the view stay in sight. */
        const ours = (known?.comments || []).filter((one) => !post.comments || one.own);
        const told = post.comments || [];
        post.comments = [...told, ...ours.filter((one) => !told.some((two) => two.id === one.id))];
        this.posts.set(post.id, post);
        if (!known || known.position !== post.position) {
            if (known) this.order.splice(this.order.indexOf(post.id), 1);
            const place = (id) => this.posts.get(id).position || Infinity;
            const at = this.order.findIndex((id) => place(id) <= (post.position || Infinity));
            this.order.splice(at < 0 ? this.order.length : at, 0, post.id);
        }
        this.told.post(post, isNew && !known);
        this.#trim();
    }

    /* A page that is open for days does not grow for ever. */
    #trim() {
        while (this.order.length > this.asked + ROOM) {
            this.more = true;
            this.remove(this.order.at(-1));
        }
    }

    #oldest() {
        const last = this.posts.get(this.order.at(-1));
        return last ? last.position : 0;
    }

    #onPost(post) {
        const known = this.posts.has(post.id);
        if (known || !this.more || post.position > this.#oldest()) this.#put(post, true);
    }

    #onComment(comment) {
        const post = this.posts.get(comment.postId);
        if (!post) return;
        const at = post.comments.findIndex((one) => one.id === comment.id);
        const before = at < 0 ? null : post.comments[at];
        if (at < 0) post.comments.push(comment);
        else post.comments[at] = comment;
        this.told.post(post, false, before && before.status !== comment.status ? comment : null);
    }

    removeComment({id, postId}) {
        const post = this.posts.get(postId);
        if (!post) return;
        post.comments = post.comments.filter((one) => one.id !== id);
        this.told.post(post, false);
    }

    #listen() {
        const source = this.source = new EventSource(`/api/posts/stream?after=${this.version}`);
        const on = (name, fn) => source.addEventListener(name, ({data, lastEventId}) => whenReleased(() => {
            if (source.readyState === EventSource.CLOSED) return; /* the next one tells it again */
            this.version = lastEventId;
            fn(data);
        }));
        const onState = (name, fn) => on(name, (data) => {
            const tell = () => fn(JSON.parse(data));
            tell();
            for (const since of this.loads) since.push(tell);
        });
        source.onopen = () => whenReleased(() => {
            this.wait = AGAIN_FIRST_MS;
            this.told.link("live");
        });
        source.onerror = () => whenReleased(() => {
            source.close();
            this.told.link("away", "Changes by others will show when the connection is back.");
            this.#later(() => this.#listen());
        });
        onState("post", (post) => this.#onPost(post));
        onState("post-gone", (post) => this.remove(post.id));
        onState("comment", (comment) => this.#onComment(comment));
        onState("comment-gone", (comment) => this.removeComment(comment));
        /* The view was built anew, or from another log: versions start over. */
        on("reset", () => {
            source.close();
            for (const id of [...this.order]) this.remove(id);
            this.asked = 0;
            this.start();
        });
    }

    #later(fn) {
        clearTimeout(this.timer);
        this.timer = setTimeout(fn, this.wait);
        this.wait = Math.min(this.wait * 2, AGAIN_MOST_MS);
    }

    #seen() {
        clearTimeout(this.rest);
        if (document.hidden) {
            this.rest = setTimeout(() => {
                if (!this.source || this.source.readyState === EventSource.CLOSED) return;
                this.source.close();
                this.resting = true;
            }, HIDDEN_MS);
        } else if (this.resting) {
            this.resting = false;
            this.#listen();
        }
    }
}
