//! The inbox component, for pages that embed it, and a page that shows it; built from `ui/`.

use poem::{
    Endpoint, Request, Response,
    http::{
        HeaderValue,
        header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY},
    },
};

use super::fixed::Fixed;

/// Where the page stands; with a slash at its end too.
pub const PAGE_PATH: &str = "/crm/notification/ui";
/// Where the component stands.
pub const COMPONENT_PATH: &str = "/crm/notification/ui/inbox.js";
/// Where the page's own script stands.
pub const SCRIPT_PATH: &str = "/crm/notification/ui/page.js";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page loads its two scripts and asks its own gateway, and that is all; what stands in a notification can never
/// become more than text.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'self'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// A file of `ui/` and the headers that only it has.
pub struct Asset {
    file: Fixed,
    headers: &'static [(HeaderName, &'static str)],
}

impl Asset {
    /// The page.
    pub fn page() -> Self {
        let file = Fixed::new("text/html; charset=utf-8", include_str!("../../ui/page/index.html"));
        Self { file, headers: &[(CONTENT_SECURITY_POLICY, POLICY), (REFERRER_POLICY, "no-referrer")] }
    }

    /// The component. Pages of other origins may load it: it holds no secret.
    pub fn component() -> Self {
        let file = Fixed::new(SCRIPT, include_str!("../../ui/dist/inbox.js"));
        Self { file, headers: &[(ACCESS_CONTROL_ALLOW_ORIGIN, "*")] }
    }

    /// The page's script.
    pub fn script() -> Self {
        Self { file: Fixed::new(SCRIPT, include_str!("../../ui/dist/page.js")), headers: &[] }
    }
}

impl Endpoint for Asset {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let mut answer = self.file.answer(&request)?;
        for (name, value) in self.headers {
            answer.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
        }
        Ok(answer)
    }
}
