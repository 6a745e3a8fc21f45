//! The live stream of one's own inbox, as Server-Sent Events.
//!
//! A stream takes its place first, then reads up to now, then is woken by what happens: so nothing falls in between.

mod answer;
mod frames;
mod live;
mod shape;

use poem::Request;
use poem_openapi::{OpenApi, param::Header};

use self::{
    answer::EventStream,
    live::{Live, Pass},
    shape::LastEventId,
};
pub use self::{answer::at, shape::EVENTS};
use super::{
    Tag,
    admit::{Admitted, OwnInbox},
    context::Context,
    error::Failure,
    takeover::Takeover,
};
use crate::{
    domain::{Error, EventId},
    events::Bounds,
};

/// Following.
pub struct StreamApi;

#[OpenApi(prefix_path = "/crm/notification")]
impl StreamApi {
    /// Follow the caller's inbox as it changes
    ///
    /// An endless answer of Server-Sent Events; each tells one change and the unread count right after it. Begin with
    /// the `X-Event-Id` of a list as `Last-Event-ID`, and nothing falls between the two; without it the stream begins
    /// now, with a `ready`. The gateway ends a stream when its token is no longer admitted, and when it stops itself:
    /// connect again with the last id that came, and it goes on from there, on any node. Comments come between
    /// events, so that a stream that is silent for longer than a minute is broken.
    #[oai(path = "/stream", method = "get", operation_id = "streamNotifications", tag = "Tag::Inbox")]
    async fn stream(
        &self,
        caller: Admitted<OwnInbox>,
        /// The id of the last event that came, or of the list that is shown: the stream goes on behind it. Where that
        /// cannot be done, it begins with a `reset`.
        #[oai(name = "Last-Event-ID")]
        last: Header<Option<LastEventId>>,
        request: &Request,
    ) -> poem::Result<EventStream> {
        let owner = caller.inbox()?;
        let (services, snapshot) = (&caller.services, caller.context.snapshot());
        if services.draining.has_begun() {
            return Err(Failure(Error::Busy { retry_after: RETRY_ELSEWHERE }).into());
        }
        let bounds = bounds(&caller.context);
        let seat = services.streams.open(owner.tenant, owner.user, bounds).map_err(Failure)?;
        let step = match last.0.filter(|text| !text.0.is_empty()) {
            None => services.inbox.follow(owner).await,
            Some(text) => match text.0.parse::<EventId>() {
                Ok(id) => services.inbox.follow_on(owner, id).await,
                Err(_) => services.inbox.follow_anew(owner).await,
            },
        };
        let step = step.map_err(Failure)?;
        let pass = Pass::of(snapshot, request, caller.context.now()).map_err(|why| Failure(why.into()))?;
        let live = Live::begin(services, seat, pass, snapshot.streams, step);
        Ok(EventStream(Takeover::new(|reader| live.tell_to(reader))))
    }
}

/// When to try again at a gateway that stops: by then a balancer knows.
const RETRY_ELSEWHERE: std::time::Duration = std::time::Duration::from_secs(1);

/// A quarter of all connections is left to requests that end.
fn bounds(context: &Context) -> Bounds {
    let settings = context.snapshot().streams;
    let room = (context.services().connections / 4 * 3).max(1);
    let most = settings.most.map_or(room, |most| most.min(room));
    Bounds { per_user: settings.per_user, per_tenant: settings.per_tenant.unwrap_or(most.div_ceil(2)), most }
}
