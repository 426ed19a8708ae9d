/* blog: the page of the blog as its users have it, with all services behind it. */
import {accessible, check, keepAnswers, mesh, run, url, waitUntil, within} from "./kit.mjs";

const EVIL = "<img src=x onerror=alert(1)>";

async function create(page, title) {
    await page.getByLabel("Title", {exact: true}).fill(title);
    await page.getByRole("button", {name: "Publish"}).click();
    const made = card(page, title);
    await made.waitFor();
    return made;
}

function card(page, title) {
    return page.getByRole("article", {name: title, exact: true});
}

async function comment(post, text) {
    await post.getByLabel("Comment", {exact: true}).fill(text);
    await post.getByRole("button", {name: "Comment", exact: true}).click();
    return post.locator("li.comment", {hasText: text});
}

function status(item, wanted, ms) {
    return waitUntil(`a comment is ${wanted}`, async () => await item.getAttribute("data-status") === wanted, ms);
}

function live(page) {
    return waitUntil("the page is live", async () => await page.locator("#link").textContent() === "Live", 20000);
}

/* Somebody else's write. */
async function ask(method, path, body) {
    const answer = await fetch(url + path, {method, headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
    check(answer.ok, true, `${method} ${path}: ${answer.status}`);
    return answer.json();
}

async function post(title) {
    return (await ask("POST", "/api/posts", {title})).id;
}

function inView(id) {
    return waitUntil("readers have it", async () => (await fetch(`${url}/api/posts/${id}`)).ok);
}

/* Press "Try now" as soon as it is there. The page does so itself: it tries again by itself after two seconds,
 * which a busy machine may take to press it from here. Begun before the failure. */
function tryNow(page) {
    return page.evaluate(() => new Promise((resolve) => {
        new MutationObserver((changes, self) => {
            const failure = document.querySelector("form .failure:not([hidden])");
            if (!failure) return;
            self.disconnect();
            failure.querySelector("button").click();
            resolve({text: failure.textContent, tries: failure.closest("form").querySelector("[type=submit]").disabled});
        }).observe(document.body, {subtree: true, attributes: true});
    }));
}

async function path(made) {
    return `/api/posts/${await made.getAttribute("data-id")}`;
}

await run({
    async posts_and_comments_are_made_changed_and_deleted(browser) {
        const page = await browser.page("/");
        await page.getByText("No posts yet.").waitFor();
        await accessible(page, "the empty page");
        const first = await create(page, EVIL);
        check(await first.locator("h3").textContent(), EVIL, "a title is text");
        check(await page.locator("#posts img").count(), 0, "and never an element");
        check(await page.getByLabel("Title", {exact: true}).inputValue(), "", "the field is empty again");
        const good = await comment(first, `good words ${EVIL}`);
        const bad = await comment(first, "an orange");
        await status(good, "approved");
        await status(bad, "rejected");
        check(await bad.locator(".badge").textContent(), "Rejected", "its author is told");
        check((await bad.boundingBox()).height, (await good.boundingBox()).height, "a badge takes no line: nothing moves when it goes");
        await accessible(page, "a post with comments");
        await good.getByRole("button", {name: /^Edit/}).click();
        await page.getByLabel("Change the comment").fill("now with orange");
        await page.getByRole("button", {name: "Save"}).click();
        await status(first.locator("li.comment", {hasText: "now with orange"}), "rejected");
        await first.locator("li.comment").nth(1).getByRole("button", {name: /^Delete/}).click();
        await page.getByRole("dialog").getByRole("button", {name: "Delete"}).click();
        await waitUntil("one comment is left", async () => await first.locator("li.comment").count() === 1);
        await first.locator("header").getByRole("button", {name: "Edit"}).click();
        await page.getByLabel("New title").fill("A better title");
        await page.keyboard.press("Enter");
        const renamed = card(page, "A better title");
        await renamed.waitFor();
        await page.reload();
        await renamed.waitFor();
        await waitUntil("the same after a reload", async () => await renamed.locator("li.comment").count() === 1);
        await renamed.locator("header").getByRole("button", {name: "Delete"}).click();
        await accessible(page, "a question");
        await page.getByRole("dialog").getByRole("button", {name: "Cancel"}).click();
        check(await renamed.count(), 1, "not deleted");
        await renamed.locator("header").getByRole("button", {name: "Delete"}).click();
        await page.getByRole("dialog").getByRole("button", {name: "Delete"}).click();
        await page.getByText("No posts yet.").waitFor();
    },

    async others_see_what_happens_within_a_second(browser) {
        const one = await browser.page("/"), two = await browser.page("/");
        await live(one);
        await live(two);
        for (const [from, to, title] of [[one, two, "from one"], [two, one, "from two"]]) {
            await create(from, title);
            await within(`${title} is seen by the other`, async () => await card(to, title).count() === 1, 1000);
        }
        check(await one.locator("article h3").allTextContents(), ["from two", "from one"], "the newest first");
        check(await two.locator("article h3").allTextContents(), ["from two", "from one"], "for both");
        const theirs = card(two, "from one");
        await comment(card(one, "from one"), "an orange of one");
        await theirs.getByText("This comment has been rejected").waitFor();
        check(await theirs.getByText("an orange of one").count(), 0, "others do not read what was rejected");
        await comment(card(one, "from one"), "fine words");
        await theirs.getByText("fine words").waitFor();
    },

    async the_stream_may_be_faster_than_the_answer(browser) {
        const page = await browser.page("/");
        await live(page);
        const made = await create(page, "Answers are late");
        const announced = (text) => waitUntil(`${text} is announced`, async () => await page.locator("#announcer").textContent() === text);
        const own = await path(made), comments = `**${own}/comments`;
        let release = await keepAnswers(page, "POST", comments);
        await comment(made, "an orange of mine");
        await made.getByText("This comment has been rejected").waitFor();
        release();
        const item = made.locator("li.comment", {hasText: "an orange of mine"});
        await item.waitFor();
        check(await item.locator(".badge").textContent(), "Rejected", "it is known as one's own");
        check(await made.locator("li.comment").count(), 1, "and there once");
        /* A verdict that came before the answer to the change is not taken back by it. */
        release = await keepAnswers(page, "PUT", `${comments}/*`);
        await item.getByRole("button", {name: /^Edit/}).click();
        await page.getByLabel("Change the comment").fill("only kind words");
        await page.getByRole("button", {name: "Save"}).click();
        await announced("Comment approved");
        release();
        await status(made.locator("li.comment", {hasText: "only kind words"}), "approved");
        /* Nor is a title that somebody else gave later. */
        release = await keepAnswers(page, "PUT", `**${own}`);
        await made.locator("header").getByRole("button", {name: "Edit"}).click();
        const form = page.locator("form", {has: page.getByLabel("New title")});
        await form.getByLabel("New title").fill("My title");
        await page.keyboard.press("Enter");
        await page.getByRole("list", {name: "Comments on My title"}).waitFor();
        await ask("PUT", own, {title: "A later title"});
        await page.getByRole("list", {name: "Comments on A later title"}).waitFor();
        release();
        await form.waitFor({state: "detached"});
        check(await page.locator("article h3").first().textContent(), "A later title", "the last one stands");
    },

    async nothing_moves_under_a_press(browser) {
        const page = await browser.page("/"), other = await browser.page("/");
        await live(page);
        await live(other);
        const made = await create(page, "Press");
        await made.locator(".note").waitFor({state: "hidden"});
        await made.getByLabel("Comment", {exact: true}).fill("pressed");
        const button = made.getByRole("button", {name: "Comment", exact: true});
        await button.scrollIntoViewIfNeeded();
        const {x, y, width, height} = await button.boundingBox();
        await page.mouse.move(x + width / 2, y + height / 2);
        await page.mouse.down();
        await ask("POST", `${await path(made)}/comments`, {content: "from elsewhere"});
        await card(other, "Press").getByText("from elsewhere").waitFor();
        await page.mouse.up();
        await status(made.locator("li.comment", {hasText: "pressed"}), "approved");
        await made.getByText("from elsewhere").waitFor();
    },

    async words_under_way_stay_as_they_are(browser) {
        const page = await browser.page("/");
        const made = await create(page, "Quick fingers");
        const field = made.getByLabel("Comment", {exact: true});
        let fail;
        const failed = new Promise((resolve) => { fail = resolve; });
        await page.route("**/comments", async (route) => {
            await failed;
            return route.abort();
        }, {times: 1});
        await field.fill("the first");
        await page.keyboard.press("Control+Enter");
        await waitUntil("it is under way", async () => await made.getByRole("button", {name: "Comment", exact: true}).isDisabled());
        await page.keyboard.type(" and more");
        await page.keyboard.press("Control+Enter");
        check(await field.inputValue(), "the first", "while it is sent");
        const tried = tryNow(page);
        fail();
        check((await tried).text.includes("Your text is kept here"), true, "it says so");
        check((await tried).tries, true, "the button sends it again");
        await made.getByText("the first").waitFor();
        await waitUntil("sent, and the field is free", async () => await field.inputValue() === "");
        await comment(made, "the second");
        await comment(made, "the third");
        await waitUntil("all are there", async () => await made.locator("li.comment.approved").count() === 3);
        check(await made.locator("li.comment .content").allTextContents(), ["the first", "the second", "the third"], "each once");
    },

    async without_moderation_a_comment_waits_and_turns_by_itself(browser) {
        const page = await browser.page("/"), other = await browser.page("/");
        const made = await create(page, "Moderation is away");
        await mesh.stop("moderation");
        const item = await comment(made, "patient words");
        await status(item, "pending");
        check(await item.locator(".badge").textContent(), "Awaiting moderation", "it says so");
        await item.getByText("Moderation has not answered yet").waitFor();
        await card(other, "Moderation is away").getByText("This comment is awaiting moderation").waitFor();
        await accessible(page, "a comment that waits");
        await mesh.start("moderation");
        await status(item, "approved", 20000);
        await card(other, "Moderation is away").getByText("patient words").waitFor();
    },

    async what_could_not_be_sent_is_kept_and_sent_later(browser) {
        const page = await browser.page("/");
        const made = await create(page, "Comments are away");
        await mesh.stop("comments");
        await comment(made, "do not lose me");
        const told = made.getByRole("alert");
        await told.getByText("The comments service is not there just now").waitFor();
        await told.getByText("Your text is kept here").waitFor();
        check(await made.getByLabel("Comment", {exact: true}).inputValue(), "do not lose me", "kept in its field");
        await accessible(page, "a failed submit");
        await page.reload();
        check(await made.getByLabel("Comment", {exact: true}).inputValue(), "do not lose me", "kept over a reload");
        await told.getByText("The comments service is not there just now").waitFor();
        await mesh.start("comments");
        await status(made.locator("li.comment", {hasText: "do not lose me"}), "approved", 40000);
        await waitUntil("the field is empty", async () => await made.getByLabel("Comment", {exact: true}).inputValue() === "");
        check(await made.locator("li.comment").count(), 1, "once");
        /* A refusal is another thing: it is said, and not tried again. */
        await page.getByLabel("Title", {exact: true}).fill("   ");
        await page.getByRole("button", {name: "Publish"}).click();
        await page.getByText("Title is empty").waitFor();
    },

    async an_answer_that_was_lost_makes_nothing_twice(browser) {
        const page = await browser.page("/");
        const made = await create(page, "Lost answers");
        let cut = 0;
        await page.route("**/comments", async (route) => {
            if (cut++) return route.continue();
            await route.fetch(); /* it is done, and nobody hears of it */
            return route.abort();
        });
        const tried = tryNow(page);
        await comment(made, "only once");
        check((await tried).text.includes("The server cannot be reached"), true, "it says so");
        check((await tried).tries, true, "the button sends it again");
        await waitUntil("it is sent", async () => await made.getByLabel("Comment", {exact: true}).inputValue() === "");
        await status(made.locator("li.comment"), "approved");
        check(await made.locator("li.comment").count(), 1, "made once");
    },

    async a_cut_stream_goes_on_without_gap(browser) {
        const page = await browser.page("/");
        await live(page);
        const made = await create(page, "Before the cut");
        await waitUntil("readers have it", async () => await made.locator(".note:visible").count() === 0);
        await mesh.stop("query");
        await waitUntil("the page says so", async () => await page.locator("#link").textContent() === "Reconnecting");
        await post("While query was away");
        const own = await create(page, "My own meanwhile");
        await own.getByText("On its way to all readers").waitFor();
        await mesh.start("query");
        await card(page, "While query was away").waitFor({timeout: 30000});
        await waitUntil("readers have it", async () => await own.locator(".note:visible").count() === 0);
        await live(page);
        const titles = await page.locator("article h3").allTextContents();
        check(titles.slice(0, 3), ["My own meanwhile", "While query was away", "Before the cut"], "all, once, in order");
        await mesh.stop("bus");
        const alone = await create(page, "Without a bus");
        await alone.getByText("On its way to all readers").waitFor();
        await mesh.start("bus");
        await waitUntil("it arrives", async () => await alone.locator(".note:visible").count() === 0, 30000);
        check(await alone.count(), 1, "once");
    },

    async older_posts_come_page_by_page(browser) {
        const ids = [];
        for (let i = 1; i <= 45; i++) ids.push(await post(`Number ${i}`));
        await inView(ids.at(-1));
        const page = await browser.page("/");
        await card(page, "Number 45").waitFor();
        check(await page.locator("article").count(), 20, "a page of posts");
        await page.getByRole("button", {name: "Older posts"}).click();
        await card(page, "Number 6").waitFor();
        check(await page.locator("article").count(), 40, "two pages");
        /* What the stream tells while an older page is on its way is newer than that. */
        const release = await keepAnswers(page, "GET", /limit=.*after=/);
        await page.getByRole("button", {name: "Older posts"}).click();
        await ask("POST", `/api/posts/${ids[0]}/comments`, {content: "late words"});
        await waitUntil("readers have them", async () => (await ask("GET", `/api/posts/${ids[0]}`)).comments.some((one) => one.status === "approved"));
        await post("A newer one");
        await card(page, "A newer one").waitFor();
        release();
        await card(page, "Number 1").getByText("late words").waitFor();
        const titles = await page.locator("article h3").allTextContents();
        const numbers = titles.filter((title) => title.startsWith("Number ")).map((title) => Number(title.slice(7)));
        check(numbers, Array.from({length: 45}, (_, i) => 45 - i), "each once, the newest first");
        check(titles[0], "A newer one", "what came meanwhile is on top");
    },

    async the_keyboard_is_enough(browser) {
        const page = await browser.page("/");
        await live(page);
        const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.tagName);
        await page.keyboard.press("Tab");
        check(await focused(), "Skip to the posts", "the first stop");
        await page.getByLabel("Title", {exact: true}).focus();
        await page.keyboard.type("Typed");
        await page.keyboard.press("Enter");
        const made = card(page, "Typed");
        await made.waitFor();
        await made.getByLabel("Comment", {exact: true}).focus();
        await page.keyboard.type("by keys");
        await page.keyboard.press("Control+Enter");
        await status(made.locator("li.comment"), "approved");
        await waitUntil("it is said aloud", async () => await page.locator("#announcer").textContent() === "Comment approved");
        await made.locator("li.comment").getByRole("button", {name: /^Edit/}).focus();
        await page.keyboard.press("Enter");
        await page.keyboard.press("Escape");
        check(await focused(), "Edit", "back where it was");
        await made.locator("header").getByRole("button", {name: "Delete"}).focus();
        await page.keyboard.press("Enter");
        await page.keyboard.press("Escape");
        check(await made.count(), 1, "Escape deletes nothing");
    },

    async dark_and_narrow_are_as_good(browser) {
        await post("A title that is rather long, so that it has to be broken into more than one line on a small screen");
        for (const [what, options] of [["dark", {colorScheme: "dark"}], ["narrow", {viewport: {width: 360, height: 740}}],
            ["dark and narrow", {colorScheme: "dark", viewport: {width: 320, height: 640}}]]) {
            const page = await browser.page("/", options);
            await page.locator("article").first().waitFor();
            await accessible(page, what);
            const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            check(beyond <= 0, true, `${what}: nothing sticks out (${beyond} px)`);
        }
        const page = await browser.page("/");
        const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const before = await ground();
        await page.getByRole("button", {name: /^Theme/}).click();
        await page.getByRole("button", {name: /^Theme/}).click();
        check(await ground() !== before, true, "the button turns it dark");
        await page.reload();
        check(await ground() !== before, true, "and that is kept");
    },
});
