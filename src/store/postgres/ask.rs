//! A statement with its arguments: it can be asked again, prepared under a name or not.

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Arguments, Encode, Postgres, Type};

/// A statement of the crate's own text; values only ever come as arguments.
pub(super) struct Ask {
    text: &'static str,
    arguments: PgArguments,
    fault: Option<BoxDynError>,
}

pub(super) fn ask(text: &'static str) -> Ask {
    Ask { text, arguments: PgArguments::default(), fault: None }
}

impl Ask {
    /// Binds the next argument.
    pub fn bind<'t, T: Encode<'t, Postgres> + Type<Postgres>>(mut self, value: T) -> Self {
        if let Err(fault) = self.arguments.add(value) {
            self.fault.get_or_insert(fault);
        }
        self
    }

    /// Asks, and gives all rows once the statement has ended.
    pub async fn rows(&self, on: &mut Session<'_>) -> sqlx::Result<Vec<PgRow>> {
        self.query(on.named)?.fetch_all(&mut *on.connection).await
    }

    /// Does it, and gives how many rows that was.
    pub async fn run(&self, on: &mut Session<'_>) -> sqlx::Result<u64> {
        Ok(self.query(on.named)?.execute(&mut *on.connection).await?.rows_affected())
    }

    fn query(&self, named: bool) -> sqlx::Result<Query<'static, Postgres, PgArguments>> {
        if let Some(fault) = &self.fault {
            return Err(sqlx::Error::Encode(fault.to_string().into()));
        }
        Ok(sqlx::query_with(self.text, self.arguments.clone()).persistent(named))
    }
}

/// A connection, and whether what is prepared on it may have a name. Behind a pooler that lends out connections
/// by the transaction it may not: the next transaction may be on another connection, or find another's there.
pub(super) struct Session<'a> {
    pub connection: &'a mut PgConnection,
    pub named: bool,
}
