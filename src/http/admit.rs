//! The extractor that admits a request before its body is read: credential, permission, rate limit.

use std::{marker::PhantomData, net::IpAddr, sync::Arc, time::Duration};

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use tokio::time::Instant;

use super::{
    context::{Context, Forwarding, presented},
    error::{Failure, QueryFault},
    services::Services,
};
use crate::{
    admit::{self, Account, Need, Presented, Refusal},
    domain::{Actor, AuthFailure, Error, Permission, Principal},
    inbox::Owner,
};

/// The name of the API key's scheme in the document.
pub const API_KEY: &str = "ApiKey";
/// The name of the bearer token's scheme in the document.
pub const BEARER: &str = "Bearer";

/// What an operation asks of its caller; one type for each kind of operation.
pub trait Asks: Send + Sync {
    /// What admission checks.
    const NEED: Need;
}

macro_rules! asks {
    ($($(#[$doc:meta])* $name:ident = $need:expr;)*) => {
        $($(#[$doc])* pub struct $name;
        impl Asks for $name {
            const NEED: Need = $need;
        })*
    };
}

asks! {
    /// A user, for their own inbox.
    OwnInbox = Need::Inbox;
    /// Anyone with a valid credential.
    Anyone = Need::Any;
    /// Someone who may send.
    MaySend = Need::Permission(Permission::NotificationSend);
    /// Someone who may ask what was sent.
    MayAuditSent = Need::Permission(Permission::NotificationAudit);
    /// Someone who may withdraw what was sent.
    MayWithdraw = Need::Permission(Permission::NotificationWithdraw);
    /// Someone who may read the audit record.
    MayReadAudit = Need::Permission(Permission::AuditRead);
    /// Someone who may read the directory.
    MayReadUsers = Need::Permission(Permission::UserRead);
    /// Someone who may change the directory.
    MayManageUsers = Need::Permission(Permission::UserManage);
    /// Someone who may erase users.
    MayEraseUsers = Need::Permission(Permission::UserErase);
}

/// An admitted caller. Stands first among a handler's arguments, so that nothing of the request
/// besides its head is read before.
pub struct Admitted<N> {
    /// Who calls.
    pub principal: Arc<Principal>,
    /// The request's context.
    pub context: Context,
    /// What the handler calls.
    pub services: Arc<Services>,
    account: Account,
    need: PhantomData<N>,
}

impl<N> Admitted<N> {
    /// Spends what a request costs that is worth so many: one was spent when it was admitted. All of it or nothing.
    pub fn spend(&self, requests: usize) -> crate::domain::Result<()> {
        let limit = self.account.spend(self.context.snapshot(), requests).map_err(|most| {
            Error::Invalid(format!(
                "a batch may have at most {most} items: no more pass the rate limit at once"
            ))
        })?;
        let Some(limit) = limit else { return Ok(()) };
        self.context.note_limit(limit);
        limit.retry_after.map_or(Ok(()), |retry_after| Err(Error::RateLimited { retry_after }))
    }

    /// Whose limits the request spends, for what goes on after its answer has begun.
    pub fn account(&self) -> Account {
        self.account.clone()
    }

    /// The caller as the audit record names them.
    pub fn actor(&self) -> Actor {
        let request_id = self.context.request_id().to_owned();
        Actor { principal: Arc::clone(&self.principal.name), request_id }
    }
}

impl Admitted<OwnInbox> {
    /// The inbox that a bearer may see: their own.
    pub fn inbox(&self) -> poem::Result<Owner<'_>> {
        let tenant = &self.principal.tenant;
        let user = self.principal.user().ok_or(Failure(AuthFailure::UserRequired.into()))?;
        let users = self.context.snapshot().tenant(tenant).map_err(Failure)?.users;
        Ok(Owner { tenant, user, users })
    }
}

impl<'a, N: Asks> ApiExtractor<'a> for Admitted<N> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            API_KEY,
            MetaSecurityScheme {
                ty: "apiKey",
                description: Some("The key of an external system, as configured under `api_keys`."),
                name: Some("X-API-KEY"),
                key_in: Some("header"),
                ..NO_SCHEME
            },
        );
        registry.create_security_scheme(
            BEARER,
            MetaSecurityScheme {
                ty: "http",
                description: Some("A user's token, signed by one of the tenant's issuers."),
                scheme: Some("bearer"),
                bearer_format: Some("JWT"),
                ..NO_SCHEME
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        match N::NEED {
            Need::Inbox => vec![BEARER],
            Need::Any | Need::Permission(_) => vec![API_KEY, BEARER],
        }
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let context = Context::of(request).map_err(Failure)?.clone();
        let forwarding = Forwarding::of(request.headers());
        let presented = presented(request, &forwarding, context.snapshot());
        let mut verdict = admit::admit(context.snapshot(), &presented, N::NEED, context.now());
        if verdict.as_ref().is_err_and(|refusal| refusal.pending.is_some()) {
            // Apart, as it is rare and its future large.
            verdict = Box::pin(with_keys(&context, &presented, N::NEED, verdict)).await;
        }
        let admitted =
            verdict.map_err(|refusal| refused(&context, refusal, || client(&context, &presented)))?;
        note(&context, &admitted);
        if let Some(fault) = request.extensions().get::<QueryFault>() {
            return Err(fault.clone().into());
        }
        if let Some(user) = admitted.principal.user().filter(|_| N::NEED == Need::Inbox) {
            context.note_user(user);
        }
        let services = Arc::clone(context.services());
        let admit::Admitted { principal, account, .. } = admitted;
        Ok(Self { principal, context, services, account, need: PhantomData })
    }
}

/// How long a request waits for its issuer's keys: longer than the least time between two fetches and one fetch together.
const KEYS_WAIT: Duration = Duration::from_secs(8);

/// Waits for the keys that a token needs, and admits again with each fetch, until they decide.
async fn with_keys(
    context: &Context,
    presented: &Presented<'_>,
    need: Need,
    mut verdict: Result<admit::Admitted, Refusal>,
) -> Result<admit::Admitted, Refusal> {
    let (client, limiters) = (client(context, presented), &context.snapshot().limiters);
    if limiters.is_suspect(client) {
        // The number of waiting requests is bounded: a client over the limit of failed authentications takes none.
        return verdict;
    }
    let deadline = Instant::now() + KEYS_WAIT;
    while let Some(pending) = verdict.as_ref().err().and_then(|refusal| refusal.pending.clone()) {
        if !pending.fetched(deadline).await {
            break;
        }
        verdict = admit::admit(context.snapshot(), presented, need, context.now());
    }
    if verdict.as_ref().is_err_and(|refusal| refusal.pending.is_some()) {
        limiters.count_failure(client);
    }
    verdict
}

/// Where a request comes from: where the proxies tell nobody, the nearest of them is all that is known.
pub fn client(context: &Context, presented: &Presented) -> IpAddr {
    let Presented { peer, forwarded_for, forwarded, .. } = *presented;
    let proxies = &context.snapshot().trusted_proxies;
    admit::client_address(peer, forwarded_for, forwarded, proxies).unwrap_or(peer)
}

/// Notes whose the request is.
pub fn note(context: &Context, admitted: &admit::Admitted) {
    context.note_limit(admitted.limit);
    context.note_tenant(&admitted.principal.tenant);
    context.services().audit.admitted(&admitted.principal, context.request_id(), context.now());
}

/// Notes and counts why a request goes no further, and gives what to answer.
pub fn refused(context: &Context, refusal: Refusal, client: impl FnOnce() -> IpAddr) -> Failure {
    if let Some(whose) = refusal.whose.as_ref().filter(|_| refusal.failure.is_none()) {
        context.note_tenant(&whose.tenant);
    }
    if let Some(limit) = refusal.limit {
        context.note_limit(limit);
    }
    if let Some(why) = refusal.failure {
        let services = context.services();
        services.metrics.auth_failures.with_label_values(&[why.as_str()]).inc();
        services.audit.refused(why, refusal.whose.as_deref(), context.request_id(), client);
    }
    Failure(refusal.error)
}

/// A security scheme of which nothing is said yet.
pub const NO_SCHEME: MetaSecurityScheme = MetaSecurityScheme {
    ty: "",
    description: None,
    name: None,
    key_in: None,
    scheme: None,
    bearer_format: None,
    flows: None,
    openid_connect_url: None,
};
