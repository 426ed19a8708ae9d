/* blog: the page of the blog. */
import {announce, el, setText, themeButton} from "./dom.js";
import {Feed} from "./feed.js";
import {PostCard, TITLE_MOST} from "./post.js";
import {composer} from "./composer.js";
import {request} from "./api.js";

const list = document.getElementById("posts");
const empty = document.getElementById("empty");
const loading = document.getElementById("loading");
const more = document.getElementById("more");
const link = document.getElementById("link");
const trouble = document.getElementById("trouble");
const cards = new Map();
let loaded = false;

const LINK = {loading: "Loading", live: "Live", away: "Reconnecting"};

function failed(text) {
    setText(trouble, text);
    trouble.hidden = !text;
}

function settle() {
    loading.hidden = loaded;
    empty.hidden = !loaded || cards.size > 0;
    more.hidden = !loaded || !feed.more;
    list.setAttribute("aria-busy", String(!loaded));
}

function place(id) {
    const node = cards.get(id).node;
    const next = feed.order[feed.order.indexOf(id) + 1];
    const before = next && cards.get(next) ? cards.get(next).node : null;
    if (node.nextSibling !== before || !node.isConnected) list.insertBefore(node, before);
}

const feed = new Feed({
    post(post, isNew, judged) {
        const card = cards.get(post.id);
        if (card) card.update(post);
        else cards.set(post.id, new PostCard(post, feed, failed));
        place(post.id);
        if (isNew && loaded) announce(`New post: ${post.title}`);
        if (judged) announce(`Comment ${judged.status}`);
        settle();
    },
    gone(id) {
        cards.get(id)?.node.remove();
        cards.delete(id);
        settle();
    },
    whole() {
        loaded = true;
        settle();
    },
    link(state, reason) {
        link.dataset.state = state;
        setText(link, LINK[state]);
        link.title = reason || "";
        if (state === "away" && !loaded) failed(`Posts cannot be loaded. ${reason} Trying again.`);
        else if (state === "away") failed(`Live updates are interrupted. ${reason}`);
        else if (state === "live") failed("");
    },
});

more.onclick = async () => {
    more.disabled = true;
    try {
        await feed.older();
        failed("");
    } catch (error) {
        failed(`Older posts cannot be loaded. ${error.message}`);
    }
    more.disabled = false;
};

document.getElementById("create").append(composer({
    name: "post", label: "Title", placeholder: "What is on your mind?", button: "Publish", most: TITLE_MOST,
    send: async (text, key) => {
        const response = await request("POST", "/api/posts", {body: {title: text}, key});
        feed.addOwn(await response.json());
    },
    done: () => announce("Post saved"),
}));

themeButton();
settle();
performance.mark("interactive"); /* the page takes input from here on */
feed.start();
