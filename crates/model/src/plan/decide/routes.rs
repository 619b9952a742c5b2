//! What becomes of routes: told, until there is an edge that serves them.

use super::listed;
use super::up::Up;
use crate::plan::Level;

impl Up<'_> {
    /// A route that nobody serves is no secret.
    pub fn tell_about_routes(&mut self) {
        let services = self.declared.services.values().filter(|service| self.scope.contains(&service.name));
        let mut addresses: Vec<String> =
            services.flat_map(|service| &service.routes).map(|route| route.address()).collect();
        addresses.sort();
        if addresses.is_empty() {
            return;
        }
        let message = format!("nothing serves routes yet: {} will not answer", listed(&addresses));
        let hint = "publish a port with `ports`, or put a proxy of your own in front";
        self.draft.tell(Level::Warning, "routes-not-served", message, Some(hint));
    }
}
