/* api: requests to the services, and why they failed, in words for people. */
import {whenReleased} from "./dom.js";

const TIMEOUT_MS = 12000;

export class ApiError extends Error {
    /* again: the same request may do better later. */
    constructor(message, status, again) {
        super(message);
        this.status = status;
        this.again = again;
    }
}

/* What helps later: nobody there, still in work, too many, no room. */
const AGAIN = new Set([409, 429, 502, 503, 504, 507]);

async function refusal(response) {
    let message = `The server answered ${response.status}.`;
    try {
        const first = (await response.json()).errors[0];
        message = first.field ? `${first.field}: ${first.message}` : first.message;
    } catch {
        /* Not one of our services: the status has to do. */
    }
    return new ApiError(sentence(message), response.status, AGAIN.has(response.status));
}

function sentence(text) {
    const whole = text.charAt(0).toUpperCase() + text.slice(1);
    return /[.!?]$/.test(whole) ? whole : whole + ".";
}

/* Ask, and give the response of a success. Throws ApiError. key: the Idempotency-Key of a POST. */
export async function request(method, path, {body, key} = {}) {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    let response;
    try {
        response = await fetch(path, {
            method,
            headers,
            body: body === undefined ? undefined : JSON.stringify(body),
            signal: AbortSignal.timeout(TIMEOUT_MS),
        });
    } catch (error) {
        const slow = error.name === "TimeoutError";
        throw new ApiError(slow ? "No answer came in time." : "The server cannot be reached.", 0, true);
    } finally {
        await new Promise(whenReleased);
    }
    if (!response.ok) throw await refusal(response);
    return response;
}

/* A new Idempotency-Key. randomUUID is there on secure origins alone, and localhost is one. */
export function newKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
