//! Images pinned to the digests that their registries have now.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mainstay_model::compose::{Entry, Loaded, Map, Node, Value};

use crate::boot::Boot;
use crate::problem::Problem;

/// Puts the digest beside the image of every service that names one without.
///
/// # Errors
/// When a registry does not tell one.
pub async fn resolve(boot: &Boot, loaded: &mut Loaded) -> Result<(), Problem> {
    let docker = boot.docker().await?;
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for image in services(loaded).filter_map(image) {
        if !image.contains('@') && !known.contains_key(image) {
            known.insert(image.to_owned(), docker.registry_digest(image).await?);
        }
    }
    let services = loaded.project.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut);
    for entry in services.into_iter().flat_map(|services| services.0.values_mut()) {
        let image = entry.node.as_map_mut().and_then(|service| service.get_mut("image"));
        if let Some(Value::String(image)) = image.map(|node| &mut node.value)
            && let Some(digest) = known.get(image)
        {
            *image = format!("{image}@{digest}");
        }
    }
    Ok(())
}

/// A Compose file that says nothing but the images.
pub fn lock_file(loaded: &Loaded) -> String {
    let mut out = String::from("services:\n");
    let mut named: Vec<(&str, &str)> =
        services(loaded).filter_map(|(name, entry)| Some((name, image((name, entry))?))).collect();
    named.sort_unstable();
    for (name, image) in named {
        let _ = writeln!(out, "  {name}:\n    image: {image}");
    }
    out
}

fn services(loaded: &Loaded) -> impl Iterator<Item = (&str, &Entry)> {
    loaded.project.get("services").and_then(Node::as_map).into_iter().flat_map(Map::iter)
}

fn image<'a>((_, entry): (&'a str, &'a Entry)) -> Option<&'a str> {
    entry.node.get("image").and_then(Node::as_str).filter(|image| !image.is_empty())
}
