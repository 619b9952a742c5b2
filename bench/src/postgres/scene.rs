//! The stack that is measured: one Postgres, one database with rows of several kinds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::gauge::Group;

pub const DATABASE: &str = "crm";
const PASSWORD: &str = "bench";

/// Texts, numbers, documents, times; keys, indexes and a reference. A million bookings make some 540 MB.
const TABLES: &str = "
CREATE TABLE guests (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, born date, notes text,
  created_at timestamptz NOT NULL);
CREATE TABLE bookings (id bigint PRIMARY KEY, guest_id bigint NOT NULL REFERENCES guests, reference uuid NOT NULL,
  arrives date NOT NULL, nights smallint NOT NULL, price numeric(10,2) NOT NULL, status text NOT NULL,
  extras jsonb NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE events (id bigint PRIMARY KEY, booking_id bigint NOT NULL, kind text NOT NULL, payload jsonb NOT NULL,
  at timestamptz NOT NULL);
INSERT INTO guests SELECT n, 'guest' || n || '@example.com', 'Guest ' || md5(n::text),
  date '1950-01-01' + (n * 7919 % 20000)::int,
  CASE WHEN n % 3 = 0 THEN repeat('likes the window, ', 1 + (n % 9)::int) || md5((n + 1)::text) END,
  timestamptz '2020-01-01' + n * interval '97 s' FROM generate_series(1, :rows / 5) AS n;
INSERT INTO bookings SELECT n, 1 + n * 31 % (:rows / 5), md5(n::text)::uuid, date '2024-01-01' + (n % 900)::int, 1 + n % 14,
  (n * 37 % 90000) / 100.0, (ARRAY['asked', 'confirmed', 'paid', 'gone'])[1 + n % 4],
  jsonb_build_object('adults', 1 + n % 4, 'breakfast', n % 2 = 0, 'channel',
    (ARRAY['direct', 'agency', 'portal'])[1 + n % 3], 'token', md5((n * 3)::text)),
  timestamptz '2022-01-01' + n * interval '31 s' FROM generate_series(1, :rows) AS n;
INSERT INTO events SELECT n, 1 + n * 17 % :rows, (ARRAY['made', 'changed', 'paid', 'mailed'])[1 + n % 4],
  jsonb_build_object('by', 'user' || n % 50, 'from', md5(n::text), 'to', md5((n + 1)::text), 'note',
    'changed over the channel ' || n % 7),
  timestamptz '2022-01-01' + n * interval '17 s' FROM generate_series(1, :rows) AS n;
CREATE INDEX bookings_arrives ON bookings (arrives);
CREATE INDEX bookings_guest ON bookings (guest_id);
CREATE INDEX events_booking ON events (booking_id);
VACUUM (ANALYZE);
CHECKPOINT;
";

/// One run's stack and folders. `bench/postgres.sh` takes them away.
pub struct Scene {
    pub root: PathBuf,
    pub name: String,
    pub image: String,
    /// Of the host.
    port: u16,
    binary: PathBuf,
}

impl Scene {
    pub fn build(root: &Path, name: &str, port: u16, binary: &Path, image: &str) -> Scene {
        let scene = Scene {
            root: root.to_owned(),
            name: name.to_owned(),
            image: image.to_owned(),
            port,
            binary: binary.to_owned(),
        };
        let stack = scene.stack();
        fs::create_dir_all(&stack).expect("the stack's folder");
        let text = format!(
            "name: {}\nservices:\n  db:\n    image: {image}\n    shm_size: 256m\n    environment: {{ POSTGRES_PASSWORD: \
             {PASSWORD}, POSTGRES_DB: {DATABASE} }}\n    ports: [\"127.0.0.1:{port}:5432\"]\n    healthcheck: {{ test: [CMD, \
             pg_isready, -U, postgres, -h, 127.0.0.1], interval: 1s, retries: 60 }}\nx-mainstay:\n  databases:\n    \
             {DATABASE}: {{ service: db, database: {DATABASE}, backup: {{ to: ./backups }} }}\n",
            name
        );
        fs::write(stack.join("compose.yaml"), text).expect("the Compose file");
        scene.did(scene.mainstay(&["--yes", "up"]));
        let key = scene.root.join("recovery.txt");
        scene.did(scene.mainstay(&["secret", "recovery-key", key.to_str().expect("a plain path")]));
        scene
    }

    pub fn stack(&self) -> PathBuf {
        self.root.join("stack")
    }

    pub fn container(&self) -> String {
        format!("{}-db-1", self.name)
    }

    pub fn group(&self) -> Group {
        Group::of(&self.container()).expect("the control group of the database's container")
    }

    /// The binary, in the stack's folder and without anything of the caller's that says which database is meant.
    pub fn mainstay(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--state-dir").arg(self.root.join("state")).arg("--stack").arg(self.stack()).args(args);
        command.env_remove("DATABASE_URL").env_remove("PGHOST").env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    pub fn did(&self, mut command: Command) {
        let output = command.output().expect("the command runs");
        assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The address of one of its databases, as programs of the host reach it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    pub fn fill(&self, rows: u64) {
        self.psql(DATABASE, TABLES, Some(rows));
    }

    /// Of the whole database, in bytes.
    pub fn bytes(&self) -> f64 {
        let text = self.psql(DATABASE, "SELECT pg_database_size(current_database())", None);
        text.trim().parse().expect("a number of bytes")
    }

    pub fn psql(&self, database: &str, sql: &str, rows: Option<u64>) -> String {
        // With the rows of 2 GB, what is made of their numbers is larger than an `integer`.
        let rows = format!("rows={}::bigint", rows.unwrap_or_default());
        let mut command = Command::new("docker");
        command.args([
            "exec",
            "-i",
            &self.container(),
            "psql",
            "-qAtX",
            "-U",
            "postgres",
            "-v",
            "ON_ERROR_STOP=1",
            "-v",
        ]);
        command.args([&rows, "-d", database]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("psql runs");
        std::io::Write::write_all(&mut child.stdin.take().expect("its input"), sql.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("its end");
        assert!(output.status.success(), "psql failed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Lets what is left of the last measurement be written, so that the next does not pay for it.
    pub fn settle(&self) {
        self.psql("postgres", "CHECKPOINT", None);
        thread::sleep(Duration::from_secs(1));
    }
}
