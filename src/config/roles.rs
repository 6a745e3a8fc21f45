//! Roles: named sets of permissions, two of them built in.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{
    field::{Field, Section},
    problem::shown,
    value::listed,
};
use crate::domain::{Permission, Permissions, closest};

/// Every permission but that of erasing users, which a role must name: what is erased is gone.
const ADMIN: &str = "admin";
/// What a key without roles has.
const SENDER: &str = "sender";

/// The built-in roles and the site's own.
pub(super) struct Roles(IndexMap<String, Permissions>);

impl Roles {
    /// The built-in roles, and those of all files.
    pub fn decode(sections: &[Section<'_>]) -> Self {
        let sender = [Permission::NotificationSend, Permission::UserRead].into_iter().collect();
        let admin = Permissions::all().without(Permission::UserErase);
        let mut roles = IndexMap::from([(ADMIN.to_owned(), admin), (SENDER.to_owned(), sender)]);
        let mut places: HashMap<&str, String> = HashMap::new();
        for (name, field) in sections.iter().filter_map(|s| s.get("roles")).flat_map(|f| f.entries()) {
            if name == ADMIN || name == SENDER {
                field.fail("is built in and cannot be defined anew");
            } else if name.trim().is_empty()
                || name.chars().count() > 64
                || name.chars().any(char::is_control)
            {
                field.fail("must have a name of 1 to 64 characters");
            } else if let Some(first) = places.insert(name, field.place()) {
                field.fail(format!("is defined at {first} already"));
            } else {
                roles.insert(name.to_owned(), permissions(&field));
            }
        }
        Self(roles)
    }

    /// The roles that bearer tokens may claim.
    pub fn of_bearers(&self) -> IndexMap<String, Permissions> {
        self.0.clone()
    }

    /// The permissions of an API key with these roles.
    pub fn of_key(&self, roles: &[Field<'_>]) -> Permissions {
        let mut all = Permissions::default();
        for role in roles {
            all = all.union(role.read(|name| self.one(name)).unwrap_or_default());
        }
        if roles.is_empty() { self.one(SENDER).unwrap_or_default() } else { all }
    }

    /// The name of a role that there is.
    pub fn known(&self, name: &str) -> Result<String, String> {
        self.one(name).map(|_| name.to_owned())
    }

    fn one(&self, name: &str) -> Result<Permissions, String> {
        match self.0.get(name) {
            Some(permissions) => Ok(*permissions),
            None => {
                Err(format!("{} is no role; known: {}", shown(name), listed(self.0.keys().map(|k| shown(k)))))
            }
        }
    }
}

fn permissions(role: &Field<'_>) -> Permissions {
    let one = |name: &str| {
        let known = Permission::ALL.iter().map(|p| p.as_str());
        name.parse::<Permission>().map_err(|()| match closest(name, known.clone()) {
            Some(close) => format!("{} is no permission; did you mean {close}?", shown(name)),
            None => format!("{} is no permission; known: {}", shown(name), listed(known)),
        })
    };
    role.list().iter().filter_map(|field| field.read(one)).collect()
}
