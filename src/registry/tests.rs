//! What the registry promises: the standard types hold, and a site's folders can add but not break.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Context, Loaded, NotificationType, PluginFolder, Registry, case, folder, standard};
use crate::config::{Sort, TypeFiles};
use crate::domain::{Draft, Limits, Metadata, Sealed, Severity, TenantId};

const STANDARD: [&str; 11] = [
    "billing_invoice",
    "billing_payment",
    "custom",
    "customer_reply",
    "provision_complete",
    "provision_failed",
    "service_expiring",
    "system_alert",
    "ticket_assigned",
    "ticket_mention",
    "ticket_updated",
];

const PARCEL: &str = "description: A parcel is on its way.\nicon: truck\nseverity: info\n";

fn site(name: &str, files: &[(&str, &str)]) -> PluginFolder {
    PluginFolder {
        sort: Sort::Type,
        name: name.into(),
        family: None,
        origin: format!("plugins/{name}"),
        home: name.into(),
        standard: false,
        faults: BTreeMap::new(),
        files: files.iter().map(|(file, text)| ((*file).to_owned(), text.as_bytes().to_vec())).collect(),
    }
}

fn with_standard(site: impl IntoIterator<Item = PluginFolder>) -> Vec<PluginFolder> {
    standard().into_iter().chain(site).collect()
}

fn load(site: impl IntoIterator<Item = PluginFolder>) -> Loaded {
    Registry::load(&with_standard(site), None)
}

/// The problems of one site folder, as text.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let loaded = load([site("parcel", files)]);
    assert_eq!(loaded.registry.quarantined(Sort::Type), ["parcel"]);
    loaded.problems.iter().map(ToString::to_string).collect()
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).expect("a tenant")
}

fn names(registry: &Registry, tenant: &TenantId) -> Vec<String> {
    registry.for_tenant(tenant).map(|t| t.name.clone()).collect()
}

fn draft(value: Value) -> Draft {
    serde_json::from_value(value).expect("a draft")
}

fn run(kind: &NotificationType, draft: Draft) -> super::Run {
    kind.run(draft, &Context { now: 0 }, false)
}

#[test]
fn the_eleven_types_are_whole_and_each_has_its_cases() {
    let loaded = load([]);
    assert_eq!(loaded.problems, []);
    assert_eq!(names(&loaded.registry, &TenantId::default()), STANDARD);
    for folder in standard() {
        let cases: Vec<_> = case::read_all(&folder).into_iter().map(|(_, c)| c.expect("a case")).collect();
        let good = cases.iter().filter(|c| c.is_good()).count();
        assert!(good >= 3 && cases.len() - good >= 3, "{}", folder.name);
        assert!(folder.family.is_some() && folder.standard, "{}", folder.name);
    }
}

#[test]
fn schemas_describe_every_property_and_their_examples_hold() {
    for folder in standard() {
        let schema: Value =
            serde_json::from_slice(&folder.files["metadata.schema.json"]).expect("a JSON Schema");
        let holds = |schema: &Value, example: &Value| {
            let mut one = schema.clone();
            if let Some(one) = one.as_object_mut() {
                one.remove("$schema");
            }
            // The component itself is what checks them: the example stands under a key.
            let wrapped = json!({"properties": {"x": one}}).to_string();
            let files = [("type.yaml", PARCEL_WITH_SCHEMA), ("metadata.schema.json", wrapped.as_str())];
            let loaded = Registry::load(&[site("probe", &files)], None);
            let kind = loaded.registry.find(&TenantId::default(), "probe").expect("a schema").clone();
            let metadata = json!({"x": example});
            run(&kind, draft(json!({"user_id": 1, "title": "x", "metadata": metadata}))).result.is_ok()
        };
        let examples = |schema: &Value| schema["examples"].as_array().cloned().unwrap_or_default();
        assert!(!examples(&schema).is_empty(), "{}", folder.name);
        assert!(examples(&schema).iter().all(|e| holds(&schema, e)), "{}", folder.name);
        for (key, property) in schema["properties"].as_object().expect("properties") {
            let whole = property["type"] != Value::Null && property["description"].is_string();
            assert!(whole && !examples(property).is_empty(), "{} {key}", folder.name);
            assert!(examples(property).iter().all(|e| holds(property, e)), "{} {key}", folder.name);
        }
    }
}

const PARCEL_WITH_SCHEMA: &str =
    "description: A parcel.\nicon: truck\nseverity: info\npipeline: [json_schema]\n";

/// What the documented integrations send, by type.
fn documented() -> Vec<Draft> {
    let sent = json!([
        {"user_id": 123, "type": "provision_complete", "title": "Service Activated",
         "message": "Your mobile service has been successfully activated", "link": "/services/167"},
        {"user_id": 123, "type": "provision_complete", "title": "Service Activated", "link": "/services/167",
         "metadata": {"service_id": 167, "provision_job_id": "prov-2026-00042", "duration_seconds": 45},
         "related_ticket_id": 42, "related_user_id": 5},
        {"user_id": 123, "type": "provision_complete", "title": "Mobile Service Activated", "link": "/services/167",
         "metadata": {"service_id": 167, "provision_job_id": "prov-2026-00042", "duration_seconds": 45,
                      "playbook": "mobile_service_activation"}},
        {"user_id": 123, "type": "provision_failed", "title": "Service Activation Failed", "link": "/services/167",
         "metadata": {"service_id": 167, "playbook": "mobile_service_activation", "success": false}},
        {"user_id": 5, "type": "billing_invoice", "title": "New Invoice #7", "link": "/invoices/7",
         "metadata": {"invoice_id": 7, "amount": 99.5, "due_date": "2026-02-01", "customer_id": 9}},
        {"user_id": 5, "type": "billing_invoice", "title": "New Invoice #7",
         "metadata": {"invoice_id": "7", "amount": "99.50", "due_date": "2026-02-01", "customer_id": "9"}},
        {"user_id": 1, "type": "system_alert", "title": "⚠️ Disk Space Warning",
         "metadata": {"severity": "warning", "alert_time": "2026-01-11T14:30:00.123456",
                      "source": "prometheus_alertmanager"}},
        {"user_id": 5, "type": "billing_payment", "title": "Payment Received", "link": "/payments/pay_1",
         "metadata": {"payment_id": "pay_1", "amount": 49.99, "payment_method": "card"}},
        {"user_id": 5, "type": "service_expiring", "title": "Service Expiring in 7 Days", "link": "/services/167",
         "metadata": {"service_id": 167, "days_remaining": 7, "expiry_date": "2026-01-18"}},
        {"user_id": 1, "type": "custom", "title": "Test Notification", "message": "A test"},
    ]);
    serde_json::from_value(sent).expect("drafts")
}

#[test]
fn what_the_documented_integrations_send_is_taken_without_a_warning() {
    let registry = load([]).registry;
    for draft in documented() {
        let kind = registry.find(&TenantId::default(), &draft.kind).expect("a standard type");
        let made = kind.run(draft.clone(), &Context { now: 0 }, true);
        assert_eq!(made.warnings, []);
        let made = made.result.expect("accepted");
        let kept = (&made.title, &made.metadata, made.link.is_some() || draft.link.is_none());
        assert_eq!(kept, (&draft.title, &draft.metadata, true));
        assert!(made.severity.is_some() && made.icon.is_some() && made.collapse_key.is_none());
        Sealed::from_draft(made, &Limits::default()).expect("sealed");
    }
}

#[test]
fn a_sites_type_serves_the_tenants_it_names() {
    let limited = format!("{PARCEL}tenants: [acme]\npipeline:\n  - json_schema\n  - expiry: {{ ttl: 1d }}\n");
    let schema = r#"{"required": ["tracking"]}"#;
    let bad = "description: x\ndraft: {user_id: 1, title: x}\nexpect: {refused: [metadata.tracking]}\n";
    let good = "description: x\ndraft: {user_id: 1, title: x, metadata: {tracking: 1}}\n\
                expect: {accepted: {expires_at: \"2026-01-12T14:30:00Z\", icon: truck}}\n";
    let files = [
        ("type.yaml", limited.as_str()),
        ("metadata.schema.json", schema),
        ("cases/bad.yaml", bad),
        ("cases/good.yaml", good),
    ];
    let loaded = load([site("parcel", &files)]);
    assert_eq!(loaded.problems, []);
    let parcel = loaded.registry.find(&tenant("acme"), "parcel").expect("served");
    assert_eq!(parcel.metadata_schema.as_ref().map(|s| s.get()), Some(schema));
    assert!(loaded.registry.find(&TenantId::default(), "parcel").is_none());
    assert_eq!(names(&loaded.registry, &tenant("acme")).len(), 12);
    assert_eq!(names(&loaded.registry, &TenantId::default()), STANDARD);
}

#[test]
fn a_broken_type_is_quarantined_and_harms_no_other() {
    let loaded = load([site("parcel", &[("type.yaml", "icon: [")]), site("ok", &[("type.yaml", PARCEL)])]);
    assert_eq!(loaded.problems.len(), 1);
    assert_eq!(loaded.registry.quarantined(Sort::Type), ["parcel"]);
    assert_eq!(loaded.registry.kept(Sort::Type).len(), 0);
    assert!(loaded.registry.find(&TenantId::default(), "ok").is_some());
    assert!(loaded.registry.find(&TenantId::default(), "parcel").is_none());
}

#[test]
fn the_last_good_version_is_kept_through_any_number_of_bad_ones() {
    let mut last = load([site("parcel", &[("type.yaml", PARCEL)])]).registry;
    for _ in 0..2 {
        let loaded = Registry::load(&with_standard([site("parcel", &[("type.yaml", "no: 1")])]), Some(&last));
        assert_eq!(loaded.registry.kept(Sort::Type), ["parcel"]);
        assert_eq!(loaded.registry.quarantined(Sort::Type).len(), 0);
        last = loaded.registry;
    }
    let parcel = last.find(&TenantId::default(), "parcel").expect("kept");
    assert_eq!(parcel.icon, "truck");
    let gone = Registry::load(&standard(), Some(&last)).registry;
    assert!(gone.find(&TenantId::default(), "parcel").is_none(), "a folder that is removed removes its type");
}

#[test]
fn a_standard_type_is_replaced_only_on_request() {
    let shadow = load([site("custom", &[("type.yaml", PARCEL)])]);
    assert!(shadow.problems[0].message.contains("replaces: true"), "{:?}", shadow.problems);
    assert_eq!(shadow.registry.find(&TenantId::default(), "custom").expect("standard").icon, "bell");

    let text = format!("{PARCEL}replaces: true\ntenants: [acme]\n");
    let replaced = load([site("custom", &[("type.yaml", text.as_str())])]);
    assert_eq!(replaced.problems, []);
    let icon = |tenant| replaced.registry.find(&tenant, "custom").expect("served").icon.clone();
    assert_eq!((icon(tenant("acme")), icon(TenantId::default())), ("truck".into(), "bell".into()));

    // One that is broken must not fall back to what it was to replace.
    let broken = load([site("custom", &[("type.yaml", "replaces: true")])]);
    assert!(broken.registry.find(&TenantId::default(), "custom").is_none());
    let kept = Registry::load(
        &with_standard([site("custom", &[("type.yaml", "replaces: true")])]),
        Some(&replaced.registry),
    );
    assert_eq!(kept.registry.find(&tenant("acme"), "custom").expect("kept").icon, "truck");
    let text = format!("{PARCEL}replaces: true\n");
    assert!(problems(&[("type.yaml", text.as_str())])[0].contains("no standard type"));
}

#[test]
fn two_folders_of_one_name_are_a_problem() {
    let one = site("parcel", &[("type.yaml", PARCEL)]);
    let two = PluginFolder { origin: "plugins/more/parcel".into(), ..one.clone() };
    let loaded = load([one, two]);
    assert!(loaded.problems[0].to_string().contains("plugins/more/parcel: type parcel: another folder"));
    assert!(loaded.registry.find(&TenantId::default(), "parcel").is_none());
}

#[test]
fn problems_name_the_file_and_the_line_and_come_together() {
    let text = format!(
        "{PARCEL}pipeline:\n  - link_template: {{ template: '{{{{ ticket }}}}' }}\n  - sage_link\n  - safe_link\n  - expiry: {{ tll: 1 }}\n"
    );
    let files = [("type.yaml", text.as_str()), ("metadata.schema.json", "{\n\"a\"\n}")];
    let found = problems(&files).join("\n");
    for wanted in [
        "plugins/parcel/type.yaml:5: type parcel: `link_template`: template reads `ticket`",
        "plugins/parcel/type.yaml:6: type parcel: there is no component `sage_link`; there are json_schema, ",
        "plugins/parcel/type.yaml:8: type parcel: `expiry`: unknown field `tll`",
        "plugins/parcel/metadata.schema.json:3: type parcel: not JSON",
    ] {
        assert!(found.contains(wanted), "{wanted}\n{found}");
    }
    let typo = problems(&[("type.yaml", "description: x\nicom: y\nseverity: info\n")]);
    assert!(typo[0].starts_with("plugins/parcel/type.yaml:2: type parcel: "), "{typo:?}");
    assert!(typo[0].contains("icom"), "{typo:?}");
    let late = format!("{PARCEL}pipeline: [expiry: {{ttl: 1}}, safe_link]\n");
    assert!(problems(&[("type.yaml", late.as_str())])[0].contains("list it before `expiry`"));
    assert!(problems(&[("type.yml", PARCEL)])[0].contains("has no type.yaml"));
    let nobody = format!("{PARCEL}tenants: []\n");
    assert!(problems(&[("type.yaml", nobody.as_str())])[0].contains("tenants names none"));
    let big = "x".repeat(1024 * 1024);
    assert!(problems(&[("type.yaml", PARCEL), ("big", big.as_str())])[0].contains("the most"));
}

#[test]
fn a_case_that_does_not_come_out_keeps_its_type_from_service() {
    let failing = |case: &str| problems(&[("type.yaml", PARCEL), ("cases/x.yaml", case)]).remove(0);
    let draft = "description: x\ndraft: {user_id: 1, title: x}\n";
    for (case, wanted) in [
        (format!("{draft}expect: {{accepted: {{link: /a}}}}"), "expected link \"/a\", but it is null"),
        (format!("{draft}expect: {{accepted: {{lnik: /a}}}}"), "`lnik` cannot be expected"),
        (format!("{draft}expect: {{refused: [link]}}"), "but it was accepted"),
        (format!("{draft}expect: {{warned: [link]}}"), "expected warned link, but found: no problem"),
        (format!("{draft}expect: {{}}"), "x.yaml"),
        (format!("{draft}expect: {{accepted: {{}}}}\nmore: 1"), "more"),
        (
            "description: x\ndraft: {user_id: 1, title: x, severity: info}\nexpect: {accepted: {}}".into(),
            "severity",
        ),
        (
            "description: x\ndraft: {user_id: 1, title: ' '}\nexpect: {accepted: {}}".into(),
            "it was refused: title",
        ),
    ] {
        let found = failing(&case);
        assert!(found.contains(wanted), "{wanted}: {found}");
    }
}

#[test]
fn an_unsafe_link_that_a_template_made_does_not_pass_the_seal() {
    // Only the type's author can write this; a sender's value cannot.
    let text = format!(
        "{PARCEL}pipeline:\n  - link_template: {{ template: \"{{% if true %}}//evil.example{{% endif %}}\" }}\n"
    );
    let loaded = load([site("parcel", &[("type.yaml", text.as_str())])]);
    assert_eq!(loaded.problems, []);
    let parcel = loaded.registry.find(&TenantId::default(), "parcel").expect("served");
    let made = run(parcel, draft(json!({"user_id": 1, "title": "x"}))).result.expect("enriched");
    assert_eq!(made.link.as_deref(), Some("//evil.example"));
    let problems = Sealed::from_draft(made, &Limits::default()).expect_err("unsafe");
    assert_eq!(problems[0].field, "link");
}

#[test]
fn warnings_refuse_where_the_tenant_is_strict_and_never_hide_a_refusal() {
    let registry = load([]).registry;
    let alert = registry.find(&TenantId::default(), "system_alert").expect("standard");
    let sent = draft(json!({"user_id": 1, "title": "x", "metadata": {"source": 1}}));
    let lenient = run(alert, sent.clone());
    assert_eq!(lenient.result.expect("taken").severity, Some(Severity::Warning));
    assert_eq!(lenient.warnings[0].component, "json_schema");
    let strict = alert.run(sent, &Context { now: 0 }, true);
    assert_eq!(strict.result.expect_err("refused")[0].field, "metadata.source");

    let updated = registry.find(&TenantId::default(), "ticket_updated").expect("standard");
    let metadata = json!({"changes": vec![1; 100]}).to_string();
    let flood = Draft {
        link: Some("javascript:x".into()),
        metadata: Some(Metadata::parse(metadata).expect("an object")),
        ..draft(json!({"user_id": 1, "title": "x"}))
    };
    let made = run(updated, flood);
    assert_eq!(made.result.expect_err("refused")[0].component, "safe_link");
    assert!(made.warnings.len() <= 20);
}

#[test]
fn names_are_bounded_and_so_is_their_number() {
    for bad in ["", "Parcel", "1parcel", "a/b", "ä", "x".repeat(65).as_str()] {
        let loaded = load([site(bad, &[("type.yaml", PARCEL)])]);
        assert!(loaded.problems[0].message.contains("must be named"), "{bad}");
    }
    let many = (0..1_000).map(|n| site(&format!("t{n}"), &[("type.yaml", PARCEL)]));
    let loaded = load(many);
    assert_eq!(loaded.problems.len(), 1);
    assert_eq!(loaded.registry.for_tenant(&TenantId::default()).count(), 1_000);
}

#[test]
fn the_binary_holds_what_the_source_tree_holds() {
    let mut on_disk = TypeFiles::default();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/types");
    let mut open = vec![root.clone()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let bytes = std::fs::read(&path).expect("a file");
                on_disk.files.insert(path.strip_prefix(&root).expect("below it").to_owned(), bytes);
            }
        }
    }
    let found: Vec<_> = folder::folders(&root, &on_disk).into_iter().map(|f| (f.name, f.files)).collect();
    assert_eq!(found, standard().into_iter().map(|f| (f.name, f.files)).collect::<Vec<_>>());
}

/// The fenced blocks of the guide that follow a line such as "…, `a/b.yaml`:", by that path.
fn guide_files() -> Vec<(&'static str, &'static str)> {
    let guide = include_str!("../../docs/plugins.md");
    let mut parts = guide.split("\n```");
    let mut files = Vec::new();
    while let (Some(before), Some(block)) = (parts.next(), parts.next()) {
        let line = before.trim_end().lines().next_back().unwrap_or_default();
        if let Some((_, path)) = line.strip_suffix("`:").and_then(|line| line.rsplit_once('`')) {
            files.push((path, block.split_once('\n').expect("a block").1));
        }
    }
    files
}

#[test]
fn the_guides_type_works_as_it_is_written() {
    let root = std::path::Path::new("config/plugins");
    // The guide shows other files too, which are of no type.
    let below = |path: &'static str| {
        let path = std::path::Path::new(path);
        path.strip_prefix(root).unwrap_or(path).to_owned()
    };
    let files = guide_files().into_iter().map(|(path, text)| (below(path), text.as_bytes().to_vec()));
    let held = TypeFiles { files: files.collect(), faults: BTreeMap::new() };
    let site = folder::folders(root, &held);
    let loaded = load(site);
    assert_eq!(loaded.problems, []);
    let kind = loaded.registry.find(&TenantId::default(), "parcel_sent").expect("served");
    assert_eq!(kind.family.as_deref(), Some("shop"));
}

#[test]
fn the_guide_explains_every_component() {
    let guide = include_str!("../../docs/plugins.md");
    for component in bellboard_builtin::COMPONENTS {
        assert!(guide.contains(&format!("\n### `{}`\n", component.name)), "{}", component.name);
    }
}
