//! Certificates: which authority signs which name.

use serde_json::{Value, json};

use crate::edge::{EdgeSettings, RouteTable};

pub(super) struct Authority {
    name: &'static str,
}

/// The edge's own certificate authority.
pub(super) const AUTHORITY: Authority = Authority { name: "Mainstay local authority" };

impl Authority {
    pub(super) fn render(&self) -> Value {
        // The container's own trust store is nobody's; the host's is changed by a command only.
        json!({ "name": self.name, "install_trust": false })
    }
}

pub(super) fn automation(table: &RouteTable, preview: &RouteTable) -> Value {
    let settings = &table.settings;
    let is_new = |host: &&str| !table.hosts().iter().any(|(served, _)| served == host);
    let served = table.hosts().into_iter().map(|(host, _)| host);
    let to_come = preview.hosts().into_iter().map(|(host, _)| host).filter(is_new);
    let (internal, public): (Vec<&str>, Vec<&str>) =
        served.chain(to_come).partition(|host| settings.certificates.are_internal_for(host));
    let mut policies = Vec::new();
    if !internal.is_empty() {
        policies.push(json!({ "subjects": internal, "issuers": [{ "module": "internal" }] }));
    }
    if !public.is_empty() {
        policies.push(json!({ "subjects": public, "issuers": [acme(settings)] }));
    }
    json!({ "automation": { "policies": policies } })
}

fn acme(settings: &EdgeSettings) -> Value {
    let mut issuer = json!({ "module": "acme" });
    if let Some(email) = &settings.email {
        issuer["email"] = json!(email);
    }
    if let Some(directory) = &settings.acme_directory {
        issuer["ca"] = json!(directory);
    }
    issuer
}
