//! Buckets on a real S3 server: made, backed up, read back, restored. The server keeps each object as a file, so a test
//! looks at them, and changes them, without asking it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mainstay_e2e::{Scene, eventually, require_engine};
use serde_json::Value;

/// A stack with an S3 server that answers, and a bucket that is not made yet.
fn stack(name: &str, to: &str) -> Scene {
    let scene = Scene::new(name);
    let text = "services:
  s3:
    image: mainstay-test/rclone:1
    # Files change under it, so it is to look; with 0 it does nothing else.
    command: [--auth-key, 'GK31c2f218a2e44f485b94239e,it-is-a-secret', --dir-cache-time, 1ms]
    volumes: ['./objects:/data']
    stop_grace_period: 1s
x-mainstay:
  buckets:
    artifacts:
      service: s3
      port: 3900
      bucket: botmox-artifacts
      access_key: GK31c2f218a2e44f485b94239e
      secret_key: ${S3_SECRET_ACCESS_KEY}
      backup: { to: BACKUPS, keep: { last: 1 } }
";
    scene.stack("one", &text.replace("BACKUPS", to));
    scene.file("one", ".env", "S3_SECRET_ACCESS_KEY=it-is-a-secret\n");
    fs::create_dir_all(scene.dir("one").join("objects")).expect("a folder for objects");
    scene.on("one", &["up", "--yes"]).ok();
    assert!(scene.dir("one").join("objects/botmox-artifacts").is_dir(), "`up` has made the bucket");
    scene.on("one", &["secret", "recovery-key", "recovery.txt"]).ok();
    scene
}

fn object(scene: &Scene, key: &str) -> PathBuf {
    scene.dir("one").join("objects/botmox-artifacts").join(key)
}

fn put(scene: &Scene, key: &str, bytes: &[u8]) {
    let path = object(scene, key);
    fs::create_dir_all(path.parent().expect("a folder")).expect("its folder");
    fs::write(path, bytes).expect("an object");
}

/// The only row of the answer.
fn backed_up(scene: &Scene) -> Value {
    let rows = scene.on("one", &["bucket", "backup", "--json"]).ok().json();
    rows[0].clone()
}

fn large() -> Vec<u8> {
    (0..(9 << 20) + 7_u32).map(|number| (number % 251) as u8).collect()
}

#[test]
fn a_bucket_must_be_made_once_and_be_private() {
    if !require_engine() {
        return;
    }
    let scene = stack("bucketmake", "./backups");
    scene.on("one", &["bucket", "make"]).ok().says("is there as declared");
    let bucket = scene.dir("one").join("objects/botmox-artifacts");
    // `up` has made it, and makes it again where it is missing: that, and nothing else.
    let steps = || scene.on("one", &["plan", "--json"]).ok().json()["steps"].clone();
    assert_eq!(steps(), Value::Array(Vec::new()));
    fs::remove_dir(&bucket).expect("the empty bucket");
    let planned = steps();
    assert_eq!((planned[0]["action"]["do"].as_str(), planned[1].is_null()), (Some("make_bucket"), true), "{planned}");
    assert!(!planned.to_string().contains("it-is-a-secret"));
    scene.on("one", &["up", "--yes"]).ok();
    assert!(bucket.is_dir());
    assert!(scene.history_of("step").iter().any(|step| step.to_string().contains("made bucket `botmox-artifacts`")));
    fs::remove_dir(&bucket).expect("the empty bucket");
    scene.on("one", &["bucket", "ls"]).ok().says("`mainstay bucket make` makes it");
    let made = scene.on("one", &["bucket", "make", "--json"]).ok().json();
    assert_eq!((&made[0]["is_new"], &made[0]["is_public"]), (&Value::Bool(true), &Value::Bool(false)));
    let listed = scene.on("one", &["bucket", "ls", "--json"]).ok().json();
    assert_eq!(listed[0]["objects"], 0);
    scene.on("one", &["bucket", "backup", "artefacts"]).code(2).says("there is `artifacts`");

    // Keys that the server does not know keep nothing from running: it may have to run before it gets them.
    scene.file("one", ".env", "S3_SECRET_ACCESS_KEY=another\n");
    scene.on("one", &["down"]).ok();
    scene.on("one", &["up", "--yes"]).ok().says("not made: ").says("mainstay bucket make artifacts");
    scene.on("one", &["plan"]).ok().prints("whether the bucket `artifacts` is there cannot be told");
}

#[test]
fn only_what_changed_must_be_read_and_everything_must_come_back() {
    if !require_engine() {
        return;
    }
    let scene = stack("bucketback", "./backups");
    put(&scene, "installers/a b.txt", b"as it was");
    put(&scene, "installers/same.txt", b"as it was");
    put(&scene, "big.bin", &large());
    let first = backed_up(&scene);
    assert_eq!((&first["objects"], &first["read"]), (&3.into(), &3.into()), "{first}");
    put(&scene, "new.txt", b"new");
    let second = backed_up(&scene);
    assert_eq!((&second["objects"], &second["read"], &second["read_bytes"]), (&4.into(), &1.into(), &3.into()));
    scene.on("one", &["bucket", "drill"]).ok().says("all as they were");
    scene.on("one", &["bucket", "drill", "--identity", "recovery.txt"]).ok().says("all as they were");

    fs::remove_file(object(&scene, "big.bin")).expect("a loss");
    put(&scene, "installers/a b.txt", b"as it is");
    put(&scene, "later.txt", b"later");
    let told = scene.on("one", &["bucket", "restore", "--dry-run", "--json"]).ok().json();
    assert_eq!((&told["missing"][0], &told["different"][0]), (&"big.bin".into(), &"installers/a b.txt".into()));
    scene.on("one", &["bucket", "restore"]).code(5).says("nothing was written");
    assert!(!object(&scene, "big.bin").exists());
    let over = scene.on("one", &["bucket", "restore", "--yes", "--prefix", "installers/"]).ok().says("wrote 1 object");
    let backups = scene.on("one", &["bucket", "backups", "--json"]).ok().json();
    assert_eq!(backups["backups"][0]["reason"], "before restore", "what was overwritten: {over:?}");
    scene.on("one", &["bucket", "restore", "--yes"]).ok().says("wrote 1 object");
    assert!(fs::read(object(&scene, "big.bin")).expect("it is back") == large());
    assert_eq!(fs::read(object(&scene, "installers/a b.txt")).expect("it is back"), b"as it was");
    assert_eq!(fs::read(object(&scene, "later.txt")).expect("it stays"), b"later");
    scene.on("one", &["bucket", "restore", "--yes"]).ok().says("4 objects as in the backup");

    // The newest was proven, so the one before it may go, with nothing that the newest needs.
    scene.on("one", &["bucket", "retention"]).ok().prints("goes").says("--apply");
    scene.on("one", &["bucket", "retention", "--apply"]).ok().says("1 backup went");
    scene.on("one", &["bucket", "drill", "--all"]).ok();
}

#[test]
fn what_was_damaged_must_be_named_and_be_mended_by_the_next_backup() {
    if !require_engine() {
        return;
    }
    let scene = stack("bucketharm", "./backups");
    put(&scene, "well.txt", b"well");
    put(&scene, "harmed.txt", &[7; 5000]);
    let backed = backed_up(&scene);
    let contents = scene.dir("one").join("backups").join(scene.name("one")).join("buckets/artifacts/contents");
    // Of two contents the one that holds more bytes, by far: what seals them adds some by chance.
    let mut files: Vec<PathBuf> = fs::read_dir(&contents)
        .expect("contents")
        .flat_map(|folder| fs::read_dir(folder.expect("a folder").path()).expect("a folder"))
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort_by_key(|file| fs::metadata(file).expect("a file").len());
    let harmed = files.pop().expect("a content");
    let mut bytes = fs::read(&harmed).expect("its bytes");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&harmed, bytes).expect("a flipped byte");
    let drill = scene.on("one", &["bucket", "drill"]).code(1).says("`harmed.txt`").says("1 object not as they were");
    assert!(!drill.stderr.contains("`well.txt`"));
    let listed = scene.on("one", &["bucket", "backups", "--json"]).ok().json();
    assert_eq!((&listed["backups"][0]["id"], &listed["backups"][0]["standing"]), (&backed["id"], &"failed".into()));
    fs::remove_file(object(&scene, "harmed.txt")).expect("a loss");
    fs::remove_file(object(&scene, "well.txt")).expect("another loss");
    scene
        .on("one", &["bucket", "restore", "--yes"])
        .code(1)
        .says("`harmed.txt`")
        .says("damaged")
        .says("1 object stays");
    assert!(!object(&scene, "harmed.txt").exists());
    assert!(object(&scene, "well.txt").exists(), "one damaged object keeps no other from coming back");

    put(&scene, "harmed.txt", &[7; 5000]);
    assert_eq!(backed_up(&scene)["read"], 2, "a damaged backup is not built upon");
    scene.on("one", &["bucket", "drill"]).ok();
}

#[test]
fn a_backup_must_go_into_another_bucket_in_parts_and_survive_a_sudden_end() {
    if !require_engine() {
        return;
    }
    let scene = stack("bucketkill", "s3://backups/kept");
    fs::create_dir_all(scene.dir("one").join("objects/backups")).expect("the bucket of backups");
    let ip = mainstay_e2e::docker_ok(&[
        "inspect",
        "--format",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        &scene.container("one", "s3"),
    ]);
    let keys = [
        ("AWS_ENDPOINT_URL", format!("http://{}:3900", ip.trim())),
        ("AWS_ACCESS_KEY_ID", "GK31c2f218a2e44f485b94239e".into()),
        ("AWS_SECRET_ACCESS_KEY", "it-is-a-secret".into()),
    ];
    let run = |args: &[&str]| {
        let mut command = scene.command(args);
        command.current_dir(scene.dir("one")).envs(keys.iter().map(|(name, value)| (*name, value)));
        command
    };
    put(&scene, "big.bin", &large());
    let mut killed = run(&["bucket", "backup"]).spawn().expect("a backup");
    eventually("its marker lies there", Duration::from_secs(20), || {
        let begun = fs::read_dir(
            scene.dir("one").join("objects/backups/kept").join(scene.name("one")).join("buckets/artifacts"),
        );
        begun.ok()?.any(|one| one.is_ok_and(|one| one.file_name().to_string_lossy().ends_with(".begun"))).then_some(())
    });
    killed.kill().expect("kill -9");
    killed.wait().expect("its end");
    let ran = mainstay_e2e::Ran::of(run(&["bucket", "backups", "--json"])).ok().json();
    assert_eq!(ran["backups"].as_array().map(Vec::len), Some(0));
    mainstay_e2e::Ran::of(run(&["bucket", "backup"])).ok();
    mainstay_e2e::Ran::of(run(&["bucket", "drill"])).ok().says("all as they were");
    let lying = scene.dir("one").join("objects/backups/kept").join(scene.name("one")).join("buckets/artifacts");
    let begun = fs::read_dir(&lying).expect("backups").filter_map(Result::ok);
    assert_eq!(begun.filter(|one| one.file_name().to_string_lossy().ends_with(".begun")).count(), 0);
    let large = fs::read_dir(lying.join("contents/large")).expect("contents").count();
    assert_eq!(large, 1, "what the killed one left is gone");
}

#[test]
fn a_server_that_is_away_must_be_named_and_nothing_must_count() {
    if !require_engine() {
        return;
    }
    let scene = stack("bucketaway", "./backups");
    put(&scene, "a.txt", b"a");
    scene.on("one", &["stop"]).ok();
    scene.on("one", &["bucket", "backup"]).code(4).says("no container of `s3` runs").says("mainstay up s3");
    let listed = scene.on("one", &["bucket", "backups", "--json"]).ok().json();
    assert_eq!(listed["backups"].as_array().map(Vec::len), Some(0));
    let told = scene.on("one", &["bucket", "ls"]).ok();
    assert!(told.stderr.contains("no container of `s3` runs") && !told.stderr.contains("it-is-a-secret"));
}

#[test]
fn the_schedules_of_a_bucket_must_prove_its_backups_and_name_what_is_damaged() {
    if !require_engine() {
        return;
    }
    let scene = stack("bucketnight", "./backups, schedule: '0 3 * * *', drill: '30 3 * * *'");
    put(&scene, "harmed.txt", &[7; 5000]);
    let server = scene.serve();
    let memory = format!("{}/buckets/artifacts", scene.name("one"));
    let server = scene.after_a_night(server, &memory, &["backup", "drill"]);
    let soon = Duration::from_secs(60);
    let proven = eventually("a proven backup", soon, || {
        let listed = scene.on("one", &["bucket", "ls", "--json"]).ok().json();
        Some(listed[0].clone()).filter(|row| row["standing"] == "proven")
    });
    assert!(
        proven["next_backup"].is_string()
            && proven["next_drill"].is_string()
            && proven["troubles"] == Value::from(Vec::<Value>::new())
    );
    let listed = scene.on("one", &["bucket", "backups", "--json"]).ok().json();
    assert_eq!(listed["backups"][0]["reason"], "scheduled");

    let contents = scene.dir("one").join("backups").join(scene.name("one")).join("buckets/artifacts/contents");
    let folder = fs::read_dir(&contents).expect("contents").next().expect("one").expect("a folder").path();
    let harmed = fs::read_dir(folder).expect("a folder").next().expect("one").expect("a content").path();
    let mut bytes = fs::read(&harmed).expect("its bytes");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&harmed, bytes).expect("a flipped byte");
    let server = scene.after_a_night(server, &memory, &["drill"]);
    eventually("`ps` names it", soon, || {
        let told = scene.on("one", &["ps"]).stderr;
        (told.contains("backups of the bucket `artifacts`: the last drill did not hold")
            && told.contains("`harmed.txt`"))
        .then_some(())
    });
    scene.on("one", &["bucket", "ls", "--check"]).code(6).says("the last drill did not hold");

    let _server = scene.after_a_night(server, &memory, &["backup", "drill"]);
    eventually("all is well again", soon, || {
        (scene.on("one", &["bucket", "ls", "--check"]).code == Some(0)).then_some(())
    });
}
