/* shots: pictures of the pages for docs/img; see ./dev shots. */
import {mesh, run, url, waitUntil} from "./kit.mjs";

const out = process.env.WEFT_SHOTS;
const POSTS = [
    ["Notes on loosely coupled things", ["Read it twice, and sent it to my team.", "What happens if the bus is down while I post?"]],
    ["Why our services stopped calling each other", ["We did this last year. Nobody wants to go back.", "An orange is not a comment.", "How do you test it?"]],
    ["What an event is, and what it is not", ["A fact, in the past tense. That helped."]],
];

async function post(path, body) {
    const answer = await fetch(url + path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
    return answer.json();
}

const shoot = (page, name, options) => page.screenshot({path: `${out}/${name}.png`, ...options}).then(() => console.log(`  ${out}/${name}.png`));

await run({
    async pictures(browser) {
        const ids = [];
        for (const [title, comments] of POSTS) {
            const {id} = await post("/api/posts", {title});
            ids.push(id);
            for (const content of comments) await post(`/api/posts/${id}/comments`, {content});
        }
        const settled = (page) => waitUntil("all is judged", async () => await page.locator("article").count() === POSTS.length &&
            await page.locator(".comment").count() === 6 && await page.locator(".comment.pending").count() === 0);
        for (const [name, options] of [["blog-light", {}], ["blog-dark", {colorScheme: "dark"}], ["blog-narrow", {viewport: {width: 380, height: 820}}]]) {
            const page = await browser.page("/", {viewport: {width: 1000, height: 760}, ...options});
            await settled(page);
            await shoot(page, name);
        }
        const waiting = await browser.page("/", {viewport: {width: 1000, height: 560}});
        await settled(waiting);
        const card = waiting.locator("article").first();
        await mesh.stop("moderation");
        await card.getByLabel("Comment", {exact: true}).fill("This one has to wait a little.");
        await card.getByRole("button", {name: "Comment", exact: true}).click();
        await card.getByText("Moderation has not answered yet").waitFor();
        await mesh.stop("comments");
        await card.getByLabel("Comment", {exact: true}).fill("And this one is kept until its service is back.");
        await card.getByRole("button", {name: "Comment", exact: true}).click();
        await card.getByRole("alert").waitFor();
        await card.evaluate((node) => scrollTo(0, node.offsetTop - 80));
        await shoot(waiting, "blog-waiting");
        await mesh.start("comments");
        await mesh.start("moderation");
        await waitUntil("it has been sent", async () => await card.locator(".comment.approved").count() === 3, 30000);
        for (const [name, options] of [["mesh-light", {}], ["mesh-dark", {colorScheme: "dark"}], ["mesh-narrow", {viewport: {width: 380, height: 820}}]]) {
            const page = await browser.page("/mesh", {viewport: {width: 1240, height: 900}, ...options});
            await page.locator("#services tr").nth(4).waitFor();
            await page.locator("#graph .edge").first().waitFor({state: "attached"});
            for (let i = 0; i < 6; i++) {
                await post(`/api/posts/${ids[i % 3]}/comments`, {content: `a comment for the picture, ${name} ${i}`});
                await page.waitForTimeout(500);
            }
            const button = page.locator("#events button", {hasText: "comment.updated"}).first();
            if (name !== "mesh-narrow") await button.click();
            if (name !== "mesh-narrow" && !process.env.NOTREE) await page.locator("#tree .tree").first().waitFor();
            await page.mouse.move(0, 0);
            await post(`/api/posts/${ids[2]}/comments`, {content: "one more"});
            await page.locator("#graph .pulse").nth(1).waitFor({state: "attached"});
            await page.evaluate(() => scrollTo(0, 0));
            await page.waitForTimeout(250);
            await shoot(page, name, {fullPage: name !== "mesh-narrow"});
        }
    },
});
