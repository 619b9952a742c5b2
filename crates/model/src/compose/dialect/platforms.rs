//! What the platforms that a file was written for would supply, told where a plain reading finds something missing.

use super::super::diagnostic::Diagnostic;
use super::super::scalar;
use super::super::tree::{Map, Node};

/// A network that a platform makes for every app.
const NETWORKS: &[(&str, &str, &str)] = &[
    (
        "tipi_main_network",
        "`tipi_main_network` is the network on which runtipi's own proxy reaches every app",
        "remove it from `networks` and publish the app's port with `ports`, or declare it: \
         `networks: { tipi_main_network: { external: true } }`, when runtipi runs here",
    ),
    (
        "dokploy-network",
        "`dokploy-network` is the network on which Dokploy's own proxy reaches every app",
        "remove it from `networks` and publish the app's port with `ports`, or declare it: \
         `networks: { dokploy-network: { external: true } }`, when Dokploy runs here",
    ),
    (
        "coolify",
        "`coolify` is the network on which Coolify's own proxy reaches every app",
        "remove it from `networks`; `x-mainstay.routes` says where a service is to be reached",
    ),
];

/// A platform, by a mark of its files, and the variables that it sets.
struct Platform {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
}

const UMBREL: Platform = Platform {
    name: "Umbrel",
    variables: &[
        ("APP_DATA_DIR", "the folder of the app's data, such as `./data`"),
        ("APP_PASSWORD", "the app's password"),
        ("APP_SEED", "a long random text"),
        ("APP_DOMAIN", "the machine's name"),
        ("APP_HIDDEN_SERVICE", "the app's onion address"),
        ("DEVICE_HOSTNAME", "the machine's name"),
        ("DEVICE_DOMAIN_NAME", "the machine's name with its domain"),
        ("UMBREL_ROOT", "the folder of the platform"),
        ("TOR_DATA_DIR", "the folder of the onion service"),
    ],
};

const RUNTIPI: Platform = Platform {
    name: "runtipi",
    variables: &[
        ("APP_DATA_DIR", "the folder of the app's data, such as `./data`"),
        ("APP_PORT", "the port that is published"),
        ("APP_DOMAIN", "the name under which the app is reached"),
        ("APP_HOST", "the name under which the app is reached"),
        ("APP_PROTOCOL", "`http` or `https`"),
        ("APP_ID", "the app's name"),
        ("ROOT_FOLDER_HOST", "the folder of the platform"),
        ("INTERNAL_IP", "the machine's address"),
        ("LOCAL_DOMAIN", "the domain of the local network"),
        ("TZ", "the time zone, such as `Europe/Vienna`"),
    ],
};

const CASAOS: Platform = Platform {
    name: "CasaOS",
    variables: &[
        ("AppID", "the app's name"),
        ("PUID", "the number of the user whose files these are, such as `1000`"),
        ("PGID", "the number of the group whose files these are, such as `1000`"),
        ("TZ", "the time zone, such as `Europe/Vienna`"),
        ("WEBUI_PORT", "the port that is published"),
        ("default_pwd", "the app's password"),
    ],
};

/// Rewords the complaints that come from what a platform would have supplied: those of a stage, and those before it.
pub fn answer(project: &Node, found: &mut [Diagnostic], before: &mut [Diagnostic]) {
    for complaint in found.iter_mut() {
        match complaint.code {
            "undefined-network" => network(complaint),
            "no-image" if complaint.message.contains("`app_proxy`") => app_proxy(project, complaint),
            _ => {}
        }
    }
    if let Some(platform) = platform_of(project) {
        before.iter_mut().filter(|complaint| complaint.code == "unset-variable").for_each(|complaint| {
            variable(&platform, complaint);
        });
    }
}

fn network(complaint: &mut Diagnostic) {
    let named = |(name, ..): &&(&str, &str, &str)| complaint.message.contains(&format!("the network `{name}`"));
    if let Some((_, what, instead)) = NETWORKS.iter().find(named) {
        complaint.message = format!("{what}, and it is not declared here");
        complaint.hint = Some((*instead).to_owned());
    }
}

/// Umbrel puts its own proxy into the place of this service; its variables say in front of what.
fn app_proxy(project: &Node, complaint: &mut Diagnostic) {
    let services = project.get("services").and_then(Node::as_map);
    let proxy = services.and_then(|services| services.get("app_proxy"));
    let variable = |name: &str| scalar::text(proxy?.get("environment")?.get(name)?).filter(|text| !text.is_empty());
    complaint.message =
        "`app_proxy` is Umbrel's own proxy: Umbrel puts it in front of the app, and it is not here".into();
    let target =
        variable("APP_HOST").and_then(|host| services?.iter().map(|(name, _)| name).find(|name| serves(&host, name)));
    let instead = match (target, variable("APP_PORT")) {
        (Some(service), Some(port)) => {
            format!("publish the port {port} of `{service}`: `ports: [\"{port}:{port}\"]`")
        }
        (None, Some(port)) => format!("publish the port {port} of the service that it stood for, with `ports`"),
        _ => "publish the port of the service that it stood for, with `ports`".to_owned(),
    };
    complaint.hint = Some(format!("remove `app_proxy`, and {instead}"));
}

/// Umbrel calls containers `<app>_<service>_1`.
fn serves(host: &str, service: &str) -> bool {
    host == service || host.strip_suffix("_1").is_some_and(|host| host.ends_with(&format!("_{service}")))
}

fn platform_of(project: &Node) -> Option<Platform> {
    let services = || project.get("services").and_then(Node::as_map).into_iter().flat_map(Map::iter);
    let has = |key: &str| project.get(key).is_some() || services().any(|(_, entry)| entry.node.get(key).is_some());
    let is_on = |network: &str| {
        services().any(|(_, entry)| entry.node.get("networks").is_some_and(|on| on.get(network).is_some()))
    };
    if has("x-casaos") {
        Some(CASAOS)
    } else if has("x-runtipi") || is_on("tipi_main_network") {
        Some(RUNTIPI)
    } else if services().any(|(name, _)| name == "app_proxy") {
        Some(UMBREL)
    } else {
        None
    }
}

fn variable(platform: &Platform, complaint: &mut Diagnostic) {
    let is_named =
        |(name, _): &&(&str, &str)| complaint.message.starts_with(&format!("the variable `{name}` is not set"));
    if let Some((name, what)) = platform.variables.iter().find(is_named) {
        complaint.message =
            format!("`{name}` is set by {}, and not here: an empty text takes its place", platform.name);
        complaint.hint = Some(format!("set `{name}` in `.env` beside the Compose file: {what}"));
    }
}
