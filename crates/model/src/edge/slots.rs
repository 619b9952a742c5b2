//! Which container serves, kept apart from how requests are routed.
//!
//! Caddy's configuration names slots, and a slot is a file whose content is the address of a container. Caddy reads it
//! for every request, so another container takes over by another file, without a change of the configuration: a load of
//! one makes Caddy's old servers close connections between their handshake and their first request.
//!
//! All slots of a stack lie in one folder that is reached by one symbolic link, so that they change at once.

use std::collections::{BTreeMap, BTreeSet};

use super::caddy::FOLDER;
use super::{Answer, RouteTable, Site};
use crate::identity::{StackName, digest};

/// The folder of the links, one for each stack.
pub const LIVE: &str = "live";
/// The same for the private door, which leads to a release before it is committed.
pub const NEXT: &str = "next";
/// The file that names the whole set; by it the edge acknowledges which one it reads.
pub const SET: &str = "set";

/// The slots of one stack: file name to address, [`SET`] among them.
pub type Slots = BTreeMap<String, String>;

/// Of every stack in the table.
pub fn of(table: &RouteTable) -> BTreeMap<StackName, Slots> {
    let stacks: BTreeSet<&StackName> = table.sites().iter().map(|site| &site.stack).collect();
    stacks.into_iter().map(|stack| (stack.clone(), of_stack(table, stack))).collect()
}

fn of_stack(table: &RouteTable, stack: &StackName) -> Slots {
    let mut slots = Slots::new();
    for site in table.sites().iter().filter(|site| site.stack == *stack) {
        if let Answer::Proxy(proxy) = &site.answer {
            let named = proxy.upstreams.iter().enumerate();
            slots.extend(named.map(|(index, upstream)| (name(site, index, upstream), upstream.clone())));
        }
    }
    let set = digest(&slots);
    slots.insert(SET.to_owned(), set);
    slots
}

/// `web.3000.1`: routes to the same port of a service share it.
fn name(site: &Site, index: usize, upstream: &str) -> String {
    let port = upstream.rsplit_once(':').map_or("", |(_, port)| port);
    format!("{}.{port}.{}", site.service, index + 1)
}

/// What Caddy is told to connect to: the content of a slot, read anew for every request.
pub(super) fn dial(links: &str, site: &Site, index: usize, upstream: &str) -> String {
    placeholder(links, &site.stack, &name(site, index, upstream))
}

/// Caddy's words for the content of a file of a stack, by one of the two folders of links.
pub(super) fn placeholder(links: &str, stack: &StackName, file: &str) -> String {
    format!("{{file.{FOLDER}/{links}/{stack}/{file}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::{EdgeSettings, Headers, Proxy};
    use crate::identity::ServiceName;

    fn site(stack: &str, path: &str, upstreams: &[&str]) -> Site {
        let upstreams = upstreams.iter().map(|&upstream| upstream.to_owned()).collect();
        Site {
            stack: StackName::new(stack).expect("a name"),
            service: ServiceName::new("web").expect("a name"),
            host: format!("{stack}.localhost"),
            path: path.into(),
            answer: Answer::Proxy(Proxy { upstreams, ..Proxy::default() }),
            headers: Headers::default(),
            accounts: Vec::new(),
            max_body_bytes: None,
            access_log: false,
        }
    }

    #[test]
    fn another_container_is_another_content_and_the_same_configuration() {
        let table = |id: &str| {
            let upstreams = [format!("{id}:80"), "b:80".into()];
            let upstreams: Vec<&str> = upstreams.iter().map(String::as_str).collect();
            let sites = vec![site("shop", "/", &upstreams), site("shop", "/api", &["c:90"]), site("blog", "/", &[])];
            RouteTable::new(EdgeSettings::default(), sites).expect("no conflict")
        };
        let (before, after) = (table("a"), table("z"));
        assert_eq!(super::super::caddy::render(&before), super::super::caddy::render(&after));
        let shop = StackName::new("shop").expect("a name");
        let (was, is) = (&of(&before)[&shop], &of(&after)[&shop]);
        assert_eq!(was.keys().collect::<Vec<_>>(), [SET, "web.80.1", "web.80.2", "web.90.1"]);
        assert_eq!((was["web.80.1"].as_str(), is["web.80.1"].as_str()), ("a:80", "z:80"));
        assert_ne!(was[SET], is[SET]);
        assert_eq!(of(&before).len(), 2, "a stack without containers has a set too");
    }
}
