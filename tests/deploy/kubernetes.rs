//! `deploy/kubernetes/`: the pods' settings, and what the kubelet asks.

use serde_json::Value;

use super::{Duration, LAST_COMMIT, SHUTDOWN, Site, duration, port, serve, text, yaml};

/// The object of a kind, and of a name where there are several.
fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|o| o["kind"] == kind && o["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let found = list.as_array().into_iter().flatten().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

#[test]
fn the_pods_start_and_answer_what_the_kubelet_asks() {
    let objects = yaml("deploy/kubernetes/bellboard.yaml");
    let secrets = yaml("deploy/kubernetes/secrets.yaml");
    let pod = &object(&objects, "Deployment", "bellboard")["spec"]["template"]["spec"];
    let container = named(&pod["containers"], "bellboard");

    // Every volume as the folder that it is mounted as.
    let site = Site::empty();
    for mount in container["volumeMounts"].as_array().expect("mounts") {
        assert!(mount.get("subPath").is_none(), "a subPath never changes: {mount}");
        let volume = named(&pod["volumes"], text(mount, "/name"));
        let files = match (volume.pointer("/configMap"), volume.pointer("/secret/secretName")) {
            (Some(map), _) if map["optional"] == true => continue,
            (Some(map), _) => &object(&objects, "ConfigMap", text(map, "/name"))["data"],
            (_, Some(name)) => &object(&secrets, "Secret", name.as_str().expect("a name"))["stringData"],
            _ => continue,
        };
        for (name, file) in files.as_object().expect("files") {
            let path = format!("{}/{name}", text(mount, "/mountPath").trim_start_matches('/'));
            site.write(&path, file.as_str().expect("text"));
        }
    }
    let config = text(named(&container["env"], "BELLBOARD_CONFIG"), "/value").trim_start_matches('/');
    let gateway = serve(&site, config);

    let settings = text(object(&objects, "ConfigMap", "bellboard"), "/data/bellboard.yaml");
    let settings: Value = serde_saphyr::from_str(settings).expect("YAML");
    for (name, field) in [("http", "listen"), ("admin", "admin_listen")] {
        assert_eq!(named(&container["ports"], name)["containerPort"], port(&settings, field));
    }
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(text(container, &format!("/{probe}/httpGet/port")), "admin");
        let path = text(container, &format!("/{probe}/httpGet/path"));
        // The kubelet repeats it: a node is ready once the first keys were fetched, or waited for.
        crate::cli::gateway::until(probe, || (gateway.admin(path).status == 200).then_some(()));
    }
    let service = &object(&objects, "Service", "bellboard")["spec"];
    assert_eq!(text(service, "/ports/0/targetPort"), "http");
    // It finds what the deployment makes, and so do the budget and the policy.
    let labels = &object(&objects, "Deployment", "bellboard")["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&service["selector"], labels);
    for (kind, selector) in [
        ("Deployment", "/spec/selector/matchLabels"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
    ] {
        assert_eq!(object(&objects, kind, "bellboard").pointer(selector), Some(labels), "{kind}");
    }

    let seconds = |value: &Value| Duration::from_secs(value.as_u64().expect("seconds"));
    let grace = seconds(&pod["terminationGracePeriodSeconds"]);
    assert!(grace > duration(text(&settings, "/server/drain_time")) + SHUTDOWN + LAST_COMMIT);
}
