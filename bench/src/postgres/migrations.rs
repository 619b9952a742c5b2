//! A folder of migrations into an empty database, beside dbmate and the command line of sqlx.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::gauge::run;
use super::scene::Scene;
use super::table::Table;

/// Those who are measured beside.
pub struct Others {
    pub dbmate: Option<PathBuf>,
    pub sqlx: Option<PathBuf>,
}

pub fn measure(scene: &Scene, rounds: usize, count: usize, others: &Others) -> Table {
    let plain = written(&scene.root.join("migrations"), count, ["", ""]);
    let marked = written(&scene.root.join("migrations-dbmate"), count, ["-- migrate:up\n", "-- migrate:down\n"]);
    let mut table = Table::new(format!("{count} migrations into an empty database"));
    for round in 1..=rounds {
        eprintln!("migrations, round {round} of {rounds}");
        let mut measured = |name: &str, database: &str, make: &dyn Fn(&str) -> Command| {
            let database = format!("{database}_{round}");
            scene.psql("postgres", &format!("CREATE DATABASE {database}"), None);
            scene.settle();
            let cost = run(make(&scene.url(&database)).stdin(Stdio::null()), None, &[scene.group()]);
            let tables = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'thing_%'";
            let tables: usize = scene.psql(&database, tables, None).trim().parse().expect("a number");
            assert_eq!(tables, count.div_ceil(4), "{name} has made every table");
            table.add(name, cost);
            scene.psql("postgres", &format!("DROP DATABASE {database}"), None);
        };
        measured("mainstay db migrate apply", "ours", &|url| {
            let mut command = scene.mainstay(&["db", "migrate", "apply", "--dir"]);
            command.arg(&plain).env("DATABASE_URL", url).env("ALLOW_NON_PROD", "1");
            command
        });
        if let Some(dbmate) = &others.dbmate {
            measured("dbmate migrate", "dbmate", &|url| {
                let mut command = Command::new(dbmate);
                command.args(["--no-dump-schema", "--url", url, "--migrations-dir"]).arg(&marked).arg("migrate");
                command
            });
        }
        if let Some(sqlx) = &others.sqlx {
            measured("sqlx migrate run", "sqlx", &|url| {
                let mut command = Command::new(sqlx);
                command.args(["migrate", "run", "--database-url", url, "--source"]).arg(&plain);
                command
            });
        }
    }
    table
}

/// Four kinds in turns: a table, a column with a check, an index, rows.
fn written(folder: &Path, count: usize, [head, tail]: [&str; 2]) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder");
    for number in 0..count {
        let thing = number / 4;
        let (what, sql) = match number % 4 {
            0 => (
                "make",
                format!(
                    "CREATE TABLE thing_{thing} (\n  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n  name text NOT \
                     NULL,\n  made_at timestamptz NOT NULL DEFAULT now()\n);\nCOMMENT ON TABLE thing_{thing} IS 'one of many';"
                ),
            ),
            1 => (
                "price",
                format!(
                    "ALTER TABLE thing_{thing} ADD COLUMN price numeric(10, 2) NOT NULL DEFAULT 0 CHECK (price >= 0);"
                ),
            ),
            2 => ("index", format!("CREATE INDEX thing_{thing}_name ON thing_{thing} (name);")),
            _ => (
                "rows",
                format!("INSERT INTO thing_{thing} (name) SELECT 'row ' || n FROM generate_series(1, 20) AS n;"),
            ),
        };
        let name = format!("{}_{what}_{thing}.sql", 20_250_101_000_000_u64 + number as u64);
        fs::write(folder.join(name), format!("{head}{sql}\n{tail}")).expect("a migration");
    }
    folder.to_owned()
}
