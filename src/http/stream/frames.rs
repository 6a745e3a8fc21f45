//! Events as lines of text.

use std::fmt::Write;

use super::super::render;
use crate::{
    domain::{Event, EventId, Head, What},
    inbox::{Step, Tell},
};

/// What every stream begins with: how many milliseconds to wait before connecting again.
pub const RETRY: &str = "retry: 2000\n\n";
/// A comment.
pub const BEAT: &str = ":\n\n";

/// Appends what a step tells, and says how many events that is.
pub fn step(text: &mut String, step: &Step) -> u64 {
    match &step.tell {
        Tell::Ready(head) => place(text, "ready", head),
        Tell::Reset(head) => place(text, "reset", head),
        Tell::Events(events) => {
            for one in events {
                event(text, EventId { rev: one.rev, ..step.at }, one);
            }
            return events.len() as u64;
        }
    }
    1
}

fn place(text: &mut String, name: &str, head: &Head) {
    let _ = write!(
        text,
        "event: {name}\nid: {}\ndata: {{\"unread_count\":{}}}\n\n",
        head.event_id(),
        head.unread
    );
}

fn event(text: &mut String, id: EventId, Event { unread, what, .. }: &Event) {
    let name = match what {
        What::Arrived(_) | What::Restored(_) => "notification",
        What::Read(..) => "read",
        What::ReadAll(..) => "read_all",
        What::Unread(_) => "unread",
        What::Deleted(_) => "deleted",
        What::Expired(_) => "expired",
    };
    let _ = write!(text, "event: {name}\nid: {id}\ndata: {{\"unread_count\":{unread},");
    match what {
        What::Arrived(notification) | What::Restored(notification) => {
            text.push_str(r#""notification":"#);
            let start = text.len();
            render::notification(text, notification);
            one_line(text, start);
            if let What::Restored(_) = what {
                text.push_str(r#","restored":true"#);
            }
        }
        What::Read(id, at) => {
            let _ = write!(text, r#""notification_id":{id},"read_at":"{at}""#);
        }
        What::ReadAll(id, at) => {
            let _ = write!(text, r#""up_to":{id},"read_at":"{at}""#);
        }
        What::Unread(id) | What::Deleted(id) | What::Expired(id) => {
            let _ = write!(text, r#""notification_id":{id}"#);
        }
    }
    text.push_str("}\n\n");
}

/// Metadata stands as it was sent, and may have had line ends between its parts; within its texts it has none.
fn one_line(text: &mut String, start: usize) {
    let line = text.split_off(start);
    if line.contains(['\n', '\r']) {
        text.push_str(&line.replace(['\n', '\r'], " "));
    } else {
        text.push_str(&line);
    }
}
