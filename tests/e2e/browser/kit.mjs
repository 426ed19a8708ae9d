/* kit: what the tests of the pages share: a browser, the mesh behind it, waits, accessibility rules.
 *
 * The mesh is run by Python (pages.py): what this side wants done with it goes out as a line of JSON on
 * stdout, and the answer comes in as one on stdin. Other lines are for people. */
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {createInterface} from "node:readline";
import {witness} from "./witness.mjs";

const require = createRequire(new URL("../../npm/package.json", import.meta.url));
const {chromium} = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const slow = Number(process.env.WEFT_TEST_SLOW || 1);
/* How many times longer than meant a thing may take where other work goes on beside; 1 is strict. */
export const loose = Number(process.env.WEFT_TEST_WITHIN || 5) * slow;
const WAIT_MS = 20000;
export const url = process.env.WEFT_WEB_URL;

const answers = createInterface({input: process.stdin})[Symbol.asyncIterator]();

async function ask(what) {
    console.log("@" + JSON.stringify(what));
    const {value} = await answers.next();
    const answer = JSON.parse(value);
    if (answer.error) throw new Error(answer.error);
    return answer.result;
}

/* The mesh: stop and start by name ("posts" … , "bus"), kill, publish, flood, calm. */
export const mesh = {
    stop: (name) => ask({do: "stop", name}),
    start: (name) => ask({do: "start", name}),
    kill: (name) => ask({do: "kill", name}),
    publish: (type, subject, data) => ask({do: "publish", type, subject, data: JSON.stringify(data)}),
    flood: (rate) => ask({do: "flood", rate}),
    calm: () => ask({do: "calm"}),
    head: () => ask({do: "head"}),
};

export function check(got, wanted, what) {
    if (JSON.stringify(got) === JSON.stringify(wanted)) return;
    throw new Error(`${what}\n  wanted ${JSON.stringify(wanted)}\n  got    ${JSON.stringify(got)}`);
}

/* Ask again and again until it gives something true, and return that. */
export async function waitUntil(what, condition, ms = WAIT_MS) {
    const end = performance.now() + ms * slow;
    for (let pause = 5; ; pause = Math.min(pause * 1.5, 100)) {
        const got = await condition();
        if (got) return got;
        if (performance.now() > end) throw new Error(`waited ${ms * slow} ms for: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, pause));
    }
}

/* The same for what is meant to be so within ms; tells how long it took. */
export async function within(what, condition, ms) {
    const begun = performance.now();
    await waitUntil(what, condition, ms * loose / slow);
    console.log(`  ${what} after ${Math.round(performance.now() - begun)} ms (meant: ${ms})`);
}

/* From now on a page's requests of a method to a path are done, and their answers kept back until
 * release () is called: what happens meanwhile, the page hears of before. */
export async function keepAnswers(page, method, path) {
    let release, kept = true;
    const released = new Promise((resolve) => { release = resolve; });
    await page.route(path, async (route) => {
        if (!kept || route.request().method() !== method) return route.fallback();
        const response = await route.fetch();
        await released;
        return route.fulfill({response});
    });
    return () => {
        kept = false;
        release();
    };
}

export class Browser {
    static async launch() {
        const self = new Browser();
        self.browser = await chromium.launch({
            executablePath: process.env.WEFT_CHROMIUM, args: ["--no-sandbox", "--disable-gpu"],
        });
        self.faults = [];
        self.witnesses = [];
        return self;
    }

    /* A page of a browser of its own: nothing is kept from before. Whatever it complains of is a fault;
     * refused requests are told in its console, too, so those are let through when expected. */
    async page(path, options = {}, expected = /Failed to load resource/) {
        const context = await this.browser.newContext({viewport: {width: 1180, height: 860}, locale: "en-GB", ...options});
        const page = await context.newPage();
        this.witnesses.push({path, tell: await witness(page)});
        page.setDefaultTimeout(WAIT_MS * slow);
        page.on("pageerror", (error) => this.faults.push(`${path}: ${error.stack}`));
        page.on("console", (message) => {
            if (message.type() === "error" && !expected.test(message.text())) this.faults.push(`${path}: ${message.text()}`);
        });
        page.on("dialog", (dialog) => this.faults.push(`${path}: dialog ${dialog.message()}`));
        if (path) await page.goto(url + path);
        return page;
    }

    /* What all pages were asked, got and show. */
    async tell() {
        for (const {path, tell} of this.witnesses) console.error(`  the page ${path}\n${await tell()}`);
        console.error(`  the pages complained of: ${JSON.stringify(this.faults)}`);
    }

    async close() {
        await this.browser.close();
        check(this.faults, [], "what the pages complained of");
    }
}

/* Serious and critical faults by axe-core's rules, none wanted. */
export async function accessible(page, what) {
    await page.evaluate(axe);
    const found = await page.evaluate(() => globalThis.axe.run({resultTypes: ["violations"]}));
    const grave = found.violations.filter(({impact}) => impact === "serious" || impact === "critical");
    const told = grave.map(({id, help, nodes}) => `${id}: ${help}: ${nodes.map(({html}) => html).join(" | ")}`);
    check(told, [], `accessibility of ${what}`);
    console.log(`  accessible: ${what} (${found.passes.length} rules)`);
}

/* Run the named functions in turn, each with a browser of its own. */
export async function run(tests) {
    const wanted = process.argv.slice(2);
    for (const [name, fn] of Object.entries(tests)) {
        if (wanted.length && !wanted.includes(name)) continue;
        const begun = performance.now();
        console.log(`${name} …`);
        const browser = await Browser.launch();
        try {
            await fn(browser);
            await browser.close();
        } catch (error) {
            console.error(`  FAILED: ${error.stack}`);
            await browser.tell();
            await browser.browser.close();
            process.exit(1);
        }
        console.log(`  ok, ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    }
    process.exit(0);
}
