/* mesh: the page of the mesh: who is there, what flows, why something happened, and that much of it
 * costs the browser no more. WEFT_FLOOD_SECONDS: how long the flood lasts (default 12). */
import {accessible, check, loose, mesh, run, url, waitUntil, within} from "./kit.mjs";

const SECONDS = Number(process.env.WEFT_FLOOD_SECONDS || 12);
const RATE = 100000;

async function ask(method, path, body) {
    const answer = await fetch(url + path, {method, headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
    return answer.json();
}

function service(page, name) {
    return page.locator(`#services tr[data-name="${name}"]`);
}

function state(page, name, wanted, ms) {
    return waitUntil(`${name} is ${wanted}`, async () => await service(page, name).getAttribute("data-state") === wanted, ms);
}

async function lag(page, name) {
    return Number((await service(page, name).locator("td.lag").textContent()).replaceAll(",", ""));
}

async function open(browser, options) {
    const page = await browser.page("/mesh", options);
    await service(page, "blog-query").waitFor();
    return page;
}

await run({
    async a_stopped_service_shows_with_its_lag_and_its_return(browser) {
        const page = await open(browser);
        await state(page, "blog-query", "live");
        await mesh.stop("query");
        await within("it is seen as silent", async () => await service(page, "blog-query").getAttribute("data-state") === "silent", 2000);
        /* Another one may have stalled for a moment, or not have reported yet. */
        await waitUntil("it is counted, too", async () => await page.locator("#alive").textContent() === "4 of 5");
        const before = await lag(page, "blog-query");
        await ask("POST", "/api/posts", {title: "while query is away"});
        await waitUntil("its lag rises", async () => await lag(page, "blog-query") > before);
        const more = await lag(page, "blog-query");
        await ask("POST", "/api/posts", {title: "and another"});
        await waitUntil("and rises", async () => await lag(page, "blog-query") > more);
        await waitUntil("the picture says so", async () => await page.locator('#graph [data-name="blog-query"].silent').count() === 1);
        await accessible(page, "a mesh with a silent service");
        await mesh.start("query");
        await state(page, "blog-query", "live");
        await waitUntil("it has caught up", async () => await lag(page, "blog-query") === 0);
        await waitUntil("all are back", async () => await page.locator("#alive").textContent() === "5 of 5");
    },

    async a_bus_that_is_away_is_told_and_comes_back(browser) {
        const page = await open(browser);
        await mesh.stop("bus");
        await page.getByText("The bus does not answer").waitFor();
        await mesh.start("bus");
        await waitUntil("it is told no more", async () => await page.getByText("The bus does not answer").isHidden());
        await state(page, "blog-query", "live", 20000);
        await ask("POST", "/api/posts", {title: "after the bus was away"});
        await page.locator("#events .type", {hasText: "post.created"}).first().waitFor();
    },

    async the_picture_shows_who_tells_whom_and_events_move(browser) {
        const page = await open(browser);
        const {id} = await ask("POST", "/api/posts", {title: "look"});
        await ask("POST", `/api/posts/${id}/comments`, {content: "words"});
        const words = page.locator("#graph-words");
        await waitUntil("all arrows are there", async () => {
            const text = await words.textContent();
            return ["blog-posts tells blog-query: post.created", "blog-posts tells blog-comments: post.created",
                "blog-comments tells blog-moderation: comment.created", "blog-moderation tells blog-comments: comment.moderated",
                "blog-comments tells blog-query: comment.created"].every((one) => text.includes(one));
        });
        await waitUntil("nothing moves when nothing happens", async () => await page.locator("#graph .pulse").count() === 0);
        /* A dot lives shorter than a busy machine may take to ask for it twice: the page itself looks. */
        const moves = page.evaluate(() => new Promise((resolve) => {
            const places = new Map(), end = performance.now() + 60000;
            const look = () => {
                for (const dot of document.querySelectorAll("#graph .pulse")) {
                    const from = places.get(dot), to = dot.getAttribute("cx");
                    if (Number(from) > 0 && from !== to) return resolve(true);
                    places.set(dot, to);
                }
                return performance.now() > end ? resolve(false) : requestAnimationFrame(look);
            };
            look();
        }));
        await ask("POST", "/api/posts", {title: "move"});
        check(await moves, true, "a dot moves");
        await waitUntil("and arrives", async () => await page.locator("#graph .pulse").count() === 0);
        const quiet = await open(browser, {reducedMotion: "reduce"});
        const hot = quiet.locator("#graph .edge.hot").first().waitFor({state: "attached"}); /* for a second only */
        await ask("POST", "/api/posts", {title: "move less"});
        await hot;
        check(await quiet.locator("#graph .pulse").count(), 0, "nothing runs for whoever wants less motion");
    },

    async the_causes_of_a_comment_are_a_tree(browser) {
        const page = await open(browser);
        const {id} = await ask("POST", "/api/posts", {title: "A root <b>"});
        await ask("POST", `/api/posts/${id}/comments`, {content: "a leaf <i>"});
        const row = page.locator("#events button", {hasText: "comment.moderated"}).filter({hasText: `post/${id}`});
        /* The last of them is there: the list stands still. */
        await page.locator("#events button", {hasText: "comment.updated"}).filter({hasText: `post/${id}`}).waitFor();
        await row.click();
        const tree = page.locator("#tree .tree").first();
        await tree.waitFor();
        const chosen = tree.locator("li.chosen");
        check(await chosen.locator("> .node .type").textContent(), "comment.moderated", "the one that was chosen");
        const above = await chosen.evaluate((node) => {
            const types = [];
            for (let at = node.parentElement.closest("li"); at; at = at.parentElement.closest("li"))
                types.push(at.querySelector(".type").textContent);
            return types;
        });
        check(above, ["comment.created", "post.created"], "what led to it");
        check(await chosen.locator("li .type").allTextContents(), ["comment.updated"], "what followed");
        check(await page.locator("#tree b, #tree i").count(), 0, "data is text");
        await accessible(page, "a tree of causes");
    },

    async the_list_waits_for_whoever_chooses(browser) {
        const page = await open(browser);
        await ask("POST", "/api/posts", {title: "one"});
        const newest = () => page.locator("#events button").first().textContent();
        await waitUntil("it is listed", async () => (await newest()).includes("post.created"));
        await page.getByRole("button", {name: "Pause"}).click();
        const before = await newest();
        const head = await page.locator("#head").textContent();
        await ask("POST", "/api/posts", {title: "two"});
        await waitUntil("it has happened", async () => await page.locator("#head").textContent() !== head);
        check(await newest(), before, "the list stands");
        await page.getByRole("button", {name: "Go on"}).click();
        await waitUntil("and goes on", async () => await newest() !== before);
    },

    async a_flood_costs_the_browser_no_more(browser) {
        const page = await open(browser);
        const devtools = await page.context().newCDPSession(page);
        await devtools.send("Network.enable");
        let bytes = 0;
        devtools.on("Network.dataReceived", ({dataLength}) => { bytes += dataLength; });
        const heap = async () => {
            await devtools.send("HeapProfiler.collectGarbage");
            const {usedSize} = await devtools.send("Runtime.getHeapUsage");
            const {nodes} = await devtools.send("Memory.getDOMCounters");
            return {usedSize, nodes};
        };
        const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        await mesh.flood(RATE);
        await waitUntil("the flood shows", async () => /k|\d,\d/.test(await page.locator("#rate").textContent()));
        await sleep(3000);
        const headBefore = await mesh.head(), begun = performance.now(), first = await heap();
        bytes = 0;
        let worst = first.usedSize;
        while (performance.now() - begun < SECONDS * 1000) {
            await sleep(Math.min(5000, SECONDS * 250));
            worst = Math.max(worst, (await heap()).usedSize);
        }
        const last = await heap(), seconds = (performance.now() - begun) / 1000;
        const events = await mesh.head() - headBefore;
        const shown = await page.locator("#rate").textContent();
        await mesh.calm();
        const mib = (size) => (size / 1048576).toFixed(2);
        console.log(`  ${Math.round(events / seconds)} events a second for ${seconds.toFixed(0)} s, shown as ${shown}; heap ${mib(first.usedSize)} → ${mib(last.usedSize)} MiB (most ${mib(worst)}), ` +
            `${first.nodes} → ${last.nodes} nodes, ${(bytes / seconds / 1024).toFixed(1)} KiB/s`);
        check(worst - first.usedSize < 3 * 1048576, true, `the heap does not grow: ${first.usedSize} → ${worst}`);
        check(last.nodes - first.nodes < 600, true, `nor the page: ${first.nodes} → ${last.nodes} nodes`);
        check(bytes / seconds < 128 * 1024, true, `what comes in is bounded: ${bytes / seconds} bytes/s`);
        check(events / seconds > RATE * (loose > 1 ? .02 : .5), true, `it was a flood: ${events / seconds} events/s`);
        await state(page, "blog-query", "live", 20000);
        await accessible(page, "the page after a flood");
    },
});
