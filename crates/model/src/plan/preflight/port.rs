//! A port of the host that a container is to have, and who has it now.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::declared::Declared;
use crate::declared::container::Port;
use crate::identity::{ServiceName, StackName};
use crate::observed::Observed;
use crate::plan::{Action, Finding, Level, Plan, TargetContainer};

/// A port as it is asked for or held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// `None`: every address of the host, of both families.
    pub ip: Option<IpAddr>,
    pub port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TakenPort {
    pub port: HostPort,
    pub holder: Holder,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    Container {
        id: String,
        name: String,
        stack: Option<StackName>,
    },
    /// A process of the host; who it is can be seen only with the right to.
    Process {
        pid: Option<i32>,
        name: Option<String>,
    },
}

/// A port that a container of a service is started with.
pub(super) struct Wanted {
    pub(super) service: ServiceName,
    /// The name of the container.
    container: String,
    pub(super) port: HostPort,
}

/// Whether two can be had at once.
#[derive(PartialEq, Eq)]
enum Clash {
    No,
    /// A process listens on all addresses of IPv6. Whether IPv4 is among them is its own choice.
    Maybe,
    Yes,
}

impl HostPort {
    /// The port that a declaration fixes; `None` for a range, or for one that the engine picks.
    pub fn fixed(port: &Port) -> Option<HostPort> {
        let number = port.published.as_ref()?.parse().ok()?;
        let ip = port.host_ip.as_ref().and_then(|text| text.parse().ok());
        Some(HostPort { ip, port: number, protocol: port.protocol.clone() })
    }

    fn words(&self) -> String {
        match self.ip {
            Some(ip @ IpAddr::V6(_)) => format!("[{ip}]:{}/{}", self.port, self.protocol),
            Some(ip) => format!("{ip}:{}/{}", self.port, self.protocol),
            None => format!("{}/{}", self.port, self.protocol),
        }
    }

    fn clashes_with(&self, taken: &HostPort) -> Clash {
        if (self.port, &self.protocol) != (taken.port, &taken.protocol) {
            return Clash::No;
        }
        match (self.ip, taken.ip) {
            (_, None) => Clash::Yes,
            // Where the engine has no IPv6, it takes only the addresses of IPv4.
            (None, Some(taken)) if taken.is_ipv6() && !taken.is_unspecified() => Clash::Maybe,
            (None, Some(_)) => Clash::Yes,
            (Some(own), Some(taken)) if own.is_ipv4() == taken.is_ipv4() => {
                if own == taken || own.is_unspecified() || taken.is_unspecified() { Clash::Yes } else { Clash::No }
            }
            (Some(_), Some(taken)) if taken.is_ipv6() && taken.is_unspecified() => Clash::Maybe,
            _ => Clash::No,
        }
    }
}

/// The fixed ports of what the plan starts.
pub(super) fn wanted(declared: &Declared, plan: &Plan) -> Vec<Wanted> {
    let started = plan.steps.iter().filter_map(|step| match &step.action {
        Action::StartContainer { target } => Some((declared.services.get(target.service.as_ref()?)?, &target.name)),
        _ => None,
    });
    let ports = started.flat_map(|(service, container)| {
        let fixed = service.container.ports.iter().filter_map(HostPort::fixed);
        fixed.map(|port| Wanted { service: service.name.clone(), container: container.clone(), port })
    });
    ports.collect()
}

pub(super) fn find(declared: &Declared, plan: &Plan, observed: &Observed, taken: &[TakenPort]) -> Vec<Finding> {
    let wanted = wanted(declared, plan);
    let given_up = given_up(plan);
    let mut found = twice(&wanted);
    for one in &wanted {
        let clashes = taken.iter().map(|other| (other, one.port.clashes_with(&other.port)));
        for (other, clash) in clashes.filter(|(_, clash)| *clash != Clash::No) {
            match &other.holder {
                Holder::Container { id, .. } if given_up.contains(id.as_str()) => {}
                // The engine publishes on each family by itself.
                Holder::Container { .. } if clash == Clash::Maybe => {}
                holder => found.push(taken_by(one, holder, &clash, observed)),
            }
        }
    }
    found
}

/// Containers that let go of what they have before the plan is at its end.
pub(super) fn given_up(plan: &Plan) -> BTreeSet<&str> {
    let ids = plan.steps.iter().filter_map(|step| match &step.action {
        Action::StopContainer { target, .. } | Action::RemoveContainer { target, .. } => match &target.container {
            TargetContainer::Id(id) => Some(id.as_str()),
            TargetContainer::MadeBy(_) => None,
        },
        _ => None,
    });
    ids.collect()
}

fn taken_by(wanted: &Wanted, holder: &Holder, clash: &Clash, observed: &Observed) -> Finding {
    let (who, hint) = match holder {
        Holder::Container { name, stack: Some(stack), .. } if *stack == observed.stack => {
            (format!("`{name}` of this stack"), format!("`docker stop {name}`, or `--remove-orphans` where it is one"))
        }
        Holder::Container { name, stack: Some(stack), .. } => {
            let hint = format!("publish it at another port, or `mainstay stop --stack {stack}`");
            (format!("the container `{name}` of the stack `{stack}`"), hint)
        }
        Holder::Container { name, stack: None, .. } => {
            (format!("the container `{name}`"), format!("publish it at another port, or `docker stop {name}`"))
        }
        Holder::Process { pid: Some(pid), name: Some(name) } => (
            format!("the process `{name}` of the host (pid {pid})"),
            "publish it at another port, or stop that process".to_owned(),
        ),
        Holder::Process { .. } => {
            let port = wanted.port.port;
            ("a process of the host".to_owned(), format!("`sudo ss -lpn 'sport = :{port}'` says which"))
        }
    };
    let (level, is) = match clash {
        Clash::Maybe => (Level::Warning, "may be taken"),
        _ => (Level::Refusal, "is taken"),
    };
    let message = format!("the port {} of `{}` {is} by {who}", wanted.port.words(), wanted.service);
    Finding { level, code: "port-taken".into(), message, hint: Some(hint) }
}

/// One port can be had by one container only, also among those of one plan.
fn twice(wanted: &[Wanted]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, one) in wanted.iter().enumerate() {
        let others = wanted[index + 1..].iter().filter(|other| other.container != one.container);
        for other in others.filter(|other| one.port.clashes_with(&other.port) == Clash::Yes) {
            let message = match one.service == other.service {
                true => format!("several containers of `{}` are to have the port {}", one.service, one.port.words()),
                false => {
                    format!("`{}` and `{}` both are to have the port {}", one.service, other.service, one.port.words())
                }
            };
            let hint = match one.service == other.service {
                true => "publish a range, such as `8080-8090:80`, or lead a route to it (`x-mainstay.routes`)",
                false => "publish one of them at another port",
            };
            found.push(Finding { level: Level::Refusal, code: "port-twice".into(), message, hint: Some(hint.into()) });
        }
    }
    found
}
