//! Bodies that do not come: nobody holds a connection's request open for ever.

use crate::support::{Gateway, raw::exchange};

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let gateway = Gateway::start(
        "server: {request_timeout: 1s}\napi_keys: {slow-key-0000000000000000000000000000001: {roles: [admin]}}\n",
    );
    let key = "X-API-KEY: slow-key-0000000000000000000000000000001";
    let head =
        ["POST /crm/notification/send HTTP/1.1", key, "Content-Type: application/json", "Content-Length: 50"];
    let (status, _, body) = exchange(&gateway.public, &head, b"{\"user_id\":1,");
    assert_eq!(
        (status, body.as_str()),
        (400, r#"{"result":"Failed","reason":"The body took too long to come"}"#)
    );

    let head = [
        "POST /crm/notification/users/import HTTP/1.1",
        key,
        "Content-Type: application/x-ndjson",
        "Content-Length: 50",
    ];
    let (status, _, body) = exchange(&gateway.public, &head, b"{\"user_id\":1}\n{\"user_");
    assert_eq!(status, 200);
    assert!(body.contains(r#"{"line":1,"result":"Success","user_id":1,"created":true}"#), "{body}");
    assert!(
        body.contains(
            r#"{"line":2,"result":"Failed","reason":"The line took too long to come; the import ends here"}"#
        ),
        "{body}"
    );
    gateway.stop();
}
