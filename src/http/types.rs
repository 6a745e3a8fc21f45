//! `GET /crm/notification/types`: what the caller's tenant may use.

use std::fmt::Write;

use poem_openapi::OpenApi;
use serde_json::Value;

use super::{
    Tag,
    admit::{Admitted, Anyone},
    answer::Answer,
    error::Failure,
    render,
    wire::TypeListResponse,
};

/// The notification types.
pub struct TypesApi;

#[OpenApi(prefix_path = "/crm/notification")]
impl TypesApi {
    /// List the notification types
    ///
    /// Those that the caller's tenant may use; an API key that is restricted to some types sees those.
    #[oai(path = "/types", method = "get", operation_id = "listTypes", tag = "Tag::Sending")]
    async fn list(&self, caller: Admitted<Anyone>) -> poem::Result<Answer<TypeListResponse>> {
        let snapshot = caller.context.snapshot();
        let tenant = &caller.principal.tenant;
        let settings = snapshot.tenant(tenant).map_err(Failure)?;
        let types: Vec<_> = snapshot
            .registry
            .for_tenant(tenant)
            .filter(|t| caller.principal.may_send_type(&t.name))
            .collect();
        let mut text = String::from(r#"{"result":"Success","types":"#);
        render::array(&mut text, &types, |text, kind| {
            let _ = write!(text, r#"{{"name":"{}""#, kind.name);
            if let Some(family) = &kind.family {
                let _ = write!(text, r#","family":{}"#, Value::from(family.as_str()));
            }
            let _ = write!(
                text,
                r#","description":{},"icon":{},"severity":"{}","strict":{}"#,
                Value::from(kind.description.as_str()),
                Value::from(kind.icon.as_str()),
                kind.severity.as_str(),
                settings.is_strict(&kind.name),
            );
            if let Some(schema) = &kind.metadata_schema {
                let _ = write!(text, r#","metadata_schema":{}"#, schema.get());
            }
            text.push('}');
        });
        text.push('}');
        Ok(Answer::new(text))
    }
}
