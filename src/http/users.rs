//! The tenant's directory: create, read, list and erase users.

use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};

use super::{
    Tag,
    admit::{Admitted, MayEraseUsers, MayManageUsers, MayReadUsers},
    answer::{Answer, Either},
    body::{Body, FromBody},
    cursor,
    error::Failure,
    faults::Faults,
    json,
    params::{Cursor, Id, PageSize},
    render,
    wire::{MessageResponse, UserListResponse, UserRequest, UserResponse},
};
use crate::domain::{Error, Limits, MAX_ID, Profile, Result, User, UserId};

/// The directory.
pub struct UsersApi;

#[OpenApi(prefix_path = "/crm/notification/users")]
impl UsersApi {
    /// Create a user or replace their profile
    ///
    /// A user who was erased starts with an empty inbox.
    #[oai(path = "/:user_id", method = "put", operation_id = "putUser", tag = "Tag::Users")]
    async fn put(
        &self,
        caller: Admitted<MayManageUsers>,
        /// The user's id.
        user_id: Path<Id>,
        body: Body<UserRequest>,
    ) -> poem::Result<Either<Answer<UserResponse>, Answer<UserResponse, 201>>> {
        let user = checked(user_id.0).map_err(Failure)?;
        let (user, created) = caller
            .services
            .directory
            .put(&caller.principal.tenant, user, body.0, Some(&caller.actor()))
            .await
            .map_err(Failure)?;
        let text = one(&user);
        Ok(if created { Either::Right(Answer::new(text)) } else { Either::Left(Answer::new(text)) })
    }

    /// Read a user
    ///
    /// Senders use it to ask whether a user exists.
    #[oai(path = "/:user_id", method = "get", operation_id = "getUser", tag = "Tag::Users")]
    async fn get(
        &self,
        caller: Admitted<MayReadUsers>,
        /// The user's id.
        user_id: Path<Id>,
    ) -> poem::Result<Answer<UserResponse>> {
        let user = checked(user_id.0).map_err(Failure)?;
        let user = caller.services.directory.get(&caller.principal.tenant, user).await.map_err(Failure)?;
        Ok(Answer::new(one(&user)))
    }

    /// Erase a user
    ///
    /// Their inbox is gone at once; their id leaves others' `related_user_id`. This cannot be undone.
    #[oai(path = "/:user_id", method = "delete", operation_id = "eraseUser", tag = "Tag::Users")]
    async fn erase(
        &self,
        caller: Admitted<MayEraseUsers>,
        /// The user's id.
        user_id: Path<Id>,
    ) -> poem::Result<Answer<MessageResponse>> {
        let user = checked(user_id.0).map_err(Failure)?;
        caller
            .services
            .directory
            .erase(&caller.principal.tenant, user, &caller.actor())
            .await
            .map_err(Failure)?;
        Ok(Answer::new(format!(r#"{{"result":"Success","message":"User {user} erased"}}"#)))
    }

    /// List the users
    ///
    /// By growing id.
    #[oai(path = "/", method = "get", operation_id = "listUsers", tag = "Tag::Users")]
    async fn list(
        &self,
        caller: Admitted<MayReadUsers>,
        /// How many users to show.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
    ) -> poem::Result<Answer<UserListResponse>> {
        let after = cursor.0.and_then(|c| UserId::new(c.0.clamp(1, MAX_ID)).ok());
        let limit = limit.0.unwrap_or_default().0;
        let (users, more) =
            caller.services.directory.list(&caller.principal.tenant, after, limit).await.map_err(Failure)?;
        let mut text = String::from(r#"{"result":"Success","users":"#);
        render::array(&mut text, &users, render::user);
        if let Some(last) = users.last().filter(|_| more) {
            text.push_str(&format!(r#","next_cursor":"{}""#, cursor::write(last.id.get())));
        }
        text.push('}');
        Ok(Answer::new(text))
    }
}

fn one(user: &User) -> String {
    let mut text = String::from(r#"{"result":"Success","user":"#);
    render::user(&mut text, user);
    text.push('}');
    text
}

fn checked(id: Id) -> Result<UserId> {
    UserId::new(id.0).map_err(|e| Error::Invalid(format!("user_id {e}")))
}

impl FromBody for UserRequest {
    type Output = Profile;

    fn from_body(body: &[u8], _limits: &Limits) -> Result<Profile> {
        profile(json::fields(body, ["display_name", "locale", "time_zone"])?)
    }
}

/// A profile of its fields.
pub fn profile([name, locale, zone]: [json::Field; 3]) -> Result<Profile> {
    let mut faults = Faults::default();
    let profile = Profile {
        display_name: faults.pass(json::string("display_name", name, 255)),
        locale: faults.pass(json::string("locale", locale, 35)),
        time_zone: faults.pass(json::string("time_zone", zone, 64)),
    };
    faults.finish(profile)
}
