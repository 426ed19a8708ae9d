/* weight: what the pages cost a browser that has never been here: bytes, requests, time. The times are
 * printed and not judged, since they are the machine's as well. */
import {check, mesh, run, url, waitUntil} from "./kit.mjs";

const SCRIPT_MOST = 60 * 1024;

async function load(browser, path, ready) {
    const page = await browser.page(null);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Network.enable");
    const requests = new Map(), kept = new Set();
    devtools.on("Network.requestServedFromCache", ({requestId}) => kept.add(requestId));
    devtools.on("Network.responseReceived", ({requestId, type, response}) => {
        if (!response.fromDiskCache && !kept.has(requestId)) requests.set(requestId, {type, path: new URL(response.url).pathname, size: 0});
    });
    devtools.on("Network.loadingFinished", ({requestId, encodedDataLength}) => {
        if (requests.has(requestId)) requests.get(requestId).size = encodedDataLength;
    });
    const visit = async () => {
        requests.clear();
        await page.goto(url + path);
        await ready(page);
        await waitUntil("all is loaded", () => page.evaluate(() => document.readyState === "complete"));
        await waitUntil("all is counted", () => [...requests.values()].every(({type, size}) => size || type === "EventSource"))
            .catch((error) => { throw new Error(`${error.message}: ${JSON.stringify([...requests.values()])}`); });
        const all = [...requests.values()];
        const sum = (wanted) => all.filter(({type}) => !wanted || type === wanted).reduce((total, {size}) => total + size, 0);
        const times = await page.evaluate(() => ({
            content: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
            interactive: performance.getEntriesByName("interactive")[0]?.startTime,
        }));
        return {page, all, bytes: sum(), script: sum("Script"), requests: all.length, ...times};
    };
    return {page, visit};
}

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const tell = (what, {bytes, script, requests, content, interactive}) =>
    console.log(`  ${what}: ${requests} requests, ${kib(bytes)} (script ${kib(script)}), first content after ${Math.round(content)} ms, interactive after ${Math.round(interactive)} ms`);

await run({
    async the_pages_are_light(browser) {
        for (const [path, ready] of [["/", (page) => page.getByText("No posts yet.").waitFor()],
            ["/mesh", (page) => page.locator("#services tr").first().waitFor()]]) {
            const {visit} = await load(browser, path, ready);
            const cold = await visit();
            tell(`${path} on a cold cache`, cold);
            check(cold.script > 0 && cold.script <= SCRIPT_MOST, true, `script of ${path}: ${cold.script} bytes`);
            check(cold.requests <= 12, true, `requests of ${path}: ${cold.all.map((one) => one.path).join(" ")}`);
            const warm = await visit();
            tell(`${path} once more`, warm);
            check(warm.script, 0, "files are kept");
        }
    },
});
