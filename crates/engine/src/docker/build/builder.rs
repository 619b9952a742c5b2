//! Which builder does a build: BuildKit wherever it can, the classic one for what only that can.

use mainstay_model::declared::Build;

use crate::world::WorldError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builder {
    BuildKit,
    Classic,
}

impl Builder {
    pub(super) fn choose(build: &Build, engine_has_buildkit: bool, api: u32) -> Result<Builder, WorldError> {
        if build.privileged {
            return Err(WorldError::new("a privileged build is not done: no builder of the engine's own grants it"));
        }
        if build.platforms.len() > 1 {
            let message = "several platforms make an image of several, which the engine's own store does not keep";
            return Err(WorldError::new(message).hint("leave the one that this machine runs in `build.platforms`"));
        }
        let only_buildkit = only_buildkit(build);
        let only_classic = only_classic(build, api);
        match (engine_has_buildkit, only_buildkit, only_classic) {
            (false, Some(what), _) => Err(WorldError::new(format!("{what} needs BuildKit, and this engine has none"))
                .hint("Docker Engine 20.10 and newer on Linux have it")),
            (true, Some(what), Some(other)) => {
                let message = format!("{what} needs BuildKit, and {other} the classic builder: one of them has to go");
                Err(WorldError::new(message))
            }
            (false, None, _) | (true, None, Some(_)) => Ok(Builder::Classic),
            (true, _, None) => Ok(Builder::BuildKit),
        }
    }
}

fn only_buildkit(build: &Build) -> Option<String> {
    let secret = build.secrets.keys().next().map(|id| format!("the build secret `{id}`"));
    secret.or_else(|| build.ssh.keys().next().map(|id| format!("the SSH agent `{id}`")))
}

/// BuildKit joins no network by name, and before API 1.42 engines do not hand it sizes and limits.
fn only_classic(build: &Build, api: u32) -> Option<String> {
    let network = build.network.as_deref().unwrap_or_default();
    if !matches!(network, "" | "default" | "host" | "none") {
        return Some(format!("the network `{network}`"));
    }
    if api < 42 && build.shm_size_bytes.is_some() {
        return Some("`shm_size` on this engine".into());
    }
    (api < 42 && !build.ulimits.is_empty()).then(|| "`ulimits` on this engine".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buildkit_is_taken_unless_only_the_classic_builder_can() {
        let plain = Build::default();
        let networked = Build { network: Some("shop_default".into()), ..Build::default() };
        let sized = Build { shm_size_bytes: Some(1 << 20), ..Build::default() };
        let secret = Build { secrets: [("npm".to_owned(), Default::default())].into(), ..Build::default() };
        let both = Build { network: networked.network.clone(), ..secret.clone() };
        let chosen = |build: &Build, has: bool, api| Builder::choose(build, has, api).ok();
        assert_eq!(chosen(&plain, true, 41), Some(Builder::BuildKit));
        assert_eq!(chosen(&plain, false, 41), Some(Builder::Classic));
        assert_eq!(chosen(&networked, true, 45), Some(Builder::Classic));
        assert_eq!(chosen(&sized, true, 41), Some(Builder::Classic));
        assert_eq!(chosen(&sized, true, 45), Some(Builder::BuildKit));
        assert_eq!(chosen(&secret, true, 41), Some(Builder::BuildKit));
        assert_eq!(chosen(&secret, false, 41), None);
        assert_eq!(chosen(&both, true, 45), None);
    }
}
