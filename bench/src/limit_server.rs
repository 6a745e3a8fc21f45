//! The framework's limit: the JSON of a send taken and given back, typed, with no credential and no store.

use std::net::SocketAddr;

use poem::{Route, Server, listener::TcpListener};
use poem_openapi::{ApiResponse, Object, OpenApi, OpenApiService, payload::Json};

use tokio::process::Command;

use crate::{
    Result,
    process::{Process, RunDir},
};

/// What a send carries.
#[derive(Object)]
struct Draft {
    user_id: i64,
    r#type: String,
    title: String,
    message: Option<String>,
    link: Option<String>,
    metadata: Option<serde_json::Value>,
    related_ticket_id: Option<i64>,
    related_user_id: Option<i64>,
}

/// A send's notification as its answer shows it.
#[derive(Object)]
struct Notification {
    notification_id: i64,
    user_id: i64,
    r#type: String,
    title: String,
    #[oai(skip_serializing_if_is_none)]
    message: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    link: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    metadata: Option<serde_json::Value>,
    is_read: bool,
    created_at: String,
    #[oai(skip_serializing_if_is_none)]
    related_ticket_id: Option<i64>,
    #[oai(skip_serializing_if_is_none)]
    related_user_id: Option<i64>,
}

/// A send's answer.
#[derive(Object)]
struct Sent {
    result: String,
    message: String,
    notification: Notification,
}

#[derive(ApiResponse)]
enum Answer {
    /// The notification.
    #[oai(status = 201)]
    Created(Json<Sent>),
}

struct Api;

#[OpenApi]
impl Api {
    /// Takes a draft and answers as if it were stored.
    #[oai(path = "/send", method = "post")]
    async fn send(&self, draft: Json<Draft>) -> Answer {
        let Json(draft) = draft;
        Answer::Created(Json(Sent {
            result: "Success".to_owned(),
            message: "Notification sent successfully".to_owned(),
            notification: Notification {
                notification_id: 1234,
                user_id: draft.user_id,
                r#type: draft.r#type,
                title: draft.title,
                message: draft.message,
                link: draft.link,
                metadata: draft.metadata,
                is_read: false,
                created_at: "2026-01-11T14:30:00Z".to_owned(),
                related_ticket_id: draft.related_ticket_id,
                related_user_id: draft.related_user_id,
            },
        }))
    }
}

/// Serves the bare handler on the path of a send until the process is killed.
pub async fn serve(listen: SocketAddr) -> Result<()> {
    let service = OpenApiService::new(Api, "Limit", "1");
    let app = Route::new().nest("/crm/notification", service);
    Ok(Server::new(TcpListener::bind(listen)).run(app).await?)
}

/// Starts this program once more, as that server.
pub async fn start(address: SocketAddr, dir: &RunDir) -> Result<Process> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("limit-server").arg("--listen").arg(address.to_string());
    let mut limit = Process::start(command, dir.join("limit.log"))?;
    // It has no such path; that it says so shows that it listens.
    limit.ready(address, "/", 404).await?;
    Ok(limit)
}
