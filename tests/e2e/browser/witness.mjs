/* witness: what a page was asked, got and shows, for whoever has to find out why a test failed. */

const REQUESTS_KEPT = 40;

/* Runs in the page before its own scripts: what came in by mouse and keys, and whether the page moved
 * under it. The times are those of performance.now(). */
function watchInput() {
    const KEPT = 40;
    const seen = globalThis.witnessed = [];
    const note = (at, text) => {
        seen.push({at: Math.round(at), text});
        if (seen.length > KEPT) seen.shift();
    };
    const name = (node) => !(node instanceof Element) ? "the document"
        : `${node.localName}${node.id ? "#" + node.id : ""} ${JSON.stringify((node.ariaLabel || node.textContent || "").slice(0, 30))}`;
    for (const type of ["mousedown", "mouseup", "click", "submit", "input"])
        addEventListener(type, (event) => note(event.timeStamp, `${type} on ${name(event.target)}` +
            (event.clientX === undefined ? "" : ` at ${event.clientX},${event.clientY}`)), true);
    addEventListener("keydown", (event) => note(event.timeStamp, `key ${event.key} on ${name(event.target)}`), true);
    new PerformanceObserver((list) => {
        for (const {startTime, sources} of list.getEntries())
            for (const {node, previousRect, currentRect} of sources)
                note(startTime, `moved by ${Math.round(currentRect.y - previousRect.y)} px: ${name(node)}`);
    }).observe({type: "layout-shift"});
}

/* Runs in the page: all that it shows. */
function look() {
    const fields = [...document.querySelectorAll("input, textarea")].map((field) =>
        `${field.labels?.[0]?.textContent || field.id}: ${JSON.stringify(field.value)}`);
    const off = [...document.querySelectorAll("button:disabled")].map((button) => button.textContent);
    return {
        text: document.body.innerText, fields, off, now: Math.round(performance.now()),
        focus: document.activeElement?.id || document.activeElement?.localName,
        seen: globalThis.witnessed || [],
    };
}

/* Begin to watch a page; before it goes anywhere. Returns async () => text: all that was seen of it. */
export async function witness(page) {
    const requests = [], begun = performance.now();
    await page.addInitScript(watchInput);
    page.on("request", (request) => {
        const one = {request, at: performance.now(), end: "no answer yet"};
        requests.push(one);
        if (requests.length > REQUESTS_KEPT) requests.shift();
    });
    const end = (request, text) => {
        const one = requests.find((each) => each.request === request);
        if (one) one.end = `${text} after ${Math.round(performance.now() - one.at)} ms`;
    };
    page.on("response", (response) => end(response.request(), response.status()));
    page.on("requestfailed", (request) => end(request, request.failure()?.errorText));

    const told = ({request, at, end: ended}) => `${Math.round(at - begun)} ms ${request.method()} ${new URL(request.url()).pathname}: ${ended}` +
        (request.postData() ? ` ${request.postData().slice(0, 80)}` : "");
    const lines = (title, all) => `  ${title}:\n${all.map((line) => `    ${line}\n`).join("")}`;
    return async () => {
        const asked = lines("its last requests", requests.map(told));
        if (page.isClosed()) return asked;
        const shown = await Promise.race([page.evaluate(look).catch((error) => ({error: error.message})),
            new Promise((resolve) => setTimeout(() => resolve({error: "the page does not answer"}), 5000))]);
        if (shown.error) return `  the page cannot be read: ${shown.error}\n${asked}`;
        return lines("it shows", shown.text.split("\n")) + lines("fields", shown.fields) +
            `  focus: ${shown.focus}; buttons that are off: ${shown.off.join(", ") || "none"}\n` + asked +
            lines(`what came in (now: ${shown.now} ms)`, shown.seen.map(({at, text}) => `${at} ms ${text}`));
    };
}
