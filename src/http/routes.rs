//! The paths of the document and the pages beside it: what leads to the pages, says `Allow` beside a 405, and gives
//! metrics their bounded labels.

use poem::{endpoint::BoxEndpoint, http::Method};
use serde_json::Value;

/// Every path of the document with its methods, and every page.
pub struct Routes(Vec<Route>);

/// One path, with what stands for a parameter in braces.
pub struct Route {
    path: String,
    segments: Vec<Segment>,
    allow: String,
    /// For each method of an operation, the parameters that its query may have.
    queries: Vec<(String, Vec<String>)>,
    page: Option<BoxEndpoint<'static>>,
}

/// One part of a path. The order is that in which they are tried.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    /// A number, so `/types` is never taken for one.
    Id,
    /// Any name.
    Name,
}

impl Routes {
    /// Reads the table from the document's `paths`, and adds the pages beside it.
    pub fn new(
        document: &Value,
        pages: impl IntoIterator<Item = (&'static str, BoxEndpoint<'static>)>,
    ) -> Self {
        let page = |(path, page)| Route { page: Some(page), ..Route::new(path, "GET, HEAD".to_owned()) };
        let mut routes: Vec<_> = pages.into_iter().map(page).collect();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            let operations = operations.as_object().into_iter().flatten();
            let queries: Vec<_> = operations.map(|(m, o)| (m.to_uppercase(), in_query(o))).collect();
            let mut methods: Vec<_> = queries.iter().map(|(method, _)| method.as_str()).collect();
            if methods.contains(&"GET") {
                // What answers a GET answers a HEAD, without its body.
                methods.push("HEAD");
            }
            let allow = methods.join(", ");
            routes.push(Route { queries, ..Route::new(path, allow) });
        }
        // Literal segments win over parameters: `/users` before `/{id}`.
        routes.sort_by(|a, b| a.segments.cmp(&b.segments));
        Self(routes)
    }

    /// The one that a path matches.
    pub fn find(&self, path: &str) -> Option<&Route> {
        self.0.iter().find(|r| r.matches(path))
    }
}

impl Route {
    fn new(path: &str, allow: String) -> Self {
        let segments = path
            .trim_end_matches('/')
            .split('/')
            .map(|s| match s {
                "{hook_id}" => Segment::Name,
                id if id.starts_with('{') => Segment::Id,
                literal => Segment::Literal(literal.to_owned()),
            })
            .collect();
        Self { path: path.to_owned(), segments, allow, queries: Vec::new(), page: None }
    }

    /// What answers there, where it is a page.
    pub fn page(&self) -> Option<&BoxEndpoint<'static>> {
        self.page.as_ref()
    }

    /// The path, for the label of metrics.
    pub fn pattern(&self) -> &str {
        &self.path
    }

    /// Its methods, as `Allow` lists them.
    pub fn allow(&self) -> &str {
        &self.allow
    }

    /// The parameters that the query of an operation may have; `None` where a path has no such operation.
    pub fn query_of(&self, method: &Method) -> Option<&[String]> {
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        self.queries.iter().find(|(known, _)| known == method).map(|(_, names)| names.as_slice())
    }

    fn matches(&self, path: &str) -> bool {
        let mut asked = path.trim_end_matches('/').split('/');
        let fits = self.segments.iter().all(|known| match (known, asked.next()) {
            (Segment::Literal(literal), Some(segment)) => literal == segment,
            (Segment::Id, Some(segment)) => {
                !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit())
            }
            (Segment::Name, Some(segment)) => !segment.is_empty(),
            (_, None) => false,
        });
        fits && asked.next().is_none()
    }
}

/// The names of an operation's query parameters, as the document lists them.
fn in_query(operation: &Value) -> Vec<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let names = parameters.filter(|parameter| parameter["in"] == "query");
    names.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use poem::{EndpointExt, Response, endpoint::make_sync};

    use super::*;

    #[test]
    fn paths_are_found_by_their_pattern() {
        let document = serde_json::json!({"paths": {
            "/a/{id}": {"delete": {}}, "/a/users": {"get": {}}, "/h/{hook_id}": {"post": {}}, "/a": {"get": {}, "post": {}},
        }});
        let page = make_sync(|_| Response::default()).boxed();
        let routes = Routes::new(&document, [("/a/docs/", page)]);
        assert_eq!(routes.find("/a/7").map(Route::pattern), Some("/a/{id}"));
        assert_eq!(routes.find("/a/users").map(Route::pattern), Some("/a/users"));
        assert_eq!(routes.find("/h/alerts").map(Route::pattern), Some("/h/{hook_id}"));
        assert_eq!(routes.find("/h/").map(Route::pattern), None);
        assert_eq!(routes.find("/a/docs").map(Route::pattern), Some("/a/docs/"));
        let is_page = |path| routes.find(path).is_some_and(|route| route.page().is_some());
        assert_eq!((is_page("/a/docs/"), is_page("/a/users")), (true, false));
        assert_eq!(routes.find("/a/").map(Route::allow), Some("GET, POST, HEAD"));
        assert_eq!(routes.find("/a/b/c").map(Route::pattern), None);
        assert_eq!(routes.find("/a/b").map(Route::pattern), None);
    }
}
