//! Labels written on what is made and read from what is seen.

use std::collections::{BTreeMap, HashMap};

use mainstay_model::declared::{Attachment, Condition, Declared, Network, Service, Volume};
use mainstay_model::identity::labels::{
    ATTACHMENTS, CONFIG_FILES, CONFIG_HASH, DEPENDS_ON, DIGEST, FIELDS, IMAGE, KEEPER, MADE_BY, NETWORK, NUMBER,
    ONE_OFF, PROJECT, REQUIRES, SERVICE, VOLUME, WORKING_DIR,
};
use mainstay_model::identity::{Fields, ServiceName, StackName, digest};
use mainstay_model::observed::Maker;

/// What `dev.mainstay.made-by` and Compose's version label say.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Compose: the version that made a thing. Some tools want it to be there.
const COMPOSE_VERSION: &str = "com.docker.compose.version";

/// The labels of a container of a declared service: its own, Compose's and ours.
pub(super) fn of_container(
    declared: &Declared,
    service: &Service,
    number: u32,
    image_id: &str,
) -> HashMap<String, String> {
    let mut labels: HashMap<String, String> = service.container.labels.clone().into_iter().collect();
    let fields = service.fields();
    let mut put = |key: &str, value: String| labels.insert(key.to_owned(), value);
    put(PROJECT, declared.stack.to_string());
    put(SERVICE, service.name.to_string());
    put(NUMBER, number.to_string());
    put(ONE_OFF, "False".into());
    put(CONFIG_HASH, service.compose_hash.clone());
    put(IMAGE, image_id.to_owned());
    put(DEPENDS_ON, depends_on(service));
    put(WORKING_DIR, declared.directory.clone());
    put(CONFIG_FILES, declared.files.join(","));
    put(COMPOSE_VERSION, VERSION.into());
    put(MADE_BY, VERSION.into());
    put(FIELDS, serde_json::to_string(&fields).unwrap_or_default());
    put(ATTACHMENTS, serde_json::to_string(&service.attachments).unwrap_or_default());
    put(REQUIRES, declared.requires.iter().map(StackName::as_str).collect::<Vec<_>>().join(","));
    labels
}

fn depends_on(service: &Service) -> String {
    let entries = service.depends_on.iter().map(|(name, dependency)| {
        let condition = match dependency.condition {
            Condition::Started => "service_started",
            Condition::Healthy => "service_healthy",
            Condition::Completed => "service_completed_successfully",
        };
        format!("{name}:{condition}:{}", dependency.restart)
    });
    entries.collect::<Vec<_>>().join(",")
}

pub(super) fn of_network(stack: &StackName, key: &str, network: &Network) -> HashMap<String, String> {
    of_resource(stack, (NETWORK, key), &network.labels, digest(network))
}

pub(super) fn of_volume(stack: &StackName, key: &str, volume: &Volume) -> HashMap<String, String> {
    of_resource(stack, (VOLUME, key), &volume.labels, digest(volume))
}

fn of_resource(
    stack: &StackName,
    key: (&str, &str),
    own: &BTreeMap<String, String>,
    digest: String,
) -> HashMap<String, String> {
    let mut labels: HashMap<String, String> = own.clone().into_iter().collect();
    labels.insert(PROJECT.into(), stack.to_string());
    labels.insert(key.0.into(), key.1.into());
    labels.insert(COMPOSE_VERSION.into(), VERSION.into());
    labels.insert(MADE_BY.into(), VERSION.into());
    labels.insert(DIGEST.into(), digest);
    labels
}

/// Labels as the engine gives them.
pub(super) struct Seen<'a>(pub(super) &'a HashMap<String, String>);

impl Seen<'_> {
    fn get(&self, label: &str) -> Option<&str> {
        self.0.get(label).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn maker(&self) -> Maker {
        match (self.get(MADE_BY), self.get(PROJECT)) {
            (Some(_), _) => Maker::Mainstay,
            (None, Some(_)) => Maker::Compose,
            (None, None) => Maker::Foreign,
        }
    }

    pub(super) fn stack(&self) -> Option<StackName> {
        StackName::new(self.get(PROJECT)?).ok()
    }

    pub(super) fn service(&self) -> Option<ServiceName> {
        ServiceName::new(self.get(SERVICE)?).ok()
    }

    pub(super) fn number(&self) -> u32 {
        self.get(NUMBER).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    pub(super) fn keeper(&self) -> Option<String> {
        self.get(KEEPER).map(str::to_owned)
    }

    pub(super) fn one_off(&self) -> bool {
        self.get(ONE_OFF).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn digest(&self) -> Option<String> {
        self.get(DIGEST).map(str::to_owned)
    }

    pub(super) fn network_key(&self) -> Option<String> {
        self.get(NETWORK).map(str::to_owned)
    }

    pub(super) fn volume_key(&self) -> Option<String> {
        self.get(VOLUME).map(str::to_owned)
    }

    pub(super) fn requires(&self) -> Vec<StackName> {
        let names = self.get(REQUIRES).unwrap_or_default().split(',');
        names.filter_map(|name| StackName::new(name.trim()).ok()).collect()
    }

    pub(super) fn depends_on(&self) -> Vec<(ServiceName, String, bool)> {
        let entries = self.get(DEPENDS_ON).unwrap_or_default().split(',');
        let parse = |entry: &str| {
            let mut parts = entry.trim().split(':');
            let name = ServiceName::new(parts.next()?).ok()?;
            let condition = parts.next().unwrap_or("service_started").to_owned();
            Some((name, condition, parts.next() == Some("true")))
        };
        entries.filter_map(parse).collect()
    }

    /// Our fingerprint; the name of the label when it is there but cannot be read.
    pub(super) fn fields(&self) -> Result<Option<Fields>, &'static str> {
        self.get(FIELDS).map(serde_json::from_str).transpose().map_err(|_| FIELDS)
    }

    /// The declared attachments; the name of the label when it is there but cannot be read.
    pub(super) fn attachments(&self) -> Result<Option<Vec<Attachment>>, &'static str> {
        self.get(ATTACHMENTS).map(serde_json::from_str).transpose().map_err(|_| ATTACHMENTS)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn composes_dependency_label_is_read() {
        let labels =
            HashMap::from([(DEPENDS_ON.to_owned(), "db:service_healthy:true,mq:service_started:false".into())]);
        let read = Seen(&labels).depends_on();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].1, "service_healthy");
        assert!(read[0].2 && !read[1].2);
    }

    #[test]
    fn a_broken_label_is_named_and_a_missing_one_is_not() {
        let labels = HashMap::from([(FIELDS.to_owned(), "{oops".to_owned())]);
        assert_eq!(Seen(&labels).fields(), Err(FIELDS));
        assert_eq!(Seen(&labels).attachments(), Ok(None));
    }
}
