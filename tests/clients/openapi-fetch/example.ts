// Sends, reads and fails with openapi-fetch and the types that openapi-typescript makes.
import assert from "node:assert/strict";
import { env, invoice, isProblem, isRefused } from "./checks";
import createClient from "openapi-fetch";
import type { components, paths } from "./bellboard";

type SendRequest = components["schemas"]["SendRequest"];

const baseUrl = env.BELLBOARD_URL;
const sender = (key: string) => createClient<paths>({ baseUrl, headers: { "X-API-KEY": key } });

async function send(key: string, body: SendRequest) {
    const { data, error, response } = await sender(key).POST("/crm/notification/send", { body });
    if (error) {
        console.log(response.status, error.reason ?? error.message);
    } else {
        console.log("stored as", data.notification.notification_id);
    }
    return { sent: data?.notification, error, response };
}

async function main() {
    const { sent } = await send(env.BELLBOARD_KEY, invoice);
    assert(sent);
    assert.deepEqual(sent.metadata, invoice.metadata);

    const reader = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${env.BELLBOARD_TOKEN}` } });
    const list = await reader.GET("/crm/notification", { params: { query: { unread: true } } });
    assert.deepEqual(list.data?.notifications.map(n => n.notification_id), [sent.notification_id]);
    assert.deepEqual([list.data.notifications[0].severity, list.data.unread_count], ["info", 1]);
    const count = async () => (await reader.GET("/crm/notification/unread-count")).data?.unread_count;
    assert.equal(await count(), 1);
    const params = { path: { id: sent.notification_id } };
    const marked = await reader.POST("/crm/notification/{id}/mark-read", { params });
    assert.equal(marked.data?.notification.is_read, true);
    assert.equal(await count(), 0);
    const deleted = await reader.DELETE("/crm/notification/{id}", { params });
    assert.equal(deleted.data?.result, "Success");

    const headers = { "X-API-KEY": env.BELLBOARD_KEY, Accept: "application/problem+json" };
    const problems = createClient<paths>({ baseUrl, headers });
    const { error, response } = await problems.POST("/crm/notification/send", { body: { ...invoice, title: " " } });
    console.log(response.status, error?.code, error?.problems?.map(problem => problem.field));
    isProblem(error);
    await isRefused(send);
}

main();
