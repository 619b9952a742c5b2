//! Images built by the engine: inline, from a folder, and refused.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};

use mainstay_engine::{Progress, World, WorldError};
use mainstay_model::declared::{Build, Condition, ContainerSpec, Hidden};
use mainstay_model::identity::ServiceName;
use mainstay_model::plan::{Action, Impact, Step, StepId};
use support::{Stack, docker, id_of, told};

/// Removes the images that a test built.
struct Built(Vec<String>);

impl Drop for Built {
    fn drop(&mut self) {
        let _ = std::process::Command::new("docker").arg("rmi").arg("-f").args(&self.0).output();
    }
}

fn declare(stack: &mut Stack, build: Build) -> (Action, Built) {
    let image = format!("mainstay-test/{}:latest", stack.name());
    let labels = std::collections::BTreeMap::from([("dev.mainstay.test".to_owned(), "docker-room".to_owned())]);
    let build = Build { labels, no_cache: true, ..build };
    let tags = build.tags.clone();
    let service = stack.service("app", &["default"], ContainerSpec::default());
    (service.image, service.build) = (image.clone(), Some(build));
    let action = Action::BuildImage { service: ServiceName::new("app").unwrap(), image: image.clone() };
    (action, Built([vec![image], tags].concat()))
}

fn write(folder: &Path, path: &str, text: &str) {
    let at = folder.join(path);
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::fs::write(at, text).unwrap();
}

/// Does what fails, and gives the error with everything that was told on the way.
async fn act_and_hear(stack: &Stack, action: Action) -> (WorldError, String) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let hear = lines.clone();
    let step = Step { id: StepId(1), action, why: "a test".into(), impact: Impact::Live, needs: Vec::new() };
    let progress = Progress::new(move |told| hear.lock().unwrap().push(format!("{told:?}")));
    let error = stack.docker.act(&step, &stack.context(), &progress).await.unwrap_err();
    let heard = lines.lock().unwrap().join("\n");
    (error, heard)
}

async fn output_of(stack: &Stack) -> String {
    let app = stack.start("app").await;
    stack.wait(&app, Condition::Completed, 20).await.unwrap();
    docker(&["logs", id_of(&app)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_built_without_what_it_ignores() {
    let Some(mut stack) = Stack::new("folder").await else { return };
    stack.network("default");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ".dockerignore", "*.log\nsecret\n!secret/public\nDockerfile\n");
    for path in ["app.txt", "noise.log", "secret/key", "secret/public", "deep/er/file"] {
        write(folder.path(), path, path);
    }
    let text = "FROM mainstay-test/tiny:1 AS base\nARG WHO\nARG LATER=default\nCOPY . /ctx\nRUN echo \"hello $WHO $LATER\" > /hello\nFROM base AS wanted\nCMD [\"sh\", \"-c\", \"cat /hello; cd /ctx; find . -type f | sort\"]\nFROM base\nRUN false\n";
    write(folder.path(), "Dockerfile", text);
    let args = [("WHO".to_owned(), Some(Hidden::new("you & $me"))), ("LATER".to_owned(), None)];
    let extra_tag = format!("mainstay-test/{}:second", stack.name());
    let (action, _built) = declare(
        &mut stack,
        Build {
            context: folder.path().display().to_string(),
            args: args.into(),
            target: Some("wanted".into()),
            tags: vec![extra_tag.clone()],
            shm_size_bytes: Some(1 << 20),
            network: Some("none".into()),
            ..Default::default()
        },
    );
    stack.lay().await;
    let acted = stack.must(action).await;
    assert!(acted.detail.unwrap().starts_with("built "));
    docker(&["image", "inspect", &extra_tag]);
    assert_eq!(
        output_of(&stack).await,
        "hello you & $me default\n./.dockerignore\n./app.txt\n./deep/er/file\n./secret/public"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inline_dockerfile_is_built_and_not_copied() {
    let Some(mut stack) = Stack::new("inline").await else { return };
    stack.network("default");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "app.txt", "x");
    let text = "FROM mainstay-test/tiny:1\nCOPY . /ctx\nCMD [\"sh\", \"-c\", \"ls -A /ctx\"]\n";
    let context = folder.path().display().to_string();
    let (action, _built) =
        declare(&mut stack, Build { context, dockerfile_inline: Some(text.into()), ..Default::default() });
    stack.lay().await;
    stack.must(action).await;
    assert_eq!(output_of(&stack).await, "app.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dockerfile_that_changed_is_read_anew_even_when_its_length_did_not() {
    let Some(mut stack) = Stack::new("changed").await else { return };
    stack.network("default");
    let folder = tempfile::tempdir().unwrap();
    let context = folder.path().display().to_string();
    stack.lay().await;
    for word in ["one", "two"] {
        let text = format!("FROM mainstay-test/tiny:1\nCMD [\"echo\", \"{word}\"]\n");
        write(folder.path(), "Dockerfile", &text);
        let (action, _built) = declare(&mut stack, Build { context: context.clone(), ..Default::default() });
        stack.must(action).await;
        let image = format!("mainstay-test/{}:latest", stack.name());
        assert_eq!(docker(&["run", "--rm", &image]), word);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dockerfile_outside_of_its_context_is_built() {
    let Some(mut stack) = Stack::new("outside").await else { return };
    stack.network("default");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "ctx/app.txt", "x");
    write(
        folder.path(),
        "docker/web.Dockerfile",
        "FROM mainstay-test/tiny:1\nCOPY app.txt /\nCMD [\"cat\", \"/app.txt\"]\n",
    );
    let context = folder.path().join("ctx").display().to_string();
    let dockerfile = Some("../docker/web.Dockerfile".into());
    let (action, _built) = declare(&mut stack, Build { context, dockerfile, ..Default::default() });
    stack.lay().await;
    stack.must(action).await;
    assert_eq!(output_of(&stack).await, "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_say_what_was_missed_and_hide_the_arguments() {
    let Some(mut stack) = Stack::new("fails").await else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "app.txt", "x");
    let context = folder.path().display().to_string();
    let build =
        |text: &str| Build { context: context.clone(), dockerfile_inline: Some(text.into()), ..Default::default() };
    let (action, _built) = declare(&mut stack, build("FROM mainstay-test/tiny:1\nCOPY missing.txt /\n"));
    let error = stack.act(action).await.unwrap_err();
    let hint = "the Dockerfile copies `missing.txt` (line 2), which is not there";
    assert!(error.hints.iter().any(|it| it.contains(hint)), "{}", told(&error));

    let args = [("TOKEN".to_owned(), Some(Hidden::new("s3cr3t-value")))].into();
    let text = "FROM mainstay-test/tiny:1\nARG TOKEN\nRUN echo using $TOKEN && echo this is broken >&2 && exit 5\n";
    let (action, _built) = declare(&mut stack, Build { args, ..build(text) });
    let (error, heard) = act_and_hear(&stack, action).await;
    let text = told(&error);
    assert!(text.contains("code: 5") && text.contains("this is broken") && text.contains("using …"), "{text}");
    assert!(text.contains("line 3 of the inline Dockerfile: `RUN echo using $TOKEN"), "{text}");
    assert!(heard.contains("RUN echo using"), "{heard}");
    assert!(!heard.contains("s3cr3t") && !text.contains("s3cr3t"), "{heard}");

    let (action, _built) = declare(&mut stack, Build { context: "/nowhere/at/all".into(), ..Default::default() });
    let text = told(&stack.act(action).await.unwrap_err());
    assert!(text.contains("`/nowhere/at/all` is not there"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_ends_when_it_is_dropped() {
    let Some(mut stack) = Stack::new("cancel").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let context = folder.path().display().to_string();
    let mark = format!("sleep 97{}", std::process::id());
    let text = format!("FROM mainstay-test/tiny:1\nRUN {mark}\n");
    let (action, _built) = declare(&mut stack, Build { context, dockerfile_inline: Some(text), ..Default::default() });
    let running = || {
        !docker(&["ps", "-q", "--no-trunc", "--filter", "status=running", "--format", "{{.Command}}"]).is_empty()
            && docker(&["ps", "--no-trunc", "--format", "{{.Command}}"]).contains(&mark)
    };
    let building = tokio::time::timeout(std::time::Duration::from_secs(4), stack.act(action)).await;
    assert!(building.is_err(), "the build was to be cut off");
    for _ in 0..100 {
        if !running() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the build goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_cannot_be_pulled_is_told() {
    let Some(stack) = Stack::new("pull").await else { return };
    let image = "localhost:9/mainstay-test/nowhere:1".to_owned();
    let error = stack.act(Action::PullImage { image, platform: None }).await.unwrap_err();
    let text = told(&error);
    assert!(text.contains("nowhere:1` could not be pulled") && error.transient, "{text}");
}
