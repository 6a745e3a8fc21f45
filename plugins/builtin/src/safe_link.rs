//! `safe_link`: where a click may lead.

use bellboard_sdk::{
    Builder, Component, Context, Draft, Problem, ProblemCode, Problems, Resources, Validator,
};
use serde::Deserialize;
use serde_json::Value;

use crate::{excerpt::excerpt, settings};

/// The entry in the list of components.
pub(crate) const BUILDER: Builder = Builder {
    name: "safe_link",
    summary: "Takes only paths of the site and http(s) URLs as links, of given hosts where wanted.",
    build,
};

/// What `type.yaml` says under the name. All may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The hosts that a URL may name: `crm.example`, or `*.crm.example` for those below it. An
    /// empty list allows none, so that only paths of the site are links; without it, any host is.
    hosts: Option<Vec<String>>,
}

struct SafeLink {
    hosts: Option<Vec<Host>>,
}

enum Host {
    Exactly(String),
    /// With its leading dot.
    Below(String),
}

fn build(settings: Value, _: &Resources) -> Result<Component, String> {
    let Settings { hosts } = settings::read(settings)?;
    let hosts = hosts.map(|hosts| hosts.iter().map(|h| parse(h)).collect()).transpose()?;
    Ok(Component::Validator(Box::new(SafeLink { hosts })))
}

fn parse(host: &str) -> Result<Host, String> {
    let (below, name) = host.strip_prefix("*.").map_or((false, host), |name| (true, name));
    let fits = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
        return Err(format!("hosts: `{host}` is not a host name: no scheme, port or path"));
    }
    let name = name.to_lowercase();
    Ok(if below { Host::Below(format!(".{name}")) } else { Host::Exactly(name) })
}

impl Validator for SafeLink {
    fn validate(&self, draft: &Draft, _: &Context, problems: &mut Problems) {
        let Some(link) = draft.link.as_deref() else { return };
        if let Some(problem) = draft.link_problem() {
            problems.push(problem);
        } else if let (Some(hosts), Some(authority)) = (&self.hosts, authority(link))
            && !is_allowed(hosts, authority)
        {
            let fault = format!("must not lead to the host {}", excerpt(authority));
            problems.push(Problem::new("link", fault).coded(ProblemCode::UnsafeLink));
        }
    }
}

/// What stands between `//` and the path, of a link that has been checked; `None` for a path.
fn authority(link: &str) -> Option<&str> {
    let (scheme, rest) = link.split_once("://")?;
    let is_scheme = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    is_scheme.then(|| rest.split(['/', '?', '#']).next().unwrap_or_default())
}

fn is_allowed(hosts: &[Host], authority: &str) -> bool {
    // A name and password before the host make one host look like another.
    if authority.contains('@') {
        return false;
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _port)| host).to_lowercase();
    hosts.iter().any(|allowed| match allowed {
        Host::Exactly(name) => host == *name,
        Host::Below(suffix) => host.ends_with(suffix.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::BUILDER;
    use crate::testing::{build, draft, error, messages};
    use bellboard_sdk::Draft;
    use serde_json::json;

    fn faults(settings: serde_json::Value, link: &str) -> Vec<String> {
        let component = build(BUILDER, settings).expect("good settings");
        messages(&component, &Draft { link: Some(link.into()), ..draft(json!(null)) })
    }

    #[test]
    fn without_hosts_any_web_link_is_taken() {
        assert!(faults(json!(null), "https://any.example/").is_empty());
        assert_eq!(
            faults(json!(null), "javascript:alert(1)"),
            ["link must be a path of the site or an http(s) URL"]
        );
    }

    #[test]
    fn only_listed_hosts_are_taken() {
        let settings = json!({"hosts": ["crm.example", "*.cdn.example"]});
        for good in ["/a?u=http://evil.example", "https://CRM.example:8443/a", "http://x.cdn.example"] {
            assert!(faults(settings.clone(), good).is_empty(), "{good}");
        }
        for bad in [
            "https://evil.example/",
            "https://crm.example@evil.example/",
            "https://crm.example:x@evil.example/",
            "https://xcdn.example",
            "https://cdn.example",
            "https://crm.example.evil.example",
        ] {
            assert_eq!(faults(settings.clone(), bad).len(), 1, "{bad}");
        }
        assert_eq!(faults(json!({"hosts": []}), "https://crm.example/").len(), 1);
    }

    #[test]
    fn settings_are_checked() {
        for host in ["https://crm.example", "crm.example:443", "", "*.", "*"] {
            assert!(error(BUILDER, json!({"hosts": [host]})).contains("is not a host name"), "{host}");
        }
    }
}
