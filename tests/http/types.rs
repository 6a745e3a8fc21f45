//! `GET /crm/notification/types`.

use serde_json::Value;

use crate::support::{Api, settings::*};

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

async fn types(api: &Api) -> Vec<Value> {
    let body = api.get("/types").await.expect(200).json();
    assert_eq!(body["result"], "Success");
    body["types"].as_array().expect("a list").clone()
}

fn names(types: &[Value]) -> Vec<&str> {
    types.iter().map(|t| t["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn the_contracts_eleven_types_are_there_and_described() {
    let types = types(&with_key(SENDER)).await;
    assert_eq!(names(&types), STANDARD);
    for kind in &types {
        for field in ["family", "description", "icon", "severity"] {
            assert!(kind[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {kind}");
        }
        assert!(kind["metadata_schema"].is_object(), "{kind}");
        assert_eq!(kind["strict"], false, "{kind}");
    }
}

#[tokio::test]
async fn the_schemas_type_and_exemplify_what_the_contract_sends() {
    let types = types(&as_user(1)).await;
    for (name, properties) in [
        (
            "provision_complete",
            &["service_id", "provision_job_id", "duration_seconds", "playbook", "success"][..],
        ),
        ("provision_failed", &["service_id", "playbook", "success"]),
        ("billing_invoice", &["invoice_id", "amount", "due_date", "customer_id"]),
        ("billing_payment", &["payment_id", "amount", "payment_method"]),
        ("system_alert", &["severity", "alert_time", "source"]),
        ("service_expiring", &["service_id", "days_remaining", "expiry_date"]),
    ] {
        let kind = types.iter().find(|t| t["name"] == name).expect("listed");
        for property in properties {
            let schema = &kind["metadata_schema"]["properties"][property];
            assert!(schema["description"].is_string(), "{name}.{property}: {schema}");
            assert!(
                ["type", "anyOf", "oneOf", "enum"].iter().any(|k| schema.get(k).is_some()),
                "{name}.{property}"
            );
            assert!(schema.get("examples").is_some_and(Value::is_array), "{name}.{property}: {schema}");
        }
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_and_a_key_what_it_may_send() {
    let acme = types(&with_key(ACME)).await;
    assert_eq!(acme.len(), 12);
    let parcel = acme.iter().find(|t| t["name"] == "parcel").expect("the tenant's own");
    assert_eq!((&parcel["family"], &parcel["icon"]), (&"shop".into(), &"package".into()));
    assert_eq!(parcel.get("metadata_schema"), None);
    let strict: Vec<_> = acme.iter().filter(|t| t["strict"] == true).cloned().collect();
    assert_eq!(names(&strict), ["billing_invoice", "billing_payment"], "as the tenant's settings say");
    assert_eq!(types(&as_acme_user(1)).await.len(), 12);
    assert_eq!(names(&types(&with_key(OPEN)).await), STANDARD);
    assert_eq!(names(&types(&with_key(BILLING)).await), ["billing_invoice", "billing_payment"]);
    assert_eq!(names(&types(&with_key(NOBODY)).await), STANDARD, "any valid credential may ask");
}
