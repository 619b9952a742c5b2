//! What the engine shows of one stack: everything that carries its label.

use mainstay_e2e::{docker, docker_ok};
use serde_json::{Map, Value};

/// Containers, networks, volumes and what commands inside the containers print, each by its name.
pub fn take(project: &str, asked: &[(&str, String)]) -> Value {
    let mut all = Map::new();
    for kind in ["container", "network", "volume"] {
        all.insert(format!("{kind}s"), Value::Object(inspected(kind, project)));
    }
    let images = images_of(&all["containers"]);
    all.insert("images".into(), Value::Object(images));
    let answers = asked.iter().map(|(service, line)| {
        let answer = docker(&["exec", &format!("{project}-{service}-1"), "sh", "-c", line]);
        let text = String::from_utf8_lossy(&answer.stdout) + String::from_utf8_lossy(&answer.stderr);
        (format!("{service}: {line}"), Value::String(text.into_owned()))
    });
    all.insert("inside".into(), Value::Object(answers.collect()));
    Value::Object(all)
}

fn inspected(kind: &str, project: &str) -> Map<String, Value> {
    let mut list = vec![kind, "ls"];
    if kind == "container" {
        list.push("--all");
    }
    let filter = format!("label=com.docker.compose.project={project}");
    list.extend(["--quiet", "--filter", &filter]);
    let found = docker_ok(&list);
    let ids: Vec<&str> = found.split_whitespace().collect();
    if ids.is_empty() {
        return Map::new();
    }
    let mut inspect = vec![kind, "inspect"];
    inspect.extend(ids);
    let list: Value = serde_json::from_str(&docker_ok(&inspect)).expect("docker inspect prints JSON");
    let name = |seen: &Value| seen["Name"].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
    list.as_array().into_iter().flatten().map(|seen| (name(seen), seen.clone())).collect()
}

/// What the images of the containers hold: a built one is compared by that, for its id is new each time.
fn images_of(containers: &Value) -> Map<String, Value> {
    let mut found = Map::new();
    for container in containers.as_object().into_iter().flat_map(Map::values) {
        let (Some(name), Some(id)) = (container["Config"]["Image"].as_str(), container["Image"].as_str()) else {
            continue;
        };
        let list: Value =
            serde_json::from_str(&docker_ok(&["image", "inspect", id])).expect("docker inspect prints JSON");
        let kept = ["Id", "Config", "Architecture", "Os", "RepoTags"].map(|key| (key.to_owned(), list[0][key].clone()));
        found.insert(name.to_owned(), Value::Object(kept.into_iter().collect()));
    }
    found
}

/// Takes away everything of a stack, whoever made it, without waiting for anything inside.
pub fn clear(project: &str) {
    let filter = format!("label=com.docker.compose.project={project}");
    for (list, remove) in [
        (["ps", "--all", "--quiet", "--filter"], ["rm", "--force", "--volumes"].as_slice()),
        (["network", "ls", "--quiet", "--filter"], ["network", "rm"].as_slice()),
        (["volume", "ls", "--quiet", "--filter"], ["volume", "rm"].as_slice()),
    ] {
        let found = docker_ok(&[list.as_slice(), &[filter.as_str()]].concat());
        for id in found.split_whitespace() {
            docker(&[remove, &[id]].concat());
        }
    }
}
