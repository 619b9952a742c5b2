//! Which rule holds at which place.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Mappings merge, lists append, anything else is replaced.
    Plain,
    /// The later value stands alone.
    Replace,
    /// Both become lists of `key=value` and append; [`super::settle_lists`] lets the later key win.
    Sequence,
    /// A sequence in which one host may have several addresses, but not one address twice.
    Hosts,
    /// A string is the `context` of a mapping.
    Build,
    /// A list of services is a mapping of conditions.
    DependsOn,
    /// A list of names is a mapping to nothing.
    Keyed,
    /// Options are kept only under the same driver.
    Logging,
    /// Pools are the same when their subnet is.
    AddressPools,
}

pub fn rule(path: &[&str]) -> Rule {
    match path {
        ["services", _, key] => of_service(key),
        ["services", _, "ulimits", _] | ["services", _, "healthcheck", "test"] => Rule::Replace,
        ["services", _, "build", "args" | "additional_contexts" | "labels"]
        | ["services", _, "deploy", "labels"]
        | ["services", _, "volumes", _, "volume", "labels"]
        | ["networks" | "volumes", _, "labels"] => Rule::Sequence,
        ["services", _, "build", "extra_hosts"] => Rule::Hosts,
        ["networks", _, "ipam", "config"] => Rule::AddressPools,
        _ => Rule::Plain,
    }
}

fn of_service(key: &str) -> Rule {
    match key {
        "command" | "entrypoint" => Rule::Replace,
        "annotations" | "dns" | "dns_opt" | "dns_search" | "env_file" | "label_file" | "environment" | "labels"
        | "sysctls" | "tmpfs" => Rule::Sequence,
        "extra_hosts" => Rule::Hosts,
        "build" => Rule::Build,
        "depends_on" => Rule::DependsOn,
        "networks" | "models" => Rule::Keyed,
        "logging" => Rule::Logging,
        _ => Rule::Plain,
    }
}
