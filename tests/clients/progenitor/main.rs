//! Sends, reads and fails with the client that progenitor makes.

use std::{env, num::NonZeroU64};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, RETRY_AFTER};
use serde_json::json;

/// The client: the macro writes it where it stands.
mod bellboard {
    progenitor::generate_api!(spec = "openapi.json", interface = Builder);
}
use bellboard::{
    Client, Error,
    types::{ErrorBody, SendRequest, SentNotification, builder},
};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn client(header: HeaderName, credential: &str) -> Result<Client> {
    let headers = HeaderMap::from_iter([(header, credential.parse()?)]);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    Ok(Client::new_with_client(&variable("BELLBOARD_URL"), http))
}

fn sender(key: &str) -> Result<Client> {
    client(HeaderName::from_static("x-api-key"), key)
}

async fn send(api: &Client, request: builder::SendRequest) -> Result<SentNotification, Error<ErrorBody>> {
    let answer = api.send_notification().body(request).send().await;
    match &answer {
        Ok(stored) => println!("stored as {}", stored.notification.notification_id),
        Err(Error::ErrorResponse(refused)) => {
            let sentence = refused.reason.as_ref().or(refused.message.as_ref());
            println!("{} {}", refused.status().as_u16(), sentence.map_or("", String::as_str));
        }
        Err(other) => println!("{other}"),
    }
    Ok(answer?.into_inner().notification)
}

async fn refused(status: u16, key: &str, request: builder::SendRequest) -> Result<()> {
    let Err(Error::ErrorResponse(error)) = send(&sender(key)?, request).await else {
        return Err(format!("{status} did not come").into());
    };
    assert_eq!(error.status().as_u16(), status);
    let sentence = if status == 401 { &error.message } else { &error.reason };
    assert!(sentence.is_some());
    if status == 429 {
        assert!(error.headers()[RETRY_AFTER].to_str()?.parse::<u32>()? >= 1);
    }
    Ok(())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result<()> {
    let user: NonZeroU64 = variable("BELLBOARD_USER").parse()?;
    let key = variable("BELLBOARD_KEY");
    let metadata = json!({"invoice_id": 3021, "amount": 49.9}).as_object().cloned();
    let request = |user: NonZeroU64, kind: &str, title: &str| {
        SendRequest::builder().user_id(user).type_(kind).title(title)
    };
    let invoice = || request(user, "billing_invoice", "Your invoice").metadata(metadata.clone());
    let sent = send(&sender(&key)?, invoice()).await?;
    assert_eq!(Some(&sent.metadata), metadata.as_ref());

    let inbox = client(AUTHORIZATION, &format!("Bearer {}", variable("BELLBOARD_TOKEN")))?;
    let page = inbox.list_notifications().unread(true).send().await?;
    assert_eq!((page.notifications.len(), page.unread_count), (1, 1));
    assert_eq!(page.notifications[0].notification_id, sent.notification_id);
    assert_eq!(page.notifications[0].severity.as_deref(), Some("info"));
    assert_eq!(inbox.get_unread_count().send().await?.unread_count, 1);
    assert!(inbox.mark_read().id(sent.notification_id).send().await?.notification.is_read);
    assert_eq!(inbox.get_unread_count().send().await?.unread_count, 0);
    assert_eq!(inbox.delete_notification().id(sent.notification_id).send().await?.result, "Success");

    refused(400, &key, request(user, "custom", " ")).await?;
    refused(401, "no key at all", invoice()).await?;
    refused(403, &variable("BELLBOARD_POOR_KEY"), invoice()).await?;
    refused(404, &key, request(999.try_into()?, "custom", "t")).await?;
    let mean = variable("BELLBOARD_MEAN_KEY");
    while send(&sender(&mean)?, invoice()).await.is_ok() {}
    refused(429, &mean, invoice()).await
}
