// What the TypeScript clients have in common: who they are, and how they are refused.
import assert from "node:assert/strict";

export const env = process.env as Record<string, string>;
export const user_id = Number(env.BELLBOARD_USER);
export const invoice = {
    user_id, type: "billing_invoice", title: "Your invoice", metadata: { invoice_id: 3021, amount: 49.9 },
};

type Problem = { code?: string; problems?: { field?: string }[] };

export function isProblem(error: Problem | undefined) {
    assert.equal(error?.code, "invalid_fields");
    assert.equal(error.problems?.[0].field, "/title");
}

type Refusal = { error?: { reason?: string; message?: string }; response: Response };
type Send = (key: string, body: typeof invoice) => Promise<Refusal>;

export async function isRefused(send: Send) {
    const refused = async (status: number, key: string, body: typeof invoice) => {
        const { error, response } = await send(key, body);
        assert.equal(response.status, status);
        assert.equal(typeof (status === 401 ? error?.message : error?.reason), "string");
        return response.headers;
    };
    await refused(400, env.BELLBOARD_KEY, { ...invoice, title: " " });
    await refused(401, "no key at all", invoice);
    await refused(403, env.BELLBOARD_POOR_KEY, invoice);
    await refused(404, env.BELLBOARD_KEY, { ...invoice, user_id: 999 });
    while ((await send(env.BELLBOARD_MEAN_KEY, invoice)).response.status === 201);
    const headers = await refused(429, env.BELLBOARD_MEAN_KEY, invoice);
    assert(Number(headers.get("Retry-After")) >= 1);
}
