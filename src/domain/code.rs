//! What a caller is told went wrong, in one word that never changes.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal;)*) => {
        /// Names each way in which a request fails, for programs. `docs/errors.md` lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word: stable, in snake case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The same for people: a few words that do not depend on the request.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The request says something that cannot be.
    InvalidRequest = "invalid_request", "The request says something that cannot be";
    /// A parameter of the path, the query or the headers is not as it must be.
    InvalidParameter = "invalid_parameter", "A parameter is not as it must be";
    /// Fields of the body are not as they must be.
    InvalidFields = "invalid_fields", "Fields of the body are not as they must be";
    /// The type's checks refused the notification.
    NotificationRefused = "notification_refused", "The type's checks refused the notification";
    /// Of a batch that is stored whole or not at all, items cannot be stored.
    BatchRefused = "batch_refused", "Items of the batch cannot be stored";
    /// Of such a batch, an item that is good.
    Withheld = "withheld", "Another item of the batch cannot be stored";
    /// Of what a hook received, events cannot be stored.
    EventsRefused = "events_refused", "Events cannot be stored";
    /// The body is not the JSON object that it must be.
    MalformedBody = "malformed_body", "The body is not the JSON object that it must be";
    /// The body broke off, or took too long to come.
    UnreadableBody = "unreadable_body", "The body did not come whole";
    /// No credential came.
    AuthenticationRequired = "authentication_required", "No credential came";
    /// The API key proves nobody.
    InvalidApiKey = "invalid_api_key", "The API key proves nobody";
    /// The token proves nobody.
    InvalidToken = "invalid_token", "The token proves nobody";
    /// The token is past its time.
    ExpiredToken = "expired_token", "The token has expired";
    /// The signature is not of this body.
    InvalidSignature = "invalid_signature", "The signature is not of this body";
    /// The signature is of another time.
    StaleSignature = "stale_signature", "The signature is of another time";
    /// An API key came where only a user will do.
    UserTokenRequired = "user_token_required", "Only a user can do this";
    /// The credential lacks a permission.
    PermissionRequired = "permission_required", "The credential lacks a permission";
    /// The API key may not send this type.
    TypeNotAllowed = "type_not_allowed", "The API key may not send this type";
    /// There is no such path.
    NoSuchPath = "no_such_path", "There is no such path";
    /// The tenant has no such user.
    UserNotFound = "user_not_found", "There is no such user";
    /// The inbox has no such notification.
    NotificationNotFound = "notification_not_found", "There is no such notification";
    /// There is no such hook.
    HookNotFound = "hook_not_found", "There is no such hook";
    /// The path takes other methods.
    MethodNotAllowed = "method_not_allowed", "The path takes other methods";
    /// The body is larger than the gateway takes.
    BodyTooLarge = "body_too_large", "The body is too large";
    /// The body is of another media type than the operation takes.
    UnsupportedMediaType = "unsupported_media_type", "The body is of another media type";
    /// The idempotency key came with another body before.
    IdempotencyKeyReused = "idempotency_key_reused", "The idempotency key came with another body before";
    /// Too many requests for now.
    RateLimited = "rate_limited", "Too many requests for now";
    /// Too many live streams are open.
    TooManyStreams = "too_many_streams", "Too many streams are open";
    /// The gateway's own fault.
    InternalError = "internal_error", "The gateway failed";
    /// The gateway is full; nothing was stored.
    Busy = "busy", "The gateway is busy";
    /// The keys that verify the token cannot be fetched; nothing was stored.
    KeysUnavailable = "keys_unavailable", "The issuer's keys cannot be fetched";
    /// Whether the change was made is not known.
    OutcomeUnknown = "outcome_unknown", "It is not known whether the change was made";
}
