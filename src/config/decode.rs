//! From files to [`Config`]: which files there are, and what stands at the top of each.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    Config, Log, Origin, Quota, Secret, StoreConfig,
    field::{Field, Section},
    inbox,
    inputs::{Answer, Ask, Source},
    keys, limits,
    problem::{ConfigProblem, ConfigProblems, Report},
    roles::Roles,
    secret, server,
    store_url::check_store_url,
    streams,
    tenants::Tenants,
    tree::{self, Node},
    value,
};

const MAIN: &[&str] = &[
    "include",
    "server",
    "store",
    "log",
    "plugins",
    "limits",
    "rate_limits",
    "streams",
    "audit",
    "inbox",
    "roles",
    "tenants",
    "api_keys",
    "api_keys_from",
];
const INCLUDED: &[&str] = &["roles", "tenants", "api_keys"];
const STORE: &[&str] = &[
    "url",
    "url_env",
    "url_file",
    "min_free_space",
    "readers",
    "lanes",
    "connect_timeout",
    "statement_timeout",
    "lock_timeout",
    "commit_timeout",
    "clock_leeway",
];
const RATE_LIMITS: &[&str] = &["per_key", "per_user", "tenant", "failed_auth"];
const MOST_FILES: usize = 256;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// A file as a tree.
struct Document {
    file: PathBuf,
    root: Node,
}

/// Reads all settings out of what the source has.
pub(super) fn decode(main: &Path, source: &dyn Source) -> Result<Config, ConfigProblems> {
    let report = Report::default();
    let config = Decoder { source, report: &report, secret_files: RefCell::default() }.all(main);
    report.finish(config)
}

/// What every part of the decoding needs.
pub(super) struct Decoder<'a> {
    pub source: &'a dyn Source,
    pub report: &'a Report,
    /// The files that hold one secret each.
    pub secret_files: RefCell<Vec<PathBuf>>,
}

impl Decoder<'_> {
    fn all(&self, path: &Path) -> Option<Config> {
        let document = match &*self.source.ask(Ask::File(path.into())) {
            Answer::File(bytes) => self.own_document(path, bytes)?,
            Answer::Failed(message) => return self.lost(path, message),
            _ => return self.lost(path, "does not exist"),
        };
        let root = Field::root(self.report, &document.file, &document.root);
        let main = root.section(MAIN)?;
        let included = self.included(&main);
        let foreign = self.foreign(&main);

        let mut sections = vec![main];
        sections.extend(included.iter().filter_map(|d| self.root(d).section(INCLUDED)));
        let main = &sections[0];
        let quotas = main.section("rate_limits", RATE_LIMITS);
        let quota = |name| quotas.as_ref().and_then(|s| rate_limit(s, name));
        let roles = Roles::decode(&sections);
        let Tenants { tenants, per_key, emptied } = self.tenants(
            &sections,
            &roles,
            super::tenants::Quotas {
                per_key: quota("per_key").unwrap_or_default(),
                per_user: quota("per_user").unwrap_or_default(),
                ceiling: quota("tenant"),
            },
        );
        let mut api_keys: Vec<Field<'_>> = sections.iter().filter_map(|s| s.given("api_keys")).collect();
        api_keys.extend(foreign.iter().filter_map(|d| self.foreign_keys(d)));
        let keys = keys::decode(&api_keys, &roles, &per_key);
        let plugins = self.plugins(main);
        let limits = limits::read(main);
        Some(Config {
            server: server::read(self, main, &limits),
            store: self.store(main),
            log: log(main),
            plugins: plugins.as_ref().map(|(path, _)| path.clone()),
            limits,
            failed_auth: quota("failed_auth").unwrap_or_default(),
            streams: streams::streams(main),
            audit_retention: audit_retention(main),
            restore_time: inbox::restore_time(main),
            tenants,
            keys,
            origin: Origin {
                file: path.into(),
                empty: root.is_null() || root.is_empty_map(),
                // Beside sections that hold keys, an empty one says nothing of theirs.
                keys_emptied: !api_keys.is_empty() && api_keys.iter().all(Field::is_empty_map),
                emptied,
                tenants: sections.iter().map(named_tenants).collect(),
                types_missing: plugins.as_ref().is_some_and(|(_, is_missing)| *is_missing),
                overridden: Vec::new(),
                secret_files: self.secret_files.take(),
            },
        })
    }

    fn document(&self, file: &Path, bytes: &[u8]) -> Option<Document> {
        match tree::parse(file, bytes) {
            Ok(root) => Some(Document { file: file.into(), root }),
            Err(problem) => {
                self.report.add(problem);
                None
            }
        }
    }

    /// One of the gateway's own files, in which every tag counts.
    fn own_document(&self, file: &Path, bytes: &[u8]) -> Option<Document> {
        let document = self.document(file, bytes)?;
        self.root(&document).refuse_tags();
        Some(document)
    }

    fn root<'d>(&'d self, document: &'d Document) -> Field<'d> {
        Field::root(self.report, &document.file, &document.root)
    }

    fn lost<T>(&self, path: &Path, message: &str) -> Option<T> {
        self.report.add(ConfigProblem::new(path, "", message));
        None
    }

    /// A secret's file that a field names, relative to the file that the field is in.
    pub fn file(&self, field: &Field<'_>) -> Option<Arc<Answer>> {
        let answer = self.source.ask(Ask::File(resolved(field, field.text()?)));
        match &*answer {
            Answer::File(_) => return Some(answer),
            // Not the name: someone may have put the secret itself here.
            Answer::Failed(message) => field.fail(format!("names a file that {message}")),
            _ => field.fail("names a file that does not exist"),
        }
        None
    }

    fn open(&self, field: &Field<'_>, path: PathBuf) -> Option<Arc<Answer>> {
        let shown = path.display().to_string();
        let answer = self.source.ask(Ask::File(path));
        match &*answer {
            Answer::File(_) => return Some(answer),
            Answer::Failed(message) => field.fail(format!("{shown} {message}")),
            _ => field.fail(format!("{shown} does not exist")),
        }
        None
    }

    /// The files that `include` names, each once; a pattern may match none.
    fn included(&self, main: &Section<'_>) -> Vec<Document> {
        let mut seen = vec![main.field().file().to_path_buf()];
        let mut documents = Vec::new();
        for field in main.get("include").iter().flat_map(Field::one_or_many) {
            let Some(text) = field.text() else { continue };
            let path = resolved(&field, text);
            let paths =
                if text.contains(['*', '?', '[', '{']) { self.matching(&field, path) } else { vec![path] };
            for path in paths {
                if documents.len() == MOST_FILES {
                    field.fail(format!("names too many files: at most {MOST_FILES}"));
                    return documents;
                }
                if !seen.contains(&path) {
                    seen.push(path.clone());
                    documents.extend(self.read_document(&field, path, Self::own_document));
                }
            }
        }
        documents
    }

    fn matching(&self, field: &Field<'_>, pattern: PathBuf) -> Vec<PathBuf> {
        if pattern.parent().is_some_and(|p| p.to_string_lossy().contains(['*', '?', '[', '{'])) {
            field.fail("may have a pattern only in the file's name, such as keys/*.yaml");
            return Vec::new();
        }
        let shown = pattern.display().to_string();
        match &*self.source.ask(Ask::Pattern(pattern)) {
            Answer::Pattern(paths) => return paths.clone(),
            Answer::Failed(message) => field.fail(format!("{shown} {message}")),
            _ => field.fail(format!("{shown} does not exist")),
        }
        Vec::new()
    }

    fn read_document(
        &self,
        field: &Field<'_>,
        path: PathBuf,
        parse: impl Fn(&Self, &Path, &[u8]) -> Option<Document>,
    ) -> Option<Document> {
        match &*self.open(field, path.clone())? {
            Answer::File(bytes) => parse(self, &path, bytes),
            _ => None,
        }
    }

    /// Another system's files, of which only `api_keys` is read.
    fn foreign(&self, main: &Section<'_>) -> Vec<Document> {
        let fields = main.get("api_keys_from").iter().flat_map(Field::one_or_many).collect::<Vec<_>>();
        let read =
            |field: &Field<'_>| self.read_document(field, resolved(field, field.text()?), Self::document);
        fields.iter().filter_map(read).collect()
    }

    fn foreign_keys<'d>(&'d self, document: &'d Document) -> Option<Field<'d>> {
        let root = self.root(document);
        let mut found =
            root.entries().into_iter().filter(|(name, _)| *name == "api_keys").map(|(_, field)| field);
        let first = found.next();
        first.iter().for_each(Field::refuse_tags);
        for again in found {
            again.fail("stands here again");
        }
        if first.is_none() {
            root.fail("holds no api_keys, but api_keys_from names this file");
        }
        first
    }

    fn store(&self, main: &Section<'_>) -> StoreConfig {
        const MOST_FREE: i64 = 1 << 50;
        let default = StoreConfig::default();
        let Some(s) = main.section("store", STORE) else { return default };
        let url =
            secret::one_of(self, &s, ["url", "url_env", "url_file"]).and_then(|(Secret(url), field)| {
                let url = String::from_utf8(url).unwrap_or_default();
                check_store_url(&url).map_err(|message| field.fail(message)).ok()?;
                Some(url)
            });
        let time = |name, default| s.duration(name, SECOND / 10..=MINUTE).unwrap_or(default);
        StoreConfig {
            url: url.unwrap_or(default.url),
            min_free_space: s.integer("min_free_space", 0..=MOST_FREE).and_then(|n| u64::try_from(n).ok()),
            readers: s
                .integer("readers", 2..=256)
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(default.readers),
            lanes: s.size("lanes", 1..=64, default.lanes),
            connect_timeout: time("connect_timeout", default.connect_timeout),
            statement_timeout: time("statement_timeout", default.statement_timeout),
            lock_timeout: time("lock_timeout", default.lock_timeout),
            commit_timeout: time("commit_timeout", default.commit_timeout),
            clock_leeway: s.duration("clock_leeway", SECOND..=7 * DAY).unwrap_or(default.clock_leeway),
        }
    }

    /// The folder of types, and whether it is missing: that is no problem, it may come later.
    fn plugins(&self, main: &Section<'_>) -> Option<(PathBuf, bool)> {
        let field = main.get("plugins")?;
        let path = resolved(&field, field.text()?);
        let answer = self.source.ask(Ask::Folder(path.clone()));
        if let Answer::Failed(message) = &*answer {
            field.fail(format!("{} {message}", path.display()));
        }
        Some((path, matches!(*answer, Answer::Missing)))
    }
}

/// A file, and how many tenants it names.
fn named_tenants(section: &Section<'_>) -> (PathBuf, Option<usize>) {
    let named = section.get("tenants").map(|tenants| tenants.entries().len());
    (section.field().file().to_owned(), named)
}

/// A path relative to the file that names it.
pub(super) fn resolved(field: &Field<'_>, path: &str) -> PathBuf {
    let folder = field.file().parent().unwrap_or(Path::new(""));
    // Through its parts, so that `./a` and `a` are the same file.
    folder.join(path.strip_prefix("./").unwrap_or(path)).components().collect()
}

/// How long the audit record is kept. It never grows without end.
fn audit_retention(main: &Section<'_>) -> Duration {
    let given =
        main.section("audit", &["retention"]).and_then(|s| s.duration("retention", DAY..=3_653 * DAY));
    given.unwrap_or(400 * DAY)
}

fn log(main: &Section<'_>) -> Log {
    use tracing::Level;
    let default = Log::default();
    let Some(s) = main.section("log", &["format", "level"]) else { return default };
    let levels = value::one_of(&[
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ]);
    Log {
        json: s.read("format", value::one_of(&[("pretty", false), ("json", true)])).unwrap_or(default.json),
        level: s.read("level", levels).unwrap_or(default.level),
    }
}

/// A rate limit; `burst` is twice `per_second` unless it is given.
pub(super) fn rate_limit(section: &Section<'_>, name: &'static str) -> Option<Quota> {
    const MOST: i64 = 1_000_000;
    let s = section.section(name, &["per_second", "burst"])?;
    let per_second = u32::try_from(s.required("per_second")?.integer(1..=MOST)?).ok()?;
    let burst = s.integer("burst", 1..=MOST).and_then(|n| u32::try_from(n).ok());
    Some(Quota { per_second, burst: burst.unwrap_or(per_second * 2) })
}
